//! Files fetched from partners' servers, and the delivery journal.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::ledger::{Delivery, LedgerError, Order, Remote, SourceStanding, Taken};
use crate::model::{FileNo, Timestamp};

use super::files::stored;
use super::{SqliteLedger, Write};

fn unsigned(row: &SqliteRow, column: &str) -> Result<u64, LedgerError> {
    u64::try_from(row.try_get::<i64, _>(column)?)
        .map_err(|_| LedgerError::Inconsistent(format!("{column} of a file on a partner's server is below zero")))
}

/// The arrival that a file on a partner's server became, while it lies there.
pub(super) async fn arrival_of(write: &mut Write<'_>, remote: &Remote) -> Result<Option<FileNo>, LedgerError> {
    let row = sqlx::query(
        "SELECT file FROM remote_file WHERE source = ? AND path = ? AND size = ? AND mtime = ? AND gone_at IS NULL",
    )
    .bind(&remote.source)
    .bind(&remote.path)
    .bind(stored(remote.size))
    .bind(stored(remote.mtime))
    .fetch_optional(write.on().await?)
    .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.map(FileNo))
}

/// Written with the intent to claim; the unique row is what keeps it from being taken twice.
pub(super) async fn take(write: &mut Write<'_>, remote: &Remote, no: FileNo) -> Result<(), LedgerError> {
    sqlx::query("INSERT INTO remote_file (source, path, size, mtime, file) VALUES (?, ?, ?, ?, ?)")
        .bind(&remote.source)
        .bind(&remote.path)
        .bind(stored(remote.size))
        .bind(stored(remote.mtime))
        .bind(no.0)
        .execute(write.on().await?)
        .await?;
    Ok(())
}

impl SqliteLedger {
    pub(super) async fn taken_from(&self, source: &str) -> Result<Vec<Taken>, LedgerError> {
        let rows = sqlx::query(
            "SELECT id, path, size, mtime, file, file.decision IS NOT NULL AS decided FROM remote_file \
             JOIN file ON file.no = remote_file.file WHERE remote_file.source = ? AND gone_at IS NULL ORDER BY id",
        )
        .bind(source)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Taken {
                    id: row.try_get("id")?,
                    remote: Remote {
                        source: source.to_owned(),
                        path: row.try_get("path")?,
                        size: unsigned(row, "size")?,
                        mtime: unsigned(row, "mtime")?,
                    },
                    no: FileNo(row.try_get("file")?),
                    decided: row.try_get("decided")?,
                })
            })
            .collect()
    }

    pub(super) async fn remote_is_gone(&self, id: i64, at: Timestamp) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        sqlx::query("UPDATE remote_file SET gone_at = ? WHERE id = ? AND gone_at IS NULL")
            .bind(at.0)
            .bind(id)
            .execute(write.on().await?)
            .await?;
        write.commit().await
    }

    pub(super) async fn order_deliveries(&self, orders: &[Order], at: Timestamp) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        for order in orders {
            let last = sqlx::query(
                "SELECT sha256, delivered_at FROM delivery WHERE source = ? AND name = ? ORDER BY id DESC LIMIT 1",
            )
            .bind(&order.source)
            .bind(&order.name)
            .fetch_optional(write.on().await?)
            .await?;
            if let Some(last) = last {
                let is_there = last.try_get::<Option<i64>, _>(1)?.is_some();
                // One that is still to go out keeps its place before what was ordered after it.
                if last.try_get::<&str, _>(0)? == order.sha256 && !(is_there && order.again) {
                    continue;
                }
            }
            sqlx::query("DELETE FROM delivery WHERE source = ? AND name = ? AND delivered_at IS NULL")
                .bind(&order.source)
                .bind(&order.name)
                .execute(write.on().await?)
                .await?;
            let issuer = self.issuer(&mut write, &order.issuer).await?;
            sqlx::query(
                "INSERT INTO delivery (source, issuer, file, name, sha256, ordered_at) VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(&order.source)
            .bind(issuer)
            .bind(order.file.map(|no| no.0))
            .bind(&order.name)
            .bind(&order.sha256)
            .bind(at.0)
            .execute(write.on().await?)
            .await?;
        }
        write.commit().await
    }

    pub(super) async fn due_deliveries(&self, source: &str) -> Result<Vec<Delivery>, LedgerError> {
        let rows = sqlx::query("SELECT * FROM delivery WHERE source = ? AND delivered_at IS NULL ORDER BY id")
            .bind(source)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(delivery).collect()
    }

    pub(super) async fn deliveries_for(&self, no: FileNo) -> Result<Vec<Delivery>, LedgerError> {
        let rows = sqlx::query("SELECT * FROM delivery WHERE file = ? ORDER BY id")
            .bind(no.0)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(delivery).collect()
    }

    pub(super) async fn tried_delivery(&self, id: i64, ended: Result<Timestamp, &str>) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        sqlx::query("UPDATE delivery SET delivered_at = ?, failed = ? WHERE id = ? AND delivered_at IS NULL")
            .bind(ended.ok().map(|at| at.0))
            .bind(ended.err())
            .bind(id)
            .execute(write.on().await?)
            .await?;
        write.commit().await
    }

    pub(super) async fn keep_source(&self, standing: &SourceStanding) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        sqlx::query(
            "INSERT INTO source (name, issuer, state, why, since, last_contact) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT (name) DO UPDATE SET issuer = excluded.issuer, state = excluded.state, why = excluded.why, \
             since = excluded.since, last_contact = coalesce(excluded.last_contact, last_contact)",
        )
        .bind(&standing.name)
        .bind(&standing.issuer)
        .bind(&standing.state)
        .bind(standing.why.as_deref())
        .bind(standing.since.0)
        .bind(standing.last_contact.map(|at| at.0))
        .execute(write.on().await?)
        .await?;
        write.commit().await
    }

    pub(super) async fn all_sources(&self) -> Result<Vec<SourceStanding>, LedgerError> {
        let rows = sqlx::query(
            "SELECT *, (SELECT count(*) FROM delivery WHERE delivery.source = source.name AND delivered_at IS NULL) \
             AS backlog FROM source ORDER BY name",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(SourceStanding {
                    name: row.try_get("name")?,
                    issuer: row.try_get("issuer")?,
                    state: row.try_get("state")?,
                    why: row.try_get("why")?,
                    since: Timestamp(row.try_get("since")?),
                    last_contact: row.try_get::<Option<i64>, _>("last_contact")?.map(Timestamp),
                    backlog: unsigned(row, "backlog")?,
                })
            })
            .collect()
    }
}

fn delivery(row: &SqliteRow) -> Result<Delivery, LedgerError> {
    Ok(Delivery {
        id: row.try_get("id")?,
        source: row.try_get("source")?,
        file: row.try_get::<Option<i64>, _>("file")?.map(FileNo),
        name: row.try_get("name")?,
        sha256: row.try_get("sha256")?,
        ordered_at: Timestamp(row.try_get("ordered_at")?),
        delivered_at: row.try_get::<Option<i64>, _>("delivered_at")?.map(Timestamp),
        failed: row.try_get("failed")?,
    })
}
