//! The SQL of cards.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Row};

use crate::ledger::LedgerError;
use crate::model::{FileNo, Masked};
use crate::services::cards::{Ask, Card, Change, Difference, Register, Registration, fold, settle};
use crate::services::{Held, Place, PreparedChunk, asks, settle_all};

use super::Write;
use super::fingerprints::Reader;
use super::reports::Moved;
pub(super) use super::services::{nothing_to_prepare as prepare, rows_are_complete as complete};
use super::statements::{ROWS_A_STATEMENT, execute_all, in_parts, marks, rows_of, values};
use super::vault::{self, broken, fingerprint, sorted};

pub(super) async fn apply(
    write: &mut Write<'_>,
    no: FileNo,
    issuer: i64,
    chunks: &mut [PreparedChunk],
) -> Result<Moved, LedgerError> {
    let register = read(&mut write.reader().await?, no, issuer, chunks).await?;
    let (places, asks): (Vec<Place>, Vec<&Ask>) = asks::<Ask>(chunks).into_iter().unzip();
    let (changes, difference) = fold(&register, asks.iter().copied());
    write_difference(write, issuer, &difference).await?;
    let (adds, removes) =
        (|it: &Change| matches!(it, Change::Registered(..)), |it: &Change| matches!(it, Change::Deleted(_)));
    let moved = Moved::of(&changes, adds, removes);
    settle_all(chunks, places.into_iter().zip(changes), settle);
    Ok(moved)
}

const CARD: &str = "SELECT vault_card.fingerprint, vault_card.pan_id, digits, bin6, last4, \
     card_id, card_product_id, consumer_id, registration \
     FROM vault_card JOIN card USING (pan_id) JOIN consumer ON consumer.no = card.consumer";

/// Reads what the chunks ask for.
pub(super) async fn read(
    reader: &mut Reader<'_>,
    _no: FileNo,
    issuer: i64,
    chunks: &[PreparedChunk],
) -> Result<Register, LedgerError> {
    let asks: Vec<&Ask> = asks::<Ask>(chunks).into_iter().map(|(_, ask)| ask).collect();
    let news = || asks.iter().filter_map(|ask| if let Ask::Register(new) = ask { Some(new) } else { None });
    let pans = sorted(news().map(|new| new.pan.fingerprint));
    let mut register =
        Register { held: vault::held(reader, issuer, pans.iter().copied()).await?, ..Register::default() };

    // Many issuers have none: one question instead of one for each PAN.
    let sql = "SELECT EXISTS (SELECT 1 FROM card_retired WHERE issuer = ?)";
    let any_retired: bool = sqlx::query_scalar(sql).bind(issuer).fetch_one(&mut *reader.on).await?;
    for part in pans.chunks(ROWS_A_STATEMENT).filter(|_| any_retired) {
        let sql =
            format!("SELECT fingerprint FROM card_retired WHERE issuer = ? AND fingerprint IN ({})", marks(part.len()));
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(part.len() == ROWS_A_STATEMENT).bind(issuer);
        for key in part {
            select = select.bind(key.to_vec());
        }
        for row in select.fetch_all(&mut *reader.on).await? {
            register.retired.insert(fingerprint(row.try_get(0)?)?);
        }
    }

    let held = sorted(register.held.values().map(|held| held.pan_id));
    for part in held.chunks(ROWS_A_STATEMENT) {
        let sql = format!("{CARD} WHERE card.pan_id IN ({})", marks(part.len()));
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(part.len() == ROWS_A_STATEMENT);
        for pan_id in part {
            select = select.bind(*pan_id);
        }
        select.fetch_all(&mut *reader.on).await?.iter().try_for_each(|row| take_card(&mut register, row))?;
    }
    let ids = asks.iter().map(|ask| match ask {
        Ask::Register(new) => &*new.card.id,
        Ask::Delete(id) => id,
    });
    for part in sorted(ids).chunks(ROWS_A_STATEMENT) {
        let sql = format!("{CARD} WHERE card.issuer = ? AND card_id IN ({})", marks(part.len()));
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(part.len() == ROWS_A_STATEMENT).bind(issuer);
        for id in part {
            select = select.bind(*id);
        }
        select.fetch_all(&mut *reader.on).await?.iter().try_for_each(|row| take_card(&mut register, row))?;
    }

    for part in sorted(news().map(|new| &*new.card.consumer)).chunks(ROWS_A_STATEMENT) {
        let sql =
            format!("SELECT consumer_id, no FROM consumer WHERE issuer = ? AND consumer_id IN ({})", marks(part.len()));
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(part.len() == ROWS_A_STATEMENT).bind(issuer);
        for id in part {
            select = select.bind(*id);
        }
        for row in select.fetch_all(&mut *reader.on).await? {
            register.consumers.insert(row.try_get::<&str, _>(0)?.into(), row.try_get(1)?);
        }
    }
    Ok(register)
}

fn take_card(register: &mut Register, row: &sqlx::sqlite::SqliteRow) -> Result<(), LedgerError> {
    let masked = Masked { digits: row.try_get(2)?, bin6: row.try_get(3)?, last4: row.try_get(4)? };
    let card = Card {
        fingerprint: fingerprint(row.try_get(0)?)?,
        pan_id: row.try_get(1)?,
        masked,
        id: row.try_get::<&str, _>(5)?.into(),
        product: row.try_get::<&str, _>(6)?.into(),
        consumer: row.try_get::<&str, _>(7)?.into(),
        registration: Registration::from_word(row.try_get(8)?).ok_or_else(|| broken("a card's registration"))?,
    };
    register.held.insert(card.fingerprint, Held { pan_id: card.pan_id, masked });
    register.cards.insert(card.id.clone(), Arc::new(card));
    Ok(())
}

/// Deletions first: an id has one live card at a time, and a PAN goes only when no card has it.
async fn write_difference(write: &mut Write<'_>, issuer: i64, difference: &Difference) -> Result<(), LedgerError> {
    for part in difference.removed.chunks(ROWS_A_STATEMENT) {
        let sql = format!("DELETE FROM card WHERE pan_id IN ({})", marks(part.len()));
        let mut delete = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for pan_id in part {
            delete = delete.bind(*pan_id);
        }
        if delete.execute(write.on().await?).await?.rows_affected() != part.len() as u64 {
            return Err(broken("a card"));
        }
    }
    for part in difference.retired.chunks(ROWS_A_STATEMENT) {
        let sql = format!("INSERT INTO card_retired (issuer, fingerprint) VALUES {}", values(part.len(), 2));
        let mut insert = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for key in part {
            insert = insert.bind(issuer).bind(key.to_vec());
        }
        insert.execute(write.on().await?).await?;
    }
    vault::write_changes(write, issuer, &difference.pans).await?;
    let row = format!("?,{issuer},?");
    let sql =
        |rows| format!("INSERT OR ROLLBACK INTO consumer (no, issuer, consumer_id) VALUES {}", rows_of(rows, &row));
    let consumers = in_parts(&difference.consumers, 2, sql, |values, (no, id)| {
        values.add(*no)?;
        values.add(&**id)
    });
    execute_all(write.on().await?, consumers).await?;
    let row = format!("?,{issuer},?,?,?,?,?,?");
    let sql = |rows| {
        format!(
            "INSERT OR ROLLBACK INTO card \
             (pan_id, issuer, card_id, consumer, card_product_id, state, expiry, registration) VALUES {}",
            rows_of(rows, &row)
        )
    };
    let cards = in_parts(&difference.added, 7, sql, |values, added| {
        let card = &added.new.card;
        values.add(added.pan_id)?;
        values.add(&*card.id)?;
        values.add(added.consumer)?;
        values.add(&*card.product)?;
        values.add(if added.new.active { "ACTIVE" } else { "INACTIVE" })?;
        values.add(added.new.expiry.number())?;
        values.add(card.registration.as_str())
    });
    execute_all(write.on().await?, cards).await?;
    Ok(())
}
