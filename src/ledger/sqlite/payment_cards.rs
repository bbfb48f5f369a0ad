//! The SQL of payment-cards.
//!
//! A group without deletions is inserted outright, sorted by fingerprint, and only what lost a conflict is looked up and folded. A group
//! with deletions reads what it touches, folds its records in order and writes the difference. Both give the same.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::ledger::LedgerError;
use crate::model::{FileNo, Masked};
use crate::services::PreparedChunk;
use crate::services::payment_cards::{
    Ask, Card, CardId, Change, Difference, Holding, NewCard, Place, Register, asks, fold, settle_all,
};
use crate::vault::Fingerprint;

use super::Write;
use super::chunks::{ROWS_A_STATEMENT, values};

pub(super) async fn apply(
    write: &mut Write<'_>,
    no: FileNo,
    issuer: i64,
    chunks: &mut [PreparedChunk],
) -> Result<(), LedgerError> {
    let mut settled: Vec<(Place, Change)> = Vec::new();
    {
        let asks = asks(chunks);
        let plain = !asks.iter().any(|(_, ask)| matches!(ask, Ask::Delete(_)));
        let left = if plain { insert_outright(write, no, issuer, asks, &mut settled).await? } else { asks };
        if !left.is_empty() {
            let register = read(write.on()?, issuer, left.iter().map(|(_, ask)| *ask)).await?;
            let (changes, difference) = fold(no, &register, left.iter().map(|(_, ask)| *ask));
            settled.extend(left.iter().map(|(place, _)| *place).zip(changes));
            write_difference(write, no, issuer, &difference).await?;
        }
    }
    settle_all(chunks, settled);
    Ok(())
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
    news.sort_unstable_by_key(|(_, _, new)| (new.fingerprint, new.pan_id));
    let mut won: Vec<(i64, CardId)> = Vec::with_capacity(news.len());
    for part in news.chunks(ROWS_A_STATEMENT) {
        let inserted = insert_vault(write, issuer, part.iter().map(|(_, _, new)| *new)).await?;
        let losers = if inserted < part.len() as u64 {
            held_elsewhere(write, issuer, part.iter().map(|(_, _, new)| *new)).await?
        } else {
            HashMap::new()
        };
        for (place, ask, new) in part {
            if losers.get(&new.fingerprint).is_some_and(|pan_id| *pan_id != new.pan_id) {
                left.push((*place, ask));
            } else {
                won.push((new.pan_id, new.card_id));
                settled.push((*place, Change::Registered(new.card_id)));
            }
        }
    }
    won.sort_unstable();
    insert_cards(write, no, &won).await?;
    left.sort_unstable_by_key(|(place, _)| *place);
    Ok(left)
}

async fn insert_vault(
    write: &mut Write<'_>,
    issuer: i64,
    news: impl ExactSizeIterator<Item = &NewCard>,
) -> Result<u64, LedgerError> {
    let rows = news.len();
    let sql = format!(
        "INSERT INTO vault_card (pan_id, issuer, fingerprint, sealed, epoch, digits, bin6, last4, references_held) VALUES {} \
         ON CONFLICT (issuer, fingerprint) DO NOTHING",
        values(rows, 9)
    );
    let mut insert = sqlx::query(AssertSqlSafe(sql)).persistent(rows == ROWS_A_STATEMENT);
    for new in news {
        insert = insert
            .bind(new.pan_id)
            .bind(issuer)
            .bind(new.fingerprint.to_vec())
            .bind(new.sealed.to_vec())
            .bind(new.epoch)
            .bind(new.masked.digits)
            .bind(new.masked.bin6)
            .bind(new.masked.last4)
            .bind(1_i64);
    }
    Ok(insert.execute(write.on()?).await?.rows_affected())
}

async fn held_elsewhere(
    write: &mut Write<'_>,
    issuer: i64,
    news: impl ExactSizeIterator<Item = &NewCard>,
) -> Result<HashMap<Fingerprint, i64>, LedgerError> {
    let sql = format!(
        "SELECT fingerprint, pan_id FROM vault_card WHERE issuer = ? AND fingerprint IN ({})",
        vec!["?"; news.len()].join(",")
    );
    let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(issuer);
    for new in news {
        select = select.bind(new.fingerprint.to_vec());
    }
    let rows = select.fetch_all(write.on()?).await?;
    rows.iter().map(|row| Ok((fingerprint(row.try_get(0)?)?, row.try_get(1)?))).collect()
}

async fn insert_cards(write: &mut Write<'_>, no: FileNo, cards: &[(i64, CardId)]) -> Result<(), LedgerError> {
    for part in cards.chunks(ROWS_A_STATEMENT) {
        let sql = format!("INSERT INTO payment_card (pan_id, payment_card_id, file) VALUES {}", values(part.len(), 3));
        let mut insert = sqlx::query(AssertSqlSafe(sql)).persistent(part.len() == ROWS_A_STATEMENT);
        for (pan_id, card_id) in part {
            insert = insert.bind(*pan_id).bind(card_id.to_vec()).bind(no.0);
        }
        insert.execute(write.on()?).await?;
    }
    Ok(())
}

const HOLDING: &str = "SELECT vault_card.fingerprint, vault_card.pan_id, digits, bin6, last4, payment_card_id, file \
     FROM vault_card LEFT JOIN payment_card ON payment_card.pan_id = vault_card.pan_id";

/// Reads what the asks touch.
pub(super) async fn read(
    reader: &mut SqliteConnection,
    issuer: i64,
    asks: impl Iterator<Item = &Ask>,
) -> Result<Register, LedgerError> {
    let mut fingerprints: Vec<Fingerprint> = Vec::new();
    let mut ids: Vec<CardId> = Vec::new();
    for ask in asks {
        match ask {
            Ask::Register(new) => fingerprints.push(new.fingerprint),
            Ask::Lookup(fingerprint) => fingerprints.push(*fingerprint),
            Ask::Delete(id) => ids.push(*id),
        }
    }
    let mut register = Register::default();
    for (keys, column) in [(&mut fingerprints, "fingerprint"), (&mut ids, "payment_card_id")] {
        keys.sort_unstable();
        keys.dedup();
        for part in keys.chunks(ROWS_A_STATEMENT) {
            let marks = vec!["?"; part.len()].join(",");
            let sql = format!("{HOLDING} WHERE vault_card.issuer = ? AND {column} IN ({marks})");
            let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(issuer);
            for key in part {
                select = select.bind(key.to_vec());
            }
            for row in select.fetch_all(&mut *reader).await? {
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
            }
        }
    }
    Ok(register)
}

/// Deletions first: a PAN has one live card at a time.
async fn write_difference(
    write: &mut Write<'_>,
    no: FileNo,
    issuer: i64,
    difference: &Difference,
) -> Result<(), LedgerError> {
    let change = async |write: &mut Write<'_>, sql: &str, rows: &[i64]| -> Result<(), LedgerError> {
        for part in rows.chunks(ROWS_A_STATEMENT) {
            let sql = format!("{sql} ({})", vec!["?"; part.len()].join(","));
            let mut statement = sqlx::query(AssertSqlSafe(sql)).persistent(false);
            for row in part {
                statement = statement.bind(*row);
            }
            statement.execute(write.on()?).await?;
        }
        Ok(())
    };
    change(write, "DELETE FROM payment_card WHERE pan_id IN", &difference.removed).await?;
    change(write, "UPDATE vault_card SET references_held = references_held - 1 WHERE pan_id IN", &difference.released)
        .await?;
    change(write, "DELETE FROM vault_card WHERE references_held = 0 AND pan_id IN", &difference.released).await?;
    change(write, "UPDATE vault_card SET references_held = references_held + 1 WHERE pan_id IN", &difference.attached)
        .await?;
    for part in difference.vaulted.chunks(ROWS_A_STATEMENT) {
        if insert_vault(write, issuer, part.iter()).await? != part.len() as u64 {
            return Err(broken("a fingerprint"));
        }
    }
    insert_cards(write, no, &difference.added).await
}

fn fingerprint(bytes: &[u8]) -> Result<Fingerprint, LedgerError> {
    bytes.try_into().map_err(|_| broken("a fingerprint"))
}

fn broken(what: &str) -> LedgerError {
    LedgerError::Inconsistent(format!("{what} in the register has an unknown form"))
}
