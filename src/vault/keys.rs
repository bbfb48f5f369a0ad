//! The keys: a key-encryption key from outside the database, and each issuer's own keys wrapped under it.
//!
//! ```text
//! wrapped key := nonce (12) | AES-256-GCM(kek, key (32), aad = "nightdrop wrapped key 1" | issuer | purpose | epoch) | tag (16)
//! sealed PAN  := nonce (12) | AES-256-GCM(data key, packed PAN (10), aad = 1 | epoch | pan_id | issuer) | tag (16)
//! sealed text := epoch (4) | nonce (12) | AES-256-GCM(data key, text, aad = 2 | epoch | row | issuer) | tag (16)
//! ```

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::identifier::IdMaker;
use super::pan::{Fingerprint, Nonces, Pan, SEALED_BYTES, SealedPan};

type HmacSha256 = Hmac<Sha256>;

/// The first byte of the additional data of a sealed PAN.
const PAN: u8 = 1;

/// The first byte of the additional data of a sealed text.
const TEXT: u8 = 2;

/// Bytes of a key check value: enough to tell a wrong key, too few to say anything of a right one.
pub const CHECK_BYTES: usize = 8;

/// What can go wrong with keys. None of it goes away by waiting.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key-encryption key is not 64 hex digits.
    #[error("the key-encryption key is not 64 hex digits; make one with `nightdrop keys new kek --out FILE`")]
    KekMalformed,
    /// A wrapped key does not open, or not to the key that was pinned.
    #[error(
        "the {purpose} key of issuer {issuer} does not open under this key-encryption key; the configured key is not the one this database was made with"
    )]
    WrongKek {
        /// The issuer.
        issuer: String,
        /// Which of its keys.
        purpose: &'static str,
    },
    /// A sealed PAN does not open: the row was altered or belongs to another card.
    #[error("a sealed card number does not open: its row was altered, or it belongs to another card")]
    SealBroken,
}

/// What a key is for. The words are persisted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPurpose {
    /// Finds a PAN again.
    Fingerprint,
    /// Seals PANs, one epoch at a time.
    Data,
    /// Makes identifiers.
    Identifier,
}

impl KeyPurpose {
    /// All three, in the order in which an issuer's keys are made.
    pub const ALL: [Self; 3] = [Self::Fingerprint, Self::Data, Self::Identifier];

    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fingerprint => "fingerprint",
            Self::Data => "data",
            Self::Identifier => "identifier",
        }
    }
}

/// A key of an issuer as the database holds it.
#[derive(Clone, Debug)]
pub struct WrappedKey {
    /// What it is for.
    pub purpose: KeyPurpose,
    /// Its epoch, from 1.
    pub epoch: u32,
    /// The wrapped bytes.
    pub wrapped: Vec<u8>,
    /// Its pinned key check value.
    pub check: [u8; CHECK_BYTES],
}

/// The key that wraps all others. Never in the database, zeroed on drop, no Debug.
pub struct KeyEncryptionKey(Zeroizing<[u8; 32]>);

impl KeyEncryptionKey {
    /// Reads 64 hex digits; white space around them is left off.
    pub fn from_hex(text: &[u8]) -> Result<Self, VaultError> {
        let text = text.trim_ascii();
        let mut key = Zeroizing::new([0_u8; 32]);
        if text.len() != 64 {
            return Err(VaultError::KekMalformed);
        }
        for (byte, pair) in key.iter_mut().zip(text.chunks(2)) {
            let digit = |hex: u8| char::from(hex).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            match (digit(pair[0]), digit(pair[1])) {
                (Some(high), Some(low)) => *byte = (high << 4) | low,
                _ => return Err(VaultError::KekMalformed),
            }
        }
        Ok(Self(key))
    }

    /// The key check value that the database pins.
    pub fn check(&self) -> [u8; CHECK_BYTES] {
        check_value(&self.0, "key-encryption key")
    }

    /// A new key of `issuer`, wrapped. `random` must come from the system's own source.
    pub fn wrap_new(&self, issuer: &str, purpose: KeyPurpose, epoch: u32, random: &Zeroizing<[u8; 44]>) -> WrappedKey {
        let mut key = Zeroizing::new([0_u8; 32]);
        key.copy_from_slice(&random[..32]);
        let mut nonce = [0_u8; 12];
        nonce.copy_from_slice(&random[32..]);
        let check = check_value(&key, purpose.as_str());
        let aad = wrap_aad(issuer, purpose, epoch);
        let cipher = Aes256Gcm::new((&*self.0).into());
        let mut wrapped = Vec::with_capacity(60);
        wrapped.extend_from_slice(&nonce);
        let tag = seal_in_place(&cipher, &nonce, &aad, &mut key[..]);
        wrapped.extend_from_slice(&key[..]);
        wrapped.extend_from_slice(&tag);
        WrappedKey { purpose, epoch, wrapped, check }
    }

    fn unwrap(&self, issuer: &str, key: &WrappedKey) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let wrong = || VaultError::WrongKek { issuer: issuer.to_owned(), purpose: key.purpose.as_str() };
        let (nonce, rest) = key.wrapped.split_first_chunk::<12>().ok_or_else(wrong)?;
        let (body, tag) = rest.split_first_chunk::<32>().ok_or_else(wrong)?;
        let tag: [u8; 16] = tag.try_into().map_err(|_| wrong())?;
        let mut clear = Zeroizing::new(*body);
        let cipher = Aes256Gcm::new((&*self.0).into());
        cipher
            .decrypt_inout_detached(
                &Nonce::from(*nonce),
                &wrap_aad(issuer, key.purpose, key.epoch),
                InOutBuf::from(&mut clear[..]),
                &Tag::from(tag),
            )
            .map_err(|_| wrong())?;
        if check_value(&clear, key.purpose.as_str()) != key.check {
            return Err(wrong());
        }
        Ok(clear)
    }
}

fn wrap_aad(issuer: &str, purpose: KeyPurpose, epoch: u32) -> Vec<u8> {
    format!("nightdrop wrapped key 1|{issuer}|{}|{epoch}", purpose.as_str()).into_bytes()
}

fn check_value(key: &[u8; 32], purpose: &str) -> [u8; CHECK_BYTES] {
    let mut mac = keyed(key);
    mac.update(b"nightdrop key check 1|");
    mac.update(purpose.as_bytes());
    let full = mac.finalize().into_bytes();
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&full[..CHECK_BYTES]);
    check
}

fn keyed(key: &[u8; 32]) -> HmacSha256 {
    <HmacSha256 as KeyInit>::new((&*hmac_block(key)).into())
}

/// HMAC pads a short key with zeros to its block.
fn hmac_block(key: &[u8; 32]) -> Zeroizing<[u8; 64]> {
    let mut block = Zeroizing::new([0_u8; 64]);
    block[..32].copy_from_slice(key);
    block
}

fn seal_in_place(cipher: &Aes256Gcm, nonce: &[u8; 12], aad: &[u8], body: &mut [u8]) -> [u8; 16] {
    match cipher.encrypt_inout_detached(&Nonce::from(*nonce), aad, InOutBuf::from(body)) {
        Ok(tag) => tag.into(),
        // The cipher fails on bodies of 64 GiB and more; the ones here have 10 and 32 bytes.
        Err(_) => [0; 16],
    }
}

/// An issuer's keys, opened: what workers fingerprint, seal and name with. Locked in memory where the system allows.
pub struct IssuerKeys {
    keys: Box<Opened>,
    // Declared after the keys: they are zeroed before their pages are let go.
    lock: Option<region::LockGuard>,
}

struct Opened {
    issuer: String,
    fingerprint: HmacSha256,
    identifier: HmacSha256,
    data: Aes256Gcm,
    epoch: u32,
}

impl IssuerKeys {
    /// Opens an issuer's wrapped keys; the data key of the highest epoch is the one that seals.
    pub fn open(kek: &KeyEncryptionKey, issuer: &str, wrapped: &[WrappedKey]) -> Result<Self, VaultError> {
        let latest = |purpose: KeyPurpose| {
            wrapped
                .iter()
                .filter(|key| key.purpose == purpose)
                .max_by_key(|key| key.epoch)
                .ok_or_else(|| VaultError::WrongKek { issuer: issuer.to_owned(), purpose: purpose.as_str() })
        };
        let data = latest(KeyPurpose::Data)?;
        let keys = Box::new(Opened {
            issuer: issuer.to_owned(),
            fingerprint: keyed(&*kek.unwrap(issuer, latest(KeyPurpose::Fingerprint)?)?),
            identifier: keyed(&*kek.unwrap(issuer, latest(KeyPurpose::Identifier)?)?),
            data: Aes256Gcm::new((&*kek.unwrap(issuer, data)?).into()),
            epoch: data.epoch,
        });
        let lock = region::lock(std::ptr::from_ref(&*keys), size_of::<Opened>()).ok();
        Ok(Self { keys, lock })
    }

    /// Whether the system let the keys be locked in memory.
    pub const fn locked(&self) -> bool {
        self.lock.is_some()
    }

    /// The epoch new PANs are sealed under.
    pub fn epoch(&self) -> u32 {
        self.keys.epoch
    }

    /// How this issuer finds a PAN again.
    pub fn fingerprint(&self, pan: &Pan) -> Fingerprint {
        let mut mac = self.keys.fingerprint.clone();
        mac.update(pan.digits());
        let full = mac.finalize().into_bytes();
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&full[..16]);
        fingerprint
    }

    /// How this issuer finds a text of some kind again without keeping it.
    pub fn text_fingerprint(&self, kind: &[u8], text: &[u8]) -> Fingerprint {
        let mut mac = self.keys.fingerprint.clone();
        // No PAN begins like this, so that no text has the fingerprint of one.
        mac.update(b"text:");
        mac.update(&(kind.len() as u64).to_be_bytes());
        mac.update(kind);
        mac.update(text);
        let full = mac.finalize().into_bytes();
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&full[..16]);
        fingerprint
    }

    /// Seals a PAN for the row `pan_id`, under the current epoch.
    pub fn seal(&self, pan: &Pan, pan_id: i64, nonces: &mut Nonces) -> SealedPan {
        let nonce = nonces.nonce();
        let mut body = pan.packed();
        let tag = seal_in_place(&self.keys.data, &nonce, &self.aad(pan_id), &mut body);
        let mut sealed = [0_u8; SEALED_BYTES];
        sealed[..12].copy_from_slice(&nonce);
        sealed[12..22].copy_from_slice(&body);
        sealed[22..].copy_from_slice(&tag);
        sealed
    }

    /// Opens what [`Self::seal`] made for the same row.
    pub fn unseal(&self, sealed: &SealedPan, pan_id: i64) -> Result<Pan, VaultError> {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&sealed[..12]);
        let mut body = [0; 10];
        body.copy_from_slice(&sealed[12..22]);
        let mut tag = [0; 16];
        tag.copy_from_slice(&sealed[22..]);
        self.keys
            .data
            .decrypt_inout_detached(
                &Nonce::from(nonce),
                &self.aad(pan_id),
                InOutBuf::from(&mut body[..]),
                &Tag::from(tag),
            )
            .map_err(|_| VaultError::SealBroken)?;
        let pan = Pan::unpacked(&body).ok_or(VaultError::SealBroken);
        body.zeroize();
        pan
    }

    /// Seals a short text that stands in the row `row` and nowhere else, such as a rejected card number that an answer
    /// repeats: `epoch (4) | nonce (12) | text | tag (16)`.
    pub fn seal_text(&self, text: &[u8], row: i64, nonces: &mut Nonces) -> Vec<u8> {
        let nonce = nonces.nonce();
        let mut body = Zeroizing::new(text.to_vec());
        let tag = seal_in_place(&self.keys.data, &nonce, &self.aad_of(TEXT, row), &mut body);
        [&self.keys.epoch.to_be_bytes()[..], &nonce, &body, &tag].concat()
    }

    /// Opens what [`Self::seal_text`] made for the same row.
    pub fn unseal_text(&self, sealed: &[u8], row: i64) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (epoch, rest) = sealed.split_first_chunk::<4>().ok_or(VaultError::SealBroken)?;
        let (nonce, rest) = rest.split_first_chunk::<12>().ok_or(VaultError::SealBroken)?;
        let (body, tag) = rest.split_last_chunk::<16>().ok_or(VaultError::SealBroken)?;
        if u32::from_be_bytes(*epoch) != self.keys.epoch {
            return Err(VaultError::SealBroken);
        }
        let mut text = Zeroizing::new(body.to_vec());
        self.keys
            .data
            .decrypt_inout_detached(
                &Nonce::from(*nonce),
                &self.aad_of(TEXT, row),
                InOutBuf::from(&mut text[..]),
                &Tag::from(*tag),
            )
            .map_err(|_| VaultError::SealBroken)?;
        Ok(text)
    }

    /// A maker of identifiers for one file; see [`IdMaker`].
    pub fn id_maker(&self, scope: &[&[u8]], file_ms: i64) -> IdMaker {
        IdMaker::new(self.keys.identifier.clone(), scope, file_ms)
    }

    fn aad(&self, pan_id: i64) -> arrayed::Aad {
        self.aad_of(PAN, pan_id)
    }

    fn aad_of(&self, version: u8, row: i64) -> arrayed::Aad {
        arrayed::Aad::new(version, self.keys.epoch, row, &self.keys.issuer)
    }
}

/// The additional data of a sealed PAN, built without an allocation a record.
mod arrayed {
    pub(super) struct Aad {
        bytes: [u8; 29],
        len: usize,
    }

    impl Aad {
        /// An issuer's id has at most 16 bytes.
        pub(super) fn new(version: u8, epoch: u32, pan_id: i64, issuer: &str) -> Self {
            let mut bytes = [0; 29];
            bytes[0] = version;
            bytes[1..5].copy_from_slice(&epoch.to_be_bytes());
            bytes[5..13].copy_from_slice(&pan_id.to_be_bytes());
            let tail = &issuer.as_bytes()[..issuer.len().min(16)];
            bytes[13..13 + tail.len()].copy_from_slice(tail);
            Self { bytes, len: 13 + tail.len() }
        }
    }

    impl std::ops::Deref for Aad {
        type Target = [u8];

        fn deref(&self) -> &[u8] {
            &self.bytes[..self.len]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kek(digit: &str) -> KeyEncryptionKey {
        KeyEncryptionKey::from_hex(digit.repeat(64).as_bytes()).unwrap()
    }

    fn wrapped(kek: &KeyEncryptionKey, issuer: &str) -> Vec<WrappedKey> {
        let mut byte = 0;
        KeyPurpose::ALL
            .into_iter()
            .map(|purpose| {
                byte += 1;
                kek.wrap_new(issuer, purpose, 1, &Zeroizing::new([byte; 44]))
            })
            .collect()
    }

    #[test]
    fn a_pan_opens_only_in_its_own_row_of_its_own_issuer() {
        let kek = kek("a");
        let keys = IssuerKeys::open(&kek, "ACME", &wrapped(&kek, "ACME")).unwrap();
        let other = IssuerKeys::open(&kek, "OTHER", &wrapped(&kek, "OTHER")).unwrap();
        let pan = Pan::new(b"2303770003322342").unwrap();
        let mut nonces = Nonces::from_seed([7; 32]);
        let sealed = keys.seal(&pan, 42, &mut nonces);
        assert_eq!(keys.unseal(&sealed, 42).unwrap().digits(), pan.digits());
        assert!(keys.unseal(&sealed, 43).is_err());
        assert!(other.unseal(&sealed, 42).is_err(), "same raw key, other issuer");
        assert_ne!(sealed, keys.seal(&pan, 42, &mut nonces), "a new nonce each time");
    }

    #[test]
    fn a_wrong_kek_is_told_by_name_and_moved_keys_do_not_open() {
        let right = kek("a");
        let keys = wrapped(&right, "ACME");
        assert!(IssuerKeys::open(&kek("b"), "ACME", &keys).is_err());
        assert!(IssuerKeys::open(&right, "OTHER", &keys).is_err());
        let mut swapped = keys.clone();
        swapped[0].purpose = KeyPurpose::Identifier;
        swapped[2].purpose = KeyPurpose::Fingerprint;
        assert!(IssuerKeys::open(&right, "ACME", &swapped).is_err());
        assert!(KeyEncryptionKey::from_hex(b"abc").is_err());
        assert!(KeyEncryptionKey::from_hex("g".repeat(64).as_bytes()).is_err());
    }

    #[test]
    fn fingerprints_tell_issuers_and_pans_apart() {
        let kek = kek("a");
        let keys = IssuerKeys::open(&kek, "ACME", &wrapped(&kek, "ACME")).unwrap();
        let one = keys.fingerprint(&Pan::new(b"2303770003322342").unwrap());
        assert_eq!(one, keys.fingerprint(&Pan::new(b"2303770003322342").unwrap()));
        assert_ne!(one, keys.fingerprint(&Pan::new(b"2303770003322359").unwrap()));
    }
}
