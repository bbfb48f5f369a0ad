//! What the Enroll API answers, a line a record, and the enroll file.
//!
//! ```text
//! {"recordRef","maskedCard":{..},"maskedConsumer":{..},"cardData"}        enrolled; without cardData: enrolled before
//! {"recordRef","status":400,"reason","message","errordetail":[{..}]}      anything else
//! ```

use std::io;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{AnswerFile, Answers, Code, Failure, RecordRow, Timestamp};
use crate::services::{Api, Expiry, RESPONSE};
use crate::vault::uuid_text;

use super::own::{Ids, Own};
use super::{COLUMNS, column};

/// The API's words for our codes.
pub(super) const API: Api = Api {
    of: "click-to-pay",
    words: &[
        (Code::FieldMissing, "INVALID_ARGUMENT/CANNOT_BE_NULL"),
        (Code::FieldInvalid, "INVALID_ARGUMENT/INVALID_FORMAT"),
        (Code::CardExpired, "INVALID_STATE/PAN_INELIGIBLE"),
        (Code::ContractUnknown, "INVALID_STATE/INVALID_VALUE"),
        (Code::ContractInactive, "INVALID_STATE/ISSUER_DECLINED"),
        (Code::ProductIneligible, "INVALID_STATE/TOKENIZATION_INELIGIBLE"),
    ],
};

pub(super) fn file() -> AnswerFile {
    AnswerFile { suffix: RESPONSE, sealed: true, answers: Box::new(Response) }
}

/// `STEM.enroll.jsonl`: the card objects for the enroller.
pub(super) fn enroll_file() -> AnswerFile {
    AnswerFile { suffix: ".enroll.jsonl", sealed: true, answers: Box::new(Enroll) }
}

struct Response;

impl Answers for Response {
    fn row(&mut self, row: &RecordRow, out: &mut Vec<u8>) -> io::Result<()> {
        let own = Own::of(row);
        let record_ref = Some(&*row.record_ref).filter(|text| !text.is_empty());
        match own.enrolled {
            Some(ids) => serde_json::to_writer(&mut *out, &enrolled(row, &own, ids, record_ref))?,
            None => serde_json::to_writer(&mut *out, &refused(row, record_ref))?,
        }
        out.push(b'\n');
        Ok(())
    }
}

struct Enroll;

impl Answers for Enroll {
    fn row(&mut self, row: &RecordRow, out: &mut Vec<u8>) -> io::Result<()> {
        let own = Own::of(row);
        if !own.card_data.is_empty() {
            serde_json::to_writer(&mut *out, &Enrol { record_ref: &row.record_ref, card_data: &own.card_data })?;
            out.push(b'\n');
        }
        Ok(())
    }
}

fn enrolled<'a>(row: &RecordRow, own: &'a Own, ids: Ids, record_ref: Option<&'a str>) -> Enrolled<'a> {
    let expiry = Expiry::from_number(own.expiry);
    let shown = row.masked.digits >= 15;
    Enrolled {
        record_ref,
        masked_card: MaskedCard {
            src_digital_card_id: uuid_text(&ids.card),
            pan_bin: shown.then(|| format!("{:06}", row.masked.bin6)),
            pan_last_four: format!("{:04}", row.masked.last4),
            digital_card_data: DigitalCardData { status: ACTIVE },
            pan_expiration_month: expiry.map(|expiry| format!("{:02}", expiry.month())),
            pan_expiration_year: expiry.map(|expiry| format!("{:04}", expiry.year())),
            date_of_card_created: Timestamp(ids.card_at).to_string(),
        },
        masked_consumer: MaskedConsumer {
            src_consumer_id: uuid_text(&ids.consumer),
            masked_consumer_identity: &own.identity,
            status: ACTIVE,
            date_consumer_added: Timestamp(ids.consumer_at).to_string(),
        },
        card_data: Some(&*own.card_data).filter(|token| !token.is_empty()),
    }
}

fn refused<'a>(row: &RecordRow, record_ref: Option<&'a str>) -> Refused<'a> {
    let detail = |failure: &Failure| {
        let source = COLUMNS.names.get(usize::from(failure.field)).copied().unwrap_or_default();
        let (reason, message) = words(failure.code);
        Detail { reason, message, source, source_type: "BODY" }
    };
    let first = row.failures.first().map(|failure| failure.code);
    let is_state = row.failures.iter().any(|failure| {
        failure.field == column::CONTRACT && !matches!(failure.code, Code::FieldMissing | Code::FieldInvalid)
    });
    let (reason, message) = if is_state {
        ("INVALID_STATE", first.map_or("", |code| words(code).1))
    } else {
        ("INVALID_ARGUMENT", "One or more fields of the request are not valid")
    };
    Refused { record_ref, status: 400, reason, message, errordetail: row.failures.iter().map(detail).collect() }
}

/// What the API says of a failure: a reason, and a message without any value.
fn words(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::FieldMissing => ("CANNOT_BE_NULL", "The field must not be null or empty"),
        Code::ContractUnknown => ("INVALID_VALUE", "No card contract has this id"),
        Code::ProductIneligible => ("TOKENIZATION_INELIGIBLE", "The card product is not eligible for tokenization"),
        Code::ContractInactive => ("ISSUER_DECLINED", "The card contract is not active"),
        Code::CardExpired => ("PAN_INELIGIBLE", "The card has expired"),
        _ => ("INVALID_FORMAT", "The field does not have the expected form"),
    }
}

const ACTIVE: &str = "ACTIVE";

/// The JSON Schema of a line of the response.
pub(super) fn schema() -> serde_json::Value {
    #[derive(JsonSchema)]
    #[schemars(untagged)]
    #[expect(dead_code, reason = "a schema is made of it, and nothing else")]
    enum Answer<'a> {
        Enrolled(Enrolled<'a>),
        Refused(Refused<'a>),
    }
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Answer<'_>>().to_value()
}

/// The JSON Schema of a line of the enroll file.
pub(super) fn enroll_schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Enrol<'_>>().to_value()
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Enrol<'a> {
    record_ref: &'a str,
    /// A compact JWE of the card object.
    card_data: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Enrolled<'a> {
    record_ref: Option<&'a str>,
    masked_card: MaskedCard,
    masked_consumer: MaskedConsumer<'a>,
    /// A compact JWE of the card object; absent for a card that was enrolled before.
    #[serde(skip_serializing_if = "Option::is_none")]
    card_data: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct MaskedCard {
    src_digital_card_id: String,
    /// Absent for PANs of fewer than 15 digits, of which the last four alone are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pan_bin: Option<String>,
    pan_last_four: String,
    digital_card_data: DigitalCardData,
    pan_expiration_month: Option<String>,
    pan_expiration_year: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    date_of_card_created: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct DigitalCardData {
    status: &'static str,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct MaskedConsumer<'a> {
    src_consumer_id: String,
    masked_consumer_identity: &'a str,
    status: &'static str,
    #[schemars(extend("format" = "date-time"))]
    date_consumer_added: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Refused<'a> {
    record_ref: Option<&'a str>,
    status: u16,
    reason: &'static str,
    message: &'static str,
    errordetail: Vec<Detail>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Detail {
    reason: &'static str,
    message: &'static str,
    source: &'static str,
    source_type: &'static str,
}
