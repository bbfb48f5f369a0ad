//! Turning a file away, and what is left to do with any file that is decided.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::faults;
use crate::intake;
use crate::ledger::Refused;
use crate::model::{Decision, FileNo, FileRecord, Outbound, State};
use crate::open;
use crate::telemetry;

use super::super::answer;
use super::super::origin::Origin;
use super::super::patience::{Trouble, blocking, patiently};
use super::super::post::with_inbox;
use super::super::site::{Issuer, Progress};
use super::{Arrival, Next, Story};

impl Story {
    pub(super) async fn refuse(
        &self,
        arrival: &Arrival,
        refused: Refused,
        next_sequence: Option<u64>,
    ) -> Result<Next, Trouble> {
        let no = arrival.record.no;
        if refused.refusal.sensitive {
            // Gone before anything else can fail: security codes are kept nowhere.
            let work = self.site.work.clone();
            patiently!(self.site, {
                let work = work.clone();
                blocking(move || Ok(intake::discard_copy(&work, &no.to_string())?)).await
            })?;
        }
        let record = patiently!(self.site, {
            let record = self.site.ledger.file(no).await?;
            if record.state == State::Refused {
                return Ok(record);
            }
            self.site.ledger.refuse(no, &refused, next_sequence).await?;
            Ok(self.site.ledger.file(no).await?)
        })?;
        self.unmark(no);
        faults::reach("refused", &record.name);
        match &record.duplicate_of {
            Some(first) => telemetry::file_duplicate(no, &record.name, first),
            None => telemetry::file_refused(no, &record.name, refused.refusal.code, refused.refusal.line),
        }
        let arrival = Arrival {
            record,
            setup: Arc::clone(&arrival.setup),
            issuer: Arc::clone(&arrival.issuer),
            origin: arrival.origin.clone(),
            last_word: true,
            several_feeds: false,
            resumed: false,
        };
        self.close_refused(&arrival).await
    }

    /// Ack, original away, copy aside, done. A duplicate's first file has its answers delivered again.
    pub(super) async fn close_refused(&self, arrival: &Arrival) -> Result<Next, Trouble> {
        let (site, record) = (&self.site, &arrival.record);
        let contact = arrival.setup.contact.as_deref();
        let ack = patiently!(self.site, answer::write_ack(site, &arrival.issuer, record, contact, true).await)?;
        let batch = patiently!(self.site, answer::write_refused_batch(site, &arrival.issuer, record, true).await)?;
        if record.decision == Some(Decision::Duplicate) {
            self.deliver_first_again(arrival).await?;
        } else {
            Progress::add(&site.progress.files_refused, 1);
        }
        faults::reach("acked", &record.name);
        self.remove_original(arrival).await?;
        let aside = if record.decision == Some(Decision::Duplicate) { &site.archive } else { &site.quarantine };
        self.set_aside(&arrival.issuer, record, aside.clone(), record.decision != Some(Decision::Duplicate)).await?;
        let outbound: Vec<Outbound> = [Some(ack), batch].into_iter().flatten().collect();
        self.done(record.no, State::Refused, Some(&outbound)).await?;
        Ok(Next::Closed)
    }

    /// Once they exist: while the first file is open, they are still to come anyway.
    pub(super) async fn deliver_first_again(&self, arrival: &Arrival) -> Result<(), Trouble> {
        patiently!(self.site, {
            let Some(first) = self.site.ledger.first_of(arrival.record.no).await? else { return Ok(()) };
            if first.state != State::Done || self.results_purged(first.no).await? {
                return Ok(());
            }
            let contact = answer::contact(&self.site, &first, &arrival.setup).await?;
            answer::write_ack(&self.site, &arrival.issuer, &first, contact.as_deref(), false).await?;
            match answer::write_reports(&self.site, &arrival.issuer, first.no, false, None).await {
                // Retention was faster than the report.
                Err(Trouble::Hold(_)) if self.results_purged(first.no).await? => Ok(()),
                written => written.map(drop),
            }
        })
    }

    /// Whether a file's rows have been kept long enough: its reports cannot be made any more.
    async fn results_purged(&self, no: FileNo) -> Result<bool, Trouble> {
        Ok(self.site.ledger.standing(no).await?.results_purged_at.is_some())
    }

    pub(super) async fn remove_original(&self, arrival: &Arrival) -> Result<(), Trouble> {
        let identity = match &arrival.origin {
            // The source removes it in its own time, by what the ledger says of it.
            Origin::Source(remote) => {
                self.site.sources.wake(&remote.source);
                return Ok(());
            }
            Origin::Directory(identity) => *identity,
        };
        let (inbound, name) = (arrival.issuer.inbound.clone(), arrival.record.name.clone());
        patiently!(self.site, {
            let (inbound, name) = (inbound.clone(), name.clone());
            blocking(move || Ok(intake::remove_original(&inbound, &name, &identity)?)).await
        })?;
        with_inbox(&self.inbox, |inbox| inbox.forget(&name, &identity));
        Ok(())
    }

    /// Keeps the copy if it is a sealed one. Plain text holds card numbers: it is kept only where the feed takes it and the file was refused,
    /// so that the operator can look at it; feeds that take plain text are never PROD, but those of D1 batches, which are not kept.
    pub(super) async fn set_aside(
        &self,
        issuer: &Issuer,
        record: &FileRecord,
        to: PathBuf,
        refused: bool,
    ) -> Result<(), Trouble> {
        let feed = record.feed.as_deref().and_then(|name| issuer.feed(name));
        let plain_allowed = refused && feed.is_some_and(|feed| feed.open.allow_plaintext && feed.d1.is_none());
        let (no, day, name) = (record.no, record.received_at.day(), record.name.clone());
        patiently!(self.site, {
            let (work, to, day, name) = (self.site.work.clone(), to.clone(), day.clone(), name.clone());
            blocking(move || {
                let (id, copy) = (no.to_string(), work.join(no.to_string()));
                if copy.exists() && !plain_allowed && !is_sealed(&copy, refused)? {
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

    /// Nothing is left to do. `outbound` is what went out, where the ledger does not have it yet.
    pub(super) async fn done(&self, no: FileNo, from: State, outbound: Option<&[Outbound]>) -> Result<(), Trouble> {
        let mut again = false;
        patiently!(self.site, {
            let ledger = &self.site.ledger;
            // The answer to an earlier try may have been lost on the way.
            if std::mem::replace(&mut again, true) && ledger.file(no).await?.state == State::Done {
                return Ok(());
            }
            let at = self.site.clock.now();
            Ok(ledger.advance(no, &[from], State::Done, at, outbound).await?)
        })?;
        self.unmark(no);
        Progress::add(&self.site.progress.files_done, 1);
        self.closed();
        Ok(())
    }
}

/// Whether a copy is sealed, as far as it shows; anything else may hold card numbers in clear.
fn is_sealed(copy: &Path, refused: bool) -> Result<bool, Trouble> {
    open::is_sealed(File::open(copy)?, !refused)
        .map_err(|error| Trouble::Later { part: "work directory", error: error.into() })
}
