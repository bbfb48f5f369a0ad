//! Files during which an earlier process ended. They run alone, one after another, so that only one that does it again is
//! blamed for it; whoever gets on is cleared.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sd_notify::NotifyState;
use signal_hook::consts::{SIGABRT, SIGBUS};

use crate::intake;
use crate::model::{FileNo, State};
use crate::pipeline::{Fatal, Lane, Site};
use crate::telemetry;

use super::{LeftOpen, say};

/// Writes down what the end of the process before this one says of the files that it had in hand, and makes a place for
/// this one's last words.
pub(super) async fn count(site: &Site) -> Result<(), Fatal> {
    let failed = |error: intake::IntakeError| Fatal(error.to_string());
    let own_fault = intake::last_words(&site.work).map_err(failed)?;
    let marked = intake::marked(&site.work).map_err(failed)?;
    let files: Vec<FileNo> = marked.iter().filter_map(|id| id.parse().ok().map(FileNo)).collect();
    if !files.is_empty() {
        site.ledger.count_ends(&files, own_fault).await.map_err(|error| Fatal(error.to_string()))?;
    }
    for id in &marked {
        intake::unmark(&site.work, id).map_err(failed)?;
    }
    let place = intake::place_for_last_words(&site.work).map_err(failed)?;
    if let Err(error) = listen(&place) {
        telemetry::deaf(&error.to_string());
    }
    Ok(())
}

/// The handler of a signal by which this process ends through its own fault leaves a byte in `place`, and then lets it end
/// as it would have. SIGSEGV cannot be listened for without more than a library promises; Rust makes an overflow of the
/// stack a SIGABRT, and any other counts as a kill.
fn listen(place: &std::fs::File) -> std::io::Result<()> {
    for signal in [SIGABRT, SIGBUS] {
        signal_hook::low_level::pipe::register(signal, place.try_clone()?)?;
        signal_hook::flag::register_conditional_default(signal, Arc::new(AtomicBool::new(true)))?;
    }
    Ok(())
}

/// This process ends through a fault of its own that no signal tells of: a task of the daemon panicked.
pub(super) fn own_fault(site: &Site) {
    // Without it the files in hand are counted as killed.
    let _ = intake::say_last_words(&site.work);
}

/// The process ends as it should, or for the world's sake: no file that is still in hand is to blame.
pub(super) fn ended(site: &Site) {
    if intake::last_words(&site.work).unwrap_or(true) {
        return;
    }
    for id in intake::marked(&site.work).unwrap_or_default() {
        // One that stays is counted once too often, no more.
        let _ = intake::unmark(&site.work, &id);
    }
    let _ = intake::no_last_words(&site.work);
}

/// Runs what was left open up to the last suspect, a file at a time in the order of arrival.
pub(super) async fn run(site: &Arc<Site>, left_open: LeftOpen) -> Result<(), Fatal> {
    say(&[NotifyState::Status("files that ended an earlier process run alone")]);
    let setup = site.setup.now();
    let last = left_open.iter().rposition(|(record, _)| record.ends.suspect()).unwrap_or(0);
    for (record, identity) in left_open.into_iter().take(last + 1) {
        let Some(issuer) = setup.issuer(&record.issuer) else { continue };
        if site.stop.said() {
            return Ok(());
        }
        if record.state == State::Held {
            continue;
        }
        if record.ends.suspect() {
            telemetry::file_suspected(record.no, &record.name, record.ends);
        }
        let (post, lane) = Lane::open(site, &setup, issuer, vec![(record, identity)])?;
        // Nothing else comes: the lane ends after this file.
        drop(post);
        lane.run().await?;
    }
    Ok(())
}
