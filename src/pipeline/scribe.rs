//! Writes a file's answers from its rows in the ledger; of a large file while its later records are still being registered.
//!
//! The answers are what they would be afterwards: a row is read once its chunk is committed and it says all that it will say, and
//! the files are put in their places at the end, by the same code and if the sums agree. A scribe that fails is forgotten and the
//! answers are written anew; nothing hangs on it.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::ledger::Ledger;
use crate::model::{FileRecord, Tally, explain};
use crate::open::Recipient;
use crate::parse::Format;
use crate::report::{Balance, Book, Outbox, Seal, Words};
use crate::services::{Answering, definition};
use crate::vault::IssuerKeys;

use super::patience::Trouble;
use super::reply::{ReplySeal, seal_part};
use super::site::Settings;

/// Chunks read at a time.
const CHUNKS_A_READ: u64 = 50;

/// Chunks that must be committed before rows that do not say all yet are looked at again.
const CHUNKS_AGAIN: u64 = 500;

/// Records below which a file's answers are written soon enough when all is registered.
const AHEAD_RECORDS_MIN: u64 = 50_000;

const WORDS: Words = Words { describe: explain::describe, remedy: explain::remedy, owner: explain::owner };

/// All that a file's answers are made from.
pub(super) struct Pages {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) outbox: Outbox,
    pub(super) record: FileRecord,
    pub(super) settings: Settings,
    pub(super) reply_key: Option<Arc<Recipient>>,
    pub(super) keys: Arc<IssuerKeys>,
}

/// What has come of the file's records.
pub(super) enum Word {
    /// So many of its chunks are committed.
    Committed(u64),
    /// All of them are: how many, and what they came to.
    Whole(u64, Tally),
}

impl Pages {
    /// Writes as far as it is told. `None` if the words end before the file does: what was written goes.
    pub(super) fn write(
        &self,
        runtime: &Handle,
        words: impl IntoIterator<Item = Word>,
    ) -> Result<Option<Balance>, Trouble> {
        let Self { ledger, outbox, record, settings, reply_key, keys } = self;
        let service = definition(settings.service)
            .ok_or_else(|| Trouble::Hold(format!("this version does not serve {}", settings.service)))?;
        let seal = reply_key.clone().map(ReplySeal);
        let seal = seal.as_ref().map(|seal| -> &dyn Seal { seal });
        let answers = (service.answers)(&Answering {
            file: record,
            requests: settings.format != Format::Csv,
            d1_batch: settings.d1_batch.as_ref().map(|batch| (batch.issuer_id.as_str(), batch.rows)),
            sealed: seal.is_some(),
            keys,
            seal_sensitive: reply_key.as_ref().filter(|_| settings.seal_sensitive_data).map(seal_part),
        });
        let mut book = Book::begin(outbox, record, service.view, WORDS, seal, answers)?;
        let (mut next, mut not_before) = (0, 0);
        for word in words {
            let (chunks, ahead) = match word {
                Word::Committed(chunks) => (chunks, service.answers_ahead),
                Word::Whole(chunks, _) => (chunks, None),
            };
            if ahead.is_some() && chunks < not_before {
                continue;
            }
            while next < chunks {
                let count = CHUNKS_A_READ.min(chunks - next);
                let rows = runtime.block_on(ledger.rows(record.no, next, count))?;
                if ahead.is_some_and(|is_whole| !rows.iter().all(is_whole)) {
                    // What a record of these comes to is told by one that is still to come.
                    not_before = chunks + CHUNKS_AGAIN;
                    break;
                }
                for row in &rows {
                    book.row(row)?;
                }
                next += count;
            }
            if let Word::Whole(_, tally) = word {
                return Ok(Some(book.finish(&tally, record.records.unwrap_or(0))?));
            }
        }
        Ok(None)
    }
}

/// The answers of one file, being written.
pub(super) struct Scribe {
    words: Sender<Word>,
    ended: oneshot::Receiver<Result<Option<Balance>, Trouble>>,
}

impl Scribe {
    /// Whether a file is large enough, and of a service whose rows say all before it is registered.
    pub(super) fn is_worth_it(record: &FileRecord) -> bool {
        let service = record.service.and_then(definition);
        service.is_some_and(|service| service.answers_ahead.is_some())
            && record.records.unwrap_or(0) >= AHEAD_RECORDS_MIN
    }

    /// Begins.
    pub(super) fn begin(pages: Pages) -> Self {
        let (words, told) = channel();
        let (end, ended) = oneshot::channel();
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            // Who asked may be gone.
            let _ = end.send(pages.write(&runtime, told));
        });
        Self { words, ended }
    }

    /// So many chunks are committed. Nobody waits for it, and one that failed is found out at the end.
    pub(super) fn committed(&self, chunks: u64) {
        let _ = self.words.send(Word::Committed(chunks));
    }

    /// All chunks are committed: the last rows, and the files in their places. `None` if they must be written anew.
    pub(super) async fn finish(self, chunks: u64, tally: Tally) -> Option<Result<Balance, Trouble>> {
        self.words.send(Word::Whole(chunks, tally)).ok()?;
        self.ended.await.ok()?.transpose()
    }
}
