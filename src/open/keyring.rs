//! A feed's private keys, found by name among themselves and nowhere else.
//!
//! Must never be shown: the types here have neither `Debug` nor `Display`.

use std::collections::HashMap;
use std::sync::Arc;

use josekit::jwe::alg::ecdh_es::EcdhEsJweDecrypter;
use josekit::jwe::{ECDH_ES, ECDH_ES_A256KW};
use openssl::pkey::{PKey, Private};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::KeyError;
use super::jwk::{self, Curve, PublicKey};

/// One private envelope key.
pub struct PrivateKey {
    kid: Option<String>,
    fingerprint: String,
    /// Hex SHA-256 of the certificate that stood beside it, if one did.
    certificate: Option<String>,
    public: PublicKey,
    pub(super) unwrapper: Unwrapper,
}

/// The key ready to unwrap content keys: OpenSSL's own form, or josekit's where keys are agreed on.
pub(super) enum Unwrapper {
    Rsa { pkey: PKey<Private> },
    Ec { curve: Curve, direct: EcdhEsJweDecrypter, wrapped: EcdhEsJweDecrypter },
}

impl PrivateKey {
    /// Reads a private JWK (RSA, EC on P-256 or P-384) or an unencrypted PEM private key. A certificate of it may stand beside it
    /// in the PEM: senders who name a key by its certificate are understood then.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        let (pkey, public, kid) = jwk::read_private(bytes)?;
        let certificate = jwk::certificate_beside(bytes, &public)?;
        let unwrapper = unwrapper(pkey, &public)?;
        Ok(Self { kid, fingerprint: public.fingerprint()?, certificate, public, unwrapper })
    }

    /// The JWK's `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Hex SHA-256 of the DER SubjectPublicKeyInfo, lower case: the name it answers to besides its kid.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether it is an RSA key.
    pub const fn is_rsa(&self) -> bool {
        matches!(self.unwrapper, Unwrapper::Rsa { .. })
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

fn unwrapper(pkey: PKey<Private>, public: &PublicKey) -> Result<Unwrapper, KeyError> {
    Ok(match public {
        PublicKey::Rsa { .. } => Unwrapper::Rsa { pkey },
        PublicKey::Ec { curve, .. } => {
            let der = Zeroizing::new(pkey.private_key_to_pkcs8()?);
            Unwrapper::Ec {
                curve: *curve,
                direct: ECDH_ES.decrypter_from_der(&*der)?,
                wrapped: ECDH_ES_A256KW.decrypter_from_der(&*der)?,
            }
        }
    })
}

/// A feed's private keys; several during a rotation, none for a feed of plain text.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<Arc<PrivateKey>>,
    names: HashMap<String, usize>,
}

impl Keyring {
    /// Gathers keys; two with one kid are an error, for a token could not say which it means.
    pub fn new(keys: Vec<PrivateKey>) -> Result<Self, KeyError> {
        Self::of(keys.into_iter().map(Arc::new).collect())
    }

    fn of(keys: Vec<Arc<PrivateKey>>) -> Result<Self, KeyError> {
        let mut names = HashMap::new();
        for (at, key) in keys.iter().enumerate() {
            if let Some(kid) = &key.kid
                && names.insert(kid.clone(), at).is_some()
            {
                return Err(KeyError::DuplicateKid { kid: kid.clone() });
            }
        }
        for (at, key) in keys.iter().enumerate() {
            for name in [Some(&key.fingerprint), key.certificate.as_ref()].into_iter().flatten() {
                names.entry(name.clone()).or_insert(at);
            }
        }
        Ok(Self { keys, names })
    }

    /// The key that answers to a token's kid.
    pub(super) fn named(&self, name: &str) -> Option<&PrivateKey> {
        let at = self.names.get(name).or_else(|| {
            // Fingerprints are hexadecimal; some senders write it in capitals.
            if name.len() == 64 { self.names.get(&name.to_ascii_lowercase()) } else { None }
        });
        at.and_then(|&at| self.keys.get(at)).map(|key| &**key)
    }

    /// All of them, as configured.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &PrivateKey> {
        self.keys.iter().map(|key| &**key)
    }

    /// What tells its keys again, now or after a restart.
    pub fn names(&self) -> Vec<KeyName> {
        self.keys.iter().map(|key| KeyName::of(key)).collect()
    }

    /// The ring of these keys and no others, or the name of one that is not here.
    pub fn only(&self, names: &[KeyName]) -> Result<Self, String> {
        let found = names.iter().map(|name| {
            self.keys.iter().find(|key| KeyName::of(key) == *name).map(Arc::clone).ok_or_else(|| name.to_string())
        });
        Self::of(found.collect::<Result<_, _>>()?).map_err(|error| error.to_string())
    }
}

/// What tells a key again: what it is called, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyName {
    kid: Option<String>,
    fingerprint: String,
}

impl KeyName {
    fn of(key: &PrivateKey) -> Self {
        Self { kid: key.kid.clone(), fingerprint: key.fingerprint.clone() }
    }
}

impl std::fmt::Display for KeyName {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.kid.as_deref().unwrap_or(&self.fingerprint))
    }
}
