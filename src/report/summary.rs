//! `STEM.summary.json`: the account of a file, written last of all; its presence means done. Holds no card data and
//! stays plain.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Code, FileRecord, ServiceName, Tally, Timestamp};

use super::Outbound;

/// What the summary of a file with this stem is called.
pub fn name(stem: &str) -> String {
    format!("{stem}.summary.json")
}

/// The summary's bytes; `outbound` lists every other file that went out for this one, the ack among them.
pub fn content(record: &FileRecord, tally: &Tally, codes: &BTreeMap<Code, u64>, outbound: &[Outbound]) -> Vec<u8> {
    let header = record.header.as_ref();
    let records = tally.records();
    super::json(&Summary {
        file: &record.name,
        issuer: &record.issuer,
        service: record.service,
        batch_id: header.map(|header| header.batch_id.as_str()),
        sequence: header.and_then(crate::model::Header::sequence),
        records,
        outcomes: *tally,
        codes,
        received_at: record.received_at.to_string(),
        accepted_at: record.accepted_at.map(|at| at.to_string()),
        started_at: record.started_at.map(|at| at.to_string()),
        finished_at: record.finished_at.map(|at| at.to_string()),
        records_per_second: records_per_second(records, record.started_at, record.finished_at),
        outbound,
    })
}

/// Whole records a second. `None` where a time is unknown or the clock went back; what took no time took a millisecond.
fn records_per_second(records: u64, started: Option<Timestamp>, finished: Option<Timestamp>) -> Option<u64> {
    let took_ms = u64::try_from(finished?.0.checked_sub(started?.0)?).ok()?.max(1);
    u64::try_from(u128::from(records) * 1000 / u128::from(took_ms)).ok()
}

/// The JSON Schema of what [`content`] writes.
pub fn schema() -> serde_json::Value {
    super::schema::<Summary<'_>>()
}

/// Keys and their order are the contract.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Summary<'a> {
    file: &'a str,
    issuer: &'a str,
    service: Option<ServiceName>,
    batch_id: Option<&'a str>,
    sequence: Option<u64>,
    records: u64,
    outcomes: Tally,
    codes: &'a BTreeMap<Code, u64>,
    #[schemars(extend("format" = "date-time"))]
    received_at: String,
    #[schemars(extend("format" = "date-time"))]
    accepted_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    started_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    finished_at: Option<String>,
    records_per_second: Option<u64>,
    outbound: &'a [Outbound],
}
