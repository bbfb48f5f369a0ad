//! `nightdrop status`: what an operator wants to know at night, read beside a running daemon or without one.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::actions::client::{Asked, ask_within};
use crate::actions::{Action, Broken};
use crate::ledger::sqlite;
use crate::ledger::{Account, AlarmBook as _, Ledger, Overview};
use crate::model::{Alarm, State};

use super::ExitCode;
use super::account::{File, table};
use super::clock::clock;
use super::expected::{ExpectedFeed, expected};
use super::reading::{Out, read};
use super::sources;

/// Files shown beside those with work left.
const NEWEST: u32 = 20;

/// How long the daemon is given to say what it waits for; a status must come soon.
const ASK_WITHIN: Duration = Duration::from_millis(500);

#[derive(Serialize)]
struct Shown<'a> {
    running: bool,
    store: String,
    /// Absent where no daemon of this configuration could be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    waited_for: Option<&'a [Broken]>,
    alarms: Vec<Called<'a>>,
    expected: &'a [ExpectedFeed<'a>],
    counts: Vec<Count<'a>>,
    feeds: Vec<Feed<'a>>,
    sources: Vec<sources::Shown<'a>>,
    files: Vec<File<'a>>,
}

/// An open alarm.
#[derive(Serialize)]
struct Called<'a> {
    kind: &'static str,
    issuer: Option<&'a str>,
    feed: Option<&'a str>,
    source: Option<&'a str>,
    file: Option<&'a str>,
    what: &'a str,
    next: &'a str,
    since: String,
}

#[derive(Serialize)]
struct Count<'a> {
    state: &'static str,
    decision: Option<&'a str>,
    files: u64,
}

#[derive(Serialize)]
struct Feed<'a> {
    feed: &'a str,
    last_accepted_at: String,
}

pub(super) fn status(config: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let mut out = Out::new();
    let shown = read(config, async |store| {
        let running = sqlite::held_by_another(&store.path);
        let waited_for = if running { waited_for(&store.socket) } else { None };
        let alarms = store.ledger.open_alarms().await?;
        let nights = expected(&store.config, &store.ledger, clock().now()).await?;
        let overview = store.ledger.overview(NEWEST).await?;
        let standings = store.ledger.sources().await?;
        let sources = sources::shown(&store.config.sources, &standings, clock().now(), &store.config.calendar.zone);
        if json {
            let shown =
                Shown { sources, ..shown(running, &store.path, waited_for.as_deref(), (&alarms, &nights), &overview) };
            serde_json::to_writer_pretty(&mut out, &shown).map_err(std::io::Error::from)?;
            writeln!(out)?;
        } else {
            print(
                running,
                &store.path,
                waited_for.as_deref().unwrap_or_default(),
                (&alarms, &nights, &sources),
                &overview,
                &mut out,
            )?;
        }
        Ok(ExitCode::Ok)
    });
    out.end(shown.map(|done| done.unwrap_or_else(|code| code)))
}

/// What the daemon waits for, if it says so soon: one that has no socket, or not for this user, is none to be asked.
fn waited_for(socket: &Path) -> Option<Vec<Broken>> {
    match ask_within(socket, Action::WaitedFor, ASK_WITHIN) {
        Ok(Asked::Answered(answer)) => Some(answer.waited_for),
        Ok(Asked::Nobody) | Err(_) => None,
    }
}

fn shown<'a>(
    running: bool,
    store: &Path,
    waited_for: Option<&'a [Broken]>,
    (alarms, expected): (&'a [Alarm], &'a [ExpectedFeed<'a>]),
    overview: &'a Overview,
) -> Shown<'a> {
    Shown {
        running,
        store: store.display().to_string(),
        waited_for,
        alarms: alarms.iter().map(Called::of).collect(),
        expected,
        counts: overview
            .counts
            .iter()
            .map(|(state, decision, files)| Count {
                state: state.as_str(),
                decision: decision.as_deref(),
                files: *files,
            })
            .collect(),
        feeds: overview.feeds.iter().map(|(feed, at)| Feed { feed, last_accepted_at: at.to_string() }).collect(),
        sources: Vec::new(),
        files: overview.files.iter().map(File::of).collect(),
    }
}

impl<'a> Called<'a> {
    fn of(alarm: &'a Alarm) -> Self {
        Self {
            kind: alarm.kind.as_str(),
            issuer: alarm.issuer.as_deref(),
            feed: alarm.subject.feed.as_deref(),
            source: alarm.subject.source.as_deref(),
            file: alarm.subject.file.as_deref(),
            what: &alarm.what,
            next: &alarm.next,
            since: alarm.raised_at.to_string(),
        }
    }
}

fn print(
    running: bool,
    store: &Path,
    waited_for: &[Broken],
    (alarms, nights, sources): (&[Alarm], &[ExpectedFeed<'_>], &[sources::Shown<'_>]),
    overview: &Overview,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let daemon = if running { "running" } else { "not running" };
    writeln!(out, "daemon: {daemon}    store: {}", store.display())?;
    for Broken { part, why } in waited_for {
        writeln!(out, "waiting for the {part}: {why}")?;
    }
    for Alarm { kind, what, next, raised_at, .. } in alarms {
        writeln!(out, "alarm {} since {raised_at}: {what}; {next}", kind.as_str())?;
    }
    for night in nights {
        writeln!(out, "{}", night.line())?;
    }
    let counts: Vec<String> = overview
        .counts
        .iter()
        .map(|(state, decision, files)| match decision {
            Some(decision) if *state == State::Done => format!("{files} {} ({decision})", state.as_str()),
            _ => format!("{files} {}", state.as_str()),
        })
        .collect();
    writeln!(out, "files: {}", if counts.is_empty() { "none yet".to_owned() } else { counts.join(", ") })?;
    for (feed, at) in &overview.feeds {
        writeln!(out, "feed {feed}: last accepted {at}")?;
    }
    sources::print(sources, out)?;
    for account in &overview.files {
        if let Some(line) = in_hand(account) {
            writeln!(out, "{line}")?;
        }
    }
    if !overview.files.is_empty() {
        writeln!(out, "{}", table(&overview.files))?;
    }
    Ok(())
}

/// What there is to say of a file that is not done.
fn in_hand(Account { record, tally, .. }: &Account) -> Option<String> {
    let (no, name) = (record.no, &record.name);
    match record.state {
        State::Done => None,
        State::Held => {
            let why = record.held_why.as_deref().unwrap_or("the log says why");
            Some(format!("held: {no} {name}: {why}"))
        }
        State::Waiting => Some(format!("waiting: {no} {name}: for the missing sequence")),
        State::Registering => {
            let (done, all) = (tally.records(), record.records.unwrap_or(0));
            Some(format!("registering: {no} {name}: {done} of {all} records"))
        }
        state => Some(format!("{}: {no} {name}", state.as_str().to_lowercase())),
    }
}
