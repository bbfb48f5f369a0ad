//! A card number in clear, and the two forms in which it may be kept.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::model::Masked;

/// A card number in clear: 11 to 19 digits, zeroed on drop. It has no Debug, Display or Serialize, and must never get one.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Pan {
    digits: [u8; 19],
    len: u8,
    // No secret.
    #[zeroize(skip)]
    masked: Masked,
}

impl Pan {
    /// Takes 11 to 19 ASCII digits; `None` for anything else.
    pub fn new(text: &[u8]) -> Option<Self> {
        let masked = Masked::of_digits(text);
        let len = masked.digits;
        if len == 0 {
            return None;
        }
        let mut digits = [0; 19];
        digits[..text.len()].copy_from_slice(text);
        Some(Self { digits, len, masked })
    }

    /// The ASCII digits.
    pub fn digits(&self) -> &[u8] {
        &self.digits[..usize::from(self.len)]
    }

    /// What may be shown.
    pub const fn masked(&self) -> Masked {
        self.masked
    }

    /// Two digits a byte, the rest filled with `F`: one length for all, so that a sealed PAN does not tell its own.
    pub(super) fn packed(&self) -> [u8; PACKED_BYTES] {
        let mut packed = [0xFF_u8; PACKED_BYTES];
        for (byte, pair) in packed.iter_mut().zip(self.digits().chunks(2)) {
            *byte = match *pair {
                [high, low] => ((high - b'0') << 4) | (low - b'0'),
                [high] => ((high - b'0') << 4) | 0x0F,
                _ => *byte,
            };
        }
        packed
    }

    /// Reads the packed form back.
    pub(super) fn unpacked(packed: &[u8; PACKED_BYTES]) -> Option<Self> {
        let mut digits = [0_u8; 19];
        let mut len = 0_usize;
        for nibble in packed.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]).take_while(|nibble| *nibble != 0x0F) {
            *digits.get_mut(len)? = b'0' + nibble;
            len += 1;
        }
        let pan = Self::new(&digits[..len]);
        digits.zeroize();
        pan
    }
}

/// First 16 bytes of HMAC-SHA-256 over the whole PAN under the issuer's fingerprint key (PCI DSS 3.5.1.1).
pub type Fingerprint = [u8; 16];

/// Bytes of a packed PAN: 19 digits and a half byte to spare.
pub(super) const PACKED_BYTES: usize = 10;

/// Bytes of a sealed PAN: nonce, packed PAN, tag.
pub const SEALED_BYTES: usize = 12 + PACKED_BYTES + 16;

/// A PAN under AES-256-GCM: `nonce (12) | packed PAN (10) | tag (16)`.
pub type SealedPan = [u8; SEALED_BYTES];

/// Nonces from a generator of each thread's own, seeded once from the system's: a system call a record would cost more than the seal.
pub struct Nonces(ChaCha12Rng);

impl Nonces {
    /// A generator from 32 random bytes, which must come from the system's own source and be used once.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// The next 96-bit nonce.
    pub(super) fn nonce(&mut self) -> [u8; 12] {
        let mut nonce = [0; 12];
        self.0.fill_bytes(&mut nonce);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_every_length_into_ten_bytes_and_back() {
        for len in 11..=19 {
            let digits: Vec<u8> = (0..len).map(|digit| b'0' + (digit % 10)).collect();
            let packed = Pan::new(&digits).unwrap().packed();
            assert_eq!(Pan::unpacked(&packed).unwrap().digits(), digits);
        }
        assert!(Pan::new(b"1234567890").is_none() && Pan::new(b"12345678901234567890").is_none());
        assert!(Pan::new(b"1234567890a").is_none());
    }
}
