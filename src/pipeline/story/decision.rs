//! Whether a proven file is accepted, and a file that waits for its sequence.

use std::sync::Arc;

use crate::ledger::{Candidate, Decided, Refused, SequenceRule};
use crate::model::{BatchKey, Code, Refusal, State, Timestamp};
use crate::parse::Controls;
use crate::telemetry;

use super::super::patience::{Trouble, patiently};
use super::super::site::{Feed, Settings};
use super::{Next, Story, Waiting};

impl Story {
    /// Looks again at a file that came before its turn.
    pub(in crate::pipeline) async fn look_again(&self, waiting: Box<Waiting>) -> Result<Next, Trouble> {
        let (no, name) = (waiting.no(), waiting.arrival.record.name.clone());
        match self.decide(*waiting).await {
            Err(Trouble::Hold(why)) => self.hold(no, &name, &why).await,
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
        let candidate = candidate(&waiting, feed, site.clock.now())?;
        let refused = |refusal: Refusal, duplicate_of| Refused {
            refusal,
            envelope: Some(waiting.opened.envelope()),
            key_id: waiting.opened.key_id().map(str::to_owned),
            header: waiting.proven.header.clone(),
            records: Some(waiting.proven.records),
            duplicate_of,
            at: site.clock.now(),
        };
        if feed.sequence != SequenceRule::Off && candidate.key.as_ref().is_none_or(|key| key.sequence.is_none()) {
            let why = "the file has no sequence number; this feed expects one in every header";
            return self
                .refuse(&waiting.arrival, refused(Refusal::new(Code::HeaderMismatch, why).at(1), None), None)
                .await;
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
                let why = format!(
                    "batch id and sequence were used before by {first} with other content; each file needs its own"
                );
                (Refusal::new(Code::BatchReused, why).at(1), None, None)
            }
            Decided::DuplicateContent(first) => {
                let why = format!(
                    "the records are those of {first} under another batch id or sequence; an operator can release the file"
                );
                (Refusal::new(Code::DuplicateContent, why), None, None)
            }
        };
        self.refuse(&waiting.arrival, refused(refusal, duplicate_of), next_sequence).await
    }

    pub(super) async fn wait(&self, mut waiting: Waiting, expected: u64, until: Timestamp) -> Result<Next, Trouble> {
        if waiting.arrival.record.state != State::Waiting {
            let no = waiting.no();
            patiently!(self.site.stop, {
                Ok(self
                    .site
                    .ledger
                    .advance(no, &[State::Claimed, State::Waiting], State::Waiting, self.site.clock.now())
                    .await?)
            })?;
            telemetry::file_waiting(no, &waiting.arrival.record.name, expected, &until.to_string());
            waiting.arrival.record.state = State::Waiting;
        }
        Ok(Next::Wait(Box::new(waiting)))
    }
}

/// What the ledger weighs, with everything that is fixed for the file if it is accepted.
fn candidate(waiting: &Waiting, feed: &Feed, at: Timestamp) -> Result<Candidate, Trouble> {
    let (record, proven) = (&waiting.arrival.record, &waiting.proven);
    let (setup, issuer) = (&waiting.arrival.setup, &waiting.arrival.issuer);
    let service = feed.service.view.service;
    let settings = Settings {
        version: 1,
        service,
        environment: feed.environment,
        envelope: waiting.opened.envelope(),
        chunk_records: setup.chunk_records,
        delimiter: feed.delimiter,
        controls_required: feed.controls == Controls::Required,
        currencies: issuer.currencies.clone(),
        reply_key: issuer.reply_key.as_ref().map(crate::open::Recipient::to_jwk),
        ranges_digest: setup.ranges_digest,
        key_epoch: issuer.keys.epoch(),
        report_version: 1,
        contact: setup.contact.clone(),
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
        at,
    })
}
