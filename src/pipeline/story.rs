//! One arrival, from its proof to its last answer; each step can be repeated after a crash.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::intake::{self, Identity};
use crate::ledger::{Candidate, Decided, Refused, SequenceRule};
use crate::model::{BatchKey, Code, Decision, FileNo, FileRecord, Refusal, State, Timestamp};
use crate::open::Opened;
use crate::parse::{Controls, Proven};
use crate::register::{self, Ended, Job};
use crate::services::Judge;
use crate::services::reference::AccountRanges;
use crate::telemetry;
use crate::vault::Nonces;

use super::Fatal;
use super::answer;
use super::patience::{Trouble, blocking, patiently};
use super::post::{SharedInbox, with_inbox};
use super::proof::{self, Proof, Rules};
use super::site::{Feed, Issuer, Progress, Settings, Site};

/// A file that is ours.
pub(super) struct Arrival {
    pub(super) record: FileRecord,
    /// What tells the original again.
    pub(super) identity: Identity,
    /// If it ends early it is to be refused, not waited for.
    pub(super) last_word: bool,
    /// More than one feed claims its name.
    pub(super) several_feeds: bool,
    /// Left open by an earlier process.
    pub(super) resumed: bool,
}

/// An arrival whose proof has begun.
pub(super) struct Pending {
    arrival: Arrival,
    proof: Option<JoinHandle<Result<Proof, Trouble>>>,
}

/// A proven file that came before its turn.
pub(super) struct Waiting {
    arrival: Arrival,
    opened: Opened,
    proven: Proven,
}

impl Waiting {
    pub(super) const fn no(&self) -> FileNo {
        self.arrival.record.no
    }
}

/// What is next for a file.
pub(super) enum Next {
    /// Nothing.
    Closed,
    /// It waits for the missing sequence.
    Wait(Waiting),
    /// Its reports; the next file need not wait for them.
    Report(FileNo),
}

fn copy_path(site: &Site, no: FileNo) -> PathBuf {
    site.work.join(no.to_string())
}

impl Pending {
    /// Begins the proof where one is needed; a bounded number goes on at once.
    pub(super) fn begin(site: &Arc<Site>, issuer: usize, arrival: Arrival) -> Self {
        let needed =
            matches!(arrival.record.state, State::Claiming | State::Claimed | State::Waiting | State::Accepted | State::Registering);
        let proof = needed.then(|| {
            let (site, record, resumed) = (Arc::clone(site), arrival.record.clone(), arrival.resumed);
            let several = arrival.several_feeds;
            tokio::spawn(async move {
                let _permit = Arc::clone(&site.proofs).acquire_owned().await.map_err(|_| Trouble::Stopped)?;
                let stop = site.stop.clone();
                patiently!(stop, {
                    let (site, record) = (Arc::clone(&site), record.clone());
                    blocking(move || prove(&site, issuer, &record, resumed, several)).await
                })
            })
        });
        Self { arrival, proof }
    }
}

/// Pass 1 of a copy, by the rules that hold for it. Blocks.
fn prove(site: &Site, issuer: usize, record: &FileRecord, resumed: bool, several: bool) -> Result<Proof, Trouble> {
    let refused = |refusal| Ok(Proof::Refused { refusal, envelope: None, key_id: None });
    let issuer = &site.issuers[issuer];
    let copy = copy_path(site, record.no);
    let Some(sha256) = record.sha256.as_deref() else {
        return refused(proof::too_large(site.limits.file_bytes_max));
    };
    if resumed && !proof::copy_is_unchanged(&copy, sha256)? {
        return Err(Trouble::Hold("the copy in the work directory is not what was claimed".into()));
    }
    let Some(feed) = record.feed.as_deref().and_then(|name| issuer.feed(name)) else {
        return refused(proof::feed_unknown(several));
    };
    proof::prove(&copy, Rules::of_feed(&issuer.id, feed, &site.limits))
}

/// One issuer's files, one after another.
#[derive(Clone)]
pub(super) struct Story {
    site: Arc<Site>,
    issuer: usize,
    inbox: SharedInbox,
}

impl Story {
    pub(super) const fn new(site: Arc<Site>, issuer: usize, inbox: SharedInbox) -> Self {
        Self { site, issuer, inbox }
    }

    pub(super) fn stopping(&self) -> bool {
        self.site.stop.said()
    }

    fn issuer(&self) -> &Issuer {
        &self.site.issuers[self.issuer]
    }

    /// Takes a file as far as it goes in its lane.
    pub(super) async fn take(&self, pending: Pending) -> Result<Next, Trouble> {
        let (no, name) = (pending.arrival.record.no, pending.arrival.record.name.clone());
        match self.step(pending).await {
            Err(Trouble::Hold(why)) => self.hold(no, &name, &why).await,
            other => other,
        }
    }

    async fn step(&self, pending: Pending) -> Result<Next, Trouble> {
        let Pending { arrival, proof } = pending;
        match arrival.record.state {
            State::Registered | State::Reported => return Ok(Next::Report(arrival.record.no)),
            State::Refused => return self.close_refused(&arrival).await,
            State::Done | State::Held => return Ok(Next::Closed),
            State::Claiming => return self.put_back(&arrival, false).await,
            State::Claimed | State::Waiting | State::Accepted | State::Registering => {}
        }
        if arrival.resumed && arrival.record.sha256.is_some() && !copy_path(&self.site, arrival.record.no).exists() {
            if matches!(arrival.record.state, State::Claimed | State::Waiting) {
                // The original is still there: nothing was decided yet.
                return self.put_back(&arrival, false).await;
            }
            return Err(Trouble::Hold("the copy is gone from the work directory".into()));
        }
        let proof = match proof {
            Some(proof) => proof.await.unwrap_or_else(|_| {
                Err(Trouble::Hold("reading the file made this program panic; its log names the line".into()))
            })?,
            None => return Ok(Next::Closed),
        };
        match (proof, arrival.record.state) {
            (Proof::Whole { opened, proven }, State::Accepted | State::Registering) => {
                self.accepted(&arrival, opened, proven).await
            }
            (Proof::Refused { refusal, .. }, State::Accepted | State::Registering) => {
                Err(Trouble::Hold(format!("accepted before, the file does not open now: {}", refusal.description)))
            }
            (Proof::Whole { opened, proven }, _) => self.decide(Waiting { arrival, opened, proven }).await,
            (Proof::Refused { refusal, .. }, _) if refusal.ends_early && !arrival.last_word => {
                telemetry::file_ended_early(arrival.record.no, &arrival.record.name);
                self.put_back(&arrival, true).await
            }
            (Proof::Refused { refusal, envelope, key_id }, _) => {
                let refused =
                    Refused { refusal, envelope, key_id, header: None, records: None, duplicate_of: None };
                self.refuse(&arrival, refused, None).await
            }
        }
    }

    /// A file waits for an operator; the next one goes on.
    async fn hold(&self, no: FileNo, name: &str, why: &str) -> Result<Next, Trouble> {
        patiently!(self.site.stop, {
            let from: Vec<State> = State::ALL.into_iter().filter(|state| *state != State::Done).collect();
            Ok(self.site.ledger.advance(no, &from, State::Held, self.site.clock.now()).await?)
        })?;
        telemetry::file_held(no, name, why);
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
        patiently!(self.site.stop, {
            let work = self.site.work.clone();
            blocking(move || Ok(intake::discard_copy(&work, &no.to_string())?)).await?;
            Ok(self.site.ledger.unclaim(no).await?)
        })?;
        // After the claim is gone: a scan may offer the original again at any moment now.
        with_inbox(&self.inbox, |inbox| {
            if ended_early {
                inbox.ended_early(&arrival.record.name, &arrival.identity);
            } else {
                inbox.forget(&arrival.record.name, &arrival.identity);
            }
        });
        self.closed();
        Ok(Next::Closed)
    }

    /// Looks again at a file that came before its turn.
    pub(super) async fn look_again(&self, waiting: Waiting) -> Result<Next, Trouble> {
        let (no, name) = (waiting.no(), waiting.arrival.record.name.clone());
        match self.decide(waiting).await {
            Err(Trouble::Hold(why)) => self.hold(no, &name, &why).await,
            other => other,
        }
    }

    async fn decide(&self, mut waiting: Waiting) -> Result<Next, Trouble> {
        let site = &self.site;
        let record = &waiting.arrival.record;
        let Some(feed) = record.feed.as_deref().and_then(|name| self.issuer().feed(name)) else {
            return Err(Trouble::Hold("its feed is gone from the configuration".into()));
        };
        let candidate = self.candidate(&waiting, feed)?;
        let refused = |refusal: Refusal, duplicate_of| Refused {
            refusal,
            envelope: Some(waiting.opened.envelope()),
            key_id: waiting.opened.key_id().map(str::to_owned),
            header: waiting.proven.header.clone(),
            records: Some(waiting.proven.records),
            duplicate_of,
        };
        if feed.sequence != SequenceRule::Off && candidate.key.as_ref().is_none_or(|key| key.sequence.is_none()) {
            let why = "the file has no sequence number; this feed expects one in every header";
            return self.refuse(&waiting.arrival, refused(Refusal::new(Code::HeaderMismatch, why).at(1), None), None).await;
        }
        let decided = patiently!(self.site.stop, {
                // The answer to an earlier try may have been lost on the way.
                if site.ledger.file(candidate.no).await?.state == State::Accepted {
                    return Ok(Decided::Accepted);
                }
                Ok(site.ledger.decide(&candidate).await?)
            })?;
        let (refusal, duplicate_of, next_sequence) = match decided {
            Decided::Accepted => {
                waiting.arrival.record = patiently!(self.site.stop, Ok(site.ledger.file(candidate.no).await?))?;
                telemetry::file_accepted(candidate.no, &waiting.arrival.record.name, &feed.name, candidate.records);
                return self.accepted(&waiting.arrival, waiting.opened, waiting.proven).await;
            }
            Decided::SequenceGap(expected) => {
                let until = record.received_at.after(feed.sequence_wait);
                if site.clock.now() < until {
                    return self.wait(waiting, expected, until).await;
                }
                let why = format!("the file's sequence number leaves a gap; {expected} is expected next");
                (Refusal::new(Code::SequenceGap, why).at(1), None, Some(expected))
            }
            Decided::SequenceOld(expected) => {
                let why = format!("the file's sequence number was passed already; {expected} or more is expected");
                (Refusal::new(Code::SequenceOld, why).at(1), None, Some(expected))
            }
            Decided::Duplicate(first) => {
                let why = "the file was received before, with the same content; its answers are delivered again";
                (Refusal::new(Code::DuplicateFile, why), Some(first), None)
            }
            Decided::BatchReused(first) => {
                let why = format!("batch id and sequence were used before by {first} with other content; each file needs its own");
                (Refusal::new(Code::BatchReused, why).at(1), None, None)
            }
            Decided::DuplicateContent(first) => {
                let why = format!("the records are those of {first} under another batch id or sequence; an operator can release the file");
                (Refusal::new(Code::DuplicateContent, why), None, None)
            }
        };
        self.refuse(&waiting.arrival, refused(refusal, duplicate_of), next_sequence).await
    }

    fn candidate(&self, waiting: &Waiting, feed: &Feed) -> Result<Candidate, Trouble> {
        let (record, proven) = (&waiting.arrival.record, &waiting.proven);
        let issuer = self.issuer();
        let service = feed.service.view.service;
        let settings = Settings {
            version: 1,
            service,
            environment: feed.environment,
            envelope: waiting.opened.envelope(),
            chunk_records: self.site.chunk_records,
            delimiter: feed.delimiter,
            controls_required: feed.controls == Controls::Required,
            currencies: issuer.currencies.clone(),
            reply_key: issuer.reply_key.as_ref().map(crate::open::Recipient::to_jwk),
            ranges_digest: self.site.ranges_digest,
            key_epoch: issuer.keys.epoch(),
            report_version: 1,
        };
        Ok(Candidate {
            no: record.no,
            issuer: issuer.id.clone(),
            feed: feed.name.clone(),
            service,
            key: proven.header.as_ref().map(|header| BatchKey {
                issuer: issuer.id.clone(),
                service,
                batch_id: header.batch_id.clone(),
                sequence: header.sequence(),
            }),
            header: proven.header.clone(),
            content_digest: proven.content_digest,
            records: proven.records,
            envelope: waiting.opened.envelope(),
            key_id: waiting.opened.key_id().map(str::to_owned),
            sequence: feed.sequence,
            settings: serde_json::to_string(&settings)
                .map_err(|_| Trouble::Hold("the settings cannot be written".into()))?,
            at: self.site.clock.now(),
        })
    }

    async fn wait(&self, mut waiting: Waiting, expected: u64, until: Timestamp) -> Result<Next, Trouble> {
        if waiting.arrival.record.state != State::Waiting {
            let no = waiting.no();
            patiently!(self.site.stop, {
                Ok(self.site.ledger.advance(no, &[State::Claimed, State::Waiting], State::Waiting, self.site.clock.now()).await?)
            })?;
            telemetry::file_waiting(no, &waiting.arrival.record.name, expected, &until.to_string());
            waiting.arrival.record.state = State::Waiting;
        }
        Ok(Next::Wait(waiting))
    }

    async fn refuse(&self, arrival: &Arrival, refused: Refused, next_sequence: Option<u64>) -> Result<Next, Trouble> {
        let no = arrival.record.no;
        if refused.refusal.sensitive {
            // Gone before anything else can fail: security codes are kept nowhere.
            let work = self.site.work.clone();
            patiently!(self.site.stop, {
                let work = work.clone();
                blocking(move || Ok(intake::discard_copy(&work, &no.to_string())?)).await
            })?;
        }
        let record = patiently!(self.site.stop, {
                let record = self.site.ledger.file(no).await?;
                if record.state == State::Refused {
                    return Ok(record);
                }
                self.site.ledger.refuse(no, &refused, next_sequence).await?;
                Ok(self.site.ledger.file(no).await?)
            })?;
        match &record.duplicate_of {
            Some(first) => telemetry::file_duplicate(no, &record.name, first),
            None => telemetry::file_refused(no, &record.name, refused.refusal.code, refused.refusal.line),
        }
        let arrival = Arrival { record, identity: arrival.identity, last_word: true, several_feeds: false, resumed: false };
        self.close_refused(&arrival).await
    }

    /// Ack, original away, copy aside, done. A duplicate's first file has its answers delivered again.
    async fn close_refused(&self, arrival: &Arrival) -> Result<Next, Trouble> {
        let (site, record) = (&self.site, &arrival.record);
        patiently!(self.site.stop, answer::write_ack(site, self.issuer(), record).await)?;
        if record.decision == Some(Decision::Duplicate) {
            self.deliver_first_again(record).await?;
        } else {
            Progress::add(&site.progress.files_refused, 1);
        }
        self.remove_original(arrival).await?;
        let aside = if record.decision == Some(Decision::Duplicate) { &site.archive } else { &site.quarantine };
        self.set_aside(record, aside.clone(), record.decision != Some(Decision::Duplicate)).await?;
        self.done(record.no, State::Refused).await?;
        Ok(Next::Closed)
    }

    /// Once they exist: while the first file is open, they are still to come anyway.
    async fn deliver_first_again(&self, record: &FileRecord) -> Result<(), Trouble> {
        patiently!(self.site.stop, {
            let Some(first) = self.site.ledger.first_of(record.no).await? else { return Ok(()) };
            if first.state != State::Done {
                return Ok(());
            }
            answer::write_ack(&self.site, self.issuer(), &first).await?;
            answer::write_reports(&self.site, self.issuer(), first.no, false).await
        })
    }

    async fn remove_original(&self, arrival: &Arrival) -> Result<(), Trouble> {
        let (inbound, name, identity) = (self.issuer().inbound.clone(), arrival.record.name.clone(), arrival.identity);
        patiently!(self.site.stop, {
            let (inbound, name) = (inbound.clone(), name.clone());
            blocking(move || Ok(intake::remove_original(&inbound, &name, &identity)?)).await
        })?;
        with_inbox(&self.inbox, |inbox| inbox.forget(&name, &identity));
        Ok(())
    }

    /// Keeps the copy if it is a sealed one. Plain text holds card numbers: it is kept only where the feed takes it and the file was refused,
    /// so that the operator can look at it; feeds that take plain text are never PROD.
    async fn set_aside(&self, record: &FileRecord, to: PathBuf, refused: bool) -> Result<(), Trouble> {
        let feed = record.feed.as_deref().and_then(|name| self.issuer().feed(name));
        let plain_allowed = refused && feed.is_some_and(|feed| feed.open.allow_plaintext);
        let (no, day, name) = (record.no, record.received_at.day(), record.name.clone());
        patiently!(self.site.stop, {
            let (work, to, day, name) = (self.site.work.clone(), to.clone(), day.clone(), name.clone());
            blocking(move || {
                let (id, copy) = (no.to_string(), work.join(no.to_string()));
                if copy.exists() && !plain_allowed && !looks_sealed(&copy)? {
                    return Ok(intake::discard_copy(&work, &id)?);
                }
                match intake::set_aside(&work, &id, &to, &day, &name) {
                    // There was none (too large, sensitive), or it was not kept.
                    Ok(()) | Err(intake::IntakeError::CopyMissing { .. }) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            })
            .await
        })
    }

    async fn done(&self, no: FileNo, from: State) -> Result<(), Trouble> {
        patiently!(self.site.stop, {
            if self.site.ledger.file(no).await?.state == State::Done {
                return Ok(());
            }
            Ok(self.site.ledger.advance(no, &[from], State::Done, self.site.clock.now()).await?)
        })?;
        Progress::add(&self.site.progress.files_done, 1);
        self.closed();
        Ok(())
    }

    /// From the acceptance to the last chunk.
    async fn accepted(&self, arrival: &Arrival, opened: Opened, proven: Proven) -> Result<Next, Trouble> {
        let (site, record) = (&self.site, &arrival.record);
        let no = record.no;
        if record.state == State::Accepted {
            patiently!(self.site.stop, answer::write_ack(site, self.issuer(), record).await)?;
        }
        self.remove_original(arrival).await?;
        patiently!(self.site.stop, {
            Ok(site.ledger.advance(no, &[State::Accepted, State::Registering], State::Registering, site.clock.now()).await?)
        })?;
        if self.register(record, &opened, &proven).await? == Ended::Stopped {
            return Err(Trouble::Stopped);
        }
        let tally = patiently!(self.site.stop, {
                let standing = site.ledger.standing(no).await?;
                if standing.tally.records() != proven.records {
                    return Err(Trouble::Hold(format!(
                        "{} records were read, {} are committed",
                        proven.records,
                        standing.tally.records()
                    )));
                }
                let both = [State::Registering, State::Registered];
                site.ledger.advance(no, &both, State::Registered, site.clock.now()).await?;
                Ok(standing.tally)
            })?;
        telemetry::file_registered(no, &record.name, tally.records());
        Progress::add(&site.progress.records_rejected, tally.rejected);
        Ok(Next::Report(no))
    }

    async fn register(&self, record: &FileRecord, opened: &Opened, proven: &Proven) -> Result<Ended, Trouble> {
        let site = &self.site;
        let standing = patiently!(self.site.stop, Ok(site.ledger.standing(record.no).await?))?;
        let settings = answer::settings(&standing.settings)?;
        let judge = Arc::new(self.judge(record, &settings, &standing.content_digest).await?);
        let mut plaintext = match opened.plaintext() {
            Ok(plaintext) => plaintext,
            Err(error) => return Err(Trouble::Hold(format!("the copy does not open again: {error}"))),
        };
        let mut nonces = Vec::with_capacity(site.register.workers);
        for _ in 0..site.register.workers.max(1) {
            nonces.push(Nonces::from_seed(*(site.entropy)()?));
        }
        let job = Job {
            no: record.no,
            issuer: record.issuer.clone(),
            read: Box::new(move |buffer| Ok(plaintext.read(buffer)?)),
            layout: Arc::clone(&proven.layout),
            chunk_records: settings.chunk_records,
            first_chunk: standing.chunks,
            judge,
            nonces,
        };
        Progress::add(&site.progress.records_accepted, proven.records.saturating_sub(standing.tally.records()));
        Ok(register::register(job, site.register, &*site.ledger, &Watching(&site.progress), &site.stop).await?)
    }

    /// What its records are judged against: what was fixed when it was accepted.
    async fn judge(&self, record: &FileRecord, settings: &Settings, digest: &[u8; 32]) -> Result<Judge, Trouble> {
        let site = &self.site;
        let issuer = self.issuer();
        let service = crate::services::definition(settings.service)
            .ok_or_else(|| Trouble::Hold(format!("this version does not serve {}", settings.service)))?;
        let ranges = if settings.ranges_digest == site.ranges_digest {
            Arc::clone(&site.ranges)
        } else {
            let kept = patiently!(self.site.stop, Ok(site.ledger.reference(&settings.ranges_digest).await?))?;
            let parsed = AccountRanges::parse(&kept)
                .map_err(|_| Trouble::Hold("the account ranges kept with the file do not parse".into()))?;
            Arc::new(parsed)
        };
        // The batch key names a file for good; where there is none, its records do.
        let (created, key) = match &record.header {
            Some(header) => {
                let sequence = header.sequence().map_or(String::new(), |sequence| sequence.to_string());
                (header.created, format!("batch|{}|{sequence}", header.batch_id).into_bytes())
            }
            None => (record.received_at, [&b"digest|"[..], digest].concat()),
        };
        let scope: [&[u8]; 3] = [issuer.id.as_bytes(), settings.service.as_str().as_bytes(), &key];
        Ok(Judge {
            service,
            file: record.no,
            keys: Arc::clone(&issuer.keys),
            ids: issuer.keys.id_maker(&scope, created.0),
            ranges: ranges.for_issuer(&issuer.id, settings.service),
            currencies: settings.currencies.clone().map(Into::into),
        })
    }

    /// Reports, then the summary, then done.
    pub(super) async fn report(&self, no: FileNo) -> Result<(), Fatal> {
        let ended = async {
            patiently!(self.site.stop, {
                answer::write_reports(&self.site, self.issuer(), no, true)
                .await
            })?;
            let record = patiently!(self.site.stop, Ok(self.site.ledger.file(no).await?))?;
            self.set_aside(&record, self.site.archive.clone(), false).await?;
            self.done(no, State::Reported).await?;
            let tally = patiently!(self.site.stop, Ok(self.site.ledger.standing(no).await?.tally))?;
            telemetry::file_done(no, &record.name, &tally);
            Ok(())
        };
        match ended.await {
            Ok(()) | Err(Trouble::Stopped) => Ok(()),
            Err(Trouble::Fatal(why)) => Err(Fatal(why)),
            Err(Trouble::Hold(why)) => match self.hold(no, "", &why).await {
                Ok(_) | Err(Trouble::Stopped) => Ok(()),
                Err(trouble) => Err(Fatal(trouble.to_string())),
            },
            Err(trouble @ Trouble::Later { .. }) => Err(Fatal(trouble.to_string())),
        }
    }
}

/// Whether a copy begins as a sealed file does; anything else may hold card numbers in clear.
fn looks_sealed(copy: &std::path::Path) -> Result<bool, Trouble> {
    use std::io::Read as _;
    let mut first = [0; 3];
    let count = std::fs::File::open(copy)?.read(&mut first)?;
    Ok(first[..count] == *b"eyJ")
}

struct Watching<'a>(&'a Progress);

impl register::Watch for Watching<'_> {
    fn committed(&self, records: u64) {
        Progress::add(&self.0.records_done, records);
    }

    fn trouble(&self, error: &crate::ledger::LedgerError, pause: std::time::Duration) {
        telemetry::world_failed("store", &super::patience::chain(error), pause);
    }
}
