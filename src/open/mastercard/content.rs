//! The content, streamed: read a block, decode it, decrypt it with AES-CBC, in fixed buffers.
//!
//! Nothing of it is proven, not even at its end: there is no MAC. Whoever reads it must not say what was wrong with it.

use std::io;
use std::sync::Arc;

use openssl::symm::{Cipher, Crypter, Mode as Direction};
use zeroize::Zeroizing;

use super::super::error::{OpenError, crypto_error};
use super::super::source::Source;
use super::fields::{Fields, IV_BYTES};
use super::letters::{self, Encoding, Unescape};

/// Letters read at a time.
const BLOCK_LETTERS: usize = 256 << 10;
const AES_BLOCK_BYTES: usize = 16;

/// A sealed object with its content key.
pub(in super::super) struct Sealed {
    source: Arc<Source>,
    data: std::ops::Range<u64>,
    escaped: bool,
    iv: [u8; IV_BYTES],
    /// Its key or its initialization vector is none: what comes of it is random, and is refused at its end, whatever it is.
    hopeless: bool,
    cek: Zeroizing<Vec<u8>>,
}

impl Sealed {
    pub(super) fn new(source: Arc<Source>, fields: &Fields, cek: Zeroizing<Vec<u8>>, unwrapped: bool) -> Self {
        let hopeless = !unwrapped || fields.iv.is_none();
        Self {
            source,
            data: fields.data.clone(),
            escaped: fields.escaped,
            iv: fields.iv.unwrap_or_default(),
            hopeless,
            cek,
        }
    }

    fn cipher(&self) -> Cipher {
        match self.cek.len() {
            16 => Cipher::aes_128_cbc(),
            24 => Cipher::aes_192_cbc(),
            _ => Cipher::aes_256_cbc(),
        }
    }
}

/// The decoded ciphertext, block by block.
struct Blocks {
    at: u64,
    raw: Vec<u8>,
    unescape: Option<Unescape>,
    /// Letters to be decoded; those of the last group stay until more have come, or none.
    letters: Vec<u8>,
    encoding: Option<Encoding>,
    ended: bool,
}

impl Blocks {
    fn of(sealed: &Sealed) -> Self {
        let length = usize::try_from(sealed.data.end - sealed.data.start).unwrap_or(usize::MAX).min(BLOCK_LETTERS);
        Self {
            at: sealed.data.start,
            raw: vec![0; length],
            unescape: sealed.escaped.then(Unescape::default),
            letters: Vec::with_capacity(length + 4),
            encoding: None,
            ended: false,
        }
    }

    /// Hands the next bytes to `take`, or nothing at the end.
    fn next<T>(
        &mut self,
        sealed: &Sealed,
        take: impl FnOnce(&[u8]) -> Result<T, OpenError>,
    ) -> Result<Option<T>, OpenError> {
        if self.ended {
            return Ok(None);
        }
        let left = usize::try_from(sealed.data.end - self.at).unwrap_or(usize::MAX);
        let length = left.min(self.raw.len());
        let raw = self.raw.get_mut(..length).unwrap_or_default();
        sealed.source.read_exact_at(raw, self.at)?;
        self.at += length as u64;
        match &mut self.unescape {
            Some(unescape) => unescape.push(raw, &mut self.letters).map_err(|_| crypto_error())?,
            None => self.letters.extend_from_slice(raw),
        }
        let telling = self.letters.get(..self.letters.len().min(letters::TELLING_LETTERS)).unwrap_or_default();
        let looks = if letters::looks_hex(telling) { Encoding::Hex } else { Encoding::Base64 };
        let encoding = *self.encoding.get_or_insert(looks);
        if self.at == sealed.data.end {
            self.ended = true;
            let last = encoding.decode_last(&self.letters).map_err(|_| crypto_error())?;
            return take(&last).map(Some);
        }
        let whole = encoding.whole(self.letters.len());
        let bytes = encoding.decode(self.letters.get_mut(..whole).unwrap_or_default()).map_err(|_| crypto_error())?;
        let taken = take(bytes)?;
        self.letters.drain(..whole);
        Ok(Some(taken))
    }
}

/// One pass over the plaintext.
pub(in super::super) struct Stream {
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
    Ended,
    Refused,
    /// The world failed in the middle; only a new stream can tell what the file is.
    Broken,
}

impl Stream {
    pub(in super::super) fn new(sealed: Arc<Sealed>) -> Result<Self, OpenError> {
        let crypter = Crypter::new(sealed.cipher(), Direction::Decrypt, &sealed.cek, Some(&sealed.iv))?;
        let blocks = Blocks::of(&sealed);
        let plain = Zeroizing::new(vec![0; blocks.raw.len() + 2 * AES_BLOCK_BYTES]);
        Ok(Self { sealed, blocks, crypter, plain, ready: 0..0, state: State::Reading })
    }

    pub(in super::super) fn read(&mut self, out: &mut [u8]) -> Result<usize, OpenError> {
        while self.ready.is_empty() {
            match &self.state {
                State::Reading => {}
                State::Ended => return Ok(0),
                State::Refused => return Err(crypto_error().into()),
                State::Broken => return Err(io::Error::other("an earlier read of this stream failed").into()),
            }
            if let Err(error) = self.fill() {
                self.state = match &error {
                    OpenError::Refused(_) => State::Refused,
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

    /// Decrypts the next block, or takes the padding off the last.
    fn fill(&mut self) -> Result<(), OpenError> {
        let Self { sealed, blocks, crypter, plain, .. } = self;
        let written = blocks.next(sealed, |bytes| Ok(crypter.update(bytes, plain).map_err(|_| crypto_error())?))?;
        let written = match written {
            Some(written) => written,
            None => {
                let written = self.crypter.finalize(&mut self.plain).map_err(|_| crypto_error())?;
                if self.sealed.hopeless {
                    return Err(crypto_error().into());
                }
                self.state = State::Ended;
                written
            }
        };
        self.ready = 0..written;
        Ok(())
    }
}
