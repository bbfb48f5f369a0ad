//! What the pipeline works with, put together by the root from the configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify, Semaphore, watch};
use zeroize::Zeroizing;

use crate::calendar::{Calendar, Daily, Expected};
use crate::intake::FeedRule;
use crate::ledger::{Ledger, SequenceRule};
use crate::model::{Clock, EnvelopeKind, Environment, Limits, OaepHash, Retention, ServiceName, Unseal};
use crate::open::{self, KeyName, Keyring, Recipient, VerifyKey};
use crate::parse::{Controls, Format};
use crate::register::{self, Stop};
use crate::report::Outbox;
use crate::services::Definition;
use crate::services::reference::{AccountRanges, CardProducts};
use crate::vault::IssuerKeys;

use super::again::Doors;
use super::alarms::Alarms;
use super::source::{Source, SourceDoors};
use super::troubles::Troubles;

/// Everything that one daemon has in its hands.
pub struct Site {
    /// The durable account.
    pub ledger: Arc<dyn Ledger>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// 32 bytes from the system's source of randomness, new ones each time.
    pub entropy: fn() -> std::io::Result<Zeroizing<[u8; 32]>>,
    /// What files are taken by from now on.
    pub setup: Current,
    /// Copies of our own.
    pub work: PathBuf,
    /// Sealed originals of accepted files.
    pub archive: PathBuf,
    /// Refused files.
    pub quarantine: PathBuf,
    /// How much is registered at once.
    pub register: register::Options,
    /// Files in pass 1 at a time.
    pub proofs: Arc<Semaphore>,
    /// Ways into the lanes, for files that an operator lets go on.
    pub doors: Doors,
    /// Ways to the sources at work.
    pub sources: SourceDoors,
    /// What operators are called for.
    pub alarms: Alarms,
    /// Heard by who waits for files, whenever one is accepted.
    pub accepted: Notify,
    /// Held by whoever writes a report.
    pub reporting: Mutex<()>,
    /// The word to stop.
    pub stop: Stop,
    /// What this process has done so far.
    pub progress: Arc<Progress>,
}

/// What a reload changes: everything that files are taken by. A file keeps the one it was claimed under, to its end.
pub struct Setup {
    /// The issuers, in configuration order.
    pub issuers: Vec<Arc<Issuer>>,
    /// Bounds on what is taken in.
    pub limits: Limits,
    /// Whom a sender may ask, for acks.
    pub contact: Option<String>,
    /// Records in a chunk.
    pub chunk_records: usize,
    /// Account ranges.
    pub ranges: Arc<AccountRanges>,
    /// Their version.
    pub ranges_digest: [u8; 32],
    /// How long what is no longer needed is kept.
    pub retention: Retention,
    /// Card products; none where none are configured.
    pub products: Arc<CardProducts>,
    /// The version of the card products, where there are any.
    pub products_digest: Option<[u8; 32]>,
    /// How inbound directories are looked at.
    pub looking: Looking,
    /// Partners' servers, in configuration order.
    pub sources: Vec<Arc<Source>>,
    /// Where times of day are, and which days are holidays.
    pub calendar: Calendar,
    /// When reports are made, if they are.
    pub daily: Option<Daily>,
    /// What tells operators of alarms, if anything does.
    pub alarm_command: Option<Vec<String>>,
}

/// How inbound directories are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Looking {
    /// How long a file stays unchanged before it is looked at.
    pub settle: Duration,
    /// How long a file that ends early stays unchanged before its end is believed.
    pub stalled: Duration,
    /// The timer of scans.
    pub scan: Duration,
}

impl Setup {
    /// The issuer of that id.
    pub fn issuer(&self, id: &str) -> Option<&Arc<Issuer>> {
        self.issuers.iter().find(|issuer| issuer.id == id)
    }
}

/// The setup in force. A reload puts another one in its place; whoever works with the old one keeps it.
#[derive(Clone)]
pub struct Current(Arc<watch::Sender<Arc<Setup>>>);

impl Current {
    /// The first one.
    pub fn new(setup: Setup) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(setup))))
    }

    /// The one in force now.
    pub fn now(&self) -> Arc<Setup> {
        Arc::clone(&self.0.borrow())
    }

    /// Puts another one in its place.
    pub fn replace(&self, setup: Setup) {
        self.0.send_replace(Arc::new(setup));
    }

    /// Hears of each that takes another's place.
    pub fn changes(&self) -> watch::Receiver<Arc<Setup>> {
        self.0.subscribe()
    }
}

/// One issuer.
pub struct Issuer {
    /// Its id.
    pub id: String,
    /// Where its files come in.
    pub inbound: PathBuf,
    /// Where its answers go.
    pub outbox: Outbox,
    /// For whom its answers are sealed.
    pub reply_key: Option<Recipient>,
    /// For whom card objects are sealed.
    pub enroll_key: Option<Recipient>,
    /// Whether failed PANs in answers are sealed once more by themselves.
    pub seal_sensitive_data: bool,
    /// The currencies it allows.
    pub currencies: Option<Vec<String>>,
    /// Its keys in the vault.
    pub keys: Arc<IssuerKeys>,
    /// Its feeds, in configuration order.
    pub feeds: Vec<Feed>,
}

/// One feed.
pub struct Feed {
    /// Its name.
    pub name: String,
    /// Its files, as a glob.
    pub files: String,
    /// The service that it brings records for.
    pub service: &'static Definition,
    /// What may seal its files.
    pub open: open::Options,
    /// The keys that open them.
    pub keyring: Arc<Keyring>,
    /// How they are written; `None`: by name, then by first byte.
    pub format: Option<Format>,
    /// Between two cells.
    pub delimiter: u8,
    /// Whether control records are required.
    pub controls: Controls,
    /// TEST or PROD.
    pub environment: Environment,
    /// How its sequence numbers are kept.
    pub sequence: SequenceRule,
    /// How long an early file waits for the missing ones.
    pub sequence_wait: Duration,
    /// Whether a file waits for its marker.
    pub done_marker: bool,
    /// What its D1 batches must agree with; `None` where its files are none.
    pub d1: Option<Batches>,
    /// Feeds whose claimed files its own wait for.
    pub after: Vec<String>,
    /// When its files are expected, if they are.
    pub expected: Option<Expected>,
}

/// What a feed says of its D1 batches.
pub struct Batches {
    /// The issuer's id at D1.
    pub issuer_id: String,
    /// The key that they must be signed for; a signature is passed over without one.
    pub jws_key: Option<VerifyKey>,
}

impl Issuer {
    /// What of its feeds decides whose a file is and when it is whole, in their order.
    pub(super) fn feed_rules(&self) -> Vec<FeedRule> {
        let rule = |feed: &Feed| FeedRule {
            name: feed.name.clone(),
            files: feed.files.clone(),
            done_marker: feed.done_marker,
        };
        self.feeds.iter().map(rule).collect()
    }

    /// The feed of that name.
    pub fn feed(&self, name: &str) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.name == name)
    }
}

impl Feed {
    /// Opens what is sealed inside its files, with the same keys.
    pub fn unseal(&self) -> Unseal {
        unseal_by(Arc::clone(&self.keyring))
    }

    /// The same for a file that was accepted before, with the keys of that time alone, though others may have come since; or
    /// the name of one that is gone.
    pub(super) fn unseal_as_accepted(&self, settings: &Settings) -> Result<Unseal, String> {
        match &settings.record_keys {
            None => Ok(self.unseal()),
            Some(names) => self.keyring.only(names).map(|ring| unseal_by(Arc::new(ring))),
        }
    }
}

fn unseal_by(keyring: Arc<Keyring>) -> Unseal {
    Arc::new(move |token| open::open_record(token, &keyring))
}

/// What is fixed for a file when it is accepted; kept in the ledger with it. Later changes of the configuration change none of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) version: u32,
    pub(super) service: ServiceName,
    pub(super) environment: Environment,
    pub(super) envelope: EnvelopeKind,
    pub(super) chunk_records: usize,
    /// Files accepted before there was a choice are CSV.
    #[serde(default = "csv")]
    pub(super) format: Format,
    pub(super) delimiter: u8,
    pub(super) controls_required: bool,
    pub(super) currencies: Option<Vec<String>>,
    pub(super) reply_key: Option<String>,
    #[serde(default)]
    pub(super) enroll_key: Option<String>,
    #[serde(default)]
    pub(super) seal_sensitive_data: bool,
    pub(super) ranges_digest: [u8; 32],
    #[serde(default)]
    pub(super) products_digest: Option<[u8; 32]>,
    #[serde(default)]
    pub(super) d1_batch: Option<KeptBatch>,
    /// The keys that may open what is sealed inside its records, where something may be.
    #[serde(default)]
    pub(super) record_keys: Option<Vec<KeyName>>,
    /// Files accepted before there was a choice have no use for one.
    #[serde(default)]
    pub(super) oaep_hash: OaepHash,
    pub(super) key_epoch: u32,
    pub(super) report_version: u32,
    pub(super) contact: Option<String>,
}

/// What the answer to a D1 batch tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptBatch {
    pub(super) issuer_id: String,
    pub(super) rows: u64,
}

const fn csv() -> Format {
    Format::Csv
}

/// What this process has done so far, for exit codes, the status line and progress bars.
#[derive(Debug, Default)]
pub struct Progress {
    /// Arrivals that are in hand.
    pub files_open: AtomicU64,
    /// Files done.
    pub files_done: AtomicU64,
    /// Files refused.
    pub files_refused: AtomicU64,
    /// Files that wait for an operator.
    pub files_held: AtomicU64,
    /// Posts at work: a batch run's sources end after them, for what a post claims is answered through them too.
    pub posts_at_work: AtomicU64,
    /// Files that wait for their turn in a sequence.
    pub files_waiting: AtomicU64,
    /// Tries of the intake at the store: they go on while it waits for a store that is away.
    pub intake_tries: AtomicU64,
    /// Records of accepted files, registered or not yet.
    pub records_accepted: AtomicU64,
    /// Records committed.
    pub records_done: AtomicU64,
    /// Records rejected.
    pub records_rejected: AtomicU64,
    /// What is waited for now.
    pub troubles: Troubles,
}

impl Progress {
    /// Adds to a figure.
    pub fn add(figure: &AtomicU64, count: u64) {
        figure.fetch_add(count, Ordering::Relaxed);
    }

    /// Files in hand, without those that wait for their sequence: what they wait for must still be taken.
    pub fn in_hand(&self) -> u64 {
        Self::read(&self.files_open).saturating_sub(Self::read(&self.files_waiting))
    }

    /// Whether nothing is in hand.
    pub fn is_idle(&self) -> bool {
        self.in_hand() == 0
    }

    /// Reads a figure.
    pub fn read(figure: &AtomicU64) -> u64 {
        figure.load(Ordering::Relaxed)
    }
}
