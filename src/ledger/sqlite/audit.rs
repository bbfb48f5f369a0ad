//! The audit trail: rows added under the transaction of what they tell of, and read back in one snapshot.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Row};

use crate::ledger::{
    Actor, Anchor, AuditEntry, AuditEvent, AuditRow, Finding, LedgerError, Refused, TRAIL_VERSION, Verified, Verifier,
};
use crate::model::{Code, FileNo, FileRecord, Timestamp};

use super::{SqliteLedger, Write};

/// Where the number and hash of the newest row stand.
const HEAD: &str = "audit_head";

/// Rows read at a time.
const ROWS_A_READ: i64 = 1000;

/// Words are read as bytes: what somebody changed need not be text any more.
const ROW: &str = "SELECT seq, version, at, CAST(event AS BLOB), CAST(actor AS BLOB), CAST(issuer AS BLOB), file, \
     CAST(detail AS BLOB), hash FROM audit ";

const ADD: &str = "INSERT INTO audit (seq, version, at, event, actor, issuer, file, detail, hash) \
     VALUES (?, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?, CAST(? AS TEXT), ?) RETURNING seq; ";

const MARK: &str = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value \
     RETURNING key";

fn row(found: &SqliteRow) -> Result<AuditRow, sqlx::Error> {
    Ok(AuditRow {
        seq: found.try_get(0)?,
        version: found.try_get(1)?,
        at: found.try_get(2)?,
        event: found.try_get(3)?,
        actor: found.try_get(4)?,
        issuer: found.try_get(5)?,
        file: found.try_get(6)?,
        detail: found.try_get(7)?,
        hash: found.try_get(8)?,
    })
}

/// SQLITE_CORRUPT, with any of its extended codes.
fn is_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|said| said.code()?.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == 11)
}

async fn head(on: &mut SqliteConnection) -> Result<Option<Anchor>, LedgerError> {
    let found = sqlx::query("SELECT value FROM meta WHERE key = ?").bind(HEAD).fetch_optional(on).await?;
    let Some(found) = found else { return Ok(None) };
    let value: String = found.try_get(0)?;
    Anchor::parse(&value).map(Some).ok_or(LedgerError::TrailHead)
}

/// Adds a row. Whatever fails here is the trail's failure, and what the row tells of does not happen.
pub(super) async fn append(write: &mut Write<'_>, entry: &AuditEntry) -> Result<(), LedgerError> {
    append_all(write, &[entry]).await
}

/// The same, for several rows.
pub(super) async fn append_all(write: &mut Write<'_>, entries: &[&AuditEntry]) -> Result<(), LedgerError> {
    // Not the trail's, if it fails.
    write.run_due().await?;
    add(write, entries).await.map_err(|error| match error {
        LedgerError::Database(source) => LedgerError::Trail(source),
        other => other,
    })
}

async fn add(write: &mut Write<'_>, entries: &[&AuditEntry]) -> Result<(), LedgerError> {
    let known = write.head().and_then(|head| *head);
    let mut newest = match known {
        Some(before) => Some(before),
        None => head(write.on().await?).await?,
    };
    // The rows and the mark of the newest one, as one call.
    let mut sql = String::new();
    let mut added = Vec::with_capacity(entries.len());
    for entry in entries {
        let row = AuditRow::next(newest.as_ref(), entry);
        newest = row.anchor();
        sql.push_str(ADD);
        added.push(row);
    }
    sql.push_str(MARK);
    let rows = write.rows(&sql, |values| {
        for row in &added {
            values.add(row.seq)?;
            values.add(TRAIL_VERSION)?;
            values.add(row.at)?;
            values.add(&row.event)?;
            values.add(&row.actor)?;
            values.add(row.issuer.as_deref())?;
            values.add(row.file)?;
            values.add(&row.detail)?;
            values.add(&row.hash)?;
        }
        values.add(HEAD)?;
        values.add(newest.map(|anchor| anchor.to_string()))
    });
    // A trigger can make a statement do nothing without an error.
    if rows.await?.len() != entries.len() + 1 {
        return Err(LedgerError::Trail(sqlx::Error::RowNotFound));
    }
    if let Some(head) = write.head() {
        *head = newest;
    }
    Ok(())
}

/// An entry about a file, with what an auditor knows it by.
pub(super) async fn about(
    write: &mut Write<'_>,
    no: FileNo,
    event: AuditEvent,
    at: Timestamp,
) -> Result<AuditEntry, LedgerError> {
    let found = sqlx::query(
        "SELECT issuer.id, file.name, file.sha256, file.feed FROM file JOIN issuer ON issuer.no = file.issuer WHERE file.no = ?",
    )
    .bind(no.0)
    .fetch_one(write.on().await?)
    .await?;
    let known = [found.try_get(1)?, found.try_get(2)?, found.try_get(3)?];
    Ok(known_by(at, event, found.try_get(0)?, no, known))
}

/// The same, about one whose row was read just now.
pub(super) fn of_file(record: &FileRecord, event: AuditEvent, at: Timestamp) -> AuditEntry {
    let known = [Some(record.name.clone()), record.sha256.clone(), record.feed.clone()];
    known_by(at, event, &record.issuer, record.no, known)
}

fn known_by(at: Timestamp, event: AuditEvent, issuer: &str, no: FileNo, known: [Option<String>; 3]) -> AuditEntry {
    let entry = AuditEntry::new(at, event, Actor::Daemon).of_issuer(issuer).of_file(no);
    ["name", "sha256", "feed"].into_iter().zip(known).fold(entry, |entry, (key, value)| match value {
        Some(value) => entry.with(key, value),
        None => entry,
    })
}

/// Tells of a file that is turned away.
pub(super) async fn refused(write: &mut Write<'_>, no: FileNo, refused: &Refused) -> Result<(), LedgerError> {
    let event = match (refused.duplicate_of, refused.refusal.code) {
        (Some(_), _) => AuditEvent::FileDuplicate,
        (None, Code::Poisoned) => AuditEvent::FilePoisoned,
        (None, _) => AuditEvent::FileRefused,
    };
    let mut entry = about(write, no, event, refused.at).await?.with("code", refused.refusal.code.as_str());
    if let Some(line) = refused.refusal.line {
        entry = entry.with("line", line);
    }
    if let Some(first) = refused.duplicate_of {
        entry = entry.with("first", first.to_string());
    }
    append(write, &entry).await
}

impl SqliteLedger {
    pub(super) async fn audit_alone(&self, entry: &AuditEntry) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        append(&mut write, entry).await?;
        write.commit().await
    }

    pub(super) async fn head_of_trail(&self) -> Result<Option<Anchor>, LedgerError> {
        head(&mut *self.readers.acquire().await?).await
    }

    pub(super) async fn verify_trail(&self, anchors: &[Anchor]) -> Result<Result<Verified, Finding>, LedgerError> {
        // One transaction: rows and head of the same moment, whatever is written meanwhile.
        let mut reader = self.readers.acquire().await?;
        let mut snapshot = reader.begin().await?;
        let head = match head(&mut snapshot).await {
            Err(LedgerError::TrailHead) => return Ok(Err(Finding::HeadGone)),
            found => found?,
        };
        let mut verifier = Verifier::new(head, anchors);
        let (mut from, mut at_once) = (i64::MIN, ROWS_A_READ);
        loop {
            let sql = format!("{ROW} WHERE seq >= ? ORDER BY seq LIMIT ?");
            let found = sqlx::query(AssertSqlSafe(sql)).bind(from).bind(at_once).fetch_all(&mut *snapshot).await;
            let found = match found {
                // One by one, to come as near to the damage as it goes.
                Err(error) if is_damage(&error) && at_once > 1 => {
                    at_once = 1;
                    continue;
                }
                Err(error) if is_damage(&error) => return Ok(Err(Finding::Unreadable { seq: verifier.next() })),
                found => found?,
            };
            for found in &found {
                let seq: i64 = found.try_get(0)?;
                // What cannot be read as a row is one that was changed.
                if let Err(finding) = verifier.row(seq, row(found).ok().as_ref()) {
                    return Ok(Err(finding));
                }
                from = seq.saturating_add(1);
            }
            if found.is_empty() {
                break;
            }
        }
        Ok(verifier.end())
    }

    pub(super) async fn trail(&self, from: i64, count: u32) -> Result<Vec<AuditRow>, LedgerError> {
        let sql = format!("{ROW} WHERE seq >= ? ORDER BY seq LIMIT ?");
        let found = sqlx::query(AssertSqlSafe(sql)).bind(from).bind(count).fetch_all(&self.readers).await?;
        Ok(found.iter().map(row).collect::<Result<_, _>>()?)
    }

    pub(super) async fn trail_of(&self, no: FileNo) -> Result<Vec<AuditRow>, LedgerError> {
        let sql = format!("{ROW} WHERE file = ? ORDER BY seq");
        let found = sqlx::query(AssertSqlSafe(sql)).bind(no.0).fetch_all(&self.readers).await?;
        Ok(found.iter().map(row).collect::<Result<_, _>>()?)
    }
}
