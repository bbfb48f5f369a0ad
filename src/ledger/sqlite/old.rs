//! The old index of fingerprints, and the filter before it.

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::ledger::LedgerError;
use crate::model::unhex;
use crate::vault::{Fingerprint, FingerprintMap};

use super::filter::{FILTER_VERSION, Filter, Part, part_of};
use super::statements::{ROWS_A_STATEMENT, execute_all, in_parts, marks, rows_of};
use super::vault::{broken, fingerprint};
use super::young::Card;

/// Parts of the filter that are read at once.
const PARTS_AT_ONCE: i64 = 8;

/// Takes the filter's parts as they are kept. Of another version is none: those are made anew when something comes to them.
pub(super) async fn load_filter(on: &mut SqliteConnection, filter: &mut Filter) -> Result<(), LedgerError> {
    let mut after: i64 = -1;
    loop {
        let parts = sqlx::query(
            "SELECT part, made, count, bits FROM fingerprint_filter WHERE part > ? AND version = ? ORDER BY part LIMIT ?",
        );
        let parts = parts.bind(after).bind(FILTER_VERSION).bind(PARTS_AT_ONCE).fetch_all(&mut *on).await?;
        let Some(last) = parts.last() else { return Ok(()) };
        after = last.try_get(0)?;
        for part in &parts {
            let number = |column: usize| -> Result<Option<usize>, sqlx::Error> {
                Ok(usize::try_from(part.try_get::<i64, _>(column)?).ok())
            };
            let (Some(no), Some(made), Some(count)) = (number(0)?, number(1)?, number(2)?) else { continue };
            filter.restore(no, Part { made, count, bits: part.try_get(3)? });
        }
    }
}

/// Whose these fingerprints are, of those that the old index holds.
pub(super) async fn holders(
    on: &mut SqliteConnection,
    issuer: i64,
    keys: &[Fingerprint],
) -> Result<FingerprintMap<i64>, LedgerError> {
    let mut found = FingerprintMap::default();
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

/// Takes fingerprints out of the index, which must hold them. The filter goes on saying that they may be there.
pub(super) async fn take_out(on: &mut SqliteConnection, issuer: i64, keys: &[Fingerprint]) -> Result<(), LedgerError> {
    for part in keys.chunks(ROWS_A_STATEMENT) {
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

/// Puts in what ages, in order.
pub(super) async fn put(on: &mut SqliteConnection, filter: &mut Filter, cards: &[Card]) -> Result<(), LedgerError> {
    // OR ROLLBACK, since a statement that could be undone alone keeps a copy of every page that it changes; a transaction that
    // failed is thrown away in any case.
    let sql = |rows| {
        format!(
            "INSERT OR ROLLBACK INTO fingerprint_old (issuer, fingerprint, pan_id) VALUES {}",
            rows_of(rows, "?,?,?")
        )
    };
    let statements = in_parts(cards, 3, sql, |values, card| {
        values.add(card.issuer)?;
        values.add(&card.fingerprint[..])?;
        values.add(card.pan_id)
    });
    execute_all(on, statements).await?;
    let mut come: Vec<Fingerprint> = cards.iter().map(|card| card.fingerprint).collect();
    come.sort_unstable();
    for come in come.chunk_by(|one, other| part_of(one) == part_of(other)) {
        let Some(no) = come.first().map(part_of) else { continue };
        if !filter.note(no, come) {
            filter.make(no, &leading_of_part(on, no).await?);
        }
        write_part(on, filter, no).await?;
    }
    Ok(())
}

/// The first eight bytes of each fingerprint that lies in a part of the filter, whosever it is.
async fn leading_of_part(on: &mut SqliteConnection, no: usize) -> Result<Vec<[u8; 8]>, LedgerError> {
    let (mut low, mut high): (Fingerprint, Fingerprint) = ([0; 16], [u8::MAX; 16]);
    low[0] = u8::try_from(no).unwrap_or(u8::MAX);
    high[0] = low[0];
    // A row an issuer: each row takes its way between threads.
    let issuers = sqlx::query(
        "SELECT lower(group_concat(hex(substr(old.fingerprint, 1, 8)))) FROM issuer CROSS JOIN fingerprint_old AS old \
         ON old.issuer = issuer.no AND old.fingerprint BETWEEN ? AND ? GROUP BY issuer.no",
    );
    let issuers = issuers.bind(low.to_vec()).bind(high.to_vec()).fetch_all(&mut *on).await?;
    let mut all = Vec::new();
    for issuer in &issuers {
        for leading in issuer.try_get::<&str, _>(0)?.split(',') {
            all.push(unhex(leading).ok_or_else(|| broken("a fingerprint"))?);
        }
    }
    Ok(all)
}

async fn write_part(on: &mut SqliteConnection, filter: &Filter, no: usize) -> Result<(), LedgerError> {
    let Some(part) = filter.part(no) else { return Ok(()) };
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query("INSERT OR REPLACE INTO fingerprint_filter (part, version, made, count, bits) VALUES (?, ?, ?, ?, ?)")
        .bind(number(no))
        .bind(FILTER_VERSION)
        .bind(number(part.made))
        .bind(number(part.count))
        .bind(part.bits.clone())
        .execute(on)
        .await?;
    Ok(())
}
