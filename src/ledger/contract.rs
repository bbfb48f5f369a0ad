//! The contract that every store keeps.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    BatchKey, Decision, EnvelopeKind, Environment, FileNo, FileRecord, Header, Outbound, RecordRow, Refusal,
    ServiceName, State, Tally, Timestamp,
};
use crate::services::{PreparedChunk, Register};
use crate::vault::WrappedKey;

use super::{
    AlarmBook, Anchor, AuditEntry, AuditRow, Delivery, Finding, LedgerError, NightBook, Order, Remote, ReportBook,
    SourceStanding, Taken, Verified,
};

/// An intent to claim: written before the copy is begun.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The issuer in whose place the file lies.
    pub issuer: String,
    /// The file's name.
    pub name: String,
    /// The stem that its outbound files would have if no earlier arrival used it.
    pub stem: String,
    /// The feed whose pattern it matched.
    pub feed: Option<String>,
    /// The feed's service.
    pub service: Option<ServiceName>,
    /// The feed's environment.
    pub environment: Option<Environment>,
    /// What tells the original again, as the intake writes it.
    pub identity: String,
    /// Where it lies, if that is on a partner's server.
    pub remote: Option<Remote>,
    /// Its size.
    pub bytes: u64,
    /// Now.
    pub at: Timestamp,
}

/// How a feed's sequence numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SequenceRule {
    /// Not looked at.
    Off,
    /// Above the last accepted one.
    Increasing,
    /// The one after the last accepted one.
    Gapless,
}

/// A file proven whole, to be accepted or not.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The file.
    pub no: FileNo,
    /// Its issuer.
    pub issuer: String,
    /// Its feed.
    pub feed: String,
    /// Its service.
    pub service: ServiceName,
    /// Its batch key, where it has a header.
    pub key: Option<BatchKey>,
    /// Its header.
    pub header: Option<Header>,
    /// SHA-256 of its records in clear.
    pub content_digest: [u8; 32],
    /// Records in it.
    pub records: u64,
    /// What sealed it.
    pub envelope: EnvelopeKind,
    /// The key that opened it.
    pub key_id: Option<String>,
    /// How its feed's sequence is kept.
    pub sequence: SequenceRule,
    /// What the trail is told with the acceptance, before it.
    pub told: Option<AuditEntry>,
    /// And after it.
    pub told_then: Option<AuditEntry>,
    /// Everything that is fixed for this file from now on, as the pipeline reads it back.
    pub settings: String,
    /// Now.
    pub at: Timestamp,
}

/// What was decided; see `files.md` §1.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// Accepted, and written so.
    Accepted,
    /// Same key, same content: nothing was written.
    Duplicate(FileNo),
    /// Same key, other content: the name of the first file. Nothing was written.
    BatchReused(String),
    /// New key, content seen before: the name of the first file. Nothing was written.
    DuplicateContent(String),
    /// The sequence is not above the last one: the one expected. Nothing was written.
    SequenceOld(u64),
    /// The sequence is beyond the next one: the one expected. Nothing was written.
    SequenceGap(u64),
}

/// A refusal to be written, with what was learnt of the file before.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// What sealed it, where that was found.
    pub envelope: Option<EnvelopeKind>,
    /// The key that opened it, where one did.
    pub key_id: Option<String>,
    /// Its header, where it has a good one.
    pub header: Option<Header>,
    /// Records in it, where they were counted.
    pub records: Option<u64>,
    /// The first file, where this one repeats it: the decision is then DUPLICATE.
    pub duplicate_of: Option<FileNo>,
    /// Now.
    pub at: Timestamp,
}

/// Chunks of one file, in order, ready to be committed together.
pub struct Group<'a> {
    /// The file.
    pub no: FileNo,
    /// Its issuer.
    pub issuer: &'a str,
    /// Now: the minute in which the register changes.
    pub at: Timestamp,
    /// When the registration began.
    pub began: Timestamp,
    /// The chunks; their rows leave with final outcomes.
    pub chunks: &'a mut [PreparedChunk],
}

/// Where a file's registration stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The settings fixed when it was accepted.
    pub settings: String,
    /// Chunks committed: the index of the first missing one.
    pub chunks: u64,
    /// Tally of the records committed.
    pub tally: Tally,
    /// SHA-256 of its records in clear.
    pub content_digest: [u8; 32],
    /// What tells the original again.
    pub identity: String,
    /// Since when its rows are gone, in part or whole: its reports cannot be made any more.
    pub results_purged_at: Option<Timestamp>,
}

/// A file whose outbound files may have been kept long enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlived {
    /// The file.
    pub no: FileNo,
    /// Its issuer.
    pub issuer: String,
    /// The stem of its outbound files.
    pub stem: String,
    /// The names of its outbound files, where the ledger knows them all.
    pub outbound: Option<Vec<String>>,
}

/// Rows that retention took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purged {
    /// Of which file.
    pub no: FileNo,
    /// How many chunks.
    pub chunks: u64,
    /// Whether none is left.
    pub whole: bool,
}

/// A file with all that became of it so far.
#[derive(Clone, Debug)]
pub struct Account {
    /// The file.
    pub record: FileRecord,
    /// Its records committed so far.
    pub tally: Tally,
    /// Every file that went out for it.
    pub outbound: Vec<Outbound>,
    /// Since when these have been kept long enough, and are gone.
    pub outbound_purged_at: Option<Timestamp>,
    /// The same of its records' rows.
    pub results_purged_at: Option<Timestamp>,
}

/// Which files a reader asks for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Received at or after the first and before the second.
    pub received: Option<(Timestamp, Timestamp)>,
    /// In this state.
    pub state: Option<State>,
    /// Decided so.
    pub decision: Option<Decision>,
}

/// How a file is taken up again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reopen {
    /// HELD → the state that it was held in.
    GoOn(State),
    /// Refused and DONE → CLAIMED, to be decided again as a file of this feed.
    Decide {
        /// The feed that its name matches now.
        feed: Option<String>,
        /// The feed's service.
        service: Option<ServiceName>,
        /// The feed's environment.
        environment: Option<Environment>,
        /// Its content may be taken a second time.
        release: bool,
    },
}

/// What `nightdrop status` shows of the store.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Files by state and decision.
    pub counts: Vec<(State, Option<String>, u64)>,
    /// Files with work left, and the newest ones.
    pub files: Vec<Account>,
    /// Each feed that ever had a file accepted, and when it had its last.
    pub feeds: Vec<(String, Timestamp)>,
}

/// What a version of reference data is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceKind {
    /// `account_ranges.csv`.
    AccountRanges,
    /// `card_products.csv`.
    CardProducts,
}

/// The durable account. Every write is one transaction: it is there whole after the call, or not at all.
#[async_trait]
pub trait Ledger: AlarmBook + NightBook + ReportBook + Send + Sync {
    /// A pinned value, `None` if it was never set.
    async fn pinned(&self, key: &str) -> Result<Option<String>, LedgerError>;
    /// Pins a value that must not change any more; one pinned before stays and is given back.
    async fn pin(&self, key: &'static str, value: &str) -> Result<String, LedgerError>;
    /// An issuer's wrapped keys; none before its first use.
    async fn keys(&self, issuer: &str) -> Result<Vec<WrappedKey>, LedgerError>;
    /// Keeps an issuer's first keys; if another start was faster, nothing is written.
    async fn keep_keys(&self, issuer: &str, keys: &[WrappedKey]) -> Result<(), LedgerError>;
    /// Keeps a version of reference data; one kept before stays.
    async fn keep_reference(&self, kind: ReferenceKind, digest: &[u8; 32], content: &[u8]) -> Result<(), LedgerError>;
    /// A kept version.
    async fn reference(&self, digest: &[u8; 32]) -> Result<Vec<u8>, LedgerError>;

    /// Writes the intent to claim, and fixes arrival number and stem.
    async fn claim(&self, claim: &Claim) -> Result<FileRecord, LedgerError>;
    /// The copy is whole: CLAIMING → CLAIMED.
    async fn claimed(&self, no: FileNo, sha256: Option<&str>, bytes: u64) -> Result<(), LedgerError>;
    /// Takes an intent or a claim back, number and all; only before anything was decided.
    async fn unclaim(&self, no: FileNo, at: Timestamp) -> Result<(), LedgerError>;
    /// All files that are not DONE, by arrival number, with the identity of their originals.
    async fn open_files(&self) -> Result<Vec<(FileRecord, String)>, LedgerError>;
    /// The file that this one repeats.
    async fn first_of(&self, no: FileNo) -> Result<Option<FileRecord>, LedgerError>;
    /// One file.
    async fn file(&self, no: FileNo) -> Result<FileRecord, LedgerError>;

    /// Accepts a file, or says why not (`files.md` §1.4), guarded by unique rows.
    async fn decide(&self, candidate: &Candidate) -> Result<Decided, LedgerError>;
    /// What [`Self::decide`] would say now; changes nothing.
    async fn foresee(&self, candidate: &Candidate) -> Result<Decided, LedgerError>;
    /// What the register of an issuer holds of what these chunks ask for; changes nothing. `None` where they ask for nothing
    /// or nothing is held of the issuer.
    async fn touched(
        &self,
        no: FileNo,
        issuer: &str,
        chunks: &mut [PreparedChunk],
    ) -> Result<Option<Register>, LedgerError>;
    /// Writes a refusal or a duplicate: CLAIMED or WAITING → REFUSED.
    async fn refuse(&self, no: FileNo, refused: &Refused, next_sequence: Option<u64>) -> Result<(), LedgerError>;
    /// A step, with the list of what goes out for the file where it is known by then; refuses if the file is not in `from`.
    async fn advance(
        &self,
        no: FileNo,
        from: &[State],
        to: State,
        at: Timestamp,
        outbound: Option<&[Outbound]>,
    ) -> Result<(), LedgerError>;
    /// A file waits for an operator, wherever it stands; one that is HELD already stays as it is.
    async fn hold(&self, no: FileNo, why: &str, at: Timestamp) -> Result<(), LedgerError>;
    /// The process ended, by a fault of its own or not, while these files were in hand.
    async fn count_ends(&self, files: &[FileNo], own_fault: bool) -> Result<(), LedgerError>;
    /// A held or refused file is taken up again, and the trail tells who let it.
    async fn reopen(&self, no: FileNo, how: &Reopen, told: &AuditEntry) -> Result<(), LedgerError>;
    /// The next sequence number that a feed is expected to bring, and the trail tells who set it.
    async fn set_sequence(&self, feed: &str, next: u64, told: &AuditEntry) -> Result<(), LedgerError>;
    /// What tells a file's original again, as the intake wrote it.
    async fn identity(&self, no: FileNo) -> Result<String, LedgerError>;
    /// A consistent copy of the store at a path where nothing lies, while it is written to. It has its name only once the
    /// trail tells of it.
    async fn backup(&self, to: &Path, told: &AuditEntry) -> Result<(), LedgerError>;
    /// Where a file's registration stands.
    async fn standing(&self, no: FileNo) -> Result<Standing, LedgerError>;
    /// An accepted file, and where its registration stands.
    async fn file_and_standing(&self, no: FileNo) -> Result<(FileRecord, Standing), LedgerError>;
    /// Whether no other file of its feed was registered after this one.
    async fn is_newest_registered(&self, no: FileNo) -> Result<bool, LedgerError>;
    /// Commits chunks with everything they register, in one transaction: ACCEPTED or REGISTERING → REGISTERING or, once as many
    /// records are in as were read of the file, REGISTERED.
    async fn commit(&self, group: Group<'_>) -> Result<(), LedgerError>;
    /// Committed chunks' rows, from chunk `from` on, at most `count` chunks.
    async fn rows(&self, no: FileNo, from: u64, count: u64) -> Result<Vec<RecordRow>, LedgerError>;

    /// The files that were taken from a source and are not known to be gone from there, in order of arrival.
    async fn taken(&self, source: &str) -> Result<Vec<Taken>, LedgerError>;
    /// One of them is gone, removed or not: what comes under its name is another.
    async fn remote_gone(&self, id: i64, at: Timestamp) -> Result<(), LedgerError>;
    /// Writes into the delivery journal what is to go out to sources, in the order in which it must appear. What is there, or is to
    /// go out already, with the same bytes, is passed over unless it is to go out again.
    async fn deliver(&self, orders: &[Order], at: Timestamp) -> Result<(), LedgerError>;
    /// What is to go out to a source, in order.
    async fn deliveries_due(&self, source: &str) -> Result<Vec<Delivery>, LedgerError>;
    /// What the journal says of a file's answers.
    async fn deliveries_of(&self, no: FileNo) -> Result<Vec<Delivery>, LedgerError>;
    /// A try to deliver: when it was there, or why it was not.
    async fn delivery_tried(&self, id: i64, ended: Result<Timestamp, &str>) -> Result<(), LedgerError>;
    /// How it stands with a source from now on. Its backlog is counted when it is read.
    async fn source_stands(&self, standing: &SourceStanding) -> Result<(), LedgerError>;
    /// Every source that ever stood in some way.
    async fn sources(&self) -> Result<Vec<SourceStanding>, LedgerError>;

    /// Writes into the audit trail: before the effect that the entry tells of. What is decided about files is told by the calls that
    /// decide it.
    async fn audit(&self, entry: &AuditEntry) -> Result<(), LedgerError>;
    /// The trail's newest row.
    async fn audit_head(&self) -> Result<Option<Anchor>, LedgerError>;
    /// Follows the trail from its first row to its head, and compares anchors: whole, or the first thing that is wrong.
    async fn audit_verify(&self, anchors: &[Anchor]) -> Result<Result<Verified, Finding>, LedgerError>;
    /// Rows of the trail from number `from` on, at most `count`.
    async fn audit_rows(&self, from: i64, count: u32) -> Result<Vec<AuditRow>, LedgerError>;
    /// What the trail tells of a file.
    async fn audit_of(&self, no: FileNo) -> Result<Vec<AuditRow>, LedgerError>;
    /// The time that retention goes by: `now`, but never more than `step` after what the last call gave. A clock that
    /// jumps ahead then ages nothing by more than a step at a call. The first call starts from the newest file.
    async fn retention_clock(&self, now: Timestamp, step: Duration) -> Result<Timestamp, LedgerError>;
    /// Files done before `before` whose outbound files were not purged yet, by number, after `after`, at most `count`.
    async fn outlived(&self, before: Timestamp, after: FileNo, count: u32) -> Result<Vec<Outlived>, LedgerError>;
    /// A file's outbound files are gone since `at`, until they go out again.
    async fn outbound_purged(&self, no: FileNo, at: Timestamp) -> Result<(), LedgerError>;
    /// Takes away at most `chunks_max` chunks of the oldest file done before `before`, its last ones first, and writes
    /// that its results are purged, into the trail too. What they registered stays. `None`: no such file.
    async fn purge_results(
        &self,
        before: Timestamp,
        chunks_max: u64,
        at: Timestamp,
    ) -> Result<Option<Purged>, LedgerError>;

    /// The files that an operator may mean by `words` (an arrival's number, a name or a stem), the newest first.
    async fn find(&self, words: &str) -> Result<Vec<FileRecord>, LedgerError>;
    /// One file's account.
    async fn account(&self, no: FileNo) -> Result<Account, LedgerError>;
    /// The accounts of selected files with numbers above `after`, at most `count`, by number.
    async fn accounts(&self, of: &Selection, after: FileNo, count: u32) -> Result<Vec<Account>, LedgerError>;
    /// The figures for `status`.
    async fn overview(&self, newest: u32) -> Result<Overview, LedgerError>;
    /// Begins to read what the first registration would have to wait for. Whoever does not ask for it waits then.
    fn read_ahead(&self) {}
    /// Marks a clean stop and closes.
    async fn close(&self) -> Result<(), LedgerError>;
}

/// A sequence as the database holds it: `-1` where the sender gives none.
pub fn batch_sequence(key: &BatchKey) -> i64 {
    key.sequence.and_then(|sequence| i64::try_from(sequence).ok()).unwrap_or(-1)
}
