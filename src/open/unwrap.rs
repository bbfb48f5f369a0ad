//! From wrapped key to content key: chooses the private key, hands josekit and OpenSSL checked parts only.
//!
//! Must never tell a wrapped key that does not unwrap from content that does not decrypt: on failure a random content key
//! takes its place (RFC 7516 §11.5), and the file fails at its tag like any other.

use josekit::jwe::{JweDecrypter, JweHeader};
use openssl::encrypt::Decrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rand::rand_bytes;
use openssl::rsa::Padding;
use serde_json::json;
use zeroize::Zeroizing;

use crate::model::{Code, OaepHash, Refusal};

use super::base64;
use super::error::OpenError;
use super::header::{Alg, Enc, Header};
use super::jwk::{Curve, PublicKey};
use super::keyring::{Keyring, PrivateKey, Unwrapper};

/// A content key that may be the right one.
pub(super) struct Candidate {
    pub(super) key: KeyUsed,
    pub(super) cek: Zeroizing<Vec<u8>>,
}

/// The private key that a content key came from.
pub(super) struct KeyUsed {
    /// Its name; `None` where none unwrapped anything.
    name: Option<String>,
    /// Whether the sender said that it is this one.
    named: bool,
}

impl KeyUsed {
    pub(super) const fn none() -> Self {
        Self { name: None, named: false }
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(super) fn named(&self) -> Option<&str> {
        self.name().filter(|_| self.named)
    }
}

pub(super) fn no_key_fits() -> Refusal {
    Refusal::new(
        Code::KeyUnknown,
        "no key of this feed is of the kind the JWE was sealed for; expected a file sealed for one of the feed's keys",
    )
}

/// The content keys to try: exactly one, but for an ECDH-ES token without kid, which has one for each key of its curve.
pub(super) fn content_keys(
    header: &Header,
    encrypted_key: &[u8],
    keyring: &Keyring,
) -> Result<Vec<Candidate>, OpenError> {
    check_length(header, encrypted_key)?;
    let keys: Vec<&PrivateKey> = match &header.kid {
        Some(kid) => {
            let key = keyring.named(kid).ok_or_else(|| {
                Refusal::new(
                    Code::KeyUnknown,
                    "the JWE names a key (kid) that is not among this feed's; expected one of the feed's keys",
                )
            })?;
            check_fit(header, encrypted_key, key)?;
            vec![key]
        }
        None => keyring.keys().filter(|key| check_fit(header, encrypted_key, key).is_ok()).collect(),
    };
    if keys.is_empty() {
        return Err(no_key_fits().into());
    }
    // Drawn for every token, so that one whose key does not unwrap costs no more than one whose key does.
    let mut random = Zeroizing::new(vec![0; header.enc.key_bytes()]);
    rand_bytes(&mut random)?;
    let jose_header = jose_header(header);
    let unwrapped: Vec<Candidate> =
        keys.iter().filter_map(|key| try_key(header, &jose_header, encrypted_key, key)).collect();
    let mut candidates = unwrapped.into_iter();
    match (header.alg, candidates.next()) {
        // Agreement always yields something; only the content's tag tells whether it is right.
        (Alg::EcdhEs, Some(first)) => Ok(std::iter::once(first).chain(candidates).collect()),
        // OAEP and AES key wrap tell right from wrong: the first that unwraps is the one.
        (_, Some(first)) => Ok(vec![first]),
        (_, None) => {
            // Where the sender named the key, so does the ack: the name tells nothing that the sender did not say.
            let named = header.kid.is_some();
            let name = if named { keys.first().map(|key| key.name().to_owned()) } else { None };
            Ok(vec![Candidate { key: KeyUsed { name, named }, cek: random }])
        }
    }
}

/// What the algorithm alone says about the wrapped key's length.
fn check_length(header: &Header, encrypted_key: &[u8]) -> Result<(), Refusal> {
    let fits = match header.alg {
        Alg::RsaOaep256 => !encrypted_key.is_empty(),
        Alg::EcdhEs => encrypted_key.is_empty(),
        Alg::EcdhEsA256kw => encrypted_key.len() == wrapped_bytes(header.enc),
    };
    if fits { Ok(()) } else { Err(wrong_length()) }
}

const fn wrapped_bytes(enc: Enc) -> usize {
    enc.key_bytes() + 8
}

fn wrong_length() -> Refusal {
    Refusal::new(
        Code::EnvelopeRefused,
        "the encrypted key of the JWE does not have the length that its algorithm makes",
    )
}

/// Whether the token can be for this key at all.
fn check_fit(header: &Header, encrypted_key: &[u8], key: &PrivateKey) -> Result<(), Refusal> {
    match (header.alg, &key.unwrapper) {
        (Alg::RsaOaep256, Unwrapper::Rsa { pkey }) => {
            if encrypted_key.len() == pkey.size() {
                Ok(())
            } else {
                Err(wrong_length())
            }
        }
        (Alg::EcdhEs | Alg::EcdhEsA256kw, Unwrapper::Ec { curve, .. }) if header.curve() == Some(*curve) => Ok(()),
        _ => Err(Refusal::new(
            Code::AlgorithmRefused,
            "the alg or the curve of the JWE does not fit the key it names; expected an algorithm of that key",
        )),
    }
}

fn try_key(header: &Header, jose_header: &JweHeader, encrypted_key: &[u8], key: &PrivateKey) -> Option<Candidate> {
    let by_josekit = |decrypter: &dyn JweDecrypter, encrypted_key| {
        decrypter
            .decrypt(encrypted_key, header.enc.josekit(), jose_header)
            .ok()
            .map(|cek| Zeroizing::new(cek.into_owned()))
    };
    let cek = match (&key.unwrapper, header.alg) {
        (Unwrapper::Rsa { pkey }, Alg::RsaOaep256) => rsa_oaep(pkey, encrypted_key, OaepHash::Sha256).ok(),
        (Unwrapper::Ec { direct, .. }, Alg::EcdhEs) => by_josekit(direct, None),
        (Unwrapper::Ec { wrapped, .. }, Alg::EcdhEsA256kw) => by_josekit(wrapped, Some(encrypted_key)),
        (Unwrapper::Rsa { .. }, Alg::EcdhEs | Alg::EcdhEsA256kw) | (Unwrapper::Ec { .. }, Alg::RsaOaep256) => None,
    }?;
    let key = || KeyUsed { name: Some(key.name().to_owned()), named: header.kid.is_some() };
    (cek.len() == header.enc.key_bytes()).then(|| Candidate { key: key(), cek })
}

/// The header written anew from checked values: josekit never sees the sender's.
fn jose_header(header: &Header) -> JweHeader {
    let mut jose = JweHeader::new();
    let mut claim = |name: &str, value| {
        // josekit refuses claims of the wrong type only; these are of the right one.
        let set = jose.set_claim(name, Some(value));
        debug_assert!(set.is_ok());
    };
    if let Some(PublicKey::Ec { curve, x, y }) = &header.epk {
        let (crv, x, y) = (curve.name(), base64::encode(x), base64::encode(y));
        claim("epk", json!({ "kty": "EC", "crv": crv, "x": x, "y": y }));
    }
    for (name, party) in [("apu", &header.apu), ("apv", &header.apv)] {
        if !party.is_empty() {
            claim(name, json!(base64::encode(party)));
        }
    }
    jose
}

impl Header {
    const fn curve(&self) -> Option<Curve> {
        match &self.epk {
            Some(PublicKey::Ec { curve, .. }) => Some(*curve),
            _ => None,
        }
    }
}

/// OpenSSL's hash.
pub(super) fn digest(hash: OaepHash) -> MessageDigest {
    match hash {
        OaepHash::Sha256 => MessageDigest::sha256(),
        OaepHash::Sha512 => MessageDigest::sha512(),
    }
}

/// What RSA-OAEP unwraps, its mask under the same hash. By OpenSSL itself: josekit captures a backtrace with every failure where the
/// environment asks for them, and so long a failure could be told from content that does not decrypt.
pub(super) fn rsa_oaep(
    pkey: &PKey<Private>,
    encrypted_key: &[u8],
    hash: OaepHash,
) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
    let mut decrypter = Decrypter::new(pkey)?;
    decrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
    decrypter.set_rsa_oaep_md(digest(hash))?;
    decrypter.set_rsa_mgf1_md(digest(hash))?;
    let mut cek = Zeroizing::new(vec![0; pkey.size()]);
    let length = decrypter.decrypt(encrypted_key, &mut cek)?;
    cek.truncate(length);
    Ok(cek)
}
