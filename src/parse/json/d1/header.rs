//! The header, which must agree with its feed and with the name that the file came under.

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::model::{D1_OPERATION, Header, Refusal, Timestamp};

use super::super::object::{self, Value};
use super::{Batch, names};

/// Why a header is refused, and the header where its two ids are those of the name: they can be told then, as the name is.
pub(super) type Wrong = Box<(Refusal, Option<Header>)>;

/// Reads it.
pub(super) fn read(text: &[u8], batch: &Batch) -> Result<Header, Wrong> {
    let fault = |fault: names::Fault| Box::new((fault.refusal(), None));
    let found = object::members(text, &names::HEADER).map_err(|(fault, _)| Box::new((names::noticed(fault), None)))?;
    let mut texts = Vec::new();
    for raw in found {
        texts.push(text_of(raw.ok_or_else(|| fault(names::FIELD_ABSENT))?).ok_or_else(|| fault(names::TYPE))?);
    }
    let [batch_id, sequence, issuer_id, operation] =
        <[String; 4]>::try_from(texts).map_err(|_| fault(names::FIELD_ABSENT))?;
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !(1..=48).contains(&batch_id.len()) || !batch_id.bytes().all(is_id) {
        return Err(fault(names::BATCH_ID));
    }
    if !(1..=48).contains(&sequence.len()) || !sequence.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fault(names::SEQUENCE));
    }
    let header = created(&batch.name, &batch.issuer_id, &batch_id, &sequence).map(|created| Header {
        batch_id,
        sequence_text: sequence,
        created_text: created.to_string(),
        created,
    });
    if issuer_id != batch.issuer_id {
        return Err(Box::new((names::ISSUER.refusal(), header)));
    }
    if operation != D1_OPERATION {
        return Err(Box::new((names::ANOTHER_OPERATION.refusal(), header)));
    }
    header.ok_or_else(|| fault(names::NAME))
}

/// A string of at most as many bytes as any rule lets pass.
fn text_of(raw: &RawValue) -> Option<String> {
    let mut scratch = Zeroizing::new(Vec::with_capacity(raw.get().len()));
    let text = match object::value(raw, &mut scratch).ok()? {
        Value::Absent => return None,
        Value::Plain(text) => text.to_vec(),
        Value::Unescaped(range) => scratch.get(range)?.to_vec(),
    };
    String::from_utf8(text).ok()
}

/// The time in a name `[IssuerId-]BatchId-SeqNumber-UnixTime.json` that has these parts. A batch id may hold dashes, so that
/// the name is read from its end.
fn created(name: &str, issuer_id: &str, batch_id: &str, sequence: &str) -> Option<Timestamp> {
    let opened = [".jwe", ".pgp", ".gpg", ".asc"].iter().find_map(|sealed| name.strip_suffix(sealed)).unwrap_or(name);
    let mut parts = opened.strip_suffix(".json")?.rsplitn(3, '-');
    let (time, named_sequence, named) = (parts.next()?, parts.next()?, parts.next()?);
    let is_batch = named == batch_id
        || named.strip_prefix(issuer_id).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| rest == batch_id);
    let is_time = (1..=13).contains(&time.len()) && time.bytes().all(|byte| byte.is_ascii_digit());
    if !is_batch || !is_time || named_sequence != sequence {
        return None;
    }
    // Seconds, or milliseconds where there are more digits than seconds will have for long.
    let time: i64 = time.parse().ok()?;
    Some(Timestamp(if time < 100_000_000_000 { time * 1000 } else { time }))
}
