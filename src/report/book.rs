//! Recon, errors and the service's own answers of one file, written in one pass over its rows and put in their places only if the sums agree.

use std::collections::BTreeMap;
use std::io;

use crate::model::{AnswerFile, Code, FileRecord, Outcome, RecordRow, Tally, View};

use super::errors::Errors;
use super::extra::Extra;
use super::recon::Recon;
use super::sheet::Sheet;
use super::{Outbound, Outbox, ReportError, Seal, Words};

/// The files being written. Dropped before [`finish`](Self::finish), it leaves nothing.
pub struct Book<'a> {
    outbox: &'a Outbox,
    stem: String,
    view: View,
    words: Words,
    seal: Option<&'a dyn Seal>,
    recon: Recon<'a>,
    errors: Option<Errors<'a>>,
    extras: Vec<Extra<'a>>,
    counted: Tally,
    codes: BTreeMap<Code, u64>,
    /// A row was lost on the way: whatever comes after, neither file may be shown.
    broken: bool,
}

/// Whether the rows account for every record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Balance {
    /// They do, and the files are in their places.
    Balanced {
        /// How many records each code stands on.
        codes: BTreeMap<Code, u64>,
        /// Recon, then errors if any record was rejected, then the service's own answers.
        outbound: Vec<Outbound>,
    },
    /// They do not. Nothing was put anywhere: the file is to be held, and an operator called.
    Unbalanced {
        /// What the rows came to.
        counted: Tally,
    },
}

impl<'a> Book<'a> {
    /// Begins the files of `record`, with what its service answers beside recon and errors; sealed where `seal` is given.
    pub fn begin(
        outbox: &'a Outbox,
        record: &FileRecord,
        view: View,
        words: Words,
        seal: Option<&'a dyn Seal>,
        answers: Vec<AnswerFile>,
    ) -> Result<Self, ReportError> {
        let extras = answers.into_iter().map(|file| Extra::begin(outbox, &record.stem, file, seal));
        let extras = extras.collect::<Result<_, _>>()?;
        let sheet = Sheet::begin(outbox, &Recon::name(&record.stem), seal)?;
        Ok(Self {
            outbox,
            stem: record.stem.clone(),
            view,
            words,
            seal,
            recon: Recon::begin(sheet, record, view)?,
            errors: None,
            extras,
            counted: Tally::default(),
            codes: BTreeMap::new(),
            broken: false,
        })
    }

    /// Adds the next record; rows come in file order.
    pub fn row(&mut self, row: &RecordRow) -> Result<(), ReportError> {
        self.counted.count(row.outcome);
        if let Some(code) = row.code() {
            *self.codes.entry(code).or_default() += 1;
        }
        let written = self.write(row);
        self.broken |= written.is_err();
        written
    }

    /// Puts the files in their places if the rows came to `expected`, the tally when they were committed, and to the
    /// number of `records` that pass 1 read.
    pub fn finish(self, expected: &Tally, records: u64) -> Result<Balance, ReportError> {
        if self.counted != *expected || self.counted.records() != records {
            return Ok(Balance::Unbalanced { counted: self.counted });
        }
        if self.broken {
            let source = io::Error::other("an earlier write failed");
            return Err(ReportError::io("finish", Recon::name(&self.stem).as_ref())(source));
        }
        // All are whole before any is shown.
        let recon = self.recon.finish(&self.counted)?;
        let errors = self.errors.map(Errors::finish).transpose()?;
        let extras = self.extras.into_iter().map(Extra::finish).collect::<Result<Vec<_>, _>>()?;
        let mut outbound = vec![recon.commit()?];
        for more in errors.into_iter().chain(extras) {
            outbound.push(more.commit()?);
        }
        Ok(Balance::Balanced { codes: self.codes, outbound })
    }

    fn write(&mut self, row: &RecordRow) -> Result<(), ReportError> {
        self.recon.row(row)?;
        for extra in &mut self.extras {
            extra.row(row)?;
        }
        if row.outcome == Outcome::Rejected { self.errors()?.rows(row) } else { Ok(()) }
    }

    /// The errors file exists only if there is something to say in it.
    fn errors(&mut self) -> Result<&mut Errors<'a>, ReportError> {
        let errors = match self.errors.take() {
            Some(errors) => errors,
            None => {
                let sheet = Sheet::begin(self.outbox, &Errors::name(&self.stem), self.seal)?;
                Errors::begin(sheet, self.view, self.words)?
            }
        };
        Ok(self.errors.insert(errors))
    }
}
