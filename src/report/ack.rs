//! `STEM.ack.json`: what was decided about a file, before any of its records. Holds no card data and stays plain.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Code, Decision, EnvelopeKind, Environment, FileRecord, ServiceName};

use super::CONTRACT_VERSION;

/// What the ack of a file with this stem is called.
pub fn name(stem: &str) -> String {
    format!("{stem}.ack.json")
}

/// The ack's bytes; `contact` is whom the sender may ask.
pub fn content(record: &FileRecord, contact: Option<&str>) -> Vec<u8> {
    let header = record.header.as_ref();
    super::json(&Ack {
        status: record.decision,
        code: record.code,
        description: record.description.as_deref(),
        line: record.line,
        file: &record.name,
        bytes: record.bytes,
        sha256: record.sha256.as_deref(),
        feed: record.feed.as_deref(),
        issuer: &record.issuer,
        service: record.service,
        envelope: record.envelope,
        key_id: record.key_id.as_deref(),
        batch_id: header.map(|header| header.batch_id.as_str()),
        sequence: header.and_then(crate::model::Header::sequence),
        environment: record.environment,
        records: record.records,
        next_sequence: record.next_sequence,
        duplicate_of: record.duplicate_of.as_deref(),
        received_at: record.received_at.to_string(),
        contact,
        contract_version: CONTRACT_VERSION,
    })
}

/// The JSON Schema of what [`content`] writes.
pub fn schema() -> serde_json::Value {
    super::schema::<Ack<'_>>()
}

/// Keys and their order are the contract; what does not apply is null.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Ack<'a> {
    status: Option<Decision>,
    code: Option<Code>,
    description: Option<&'a str>,
    line: Option<u64>,
    file: &'a str,
    bytes: u64,
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    sha256: Option<&'a str>,
    feed: Option<&'a str>,
    issuer: &'a str,
    service: Option<ServiceName>,
    envelope: Option<EnvelopeKind>,
    key_id: Option<&'a str>,
    batch_id: Option<&'a str>,
    sequence: Option<u64>,
    environment: Option<Environment>,
    records: Option<u64>,
    next_sequence: Option<u64>,
    duplicate_of: Option<&'a str>,
    #[schemars(extend("format" = "date-time"))]
    received_at: String,
    contact: Option<&'a str>,
    contract_version: u8,
}
