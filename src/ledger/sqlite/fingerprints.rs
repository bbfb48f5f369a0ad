//! The index of fingerprints, in two levels.
//!
//! Fingerprints are as good as drawn, so an index of them is visited at random: each group of new ones changes most of its pages, and
//! once it is larger than the cache, each new one costs a page read and a page written. New ones are therefore held in memory. That
//! they are there is told by the cards themselves: a commit writes down the range of the cards that it brought, and a process that
//! starts reads those cards' fingerprints (the view `fingerprint_young`). When there are as many as there may be, they move into the
//! old index, a stretch with each commit, in order of their keys, so that a page of it is written once for all that came to it in the
//! meantime. A fingerprint is in one of the two.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::ledger::LedgerError;
use crate::model::unhex;
use crate::vault::Fingerprint;

use super::statements::{ROWS_A_STATEMENT, execute_all, in_parts, marks, rows_of};
use super::vault::{broken, fingerprint};
use super::young::{Card, Young};
use super::{Write, vault};

/// Bytes of cache for each fingerprint that may be young.
const CACHE_BYTES_EACH: u64 = 64;

/// A table of a power of two has room for seven eighths of that: with more it would be made twice as large.
const fn full_table(entries: u64) -> u64 {
    entries / 8 * 7
}

/// More would take a process that starts too long to read.
const YOUNG_MAX: u64 = full_table(1 << 21);

/// How many move for each that comes: more than one, so that a generation has moved before the next is full.
const STRETCH_TIMES: usize = 2;

/// In how many stretches a generation moves at most: each looks at all that are left.
const STRETCHES: usize = 64;

/// Ranges that are read at once.
const RANGES: i64 = 8;

/// How many fingerprints a generation may have.
pub(super) fn young_max(cache_bytes: u64) -> usize {
    usize::try_from(full_table(cache_bytes / CACHE_BYTES_EACH).min(YOUNG_MAX)).unwrap_or(0)
}

/// The register to be read, with the fingerprints that it has in no index.
pub(super) struct Reader<'a> {
    pub(super) on: &'a mut SqliteConnection,
    pub(super) young: &'a Young,
}

/// Reads which fingerprints are young.
pub(super) async fn load(on: &mut SqliteConnection, max: usize) -> Result<Young, LedgerError> {
    let state = sqlx::query(
        "SELECT generation + 1, NOT EXISTS (SELECT 1 FROM fingerprint_old), fingerprint FROM fingerprint_ageing",
    );
    let state = state.fetch_one(&mut *on).await?;
    let mut young = Young::new(state.try_get(0)?, state.try_get(1)?, max);
    let mut after: i64 = 0;
    loop {
        // A row a range: each row takes its way between threads.
        let ranges = sqlx::query(
            "SELECT range, generation, issuer, lower(group_concat(hex(fingerprint) || ':' || pan_id)) FROM fingerprint_young \
             WHERE range > ? GROUP BY range ORDER BY range LIMIT ?",
        );
        let ranges = ranges.bind(after).bind(RANGES).fetch_all(&mut *on).await?;
        let Some(last) = ranges.last() else { break };
        after = last.try_get(0)?;
        for range in &ranges {
            let (generation, issuer) = (range.try_get(1)?, range.try_get(2)?);
            for card in range.try_get::<&str, _>(3)?.split(',') {
                let card = card.split_once(':').and_then(|(key, pan_id)| {
                    Some(Card { issuer, fingerprint: unhex(key)?, pan_id: pan_id.parse().ok()? })
                });
                young.restore(generation, card.ok_or_else(|| broken("a young fingerprint"))?);
            }
        }
    }
    young.restored(state.try_get(2)?);
    Ok(young)
}

/// Notes fingerprints that the issuer's vault does not hold, each with the number of its card; those it holds are left as they are.
/// Gives back which are not new, by their place. To be sorted, so that the index is walked from left to right; of two alike the
/// first is the new one.
pub(super) async fn note(
    write: &mut Write<'_>,
    issuer: i64,
    pans: &[(Fingerprint, i64)],
) -> Result<Vec<usize>, LedgerError> {
    let (on, young) = write.with_young().await?;
    if young.is_full(pans.len()) {
        turn(on, young).await?;
    }
    let mut known = Vec::new();
    let mut noted: Vec<usize> = Vec::with_capacity(pans.len());
    for (place, &(fingerprint, pan_id)) in pans.iter().enumerate() {
        let new = young.note(Card { issuer, fingerprint, pan_id });
        if new { &mut noted } else { &mut known }.push(place);
    }
    let old = if young.none_is_old {
        HashMap::new()
    } else {
        let keys: Vec<Fingerprint> = noted.iter().filter_map(|place| pans.get(*place)).map(|(key, _)| *key).collect();
        holders_in_old(on, issuer, &keys).await?
    };
    for place in noted {
        let Some((fingerprint, pan_id)) = pans.get(place) else { continue };
        if old.contains_key(fingerprint) {
            young.take_out(issuer, fingerprint);
            known.push(place);
        } else {
            young.comes(*pan_id);
        }
    }
    known.sort_unstable();
    Ok(known)
}

/// What was filled begins to age. What aged before is all in the old index, or was forgotten.
async fn turn(on: &mut SqliteConnection, young: &mut Young) -> Result<(), LedgerError> {
    drop_aged(on, young).await?;
    sqlx::query("UPDATE fingerprint_ageing SET generation = ?, fingerprint = x''")
        .bind(young.generation)
        .execute(on)
        .await?;
    young.turn();
    Ok(())
}

/// Ranges whose fingerprints have all moved are needed no more: whoever starts would read their cards in vain.
async fn drop_aged(on: &mut SqliteConnection, young: &Young) -> Result<(), LedgerError> {
    sqlx::query("DELETE FROM fingerprint_range WHERE generation < ?").bind(young.generation).execute(on).await?;
    Ok(())
}

/// Whose these fingerprints are, of those that the issuer's vault holds.
pub(super) async fn holders(
    reader: &mut Reader<'_>,
    issuer: i64,
    keys: &[Fingerprint],
) -> Result<HashMap<Fingerprint, i64>, LedgerError> {
    let mut found = HashMap::new();
    let mut left = Vec::new();
    for key in keys {
        match reader.young.holder(issuer, key) {
            Some(pan_id) => _ = found.insert(*key, pan_id),
            None if reader.young.none_is_old => {}
            None => left.push(*key),
        }
    }
    found.extend(holders_in_old(reader.on, issuer, &left).await?);
    Ok(found)
}

async fn holders_in_old(
    on: &mut SqliteConnection,
    issuer: i64,
    keys: &[Fingerprint],
) -> Result<HashMap<Fingerprint, i64>, LedgerError> {
    let mut found = HashMap::new();
    for part in keys.chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "SELECT fingerprint, pan_id FROM fingerprint_old WHERE issuer = {issuer} AND fingerprint IN ({})",
            marks(part.len())
        );
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(part.len() == ROWS_A_STATEMENT);
        for key in part {
            select = select.bind(key.to_vec());
        }
        for row in select.fetch_all(&mut *on).await? {
            found.insert(fingerprint(row.try_get(0)?)?, row.try_get(1)?);
        }
    }
    Ok(found)
}

/// Forgets the fingerprints of cards that nothing refers to any more, among these. Their cards must still be there.
pub(super) async fn forget(write: &mut Write<'_>, issuer: i64, pan_ids: &[(i64, i64)]) -> Result<(), LedgerError> {
    let (on, young) = write.with_young().await?;
    let sql = format!(
        "SELECT fingerprint FROM vault_card WHERE references_held = 0 AND pan_id IN ({})",
        marks(pan_ids.len())
    );
    let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    for (_, pan_id) in pan_ids {
        select = select.bind(*pan_id);
    }
    let mut old = Vec::new();
    for row in select.fetch_all(&mut *on).await? {
        let fingerprint = fingerprint(row.try_get(0)?)?;
        if !young.take_out(issuer, &fingerprint) {
            old.push(fingerprint);
        }
    }
    let old = vault::sorted(old.into_iter());
    for part in old.chunks(ROWS_A_STATEMENT) {
        let sql =
            format!("DELETE FROM fingerprint_old WHERE issuer = {issuer} AND fingerprint IN ({})", marks(part.len()));
        let mut delete = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for key in part {
            delete = delete.bind(key.to_vec());
        }
        if delete.execute(&mut *on).await?.rows_affected() != part.len() as u64 {
            return Err(broken("the index of fingerprints"));
        }
    }
    Ok(())
}

/// Writes down which cards came in this transaction, and moves a stretch of the generation that ages into the old index.
pub(super) async fn age(write: &mut Write<'_>, issuer: i64) -> Result<(), LedgerError> {
    if write.change().is_none_or(|change| change.came == 0) {
        return Ok(());
    }
    let (on, young) = write.with_young().await?;
    if let Some((first, last)) = young.change.range.take() {
        sqlx::query("INSERT INTO fingerprint_range (generation, issuer, first, last) VALUES (?, ?, ?, ?)")
            .bind(young.generation)
            .bind(issuer)
            .bind(first)
            .bind(last)
            .execute(&mut *on)
            .await?;
    }
    let more = STRETCH_TIMES * young.change.came;
    let Some((cards, last)) = young.stretch(more, young.max / STRETCHES) else { return Ok(()) };
    // OR ROLLBACK, since a statement that could be undone alone keeps a copy of every page that it changes; a transaction that
    // failed is thrown away in any case.
    let sql = |rows| {
        format!(
            "INSERT OR ROLLBACK INTO fingerprint_old (issuer, fingerprint, pan_id) VALUES {}",
            rows_of(rows, "?,?,?")
        )
    };
    let statements = in_parts(&cards, 3, sql, |values, card| {
        values.add(card.issuer)?;
        values.add(&card.fingerprint[..])?;
        values.add(card.pan_id)
    });
    execute_all(on, statements).await?;
    sqlx::query("UPDATE fingerprint_ageing SET fingerprint = ?").bind(last.to_vec()).execute(&mut *on).await?;
    if young.none_ages() {
        drop_aged(on, young).await?;
    }
    Ok(())
}
