//! What is kept in memory by fingerprint.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use super::pan::Fingerprint;

/// Something by fingerprint.
pub type FingerprintMap<V> = HashMap<Fingerprint, V, BuildHasherDefault<Leading>>;

/// Fingerprints.
pub type FingerprintSet = HashSet<Fingerprint, BuildHasherDefault<Leading>>;

/// A fingerprint is as good as drawn already, and nobody without the key can choose one. Turned so that those that come in order
/// lie in order, they are looked up side by side in memory.
#[derive(Debug, Default)]
pub struct Leading(u64);

impl Hasher for Leading {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(leading) = leading(bytes) {
            self.0 = leading.rotate_left(LEADING_BITS);
        }
    }

    // The length, which all have in common.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The number that a fingerprint begins with.
pub fn leading(fingerprint: &[u8]) -> Option<u64> {
    fingerprint.first_chunk().map(|leading| u64::from_be_bytes(*leading))
}

/// The bits that decide on the place in a table of the usual size.
const LEADING_BITS: u32 = 20;
