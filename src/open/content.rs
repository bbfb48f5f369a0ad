//! The content, streamed: read a block, decode it, decrypt it, in fixed buffers.
//!
//! GCM gives plaintext out before its tag is checked, at the very end; CBC-HS is verified whole before its first byte is
//! decrypted, in a pass of its own, because a padding error seen before the MAC answers questions about the plaintext.

use std::io;
use std::sync::Arc;

use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Crypter, Mode as Direction};
use zeroize::Zeroizing;

use crate::model::{Code, Refusal};

use super::base64;
use super::error::{OpenError, crypto_error};
use super::header::{Enc, Mode};
use super::source::Source;
use super::token::Token;

/// Letters read at a time; whole groups of four.
const BLOCK_LETTERS: usize = 256 << 10;
const BLOCK_BYTES: usize = BLOCK_LETTERS / 4 * 3;
/// Room for what a cipher holds back.
const SLACK_BYTES: usize = 32;

/// A token with its content key.
pub(super) struct Sealed {
    source: Arc<Source>,
    token: Arc<Token>,
    enc: Enc,
    cek: Zeroizing<Vec<u8>>,
}

impl Sealed {
    pub(super) const fn new(source: Arc<Source>, token: Arc<Token>, enc: Enc, cek: Zeroizing<Vec<u8>>) -> Self {
        Self { source, token, enc, cek }
    }

    fn blocks(&self) -> Blocks {
        let letters = self.token.ciphertext.end - self.token.ciphertext.start;
        let block = usize::try_from(letters).unwrap_or(usize::MAX).min(BLOCK_LETTERS);
        Blocks { at: self.token.ciphertext.start, end: self.token.ciphertext.end, letters: vec![0; block] }
    }

    fn verify_mac(&self, mac_key: &[u8], hash: openssl::hash::MessageDigest) -> Result<(), OpenError> {
        let token = &self.token;
        let key = PKey::hmac(mac_key)?;
        let mut signer = Signer::new(hash, &key)?;
        signer.update(&token.aad)?;
        signer.update(&token.iv)?;
        let mut blocks = self.blocks();
        while let Some(block) = blocks.next(&self.source)? {
            signer.update(block)?;
        }
        signer.update(&(token.aad.len() as u64 * 8).to_be_bytes())?;
        let mac = signer.sign_to_vec()?;
        match mac.get(..token.tag.len()) {
            Some(mac) if memcmp::eq(mac, &token.tag) => Ok(()),
            _ => Err(crypto_error().into()),
        }
    }
}

/// The decoded ciphertext, block by block.
struct Blocks {
    at: u64,
    end: u64,
    letters: Vec<u8>,
}

impl Blocks {
    fn next(&mut self, source: &Source) -> Result<Option<&[u8]>, OpenError> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let length = left.min(self.letters.len());
        let Some(letters) = self.letters.get_mut(..length).filter(|letters| !letters.is_empty()) else {
            return Ok(None);
        };
        source.read_exact_at(letters, self.at)?;
        self.at += length as u64;
        match base64::decode_in_place(letters) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(base64::NotBase64) => {
                Err(Refusal::new(Code::EnvelopeRefused, "the content is not base64url; expected a compact JWE").into())
            }
        }
    }
}

/// One pass over the plaintext.
pub(super) struct Stream {
    sealed: Arc<Sealed>,
    blocks: Blocks,
    crypter: Crypter,
    plain: Zeroizing<Vec<u8>>,
    /// What of `plain` is still to be handed out.
    ready: std::ops::Range<usize>,
    state: State,
}

enum State {
    Reading,
    Proven,
    Refused(Refusal),
    /// The world failed in the middle; only a new stream can tell what the file is.
    Broken,
}

impl Stream {
    pub(super) fn new(sealed: Arc<Sealed>) -> Result<Self, OpenError> {
        let cipher = sealed.enc.cipher();
        let blocks = sealed.blocks();
        let plain = Zeroizing::new(vec![0; blocks.letters.len().min(BLOCK_BYTES) + SLACK_BYTES]);
        let crypter = match sealed.enc.mode() {
            Mode::Gcm => {
                let mut crypter = Crypter::new(cipher, Direction::Decrypt, &sealed.cek, Some(&sealed.token.iv))?;
                crypter.aad_update(&sealed.token.aad)?;
                crypter.set_tag(&sealed.token.tag)?;
                crypter
            }
            Mode::CbcHmac(hash) => {
                let (mac_key, key) = sealed.cek.split_at(sealed.cek.len() / 2);
                let crypter = Crypter::new(cipher, Direction::Decrypt, key, Some(&sealed.token.iv))?;
                // Last of all, so that a MAC that does not hold costs what one that holds costs, but for the decryption.
                sealed.verify_mac(mac_key, hash)?;
                crypter
            }
        };
        Ok(Self { sealed, blocks, crypter, plain, ready: 0..0, state: State::Reading })
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, OpenError> {
        while self.ready.is_empty() {
            match &self.state {
                State::Reading => {}
                State::Proven => return Ok(0),
                State::Refused(refusal) => return Err(refusal.clone().into()),
                State::Broken => return Err(io::Error::other("an earlier read of this stream failed").into()),
            }
            if let Err(error) = self.fill() {
                self.state = match &error {
                    OpenError::Refused(refusal) => State::Refused(refusal.clone()),
                    OpenError::Io { .. } | OpenError::Library { .. } => State::Broken,
                };
                return Err(error);
            }
        }
        let length = self.ready.len().min(out.len());
        let from = self.ready.start..self.ready.start + length;
        if let (Some(out), Some(plain)) = (out.get_mut(..length), self.plain.get(from)) {
            out.copy_from_slice(plain);
        }
        self.ready.start += length;
        Ok(length)
    }

    /// Decrypts the next block, or proves the end.
    fn fill(&mut self) -> Result<(), OpenError> {
        let written = match self.blocks.next(&self.sealed.source)? {
            Some(block) => self.crypter.update(block, &mut self.plain).map_err(|_| crypto_error())?,
            None => {
                let written = self.crypter.finalize(&mut self.plain).map_err(|_| crypto_error())?;
                self.state = State::Proven;
                written
            }
        };
        self.ready = 0..written;
        Ok(())
    }
}
