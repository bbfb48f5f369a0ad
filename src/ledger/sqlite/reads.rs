//! What a person asks of the store: which files there are, and what became of them. Reads alone.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};

use crate::ledger::{Account, LedgerError, Overview, Selection};
use crate::model::{FileNo, FileRecord, State, Timestamp};

use super::SqliteLedger;
use super::rows::{self, FILE};

impl SqliteLedger {
    pub(super) async fn find_files(&self, words: &str) -> Result<Vec<FileRecord>, LedgerError> {
        // A name of digits alone is taken for a number too: whoever asks sees both.
        let number = words.parse::<i64>().ok().filter(|_| words.bytes().all(|byte| byte.is_ascii_digit()));
        let sql = format!("{FILE} WHERE file.name = ?1 OR file.stem = ?1 OR file.no = ?2 ORDER BY file.no DESC");
        let found = sqlx::query(AssertSqlSafe(sql)).bind(words).bind(number).fetch_all(&self.readers).await?;
        found.iter().map(rows::file).collect()
    }

    pub(super) async fn file_account(&self, no: FileNo) -> Result<Account, LedgerError> {
        let sql = format!("{FILE} WHERE file.no = ?");
        account(&sqlx::query(AssertSqlSafe(sql)).bind(no.0).fetch_one(&self.readers).await?)
    }

    pub(super) async fn file_accounts(
        &self,
        of: &Selection,
        after: FileNo,
        count: u32,
    ) -> Result<Vec<Account>, LedgerError> {
        let (from, to) = of.received.unzip();
        let sql = format!(
            "{FILE} WHERE file.no > ?1 AND (?2 IS NULL OR file.received_at >= ?2) AND (?3 IS NULL OR file.received_at < ?3) \
             AND (?4 IS NULL OR file.state = ?4) AND (?5 IS NULL OR file.decision = ?5) ORDER BY file.no LIMIT ?6"
        );
        let found = sqlx::query(AssertSqlSafe(sql))
            .bind(after.0)
            .bind(from.map(|at| at.0))
            .bind(to.map(|at| at.0))
            .bind(of.state.map(State::as_str))
            .bind(of.decision.map(|decision| decision.as_str()))
            .bind(count)
            .fetch_all(&self.readers)
            .await?;
        found.iter().map(account).collect()
    }

    pub(super) async fn figures(&self, newest: u32) -> Result<Overview, LedgerError> {
        // One transaction, so that all figures are of one moment.
        let mut snapshot = self.readers.begin().await?;
        let counts =
            sqlx::query("SELECT state, decision, count(*) FROM file GROUP BY state, decision ORDER BY state, decision")
                .fetch_all(&mut *snapshot)
                .await?;
        let counts = counts
            .iter()
            .map(|row| {
                let state: String = row.try_get(0)?;
                let state = State::from_word(&state)
                    .ok_or_else(|| LedgerError::Inconsistent("a file's state has an unknown form".into()))?;
                Ok((state, row.try_get(1)?, u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0)))
            })
            .collect::<Result<_, LedgerError>>()?;
        let sql = format!(
            "{FILE} WHERE file.no IN (SELECT no FROM file ORDER BY no DESC LIMIT ?) OR file.state <> 'DONE' ORDER BY file.no"
        );
        let found = sqlx::query(AssertSqlSafe(sql)).bind(newest).fetch_all(&mut *snapshot).await?;
        let files = found.iter().map(account).collect::<Result<_, _>>()?;
        let accepted = "SELECT feed, max(accepted_at) FROM file WHERE accepted_at IS NOT NULL AND feed IS NOT NULL \
             GROUP BY feed ORDER BY feed";
        let feeds = sqlx::query(accepted).fetch_all(&mut *snapshot).await?;
        let feeds = feeds
            .iter()
            .map(|row| Ok((row.try_get(0)?, Timestamp(row.try_get(1)?))))
            .collect::<Result<_, LedgerError>>()?;
        Ok(Overview { counts, files, feeds })
    }
}

pub(super) fn account(row: &SqliteRow) -> Result<Account, LedgerError> {
    let broken = || LedgerError::Inconsistent("what went out for a file has an unknown form".into());
    let outbound: Option<&str> = row.try_get("outbound")?;
    let time = |column: &str| row.try_get::<Option<i64>, _>(column).map(|at| at.map(Timestamp));
    Ok(Account {
        record: rows::file(row)?,
        tally: rows::tally(row)?,
        outbound: outbound
            .map(|text| serde_json::from_str(text).map_err(|_| broken()))
            .transpose()?
            .unwrap_or_default(),
        outbound_purged_at: time("outbound_purged_at")?,
        results_purged_at: time("results_purged_at")?,
    })
}
