//! `STEM.errors.csv`: one row for each failure of each rejected record, with who mends it and how.

use std::collections::BTreeMap;

use crate::model::{Code, Failure, RecordRow, View};

use super::cells::{Line, recoverable};
use super::sheet::{Finished, Sheet};
use super::{ReportError, Words};

pub(super) struct Errors<'a> {
    sheet: Sheet<'a>,
    view: View,
    words: Words,
    /// The last three cells, made once for each field and code.
    said: BTreeMap<(u8, Code), Vec<u8>>,
}

impl<'a> Errors<'a> {
    pub(super) fn name(stem: &str) -> String {
        format!("{stem}.errors.csv")
    }

    pub(super) fn begin(mut sheet: Sheet<'a>, view: View, words: Words) -> Result<Self, ReportError> {
        sheet.line(|line| {
            line.word(b"line,record_ref,field,code,recoverable,pan_masked,owner,description,remedy");
        })?;
        Ok(Self { sheet, view, words, said: BTreeMap::new() })
    }

    pub(super) fn rows(&mut self, row: &RecordRow) -> Result<(), ReportError> {
        let Self { sheet, view, words, said } = self;
        for &Failure { field, code } in &row.failures {
            // Failure::WHOLE lies beyond every service's columns.
            let field_of = view.field(field);
            let saying = said.entry((field, code)).or_insert_with(|| {
                let mut cells = Vec::new();
                Line::new(&mut cells)
                    .text((words.owner)(code))
                    .text(&(words.describe)(code, view.service, field_of))
                    .text((words.remedy)(code));
                cells
            });
            sheet.line(|line| {
                line.number(row.line)
                    .text(&row.record_ref)
                    .word(field_of.map_or("", |field| field.name).as_bytes())
                    .word(code.as_str().as_bytes())
                    .word(recoverable(Some(code)))
                    .masked(row.masked)
                    .word(saying);
            })?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Finished, ReportError> {
        self.sheet.finish()
    }
}
