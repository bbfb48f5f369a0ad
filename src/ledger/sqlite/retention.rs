//! What has been kept long enough. Batch keys, content digests, files' own rows, cards and the audit trail are never touched here.

use std::time::Duration;

use sqlx::Row;

use crate::ledger::{AuditEvent, LedgerError, Outlived, Purged};
use crate::model::{FileNo, Timestamp};

use super::chunks::chunk_id;
use super::files::{one_step, stored};
use super::{SqliteLedger, audit};

/// The key in meta of the time that retention goes by.
const CLOCK: &str = "retention_clock";

impl SqliteLedger {
    pub(super) async fn believed_time(&self, now: Timestamp, step: Duration) -> Result<Timestamp, LedgerError> {
        let mut write = self.begin().await?;
        let last =
            sqlx::query("SELECT value FROM meta WHERE key = ?").bind(CLOCK).fetch_optional(write.on().await?).await?;
        let broken = || LedgerError::Inconsistent("the time of the last retention has an unknown form".into());
        let last = match last {
            Some(row) => Timestamp(row.try_get::<String, _>(0)?.parse().map_err(|_| broken())?),
            None => {
                let newest = sqlx::query("SELECT received_at FROM file ORDER BY no DESC LIMIT 1");
                let Some(row) = newest.fetch_optional(write.on().await?).await? else {
                    // Nothing is kept yet, and so there is nothing to learn the time from either.
                    write.undo().await?;
                    return Ok(now);
                };
                Timestamp(row.try_get(0)?)
            }
        };
        let believed = now.min(last.after(step));
        // A clock that was behind for a while is forgotten: to catch up from there step by step could take years.
        sqlx::query("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2")
            .bind(CLOCK)
            .bind(believed.max(last).0.to_string())
            .execute(write.on().await?)
            .await?;
        write.commit().await?;
        Ok(believed)
    }

    pub(super) async fn with_outbound(
        &self,
        before: Timestamp,
        after: FileNo,
        count: u32,
    ) -> Result<Vec<Outlived>, LedgerError> {
        // The plus keeps the planner away from the rows' own order, and at the index of what is left to take.
        let found = sqlx::query(
            "SELECT file.no, issuer.id, file.stem, file.outbound FROM file JOIN issuer ON issuer.no = file.issuer \
             WHERE file.state = 'DONE' AND file.outbound_purged_at IS NULL AND file.done_at < ? AND +file.no > ? \
             ORDER BY +file.no LIMIT ?",
        )
        .bind(before.0)
        .bind(after.0)
        .bind(count)
        .fetch_all(&self.readers)
        .await?;
        found
            .iter()
            .map(|row| {
                let outbound: Option<String> = row.try_get(3)?;
                Ok(Outlived {
                    no: FileNo(row.try_get(0)?),
                    issuer: row.try_get(1)?,
                    stem: row.try_get(2)?,
                    outbound: outbound.as_deref().and_then(names),
                })
            })
            .collect()
    }

    pub(super) async fn purge_chunks(
        &self,
        before: Timestamp,
        chunks_max: u64,
        at: Timestamp,
    ) -> Result<Option<Purged>, LedgerError> {
        // Looked for among the readers: most rounds find nothing, and then the writer is left alone.
        let found = sqlx::query(
            "SELECT no, chunks, results_purged_at IS NULL FROM file WHERE state = 'DONE' AND chunks > 0 AND done_at < ? ORDER BY done_at LIMIT 1",
        )
        .bind(before.0)
        .fetch_optional(&self.readers)
        .await?;
        let Some(found) = found else { return Ok(None) };
        let (no, chunks) = (FileNo(found.try_get(0)?), found.try_get::<i64, _>(1)?);
        let whole_before: bool = found.try_get(2)?;
        // The last ones first, so that `chunks` is at any time what it always is: the first one missing.
        let left = (chunks - stored(chunks_max)).max(0);
        let mut write = self.begin().await?;
        let first = chunk_id(no, 0);
        sqlx::query("DELETE FROM chunk WHERE id >= ? AND id < ?")
            .bind(first | left)
            .bind(first + chunks)
            .execute(write.on().await?)
            .await?;
        let step = sqlx::query(
            "UPDATE file SET chunks = ?, results_purged_at = coalesce(results_purged_at, ?) \
             WHERE no = ? AND state = 'DONE' AND chunks = ?",
        )
        .bind(left)
        .bind(at.0)
        .bind(no.0)
        .bind(chunks)
        .execute(write.on().await?)
        .await?;
        one_step(step.rows_affected(), no, "purged")?;
        if whole_before {
            let entry = audit::about(&mut write, no, AuditEvent::Retention, at).await?;
            let entry = entry.with("what", "results").with("chunks", chunks).with("done_before", before.to_string());
            audit::append(&mut write, &entry).await?;
        }
        write.commit().await?;
        Ok(Some(Purged { no, chunks: u64::try_from(chunks - left).unwrap_or(0), whole: left == 0 }))
    }
}

/// The names in a file's outbound list.
fn names(outbound: &str) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Listed {
        name: String,
    }
    let listed: Vec<Listed> = serde_json::from_str(outbound).ok()?;
    Some(listed.into_iter().map(|listed| listed.name).collect())
}
