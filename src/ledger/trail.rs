//! The audit trail: who did what, when, and with which key, as a chain of rows.
//!
//! Each row's hash covers the row and the hash of the row before it, so that no row can be changed, taken out, put in or moved
//! without the next one telling. The newest number and hash stand beside the rows as their **head**, so that a cut end is found;
//! and heads are said in the log from time to time as **anchors**, so that a chain that was made anew from some row on is found by
//! whoever keeps the log elsewhere. The chain has no key: it proves itself to anyone who can read it.
//!
//! ```text
//! hash     = SHA-256(field(version) field(seq) field(at) field(event) field(actor) optional(issuer) optional(file)
//!                    field(detail) field(hash of row seq - 1; 32 zero bytes before row 1))
//! field    = length in bytes, 8 bytes big-endian; the bytes. A number is 8 bytes big-endian, a word its UTF-8.
//! optional = field(01) field(value), or field(00) field(nothing)
//! ```
//!
//! Stores only keep rows and give them back; what a row says and how rows are chained is here. A detail must never hold a card
//! number, a key, or a value of a record.

mod verify;

use std::fmt;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::model::{FileNo, Timestamp, hex};

pub use verify::{Finding, Verified, Verifier};

/// The form of a row and of what its hash covers.
pub const TRAIL_VERSION: i64 = 1;

/// What happened: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuditEvent {
    /// The daemon began.
    Started,
    /// The daemon ended as it should, or because it could not go on.
    Stopped,
    /// What files are taken by from now on: digests of the configuration, of every key it names, of reference data.
    Configuration,
    /// A new configuration was not taken up.
    ReloadRefused,
    /// Keys of an issuer were made for the vault.
    KeyMade,
    /// A key is used for a file: to open it, for its records, or to seal its answers.
    KeyUsed,
    /// A file is taken from an issuer's place.
    FileClaimed,
    /// A claim was taken back before anything was decided: the original stays where it lies.
    FilePutBack,
    /// A file's records are registered from now on.
    FileAccepted,
    /// A file is turned away whole.
    FileRefused,
    /// A file is the same as an earlier one.
    FileDuplicate,
    /// A file waits for an operator.
    FileHeld,
    /// A file ended the process several times, and is turned away for it.
    FilePoisoned,
    /// A person asked for something.
    Action,
    /// Somebody, or something, was not let in.
    AccessFailed,
    /// What was kept long enough is deleted.
    Retention,
}

impl AuditEvent {
    /// The word in the trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Configuration => "configuration",
            Self::ReloadRefused => "reload_refused",
            Self::KeyMade => "key_made",
            Self::KeyUsed => "key_used",
            Self::FileClaimed => "file_claimed",
            Self::FilePutBack => "file_put_back",
            Self::FileAccepted => "file_accepted",
            Self::FileRefused => "file_refused",
            Self::FileDuplicate => "file_duplicate",
            Self::FileHeld => "file_held",
            Self::FilePoisoned => "file_poisoned",
            Self::Action => "action",
            Self::AccessFailed => "access_failed",
            Self::Retention => "retention",
        }
    }
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// nightdrop by itself.
    Daemon,
    /// The user of the operating system who asked for it.
    Uid(u32),
}

impl fmt::Display for Actor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon => out.write_str("daemon"),
            Self::Uid(uid) => write!(out, "uid {uid}"),
        }
    }
}

/// Something to be written into the trail.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: AuditEvent,
    /// Who.
    pub actor: Actor,
    /// Whose files or keys, where it is one issuer's.
    pub issuer: Option<String>,
    /// The file, where it is about one.
    pub file: Option<FileNo>,
    /// What else there is to say, in words of our own.
    pub detail: Map<String, Value>,
}

impl AuditEntry {
    /// An entry without detail.
    pub fn new(at: Timestamp, event: AuditEvent, actor: Actor) -> Self {
        Self { at, event, actor, issuer: None, file: None, detail: Map::new() }
    }

    /// The same, about an issuer.
    #[must_use]
    pub fn of_issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.to_owned());
        self
    }

    /// The same, about a file.
    #[must_use]
    pub const fn of_file(mut self, no: FileNo) -> Self {
        self.file = Some(no);
        self
    }

    /// The same, with one more thing said.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.detail.insert(key.to_owned(), value.into());
        self
    }
}

/// A place in the chain: a row's number and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The row's number; the first is 1.
    pub seq: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Anchor {
    /// Reads `SEQ:HASH`, as [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let (seq, hash) = text.split_once(':')?;
        Self::from_parts(seq, hash)
    }

    /// From a number and 64 hex digits.
    pub fn from_parts(seq: &str, digits: &str) -> Option<Self> {
        let seq = seq.parse().ok().filter(|seq| *seq > 0)?;
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut hash = [0; 32];
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok()?;
        }
        Some(Self { seq, hash })
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.seq, hex(&self.hash))
    }
}

/// A row as it is kept. Words stay bytes: a row that somebody changed may hold anything, and must still be read and told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number: one more than the row before it.
    pub seq: i64,
    /// [`TRAIL_VERSION`] when it was written.
    pub version: i64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// [`AuditEvent::as_str`].
    pub event: Vec<u8>,
    /// [`Actor`], displayed.
    pub actor: Vec<u8>,
    /// The issuer's id.
    pub issuer: Option<Vec<u8>>,
    /// The file's number.
    pub file: Option<i64>,
    /// A JSON object.
    pub detail: Vec<u8>,
    /// What the chain says of all this.
    pub hash: Vec<u8>,
}

impl AuditRow {
    /// The row that follows `head` and says this.
    pub fn next(head: Option<&Anchor>, entry: &AuditEntry) -> Self {
        let mut row = Self {
            seq: head.map_or(0, |head| head.seq) + 1,
            version: TRAIL_VERSION,
            at: entry.at.0,
            event: entry.event.as_str().into(),
            actor: entry.actor.to_string().into_bytes(),
            issuer: entry.issuer.as_ref().map(|issuer| issuer.clone().into_bytes()),
            file: entry.file.map(|no| no.0),
            detail: Value::Object(entry.detail.clone()).to_string().into_bytes(),
            hash: Vec::new(),
        };
        row.hash = row.digest(&before(head)).to_vec();
        row
    }

    /// What its hash must be after a row of this hash. Every field goes in with its length, so that no two rows read the same.
    pub fn digest(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        let (file, issuer) = (self.file.map(i64::to_be_bytes), self.issuer.as_deref());
        for number in [self.version, self.seq, self.at] {
            field(&number.to_be_bytes());
        }
        field(&self.event);
        field(&self.actor);
        for optional in [issuer, file.as_ref().map(|file| &file[..])] {
            field(&[u8::from(optional.is_some())]);
            field(optional.unwrap_or_default());
        }
        field(&self.detail);
        field(previous);
        hash.finalize().into()
    }

    /// Where it stands.
    pub fn anchor(&self) -> Option<Anchor> {
        Some(Anchor { seq: self.seq, hash: self.hash.as_slice().try_into().ok()? })
    }
}

/// What stands in the place of a row before the first.
const NOTHING: [u8; 32] = [0; 32];

pub(super) fn before(head: Option<&Anchor>) -> [u8; 32] {
    head.map_or(NOTHING, |head| head.hash)
}

#[cfg(test)]
mod tests;
