//! What an operator asks for: to decide a file again, to deliver answers again, to set a sequence, to keep a copy of the
//! store. The same code does it inside a running daemon, asked through its Unix socket, and without one, under the lock.
//!
//! Each action is told to the audit trail, with who asked and why, before it has any effect. A question and its answer are
//! one line of JSON each; neither is ever longer than [`LINE_BYTES_MAX`], and nobody is waited for without end.

pub mod client;
mod find;
mod perform;
mod server;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use find::{Called, Found, find};
pub use perform::{Performer, perform};
pub use server::{Server, ServerError};

/// A question or an answer, line end included.
pub const LINE_BYTES_MAX: usize = 16 << 10;

/// The version of the questions.
const VERSION: u32 = 1;

/// A question as it goes through the socket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    version: u32,
    action: Action,
}

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Decide a refused file again, or let a held one go on.
    Retry {
        /// Which.
        file: Which,
        /// Why.
        reason: String,
        /// Take content that was taken before.
        force: bool,
    },
    /// Write a file's answers again.
    Redeliver {
        /// Which.
        file: Which,
    },
    /// The next sequence number that a feed is expected to bring.
    SetSequence {
        /// The feed.
        feed: String,
        /// The number.
        next: u64,
        /// Why.
        reason: String,
    },
    /// The reports of a day or a month, of every issuer.
    Report {
        /// `YYYY-MM-DD` or `YYYY-MM`.
        of: String,
    },
    /// A consistent copy of the store.
    Backup {
        /// Where to: absolute, and nothing lies there.
        to: PathBuf,
    },
    /// What of the world is broken and waited for now: a question alone, which changes nothing and is not told of.
    WaitedFor,
}

/// A file as an operator names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// An arrival's number, a name or a stem.
    pub words: String,
    /// Its issuer, where a name alone is not enough.
    pub issuer: Option<String>,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is done.
    Done,
    /// It has begun and goes on.
    Begun,
    /// It is not to be done: nothing was changed.
    NotAllowed,
    /// The world failed.
    Failed,
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// How it ended.
    pub outcome: Outcome,
    /// One sentence for a person.
    pub words: String,
    /// What [`Action::WaitedFor`] asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waited_for: Vec<Broken>,
}

/// A part of the world that something waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Which.
    pub part: String,
    /// How.
    pub why: String,
}

impl Answer {
    fn new(outcome: Outcome, words: impl Into<String>) -> Self {
        Self { outcome, words: words.into(), waited_for: Vec::new() }
    }

    fn not_allowed(words: impl Into<String>) -> Self {
        Self::new(Outcome::NotAllowed, words)
    }
}
