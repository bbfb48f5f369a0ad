//! `STEM.response.jsonl`: the program's own answer, a line a request: an array for an array, an object for an object.

use crate::model::{Answer, Place, RecordRow, View};

use super::ReportError;
use super::sheet::{Finished, Sheet};

pub(super) struct Response<'a> {
    sheet: Sheet<'a>,
    view: View,
    /// How the answer to the current request goes on.
    open: Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// No request so far.
    Nothing,
    /// An array that still has to be closed.
    Array,
    /// An answer to which nothing is added.
    Whole,
}

impl<'a> Response<'a> {
    pub(super) fn name(stem: &str) -> String {
        format!("{stem}.response.jsonl")
    }

    pub(super) const fn begin(sheet: Sheet<'a>, view: View) -> Self {
        Self { sheet, view, open: Open::Nothing }
    }

    pub(super) fn row(&mut self, row: &RecordRow) -> Result<(), ReportError> {
        if row.place == Place::Next && self.open == Open::Whole {
            return Ok(());
        }
        let begins = row.place != Place::Next;
        if begins {
            self.end_request()?;
        }
        match (self.view.answer)(row) {
            Answer::Request(json) => {
                self.open = Open::Whole;
                self.sheet.bytes(&json)
            }
            Answer::Record(json) if row.place == Place::Object || row.place == Place::Row => {
                self.open = Open::Whole;
                self.sheet.bytes(&json)
            }
            Answer::Record(json) => {
                self.open = Open::Array;
                self.sheet.bytes(if begins { b"[" } else { b"," })?;
                self.sheet.bytes(&json)
            }
        }
    }

    fn end_request(&mut self) -> Result<(), ReportError> {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => Ok(()),
            Open::Array => self.sheet.bytes(b"]\n"),
            Open::Whole => self.sheet.bytes(b"\n"),
        }
    }

    pub(super) fn finish(mut self) -> Result<Finished, ReportError> {
        self.end_request()?;
        self.sheet.finish()
    }
}
