//! The SQL of card-contracts.

use sqlx::{AssertSqlSafe, Row};

use crate::ledger::LedgerError;
use crate::model::FileNo;
use crate::services::card_contracts::{Ask, Change, Contract, Difference, Register, Status, fold, settle};
use crate::services::{Expiry, Place, PreparedChunk, asks, settle_all};

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
    let ids: Vec<Box<str>> = asks.iter().map(|Ask(new)| new.id.clone()).collect();
    write_difference(write, issuer, &difference).await?;
    let moved = Moved::of(&changes, |it| *it == Change::Made, |_| false);
    let settled = places.into_iter().zip(ids.iter().map(|id| &**id).zip(changes));
    settle_all(chunks, settled, settle);
    Ok(moved)
}

/// Reads what the chunks ask for.
pub(super) async fn read(
    reader: &mut Reader<'_>,
    _no: FileNo,
    issuer: i64,
    chunks: &[PreparedChunk],
) -> Result<Register, LedgerError> {
    let asks: Vec<&Ask> = asks::<Ask>(chunks).into_iter().map(|(_, ask)| ask).collect();
    let held = vault::held(reader, issuer, asks.iter().map(|Ask(new)| new.pan.fingerprint)).await?;
    let mut register = Register { held, ..Register::default() };
    for part in sorted(asks.iter().map(|Ask(new)| &*new.id)).chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "SELECT contract_id, no, fingerprint, expiry, card_product_id, status \
             FROM card_contract JOIN vault_card USING (pan_id) \
             WHERE card_contract.issuer = ? AND contract_id IN ({})",
            marks(part.len())
        );
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(issuer);
        for id in part {
            select = select.bind(*id);
        }
        for row in select.fetch_all(&mut *reader.on).await? {
            let contract = Contract {
                row: row.try_get(1)?,
                fingerprint: fingerprint(row.try_get(2)?)?,
                expiry: expiry(row.try_get(3)?)?,
                product: row.try_get::<&str, _>(4)?.into(),
                status: status(row.try_get(5)?)?,
            };
            register.contracts.insert(row.try_get::<&str, _>(0)?.into(), contract);
        }
    }
    Ok(register)
}

async fn write_difference(write: &mut Write<'_>, issuer: i64, difference: &Difference) -> Result<(), LedgerError> {
    vault::write_changes(write, issuer, &difference.pans).await?;
    let row = format!("?,{issuer},?,?,?,?,?");
    let sql = |rows| {
        format!(
            "INSERT OR ROLLBACK INTO card_contract \
             (no, issuer, contract_id, pan_id, expiry, card_product_id, status) VALUES {}",
            rows_of(rows, &row)
        )
    };
    let made = in_parts(&difference.made, 6, sql, |values, (id, pan_id, contract)| {
        values.add(contract.row)?;
        values.add(&**id)?;
        values.add(*pan_id)?;
        values.add(contract.expiry.number())?;
        values.add(&*contract.product)?;
        values.add(contract.status.as_str())
    });
    execute_all(write.on().await?, made).await?;
    for part in difference.updated.chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "WITH said (no, expiry, card_product_id, status) AS (VALUES {}) \
             UPDATE card_contract SET expiry = said.expiry, card_product_id = said.card_product_id, status = said.status \
             FROM said WHERE card_contract.no = said.no",
            values(part.len(), 4)
        );
        let mut update = sqlx::query(AssertSqlSafe(sql)).persistent(part.len() == ROWS_A_STATEMENT);
        for contract in part {
            update = update
                .bind(contract.row)
                .bind(contract.expiry.number())
                .bind(&*contract.product)
                .bind(contract.status.as_str());
        }
        if update.execute(write.on().await?).await?.rows_affected() != part.len() as u64 {
            return Err(broken("a contract"));
        }
    }
    Ok(())
}

pub(super) fn expiry(number: i64) -> Result<Expiry, LedgerError> {
    Expiry::from_number(number).ok_or_else(|| broken("an expiry"))
}

fn status(word: &str) -> Result<Status, LedgerError> {
    Status::from_word(word.as_bytes()).ok_or_else(|| broken("a contract's status"))
}
