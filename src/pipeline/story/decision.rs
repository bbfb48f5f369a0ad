//! Whether a proven file is accepted, and a file that waits for its sequence.

use std::sync::Arc;

use crate::faults;
use crate::ledger::{AuditEntry, Candidate, Decided, Refused};
use crate::model::{BatchKey, Refusal, State, Timestamp};
use crate::parse::{Controls, Layout};
use crate::telemetry;

use super::super::grounds::{self, TurnedAway};
use super::super::patience::{Trouble, patiently};
use super::super::site::{Feed, KeptBatch, Settings};
use super::super::trail::{self, Use};
use super::{Next, Story, Waiting};

impl Story {
    /// Looks again at a file that came before its turn.
    pub(in crate::pipeline) async fn look_again(&self, waiting: Box<Waiting>) -> Result<Next, Trouble> {
        let arrival = waiting.arrival.clone();
        match self.decide(*waiting).await {
            Err(Trouble::Panicked) => self.take(self.suspected(&arrival).await?).await,
            Err(trouble @ (Trouble::Hold(_) | Trouble::CopyGone)) => {
                self.hold(arrival.record.no, &arrival.record.name, &trouble.to_string()).await
            }
            other => other,
        }
    }

    pub(super) async fn decide(&self, mut waiting: Waiting) -> Result<Next, Trouble> {
        let site = &self.site;
        let record = &waiting.arrival.record;
        let taken_by = Arc::clone(&waiting.arrival.issuer);
        let Some(feed) = record.feed.as_deref().and_then(|name| taken_by.feed(name)) else {
            return Err(Trouble::Hold("its feed is gone from the configuration".into()));
        };
        // Its records are fingerprinted and sealed from then on.
        let at = site.clock.now();
        let told_then = AuditEntry { at, ..trail::use_of_key(site, record, Use::Vault(taken_by.keys.epoch())) };
        let candidate = candidate(&waiting, feed, told_then, at)?;
        let refused = |refusal: Refusal, duplicate_of| Refused {
            refusal,
            envelope: Some(waiting.opened.envelope()),
            key_id: waiting.opened.key_id().map(str::to_owned),
            header: waiting.proven.header.clone(),
            records: Some(waiting.proven.records),
            duplicate_of,
            at: site.clock.now(),
        };
        if let Some(refusal) = grounds::sequence_missing(&candidate) {
            self.tell(&mut waiting.told).await?;
            return self.refuse(&waiting.arrival, refused(refusal, None), None).await;
        }
        let mut again = false;
        let decided = patiently!(self.site, {
            // The answer to an earlier try may have been lost on the way.
            if std::mem::replace(&mut again, true) && site.ledger.file(candidate.no).await?.state == State::Accepted {
                return Ok(Decided::Accepted);
            }
            Ok(site.ledger.decide(&candidate).await?)
        });
        // Told with the acceptance; whatever else came of it undid that too.
        if matches!(decided, Ok(Decided::Accepted)) {
            waiting.told = None;
        }
        self.tell(&mut waiting.told).await?;
        let decided = decided?;
        if let Decided::SequenceGap(expected) = decided {
            let until = record.received_at.after(feed.sequence_wait);
            if site.clock.now() < until {
                return self.wait(waiting, expected, until).await;
            }
        }
        match grounds::turned_away(decided) {
            None => {
                let (accepted, standing) =
                    patiently!(self.site, Ok(site.ledger.file_and_standing(candidate.no).await?))?;
                waiting.arrival.record = accepted;
                faults::reach("decided", &waiting.arrival.record.name);
                telemetry::file_accepted(candidate.no, &waiting.arrival.record.name, &feed.name, candidate.records);
                site.accepted.notify_one();
                patiently!(self.site, Ok(site.alarms.file_accepted(&waiting.arrival.record).await?))?;
                self.accepted(&waiting.arrival, &standing, waiting.opened, waiting.proven).await
            }
            Some(TurnedAway { refusal, duplicate_of, next_sequence }) => {
                self.refuse(&waiting.arrival, refused(refusal, duplicate_of), next_sequence).await
            }
        }
    }

    pub(super) async fn wait(&self, mut waiting: Waiting, expected: u64, until: Timestamp) -> Result<Next, Trouble> {
        let began = waiting.arrival.record.state != State::Waiting;
        // One that an earlier process left waiting was marked for its proof, and has come through it.
        if began || waiting.arrival.resumed {
            let no = waiting.no();
            patiently!(self.site, {
                Ok(self
                    .site
                    .ledger
                    .advance(no, &[State::Claimed, State::Waiting], State::Waiting, self.site.clock.now(), None)
                    .await?)
            })?;
            self.unmark(no);
            if began {
                telemetry::file_waiting(no, &waiting.arrival.record.name, expected, &until.to_string());
            }
            waiting.arrival.record.state = State::Waiting;
            waiting.arrival.resumed = false;
        }
        Ok(Next::Wait(Box::new(waiting)))
    }
}

/// What the ledger weighs, with everything that is fixed for the file if it is accepted.
fn candidate(waiting: &Waiting, feed: &Feed, told_then: AuditEntry, at: Timestamp) -> Result<Candidate, Trouble> {
    let (record, proven) = (&waiting.arrival.record, &waiting.proven);
    let (setup, issuer) = (&waiting.arrival.setup, &waiting.arrival.issuer);
    let service = feed.service.view.service;
    let settings = Settings {
        version: 1,
        service,
        environment: feed.environment,
        envelope: waiting.opened.envelope(),
        chunk_records: setup.chunk_records,
        format: proven.layout.format(),
        delimiter: feed.delimiter,
        controls_required: feed.controls == Controls::Required,
        currencies: issuer.currencies.clone(),
        reply_key: issuer.reply_key.as_ref().map(crate::open::Recipient::to_jwk),
        enroll_key: issuer.enroll_key.as_ref().map(crate::open::Recipient::to_jwk),
        seal_sensitive_data: issuer.seal_sensitive_data,
        ranges_digest: setup.ranges_digest,
        products_digest: setup.products_digest,
        d1_batch: match (&*proven.layout, &feed.d1) {
            (Layout::D1(batch), Some(batches)) => {
                Some(KeptBatch { issuer_id: batches.issuer_id.clone(), rows: batch.rows })
            }
            _ => None,
        },
        record_keys: feed.service.sealed_parts.then(|| feed.keyring.names()),
        oaep_hash: feed.open.oaep_hash,
        key_epoch: issuer.keys.epoch(),
        report_version: 1,
        contact: setup.contact.clone(),
    };
    Ok(Candidate {
        no: record.no,
        issuer: issuer.id.clone(),
        feed: feed.name.clone(),
        service,
        key: proven.header.as_ref().map(|header| BatchKey::of(&issuer.id, service, header)),
        header: proven.header.clone(),
        content_digest: proven.content_digest,
        records: proven.records,
        envelope: waiting.opened.envelope(),
        key_id: waiting.opened.key_id().map(str::to_owned),
        sequence: feed.sequence,
        told: waiting.told.clone(),
        told_then: Some(told_then),
        settings: serde_json::to_string(&settings)
            .map_err(|_| Trouble::Hold("the settings cannot be written".into()))?,
        at,
    })
}
