//! Digests of bytes on their way.

use std::io::{self, Write};

use crc32fast::Hasher as Crc32;
use sha2::{Digest, Sha256};

/// A writer that hashes what the one beneath it has taken.
pub(super) struct Hashed<W> {
    pub(super) inner: W,
    pub(super) sha: Sha256,
}

/// Length and CRC-32: enough to tell that what was read is what was written, at a tenth of what SHA-256 costs. It is no
/// protection against somebody who means harm.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    crc: Crc32,
    bytes: u64,
}

impl Sum {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        (self.bytes, self.crc.clone().finalize()) == (other.bytes, other.crc.clone().finalize())
    }
}

impl<W> Hashed<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, sha: Sha256::new() }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        self.sha.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What is hashed may be a card number: the state goes with the hash. That it does hangs on a feature of the crate.
const _: fn() = || {
    fn is_wiped<T: zeroize::ZeroizeOnDrop>() {}
    is_wiped::<Sha256>();
};

/// The digest so far, in hex.
pub(super) fn hex(sha: Sha256) -> String {
    crate::model::hex(&sha.finalize())
}
