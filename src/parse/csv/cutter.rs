//! Pass 2: cuts a proven file into chunks, looking for nothing but record ends.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::parse::encoding::MARK;
use crate::parse::{ParseError, RawChunk};

use super::chunk::{CsvChunk, Span};
use super::columns::Layout;
use super::lines::{LineEnds, append};

/// Takes the bytes that pass 1 has proven, piece by piece, and cuts them into chunks.
///
/// Structure is not checked again; that the bytes are the same is for who reads them to see to. What would break a bound
/// or a count is noticed all the same.
pub(in crate::parse) struct Cutter {
    layout: Arc<Layout>,
    chunk_records: u64,
    first_index: u64,
    /// Bytes of a byte order mark still to be passed over.
    mark: usize,
    /// Header and column line still to be passed over.
    heads: u8,
    ends: LineEnds,
    /// Line on which the current record starts.
    line: u64,
    /// Bytes of the current record that came with earlier pieces.
    open_bytes: usize,
    /// Records whose end was found.
    records: u64,
    /// The current chunk: its records, and the beginning of the next record.
    bytes: Zeroizing<Vec<u8>>,
    spans: Vec<Span>,
}

impl Cutter {
    /// A chunk has `chunk_records` records (at least 1), the last of a file perhaps fewer. Those before `first_index` are
    /// passed over: a resumed file goes on at its first missing chunk.
    pub(in crate::parse) fn new(layout: Arc<Layout>, chunk_records: usize, first_index: u64) -> Self {
        Self {
            chunk_records: u64::try_from(chunk_records).unwrap_or(u64::MAX).max(1),
            first_index,
            mark: if layout.marked { MARK.len() } else { 0 },
            heads: layout.heads,
            ends: LineEnds::default(),
            line: 1,
            open_bytes: 0,
            records: 0,
            bytes: Zeroizing::default(),
            spans: Vec::new(),
            layout,
        }
    }

    /// Takes the next bytes of the text; chunks that they complete are appended to `ready`.
    pub(in crate::parse) fn push(&mut self, bytes: &[u8], ready: &mut Vec<RawChunk>) -> Result<(), ParseError> {
        let mark = self.mark.min(bytes.len());
        self.mark -= mark;
        let mut at = mark;
        // Where the bytes begin that belong to the current chunk and are not yet in it.
        let mut uncopied = at;
        // What follows the last record is a trailer, if anything, and pass 1 has read it.
        while self.records < self.layout.records && at < bytes.len() {
            let end = self.ends.next(&bytes[at..], self.layout.quotes).map(|taken| at + taken);
            self.open_bytes += end.unwrap_or(bytes.len()) - at;
            if self.open_bytes > self.layout.line_bytes_max {
                return Err(ParseError::Record { line: self.line });
            }
            at = end.unwrap_or(bytes.len());
            if end.is_some() {
                let kept = self.is_kept();
                if self.end_record(self.bytes.len() + (at - uncopied)) {
                    append(&mut self.bytes, &bytes[uncopied..at]);
                    uncopied = at;
                    ready.extend(self.end_chunk());
                } else if !kept {
                    uncopied = at;
                }
            }
        }
        if self.is_kept() && self.records < self.layout.records {
            append(&mut self.bytes, &bytes[uncopied..at]);
        }
        Ok(())
    }

    /// Says that the text has ended: the last chunk is appended to `ready`.
    pub(in crate::parse) fn finish(mut self, ready: &mut Vec<RawChunk>) -> Result<(), ParseError> {
        // The last record need not end its line.
        if self.open_bytes > 0 && self.records < self.layout.records && !self.ends.is_quoted() {
            let end = self.bytes.len();
            if self.end_record(end) {
                ready.extend(self.end_chunk());
            }
        }
        if self.records == self.layout.records {
            return Ok(());
        }
        Err(ParseError::Records { expected: self.layout.records, found: self.records })
    }

    /// Whether what is being read belongs to a chunk that is wanted.
    fn is_kept(&self) -> bool {
        self.heads == 0 && self.records / self.chunk_records >= self.first_index
    }

    /// Ends the current record, `end` bytes into its chunk; true if its chunk ends with it.
    fn end_record(&mut self, end: usize) -> bool {
        let line = self.line;
        self.line += self.ends.take_lines();
        self.open_bytes = 0;
        if self.heads > 0 {
            self.heads -= 1;
            return false;
        }
        if self.is_kept() {
            self.spans.push(Span { line, end });
        }
        self.records += 1;
        !self.spans.is_empty()
            && (self.records == self.layout.records || self.records.is_multiple_of(self.chunk_records))
    }

    /// The chunk that the last record ended.
    fn end_chunk(&mut self) -> Option<RawChunk> {
        let last = self.records.checked_sub(1)?;
        let index = last / self.chunk_records;
        // The next chunk is likely to be as large.
        let room = self.bytes.len() + self.bytes.len() / 8;
        let bytes = std::mem::replace(&mut self.bytes, Zeroizing::new(Vec::with_capacity(room)));
        let records = self.spans.len();
        let spans = std::mem::replace(&mut self.spans, Vec::with_capacity(records));
        let layout = Arc::clone(&self.layout);
        let first_ordinal = index * self.chunk_records;
        Some(RawChunk::Csv(CsvChunk { index, first_ordinal, bytes, spans, places: Vec::new(), layout }))
    }
}
