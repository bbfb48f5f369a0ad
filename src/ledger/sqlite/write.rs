//! A write in progress: the transaction of the one connection that writes, and what is remembered beside it.

use std::sync::Mutex as Table;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::MutexGuard;
use tokio::task::JoinHandle;

use crate::ledger::{Anchor, LedgerError};

use super::SqliteLedger;
use super::fingerprints::{self, Reader, Room};
use super::young::{Change, Young};

/// Young fingerprints that are being read before a write asks for them. None can change meanwhile: who changes them, asks.
pub(super) type ReadAhead = Table<Option<JoinHandle<Result<Young, LedgerError>>>>;

/// The one connection that writes, and what is remembered as long as it is open.
pub(super) struct Writer {
    pub(super) connection: SqliteConnection,
    young: Option<Young>,
    /// The newest row of the audit trail, once it is known.
    head: Option<Anchor>,
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self { connection, young: None, head: None }
    }
}

/// A write in progress. Dropped before [`Write::commit`], the connection is closed and everything since the begin is undone.
pub(super) struct Write<'a> {
    guard: MutexGuard<'a, Option<Writer>>,
    room: Room,
    reading: &'a ReadAhead,
    whole: bool,
}

impl Write<'_> {
    pub(super) fn on(&mut self) -> Result<&mut SqliteConnection, LedgerError> {
        let writer = self.guard.as_mut().ok_or(LedgerError::Database(sqlx::Error::PoolClosed))?;
        Ok(&mut writer.connection)
    }

    /// The connection, and the young fingerprints; what is changed of them stays when this transaction is committed.
    pub(super) async fn with_young(&mut self) -> Result<(&mut SqliteConnection, &mut Young), LedgerError> {
        let writer = self.guard.as_mut().ok_or(LedgerError::Database(sqlx::Error::PoolClosed))?;
        let young = match &mut writer.young {
            Some(young) => young,
            none => {
                let reading = self.reading.lock().ok().and_then(|mut reading| reading.take());
                let read = match reading {
                    Some(reading) => reading.await.ok().and_then(Result::ok),
                    None => None,
                };
                none.insert(match read {
                    Some(read) => read,
                    // Nobody asked ahead, or it failed: the error is this write's.
                    None => fingerprints::load(&mut writer.connection, self.room).await?,
                })
            }
        };
        Ok((&mut writer.connection, young))
    }

    /// The newest row of the audit trail with those of this transaction, if it is known; stays when this transaction is committed.
    pub(super) fn head(&mut self) -> Option<&mut Option<Anchor>> {
        self.guard.as_mut().map(|writer| &mut writer.head)
    }

    pub(super) async fn reader(&mut self) -> Result<Reader<'_>, LedgerError> {
        let (on, young) = self.with_young().await?;
        Ok(Reader { on, young })
    }

    /// What this transaction has changed of the young fingerprints.
    pub(super) fn change(&mut self) -> Option<&mut Change> {
        Some(&mut self.guard.as_mut()?.young.as_mut()?.change)
    }

    /// Undoes everything since the begin and keeps the connection, cache and all.
    pub(super) async fn undo(mut self) -> Result<(), LedgerError> {
        sqlx::query("ROLLBACK").execute(self.on()?).await?;
        let changed = self.change().is_some_and(|change| change.any);
        if let Some(writer) = self.guard.as_mut() {
            writer.head = None;
            writer.young.take_if(|_| changed);
        }
        self.whole = true;
        Ok(())
    }

    pub(super) async fn commit(mut self) -> Result<(), LedgerError> {
        if self.change().is_some_and(|change| change.range.is_some()) {
            return Err(LedgerError::Inconsistent("fingerprints came, and which ones was not written down".into()));
        }
        sqlx::query("COMMIT").execute(self.on()?).await?;
        if let Some(change) = self.change() {
            *change = Change::default();
        }
        self.whole = true;
        Ok(())
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if !self.whole {
            *self.guard = None;
        }
    }
}

impl SqliteLedger {
    pub(super) async fn begin(&self) -> Result<Write<'_>, LedgerError> {
        let mut guard = self.writer.lock().await;
        if guard.is_none() {
            *guard = Some(Writer::new(SqliteConnection::connect_with(&self.write_options).await?));
        }
        let mut write = Write { guard, room: self.room, reading: &self.reading, whole: false };
        sqlx::query("BEGIN IMMEDIATE").execute(write.on()?).await?;
        Ok(write)
    }
}
