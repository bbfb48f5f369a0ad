//! Files that an operator lets go on, and answers that go out again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedSender, WeakUnboundedSender};

use crate::intake::{self, FeedMatch, Patterns};
use crate::ledger::{AuditEntry, LedgerError, Reopen};
use crate::model::{Decision, FileRecord, Outbound, State};
use crate::telemetry;

use super::answer;
use super::lane::Lane;
use super::origin::Origin;
use super::patience::{Trouble, blocking};
use super::post::{SharedInbox, with_inbox};
use super::site::{Feed, Issuer, Progress, Site};
use super::story::{Arrival, Pending};

/// How a file goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It is held: from where it was held.
    GoOn,
    /// It was refused: as if it had just come.
    Decide {
        /// Its content may be taken a second time.
        release: bool,
    },
}

/// Why it does not.
#[derive(Debug, thiserror::Error)]
pub enum AgainError {
    /// What it would go on from is not there.
    #[error("{0}")]
    NotKept(String),
    /// The world failed.
    #[error("{0}")]
    World(String),
}

impl From<Trouble> for AgainError {
    fn from(trouble: Trouble) -> Self {
        Self::World(trouble.to_string())
    }
}

impl From<LedgerError> for AgainError {
    fn from(error: LedgerError) -> Self {
        Self::World(error.to_string())
    }
}

/// The ways into the lanes that are open. A lane ends with its post, not with these.
#[derive(Default)]
pub struct Doors(Mutex<HashMap<String, Door>>);

struct Door {
    lane: WeakUnboundedSender<Pending>,
    inbox: SharedInbox,
}

impl Doors {
    pub(super) fn open(&self, issuer: &str, lane: &UnboundedSender<Pending>, inbox: &SharedInbox) {
        let door = Door { lane: lane.downgrade(), inbox: Arc::clone(inbox) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(issuer.to_owned(), door);
    }

    /// The way into an issuer's lane, which stays open as long as this is held.
    pub(super) fn lane(&self, issuer: &str) -> Option<UnboundedSender<Pending>> {
        self.of(issuer).map(|(lane, _)| lane)
    }

    fn of(&self, issuer: &str) -> Option<(UnboundedSender<Pending>, SharedInbox)> {
        let doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let door = doors.get(issuer)?;
        Some((door.lane.upgrade()?, Arc::clone(&door.inbox)))
    }
}

impl Site {
    /// Takes a held or refused file up again: its copy is at work before the ledger says so, and `told` goes into the trail with it.
    ///
    /// Beside a daemon's lanes the file goes into its lane; `alone` it is done here, to its end.
    pub async fn take_again(
        self: &Arc<Self>,
        record: FileRecord,
        again: Again,
        told: &AuditEntry,
        alone: bool,
    ) -> Result<(), AgainError> {
        let setup = self.setup.now();
        let Some(issuer) = setup.issuer(&record.issuer).map(Arc::clone) else {
            return Err(AgainError::NotKept(format!("its issuer {} is not in the configuration", record.issuer)));
        };
        let (how, several) = match again {
            Again::GoOn => (self.where_it_was_held(&record)?, false),
            Again::Decide { release } => {
                self.bring_back(&record).await?;
                let (feed, several) = feed_of(&issuer, &record.name)?;
                let how = Reopen::Decide {
                    feed: feed.map(|feed| feed.name.clone()),
                    service: feed.map(|feed| feed.service.view.service),
                    environment: feed.map(|feed| feed.environment),
                    release,
                };
                (how, several)
            }
        };
        self.ledger.reopen(record.no, &how, told).await?;
        let record = self.ledger.file(record.no).await?;
        let identity_text = self.ledger.identity(record.no).await?;
        telemetry::file_taken_again(record.no, &record.name, record.state);
        self.alarms.file_taken_again(&record).await?;
        if matches!(again, Again::Decide { .. }) {
            let (id, place) = (record.no.to_string(), self.quarantine.clone());
            let (day, name) = (record.received_at.day(), record.name.clone());
            // One that stays there is found to be the same when the file is set aside again.
            if let Err(trouble) = blocking(move || Ok(intake::forget_aside(&id, &place, &day, &name)?)).await {
                telemetry::world_failed("quarantine", &trouble.to_string(), std::time::Duration::ZERO);
            }
        }
        if alone {
            let (post, lane) = Lane::open(self, &setup, &issuer, vec![(record, identity_text)])
                .map_err(|error| AgainError::World(error.0))?;
            // Nothing else comes: the lane ends after this file.
            drop(post);
            return lane.run().await.map_err(|error| AgainError::World(error.0));
        }
        let origin = Origin::kept_with(&record, &identity_text).map_err(|error| AgainError::World(error.0))?;
        // Without a lane the daemon is stopping, and its next start goes on with the file.
        if let Some((lane, inbox)) = self.doors.of(&record.issuer) {
            if let Origin::Directory(identity) = origin {
                with_inbox(&inbox, |inbox| inbox.claimed(&record.name, identity));
            }
            Progress::add(&self.progress.files_open, 1);
            let arrival = Arrival {
                record,
                setup: Arc::clone(&setup),
                issuer,
                origin,
                last_word: true,
                several_feeds: several,
                resumed: true,
            };
            let _ = lane.send(Pending::begin(self, arrival));
        }
        Ok(())
    }

    fn where_it_was_held(&self, record: &FileRecord) -> Result<Reopen, AgainError> {
        let from = record.held_from.unwrap_or(State::Claimed);
        let needs_copy = matches!(from, State::Claimed | State::Waiting | State::Accepted | State::Registering);
        if needs_copy && record.sha256.is_some() && !self.work.join(record.no.to_string()).exists() {
            let why = "its copy is gone from the work directory; put it back there, or have the file sent again";
            return Err(AgainError::NotKept(why.into()));
        }
        Ok(Reopen::GoOn(from))
    }

    async fn bring_back(&self, record: &FileRecord) -> Result<(), AgainError> {
        let (work, place, id) = (self.work.clone(), self.quarantine.clone(), record.no.to_string());
        let (day, name) = (record.received_at.day(), record.name.clone());
        if blocking(move || Ok(intake::bring_back(&work, &id, &place, &day, &name)?)).await? {
            return Ok(());
        }
        Err(AgainError::NotKept(
            "its copy is not in the quarantine (files that are too large, not sealed or name security codes are not kept, \
             others for as long as [retention] says); have it sent again"
                .into(),
        ))
    }

    /// Writes a done file's answers again: ack and, of an accepted one, all that its rows say.
    pub async fn deliver_again(&self, record: &FileRecord) -> Result<(), AgainError> {
        let setup = self.setup.now();
        let Some(issuer) = setup.issuer(&record.issuer) else {
            return Err(AgainError::NotKept(format!("its issuer {} is not in the configuration", record.issuer)));
        };
        let contact = answer::contact(self, record, &setup).await?;
        let ack = answer::write_ack(self, issuer, record, contact.as_deref(), false).await?;
        if record.decision == Some(Decision::Accepted) {
            answer::write_reports(self, issuer, record.no, false, None).await?;
            return Ok(());
        }
        let batch = answer::write_refused_batch(self, issuer, record, false).await?;
        let outbound: Vec<Outbound> = [Some(ack), batch].into_iter().flatten().collect();
        let (done, now) = ([State::Done], self.clock.now());
        Ok(self.ledger.advance(record.no, &done, State::Done, now, Some(&outbound)).await?)
    }
}

/// The feed that a name belongs to now, and whether it is more than one.
fn feed_of<'a>(issuer: &'a Issuer, name: &str) -> Result<(Option<&'a Feed>, bool), AgainError> {
    let rules = issuer.feed_rules();
    let patterns = Patterns::new(&rules).map_err(|error| AgainError::World(error.to_string()))?;
    Ok(match FeedMatch::of(&patterns.matching(name)) {
        FeedMatch::One(index) => (issuer.feeds.get(index), false),
        FeedMatch::None => (None, false),
        FeedMatch::Several => (None, true),
    })
}
