//! What can go wrong with an envelope or a key, and whether trying again helps.
//!
//! Must never hold a value from a file, nor key material.

use std::io;

use openssl::error::ErrorStack;
use thiserror::Error;

use crate::model::{Code, Refusal, Retry};

/// Why a file did not open.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file itself is at fault.
    #[error("{}: {}", .0.code, .0.description)]
    Refused(Refusal),
    /// The copy cannot be read.
    #[error("the copy of the sealed file cannot be read")]
    Io {
        /// What the system said.
        #[from]
        source: io::Error,
    },
    /// OpenSSL cannot work at all (no memory, no random numbers).
    #[error("the cryptographic library cannot work")]
    Library {
        /// What OpenSSL said; never of the file's content.
        #[from]
        source: ErrorStack,
    },
}

impl OpenError {
    /// Whether opening the same copy again can succeed.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Refused(_) => Retry::Never,
            Self::Io { .. } | Self::Library { .. } => Retry::Later,
        }
    }
}

impl From<Refusal> for OpenError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The one sentence for every failed decryption: wrong key, changed content, changed tag look alike.
pub(super) fn crypto_error() -> Refusal {
    Refusal::new(
        Code::CryptoError,
        "the file does not decrypt; expected a file sealed for a key of this feed and unchanged since",
    )
}

/// Why a key cannot be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// None of the formats.
    #[error("not a key: expected {expected}")]
    Unrecognised {
        /// The formats taken in this place.
        expected: &'static str,
    },
    /// Password-protected PEM.
    #[error("the private key is encrypted with a passphrase: expected PKCS#8 PEM without one, or a private JWK")]
    Encrypted,
    /// A public key in a private key's place.
    #[error("a public key where a private one is expected")]
    NotPrivate,
    /// A private key in a public key's place.
    #[error("a private key where a public one is expected: hand out its public half only")]
    NotPublic,
    /// Ed25519, P-521 and the like.
    #[error("the key's type is not supported: expected RSA, or EC on P-256 or P-384")]
    Unsupported,
    /// Mastercard payload encryption for an elliptic curve.
    #[error("the key is not RSA, which Mastercard payload encryption needs")]
    NotRsa,
    /// A JWK meant for signatures.
    #[error("the JWK's use is not \"enc\": expected an encryption key")]
    NotForEncryption,
    /// Weak, or absurd.
    #[error("the RSA key has {bits} bits: expected 2048 to 8192")]
    RsaSize {
        /// What it has.
        bits: u32,
    },
    /// A JWK lacks a part or holds a broken one.
    #[error("the JWK's {member} is missing or not base64url of the right length")]
    Member {
        /// Its name.
        member: &'static str,
    },
    /// A point off its curve, a private half that does not belong to the public one.
    #[error("the parts of the key do not belong together")]
    Inconsistent,
    /// Two keys of a feed under one name.
    #[error("two keys of one feed have the kid {kid:?}: expected a kid of its own for each")]
    DuplicateKid {
        /// The name.
        kid: String,
    },
    /// A name that cannot stand in a header.
    #[error("the kid is empty, over 255 bytes or holds control characters")]
    Kid,
    /// josekit refused what passed every check here.
    #[error("the key does not work")]
    Unworkable {
        /// What josekit said of a key written anew from checked parts.
        #[from]
        source: josekit::JoseError,
    },
    /// OpenSSL failed for a reason of its own.
    #[error("the cryptographic library cannot work with the key")]
    Library {
        /// What OpenSSL said; never key material.
        #[from]
        source: ErrorStack,
    },
}

impl KeyError {
    /// Whether the same key can be used later.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Library { .. } => Retry::Later,
            Self::Unrecognised { .. }
            | Self::Encrypted
            | Self::NotPrivate
            | Self::NotPublic
            | Self::Unsupported
            | Self::NotRsa
            | Self::NotForEncryption
            | Self::RsaSize { .. }
            | Self::Member { .. }
            | Self::Inconsistent
            | Self::DuplicateKid { .. }
            | Self::Kid
            | Self::Unworkable { .. } => Retry::Never,
        }
    }
}

/// Why a sealed file cannot be begun.
#[derive(Debug, Error)]
pub enum SealError {
    /// The recipient's key does not work.
    #[error("the file cannot be sealed for its recipient")]
    Key {
        /// Why.
        #[from]
        source: KeyError,
    },
    /// The first bytes cannot be written.
    #[error("the sealed file cannot be written")]
    Io {
        /// What the system said.
        #[from]
        source: io::Error,
    },
}

impl SealError {
    /// Whether the same call can succeed later.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Key { source } => source.retry(),
            Self::Io { .. } => Retry::Later,
        }
    }
}
