//! The SQL of pan-lists.

use std::collections::{HashMap, HashSet};

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection, SqlitePool};

use crate::ledger::LedgerError;
use crate::model::{FileNo, RecordRow};
use crate::services::pan_lists::{
    Ask, Brings, Change, Difference, List, ListRef, Lists, Own, Range, Register, Settled, Shown, Wanted, fold, settle,
};
use crate::services::{Place, PreparedChunk, asks, is_registered, settle_all};
use crate::vault::{Fingerprint, FingerprintMap};

use super::Write;
use super::fingerprints::Reader;
use super::reports::Moved;
pub(super) use super::services::nothing_to_prepare as prepare;
use super::statements::{ROWS_A_STATEMENT, execute_all, in_parts, marks, rows_of, values};
use super::vault::{self, broken, sorted};

pub(super) async fn apply(
    write: &mut Write<'_>,
    no: FileNo,
    issuer: i64,
    chunks: &mut [PreparedChunk],
) -> Result<Moved, LedgerError> {
    let mut register = read(&mut write.reader().await?, no, issuer, chunks).await?;
    let (places, asks): (Vec<Place>, Vec<&Ask>) = asks::<Ask>(chunks).into_iter().unzip();
    let changes = loop {
        let (changes, difference) = fold(no, &register, asks.iter().copied());
        // An id that another list has already is passed over, and all is decided anew.
        let taken = taken(write.on().await?, issuer, &difference).await?;
        if taken.is_empty() {
            write_difference(write, no, issuer, &difference).await?;
            break changes;
        }
        register.taken.extend(taken);
    };
    // A list that is made without a PAN has no member.
    let asked = asks.iter().zip(&changes).filter(|(ask, _)| matches!(ask.brings, Brings::Pan(_)));
    let (adds, removes) = (|it: &Change| *it == Change::Registered, |it: &Change| *it == Change::Deregistered);
    let moved = Moved::of(asked.map(|(_, change)| change), adds, removes);
    let mut settled: Vec<(Place, (Settled, Change))> = Vec::new();
    for ((place, ask), change) in places.into_iter().zip(asks).zip(changes) {
        let says_so = match change {
            Change::Registered => is_registered(chunks, place),
            Change::AsJudged => true,
            _ => false,
        };
        if !says_so {
            settled.push((place, (Settled::of(ask), change)));
        }
    }
    settle_all(chunks, settled, settle);
    Ok(moved)
}

const LIST: &str = "SELECT no, pan_list_id, cid, ica, country, low, high, name, request FROM pan_list";

/// Reads what the chunks ask for.
pub(super) async fn read(
    reader: &mut Reader<'_>,
    no: FileNo,
    issuer: i64,
    chunks: &[PreparedChunk],
) -> Result<Register, LedgerError> {
    let asks: Vec<&Ask> = asks::<Ask>(chunks).into_iter().map(|(_, ask)| ask).collect();
    let brought = asks.iter().filter_map(|ask| match &ask.brings {
        Brings::Pan(brought) => Some(brought.new.fingerprint),
        Brings::Nothing | Brings::Failed => None,
    });
    let held = vault::held(reader, issuer, brought).await?;
    let members =
        members(reader.on, held.iter().map(|(fingerprint, held)| (held.pan_id, *fingerprint)).collect()).await?;
    let mut register = Register { held, members, ..Register::default() };
    let known = sorted(asks.iter().filter_map(|ask| match &ask.head.list {
        Wanted::Known(id) => Some(*id),
        Wanted::New(_) => None,
    }));
    for part in known.chunks(ROWS_A_STATEMENT) {
        let sql = format!("{LIST} WHERE issuer = ? AND pan_list_id IN ({})", marks(part.len()));
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(issuer);
        for id in part {
            select = select.bind(number(*id));
        }
        for row in select.fetch_all(&mut *reader.on).await? {
            let list = list(&row)?;
            register.lists.insert(list.id, list);
        }
    }
    let new = sorted(asks.iter().filter(|ask| matches!(ask.head.list, Wanted::New(_))).map(|ask| ask.head.request));
    for part in new.chunks(ROWS_A_STATEMENT) {
        for row in lists_of_requests(reader.on, no, part).await? {
            register.made.insert(request(&row)?, list(&row)?);
        }
    }
    Ok(register)
}

async fn lists_of_requests(
    reader: &mut SqliteConnection,
    no: FileNo,
    requests: &[u64],
) -> Result<Vec<SqliteRow>, LedgerError> {
    let sql = format!("{LIST} WHERE file = ? AND request IN ({})", marks(requests.len()));
    let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(no.0);
    for request in requests {
        select = select.bind(number(*request));
    }
    Ok(select.fetch_all(&mut *reader).await?)
}

/// The lists that PANs are in. A PAN's row is of one issuer, and so are the lists that it is in.
async fn members(
    reader: &mut SqliteConnection,
    held: HashMap<i64, Fingerprint>,
) -> Result<FingerprintMap<Lists>, LedgerError> {
    let mut members: FingerprintMap<Lists> = FingerprintMap::default();
    for part in sorted(held.keys().copied()).chunks(ROWS_A_STATEMENT) {
        let sql = format!("SELECT pan_id, list, file FROM pan_list_member WHERE pan_id IN ({})", marks(part.len()));
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for pan_id in part {
            select = select.bind(*pan_id);
        }
        for row in select.fetch_all(&mut *reader).await? {
            if let Some(fingerprint) = held.get(&row.try_get(0)?) {
                members.entry(*fingerprint).or_default().insert(row.try_get(1)?, FileNo(row.try_get(2)?));
            }
        }
    }
    Ok(members)
}

/// Which ids of new lists other lists of the issuer have.
async fn taken(
    reader: &mut SqliteConnection,
    issuer: i64,
    difference: &Difference,
) -> Result<HashSet<u64>, LedgerError> {
    let mut taken = HashSet::new();
    for part in difference.made.chunks(ROWS_A_STATEMENT) {
        let sql =
            format!("SELECT pan_list_id FROM pan_list WHERE issuer = ? AND pan_list_id IN ({})", marks(part.len()));
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(issuer);
        for new in part {
            select = select.bind(number(new.list.id));
        }
        for row in select.fetch_all(&mut *reader).await? {
            taken.insert(u64::try_from(row.try_get::<i64, _>(0)?).map_err(|_| broken("a list's id"))?);
        }
    }
    Ok(taken)
}

/// Lists before what is in them, memberships that go before PANs that may go with them.
async fn write_difference(
    write: &mut Write<'_>,
    no: FileNo,
    issuer: i64,
    difference: &Difference,
) -> Result<(), LedgerError> {
    for part in difference.made.chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "INSERT INTO pan_list (no, issuer, pan_list_id, name, cid, ica, country, low, high, file, request) VALUES {}",
            values(part.len(), 11)
        );
        let mut insert = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for new in part {
            let range = &new.list.range;
            insert = insert
                .bind(new.list.row)
                .bind(issuer)
                .bind(number(new.list.id))
                .bind(&*new.name)
                .bind(&*range.cid)
                .bind(&*range.ica)
                .bind(&*range.country)
                .bind(&*range.low)
                .bind(&*range.high)
                .bind(no.0)
                .bind(number(new.request));
        }
        insert.execute(write.on().await?).await?;
    }
    for part in difference.removed.chunks(ROWS_A_STATEMENT) {
        let sql = format!("DELETE FROM pan_list_member WHERE (pan_id, list) IN (VALUES {})", values(part.len(), 2));
        let mut delete = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for (pan_id, list) in part {
            delete = delete.bind(*pan_id).bind(*list);
        }
        if delete.execute(write.on().await?).await?.rows_affected() != part.len() as u64 {
            return Err(broken("a list's member"));
        }
    }
    vault::write_changes(write, issuer, &difference.pans).await?;
    let row = format!("?,?,{no}");
    let sql =
        |rows| format!("INSERT OR ROLLBACK INTO pan_list_member (pan_id, list, file) VALUES {}", rows_of(rows, &row));
    let members = in_parts(&difference.added, 2, sql, |values, (pan_id, list)| {
        values.add(*pan_id)?;
        values.add(*list)
    });
    execute_all(write.on().await?, members).await?;
    Ok(())
}

/// Joins to rows what the register says of their lists.
pub(super) async fn complete(readers: &SqlitePool, no: FileNo, rows: &mut [RecordRow]) -> Result<(), LedgerError> {
    let owns: Vec<Own> = rows.iter().map(Own::of).collect();
    let requests = sorted(owns.iter().filter_map(|own| match own.list {
        ListRef::Request(request) => Some(request),
        ListRef::Known(_) | ListRef::None => None,
    }));
    let ids = sorted(owns.iter().filter_map(|own| match own.list {
        ListRef::Known(id) => Some(id),
        ListRef::Request(_) | ListRef::None => None,
    }));
    let mut reader = readers.acquire().await?;
    let mut shown: HashMap<ListRef, (u64, Box<str>, Range)> = HashMap::new();
    let mut show = |of: fn(u64) -> ListRef, key: u64, row: &SqliteRow| -> Result<(), LedgerError> {
        let list = list(row)?;
        shown.insert(of(key), (list.id, row.try_get::<&str, _>(7)?.into(), list.range));
        Ok(())
    };
    for part in requests.chunks(ROWS_A_STATEMENT) {
        for row in lists_of_requests(&mut reader, no, part).await? {
            show(ListRef::Request, request(&row)?, &row)?;
        }
    }
    for part in ids.chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "{LIST} WHERE issuer = (SELECT issuer FROM file WHERE file.no = ?) AND pan_list_id IN ({})",
            marks(part.len())
        );
        let mut select = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(no.0);
        for id in part {
            select = select.bind(number(*id));
        }
        for row in select.fetch_all(&mut *reader).await? {
            show(ListRef::Known, list(&row)?.id, &row)?;
        }
    }
    for (row, own) in rows.iter_mut().zip(owns) {
        let list = shown.get(&own.list).cloned();
        Shown { own, list }.put(row);
    }
    Ok(())
}

fn list(row: &SqliteRow) -> Result<List, LedgerError> {
    let text = |column: usize| -> Result<Box<str>, sqlx::Error> { Ok(row.try_get::<&str, _>(column)?.into()) };
    let id = u64::try_from(row.try_get::<i64, _>(1)?).map_err(|_| broken("a list's id"))?;
    let range = Range { cid: text(2)?, ica: text(3)?, country: text(4)?, low: text(5)?, high: text(6)? };
    Ok(List { row: row.try_get(0)?, id, range })
}

fn request(row: &SqliteRow) -> Result<u64, LedgerError> {
    u64::try_from(row.try_get::<i64, _>(8)?).map_err(|_| broken("a list's request"))
}

/// Ids of 18 digits and numbers of requests always fit.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
