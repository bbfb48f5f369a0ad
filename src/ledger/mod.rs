//! The durable account of files and chunks, from which every outbound file can be made again.
//!
//! [`Ledger`] is the contract that every store keeps; SQLite is the store that needs nothing installed. Each method is one
//! transaction or one read. A method that fails has changed nothing, and may be called again: that is how the pipeline waits for a
//! broken world. The audit trail is written with what it tells of, or neither is. This module must never hold a card number in clear; PANs reach it sealed.

mod alarms;
mod contract;
mod error;
mod nights;
mod partner;
mod reports;
pub mod sqlite;
#[cfg(test)]
mod suite;
mod trail;

pub use alarms::{AlarmBook, Untold};
pub use contract::{
    Account, Candidate, Claim, Decided, Group, Ledger, Outlived, Overview, Purged, ReferenceKind, Refused, Reopen,
    Selection, SequenceRule, Standing, batch_sequence,
};
pub use error::LedgerError;
pub use nights::{NightBook, Watched};
pub use partner::{Delivery, Order, Remote, SourceStanding, Taken};
pub use reports::{Counted, Facts, Lacking, Missed, Movement, ReportBook, Version};
pub use trail::{Actor, Anchor, AuditEntry, AuditEvent, AuditRow, Finding, TRAIL_VERSION, Verified, Verifier};
