//! The reader and the workers: threads, because what they do is computation.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::parse::{Cutter, Layout, RawChunk};
use crate::services::{Judge, PreparedChunk, Record};
use crate::vault::{Nonces, Sealing};

use super::{Read, RegisterError, Stop};

const READ_BYTES: usize = 256 << 10;

pub(super) struct Start {
    pub(super) read: Read,
    pub(super) layout: Arc<Layout>,
    pub(super) chunk_records: usize,
    pub(super) first_chunk: u64,
    pub(super) judge: Arc<Judge>,
    pub(super) nonces: Vec<Nonces>,
    pub(super) unprepared: usize,
    pub(super) prepared: usize,
    pub(super) stop: Stop,
}

/// Where the committer finds the chunks, and how the reading ended.
pub(super) struct Lines {
    pub(super) prepared: Vec<mpsc::Receiver<PreparedChunk>>,
    pub(super) reader: oneshot::Receiver<Result<Reading, RegisterError>>,
}

/// How the reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Whole,
    Stopped,
}

pub(super) fn start(start: Start) -> Lines {
    let Start { read, layout, chunk_records, first_chunk, judge, mut nonces, unprepared, prepared, stop } = start;
    // No more workers than chunks in flight: each holds one in its hand.
    nonces.truncate(unprepared.max(1));
    let workers = nonces.len();
    let unseal = judge.unseal.clone();
    let cutter = move || Cutter::new(&layout, chunk_records, first_chunk, unseal);
    let (ended, reader) = oneshot::channel();
    if workers == 1
        && let Some(nonces) = nonces.pop()
    {
        // Who has one worker to deal to, judges himself: a thread less to be woken.
        let (to, from) = mpsc::channel(prepared.max(1));
        tokio::task::spawn_blocking(move || {
            let mut worker = Worker::new(&judge, nonces);
            let mut deal = |chunk| worker.judge(&chunk).is_some_and(|chunk| to.blocking_send(chunk).is_ok());
            let reading = cut(read, cutter(), &mut deal, first_chunk, &stop);
            drop(to);
            // A committer that is gone needs no answer.
            let _ = ended.send(reading);
        });
        return Lines { prepared: vec![from], reader };
    }
    let mut to_workers = Vec::with_capacity(workers);
    let mut from_workers = Vec::with_capacity(workers);
    for nonces in nonces {
        let (raw_to, raw_from) = sync_channel::<RawChunk>((unprepared / workers).saturating_sub(1));
        let (to, from) = mpsc::channel((prepared / workers).max(1));
        let judge = Arc::clone(&judge);
        tokio::task::spawn_blocking(move || work(&raw_from, &to, &judge, nonces));
        to_workers.push(raw_to);
        from_workers.push(from);
    }
    tokio::task::spawn_blocking(move || {
        let mut turn = 0_usize;
        let mut deal = |chunk| {
            let worker: &SyncSender<RawChunk> = &to_workers[turn % workers];
            turn += 1;
            worker.send(chunk).is_ok()
        };
        let _ = ended.send(cut(read, cutter(), &mut deal, first_chunk, &stop));
    });
    Lines { prepared: from_workers, reader }
}

/// Cuts chunks and deals them out, until the end, the stop, or the end of who takes them.
fn cut(
    mut read: Read,
    mut cutter: Cutter,
    deal: &mut dyn FnMut(RawChunk) -> bool,
    first_chunk: u64,
    stop: &Stop,
) -> Result<Reading, RegisterError> {
    let mut buffer = Zeroizing::new(vec![0_u8; READ_BYTES]);
    let mut ready = Vec::new();
    let mut deal = |ready: &mut Vec<RawChunk>| {
        if ready.drain(..).all(&mut *deal) { Ok(()) } else { Err(RegisterError::WorkerLost) }
    };
    debug_assert!(first_chunk < u64::MAX);
    loop {
        if stop.said() {
            return Ok(Reading::Stopped);
        }
        match read(&mut buffer).map_err(RegisterError::Source)? {
            0 => break,
            count => cutter.push(&buffer[..count], &mut ready)?,
        }
        deal(&mut ready)?;
    }
    cutter.finish(&mut ready)?;
    deal(&mut ready)?;
    Ok(Reading::Whole)
}

/// Judges chunk after chunk; ends with the channel, on either side.
fn work(from: &Receiver<RawChunk>, to: &mpsc::Sender<PreparedChunk>, judge: &Judge, nonces: Nonces) {
    let mut worker = Worker::new(judge, nonces);
    for raw in from {
        let Some(chunk) = worker.judge(&raw) else { return };
        if to.blocking_send(chunk).is_err() {
            return;
        }
    }
}

struct Worker<'a> {
    judge: &'a Judge,
    sealing: Sealing,
}

impl<'a> Worker<'a> {
    fn new(judge: &'a Judge, nonces: Nonces) -> Self {
        Self { judge, sealing: Sealing::new(Arc::clone(&judge.keys), nonces) }
    }

    /// `None` for a record that is no longer as it was proven: the chunk is missing at the committer's end, which then stops.
    fn judge(&mut self, raw: &RawChunk) -> Option<PreparedChunk> {
        let mut chunk = self.judge.chunk(raw.index(), raw.len());
        raw.for_each(&mut |ordinal, line, cells, request| {
            self.judge.record(&mut self.sealing, Record { ordinal, line, cells, request }, &mut chunk);
        })
        .ok()?;
        chunk.pack();
        Some(chunk)
    }
}
