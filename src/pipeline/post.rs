//! An issuer's post: looks at its inbound directory, claims what is whole, and hands it to the lane.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::faults;
use crate::intake::{self, Candidate, Claim as Copied, FeedMatch, Inbox, Look, free_room};
use crate::ledger::Claim;
use crate::model::{FileRecord, State, hex};
use crate::telemetry;

use super::Fatal;
use super::origin::Origin;
use super::patience::{Trouble, blocking, patiently};
use super::site::{Feed, Issuer, Looking, Progress, Setup, Site};
use super::story::{Arrival, Pending};
use super::troubles::Waited;

/// Files in hand at a time, of all issuers together.
pub(super) const IN_HAND_MAX: u64 = 256;

/// Whoever left files where they lie because of that goes on once no more are in hand than these.
const IN_HAND_AGAIN: u64 = 192;

/// When to look again whether one of them is done.
pub(super) const IN_HAND_LOOK: Duration = Duration::from_millis(20);

/// An inbox that the post scans and the lane gives files back to.
pub(super) type SharedInbox = Arc<Mutex<Inbox>>;

pub(super) fn with_inbox<T>(inbox: &SharedInbox, act: impl FnOnce(&mut Inbox) -> T) -> T {
    // A panic while it was held leaves at worst a file that settles anew.
    act(&mut inbox.lock().unwrap_or_else(PoisonError::into_inner))
}

/// One issuer's post.
pub struct Post {
    site: Arc<Site>,
    setup: Arc<Setup>,
    issuer: Arc<Issuer>,
    inbox: SharedInbox,
    lane: UnboundedSender<Pending>,
    coming: watch::Sender<Coming>,
    short_of_room: Option<Waited>,
    failing: Option<Waited>,
    /// The last round left files where they lie, since so many were in hand.
    left_some: bool,
}

/// How many files of each feed are about to be claimed.
pub(super) type Coming = HashMap<String, u64>;

/// What one round of looking came to.
#[derive(Debug, Default)]
pub struct Round {
    /// Files claimed.
    pub claimed: usize,
    /// When the next entry may become ready by staying unchanged.
    pub next_change: Option<Duration>,
    /// Files still settling.
    pub settling: usize,
    /// Files that ended early and are left until they have stayed unchanged for `stalled`.
    pub stalled: Vec<String>,
    /// The directory could not be read, or there is no room: the same may succeed later.
    pub hindered: bool,
}

impl Post {
    pub(super) fn new(
        site: Arc<Site>,
        setup: Arc<Setup>,
        issuer: Arc<Issuer>,
        inbox: SharedInbox,
        (lane, coming): (UnboundedSender<Pending>, watch::Sender<Coming>),
    ) -> Self {
        Self { site, setup, issuer, inbox, lane, coming, short_of_room: None, failing: None, left_some: false }
    }

    /// The issuer's inbound directory.
    pub fn inbound(&self) -> &Path {
        &self.issuer.inbound
    }

    /// How it looks there.
    pub fn looking(&self) -> Looking {
        self.setup.looking
    }

    /// Takes up the setup in force. `false`: the issuer is gone from it, and this post has nothing left to do.
    pub fn refresh(&mut self) -> Result<bool, Fatal> {
        let setup = self.site.setup.now();
        if Arc::ptr_eq(&setup, &self.setup) {
            return Ok(true);
        }
        let Some(issuer) = setup.issuer(&self.issuer.id).map(Arc::clone) else { return Ok(false) };
        let rules = rules(&issuer, setup.looking);
        with_inbox(&self.inbox, |inbox| inbox.go_on_by(rules)).map_err(|error| Fatal(error.to_string()))?;
        (self.setup, self.issuer) = (setup, issuer);
        Ok(true)
    }

    /// Looks once and claims what is whole.
    pub async fn round(&mut self) -> Result<Round, Fatal> {
        // Whoever had to leave files where they lie does not look at all of them again for each that is done.
        if self.left_some && self.site.progress.in_hand() > IN_HAND_AGAIN {
            return Ok(Round { settling: 1, next_change: Some(IN_HAND_LOOK), ..Round::default() });
        }
        self.left_some = false;
        let look = match self.look().await {
            Ok(look) => look,
            Err(Trouble::Fatal(why)) => return Err(Fatal(why)),
            Err(Trouble::Stopped) => return Ok(Round::default()),
            Err(trouble) => {
                self.say_failing(&trouble);
                return Ok(Round { hindered: true, ..Round::default() });
            }
        };
        for odd in &look.odd {
            telemetry::odd_entry(&self.issuer.id, &odd.name, &format!("{:?}", odd.kind));
        }
        if look.odd_unsaid > 0 {
            telemetry::odd_entries(&self.issuer.id, look.odd_unsaid);
        }
        let mut round = Round {
            next_change: look.next_change,
            settling: look.settling,
            stalled: look.stalled_waiting,
            ..Round::default()
        };
        self.announce(&look.ready);
        for candidate in look.ready {
            if self.site.stop.said() {
                break;
            }
            if self.site.progress.in_hand() >= IN_HAND_MAX {
                // Each holds a descriptor and a copy: the rest can wait where it lies, in its order.
                round.settling += 1;
                round.next_change = Some(IN_HAND_LOOK);
                self.left_some = true;
                break;
            }
            if !self.has_room(&candidate).await? {
                round.hindered = true;
                break;
            }
            let taken = self.take(&candidate).await;
            self.came(&candidate);
            match taken {
                Ok(true) => round.claimed += 1,
                Ok(false) => round.settling += 1,
                Err(Trouble::Fatal(why)) => return Err(Fatal(why)),
                Err(Trouble::Stopped) => break,
                Err(trouble) => {
                    self.say_failing(&trouble);
                    round.hindered = true;
                    // One bad original is in nobody's way. But where our own side fails, the next file must not get
                    // this one's turn.
                    if !trouble.is_under(self.inbound()) {
                        break;
                    }
                }
            }
        }
        // What could not be claimed is not waited for.
        self.coming.send_if_modified(|coming| !std::mem::take(coming).is_empty());
        if !round.hindered
            && let Some(failed) = self.failing.take()
        {
            telemetry::world_recovered(failed.part);
        }
        Ok(round)
    }

    /// Tells the lane which feeds' files are about to be claimed, where others go after them.
    fn announce(&self, ready: &[Candidate]) {
        if self.issuer.feeds.iter().all(|feed| feed.after.is_empty()) {
            return;
        }
        let mut coming = Coming::default();
        for feed in ready.iter().filter_map(|candidate| self.feed_of(candidate)) {
            *coming.entry(feed.name.clone()).or_default() += 1;
        }
        self.coming.send_replace(coming);
    }

    /// One that was about to be claimed is in the lane, or not ours.
    fn came(&self, candidate: &Candidate) {
        self.coming.send_if_modified(|coming| {
            let files = self.feed_of(candidate).and_then(|feed| coming.get_mut(&feed.name));
            files.map(|files| *files = files.saturating_sub(1)).is_some()
        });
    }

    fn feed_of(&self, candidate: &Candidate) -> Option<&Feed> {
        match candidate.feed {
            FeedMatch::One(index) => self.issuer.feeds.get(index),
            FeedMatch::None | FeedMatch::Several => None,
        }
    }

    /// Said when it begins, not at every look.
    fn say_failing(&mut self, trouble: &Trouble) {
        if self.failing.is_none() {
            let why = trouble.to_string();
            telemetry::world_failed("intake", &why, Duration::ZERO);
            self.failing = Some(self.site.progress.troubles.wait("intake", &why));
        }
    }

    async fn look(&self) -> Result<Look, Trouble> {
        let (inbox, now) = (Arc::clone(&self.inbox), self.site.clock.monotonic());
        blocking(move || Ok(with_inbox(&inbox, |inbox| inbox.scan(now))?)).await
    }

    /// Whether a copy fits; said once when it does not.
    async fn has_room(&mut self, candidate: &Candidate) -> Result<bool, Fatal> {
        if candidate.identity.size > self.setup.limits.file_bytes_max {
            // Refused without being copied: a file with nothing but a size would stand in every other one's way.
            return Ok(true);
        }
        let (work, size, min) = (self.site.work.clone(), candidate.identity.size, self.setup.limits.free_bytes_min);
        let room = match blocking(move || Ok(free_room(&work, size, min)?)).await {
            Ok(room) => room,
            Err(Trouble::Fatal(why)) => return Err(Fatal(why)),
            Err(trouble) => {
                self.say_failing(&trouble);
                return Ok(false);
            }
        };
        if room && let Some(short) = self.short_of_room.take() {
            telemetry::world_recovered(short.part);
        }
        if !room && self.short_of_room.is_none() {
            let why = "less room than [limits] free_bytes would be left; intake pauses";
            telemetry::world_failed("work directory", why, Duration::ZERO);
            self.short_of_room = Some(self.site.progress.troubles.wait("work directory", why));
        }
        Ok(room)
    }

    /// Intent, copy, claim. `false`: the file was not as it had been seen, and settles anew.
    async fn take(&self, candidate: &Candidate) -> Result<bool, Trouble> {
        let site = &self.site;
        let issuer = &self.issuer;
        let feed = self.feed_of(candidate);
        let claim = Claim {
            issuer: issuer.id.clone(),
            name: candidate.name.clone(),
            stem: stem(&candidate.name).to_owned(),
            feed: feed.map(|feed| feed.name.clone()),
            service: feed.map(|feed| feed.service.view.service),
            environment: feed.map(|feed| feed.environment),
            identity: Origin::Directory(candidate.identity).to_text(),
            remote: None,
            bytes: candidate.identity.size,
            at: site.clock.now(),
        };
        let record = patiently!(site, Ok(self.tried().ledger.claim(&claim).await?))?;
        faults::reach("intent", &record.name);
        let copied = self.copy(candidate, &record).await;
        faults::reach("copied", &record.name);
        let (sha256, bytes) = match copied {
            Ok(Copied::Whole { sha256, bytes }) => (Some(hex(&sha256)), bytes),
            Ok(Copied::TooLarge { bytes }) => (None, bytes),
            Ok(other) => {
                patiently!(site, Ok(self.tried().ledger.unclaim(record.no, site.clock.now()).await?))?;
                telemetry::claim_thrown_away(record.no, &candidate.name);
                with_inbox(&self.inbox, |inbox| match other {
                    Copied::Denied => inbox.denied(&candidate.name, &candidate.identity),
                    _ => inbox.forget(&candidate.name, &candidate.identity),
                });
                return Ok(false);
            }
            Err(trouble) => {
                patiently!(site, Ok(self.tried().ledger.unclaim(record.no, site.clock.now()).await?))?;
                return Err(trouble);
            }
        };
        patiently!(site, Ok(self.tried().ledger.claimed(record.no, sha256.as_deref(), bytes).await?))?;
        with_inbox(&self.inbox, |inbox| {
            inbox.claimed(&candidate.name, candidate.identity);
            inbox.proving(&candidate.name, candidate.identity);
        });
        faults::reach("claimed", &record.name);
        telemetry::file_claimed(record.no, &issuer.id, &candidate.name, bytes);
        Progress::add(&site.progress.files_open, 1);
        let arrival = Arrival {
            record: FileRecord { sha256, bytes, state: State::Claimed, ..record },
            setup: Arc::clone(&self.setup),
            issuer: Arc::clone(issuer),
            origin: Origin::Directory(candidate.identity),
            last_word: candidate.last_word,
            several_feeds: candidate.feed == FeedMatch::Several,
            resumed: false,
        };
        // A lane that is gone has said why itself.
        let _ = self.lane.send(Pending::begin(&self.site, arrival));
        Ok(true)
    }

    /// The site, for one more try at a store that may be away: who tries again and again is alive.
    fn tried(&self) -> &Site {
        Progress::add(&self.site.progress.intake_tries, 1);
        &self.site
    }

    async fn copy(&self, candidate: &Candidate, record: &FileRecord) -> Result<Copied, Trouble> {
        let (inbound, work) = (self.issuer.inbound.clone(), self.site.work.clone());
        let (candidate, id) = (candidate.clone(), record.no.to_string());
        let file_bytes_max = self.setup.limits.file_bytes_max;
        blocking(move || Ok(intake::claim(&inbound, &candidate, &work, &id, file_bytes_max)?)).await
    }
}

/// The inbox of an issuer, for post and lane.
pub(super) fn inbox(issuer: &Issuer, looking: Looking) -> Result<SharedInbox, Fatal> {
    Ok(Arc::new(Mutex::new(Inbox::new(rules(issuer, looking)).map_err(|error| Fatal(error.to_string()))?)))
}

fn rules(issuer: &Issuer, looking: Looking) -> intake::Options {
    let feeds = issuer.feed_rules();
    intake::Options { inbound: issuer.inbound.clone(), feeds, settle: looking.settle, stalled: looking.stalled }
}

/// The stem that a name gives (`files.md` §2): one sealing suffix off its end, then one format suffix.
pub(super) fn stem(name: &str) -> &str {
    let cut = |name: &'_ str, suffixes: &[&str]| -> usize {
        suffixes.iter().find(|suffix| name.len() > suffix.len() && name.ends_with(*suffix)).map_or(0, |it| it.len())
    };
    let opened = &name[..name.len() - cut(name, &[".jwe", ".pgp", ".gpg", ".asc"])];
    &opened[..opened.len() - cut(opened, &[".csv", ".jsonl", ".json"])]
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn a_stem_loses_one_sealing_and_one_format_suffix() {
        assert_eq!(stem("ACME_PAYCARDS_20261120_1.csv.jwe"), "ACME_PAYCARDS_20261120_1");
        assert_eq!(stem("A.csv"), "A");
        assert_eq!(stem("A.jwe"), "A");
        assert_eq!(stem("A.jwe.csv"), "A.jwe");
        assert_eq!(stem("A.csv.csv.jwe"), "A.csv");
        assert_eq!(stem("jwe"), "jwe");
    }
}
