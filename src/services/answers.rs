//! Answers as the programs' own APIs give them, request by request.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{AnswerFile, Answers, FileRecord, Place, RecordRow};
use crate::vault::IssuerKeys;

/// What a file's answers are made with.
pub struct Answering<'a> {
    /// The file.
    pub file: &'a FileRecord,
    /// It came as requests of the API, and not as CSV.
    pub requests: bool,
    /// It came as a D1 batch: the issuer's id there, and how many rows it has.
    pub d1_batch: Option<(&'a str, u64)>,
    /// Answers are sealed for the issuer's reply key.
    pub sealed: bool,
    /// Opens what the rows hold sealed by the vault.
    pub keys: &'a Arc<IssuerKeys>,
    /// Seals a part of an answer by itself, where the issuer wants it so.
    pub seal_sensitive: Option<SealPart>,
}

/// Begins a part that is sealed by itself, as a compact JWE that runs into a sink while it is written.
pub type SealPart = Arc<dyn Fn(Sink) -> io::Result<Box<dyn SealedPart>> + Send + Sync>;

/// Seals a text for someone: a compact JWE.
pub type SealText = Arc<dyn Fn(&[u8]) -> io::Result<String> + Send + Sync>;

/// Takes the plaintext of such a part.
pub trait SealedPart: Write + Send {
    /// Ends it.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Bytes on their way from one who writes them to one who takes them.
#[derive(Clone, Default)]
pub struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    /// What was written since the last call.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An answer as JSON, without a line end.
pub enum Answer {
    /// One record's part of the answer to its request.
    Record(Vec<u8>),
    /// The answer to the whole request, whatever its other records are.
    Request(Vec<u8>),
}

/// `STEM.response.jsonl` of an API that answers record by record: a line a request, an array for an array, an object for
/// an object.
pub struct PerRequest {
    answer: fn(&RecordRow) -> Answer,
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

impl PerRequest {
    /// The response file of a service that answers each record with `answer`.
    pub fn file(answer: fn(&RecordRow) -> Answer) -> AnswerFile {
        AnswerFile { suffix: RESPONSE, sealed: true, answers: Box::new(Self { answer, open: Open::Nothing }) }
    }

    fn end_request(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Array => out.extend_from_slice(b"]\n"),
            Open::Whole => out.push(b'\n'),
        }
    }
}

/// What follows the stem in a response's name.
pub const RESPONSE: &str = ".response.jsonl";

impl Answers for PerRequest {
    fn row(&mut self, row: &RecordRow, out: &mut Vec<u8>) -> io::Result<()> {
        if row.place == Place::Next && self.open == Open::Whole {
            return Ok(());
        }
        let begins = row.place != Place::Next;
        if begins {
            self.end_request(out);
        }
        match (self.answer)(row) {
            Answer::Request(json) => {
                self.open = Open::Whole;
                out.extend_from_slice(&json);
            }
            Answer::Record(json) if row.place == Place::Object || row.place == Place::Row => {
                self.open = Open::Whole;
                out.extend_from_slice(&json);
            }
            Answer::Record(json) => {
                self.open = Open::Array;
                out.push(if begins { b'[' } else { b',' });
                out.extend_from_slice(&json);
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.end_request(out);
        Ok(())
    }
}
