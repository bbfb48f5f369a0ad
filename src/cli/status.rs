//! `nightdrop status`: the store's figures, read beside a running daemon or without one.

use std::path::Path;

use anyhow::anyhow;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::ledger::sqlite;
use crate::ledger::{Ledger, Overview};
use crate::model::{FileRecord, State, Tally, Timestamp};

use super::ExitCode;

/// Files shown beside those with work left.
const NEWEST: u32 = 20;

#[derive(Serialize)]
struct Shown {
    running: bool,
    store: String,
    counts: Vec<Count>,
    files: Vec<File>,
}

#[derive(Serialize)]
struct Count {
    state: &'static str,
    decision: Option<String>,
    files: u64,
}

/// The names are those of `files --json` in the contract.
#[derive(Serialize)]
struct File {
    id: String,
    name: String,
    stem: String,
    feed: Option<String>,
    issuer: String,
    service: Option<&'static str>,
    state: &'static str,
    decision: Option<&'static str>,
    code: Option<&'static str>,
    records: Option<u64>,
    outcomes: Outcomes,
    received_at: Timestamp8601,
    done_at: Option<Timestamp8601>,
}

#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Outcomes {
    registered: u64,
    already_registered: u64,
    deregistered: u64,
    enrolled: u64,
    rejected: u64,
}

struct Timestamp8601(Timestamp);

impl Serialize for Timestamp8601 {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

pub(super) fn status(file: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let config = match super::load(file) {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let path = &config.store.path;
    let running = sqlite::held_by_another(path);
    if !path.exists() {
        return Err(anyhow!("there is no store at {} yet; `nightdrop run` makes it", path.display()));
    }
    let overview = super::runtime()?.block_on(async {
        let ledger = sqlite::open_read_only(path).await?;
        ledger.overview(NEWEST).await
    })?;
    if json {
        println!("{}", serde_json::to_string_pretty(&shown(running, path, overview))?);
    } else {
        print(running, path, &overview);
    }
    Ok(ExitCode::Ok)
}

fn shown(running: bool, store: &Path, overview: Overview) -> Shown {
    Shown {
        running,
        store: store.display().to_string(),
        counts: overview
            .counts
            .into_iter()
            .map(|(state, decision, files)| Count { state: state.as_str(), decision, files })
            .collect(),
        files: overview.files.iter().map(|(record, tally)| shown_file(record, tally)).collect(),
    }
}

fn shown_file(record: &FileRecord, tally: &Tally) -> File {
    File {
        id: record.no.to_string(),
        name: record.name.clone(),
        stem: record.stem.clone(),
        feed: record.feed.clone(),
        issuer: record.issuer.clone(),
        service: record.service.map(|service| service.as_str()),
        state: record.state.as_str(),
        decision: record.decision.map(|decision| decision.as_str()),
        code: record.code.map(|code| code.as_str()),
        records: record.records,
        outcomes: Outcomes {
            registered: tally.registered,
            already_registered: tally.already_registered,
            deregistered: tally.deregistered,
            enrolled: tally.enrolled,
            rejected: tally.rejected,
        },
        received_at: Timestamp8601(record.received_at),
        done_at: record.done_at.map(Timestamp8601),
    }
}

fn print(running: bool, store: &Path, overview: &Overview) {
    let daemon = if running { "running" } else { "not running" };
    println!("daemon: {daemon}    store: {}", store.display());
    let counts: Vec<String> = overview
        .counts
        .iter()
        .map(|(state, decision, files)| match decision {
            Some(decision) if *state == State::Done => format!("{files} {} ({decision})", state.as_str()),
            _ => format!("{files} {}", state.as_str()),
        })
        .collect();
    println!("files: {}", if counts.is_empty() { "none yet".to_owned() } else { counts.join(", ") });
    if !overview.files.is_empty() {
        println!("{}", table(overview.files.iter()));
    }
}

/// Files and outcomes, as `status` and the demo show them.
pub(super) fn table<'a>(files: impl Iterator<Item = &'a (FileRecord, Tally)>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "file",
        "state",
        "decision",
        "code",
        "records",
        "registered",
        "already",
        "deregistered",
        "rejected",
    ]);
    for (record, tally) in files {
        let known = record.records.is_some();
        let figure = |figure: u64| if known { figure.to_string() } else { String::new() };
        table.add_row([
            record.name.clone(),
            record.state.as_str().to_owned(),
            record.decision.map_or(String::new(), |decision| decision.as_str().to_owned()),
            record.code.map_or(String::new(), |code| code.as_str().to_owned()),
            record.records.map_or(String::new(), |records| records.to_string()),
            figure(tally.registered),
            figure(tally.already_registered),
            figure(tally.deregistered),
            figure(tally.rejected),
        ]);
    }
    for index in 4..=8 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
