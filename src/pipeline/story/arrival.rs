//! An arrival, and its proof in the background.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::faults;
use crate::intake;
use crate::ledger::AuditEntry;
use crate::model::{FileNo, FileRecord, State, Unseal};
use crate::open::Opened;
use crate::parse::Proven;

use super::super::answer::{self, Registered};
use super::super::grounds;
use super::super::origin::Origin;
use super::super::patience::{Trouble, blocking, patiently};
use super::super::proof::{self, Proof, Rules};
use super::super::site::{Feed, Issuer, Settings, Setup, Site};

/// A file that is ours.
#[derive(Clone)]
pub(in crate::pipeline) struct Arrival {
    pub(in crate::pipeline) record: FileRecord,
    /// What it is taken by, from its claim to its end.
    pub(in crate::pipeline) setup: Arc<Setup>,
    /// Its issuer in that setup.
    pub(in crate::pipeline) issuer: Arc<Issuer>,
    /// What tells the original again.
    pub(in crate::pipeline) origin: Origin,
    /// If it ends early it is to be refused, not waited for.
    pub(in crate::pipeline) last_word: bool,
    /// More than one feed claims its name.
    pub(in crate::pipeline) several_feeds: bool,
    /// Left open by an earlier process.
    pub(in crate::pipeline) resumed: bool,
}

/// An arrival whose proof has begun.
pub(in crate::pipeline) struct Pending {
    pub(super) arrival: Arrival,
    pub(super) proof: Option<JoinHandle<Result<Proof, Trouble>>>,
}

/// What decides which of several files is taken first.
pub(in crate::pipeline) struct Turn<'a> {
    /// The feed whose followers wait for this file; `None` where none need to.
    pub(in crate::pipeline) feed: Option<&'a str>,
    /// The feeds whose claimed files it waits for.
    pub(in crate::pipeline) after: &'a [String],
}

/// A proven file that came before its turn.
pub(in crate::pipeline) struct Waiting {
    pub(super) arrival: Arrival,
    pub(super) opened: Opened,
    pub(super) proven: Proven,
    /// The use of the key that opened it, until the trail is told.
    pub(super) told: Option<AuditEntry>,
}

impl Waiting {
    pub(in crate::pipeline) const fn no(&self) -> FileNo {
        self.arrival.record.no
    }

    pub(in crate::pipeline) fn feed(&self) -> Option<&str> {
        self.arrival.record.feed.as_deref()
    }
}

/// What is next for a file.
pub(in crate::pipeline) enum Next {
    /// Nothing.
    Closed,
    /// It waits for the missing sequence.
    Wait(Box<Waiting>),
    /// Its reports; the next file need not wait for them.
    Report(FileNo, Arc<Issuer>, Option<Box<Registered>>),
}

pub(super) fn copy_path(site: &Site, no: FileNo) -> PathBuf {
    site.work.join(no.to_string())
}

impl Pending {
    /// Its feed, and the feeds that go first while it is not decided.
    pub(in crate::pipeline) fn turn(&self) -> Turn<'_> {
        let Arrival { record, issuer, .. } = &self.arrival;
        let undecided = matches!(record.state, State::Claiming | State::Claimed | State::Waiting);
        let unregistered = undecided || matches!(record.state, State::Accepted | State::Registering);
        let feed = record.feed.as_deref();
        let after = feed.and_then(|name| issuer.feed(name)).map_or(&[][..], |feed| &feed.after);
        Turn { feed: feed.filter(|_| unregistered), after: if undecided { after } else { &[] } }
    }

    /// Begins the proof where one is needed; a bounded number goes on at once.
    pub(in crate::pipeline) fn begin(site: &Arc<Site>, arrival: Arrival) -> Self {
        let needed = !super::is_poisoned(&arrival.record)
            && matches!(
                arrival.record.state,
                State::Claiming | State::Claimed | State::Waiting | State::Accepted | State::Registering
            );
        let proof = needed.then(|| {
            let (site, record, resumed) = (Arc::clone(site), arrival.record.clone(), arrival.resumed);
            let several = arrival.several_feeds;
            let taken_by = (Arc::clone(&arrival.setup), Arc::clone(&arrival.issuer));
            tokio::spawn(async move {
                let _permit = Arc::clone(&site.proofs).acquire_owned().await.map_err(|_| Trouble::Stopped)?;
                let at = Arc::clone(&site);
                patiently!(at, {
                    let settings = match record.state {
                        State::Accepted | State::Registering => {
                            Some(answer::settings(&site.ledger.standing(record.no).await?.settings)?)
                        }
                        _ => None,
                    };
                    let (site, record, taken_by) = (Arc::clone(&site), record.clone(), taken_by.clone());
                    blocking(move || prove(&site, &taken_by, &record, settings.as_ref(), resumed, several)).await
                })
            })
        });
        Self { arrival, proof }
    }
}

/// Pass 1 of a copy, by the rules that hold for it. Blocks.
fn prove(
    site: &Site,
    (setup, issuer): &(Arc<Setup>, Arc<Issuer>),
    record: &FileRecord,
    settings: Option<&Settings>,
    resumed: bool,
    several: bool,
) -> Result<Proof, Trouble> {
    let refused = |refusal| Ok(Proof::Refused { refusal, envelope: None, key_id: None, header: None });
    let copy = copy_path(site, record.no);
    let Some(sha256) = record.sha256.as_deref() else {
        return refused(grounds::too_large(setup.limits.file_bytes_max));
    };
    match std::fs::symlink_metadata(&copy) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Trouble::CopyGone),
        _ => {}
    }
    // Before its first byte is read: whatever it does to this process, the next one knows of it.
    intake::mark(&site.work, &record.no.to_string())?;
    faults::reach("marked", &record.name);
    if resumed && !proof::copy_is_unchanged(&copy, sha256)? {
        return Err(Trouble::Hold("the copy in the work directory is not what was claimed".into()));
    }
    let Some(feed) = record.feed.as_deref().and_then(|name| issuer.feed(name)) else {
        return refused(grounds::feed_unknown(several));
    };
    let rules = Rules::of_feed(&issuer.id, feed, &setup.limits, &record.name);
    proof::prove(
        &copy,
        match settings {
            Some(settings) => rules.fixed(settings, unseal_as_accepted(feed, settings)?, &record.name),
            None => rules,
        },
    )
}

/// What opens the records of a file that was accepted before. Records of one file are not judged by two sets of keys: where one
/// is gone, a person must bring it back.
pub(super) fn unseal_as_accepted(feed: &Feed, settings: &Settings) -> Result<Unseal, Trouble> {
    feed.unseal_as_accepted(settings).map_err(|key| {
        Trouble::Hold(format!(
            "the key {key} of the feed {} that the file was accepted under is gone; bring it back, then `nightdrop retry` the file",
            feed.name
        ))
    })
}
