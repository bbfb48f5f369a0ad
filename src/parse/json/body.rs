//! A request that is an object around its records: keys that speak for all of them, and an array that may be sealed by itself.
//!
//! ```text
//! {"key": "value", "outer": {"inner": "value"}, "object": {"array": [record, record ...]}}
//! {"key": "value", ..., "sealed": "<compact JWE of the object, or of an object with it>"}
//! ```

use std::ops::Range;
use std::sync::Arc;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::model::{Body, Request, Unseal};

use super::keys::KeyWatch;
use super::object::{self, Fault, Shape, VALUE_BYTES_KEPT, Value, members, value};

/// A fault, and the line within the request on which it was noticed, counted from 0.
type Noticed = (Fault, u64);

/// A cell that all records of a request share: the column, and the value.
type Cell = (usize, Zeroizing<Vec<u8>>);

/// All of them.
pub(super) type Head = Arc<[Cell]>;

/// A request taken apart.
pub(super) struct Parts<'t> {
    pub(super) head: Head,
    records: Records<'t>,
}

enum Records<'t> {
    Absent,
    Clear(&'t [u8]),
    /// What was opened, and where in it the array lies.
    Opened(Zeroizing<Vec<u8>>, Range<usize>),
}

impl Parts<'_> {
    /// The array of records as it stands; `None` where there is none.
    pub(super) fn array(&self) -> Option<&[u8]> {
        match &self.records {
            Records::Absent => None,
            Records::Clear(array) => Some(array),
            Records::Opened(text, array) => text.get(array.clone()),
        }
    }
}

/// Reads a whole request and tells its shape.
pub(super) fn check(text: &[u8], request: &Request, body: &Body, unseal: Option<&Unseal>) -> Result<Shape, Noticed> {
    let parts = take_apart(text, body, unseal)?;
    let Some(array) = parts.array() else { return Ok(Shape { records: 0, is_array: false }) };
    // What was opened lies nowhere in the text.
    let before = if matches!(parts.records, Records::Clear(_)) { lines_before(text, array) } else { 0 };
    let shape = object::shape(array, request).map_err(|(fault, line)| (fault, before + line))?;
    if !shape.is_array {
        return Err((Fault::NotArray(body.records.1), before));
    }
    Ok(Shape { is_array: shape.records > 0, ..shape })
}

/// Takes a request apart. Records are not looked at.
pub(super) fn take_apart<'t>(text: &'t [u8], body: &Body, unseal: Option<&Unseal>) -> Result<Parts<'t>, Noticed> {
    let outer = |key: &'static str| key.split_once('.').map_or(key, |(outer, _)| outer);
    let mut names: Vec<&'static str> = body.keys.iter().map(|(key, _)| outer(key)).collect();
    names.dedup();
    names.extend([body.records.0, body.sealed]);
    let top = members(text, &names)?;
    let found = |name: &str| names.iter().position(|known| *known == name).and_then(|at| top[at]);

    let mut head = Vec::new();
    for name in names.iter().copied().filter(|name| *name != body.records.0 && *name != body.sealed) {
        let Some(raw) = found(name) else { continue };
        let line = lines_before(text, raw.get().as_bytes());
        let inner: Vec<(&'static str, usize)> = body
            .keys
            .iter()
            .filter_map(|(key, column)| Some((key.split_once('.').filter(|(outer, _)| *outer == name)?.1, *column)))
            .collect();
        if inner.is_empty() {
            let column = body.keys.iter().find(|(key, _)| *key == name).map(|(_, column)| *column);
            head.extend(
                column.map(|column| kept(name, column, raw)).transpose().map_err(|fault| (fault, line))?.flatten(),
            );
            continue;
        }
        let keys: Vec<&'static str> = inner.iter().map(|(key, _)| *key).collect();
        let values = object_at(name, raw, &keys).map_err(|(fault, within)| (fault, line + within))?;
        for ((key, column), raw) in inner.iter().zip(values) {
            let cell = raw.map(|raw| kept(key, *column, raw)).transpose().map_err(|fault| (fault, line))?;
            head.extend(cell.flatten());
        }
    }
    let records = records(text, body, found(body.records.0), found(body.sealed), unseal)?;
    Ok(Parts { head: head.into(), records })
}

/// Where the records are: in clear, sealed in the place of their object, or sealed within it.
fn records<'t>(
    text: &[u8],
    body: &Body,
    clear: Option<&'t RawValue>,
    sealed: Option<&'t RawValue>,
    unseal: Option<&Unseal>,
) -> Result<Records<'t>, Noticed> {
    let (object, array) = body.records;
    let line = |raw: &RawValue| lines_before(text, raw.get().as_bytes());
    let (clear, sealed) = match (clear, sealed) {
        (Some(clear), None) => {
            let inner = object_at(object, clear, &[array, body.sealed]).map_err(|(it, at)| (it, line(clear) + at))?;
            (inner[0], inner[1])
        }
        (Some(clear), Some(_)) => return Err((Fault::TwoForms(object), line(clear))),
        (None, sealed) => (None, sealed),
    };
    match (clear, sealed) {
        (Some(clear), Some(_)) => Err((Fault::TwoForms(object), line(clear))),
        (Some(clear), None) => Ok(Records::Clear(clear.get().as_bytes())),
        (None, Some(sealed)) => open(body, sealed, unseal).map_err(|fault| (fault, line(sealed))),
        (None, None) => Ok(Records::Absent),
    }
}

/// Opens the sealed part and finds the array in it.
fn open<'t>(body: &Body, sealed: &RawValue, unseal: Option<&Unseal>) -> Result<Records<'t>, Fault> {
    let mut scratch = Zeroizing::new(Vec::with_capacity(sealed.get().len()));
    let token = match value(sealed, &mut scratch).map_err(|fault| fault.unwrap_or(Fault::Type(Some(body.sealed))))? {
        Value::Absent => return Ok(Records::Absent),
        Value::Plain(token) => token,
        Value::Unescaped(range) => &scratch[range],
    };
    let text = unseal.and_then(|unseal| unseal(token)).ok_or(Fault::Sealed)?;
    // The text around it is watched for such keys; this is a text of its own.
    let mut watch = KeyWatch::default();
    watch.push(&text);
    if watch.found().is_some() {
        return Err(Fault::Sensitive);
    }
    let (object, array) = body.records;
    let find = || -> Result<Option<Range<usize>>, Fault> {
        let top = members(&text, &[object, array]).map_err(|(fault, _)| fault)?;
        let found = match (top[0], top[1]) {
            (Some(inner), None) => object_at(object, inner, &[array]).map_err(|(fault, _)| fault)?[0],
            (Some(_), Some(_)) => return Err(Fault::TwoForms(object)),
            (None, found) => found,
        };
        Ok(found.map(|raw| {
            let from = raw.get().as_ptr().addr() - text.as_ptr().addr();
            from..from + raw.get().len()
        }))
    };
    let found = find()?;
    Ok(found.map_or(Records::Absent, |array| Records::Opened(text, array)))
}

fn object_at<'t>(
    name: &'static str,
    raw: &'t RawValue,
    keys: &[&'static str],
) -> Result<Vec<Option<&'t RawValue>>, Noticed> {
    match members(raw.get().as_bytes(), keys) {
        Err((Fault::Type(None), line)) => Err((Fault::NotObject(name), line)),
        other => other,
    }
}

fn kept(name: &'static str, column: usize, raw: &RawValue) -> Result<Option<Cell>, Fault> {
    let mut scratch = Zeroizing::new(Vec::with_capacity(raw.get().len()));
    let text = match value(raw, &mut scratch).map_err(|fault| fault.unwrap_or(Fault::Type(Some(name))))? {
        Value::Absent => return Ok(None),
        Value::Plain(text) => text,
        Value::Unescaped(range) => &scratch[range],
    };
    let text = std::str::from_utf8(text).unwrap_or_default();
    let text = &text[..text.floor_char_boundary(VALUE_BYTES_KEPT)];
    Ok(Some((column, Zeroizing::new(text.as_bytes().to_vec()))))
}

/// Lines of the text before a part of it.
fn lines_before(text: &[u8], part: &[u8]) -> u64 {
    let at = part.as_ptr().addr().saturating_sub(text.as_ptr().addr()).min(text.len());
    u64::try_from(memchr::memchr_iter(b'\n', &text[..at]).count()).unwrap_or(0)
}
