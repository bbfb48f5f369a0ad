//! `nightdrop run` and `nightdrop once`: the daemon, and a batch run of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, Surroundings};
use crate::daemon::{self, Left};
use crate::pipeline::{Fatal, Progress, Site};
use crate::telemetry;

use super::assemble::assemble;
use super::trail;
use super::{ExitCode, progress, reload};

/// How long a stop may take before it is cut short: chunks in flight need far less.
const STOP_MAX: Duration = Duration::from_secs(10);

/// When a batch run is to end whatever is left.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// When the daemon is told to stop.
    Told,
    /// When everything that waits is done, at most that long.
    Done(Option<Duration>),
}

/// Runs the daemon as a command.
pub(super) fn run(file: &Path, until: Until, surroundings: &Surroundings, log_filter: Option<&str>) -> ExitCode {
    let config = match super::load(file) {
        Ok(config) => config,
        Err(code) => return code,
    };
    telemetry::start(config.log, log_filter);
    super::on_runtime(async { under_signals(&config, until, surroundings).await })
}

async fn under_signals(config: &Config, until: Until, surroundings: &Surroundings) -> ExitCode {
    telemetry::starting(env!("CARGO_PKG_VERSION"), &config.file);
    for warning in &config.warnings {
        telemetry::config_warning(&warning.to_string());
    }
    let site = match assemble(config, surroundings).await {
        Ok(site) => site,
        Err(unfit) => return unfit.say(),
    };
    if let Err(error) = trail::began(&site, config).await {
        eprintln!("nightdrop: {error}");
        return ExitCode::Failure;
    }
    let reloading = match reload::listen(&site, config, surroundings) {
        Ok(reloading) => reloading,
        Err(error) => {
            eprintln!("nightdrop: cannot listen for signals: {error}");
            return ExitCode::Failure;
        }
    };
    let worked = work(&site, Some(config.daemon.socket.clone()), until).await;
    reloading.abort();
    match worked {
        Ok(left) => {
            for (name, why) in &left {
                eprintln!("nightdrop: {name} {why}; it is left for next time");
            }
            telemetry::stopped();
            if matches!(until, Until::Done(_)) {
                eprintln!("nightdrop: {}", closing_words(&site));
            }
            exit_code(&site, until, &left)
        }
        Err(Fatal(why)) => {
            telemetry::fatal(&why);
            eprintln!("nightdrop: {why}");
            ExitCode::Failure
        }
    }
}

fn closing_words(site: &Site) -> String {
    let progress = &site.progress;
    format!(
        "{} files done, {} of them refused; {} records, {} of them rejected; {} files held",
        Progress::read(&progress.files_done),
        Progress::read(&progress.files_refused),
        Progress::read(&progress.records_done),
        Progress::read(&progress.records_rejected),
        Progress::read(&progress.files_held)
    )
}

fn exit_code(site: &Site, until: Until, left: &Left) -> ExitCode {
    let Until::Done(_) = until else { return ExitCode::Ok };
    let progress = &site.progress;
    if Progress::read(&progress.files_refused) > 0 || Progress::read(&progress.files_held) > 0 || !left.is_empty() {
        ExitCode::FileRefused
    } else if Progress::read(&progress.records_rejected) > 0 {
        ExitCode::RecordsRejected
    } else {
        ExitCode::Ok
    }
}

/// The daemon until its end: first signal soft, second hard, and a bound on how long the soft one takes.
pub(super) async fn work(site: &Arc<Site>, socket: Option<PathBuf>, until: Until) -> Result<Left, Fatal> {
    let once = matches!(until, Until::Done(_));
    let options = daemon::Options { socket: socket.filter(|_| !once), once, watchdog: sd_notify::watchdog_enabled() };
    let handler = |kind| signal(kind).map_err(|error| Fatal(format!("cannot listen for signals: {error}")));
    let (mut terminate, mut interrupt) = (handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?);
    let deadline = async {
        match until {
            Until::Done(Some(pause)) => tokio::time::sleep(pause).await,
            Until::Told | Until::Done(None) => std::future::pending().await,
        }
    };
    let bar = once.then(|| tokio::spawn(progress::show(Arc::clone(&site.progress))));
    let daemon = daemon::run(Arc::clone(site), options);
    tokio::pin!(daemon, deadline);
    let mut cut_short = None;
    let ended = loop {
        tokio::select! {
            ended = &mut daemon => break ended,
            _ = terminate.recv(), if cut_short.is_none() => cut_short = Some("told to stop"),
            _ = interrupt.recv(), if cut_short.is_none() => cut_short = Some("interrupted"),
            () = &mut deadline, if cut_short.is_none() => cut_short = Some("the deadline came"),
        }
        if let Some(why) = cut_short
            && !site.stop.said()
        {
            telemetry::stopping(why);
            daemon::say(&[NotifyState::Stopping]);
            site.stop.say();
            let ended = tokio::select! {
                ended = &mut daemon => ended,
                _ = terminate.recv() => Err(Fatal("told to stop a second time: chunks in flight are given up".into())),
                _ = interrupt.recv() => Err(Fatal("interrupted a second time: chunks in flight are given up".into())),
                () = tokio::time::sleep(STOP_MAX) => Err(Fatal("the stop took too long: chunks in flight are given up".into())),
            };
            break ended;
        }
    };
    if let Some(bar) = bar {
        bar.abort();
        let _ = bar.await;
    }
    let why = match &ended {
        Ok(_) => cut_short.unwrap_or("nothing is left to do"),
        Err(Fatal(why)) => why,
    };
    let told = trail::ended(site, why).await;
    let mut left = ended?;
    if once && cut_short.is_some() {
        let open = site.ledger.open_files().await.map_err(|error| Fatal(error.to_string()))?;
        let known: Vec<String> = left.iter().map(|(name, _)| name.clone()).collect();
        left.extend(
            open.into_iter()
                .map(|(record, _)| (record.name, "is not finished"))
                .filter(|(name, _)| !known.contains(name)),
        );
    }
    told.map_err(|error| Fatal(error.to_string()))?;
    site.ledger.close().await.map_err(|error| Fatal(error.to_string()))?;
    Ok(left)
}
