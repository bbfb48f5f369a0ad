//! Identifiers are made, not drawn: the same record of the same file gets the same one, whatever happened in between.
//!
//! A UUID of version 8 (RFC 9562, section 5.8):
//! ```text
//! 48 bits  time of the file in milliseconds
//!  4 bits  version, 8
//! 12 bits  upper bits of the record's ordinal
//!  2 bits  variant, 10
//! 20 bits  lower bits of the record's ordinal
//! 42 bits  of HMAC-SHA-256(identifier key, scope, ordinal)
//! ```
//! Time and ordinal come first so that the database's keys grow at their end.

use super::mac::Mac;

/// Makes a file's identifiers. The scope (issuer, service, batch key or plaintext digest) is already inside.
#[derive(Clone)]
pub struct IdMaker {
    mac: Mac,
    file_ms: u64,
}

impl IdMaker {
    /// Each part of the scope goes in with its length, so that no two scopes run together.
    pub(super) fn new(mac: &Mac, scope: &[&[u8]], file_ms: i64) -> Self {
        let mut mac = mac.clone();
        mac.add(b"nightdrop identifier 1");
        for part in scope {
            mac.add(&(part.len() as u64).to_be_bytes());
            mac.add(part);
        }
        Self { mac, file_ms: u64::try_from(file_ms).unwrap_or(0) & 0xFFFF_FFFF_FFFF }
    }

    /// What an ordinal is added to.
    pub(super) fn mac(&self) -> &Mac {
        &self.mac
    }

    /// The UUID of the record `ordinal`, counted from 0.
    pub fn uuid(&self, ordinal: u64) -> [u8; 16] {
        self.uuid_from(ordinal, &self.mac.followed_by(&ordinal.to_be_bytes()))
    }

    /// Another one, for a record that makes two things.
    pub fn second_uuid(&self, ordinal: u64) -> [u8; 16] {
        let mut tail = *b"second--------";
        tail[6..].copy_from_slice(&ordinal.to_be_bytes());
        self.uuid_from(ordinal, &self.mac.followed_by(&tail))
    }

    pub(super) fn uuid_from(&self, ordinal: u64, mac: &[u8; 32]) -> [u8; 16] {
        let mut random = [0_u8; 8];
        random.copy_from_slice(&mac[..8]);
        let random = u64::from_be_bytes(random) & ((1 << 42) - 1);
        let ordinal = ordinal & 0xFFFF_FFFF;
        let high = (self.file_ms << 16) | (8 << 12) | (ordinal >> 20);
        let low = (0b10 << 62) | ((ordinal & 0xF_FFFF) << 42) | random;
        let mut uuid = [0; 16];
        uuid[..8].copy_from_slice(&high.to_be_bytes());
        uuid[8..].copy_from_slice(&low.to_be_bytes());
        uuid
    }

    /// A number of 18 digits, not beginning with 0, of the record `ordinal`. Another `attempt` gives another.
    pub fn number(&self, ordinal: u64, attempt: u32) -> u64 {
        const FIRST: u64 = 100_000_000_000_000_000;
        let mut tail = *b"number------------";
        tail[6..14].copy_from_slice(&ordinal.to_be_bytes());
        tail[14..].copy_from_slice(&attempt.to_be_bytes());
        let full = self.mac.followed_by(&tail);
        let mut random = [0_u8; 16];
        random.copy_from_slice(&full[..16]);
        // Of 128 bits, so that no number is likelier than another.
        let below = u128::from_be_bytes(random) % u128::from(9 * FIRST);
        FIRST + u64::try_from(below).unwrap_or(0)
    }

    /// The ordinal that stands in a UUID, if it is one of these: [`Self::uuid`] of it tells.
    pub fn ordinal(uuid: &[u8; 16]) -> u64 {
        let bits = u128::from_be_bytes(*uuid);
        let (high, low) = ((bits >> 64) & 0xFFF, (bits >> 42) & 0xF_FFFF);
        u64::try_from((high << 20) | low).unwrap_or(0)
    }
}

/// The usual text of a UUID, lower case.
pub fn uuid_text(uuid: &[u8; 16]) -> String {
    write_uuid(uuid, &mut [0; UUID_CHARS]).to_owned()
}

/// Characters of the usual text of a UUID.
pub const UUID_CHARS: usize = uuid::fmt::Hyphenated::LENGTH;

/// The same, put into `room`: reports write a million of them.
pub fn write_uuid<'a>(uuid: &[u8; 16], room: &'a mut [u8; UUID_CHARS]) -> &'a str {
    uuid::Uuid::from_bytes(*uuid).hyphenated().encode_lower(room)
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac as _};
    use sha2::Sha256;

    use super::*;

    fn maker(scope: &[&[u8]]) -> IdMaker {
        IdMaker::new(&Mac::new(&[1; 32]), scope, 1_795_138_200_000)
    }

    #[test]
    fn is_a_version_8_uuid_that_grows_and_repeats() {
        let ids = maker(&[b"ACME", b"payment-cards"]);
        let first = uuid::Uuid::from_bytes(ids.uuid(0));
        assert_eq!((first.get_version_num(), first.get_variant()), (8, uuid::Variant::RFC4122));
        let mut last = [0; 16];
        for ordinal in (0..5000).chain([1 << 20, (1 << 20) + 1, u64::from(u32::MAX)]) {
            let id = ids.uuid(ordinal);
            assert!(id > last, "keys must grow at their end");
            assert_eq!(id, ids.uuid(ordinal));
            assert_ne!(id, ids.second_uuid(ordinal));
            assert_eq!(IdMaker::ordinal(&id), ordinal);
            last = id;
        }
    }

    #[test]
    fn is_of_the_hmac_of_scope_and_ordinal() {
        let mac = |tail: &[u8]| -> [u8; 32] {
            let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&[1; 32]).unwrap();
            mac.update(b"nightdrop identifier 1\0\0\0\0\0\0\0\x04ACME");
            mac.update(tail);
            mac.finalize().into_bytes().into()
        };
        let library = |tail: &[u8]| u64::from_be_bytes(*mac(tail).first_chunk().unwrap()) & ((1 << 42) - 1);
        let drawn = |uuid: [u8; 16]| u64::from_be_bytes(*uuid.last_chunk().unwrap()) & ((1 << 42) - 1);
        let ids = maker(&[b"ACME"]);
        assert_eq!(drawn(ids.uuid(258)), library(b"\0\0\0\0\0\0\x01\x02"));
        assert_eq!(drawn(ids.second_uuid(258)), library(b"second\0\0\0\0\0\0\x01\x02"));
        let number = u128::from_be_bytes(*mac(b"number\0\0\0\0\0\0\x01\x02\0\0\0\x03").first_chunk().unwrap());
        assert_eq!(u128::from(ids.number(258, 3)), 10_u128.pow(17) + number % (9 * 10_u128.pow(17)));
    }

    #[test]
    fn numbers_have_18_digits_and_repeat() {
        let ids = maker(&[b"ACME", b"pan-lists"]);
        let mut seen = std::collections::HashSet::new();
        for (ordinal, attempt) in (0..500).flat_map(|ordinal| [(ordinal, 0), (ordinal, 1)]) {
            let number = ids.number(ordinal, attempt);
            assert_eq!(number.to_string().len(), 18);
            assert_eq!(number, ids.number(ordinal, attempt));
            assert!(seen.insert(number));
        }
    }

    #[test]
    fn scopes_do_not_run_together() {
        assert_ne!(maker(&[b"AC", b"ME"]).uuid(1), maker(&[b"ACM", b"E"]).uuid(1));
        assert_ne!(maker(&[b"A"]).uuid(1), maker(&[b"A", b""]).uuid(1));
    }
}
