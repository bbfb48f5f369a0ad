//! The index of fingerprints, in two levels.
//!
//! Fingerprints are as good as drawn, so an index of them is visited at random: each group of new ones changes most of its pages, and
//! once it is larger than the cache, each new one costs a page read and a page written. New ones are therefore held in memory. That
//! they are there is told by the cards themselves: a commit writes down the range of the cards that it brought, and a process that
//! starts reads those cards' fingerprints (the view `fingerprint_young`). When there are as many as there may be, they move into the
//! old index, a stretch with each commit, in order of their keys, so that a page of it is written once for all that came to it in the
//! meantime. A fingerprint is in one of the two. Whoever looks one up asks memory first, then the old index's filter, and the index
//! itself only if that one says that it may be there.

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::ledger::LedgerError;
use crate::model::unhex;
use crate::vault::{Fingerprint, FingerprintMap};

use super::filter::Filter;
use super::statements::marks;
use super::vault::{broken, fingerprint};
use super::young::{Card, Young};
use super::{Write, old, vault};

/// Bytes of cache for each fingerprint that may be young.
const CACHE_BYTES_EACH: u64 = 64;

/// The filter takes an eighth of the cache's bytes at most.
const CACHE_PER_FILTER: u64 = 8;

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

/// What may be held in memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    /// How many fingerprints a generation may have.
    pub(super) young_max: usize,
    /// The bytes that the old index's filter may grow to.
    pub(super) filter_bytes: u64,
}

impl Room {
    /// The share of a cache of so many bytes.
    pub(super) fn of_cache(bytes: u64) -> Self {
        let young_max = full_table(bytes / CACHE_BYTES_EACH).min(YOUNG_MAX);
        Self { young_max: usize::try_from(young_max).unwrap_or(0), filter_bytes: bytes / CACHE_PER_FILTER }
    }
}

/// The register to be read, with the fingerprints that it has in no index.
pub(super) struct Reader<'a> {
    pub(super) on: &'a mut SqliteConnection,
    pub(super) young: &'a Young,
}

/// Reads which fingerprints are young.
pub(super) async fn load(on: &mut SqliteConnection, room: Room) -> Result<Young, LedgerError> {
    let state = sqlx::query("SELECT generation + 1, fingerprint FROM fingerprint_ageing").fetch_one(&mut *on).await?;
    let mut young = Young::new(state.try_get(0)?, room.young_max, Filter::new(room.filter_bytes));
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
    // Last: beside a daemon, what moves while this is read is young here or old there, or both.
    let old = sqlx::query("SELECT NOT EXISTS (SELECT 1 FROM fingerprint_old)").fetch_one(&mut *on).await?;
    young.restored(state.try_get(1)?, old.try_get(0)?);
    // Who only reads has no room for it, and looks few up.
    if room.filter_bytes > 0 {
        old::load_filter(&mut *on, &mut young.filter).await?;
    }
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
    let keys = noted.iter().filter_map(|place| pans.get(*place)).map(|(key, _)| *key);
    let keys: Vec<Fingerprint> = keys.filter(|key| young.may_be_old(key)).collect();
    let old = old::holders(on, issuer, &keys).await?;
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
) -> Result<FingerprintMap<i64>, LedgerError> {
    let mut found = FingerprintMap::default();
    let mut left = Vec::new();
    for key in keys {
        match reader.young.holder(issuer, key) {
            Some(pan_id) => _ = found.insert(*key, pan_id),
            None if reader.young.may_be_old(key) => left.push(*key),
            None => {}
        }
    }
    found.extend(old::holders(reader.on, issuer, &left).await?);
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
    old::take_out(on, issuer, &vault::sorted(old.into_iter())).await
}

/// Writes down which cards came in this transaction, and moves a stretch of the generation that ages into the old index.
pub(super) async fn age(write: &mut Write<'_>, issuer: i64) -> Result<(), LedgerError> {
    if write.change().is_none_or(|change| change.came == 0) {
        return Ok(());
    }
    let (_, young) = write.with_young().await?;
    let (generation, range) = (young.generation, young.change.range.take());
    let stretch = young.stretch(STRETCH_TIMES * young.change.came, young.max / STRETCHES);
    if let Some((first, last)) = range {
        write
            .later("INSERT INTO fingerprint_range (generation, issuer, first, last) VALUES (?, ?, ?, ?)", |values| {
                [generation, issuer, first, last].into_iter().try_for_each(|number| values.add(number))
            })?;
    }
    let Some((cards, last)) = stretch else { return Ok(()) };
    let (on, young) = write.with_young().await?;
    old::put(on, &mut young.filter, &cards).await?;
    sqlx::query("UPDATE fingerprint_ageing SET fingerprint = ?").bind(last.to_vec()).execute(&mut *on).await?;
    if young.none_ages() {
        drop_aged(on, young).await?;
    }
    Ok(())
}
