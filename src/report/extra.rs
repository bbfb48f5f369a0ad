//! A file that the service of the records writes beside recon and errors: response, enroll, notifications and others.

use zeroize::Zeroizing;

use crate::model::{AnswerFile, Answers, RecordRow};

use super::sheet::{Finished, Sheet};
use super::{Outbox, ReportError, Seal};

/// Services write less than this at once, so that the room does not grow and leave a copy behind.
const ROOM_BYTES: usize = 512 << 10;

pub(super) struct Extra<'a> {
    sheet: Sheet<'a>,
    answers: Box<dyn Answers>,
    /// What the service writes may hold card numbers: wiped.
    room: Zeroizing<Vec<u8>>,
}

impl<'a> Extra<'a> {
    pub(super) fn begin(
        outbox: &Outbox,
        stem: &str,
        file: AnswerFile,
        seal: Option<&'a dyn Seal>,
    ) -> Result<Self, ReportError> {
        let sheet = Sheet::begin(outbox, &format!("{stem}{}", file.suffix), seal.filter(|_| file.sealed))?;
        let mut extra = Self { sheet, answers: file.answers, room: Zeroizing::new(Vec::with_capacity(ROOM_BYTES)) };
        let begun = extra.answers.begin(&mut extra.room);
        extra.pour(begun)?;
        Ok(extra)
    }

    pub(super) fn row(&mut self, row: &RecordRow) -> Result<(), ReportError> {
        let written = self.answers.row(row, &mut self.room);
        self.pour(written)
    }

    pub(super) fn finish(mut self) -> Result<Finished, ReportError> {
        let ended = self.answers.end(&mut self.room);
        self.pour(ended)?;
        self.sheet.finish()
    }

    fn pour(&mut self, written: std::io::Result<()>) -> Result<(), ReportError> {
        written.map_err(ReportError::io("write", self.sheet.path()))?;
        self.sheet.bytes(&self.room)?;
        self.room.clear();
        Ok(())
    }
}
