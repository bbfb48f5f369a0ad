//! A file comes, whole and hashed, or not at all.

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use ssh2::{OpenFlags, OpenType};

use super::calls::plain_path;
use super::link::Link;
use super::watch::Watch;
use super::{Downloaded, Error};

/// libssh2 asks for four times as much ahead.
const BLOCK: usize = 128 * 1024;
/// A transfer that is slower than this on the whole is given up: it is no slow line but a server that holds us.
const BYTES_PER_SECOND_MIN: u64 = 256;

/// How long a transfer of this size may take.
pub(super) fn transfer_limit(call: Duration, size: u64) -> Duration {
    call.saturating_add(Duration::from_secs(size / BYTES_PER_SECOND_MIN))
}

pub(super) fn download(
    link: &Link,
    watch: &mut Watch<'_>,
    path: &str,
    mut into: File,
    size: u64,
) -> Result<Downloaded, Error> {
    let (sha256, mtime) = read(link, watch, path, size, "send", |block| {
        into.write_all(block).map_err(|source| Error::Local { doing: "write a fetched file", source })
    })?;
    Ok(Downloaded { sha256, size, mtime })
}

/// Reads a file of exactly `size` bytes, hands its blocks on and hashes them; gives the hash and the time of its last write.
pub(super) fn read(
    link: &Link,
    watch: &mut Watch<'_>,
    path: &str,
    size: u64,
    doing: &'static str,
    mut take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<([u8; 32], u64), Error> {
    let path = plain_path(path)?;
    watch.begin(doing, transfer_limit(link.limits().call, size));
    link.with_open(watch, path, (OpenFlags::READ, 0, OpenType::File), |open, watch| {
        let mut hash = Sha256::new();
        let mut block = vec![0; BLOCK];
        let mut left = size;
        let changed = |found: String| Error::Changed { path: path.to_owned(), size, found };
        loop {
            let read = open.read(watch, &mut block)?;
            let got = block.get(..read).unwrap_or(&block);
            let length = u64::try_from(got.len()).unwrap_or(u64::MAX);
            if got.is_empty() {
                break;
            }
            left = left.checked_sub(length).ok_or_else(|| changed("there are more".to_owned()))?;
            hash.update(got);
            take(got)?;
        }
        if left > 0 {
            return Err(changed(format!("there are {}", size - left)));
        }
        let stat = open.ask(watch, ssh2::File::stat)?;
        if stat.size.is_some_and(|now| now != size) {
            return Err(changed("more are being written".to_owned()));
        }
        Ok((hash.finalize().into(), stat.mtime.unwrap_or(0)))
    })
}
