//! Records of any service: cells by column, and the texts that hold them, as CSV and as lines of JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::file::{CsvFile, sha256_hex};

/// All columns of each service.
const COLUMNS: [(&str, &str); 5] = [
    ("payment-cards", crate::file::COLUMNS),
    ("pan-lists", "record_ref,operation,pan_list_id,pan_list_name,account_range_low,account_range_high,pan"),
    ("cards", "record_ref,action,event_status,card_id,card_product_id,consumer_id,state,card,pan,expiry"),
    ("card-contracts", "record_ref,card_contract_id,pan,expiry,card_product_id,status"),
    (
        "click-to-pay",
        "record_ref,card_contract_id,src_client_id,service_id,external_consumer_id,email,phone_country,phone,first_name,\
         last_name,locale,country,cardholder_name,address_line1,address_line2,address_line3,city,state,postal_code,\
         address_country,privacy_version,tnc_version,accepted_at",
    ),
];

/// The columns of a service, joined by commas.
pub(crate) fn columns(service: &str) -> &'static str {
    COLUMNS.iter().find(|(of, _)| *of == service).unwrap_or_else(|| panic!("{service} is no service")).1
}

/// A record: its cells by column; what is not there is empty.
#[derive(Clone, Default)]
pub(crate) struct Cells(Vec<(&'static str, String)>);

impl Cells {
    /// A record with this reference.
    pub(crate) fn new(record_ref: &str) -> Self {
        Self::default().with("record_ref", record_ref)
    }

    /// The same with a cell of another value.
    pub(crate) fn with(mut self, column: &'static str, value: impl Into<String>) -> Self {
        self.0.retain(|(name, _)| *name != column);
        self.0.push((column, value.into()));
        self
    }

    /// A cell.
    pub(crate) fn cell(&self, column: &str) -> &str {
        self.0.iter().find(|(name, _)| *name == column).map_or("", |(_, value)| value)
    }

    /// As a row of CSV.
    pub(crate) fn row(&self, service: &str) -> String {
        columns(service).split(',').map(|column| self.cell(column)).collect::<Vec<_>>().join(",")
    }

    /// As a line of JSON of a service whose lines have the columns' names, or of payment-cards.
    pub(crate) fn json(&self, service: &str) -> Value {
        let key = |name: &'static str| match (service, name) {
            ("payment-cards", "record_ref") => "id",
            ("payment-cards", "pan") => "fpan",
            ("payment-cards", "card_base_currency") => "cardBaseCurrency",
            _ => name,
        };
        let filled = self.0.iter().filter(|(_, value)| !value.is_empty());
        Value::Object(filled.map(|(name, value)| (key(name).to_owned(), json!(value))).collect::<Map<_, _>>())
    }
}

/// A CSV file of an issuer's records.
pub(crate) fn csv_file(issuer: &str, service: &str, batch: &str, records: &[Cells]) -> CsvFile {
    CsvFile::of(service, columns(service), batch).with(|file| {
        file.issuer = issuer.into();
        file.rows = records.iter().map(|record| record.row(service)).collect();
    })
}

/// A file of lines of JSON that hold so many records, with the control records that are right for it.
pub(crate) fn json_lines(issuer: &str, service: &str, batch: &str, requests: &[Value], records: usize) -> String {
    let mut text = json!({"header": {
        "version": 1, "issuer": issuer, "service": service, "batchId": batch, "sequence": 1,
        "created": "2026-11-20T01:30:00Z", "environment": "TEST"
    }})
    .to_string();
    text.push('\n');
    for request in requests {
        writeln!(text, "{request}").unwrap();
    }
    let digest = sha256_hex(text.as_bytes());
    writeln!(text, "{}", json!({"trailer": {"records": records, "sha256": digest}})).unwrap();
    text
}
