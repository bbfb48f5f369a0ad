//! A file as the ledger knows it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Code, Environment, Header, ServiceName, Timestamp};

/// An arrival's number: handed out in arrival order, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileNo(pub i64);

impl fmt::Display for FileNo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:08}", self.0)
    }
}

/// What seals a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnvelopeKind {
    /// RFC 7516 compact.
    Jwe,
    /// Mastercard payload encryption.
    Mastercard,
    /// Plain text.
    None,
}

impl EnvelopeKind {
    /// As written in configuration and acks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwe => "jwe",
            Self::Mastercard => "mastercard",
            Self::None => "none",
        }
    }

    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Jwe, Self::Mastercard, Self::None].into_iter().find(|it| it.as_str() == word)
    }
}

/// Where a file stands. Each step is a compare-and-set in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// An intent to claim is written; the copy may not be whole yet.
    Claiming,
    /// The copy is ours, whole and synced.
    Claimed,
    /// Came before its turn; waits for the missing sequence.
    Waiting,
    /// Decided: its settings are fixed.
    Accepted,
    /// Its chunks are being registered.
    Registering,
    /// All its chunks are in.
    Registered,
    /// Its reports but the summary are written.
    Reported,
    /// Turned away (or the same file twice); ack not yet written.
    Refused,
    /// Nothing left to do.
    Done,
    /// Waits for an operator.
    Held,
}

impl State {
    /// All of them, in the order a file passes them.
    pub const ALL: [Self; 10] = [
        Self::Claiming,
        Self::Claimed,
        Self::Waiting,
        Self::Accepted,
        Self::Registering,
        Self::Registered,
        Self::Reported,
        Self::Refused,
        Self::Done,
        Self::Held,
    ];

    /// The word in the ledger and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claiming => "CLAIMING",
            Self::Claimed => "CLAIMED",
            Self::Waiting => "WAITING",
            Self::Accepted => "ACCEPTED",
            Self::Registering => "REGISTERING",
            Self::Registered => "REGISTERED",
            Self::Reported => "REPORTED",
            Self::Refused => "REFUSED",
            Self::Done => "DONE",
            Self::Held => "HELD",
        }
    }

    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What was decided about a file: the ack's `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Decision {
    /// Its records are registered.
    Accepted,
    /// Turned away whole.
    Refused,
    /// The same file again: the first one's answers are delivered again.
    Duplicate,
}

impl Decision {
    /// The ack's `status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Refused => "REFUSED",
            Self::Duplicate => "DUPLICATE",
        }
    }

    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Accepted, Self::Refused, Self::Duplicate].into_iter().find(|it| it.as_str() == word)
    }
}

/// A file that went out, as summary and ledger list it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Outbound {
    /// Its name in the outbound directory.
    pub name: String,
    /// Hex SHA-256 of its content before sealing.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub content_sha256: String,
    /// Hex SHA-256 of its bytes as written.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// Ends of the process in a row while a file was in hand and did not get on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// By a fault of its own: a panic, an abort.
    pub aborts: u32,
    /// By anything else: a kill, a power cut, memory that ran out.
    pub kills: u32,
}

impl Ends {
    /// Aborts after which a file is set aside.
    pub const ABORTS_MAX: u32 = 3;
    /// Kills after which it is.
    pub const KILLS_MAX: u32 = 20;

    /// Whether the file is suspected of ending the process.
    pub const fn suspect(self) -> bool {
        self.aborts > 0
    }

    /// Whether it is set aside.
    pub const fn poisoned(self) -> bool {
        self.aborts >= Self::ABORTS_MAX || self.kills >= Self::KILLS_MAX
    }
}

/// Everything the ledger says of one file; the source of ack, recon header and summary.
#[derive(Clone, Debug)]
pub struct FileRecord {
    /// Arrival number.
    pub no: FileNo,
    /// As received.
    pub name: String,
    /// What its outbound files are called; unique for an issuer.
    pub stem: String,
    /// The issuer in whose place it lay.
    pub issuer: String,
    /// The feed whose pattern it matched; `None` for none or two.
    pub feed: Option<String>,
    /// The feed's service.
    pub service: Option<ServiceName>,
    /// The feed's environment.
    pub environment: Option<Environment>,
    /// Where it stands.
    pub state: State,
    /// What was decided; `None` before.
    pub decision: Option<Decision>,
    /// The refusal's code.
    pub code: Option<Code>,
    /// The refusal's line.
    pub line: Option<u64>,
    /// The refusal's sentence.
    pub description: Option<String>,
    /// Bytes as received.
    pub bytes: u64,
    /// Hex SHA-256 as received; `None` until the copy is whole.
    pub sha256: Option<String>,
    /// What sealed it.
    pub envelope: Option<EnvelopeKind>,
    /// The key that opened it.
    pub key_id: Option<String>,
    /// Its header, where it has one.
    pub header: Option<Header>,
    /// Records read in pass 1.
    pub records: Option<u64>,
    /// The sequence expected next from this feed.
    pub next_sequence: Option<u64>,
    /// Name of the file this one repeats.
    pub duplicate_of: Option<String>,
    /// When it was claimed.
    pub received_at: Timestamp,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// When its first chunk was begun.
    pub started_at: Option<Timestamp>,
    /// When its last chunk was committed.
    pub finished_at: Option<Timestamp>,
    /// When nothing was left to do.
    pub done_at: Option<Timestamp>,
    /// The source that it was fetched from; `None` for one that lay in a directory.
    pub source: Option<String>,
    /// Why it waits for an operator, while it does.
    pub held_why: Option<String>,
    /// The state that it goes on from when the operator lets it.
    pub held_from: Option<State>,
    /// Ends of the process in a row, without progress, while it was in hand.
    pub ends: Ends,
    /// An operator had it decided again: its original is gone, and there is nothing to wait for if it ends early.
    pub retried: bool,
}
