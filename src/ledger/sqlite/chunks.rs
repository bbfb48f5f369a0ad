//! Group commit: chunks of one file with everything they register, in one transaction; and their rows, read back.

use sqlx::Row;

use crate::ledger::{Group, LedgerError};
use crate::model::{FileNo, PACKED_VERSION, RecordRow, Tally, unpack};
use crate::services::{ORDINAL_BITS, PreparedChunk};

use super::files::{one_step, stored};
use super::statements::{execute_all, in_parts, values};
use super::{SqliteLedger, Write, fingerprints, reports, services};

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
        fingerprints::age(&mut write, issuer).await?;
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
            let rows = unpack(row.try_get(0)?, row.try_get(2)?).ok_or_else(broken)?;
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
    let sql =
        |rows| format!("INSERT OR ROLLBACK INTO chunk (id, version, records, outcomes) VALUES {}", values(rows, 4));
    let statements = in_parts(chunks, 4, sql, |values, chunk| {
        let outcomes = chunk
            .packed()
            .ok_or_else(|| LedgerError::Inconsistent(format!("a chunk of file {no} cannot be written")))?;
        values.add(chunk_id(no, chunk.index))?;
        values.add(PACKED_VERSION)?;
        values.add(stored(chunk.rows.len() as u64))?;
        values.add(&outcomes[..])
    });
    execute_all(write.on()?, statements).await?;
    Ok(())
}
