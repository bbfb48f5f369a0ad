//! The committer: takes prepared chunks in file order, as many as are ready, and commits them together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::ledger::{Group, LedgerError};
use crate::model::{FileNo, Retry, Timestamp};
use crate::services::PreparedChunk;

use super::workers::{Lines, Reading};
use super::{Destination, Ended, Options, RegisterError, Stop, Watch};

/// The longest pause between two tries of a commit.
const PAUSE_MAX: Duration = Duration::from_secs(10);

pub(super) struct Committer<'a> {
    pub(super) no: FileNo,
    pub(super) issuer: String,
    pub(super) first_chunk: u64,
    /// Of the whole file.
    pub(super) chunks: u64,
    pub(super) began: Timestamp,
    pub(super) options: Options,
    pub(super) destination: &'a dyn Destination,
    pub(super) watching: &'a dyn Watch,
    pub(super) stop: &'a Stop,
}

impl Committer<'_> {
    /// Commits to the end of the file; groups are gathered `ahead` of their commit, or when they are asked for.
    pub(super) async fn run(self, lines: Lines, ahead: bool) -> Result<Ended, RegisterError> {
        let Lines { prepared, reader } = lines;
        let mut reader = Verdict::Open(reader);
        let mut groups = Groups::of(Turns { lines: prepared, next: 0 }, self.options, ahead);
        let mut committed = self.first_chunk;
        while let Some(mut group) = groups.next().await {
            // With its last chunk the file is registered. What stands behind it in the envelope says whether all of it is as it was
            // proven, so the reader must have come to the end.
            let is_last = |chunk: &PreparedChunk| chunk.index + 1 >= self.chunks;
            if group.last().is_some_and(is_last) && reader.told().await? == Reading::Stopped {
                group.pop_if(|chunk| is_last(chunk));
            }
            let Some(last) = group.last() else { break };
            let (records, chunks) = (group.iter().map(|chunk| chunk.rows.len() as u64).sum(), last.index + 1);
            if !self.commit(&mut group).await? {
                return Ok(Ended::Stopped);
            }
            committed = chunks;
            self.watching.committed(records, chunks);
            if ahead {
                // Two allocations a record to be given back: beside the next commit, not before it.
                tokio::task::spawn_blocking(move || drop(group));
            }
        }
        if reader.told().await? == Reading::Stopped {
            return Ok(Ended::Stopped);
        }
        // The reader has dealt out everything, so a line that ended before the file did lost a worker.
        let whole = groups.are_whole().await && committed >= self.chunks;
        if whole { Ok(Ended::Whole) } else { Err(RegisterError::WorkerLost) }
    }

    /// Commits, and tries again while the world is broken. `false`: told to stop before it healed.
    async fn commit(&self, group: &mut [PreparedChunk]) -> Result<bool, RegisterError> {
        let mut pause = Duration::from_millis(100);
        loop {
            let error = match self.attempt(group).await {
                Ok(()) => return Ok(true),
                Err(error) => error,
            };
            if error.retry() == Retry::Never {
                return Err(error.into());
            }
            self.watching.trouble(&error, pause);
            if self.stop.said() {
                return Ok(false);
            }
            // The outcome of a commit that failed can be unknown: what is in the ledger decides, once it can be read.
            loop {
                self.stop.within(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
                match self.destination.chunks(self.no).await {
                    Ok(chunks) if group.last().is_some_and(|chunk| chunks > chunk.index) => return Ok(true),
                    Ok(_) => break,
                    Err(_) if self.stop.said() => return Ok(false),
                    Err(_) => {}
                }
            }
        }
    }

    async fn attempt(&self, chunks: &mut [PreparedChunk]) -> Result<(), LedgerError> {
        let (no, issuer, at, began) = (self.no, self.issuer.as_str(), self.watching.now(), self.began);
        self.destination.commit(Group { no, issuer, at, began, chunks }).await
    }
}

/// How the reading ended, once it has.
enum Verdict {
    Open(oneshot::Receiver<Result<Reading, RegisterError>>),
    Told(Reading),
}

impl Verdict {
    async fn told(&mut self) -> Result<Reading, RegisterError> {
        let reading = match self {
            // A reader that says nothing is lost like a worker.
            Self::Open(reader) => reader.await.unwrap_or(Err(RegisterError::WorkerLost))?,
            Self::Told(reading) => *reading,
        };
        *self = Self::Told(reading);
        Ok(reading)
    }
}

/// The groups of a file: gathered ahead of their commit, or, where all of it fits into one, when they are asked for.
enum Groups {
    Here { turns: Turns, options: Options },
    Ahead { groups: mpsc::Receiver<Vec<PreparedChunk>>, waiting: Arc<AtomicBool>, gathering: JoinHandle<bool> },
}

impl Groups {
    fn of(turns: Turns, options: Options, ahead: bool) -> Self {
        if !ahead {
            return Self::Here { turns, options };
        }
        let (to, groups) = mpsc::channel(1);
        let waiting = Arc::new(AtomicBool::new(true));
        // Dropped with the gathering, the lines end the workers and the reader.
        let gathering = tokio::spawn(gather_all(turns, options, to, Arc::clone(&waiting)));
        Self::Ahead { groups, waiting, gathering }
    }

    /// The next one; `None` when the lines have ended.
    async fn next(&mut self) -> Option<Vec<PreparedChunk>> {
        match self {
            Self::Here { turns, options } => {
                let group = gather(turns, *options, &AtomicBool::new(true)).await;
                (!group.is_empty()).then_some(group)
            }
            Self::Ahead { groups, waiting, .. } => {
                waiting.store(true, Ordering::Relaxed);
                let group = groups.recv().await;
                waiting.store(false, Ordering::Relaxed);
                group
            }
        }
    }

    /// Whether all lines ended together, as they do at a file's end.
    async fn are_whole(self) -> bool {
        match self {
            Self::Here { mut turns, .. } => turns.all_ended().await,
            Self::Ahead { gathering, .. } => gathering.await.unwrap_or(false),
        }
    }
}

/// Gathers groups, one ahead of the commit. Gives back whether all lines ended together, as they do at a file's end.
async fn gather_all(
    mut turns: Turns,
    options: Options,
    to: mpsc::Sender<Vec<PreparedChunk>>,
    waiting: Arc<AtomicBool>,
) -> bool {
    // The room first: what is gathered beside a commit is all that may wait for it.
    while let Ok(room) = to.reserve().await {
        let group = gather(&mut turns, options, &waiting).await;
        if group.is_empty() {
            return turns.all_ended().await;
        }
        room.send(group);
    }
    false
}

/// The next group: as many chunks as are ready, up to the largest group. While a commit waits for it, fewer will do, and still fewer
/// when the file ends or the wait is over. Empty at the end.
async fn gather(turns: &mut Turns, options: Options, waiting: &AtomicBool) -> Vec<PreparedChunk> {
    let mut group = Vec::new();
    let mut records = 0;
    let wait = tokio::time::sleep(options.group_wait);
    tokio::pin!(wait);
    while records < options.group_records_max {
        let next = match turns.ready() {
            Some(chunk) => Some(chunk),
            None if records >= options.group_records_min && waiting.load(Ordering::Relaxed) => None,
            None if group.is_empty() => turns.next().await,
            None => tokio::select! {
                biased;
                next = turns.next() => next,
                () = &mut wait => None,
            },
        };
        let Some(chunk) = next else { break };
        records += chunk.rows.len();
        group.push(chunk);
    }
    group
}

/// The workers' channels, asked in turn.
struct Turns {
    lines: Vec<mpsc::Receiver<PreparedChunk>>,
    next: usize,
}

impl Turns {
    /// The next chunk in file order, if it is ready.
    fn ready(&mut self) -> Option<PreparedChunk> {
        let chunk = self.lines.get_mut(self.next)?.try_recv().ok()?;
        self.next = (self.next + 1) % self.lines.len();
        Some(chunk)
    }

    /// The next chunk in file order; `None` at the end. Nothing is lost if the wait is given up.
    async fn next(&mut self) -> Option<PreparedChunk> {
        let chunk = self.lines.get_mut(self.next)?.recv().await?;
        self.next = (self.next + 1) % self.lines.len();
        Some(chunk)
    }

    /// Whether every line has ended; one that still holds a chunk means that an earlier one lost its own.
    async fn all_ended(&mut self) -> bool {
        for line in &mut self.lines {
            if line.recv().await.is_some() {
                return false;
            }
        }
        true
    }
}
