//! The SFTP client against a real OpenSSH server, over good lines and bad ones.
//!
//! These speak to the library's `sftp::Client`, not to the binary: a line that is cut at one byte of a transfer is set up
//! more sharply so.

mod cuts;
mod frozen;
mod good;
mod hostile;
mod keys;
mod servers;

use std::fs::{self, File};
use std::future::Future;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use nightdrop::model::SystemClock;
use nightdrop::sftp::{Client, Error, Options};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::world::PATIENCE;
use crate::world::sshd::Sshd;

/// How to reach a server, with limits short enough for a test.
fn options(sshd: &Sshd) -> Options {
    let kind = sshd.host_key_kinds()[0];
    let host_key = sshd.fingerprint(&format!("host-{kind}")).parse().unwrap();
    let mut options =
        Options::new("127.0.0.1", sshd.port, &Sshd::user(), Zeroizing::new(sshd.user_key()), vec![host_key]);
    options.idle = Duration::from_secs(20);
    options
}

/// The same, over another port.
fn through(sshd: &Sshd, port: u16) -> Options {
    Options { port, ..options(sshd) }
}

fn client(options: Options) -> Client {
    Client::start(options, Arc::new(SystemClock)).unwrap()
}

/// Runs a call to its end, or fails after a while.
fn run<T>(call: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(PATIENCE, call).await };
    runtime.block_on(limited).expect("the call ends")
}

/// Bytes that do not repeat, the same for the same length.
fn content(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A file of ours with this content.
fn ours(bytes: &[u8]) -> File {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

/// Fetches a file; what came of it, and the bytes.
fn download(client: &Client, path: &str, size: usize) -> Result<Vec<u8>, Error> {
    let into = tempfile::NamedTempFile::new().unwrap();
    let done = run(client.download(path, into.reopen().unwrap(), u64::try_from(size).unwrap()))?;
    let bytes = fs::read(into.path()).unwrap();
    assert_eq!((done.sha256, done.size), (sha256(&bytes), u64::try_from(bytes.len()).unwrap()), "what is told of it");
    Ok(bytes)
}

/// Delivers a file with this content.
fn upload(client: &Client, dir: &str, name: &str, bytes: &[u8]) -> Result<nightdrop::sftp::Uploaded, Error> {
    run(client.upload(ours(bytes), dir, name, u64::try_from(bytes.len()).unwrap(), sha256(bytes)))
}

/// The names that lie in a directory of the server, in order.
fn names(dir: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
