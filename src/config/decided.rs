//! The configuration as decided: every value typed, every path absolute, every default filled in.

use std::path::PathBuf;
use std::time::Duration;

use crate::calendar::{Calendar, Daily, Expected};
use crate::model::{EnvelopeKind, Environment, Limits, OaepHash, Retention, ServiceName};
use crate::telemetry::LogFormat;

use super::{Problem, SecretSource, Source};

/// The whole configuration. Holds no secret, only where secrets are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file it was read from, absolute.
    pub file: PathBuf,
    /// SHA-256 of its text: which configuration it was.
    pub sha256: [u8; 32],
    /// TEST or PROD: one for all feeds, since one database holds one of them.
    pub environment: Environment,
    /// `[daemon]`.
    pub daemon: Daemon,
    /// `[limits]`.
    pub limits: Limits,
    /// `[retention]`.
    pub retention: Retention,
    /// `[store]`.
    pub store: Store,
    /// `[vault] key_encryption_key`.
    pub key_encryption_key: SecretSource,
    /// `[reference]`.
    pub reference: Reference,
    /// `[report] daily`.
    pub daily: Option<Daily>,
    /// `[report] timezone` and `holidays`.
    pub calendar: Calendar,
    /// `[alarm] command`: a program and its arguments.
    pub alarm_command: Option<Vec<String>>,
    /// `[telemetry] log`.
    pub log: LogFormat,
    /// `[[issuer]]`, at least one, in the order of the file.
    pub issuers: Vec<Issuer>,
    /// `[[feed]]`, at least one, in the order of the file: the order in which arrivals are numbered.
    pub feeds: Vec<Feed>,
    /// `[[sftp]]`, in the order of the file.
    pub sources: Vec<Source>,
    /// What is allowed and yet unwise.
    pub warnings: Vec<Problem>,
}

/// The part of a configuration that a partner needs to check a file before the drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kit {
    /// `[daemon]`.
    pub daemon: Daemon,
    /// `[limits]`.
    pub limits: Limits,
    /// `[reference]`.
    pub reference: Reference,
    /// `[[issuer]]`, at least one.
    pub issuers: Vec<Issuer>,
    /// `[[feed]]`, at least one. Any of them may be without keys.
    pub feeds: Vec<Feed>,
}

impl Config {
    /// The feeds whose files lie in this issuer's place.
    pub fn feeds_of<'c>(&'c self, issuer: &'c str) -> impl Iterator<Item = &'c Feed> {
        self.feeds.iter().filter(move |feed| feed.issuer == issuer)
    }
}

/// Directories, pace and size of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Copies that are ours, while they are worked on.
    pub work: PathBuf,
    /// Sealed originals of accepted files.
    pub archive: PathBuf,
    /// Sealed originals of refused files.
    pub quarantine: PathBuf,
    /// Where the daemon is asked for actions.
    pub socket: PathBuf,
    /// How long a file must lie unchanged.
    pub settle: Duration,
    /// How long a file that ends early must lie unchanged before it is refused; zero refuses at once.
    pub stalled: Duration,
    /// From one look at the inbound directories to the next.
    pub scan: Duration,
    /// Threads that judge records; 0: one a core.
    pub workers: usize,
    /// Records of a chunk, 1 to 100.
    pub chunk_records: usize,
    /// Chunks read and not yet prepared, at most.
    pub chunks_in_flight: usize,
    /// Records of one commit, at most.
    pub group_records_max: usize,
    /// Whom a sender asks; stands in every ack.
    pub contact: Option<String>,
}

/// Where the ledger, the register and the vault are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The SQLite database.
    pub path: PathBuf,
    /// What its writer may hold in memory: pages, and young fingerprints. The filter of old ones takes up to an eighth besides.
    pub cache_bytes: u64,
}

/// Reference data, CSV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Which card ranges are whose.
    pub account_ranges: PathBuf,
    /// Which products there are.
    pub card_products: Option<PathBuf>,
}

/// A sender of files. Its directories are no other's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// `[A-Z0-9_]{1,16}`.
    pub id: String,
    /// Where its files come in.
    pub inbound: PathBuf,
    /// Where its answers go out.
    pub outbound: PathBuf,
    /// The public key that seals its answers; without one they stay plain.
    pub reply_key: Option<SecretSource>,
    /// What they are sealed as.
    pub reply_envelope: EnvelopeKind,
    /// The enroller's public key, which card objects are sealed for (click-to-pay).
    pub enroll_client_encryption_key: Option<SecretSource>,
    /// The card base currencies it takes, in capitals; `None`: every active one.
    pub currencies: Option<Vec<String>>,
    /// Whether failed PANs in an answer are sealed once more by themselves (pan-lists).
    pub seal_sensitive_data: bool,
}

/// One kind of file from one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// `[A-Za-z0-9_.-]{1,64}`, unique.
    pub name: String,
    /// The [`Issuer::id`].
    pub issuer: String,
    /// What its records are for.
    pub service: ServiceName,
    /// The pattern its files' names match: a glob that compiles.
    pub files: String,
    /// What may seal them.
    pub envelopes: Vec<EnvelopeKind>,
    /// The private keys that open them; at least one if anything but [`EnvelopeKind::None`] is accepted.
    pub keys: Vec<SecretSource>,
    /// How they are written.
    pub format: Format,
    /// Between two cells of CSV: an ASCII character.
    pub delimiter: u8,
    /// TEST or PROD.
    pub environment: Environment,
    /// Whether header and trailer are required.
    pub controls: Controls,
    /// What is asked of the sequence in the header.
    pub sequence: Sequence,
    /// How long an early file waits for the missing one ([`Sequence::Gapless`]).
    pub sequence_wait: Duration,
    /// Whether a file counts as whole only once `NAME.done` lies beside it.
    pub done_marker: bool,
    /// The issuer's id at D1 ([`Format::D1Batch`]).
    pub d1_issuer_id: Option<String>,
    /// The public key that its signatures are verified with ([`Format::D1Batch`]).
    pub jws_key: Option<SecretSource>,
    /// The feeds of the same issuer whose claimed files its own wait for.
    pub after: Vec<String>,
    /// When its files are expected, if they are.
    pub expected: Option<Expected>,
    /// Whether plain text is accepted; never with PROD.
    pub allow_plaintext: bool,
    /// The hash of RSA-OAEP in files sealed by Mastercard payload encryption.
    pub oaep_hash: OaepHash,
}

/// A feed's `format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// By name, then by first byte.
    Auto,
    /// RFC 4180 with control records.
    Csv,
    /// A JSON request a line, with control records.
    Jsonl,
    /// One JSON request or an array of them, without control records.
    Json,
    /// A D1 batch.
    D1Batch,
}

/// A feed's `controls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controls {
    /// A file without header and trailer is refused.
    Required,
    /// It is taken as it is.
    Optional,
}

/// A feed's `sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// Not looked at.
    Off,
    /// Each higher than the last.
    Increasing,
    /// Each the last plus one.
    Gapless,
}
