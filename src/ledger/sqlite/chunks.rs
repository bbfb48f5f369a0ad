//! Group commit: chunks of one file with everything they register, in one transaction; and their rows, read back.

use serde::Deserialize;
use sqlx::Row;

use crate::ledger::{Group, LedgerError};
use crate::model::{Failure, FileNo, Masked, Outcome, Place, RecordRow, Tally};
use crate::services::{ORDINAL_BITS, PreparedChunk};

use super::files::{one_step, stored};
use super::{SqliteLedger, Write, reports, services};

/// The form of the outcomes in a chunk row: postcard of `Vec<RecordRow>`.
const VERSION: i64 = 2;

/// The form before records had a place in a request: postcard of `Vec<RowV1>`.
const VERSION_1: i64 = 1;

/// A record's row as version 1 wrote it.
#[derive(Deserialize)]
struct RowV1 {
    line: u64,
    record_ref: Box<str>,
    outcome: Outcome,
    failures: Vec<Failure>,
    masked: Masked,
    own: Box<[u8]>,
}

impl From<RowV1> for RecordRow {
    fn from(row: RowV1) -> Self {
        let RowV1 { line, record_ref, outcome, failures, masked, own } = row;
        Self { line, record_ref, outcome, failures, masked, own, place: Place::Row }
    }
}

/// Reads outcomes of any version.
fn read_rows(version: i64, outcomes: &[u8]) -> Option<Vec<RecordRow>> {
    match version {
        VERSION => postcard::from_bytes(outcomes).ok(),
        VERSION_1 => {
            let rows: Vec<RowV1> = postcard::from_bytes(outcomes).ok()?;
            Some(rows.into_iter().map(RecordRow::from).collect())
        }
        _ => None,
    }
}

/// Rows of one multi-row statement. Larger ones gain nothing measurable and cost memory.
pub(super) const ROWS_A_STATEMENT: usize = 1000;

/// `(?,?),(?,?)`: the VALUES of a multi-row statement.
pub(super) fn values(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; rows].join(",")
}

pub(super) fn chunk_id(no: FileNo, index: u64) -> i64 {
    (no.0 << ORDINAL_BITS) | stored(index)
}

impl SqliteLedger {
    pub(super) async fn commit_group(&self, group: Group<'_>) -> Result<(), LedgerError> {
        let Group { no, issuer, at, chunks } = group;
        let (Some(first), false) = (chunks.first().map(|chunk| chunk.index), chunks.is_empty()) else { return Ok(()) };
        let mut reader = self.readers.acquire().await?;
        let known = self.issuer_if_known(&mut reader, issuer).await?.unwrap_or(-1);
        services::prepare(&mut reader, known, chunks).await?;
        drop(reader);
        let mut write = self.begin().await?;
        let issuer = self.issuer(&mut write, issuer).await?;
        let moved = services::apply(&mut write, no, issuer, chunks).await?;
        reports::move_by(&mut write, no, issuer, moved, at).await?;
        let mut tally = Tally::default();
        chunks.iter().flat_map(|chunk| &chunk.rows).for_each(|row| tally.count(row.outcome));
        insert_chunks(&mut write, no, chunks).await?;
        let step = sqlx::query(
            "UPDATE file SET aborts = 0, kills = 0, chunks = chunks + ?, registered = registered + ?, already_registered = already_registered + ?, \
             deregistered = deregistered + ?, enrolled = enrolled + ?, rejected = rejected + ? \
             WHERE no = ? AND state = 'REGISTERING' AND chunks = ?",
        )
        .bind(stored(chunks.len() as u64))
        .bind(stored(tally.registered))
        .bind(stored(tally.already_registered))
        .bind(stored(tally.deregistered))
        .bind(stored(tally.enrolled))
        .bind(stored(tally.rejected))
        .bind(no.0)
        .bind(stored(first))
        .execute(write.on()?)
        .await?;
        one_step(step.rows_affected(), no, "further registered")?;
        write.commit().await
    }

    pub(super) async fn chunk_rows(&self, no: FileNo, from: u64, count: u64) -> Result<Vec<RecordRow>, LedgerError> {
        let found = sqlx::query("SELECT version, records, outcomes FROM chunk WHERE id >= ? AND id < ? ORDER BY id")
            .bind(chunk_id(no, from))
            .bind(chunk_id(no, from + count))
            .fetch_all(&self.readers)
            .await?;
        let mut all = Vec::new();
        for row in &found {
            let broken = || LedgerError::Inconsistent(format!("a chunk row of file {no} has an unknown form"));
            let rows = read_rows(row.try_get(0)?, row.try_get(2)?).ok_or_else(broken)?;
            if i64::try_from(rows.len()).ok() != Some(row.try_get(1)?) {
                return Err(broken());
            }
            all.extend(rows);
        }
        let mut reader = self.readers.acquire().await?;
        let service: Option<String> = sqlx::query("SELECT service FROM file WHERE no = ?")
            .bind(no.0)
            .fetch_one(&mut *reader)
            .await?
            .try_get(0)?;
        if let Some(service) = service.and_then(|word| word.parse().ok()) {
            services::complete(&mut reader, no, service, &mut all).await?;
        }
        Ok(all)
    }
}

async fn insert_chunks(write: &mut Write<'_>, no: FileNo, chunks: &[PreparedChunk]) -> Result<(), LedgerError> {
    for part in chunks.chunks(ROWS_A_STATEMENT) {
        let sql = format!("INSERT INTO chunk (id, version, records, outcomes) VALUES {}", values(part.len(), 4));
        let mut insert = sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(part.len() == ROWS_A_STATEMENT);
        for chunk in part {
            let outcomes = postcard::to_stdvec(&chunk.rows)
                .map_err(|_| LedgerError::Inconsistent(format!("a chunk of file {no} cannot be written")))?;
            insert = insert
                .bind(chunk_id(no, chunk.index))
                .bind(VERSION)
                .bind(stored(chunk.rows.len() as u64))
                .bind(outcomes);
        }
        insert.execute(write.on()?).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_first_version_are_read_and_those_of_a_later_one_are_not() {
        // line 5, "r-1", Rejected, one failure (field 2, PAN_LUHN), nothing masked, nothing of its own.
        let written = [1, 5, 3, b'r', b'-', b'1', 4, 1, 2, 70, 0, 0, 0, 0];
        let rows = read_rows(VERSION_1, &written).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].line, &*rows[0].record_ref, rows[0].outcome), (5, "r-1", Outcome::Rejected));
        assert_eq!(rows[0].failures, [Failure { field: 2, code: crate::model::Code::PanLuhn }]);
        assert_eq!(rows[0].place, Place::Row);
        let now = postcard::to_stdvec(&rows).unwrap();
        assert_eq!(read_rows(VERSION, &now), Some(rows));
        assert_eq!(read_rows(VERSION + 1, &now), None);
    }
}
