//! A run of whole records, cut out of the text, whose cells are found when a worker asks for them.

use std::sync::Arc;

use memchr::{memchr, memchr_iter};
use zeroize::Zeroizing;

use crate::model::InRequest;
use crate::parse::{ParseError, Visit};

use super::columns::Layout;
use super::fields::Fields;
use super::lines::trim_end;

/// Where a record lies in its chunk; it begins where the one before it ends.
#[derive(Clone, Copy, Debug)]
pub(in crate::parse) struct Span {
    /// The line of the text on which it starts.
    pub(super) line: u64,
    /// Past its line end.
    pub(super) end: usize,
}

/// Consecutive records of a file, at least one, as they stand in the text. Wiped when dropped.
pub struct CsvChunk {
    pub(in crate::parse) index: u64,
    pub(in crate::parse) first_ordinal: u64,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(in crate::parse) spans: Vec<Span>,
    /// Where each record stands in its request; nothing where each stands for itself.
    pub(super) places: Vec<InRequest>,
    pub(super) layout: Arc<Layout>,
}

impl CsvChunk {
    /// Shows each record's ordinal, line and cells in turn. Cells stand in the service's column order; one whose column
    /// the file lacks is empty. Allocates a few times a chunk, never for a record. Fails only if the file is not what pass
    /// 1 proved.
    pub(in crate::parse) fn for_each(&self, visit: &mut Visit<'_>) -> Result<(), ParseError> {
        let unescaped = self.unescape();
        let mut unescaped = unescaped.iter();
        let mut cells: Vec<&[u8]> = vec![b""; self.layout.columns];
        let mut places = self.places.iter().copied();
        for (ordinal, (line, record)) in (self.first_ordinal..).zip(self.records()) {
            let mut order = self.layout.order.iter();
            let mut put = |cell| order.next().and_then(|&at| cells.get_mut(at)).map(|place| *place = cell);
            let read = if self.is_quoted(record) {
                Fields::new(record, self.layout.delimiter).all(|field| {
                    let cell =
                        field.ok().and_then(|field| if field.escaped { unescaped.next() } else { Some(field.raw) });
                    cell.and_then(&mut put).is_some()
                })
            } else {
                let mut from = 0;
                memchr_iter(self.layout.delimiter, record).chain([record.len()]).all(|end| {
                    let cell = &record[from..end];
                    from = end + 1;
                    put(cell).is_some()
                })
            };
            if !read || order.next().is_some() {
                return Err(ParseError::Record { line });
            }
            visit(ordinal, line, &cells, places.next());
        }
        Ok(())
    }

    /// Line and bytes of each record.
    fn records(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut from = 0;
        self.spans.iter().map(move |span| {
            let record = trim_end(&self.bytes[from..span.end]);
            from = span.end;
            (span.line, record)
        })
    }

    fn is_quoted(&self, record: &[u8]) -> bool {
        self.layout.quotes && memchr(b'"', record).is_some()
    }

    /// The values of all cells in which quotes stand doubled, in the order of the text.
    fn unescape(&self) -> Unescaped {
        let mut unescaped = Unescaped { bytes: Zeroizing::new(Vec::new()), ends: Vec::new() };
        if !self.layout.quotes {
            return unescaped;
        }
        for (_, record) in self.records().filter(|(_, record)| self.is_quoted(record)) {
            for field in Fields::new(record, self.layout.delimiter).flatten().filter(|field| field.escaped) {
                if unescaped.ends.is_empty() {
                    // All there can be, so that no copy is left behind by growing.
                    unescaped.bytes.reserve_exact(self.bytes.len());
                }
                field.append_to(&mut unescaped.bytes);
                unescaped.ends.push(unescaped.bytes.len());
            }
        }
        unescaped
    }
}

struct Unescaped {
    bytes: Zeroizing<Vec<u8>>,
    ends: Vec<usize>,
}

impl Unescaped {
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        self.ends.iter().map(move |&end| &self.bytes[std::mem::replace(&mut from, end)..end])
    }
}
