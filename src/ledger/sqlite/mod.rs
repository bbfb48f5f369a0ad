//! The ledger on SQLite: one writer, any number of readers, nothing to install.
//!
//! WAL with `synchronous=FULL`: a commit that was answered is on disk. One connection writes, under a lock that hands out turns in the
//! order of asking, so that lanes of several issuers take turns. A write that fails leaves the connection thrown away, and with it
//! whatever was not committed.

mod actions;
mod alarms;
mod audit;
mod backup;
mod card_contracts;
mod cards;
mod chunks;
mod click_to_pay;
mod decide;
mod files;
mod filter;
mod fingerprints;
mod nights;
mod old;
mod opening;
mod pan_lists;
mod partner;
mod payment_cards;
mod reads;
mod reports;
mod retention;
mod rows;
mod services;
mod statements;
#[cfg(test)]
mod tests;
mod vault;
mod write;
mod young;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex as Table;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Row, SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, OnceCell};

use crate::model::{FileNo, FileRecord, Outbound, RecordRow, State, Timestamp};
use crate::services::{PreparedChunk, Register};
use crate::vault::{CHECK_BYTES, KeyPurpose, WrappedKey};

use super::{
    Account, Anchor, AuditEntry, AuditRow, Candidate, Claim, Decided, Delivery, Finding, Group, Ledger, LedgerError,
    Order, Outlived, Overview, Purged, ReferenceKind, Refused, Reopen, Selection, SourceStanding, Standing, Taken,
    Verified,
};

use fingerprints::{Reader, Room};
pub use opening::{Notes, Options, held_by_another, open, open_read_only};
use write::{ReadAhead, Write, Writer};
use young::Young;

/// The store. One process holds it at a time.
pub struct SqliteLedger {
    write_options: SqliteConnectOptions,
    writer: Mutex<Option<Writer>>,
    room: Room,
    readers: SqlitePool,
    // What one that only reads has found to be young.
    young_seen: OnceCell<Young>,
    reading: ReadAhead,
    issuers: Table<HashMap<String, i64>>,
    // Held as long as the store is open; the system lets go of it however the process ends.
    lock: Option<File>,
    path: PathBuf,
}

impl SqliteLedger {
    /// An issuer's number, given to it at its first use.
    async fn issuer(&self, write: &mut Write<'_>, id: &str) -> Result<i64, LedgerError> {
        if let Some(no) = self.known_issuer(id) {
            return Ok(no);
        }
        sqlx::query("INSERT INTO issuer (id) VALUES (?) ON CONFLICT DO NOTHING")
            .bind(id)
            .execute(write.on().await?)
            .await?;
        // Not remembered yet: this transaction may still be undone.
        Ok(sqlx::query("SELECT no FROM issuer WHERE id = ?").bind(id).fetch_one(write.on().await?).await?.try_get(0)?)
    }

    /// The same for who must not write: `None` for an issuer that was never seen.
    async fn issuer_if_known(&self, reader: &mut SqliteConnection, id: &str) -> Result<Option<i64>, LedgerError> {
        let row = sqlx::query("SELECT no FROM issuer WHERE id = ?").bind(id).fetch_optional(reader).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    fn known_issuer(&self, id: &str) -> Option<i64> {
        self.issuers.lock().ok()?.get(id).copied()
    }

    /// The path of the database file.
    pub const fn path(&self) -> &PathBuf {
        &self.path
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn pinned(&self, key: &str) -> Result<Option<String>, LedgerError> {
        let row = sqlx::query("SELECT value FROM meta WHERE key = ?").bind(key).fetch_optional(&self.readers).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    async fn pin(&self, key: &'static str, value: &str) -> Result<String, LedgerError> {
        let mut write = self.begin().await?;
        sqlx::query("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(key)
            .bind(value)
            .execute(write.on().await?)
            .await?;
        let pinned = sqlx::query("SELECT value FROM meta WHERE key = ?").bind(key).fetch_one(write.on().await?).await?;
        let pinned = pinned.try_get(0)?;
        write.commit().await?;
        Ok(pinned)
    }

    async fn keys(&self, issuer: &str) -> Result<Vec<WrappedKey>, LedgerError> {
        let rows = sqlx::query(
            "SELECT purpose, epoch, wrapped, key_check FROM vault_key JOIN issuer ON issuer.no = vault_key.issuer \
             WHERE issuer.id = ? AND state = 'ACTIVE' ORDER BY purpose, epoch",
        )
        .bind(issuer)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                let word: &str = row.try_get(0)?;
                let check: &[u8] = row.try_get(3)?;
                let broken = || LedgerError::Inconsistent(format!("a vault key of {issuer} has an unknown form"));
                Ok(WrappedKey {
                    purpose: KeyPurpose::ALL.into_iter().find(|it| it.as_str() == word).ok_or_else(broken)?,
                    epoch: row.try_get(1)?,
                    wrapped: row.try_get(2)?,
                    check: <[u8; CHECK_BYTES]>::try_from(check).map_err(|_| broken())?,
                })
            })
            .collect()
    }

    async fn keep_keys(&self, issuer: &str, keys: &[WrappedKey]) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        let issuer = self.issuer(&mut write, issuer).await?;
        for key in keys {
            sqlx::query(
                "INSERT INTO vault_key (issuer, purpose, epoch, state, wrapped, key_check) VALUES (?, ?, ?, 'ACTIVE', ?, ?) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(issuer)
            .bind(key.purpose.as_str())
            .bind(key.epoch)
            .bind(&key.wrapped[..])
            .bind(&key.check[..])
            .execute(write.on().await?)
            .await?;
        }
        write.commit().await
    }

    async fn keep_reference(&self, kind: ReferenceKind, digest: &[u8; 32], content: &[u8]) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        sqlx::query("INSERT INTO reference_data (digest, kind, content) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(&digest[..])
            .bind(match kind {
                ReferenceKind::AccountRanges => "account_ranges",
                ReferenceKind::CardProducts => "card_products",
            })
            .bind(content)
            .execute(write.on().await?)
            .await?;
        write.commit().await
    }

    async fn reference(&self, digest: &[u8; 32]) -> Result<Vec<u8>, LedgerError> {
        let row = sqlx::query("SELECT content FROM reference_data WHERE digest = ?").bind(&digest[..]);
        Ok(row.fetch_one(&self.readers).await?.try_get(0)?)
    }

    async fn claim(&self, claim: &Claim) -> Result<FileRecord, LedgerError> {
        self.claim_file(claim).await
    }

    async fn claimed(&self, no: FileNo, sha256: Option<&str>, bytes: u64) -> Result<(), LedgerError> {
        self.file_claimed(no, sha256, bytes).await
    }

    async fn unclaim(&self, no: FileNo, at: Timestamp) -> Result<(), LedgerError> {
        self.put_back_file(no, at).await
    }

    async fn open_files(&self) -> Result<Vec<(FileRecord, String)>, LedgerError> {
        self.files_open().await
    }

    async fn first_of(&self, no: FileNo) -> Result<Option<FileRecord>, LedgerError> {
        let row = sqlx::query("SELECT duplicate_of FROM file WHERE no = ?").bind(no.0).fetch_one(&self.readers).await?;
        match row.try_get::<Option<i64>, _>(0)? {
            Some(first) => self.file_record(FileNo(first)).await.map(Some),
            None => Ok(None),
        }
    }

    async fn file(&self, no: FileNo) -> Result<FileRecord, LedgerError> {
        self.file_record(no).await
    }

    async fn decide(&self, candidate: &Candidate) -> Result<Decided, LedgerError> {
        self.decide_file(candidate).await
    }

    async fn foresee(&self, candidate: &Candidate) -> Result<Decided, LedgerError> {
        self.foresee_file(candidate).await
    }

    async fn touched(
        &self,
        no: FileNo,
        issuer: &str,
        chunks: &mut [PreparedChunk],
    ) -> Result<Option<Register>, LedgerError> {
        services::prepare(self, issuer, chunks).await?;
        let mut reader = self.readers.acquire().await?;
        // One of whom nothing is held is nobody's number.
        let issuer = self.issuer_if_known(&mut reader, issuer).await?.unwrap_or(-1);
        // What the writer holds is true now; what a reader has read once may have changed since.
        if self.lock.is_some() {
            drop(reader);
            let mut write = self.begin().await?;
            let register = services::read(&mut write.reader().await?, no, issuer, chunks).await?;
            write.undo().await?;
            return Ok(register);
        }
        let young = self.young_seen.get_or_try_init(async || fingerprints::load(&mut reader, self.room).await).await?;
        services::read(&mut Reader { on: &mut reader, young }, no, issuer, chunks).await
    }

    async fn refuse(&self, no: FileNo, refused: &Refused, next_sequence: Option<u64>) -> Result<(), LedgerError> {
        self.refuse_file(no, refused, next_sequence).await
    }

    async fn advance(
        &self,
        no: FileNo,
        from: &[State],
        to: State,
        at: Timestamp,
        outbound: Option<&[Outbound]>,
    ) -> Result<(), LedgerError> {
        self.advance_file(no, from, to, at, outbound).await
    }

    async fn hold(&self, no: FileNo, why: &str, at: Timestamp) -> Result<(), LedgerError> {
        self.hold_file(no, why, at).await
    }

    async fn count_ends(&self, files: &[FileNo], own_fault: bool) -> Result<(), LedgerError> {
        self.ends_counted(files, own_fault).await
    }

    async fn reopen(&self, no: FileNo, how: &Reopen, told: &AuditEntry) -> Result<(), LedgerError> {
        self.reopen_file(no, how, told).await
    }

    async fn set_sequence(&self, feed: &str, next: u64, told: &AuditEntry) -> Result<(), LedgerError> {
        self.sequence_set(feed, next, told).await
    }

    async fn identity(&self, no: FileNo) -> Result<String, LedgerError> {
        let row = sqlx::query("SELECT identity FROM file WHERE no = ?").bind(no.0).fetch_one(&self.readers).await?;
        Ok(row.try_get(0)?)
    }

    async fn backup(&self, to: &Path, told: &AuditEntry) -> Result<(), LedgerError> {
        self.copy_to(to, told).await
    }

    async fn standing(&self, no: FileNo) -> Result<Standing, LedgerError> {
        self.file_standing(no).await
    }

    async fn is_newest_registered(&self, no: FileNo) -> Result<bool, LedgerError> {
        self.none_registered_after(no).await
    }

    async fn file_and_standing(&self, no: FileNo) -> Result<(FileRecord, Standing), LedgerError> {
        self.record_and_standing(no).await
    }

    async fn commit(&self, group: Group<'_>) -> Result<(), LedgerError> {
        self.commit_group(group).await
    }

    async fn rows(&self, no: FileNo, from: u64, count: u64) -> Result<Vec<RecordRow>, LedgerError> {
        self.chunk_rows(no, from, count).await
    }

    async fn taken(&self, source: &str) -> Result<Vec<Taken>, LedgerError> {
        self.taken_from(source).await
    }

    async fn remote_gone(&self, id: i64, at: Timestamp) -> Result<(), LedgerError> {
        self.remote_is_gone(id, at).await
    }

    async fn deliver(&self, orders: &[Order], at: Timestamp) -> Result<(), LedgerError> {
        self.order_deliveries(orders, at).await
    }

    async fn deliveries_due(&self, source: &str) -> Result<Vec<Delivery>, LedgerError> {
        self.due_deliveries(source).await
    }

    async fn deliveries_of(&self, no: FileNo) -> Result<Vec<Delivery>, LedgerError> {
        self.deliveries_for(no).await
    }

    async fn delivery_tried(&self, id: i64, ended: Result<Timestamp, &str>) -> Result<(), LedgerError> {
        self.tried_delivery(id, ended).await
    }

    async fn source_stands(&self, standing: &SourceStanding) -> Result<(), LedgerError> {
        self.keep_source(standing).await
    }

    async fn sources(&self) -> Result<Vec<SourceStanding>, LedgerError> {
        self.all_sources().await
    }

    async fn audit(&self, entry: &AuditEntry) -> Result<(), LedgerError> {
        self.audit_alone(entry).await
    }

    async fn audit_head(&self) -> Result<Option<Anchor>, LedgerError> {
        self.head_of_trail().await
    }

    async fn audit_verify(&self, anchors: &[Anchor]) -> Result<Result<Verified, Finding>, LedgerError> {
        self.verify_trail(anchors).await
    }

    async fn audit_rows(&self, from: i64, count: u32) -> Result<Vec<AuditRow>, LedgerError> {
        self.trail(from, count).await
    }

    async fn audit_of(&self, no: FileNo) -> Result<Vec<AuditRow>, LedgerError> {
        self.trail_of(no).await
    }

    async fn find(&self, words: &str) -> Result<Vec<FileRecord>, LedgerError> {
        self.find_files(words).await
    }

    async fn account(&self, no: FileNo) -> Result<Account, LedgerError> {
        self.file_account(no).await
    }

    async fn accounts(&self, of: &Selection, after: FileNo, count: u32) -> Result<Vec<Account>, LedgerError> {
        self.file_accounts(of, after, count).await
    }

    async fn retention_clock(&self, now: Timestamp, step: Duration) -> Result<Timestamp, LedgerError> {
        self.believed_time(now, step).await
    }

    async fn outlived(&self, before: Timestamp, after: FileNo, count: u32) -> Result<Vec<Outlived>, LedgerError> {
        self.with_outbound(before, after, count).await
    }

    async fn outbound_purged(&self, no: FileNo, at: Timestamp) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        sqlx::query("UPDATE file SET outbound_purged_at = ? WHERE no = ? AND state = 'DONE'")
            .bind(at.0)
            .bind(no.0)
            .execute(write.on().await?)
            .await?;
        write.commit().await
    }

    async fn purge_results(
        &self,
        before: Timestamp,
        chunks_max: u64,
        at: Timestamp,
    ) -> Result<Option<Purged>, LedgerError> {
        self.purge_chunks(before, chunks_max, at).await
    }

    async fn overview(&self, newest: u32) -> Result<Overview, LedgerError> {
        self.figures(newest).await
    }

    fn read_ahead(&self) {
        let (readers, room) = (self.readers.clone(), self.room);
        let reading = tokio::spawn(async move { fingerprints::load(&mut *readers.acquire().await?, room).await });
        if let Ok(mut place) = self.reading.lock() {
            place.replace(reading);
        }
    }

    async fn close(&self) -> Result<(), LedgerError> {
        if let Some(reading) = self.reading.lock().ok().and_then(|mut reading| reading.take()) {
            reading.abort();
        }
        let mut guard = self.writer.lock().await;
        if let Some(mut writer) = guard.take() {
            sqlx::query("UPDATE meta SET value = 'yes' WHERE key = 'stopped_cleanly'")
                .execute(&mut writer.connection)
                .await?;
            self.readers.close().await;
            writer.connection.close().await?;
        }
        Ok(())
    }
}
