//! `nightdrop records`: a file's records as the ledger has them, with what is wrong with each and what to do.

use std::io::Write;
use std::path::Path;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::actions::Called;
use crate::ledger::Ledger;
use crate::model::{Code, Failure, Outcome, RecordRow, View, explain};
use crate::services;

use super::ExitCode;
use super::reading::{Out, find, read};

/// Chunks read at a time: the memory that a file of any size takes.
const CHUNKS_A_READ: u64 = 50;

pub(super) fn records(config: &Path, called: Called<'_>, rejected: bool, json: bool) -> anyhow::Result<ExitCode> {
    let mut out = Out::new();
    let shown = read(config, async |store| {
        let ledger = &store.ledger;
        let record = match find(ledger, called).await? {
            Ok(record) => record,
            Err(why) => {
                eprintln!("nightdrop: {why}");
                return Ok(ExitCode::Usage);
            }
        };
        if let Some(at) = ledger.account(record.no).await?.results_purged_at {
            eprintln!(
                "nightdrop: the records of {} were kept long enough, and were purged at {at}; its totals are still there: nightdrop show {}",
                record.name, record.no
            );
            return Ok(ExitCode::Failure);
        }
        let view = record.service.and_then(services::definition).map(|service| service.view);
        let mut page = Page { out: &mut out, json, begun: false };
        if let Some(view) = view {
            let mut from = 0;
            loop {
                let rows = ledger.rows(record.no, from, CHUNKS_A_READ).await?;
                if rows.is_empty() {
                    break;
                }
                for row in rows.iter().filter(|row| !rejected || row.outcome == Outcome::Rejected) {
                    page.row(row, &view)?;
                }
                from += CHUNKS_A_READ;
            }
        }
        if !page.end()? {
            eprintln!("nightdrop: {} has no such records", record.name);
        }
        Ok(ExitCode::Ok)
    });
    out.end(shown.map(|done| done.unwrap_or_else(|code| code)))
}

/// The rows on their way out.
struct Page<'a> {
    out: &'a mut Out,
    json: bool,
    begun: bool,
}

impl Page<'_> {
    fn row(&mut self, row: &RecordRow, view: &View) -> anyhow::Result<()> {
        if self.json {
            self.out.write_all(if self.begun { b",\n" } else { b"[\n" })?;
            serde_json::to_writer(&mut *self.out, &Shown { row, view }).map_err(std::io::Error::from)?;
        } else {
            if !self.begun {
                let own = view.recon_columns.join("  ");
                writeln!(self.out, "{:>8}  {:<20}  {:<18}  {:<20}  {own}", "line", "record_ref", "outcome", "pan")?;
            }
            self.text(row, view)?;
        }
        self.begun = true;
        Ok(())
    }

    fn text(&mut self, row: &RecordRow, view: &View) -> anyhow::Result<()> {
        let mut own = Vec::new();
        (view.own_cells)(row, &mut |cell| own.push(cell.to_owned()));
        let (outcome, pan) = (row.outcome.as_str(), row.masked.to_string());
        let line = format!("{:>8}  {:<20}  {outcome:<18}  {pan:<20}  {}", row.line, row.record_ref, own.join("  "));
        writeln!(self.out, "{}", line.trim_end())?;
        for failure in &row.failures {
            let Failed { field, code, description, remedy, owner } = Failed::of(*failure, view);
            let field = field.map_or(String::new(), |field| format!("{field}: "));
            writeln!(self.out, "          {field}{code}: {description}")?;
            writeln!(self.out, "          {owner}: {remedy}")?;
        }
        Ok(())
    }

    /// Whether there was any row.
    fn end(self) -> anyhow::Result<bool> {
        if self.json {
            self.out.write_all(if self.begun { b"\n]\n" } else { b"[]\n" })?;
        }
        Ok(self.begun)
    }
}

/// One failure in words.
#[derive(Serialize)]
struct Failed {
    field: Option<&'static str>,
    code: Code,
    owner: &'static str,
    description: String,
    remedy: &'static str,
}

impl Failed {
    fn of(Failure { field, code }: Failure, view: &View) -> Self {
        let field = view.field(field);
        Self {
            field: field.map(|field| field.name),
            code,
            owner: explain::owner(code),
            description: explain::describe(code, view.service, field),
            remedy: explain::remedy(code),
        }
    }
}

/// A record as JSON: the columns of its recon row, and its failures.
struct Shown<'a> {
    row: &'a RecordRow,
    view: &'a View,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { row, view } = self;
        let code = row.code();
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("line", &row.line)?;
        map.serialize_entry("record_ref", &row.record_ref)?;
        map.serialize_entry("outcome", row.outcome.as_str())?;
        map.serialize_entry("code", &code)?;
        map.serialize_entry("recoverable", &code.map(Code::recoverable))?;
        map.serialize_entry("pan_masked", &row.masked.to_string())?;
        let mut own = Vec::with_capacity(view.recon_columns.len());
        (view.own_cells)(row, &mut |cell| own.push(cell.to_owned()));
        for (name, at) in view.recon_columns.iter().zip(0..) {
            map.serialize_entry(name, own.get::<usize>(at).map_or("", String::as_str))?;
        }
        let failures: Vec<Failed> = row.failures.iter().map(|failure| Failed::of(*failure, view)).collect();
        map.serialize_entry("failures", &failures)?;
        map.end()
    }
}
