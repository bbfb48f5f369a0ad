//! What the command line tells the audit trail: start and stop, what files are taken by, and who or what was not let in.
//!
//! Keys are told of by their names, their fingerprints and check values; never by anything that they could be made from.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::Config;
use crate::ledger::{Actor, AuditEntry, AuditEvent, Ledger, LedgerError};
use crate::model::{Clock as _, SystemClock, hex};
use crate::open::{PrivateKey, Recipient};
use crate::pipeline::{Feed, Issuer, Setup, Site};
use crate::telemetry;
use crate::vault::WrappedKey;

use super::assemble::{KEK_CHECK, Unfit};

fn entry(event: AuditEvent) -> AuditEntry {
    AuditEntry::new(SystemClock.now(), event, Actor::Daemon)
}

/// The user that the process runs as.
fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// The daemon begins, and by what.
pub(super) async fn began(site: &Site, config: &Config) -> Result<(), LedgerError> {
    let started = entry(AuditEvent::Started)
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("uid", uid())
        .with("environment", config.environment.as_str());
    site.ledger.audit(&started).await?;
    configuration(&*site.ledger, config, &site.setup.now()).await
}

/// The daemon ends. Its last row is said in the log as an anchor.
pub(super) async fn ended(site: &Site, why: &str) -> Result<(), LedgerError> {
    site.ledger.audit(&entry(AuditEvent::Stopped).with("why", why)).await?;
    if let Some(head) = site.ledger.audit_head().await? {
        telemetry::audit_anchor(head.seq, &hex(&head.hash));
    }
    Ok(())
}

/// What files are taken by from now on.
pub(super) async fn configuration(ledger: &dyn Ledger, config: &Config, setup: &Setup) -> Result<(), LedgerError> {
    let feeds: Vec<Value> =
        setup.issuers.iter().flat_map(|issuer| issuer.feeds.iter().map(|feed| feed_of(&issuer.id, feed))).collect();
    let told = entry(AuditEvent::Configuration)
        .with("file", config.file.display().to_string())
        .with("sha256", hex(&config.sha256))
        .with("key_encryption_key_check", ledger.pinned(KEK_CHECK).await?)
        .with("account_ranges_sha256", hex(&setup.ranges_digest))
        .with("card_products_sha256", setup.products_digest.as_ref().map(|digest| hex(digest)))
        .with("issuers", setup.issuers.iter().map(issuer).collect::<Vec<_>>())
        .with("feeds", feeds);
    ledger.audit(&told).await
}

fn issuer(issuer: &Arc<Issuer>) -> Value {
    let [reply_key, enroll_key] = [&issuer.reply_key, &issuer.enroll_key].map(|key| key.as_ref().map(reply_key));
    json!({"id": issuer.id, "vault_key_epoch": issuer.keys.epoch(), "reply_key": reply_key, "enroll_key": enroll_key})
}

fn reply_key(key: &Recipient) -> Value {
    json!({"kid": key.kid(), "fingerprint": key.fingerprint().ok()})
}

fn feed_of(issuer: &str, feed: &Feed) -> Value {
    let key = |key: &PrivateKey| json!({"kid": key.kid(), "fingerprint": key.fingerprint()});
    let keys: Vec<Value> = feed.keyring.keys().map(key).collect();
    json!({"name": feed.name, "issuer": issuer, "allow_plaintext": feed.open.allow_plaintext, "keys": keys})
}

/// An issuer's first keys are made.
pub(super) fn keys_made(issuer: &str, keys: &[WrappedKey]) -> AuditEntry {
    let made =
        |key: &WrappedKey| json!({"purpose": key.purpose.as_str(), "epoch": key.epoch, "check": hex(&key.check)});
    entry(AuditEvent::KeyMade).of_issuer(issuer).with("keys", keys.iter().map(made).collect::<Vec<_>>())
}

/// Tells of a start that failed for want of the right key. If that cannot be told, it is said with the rest.
pub(super) async fn locked_out(ledger: &dyn Ledger, unfit: &mut Unfit) {
    if unfit.locked_out {
        let failed = entry(AuditEvent::AccessFailed).with("at", "start").with("uid", uid());
        tell(ledger, failed.with("why", unfit.words.clone()), unfit).await;
    }
}

/// Tells of a configuration that was not taken up.
pub(super) async fn reload_refused(ledger: &dyn Ledger, unfit: &mut Unfit) {
    let why = unfit.words.clone();
    if unfit.locked_out {
        tell(ledger, entry(AuditEvent::AccessFailed).with("at", "reload").with("why", why.clone()), unfit).await;
    }
    tell(ledger, entry(AuditEvent::ReloadRefused).with("why", why), unfit).await;
}

async fn tell(ledger: &dyn Ledger, entry: AuditEntry, unfit: &mut Unfit) {
    if let Err(error) = ledger.audit(&entry).await {
        unfit.words.push(error.to_string());
    }
}
