//! The lines of a text in their order: header, column line, records, trailer.

use std::sync::Arc;

use memchr::{memchr, memchr_iter};
use zeroize::Zeroizing;

use crate::model::{Code, Header, Refusal};
use crate::parse::control::{self, HeaderCells, Trailer};
use crate::parse::{Controls, Layout as AnyLayout, Options};

use super::columns::{self, Layout};
use super::fields::{Fault, Fields, begins_with, count};
use super::lines::{LineEnds, append, trim_end};
use crate::parse::digests::{Digests, Kind};
use crate::parse::survey::Proven;

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Header,
    Columns,
    Records,
    /// The trailer was read: nothing more.
    End,
}

/// What may be in a piece of text, found once for all its lines.
#[derive(Clone, Copy, Debug)]
struct Marks {
    quotes: bool,
    returns: bool,
}

impl Marks {
    fn of(bytes: &[u8]) -> Self {
        Self { quotes: memchr(b'"', bytes).is_some(), returns: memchr(b'\r', bytes).is_some() }
    }
}

/// A line without its end.
#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a [u8],
    /// Where it starts.
    number: u64,
    /// Its end was there.
    ended: bool,
    marks: Marks,
}

/// Checks everything but the encoding. The first failure is the last thing it is asked for.
pub(in crate::parse) struct Structure {
    options: Options,
    phase: Phase,
    marked: bool,
    /// The beginning of a line whose end has not come.
    open: Zeroizing<Vec<u8>>,
    ends: LineEnds,
    /// The line on which the current record starts.
    line: u64,
    /// The first empty line so far: a failure unless only empty lines follow.
    empty: Option<u64>,
    header: Option<Header>,
    order: Vec<usize>,
    heads: u8,
    quotes: bool,
    records: u64,
    trailer: Option<Trailer>,
    digests: Digests,
}

impl Structure {
    pub(in crate::parse) fn new(options: Options) -> Self {
        Self {
            options,
            phase: Phase::Header,
            marked: false,
            open: Zeroizing::default(),
            ends: LineEnds::default(),
            line: 1,
            empty: None,
            header: None,
            order: Vec::new(),
            heads: 0,
            quotes: false,
            records: 0,
            trailer: None,
            digests: Digests::default(),
        }
    }

    /// Says that a byte order mark was taken off.
    pub(in crate::parse) fn begin_marked(&mut self) {
        self.marked = true;
        self.digests.begin_marked();
    }

    /// Takes the next bytes.
    pub(in crate::parse) fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let marks = Marks::of(bytes);
        let mut at = 0;
        if !self.open.is_empty() {
            let Some(end) = self.ends.next(bytes, marks.quotes) else { return self.keep(bytes) };
            self.keep(&bytes[..end])?;
            let line = std::mem::take(&mut self.open);
            let kind = self.line(&line, true, Marks::of(&line))?;
            self.digests.add(&line, kind);
            at = end;
        }
        // Lines of content are hashed together, up to the first control record or the line that does not end.
        let mut unhashed = at;
        while let Some(taken) = self.ends.next(&bytes[at..], marks.quotes) {
            let line = &bytes[at..at + taken];
            let kind = self.line(line, true, marks)?;
            if kind != Kind::Content {
                self.digests.add(&bytes[unhashed..at], Kind::Content);
                self.digests.add(line, kind);
                unhashed = at + taken;
            }
            at += taken;
        }
        self.digests.add(&bytes[unhashed..at], Kind::Content);
        self.keep(&bytes[at..])
    }

    /// Says that the text has ended.
    pub(in crate::parse) fn finish(mut self) -> Result<Proven, Refusal> {
        if !self.open.is_empty() {
            let line = std::mem::take(&mut self.open);
            let kind = self.line(&line, false, Marks::of(&line))?;
            self.digests.add(&line, kind);
        }
        let required = self.options.controls == Controls::Required;
        let (content_digest, whole) = self.digests.finish();
        // Where the text ends, at the line of its last byte.
        let end = self.line.saturating_sub(1).max(1);
        match (self.phase, &self.trailer) {
            (Phase::Header, _) => {
                let (code, what) = if required {
                    (Code::HeaderMissing, "The file has no header; expected is a line that begins with HDR.")
                } else {
                    (Code::ColumnMissing, "The file has no column line.")
                };
                let refusal = Refusal::new(code, what).at(1);
                return Err(if self.empty.is_none() { refusal.early() } else { refusal });
            }
            (Phase::Columns, _) => {
                let what = "The file ends after its header; expected are a column line, records and a trailer.";
                return Err(Refusal::new(Code::TrailerMissing, what).at(end).early());
            }
            (Phase::Records, _) if required => {
                let what = "The file ends without a trailer; expected is a last line that begins with TRL.";
                return Err(Refusal::new(Code::TrailerMissing, what).at(end).early());
            }
            (Phase::End, Some(trailer)) => {
                trailer.check(self.records, &whole)?;
            }
            (Phase::Records | Phase::End, _) => {}
        }
        let layout = Layout {
            delimiter: self.options.delimiter,
            order: self.order,
            columns: self.options.columns.names.len(),
            marked: self.marked,
            heads: self.heads,
            quotes: self.quotes,
            records: self.records,
            line_bytes_max: self.options.limits.line_bytes_max,
            runs: self.options.columns.runs,
        };
        Ok(Proven {
            header: self.header,
            records: self.records,
            content_digest,
            layout: Arc::new(AnyLayout::Csv(layout)),
        })
    }

    /// Keeps the beginning of a line, as far as a line may go.
    fn keep(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let max = self.options.limits.line_bytes_max;
        let room = max.saturating_sub(self.open.len());
        if bytes.len() <= room {
            append(&mut self.open, bytes);
            return Ok(());
        }
        append(&mut self.open, &bytes[..room]);
        let line = std::mem::take(&mut self.open);
        Err(self.too_long(&line))
    }

    fn line(&mut self, line: &[u8], ended: bool, marks: Marks) -> Result<Kind, Refusal> {
        let max = self.options.limits.line_bytes_max;
        if line.len() > max {
            return Err(self.too_long(&line[..max]));
        }
        let number = self.line;
        self.line += self.ends.take_lines();
        let text = trim_end(line);
        if text.is_empty() {
            self.empty.get_or_insert(number);
            return Ok(Kind::Content);
        }
        self.quotes |= marks.quotes && memchr(b'"', text).is_some();
        let line = Line { text, number, ended, marks };
        match self.phase {
            Phase::Header => self.header(line),
            Phase::Columns => self.columns(line),
            Phase::Records => self.record(line),
            Phase::End => Err(invalid("Something follows the trailer; expected is nothing.", number)),
        }
    }

    /// The header, once it was read.
    pub(in crate::parse) const fn known_header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    fn header(&mut self, line: Line<'_>) -> Result<Kind, Refusal> {
        let Line { text, number, ended, .. } = line;
        if !begins_with(text, b"HDR", self.options.delimiter) {
            if self.options.controls == Controls::Optional {
                return self.columns(line);
            }
            let what = "The first line is no header; expected is a line that begins with HDR.";
            let refusal = Refusal::new(Code::HeaderMissing, what).at(number);
            let is_cut = !ended && (b"HDR".starts_with(text) || b"\"HDR\"".starts_with(text));
            return Err(if is_cut { refusal.early() } else { refusal });
        }
        let header = self.read_header(text).map_err(|refusal| self.cut(refusal.at(number), line))?;
        self.header = Some(header);
        self.heads += 1;
        self.phase = Phase::Columns;
        Ok(Kind::Header)
    }

    fn read_header(&self, text: &[u8]) -> Result<Header, Refusal> {
        let cells: Vec<_> = match Fields::new(text, self.options.delimiter).collect::<Result<_, _>>() {
            Ok(cells) => cells,
            Err(fault) => return Err(Refusal::new(Code::FormatInvalid, fault.sentence())),
        };
        let cells: Vec<_> = cells.iter().map(|cell| cell.value()).collect();
        if let Some(version) = cells.get(1) {
            control::check_version(version)?;
        }
        let [_, version, issuer, service, batch_id, sequence, created, environment] = cells.as_slice() else {
            let what = format!("The header has {} fields; expected are 8.", cells.len());
            return Err(Refusal::new(Code::FormatInvalid, what));
        };
        let cells = HeaderCells { version, issuer, service, batch_id, sequence, created, environment };
        control::header(cells, &self.options)
    }

    fn columns(&mut self, line: Line<'_>) -> Result<Kind, Refusal> {
        let Line { text, number, .. } = line;
        if begins_with(text, b"TRL", self.options.delimiter) {
            let kind = self.trailer(line)?;
            // A file of nothing needs no columns.
            return match &self.trailer {
                Some(trailer) if trailer.records == 0 => Ok(kind),
                _ => Err(Refusal::new(Code::ColumnMissing, "The trailer follows without a column line.").at(number)),
            };
        }
        let order = columns::read(text, self.options.delimiter, self.options.columns);
        self.order = order.map_err(|refusal| self.cut(refusal.at(number), line))?;
        self.heads += 1;
        self.phase = Phase::Records;
        self.no_empty_line()?;
        Ok(Kind::Content)
    }

    fn record(&mut self, line: Line<'_>) -> Result<Kind, Refusal> {
        let Line { text, number, ended, marks } = line;
        let delimiter = self.options.delimiter;
        self.no_empty_line()?;
        if matches!(text[0], b'T' | b'"') && begins_with(text, b"TRL", delimiter) {
            return self.trailer(line);
        }
        let cells = if marks.quotes && memchr(b'"', text).is_some() {
            count(text, delimiter)
        } else if marks.returns && memchr(b'\r', text).is_some() {
            Err(Fault::LoneReturn)
        } else {
            Ok(memchr_iter(delimiter, text).count() + 1)
        };
        let expected = self.order.len();
        match cells {
            Ok(found) if found == expected => {}
            Ok(found) if found < expected && !ended => return Err(cut_record(number)),
            Ok(found) => {
                return Err(invalid(format!("The record has {found} fields; the column line has {expected}."), number));
            }
            Err(Fault::Unclosed) if !ended && !swallows_trailer(text, delimiter) => return Err(cut_record(number)),
            Err(fault) => return Err(invalid(fault.sentence(), number)),
        }
        self.records += 1;
        let max = self.options.limits.file_records_max;
        if self.records > max {
            let what = format!("The file has more than {max} records, the most that is taken.");
            return Err(Refusal::new(Code::TooManyRecords, what).at(number));
        }
        Ok(Kind::Content)
    }

    fn trailer(&mut self, line: Line<'_>) -> Result<Kind, Refusal> {
        let Line { text, number, ended, .. } = line;
        self.no_empty_line()?;
        let cells: Vec<_> = match Fields::new(text, self.options.delimiter).collect::<Result<_, _>>() {
            Ok(cells) => cells,
            Err(fault) => return Err(self.cut(invalid(fault.sentence(), number), line)),
        };
        let cells: Vec<_> = cells.iter().map(|cell| cell.value()).collect();
        let malformed = |what, may_be_cut| {
            let refusal = invalid(what, number);
            Err(if may_be_cut && !ended { refusal.early() } else { refusal })
        };
        let (records, digest) = match cells.as_slice() {
            [_] => return malformed("The trailer has no count of records.", true),
            [_, records] => (records, None),
            [_, records, digest] => (records, Some(digest).filter(|digest| !digest.is_empty())),
            _ => return malformed("The trailer has more than 3 fields.", false),
        };
        let Some(records) = control::count(records) else {
            let what = "The trailer's count of records is malformed; expected are digits.";
            return malformed(what, cells.len() == 2 && records.is_empty());
        };
        let digest = match digest.map(|cell| control::digest(cell).ok_or(cell)) {
            None => None,
            Some(Ok(digest)) => Some(digest),
            Some(Err(cell)) => {
                let what = "The trailer's digest is malformed; expected are 64 hex digits or nothing.";
                return malformed(what, cell.len() < 64 && cell.iter().all(u8::is_ascii_hexdigit));
            }
        };
        self.trailer = Some(Trailer { line: number, records, digest, open: !ended && cells.len() == 2 });
        self.phase = Phase::End;
        Ok(Kind::Trailer)
    }

    /// An empty line is a failure as soon as something follows it.
    fn no_empty_line(&self) -> Result<(), Refusal> {
        let Some(number) = self.empty else { return Ok(()) };
        Err(invalid("The line is empty; empty lines may stand at the very end only.", number))
    }

    /// A failure of a line whose end never came may be an upload's that never ended, unless a quote swallowed the rest.
    fn cut(&self, refusal: Refusal, line: Line<'_>) -> Refusal {
        let is_cut = !line.ended && !swallows_trailer(line.text, self.options.delimiter);
        if is_cut { refusal.early() } else { refusal }
    }

    /// A line that goes on after the most bytes it may have; here are those.
    fn too_long(&self, begin: &[u8]) -> Refusal {
        let max = self.options.limits.line_bytes_max;
        let delimiter = self.options.delimiter;
        let is_header = begins_with(begin, b"HDR", delimiter);
        if self.phase == Phase::Header && self.options.controls == Controls::Required && !is_header {
            let what = "The first line is no header; expected is a line that begins with HDR.";
            return Refusal::new(Code::HeaderMissing, what).at(self.line);
        }
        if let (Phase::Records, Err(refusal)) = (self.phase, self.no_empty_line()) {
            return refusal;
        }
        // A quote out of place may be all that makes the line so long. Its own end is not to be judged.
        let begin = begin.strip_suffix(b"\r").unwrap_or(begin);
        match count(begin, delimiter) {
            Err(fault @ (Fault::Stray | Fault::AfterQuote | Fault::LoneReturn)) => invalid(fault.sentence(), self.line),
            Err(Fault::Unclosed) => {
                let what = format!("A quote opens a field and none closes it within {max} bytes, the most of a line.");
                invalid(what, self.line)
            }
            Ok(_) => invalid(format!("The line has more than {max} bytes, the most that is taken."), self.line),
        }
    }
}

fn invalid(description: impl Into<String>, line: u64) -> Refusal {
    Refusal::new(Code::FormatInvalid, description).at(line)
}

fn cut_record(line: u64) -> Refusal {
    Refusal::new(Code::TrailerMissing, "The file ends within this record; expected are a whole record and a trailer.")
        .at(line)
        .early()
}

/// Whether a line of an unfinished record is a trailer: then a quote is missing, not the rest of the file.
fn swallows_trailer(text: &[u8], delimiter: u8) -> bool {
    text.split(|&byte| byte == b'\n').skip(1).any(|line| begins_with(trim_end(line), b"TRL", delimiter))
}
