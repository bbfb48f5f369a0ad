//! Alarms on SQLite.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};

use crate::ledger::{AlarmBook, LedgerError, Untold};
use crate::model::{Alarm, AlarmKind, Subject, Timestamp};

use super::SqliteLedger;

const ALARM: &str =
    "SELECT no, kind, issuer, subject, feed, source, file, what, next, raised_at, cleared_at FROM alarm";

#[async_trait]
impl AlarmBook for SqliteLedger {
    async fn open_alarm(&self, alarm: &Alarm) -> Result<bool, LedgerError> {
        let mut write = self.begin().await?;
        let opened = sqlx::query(
            "INSERT INTO alarm (kind, issuer, subject, feed, source, file, what, next, raised_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(alarm.kind.as_str())
        .bind(alarm.issuer.as_deref())
        .bind(&alarm.subject.key)
        .bind(alarm.subject.feed.as_deref())
        .bind(alarm.subject.source.as_deref())
        .bind(alarm.subject.file.as_deref())
        .bind(&alarm.what)
        .bind(&alarm.next)
        .bind(alarm.raised_at.0)
        .execute(write.on().await?)
        .await?;
        write.commit().await?;
        Ok(opened.rows_affected() == 1)
    }

    async fn close_alarm(&self, kind: AlarmKind, subject: &str, how: &str, at: Timestamp) -> Result<bool, LedgerError> {
        let mut write = self.begin().await?;
        let sql = "UPDATE alarm SET cleared_at = ?, what = ? WHERE kind = ? AND subject = ? AND cleared_at IS NULL";
        let closed = sqlx::query(sql).bind(at.0).bind(how).bind(kind.as_str()).bind(subject);
        let closed = closed.execute(write.on().await?).await?;
        write.commit().await?;
        Ok(closed.rows_affected() == 1)
    }

    async fn open_alarms(&self) -> Result<Vec<Alarm>, LedgerError> {
        let sql = format!("{ALARM} WHERE cleared_at IS NULL ORDER BY no");
        let found = sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.readers).await?;
        found.iter().map(|row| Ok(untold(row)?.alarm)).collect()
    }

    async fn untold_alarms(&self, count: u32) -> Result<Vec<Untold>, LedgerError> {
        let sql = format!(
            "{ALARM} WHERE no IN (SELECT no FROM alarm WHERE cleared_at IS NULL AND told_raised = 0 UNION ALL \
             SELECT no FROM alarm WHERE told_raised = 1 AND told_cleared = 0 AND cleared_at IS NOT NULL) ORDER BY no LIMIT ?"
        );
        let found = sqlx::query(AssertSqlSafe(sql)).bind(count).fetch_all(&self.readers).await?;
        found.iter().map(untold).collect()
    }

    async fn alarm_told(&self, told: &Untold) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        let sql = match told.alarm.cleared_at {
            None => "UPDATE alarm SET told_raised = 1 WHERE no = ?",
            Some(_) => "UPDATE alarm SET told_cleared = 1 WHERE no = ?",
        };
        sqlx::query(sql).bind(told.no).execute(write.on().await?).await?;
        write.commit().await
    }
}

fn untold(row: &SqliteRow) -> Result<Untold, LedgerError> {
    let kind: &str = row.try_get("kind")?;
    let kind = AlarmKind::from_word(kind)
        .ok_or_else(|| LedgerError::Inconsistent("an alarm's kind has an unknown form".into()))?;
    let alarm = Alarm {
        kind,
        issuer: row.try_get("issuer")?,
        subject: Subject {
            key: row.try_get("subject")?,
            feed: row.try_get("feed")?,
            source: row.try_get("source")?,
            file: row.try_get("file")?,
        },
        what: row.try_get("what")?,
        next: row.try_get("next")?,
        raised_at: Timestamp(row.try_get("raised_at")?),
        cleared_at: row.try_get::<Option<i64>, _>("cleared_at")?.map(Timestamp),
    };
    Ok(Untold { no: row.try_get("no")?, alarm })
}
