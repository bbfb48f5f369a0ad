//! What the ledger knows of partners' servers: which of their files were taken, and what was delivered to them.

use serde::{Deserialize, Serialize};

use crate::model::{FileNo, Timestamp};

/// What tells a file on a partner's server again. A server says no more of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Remote {
    /// The name of the source.
    pub source: String,
    /// Where it lies there.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written, in seconds since 1970, by the server's clock or the uploader's word.
    pub mtime: u64,
}

/// A file that was taken from a source and is not known to be gone from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The number of its row.
    pub id: i64,
    /// What it was.
    pub remote: Remote,
    /// The arrival that it became.
    pub no: FileNo,
    /// Whether it was decided about: then, and not before, it may be removed.
    pub decided: bool,
}

/// A file that is to go out to a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The source.
    pub source: String,
    /// The issuer whose file it is.
    pub issuer: String,
    /// The arrival that it answers; none for what answers a day.
    pub file: Option<FileNo>,
    /// Its name in the outbound directory, and there.
    pub name: String,
    /// Hex SHA-256 of its bytes.
    pub sha256: String,
    /// Also if the very same bytes were delivered before.
    pub again: bool,
}

/// An order with what became of it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number; they rise in the order in which files must appear.
    pub id: i64,
    /// The source.
    pub source: String,
    /// The arrival that it answers.
    pub file: Option<FileNo>,
    /// Its name.
    pub name: String,
    /// Hex SHA-256 of its bytes.
    pub sha256: String,
    /// When it was ordered.
    pub ordered_at: Timestamp,
    /// When it was there whole.
    pub delivered_at: Option<Timestamp>,
    /// Why the last try failed.
    pub failed: Option<String>,
}

/// How it stands with a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStanding {
    /// Its name.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// A word: `ok`, or what is wrong.
    pub state: String,
    /// What is wrong, in a sentence.
    pub why: Option<String>,
    /// Since when it is so.
    pub since: Timestamp,
    /// When it was last spoken with.
    pub last_contact: Option<Timestamp>,
    /// Files that are still to be delivered.
    pub backlog: u64,
}
