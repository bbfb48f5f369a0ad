//! A feed's private keys, found by name among themselves and nowhere else.
//!
//! Must never be shown: the types here have neither `Debug` nor `Display`.

use std::collections::HashMap;

use josekit::jwe::alg::ecdh_es::EcdhEsJweDecrypter;
use josekit::jwe::alg::rsaes::RsaesJweDecrypter;
use josekit::jwe::{ECDH_ES, ECDH_ES_A256KW, RSA_OAEP_256};
use openssl::pkey::{PKey, Private};
use zeroize::Zeroizing;

use super::error::KeyError;
use super::jwk::{self, Curve, PublicKey};

/// One private envelope key.
pub struct PrivateKey {
    kid: Option<String>,
    fingerprint: String,
    public: PublicKey,
    pub(super) unwrapper: Unwrapper,
}

/// josekit's own forms of the key, ready to unwrap content keys.
pub(super) enum Unwrapper {
    Rsa { modulus_bytes: usize, oaep: RsaesJweDecrypter },
    Ec { curve: Curve, direct: EcdhEsJweDecrypter, wrapped: EcdhEsJweDecrypter },
}

impl PrivateKey {
    /// Reads a private JWK (RSA, EC on P-256 or P-384) or an unencrypted PEM private key.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        let (pkey, public, kid) = jwk::read_private(bytes)?;
        let unwrapper = unwrapper(&pkey, &public)?;
        Ok(Self { kid, fingerprint: public.fingerprint()?, public, unwrapper })
    }

    /// The JWK's `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Hex SHA-256 of the DER SubjectPublicKeyInfo, lower case: the name it answers to besides its kid.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The public half as a JWK.
    pub fn to_public_jwk(&self) -> String {
        self.public.to_jwk(self.kid())
    }

    /// What acks call it.
    pub(super) fn name(&self) -> &str {
        self.kid().unwrap_or(&self.fingerprint)
    }
}

fn unwrapper(pkey: &PKey<Private>, public: &PublicKey) -> Result<Unwrapper, KeyError> {
    let der = Zeroizing::new(pkey.private_key_to_pkcs8()?);
    Ok(match public {
        PublicKey::Rsa { .. } => {
            Unwrapper::Rsa { modulus_bytes: pkey.size(), oaep: RSA_OAEP_256.decrypter_from_der(&*der)? }
        }
        PublicKey::Ec { curve, .. } => Unwrapper::Ec {
            curve: *curve,
            direct: ECDH_ES.decrypter_from_der(&*der)?,
            wrapped: ECDH_ES_A256KW.decrypter_from_der(&*der)?,
        },
    })
}

/// A feed's private keys; several during a rotation, none for a feed of plain text.
pub struct Keyring {
    keys: Vec<PrivateKey>,
    names: HashMap<String, usize>,
}

impl Keyring {
    /// Gathers keys; two with one kid are an error, for a token could not say which it means.
    pub fn new(keys: Vec<PrivateKey>) -> Result<Self, KeyError> {
        let mut names = HashMap::new();
        for (at, key) in keys.iter().enumerate() {
            if let Some(kid) = &key.kid
                && names.insert(kid.clone(), at).is_some()
            {
                return Err(KeyError::DuplicateKid { kid: kid.clone() });
            }
        }
        for (at, key) in keys.iter().enumerate() {
            names.entry(key.fingerprint.clone()).or_insert(at);
        }
        Ok(Self { keys, names })
    }

    /// The key that answers to a token's kid.
    pub(super) fn named(&self, name: &str) -> Option<&PrivateKey> {
        let at = self.names.get(name).or_else(|| {
            // Fingerprints are hexadecimal; some senders write it in capitals.
            if name.len() == 64 { self.names.get(&name.to_ascii_lowercase()) } else { None }
        });
        at.and_then(|&at| self.keys.get(at))
    }

    /// All of them, as configured.
    pub fn keys(&self) -> &[PrivateKey] {
        &self.keys
    }
}
