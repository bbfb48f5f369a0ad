//! A file's row, read.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::ledger::LedgerError;
use crate::model::{Code, Decision, Ends, EnvelopeKind, Environment, FileNo, FileRecord, State, Tally, Timestamp};

/// Every file with its issuer's id and the name of the file it repeats.
pub(super) const FILE: &str = "SELECT file.*, issuer.id AS issuer_id, first.name AS duplicate_of_name FROM file \
     JOIN issuer ON issuer.no = file.issuer LEFT JOIN file AS first ON first.no = file.duplicate_of ";

pub(super) fn file(row: &SqliteRow) -> Result<FileRecord, LedgerError> {
    let broken = |what: &str| LedgerError::Inconsistent(format!("a file's {what} has an unknown form"));
    let word = |column: &str| row.try_get::<Option<String>, _>(column);
    let time = |column: &str| row.try_get::<Option<i64>, _>(column).map(|at| at.map(Timestamp));
    let count = |column: &str| -> Result<Option<u64>, LedgerError> {
        let value: Option<i64> = row.try_get(column)?;
        value.map(|value| u64::try_from(value).map_err(|_| broken(column))).transpose()
    };
    let state: String = row.try_get("state")?;
    Ok(FileRecord {
        no: FileNo(row.try_get("no")?),
        name: row.try_get("name")?,
        stem: row.try_get("stem")?,
        issuer: row.try_get("issuer_id")?,
        feed: word("feed")?,
        service: word("service")?.map(|it| it.parse().map_err(|()| broken("service"))).transpose()?,
        environment: word("environment")?
            .map(|it| it.parse::<Environment>().map_err(|()| broken("environment")))
            .transpose()?,
        state: State::from_word(&state).ok_or_else(|| broken("state"))?,
        decision: word("decision")?.map(|it| Decision::from_word(&it).ok_or_else(|| broken("decision"))).transpose()?,
        code: word("code")?.map(|it| Code::from_word(&it).ok_or_else(|| broken("code"))).transpose()?,
        line: count("line")?,
        description: word("description")?,
        bytes: count("bytes")?.unwrap_or(0),
        sha256: word("sha256")?,
        envelope: word("envelope")?
            .map(|it| EnvelopeKind::from_word(&it).ok_or_else(|| broken("envelope")))
            .transpose()?,
        key_id: word("key_id")?,
        header: word("header")?.map(|text| serde_json::from_str(&text).map_err(|_| broken("header"))).transpose()?,
        records: count("records")?,
        next_sequence: count("next_sequence")?,
        duplicate_of: word("duplicate_of_name")?,
        received_at: Timestamp(row.try_get("received_at")?),
        accepted_at: time("accepted_at")?,
        started_at: time("started_at")?,
        finished_at: time("finished_at")?,
        done_at: time("done_at")?,
        held_from: if state == State::Held.as_str() { Some(held_from(row)?) } else { None },
        ends: Ends { aborts: row.try_get("aborts")?, kills: row.try_get("kills")? },
        retried: row.try_get::<i64, _>("released")? > 0,
        source: word("source")?,
        held_why: word("held_why")?.filter(|_| state == State::Held.as_str()),
    })
}

/// The state that a held file goes on from. One that was held before that was written down: what was done says it.
fn held_from(row: &SqliteRow) -> Result<State, LedgerError> {
    let broken = || LedgerError::Inconsistent("the state that a file is held in has an unknown form".into());
    if let Some(word) = row.try_get::<Option<&str>, _>("held_from")? {
        return State::from_word(word).ok_or_else(broken);
    }
    let has = |column: &str| row.try_get::<Option<i64>, _>(column).map(|at| at.is_some());
    Ok(match row.try_get::<Option<&str>, _>("decision")? {
        None => State::Claimed,
        Some("ACCEPTED") if has("finished_at")? => State::Registered,
        Some("ACCEPTED") if has("started_at")? => State::Registering,
        Some("ACCEPTED") => State::Accepted,
        Some(_) => State::Refused,
    })
}

pub(super) fn tally(row: &SqliteRow) -> Result<Tally, LedgerError> {
    let count = |column: &str| -> Result<u64, LedgerError> {
        u64::try_from(row.try_get::<i64, _>(column)?)
            .map_err(|_| LedgerError::Inconsistent(format!("a file's {column} is below zero")))
    };
    Ok(Tally {
        registered: count("registered")?,
        already_registered: count("already_registered")?,
        deregistered: count("deregistered")?,
        enrolled: count("enrolled")?,
        rejected: count("rejected")?,
    })
}
