//! A request and its records, read by the keys that the service knows: strings alone, each key once, nothing within.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;

use memchr::memchr;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::model::{Code, Refusal, Request};
use crate::parse::sensitive::names_sensitive_data;

use super::escapes::unescape;

/// What is wrong with a request. Says no value and no key that is not the service's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not JSON.
    Malformed,
    /// It stops before its end.
    Cut,
    /// The value of this key has the wrong type; without one, a record has.
    Type(Option<&'static str>),
    /// This key stands twice in a record.
    Repeated(&'static str),
    /// A key that the service does not know.
    Unknown,
    /// A key that names sensitive authentication data.
    Sensitive,
    /// An array of records where the service takes one record.
    Array,
    /// The value of this key is no object.
    NotObject(&'static str),
    /// The value of this key is no array of records.
    NotArray(&'static str),
    /// This object stands both in clear and sealed.
    TwoForms(&'static str),
    /// A part that is sealed by itself does not open.
    Sealed,
}

impl Fault {
    pub(super) fn refusal(self, request: &Request) -> Refusal {
        let keys = || {
            let around = request.body.iter().flat_map(|body| {
                let parts = [body.records.0, body.records.1, body.sealed];
                body.keys.iter().map(|(key, _)| *key).chain(parts)
            });
            around.chain(request.keys.iter().map(|(key, _)| *key)).collect::<Vec<_>>().join(", ")
        };
        let (code, description) = match self {
            Self::Malformed => (Code::FormatInvalid, "The request is not JSON.".to_owned()),
            Self::Cut => (Code::FormatInvalid, "The request ends before its end; expected is a whole one.".to_owned()),
            Self::Type(Some(key)) => {
                (Code::FormatInvalid, format!("The value of {key} is not a string; expected are strings alone."))
            }
            Self::Type(None) => {
                (Code::FormatInvalid, "A record of the request is no object; expected is an object.".to_owned())
            }
            Self::Repeated(key) => {
                (Code::FormatInvalid, format!("The key {key} stands twice in a record; expected is each at most once."))
            }
            Self::Unknown => (Code::ColumnUnknown, format!("A key of a record is not known; expected are {}.", keys())),
            Self::Sensitive => return sensitive(),
            Self::Array => (Code::FormatInvalid, "The request is an array; expected is one object.".to_owned()),
            Self::NotObject(key) => {
                (Code::FormatInvalid, format!("The value of {key} is no object; expected is an object."))
            }
            Self::NotArray(key) => {
                (Code::FormatInvalid, format!("The value of {key} is no array; expected is an array of records."))
            }
            Self::TwoForms(key) => {
                (Code::FormatInvalid, format!("The request has {key} both in clear and sealed; expected is one of both."))
            }
            Self::Sealed => (
                Code::CryptoError,
                "A part of the request that is sealed by itself does not open; expected is one sealed for a key of this feed."
                    .to_owned(),
            ),
        };
        Refusal::new(code, description)
    }
}

/// The refusal of a text in which a key names what must not be sent.
pub(in crate::parse) fn sensitive() -> Refusal {
    let description = "A key is named as sensitive authentication data (a verification code, a PIN or track data), which \
                       must not be sent.";
    let mut refusal = Refusal::new(Code::SadPresent, description);
    refusal.sensitive = true;
    refusal
}

/// What a whole request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Records in it; an empty array has none.
    pub(super) records: u64,
    /// An array, and not one record.
    pub(super) is_array: bool,
}

/// Reads a whole request and tells its shape. A fault comes with the line within the request on which it was noticed,
/// counted from 0.
pub(super) fn check(text: &[u8], request: &Request) -> Result<Shape, (Fault, u64)> {
    match shape(text, request)? {
        shape if shape.is_array && !request.arrays => Err((Fault::Array, 0)),
        shape => Ok(shape),
    }
}

/// The same of a record or an array of them, wherever it stands.
pub(super) fn shape(text: &[u8], request: &Request) -> Result<Shape, (Fault, u64)> {
    let noticed = Cell::new(None);
    let mut values = Vec::new();
    let mut scratch = Zeroizing::new(Vec::with_capacity(text.len()));
    let visitor = RequestVisitor(RecordSeed { request, noticed: &noticed, values: &mut values, scratch: &mut scratch });
    let mut from = serde_json::Deserializer::from_slice(text);
    let read = from.deserialize_any(visitor).and_then(|shape| from.end().map(|()| shape));
    read.map_err(|error| (fault(&error, &noticed), line_of(&error)))
}

fn line_of(error: &serde_json::Error) -> u64 {
    u64::try_from(error.line().saturating_sub(1)).unwrap_or(0)
}

/// The members of an object as they stand, in the order of `names`; `None` for one that is absent or null. No other may be there.
pub(super) fn members<'t>(text: &'t [u8], names: &[&'static str]) -> Result<Vec<Option<&'t RawValue>>, (Fault, u64)> {
    let noticed = Cell::new(None);
    let mut from = serde_json::Deserializer::from_slice(text);
    let read = from.deserialize_map(MembersVisitor { names, noticed: &noticed });
    let read = read.and_then(|found| from.end().map(|()| found));
    read.map_err(|error| (fault(&error, &noticed), line_of(&error)))
}

struct MembersVisitor<'a> {
    names: &'a [&'static str],
    noticed: &'a Cell<Option<Fault>>,
}

impl<'de> Visitor<'de> for MembersVisitor<'_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = vec![None; self.names.len()];
        let mut given = vec![false; self.names.len()];
        while let Some(at) = map.next_key_seed(KeySeed { known: self.names, noticed: self.noticed })? {
            if std::mem::replace(&mut given[at], true) {
                self.noticed.set(Some(Fault::Repeated(self.names[at])));
                return Err(A::Error::custom(""));
            }
            let raw: &'de RawValue = map.next_value()?;
            found[at] = Some(raw).filter(|raw| raw.get() != "null");
        }
        Ok(found)
    }
}

fn fault(error: &serde_json::Error, noticed: &Cell<Option<Fault>>) -> Fault {
    use serde_json::error::Category;
    match (noticed.get(), error.classify()) {
        (Some(fault @ (Fault::Unknown | Fault::Sensitive | Fault::Repeated(_))), _) => fault,
        (_, Category::Eof) => Fault::Cut,
        (Some(fault), Category::Data) => fault,
        (None, Category::Data) => Fault::Type(None),
        (_, Category::Syntax | Category::Io) => Fault::Malformed,
    }
}

/// A record's value, where it lies.
pub(super) enum Value<'de> {
    Absent,
    /// In the text, as it stands.
    Plain(&'de [u8]),
    /// In the scratch, without its escapes.
    Unescaped(Range<usize>),
}

/// Reads one record: a value for each of the service's keys, in the order of its columns. `scratch` must have room for
/// all that may be unescaped, so that it never grows and leaves a copy behind.
pub(super) fn read<'de>(
    text: &'de [u8],
    request: &Request,
    values: &mut Vec<Value<'de>>,
    scratch: &mut Zeroizing<Vec<u8>>,
) -> Result<(), Fault> {
    let noticed = Cell::new(None);
    let mut from = serde_json::Deserializer::from_slice(text);
    let seed = RecordSeed { request, noticed: &noticed, values, scratch };
    let read = seed.deserialize(&mut from).and_then(|()| from.end());
    read.map_err(|error| fault(&error, &noticed))
}

/// The most of a value that is kept of an oversized record. No rule of any service lets one so long pass.
pub(super) const VALUE_BYTES_KEPT: usize = 16 << 10;

/// A record with the same keys whose values are cut to [`VALUE_BYTES_KEPT`].
pub(super) fn shortened(text: &[u8], request: &Request) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mut values = Vec::new();
    let mut scratch = Zeroizing::new(Vec::with_capacity(text.len()));
    read(text, request, &mut values, &mut scratch)?;
    let kept = request.keys.iter().zip(&values).filter_map(|((key, _), value)| {
        let value = match value {
            Value::Absent => return None,
            Value::Plain(text) => text,
            Value::Unescaped(range) => &scratch[range.clone()],
        };
        let value = std::str::from_utf8(value).unwrap_or_default();
        Some((*key, &value[..value.floor_char_boundary(VALUE_BYTES_KEPT)]))
    });
    // A byte becomes six at most: the buffer never grows, which would leave a copy behind.
    let most = kept.clone().map(|(key, value)| key.len() + 6 * value.len() + 6).sum::<usize>() + 2;
    let mut written = Zeroizing::new(Vec::with_capacity(most));
    let mut into = serde_json::Serializer::new(&mut *written);
    serde::Serializer::collect_map(&mut into, kept).map_err(|_| Fault::Malformed)?;
    Ok(written)
}

struct RecordSeed<'a, 'de> {
    request: &'a Request,
    noticed: &'a Cell<Option<Fault>>,
    values: &'a mut Vec<Value<'de>>,
    scratch: &'a mut Zeroizing<Vec<u8>>,
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.noticed.set(None);
        from.deserialize_map(RecordVisitor(self))
    }
}

struct RecordVisitor<'a, 'de>(RecordSeed<'a, 'de>);

impl<'de> Visitor<'de> for RecordVisitor<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let RecordSeed { request, noticed, values, scratch } = self.0;
        values.clear();
        scratch.clear();
        values.extend(request.keys.iter().map(|_| Value::Absent));
        let mut given = [false; KEYS_MAX];
        while let Some(at) = map.next_key_seed(KeySeed { known: request.keys, noticed })? {
            let key = request.keys[at].0;
            if std::mem::replace(&mut given[at], true) {
                noticed.set(Some(Fault::Repeated(key)));
                return Err(A::Error::custom(""));
            }
            noticed.set(Some(Fault::Type(Some(key))));
            values[at] = value(map.next_value()?, scratch).map_err(|fault| {
                noticed.set(fault.or(noticed.get()));
                A::Error::custom("")
            })?;
            noticed.set(None);
        }
        Ok(())
    }
}

/// Keys of a record, at most.
const KEYS_MAX: usize = 64;

struct KeySeed<'a, K> {
    known: &'a [K],
    noticed: &'a Cell<Option<Fault>>,
}

/// A key, with or without its column.
trait Named {
    fn name(&self) -> &'static str;
}

impl Named for &'static str {
    fn name(&self) -> &'static str {
        self
    }
}

impl Named for (&'static str, usize) {
    fn name(&self) -> &'static str {
        self.0
    }
}

impl<'de, K: Named> DeserializeSeed<'de> for KeySeed<'_, K> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<usize, D::Error> {
        from.deserialize_str(self)
    }
}

impl<K: Named> Visitor<'_> for KeySeed<'_, K> {
    type Value = usize;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<usize, E> {
        let known = self.known.iter().take(KEYS_MAX).position(|known| known.name() == key);
        known.ok_or_else(|| {
            let sensitive = names_sensitive_data(key.as_bytes());
            self.noticed.set(Some(if sensitive { Fault::Sensitive } else { Fault::Unknown }));
            E::custom("")
        })
    }
}

/// A string, or nothing. The fault is `None` where the value has the wrong type.
pub(super) fn value<'de>(raw: &'de RawValue, scratch: &mut Zeroizing<Vec<u8>>) -> Result<Value<'de>, Option<Fault>> {
    let raw = raw.get();
    if raw == "null" {
        return Ok(Value::Absent);
    }
    let Some(text) = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) else { return Err(None) };
    if memchr(b'\\', text.as_bytes()).is_none() {
        return Ok(Value::Plain(text.as_bytes()));
    }
    let from = scratch.len();
    unescape(text.as_bytes(), scratch).ok_or(Some(Fault::Malformed))?;
    Ok(Value::Unescaped(from..scratch.len()))
}

struct RequestVisitor<'a, 'de>(RecordSeed<'a, 'de>);

impl<'de> Visitor<'de> for RequestVisitor<'_, 'de> {
    type Value = Shape;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a request")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Shape, A::Error> {
        RecordVisitor(self.0).visit_map(map)?;
        Ok(Shape { records: 1, is_array: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let RecordSeed { request, noticed, values, scratch } = self.0;
        let mut records = 0;
        while seq.next_element_seed(RecordSeed { request, noticed, values, scratch })?.is_some() {
            records += 1;
        }
        Ok(Shape { records, is_array: true })
    }
}
