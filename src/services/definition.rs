//! What everything around them needs to know of a service.

use crate::model::{AnswerFile, Code, Columns, RecordRow, View};
use crate::vault::Sealing;

use super::sample::Sampling;
use super::{Answering, Judge, PreparedChunk, Record};

/// A service, as the pipeline, the reports and the commands know it.
pub struct Definition {
    /// Its inbound columns.
    pub columns: &'static Columns,
    /// Its name, and its records as reports show them.
    pub view: View,
    /// Whether its records may hold JWEs of their own, for the feed's keys.
    pub sealed_parts: bool,
    /// What must be configured for it.
    pub needs: &'static [Need],
    /// Whether a committed row says all there is to say of it, whatever comes after it in the file; `None` where that is not known
    /// before the file is registered.
    pub answers_ahead: Option<fn(&RecordRow) -> bool>,
    /// The files it answers with beside recon and errors.
    pub answers: fn(&Answering<'_>) -> Vec<AnswerFile>,
    /// JSON Schemas of what it answers in JSON: what the schema is of (`response`), and what it is.
    pub answer_schemas: fn() -> Vec<(&'static str, serde_json::Value)>,
    /// What its program's own API says in place of our codes.
    pub api: Api,
    /// Judges one record: adds its row to the chunk, and what it asks of the register.
    pub judge: fn(&Judge, &mut Sealing, Record<'_>, &mut PreparedChunk),
    /// Makes synthetic records.
    pub sample: &'static Sampling,
}

/// What a service needs beside its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Card products.
    CardProducts,
    /// The issuer's key of the enroller.
    EnrollKey,
}

/// The words of a program's own API: what `nightdrop explain` shows beside a code.
#[derive(Clone, Copy, Debug)]
pub struct Api {
    /// What answers with them, as it is shown.
    pub of: &'static str,
    /// A code may have several, by the field or the request.
    pub words: &'static [(Code, &'static str)],
}

impl Api {
    /// For a service whose program answers with none.
    pub const NONE: Self = Self { of: "", words: &[] };

    /// What it says in place of a code.
    pub fn words_for(&self, code: Code) -> impl Iterator<Item = &'static str> {
        self.words.iter().filter(move |(of, _)| *of == code).map(|&(_, word)| word)
    }
}
