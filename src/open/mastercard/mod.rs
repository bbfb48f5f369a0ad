//! Mastercard payload encryption: one JSON object with the content sealed by AES-CBC and its key by RSA-OAEP.
//!
//! **It proves nothing.** There is no MAC: whoever holds the file can change it, and plaintext that comes out may be anybody's
//! making. What the object looks like is told, for everybody can see it; what comes of its values is one uniform refusal, here
//! and up to the end of pass 1.
//!
//! Read in this order: this file, `scan`, `fields`, `letters`, `unwrap`, `content`, `lines`; then `seal`, the way out.

mod content;
mod fields;
mod letters;
mod lines;
mod scan;
mod seal;
#[cfg(test)]
mod tests;
mod unwrap;

use std::sync::Arc;

use crate::model::{Code, OaepHash, Refusal};

use super::error::OpenError;
use super::keyring::Keyring;
use super::source::Source;

pub(super) use content::{Sealed, Stream};
pub(super) use lines::{LineStream, Lines};
pub use seal::PayloadSealer;

fn malformed(description: &str) -> Refusal {
    Refusal::new(Code::EnvelopeRefused, description)
}

/// What opens an object.
pub(super) struct Opener {
    /// Ready to be streamed.
    pub(super) sealed: Arc<Sealed>,
    /// The key that its content key came from, if any gave one.
    pub(super) key_id: Option<String>,
    /// The key that it names, if that is one of the feed's.
    pub(super) named: Option<String>,
}

/// Whether a text begins as a sealed object: one whose own members, as far as they are seen, hold a sealed value or key.
pub(super) fn looks_sealed(head: &[u8]) -> bool {
    let mut rest = head;
    let mut depth = 0_u32;
    let mut is_name = false;
    loop {
        rest = rest.trim_ascii_start();
        let Some((&first, after)) = rest.split_first() else { return false };
        rest = after;
        match first {
            b'{' => {
                depth += 1;
                is_name = true;
            }
            _ if depth == 0 => return false,
            b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return false;
                }
            }
            b',' => is_name = true,
            b'"' => {
                let Some(length) = string_length(rest) else {
                    return is_name && depth == 1 && names_a_part_when_cut(rest);
                };
                let (text, after) = rest.split_at(length);
                if is_name && depth == 1 && after.get(1..).is_some_and(begins_with_colon) && names_a_part(text) {
                    return true;
                }
                is_name = false;
                rest = after.get(1..).unwrap_or_default();
            }
            _ => {}
        }
    }
}

fn names_a_part(name: &[u8]) -> bool {
    fields::is_long(name) || name == fields::KEY.as_bytes()
}

/// A name whose closing quote is not there: the file stops within it.
fn names_a_part_when_cut(start: &[u8]) -> bool {
    start.len() >= "encrypted".len()
        && (fields::DATA.iter().chain([&fields::KEY])).any(|name| name.as_bytes().starts_with(start))
}

fn begins_with_colon(text: &[u8]) -> bool {
    text.trim_ascii_start().first() == Some(&b':')
}

/// Where the closing quote stands.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// What a file is made of.
pub(super) enum Found {
    /// One object.
    Whole(Opener),
    /// Lines, each an object. The key is that of the first.
    Lines { lines: Arc<Lines>, key_id: Option<String>, named: Option<String> },
}

/// Whether a text begins with a header in clear that a sealed line follows, as far as that is seen.
pub(super) fn looks_like_lines(head: &[u8]) -> bool {
    let Some(end) = head.iter().position(|&byte| byte == b'\n') else { return false };
    let (first, rest) = head.split_at(end);
    lines::is_control(first) && looks_sealed(rest)
}

/// Reads the object that the file is, or its first, and unwraps its content key. What follows the first object tells a file of
/// lines from one that is sealed whole.
pub(super) fn open(
    source: Arc<Source>,
    size: u64,
    head: &[u8],
    (hash, line_bytes_max): (OaepHash, usize),
    keyring: &Keyring,
) -> Result<Found, OpenError> {
    let headed = looks_like_lines(head);
    let from = if headed { head.iter().position(|&byte| byte == b'\n').unwrap_or(0) as u64 } else { 0 };
    let (fields, end) = lines::read_object(&source, from, size, hash)?;
    let rest = rest_of(&source, end, size)?;
    if rest == Rest::Other {
        let what = "something follows the sealed object on its line; expected one object, or one a line";
        return Err(malformed(what).into());
    }
    let unwrapped = unwrap::content_key(&fields.encrypted_key, &fields.fingerprints, hash, keyring)?;
    let (key_id, named) = (unwrapped.key_id, unwrapped.named);
    if headed || rest == Rest::MoreLines {
        let lines = Lines { source, size, hash, line_bytes_max, keyring: keyring.clone() };
        return Ok(Found::Lines { lines: Arc::new(lines), key_id, named });
    }
    let sealed = Arc::new(Sealed::new(source, &fields, unwrapped.cek, key_id.is_some()));
    Ok(Found::Whole(Opener { sealed, key_id, named }))
}

/// Whether a text is one object and nothing else.
pub(super) fn is_whole(source: &Source, size: u64) -> Result<bool, OpenError> {
    match scan::object(source, 0, size, &fields::is_long) {
        Ok(scan::Scanned::Object { end, .. }) => Ok(rest_of(source, end, size)? == Rest::Blank),
        Ok(scan::Scanned::Cut) | Err(OpenError::Refused(_)) => Ok(false),
        Err(broken) => Err(broken),
    }
}

/// What stands behind an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing but line ends.
    Blank,
    /// Other lines.
    MoreLines,
    /// Something on the same line, or a stretch of white space.
    Other,
}

fn rest_of(source: &Source, from: u64, size: u64) -> Result<Rest, OpenError> {
    const SEEN_BYTES: u64 = 64;
    let left = size - from;
    let mut rest = vec![0; usize::try_from(left.min(SEEN_BYTES)).unwrap_or_default()];
    source.read_exact_at(&mut rest, from)?;
    let seen = rest.trim_ascii();
    Ok(match rest.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r')) {
        _ if seen.is_empty() && left <= SEEN_BYTES => Rest::Blank,
        Some(b'\n') if !seen.is_empty() => Rest::MoreLines,
        _ => Rest::Other,
    })
}
