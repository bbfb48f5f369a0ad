//! What reports are made from, on SQLite. Everything is found by issuer and time; no record's row is read.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::ledger::{Account, Counted, Facts, Lacking, LedgerError, Missed, Movement, ReportBook, Version};
use crate::model::{FileNo, ServiceName, Timestamp};

use super::reads::account;
use super::rows::FILE;
use super::vault::broken;
use super::{SqliteLedger, Write};

/// What the records of a group of chunks did to its register: one that comes and goes again counts both ways, so that it is
/// the same whatever the groups are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) added: usize,
    pub(super) removed: usize,
}

impl Moved {
    /// Counts changes of a register: those that add a row to it and those that take one away.
    pub(super) fn of<'c, C: 'c>(
        changes: impl IntoIterator<Item = &'c C>,
        adds: impl Fn(&C) -> bool,
        removes: impl Fn(&C) -> bool,
    ) -> Self {
        let mut moved = Self::default();
        for change in changes {
            moved.added += usize::from(adds(change));
            moved.removed += usize::from(removes(change));
        }
        moved
    }
}

const MINUTE_MS: i64 = 60_000;

/// Rows of a register, by issuer.
const fn register(service: ServiceName) -> &'static str {
    match service {
        // Read as the table lies: a card knows its file, and few files are looked up.
        ServiceName::PaymentCards => {
            "SELECT count(*) FROM payment_card JOIN file ON file.no = payment_card.file WHERE file.issuer = ?"
        }
        ServiceName::PanLists => {
            "SELECT count(*) FROM pan_list_member JOIN pan_list ON pan_list.no = pan_list_member.list \
             WHERE pan_list.issuer = ?"
        }
        ServiceName::Cards => "SELECT count(*) FROM card WHERE issuer = ?",
        ServiceName::CardContracts => "SELECT count(*) FROM card_contract WHERE issuer = ?",
        ServiceName::ClickToPay => {
            "SELECT count(*) FROM enrolment JOIN enrolled_consumer ON enrolled_consumer.no = enrolment.consumer \
             WHERE enrolled_consumer.issuer = ?"
        }
    }
}

/// Writes what a group did to its register, in the group's own transaction, with its next call.
pub(super) fn move_by(
    write: &mut Write<'_>,
    no: FileNo,
    issuer: i64,
    moved: Moved,
    at: Timestamp,
) -> Result<(), LedgerError> {
    if moved == Moved::default() {
        return Ok(());
    }
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    write.later(
        "INSERT INTO movement (issuer, service, at, file, added, removed) SELECT ?, service, ?, no, ?, ? FROM file WHERE no = ? \
         ON CONFLICT (issuer, service, at, file) DO UPDATE SET added = added + excluded.added, removed = removed + excluded.removed",
        |values| {
            values.add(issuer)?;
            values.add(at.0.div_euclid(MINUTE_MS))?;
            values.add(number(moved.added))?;
            values.add(number(moved.removed))?;
            values.add(no.0)
        },
    )
}

#[async_trait]
impl ReportBook for SqliteLedger {
    async fn miss(&self, missed: &Missed) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        let issuer = self.issuer(&mut write, &missed.issuer).await?;
        let [since, by, until] = missed.window;
        sqlx::query(
            "INSERT INTO missed (feed, day, issuer, service, since, by_at, until, files) VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&missed.feed)
        .bind(&missed.day)
        .bind(issuer)
        .bind(missed.service.as_str())
        .bind(since.0)
        .bind(by.0)
        .bind(until.0)
        .bind(missed.files)
        .execute(write.on().await?)
        .await?;
        write.commit().await
    }

    async fn facts(&self, issuer: &str, (from, to): (Timestamp, Timestamp)) -> Result<Facts, LedgerError> {
        let mut snapshot = self.readers.begin().await?;
        let issuer = self.issuer_if_known(&mut snapshot, issuer).await?.unwrap_or(-1);
        let files = files(&mut snapshot, issuer, from, to).await?;
        let lacking = lacking(&mut snapshot, issuer, from, to).await?;
        let sums = sqlx::query(
            "SELECT service, sum(CASE WHEN at < ?2 THEN added - removed ELSE 0 END), \
             sum(CASE WHEN at >= ?2 THEN added ELSE 0 END), sum(CASE WHEN at >= ?2 THEN removed ELSE 0 END) \
             FROM movement WHERE issuer = ?1 AND at < ?3 GROUP BY service",
        )
        .bind(issuer)
        .bind(from.0.div_euclid(MINUTE_MS))
        .bind(to.0.div_euclid(MINUTE_MS))
        .fetch_all(&mut *snapshot)
        .await?;
        let mut registers = Vec::new();
        for row in &sums {
            let count = |column: usize| row.try_get::<i64, _>(column);
            let (opening, added, removed) = (count(1)?, count(2)?, count(3)?);
            registers.push(Movement { service: service(row.try_get(0)?)?, opening, added, removed });
        }
        registers.sort_by_key(|movement| movement.service);
        Ok(Facts { files, lacking, registers })
    }

    async fn counted(&self, issuer: &str) -> Result<Vec<Counted>, LedgerError> {
        let mut snapshot = self.readers.begin().await?;
        let issuer = self.issuer_if_known(&mut snapshot, issuer).await?.unwrap_or(-1);
        let mut all = Vec::new();
        for service in ServiceName::ALL {
            let moved = "SELECT coalesce(sum(added - removed), 0) FROM movement WHERE issuer = ? AND service = ?";
            let moved = sqlx::query(moved).bind(issuer).bind(service.as_str()).fetch_one(&mut *snapshot).await?;
            let held = sqlx::query(register(service)).bind(issuer).fetch_one(&mut *snapshot).await?;
            all.push(Counted { service, moved: moved.try_get(0)?, held: held.try_get(0)? });
        }
        Ok(all)
    }

    async fn newest_version(&self, issuer: &str, name: &str) -> Result<Option<Version>, LedgerError> {
        let found = sqlx::query(
            "SELECT version, sha256, written FROM report WHERE issuer = (SELECT no FROM issuer WHERE id = ?) AND name = ? \
             ORDER BY version DESC LIMIT 1",
        )
        .bind(issuer)
        .bind(name)
        .fetch_optional(&self.readers)
        .await?;
        let version = |row: &sqlx::sqlite::SqliteRow| -> Result<Version, LedgerError> {
            Ok(Version { number: row.try_get(0)?, sha256: row.try_get(1)?, written: row.try_get::<i64, _>(2)? != 0 })
        };
        found.as_ref().map(version).transpose()
    }

    async fn make_version(
        &self,
        issuer: &str,
        name: &str,
        version: &Version,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        let issuer = self.issuer(&mut write, issuer).await?;
        sqlx::query(
            "INSERT INTO report (issuer, name, version, sha256, made_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(issuer)
        .bind(name)
        .bind(version.number)
        .bind(&version.sha256)
        .bind(at.0)
        .execute(write.on().await?)
        .await?;
        write.commit().await
    }

    async fn version_written(&self, issuer: &str, name: &str, number: u32) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        let issuer = self.issuer(&mut write, issuer).await?;
        sqlx::query("UPDATE report SET written = 1 WHERE issuer = ? AND name = ? AND version = ?")
            .bind(issuer)
            .bind(name)
            .bind(number)
            .execute(write.on().await?)
            .await?;
        write.commit().await
    }
}

async fn files(
    snapshot: &mut SqliteConnection,
    issuer: i64,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Account>, LedgerError> {
    let sql = format!(
        "{FILE} WHERE file.issuer = ? AND file.received_at >= ? AND file.received_at < ? AND file.state <> 'CLAIMING' \
         ORDER BY file.no"
    );
    let found = sqlx::query(AssertSqlSafe(sql)).bind(issuer).bind(from.0).bind(to.0).fetch_all(snapshot).await?;
    found.iter().map(account).collect()
}

/// Nights that ended in the window, without what was accepted after all before the window was over.
async fn lacking(
    snapshot: &mut SqliteConnection,
    issuer: i64,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Lacking>, LedgerError> {
    let found = sqlx::query(
        "SELECT feed, service, files - (SELECT count(*) FROM file WHERE file.issuer = missed.issuer \
         AND file.feed = missed.feed AND accepted_at >= missed.since AND accepted_at < min(missed.until, ?3)) \
         FROM missed WHERE issuer = ?1 AND by_at >= ?2 AND by_at < ?3 ORDER BY by_at, feed",
    )
    .bind(issuer)
    .bind(from.0)
    .bind(to.0)
    .fetch_all(snapshot)
    .await?;
    let mut all = Vec::new();
    for row in &found {
        let files = u32::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0);
        if files > 0 {
            all.push(Lacking { feed: row.try_get(0)?, service: service(row.try_get(1)?)?, files });
        }
    }
    Ok(all)
}

fn service(word: &str) -> Result<ServiceName, LedgerError> {
    word.parse().map_err(|()| broken("a service"))
}
