//! Whether a proven file is accepted (`files.md` §1.4), in one transaction guarded by unique rows.

use sqlx::{Row, SqliteConnection};

use crate::ledger::{AuditEvent, Candidate, Decided, LedgerError, SequenceRule, batch_sequence};
use crate::model::{BatchKey, FileNo};

use super::actions::RELEASED;
use super::files::{one_step, stored};
use super::{SqliteLedger, Write, audit, rows};

impl SqliteLedger {
    pub(super) async fn decide_file(&self, candidate: &Candidate) -> Result<Decided, LedgerError> {
        let mut write = self.begin().await?;
        let decided = self.weigh(&mut write, candidate).await?;
        match decided {
            Decided::Accepted => write.commit().await?,
            _ => write.undo().await?,
        }
        Ok(decided)
    }

    /// The same without writing anything, beside whoever writes.
    pub(super) async fn foresee_file(&self, candidate: &Candidate) -> Result<Decided, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let issuer = self.issuer_if_known(&mut reader, &candidate.issuer).await?;
        Ok(turned_away(&mut reader, issuer, candidate).await?.unwrap_or(Decided::Accepted))
    }

    async fn weigh(&self, write: &mut Write<'_>, candidate: &Candidate) -> Result<Decided, LedgerError> {
        let issuer = self.issuer(write, &candidate.issuer).await?;
        if let Some(why) = turned_away(write.on().await?, Some(issuer), candidate).await? {
            return Ok(why);
        }
        let mut next_sequence = None;
        if candidate.sequence != SequenceRule::Off
            && let Some(given) = candidate.key.as_ref().and_then(|key| key.sequence)
        {
            sqlx::query(
                "INSERT INTO feed_sequence (feed, last) VALUES (?, ?) ON CONFLICT (feed) DO UPDATE SET last = excluded.last",
            )
            .bind(&candidate.feed)
            .bind(stored(given))
            .execute(write.on().await?)
            .await?;
            next_sequence = Some(given + 1);
        }
        if let Some(key) = &candidate.key {
            remember(write, issuer, key, candidate)?;
        }
        let header = candidate.header.as_ref().and_then(|header| serde_json::to_string(header).ok());
        let accepted = write
            .rows(
                "UPDATE file SET state = 'ACCEPTED', aborts = 0, kills = 0, decision = 'ACCEPTED', envelope = ?, key_id = ?, header = ?, \
                 records = ?, content_digest = ?, next_sequence = ?, settings = ?, accepted_at = ? \
                 WHERE no = ? AND state IN ('CLAIMED', 'WAITING') RETURNING *, ? AS issuer_id, NULL AS duplicate_of_name",
                |values| {
                    values.add(candidate.envelope.as_str())?;
                    values.add(candidate.key_id.as_deref())?;
                    values.add(header)?;
                    values.add(stored(candidate.records))?;
                    values.add(&candidate.content_digest[..])?;
                    values.add(next_sequence.map(stored))?;
                    values.add(&candidate.settings)?;
                    values.add(candidate.at.0)?;
                    values.add(candidate.no.0)?;
                    values.add(&candidate.issuer)
                },
            )
            .await?;
        one_step(accepted.len() as u64, candidate.no, "ACCEPTED")?;
        let record = accepted.first().map(rows::file).transpose()?;
        let told = record.map(|record| audit::of_file(&record, AuditEvent::FileAccepted, candidate.at));
        let told = told.map(|entry| entry.with("records", candidate.records));
        let told: Vec<_> = candidate.told.iter().chain(&told).chain(&candidate.told_then).collect();
        audit::append_all(write, &told).await?;
        Ok(Decided::Accepted)
    }
}

/// Why a file is not accepted, if it is not. An issuer without a number has sent nothing yet.
async fn turned_away(
    reader: &mut SqliteConnection,
    issuer: Option<i64>,
    candidate: &Candidate,
) -> Result<Option<Decided>, LedgerError> {
    if let (Some(issuer), Some(key)) = (issuer, &candidate.key)
        && let Some(seen) = seen_before(reader, issuer, key, candidate).await?
    {
        return Ok(Some(seen));
    }
    if candidate.sequence == SequenceRule::Off {
        return Ok(None);
    }
    let last = sqlx::query("SELECT last FROM feed_sequence WHERE feed = ?")
        .bind(&candidate.feed)
        .fetch_optional(reader)
        .await?;
    let last = last.map(|row| row.try_get::<i64, _>(0)).transpose()?.and_then(|last| u64::try_from(last).ok());
    let given = candidate.key.as_ref().and_then(|key| key.sequence);
    Ok(match (last, given) {
        (Some(last), Some(given)) if given <= last => Some(Decided::SequenceOld(last + 1)),
        (Some(last), Some(given)) if candidate.sequence == SequenceRule::Gapless && given > last + 1 => {
            Some(Decided::SequenceGap(last + 1))
        }
        _ => None,
    })
}

/// The rows of the table of §1.4 that turn a file away.
async fn seen_before(
    reader: &mut SqliteConnection,
    issuer: i64,
    key: &BatchKey,
    candidate: &Candidate,
) -> Result<Option<Decided>, LedgerError> {
    let same_key = sqlx::query(
        "SELECT batch.digest, batch.file, file.name FROM batch JOIN file ON file.no = batch.file \
         WHERE batch.issuer = ? AND batch.service = ? AND batch.batch_id = ? AND batch.sequence = ?",
    )
    .bind(issuer)
    .bind(key.service.as_str())
    .bind(&key.batch_id)
    .bind(batch_sequence(key))
    .fetch_optional(&mut *reader)
    .await?;
    if let Some(row) = same_key {
        let digest: Vec<u8> = row.try_get(0)?;
        let same = digest == candidate.content_digest;
        return Ok(Some(if same {
            Decided::Duplicate(FileNo(row.try_get(1)?))
        } else {
            Decided::BatchReused(row.try_get(2)?)
        }));
    }
    // Every nil file has the same content: none.
    if candidate.records == 0 {
        return Ok(None);
    }
    let same_content = sqlx::query(
        "SELECT file.name FROM content JOIN file ON file.no = content.file \
         WHERE content.issuer = ? AND content.service = ? AND content.digest = ? \
         AND NOT EXISTS (SELECT 1 FROM file WHERE no = ? AND released = ?)",
    )
    .bind(issuer)
    .bind(key.service.as_str())
    .bind(&candidate.content_digest[..])
    .bind(candidate.no.0)
    .bind(RELEASED)
    .fetch_optional(&mut *reader)
    .await?;
    Ok(same_content.map(|row| row.try_get(0)).transpose()?.map(Decided::DuplicateContent))
}

fn remember(write: &mut Write<'_>, issuer: i64, key: &BatchKey, candidate: &Candidate) -> Result<(), LedgerError> {
    write.later(
        "INSERT INTO batch (issuer, service, batch_id, sequence, digest, file) VALUES (?, ?, ?, ?, ?, ?)",
        |values| {
            values.add(issuer)?;
            values.add(key.service.as_str())?;
            values.add(&key.batch_id)?;
            values.add(batch_sequence(key))?;
            values.add(&candidate.content_digest[..])?;
            values.add(candidate.no.0)
        },
    )?;
    if candidate.records == 0 {
        return Ok(());
    }
    // What was released stays its first file's.
    write.later(
        "INSERT INTO content (issuer, service, digest, file) VALUES (?, ?, ?, ?) \
         ON CONFLICT (issuer, service, digest) DO UPDATE SET file = file",
        |values| {
            values.add(issuer)?;
            values.add(key.service.as_str())?;
            values.add(&candidate.content_digest[..])?;
            values.add(candidate.no.0)
        },
    )
}
