//! The formats as one: how a text is laid out, cut into chunks, and shown record by record, whichever it is written in.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{InRequest, Unseal};

use super::csv::chunk::CsvChunk;
use super::json::chunk::JsonChunk;
use super::json::layout::Form;
use super::{Controls, ParseError, csv, json};

/// How a text is written. The words are those of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RFC 4180.
    Csv,
    /// A JSON request a line, between control records.
    Jsonl,
    /// One JSON request, or an array of them, without control records.
    Json,
    /// A D1 batch.
    #[serde(rename = "d1-batch")]
    D1Batch,
}

impl Format {
    /// What a file's name says, once what seals it is taken off its end. Where control records are required, `.json`
    /// is taken for lines: a text without them could not be accepted.
    pub fn of_name(name: &str, controls: Controls) -> Option<Self> {
        let opened =
            [".jwe", ".pgp", ".gpg", ".asc"].iter().find_map(|sealed| name.strip_suffix(sealed)).unwrap_or(name);
        if opened.ends_with(".csv") {
            Some(Self::Csv)
        } else if opened.ends_with(".jsonl") || (opened.ends_with(".json") && controls == Controls::Required) {
            Some(Self::Jsonl)
        } else if opened.ends_with(".json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    /// What the first byte that is not white space says. An array begins one text where control records may be absent,
    /// and can only be a line where they may not.
    pub(super) fn of_first(bytes: &[u8], controls: Controls) -> Self {
        match (bytes.iter().find(|byte| !byte.is_ascii_whitespace()), controls) {
            (Some(b'['), Controls::Optional) => Self::Json,
            (Some(b'{' | b'['), _) => Self::Jsonl,
            _ => Self::Csv,
        }
    }
}

/// How a proven text is laid out: all that pass 2 needs to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Layout {
    /// CSV.
    Csv(csv::columns::Layout),
    /// JSON, in lines or as one text.
    Json(json::layout::Layout),
    /// A D1 batch.
    D1(json::d1::Layout),
}

impl Layout {
    /// How the text is written.
    pub const fn format(&self) -> Format {
        match self {
            Self::Csv(_) => Format::Csv,
            Self::Json(layout) => match layout.form {
                Form::Lines => Format::Jsonl,
                Form::Whole => Format::Json,
            },
            Self::D1(_) => Format::D1Batch,
        }
    }

    /// Records in it: as many as a cutter gives.
    pub const fn records(&self) -> u64 {
        match self {
            Self::Csv(layout) => layout.records,
            Self::Json(layout) => layout.records,
            Self::D1(layout) => layout.cards.records,
        }
    }

    /// Where the `n`th record of a line lies in it, counted from 0, and its cells; `None` where it does not lie in this line.
    pub fn spans_of(&self, line: &[u8], n: usize) -> Option<Spans> {
        match self {
            Self::Csv(layout) => Some(layout.spans_of(line)),
            Self::Json(layout) => layout.spans_of(line, n),
            // A row may be of many lines, and a line of many rows.
            Self::D1(_) => None,
        }
    }
}

/// Where a record lies in its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spans {
    /// All of it.
    pub record: Range<usize>,
    /// The index of each cell's column in the service's, and its bytes with quotes around them, in the order of the line.
    pub cells: Vec<(usize, Range<usize>)>,
}

/// Pass 2: takes the bytes that pass 1 has proven, piece by piece, and cuts them into chunks.
pub struct Cutter(Kind);

enum Kind {
    Csv(csv::cutter::Cutter),
    Grouped(Box<csv::grouped::Grouped>),
    Json(Box<json::cutter::Cutter>),
    D1(Box<json::d1::cutter::Cutter>),
}

impl Cutter {
    /// A chunk has `chunk_records` records (at least 1), the last of a file perhaps fewer. Those before `first_index` are
    /// passed over: a resumed file goes on at its first missing chunk. `unseal` opens what pass 1 opened.
    pub fn new(layout: &Layout, chunk_records: usize, first_index: u64, unseal: Option<Unseal>) -> Self {
        Self(match layout {
            Layout::Csv(layout) => {
                let kept = Arc::new(layout.clone());
                match layout.runs {
                    None => Kind::Csv(csv::cutter::Cutter::new(kept, chunk_records, first_index)),
                    Some(runs) => {
                        Kind::Grouped(Box::new(csv::grouped::Grouped::new(kept, runs, chunk_records, first_index)))
                    }
                }
            }
            Layout::Json(layout) => {
                Kind::Json(Box::new(json::cutter::Cutter::new(*layout, chunk_records, first_index, unseal)))
            }
            Layout::D1(layout) => Kind::D1(Box::new(json::d1::cutter::Cutter::new(layout, chunk_records, first_index))),
        })
    }

    /// Takes the next bytes of the text; chunks that they complete are appended to `ready`.
    pub fn push(&mut self, bytes: &[u8], ready: &mut Vec<RawChunk>) -> Result<(), ParseError> {
        match &mut self.0 {
            Kind::Csv(cutter) => cutter.push(bytes, ready),
            Kind::Grouped(cutter) => cutter.push(bytes, ready),
            Kind::Json(cutter) => cutter.push(bytes, ready),
            Kind::D1(cutter) => cutter.push(bytes, ready),
        }
    }

    /// Says that the text has ended: the last chunk is appended to `ready`.
    pub fn finish(self, ready: &mut Vec<RawChunk>) -> Result<(), ParseError> {
        match self.0 {
            Kind::Csv(cutter) => cutter.finish(ready),
            Kind::Grouped(cutter) => cutter.finish(ready),
            Kind::Json(cutter) => cutter.finish(ready),
            Kind::D1(cutter) => cutter.finish(),
        }
    }
}

/// Consecutive records of a file, at least one, as they stand in the text. Wiped when dropped.
pub enum RawChunk {
    /// Of CSV.
    Csv(CsvChunk),
    /// Of JSON.
    Json(JsonChunk),
}

/// Is shown a record: its ordinal, its line, its cells, its place in a request.
pub type Visit<'a> = dyn FnMut(u64, u64, &[&[u8]], Option<InRequest>) + 'a;

impl RawChunk {
    /// Its number in the file; the first is 0.
    pub const fn index(&self) -> u64 {
        match self {
            Self::Csv(chunk) => chunk.index,
            Self::Json(chunk) => chunk.index,
        }
    }

    /// Number in the file of its first record; that of the file's first is 0.
    pub const fn first_ordinal(&self) -> u64 {
        match self {
            Self::Csv(chunk) => chunk.first_ordinal,
            Self::Json(chunk) => chunk.first_ordinal,
        }
    }

    /// How many records it holds.
    #[expect(clippy::len_without_is_empty, reason = "a chunk is never empty")]
    pub const fn len(&self) -> usize {
        match self {
            Self::Csv(chunk) => chunk.spans.len(),
            Self::Json(chunk) => chunk.spans.len(),
        }
    }

    /// Shows each record in turn. Cells stand in the service's column order; one that the file lacks is empty. Fails
    /// only if the file is not what pass 1 proved.
    pub fn for_each(&self, visit: &mut Visit<'_>) -> Result<(), ParseError> {
        match self {
            Self::Csv(chunk) => chunk.for_each(visit),
            Self::Json(chunk) => chunk.for_each(visit),
        }
    }
}

impl fmt::Debug for RawChunk {
    /// Shows where it lies and nothing that it holds.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RawChunk")
            .field("index", &self.index())
            .field("first_ordinal", &self.first_ordinal())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
