//! Claims, refusals, steps and reads of files.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};

use crate::ledger::{AuditEvent, Claim, LedgerError, Refused, Standing};
use crate::model::{Decision, FileNo, FileRecord, Outbound, State, Timestamp};

use super::rows::{self, FILE};
use super::{SqliteLedger, audit, partner};

/// Numbers of the size of files and counts fit an SQLite integer; the largest one stands for what does not.
pub(super) fn stored(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl SqliteLedger {
    pub(super) async fn claim_file(&self, claim: &Claim) -> Result<FileRecord, LedgerError> {
        let mut write = self.begin().await?;
        if let Some(remote) = &claim.remote
            && let Some(no) = partner::arrival_of(&mut write, remote).await?
        {
            // The answer to an earlier try was lost; whoever claims asks first what was taken before.
            write.undo().await?;
            return self.file_record(no).await;
        }
        let issuer = self.issuer(&mut write, &claim.issuer).await?;
        let mut stem = claim.stem.clone();
        let mut next = 2_u32;
        while !write
            .rows("SELECT 1 FROM file WHERE issuer = ? AND stem = ?", |values| {
                values.add(issuer)?;
                values.add(&stem)
            })
            .await?
            .is_empty()
        {
            stem = format!("{}.{next}", claim.stem);
            next += 1;
        }
        let row = sqlx::query(
            "INSERT INTO file (issuer, name, stem, state, identity, feed, service, environment, source, bytes, received_at) \
             VALUES (?, ?, ?, 'CLAIMING', ?, ?, ?, ?, ?, ?, ?) RETURNING *, ? AS issuer_id, NULL AS duplicate_of_name",
        )
        .bind(issuer)
        .bind(&claim.name)
        .bind(&stem)
        .bind(&claim.identity)
        .bind(claim.feed.as_deref())
        .bind(claim.service.map(|service| service.as_str()))
        .bind(claim.environment.map(|environment| environment.as_str()))
        .bind(claim.remote.as_ref().map(|remote| remote.source.as_str()))
        .bind(stored(claim.bytes))
        .bind(claim.at.0)
        .bind(&claim.issuer)
        .fetch_one(write.on().await?)
        .await?;
        let record = rows::file(&row)?;
        let mut entry = audit::of_file(&record, AuditEvent::FileClaimed, claim.at).with("bytes", claim.bytes);
        if let Some(remote) = &claim.remote {
            partner::take(&mut write, remote, record.no).await?;
            entry = entry.with("source", remote.source.as_str());
        }
        audit::append(&mut write, &entry).await?;
        write.commit().await?;
        if let Ok(mut issuers) = self.issuers.lock() {
            issuers.insert(claim.issuer.clone(), issuer);
        }
        Ok(record)
    }

    pub(super) async fn file_claimed(&self, no: FileNo, sha256: Option<&str>, bytes: u64) -> Result<(), LedgerError> {
        const STEP: &str =
            "UPDATE file SET state = 'CLAIMED', sha256 = ?, bytes = ? WHERE no = ? AND state = 'CLAIMING'";
        let write = self.begin().await?;
        let stepped = write.commit_one(STEP, |values| {
            values.add(sha256)?;
            values.add(stored(bytes))?;
            values.add(no.0)
        });
        one_step(u64::from(stepped.await?), no, "CLAIMED")
    }

    pub(super) async fn files_open(&self) -> Result<Vec<(FileRecord, String)>, LedgerError> {
        let sql = format!("{FILE} WHERE file.state <> 'DONE' ORDER BY file.no");
        let found = sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.readers).await?;
        found.iter().map(|row| Ok((rows::file(row)?, row.try_get("identity")?))).collect()
    }

    pub(super) async fn file_record(&self, no: FileNo) -> Result<FileRecord, LedgerError> {
        let sql = format!("{FILE} WHERE file.no = ?");
        rows::file(&sqlx::query(AssertSqlSafe(sql)).bind(no.0).fetch_one(&self.readers).await?)
    }

    pub(super) async fn refuse_file(
        &self,
        no: FileNo,
        refused: &Refused,
        next_sequence: Option<u64>,
    ) -> Result<(), LedgerError> {
        let decision = if refused.duplicate_of.is_some() { Decision::Duplicate } else { Decision::Refused };
        let mut write = self.begin().await?;
        let step = sqlx::query(
            "UPDATE file SET state = 'REFUSED', aborts = 0, kills = 0, decision = ?, code = ?, line = ?, description = ?, envelope = ?, key_id = ?, \
             header = ?, records = ?, duplicate_of = ?, \
             next_sequence = coalesce(?, (SELECT last + 1 FROM feed_sequence WHERE feed_sequence.feed = file.feed)) WHERE no = ? AND state IN ('CLAIMED', 'WAITING')",
        )
        .bind(decision.as_str())
        .bind(refused.refusal.code.as_str())
        .bind(refused.refusal.line.map(stored))
        .bind(&refused.refusal.description)
        .bind(refused.envelope.map(|envelope| envelope.as_str()))
        .bind(refused.key_id.as_deref())
        .bind(refused.header.as_ref().and_then(|header| serde_json::to_string(header).ok()))
        .bind(refused.records.map(stored))
        .bind(refused.duplicate_of.map(|first| first.0))
        .bind(next_sequence.map(stored))
        .bind(no.0)
        .execute(write.on().await?)
        .await?;
        one_step(step.rows_affected(), no, "REFUSED")?;
        audit::refused(&mut write, no, refused).await?;
        write.commit().await
    }

    pub(super) async fn put_back_file(&self, no: FileNo, at: Timestamp) -> Result<(), LedgerError> {
        const TAKEN: &str = "FROM file WHERE no = ? AND state IN ('CLAIMING', 'CLAIMED', 'WAITING')";
        let mut write = self.begin().await?;
        let there = sqlx::query(AssertSqlSafe(format!("SELECT 1 {TAKEN}"))).bind(no.0);
        // Gone already: the answer to an earlier try was lost.
        if there.fetch_optional(write.on().await?).await?.is_none() {
            return write.undo().await;
        }
        let entry = audit::about(&mut write, no, AuditEvent::FilePutBack, at).await?;
        audit::append(&mut write, &entry).await?;
        sqlx::query("DELETE FROM remote_file WHERE file = ?").bind(no.0).execute(write.on().await?).await?;
        sqlx::query(AssertSqlSafe(format!("DELETE {TAKEN}"))).bind(no.0).execute(write.on().await?).await?;
        write.commit().await
    }

    pub(super) async fn hold_file(&self, no: FileNo, why: &str, at: Timestamp) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        let step = sqlx::query(
            "UPDATE file SET held_from = state, held_why = ?, state = 'HELD' WHERE no = ? AND state NOT IN ('HELD', 'DONE')",
        )
        .bind(why)
        .bind(no.0)
        .execute(write.on().await?)
        .await?;
        if step.rows_affected() == 0 {
            let row =
                sqlx::query("SELECT state FROM file WHERE no = ?").bind(no.0).fetch_one(write.on().await?).await?;
            one_step(u64::from(row.try_get::<&str, _>(0)? == "HELD"), no, "HELD")?;
            return write.undo().await;
        }
        let entry = audit::about(&mut write, no, AuditEvent::FileHeld, at).await?.with("why", why);
        audit::append(&mut write, &entry).await?;
        write.commit().await
    }

    /// One step of a file's state, as a compare-and-set, with the time that the new state remembers. Whoever gets on is cleared
    /// of ends of the process, and so is one that waits again: it was read to its end.
    pub(super) async fn advance_file(
        &self,
        no: FileNo,
        from: &[State],
        to: State,
        at: Timestamp,
        outbound: Option<&[Outbound]>,
    ) -> Result<(), LedgerError> {
        let outbound = outbound
            .map(serde_json::to_string)
            .transpose()
            .map_err(|_| LedgerError::Inconsistent(format!("what goes out for file {no} cannot be written")))?;
        let sql = format!(
            "UPDATE file SET state = ?1, aborts = CASE WHEN state = ?1 AND ?1 <> 'WAITING' THEN aborts ELSE 0 END, \
             kills = CASE WHEN state = ?1 AND ?1 <> 'WAITING' THEN kills ELSE 0 END, \
             started_at = CASE WHEN ?1 = 'REGISTERING' THEN coalesce(started_at, ?2) ELSE started_at END, \
             finished_at = CASE WHEN ?1 = 'REGISTERED' THEN coalesce(finished_at, ?2) ELSE finished_at END, \
             done_at = CASE WHEN ?1 = 'DONE' THEN coalesce(done_at, ?2) ELSE done_at END, \
             outbound = coalesce(?4, outbound), outbound_purged_at = CASE WHEN ?4 IS NULL THEN outbound_purged_at END \
             WHERE no = ?3 AND state IN ({})",
            (0..from.len()).map(|state| format!("?{}", state + 5)).collect::<Vec<_>>().join(",")
        );
        let stepped = self.begin().await?.commit_one(&sql, |values| {
            values.add(to.as_str())?;
            values.add(at.0)?;
            values.add(no.0)?;
            values.add(outbound)?;
            from.iter().try_for_each(|state| values.add(state.as_str()))
        });
        if stepped.await? {
            return Ok(());
        }
        let row = sqlx::query("SELECT state FROM file WHERE no = ?").bind(no.0).fetch_one(&self.readers).await?;
        let word: &str = row.try_get(0)?;
        Err(LedgerError::Inconsistent(format!("file {no} is {word} and cannot become {}", to.as_str())))
    }

    pub(super) async fn file_standing(&self, no: FileNo) -> Result<Standing, LedgerError> {
        let row = sqlx::query("SELECT * FROM file WHERE no = ?").bind(no.0).fetch_one(&self.readers).await?;
        standing(no, &row)
    }

    pub(super) async fn none_registered_after(&self, no: FileNo) -> Result<bool, LedgerError> {
        let later = sqlx::query(
            "SELECT 1 FROM file AS this JOIN file AS later ON later.issuer = this.issuer AND later.feed IS this.feed \
             AND later.accepted_at IS NOT NULL AND (later.finished_at, later.no) > (this.finished_at, this.no) \
             WHERE this.no = ? LIMIT 1",
        );
        Ok(later.bind(no.0).fetch_optional(&self.readers).await?.is_none())
    }

    pub(super) async fn record_and_standing(&self, no: FileNo) -> Result<(FileRecord, Standing), LedgerError> {
        let sql = format!("{FILE} WHERE file.no = ?");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(no.0).fetch_one(&self.readers).await?;
        Ok((rows::file(&row)?, standing(no, &row)?))
    }
}

fn standing(no: FileNo, row: &SqliteRow) -> Result<Standing, LedgerError> {
    let broken = || LedgerError::Inconsistent(format!("file {no} is accepted but its settings are not kept"));
    let digest: Option<Vec<u8>> = row.try_get("content_digest")?;
    Ok(Standing {
        settings: row.try_get::<Option<String>, _>("settings")?.ok_or_else(broken)?,
        chunks: u64::try_from(row.try_get::<i64, _>("chunks")?).map_err(|_| broken())?,
        tally: rows::tally(row)?,
        content_digest: digest.and_then(|digest| digest.try_into().ok()).ok_or_else(broken)?,
        identity: row.try_get("identity")?,
        results_purged_at: row.try_get::<Option<i64>, _>("results_purged_at")?.map(Timestamp),
    })
}

pub(super) fn one_step(changed: u64, no: FileNo, to: &str) -> Result<(), LedgerError> {
    if changed == 1 {
        return Ok(());
    }
    Err(LedgerError::Inconsistent(format!("file {no} is not in a state from which it can become {to}")))
}
