//! What *Add Payment Cards* answers, card by card: an object for an object, an array for an array.
//!
//! ```text
//! {"id","paymentCardId","bin","last4fpan","status"}
//! {"id","errorCode"}                      and "bin","last4fpan" of a card that exists
//! {"Errors":{"Error":[{...}]}}            for a request of a size that is not taken
//! ```

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Code, Failure, RecordRow};
use crate::services::{Answer, Api};
use crate::vault::uuid_text;

use super::{CardId, column, own};

/// The API's words for our codes.
pub(super) const API: Api = Api {
    of: "payment-cards",
    words: &[
        (Code::FieldMissing, "INVALID_FPAN"),
        (Code::FieldMissing, "INVALID_CARD_BASE_CURRENCY"),
        (Code::FieldMissing, "INVALID_REQUEST_PARAMETER"),
        (Code::FieldInvalid, "INVALID_REQUEST_PARAMETER"),
        (Code::PanMangled, "INVALID_FPAN"),
        (Code::PanFormat, "INVALID_FPAN"),
        (Code::PanLength, "INVALID_FPAN"),
        (Code::PanLuhn, "INVALID_FPAN"),
        (Code::BinUnsupported, "INVALID_FPAN"),
        (Code::DuplicateInFile, "PAYMENT_CARD_ALREADY_EXISTS"),
        (Code::AlreadyRegistered, "PAYMENT_CARD_ALREADY_EXISTS"),
        (Code::RequestSize, "INVALID_REQUEST_PARAMETER"),
        (Code::CurrencyInvalid, "INVALID_CARD_BASE_CURRENCY"),
        (Code::CurrencyUnsupported, "UNSUPPORTED_CURRENCY"),
    ],
};

/// Answers one record.
pub(super) fn answer(row: &RecordRow) -> Answer {
    if row.code() == Some(Code::RequestSize) {
        return Answer::Request(json(&Refused { errors: Errors { error: [REFUSED] } }));
    }
    let first = row.failures.first();
    let known = matches!(first.map(|it| it.code), None | Some(Code::AlreadyRegistered | Code::DuplicateInFile));
    let id = own_id(row);
    Answer::Record(json(&Card {
        id: Some(&*row.record_ref).filter(|id| !id.is_empty()),
        payment_card_id: id.as_deref(),
        bin: known.then(|| format!("{:06}", row.masked.bin6)),
        last4fpan: known.then(|| format!("{:04}", row.masked.last4)),
        status: id.as_ref().map(|_| "ACTIVE"),
        error_code: first.map(|failure| error_code(*failure)),
    }))
}

fn own_id(row: &RecordRow) -> Option<String> {
    let (status, id) = row.own.split_first()?;
    let id = <&CardId>::try_from(id).ok()?;
    (*status == own::ACTIVE).then(|| uuid_text(id))
}

/// The API's word for a failure, by its field where the code alone does not say it.
fn error_code(Failure { field, code }: Failure) -> &'static str {
    match code {
        Code::AlreadyRegistered | Code::DuplicateInFile => "PAYMENT_CARD_ALREADY_EXISTS",
        Code::CurrencyUnsupported => "UNSUPPORTED_CURRENCY",
        _ => match field {
            column::PAN => "INVALID_FPAN",
            column::CURRENCY => "INVALID_CARD_BASE_CURRENCY",
            _ => "INVALID_REQUEST_PARAMETER",
        },
    }
}

/// The JSON Schema of an answer to a request: a card's, an array of them, or a refusal of the whole.
pub(super) fn schema() -> serde_json::Value {
    #[derive(JsonSchema)]
    #[schemars(untagged)]
    #[expect(dead_code, reason = "a schema is made of it, and nothing else")]
    enum Answers<'a> {
        Card(Card<'a>),
        Cards(Vec<Card<'a>>),
        Refused(Refused),
    }
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Answers<'_>>().to_value()
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Card<'a> {
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_card_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last4fpan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(deny_unknown_fields)]
struct Refused {
    errors: Errors,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(deny_unknown_fields)]
struct Errors {
    error: [Error; 1],
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(deny_unknown_fields)]
struct Error {
    source: &'static str,
    reason_code: &'static str,
    description: &'static str,
    recoverable: bool,
    details: &'static str,
}

const REFUSED: Error = Error {
    source: "Service-Provider",
    reason_code: "INVALID_REQUEST_PARAMETER",
    description: "A request holds 1 to 100 payment cards",
    recoverable: false,
    details: "",
};

fn json(value: &impl Serialize) -> Vec<u8> {
    // Strings and a flag always make JSON.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Masked, Outcome, OwnBytes, Place};
    use crate::services::payment_cards::packed;

    fn row(own: OwnBytes, failures: Vec<Failure>) -> RecordRow {
        let outcome = failures.first().map_or(Outcome::Registered, |failure| failure.code.outcome());
        let masked = Masked { digits: 16, bin6: 30_377, last4: 42 };
        RecordRow { line: 2, record_ref: "r-1".into(), outcome, failures, masked, own, place: Place::Object }
    }

    fn said(row: &RecordRow) -> String {
        let (Answer::Record(json) | Answer::Request(json)) = answer(row);
        String::from_utf8(json).unwrap()
    }

    #[test]
    fn answers_as_the_api_does() {
        assert_eq!(
            said(&row(packed(own::ACTIVE, &[7; 16]), Vec::new())),
            r#"{"id":"r-1","paymentCardId":"07070707-0707-0707-0707-070707070707","bin":"030377","last4fpan":"0042","status":"ACTIVE"}"#
        );
        let failed = |field, code| said(&row(OwnBytes::default(), vec![Failure { field, code }]));
        assert_eq!(
            failed(column::PAN, Code::AlreadyRegistered),
            r#"{"id":"r-1","errorCode":"PAYMENT_CARD_ALREADY_EXISTS","bin":"030377","last4fpan":"0042"}"#
        );
        assert_eq!(failed(column::PAN, Code::PanLuhn), r#"{"id":"r-1","errorCode":"INVALID_FPAN"}"#);
        let mut unnamed =
            row(OwnBytes::default(), vec![Failure { field: column::RECORD_REF, code: Code::FieldMissing }]);
        unnamed.record_ref = "".into();
        assert_eq!(said(&unnamed), r#"{"id":null,"errorCode":"INVALID_REQUEST_PARAMETER"}"#);
        let refused = failed(Failure::WHOLE, Code::RequestSize);
        assert!(refused.starts_with(r#"{"Errors":{"Error":[{"Source":"Service-Provider","ReasonCode":"#), "{refused}");
    }

    #[test]
    fn every_code_is_the_one_that_explain_tells() {
        for (field, code) in [
            (column::RECORD_REF, Code::FieldMissing),
            (column::RECORD_REF, Code::FieldInvalid),
            (column::PAN, Code::FieldMissing),
            (column::PAN, Code::PanMangled),
            (column::PAN, Code::PanFormat),
            (column::PAN, Code::PanLength),
            (column::PAN, Code::PanLuhn),
            (column::PAN, Code::BinUnsupported),
            (column::PAN, Code::AlreadyRegistered),
            (column::PAN, Code::DuplicateInFile),
            (column::CURRENCY, Code::FieldMissing),
            (column::CURRENCY, Code::CurrencyInvalid),
            (column::CURRENCY, Code::CurrencyUnsupported),
            (Failure::WHOLE, Code::RequestSize),
        ] {
            let word = error_code(Failure { field, code });
            assert!(API.words_for(code).any(|it| it == word), "{code}: {word}");
        }
    }
}
