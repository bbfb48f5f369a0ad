//! SHA-256 of bytes on their way.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

/// A writer that hashes what the one beneath it has taken.
pub(super) struct Hashed<W> {
    pub(super) inner: W,
    pub(super) sha: Sha256,
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

/// The digest so far, in hex.
pub(super) fn hex(sha: Sha256) -> String {
    crate::model::hex(&sha.finalize())
}
