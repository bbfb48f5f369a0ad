//! The old index of fingerprints, and the filter before it.

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::ledger::LedgerError;
use crate::model::unhex;
use crate::vault::{Fingerprint, FingerprintMap};

use super::filter::{Filter, Part, part_of};
use super::statements::{ROWS_A_STATEMENT, execute_all, in_parts, marks, rows_of};
use super::vault::{broken, fingerprint};
use super::young::{Card, Young};

/// Parts of the filter that are read at once.
const PARTS_AT_ONCE: i64 = 8;

/// The filter as it is kept.
pub(super) async fn load_filter(on: &mut SqliteConnection, bytes_max: u64) -> Result<Filter, LedgerError> {
    let mut filter = Filter::new(bytes_max);
    let mut after: i64 = -1;
    loop {
        let parts =
            sqlx::query("SELECT part, count, bits FROM fingerprint_filter WHERE part > ? ORDER BY part LIMIT ?");
        let parts = parts.bind(after).bind(PARTS_AT_ONCE).fetch_all(&mut *on).await?;
        let Some(last) = parts.last() else { return Ok(filter) };
        after = last.try_get(0)?;
        for part in &parts {
            let (no, count) = (part.try_get::<i64, _>(0)?, part.try_get::<i64, _>(1)?);
            let (Ok(no), Ok(count)) = (usize::try_from(no), usize::try_from(count)) else { continue };
            filter.restore(no, Part { count, bits: part.try_get(2)? });
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
pub(super) async fn put(on: &mut SqliteConnection, young: &mut Young, cards: &[Card]) -> Result<(), LedgerError> {
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
        if !young.filter.note(no, come) {
            let all = leading_of_part(on, no).await?;
            young.filter.make(no, &all);
        }
        write_part(on, &young.filter, no).await?;
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
    let write = sqlx::query(
        "INSERT INTO fingerprint_filter (part, count, bits) VALUES (?, ?, ?) \
         ON CONFLICT (part) DO UPDATE SET count = excluded.count, bits = excluded.bits",
    );
    let write = write.bind(i64::try_from(no).unwrap_or(i64::MAX)).bind(i64::try_from(part.count).unwrap_or(i64::MAX));
    write.bind(part.bits.clone()).execute(on).await?;
    Ok(())
}
