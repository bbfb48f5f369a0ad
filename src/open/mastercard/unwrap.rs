//! From wrapped key to content key: RSA-OAEP with the feed's hash, for this feed's keys alone.
//!
//! Must never tell a key that does not unwrap from content that does not decrypt: a random content key takes its place, as
//! RFC 7516 §11.5 has it for JWE, and every key that may be meant is tried whether or not one has already fitted.

use openssl::pkey::{PKey, Private};
use openssl::rand::rand_bytes;
use zeroize::Zeroizing;

use crate::model::{Code, OaepHash, Refusal};

use super::super::error::OpenError;
use super::super::keyring::{Keyring, PrivateKey, Unwrapper};
use super::super::unwrap::rsa_oaep;

/// A content key, right or not.
pub(super) struct Unwrapped {
    pub(super) cek: Zeroizing<Vec<u8>>,
    /// The key it came from, if any gave one.
    pub(super) key_id: Option<String>,
    /// The key that the sender named, if it is one of the feed's.
    pub(super) named: Option<String>,
}

/// The content key. A name that no key answers to may be a certificate's that nobody showed us: each RSA key is tried then.
pub(super) fn content_key(
    encrypted_key: &[u8],
    fingerprints: &[String],
    hash: OaepHash,
    keyring: &Keyring,
) -> Result<Unwrapped, OpenError> {
    let named = fingerprints.iter().find_map(|name| keyring.named(name)).filter(|key| rsa(key).is_some());
    let candidates: Vec<&PrivateKey> = match named {
        Some(key) => vec![key],
        None => keyring.keys().filter(|key| rsa(key).is_some()).collect(),
    };
    if candidates.is_empty() {
        let what = "no key of this feed is an RSA key, which this envelope needs; expected a file sealed for one of the feed's keys";
        return Err(Refusal::new(Code::KeyUnknown, what).into());
    }
    let mut cek = Zeroizing::new(vec![0; 16]);
    rand_bytes(&mut cek)?;
    let mut key_id = None;
    for key in candidates {
        if let Some(unwrapped) = rsa(key).and_then(|pkey| aes_key(pkey, encrypted_key, hash))
            && key_id.is_none()
        {
            cek = unwrapped;
            key_id = Some(key.name().to_owned());
        }
    }
    Ok(Unwrapped { cek, key_id, named: named.map(|key| key.name().to_owned()) })
}

const fn rsa(key: &PrivateKey) -> Option<&PKey<Private>> {
    match &key.unwrapper {
        Unwrapper::Rsa { pkey, .. } => Some(pkey),
        Unwrapper::Ec { .. } => None,
    }
}

/// `None` for what unwraps to no AES key.
fn aes_key(pkey: &PKey<Private>, encrypted_key: &[u8], hash: OaepHash) -> Option<Zeroizing<Vec<u8>>> {
    rsa_oaep(pkey, encrypted_key, hash).ok().filter(|cek| matches!(cek.len(), 16 | 24 | 32))
}
