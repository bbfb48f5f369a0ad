//! Tells the operators' command of alarms, as a JSON object on its standard input.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::ledger::{LedgerError, Untold};
use crate::telemetry;

use super::super::site::Site;

/// How long a command may take before it is killed.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(30);

/// Commands at a time.
const AT_ONCE: u32 = 4;

/// Pauses between tries at one alarm; after the last, the next start of the daemon tries again.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(1_800),
];

/// What the command is told. Keys and their order are the contract; what does not apply is null.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Message<'a> {
    /// FILE_MISSING, FILE_HELD, POISONED, SOURCE_UNREACHABLE, SOURCE_HOST_KEY, SOURCE_KEY, SOURCE_DIRECTORY,
    /// DELIVERY_FAILED, REPORT_UNBALANCED or RECORDS_UNREADABLE.
    kind: &'a str,
    /// `raised` or `cleared`.
    state: &'a str,
    issuer: Option<&'a str>,
    feed: Option<&'a str>,
    source: Option<&'a str>,
    file: Option<&'a str>,
    /// What happened; of a cleared alarm, how it ended.
    what: &'a str,
    /// What to do about it.
    next: &'a str,
    /// When it was raised, RFC 3339.
    since: String,
}

/// The JSON Schema of what the command is told.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Message<'_>>().to_value()
}

/// Runs the command for every alarm that it has not been told of.
pub struct Teller {
    site: Arc<Site>,
    /// Tries that failed, and when the next is due; `None`: never by this process.
    failed: BTreeMap<(i64, bool), (usize, Option<Instant>)>,
    failing: bool,
}

impl Teller {
    /// Tells for this site.
    pub fn new(site: &Arc<Site>) -> Self {
        Self { site: Arc::clone(site), failed: BTreeMap::new(), failing: false }
    }

    /// Tells whatever comes, until the word to stop.
    pub async fn run(mut self) {
        let mut changes = self.site.setup.changes();
        while !self.site.stop.said() {
            let pause = match self.round().await {
                Ok(due) => due.map(|due| due.saturating_duration_since(self.site.clock.monotonic())),
                // The store is away: whoever works with it says so.
                Err(_) => Some(PAUSES[0]),
            };
            let pause = pause.unwrap_or(Duration::from_secs(3_600));
            tokio::select! {
                () = self.site.stop.told() => {}
                () = self.site.alarms.news.notified() => {}
                _ = changes.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Tells once of everything that is to be told, and when a failed try is due again.
    pub async fn round(&mut self) -> Result<Option<Instant>, LedgerError> {
        let Some(command) = self.site.setup.now().alarm_command.clone() else { return Ok(None) };
        loop {
            let now = self.site.clock.monotonic();
            // Those that failed stand first: room for as many more.
            let most = AT_ONCE + u32::try_from(self.failed.len()).unwrap_or(u32::MAX - AT_ONCE);
            let untold = self.site.ledger.untold_alarms(most).await?;
            self.failed
                .retain(|(no, over), _| untold.iter().any(|it| it.no == *no && it.alarm.cleared_at.is_some() == *over));
            let due: Vec<Untold> = untold
                .into_iter()
                .filter(|it| match self.failed.get(&key(it)) {
                    None => true,
                    Some((_, next)) => next.is_some_and(|next| next <= now),
                })
                .take(AT_ONCE as usize)
                .collect();
            if due.is_empty() {
                return Ok(self.failed.values().filter_map(|(_, next)| *next).min());
            }
            let mut running = JoinSet::new();
            for told in due {
                let (command, path) = (command.clone(), self.site.alarms.path.clone());
                running.spawn(async move {
                    let ended = tell(&command, path, &message(&told)).await;
                    (told, ended)
                });
            }
            while let Some(ended) = running.join_next().await {
                // A task that panicked has said so; its alarm is told at the next round.
                let Ok((told, ended)) = ended else { continue };
                self.weigh(&told, ended).await?;
            }
        }
    }

    async fn weigh(&mut self, told: &Untold, ended: Result<(), String>) -> Result<(), LedgerError> {
        match ended {
            Ok(()) => {
                self.failed.remove(&key(told));
                if std::mem::take(&mut self.failing) {
                    telemetry::alarm_command_recovered();
                }
                self.site.ledger.alarm_told(told).await
            }
            Err(why) => {
                if !std::mem::replace(&mut self.failing, true) {
                    telemetry::alarm_command_failed(&why);
                }
                let (tries, next) = self.failed.entry(key(told)).or_insert((0, None));
                let now = self.site.clock.monotonic();
                *next = PAUSES.get(*tries).map(|pause| now + *pause);
                *tries += 1;
                Ok(())
            }
        }
    }
}

fn key(told: &Untold) -> (i64, bool) {
    (told.no, told.alarm.cleared_at.is_some())
}

fn message(told: &Untold) -> Vec<u8> {
    let alarm = &told.alarm;
    let message = Message {
        kind: alarm.kind.as_str(),
        state: if alarm.cleared_at.is_some() { "cleared" } else { "raised" },
        issuer: alarm.issuer.as_deref(),
        feed: alarm.subject.feed.as_deref(),
        source: alarm.subject.source.as_deref(),
        file: alarm.subject.file.as_deref(),
        what: &alarm.what,
        next: &alarm.next,
        since: alarm.raised_at.to_string(),
    };
    // Strings have no way to fail.
    let mut line = serde_json::to_vec(&message).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Runs the command to its end, in a process group of its own, so that what it starts ends with it.
async fn tell(command: &[String], path: Option<OsString>, message: &[u8]) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else { return Err("the command is empty".into()) };
    let mut child = Command::new(program);
    child.args(arguments).env_clear().process_group(0).kill_on_drop(true);
    if let Some(path) = path {
        child.env("PATH", path);
    }
    child.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.spawn().map_err(|error| format!("cannot run {program}: {error}"))?;
    let ended = tokio::time::timeout(COMMAND_TIME_MAX, feed(&mut child, message)).await;
    let ended = match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("{program} failed: {status}")),
        Ok(Err(error)) => Err(format!("{program}: {error}")),
        Err(_) => Err(format!("{program} did not end within {} seconds and was killed", COMMAND_TIME_MAX.as_secs())),
    };
    if ended.is_err() {
        kill(&child);
        // Just killed, or ended before: this does not last.
        let _ = child.wait().await;
    }
    ended
}

async fn feed(child: &mut Child, message: &[u8]) -> std::io::Result<std::process::ExitStatus> {
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not want to know is no failure: how it ends counts.
        let _ = stdin.write_all(message).await;
    }
    child.wait().await
}

fn kill(child: &Child) {
    // `None` once it was reaped: its number may be another's then.
    if let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}
