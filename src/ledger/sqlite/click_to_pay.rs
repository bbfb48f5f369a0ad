//! The SQL of click-to-pay.
//!
//! What the card management store says of a contract is fetched, and card objects are sealed, before the transaction: an issuer
//! has one file in hand at a time, so that no contract changes while a file of enrolments is registered.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::ledger::LedgerError;
use crate::model::{FileNo, Masked};
use crate::services::card_contracts::Status;
use crate::services::click_to_pay::{
    Ask, CardObject, Change, Consumer, ConsumerKey, Contract, Difference, Enrolment, Fetched, Register, Settled, With,
    card_data, decision, fold, settle,
};
use crate::services::{Ask as _, Expiry, PanChanges, Place, PreparedChunk, asks, settle_all};
use crate::vault::{SEALED_BYTES, SealedPan};

use super::fingerprints::Reader;
use super::reports::Moved;
pub(super) use super::services::rows_are_complete as complete;
use super::statements::{ROWS_A_STATEMENT, marks, values};
use super::vault::{self, broken, sorted};
use super::{SqliteLedger, Write};

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
    let moved = Moved::of(&changes, |it| matches!(it, Change::Enrolled(_)), |_| false);
    let settled: Vec<Settled> = asks.iter().map(|ask| Settled::of(ask)).collect();
    settle_all(chunks, places.into_iter().zip(settled.iter().zip(changes)), settle);
    Ok(moved)
}

/// A contract, and its PAN as the vault has it.
type Stored = (Contract, SealedPan);

/// Fetches the contracts that are asked for, and seals the card objects of those that may be enrolled. What an earlier try has
/// fetched stays.
pub(super) async fn prepare(
    ledger: &SqliteLedger,
    issuer: &str,
    chunks: &mut [PreparedChunk],
) -> Result<(), LedgerError> {
    let mut ids: Vec<Box<str>> = Vec::new();
    for (_, ask) in asks::<Ask>(chunks) {
        if matches!(ask.fetched, Fetched::NotAsked) {
            ids.push(ask.contract_id.clone());
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let mut reader = ledger.readers.acquire().await?;
    // One of whom nothing is held is nobody's number.
    let issuer = ledger.issuer_if_known(&mut reader, issuer).await?.unwrap_or(-1);
    let stored = contracts(&mut reader, issuer, ids).await?;
    drop(reader);
    let mut jobs: Vec<Job> = Vec::new();
    for (chunk, prepared) in chunks.iter_mut().enumerate() {
        for (at, effect) in Ask::of_mut(&mut prepared.effects).into_iter().flatten().enumerate() {
            let ask = &mut effect.ask;
            if !matches!(ask.fetched, Fetched::NotAsked) {
                continue;
            }
            ask.fetched = match stored.get(&ask.contract_id) {
                None => Fetched::Unknown,
                Some((contract, sealed)) => {
                    if ask.with.enroll.is_some() && decision(&ask.with, contract).is_ok() {
                        let (pan_id, expiry) = (contract.pan_id, contract.expiry);
                        let (with, card) = (Arc::clone(&ask.with), Arc::clone(&ask.card));
                        jobs.push(Job { place: (chunk, at), with, card, sealed: *sealed, pan_id, expiry });
                    }
                    Fetched::Found(Box::new(contract.clone()), None)
                }
            };
        }
    }
    for ((chunk, at), token) in sealed(jobs).await? {
        let effects = chunks.get_mut(chunk).and_then(|chunk| Ask::of_mut(&mut chunk.effects));
        if let Some(effect) = effects.and_then(|effects| effects.get_mut(at))
            && let Fetched::Found(_, card_data) = &mut effect.ask.fetched
        {
            *card_data = token;
        }
    }
    Ok(())
}

/// A card object to be sealed.
struct Job {
    place: Place,
    with: Arc<With>,
    card: Arc<CardObject>,
    sealed: SealedPan,
    pan_id: i64,
    expiry: Expiry,
}

/// Sealing is computation: it goes on beside, in parts.
async fn sealed(jobs: Vec<Job>) -> Result<Vec<(Place, Option<Box<str>>)>, LedgerError> {
    let mut parts = Vec::new();
    let mut jobs = jobs.into_iter().peekable();
    while jobs.peek().is_some() {
        let part: Vec<Job> = jobs.by_ref().take(JOBS_A_PART).collect();
        parts.push(tokio::task::spawn_blocking(move || part.iter().map(seal).collect::<Result<Vec<_>, _>>()));
    }
    let mut all = Vec::new();
    for part in parts {
        all.extend(part.await.map_err(|_| LedgerError::Inconsistent("a card object made this program panic".into()))??);
    }
    Ok(all)
}

const JOBS_A_PART: usize = 200;

fn seal(job: &Job) -> Result<(Place, Option<Box<str>>), LedgerError> {
    let Job { place, with, card, sealed, pan_id, expiry } = job;
    let pan = with.keys.unseal(sealed, *pan_id).map_err(|error| LedgerError::Inconsistent(error.to_string()))?;
    let token = card_data(with, card, &pan, *expiry)
        .map_err(|_| LedgerError::Inconsistent("a card object could not be sealed for the enroller".into()))?;
    Ok((*place, token))
}

async fn contracts(
    reader: &mut SqliteConnection,
    issuer: i64,
    ids: Vec<Box<str>>,
) -> Result<HashMap<Box<str>, Stored>, LedgerError> {
    let mut found = HashMap::new();
    for part in sorted(ids.into_iter()).chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "SELECT contract_id, pan_id, digits, bin6, last4, sealed, expiry, card_product_id, status \
             FROM card_contract JOIN vault_card USING (pan_id) \
             WHERE card_contract.issuer = ? AND contract_id IN ({})",
            marks(part.len())
        );
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(issuer);
        for id in part {
            select = select.bind(&**id);
        }
        for row in select.fetch_all(&mut *reader).await? {
            let contract = Contract {
                pan_id: row.try_get(1)?,
                masked: Masked { digits: row.try_get(2)?, bin6: row.try_get(3)?, last4: row.try_get(4)? },
                expiry: Expiry::from_number(row.try_get(6)?).ok_or_else(|| broken("an expiry"))?,
                product: row.try_get::<&str, _>(7)?.into(),
                status: Status::from_word(row.try_get::<&str, _>(8)?.as_bytes())
                    .ok_or_else(|| broken("a contract's status"))?,
            };
            let sealed: &[u8] = row.try_get(5)?;
            let sealed = <[u8; SEALED_BYTES]>::try_from(sealed).map_err(|_| broken("a sealed card number"))?;
            found.insert(row.try_get::<&str, _>(0)?.into(), (contract, sealed));
        }
    }
    Ok(found)
}

/// Reads what the chunks ask for.
pub(super) async fn read(
    reader: &mut Reader<'_>,
    _no: FileNo,
    issuer: i64,
    chunks: &[PreparedChunk],
) -> Result<Register, LedgerError> {
    let asks: Vec<&Ask> = asks::<Ask>(chunks).into_iter().map(|(_, ask)| ask).collect();
    let mut register = Register::default();
    for part in sorted(asks.iter().map(|ask| ask.consumer)).chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "SELECT key, no, src_consumer_id, added_at FROM enrolled_consumer WHERE issuer = ? AND key IN ({})",
            marks(part.len())
        );
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(issuer);
        for key in part {
            select = select.bind(key.to_vec());
        }
        for row in select.fetch_all(&mut *reader.on).await? {
            let key = <ConsumerKey>::try_from(row.try_get::<&[u8], _>(0)?).map_err(|_| broken("a consumer's key"))?;
            let consumer = Consumer { row: row.try_get(1)?, id: id(row.try_get(2)?)?, added_at: row.try_get(3)? };
            register.consumers.insert(key, consumer);
        }
    }
    let wanted = sorted(asks.iter().filter_map(|ask| match &ask.fetched {
        Fetched::Found(contract, _) => Some((register.consumers.get(&ask.consumer)?.row, contract.pan_id)),
        Fetched::Unknown | Fetched::NotAsked => None,
    }));
    for part in wanted.chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "SELECT consumer, pan_id, src_digital_card_id, created_at FROM enrolment \
             WHERE (consumer, pan_id) IN (VALUES {})",
            values(part.len(), 2)
        );
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for (consumer, pan_id) in part {
            select = select.bind(*consumer).bind(*pan_id);
        }
        for row in select.fetch_all(&mut *reader.on).await? {
            let enrolment = Enrolment { id: id(row.try_get(2)?)?, created_at: row.try_get(3)? };
            register.enrolments.insert((row.try_get(0)?, row.try_get(1)?), enrolment);
        }
    }
    Ok(register)
}

async fn write_difference(write: &mut Write<'_>, issuer: i64, difference: &Difference) -> Result<(), LedgerError> {
    for part in difference.consumers.chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "INSERT INTO enrolled_consumer (no, issuer, key, src_consumer_id, added_at) VALUES {}",
            values(part.len(), 5)
        );
        let mut insert = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for new in part {
            insert = insert
                .bind(new.consumer.row)
                .bind(issuer)
                .bind(new.key.to_vec())
                .bind(new.consumer.id.to_vec())
                .bind(new.consumer.added_at);
        }
        insert.execute(write.on().await?).await?;
    }
    for part in difference.enrolments.chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "INSERT INTO enrolment (consumer, pan_id, src_digital_card_id, created_at) VALUES {}",
            values(part.len(), 4)
        );
        let mut insert = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for (consumer, pan_id, card) in part {
            insert = insert.bind(*consumer).bind(*pan_id).bind(card.id.to_vec()).bind(card.created_at);
        }
        insert.execute(write.on().await?).await?;
    }
    let mut referred: BTreeMap<i64, i64> = BTreeMap::new();
    for (_, pan_id, _) in &difference.enrolments {
        *referred.entry(*pan_id).or_default() += 1;
    }
    let changes = PanChanges { vaulted: Vec::new(), referred: referred.into_iter().collect() };
    vault::write_changes(write, issuer, &changes).await
}

fn id(bytes: &[u8]) -> Result<[u8; 16], LedgerError> {
    bytes.try_into().map_err(|_| broken("an identifier"))
}
