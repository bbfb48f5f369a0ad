//! The daemon: a post and a lane for each issuer, from the files that an earlier process left open to the word to stop.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinSet;

use crate::intake::{self, Hint};
use crate::model::{FileRecord, State};
use crate::pipeline::{Fatal, Lane, Post, Progress, Site};
use crate::telemetry;

/// How often a batch run looks whether everything in hand is done.
const ONCE_LOOK: Duration = Duration::from_millis(50);

/// How often the status line is told to the supervisor.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// How long, and how often, the daemon looks.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long a file stays unchanged before it is looked at.
    pub settle: Duration,
    /// How long a file that ends early stays unchanged before its end is believed.
    pub stalled: Duration,
    /// The timer of scans.
    pub scan: Duration,
    /// Take what waits now, then end.
    pub once: bool,
    /// The supervisor's watchdog, if it has one.
    pub watchdog: Option<Duration>,
}

/// Files that a batch run left for next time, by name, and why.
pub type Left = Vec<(String, &'static str)>;

/// Runs until the word to stop is said or, as a batch, until what waits is done.
pub async fn run(site: Arc<Site>, options: Options) -> Result<Left, Fatal> {
    let mut left_open = tidy_up(&site).await?;
    let mut tasks = JoinSet::new();
    for index in 0..site.issuers.len() {
        let mine = left_open.remove(&site.issuers[index].id).unwrap_or_default();
        let (post, lane) = Lane::open(&site, index, options.settle, options.stalled, mine)?;
        let (hint, unwatched) = Hint::watch(&[post.inbound().to_owned()]);
        for directory in unwatched {
            telemetry::not_watched(&directory.directory, &directory.source.to_string());
        }
        tasks.spawn(watch(Arc::clone(&site), post, hint, options));
        tasks.spawn(async { lane.run().await.map(|()| Left::new()) });
    }
    for (issuer, files) in left_open {
        telemetry::issuer_gone(&issuer, files.len());
    }
    say(&[NotifyState::Ready, NotifyState::Status("ready")]);
    telemetry::ready(site.issuers.len());

    let status = tokio::spawn(tell_status(Arc::clone(&site)));
    let mut left = Left::new();
    let mut fatal = None;
    while let Some(ended) = tasks.join_next().await {
        let error = match ended {
            Ok(Ok(names)) => {
                left.extend(names);
                continue;
            }
            Ok(Err(error)) => error,
            Err(_) => Fatal("a task of the daemon panicked; its log names the line".into()),
        };
        // The other issuers finish what is in flight; then the process ends, and starts again from what is on disk.
        fatal.get_or_insert(error);
        site.stop.say();
    }
    status.abort();
    if let Some(error) = fatal {
        return Err(error);
    }
    if options.once {
        let open = site.ledger.open_files().await.map_err(|error| Fatal(error.to_string()))?;
        left.extend(open.into_iter().filter_map(|(record, _)| match record.state {
            State::Waiting => Some((record.name, "waits for the missing sequence")),
            State::Held => Some((record.name, "is held for an operator")),
            _ => None,
        }));
    }
    Ok(left)
}

/// What an earlier process left behind: intents without a copy, copies without a file, temporary files.
async fn tidy_up(site: &Site) -> Result<BTreeMap<String, Vec<(FileRecord, String)>>, Fatal> {
    let fatal = |error: &dyn std::error::Error| Fatal(error.to_string());
    for directory in [&site.work, &site.archive, &site.quarantine] {
        make(directory)?;
    }
    for issuer in &site.issuers {
        make(&issuer.inbound)?;
        make(issuer.outbox.directory())?;
        issuer.outbox.sweep().map_err(|error| fatal(&error))?;
    }
    let mut by_issuer: BTreeMap<String, Vec<(FileRecord, String)>> = BTreeMap::new();
    let mut keep = HashSet::new();
    for (record, identity) in site.ledger.open_files().await.map_err(|error| fatal(&error))? {
        match record.state {
            State::Claiming => {
                intake::discard_copy(&site.work, &record.no.to_string()).map_err(|error| fatal(&error))?;
                site.ledger.unclaim(record.no).await.map_err(|error| fatal(&error))?;
            }
            _ => {
                keep.insert(record.no.to_string());
                if record.state != State::Held {
                    telemetry::file_resumed(record.no, &record.name, record.state);
                }
                by_issuer.entry(record.issuer.clone()).or_default().push((record, identity));
            }
        }
    }
    intake::sweep_work(&site.work, &keep).map_err(|error| fatal(&error))?;
    Ok(by_issuer)
}

fn make(directory: &Path) -> Result<(), Fatal> {
    std::fs::create_dir_all(directory)
        .map_err(|error| Fatal(format!("cannot make the directory {}: {error}", directory.display())))
}

/// One issuer's post, round after round. Its end lets the lane end.
async fn watch(site: Arc<Site>, mut post: Post, hint: Hint, options: Options) -> Result<Left, Fatal> {
    let mut left;
    loop {
        if site.stop.said() {
            return Ok(Left::new());
        }
        // Asked before the look: what was in hand until then is seen by it, as a file given back or gone.
        let was_idle = site.progress.is_idle();
        let round = with_pulse(post.round(), &site.work, options.watchdog).await?;
        // Fed from here and nowhere else: a daemon that no longer looks is to be restarted.
        if options.watchdog.is_some() {
            say(&[NotifyState::Watchdog]);
        }
        left = round.stalled.into_iter().map(|name| (name, "ends early and may still be uploaded")).collect();
        if options.once && round.claimed == 0 && round.settling == 0 && !round.hindered && was_idle {
            return Ok(left);
        }
        let mut pause = options.scan.min(round.next_change.unwrap_or(options.scan));
        if options.once && !site.progress.is_idle() {
            pause = pause.min(ONCE_LOOK);
        }
        if let Some(watchdog) = options.watchdog {
            pause = pause.min(watchdog / 2);
        }
        tokio::select! {
            () = site.stop.told() => {}
            () = hint.heard() => {}
            () = tokio::time::sleep(pause.max(Duration::from_millis(1))) => {}
        }
    }
}

/// Does a round of work; a long copy in it feeds the watchdog as long as it grows.
async fn with_pulse<T>(round: impl Future<Output = T>, work: &Path, watchdog: Option<Duration>) -> T {
    let Some(watchdog) = watchdog else { return round.await };
    tokio::pin!(round);
    let mut before = 0;
    loop {
        tokio::select! {
            done = &mut round => return done,
            () = tokio::time::sleep(watchdog / 3) => {}
        }
        let now = bytes_in(work);
        if now != before {
            before = now;
            say(&[NotifyState::Watchdog]);
        }
    }
}

/// Bytes of the copies that lie in the work directory.
fn bytes_in(work: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(work) else { return 0 };
    entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|copy| copy.len()).sum()
}

/// The line that `systemctl status` shows.
async fn tell_status(site: Arc<Site>) {
    let mut before = Progress::read(&site.progress.records_done);
    loop {
        tokio::time::sleep(STATUS_EVERY).await;
        let now = Progress::read(&site.progress.records_done);
        let line = format!(
            "{} files done, {} in hand, {} records, {}/s",
            Progress::read(&site.progress.files_done),
            Progress::read(&site.progress.files_open),
            now,
            (now - before) / STATUS_EVERY.as_secs()
        );
        before = now;
        say(&[NotifyState::Status(&line)]);
    }
}

/// Tells the supervisor, where there is one.
pub fn say(states: &[NotifyState<'_>]) {
    // Without a supervisor, or with one that is gone, there is nobody to tell.
    let _ = sd_notify::notify(states);
}
