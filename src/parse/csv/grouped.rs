//! Pass 2 of a service whose rows are told to be requests: cuts a proven file row by row, and says of each where it stands in
//! its request.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::model::{InRequest, Runs};
use crate::parse::encoding::MARK;
use crate::parse::{ParseError, RawChunk};

use super::chunk::{CsvChunk, Span};
use super::columns::Layout;
use super::lines::{LineEnds, append};
use super::runs::{Looked, Tracker};

/// Takes the bytes that pass 1 has proven, piece by piece.
pub(in crate::parse) struct Grouped {
    layout: Arc<Layout>,
    chunk_records: u64,
    first_index: u64,
    /// Bytes of a byte order mark still to be passed over.
    mark: usize,
    /// Header and column line still to be passed over.
    heads: u8,
    ends: LineEnds,
    /// The row that goes on, as far as it came with earlier pieces.
    open: Zeroizing<Vec<u8>>,
    line: u64,
    /// Rows looked at.
    seen: u64,
    tracker: Tracker,
    /// The last row: the next one can decide where it stands.
    held: Option<Held>,
    /// Records given out.
    records: u64,
    bytes: Zeroizing<Vec<u8>>,
    spans: Vec<Span>,
    places: Vec<InRequest>,
}

struct Held {
    line: u64,
    bytes: Zeroizing<Vec<u8>>,
    looked: Looked,
}

impl Grouped {
    pub(in crate::parse) fn new(
        layout: Arc<Layout>,
        runs: &'static Runs,
        chunk_records: usize,
        first_index: u64,
    ) -> Self {
        Self {
            chunk_records: u64::try_from(chunk_records).unwrap_or(u64::MAX).max(1),
            first_index,
            mark: if layout.marked { MARK.len() } else { 0 },
            heads: layout.heads,
            ends: LineEnds::default(),
            open: Zeroizing::default(),
            line: 1,
            seen: 0,
            tracker: Tracker::new(runs),
            held: None,
            records: 0,
            bytes: Zeroizing::default(),
            spans: Vec::new(),
            places: Vec::new(),
            layout,
        }
    }

    pub(in crate::parse) fn push(&mut self, bytes: &[u8], ready: &mut Vec<RawChunk>) -> Result<(), ParseError> {
        let mut at = self.mark.min(bytes.len());
        self.mark -= at;
        // What follows the last record is a trailer, if anything, and pass 1 has read it.
        while self.seen < self.layout.records && at < bytes.len() {
            let taken = self.ends.next(&bytes[at..], self.layout.quotes);
            let part = &bytes[at..taken.map_or(bytes.len(), |taken| at + taken)];
            if self.open.len() + part.len() > self.layout.line_bytes_max {
                return Err(ParseError::Record { line: self.line });
            }
            at += part.len();
            append(&mut self.open, part);
            if taken.is_some() {
                self.row(ready);
            }
        }
        Ok(())
    }

    pub(in crate::parse) fn finish(mut self, ready: &mut Vec<RawChunk>) -> Result<(), ParseError> {
        // The last record need not end its line.
        if !self.open.is_empty() && self.seen < self.layout.records && !self.ends.is_quoted() {
            self.row(ready);
        }
        if self.records == self.layout.records {
            return Ok(());
        }
        Err(ParseError::Records { expected: self.layout.records, found: self.records })
    }

    /// A row has come to its end.
    fn row(&mut self, ready: &mut Vec<RawChunk>) {
        let bytes = std::mem::take(&mut self.open);
        let line = self.line;
        self.line += self.ends.take_lines();
        if self.heads > 0 {
            self.heads -= 1;
            return;
        }
        let looked = self.tracker.look(&bytes, &self.layout);
        if let Some(before) = self.held.take() {
            self.give(&before, Some(&looked), ready);
        }
        self.seen += 1;
        let row = Held { line, bytes, looked };
        if self.seen == self.layout.records {
            self.give(&row, None, ready);
        } else {
            self.held = Some(row);
        }
    }

    /// The place of a row is known: it goes into its chunk.
    fn give(&mut self, row: &Held, next: Option<&Looked>, ready: &mut Vec<RawChunk>) {
        let place = self.tracker.place(&row.looked, next);
        let index = self.records / self.chunk_records;
        if index >= self.first_index {
            append(&mut self.bytes, &row.bytes);
            self.spans.push(Span { line: row.line, end: self.bytes.len() });
            self.places.push(place);
        }
        self.records += 1;
        let ends = self.records == self.layout.records || self.records.is_multiple_of(self.chunk_records);
        if ends && !self.spans.is_empty() {
            let room = self.bytes.len() + self.bytes.len() / 8;
            ready.push(RawChunk::Csv(CsvChunk {
                index,
                first_ordinal: index * self.chunk_records,
                bytes: std::mem::replace(&mut self.bytes, Zeroizing::new(Vec::with_capacity(room))),
                spans: std::mem::take(&mut self.spans),
                places: std::mem::take(&mut self.places),
                layout: Arc::clone(&self.layout),
            }));
        }
    }
}
