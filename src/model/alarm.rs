//! Alarms: what an operator is called for.

use super::{FileNo, Timestamp};

/// What an alarm is about. A closed list; its words are persisted and told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmKind {
    /// An expected file was not accepted in its window.
    FileMissing,
    /// A file is HELD.
    FileHeld,
    /// A file was refused because it ended the process.
    Poisoned,
    /// A source does not answer.
    SourceUnreachable,
    /// A source shows another host key than the ones configured.
    SourceHostKey,
    /// A source does not take our key.
    SourceKey,
    /// A directory of a source is not there or cannot be used.
    SourceDirectory,
    /// Answers cannot be delivered.
    DeliveryFailed,
    /// A report does not balance and was not written.
    ReportUnbalanced,
    /// Not one record of a file could be opened.
    RecordsUnreadable,
}

impl AlarmKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::FileMissing,
        Self::FileHeld,
        Self::Poisoned,
        Self::SourceUnreachable,
        Self::SourceHostKey,
        Self::SourceKey,
        Self::SourceDirectory,
        Self::DeliveryFailed,
        Self::ReportUnbalanced,
        Self::RecordsUnreadable,
    ];

    /// The word that is stored and told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FileMissing => "FILE_MISSING",
            Self::FileHeld => "FILE_HELD",
            Self::Poisoned => "POISONED",
            Self::SourceUnreachable => "SOURCE_UNREACHABLE",
            Self::SourceHostKey => "SOURCE_HOST_KEY",
            Self::SourceKey => "SOURCE_KEY",
            Self::SourceDirectory => "SOURCE_DIRECTORY",
            Self::DeliveryFailed => "DELIVERY_FAILED",
            Self::ReportUnbalanced => "REPORT_UNBALANCED",
            Self::RecordsUnreadable => "RECORDS_UNREADABLE",
        }
    }

    /// The kind of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Whom or what an alarm is about: of one kind there is at most one open alarm a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What tells it from others of its kind.
    pub key: String,
    /// Its feed, if it is of one.
    pub feed: Option<String>,
    /// Its source, if it is one.
    pub source: Option<String>,
    /// The name of its file, if it is one.
    pub file: Option<String>,
}

impl Subject {
    /// A feed's night; `day` is the one on which it ends.
    pub fn night(feed: &str, day: &str) -> Self {
        Self { key: format!("{feed} {day}"), feed: Some(feed.to_owned()), source: None, file: None }
    }

    /// A file. `feed` is empty where no pattern matched its name.
    pub fn file(no: FileNo, name: &str, feed: Option<&str>) -> Self {
        Self { key: no.to_string(), feed: feed.map(str::to_owned), source: None, file: Some(name.to_owned()) }
    }

    /// What a feed's sender seals; the file is the one that shows it.
    pub fn sealing(feed: &str, file: &str) -> Self {
        Self { key: feed.to_owned(), feed: Some(feed.to_owned()), source: None, file: Some(file.to_owned()) }
    }

    /// A source.
    pub fn source(name: &str) -> Self {
        Self { key: name.to_owned(), feed: None, source: Some(name.to_owned()), file: None }
    }

    /// An issuer's report.
    pub fn report(issuer: &str, name: &str) -> Self {
        Self { key: format!("{issuer} {name}"), feed: None, source: None, file: Some(name.to_owned()) }
    }
}

/// An alarm, open or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// What it is about.
    pub kind: AlarmKind,
    /// Its issuer, if it is about one.
    pub issuer: Option<String>,
    /// Whom or what.
    pub subject: Subject,
    /// What happened, in a sentence; of one that is over, how it ended.
    pub what: String,
    /// What to do about it.
    pub next: String,
    /// Since when.
    pub raised_at: Timestamp,
    /// When it was over.
    pub cleared_at: Option<Timestamp>,
}
