//! The SQL of the vault's cards, which all services share.

use sqlx::{AssertSqlSafe, Row};

use crate::ledger::LedgerError;
use crate::model::Masked;
use crate::services::{Held, NewPan, PanChanges};
use crate::vault::{Fingerprint, FingerprintMap};

use super::Write;
use super::fingerprints::{Reader, forget, holders, note};
use super::statements::{ROWS_A_STATEMENT, execute_all, in_parts, marks, rows_of};

/// Inserts the cards of PANs that were noted as new, each with the number of its references. In order of their numbers the table
/// grows at its end.
pub(super) async fn insert(write: &mut Write<'_>, issuer: i64, news: &[(&NewPan, i64)]) -> Result<(), LedgerError> {
    let row = format!("?,{issuer},?,?,?,?,?,?,?");
    let sql = |rows| {
        format!(
            "INSERT OR ROLLBACK INTO vault_card \
             (pan_id, issuer, fingerprint, sealed, epoch, digits, bin6, last4, references_held) VALUES {}",
            rows_of(rows, &row)
        )
    };
    let statements = in_parts(news, 8, sql, |values, (new, references)| {
        values.add(new.pan_id)?;
        values.add(&new.fingerprint[..])?;
        values.add(&new.sealed[..])?;
        values.add(new.epoch)?;
        values.add(new.masked.digits)?;
        values.add(new.masked.bin6)?;
        values.add(new.masked.last4)?;
        values.add(*references)
    });
    execute_all(write.on().await?, statements).await?;
    Ok(())
}

/// What the vault holds of these PANs. Fingerprints may repeat.
pub(super) async fn held(
    reader: &mut Reader<'_>,
    issuer: i64,
    fingerprints: impl Iterator<Item = Fingerprint>,
) -> Result<FingerprintMap<Held>, LedgerError> {
    let holders = holders(reader, issuer, &sorted(fingerprints)).await?;
    let mut found = FingerprintMap::with_capacity_and_hasher(holders.len(), Default::default());
    for part in sorted(holders.into_values()).chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "SELECT fingerprint, pan_id, digits, bin6, last4 FROM vault_card WHERE pan_id IN ({})",
            marks(part.len())
        );
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(part.len() == ROWS_A_STATEMENT);
        for pan_id in part {
            select = select.bind(*pan_id);
        }
        for row in select.fetch_all(&mut *reader.on).await? {
            let masked = Masked { digits: row.try_get(2)?, bin6: row.try_get(3)?, last4: row.try_get(4)? };
            found.insert(fingerprint(row.try_get(0)?)?, Held { pan_id: row.try_get(1)?, masked });
        }
    }
    Ok(found)
}

/// Writes what a group changed. Rows of services that refer to new PANs come after this, rows that refer to PANs that may be
/// erased must be gone before.
pub(super) async fn write_changes(write: &mut Write<'_>, issuer: i64, changes: &PanChanges) -> Result<(), LedgerError> {
    let mut news: Vec<(&NewPan, i64)> = changes.vaulted.iter().map(|(new, references)| (new, *references)).collect();
    let mut pans: Vec<(Fingerprint, i64)> = news.iter().map(|(new, _)| (new.fingerprint, new.pan_id)).collect();
    pans.sort_unstable();
    if !note(write, issuer, &pans).await?.is_empty() {
        return Err(broken("a fingerprint"));
    }
    news.sort_unstable_by_key(|(new, _)| new.pan_id);
    insert(write, issuer, &news).await?;
    refer(write, issuer, &changes.referred).await
}

/// Adds to the references of PANs that the vault holds; those that nothing refers to any more are erased.
async fn refer(write: &mut Write<'_>, issuer: i64, changes: &[(i64, i64)]) -> Result<(), LedgerError> {
    let mut by_change: Vec<(i64, i64)> = changes.iter().map(|(pan_id, change)| (*change, *pan_id)).collect();
    by_change.sort_unstable();
    for part in by_change.chunk_by(|one, other| one.0 == other.0).flat_map(|alike| alike.chunks(ROWS_A_STATEMENT)) {
        let Some((change, _)) = part.first() else { continue };
        let ids = marks(part.len());
        let sql = format!("UPDATE vault_card SET references_held = references_held + ? WHERE pan_id IN ({ids})");
        let mut update = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(*change);
        for (_, pan_id) in part {
            update = update.bind(*pan_id);
        }
        update.execute(write.on().await?).await?;
        if *change < 0 {
            forget(write, issuer, part).await?;
            let sql = format!("DELETE FROM vault_card WHERE references_held = 0 AND pan_id IN ({ids})");
            let mut delete = sqlx::query(AssertSqlSafe(sql)).persistent(false);
            for (_, pan_id) in part {
                delete = delete.bind(*pan_id);
            }
            delete.execute(write.on().await?).await?;
        }
    }
    Ok(())
}

/// Keys in order, each once: a store is walked once from left to right.
pub(super) fn sorted<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<K> {
    let mut keys: Vec<K> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

pub(super) fn fingerprint(bytes: &[u8]) -> Result<Fingerprint, LedgerError> {
    bytes.try_into().map_err(|_| broken("a fingerprint"))
}

pub(super) fn broken(what: &str) -> LedgerError {
    LedgerError::Inconsistent(format!("{what} in the register has an unknown form"))
}
