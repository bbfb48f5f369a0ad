//! Whether a card id gives its PAN away: by holding its digits, or by being a digest of it.
//!
//! A PAN has so few possible values that a digest of it is the PAN to whoever tries them all. An id with separators put in is
//! the same id: dashes and underscores are looked through for digits and for hex.

use blake2::Blake2b512;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use sha3::Sha3_256;
use zeroize::Zeroizing;

use crate::vault::Pan;

/// So many of the PAN's digits in a row may not stand in an id.
const RUN: usize = 8;

/// So many first characters of a digest's text may not be an id.
const PREFIX: usize = 12;

/// An id of `[A-Za-z0-9_-]` is made from the PAN.
pub(super) fn is_derived(id: &[u8], pan: &Pan) -> bool {
    let joined: Zeroizing<Vec<u8>> =
        Zeroizing::new(id.iter().copied().filter(|byte| !matches!(byte, b'-' | b'_')).collect());
    let reversed: Zeroizing<Vec<u8>> = Zeroizing::new(pan.digits().iter().rev().copied().collect());
    [id, &joined].into_iter().any(|text| holds_run(text, pan.digits()) || holds_run(text, &reversed))
        || is_digest(id, &joined, pan.digits())
}

/// Whether `text` holds `RUN` of `digits` as they stand one after another there.
fn holds_run(text: &[u8], digits: &[u8]) -> bool {
    text.windows(RUN)
        .filter(|window| window.iter().all(u8::is_ascii_digit))
        .any(|window| digits.windows(RUN).any(|run| run == window))
}

fn is_digest(id: &[u8], joined: &[u8], digits: &[u8]) -> bool {
    let sought = Sought { hex: Sought::hex(joined), base64: Sought::base64(id) };
    if sought.hex.is_none() && sought.base64.is_none() {
        return false;
    }
    sought.is(&Md5::digest(digits))
        || sought.is(&Sha1::digest(digits))
        || sought.is(&Sha224::digest(digits))
        || sought.is(&Sha256::digest(digits))
        || sought.is(&Sha384::digest(digits))
        || sought.is(&Sha512::digest(digits))
        || sought.is(&Sha3_256::digest(digits))
        || sought.is(&Blake2b512::digest(digits))
}

/// What an id is the text of, in either encoding: whole bytes, and the bits of the last character that are left over.
struct Sought {
    hex: Option<Bits>,
    base64: Option<Bits>,
}

/// So many first bits of a digest.
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Sought {
    /// Of hex in any case.
    fn hex(text: &[u8]) -> Option<Bits> {
        Bits::of(text, 4, |byte| char::from(byte).to_digit(16))
    }

    /// Of both base64 alphabets: an id holds neither `+`, `/` nor padding, and so is a text of one only where it is of the other.
    fn base64(text: &[u8]) -> Option<Bits> {
        Bits::of(text, 6, |byte| {
            Some(u32::from(match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return None,
            }))
        })
    }

    fn is(&self, digest: &[u8]) -> bool {
        [&self.hex, &self.base64].into_iter().flatten().any(|bits| bits.begin(digest))
    }
}

impl Bits {
    /// `None` for a text that is too short to be told from chance, or that is none of the encoding.
    fn of(text: &[u8], width: usize, value: impl Fn(u8) -> Option<u32>) -> Option<Self> {
        if text.len() < PREFIX {
            return None;
        }
        let mut bytes = vec![0_u8; (text.len() * width).div_ceil(8)];
        for (at, byte) in text.iter().enumerate() {
            let value = value(*byte)?;
            for bit in 0..width {
                if value >> (width - 1 - bit) & 1 == 1 {
                    let place = at * width + bit;
                    bytes[place / 8] |= 0x80 >> (place % 8);
                }
            }
        }
        Some(Self { bytes, count: text.len() * width })
    }

    /// A digest begins with them. The last character of its base64 may hold a few bits more, which are nought.
    fn begin(&self, digest: &[u8]) -> bool {
        let over = self.count.saturating_sub(digest.len() * 8);
        over < 6
            && self.bytes.iter().enumerate().all(|(at, byte)| {
                let bits = self.count - at * 8;
                let mask = if bits >= 8 { 0xFF } else { 0xFF << (8 - bits) };
                digest.get(at).copied().unwrap_or(0) & mask == *byte
            })
    }
}

#[cfg(test)]
mod tests {
    use base64_simd::{STANDARD, URL_SAFE};
    use openssl::hash::{MessageDigest, hash};

    use super::*;

    const PAN: &str = "2303770003322342";

    fn derived(id: &str) -> bool {
        is_derived(id.as_bytes(), &Pan::new(PAN.as_bytes()).unwrap())
    }

    /// The digests by another implementation than the one that is tested.
    fn digests() -> Vec<Vec<u8>> {
        [
            MessageDigest::md5(),
            MessageDigest::sha1(),
            MessageDigest::sha224(),
            MessageDigest::sha256(),
            MessageDigest::sha384(),
            MessageDigest::sha512(),
            MessageDigest::sha3_256(),
            MessageDigest::from_name("BLAKE2b512").unwrap(),
        ]
        .map(|digest| hash(digest, PAN.as_bytes()).unwrap().to_vec())
        .into()
    }

    #[test]
    fn every_prefix_of_every_digest_in_every_encoding_is_derived() {
        for digest in digests() {
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let base64 = STANDARD.encode_to_string(&digest).replace('=', "");
            let base64url = URL_SAFE.encode_to_string(&digest).replace('=', "");
            for text in [hex.clone(), hex.to_uppercase(), base64, base64url] {
                // An id is of 48 characters at most, and has neither `+` nor `/`.
                let possible = text.find(['+', '/']).unwrap_or(text.len()).min(48);
                for length in 12..=possible {
                    assert!(derived(&text[..length]), "{}", &text[..length]);
                }
                let eleven = &text[..possible.min(11)];
                assert!(!derived(eleven), "{eleven}");
                if possible >= PREFIX {
                    let last = if text.as_bytes()[possible - 1].eq_ignore_ascii_case(&b'A') { 'B' } else { 'A' };
                    let other = format!("{}{last}", &text[..possible - 1]);
                    assert!(!derived(&other), "{other}");
                }
            }
            let dashed = format!("{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..32]);
            assert!(derived(&dashed) && derived(&dashed.to_uppercase()), "{dashed}");
        }
    }

    #[test]
    fn eight_digits_in_a_row_either_way_are_derived() {
        for id in
            [PAN, "card-23037700", "x03322342", "2-3-0-3-7-7-0-0", "2432233000773032", "c_24322330_x", "00_332234"]
        {
            assert!(derived(id), "{id}");
        }
        for id in ["2303770", "card-2303770-x", "23037701", "x2303x7700", "30322342", "", "-", "card-1"] {
            assert!(!derived(id), "{id}");
        }
    }

    /// The same ones in every run: one in ten million does hold eight digits by chance, and is refused as the contract says.
    #[test]
    fn no_random_uuid_is_derived() {
        for n in 0..20_000_u32 {
            let bytes: [u8; 16] = Sha256::digest(n.to_be_bytes())[..16].try_into().unwrap();
            let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
            assert!(!derived(&id.to_string()) && !derived(&id.simple().to_string()), "{id}");
        }
        assert!(derived("00033223-0000-4000-8000-000000000000"));
    }
}
