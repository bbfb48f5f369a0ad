//! `STEM.recon.csv`: one row for every record, in file order.
//!
//! ```text
//! HDR,1,ISSUER,SERVICE,BATCH,SEQ,CREATED,ENV
//! line,record_ref,outcome,code,recoverable,pan_masked,<the service's own>
//! <rows>
//! TRL,<records>,<registered>,<already>,<deregistered>,<enrolled>,<rejected>,<sha256 of all before>
//! ```

use crate::model::{Environment, FileRecord, Outcome, RecordRow, Tally, View};

use super::cells::recoverable;
use super::sheet::{Finished, Sheet};
use super::{CONTRACT_VERSION, ReportError};

pub(super) struct Recon<'a> {
    sheet: Sheet<'a>,
    view: View,
}

impl<'a> Recon<'a> {
    pub(super) fn name(stem: &str) -> String {
        format!("{stem}.recon.csv")
    }

    pub(super) fn begin(mut sheet: Sheet<'a>, record: &FileRecord, view: View) -> Result<Self, ReportError> {
        sheet.line(|line| {
            line.word(b"HDR").number(CONTRACT_VERSION.into()).text(&record.issuer).text(view.service.as_str());
            let header = record.header.as_ref();
            line.text(header.map_or("", |header| &header.batch_id));
            line.text(header.map_or("", |header| &header.sequence_text));
            line.text(header.map_or("", |header| &header.created_text));
            line.text(record.environment.map_or("", Environment::as_str));
        })?;
        sheet.line(|line| {
            for name in ["line", "record_ref", "outcome", "code", "recoverable", "pan_masked"] {
                line.word(name.as_bytes());
            }
            for name in view.recon_columns {
                line.text(name);
            }
        })?;
        Ok(Self { sheet, view })
    }

    pub(super) fn row(&mut self, row: &RecordRow) -> Result<(), ReportError> {
        let code = row.code();
        let view = &self.view;
        self.sheet.line(|line| {
            line.number(row.line).text(&row.record_ref);
            match code {
                None => line.word(without_code(row.outcome)),
                Some(code) => {
                    let outcome = row.outcome.as_str().as_bytes();
                    line.word(outcome).word(code.as_str().as_bytes()).word(recoverable(Some(code)))
                }
            };
            line.masked(row.masked);
            let mut given = 0;
            (view.own_cells)(row, &mut |cell| {
                line.text(cell);
                given += 1;
            });
            debug_assert!(given <= view.recon_columns.len(), "{} gives more cells than columns", view.service);
            for _ in given..view.recon_columns.len() {
                line.word(b"");
            }
        })
    }

    pub(super) fn finish(mut self, counted: &Tally) -> Result<Finished, ReportError> {
        let digest = self.sheet.digest()?;
        self.sheet.line(|line| {
            line.word(b"TRL").number(counted.records());
            for outcome in Outcome::ALL {
                line.number(counted.of(outcome));
            }
            line.word(digest.as_bytes());
        })?;
        self.sheet.finish()
    }
}

/// Outcome, code and recoverable of a record that has no code, which most have not: one word.
const fn without_code(outcome: Outcome) -> &'static [u8] {
    match outcome {
        Outcome::Registered => b"REGISTERED,,",
        Outcome::AlreadyRegistered => b"ALREADY_REGISTERED,,",
        Outcome::Deregistered => b"DEREGISTERED,,",
        Outcome::Enrolled => b"ENROLLED,,",
        Outcome::Rejected => b"REJECTED,,",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_code_is_told_in_three_cells() {
        for outcome in Outcome::ALL {
            assert_eq!(without_code(outcome), format!("{},,", outcome.as_str()).as_bytes());
        }
    }
}
