//! How commands show a file's account: the members of `files --json` and `show --json`, and a line of a table.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::ledger::Account;
use crate::model::{FileRecord, Outbound, Tally, Timestamp};

/// A file as JSON. The names are part of the contract; what does not apply is null.
#[derive(Serialize)]
pub(super) struct File<'a> {
    id: String,
    name: &'a str,
    stem: &'a str,
    feed: Option<&'a str>,
    issuer: &'a str,
    service: Option<&'static str>,
    state: &'static str,
    decision: Option<&'static str>,
    code: Option<&'static str>,
    line: Option<u64>,
    description: Option<&'a str>,
    held_why: Option<&'a str>,
    batch_id: Option<&'a str>,
    sequence: Option<u64>,
    next_sequence: Option<u64>,
    duplicate_of: Option<&'a str>,
    environment: Option<&'static str>,
    envelope: Option<&'static str>,
    key_id: Option<&'a str>,
    bytes: u64,
    sha256: Option<&'a str>,
    records: Option<u64>,
    outcomes: Tally,
    received_at: String,
    accepted_at: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    done_at: Option<String>,
    outbound: &'a [Outbound],
    outbound_purged_at: Option<String>,
    results_purged_at: Option<String>,
}

impl<'a> File<'a> {
    pub(super) fn of(account: &'a Account) -> Self {
        let Account { record, tally, outbound, outbound_purged_at, results_purged_at } = account;
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let header = record.header.as_ref();
        Self {
            id: record.no.to_string(),
            name: &record.name,
            stem: &record.stem,
            feed: record.feed.as_deref(),
            issuer: &record.issuer,
            service: record.service.map(|service| service.as_str()),
            state: record.state.as_str(),
            decision: record.decision.map(|decision| decision.as_str()),
            code: record.code.map(|code| code.as_str()),
            line: record.line,
            description: record.description.as_deref(),
            held_why: record.held_why.as_deref(),
            batch_id: header.map(|header| header.batch_id.as_str()),
            sequence: header.and_then(crate::model::Header::sequence),
            next_sequence: record.next_sequence,
            duplicate_of: record.duplicate_of.as_deref(),
            environment: record.environment.map(|environment| environment.as_str()),
            envelope: record.envelope.map(|envelope| envelope.as_str()),
            key_id: record.key_id.as_deref(),
            bytes: record.bytes,
            sha256: record.sha256.as_deref(),
            records: record.records,
            outcomes: *tally,
            received_at: record.received_at.to_string(),
            accepted_at: time(record.accepted_at),
            started_at: time(record.started_at),
            finished_at: time(record.finished_at),
            done_at: time(record.done_at),
            outbound,
            outbound_purged_at: time(*outbound_purged_at),
            results_purged_at: time(*results_purged_at),
        }
    }
}

/// Files and outcomes, as `files`, `status` and the demo show them: a file a line, whole names, so that a narrow terminal
/// wraps lines and not words, and a line can be searched for.
pub(super) fn table(files: &[Account]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "id",
        "file",
        "state",
        "decision",
        "code",
        "records",
        "registered",
        "already",
        "deregistered",
        "enrolled",
        "rejected",
    ]);
    for Account { record, tally, .. } in files {
        table.add_row(row(record, tally));
    }
    for index in 5..=10 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn row(record: &FileRecord, tally: &Tally) -> [String; 11] {
    let known = record.records.is_some();
    let figure = |figure: u64| if known { figure.to_string() } else { String::new() };
    [
        record.no.to_string(),
        record.name.clone(),
        record.state.as_str().to_owned(),
        record.decision.map_or(String::new(), |decision| decision.as_str().to_owned()),
        record.code.map_or(String::new(), |code| code.as_str().to_owned()),
        record.records.map_or(String::new(), |records| records.to_string()),
        figure(tally.registered),
        figure(tally.already_registered),
        figure(tally.deregistered),
        figure(tally.enrolled),
        figure(tally.rejected),
    ]
}
