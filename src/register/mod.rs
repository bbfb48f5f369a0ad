//! Registers a file's chunks: one reader, parallel workers, one committer in file order.
//!
//! ```text
//! reader ──raw──> worker k mod n ──prepared──> committer ──> ledger
//! ```
//! Chunk k goes to worker k mod n and comes back over that worker's own channel, so the committer finds the chunks in file order by
//! asking the channels in turn: nothing is put in order afterwards, and every channel is bounded, so memory is too. What workers
//! do depends on the record alone; what depends on the register is decided under the commit. The outcome is therefore the same
//! for any number of workers and any size of chunks or groups.

mod committer;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::ledger::{Group, Ledger, LedgerError};
use crate::model::{FileNo, Timestamp};
use crate::parse::{Layout, ParseError};
use crate::services::Judge;
use crate::vault::Nonces;

/// How much goes on at once.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Worker threads.
    pub workers: usize,
    /// Chunks cut but not yet prepared.
    pub chunks_in_flight: usize,
    /// Records of one commit, at most.
    pub group_records_max: usize,
    /// Records that are worth a commit before the file ends.
    pub group_records_min: usize,
    /// How long a commit waits for that many.
    pub group_wait: Duration,
}

impl Options {
    /// Chunks that may lie prepared, for a chunk size. As many as four times that are in the commit, and in the group after it.
    fn prepared_chunks(&self, chunk_records: usize) -> usize {
        self.group_records_max.div_ceil(4 * chunk_records.max(1)).max(1)
    }
}

/// Fills a buffer with plaintext; 0 is its end.
pub type Read = Box<dyn FnMut(&mut [u8]) -> Result<usize, SourceError> + Send>;

/// Why the plaintext could not be read a second time.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A file to be registered, from its first missing chunk on.
pub struct Job {
    /// The file.
    pub no: FileNo,
    /// Its issuer.
    pub issuer: String,
    /// Its plaintext, from the start.
    pub read: Read,
    /// Its layout, from pass 1.
    pub layout: Arc<Layout>,
    /// Records in a chunk, fixed when the file was accepted.
    pub chunk_records: usize,
    /// The first missing chunk.
    pub first_chunk: u64,
    /// What records are judged against.
    pub judge: Arc<Judge>,
    /// A generator of nonces for each worker.
    pub nonces: Vec<Nonces>,
}

/// How a registration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every chunk is committed.
    Whole,
    /// The daemon stops: what was in flight is committed, the rest waits for the next start.
    Stopped,
}

/// Where chunks are committed: the ledger, or what stands in for it when nothing is to be changed.
#[async_trait]
pub trait Destination: Send + Sync {
    /// Commits chunks together; their rows leave with final outcomes.
    async fn commit(&self, group: Group<'_>) -> Result<(), LedgerError>;
    /// How many chunks of the file are in.
    async fn chunks(&self, no: FileNo) -> Result<u64, LedgerError>;
}

#[async_trait]
impl Destination for Arc<dyn Ledger> {
    async fn commit(&self, group: Group<'_>) -> Result<(), LedgerError> {
        (**self).commit(group).await
    }

    async fn chunks(&self, no: FileNo) -> Result<u64, LedgerError> {
        Ok(self.standing(no).await?.chunks)
    }
}

/// What the registration tells while it runs.
pub trait Watch: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// More records of this file were committed; so many of its chunks are now.
    fn committed(&self, records: u64, chunks: u64);
    /// The store failed; tried again after `pause`.
    fn trouble(&self, error: &LedgerError, pause: Duration);
}

/// Why a registration could not go on. What was committed stays.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The store failed in a way that waiting does not mend.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The copy did not read as it did in pass 1.
    #[error("the copy could not be read again: {0}")]
    Source(#[source] SourceError),
    /// The second reading does not show what the first one proved.
    #[error(transparent)]
    Changed(#[from] ParseError),
    /// A worker ended before its work did.
    #[error("a worker thread ended before its chunks did")]
    WorkerLost,
}

/// A word from outside that it is time to stop. All clones hear it.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Says it.
    pub fn say(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was said.
    pub fn said(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is said.
    pub async fn told(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.subscribe().wait_for(|said| *said).await;
    }

    /// Waits for `pause`, less if the word is said before.
    pub async fn within(&self, pause: Duration) {
        let _ = tokio::time::timeout(pause, self.told()).await;
    }
}

/// Registers the rest of a file. Can be called again after any failure: it goes on at the first missing chunk.
pub async fn register(
    job: Job,
    options: Options,
    destination: &dyn Destination,
    watching: &dyn Watch,
    stop: &Stop,
) -> Result<Ended, RegisterError> {
    let Job { no, issuer, read, layout, chunk_records, first_chunk, judge, nonces } = job;
    let chunks = layout.records().div_ceil(chunk_records.max(1) as u64);
    let lines = workers::start(workers::Start {
        read,
        layout,
        chunk_records,
        first_chunk,
        judge,
        nonces,
        unprepared: options.chunks_in_flight,
        prepared: options.prepared_chunks(chunk_records),
        stop: stop.clone(),
    });
    let records_left = chunks.saturating_sub(first_chunk).saturating_mul(chunk_records as u64);
    let ahead = records_left > options.group_records_max as u64;
    let began = watching.now();
    committer::Committer { no, issuer, first_chunk, chunks, began, options, destination, watching, stop }
        .run(lines, ahead)
        .await
}
