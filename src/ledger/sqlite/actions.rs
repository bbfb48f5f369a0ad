//! What befalls files from outside their own story: ends of the process, and what operators do, with its row in the trail.

use crate::ledger::{AuditEntry, LedgerError, Reopen};
use crate::model::{FileNo, State};

use super::files::{one_step, stored};
use super::{SqliteLedger, audit};

/// `released` of a file that was decided again, and of one whose content may be taken a second time.
const RETRIED: i64 = 1;
pub(super) const RELEASED: i64 = 2;

impl SqliteLedger {
    pub(super) async fn reopen_file(&self, no: FileNo, how: &Reopen, told: &AuditEntry) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        let step = match how {
            Reopen::GoOn(from) => {
                sqlx::query(
                    "UPDATE file SET state = ?, held_from = NULL, held_why = NULL, aborts = 0, kills = 0 \
                     WHERE no = ? AND state = 'HELD'",
                )
                .bind(from.as_str())
                .bind(no.0)
                .execute(write.on().await?)
                .await?
            }
            Reopen::Decide { feed, service, environment, release } => {
                sqlx::query(
                    "UPDATE file SET state = ?, decision = NULL, code = NULL, line = NULL, description = NULL, \
                     envelope = NULL, key_id = NULL, header = NULL, records = NULL, next_sequence = NULL, \
                     outbound = NULL, done_at = NULL, aborts = 0, kills = 0, released = max(released, ?), feed = ?, \
                     service = ?, environment = ? WHERE no = ? AND state = 'DONE' AND decision = 'REFUSED'",
                )
                .bind(State::Claimed.as_str())
                .bind(if *release { RELEASED } else { RETRIED })
                .bind(feed.as_deref())
                .bind(service.map(|service| service.as_str()))
                .bind(environment.map(|environment| environment.as_str()))
                .bind(no.0)
                .execute(write.on().await?)
                .await?
            }
        };
        one_step(step.rows_affected(), no, "taken up again")?;
        audit::append(&mut write, told).await?;
        write.commit().await
    }

    pub(super) async fn ends_counted(&self, files: &[FileNo], own_fault: bool) -> Result<(), LedgerError> {
        let sql = if own_fault {
            "UPDATE file SET aborts = aborts + 1 WHERE no = ? AND state NOT IN ('DONE', 'HELD')"
        } else {
            "UPDATE file SET kills = kills + 1 WHERE no = ? AND state NOT IN ('DONE', 'HELD')"
        };
        let mut write = self.begin().await?;
        for no in files {
            sqlx::query(sql).bind(no.0).execute(write.on().await?).await?;
        }
        write.commit().await
    }

    pub(super) async fn sequence_set(&self, feed: &str, next: u64, told: &AuditEntry) -> Result<(), LedgerError> {
        let mut write = self.begin().await?;
        let set = match next.checked_sub(1) {
            Some(last) => sqlx::query(
                "INSERT INTO feed_sequence (feed, last) VALUES (?, ?) ON CONFLICT (feed) DO UPDATE SET last = excluded.last",
            )
            .bind(feed)
            .bind(stored(last)),
            // Before 0 comes nothing: the feed is as if it had never brought a file.
            None => sqlx::query("DELETE FROM feed_sequence WHERE feed = ?").bind(feed),
        };
        set.execute(write.on().await?).await?;
        audit::append(&mut write, told).await?;
        write.commit().await
    }
}
