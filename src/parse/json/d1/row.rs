//! One row of a batch: a consumer and cards.

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::model::Refusal;

use super::super::body::Head;
use super::super::object::{self, VALUE_BYTES_KEPT, Value};
use super::names;

/// How deep values may lie in one another.
const DEPTH_MAX: u32 = 64;

/// A row taken apart. Its cards are not looked at.
pub(super) struct Row<'t> {
    pub(super) id: u64,
    pub(super) head: Head,
    /// The array as it stands.
    pub(super) cards: Option<&'t [u8]>,
}

/// Takes a row apart.
pub(super) fn take_apart(text: &[u8]) -> Result<Row<'_>, Refusal> {
    if is_deep(text) {
        return Err(names::DEEP.refusal());
    }
    let row = members(text, &names::ROW)?;
    let id = row[0].ok_or_else(|| names::ROW_ABSENT.refusal())?.get();
    let is_number = (1..=18).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    let id = if is_number { id.parse().ok() } else { None }.ok_or_else(|| names::ROW_ID.refusal())?;
    let Some(asked) = row[1] else { return Ok(Row { id, head: Head::from([]), cards: None }) };
    let asked = members(asked.get().as_bytes(), &names::ASKED)?;
    if asked[1].is_some_and(|information| !information.get().starts_with(['{', 'n'])) {
        return Err(names::TYPE.refusal());
    }
    let head = asked[0].map(consumer).transpose()?;
    Ok(Row { id, head: head.into_iter().collect(), cards: asked[2].map(|cards| cards.get().as_bytes()) })
}

/// How many records a row is, once its cards were looked at.
pub(super) fn count(row: &Row<'_>) -> Result<u64, Refusal> {
    let Some(cards) = row.cards else { return Ok(1) };
    let shape = object::shape(cards, &names::CARD).map_err(|(fault, _)| names::noticed(fault))?;
    if !shape.is_array {
        return Err(names::TYPE.refusal());
    }
    Ok(shape.records.max(1))
}

fn members<'t>(text: &'t [u8], keys: &[&'static str]) -> Result<Vec<Option<&'t RawValue>>, Refusal> {
    object::members(text, keys).map_err(|(fault, _)| names::noticed(fault))
}

fn consumer(raw: &RawValue) -> Result<(usize, Zeroizing<Vec<u8>>), Refusal> {
    let mut scratch = Zeroizing::new(Vec::with_capacity(raw.get().len()));
    let wrong = |fault: Option<object::Fault>| fault.map_or_else(|| names::TYPE.refusal(), names::noticed);
    let text = match object::value(raw, &mut scratch).map_err(wrong)? {
        Value::Absent => &[][..],
        Value::Plain(text) => text,
        Value::Unescaped(range) => &scratch[range],
    };
    let text = std::str::from_utf8(text).unwrap_or_default();
    let kept = &text[..text.floor_char_boundary(VALUE_BYTES_KEPT)];
    Ok((names::CONSUMER, Zeroizing::new(kept.as_bytes().to_vec())))
}

/// The library takes values of any depth where it only passes over them.
fn is_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
    for byte in text {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return true;
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}
