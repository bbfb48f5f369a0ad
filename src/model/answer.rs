//! Outbound files that a service writes beside recon and errors, as the report stage needs to know them.

use std::io;

/// Writes a file from the rows of the ledger, one after another in file order. Keeps no more than the request it is in.
pub trait Answers: Send {
    /// Appends what comes before the first record.
    fn begin(&mut self, _out: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }

    /// Appends what the next record adds.
    fn row(&mut self, row: &super::RecordRow, out: &mut Vec<u8>) -> io::Result<()>;

    /// Appends what comes after the last record.
    fn end(&mut self, _out: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }
}

/// Such a file.
pub struct AnswerFile {
    /// What follows the stem in its name: `.response.jsonl`.
    pub suffix: &'static str,
    /// Whether it holds card data, and so is sealed for the issuer's reply key.
    pub sealed: bool,
    /// Writes it.
    pub answers: Box<dyn Answers>,
}
