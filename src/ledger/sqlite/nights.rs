//! Expected files on SQLite.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::ledger::{LedgerError, NightBook, Watched};
use crate::model::Timestamp;

use super::SqliteLedger;

#[async_trait]
impl NightBook for SqliteLedger {
    async fn watched(&self, feed: &str, now: Timestamp) -> Result<Watched, LedgerError> {
        if let Some(known) = self.watched_so_far(feed).await? {
            return Ok(known);
        }
        let mut write = self.begin().await?;
        sqlx::query("INSERT INTO expected_feed (feed, since, checked) VALUES (?1, ?2, ?2) ON CONFLICT DO NOTHING")
            .bind(feed)
            .bind(now.0)
            .execute(write.on().await?)
            .await?;
        write.commit().await?;
        Ok(Watched { since: now, checked: now })
    }

    async fn watched_so_far(&self, feed: &str) -> Result<Option<Watched>, LedgerError> {
        let found = sqlx::query("SELECT since, checked FROM expected_feed WHERE feed = ?").bind(feed);
        found.fetch_optional(&self.readers).await?.as_ref().map(watched).transpose()
    }

    async fn checked(&self, feed: &str, checked: Timestamp) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        sqlx::query("UPDATE expected_feed SET checked = ? WHERE feed = ?")
            .bind(checked.0)
            .bind(feed)
            .execute(write.on().await?)
            .await?;
        write.commit().await
    }

    async fn watch_only(&self, feeds: &[&str]) -> Result<(), LedgerError> {
        let known = sqlx::query("SELECT feed FROM expected_feed").fetch_all(&self.readers).await?;
        for row in &known {
            let feed: &str = row.try_get(0)?;
            if !feeds.contains(&feed) {
                let mut write = self.begin().await?;
                sqlx::query("DELETE FROM expected_feed WHERE feed = ?").bind(feed).execute(write.on().await?).await?;
                write.commit().await?;
            }
        }
        Ok(())
    }

    async fn accepted_between(
        &self,
        issuer: &str,
        feed: &str,
        between: (Timestamp, Timestamp),
        most: u32,
    ) -> Result<Vec<Timestamp>, LedgerError> {
        let found = sqlx::query(
            "SELECT accepted_at FROM file WHERE issuer = (SELECT no FROM issuer WHERE id = ?) AND feed = ? \
             AND accepted_at >= ? AND accepted_at < ? ORDER BY accepted_at LIMIT ?",
        )
        .bind(issuer)
        .bind(feed)
        .bind(between.0.0)
        .bind(between.1.0)
        .bind(most)
        .fetch_all(&self.readers)
        .await?;
        found.iter().map(|row| Ok(Timestamp(row.try_get(0)?))).collect()
    }
}

fn watched(row: &SqliteRow) -> Result<Watched, LedgerError> {
    Ok(Watched { since: Timestamp(row.try_get(0)?), checked: Timestamp(row.try_get(1)?) })
}
