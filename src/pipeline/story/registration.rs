//! From the acceptance to the last report.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::faults;
use crate::ledger::{LedgerError, Standing};
use crate::model::{EnvelopeKind, FileNo, FileRecord, State, Timestamp};
use crate::open::{Opened, Recipient};
use crate::parse::Proven;
use crate::register::{self, Ended, Job};
use crate::services::Judge;
use crate::services::reference::{AccountRanges, CardProducts};
use crate::telemetry;
use crate::vault::Nonces;

use super::super::Fatal;
use super::super::answer::{self, Registered};
use super::super::grounds::Accepted;
use super::super::patience::{Trouble, chain, part_of, patiently};
use super::super::proof;
use super::super::reply;
use super::super::scribe::Scribe;
use super::super::site::{Issuer, Progress, Settings};
use super::super::troubles::Waited;
use super::arrival::{copy_path, unseal_as_accepted};
use super::{Arrival, Next, Story};

impl Story {
    /// From the acceptance to the last chunk.
    pub(super) async fn accepted(
        &self,
        arrival: &Arrival,
        standing: &Standing,
        opened: Opened,
        proven: Proven,
    ) -> Result<Next, Trouble> {
        let (site, no) = (&self.site, arrival.record.no);
        let settings = answer::settings(&standing.settings)?;
        // Side by side, but for the first record, which comes after the ack.
        let (begun, made) =
            tokio::join!(self.begin(arrival, &settings), self.job(arrival, standing, &settings, &opened, &proven));
        begun?;
        let (ended, scribe) = self.register(arrival, standing, made?).await?;
        if ended == Ended::Stopped {
            return Err(Trouble::Stopped);
        }
        self.unmark(no);
        let (record, standing) = patiently!(self.site, {
            let (record, standing) = site.ledger.file_and_standing(no).await?;
            if standing.tally.records() != proven.records {
                return Err(Trouble::Hold(format!(
                    "{} records were read, {} are committed",
                    proven.records,
                    standing.tally.records()
                )));
            }
            if record.state != State::Registered {
                // One without records, or one whose last were committed by an earlier version.
                let steps = [State::Accepted, State::Registering, State::Registered];
                for step in steps.windows(2).skip_while(|step| step[0] != record.state) {
                    site.ledger.advance(no, &step[..1], step[1], site.clock.now(), None).await?;
                }
                return Ok(site.ledger.file_and_standing(no).await?);
            }
            Ok((record, standing))
        })?;
        faults::reach("registered", &record.name);
        self.is_registered(&record, &standing).await?;
        telemetry::file_registered(no, &record.name, standing.tally.records());
        Ok(Next::Report(no, Arc::clone(&arrival.issuer), Some(Box::new(Registered { record, standing, scribe }))))
    }

    /// What follows from what a file's records came to, before the next file; a process that ended in between asks again.
    pub(super) async fn is_registered(&self, record: &FileRecord, standing: &Standing) -> Result<(), Trouble> {
        patiently!(self.site, Ok(self.site.records_committed(record, &standing.tally).await?))
    }

    /// Tells the sender, and removes the original.
    async fn begin(&self, arrival: &Arrival, settings: &Settings) -> Result<(), Trouble> {
        let (site, record) = (&self.site, &arrival.record);
        if record.state == State::Accepted {
            let contact = settings.contact.as_deref();
            patiently!(self.site, answer::write_ack(site, &arrival.issuer, record, contact, true).await)?;
        }
        faults::reach("acked", &record.name);
        self.remove_original(arrival).await?;
        faults::reach("original_removed", &record.name);
        Ok(())
    }

    /// What is to be registered of the file.
    async fn job(
        &self,
        arrival: &Arrival,
        standing: &Standing,
        settings: &Settings,
        opened: &Opened,
        proven: &Proven,
    ) -> Result<Job, Trouble> {
        let (site, record) = (&self.site, &arrival.record);
        let judge = Arc::new(self.judge(arrival, settings, &standing.content_digest).await?);
        let mut plaintext = match opened.plaintext() {
            Ok(plaintext) => plaintext,
            Err(error) => return Err(Trouble::Hold(format!("the copy does not open again: {error}"))),
        };
        let claimed = record.sha256.clone().filter(|_| opened.envelope() != EnvelopeKind::Jwe);
        let claimed = claimed.map(|sha256| (copy_path(site, record.no), sha256));
        // A worker without a chunk would only have to be begun and ended.
        let chunks = proven.records.div_ceil(settings.chunk_records.max(1) as u64);
        let workers = site.register.workers.min(usize::try_from(chunks).unwrap_or(usize::MAX)).max(1);
        let mut nonces = Vec::with_capacity(workers);
        for _ in 0..workers {
            nonces.push(Nonces::from_seed(*(site.entropy)()?));
        }
        Ok(Job {
            no: record.no,
            issuer: record.issuer.clone(),
            read: Box::new(move |buffer| {
                let read = plaintext.read(buffer)?;
                // What no tag proves a second time is proven by its copy.
                if let (0, Some((copy, sha256))) = (read, &claimed)
                    && !proof::copy_is_unchanged(copy, sha256)?
                {
                    return Err("the copy in the work directory is not what was claimed".into());
                }
                Ok(read)
            }),
            layout: Arc::clone(&proven.layout),
            chunk_records: settings.chunk_records,
            first_chunk: standing.chunks,
            judge,
            nonces,
        })
    }

    /// Registers what is left of the file. Of a large one the answers are begun meanwhile.
    async fn register(
        &self,
        arrival: &Arrival,
        standing: &Standing,
        job: Job,
    ) -> Result<(Ended, Option<Scribe>), Trouble> {
        let (site, record) = (&self.site, &arrival.record);
        let left = record.records.unwrap_or(0).saturating_sub(standing.tally.records());
        Progress::add(&site.progress.records_accepted, left);
        let scribe = if Scribe::is_worth_it(record) {
            Some(Scribe::begin(answer::pages(site, &arrival.issuer, record, standing)?))
        } else {
            None
        };
        let watching = Watching { story: self, record, progress: &site.progress, failing: Mutex::default(), scribe };
        let ended = register::register(job, site.register, &site.ledger, &watching, &site.stop).await?;
        Ok((ended, watching.scribe))
    }

    /// What its records are judged against: what was fixed when it was accepted.
    pub(super) async fn judge(
        &self,
        arrival: &Arrival,
        settings: &Settings,
        digest: &[u8; 32],
    ) -> Result<Judge, Trouble> {
        let site = &self.site;
        let Arrival { record, setup, issuer, .. } = arrival;
        let service = crate::services::definition(settings.service)
            .ok_or_else(|| Trouble::Hold(format!("this version does not serve {}", settings.service)))?;
        let ranges = if settings.ranges_digest == setup.ranges_digest {
            Arc::clone(&setup.ranges)
        } else {
            let kept = patiently!(self.site, Ok(site.ledger.reference(&settings.ranges_digest).await?))?;
            let parsed = AccountRanges::parse(&kept)
                .map_err(|_| Trouble::Hold("the account ranges kept with the file do not parse".into()))?;
            Arc::new(parsed)
        };
        let products = if settings.products_digest == setup.products_digest {
            Arc::clone(&setup.products)
        } else {
            match &settings.products_digest {
                None => Arc::default(),
                Some(digest) => {
                    let kept = patiently!(self.site, Ok(site.ledger.reference(digest).await?))?;
                    let parsed = CardProducts::parse(&kept)
                        .map_err(|_| Trouble::Hold("the card products kept with the file do not parse".into()))?;
                    Arc::new(parsed)
                }
            }
        };
        let enroll = match &settings.enroll_key {
            None => None,
            Some(jwk) => {
                let recipient = Recipient::parse(jwk.as_bytes())
                    .map_err(|_| Trouble::Hold("the enroll key kept with the file does not parse".into()))?;
                Some(reply::seal_text(recipient))
            }
        };
        let unseal = match record.feed.as_deref().and_then(|name| issuer.feed(name)) {
            None => None,
            Some(feed) => Some(unseal_as_accepted(feed, settings)?),
        };
        Ok(Accepted {
            no: record.no,
            issuer: &issuer.id,
            service,
            header: record.header.as_ref(),
            received_at: record.received_at,
            content_digest: digest,
            keys: &issuer.keys,
            ranges: &ranges,
            products: &products,
            currencies: settings.currencies.as_deref(),
            unseal,
            enroll,
            answers_sealed: settings.reply_key.is_some(),
        }
        .judge())
    }

    /// Reports, then the summary, then done.
    pub(in crate::pipeline) async fn report(
        &self,
        no: FileNo,
        issuer: &Issuer,
        registered: Option<Box<Registered>>,
    ) -> Result<(), Fatal> {
        let mut registered = registered.map(|it| *it);
        let ended = async {
            let (record, tally) =
                patiently!(self.site, answer::write_reports(&self.site, issuer, no, true, registered.take()).await)?;
            // Here and not when they are registered, since an earlier process may have done that; and before the file is
            // done, since a batch run may end then.
            Progress::add(&self.site.progress.records_rejected, tally.rejected);
            faults::reach("summary", &record.name);
            self.set_aside(issuer, &record, self.site.archive.clone(), false).await?;
            faults::reach("kept", &record.name);
            self.done(no, State::Reported, None).await?;
            telemetry::file_done(no, &record.name, &tally);
            Ok(())
        };
        match ended.await {
            Ok(()) | Err(Trouble::Stopped) => Ok(()),
            Err(Trouble::Fatal(why)) => Err(Fatal(why)),
            Err(trouble @ (Trouble::Hold(_) | Trouble::Panicked)) => self.hold_report(no, &trouble).await,
            Err(trouble @ (Trouble::Later { .. } | Trouble::CopyGone)) => Err(Fatal(trouble.to_string())),
        }
    }

    /// A report made this program panic: all is committed, and the file waits for an operator.
    pub(in crate::pipeline) async fn report_panicked(&self, no: FileNo) -> Result<(), Fatal> {
        self.hold_report(no, &Trouble::Panicked).await
    }

    async fn hold_report(&self, no: FileNo, trouble: &Trouble) -> Result<(), Fatal> {
        match self.hold(no, "", &trouble.to_string()).await {
            Ok(_) | Err(Trouble::Stopped) => Ok(()),
            Err(trouble) => Err(Fatal(trouble.to_string())),
        }
    }
}

/// A failing commit is said when it begins and when it is over, as everywhere.
struct Watching<'a> {
    story: &'a Story,
    record: &'a FileRecord,
    progress: &'a Progress,
    failing: Mutex<Option<Waited>>,
    scribe: Option<Scribe>,
}

impl Watching<'_> {
    fn failing(&self) -> MutexGuard<'_, Option<Waited>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl register::Watch for Watching<'_> {
    fn now(&self) -> Timestamp {
        self.story.site.clock.now()
    }

    fn committed(&self, records: u64, chunks: u64) {
        faults::reach("committed", &self.record.name);
        self.story.unmark(self.record.no);
        Progress::add(&self.progress.records_done, records);
        if let Some(scribe) = &self.scribe {
            scribe.committed(chunks);
        }
        if let Some(failed) = self.failing().take() {
            telemetry::world_recovered(failed.part);
        }
    }

    fn trouble(&self, error: &LedgerError, pause: std::time::Duration) {
        let mut failing = self.failing();
        if failing.is_none() {
            let (part, why) = (part_of(error), chain(error));
            telemetry::world_failed(part, &why, pause);
            *failing = Some(self.progress.troubles.wait(part, &why));
        }
    }
}
