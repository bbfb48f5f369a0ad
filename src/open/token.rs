//! The five segments of a compact JWE (RFC 7516 §7.1), found in a bounded head and tail, free of IO.
//!
//! ```text
//! token      = header "." encrypted-key "." iv "." ciphertext "." tag [CR LF …]
//! header        at most 4 KiB of JSON, so at most 5464 letters; as received it is the AAD
//! encrypted-key empty, or at most 1 KiB
//! iv            12 or 16 bytes
//! ciphertext    anything; only its place is known here
//! tag           16 or 32 bytes
//! ```
//! Must never read the ciphertext: what stands between head and tail is checked as it streams by.

use std::ops::Range;

use crate::model::{Code, Refusal};

use super::base64;
use super::header::{Enc, Mode};

/// Header JSON.
pub(super) const HEADER_BYTES_MAX: usize = 4 << 10;
/// RSA keys up to 8192 bits.
pub(super) const ENCRYPTED_KEY_BYTES_MAX: usize = 1 << 10;
const IV_BYTES_MAX: usize = 16;
const TAG_BYTES_MAX: usize = 32;

/// Three segments, their dots, and some of the ciphertext.
pub(super) const HEAD_BYTES: usize = 8 << 10;
/// The last dot, the tag, and line ends.
pub(super) const TAIL_BYTES: usize = 256;

const _: () = assert!(
    letters_max(HEADER_BYTES_MAX) + letters_max(ENCRYPTED_KEY_BYTES_MAX) + letters_max(IV_BYTES_MAX) + 3 < HEAD_BYTES
);

const fn letters_max(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Where everything is, with the small parts decoded.
#[derive(Debug)]
pub(super) struct Token {
    /// The first segment exactly as received: the AAD.
    pub(super) aad: Vec<u8>,
    /// The same, decoded.
    pub(super) header: Vec<u8>,
    /// The second segment, decoded.
    pub(super) encrypted_key: Vec<u8>,
    /// The third segment, decoded.
    pub(super) iv: Vec<u8>,
    /// Where the letters of the fourth segment stand in the file, padding taken off.
    pub(super) ciphertext: Range<u64>,
    /// The fifth segment, as received.
    tag_letters: Vec<u8>,
    /// The fifth segment, decoded; empty until [`Token::check_lengths`] knows how long it must be.
    pub(super) tag: Vec<u8>,
}

fn malformed(description: &str) -> Refusal {
    Refusal::new(Code::EnvelopeRefused, description)
}

fn cut() -> Refusal {
    malformed("the compact JWE stops before its end; expected five segments and a whole tag").early()
}

fn not_five() -> Refusal {
    malformed("the file is not five base64url segments with a dot between; expected a compact JWE")
}

/// Whether a file begins as a compact JWE: letters up to the first dot (or as far as is seen) that decode to a JSON object.
///
/// A CSV has a comma or a line end there, JSON a brace; neither is a letter of base64.
pub(super) fn looks_sealed(head: &[u8]) -> bool {
    let first = head.split(|&byte| byte == b'.').next().unwrap_or_default();
    // A whole file of one to three bytes can only be the start of the usual `{"`.
    if head.len() < 4 {
        return b"eyJ".starts_with(head);
    }
    if !first.iter().all(|&byte| base64::is_letter(byte) || byte == b'=') {
        return false;
    }
    let Some(Ok(start)) = first.get(..first.len().min(8) & !3).map(base64::decode) else { return false };
    match start.trim_ascii_start() {
        [b'{', next, ..] => matches!(next, b'"' | b'}') || next.is_ascii_whitespace(),
        [b'{'] => true,
        _ => false,
    }
}

/// Finds the segments. `head` and `tail` are the first [`HEAD_BYTES`] and last [`TAIL_BYTES`] of `size` bytes, or all of them.
pub(super) fn lay_out(head: &[u8], tail: &[u8], size: u64) -> Result<Token, Refusal> {
    let line_ends = tail.iter().rev().take_while(|&&byte| matches!(byte, b'\r' | b'\n')).count();
    let end = size - line_ends as u64;
    let head = head.get(..usize::try_from(end).unwrap_or(usize::MAX).min(head.len())).unwrap_or_default();
    let tail = tail.get(..tail.len() - line_ends).unwrap_or_default();

    let (aad, rest) = segment(head, letters_max(HEADER_BYTES_MAX))?;
    let (key, rest) = segment(rest, letters_max(ENCRYPTED_KEY_BYTES_MAX))?;
    let (iv, rest) = segment(rest, letters_max(IV_BYTES_MAX))?;
    let start = (head.len() - rest.len()) as u64;

    // The tail, as far as it does not reach back over the third dot.
    let tail_start = end - tail.len() as u64;
    let overlap = usize::try_from(start.saturating_sub(tail_start)).unwrap_or(usize::MAX).min(tail.len());
    let seen = tail.get(overlap..).unwrap_or_default();
    let Some(dot) = seen.iter().rposition(|&byte| byte == b'.') else {
        return Err(if !tail.is_empty() && seen.iter().all(|&byte| base64::is_letter(byte)) {
            cut()
        } else {
            not_five()
        });
    };
    let (before, tag) = seen.split_at(dot);
    let tag = tag.get(1..).unwrap_or_default();
    let dot = end - tag.len() as u64 - 1;

    // What is seen of the ciphertext is looked at now, so that a token with a sixth segment is refused at once.
    let in_head = rest.get(..usize::try_from(dot - start).unwrap_or(usize::MAX).min(rest.len())).unwrap_or_default();
    if [in_head, before].concat().iter().any(|&byte| !base64::is_letter(byte) && byte != b'=') {
        return Err(not_five());
    }
    if tag.len() > letters_max(TAG_BYTES_MAX) || !tag.iter().all(|&byte| base64::is_letter(byte) || byte == b'=') {
        return Err(malformed("the tag is not base64url of 16 or 32 bytes; expected a compact JWE"));
    }
    let letters = base64::unpad_length(dot - start, before)
        .ok_or_else(|| malformed("the content is not base64url; expected a compact JWE"))?;

    let header = base64::decode(aad).map_err(|_| malformed("the JWE header is not base64url"))?;
    if header.len() > HEADER_BYTES_MAX {
        return Err(malformed("the JWE header is over 4 KiB"));
    }
    Ok(Token {
        aad: aad.to_vec(),
        header,
        encrypted_key: base64::decode(key).map_err(|_| malformed("the encrypted key is not base64url"))?,
        iv: base64::decode(iv).map_err(|_| malformed("the initialization vector is not base64url"))?,
        ciphertext: start..start + letters,
        tag_letters: tag.to_vec(),
        tag: Vec::new(),
    })
}

/// Cuts a segment of at most `max` letters and the dot behind it off the front.
fn segment(head: &[u8], max: usize) -> Result<(&[u8], &[u8]), Refusal> {
    let length = head.iter().take(max + 1).position(|&byte| !base64::is_letter(byte) && byte != b'=');
    match length {
        Some(length) => match head.split_at(length) {
            (segment, [b'.', rest @ ..]) => Ok((segment, rest)),
            _ => Err(not_five()),
        },
        // The head holds all three segments at their longest, so running out of it is the end of the file.
        None if head.len() <= max => Err(cut()),
        None => Err(malformed(
            "a segment of the JWE is too long; expected a header of at most 4 KiB, a wrapped key and a nonce",
        )),
    }
}

impl Token {
    /// Checks nonce and tag against what the content encryption needs, and decodes the tag.
    ///
    /// Content that is not whole blocks is no matter of this: like any other changed content it fails at its MAC.
    pub(super) fn check_lengths(&mut self, enc: Enc) -> Result<(), Refusal> {
        match enc.mode() {
            // RFC 7518 wants 12 bytes; real senders' libraries write 16.
            Mode::Gcm => {
                if !matches!(self.iv.len(), 12 | 16) {
                    return Err(malformed("the nonce is not 12 or 16 bytes, as AES-GCM needs"));
                }
            }
            Mode::CbcHmac(_) => {
                if self.iv.len() != 16 {
                    return Err(malformed("the initialization vector is not 16 bytes, as AES-CBC needs"));
                }
            }
        }
        let needed = (enc.tag_bytes() * 4).div_ceil(3);
        if self.tag_letters.len() < needed && !self.tag_letters.contains(&b'=') {
            return Err(cut());
        }
        match base64::decode(&self.tag_letters) {
            Ok(tag) if tag.len() == enc.tag_bytes() => self.tag = tag,
            _ => return Err(malformed("the tag is not base64url of the length that the content encryption makes")),
        }
        Ok(())
    }
}
