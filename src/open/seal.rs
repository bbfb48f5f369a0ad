//! Seals what goes out: a compact JWE, streamed (RSA-OAEP-256 or ECDH-ES by the key's type, A256GCM).
//!
//! Must never reuse a content key or nonce: each [`Sealer`] draws its own.

use std::io::{self, Write};

use josekit::jwe::{ECDH_ES, JweEncrypter, JweHeader, RSA_OAEP_256};
use openssl::rand::rand_bytes;
use openssl::symm::{Crypter, Mode as Direction};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::base64;
use super::error::{KeyError, SealError};
use super::header::Enc;
use super::jwk::{self, PublicKey};

const ENC: Enc = Enc::A256Gcm;
/// RFC 7518 §5.3: 96 bits.
const NONCE_BYTES: usize = 12;
/// Whole groups of three, so that blocks encode without padding.
const BLOCK_BYTES: usize = 96 << 10;
const _: () = assert!(BLOCK_BYTES.is_multiple_of(3));

/// Whom a file is sealed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    public: PublicKey,
    kid: Option<String>,
}

impl Recipient {
    /// Reads a public JWK, a PEM public key or an X.509 certificate (of which only the key is looked at).
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        let (public, kid) = jwk::read_public(bytes)?;
        Ok(Self { public, kid })
    }

    /// The key as a public JWK, kid and all; always the same bytes for the same key. [`Recipient::parse`] takes it.
    pub fn to_jwk(&self) -> String {
        self.public.to_jwk(self.kid())
    }

    /// The JWK's `kid`; it goes into every header. PEM has none.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether it is an RSA key: what is sealed for one is sealed with RSA-OAEP-256.
    pub const fn is_rsa(&self) -> bool {
        matches!(self.public, PublicKey::Rsa { .. })
    }

    /// Hex SHA-256 of the DER SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> Result<String, KeyError> {
        Ok(self.public.fingerprint()?)
    }

    pub(super) const fn public(&self) -> &PublicKey {
        &self.public
    }

    fn encrypter(&self) -> Result<(&'static str, Box<dyn JweEncrypter>), KeyError> {
        let der = self.public.to_spki()?;
        Ok(match self.public {
            PublicKey::Rsa { .. } => ("RSA-OAEP-256", Box::new(RSA_OAEP_256.encrypter_from_der(der)?)),
            PublicKey::Ec { .. } => ("ECDH-ES", Box::new(ECDH_ES.encrypter_from_der(der)?)),
        })
    }
}

/// Seals what is written to it. Without [`Sealer::finish`] what it wrote is no JWE and opens nowhere.
pub struct Sealer<W: Write> {
    to: W,
    crypter: Crypter,
    plain: Zeroizing<Vec<u8>>,
    sealed: Vec<u8>,
    letters: Vec<u8>,
    /// A write failed half-way: what follows would be garbage.
    broken: bool,
}

impl<W: Write> Sealer<W> {
    /// Draws a content key and a nonce, and writes the first three segments.
    pub fn new(recipient: &Recipient, mut to: W) -> Result<Self, SealError> {
        let (cek, header, encrypted_key) = wrap(recipient)?;
        let mut nonce = [0; NONCE_BYTES];
        rand_bytes(&mut nonce).map_err(KeyError::from)?;
        let aad = base64::encode(header.as_bytes());
        let mut crypter = Crypter::new(ENC.cipher(), Direction::Encrypt, &cek, Some(&nonce)).map_err(KeyError::from)?;
        crypter.aad_update(aad.as_bytes()).map_err(KeyError::from)?;
        write!(to, "{aad}.{}.{}.", base64::encode(&encrypted_key), base64::encode(&nonce))?;
        Ok(Self {
            to,
            crypter,
            plain: Zeroizing::new(Vec::with_capacity(BLOCK_BYTES)),
            sealed: vec![0; BLOCK_BYTES],
            letters: vec![0; BLOCK_BYTES / 3 * 4],
            broken: false,
        })
    }

    /// Writes the rest and the tag; the file is a JWE only when this answers `Ok`.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal_block()?;
        self.crypter.finalize(&mut self.sealed)?;
        let mut tag = vec![0; ENC.tag_bytes()];
        self.crypter.get_tag(&mut tag)?;
        write!(self.to, ".{}", base64::encode(&tag))?;
        Ok(self.to)
    }

    fn seal_block(&mut self) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write of this sealed file failed"));
        }
        self.broken = true;
        let length = self.crypter.update(&self.plain, &mut self.sealed)?;
        let letters = base64::encode_into(self.sealed.get(..length).unwrap_or_default(), &mut self.letters);
        self.to.write_all(letters)?;
        self.plain.clear();
        self.broken = false;
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
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

type Wrapped = (Zeroizing<Vec<u8>>, String, Vec<u8>);

/// Content key, header JSON and encrypted key.
fn wrap(recipient: &Recipient) -> Result<Wrapped, KeyError> {
    let (alg, encrypter) = recipient.encrypter()?;
    let mut members = Map::new();
    members.insert("alg".to_owned(), json!(alg));
    members.insert("enc".to_owned(), json!(ENC.josekit().name()));
    if let Some(kid) = recipient.kid() {
        members.insert("kid".to_owned(), json!(kid));
    }
    let (none, mut made) = (JweHeader::new(), JweHeader::new());
    let agreed = encrypter.compute_content_encryption_key(ENC.josekit(), &none, &mut made)?;
    let cek = match agreed {
        Some(cek) => Zeroizing::new(cek.into_owned()),
        None => {
            let mut cek = Zeroizing::new(vec![0; ENC.key_bytes()]);
            rand_bytes(&mut cek)?;
            cek
        }
    };
    let encrypted_key = encrypter.encrypt(&cek, &none, &mut made)?.unwrap_or_default();
    if let Some(epk) = made.claim("epk") {
        members.insert("epk".to_owned(), epk.clone());
    }
    Ok((cek, Value::Object(members).to_string(), encrypted_key))
}
