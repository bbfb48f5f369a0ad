//! The dry run: what would become of a file if it were dropped now, without dropping it.
//!
//! The same passes over the file and the same judges as in the lane. What differs is where it ends: the ledger is only asked
//! ([`Ledger::foresee`]), and the chunks go to a destination that folds them over what the register holds and then forgets them.
//! It must never write anything anywhere, take a lock, or need the daemon to be away.

mod excerpt;
mod finding;
mod pretended;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::intake::FeedMatch;
use crate::ledger::{Candidate, Ledger, LedgerError, SequenceRule};
use crate::model::{BatchKey, Clock, Code, Decision, EnvelopeKind, FileNo, Header, Limits, Refusal, Tally, Timestamp};
use crate::open::{self, Opened};
use crate::parse::Proven;
use crate::register::{self, Ended, Job, Stop, Watch};
use crate::services::ORDINAL_BITS;
use crate::services::reference::{AccountRanges, CardProducts};
use crate::vault::Nonces;

use super::grounds::{self, Accepted};
use super::patience::{Trouble, chain};
use super::proof::{self, Proof, Rules};
use super::site::{Feed, Issuer, Progress};

use excerpt::Lines;
use pretended::Pretended;

pub use excerpt::Excerpt;
pub use finding::{Finding, Level};

/// A number that no file ever gets: what this file made is told from what was there before.
const NO_FILE: FileNo = FileNo(i64::MAX >> ORDINAL_BITS);

/// What a file is judged by.
pub struct DryRun<'a> {
    /// The issuer in whose place it would lie.
    pub issuer: &'a Issuer,
    /// Which of the issuer's feeds it belongs to.
    pub feed: FeedMatch,
    /// Bounds on what is taken in.
    pub limits: &'a Limits,
    /// Account ranges.
    pub ranges: &'a AccountRanges,
    /// Card products.
    pub products: &'a CardProducts,
    /// Records in a chunk.
    pub chunk_records: usize,
    /// How much goes on at once.
    pub register: register::Options,
    /// The store, to be asked and never written to; `None` where there is none yet: nothing came before and nothing is registered.
    pub ledger: Option<Arc<dyn Ledger>>,
    /// What it has done so far.
    pub progress: &'a Progress,
    /// Time.
    pub clock: &'a dyn Clock,
    /// 32 bytes from the system's source of randomness, new ones each time.
    pub entropy: fn() -> std::io::Result<Zeroizing<[u8; 32]>>,
}

/// Takes findings one by one, in file order. What cannot be written ends the dry run.
pub trait Findings: Send {
    /// One more.
    fn found(&mut self, finding: &Finding) -> std::io::Result<()>;
}

/// What would become of the file.
#[derive(Default)]
pub struct Foreseen {
    /// Accepted, refused, or the same file again.
    pub decision: Option<Decision>,
    /// The code of the refusal, or `DUPLICATE_FILE`.
    pub refusal: Option<Refusal>,
    /// What seals it, where that was found.
    pub envelope: Option<EnvelopeKind>,
    /// The key that opens it.
    pub key_id: Option<String>,
    /// Its header, where it has a good one.
    pub header: Option<Header>,
    /// Its records, where they were counted.
    pub records: Option<u64>,
    /// The name of the file that it repeats.
    pub duplicate_of: Option<String>,
    /// The sequence number that is expected next, where the feed counts and the file is accepted or refused for its number.
    pub next_sequence: Option<u64>,
    /// Its records by outcome.
    pub tally: Tally,
    /// Its records by code.
    pub codes: BTreeMap<Code, u64>,
}

/// Why nothing can be foreseen: the world's fault, not the file's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CannotForesee(String);

impl From<Trouble> for CannotForesee {
    fn from(trouble: Trouble) -> Self {
        Self(trouble.to_string())
    }
}

impl From<LedgerError> for CannotForesee {
    fn from(error: LedgerError) -> Self {
        Self(format!("store: {}", chain(&error)))
    }
}

impl From<std::io::Error> for CannotForesee {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl DryRun<'_> {
    /// Reads the file as the daemon would and hands out what is wrong with it.
    pub async fn run(&self, file: &Path, findings: &mut dyn Findings) -> Result<Foreseen, CannotForesee> {
        let feed = match self.feed {
            FeedMatch::One(index) => self.issuer.feeds.get(index),
            FeedMatch::None | FeedMatch::Several => None,
        };
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let refused = |refusal| Proof::Refused { refusal, envelope: None, key_id: None, header: None };
        let proof = if std::fs::metadata(file)?.len() > self.limits.file_bytes_max {
            refused(grounds::too_large(self.limits.file_bytes_max))
        } else {
            match feed {
                Some(feed) => proof::prove(file, Rules::of_feed(&self.issuer.id, feed, self.limits, name))?,
                None => refused(grounds::feed_unknown(self.feed == FeedMatch::Several)),
            }
        };
        match (proof, feed) {
            (Proof::Whole { opened, proven }, Some(feed)) => {
                self.weigh(Whole { file, feed, opened, proven }, findings).await
            }
            (Proof::Refused { refusal, envelope, key_id, header }, _) => {
                // Of a text that is not proven nothing is shown.
                let excerpt = match (feed, refusal.line, envelope) {
                    (Some(feed), Some(line), Some(_)) if !refusal.sensitive => {
                        excerpt_of_refused(file, feed, &refusal, line)
                    }
                    _ => None,
                };
                findings.found(&Finding::of_file(&refusal, excerpt))?;
                let decision = Some(Decision::Refused);
                Ok(Foreseen { decision, refusal: Some(refusal), envelope, key_id, header, ..Foreseen::default() })
            }
            (Proof::Whole { .. }, None) => Err(CannotForesee("a file of no feed was proven".into())),
        }
    }

    /// What the ledger would decide, then what would become of the records.
    async fn weigh(&self, whole: Whole<'_>, findings: &mut dyn Findings) -> Result<Foreseen, CannotForesee> {
        let candidate = self.candidate(&whole);
        let mut foreseen = Foreseen {
            envelope: Some(whole.opened.envelope()),
            key_id: whole.opened.key_id().map(str::to_owned),
            header: whole.proven.header.clone(),
            records: Some(whole.proven.records),
            ..Foreseen::default()
        };
        let mut refusal = grounds::sequence_missing(&candidate);
        if let (None, Some(ledger)) = (&refusal, &self.ledger)
            && let Some(turned_away) = grounds::turned_away(ledger.foresee(&candidate).await?)
        {
            if let Some(first) = turned_away.duplicate_of {
                foreseen.duplicate_of = Some(ledger.file(first).await?.name);
            }
            foreseen.next_sequence = turned_away.next_sequence;
            refusal = Some(turned_away.refusal);
        }
        let Some(refusal) = refusal else {
            foreseen.decision = Some(Decision::Accepted);
            if whole.feed.sequence != SequenceRule::Off {
                let given = whole.proven.header.as_ref().and_then(Header::sequence);
                foreseen.next_sequence = given.map(|given| given + 1);
            }
            (foreseen.tally, foreseen.codes) = self.register(&whole, findings).await?;
            return Ok(foreseen);
        };
        let excerpt = match refusal.line {
            Some(line) => excerpt_of_refused(whole.file, whole.feed, &refusal, line),
            None => None,
        };
        findings.found(&Finding::of_file(&refusal, excerpt))?;
        foreseen.decision = Some(if foreseen.duplicate_of.is_some() { Decision::Duplicate } else { Decision::Refused });
        foreseen.refusal = Some(refusal);
        Ok(foreseen)
    }

    fn candidate(&self, whole: &Whole<'_>) -> Candidate {
        let Whole { feed, opened, proven, .. } = whole;
        let service = feed.service.view.service;
        Candidate {
            no: NO_FILE,
            issuer: self.issuer.id.clone(),
            feed: feed.name.clone(),
            service,
            key: proven.header.as_ref().map(|header| BatchKey::of(&self.issuer.id, service, header)),
            header: proven.header.clone(),
            content_digest: proven.content_digest,
            records: proven.records,
            envelope: opened.envelope(),
            key_id: opened.key_id().map(str::to_owned),
            sequence: feed.sequence,
            told: None,
            told_then: None,
            // Nothing is accepted, so nothing is fixed.
            settings: String::new(),
            at: self.clock.now(),
        }
    }

    /// Pass 2, into nothing.
    async fn register(
        &self,
        whole: &Whole<'_>,
        findings: &mut dyn Findings,
    ) -> Result<(Tally, BTreeMap<Code, u64>), CannotForesee> {
        let Whole { feed, opened, proven, .. } = whole;
        let judge = Accepted {
            no: NO_FILE,
            issuer: &self.issuer.id,
            service: feed.service,
            header: proven.header.as_ref(),
            received_at: self.clock.now(),
            content_digest: &proven.content_digest,
            keys: &self.issuer.keys,
            ranges: self.ranges,
            products: self.products,
            currencies: self.issuer.currencies.as_deref(),
            unseal: Some(feed.unseal()),
            enroll: None,
            answers_sealed: self.issuer.reply_key.is_some(),
        }
        .judge();
        let changed = |error: &dyn std::error::Error| CannotForesee(format!("the file does not open again: {error}"));
        let mut plaintext = opened.plaintext().map_err(|error| changed(&error))?;
        let lines = Lines::new(opened.plaintext().map_err(|error| changed(&error))?);
        let nonces = (0..self.register.workers.max(1)).map(|_| Ok(Nonces::from_seed(*(self.entropy)()?)));
        let stop = Stop::default();
        let destination = Pretended::new(
            self.ledger.clone(),
            (NO_FILE, &self.issuer.id, judge.ids.clone()),
            (feed.service.view, Arc::clone(&proven.layout)),
            (lines, findings),
            stop.clone(),
        );
        let job = Job {
            no: NO_FILE,
            issuer: self.issuer.id.clone(),
            read: Box::new(move |buffer| Ok(plaintext.read(buffer)?)),
            layout: Arc::clone(&proven.layout),
            chunk_records: self.chunk_records,
            first_chunk: 0,
            judge: Arc::new(judge),
            nonces: nonces.collect::<std::io::Result<_>>()?,
        };
        Progress::add(&self.progress.records_accepted, proven.records);
        let watch = Impatient { stop: stop.clone(), progress: self.progress };
        let ended = register::register(job, self.register, &destination, &watch, &stop).await;
        let ended = ended.map_err(|error| CannotForesee(chain(&error)))?;
        let counted = destination.finish()?;
        if ended == Ended::Whole && counted.0.records() == proven.records {
            return Ok(counted);
        }
        Err(CannotForesee(format!("{} records were read, {} were judged", proven.records, counted.0.records())))
    }
}

/// A file that pass 1 has proven.
struct Whole<'a> {
    file: &'a Path,
    feed: &'a Feed,
    opened: Opened,
    proven: Proven,
}

/// The line that a refusal names, opened anew: pass 1 keeps nothing. One that cannot be shown is not shown.
fn excerpt_of_refused(file: &Path, feed: &Feed, refusal: &Refusal, line: u64) -> Option<Excerpt> {
    let opened = open::open(File::open(file).ok()?, &feed.open, &feed.keyring).ok()?;
    let mut lines = Lines::new(opened.plaintext().ok()?);
    Some(Excerpt::of_refused(lines.at(line)?, feed.delimiter, refusal, line))
}

/// A person waits for the dry run: a store that fails is said at once, not waited for.
struct Impatient<'a> {
    stop: Stop,
    progress: &'a Progress,
}

impl Watch for Impatient<'_> {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }

    fn committed(&self, records: u64, _chunks: u64) {
        Progress::add(&self.progress.records_done, records);
    }

    fn trouble(&self, _error: &LedgerError, _pause: Duration) {
        self.stop.say();
    }
}
