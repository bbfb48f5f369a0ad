//! Sealing under an issuer's data key, and opening again.
//!
//! ```text
//! sealed PAN  := nonce (12) | AES-256-GCM(data key, packed PAN (10), aad = 1 | epoch | pan_id | issuer) | tag (16)
//! sealed text := epoch (4) | nonce (12) | AES-256-GCM(data key, text, aad = 2 | epoch | row | issuer) | tag (16)
//! ```
//!
//! A PAN is ten bytes, and what GCM costs for so few is two calls of AES a block each. So a worker has the key stream of many PANs
//! made in one call, and puts the rest of NIST SP 800-38D together itself. Opening, and sealing of texts, is the library's:
//! each opens what the other sealed.

use std::sync::Arc;

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aes::Block;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aes_gcm::{Nonce, Tag};
use ghash::universal_hash::UniversalHash;
use zeroize::{Zeroize, Zeroizing};

use super::keys::{IssuerKeys, VaultError, seal_in_place};
use super::pan::{Nonces, PACKED_BYTES, Pan, SEALED_BYTES, SealedPan};

/// The first byte of the additional data of a sealed PAN.
const PAN: u8 = 1;

/// The first byte of the additional data of a sealed text.
const TEXT: u8 = 2;

const NONCE_BYTES: usize = 12;

/// PANs whose key stream is made at once. Each takes two blocks, and 64 are what the widest form of AES takes in one call.
const AHEAD: usize = 32;

/// What one worker seals with, under one issuer's keys.
pub struct Sealing {
    keys: Arc<IssuerKeys>,
    nonces: Nonces,
    ahead: [[u8; NONCE_BYTES]; AHEAD],
    /// For each of these nonces the block that masks the tag and the one that hides the PAN. Wiped when used, and on drop.
    stream: Box<Zeroizing<[[u8; 16]; 2 * AHEAD]>>,
    /// How many are used up.
    used: usize,
}

impl Sealing {
    /// Nothing is made ahead before the first PAN comes.
    pub fn new(keys: Arc<IssuerKeys>, nonces: Nonces) -> Self {
        let stream = Box::new(Zeroizing::new([[0; 16]; 2 * AHEAD]));
        Self { keys, nonces, ahead: [[0; NONCE_BYTES]; AHEAD], stream, used: AHEAD }
    }

    /// Seals a PAN for the row `pan_id`, under the current epoch.
    pub fn seal(&mut self, pan: &Pan, pan_id: i64) -> SealedPan {
        if self.used == AHEAD {
            self.make_ahead();
        }
        let nonce = self.ahead[self.used];
        let at = 2 * self.used;
        self.used += 1;
        // In their places: what is taken out leaves a copy behind.
        let mut packed = pan.packed();
        let mut body = [0; PACKED_BYTES];
        for ((byte, clear), hidden) in body.iter_mut().zip(&packed).zip(&self.stream[at + 1]) {
            *byte = clear ^ hidden;
        }
        packed.zeroize();
        let mut tag = self.authenticated(&Aad::new(PAN, &self.keys, pan_id), &body);
        for (byte, mask) in tag.iter_mut().zip(&self.stream[at]) {
            *byte ^= mask;
        }
        self.stream[at..at + 2].as_flattened_mut().zeroize();
        let mut sealed = [0_u8; SEALED_BYTES];
        sealed[..12].copy_from_slice(&nonce);
        sealed[12..22].copy_from_slice(&body);
        sealed[22..].copy_from_slice(&tag);
        sealed
    }

    /// Seals a short text that stands in the row `row` and nowhere else, such as a rejected card number that an answer
    /// repeats.
    pub fn seal_text(&mut self, text: &[u8], row: i64) -> Vec<u8> {
        let nonce = self.nonces.nonce();
        let mut body = Zeroizing::new(text.to_vec());
        let tag = seal_in_place(self.keys.data(), &nonce, &Aad::new(TEXT, &self.keys, row), &mut body);
        [&self.keys.epoch().to_be_bytes()[..], &nonce, &body, &tag].concat()
    }

    /// Counter blocks 1 and 2 of as many new nonces as there is room for, encrypted.
    fn make_ahead(&mut self) {
        for (nonce, [first, second]) in self.ahead.iter_mut().zip(self.stream.as_chunks_mut().0) {
            *nonce = self.nonces.nonce();
            for (block, counter) in [(first, 1), (second, 2)] {
                *block = [0; 16];
                block[..NONCE_BYTES].copy_from_slice(nonce);
                block[15] = counter;
            }
        }
        self.keys.cipher().encrypt_blocks(Block::cast_slice_from_core_mut(&mut self.stream[..]));
        self.used = 0;
    }

    /// GHASH of additional data, body and their lengths in bits, each padded to a block.
    fn authenticated(&self, aad: &[u8], body: &[u8]) -> ghash::Block {
        const BODY: usize = AAD_BYTES_MAX.div_ceil(16);
        let mut blocks = [ghash::Block::default(); BODY + 2];
        let first = BODY - aad.len().div_ceil(16);
        let flat = ghash::Block::slice_as_flattened_mut(&mut blocks);
        flat[16 * first..][..aad.len()].copy_from_slice(aad);
        flat[16 * BODY..][..body.len()].copy_from_slice(body);
        let bits = |bytes: usize| (bytes as u64 * 8).to_be_bytes();
        flat[16 * BODY + 16..][..8].copy_from_slice(&bits(aad.len()));
        flat[16 * BODY + 24..].copy_from_slice(&bits(body.len()));
        let mut hash = self.keys.hash().clone();
        hash.update(&blocks[first..]);
        hash.finalize()
    }
}

impl IssuerKeys {
    /// Opens what [`Sealing::seal`] made for the same row.
    pub fn unseal(&self, sealed: &SealedPan, pan_id: i64) -> Result<Pan, VaultError> {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&sealed[..12]);
        let mut body = [0; PACKED_BYTES];
        body.copy_from_slice(&sealed[12..22]);
        let mut tag = [0; 16];
        tag.copy_from_slice(&sealed[22..]);
        self.open_in_place(&nonce, &Aad::new(PAN, self, pan_id), &mut body, &tag)?;
        let pan = Pan::unpacked(&body).ok_or(VaultError::SealBroken);
        body.zeroize();
        pan
    }

    /// Opens what [`Sealing::seal_text`] made for the same row.
    pub fn unseal_text(&self, sealed: &[u8], row: i64) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (epoch, rest) = sealed.split_first_chunk::<4>().ok_or(VaultError::SealBroken)?;
        let (nonce, rest) = rest.split_first_chunk::<12>().ok_or(VaultError::SealBroken)?;
        let (body, tag) = rest.split_last_chunk::<16>().ok_or(VaultError::SealBroken)?;
        if u32::from_be_bytes(*epoch) != self.epoch() {
            return Err(VaultError::SealBroken);
        }
        let mut text = Zeroizing::new(body.to_vec());
        self.open_in_place(nonce, &Aad::new(TEXT, self, row), &mut text, tag)?;
        Ok(text)
    }

    fn open_in_place(&self, nonce: &[u8; 12], aad: &[u8], body: &mut [u8], tag: &[u8; 16]) -> Result<(), VaultError> {
        self.data()
            .decrypt_inout_detached(&Nonce::from(*nonce), aad, InOutBuf::from(body), &Tag::from(*tag))
            .map_err(|_| VaultError::SealBroken)
    }
}

/// An issuer's id has at most 16 bytes.
const AAD_BYTES_MAX: usize = 13 + 16;

/// The additional data of a sealed PAN or text, built without an allocation a record.
struct Aad {
    bytes: [u8; AAD_BYTES_MAX],
    len: usize,
}

impl Aad {
    fn new(version: u8, keys: &IssuerKeys, row: i64) -> Self {
        let mut bytes = [0; AAD_BYTES_MAX];
        bytes[0] = version;
        bytes[1..5].copy_from_slice(&keys.epoch().to_be_bytes());
        bytes[5..13].copy_from_slice(&row.to_be_bytes());
        let issuer = keys.issuer().as_bytes();
        let tail = &issuer[..issuer.len().min(16)];
        bytes[13..13 + tail.len()].copy_from_slice(tail);
        Self { bytes, len: 13 + tail.len() }
    }
}

impl std::ops::Deref for Aad {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{KeyEncryptionKey, KeyPurpose};
    use super::*;

    fn keys(issuer: &str) -> Arc<IssuerKeys> {
        let kek = KeyEncryptionKey::from_hex("a".repeat(64).as_bytes()).unwrap();
        let wrapped = KeyPurpose::ALL.map(|purpose| kek.wrap_new(issuer, purpose, 1, &Zeroizing::new([3; 44])));
        Arc::new(IssuerKeys::open(&kek, issuer, &wrapped).unwrap())
    }

    fn sealing(issuer: &str) -> Sealing {
        Sealing::new(keys(issuer), Nonces::from_seed([7; 32]))
    }

    #[test]
    fn a_pan_opens_only_in_its_own_row_of_its_own_issuer() {
        let (mut acme, other) = (sealing("ACME"), keys("OTHER"));
        let pan = Pan::new(b"2303770003322342").unwrap();
        let sealed = acme.seal(&pan, 42);
        let opened = acme.keys.unseal(&sealed, 42).unwrap();
        assert_eq!(opened.digits(), pan.digits());
        assert!(acme.keys.unseal(&sealed, 43).is_err());
        assert!(other.unseal(&sealed, 42).is_err(), "same raw key, other issuer");
        for at in 0..SEALED_BYTES {
            let mut altered = sealed;
            altered[at] ^= 1;
            assert!(acme.keys.unseal(&altered, 42).is_err(), "byte {at}");
        }
    }

    #[test]
    fn no_nonce_comes_twice_and_no_key_stream_is_left() {
        let mut sealing = sealing("ACME");
        let pan = Pan::new(b"2303770003322342").unwrap();
        let mut seen = std::collections::HashSet::new();
        for row in (0..).take(3 * AHEAD) {
            let sealed = sealing.seal(&pan, row);
            assert!(seen.insert(sealed[..NONCE_BYTES].to_vec()), "row {row}");
            assert_eq!(sealing.keys.unseal(&sealed, row).unwrap().digits(), pan.digits());
            assert!(sealing.stream[..2 * sealing.used].iter().all(|block| *block == [0; 16]));
            let text = sealing.seal_text(b"1", row);
            assert!(seen.insert(text[4..][..NONCE_BYTES].to_vec()), "text of row {row}");
        }
    }

    #[test]
    fn a_text_opens_only_in_its_own_row_and_not_as_a_pan() {
        let mut sealing = sealing("ACME");
        let sealed = sealing.seal_text(b"230377000332234X", 42);
        assert_eq!(&**sealing.keys.unseal_text(&sealed, 42).unwrap(), b"230377000332234X");
        assert!(sealing.keys.unseal_text(&sealed, 43).is_err());
        let ten = sealing.seal_text(&[0x11; PACKED_BYTES], 42);
        assert!(sealing.keys.unseal(&ten[4..].try_into().unwrap(), 42).is_err());
    }

    proptest! {
        /// What is put together here is what the library makes of the same key, nonce, additional data and PAN.
        #[test]
        fn seals_as_the_library_does(
            issuer in "[A-Z0-9_]{1,16}",
            digits in "[0-9]{11,19}",
            row in any::<i64>(),
            before in 0..2 * AHEAD,
        ) {
            let mut sealing = sealing(&issuer);
            let pan = Pan::new(digits.as_bytes()).unwrap();
            for _ in 0..before {
                sealing.seal(&pan, row);
            }
            let sealed = sealing.seal(&pan, row);
            let mut body = pan.packed();
            let nonce = *sealed.first_chunk().unwrap();
            let tag = seal_in_place(sealing.keys.data(), &nonce, &Aad::new(PAN, &sealing.keys, row), &mut body);
            prop_assert_eq!(&sealed[..], [&nonce[..], &body, &tag].concat());
        }
    }
}
