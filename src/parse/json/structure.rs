//! Pass 1 of JSON: control records, keys, structure, one request in memory at a time.

use std::sync::Arc;

use crate::model::{Code, Header, Refusal, Request};
use crate::parse::control::Trailer;
use crate::parse::digests::{Digests, Kind as Hashed};
use crate::parse::survey::Proven;
use crate::parse::{Controls, Layout as AnyLayout, Options};

use super::body;
use super::control::{self, Kind};
use super::layout::{Form, Layout};
use super::lines::{Broken, Line, Lines, Misplaced, Requests, TooLong, Torn, Whole};
use super::object;

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Header,
    Requests,
    /// The trailer was read: nothing more.
    End,
}

enum Cut {
    Lines(Lines),
    Requests(Requests),
}

/// Checks everything but the encoding. The first failure is the last thing it is asked for.
pub(in crate::parse) struct Structure {
    cut: Option<Cut>,
    reading: Reading,
}

/// What is read, apart from how it is cut.
struct Reading {
    options: Options,
    request: &'static Request,
    form: Form,
    phase: Phase,
    marked: bool,
    header: Option<Header>,
    /// The first empty line so far: a failure unless only empty lines follow.
    empty: Option<u64>,
    records: u64,
    trailer: Option<Trailer>,
    digests: Digests,
}

impl Structure {
    pub(in crate::parse) fn new(options: Options, request: &'static Request, form: Form) -> Self {
        let max = options.limits.request_bytes_max;
        let (cut, phase) = match form {
            Form::Lines => (Cut::Lines(Lines::new(max)), Phase::Header),
            Form::Whole => (Cut::Requests(Requests::new(max, request.arrays)), Phase::Requests),
        };
        let reading = Reading {
            options,
            request,
            form,
            phase,
            marked: false,
            header: None,
            empty: None,
            records: 0,
            trailer: None,
            digests: Digests::default(),
        };
        Self { cut: Some(cut), reading }
    }

    /// Says that a byte order mark was taken off.
    pub(in crate::parse) fn begin_marked(&mut self) {
        self.reading.marked = true;
        self.reading.digests.begin_marked();
    }

    /// The header, once it was read.
    pub(in crate::parse) const fn known_header(&self) -> Option<&Header> {
        self.reading.header.as_ref()
    }

    /// Whether what failed is a header, or something before one could be read.
    pub(in crate::parse) fn is_before_requests(&self) -> bool {
        self.reading.phase == Phase::Header
    }

    pub(in crate::parse) fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let reading = &mut self.reading;
        match &mut self.cut {
            Some(Cut::Lines(lines)) => {
                lines.push(bytes, &mut |line| reading.line(&line)).map_err(|broken| match broken {
                    Broken::TooLong(TooLong(line)) => self.reading.too_long(line),
                    Broken::Each(refusal) => refusal,
                })
            }
            Some(Cut::Requests(requests)) => {
                reading.digests.add(bytes, Hashed::Content);
                requests.push(bytes, &mut |whole| reading.whole(&whole)).map_err(|torn| match torn {
                    Torn::TooLong(TooLong(line)) => self.reading.too_long(line),
                    Torn::Misplaced(Misplaced { line, what }) => Refusal::new(Code::FormatInvalid, what).at(line),
                    Torn::Each(refusal) => refusal,
                })
            }
            None => Ok(()),
        }
    }

    /// Says that the text has ended.
    pub(in crate::parse) fn finish(mut self) -> Result<Proven, Refusal> {
        match self.cut.take() {
            Some(Cut::Lines(mut lines)) => {
                let reading = &mut self.reading;
                lines.finish(&mut |line| reading.line(&line)).map_err(|broken| match broken {
                    Broken::TooLong(TooLong(line)) => self.reading.too_long(line),
                    Broken::Each(refusal) => refusal,
                })?;
                self.reading.end_of_lines(lines.number())?;
            }
            Some(Cut::Requests(requests)) if !requests.is_whole() => {
                let what = "The file ends within a request; expected is a whole one.";
                return Err(Refusal::new(Code::TrailerMissing, what).at(requests.line()).early());
            }
            _ => {}
        }
        let Reading { options, request, form, marked, header, records, trailer, digests, .. } = self.reading;
        let (content_digest, whole) = digests.finish();
        if let Some(trailer) = &trailer {
            trailer.check(records, &whole)?;
        }
        let layout = Layout {
            form,
            request,
            columns: options.columns.names.len(),
            marked,
            has_header: header.is_some(),
            records,
            request_bytes_max: options.limits.request_bytes_max,
        };
        Ok(Proven { header, records, content_digest, layout: Arc::new(AnyLayout::Json(layout)) })
    }
}

impl Reading {
    fn line(&mut self, line: &Line<'_>) -> Result<(), Refusal> {
        let kind = self.read(line)?;
        self.digests.add(line.text, kind);
        Ok(())
    }

    fn read(&mut self, line: &Line<'_>) -> Result<Hashed, Refusal> {
        let &Line { text, number, ended } = line;
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            self.empty.get_or_insert(number);
            return Ok(Hashed::Content);
        }
        if let (Some(empty), false) = (self.empty, self.phase == Phase::Header) {
            return Err(invalid("The line is empty; empty lines may stand at the very end only.", empty));
        }
        let cut = |(refusal, is_eof): (Refusal, bool)| {
            let refusal = refusal.at(number);
            if is_eof && !ended { refusal.early() } else { refusal }
        };
        match (self.phase, control::kind(text)) {
            (Phase::End, _) => Err(invalid("Something follows the trailer; expected is nothing.", number)),
            (Phase::Header, Kind::Header) => {
                self.header = Some(control::header(text, &self.options).map_err(cut)?);
                self.phase = Phase::Requests;
                self.no_empty_line()?;
                Ok(Hashed::Header)
            }
            (Phase::Header, _) if self.options.controls == Controls::Required => {
                let what = "The first line is no header; expected is {\"header\":{...}}.";
                let refusal = Refusal::new(Code::HeaderMissing, what).at(number);
                Err(if !ended && control::may_become_header(text) { refusal.early() } else { refusal })
            }
            (_, Kind::Trailer) => {
                self.trailer = Some(control::trailer(text, number).map_err(cut)?);
                self.phase = Phase::End;
                Ok(Hashed::Trailer)
            }
            _ => {
                self.phase = Phase::Requests;
                self.no_empty_line()?;
                self.request(text, number, ended)?;
                Ok(Hashed::Content)
            }
        }
    }

    fn no_empty_line(&self) -> Result<(), Refusal> {
        match self.empty {
            Some(empty) => Err(invalid("The line is empty; empty lines may stand at the very end only.", empty)),
            None => Ok(()),
        }
    }

    fn whole(&mut self, whole: &Whole<'_>) -> Result<(), Refusal> {
        self.request(whole.text, whole.line, true)
    }

    fn request(&mut self, text: &[u8], line: u64, ended: bool) -> Result<(), Refusal> {
        let checked = match self.request.body {
            None => object::check(text, self.request),
            Some(body) => body::check(text, self.request, body, self.options.unseal.as_ref()),
        };
        let shape = match checked {
            Ok(shape) => shape,
            Err((object::Fault::Cut, _)) if !ended => {
                let what = "The file ends within this request; expected are a whole request and a trailer.";
                return Err(Refusal::new(Code::TrailerMissing, what).at(line).early());
            }
            Err((fault, within)) => return Err(fault.refusal(self.request).at(line + within)),
        };
        // A request of nothing is still something to be answered.
        self.records += shape.records.max(1);
        let max = self.options.limits.file_records_max;
        if self.records > max {
            let what = format!("The file has more than {max} records, the most that is taken.");
            return Err(Refusal::new(Code::TooManyRecords, what).at(line));
        }
        Ok(())
    }

    /// Whether a text of lines may end here; `last` is the line of its end.
    fn end_of_lines(&self, last: u64) -> Result<(), Refusal> {
        let required = self.options.controls == Controls::Required;
        match self.phase {
            Phase::Header if required => {
                let what = "The file has no header; expected is {\"header\":{...}}.";
                let refusal = Refusal::new(Code::HeaderMissing, what).at(1);
                Err(if self.empty.is_none() { refusal.early() } else { refusal })
            }
            Phase::Header => {
                Err(Refusal::new(Code::TrailerMissing, "The file holds no request; expected is one.").at(1).early())
            }
            Phase::Requests if required => {
                let what = "The file ends without a trailer; expected is a last line {\"trailer\":{\"records\":N}}.";
                Err(Refusal::new(Code::TrailerMissing, what).at(last.saturating_sub(1).max(1)).early())
            }
            Phase::Requests | Phase::End => Ok(()),
        }
    }

    fn too_long(&self, line: u64) -> Refusal {
        let max = self.options.limits.request_bytes_max;
        let code = if self.phase == Phase::Header && self.options.controls == Controls::Required {
            Code::HeaderMissing
        } else {
            Code::FormatInvalid
        };
        Refusal::new(code, format!("The request has more than {max} bytes, the most that is taken.")).at(line)
    }
}

fn invalid(description: &'static str, line: u64) -> Refusal {
    Refusal::new(Code::FormatInvalid, description).at(line)
}
