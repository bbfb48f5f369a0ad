//! One arrival, from its proof to its last answer; each step can be repeated after a crash.

mod arrival;
mod closing;
mod decision;
mod registration;

use std::sync::Arc;

use crate::intake;
use crate::ledger::{AuditEntry, Refused};
use crate::model::{Code, Ends, FileNo, FileRecord, Refusal, State};
use crate::telemetry;

use super::origin::Origin;
use super::patience::{Trouble, blocking, patiently};
use super::post::{SharedInbox, with_inbox};
use super::proof::Proof;
use super::site::{Progress, Site};
use super::trail::{self, Use};

pub(super) use arrival::{Arrival, Next, Pending, Waiting};

/// One issuer's files, one after another.
#[derive(Clone)]
pub(super) struct Story {
    site: Arc<Site>,
    inbox: SharedInbox,
}

impl Story {
    pub(super) const fn new(site: Arc<Site>, inbox: SharedInbox) -> Self {
        Self { site, inbox }
    }

    pub(super) fn stopping(&self) -> bool {
        self.site.stop.said()
    }

    /// One file more, or one less, waits for its sequence.
    pub(super) fn waits(&self, change: i8) {
        use std::sync::atomic::Ordering::Relaxed;
        let waiting = &self.site.progress.files_waiting;
        if change > 0 {
            waiting.fetch_add(1, Relaxed)
        } else {
            waiting.fetch_sub(1, Relaxed)
        };
    }

    /// Takes a file as far as it goes in its lane. One on which this program panics is taken again, until it is set aside.
    pub(super) async fn take(&self, mut pending: Pending) -> Result<Next, Trouble> {
        let arrival = pending.arrival.clone();
        loop {
            match self.step(pending).await {
                Err(Trouble::Panicked) => {}
                Err(trouble @ (Trouble::Hold(_) | Trouble::CopyGone)) => {
                    return self.hold(arrival.record.no, &arrival.record.name, &trouble.to_string()).await;
                }
                other => return other,
            }
            pending = self.suspected(&arrival).await?;
        }
    }

    /// Counts a panic against a file, and begins with it again.
    async fn suspected(&self, arrival: &Arrival) -> Result<Pending, Trouble> {
        let FileRecord { no, name, .. } = &arrival.record;
        let no = *no;
        patiently!(self.site, Ok(self.site.ledger.count_ends(&[no], true).await?))?;
        let record = patiently!(self.site, Ok(self.site.ledger.file(no).await?))?;
        telemetry::file_suspected(no, name, record.ends);
        Ok(Pending::begin(&self.site, Arrival { record, resumed: true, ..arrival.clone() }))
    }

    /// A file that ended the process too often is not touched again: turned away while nothing is decided, held after that.
    async fn set_aside_poisoned(&self, arrival: &Arrival) -> Result<Next, Trouble> {
        let FileRecord { no, name, state, ends, .. } = &arrival.record;
        let times = if ends.aborts >= Ends::ABORTS_MAX {
            format!("ended the process {} times in a row by a fault of this program", ends.aborts)
        } else {
            format!("was in hand {} times in a row when the process was ended from outside", ends.kills)
        };
        telemetry::file_poisoned(*no, name, *ends);
        if matches!(state, State::Claimed | State::Waiting) {
            let why =
                format!("The file {times}, without getting on; it is set aside, and the log says where it happened.");
            let refused = Refused {
                refusal: Refusal::new(Code::Poisoned, why),
                envelope: None,
                key_id: None,
                header: None,
                records: None,
                duplicate_of: None,
                at: self.site.clock.now(),
            };
            // Before the refusal: a process that ends in between refuses it again.
            patiently!(self.site, Ok(self.site.alarms.file_poisoned(&arrival.record).await?))?;
            return self.refuse(arrival, refused, None).await;
        }
        self.hold(*no, name, &format!("it {times}, without getting on; `nightdrop retry` lets it go on")).await
    }

    /// The file gets on, or leaves our hands.
    fn unmark(&self, no: FileNo) {
        // A mark that stays is counted once too often, no more.
        let _ = intake::unmark(&self.site.work, &no.to_string());
    }

    async fn step(&self, pending: Pending) -> Result<Next, Trouble> {
        let Pending { arrival, proof } = pending;
        if is_poisoned(&arrival.record) {
            return self.set_aside_poisoned(&arrival).await;
        }
        if arrival.resumed && matches!(arrival.record.state, State::Registered | State::Reported | State::Refused) {
            // Its answers ended an earlier process, perhaps; one that is read again is marked before its proof.
            let (work, no) = (self.site.work.clone(), arrival.record.no);
            patiently!(self.site, {
                let work = work.clone();
                blocking(move || Ok(intake::mark(&work, &no.to_string())?)).await
            })?;
        }
        match arrival.record.state {
            State::Registered => {
                let no = arrival.record.no;
                let newest = patiently!(self.site, Ok(self.site.ledger.is_newest_registered(no).await?))?;
                if newest {
                    let standing = patiently!(self.site, Ok(self.site.ledger.standing(no).await?))?;
                    self.is_registered(&arrival.record, &standing).await?;
                }
                return Ok(Next::Report(no, arrival.issuer, None));
            }
            State::Reported => return Ok(Next::Report(arrival.record.no, arrival.issuer, None)),
            State::Refused => return self.close_refused(&arrival).await,
            State::Done | State::Held => return Ok(Next::Closed),
            State::Claiming => return self.put_back(&arrival, false).await,
            State::Claimed | State::Waiting | State::Accepted | State::Registering => {}
        }
        let proof = match proof {
            Some(proof) => proof.await.unwrap_or(Err(Trouble::Panicked)),
            None => return Ok(Next::Closed),
        };
        // The original of a file that is decided again is gone.
        let undecided = matches!(arrival.record.state, State::Claimed | State::Waiting) && !arrival.record.retried;
        if matches!(proof, Err(Trouble::CopyGone)) && undecided {
            // The original is still there: nothing was decided yet.
            return self.put_back(&arrival, false).await;
        }
        if !matches!(&proof, Ok(Proof::Refused { refusal, .. }) if refusal.ends_early && !arrival.last_word) {
            // What goes back frees its name itself, once its claim is gone.
            self.is_proven(&arrival);
        }
        let proof = proof?;
        let mut told = proof.key_id().map(|key| trail::use_of_key(&self.site, &arrival.record, Use::Open(key)));
        // Of a file that may be accepted it is told with that.
        if !undecided_and_whole(&proof, arrival.record.state) {
            self.tell(&mut told).await?;
        }
        match (proof, arrival.record.state) {
            (Proof::Whole { opened, proven }, State::Accepted | State::Registering) => {
                let no = arrival.record.no;
                let standing = patiently!(self.site, Ok(self.site.ledger.standing(no).await?))?;
                // The vault's keys are used again; the first time that is told with the acceptance.
                let epoch = arrival.issuer.keys.epoch();
                patiently!(self.site, trail::key_used(&self.site, &arrival.record, Use::Vault(epoch)).await)?;
                self.accepted(&arrival, &standing, opened, proven).await
            }
            (Proof::Refused { refusal, .. }, State::Accepted | State::Registering) => {
                Err(Trouble::Hold(format!("accepted before, the file does not open now: {}", refusal.description)))
            }
            (Proof::Whole { opened, proven }, _) => self.decide(Waiting { arrival, opened, proven, told }).await,
            (Proof::Refused { refusal, .. }, _) if refusal.ends_early && !arrival.last_word => {
                telemetry::file_ended_early(arrival.record.no, &arrival.record.name);
                self.put_back(&arrival, true).await
            }
            (Proof::Refused { refusal, envelope, key_id, header }, _) => {
                let refused = Refused {
                    refusal,
                    envelope,
                    key_id,
                    header,
                    records: None,
                    duplicate_of: None,
                    at: self.site.clock.now(),
                };
                self.refuse(&arrival, refused, None).await
            }
        }
    }

    /// Tells the trail what it has not been told yet.
    async fn tell(&self, untold: &mut Option<AuditEntry>) -> Result<(), Trouble> {
        if let Some(entry) = untold.take() {
            patiently!(self.site, Ok(self.site.ledger.audit(&entry).await?))?;
        }
        Ok(())
    }

    /// What has taken the file's place under its name may be claimed from now on: it is another file.
    fn is_proven(&self, arrival: &Arrival) {
        let name = &arrival.record.name;
        match &arrival.origin {
            Origin::Directory(identity) => with_inbox(&self.inbox, |inbox| inbox.proven(name, identity)),
            Origin::Source(remote) => self.site.sources.proven(remote, name),
        }
    }

    /// A file waits for an operator; the next one goes on.
    async fn hold(&self, no: FileNo, name: &str, why: &str) -> Result<Next, Trouble> {
        patiently!(self.site, Ok(self.site.ledger.hold(no, why, self.site.clock.now()).await?))?;
        self.unmark(no);
        telemetry::file_held(no, name, why);
        patiently!(self.site, {
            let record = self.site.ledger.file(no).await?;
            Ok(self.site.alarms.file_held(&record, why).await?)
        })?;
        Progress::add(&self.site.progress.files_held, 1);
        self.closed();
        Ok(Next::Closed)
    }

    fn closed(&self) {
        self.site.progress.files_open.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// Nothing was decided: the copy and the claim go, the original settles anew.
    async fn put_back(&self, arrival: &Arrival, ended_early: bool) -> Result<Next, Trouble> {
        let no = arrival.record.no;
        patiently!(self.site, {
            let work = self.site.work.clone();
            blocking(move || Ok(intake::discard_copy(&work, &no.to_string())?)).await?;
            Ok(self.site.ledger.unclaim(no, self.site.clock.now()).await?)
        })?;
        self.unmark(no);
        // After the claim is gone: a scan may offer the original again at any moment now.
        let name = &arrival.record.name;
        match &arrival.origin {
            Origin::Directory(identity) => with_inbox(&self.inbox, |inbox| {
                if ended_early {
                    inbox.ended_early(name, identity);
                } else {
                    inbox.forget(name, identity);
                }
            }),
            Origin::Source(remote) => self.site.sources.put_back(remote, name, ended_early),
        }
        self.closed();
        Ok(Next::Closed)
    }
}

/// Whether it is to be decided now whether a file is accepted.
const fn undecided_and_whole(proof: &Proof, state: State) -> bool {
    matches!(proof, Proof::Whole { .. }) && !matches!(state, State::Accepted | State::Registering)
}

/// Whether a file is set aside before anything more is done with it.
const fn is_poisoned(record: &FileRecord) -> bool {
    !matches!(record.state, State::Done | State::Held) && record.ends.poisoned()
}
