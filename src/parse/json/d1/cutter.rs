//! Pass 2 of a batch: its cards, cut into chunks.

use crate::parse::encoding::MARK;
use crate::parse::{ParseError, RawChunk};

use super::super::chunk::Origin;
use super::super::cutter::Chunks;
use super::super::scan;
use super::Layout;
use super::row;
use super::text::{Part, Text, Torn};

/// Takes the bytes that pass 1 has proven.
pub(in crate::parse) struct Cutter {
    text: Text,
    mark: usize,
    chunks: Chunks,
}

impl Cutter {
    pub(in crate::parse) fn new(layout: &Layout, chunk_records: usize, first_index: u64) -> Self {
        Self {
            text: Text::new(layout.cards.request_bytes_max),
            mark: if layout.cards.marked { MARK.len() } else { 0 },
            chunks: Chunks::new(layout.cards, chunk_records, first_index, None),
        }
    }

    pub(in crate::parse) fn push(&mut self, bytes: &[u8], ready: &mut Vec<RawChunk>) -> Result<(), ParseError> {
        let mark = self.mark.min(bytes.len());
        self.mark -= mark;
        let chunks = &mut self.chunks;
        let each = &mut |part: Part<'_>, line: u64| {
            let Part::Row(text) = part else { return Ok(()) };
            let row = row::take_apart(text).map_err(|_| ParseError::Record { line })?;
            let cards = row.cards.unwrap_or(b"[]");
            let records = u64::try_from(scan::records(cards).count()).unwrap_or(u64::MAX);
            let origin = Origin {
                line,
                request: chunks.next_request(),
                records,
                is_array: records > 0,
                head: Some(row.head.clone()),
                row: Some(row.id),
            };
            chunks.records_of(cards, &origin, ready)
        };
        self.text.push(&bytes[mark..], each).map_err(|torn| match torn {
            Torn::Fault(_, line) => ParseError::Record { line },
            Torn::Each(error) => error,
        })
    }

    pub(in crate::parse) fn finish(self) -> Result<(), ParseError> {
        self.chunks.finish()
    }
}
