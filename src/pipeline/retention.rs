//! Takes away what has been kept long enough: copies in archive and quarantine, outbound files, and the ledger's rows of
//! records. It never touches a file that is not DONE, and never what makes a file the same file twice, a card or the trail.
//!
//! Nothing of it is urgent, so it gives way: a bounded number of rows a commit, and after a failure of the world it waits
//! for its next round. Time is the clock's, but a clock that jumps ahead takes nothing with it: at a round retention
//! believes at most [`STEP`] more than at the last one, and says so while it lags behind.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::intake;
use crate::ledger::{Actor, AuditEntry, AuditEvent, Outlived};
use crate::model::{FileNo, Timestamp};
use crate::report::{Outbox, names_of};
use crate::telemetry;

use super::patience::{Trouble, blocking};
use super::site::{Setup, Site};

/// From one round to the next; less only where something is kept for less.
const EVERY: Duration = Duration::from_secs(3_600);
const EVERY_MIN: Duration = Duration::from_secs(1);

/// The most that retention's time moves at a round. More than a day, so that a nightly batch keeps up.
const STEP: Duration = Duration::from_secs(2 * 86_400);

/// Chunks deleted in one commit: about as long as a small group takes, so that no lane waits for it noticeably.
const CHUNKS_A_COMMIT: u64 = 200;

/// Files whose outbound files are looked for at a time.
const FILES_A_LOOK: u32 = 200;

/// Keeps the rounds.
pub struct Retention {
    site: Arc<Site>,
    /// Parts that failed at the last round: a failure is said when it begins.
    failing: BTreeSet<&'static str>,
    lagging: bool,
}

impl Retention {
    /// Nothing is done yet.
    pub fn new(site: &Arc<Site>) -> Self {
        Self { site: Arc::clone(site), failing: BTreeSet::new(), lagging: false }
    }

    /// Round after round, until the daemon stops. The first one comes after a pause, so that a daemon that is started
    /// again and again by mistake believes no clock the faster for it.
    pub async fn run(mut self) {
        loop {
            let setup = self.site.setup.now();
            let keep = setup.retention;
            let shortest = keep.archive.min(keep.quarantine).min(keep.outbound).min(keep.results);
            self.site.stop.within(shortest.clamp(EVERY_MIN, EVERY)).await;
            if self.site.stop.said() {
                return;
            }
            self.round().await;
        }
    }

    /// One round. What fails is said, and left for the next one.
    pub async fn round(&mut self) {
        let site = Arc::clone(&self.site);
        let setup = site.setup.now();
        let now = site.clock.now();
        let believed = site.ledger.retention_clock(now, STEP).await.map_err(Trouble::from);
        let Some(at) = self.weigh("store", believed) else { return };
        let lagging = at.after(STEP) < now;
        if lagging && !self.lagging {
            telemetry::retention_lags(now, at);
        }
        self.lagging = lagging;
        let keep = setup.retention;
        for (part, place, kept) in
            [("archive", &site.archive, keep.archive), ("quarantine", &site.quarantine, keep.quarantine)]
        {
            let before = at.before(kept);
            let taken = copies(&site, part, place, before).await;
            self.tell(part, before, taken);
        }
        let before = at.before(keep.outbound);
        let taken = outbound(&site, &setup, before, now).await;
        self.tell("outbound", before, taken);
        let before = at.before(keep.results);
        let taken = results(&site, before, now).await;
        self.tell("results", before, taken);
    }

    fn tell(&mut self, part: &'static str, before: Timestamp, taken: Result<u64, Trouble>) {
        if let Some(count) = self.weigh(part, taken)
            && count > 0
        {
            telemetry::retention(part, count, before);
        }
    }

    /// What came of a part; a failure is said when it begins, and once more when it is over.
    fn weigh<T>(&mut self, part: &'static str, tried: Result<T, Trouble>) -> Option<T> {
        match tried {
            Ok(done) => {
                if self.failing.remove(part) {
                    telemetry::retention_recovered(part);
                }
                Some(done)
            }
            Err(Trouble::Stopped) => None,
            Err(trouble) => {
                if self.failing.insert(part) {
                    telemetry::retention_failed(part, &trouble.to_string());
                }
                None
            }
        }
    }
}

/// What goes into the trail before the files themselves go. What then fails is found and told of again.
fn entry(site: &Site, part: &'static str, before: Timestamp) -> AuditEntry {
    AuditEntry::new(site.clock.now(), AuditEvent::Retention, Actor::Daemon)
        .with("what", part)
        .with("before", before.to_string())
}

/// Copies of archive or quarantine; how many were removed.
async fn copies(site: &Site, part: &'static str, place: &Path, before: Timestamp) -> Result<u64, Trouble> {
    let at = place.to_owned();
    let days = blocking(move || Ok(intake::aged_copies(&at, before)?)).await?;
    let mut removed = 0;
    for aged in days {
        if site.stop.said() {
            return Err(Trouble::Stopped);
        }
        if aged.count() > 0 {
            let told = entry(site, part, before).with("day", aged.day()).with("files", aged.count());
            site.ledger.audit(&told).await?;
        }
        let at = place.to_owned();
        removed += blocking(move || Ok(intake::remove_aged(&at, &aged)?)).await?;
    }
    Ok(removed)
}

/// Outbound files; of how many files of ours.
async fn outbound(site: &Site, setup: &Setup, before: Timestamp, now: Timestamp) -> Result<u64, Trouble> {
    let (mut after, mut files) = (FileNo(0), 0);
    loop {
        let outlived = site.ledger.outlived(before, after, FILES_A_LOOK).await?;
        let Some(last) = outlived.last() else { return Ok(files) };
        after = last.no;
        for file in outlived {
            if site.stop.said() {
                return Err(Trouble::Stopped);
            }
            // Nobody knows any more where the files of an issuer are who was taken out of the configuration.
            let Some(issuer) = setup.issuer(&file.issuer) else { continue };
            if take_outbound(site, &issuer.outbox, &file, before).await? {
                site.ledger.outbound_purged(file.no, now).await?;
                files += 1;
            }
        }
    }
}

/// Whether none of the file's outbound files is left.
async fn take_outbound(site: &Site, outbox: &Outbox, file: &Outlived, before: Timestamp) -> Result<bool, Trouble> {
    let names = file.outbound.clone().unwrap_or_else(|| names_of(&file.stem));
    let place = outbox.clone();
    let aged = blocking(move || Ok(place.aged(&names, before)?)).await?;
    if !aged.names.is_empty() {
        let told = entry(site, "outbound", before).of_issuer(&file.issuer).of_file(file.no);
        site.ledger.audit(&told.with("files", aged.names.len())).await?;
        let place = outbox.clone();
        blocking(move || Ok(place.remove_aged(&aged.names, before)?)).await?;
    }
    Ok(!aged.younger)
}

/// Rows of records; of how many files. Each commit is its own, and lanes take their turns between two.
async fn results(site: &Site, before: Timestamp, now: Timestamp) -> Result<u64, Trouble> {
    let mut files = 0;
    while let Some(purged) = site.ledger.purge_results(before, CHUNKS_A_COMMIT, now).await? {
        files += u64::from(purged.whole);
        if site.stop.said() {
            return Err(Trouble::Stopped);
        }
    }
    Ok(files)
}
