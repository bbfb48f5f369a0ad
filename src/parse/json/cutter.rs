//! Pass 2 of JSON: cuts a proven text into chunks, whatever its requests are.

use zeroize::Zeroizing;

use crate::model::Unseal;
use crate::parse::csv::lines::append;
use crate::parse::encoding::MARK;
use crate::parse::{ParseError, RawChunk};

use super::chunk::{JsonChunk, Origin, Span};
use super::layout::{Form, Layout};
use super::lines::{Broken, Line, Lines, Requests, Torn, Whole};
use super::{body, object, scan};

/// The most of a record that a chunk keeps as it stands. A request may be far larger, and a chunk is of many records.
const RECORD_BYTES_KEPT: usize = 64 << 10;

enum Cut {
    Lines(Lines),
    Requests(Requests),
}

/// Takes the bytes that pass 1 has proven. Structure is not checked again, what would break a bound or a count is noticed
/// all the same.
pub(in crate::parse) struct Cutter {
    cut: Cut,
    /// Bytes of a byte order mark still to be passed over.
    mark: usize,
    chunks: Chunks,
}

/// The chunks being filled.
pub(super) struct Chunks {
    layout: Layout,
    unseal: Option<Unseal>,
    chunk_records: u64,
    first_index: u64,
    /// The header is still to be passed over.
    header: bool,
    /// Requests begun.
    requests: u64,
    /// Records whose end was found.
    records: u64,
    bytes: Zeroizing<Vec<u8>>,
    spans: Vec<Span>,
    origins: Vec<Origin>,
}

impl Cutter {
    pub(in crate::parse) fn new(
        layout: Layout,
        chunk_records: usize,
        first_index: u64,
        unseal: Option<Unseal>,
    ) -> Self {
        let max = layout.request_bytes_max;
        Self {
            cut: match layout.form {
                Form::Lines => Cut::Lines(Lines::new(max)),
                Form::Whole => Cut::Requests(Requests::new(max, layout.request.arrays)),
            },
            mark: if layout.marked { MARK.len() } else { 0 },
            chunks: Chunks::new(layout, chunk_records, first_index, unseal),
        }
    }

    pub(in crate::parse) fn push(&mut self, bytes: &[u8], ready: &mut Vec<RawChunk>) -> Result<(), ParseError> {
        let mark = self.mark.min(bytes.len());
        self.mark -= mark;
        let (bytes, chunks) = (&bytes[mark..], &mut self.chunks);
        match &mut self.cut {
            Cut::Lines(lines) => lines.push(bytes, &mut |line| chunks.line(&line, ready)).map_err(broken),
            Cut::Requests(requests) => requests
                .push(bytes, &mut |whole: Whole<'_>| chunks.request(whole.text, whole.line, ready))
                .map_err(|torn| match torn {
                    Torn::TooLong(long) => ParseError::Record { line: long.0 },
                    Torn::Misplaced(misplaced) => ParseError::Record { line: misplaced.line },
                    Torn::Each(error) => error,
                }),
        }
    }

    pub(in crate::parse) fn finish(mut self, ready: &mut Vec<RawChunk>) -> Result<(), ParseError> {
        if let Cut::Lines(lines) = &mut self.cut {
            let chunks = &mut self.chunks;
            lines.finish(&mut |line| chunks.line(&line, ready)).map_err(broken)?;
        }
        self.chunks.finish()
    }
}

fn broken(broken: Broken<ParseError>) -> ParseError {
    match broken {
        Broken::TooLong(long) => ParseError::Record { line: long.0 },
        Broken::Each(error) => error,
    }
}

impl Chunks {
    pub(super) fn new(layout: Layout, chunk_records: usize, first_index: u64, unseal: Option<Unseal>) -> Self {
        Self {
            layout,
            unseal,
            chunk_records: u64::try_from(chunk_records).unwrap_or(u64::MAX).max(1),
            first_index,
            header: layout.has_header,
            requests: 0,
            records: 0,
            bytes: Zeroizing::default(),
            spans: Vec::new(),
            origins: Vec::new(),
        }
    }

    /// Says that the text has ended.
    pub(super) const fn finish(&self) -> Result<(), ParseError> {
        let (expected, found) = (self.layout.records, self.records);
        if expected == found { Ok(()) } else { Err(ParseError::Records { expected, found }) }
    }

    /// Begins a request: its number.
    pub(super) const fn next_request(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    fn line(&mut self, line: &Line<'_>, ready: &mut Vec<RawChunk>) -> Result<(), ParseError> {
        let text = line.text.trim_ascii();
        // What follows the last record is a trailer, if anything, and pass 1 has read it.
        if text.is_empty() || self.records >= self.layout.records {
            return Ok(());
        }
        if std::mem::take(&mut self.header) {
            return Ok(());
        }
        self.request(text, line.number, ready)
    }

    fn request(&mut self, text: &[u8], line: u64, ready: &mut Vec<RawChunk>) -> Result<(), ParseError> {
        self.requests += 1;
        if let Some(around) = self.layout.request.body {
            let parts = body::take_apart(text, around, self.unseal.as_ref());
            let parts = parts.map_err(|_| ParseError::Record { line })?;
            let array = parts.array().unwrap_or(b"[]");
            let records = u64::try_from(scan::records(array).count()).unwrap_or(u64::MAX);
            let head = Some(parts.head.clone());
            let origin = Origin { line, request: self.requests, records, is_array: records > 0, head, row: None };
            return self.records_of(array, &origin, ready);
        }
        let origin = Origin {
            line,
            request: self.requests,
            records: u64::try_from(scan::records(text).count()).unwrap_or(u64::MAX),
            is_array: text.trim_ascii_start().first() == Some(&b'['),
            head: None,
            row: None,
        };
        self.records_of(text, &origin, ready)
    }

    pub(super) fn records_of(
        &mut self,
        text: &[u8],
        origin: &Origin,
        ready: &mut Vec<RawChunk>,
    ) -> Result<(), ParseError> {
        if origin.records == 0 {
            return self.record(b"{}", 1, origin, ready);
        }
        (1..).zip(scan::records(text)).try_for_each(|(n, record)| self.record(&text[record], n, origin, ready))
    }

    fn record(&mut self, record: &[u8], n: u64, origin: &Origin, ready: &mut Vec<RawChunk>) -> Result<(), ParseError> {
        if self.records >= self.layout.records {
            return Err(ParseError::Records { expected: self.layout.records, found: self.records + 1 });
        }
        let index = self.records / self.chunk_records;
        if index >= self.first_index {
            if record.len() <= RECORD_BYTES_KEPT {
                append(&mut self.bytes, record);
            } else {
                let shortened = object::shortened(record, self.layout.request);
                append(&mut self.bytes, &shortened.map_err(|_| ParseError::Record { line: origin.line })?);
            }
            if n == 1 || self.origins.is_empty() {
                self.origins.push(origin.clone());
            }
            // Both are bounded by the bytes of a request, or of a chunk.
            let [n, end] = [n, self.bytes.len() as u64].map(|it| u32::try_from(it).unwrap_or(u32::MAX));
            self.spans.push(Span { end, n });
        }
        self.records += 1;
        let ends = self.records == self.layout.records || self.records.is_multiple_of(self.chunk_records);
        if ends && !self.spans.is_empty() {
            let room = self.bytes.len() + self.bytes.len() / 8;
            let bytes = std::mem::replace(&mut self.bytes, Zeroizing::new(Vec::with_capacity(room)));
            let room = Vec::with_capacity(self.spans.len());
            let spans = std::mem::replace(&mut self.spans, room);
            ready.push(RawChunk::Json(JsonChunk {
                index,
                first_ordinal: index * self.chunk_records,
                bytes,
                spans,
                origins: std::mem::take(&mut self.origins),
                request: self.layout.request,
                columns: self.layout.columns,
            }));
        }
        Ok(())
    }
}
