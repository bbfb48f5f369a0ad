//! A partner's kit: a configuration with the feed, reference data, and what keys the partner has.
//!
//! A partner has the daemon's public key, and so a file as it was before it is sealed. Plain text is therefore checked on any
//! feed; a sealed file only where a private key of the feed is there.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use crate::config::{Kit, Surroundings};
use crate::model::{EnvelopeKind, Limits, hex};
use crate::open::{PrivateKey, VerifyKey};
use crate::pipeline::{Feed, Foreseen, Issuer};
use crate::report::Outbox;
use crate::vault::KeyEncryptionKey;

use super::super::assemble::{Unfit, entropy, new_keys, register_options};
use super::super::setup::{Reference, feed_with};
use super::{Bench, Whose, open_keys};

/// With an empty register and keys that are thrown away.
pub(super) fn bench(kit: &Kit, feed: Option<&str>, surroundings: &Surroundings) -> Result<Bench, Unfit> {
    let limits: Limits = kit.limits.clone();
    let reference = Reference::read(&kit.reference)?;
    let random = entropy().map_err(|error| Unfit::failure(error.to_string()))?;
    let kek =
        KeyEncryptionKey::from_hex(hex(&*random).as_bytes()).map_err(|error| Unfit::failure(error.to_string()))?;
    let mut issuers = Vec::new();
    for issuer in &kit.issuers {
        let mut feeds = Vec::new();
        for configured in kit.feeds.iter().filter(|it| it.issuer == issuer.id) {
            let wanted = feed.is_none_or(|feed| feed == configured.name);
            let keys = if wanted { private_keys(configured, surroundings) } else { Vec::new() };
            feeds.push(taking_plain_text(feed_with(configured, keys, verify_key(configured, surroundings))?));
        }
        issuers.push(Arc::new(Issuer {
            id: issuer.id.clone(),
            inbound: issuer.inbound.clone(),
            outbox: Outbox::new(&issuer.outbound),
            reply_key: None,
            enroll_key: None,
            seal_sensitive_data: false,
            currencies: issuer.currencies.clone(),
            keys: open_keys(&kek, &issuer.id, &new_keys(&kek, &issuer.id)?)?,
            feeds,
        }));
    }
    Ok(Bench {
        issuers,
        limits,
        ranges: Arc::clone(reference.ranges()),
        products: Arc::clone(reference.products()),
        chunk_records: kit.daemon.chunk_records,
        register: register_options(&kit.daemon),
        ledger: None,
    })
}

/// The keys that open something. One that is public, absent or the daemon's alone is no mistake in a kit.
fn private_keys(feed: &crate::config::Feed, surroundings: &Surroundings) -> Vec<PrivateKey> {
    let read = |source: &crate::config::SecretSource| source.read(surroundings).ok();
    feed.keys.iter().filter_map(read).filter_map(|bytes| PrivateKey::parse(&bytes).ok()).collect()
}

/// The key that batches are signed for, where it is here.
fn verify_key(feed: &crate::config::Feed, surroundings: &Surroundings) -> Option<VerifyKey> {
    let bytes = feed.jws_key.as_ref()?.read(surroundings).ok()?;
    VerifyKey::parse(&bytes).ok()
}

fn taking_plain_text(mut feed: Feed) -> Feed {
    if !feed.open.accepted.contains(&EnvelopeKind::None) {
        feed.open.accepted.push(EnvelopeKind::None);
    }
    feed.open.allow_plaintext = true;
    feed
}

/// A sealed file that no key here can open says nothing of itself.
pub(super) fn must_open(whose: &Whose<'_>, file: &Path) -> Result<(), Unfit> {
    let keyless = whose.feed().is_some_and(|feed| feed.keyring.keys().next().is_none());
    if keyless && looks_sealed(file) {
        return Err(Unfit::config(format!(
            "{} is sealed, and no private key of its feed is here to open it; check the file as it was before it was sealed",
            file.display()
        )));
    }
    Ok(())
}

/// Whether a file begins as a token does.
pub(super) fn looks_sealed(file: &Path) -> bool {
    let mut first = [0; 3];
    File::open(file).and_then(|mut file| file.read(&mut first)).is_ok_and(|read| first[..read] == *b"eyJ")
}

/// What an offline look cannot know.
pub(super) fn tell(offline: bool, foreseen: &Foreseen) {
    if !offline {
        return;
    }
    let envelope = if foreseen.envelope == Some(EnvelopeKind::None) { "the envelope, " } else { "" };
    eprintln!(
        "nightdrop: offline: {envelope}what came before and what is registered were not looked at; deletions find nothing"
    );
}
