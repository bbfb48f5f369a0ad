//! Pass 1 of a batch: header, rows, cards, each looked at once.

use std::sync::Arc;

use crate::model::{Code, Header, Refusal};
use crate::parse::encoding::MARK;
use crate::parse::survey::Proven;
use crate::parse::{Layout as AnyLayout, Options};

use super::super::layout::{Form, Layout as JsonLayout};
use super::text::{Part, Text, Torn};
use super::{Batch, Layout, Signature, header, names, row};

/// Checks everything but the encoding, and the signature only as far as it is one string. The first failure is the last thing
/// it is asked for.
pub(in crate::parse) struct Structure {
    text: Text,
    bytes: u64,
    reading: Reading,
}

struct Reading {
    options: Options,
    batch: Batch,
    marked: bool,
    header: Option<Header>,
    past_header: bool,
    /// The last row's id.
    row_id: Option<u64>,
    rows: u64,
    records: u64,
    signature: Option<(String, u64)>,
}

impl Structure {
    pub(in crate::parse) fn new(options: Options, batch: Batch) -> Self {
        Self {
            text: Text::new(options.limits.request_bytes_max),
            bytes: 0,
            reading: Reading {
                options,
                batch,
                marked: false,
                header: None,
                past_header: false,
                row_id: None,
                rows: 0,
                records: 0,
                signature: None,
            },
        }
    }

    /// Says that a byte order mark was taken off.
    pub(in crate::parse) fn begin_marked(&mut self) {
        self.reading.marked = true;
    }

    /// The header, once its two ids were found to be those of the name.
    pub(in crate::parse) const fn known_header(&self) -> Option<&Header> {
        self.reading.header.as_ref()
    }

    /// Whether what failed is the header, or something before one could be read.
    pub(in crate::parse) const fn is_before_requests(&self) -> bool {
        !self.reading.past_header
    }

    pub(in crate::parse) fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.bytes += bytes.len() as u64;
        let reading = &mut self.reading;
        self.text.push(bytes, &mut |part, line| reading.part(&part, line)).map_err(|torn| match torn {
            Torn::Fault(fault, line) => fault.refusal().at(line),
            Torn::Each(refusal) => refusal,
        })?;
        if self.bytes > names::BYTES_MAX { Err(names::TOO_LARGE.refusal()) } else { Ok(()) }
    }

    /// Says that the text has ended.
    pub(in crate::parse) fn finish(self) -> Result<Proven, Refusal> {
        if !self.text.is_whole() {
            return Err(names::CUT.refusal().at(self.text.line()).early());
        }
        let Reading { options, marked, header, rows, records, signature, .. } = self.reading;
        let (signed, content_digest) = self.text.records();
        let mark = if marked { MARK.len() as u64 } else { 0 };
        let signed = signed.start + mark..signed.end + mark;
        let cards = JsonLayout {
            form: Form::Whole,
            request: &names::CARD,
            columns: options.columns.names.len(),
            marked,
            has_header: false,
            records,
            request_bytes_max: options.limits.request_bytes_max,
        };
        let signature = signature.map(|(jws, line)| Signature { jws, signed, line });
        let layout = Arc::new(AnyLayout::D1(Layout { cards, rows, signature }));
        Ok(Proven { header, records, content_digest, layout })
    }
}

impl Reading {
    fn part(&mut self, part: &Part<'_>, line: u64) -> Result<(), Refusal> {
        match part {
            Part::Header(text) => match header::read(text, &self.batch) {
                Ok(header) => {
                    self.header = Some(header);
                    self.past_header = true;
                    Ok(())
                }
                Err(wrong) => {
                    let (refusal, header) = *wrong;
                    self.header = header;
                    Err(refusal.at(line))
                }
            },
            Part::Row(text) => self.row(text).map_err(|refusal| refusal.at(line)),
            Part::Signature(quoted) => {
                let jws = serde_json::from_slice(quoted).map_err(|_| names::NOT_JSON.refusal().at(line))?;
                self.signature = Some((jws, line));
                Ok(())
            }
        }
    }

    fn row(&mut self, text: &[u8]) -> Result<(), Refusal> {
        let row = row::take_apart(text)?;
        if self.row_id.replace(row.id).is_some_and(|before| before >= row.id) {
            return Err(names::ROW_REPEATED.refusal());
        }
        self.rows += 1;
        self.records += row::count(&row)?;
        let max = self.options.limits.file_records_max;
        if self.records > max {
            let what = format!("The file has more than {max} records, the most that is taken.");
            return Err(Refusal::new(Code::TooManyRecords, what));
        }
        Ok(())
    }
}
