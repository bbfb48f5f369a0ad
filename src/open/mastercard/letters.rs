//! How a value is written: hex or base64, with the escapes that JSON writers put into base64.
//!
//! Some write `\/` for `/`, and `\u003d` for `=`: both are JSON's own way of saying the same.

use super::super::base64;
use super::super::base64::NotBase64;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Hex,
    Base64,
}

/// As many letters as it takes to tell them apart: of base64 not even ten in a row are likely to be hexadecimal.
pub(super) const TELLING_LETTERS: usize = 4 << 10;

/// Whether letters are hexadecimal, as far as they go.
pub(super) fn looks_hex(letters: &[u8]) -> bool {
    letters.iter().all(u8::is_ascii_hexdigit)
}

/// A whole value of hex; `None` for what is none.
pub(super) fn from_hex(letters: &[u8]) -> Option<Vec<u8>> {
    let mut letters = letters.to_vec();
    let length = hex_in_place(&mut letters)?.len();
    letters.truncate(length);
    Some(letters)
}

fn hex_in_place(letters: &mut [u8]) -> Option<&mut [u8]> {
    if !letters.len().is_multiple_of(2) {
        return None;
    }
    let length = letters.len() / 2;
    for at in 0..length {
        let pair = [*letters.get(2 * at)?, *letters.get(2 * at + 1)?];
        let byte = digit(pair[0])? << 4 | digit(pair[1])?;
        *letters.get_mut(at)? = byte;
    }
    letters.get_mut(..length)
}

const fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        b'A'..=b'F' => Some(letter - b'A' + 10),
        _ => None,
    }
}

impl Encoding {
    /// How many of these letters can be decoded while others may follow: whole groups, and the last one waits, for padding may
    /// be in it.
    pub(super) const fn whole(self, letters: usize) -> usize {
        match self {
            Self::Hex => letters & !1,
            Self::Base64 => letters.saturating_sub(1) & !3,
        }
    }

    /// Decodes whole groups in their own place.
    pub(super) fn decode(self, letters: &mut [u8]) -> Result<&mut [u8], NotBase64> {
        match self {
            Self::Hex => hex_in_place(letters).ok_or(NotBase64),
            Self::Base64 => base64::decode_in_place(letters),
        }
    }

    /// Decodes what is left at the end.
    pub(super) fn decode_last(self, letters: &[u8]) -> Result<Vec<u8>, NotBase64> {
        match self {
            Self::Hex => from_hex(letters).ok_or(NotBase64),
            Self::Base64 => base64::decode(letters),
        }
    }
}

/// Takes JSON's escapes out of letters that come in pieces.
#[derive(Debug, Default)]
pub(super) struct Unescape {
    /// An escape that has begun, its backslash included.
    open: Vec<u8>,
}

impl Unescape {
    /// Appends what the piece says. Only escapes of ASCII letters are taken, since nothing else is a letter of a value.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), NotBase64> {
        for &byte in piece {
            if self.open.is_empty() {
                if byte == b'\\' {
                    self.open.push(byte);
                } else {
                    out.push(byte);
                }
                continue;
            }
            self.open.push(byte);
            let letter = match self.open.as_slice() {
                [_, b'/'] => b'/',
                [_, b'u'] | [_, b'u', b'0'] | [_, b'u', b'0', b'0'] | [_, b'u', b'0', b'0', _] => continue,
                [_, b'u', b'0', b'0', high, low] => match (digit(*high), digit(*low)) {
                    (Some(high @ 0..=7), Some(low)) => high << 4 | low,
                    _ => return Err(NotBase64),
                },
                _ => return Err(NotBase64),
            };
            out.push(letter);
            self.open.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_letters_are_taken_however_they_are_split() {
        let text = br"a\/b\u003d\u003D\u002f";
        for cut in 0..=text.len() {
            let (mut unescape, mut out) = (Unescape::default(), Vec::new());
            unescape.push(&text[..cut], &mut out).unwrap();
            unescape.push(&text[cut..], &mut out).unwrap();
            assert_eq!(out, b"a/b==/", "{cut}");
        }
        for bad in [r"\n", r"\u00e9", r"\u0100", r"\\", r"\u00g0"] {
            assert!(Unescape::default().push(bad.as_bytes(), &mut Vec::new()).is_err(), "{bad}");
        }
    }

    #[test]
    fn hex_is_whole_pairs_of_digits() {
        assert_eq!(from_hex(b"00fFa1"), Some(vec![0, 0xff, 0xa1]));
        assert_eq!(from_hex(b""), Some(vec![]));
        for bad in ["0", "0g", "000", "-1"] {
            assert_eq!(from_hex(bad.as_bytes()), None, "{bad}");
        }
    }
}
