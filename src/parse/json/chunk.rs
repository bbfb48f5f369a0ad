//! A run of records, cut out of the text, whose values are found when a worker asks for them.

use zeroize::Zeroizing;

use crate::model::{InRequest, Request};
use crate::parse::{ParseError, Visit};

use super::object::{self, Value};

/// Where a record lies in its chunk; it begins where the one before it ends.
#[derive(Clone, Copy, Debug)]
pub(in crate::parse) struct Span {
    /// The line of the text on which its request starts.
    pub(in crate::parse) line: u64,
    pub(in crate::parse) end: usize,
    pub(in crate::parse) place: InRequest,
}

/// Consecutive records of a file, at least one. Wiped when dropped.
pub struct JsonChunk {
    pub(in crate::parse) index: u64,
    pub(in crate::parse) first_ordinal: u64,
    pub(in crate::parse) bytes: Zeroizing<Vec<u8>>,
    pub(in crate::parse) spans: Vec<Span>,
    pub(in crate::parse) request: &'static Request,
    pub(in crate::parse) columns: usize,
}

impl JsonChunk {
    pub(in crate::parse) fn for_each(&self, visit: &mut Visit<'_>) -> Result<(), ParseError> {
        let mut values: Vec<Value<'_>> = Vec::new();
        let longest =
            self.spans.iter().fold((0, 0), |(from, longest), span| (span.end, longest.max(span.end - from))).1;
        // All there can be of one record, so that no copy is left behind by growing.
        let mut scratch = Zeroizing::new(Vec::with_capacity(longest));
        let mut from = 0;
        for (ordinal, span) in (self.first_ordinal..).zip(&self.spans) {
            let record = &self.bytes[from..span.end];
            from = span.end;
            object::read(record, self.request, &mut values, &mut scratch)
                .map_err(|_| ParseError::Record { line: span.line })?;
            let mut cells: Vec<&[u8]> = vec![b""; self.columns];
            for ((_, column), value) in self.request.keys.iter().zip(&values) {
                if let Some(cell) = cells.get_mut(*column) {
                    *cell = match value {
                        Value::Absent => b"",
                        Value::Plain(text) => text,
                        Value::Unescaped(range) => &scratch[range.clone()],
                    };
                }
            }
            visit(ordinal, span.line, &cells, Some(span.place));
        }
        Ok(())
    }
}
