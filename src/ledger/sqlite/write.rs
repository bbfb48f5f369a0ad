//! A write in progress: the transaction of the one connection that writes, and what is remembered beside it.
//!
//! Each call takes its way to the connection's thread and back, which costs more than most statements do. What nobody waits for is
//! therefore kept until the next call, the transaction's begin to begin with.

use std::sync::Mutex as Table;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Column, Connection, Row, SqliteConnection};
use tokio::sync::MutexGuard;
use tokio::task::JoinHandle;

use crate::ledger::{Anchor, LedgerError};

use super::SqliteLedger;
use super::fingerprints::{self, Reader, Room};
use super::statements::Values;
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

/// Statements that go out with the next call. Each changes one row and says so by a row of its own.
#[derive(Default)]
struct Due {
    sql: String,
    values: Values,
    statements: usize,
}

impl Due {
    fn add(
        &mut self,
        sql: &str,
        values: impl FnOnce(&mut Values) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.sql.push_str(sql);
        self.sql.push_str(DUE_ROW);
        self.statements += 1;
        values(&mut self.values)
    }
}

/// What such a statement says. (How many rows a call has changed is not told: a statement that changes none repeats the number of
/// the one before it.)
const DUE_ROW: &str = " RETURNING 1 AS due; ";

fn is_due(row: &SqliteRow) -> bool {
    row.columns().first().is_some_and(|column| column.name() == "due")
}

/// A write in progress. Dropped before [`Write::commit`], the connection is closed and everything since the begin is undone.
pub(super) struct Write<'a> {
    guard: MutexGuard<'a, Option<Writer>>,
    room: Room,
    reading: &'a ReadAhead,
    begun: bool,
    due: Due,
    whole: bool,
}

impl Write<'_> {
    /// The connection, once what is due has gone out.
    pub(super) async fn on(&mut self) -> Result<&mut SqliteConnection, LedgerError> {
        self.run_due().await?;
        self.connection()
    }

    fn connection(&mut self) -> Result<&mut SqliteConnection, LedgerError> {
        let writer = self.guard.as_mut().ok_or(LedgerError::Database(sqlx::Error::PoolClosed))?;
        Ok(&mut writer.connection)
    }

    /// A statement that must change one row, to go out with the next call. Its marks are plain ones, as in all that goes out with
    /// others: a number would count from the call's first value.
    pub(super) fn later(
        &mut self,
        sql: &str,
        values: impl FnOnce(&mut Values) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.due.add(sql, values)
    }

    /// Sends out what is due, if anything is.
    pub(super) async fn run_due(&mut self) -> Result<(), LedgerError> {
        if self.begun && self.due.statements == 0 {
            return Ok(());
        }
        self.rows("", |_| Ok(())).await.map(drop)
    }

    /// A query's rows; what is due goes out before it, with the same call.
    pub(super) async fn rows(
        &mut self,
        sql: &str,
        values: impl FnOnce(&mut Values) -> Result<(), LedgerError>,
    ) -> Result<Vec<SqliteRow>, LedgerError> {
        let mut due = std::mem::take(&mut self.due);
        due.sql.push_str(sql);
        values(&mut due.values)?;
        let mut rows = self.call(&due.sql, due.values).await?;
        let of_query = rows.split_off(rows.partition_point(is_due));
        if rows.len() == due.statements {
            return Ok(of_query);
        }
        Err(LedgerError::Inconsistent(format!("of {} statements {} changed their row", due.statements, rows.len())))
    }

    /// Makes one statement that changes one row the whole transaction, as one call. `false`: it changed nothing.
    pub(super) async fn commit_one(
        mut self,
        sql: &str,
        values: impl FnOnce(&mut Values) -> Result<(), LedgerError>,
    ) -> Result<bool, LedgerError> {
        if self.begun || self.due.statements > 0 {
            return Err(LedgerError::Inconsistent("a transaction of one statement has others".into()));
        }
        let mut of_it = Values::default();
        values(&mut of_it)?;
        let changed = self.call(&format!("{sql}{DUE_ROW}COMMIT"), of_it).await?.len();
        self.whole = true;
        Ok(changed == 1)
    }

    async fn call(&mut self, sql: &str, values: Values) -> Result<Vec<SqliteRow>, LedgerError> {
        let begin = if std::mem::replace(&mut self.begun, true) { "" } else { "BEGIN IMMEDIATE; " };
        let call = sqlx::query_with(AssertSqlSafe(format!("{begin}{sql}")), values.into_arguments());
        Ok(call.fetch_all(self.connection()?).await?)
    }

    /// The connection, and the young fingerprints; what is changed of them stays when this transaction is committed.
    pub(super) async fn with_young(&mut self) -> Result<(&mut SqliteConnection, &mut Young), LedgerError> {
        self.on().await?;
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
        if self.begun {
            sqlx::query("ROLLBACK").execute(self.connection()?).await?;
        }
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
        sqlx::query("COMMIT").execute(self.on().await?).await?;
        if let Some(change) = self.change() {
            *change = Change::default();
        }
        self.whole = true;
        Ok(())
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if self.begun && !self.whole {
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
        let (room, reading, due) = (self.room, &self.reading, Due::default());
        Ok(Write { guard, room, reading, begun: false, due, whole: false })
    }
}
