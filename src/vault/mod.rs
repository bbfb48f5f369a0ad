//! Where PANs are: sealed, found again by a keyed fingerprint.
//!
//! A card number exists in clear in one type only, [`Pan`], from the moment a record is judged to the moment its chunk
//! is prepared. What leaves this module is a fingerprint, a sealed PAN or a truncation; none of them can be
//! turned back without keys that are never in the database. This module must never log, and has no type
//! whose Debug or Display shows a card number or a key.

mod by_fingerprint;
mod identifier;
mod keys;
mod mac;
mod pan;
mod sealing;

pub use by_fingerprint::{FingerprintMap, FingerprintSet, leading};
pub use identifier::{IdMaker, UUID_CHARS, uuid_text, write_uuid};
pub use keys::{CHECK_BYTES, IssuerKeys, KeyEncryptionKey, KeyPurpose, VaultError, WrappedKey};
pub use pan::{Fingerprint, Nonces, Pan, SEALED_BYTES, SealedPan};
pub use sealing::Sealing;
