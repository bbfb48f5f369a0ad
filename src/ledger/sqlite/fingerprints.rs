//! The index of fingerprints, in two levels.
//!
//! Fingerprints are as good as drawn, so an index of them is visited at random: once it is larger than the cache, each new one
//! costs a page read and a page written. New ones therefore go into a young index that the cache holds. When that has as many as
//! it may, stretches of it move into the old one, in order of their keys and one after the other all around, so that a page of the
//! old one is written once for all that came to it in the meantime. A fingerprint is in one of the two; both are changed in the
//! transaction that changes its card.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::ledger::LedgerError;
use crate::vault::Fingerprint;

use super::Write;
use super::files::stored;
use super::statements::{ROWS_AN_INSERT, execute_all, in_parts, marks, rows_of, values};
use super::vault::{broken, fingerprint};

/// Bytes of cache for each fingerprint that may be young: so many that the young index fills half of the cache.
const CACHE_BYTES_EACH: u64 = 64;

/// How many times what a group brought may move on in its commit.
const STRETCH_TIMES: u64 = 4;

/// How many fingerprints may be young.
pub(super) const fn young_max(cache_bytes: u64) -> u64 {
    cache_bytes / CACHE_BYTES_EACH
}

/// What is known of the young index beside the database. It goes with the connection whenever a transaction fails.
#[derive(Debug, Default)]
pub(super) struct Young {
    /// How many there are, once they were counted.
    rows: Option<u64>,
    /// Whether there are no others, once that was looked at.
    none_is_old: Option<bool>,
    /// The key that the last stretch ended with.
    cursor: (i64, Vec<u8>),
}

/// Notes fingerprints that the issuer's vault does not hold, each with the number of its card; those it holds are left as they are.
/// Gives back which are not new, by their place. Sorted, the pages are visited once, from left to right; of two alike the first is
/// the new one.
pub(super) async fn note(
    write: &mut Write<'_>,
    issuer: i64,
    pans: &[(Fingerprint, i64)],
) -> Result<Vec<usize>, LedgerError> {
    // OR ROLLBACK, since a statement that could be undone alone keeps a copy of every page that it changes; a transaction that
    // failed is thrown away in any case.
    let insert = "INSERT OR ROLLBACK INTO fingerprint_young (issuer, fingerprint, pan_id)";
    let row = format!("{issuer},?,?");
    let none_is_old = none_is_old(write).await?;
    let sql = |rows| {
        let source = if none_is_old {
            format!("VALUES {}", rows_of(rows, &row))
        } else {
            format!(
                "SELECT {issuer}, column1, column2 FROM (VALUES {}) \
                 WHERE NOT EXISTS (SELECT 1 FROM fingerprint_old WHERE issuer = {issuer} AND fingerprint = column1)",
                values(rows, 2)
            )
        };
        format!("{insert} {source} ON CONFLICT (issuer, fingerprint) DO NOTHING")
    };
    let statements = in_parts(pans, 2, sql, |values, (fingerprint, pan_id)| {
        values.add(&fingerprint[..])?;
        values.add(*pan_id)
    });
    let noted = execute_all(write.on()?, statements).await?;
    let mut known = Vec::new();
    for ((part, noted), from) in pans.chunks(ROWS_AN_INSERT).zip(&noted).zip((0..).step_by(ROWS_AN_INSERT)) {
        if *noted < part.len() as u64 {
            let holders = holders(write.on()?, issuer, part.iter().map(|(fingerprint, _)| *fingerprint)).await?;
            let lost = part.iter().zip(from..).filter(|((key, pan_id), _)| holders.get(key) != Some(pan_id));
            known.extend(lost.map(|(_, place)| place));
        }
    }
    write.young()?.changed(noted.iter().sum(), 0);
    Ok(known)
}

/// Whether the old index is empty, as it is as long as the register is small.
async fn none_is_old(write: &mut Write<'_>) -> Result<bool, LedgerError> {
    if let Some(none) = write.young()?.none_is_old {
        return Ok(none);
    }
    let first = sqlx::query("SELECT 1 FROM fingerprint_old LIMIT 1").fetch_optional(write.on()?).await?;
    write.young()?.none_is_old = Some(first.is_none());
    Ok(first.is_none())
}

/// The beginning of a query for as many fingerprints as are bound first: `found (fingerprint, pan_id)`.
pub(super) fn found_by(issuer: i64, keys: usize) -> String {
    let among = |index| {
        format!(
            "SELECT wanted.fingerprint, pan_id FROM wanted CROSS JOIN {index} AS held \
             ON held.issuer = {issuer} AND held.fingerprint = wanted.fingerprint"
        )
    };
    format!(
        "WITH wanted (fingerprint) AS (VALUES {}), found (fingerprint, pan_id) AS ({} UNION ALL {})",
        values(keys, 1),
        among("fingerprint_young"),
        among("fingerprint_old")
    )
}

/// Whose these fingerprints are.
async fn holders(
    reader: &mut SqliteConnection,
    issuer: i64,
    keys: impl ExactSizeIterator<Item = Fingerprint>,
) -> Result<HashMap<Fingerprint, i64>, LedgerError> {
    let sql = format!("{} SELECT fingerprint, pan_id FROM found", found_by(issuer, keys.len()));
    let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    for key in keys {
        select = select.bind(key.to_vec());
    }
    let rows = select.fetch_all(reader).await?;
    rows.iter().map(|row| Ok((fingerprint(row.try_get(0)?)?, row.try_get(1)?))).collect()
}

/// Forgets the fingerprints of cards that nothing refers to any more, among these. Their cards must still be there.
pub(super) async fn forget(write: &mut Write<'_>, issuer: i64, pan_ids: &[(i64, i64)]) -> Result<(), LedgerError> {
    let mut forgotten = [0; 2];
    for (forgotten, index) in forgotten.iter_mut().zip(["fingerprint_young", "fingerprint_old"]) {
        let sql = format!(
            "DELETE FROM {index} WHERE issuer = {issuer} AND fingerprint IN \
             (SELECT fingerprint FROM vault_card WHERE references_held = 0 AND pan_id IN ({}))",
            marks(pan_ids.len())
        );
        let mut delete = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for (_, pan_id) in pan_ids {
            delete = delete.bind(*pan_id);
        }
        *forgotten = delete.execute(write.on()?).await?.rows_affected();
    }
    write.young()?.changed(0, forgotten[0]);
    Ok(())
}

/// Moves a stretch of the young index into the old one when there are more than `max` young. A stretch is at most a few times what
/// `records` brought: with a smaller cache than before there can be many too many.
pub(super) async fn age(write: &mut Write<'_>, max: u64, records: u64) -> Result<(), LedgerError> {
    let rows = match write.young()?.rows {
        Some(rows) => rows,
        None => {
            let counted = sqlx::query("SELECT count(*) FROM fingerprint_young").fetch_one(write.on()?).await?;
            let rows = u64::try_from(counted.try_get::<i64, _>(0)?).unwrap_or(0);
            write.young()?.rows = Some(rows);
            rows
        }
    };
    let mut too_many = rows.saturating_sub(max).min(STRETCH_TIMES * records);
    // On to the last key, and once more from the first.
    for _ in 0..2 {
        if too_many == 0 {
            break;
        }
        let (issuer, from) = write.young()?.cursor.clone();
        let last = sqlx::query(
            "SELECT issuer, fingerprint FROM fingerprint_young WHERE (issuer, fingerprint) > (?, ?) \
             ORDER BY issuer, fingerprint LIMIT 1 OFFSET ?",
        )
        .bind(issuer)
        .bind(from.clone())
        .bind(stored(too_many - 1))
        .fetch_optional(write.on()?)
        .await?;
        let (to, next) = match last {
            Some(row) => {
                let key: (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
                (key.clone(), key)
            }
            // No key is greater, and none is smaller than the default.
            None => ((i64::MAX, Vec::new()), Default::default()),
        };
        let mut moved = [0; 2];
        for (moved, sql) in moved.iter_mut().zip([
            "INSERT OR ROLLBACK INTO fingerprint_old SELECT issuer, fingerprint, pan_id FROM fingerprint_young \
             WHERE (issuer, fingerprint) > (?, ?) AND (issuer, fingerprint) <= (?, ?) ORDER BY issuer, fingerprint",
            "DELETE FROM fingerprint_young WHERE (issuer, fingerprint) > (?, ?) AND (issuer, fingerprint) <= (?, ?)",
        ]) {
            let stretch = sqlx::query(sql).bind(issuer).bind(from.clone()).bind(to.0).bind(to.1.clone());
            *moved = stretch.execute(write.on()?).await?.rows_affected();
        }
        if moved[0] != moved[1] {
            return Err(broken("the index of fingerprints"));
        }
        let young = write.young()?;
        young.changed(0, moved[0]);
        young.cursor = next;
        young.none_is_old = Some(false);
        too_many = too_many.saturating_sub(moved[0]);
    }
    Ok(())
}

impl Young {
    fn changed(&mut self, more: u64, fewer: u64) {
        self.rows = self.rows.map(|rows| (rows + more).saturating_sub(fewer));
    }
}
