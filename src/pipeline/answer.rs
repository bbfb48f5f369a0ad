//! Writes a file's answers from the ledger alone: ack, recon, errors, summary.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use crate::faults;
use crate::ledger::Standing;
use crate::model::{Decision, FileNo, FileRecord, Outbound, State, Tally, hex};
use crate::open::Recipient;
use crate::parse::d1_code;
use crate::report::{Balance, ack, summary};
use crate::services::cards::{OUT, refused_batch};

use super::patience::{Trouble, blocking};
use super::scribe::{Pages, Scribe, Word};
use super::site::{Issuer, Settings, Setup, Site};
use super::source;
use super::trail::{self, Use};

/// Whom a sender turns to: of an accepted file that is fixed with everything else, of any other it is who stands in the setup.
pub(super) async fn contact(site: &Site, record: &FileRecord, setup: &Setup) -> Result<Option<String>, Trouble> {
    Ok(match record.decision {
        Some(Decision::Accepted) => settings(&site.ledger.standing(record.no).await?.settings)?.contact,
        _ => setup.contact.clone(),
    })
}

/// Writes the ack: after the decision is committed, before any record.
pub(super) async fn write_ack(
    site: &Site,
    issuer: &Issuer,
    record: &FileRecord,
    contact: Option<&str>,
    first_time: bool,
) -> Result<Outbound, Trouble> {
    let content = ack::content(record, contact);
    let (outbox, name) = (issuer.outbox.clone(), ack::name(&record.stem));
    let ack = blocking(move || Ok(outbox.put(&name, &content)?)).await?;
    deliver(site, issuer, record, &[&ack], first_time).await?;
    Ok(ack)
}

/// What lies in the outbound directory goes out to partners too.
async fn deliver(
    site: &Site,
    issuer: &Issuer,
    record: &FileRecord,
    outbound: &[&Outbound],
    first_time: bool,
) -> Result<(), Trouble> {
    source::order(site, &issuer.id, (Some(record.no), record.source.as_deref()), outbound, !first_time).await
}

/// Writes the answer to a batch that D1 would have refused too; of another file, nothing.
pub(super) async fn write_refused_batch(
    site: &Site,
    issuer: &Issuer,
    record: &FileRecord,
    first_time: bool,
) -> Result<Option<Outbound>, Trouble> {
    let feed = record.feed.as_deref().and_then(|name| issuer.feed(name));
    let (Some(batches), Some(code), Some(Decision::Refused)) =
        (feed.and_then(|feed| feed.d1.as_ref()), record.code, record.decision)
    else {
        return Ok(None);
    };
    let Some(code) = d1_code(code, record.description.as_deref().unwrap_or_default()) else { return Ok(None) };
    let content = refused_batch(record.header.as_ref(), &batches.issuer_id, code);
    let (outbox, name) = (issuer.outbox.clone(), format!("{}{OUT}", record.stem));
    let batch = blocking(move || Ok(outbox.put(&name, &content)?)).await?;
    deliver(site, issuer, record, &[&batch], first_time).await?;
    Ok(Some(batch))
}

/// A file of which all is registered, as it was read then.
pub(super) struct Registered {
    pub(super) record: FileRecord,
    pub(super) standing: Standing,
    /// Its answers, where they were begun before.
    pub(super) scribe: Option<Scribe>,
}

/// Writes recon and errors, then the summary; the first time the file becomes REPORTED between the two. What the rows do not account for is not written: the file is held.
/// Gives back what the file was when they were begun, and what its records came to.
pub(super) async fn write_reports(
    site: &Site,
    issuer: &Issuer,
    no: FileNo,
    first_time: bool,
    registered: Option<Registered>,
) -> Result<(FileRecord, Tally), Trouble> {
    let (record, standing, scribe) = match registered {
        Some(Registered { record, standing, scribe }) => (record, standing, scribe),
        None => {
            let (record, standing) = site.ledger.file_and_standing(no).await?;
            (record, standing, None)
        }
    };
    let pages = pages(site, issuer, &record, &standing)?;
    let (settings, reply_key) = (&pages.settings, pages.reply_key.clone());
    let ack_content = ack::content(&record, settings.contact.as_deref());
    let ack_hash = hex(&Sha256::digest(&ack_content));
    let mut outbound =
        vec![Outbound { name: ack::name(&record.stem), content_sha256: ack_hash.clone(), sha256: ack_hash }];

    let (chunks, tally) = (standing.chunks, standing.tally);
    let written = match scribe {
        Some(scribe) => scribe.finish(chunks, tally).await,
        None => None,
    };
    let balance = match written {
        Some(Ok(balance)) => balance,
        // What stops the process stops it here too; all else is tried anew, and said if it fails again.
        Some(Err(fatal @ Trouble::Fatal(_))) => return Err(fatal),
        Some(Err(_)) | None => {
            let runtime = Handle::current();
            blocking(move || pages.write(&runtime, [Word::Whole(chunks, tally)])).await?.ok_or(Trouble::Panicked)?
        }
    };
    let codes = match balance {
        Balance::Balanced { codes, outbound: written } => {
            outbound.extend(written);
            codes
        }
        Balance::Unbalanced { counted } => {
            return Err(Trouble::Hold(format!(
                "the report does not balance: {} records were read, {} committed, {} reported",
                record.records.unwrap_or(0),
                standing.tally.records(),
                counted.records()
            )));
        }
    };
    let content = summary::content(&record, &standing.tally, &codes, &outbound);
    let (outbox, name) = (issuer.outbox.clone(), summary::name(&record.stem));
    let summary_hash = hex(&Sha256::digest(&content));
    outbound.push(Outbound { name: name.clone(), content_sha256: summary_hash.clone(), sha256: summary_hash });
    // Told when the sealing is done, so that an outbound directory that is away for a night is not told of at every try; and
    // before the file counts as reported.
    if let Some(key) = &reply_key {
        trail::key_used(site, &record, Use::Answers(key)).await?;
    }
    // Before the summary, whose presence says that all is done. Sealed anew, an answer has other bytes: what the ledger
    // lists is what lies there.
    let (from, to): (&[State], _) = if first_time {
        (&[State::Registered, State::Reported], State::Reported)
    } else {
        (&[State::Done], State::Done)
    };
    faults::reach("reports", &record.name);
    site.ledger.advance(no, from, to, site.clock.now(), Some(&outbound)).await?;
    faults::reach("reported", &record.name);
    blocking(move || {
        outbox.put(&name, &content)?;
        Ok(())
    })
    .await?;
    // Ordered once all of it lies there, with the summary last; before the file is done, so that a crash between orders it again.
    deliver(site, issuer, &record, &outbound.iter().collect::<Vec<_>>(), first_time).await?;
    Ok((record, tally))
}

/// What a file's answers are made from.
pub(super) fn pages(site: &Site, issuer: &Issuer, record: &FileRecord, standing: &Standing) -> Result<Pages, Trouble> {
    let settings = settings(&standing.settings)?;
    let reply_key = match &settings.reply_key {
        None => None,
        Some(jwk) => {
            let recipient = Recipient::parse(jwk.as_bytes())
                .map_err(|_| Trouble::Hold("the reply key kept with the file does not parse".into()))?;
            Some(Arc::new(recipient))
        }
    };
    Ok(Pages {
        ledger: Arc::clone(&site.ledger),
        outbox: issuer.outbox.clone(),
        record: record.clone(),
        settings,
        reply_key,
        keys: Arc::clone(&issuer.keys),
    })
}

/// The settings kept with a file.
pub(super) fn settings(text: &str) -> Result<Settings, Trouble> {
    serde_json::from_str(text).map_err(|_| Trouble::Hold("the settings kept with the file have an unknown form".into()))
}
