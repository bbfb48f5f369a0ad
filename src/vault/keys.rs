//! The keys: a key-encryption key from outside the database, and each issuer's own keys wrapped under it.
//!
//! ```text
//! wrapped key := nonce (12) | AES-256-GCM(kek, key (32), aad = "nightdrop wrapped key 1" | issuer | purpose | epoch) | tag (16)
//! ```

use aes_gcm::aead::consts::U12;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::aes::Aes256Enc;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aes_gcm::{AesGcm, Nonce, Tag};
use ghash::GHash;
use zeroize::{Zeroize, Zeroizing};

use super::identifier::IdMaker;
use super::mac::Mac;
use super::pan::{Fingerprint, Pan};

/// AES-256-GCM. It never runs AES backwards.
pub(super) type Gcm = AesGcm<Aes256Enc, U12>;

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
        let cipher = Gcm::new((&*self.0).into());
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
        let cipher = Gcm::new((&*self.0).into());
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
    let mut mac = Mac::new(key);
    mac.add(b"nightdrop key check 1|");
    mac.add(purpose.as_bytes());
    first(mac.followed_by(b""))
}

/// The first bytes of a MAC.
fn first<const N: usize>(mac: [u8; 32]) -> [u8; N] {
    let mut first = [0; N];
    first.copy_from_slice(&mac[..N]);
    first
}

pub(super) fn seal_in_place(cipher: &Gcm, nonce: &[u8; 12], aad: &[u8], body: &mut [u8]) -> [u8; 16] {
    match cipher.encrypt_inout_detached(&Nonce::from(*nonce), aad, InOutBuf::from(body)) {
        Ok(tag) => tag.into(),
        // The cipher fails on bodies of 64 GiB and more; the ones here are a key and a short text.
        Err(_) => [0; 16],
    }
}

/// An issuer's keys, opened: what workers fingerprint, seal and name with. Locked in memory where the system allows.
pub struct IssuerKeys {
    keys: Box<Opened>,
    // Declared after the keys: they are zeroed before their pages are let go.
    lock: Option<region::LockGuard>,
}

/// In pages of its own (of the usual size): what shared one would unlock it when it is let go, since locks of a page do not count.
#[repr(align(4096))]
struct Opened {
    issuer: String,
    fingerprint: Mac,
    identifier: Mac,
    data: Gcm,
    /// The two parts of the same, for [`Sealing`](super::Sealing).
    cipher: Aes256Enc,
    hash: GHash,
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
        let fingerprint = kek.unwrap(issuer, latest(KeyPurpose::Fingerprint)?)?;
        let identifier = kek.unwrap(issuer, latest(KeyPurpose::Identifier)?)?;
        let cipher = Aes256Enc::new((&*kek.unwrap(issuer, data)?).into());
        let mut hash_key = ghash::Key::default();
        cipher.encrypt_block(&mut hash_key);
        let hash = GHash::new(&hash_key);
        hash_key.zeroize();
        let keys = Box::new(Opened {
            issuer: issuer.to_owned(),
            fingerprint: Mac::new(&fingerprint),
            identifier: Mac::new(&identifier),
            data: Gcm::from(cipher.clone()),
            cipher,
            hash,
            epoch: data.epoch,
        });
        let lock = region::lock(std::ptr::from_ref(&*keys), size_of::<Opened>()).ok();
        Ok(Self { keys, lock })
    }

    /// Whether the system let the keys be locked in memory.
    pub const fn locked(&self) -> bool {
        self.lock.is_some()
    }

    pub(super) fn issuer(&self) -> &str {
        &self.keys.issuer
    }

    pub(super) fn data(&self) -> &Gcm {
        &self.keys.data
    }

    pub(super) fn cipher(&self) -> &Aes256Enc {
        &self.keys.cipher
    }

    pub(super) fn hash(&self) -> &GHash {
        &self.keys.hash
    }

    /// The epoch new PANs are sealed under.
    pub fn epoch(&self) -> u32 {
        self.keys.epoch
    }

    /// How this issuer finds a PAN again.
    pub fn fingerprint(&self, pan: &Pan) -> Fingerprint {
        first(self.keys.fingerprint.followed_by(pan.digits()))
    }

    /// The same, and the UUID of the record that brings the PAN: together they take little more than one alone.
    pub fn fingerprint_and_uuid(&self, pan: &Pan, ids: &IdMaker, ordinal: u64) -> (Fingerprint, [u8; 16]) {
        let (fingerprint, id) = Mac::both((&self.keys.fingerprint, pan.digits()), (ids.mac(), &ordinal.to_be_bytes()));
        (first(fingerprint), ids.uuid_from(ordinal, &id))
    }

    /// How this issuer finds a text of some kind again without keeping it.
    pub fn text_fingerprint(&self, kind: &[u8], text: &[u8]) -> Fingerprint {
        let mut mac = self.keys.fingerprint.clone();
        // No PAN begins like this, so that no text has the fingerprint of one.
        mac.add(b"text:");
        mac.add(&(kind.len() as u64).to_be_bytes());
        mac.add(kind);
        mac.add(text);
        first(mac.followed_by(b""))
    }

    /// A maker of identifiers for one file; see [`IdMaker`].
    pub fn id_maker(&self, scope: &[&[u8]], file_ms: i64) -> IdMaker {
        IdMaker::new(&self.keys.identifier, scope, file_ms)
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, Mac as _};
    use sha2::Sha256;

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
    fn no_two_issuers_share_a_locked_page() {
        let kek = kek("a");
        let opened: Vec<_> =
            ["A", "B", "C"].map(|issuer| IssuerKeys::open(&kek, issuer, &wrapped(&kek, issuer)).unwrap()).into();
        let mut pages = std::collections::HashSet::new();
        for keys in &opened {
            let first = std::ptr::from_ref(&*keys.keys).addr() / 4096;
            let last = (std::ptr::from_ref(&*keys.keys).addr() + size_of::<Opened>() - 1) / 4096;
            assert!((first..=last).all(|page| pages.insert(page)), "{}", keys.issuer());
        }
    }

    #[test]
    fn a_fingerprint_is_of_the_hmac_of_the_pan() {
        let kek = kek("a");
        let keys = IssuerKeys::open(&kek, "ACME", &wrapped(&kek, "ACME")).unwrap();
        let pan = Pan::new(b"2303770003322342").unwrap();
        // `wrapped` makes keys of one byte repeated, the fingerprint's of 1.
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&[1; 32]).unwrap();
        mac.update(pan.digits());
        assert_eq!(keys.fingerprint(&pan)[..], mac.finalize().into_bytes()[..16]);
        let ids = keys.id_maker(&[b"scope"], 1_795_138_200_000);
        assert_eq!(keys.fingerprint_and_uuid(&pan, &ids, 7), (keys.fingerprint(&pan), ids.uuid(7)));
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
