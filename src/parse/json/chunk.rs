//! A run of records, cut out of the text, whose values are found when a worker asks for them.

use zeroize::Zeroizing;

use crate::model::{InRequest, Request};
use crate::parse::{ParseError, Visit};

use super::body::Head;
use super::object::{self, Value};

/// A request that records of a chunk come from.
#[derive(Clone)]
pub(in crate::parse) struct Origin {
    /// The line of the text on which it starts.
    pub(in crate::parse) line: u64,
    /// Its number in the file; the first is 1.
    pub(in crate::parse) request: u64,
    pub(in crate::parse) records: u64,
    pub(in crate::parse) is_array: bool,
    /// What all its records share.
    pub(in crate::parse) head: Option<Head>,
    /// The id that its records' references are made from, where they have none of their own.
    pub(in crate::parse) row: Option<u64>,
}

/// Where a record lies in its chunk; it begins where the one before it ends. Small: a request may be of millions.
#[derive(Clone, Copy, Debug)]
pub(in crate::parse) struct Span {
    pub(in crate::parse) end: u32,
    /// Its number in its request. With 1 the chunk's next request begins.
    pub(in crate::parse) n: u32,
}

/// Consecutive records of a file, at least one. Wiped when dropped.
pub struct JsonChunk {
    pub(in crate::parse) index: u64,
    pub(in crate::parse) first_ordinal: u64,
    pub(in crate::parse) bytes: Zeroizing<Vec<u8>>,
    pub(in crate::parse) spans: Vec<Span>,
    /// In the order of their records; the first may have begun in an earlier chunk.
    pub(in crate::parse) origins: Vec<Origin>,
    pub(in crate::parse) request: &'static Request,
    pub(in crate::parse) columns: usize,
}

impl JsonChunk {
    pub(in crate::parse) fn for_each(&self, visit: &mut Visit<'_>) -> Result<(), ParseError> {
        let mut values: Vec<Value<'_>> = Vec::new();
        let mut from = 0;
        let mut longest = 0;
        for span in &self.spans {
            let end = usize::try_from(span.end).unwrap_or(usize::MAX);
            longest = longest.max(end.saturating_sub(std::mem::replace(&mut from, end)));
        }
        // All there can be of one record, so that no copy is left behind by growing.
        let mut scratch = Zeroizing::new(Vec::with_capacity(longest));
        let mut from = 0;
        let mut origins = self.origins.iter();
        let mut current = None;
        for (ordinal, span) in (self.first_ordinal..).zip(&self.spans) {
            if span.n == 1 || current.is_none() {
                current = origins.next();
            }
            let lost = ParseError::Records { expected: ordinal + 1, found: ordinal };
            let Some(&Origin { line, request, records, is_array, ref head, row }) = current else { return Err(lost) };
            let end = usize::try_from(span.end).unwrap_or(usize::MAX);
            let record = self.bytes.get(from..end).ok_or(ParseError::Record { line })?;
            from = end;
            object::read(record, self.request, &mut values, &mut scratch).map_err(|_| ParseError::Record { line })?;
            let mut cells: Vec<&[u8]> = vec![b""; self.columns];
            for (column, value) in head.iter().flat_map(|head| head.iter()) {
                if let Some(cell) = cells.get_mut(*column) {
                    *cell = value;
                }
            }
            for ((_, column), value) in self.request.keys.iter().zip(&values) {
                if let Some(cell) = cells.get_mut(*column) {
                    *cell = match value {
                        Value::Absent => b"",
                        Value::Plain(text) => text,
                        Value::Unescaped(range) => &scratch[range.clone()],
                    };
                }
            }
            let reference = row.map(|row| format!("{row}.{}", span.n));
            if let (Some(reference), Some(cell)) = (&reference, cells.first_mut()) {
                *cell = reference.as_bytes();
            }
            let place = InRequest { request, n: u64::from(span.n), records, is_array, is_row: false };
            visit(ordinal, line, &cells, Some(place));
        }
        Ok(())
    }
}
