//! Writes what goes out: ack, recon, errors, the service's own answers, summary. Each is a pure function of the ledger's rows, so that any node can
//! make it again, and each reaches its place whole or not at all.
//!
//! Nothing here reads the inbound file, a clock or a card number, and no plaintext of a sealed file touches the disk.
//!
//! ```text
//! rows ──> Book ──> recon    ──> [Seal] ──> Draft ──> Outbox
//!               ├─> errors   ──> [Seal] ──> Draft ──> Outbox
//!               └─> answers  ──> [Seal] ──> Draft ──> Outbox
//! file ──> ack, summary ──────────────────> Draft ──> Outbox
//! ```

pub mod ack;
mod aged;
mod book;
mod cells;
pub mod daily;
mod error;
mod errors;
mod extra;
mod hash;
mod outbox;
mod recon;
mod seal;
mod sheet;
pub mod summary;

use serde::Serialize;

use crate::model::{Code, Field, Outbound, ServiceName};

pub use aged::{AgedOut, names_of};
pub use book::{Balance, Book};
pub use error::ReportError;
pub use outbox::{Draft, Outbox, Written};
pub use seal::{Seal, SealedWrite};

/// The version of the contract on disk that these files follow.
const CONTRACT_VERSION: u8 = 1;

/// Where the words about a code come from: one source for reports, the README and `nightdrop explain`.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// What was found and what is expected, one sentence; names the field where there is one.
    pub describe: fn(Code, ServiceName, Option<Field>) -> String,
    /// What to do about it.
    pub remedy: fn(Code) -> &'static str,
    /// Who does it: `sender` or `operator`.
    pub owner: fn(Code) -> &'static str,
}

/// The JSON Schema (2020-12) of what a type is written as.
fn schema<T: schemars::JsonSchema>() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// Pretty JSON with a newline at its end.
#[expect(clippy::expect_used, reason = "structs of strings and numbers have no way to fail")]
fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("strings and numbers make JSON");
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests;
