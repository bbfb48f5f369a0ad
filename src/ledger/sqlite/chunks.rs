//! Group commit: chunks of one file with everything they register, in one transaction; and their rows, read back.

use sqlx::Row;

use crate::ledger::{Group, LedgerError};
use crate::model::{FileNo, PACKED_VERSION, RecordRow, Tally, unpack};
use crate::services::{ORDINAL_BITS, PreparedChunk};

use super::files::{one_step, stored};
use super::statements::{Values, execute_all, in_parts, values};
use super::{SqliteLedger, Write, fingerprints, reports, services};

pub(super) fn chunk_id(no: FileNo, index: u64) -> i64 {
    (no.0 << ORDINAL_BITS) | stored(index)
}

impl SqliteLedger {
    pub(super) async fn commit_group(&self, group: Group<'_>) -> Result<(), LedgerError> {
        let Group { no, issuer, at, began, chunks } = group;
        let (Some(first), false) = (chunks.first().map(|chunk| chunk.index), chunks.is_empty()) else { return Ok(()) };
        services::prepare(self, issuer, chunks).await?;
        let mut write = self.begin().await?;
        let issuer = self.issuer(&mut write, issuer).await?;
        let moved = services::apply(&mut write, no, issuer, chunks).await?;
        fingerprints::age(&mut write, issuer).await?;
        reports::move_by(&mut write, no, issuer, moved, at)?;
        let mut tally = Tally::default();
        chunks.iter().flat_map(|chunk| &chunk.rows).for_each(|row| tally.count(row.outcome));
        insert_chunks(&mut write, no, chunks).await?;
        // As many as were read of it: all.
        const WHOLE: &str = "records = registered + already_registered + deregistered + enrolled + rejected + ?";
        let sql = format!(
            "UPDATE file SET state = CASE WHEN {WHOLE} THEN 'REGISTERED' ELSE 'REGISTERING' END, \
             finished_at = CASE WHEN {WHOLE} THEN ? END, started_at = coalesce(started_at, ?), aborts = 0, kills = 0, \
             chunks = chunks + ?, registered = registered + ?, already_registered = already_registered + ?, \
             deregistered = deregistered + ?, enrolled = enrolled + ?, rejected = rejected + ? \
             WHERE no = ? AND state IN ('ACCEPTED', 'REGISTERING') AND chunks = ? RETURNING no"
        );
        let step = write.rows(&sql, |values| {
            let records = stored(tally.records());
            [records, records, at.0, began.0, stored(chunks.len() as u64)]
                .into_iter()
                .try_for_each(|it| values.add(it))?;
            let Tally { registered, already_registered, deregistered, enrolled, rejected } = tally;
            let counts = [registered, already_registered, deregistered, enrolled, rejected];
            counts.into_iter().try_for_each(|count| values.add(stored(count)))?;
            values.add(no.0)?;
            values.add(stored(first))
        });
        one_step(step.await?.len() as u64, no, "further registered")?;
        write.commit().await
    }

    pub(super) async fn chunk_rows(&self, no: FileNo, from: u64, count: u64) -> Result<Vec<RecordRow>, LedgerError> {
        let found = sqlx::query(
            "SELECT version, chunk.records, outcomes, service FROM chunk JOIN file ON file.no = ? \
             WHERE id >= ? AND id < ? ORDER BY id",
        )
        .bind(no.0)
        .bind(chunk_id(no, from))
        .bind(chunk_id(no, from + count))
        .fetch_all(&self.readers)
        .await?;
        let mut all = Vec::new();
        let mut service = None;
        for row in &found {
            let broken = || LedgerError::Inconsistent(format!("a chunk row of file {no} has an unknown form"));
            let rows = unpack(row.try_get(0)?, row.try_get(2)?).ok_or_else(broken)?;
            if i64::try_from(rows.len()).ok() != Some(row.try_get(1)?) {
                return Err(broken());
            }
            all.extend(rows);
            service = row.try_get::<Option<&str>, _>(3)?.and_then(|word| word.parse().ok());
        }
        if let Some(service) = service {
            services::complete(&self.readers, no, service, &mut all).await?;
        }
        Ok(all)
    }
}

async fn insert_chunks(write: &mut Write<'_>, no: FileNo, chunks: &[PreparedChunk]) -> Result<(), LedgerError> {
    let sql =
        |rows| format!("INSERT OR ROLLBACK INTO chunk (id, version, records, outcomes) VALUES {}", values(rows, 4));
    let row = |values: &mut Values, chunk: &PreparedChunk| {
        values.add(chunk_id(no, chunk.index))?;
        values.add(PACKED_VERSION)?;
        values.add(stored(chunk.rows.len() as u64))?;
        values.add(&chunk.packed()[..])
    };
    if let [chunk] = chunks {
        return write.later(&sql(1), |values| row(values, chunk));
    }
    execute_all(write.on().await?, in_parts(chunks, 4, sql, row)).await?;
    Ok(())
}
