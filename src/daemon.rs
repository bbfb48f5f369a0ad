//! The daemon: a post and a lane for each issuer, from the files that an earlier process left open to the word to stop.

mod anchors;
mod suspects;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinSet;

use crate::actions::Server;
use crate::intake::{self, Hint};
use crate::model::{FileRecord, State};
use crate::pipeline::{Exchange, Fatal, Issuer, Lane, Nights, Post, Progress, Reports, Retention, Setup, Site, Teller};
use crate::telemetry;

/// How often a batch run looks whether everything in hand is done.
const ONCE_LOOK: Duration = Duration::from_millis(50);

/// How often the status line is told to the supervisor.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// How the daemon runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is asked for actions; a batch run is not.
    pub socket: Option<PathBuf>,
    /// Take what waits now, then end.
    pub once: bool,
    /// The supervisor's watchdog, if it has one.
    pub watchdog: Option<Duration>,
}

/// Files that a batch run left for next time, by name, and why.
pub type Left = Vec<(String, &'static str)>;

/// Files left open by an earlier process, with the identity of their originals.
type LeftOpen = Vec<(FileRecord, String)>;

/// Runs until the word to stop is said or, as a batch, until what waits is done.
pub async fn run(site: Arc<Site>, options: Options) -> Result<Left, Fatal> {
    site.ledger.read_ahead();
    let mut left_open = tidy_up(&site).await?;
    if left_open.iter().any(|(record, _)| record.ends.suspect()) {
        suspects::run(&site, left_open).await?;
        left_open = open_files(&site, |_| true).await?;
    }
    let mut changes = site.setup.changes();
    let setup = changes.borrow_and_update().clone();
    let mut crew = Crew {
        site: Arc::clone(&site),
        options: options.clone(),
        tasks: JoinSet::new(),
        at_work: BTreeMap::new(),
        sources: BTreeSet::new(),
    };
    for (issuer, files) in gone(&left_open, &setup) {
        telemetry::issuer_gone(&issuer, files);
    }
    crew.begin(&setup, left_open)?;
    let server = match &crew.options.socket {
        None => None,
        Some(path) => {
            let server = Server::listen(path, &site).map_err(|error| Fatal(error.to_string()))?;
            Some(tokio::spawn(server.run()))
        }
    };
    say(&[NotifyState::Ready, NotifyState::Status("ready")]);
    telemetry::ready(setup.issuers.len());

    let status = tokio::spawn(tell_status(Arc::clone(&site)));
    let retention = (!options.once).then(|| tokio::spawn(Retention::new(&site).run()));
    if !options.once {
        crew.tasks.spawn(keep_days(Arc::clone(&site)));
    }
    let teller = (!options.once).then(|| tokio::spawn(Teller::new(&site).run()));
    let anchoring = tokio::spawn(anchors::say(Arc::clone(&site)));
    let mut left = Left::new();
    let mut fatal = None;
    loop {
        let ended = tokio::select! {
            ended = crew.tasks.join_next() => ended,
            _ = changes.changed(), if !site.stop.said() => {
                let setup = changes.borrow_and_update().clone();
                if let Err(error) = crew.join_up(&setup).await {
                    fatal.get_or_insert(error);
                    site.stop.say();
                }
                continue;
            }
        };
        let error = match ended {
            None => break,
            Some(Ok((whose, Ok(names)))) => {
                left.extend(names);
                crew.left(&whose);
                // One that was taken out of the configuration and put back before it had ended.
                if options.once || site.stop.said() {
                    continue;
                }
                match crew.join_up(&site.setup.now()).await {
                    Ok(()) => continue,
                    Err(error) => error,
                }
            }
            Some(Ok((_, Err(error)))) => error,
            Some(Err(_)) => {
                suspects::own_fault(&site);
                Fatal("a task of the daemon panicked; its log names the line".into())
            }
        };
        // The other issuers finish what is in flight; then the process ends, and starts again from what is on disk.
        fatal.get_or_insert(error);
        site.stop.say();
    }
    suspects::ended(&site);
    status.abort();
    if let Some(server) = server {
        // What it was asked for goes on by itself, as far as it gets.
        server.abort();
        let _ = server.await;
    }
    if let Some(retention) = retention {
        // It ends by the word to stop, once a commit in hand is finished. If it panicked, that has been said.
        site.stop.say();
        let _ = retention.await;
    } else if !site.stop.said() {
        Retention::new(&site).round().await;
    }
    anchoring.abort();
    if options.once {
        // After what waited was taken: a batch run misses nothing that it has just accepted. A store that is away says so
        // elsewhere.
        drop(Nights::new(&site).round().await);
        Reports::new(&site).last_round().await;
    }
    match teller {
        // Whoever was being told is told again after the next start.
        Some(teller) => teller.abort(),
        // The store is away: the next start tells.
        None => drop(Teller::new(&site).round().await),
    }
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

/// Expected files and reports, until the word to stop. The windows that ended while no daemon ran are looked at before a
/// report tells of them.
async fn keep_days(site: Arc<Site>) -> (Whose, Result<Left, Fatal>) {
    let mut nights = Nights::new(&site);
    // A store that is away is tried again by what follows.
    drop(nights.round().await);
    let (ended, ()) = tokio::join!(Reports::new(&site).run(), nights.run());
    (Whose::Days, ended.map(|()| Left::new()))
}

/// The posts and lanes at work: a pair for each issuer.
struct Crew {
    site: Arc<Site>,
    options: Options,
    tasks: JoinSet<(Whose, Result<Left, Fatal>)>,
    /// Tasks of each issuer.
    at_work: BTreeMap<String, u8>,
    /// Sources at work.
    sources: BTreeSet<String>,
}

/// Whose a task is.
enum Whose {
    Issuer(String),
    Source(String),
    /// Expected files and reports: every issuer's.
    Days,
}

impl Crew {
    /// Begins a post and a lane for every issuer that has none, with the files that are open.
    fn begin(&mut self, setup: &Arc<Setup>, left_open: LeftOpen) -> Result<(), Fatal> {
        let mut by_issuer: BTreeMap<String, LeftOpen> = BTreeMap::new();
        for file in left_open {
            by_issuer.entry(file.0.issuer.clone()).or_default().push(file);
        }
        let mut begun = Vec::new();
        for issuer in &setup.issuers {
            if self.at_work.contains_key(&issuer.id) {
                continue;
            }
            let mine = by_issuer.remove(&issuer.id).unwrap_or_default();
            let (post, lane) = Lane::open(&self.site, setup, issuer, mine)?;
            let (hint, unwatched) = Hint::watch(&[post.inbound().to_owned()]);
            for directory in unwatched {
                telemetry::not_watched(&directory.directory, &directory.source.to_string());
            }
            self.at_work.insert(issuer.id.clone(), 2);
            Progress::add(&self.site.progress.posts_at_work, 1);
            begun.push((issuer.id.clone(), post, lane, hint));
        }
        // While the lanes are sure to be open: a batch run's may end as soon as its post has found nothing.
        self.begin_sources(setup)?;
        for (id, post, lane, hint) in begun {
            let (site, options, whose) = (Arc::clone(&self.site), self.options.clone(), id.clone());
            self.tasks.spawn(async move {
                let ended = watch(Arc::clone(&site), post, hint, options).await;
                site.progress.posts_at_work.fetch_sub(1, Ordering::Relaxed);
                (Whose::Issuer(whose), ended)
            });
            self.tasks.spawn(async move { (Whose::Issuer(id), lane.run().await.map(|()| Left::new())) });
        }
        Ok(())
    }

    /// Begins every source that is not at work and whose issuer is.
    fn begin_sources(&mut self, setup: &Arc<Setup>) -> Result<(), Fatal> {
        for source in &setup.sources {
            if !self.at_work.contains_key(&source.issuer) || !self.sources.insert(source.name.clone()) {
                continue;
            }
            let Some(exchange) = Exchange::open(&self.site, setup, source)? else {
                // Its issuer is on its way out; it begins with the issuer when that comes back.
                self.sources.remove(&source.name);
                continue;
            };
            let (name, once) = (source.name.clone(), self.options.once);
            self.tasks.spawn(async move { (Whose::Source(name), exchange.run(once).await) });
        }
        Ok(())
    }

    /// The same for a setup that a reload brought: its new issuers begin.
    async fn join_up(&mut self, setup: &Arc<Setup>) -> Result<(), Fatal> {
        let new: Vec<_> = setup.issuers.iter().filter(|issuer| !self.at_work.contains_key(&issuer.id)).collect();
        if new.is_empty() {
            return self.begin_sources(setup);
        }
        for issuer in &new {
            make_places(issuer)?;
        }
        let left_open = open_files(&self.site, |id| new.iter().any(|issuer| issuer.id == id)).await?;
        self.begin(setup, left_open)
    }

    /// A task has ended.
    fn left(&mut self, whose: &Whose) {
        let issuer = match whose {
            Whose::Issuer(issuer) => issuer,
            Whose::Source(name) => {
                self.sources.remove(name);
                return;
            }
            Whose::Days => return,
        };
        if let Some(tasks) = self.at_work.get_mut(issuer) {
            *tasks = tasks.saturating_sub(1);
            if *tasks == 0 {
                self.at_work.remove(issuer);
            }
        }
    }
}

/// Issuers whose files are open but who are not in the configuration, and how many files.
fn gone(left_open: &LeftOpen, setup: &Setup) -> BTreeMap<String, usize> {
    let mut gone = BTreeMap::new();
    for (record, _) in left_open.iter().filter(|(record, _)| setup.issuer(&record.issuer).is_none()) {
        *gone.entry(record.issuer.clone()).or_default() += 1;
    }
    gone
}

/// What an earlier process left behind: intents without a copy, copies without a file, temporary files.
async fn tidy_up(site: &Site) -> Result<LeftOpen, Fatal> {
    for directory in [&site.work, &site.archive, &site.quarantine] {
        make(directory)?;
    }
    for issuer in &site.setup.now().issuers {
        make_places(issuer)?;
    }
    suspects::count(site).await?;
    let left_open = open_files(site, |_| true).await?;
    let mut keep: HashSet<String> = left_open.iter().map(|(record, _)| record.no.to_string()).collect();
    keep.insert(intake::LAST_WORDS.to_owned());
    intake::sweep_work(&site.work, &keep).map_err(|error| Fatal(error.to_string()))?;
    let records: Vec<FileRecord> = left_open.iter().map(|(record, _)| record.clone()).collect();
    site.agree_on_held_files(&records).await.map_err(|error| Fatal(error.to_string()))?;
    Ok(left_open)
}

/// Files of issuers that nobody is at work for; intents whose copy may be half are taken back.
async fn open_files(site: &Site, idle: impl Fn(&str) -> bool) -> Result<LeftOpen, Fatal> {
    let fatal = |error: &dyn std::error::Error| Fatal(error.to_string());
    let at_work = site.setup.now();
    let mut left_open = LeftOpen::new();
    for (record, identity) in site.ledger.open_files().await.map_err(|error| fatal(&error))? {
        if !idle(&record.issuer) {
            continue;
        }
        if record.state == State::Claiming {
            intake::discard_copy(&site.work, &record.no.to_string()).map_err(|error| fatal(&error))?;
            site.ledger.unclaim(record.no, site.clock.now()).await.map_err(|error| fatal(&error))?;
            continue;
        }
        if record.state != State::Held && at_work.issuer(&record.issuer).is_some() {
            telemetry::file_resumed(record.no, &record.name, record.state);
        }
        left_open.push((record, identity));
    }
    Ok(left_open)
}

/// An issuer's directories, without what an earlier process left half-written.
fn make_places(issuer: &Issuer) -> Result<(), Fatal> {
    make(&issuer.inbound)?;
    make(issuer.outbox.directory())?;
    issuer.outbox.sweep().map_err(|error| Fatal(error.to_string()))?;
    Ok(())
}

fn make(directory: &Path) -> Result<(), Fatal> {
    std::fs::create_dir_all(directory)
        .map_err(|error| Fatal(format!("cannot make the directory {}: {error}", directory.display())))
}

/// One issuer's post, round after round. Its end lets the lane end.
async fn watch(site: Arc<Site>, mut post: Post, hint: Hint, options: Options) -> Result<Left, Fatal> {
    let mut left;
    let mut changes = site.setup.changes();
    loop {
        if site.stop.said() || !post.refresh()? {
            return Ok(Left::new());
        }
        // Asked before the look: what was in hand until then is seen by it, as a file given back or gone.
        let was_idle = site.progress.is_idle();
        let round = with_pulse(post.round(), &site, options.watchdog).await?;
        // Fed from here and nowhere else: a daemon that no longer looks is to be restarted.
        if options.watchdog.is_some() {
            say(&[NotifyState::Watchdog]);
        }
        left = round.stalled.into_iter().map(|name| (name, "ends early and may still be uploaded")).collect();
        if options.once && round.claimed == 0 && round.settling == 0 && !round.hindered && was_idle {
            return Ok(left);
        }
        let scan = post.looking().scan;
        let mut pause = scan.min(round.next_change.unwrap_or(scan));
        // What came to its end during the look is seen by the next one; only what was idle all through has nothing to say soon.
        if options.once && !(was_idle && site.progress.is_idle()) {
            pause = pause.min(ONCE_LOOK);
        }
        if let Some(watchdog) = options.watchdog {
            pause = pause.min(watchdog / 2);
        }
        tokio::select! {
            () = site.stop.told() => {}
            () = hint.heard() => {}
            _ = changes.changed() => {}
            () = tokio::time::sleep(pause.max(Duration::from_millis(1))) => {}
        }
    }
}

/// Does a round of work; in a long one a copy that grows feeds the watchdog, and so does a store that is tried again.
async fn with_pulse<T>(round: impl Future<Output = T>, site: &Site, watchdog: Option<Duration>) -> T {
    let Some(watchdog) = watchdog else { return round.await };
    tokio::pin!(round);
    let mut before = (0, 0);
    loop {
        tokio::select! {
            done = &mut round => return done,
            () = tokio::time::sleep(watchdog / 3) => {}
        }
        let now = (bytes_in(&site.work), Progress::read(&site.progress.intake_tries));
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
    let mut troubles = site.progress.troubles.changes();
    let mut before = Progress::read(&site.progress.records_done);
    let mut next = tokio::time::interval(STATUS_EVERY);
    next.tick().await;
    let mut rate = 0;
    loop {
        // What fails is shown at once, figures from time to time.
        tokio::select! {
            _ = next.tick() => {
                let now = Progress::read(&site.progress.records_done);
                rate = (now - before) / STATUS_EVERY.as_secs();
                before = now;
            }
            () = troubles.next() => {}
        }
        say(&[NotifyState::Status(&status_line(&site.progress, rate))]);
    }
}

fn status_line(progress: &Progress, rate: u64) -> String {
    let waited_for: Vec<&str> = progress.troubles.now().into_iter().map(|(part, _)| part).collect();
    let waiting =
        if waited_for.is_empty() { String::new() } else { format!("waiting for the {}; ", waited_for.join(", ")) };
    format!(
        "{waiting}{} files done, {} in hand, {} records, {rate}/s",
        Progress::read(&progress.files_done),
        Progress::read(&progress.files_open),
        Progress::read(&progress.records_done),
    )
}

/// Tells the supervisor, where there is one.
pub fn say(states: &[NotifyState<'_>]) {
    // Without a supervisor, or with one that is gone, there is nobody to tell.
    let _ = sd_notify::notify(states);
}
