//! `recon-ISSUER-YYYYMMDD.csv` and `recon-ISSUER-YYYYMM.csv`: what came in a day or a month, what did not, and whether it
//! balances. A function of the ledger's rows; holds no card data and stays plain.
//!
//! The column line, a row a file, a row an expected file that did not come, and rows of totals: their first cell is `TOTAL`,
//! the second says what is counted, the third of which service, `records` holds the number, and `state` is empty, as it is of
//! no file.

use std::collections::BTreeMap;

use crate::ledger::{Account, Facts, Movement};
use crate::model::{Decision, FileRecord, ServiceName, State, Tally};

use super::cells::Line;

const COLUMNS: &[u8] =
    b"file,feed,service,batch_id,sequence,state,code,received_at,done_at,records,registered,already,\
      deregistered,enrolled,rejected";

/// What a report of an issuer is called, for a day `YYYYMMDD` or a month `YYYYMM`, and its further versions.
pub fn name(issuer: &str, when: &str, version: u32) -> String {
    match version {
        0 | 1 => format!("recon-{issuer}-{when}.csv"),
        version => format!("recon-{issuer}-{when}.{version}.csv"),
    }
}

/// What has become of a file, as a report has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Accepted,
    Refused,
    Duplicate,
    InProgress,
    Held,
}

impl Standing {
    const ALL: [Self; 5] = [Self::Accepted, Self::Refused, Self::Duplicate, Self::InProgress, Self::Held];

    const fn of(record: &FileRecord) -> Self {
        match (record.state, record.decision) {
            (State::Held, _) => Self::Held,
            (State::Done, Some(Decision::Accepted)) => Self::Accepted,
            (State::Done, Some(Decision::Refused)) => Self::Refused,
            (State::Done, Some(Decision::Duplicate)) => Self::Duplicate,
            _ => Self::InProgress,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Refused => "REFUSED",
            Self::Duplicate => "DUPLICATE",
            Self::InProgress => "IN_PROGRESS",
            Self::Held => "HELD",
        }
    }

    const fn total(self) -> &'static [u8] {
        match self {
            Self::Accepted => b"files_accepted",
            Self::Refused => b"files_refused",
            Self::Duplicate => b"files_duplicate",
            Self::InProgress => b"files_in_progress",
            Self::Held => b"files_held",
        }
    }
}

/// A report that adds up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyReport {
    /// Its bytes.
    pub content: Vec<u8>,
    /// Files that are still being worked on.
    pub in_progress: u64,
    /// Whether nothing at all stands in it but totals of nothing.
    pub empty: bool,
}

/// Writes a report, or says what does not add up.
pub fn content(facts: &Facts) -> Result<DailyReport, String> {
    let mut out = COLUMNS.to_vec();
    out.push(b'\n');
    let mut standings: BTreeMap<Standing, u64> = Standing::ALL.map(|standing| (standing, 0)).into();
    let mut tallies: BTreeMap<ServiceName, Tally> = BTreeMap::new();
    for account in &facts.files {
        let standing = Standing::of(&account.record);
        *standings.entry(standing).or_default() += 1;
        let counted = (standing == Standing::Accepted).then_some(&account.tally);
        if let Some(tally) = counted {
            let (name, records) = (&account.record.name, account.record.records.unwrap_or(0));
            if tally.records() != records {
                return Err(format!("{name}: {records} records were read, {} have an outcome", tally.records()));
            }
            if let Some(service) = account.record.service {
                add(tallies.entry(service).or_default(), tally);
            }
        }
        file_row(&mut out, account, standing, counted);
    }
    let mut missing = 0;
    for lacking in &facts.lacking {
        for _ in 0..lacking.files {
            let mut line = Line::new(&mut out);
            line.word(b"").text(&lacking.feed).word(lacking.service.as_str().as_bytes()).word(b",,MISSING");
            line.word(b",,,,,,,,").end();
            missing += 1;
        }
    }
    totals(&mut out, facts, &standings, missing, &tallies)?;
    let in_progress = standings.get(&Standing::InProgress).copied().unwrap_or(0);
    let empty = facts.files.is_empty() && facts.lacking.is_empty() && facts.registers.iter().all(is_nothing);
    Ok(DailyReport { content: out, in_progress, empty })
}

fn file_row(out: &mut Vec<u8>, account: &Account, standing: Standing, counted: Option<&Tally>) {
    let record = &account.record;
    let header = record.header.as_ref();
    let mut line = Line::new(out);
    line.text(&record.name)
        .text(record.feed.as_deref().unwrap_or_default())
        .word(record.service.map_or("", ServiceName::as_str).as_bytes())
        .text(header.map_or("", |header| &header.batch_id))
        .text(header.map_or("", |header| &header.sequence_text))
        .word(standing.word().as_bytes())
        .word(record.code.map_or("", crate::model::Code::as_str).as_bytes())
        .word(record.received_at.to_string().as_bytes())
        .word(record.done_at.map(|at| at.to_string()).unwrap_or_default().as_bytes());
    tally_cells(&mut line, counted);
    line.end();
}

fn tally_cells(line: &mut Line<'_>, tally: Option<&Tally>) {
    match tally {
        None => {
            line.word(b",,,,,");
        }
        Some(tally) => {
            line.number(tally.records())
                .number(tally.registered)
                .number(tally.already_registered)
                .number(tally.deregistered)
                .number(tally.enrolled)
                .number(tally.rejected);
        }
    }
}

fn totals(
    out: &mut Vec<u8>,
    facts: &Facts,
    standings: &BTreeMap<Standing, u64>,
    missing: u64,
    tallies: &BTreeMap<ServiceName, Tally>,
) -> Result<(), String> {
    let received = u64::try_from(facts.files.len()).unwrap_or(u64::MAX);
    if standings.values().sum::<u64>() != received {
        return Err(format!("{received} files were received, {} are accounted for", standings.values().sum::<u64>()));
    }
    total(out, b"files_received", "", received);
    for (standing, count) in standings {
        total(out, standing.total(), "", *count);
    }
    total(out, b"files_missing", "", missing);
    let mut all = Tally::default();
    for (service, tally) in tallies {
        add(&mut all, tally);
        records(out, service.as_str(), tally);
    }
    records(out, "", &all);
    for movement in &facts.registers {
        let Movement { service, opening, added, removed } = movement;
        let closing = opening + added - removed;
        let parts: [(&[u8], i64); 4] = [
            (b"register_opening", *opening),
            (b"register_added", *added),
            (b"register_removed", *removed),
            (b"register_closing", closing),
        ];
        for (what, count) in parts {
            let count = u64::try_from(count)
                .map_err(|_| format!("the register of {service} would hold less than nothing: {count}"))?;
            total(out, what, service.as_str(), count);
        }
    }
    Ok(())
}

fn total(out: &mut Vec<u8>, what: &[u8], service: &str, count: u64) {
    let mut line = Line::new(out);
    line.word(b"TOTAL").word(what).word(service.as_bytes()).word(b",,,,,").number(count).word(b",,,,").end();
}

fn records(out: &mut Vec<u8>, service: &str, tally: &Tally) {
    let mut line = Line::new(out);
    line.word(b"TOTAL").word(b"records").word(service.as_bytes()).word(b",,,,,");
    tally_cells(&mut line, Some(tally));
    line.end();
}

fn add(sum: &mut Tally, tally: &Tally) {
    sum.registered += tally.registered;
    sum.already_registered += tally.already_registered;
    sum.deregistered += tally.deregistered;
    sum.enrolled += tally.enrolled;
    sum.rejected += tally.rejected;
}

const fn is_nothing(movement: &Movement) -> bool {
    movement.added == 0 && movement.removed == 0
}
