//! The SQL of payment-cards.
//!
//! A group without deletions is inserted outright, sorted by fingerprint, and only what lost a conflict is looked up and folded. A group
//! with deletions reads what it touches, folds its records in order and writes the difference. Both give the same.

use std::collections::HashSet;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};

use crate::ledger::LedgerError;
use crate::model::{FileNo, Masked};
use crate::services::payment_cards::{Ask, Card, CardId, Change, Difference, Holding, NewCard, Register, fold, settle};
use crate::services::{NewPan, PanChanges, Place, PreparedChunk, asks, is_registered, settle_all};
use crate::vault::Fingerprint;

use super::Write;
use super::fingerprints::{self, Reader, holders};
use super::reports::Moved;
pub(super) use super::services::{nothing_to_prepare as prepare, rows_are_complete as complete};
use super::statements::{ROWS_A_STATEMENT, execute_all, in_parts, marks, rows_of};
use super::vault::{self, broken, fingerprint, sorted};

pub(super) async fn apply(
    write: &mut Write<'_>,
    no: FileNo,
    issuer: i64,
    chunks: &mut [PreparedChunk],
) -> Result<Moved, LedgerError> {
    let mut settled: Vec<(Place, Change)> = Vec::new();
    {
        let asks = asks::<Ask>(chunks);
        let plain = !asks.iter().any(|(_, ask)| matches!(ask, Ask::Delete(_)));
        let left = if plain { insert_outright(write, no, issuer, asks, &mut settled).await? } else { asks };
        if !left.is_empty() {
            let register = touched(&mut write.reader().await?, issuer, left.iter().map(|(_, ask)| *ask)).await?;
            let (changes, difference) = fold(no, &register, left.iter().map(|(_, ask)| *ask));
            settled.extend(left.iter().map(|(place, _)| *place).zip(changes));
            write_difference(write, no, issuer, &difference).await?;
        }
    }
    let (adds, removes) =
        (|it: &Change| matches!(it, Change::Registered(_)), |it: &Change| matches!(it, Change::Deleted(..)));
    let moved = Moved::of(settled.iter().map(|(_, change)| change), adds, removes);
    settled.retain(|(place, change)| !adds(change) || !is_registered(chunks, *place));
    settle_all(chunks, settled, settle);
    Ok(moved)
}

/// Inserts every PAN that the vault does not hold, and its card. Gives back what remains to be decided: the losers of a conflict, and lookups.
async fn insert_outright<'a>(
    write: &mut Write<'_>,
    no: FileNo,
    issuer: i64,
    asks: Vec<(Place, &'a Ask)>,
    settled: &mut Vec<(Place, Change)>,
) -> Result<Vec<(Place, &'a Ask)>, LedgerError> {
    let mut left = Vec::new();
    let mut news: Vec<(Place, &'a Ask, &'a NewCard)> = Vec::with_capacity(asks.len());
    for (place, ask) in asks {
        match ask {
            Ask::Register(new) => news.push((place, ask, new)),
            Ask::Lookup(_) | Ask::Delete(_) => left.push((place, ask)),
        }
    }
    // Sorted, the index is walked once from left to right; the first of two in the file comes first and wins.
    let mut pans: Vec<(Fingerprint, i64)> =
        news.iter().map(|(_, _, new)| (new.pan.fingerprint, new.pan.pan_id)).collect();
    pans.sort_unstable();
    let known = fingerprints::note(write, issuer, &pans).await?;
    let known: HashSet<i64> =
        known.into_iter().filter_map(|place| pans.get(place)).map(|(_, pan_id)| *pan_id).collect();
    let mut won: Vec<&NewCard> = Vec::with_capacity(news.len());
    for (place, ask, new) in news {
        if known.contains(&new.pan.pan_id) {
            left.push((place, ask));
        } else {
            settled.push((place, Change::Registered(new.card_id)));
            won.push(new);
        }
    }
    let pans: Vec<(&NewPan, i64)> = won.iter().map(|new| (&new.pan, 1)).collect();
    vault::insert(write, issuer, &pans).await?;
    let cards: Vec<(i64, CardId)> = won.iter().map(|new| (new.pan.pan_id, new.card_id)).collect();
    insert_cards(write, no, &cards).await?;
    left.sort_unstable_by_key(|(place, _)| *place);
    Ok(left)
}

async fn insert_cards(write: &mut Write<'_>, no: FileNo, cards: &[(i64, CardId)]) -> Result<(), LedgerError> {
    let row = format!("?,?,{no}");
    let sql = |rows| {
        format!("INSERT OR ROLLBACK INTO payment_card (pan_id, payment_card_id, file) VALUES {}", rows_of(rows, &row))
    };
    let statements = in_parts(cards, 2, sql, |values, (pan_id, card_id)| {
        values.add(*pan_id)?;
        values.add(&card_id[..])
    });
    execute_all(write.on().await?, statements).await?;
    Ok(())
}

const HOLDING: &str = "SELECT vault_card.fingerprint, vault_card.pan_id, digits, bin6, last4, payment_card_id, file";

/// Reads what the chunks ask for.
pub(super) async fn read(
    reader: &mut Reader<'_>,
    _no: FileNo,
    issuer: i64,
    chunks: &[PreparedChunk],
) -> Result<Register, LedgerError> {
    touched(reader, issuer, asks::<Ask>(chunks).into_iter().map(|(_, ask)| ask)).await
}

async fn touched(
    reader: &mut Reader<'_>,
    issuer: i64,
    asks: impl Iterator<Item = &Ask>,
) -> Result<Register, LedgerError> {
    let mut fingerprints: Vec<Fingerprint> = Vec::new();
    let mut ids: Vec<CardId> = Vec::new();
    for ask in asks {
        match ask {
            Ask::Register(new) => fingerprints.push(new.pan.fingerprint),
            Ask::Lookup(fingerprint) => fingerprints.push(*fingerprint),
            Ask::Delete(id) => ids.push(*id),
        }
    }
    let mut register = Register::default();
    let holders = holders(reader, issuer, &sorted(fingerprints.into_iter())).await?;
    for part in sorted(holders.into_values()).chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "{HOLDING} FROM vault_card LEFT JOIN payment_card USING (pan_id) WHERE pan_id IN ({})",
            marks(part.len())
        );
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(part.len() == ROWS_A_STATEMENT);
        for pan_id in part {
            select = select.bind(*pan_id);
        }
        for row in select.fetch_all(&mut *reader.on).await? {
            take(&mut register, &row)?;
        }
    }
    for part in sorted(ids.into_iter()).chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "{HOLDING} FROM payment_card CROSS JOIN vault_card USING (pan_id) \
             WHERE payment_card_id IN ({}) AND vault_card.issuer = {issuer}",
            marks(part.len())
        );
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(part.len() == ROWS_A_STATEMENT);
        for id in part {
            select = select.bind(id.to_vec());
        }
        for row in select.fetch_all(&mut *reader.on).await? {
            take(&mut register, &row)?;
        }
    }
    Ok(register)
}

/// Takes what a row of [`HOLDING`] tells.
fn take(register: &mut Register, row: &SqliteRow) -> Result<(), LedgerError> {
    let fingerprint = fingerprint(row.try_get(0)?)?;
    let id: Option<&[u8]> = row.try_get(5)?;
    let card = match id {
        Some(id) => {
            let id: CardId = id.try_into().map_err(|_| broken("an identifier"))?;
            register.cards.insert(id, fingerprint);
            Some(Card { id, file: FileNo(row.try_get(6)?) })
        }
        None => None,
    };
    let masked = Masked { digits: row.try_get(2)?, bin6: row.try_get(3)?, last4: row.try_get(4)? };
    register.holdings.insert(fingerprint, Holding { pan_id: row.try_get(1)?, masked, card });
    Ok(())
}

/// Deletions first: a PAN has one live card at a time.
async fn write_difference(
    write: &mut Write<'_>,
    no: FileNo,
    issuer: i64,
    difference: &Difference,
) -> Result<(), LedgerError> {
    for part in difference.removed.chunks(ROWS_A_STATEMENT) {
        let sql = format!("DELETE FROM payment_card WHERE pan_id IN ({})", marks(part.len()));
        let mut delete = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for row in part {
            delete = delete.bind(*row);
        }
        delete.execute(write.on().await?).await?;
    }
    let released = difference.released.iter().map(|pan_id| (*pan_id, -1));
    let attached = difference.attached.iter().map(|pan_id| (*pan_id, 1));
    let changes = PanChanges {
        vaulted: difference.vaulted.iter().map(|new| (new.pan.clone(), 1)).collect(),
        referred: released.chain(attached).collect(),
    };
    vault::write_changes(write, issuer, &changes).await?;
    insert_cards(write, no, &difference.added).await
}
