//! HMAC-SHA-256 (RFC 2104) under keys that stay, of messages that are short.
//!
//! Every record has two of them, and what a library adds to the four blocks that they hash (its buffers copied and wiped) is half as
//! much again. Here the keyed states stay where they are, and two messages are hashed side by side: SHA-256 waits for itself at every
//! round, and a processor works on another meanwhile if that comes right behind.

use std::slice::from_ref;

use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop};

type State = [u32; 8];
const BLOCK_BYTES: usize = 64;
type Block = [u8; BLOCK_BYTES];
/// Of a last block the padding takes at least so many: a bit that ends the message, and its length.
const PADDING_BYTES: usize = 9;

/// Where SHA-256 begins (FIPS 180-4, 5.3.3).
const INITIAL: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A key and the beginning of a message, already worked in.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Mac {
    inner: State,
    outer: State,
    /// Bytes so far, with the key's block.
    bytes: u64,
    /// What does not fill a block yet.
    rest: Block,
}

impl Mac {
    /// Of no message yet.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let keyed = |pad: u8| {
            // A short key is filled up with zeros.
            let mut block = [pad; BLOCK_BYTES];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            let mut state = INITIAL;
            compress256(&mut state, from_ref(&block));
            block.zeroize();
            state
        };
        Self { inner: keyed(0x36), outer: keyed(0x5C), bytes: BLOCK_BYTES as u64, rest: [0; BLOCK_BYTES] }
    }

    /// The message goes on.
    pub(super) fn add(&mut self, mut part: &[u8]) {
        while let Some((taken, left)) = part.split_at_checked(BLOCK_BYTES - self.filled()) {
            let from = self.filled();
            self.rest[from..].copy_from_slice(taken);
            compress256(&mut self.inner, from_ref(&self.rest));
            self.bytes += taken.len() as u64;
            part = left;
        }
        let from = self.filled();
        self.rest[from..from + part.len()].copy_from_slice(part);
        self.bytes += part.len() as u64;
    }

    /// Of the message so far and what follows it, which must leave room for the padding in two blocks: with 56 bytes it always does.
    pub(super) fn followed_by(&self, tail: &[u8]) -> [u8; 32] {
        let mut last = Last::of(self);
        last.take(tail);
        last.end_inner();
        last.end()
    }

    /// The same of two at once.
    pub(super) fn both((one, tail): (&Self, &[u8]), (other, other_tail): (&Self, &[u8])) -> ([u8; 32], [u8; 32]) {
        let (mut one, mut other) = (Last::of(one), Last::of(other));
        one.take(tail);
        other.take(other_tail);
        one.end_inner();
        other.end_inner();
        (one.end(), other.end())
    }

    fn filled(&self) -> usize {
        usize::try_from(self.bytes % BLOCK_BYTES as u64).unwrap_or(0)
    }
}

/// The end of a message.
struct Last<'a> {
    mac: &'a Mac,
    state: State,
    /// What is left of it, padded (FIPS 180-4, 5.1.1): one block or two.
    blocks: [Block; 2],
    count: usize,
}

impl<'a> Last<'a> {
    /// Empty, since what is filled and then returned leaves a copy behind.
    fn of(mac: &'a Mac) -> Self {
        Self { mac, state: mac.inner, blocks: [[0; BLOCK_BYTES]; 2], count: 0 }
    }

    fn take(&mut self, tail: &[u8]) {
        let filled = self.mac.filled();
        let end = filled + tail.len();
        self.count = (end + PADDING_BYTES).div_ceil(BLOCK_BYTES);
        debug_assert!(self.count <= 2, "{} bytes are too many to follow", tail.len());
        let flat = &mut self.blocks.as_flattened_mut()[..self.count * BLOCK_BYTES];
        flat[..filled].copy_from_slice(&self.mac.rest[..filled]);
        flat[filled..end].copy_from_slice(tail);
        pad(flat, end, self.mac.bytes + tail.len() as u64);
    }

    /// The inner hash, which takes the place of the message: that may have been a card number.
    fn end_inner(&mut self) {
        compress256(&mut self.state, &self.blocks[..self.count]);
        if self.count > 1 {
            self.blocks.as_flattened_mut().zeroize();
        }
        let block = &mut self.blocks[0];
        block[..32].copy_from_slice(&bytes(self.state));
        block[32..].fill(0);
        pad(block, 32, (BLOCK_BYTES + 32) as u64);
    }

    fn end(&mut self) -> [u8; 32] {
        self.state = self.mac.outer;
        compress256(&mut self.state, &self.blocks[..1]);
        bytes(self.state)
    }
}

/// Ends a message of so many bytes, of which the last end at `end`.
fn pad(blocks: &mut [u8], end: usize, bytes: u64) {
    blocks[end] = 0x80;
    let length = blocks.len() - 8;
    blocks[length..].copy_from_slice(&(bytes * 8).to_be_bytes());
}

fn bytes(state: State) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes
        .as_chunks_mut()
        .0
        .iter_mut()
        .zip(state)
        .for_each(|(four, word): (&mut [u8; 4], u32)| *four = word.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac as _};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::*;

    fn library(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    #[test]
    fn is_hmac_at_every_length_around_a_block() {
        let (key, text) = ([7; 32], [b'x'; 4 * BLOCK_BYTES]);
        for begun in 0..2 * BLOCK_BYTES {
            let mut mac = Mac::new(&key);
            mac.add(&text[..begun]);
            for tail in 0..=2 * BLOCK_BYTES - PADDING_BYTES - mac.filled() {
                assert_eq!(
                    mac.followed_by(&text[..tail]),
                    library(&key, &[&text[..begun + tail]]),
                    "{begun} and {tail}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn is_hmac_whatever_the_parts(
            keys: [[u8; 32]; 2],
            parts in vec(vec(any::<u8>(), 0..150), 0..5),
            tails in [vec(any::<u8>(), 0..50), vec(any::<u8>(), 0..50)],
        ) {
            let [mut mac, other] = [Mac::new(&keys[0]), Mac::new(&keys[1])];
            parts.iter().for_each(|part| mac.add(part));
            let whole = parts.concat();
            let expected = [library(&keys[0], &[&whole, &tails[0]]), library(&keys[1], &[&tails[1]])];
            prop_assert_eq!(mac.followed_by(&tails[0]), expected[0]);
            prop_assert_eq!(Mac::both((&mac, &tails[0]), (&other, &tails[1])), (expected[0], expected[1]));
        }
    }
}
