//! Base64 as JOSE has it, strict about bits and lenient about alphabet.
//!
//! Real senders write `+`, `/` and padding where base64url without padding is meant; that is taken. Bits behind the last
//! byte that are not zero are refused: two spellings of one value would let a changed token pass.

use base64_simd::{AsOut, URL_SAFE_NO_PAD};

/// The text is not base64.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotBase64;

/// Whether a byte belongs to either alphabet.
pub(super) const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'/')
}

/// Takes off padding; `None` when it is not where and what padding can be.
pub(super) fn unpad_length(length: u64, end: &[u8]) -> Option<u64> {
    let padding = end.iter().rev().take_while(|&&byte| byte == b'=').count() as u64;
    let bare = length.checked_sub(padding)?;
    let fits = match padding {
        0 => bare % 4 != 1,
        1 | 2 => length.is_multiple_of(4) && bare % 4 >= 2,
        _ => false,
    };
    fits.then_some(bare)
}

/// Decodes a block without padding in its own place.
pub(super) fn decode_in_place(text: &mut [u8]) -> Result<&mut [u8], NotBase64> {
    for byte in text.iter_mut() {
        *byte = match *byte {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        };
    }
    URL_SAFE_NO_PAD.decode_inplace(text).map_err(|_| NotBase64)
}

/// Decodes a whole value.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, NotBase64> {
    let bare = unpad_length(text.len() as u64, text).ok_or(NotBase64)?;
    let bare = usize::try_from(bare).map_err(|_| NotBase64)?;
    let mut text = text.get(..bare).ok_or(NotBase64)?.to_vec();
    let length = decode_in_place(&mut text)?.len();
    text.truncate(length);
    Ok(text)
}

/// Encodes as base64url without padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Encodes into a buffer of at least four thirds of the input, and answers what was written.
pub(super) fn encode_into<'out>(bytes: &[u8], out: &'out mut [u8]) -> &'out [u8] {
    URL_SAFE_NO_PAD.encode(bytes, out.as_out())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_and_padding_are_taken() {
        for text in ["-_8", "+/8", "+/8=", "-/8="] {
            assert_eq!(decode(text.as_bytes()), Ok(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(decode(b""), Ok(vec![]));
        assert_eq!(decode(b"-A=="), Ok(vec![0xf8]));
    }

    #[test]
    fn one_value_has_one_spelling() {
        // Every last letter of one- and two-byte values but those with zero bits behind the value.
        for text in ["-B", "-P", "-_9", "-_-", "-B==", "-_9="] {
            assert_eq!(decode(text.as_bytes()), Err(NotBase64), "{text}");
        }
    }

    #[test]
    fn padding_stands_at_the_end_and_completes_a_group() {
        for text in ["-", "=", "==", "====", "-_8==", "-A=", "-A===", "-=A=", "AAAA=", "AAAA==", "A A=", "AA\nA"] {
            assert_eq!(decode(text.as_bytes()), Err(NotBase64), "{text}");
        }
    }
}
