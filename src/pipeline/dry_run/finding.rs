//! One thing that is wrong with a file, and everything there is to say of it.

use crate::model::explain::{describe, explain, remedy};
use crate::model::{Code, Failure, Masked, RecordRow, Refusal, View};

use super::Excerpt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It refuses the file or rejects the record.
    Error,
    /// It is to be known about: the file would come to nothing, but nothing is wrong with it.
    Note,
}

/// See the module.
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The code it would get; `None` for a file that would never be taken.
    pub code: Option<Code>,
    /// Where: the line of the plaintext on which the record starts.
    pub line: Option<u64>,
    /// The field, where it is one field.
    pub field: Option<&'static str>,
    /// The record's reference, unless it failed its rule.
    pub record_ref: Box<str>,
    /// What was found and what is expected.
    pub description: String,
    /// What to do.
    pub remedy: &'static str,
    /// Whose move it is.
    pub owner: &'static str,
    /// Whether sending it again mended can help.
    pub recoverable: bool,
    /// What may be shown of the PAN.
    pub masked: Masked,
    /// The line itself, what must not be shown in it hidden.
    pub excerpt: Option<Excerpt>,
}

impl Finding {
    /// A file that is left where it lies.
    pub fn never_taken(why: &str) -> Self {
        Self {
            level: Level::Error,
            code: None,
            line: None,
            field: None,
            record_ref: Box::default(),
            description: format!("The file would never be taken: {why}."),
            remedy: "Give the file its agreed name once it is whole.",
            owner: "sender",
            recoverable: true,
            masked: Masked::NONE,
            excerpt: None,
        }
    }

    pub(super) fn of_file(refusal: &Refusal, excerpt: Option<Excerpt>) -> Self {
        let said = explain(refusal.code);
        Self {
            level: if refusal.code == Code::DuplicateFile { Level::Note } else { Level::Error },
            code: Some(refusal.code),
            line: refusal.line,
            field: None,
            record_ref: Box::default(),
            description: refusal.description.clone(),
            remedy: said.remedy,
            owner: said.owner.as_str(),
            recoverable: said.recoverable,
            masked: Masked::NONE,
            excerpt,
        }
    }

    pub(super) fn of_record(row: &RecordRow, failure: Failure, view: View, excerpt: Option<Excerpt>) -> Self {
        // Failure::WHOLE lies beyond every service's columns.
        let field = view.field(failure.field);
        Self {
            level: Level::Error,
            code: Some(failure.code),
            line: Some(row.line),
            field: field.map(|field| field.name),
            record_ref: row.record_ref.as_str().into(),
            description: describe(failure.code, view.service, field),
            remedy: remedy(failure.code),
            owner: explain(failure.code).owner.as_str(),
            recoverable: failure.code.recoverable(),
            masked: row.masked,
            excerpt,
        }
    }
}
