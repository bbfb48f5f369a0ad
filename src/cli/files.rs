//! `nightdrop files` and `nightdrop show`: which files came, and what became of each.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::actions::Called;
use crate::ledger::{Account, AuditRow, Delivery, Ledger, Selection};
use crate::model::{Decision, FileNo, State, Timestamp};

use super::ExitCode;
use super::account::{File, table};
use super::audit;
use super::reading::{Out, Reading, find, read};

/// Files read at a time.
const FILES_A_READ: u32 = 1_000;
const DAY_MS: i64 = 86_400_000;

/// Which files: `--date`, `--state`.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) date: Option<Timestamp>,
    pub(super) state: Option<Stand>,
}

/// Where a file stands, as a person asks for it: what was decided about it, or the step that it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Decided(Decision),
    At(State),
}

/// A day in UTC, as `2026-11-20`.
pub(super) fn day(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(&format!("{text}T00:00:00Z")).ok_or_else(|| "a day is written as 2026-11-20 (UTC)".to_owned())
}

/// A word for where a file stands. ACCEPTED, REFUSED and DUPLICATE ask for the decision, whatever step the file is at:
/// who asks for refused files wants those that are done with as well.
pub(super) fn stand(text: &str) -> Result<Stand, String> {
    let word = text.to_ascii_uppercase();
    if let Some(decision) = Decision::from_word(&word) {
        return Ok(Stand::Decided(decision));
    }
    State::from_word(&word).map(Stand::At).ok_or_else(|| {
        let states: Vec<_> = State::ALL.into_iter().map(State::as_str).collect();
        format!("expected one of DUPLICATE, {}", states.join(", "))
    })
}

pub(super) fn files(config: &Path, wanted: &Wanted, json: bool) -> anyhow::Result<ExitCode> {
    let of = Selection {
        received: wanted.date.map(|from| (from, Timestamp(from.0.saturating_add(DAY_MS)))),
        state: match wanted.state {
            Some(Stand::At(state)) => Some(state),
            _ => None,
        },
        decision: match wanted.state {
            Some(Stand::Decided(decision)) => Some(decision),
            _ => None,
        },
    };
    let mut out = Out::new();
    let listed =
        read(
            config,
            async |store| {
                if json { list_json(store, &of, &mut out).await } else { list(store, &of, &mut out).await }
            },
        );
    out.end(listed.map(|done| done.unwrap_or_else(|code| code)))
}

async fn list(store: &Reading, of: &Selection, out: &mut Out) -> anyhow::Result<ExitCode> {
    let mut all = Vec::new();
    pages(store, of, |page| {
        all.extend(page);
        Ok(())
    })
    .await?;
    if all.is_empty() {
        eprintln!("nightdrop: no such files");
    } else {
        writeln!(out, "{}", table(&all))?;
    }
    Ok(ExitCode::Ok)
}

async fn list_json(store: &Reading, of: &Selection, out: &mut Out) -> anyhow::Result<ExitCode> {
    let mut before = "[\n";
    pages(store, of, |page| {
        for account in &page {
            out.write_all(before.as_bytes())?;
            serde_json::to_writer(&mut *out, &File::of(account)).map_err(std::io::Error::from)?;
            before = ",\n";
        }
        Ok(())
    })
    .await?;
    out.write_all(if before == "[\n" { b"[]\n" } else { b"\n]\n" })?;
    Ok(ExitCode::Ok)
}

/// Page after page, so that a store of many years fits into memory.
async fn pages(
    store: &Reading,
    of: &Selection,
    mut take: impl FnMut(Vec<Account>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut after = FileNo(0);
    loop {
        let page = store.ledger.accounts(of, after, FILES_A_READ).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.record.no;
        take(page)?;
    }
}

/// One file as JSON: its account, and what the audit trail tells of it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    file: File<'a>,
    /// The source that it was fetched from; null for one that lay in a directory.
    source: Option<&'a str>,
    deliveries: Vec<Delivered<'a>>,
    trail: Vec<serde_json::Value>,
}

/// What the delivery journal says of an answer.
#[derive(Serialize)]
struct Delivered<'a> {
    source: &'a str,
    name: &'a str,
    sha256: &'a str,
    ordered_at: String,
    delivered_at: Option<String>,
    failed: Option<&'a str>,
}

impl<'a> Delivered<'a> {
    fn of(delivery: &'a Delivery) -> Self {
        let Delivery { source, name, sha256, ordered_at, delivered_at, failed, .. } = delivery;
        Self {
            source,
            name,
            sha256,
            ordered_at: ordered_at.to_string(),
            delivered_at: delivered_at.map(|at| at.to_string()),
            failed: failed.as_deref(),
        }
    }
}

pub(super) fn show(config: &Path, called: Called<'_>, json: bool) -> anyhow::Result<ExitCode> {
    let mut out = Out::new();
    let shown = read(config, async |store| {
        let record = match find(&store.ledger, called).await? {
            Ok(record) => record,
            Err(why) => {
                eprintln!("nightdrop: {why}");
                return Ok(ExitCode::Usage);
            }
        };
        let account = store.ledger.account(record.no).await?;
        let trail = store.ledger.audit_of(record.no).await?;
        let deliveries = store.ledger.deliveries_of(record.no).await?;
        if json {
            let trail = trail.iter().map(audit::shown).collect();
            let source = account.record.source.as_deref();
            let deliveries = deliveries.iter().map(Delivered::of).collect();
            let shown = Shown { file: File::of(&account), source, deliveries, trail };
            serde_json::to_writer_pretty(&mut out, &shown).map_err(std::io::Error::from)?;
            writeln!(out)?;
        } else {
            print(&account, &mut out)?;
            journal(&deliveries, &mut out)?;
            timeline(&trail, &mut out)?;
        }
        Ok(ExitCode::Ok)
    });
    out.end(shown.map(|done| done.unwrap_or_else(|code| code)))
}

/// What went out to partners' servers, and what is still to go.
fn journal(deliveries: &[Delivery], out: &mut impl Write) -> anyhow::Result<()> {
    for Delivery { source, name, delivered_at, failed, .. } in deliveries {
        let how = match (delivered_at, failed) {
            (Some(at), _) => format!("delivered {at}"),
            (None, Some(why)) => format!("still to be delivered: {why}"),
            (None, None) => "still to be delivered".to_owned(),
        };
        writeln!(out, "{:<12}  {name} to {source}: {how}", "delivery")?;
    }
    Ok(())
}

/// What was done with the file, when and by whom.
fn timeline(trail: &[AuditRow], out: &mut impl Write) -> anyhow::Result<()> {
    for (at, row) in trail.iter().enumerate() {
        let what = if at == 0 { "trail" } else { "" };
        writeln!(out, "{what:<12}  {}", audit::happened(row))?;
    }
    Ok(())
}

fn print(account: &Account, out: &mut impl Write) -> anyhow::Result<()> {
    let Account { record, tally, outbound, outbound_purged_at, results_purged_at } = account;
    let mut say = |what: &str, value: &str| {
        if value.is_empty() { Ok(()) } else { writeln!(out, "{what:<12}  {value}") }
    };
    let text = |word: Option<&str>| word.unwrap_or_default().to_owned();
    let time = |at: Option<Timestamp>| at.map_or(String::new(), |at| at.to_string());
    say("file", &record.name)?;
    say("id", &record.no.to_string())?;
    say("issuer", &record.issuer)?;
    say("feed", &text(record.feed.as_deref()))?;
    say("service", record.service.map_or("", |service| service.as_str()))?;
    say("state", record.state.as_str())?;
    say("held", &text(record.held_why.as_deref()))?;
    say("decision", record.decision.map_or("", |decision| decision.as_str()))?;
    say("code", record.code.map_or("", |code| code.as_str()))?;
    let at = record.line.map_or(String::new(), |line| format!(" (line {line})"));
    say("because", &record.description.as_deref().map_or(String::new(), |why| format!("{why}{at}")))?;
    if let Some(code) = record.code {
        say("remedy", crate::model::explain::remedy(code))?;
    }
    say("repeats", &text(record.duplicate_of.as_deref()))?;
    if let Some(header) = &record.header {
        say("batch", &format!("{} sequence {} of {}", header.batch_id, header.sequence_text, header.created_text))?;
    }
    say(
        "sealed by",
        &record.envelope.map_or(String::new(), |envelope| {
            let key = record.key_id.as_deref().map_or(String::new(), |key| format!(", key {key}"));
            format!("{}{key}", envelope.as_str())
        }),
    )?;
    say("source", &text(record.source.as_deref()))?;
    say("bytes", &record.bytes.to_string())?;
    say("sha256", &text(record.sha256.as_deref()))?;
    say("received", &record.received_at.to_string())?;
    say("accepted", &time(record.accepted_at))?;
    say("registered", &time(record.finished_at))?;
    say("done", &time(record.done_at))?;
    if let Some(records) = record.records {
        let committed = tally.records();
        let so_far = if committed == records { String::new() } else { format!(" ({committed} committed)") };
        say("records", &format!("{records}{so_far}"))?;
        for outcome in crate::model::Outcome::ALL {
            if tally.of(outcome) > 0 {
                say(
                    &format!("  {}", outcome.as_str().to_lowercase().replace('_', " ")),
                    &tally.of(outcome).to_string(),
                )?;
            }
        }
    }
    say("purged", &results_purged_at.map_or(String::new(), |at| format!("records, {at}")))?;
    say("purged", &outbound_purged_at.map_or(String::new(), |at| format!("outbound files, {at}")))?;
    for file in outbound {
        say("outbound", &file.name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_where_a_file_stands_ask_for_decisions_first() {
        assert_eq!(stand("refused"), Ok(Stand::Decided(Decision::Refused)));
        assert_eq!(stand("DUPLICATE"), Ok(Stand::Decided(Decision::Duplicate)));
        assert_eq!(stand("Held"), Ok(Stand::At(State::Held)));
        assert_eq!(stand("DONE"), Ok(Stand::At(State::Done)));
        assert!(stand("open").unwrap_err().contains("WAITING"));
    }

    #[test]
    fn a_day_is_one_of_the_calendar() {
        assert_eq!(day("2026-11-20").unwrap().to_string(), "2026-11-20T00:00:00.000Z");
        assert!(day("2026-11-31").is_err() && day("20.11.2026").is_err() && day("").is_err());
    }
}
