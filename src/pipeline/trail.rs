//! What the pipeline tells the audit trail beside the decisions, which the ledger tells of itself: each use of a key.

use serde_json::json;

use crate::ledger::{Actor, AuditEntry, AuditEvent};
use crate::model::FileRecord;
use crate::open::Recipient;

use super::patience::Trouble;
use super::site::Site;

/// What a key is used for, once a file.
pub(super) enum Use<'a> {
    /// This one of the feed's keys opened it.
    Open(&'a str),
    /// Its records are fingerprinted, sealed and named with the issuer's keys of this epoch.
    Vault(u32),
    /// Its answers are sealed for the issuer.
    Answers(&'a Recipient),
}

/// Tells of a use; one try.
pub(super) async fn key_used(site: &Site, record: &FileRecord, what: Use<'_>) -> Result<(), Trouble> {
    Ok(site.ledger.audit(&use_of_key(site, record, what)).await?)
}

/// The entry that tells of a use, where it is written with a step of the file.
pub(super) fn use_of_key(site: &Site, record: &FileRecord, what: Use<'_>) -> AuditEntry {
    let (to, key) = match what {
        Use::Open(name) => ("open", json!(name)),
        Use::Vault(epoch) => ("vault", json!({ "epoch": epoch })),
        Use::Answers(key) => ("answers", json!({"kid": key.kid(), "fingerprint": key.fingerprint().ok()})),
    };
    AuditEntry::new(site.clock.now(), AuditEvent::KeyUsed, Actor::Daemon)
        .of_issuer(&record.issuer)
        .of_file(record.no)
        .with("name", record.name.as_str())
        .with("to", to)
        .with("key", key)
}
