//! A partner's SFTP server, as a few calls that end.
//!
//! libssh2 blocks, checks no host key and waits for ever unless it is told otherwise. Here it runs on a thread of its own
//! for each server, without blocking, under a watch that ends every wait (`watch.rs`), on a wire that counts every byte
//! (`wire.rs`), and behind a strict look at the host key (`session.rs`). It must never:
//! - say anything to a server that shows another key than the pinned ones: not even the user's name;
//! - hand on a file that is longer, shorter or other than announced;
//! - leave a file under its final name on a server that is not whole;
//! - wait longer than its limits, whatever the server does, or hold up another server's client;
//! - hold more of what a server sends than the limits allow.
//!
//! `Client` is all that others see. Who wants what of a server, and when, is their work.

mod calls;
mod client;
mod connect;
mod error;
mod host_key;
mod link;
mod session;
mod transfer;
mod upload;
mod watch;
mod wire;
mod worker;

use std::time::Duration;

use zeroize::Zeroizing;

pub use client::Client;
pub use error::Error;
pub use host_key::{HostKey, NotAHostKey};

/// What is known of a partner's server.
#[derive(Clone)]
pub struct Options {
    /// Name or address.
    pub host: String,
    /// Most often 22.
    pub port: u16,
    /// Who we are there.
    pub user: String,
    /// The text of an OpenSSH or PEM private key without a passphrase: Ed25519, RSA or ECDSA.
    pub private_key: Zeroizing<Vec<u8>>,
    /// The server's keys: any of them will do, another will not.
    pub host_keys: Vec<HostKey>,
    /// No byte for this long, and the server is taken for frozen.
    pub idle: Duration,
    /// How long finding the address and connecting may take together.
    pub connect: Duration,
    /// How long a login, a listing or another small call may take, however its bytes dribble. A transfer may take this long
    /// and a second more for each 256 bytes.
    pub call: Duration,
    /// How often a connection at rest is used, so that it stays and its end is seen.
    pub keepalive: Duration,
    /// The most entries that a directory may list.
    pub listing_max: usize,
}

impl Options {
    /// A server with the usual limits: 30 s idle, 20 s to connect, 120 s a call, 20 s between signs of life, 100 000
    /// entries.
    pub fn new(host: &str, port: u16, user: &str, private_key: Zeroizing<Vec<u8>>, host_keys: Vec<HostKey>) -> Self {
        Self {
            host: host.to_owned(),
            port,
            user: user.to_owned(),
            private_key,
            host_keys,
            idle: Duration::from_secs(30),
            connect: Duration::from_secs(20),
            call: Duration::from_secs(120),
            keepalive: Duration::from_secs(20),
            listing_max: 100_000,
        }
    }

    fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// What a directory lists, or what stands under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name as the server sends it: it may hold slashes, line ends, anything. Longer ones are cut at 256 bytes, which
    /// no acceptable name has.
    pub name: Vec<u8>,
    /// In bytes.
    pub size: u64,
    /// When it was last written, in seconds since 1970, by the server's clock.
    pub mtime: u64,
    /// What it is.
    pub kind: Kind,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file of known size.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, pipe or socket, or something of which the server does not say kind, size or time.
    Other,
}

/// A file that was fetched whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// Of every byte that was written.
    pub sha256: [u8; 32],
    /// In bytes; the one that was announced.
    pub size: u64,
    /// What the server said of the open file after its last byte was read.
    pub mtime: u64,
}

/// How a file came to lie under its final name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploaded {
    /// It was sent.
    Sent,
    /// It lay there already, with the same size and content: an earlier call had got so far.
    AlreadyThere,
}

/// Whether a text is a private key by its looks: what the library makes of it is seen at the first login.
pub fn looks_like_a_key(text: &[u8]) -> bool {
    let has = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    text.trim_ascii_start().starts_with(b"-----BEGIN ") && has(b"PRIVATE KEY-----")
}
