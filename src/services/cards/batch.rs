//! `STEM_OUT.json`: the answer to a D1 batch, row by row, or its header alone where that is why the file was refused.

use std::io;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{AnswerFile, Answers, Code, D1_OPERATION, FileRecord, Header, Outcome, Place, RecordRow};

use crate::services::Api;

use super::{Own, response};

/// What follows the stem in its name.
pub const OUT: &str = "_OUT.json";

/// The API's words for our codes.
pub(super) const API: Api = Api {
    of: "cards (d1-batch)",
    words: &[
        (Code::FileTooLarge, "102"),
        (Code::SignatureMissing, "110"),
        (Code::SignatureInvalid, "110"),
        (Code::FormatInvalid, "103"),
        (Code::FormatInvalid, "105"),
        (Code::FormatInvalid, "106"),
        (Code::FormatInvalid, "107"),
        (Code::HeaderMismatch, "100"),
    ],
};

/// The file of an accepted batch of that many rows.
pub(super) fn file(file: &FileRecord, issuer_id: &str, rows: u64) -> AnswerFile {
    let header = OutHeader { total_records: Some(rows), ..OutHeader::of(file.header.as_ref(), issuer_id) };
    let batch = Batch { header: serde_json::to_vec(&header).unwrap_or_default(), open: None, begun: false };
    AnswerFile { suffix: OUT, sealed: false, answers: Box::new(batch) }
}

/// The file of a batch that was refused for something that D1 has a code for.
pub fn refused(header: Option<&Header>, issuer_id: &str, code: u16) -> Vec<u8> {
    let header = OutHeader { error_code: Some(code.to_string()), ..OutHeader::of(header, issuer_id) };
    let mut out = serde_json::to_vec(&Out { header, records_results: None }).unwrap_or_default();
    out.push(b'\n');
    out
}

/// The JSON Schema of both.
pub(super) fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Out>().to_value()
}

struct Batch {
    header: Vec<u8>,
    /// The row that further cards may still belong to.
    open: Option<RowResult>,
    begun: bool,
}

impl Batch {
    fn end_row(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if let Some(row) = self.open.take() {
            out.extend_from_slice(if std::mem::replace(&mut self.begun, true) { b",\n" } else { b"\n" });
            serde_json::to_writer(out, &row)?;
        }
        Ok(())
    }
}

impl Answers for Batch {
    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        out.extend_from_slice(b"{\"header\":");
        out.extend_from_slice(&self.header);
        out.extend_from_slice(b",\"recordsResults\":[");
        Ok(())
    }

    fn row(&mut self, row: &RecordRow, out: &mut Vec<u8>) -> io::Result<()> {
        let own = Own::of(row);
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        if row.place != Place::Next {
            self.end_row(out)?;
            // The reference was made from it, and is empty where it is what no reference may be.
            let row_id = row.record_ref.split('.').next().and_then(|id| id.parse().ok());
            let result = ConsumerResult { consumer_id: given(&own.consumer), consumer_status: "OK", cards: Vec::new() };
            self.open = Some(RowResult { row_id, consumer_card_registration_result: result });
        }
        if let Some(open) = &mut self.open {
            let result = &mut open.consumer_card_registration_result;
            if response::consumer_status(row) == "KO" {
                result.consumer_status = "KO";
            }
            result.cards.push(CardResult {
                card_id: given(&own.card_id),
                status: if row.outcome == Outcome::Rejected { "KO" } else { "OK" },
                error_code: row.code().filter(|_| row.outcome == Outcome::Rejected),
            });
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.end_row(out)?;
        out.extend_from_slice(b"\n]}\n");
        Ok(())
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Out {
    header: OutHeader,
    /// Absent where the header has an errorCode.
    #[serde(skip_serializing_if = "Option::is_none")]
    records_results: Option<Vec<RowResult>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct OutHeader {
    /// Absent where the batch's own is not one, or not that of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq_number: Option<String>,
    issuer_id: String,
    operation: &'static str,
    /// How many rows are answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_records: Option<u64>,
    /// Three digits, as D1 has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
}

impl OutHeader {
    fn of(header: Option<&Header>, issuer_id: &str) -> Self {
        Self {
            batch_id: header.map(|header| header.batch_id.clone()),
            seq_number: header.map(|header| header.sequence_text.clone()),
            issuer_id: issuer_id.to_owned(),
            operation: D1_OPERATION,
            total_records: None,
            error_code: None,
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct RowResult {
    /// Null where it is a card number.
    row_id: Option<u64>,
    consumer_card_registration_result: ConsumerResult,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct ConsumerResult {
    /// Null where it is none.
    consumer_id: Option<String>,
    /// `KO` where something is wrong with the consumer's id.
    consumer_status: &'static str,
    /// In the order of the row; of a row without cards, what it lacks.
    cards: Vec<CardResult>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct CardResult {
    /// Null where it is none; of a card that is registered already, the one that it has.
    card_id: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<Code>,
}
