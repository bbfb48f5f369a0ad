//! Seals as Mastercard's client libraries do: AES-128-CBC, RSA-OAEP, hex; streamed, the sealed value last.
//!
//! Must never reuse a content key or initialization vector: each [`PayloadSealer`] draws its own.

use std::io::{self, Write};

use openssl::encrypt::Encrypter;
use openssl::rand::rand_bytes;
use openssl::rsa::Padding;
use openssl::symm::{Cipher, Crypter, Mode as Direction};
use zeroize::Zeroizing;

use crate::model::{OaepHash, hex};

use super::super::error::{KeyError, SealError};
use super::super::seal::Recipient;
use super::super::unwrap::digest;
use super::fields::IV_BYTES;

const KEY_BYTES: usize = 16;
const BLOCK_BYTES: usize = 64 << 10;

/// Seals what is written to it. Without [`PayloadSealer::finish`] what it wrote is no object and opens nowhere.
pub struct PayloadSealer<W: Write> {
    to: W,
    crypter: Crypter,
    plain: Zeroizing<Vec<u8>>,
    sealed: Vec<u8>,
    /// A write failed half-way: what follows would be garbage.
    broken: bool,
}

impl<W: Write> PayloadSealer<W> {
    /// Draws a content key and an initialization vector, and writes all members but the sealed value.
    pub fn new(recipient: &Recipient, hash: OaepHash, mut to: W) -> Result<Self, SealError> {
        let mut cek = Zeroizing::new(vec![0; KEY_BYTES]);
        let mut iv = [0; IV_BYTES];
        rand_bytes(&mut cek).and_then(|()| rand_bytes(&mut iv)).map_err(KeyError::from)?;
        let wrapped = wrap(recipient, &cek, hash)?;
        let crypter =
            Crypter::new(Cipher::aes_128_cbc(), Direction::Encrypt, &cek, Some(&iv)).map_err(KeyError::from)?;
        let (iv, wrapped, fingerprint) = (hex(&iv), hex(&wrapped), recipient.fingerprint()?);
        write!(to, r#"{{"iv":"{iv}","encryptedKey":"{wrapped}","publicKeyFingerprint":"{fingerprint}","#)?;
        write!(to, r#""oaepHashingAlgorithm":"{hash}","encryptedData":""#)?;
        let plain = Zeroizing::new(Vec::with_capacity(BLOCK_BYTES));
        Ok(Self { to, crypter, plain, sealed: vec![0; BLOCK_BYTES + 2 * IV_BYTES], broken: false })
    }

    /// Writes the rest; the file is an object only when this answers `Ok`.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal_block()?;
        let length = self.crypter.finalize(&mut self.sealed)?;
        self.to.write_all(hex(self.sealed.get(..length).unwrap_or_default()).as_bytes())?;
        self.to.write_all(b"\"}")?;
        Ok(self.to)
    }

    fn seal_block(&mut self) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write of this sealed file failed"));
        }
        self.broken = true;
        let length = self.crypter.update(&self.plain, &mut self.sealed)?;
        self.to.write_all(hex(self.sealed.get(..length).unwrap_or_default()).as_bytes())?;
        self.plain.clear();
        self.broken = false;
        Ok(())
    }
}

impl<W: Write> Write for PayloadSealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(BLOCK_BYTES - self.plain.len());
        // Never beyond its capacity: a reallocation would leave plaintext behind, unwiped.
        self.plain.extend_from_slice(bytes.get(..length).unwrap_or_default());
        if self.plain.len() == BLOCK_BYTES {
            self.seal_block()?;
        }
        Ok(length)
    }

    /// Passes on what is sealed; up to a block stays here until it is full or the file finished.
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn wrap(recipient: &Recipient, cek: &[u8], hash: OaepHash) -> Result<Vec<u8>, KeyError> {
    if !recipient.is_rsa() {
        return Err(KeyError::NotRsa);
    }
    let pkey = recipient.public().to_pkey()?;
    let mut encrypter = Encrypter::new(&pkey)?;
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
    encrypter.set_rsa_oaep_md(digest(hash))?;
    encrypter.set_rsa_mgf1_md(digest(hash))?;
    let mut wrapped = vec![0; encrypter.encrypt_len(cek)?];
    let length = encrypter.encrypt(cek, &mut wrapped)?;
    wrapped.truncate(length);
    Ok(wrapped)
}
