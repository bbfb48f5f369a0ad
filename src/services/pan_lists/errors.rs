//! What the API says of a PAN or a request that failed.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Code, Failure};
use crate::services::Api;

use super::{Operation, column};

/// The API's words for our codes.
pub(super) const API: Api = Api {
    of: "pan-lists",
    words: &[
        (Code::FieldMissing, "invalid.data: panListName"),
        (Code::FieldMissing, "invalid.data: panListId"),
        (Code::FieldInvalid, "invalid.data: panListId"),
        (Code::PanMangled, "invalid.pan"),
        (Code::PanFormat, "invalid.pan"),
        (Code::PanLength, "invalid.pan"),
        (Code::PanLuhn, "invalid.pan"),
        (Code::DuplicateInFile, "invalid.pan"),
        (Code::NotRegistered, "pan.not.registered"),
        (Code::ListUnknown, "invalid.request.parameter"),
        (Code::ListNameInvalid, "invalid.data: panListName"),
        (Code::PansOrRangeMissing, "invalid.data: Either pans or Account Range"),
        (Code::PansMissing, "invalid.pan"),
        (Code::PansMissing, "invalid.data: pans"),
        (Code::RangeInvalid, "invalid.data: accountRange.accountRangeLow"),
        (Code::RangeInvalid, "invalid.data: accountRange.accountRangeHigh"),
        (Code::RangeInvalid, "invalid.accountRange"),
        (Code::RangeUnknown, "invalid.accountRange"),
        (Code::PanOutOfRange, "invalid.pan"),
        (Code::AlreadyInList, "invalid.pan"),
        (Code::NotInList, "pan.not.linked"),
    ],
};

/// What is wrong with a PAN.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(super) struct PanError {
    pub(super) reason_code: &'static str,
    pub(super) description: &'static str,
}

/// Of a record's code.
pub(super) fn of_pan(code: Option<Code>) -> PanError {
    let (reason_code, description) = match code {
        Some(Code::AlreadyInList | Code::DuplicateInFile) => ("invalid.pan", "pan already present in list"),
        Some(Code::PanLuhn) => ("invalid.pan", "pan failed for Luhn check"),
        Some(Code::PanOutOfRange) => ("invalid.pan", "pan failed for account range validation"),
        Some(Code::NotInList) => ("pan.not.linked", "pan not associated with the pan list"),
        Some(Code::NotRegistered) => ("pan.not.registered", "pan not present"),
        // A PAN that is absent, or not of digits, or not of so many.
        _ => ("invalid.pan", "pan doesn't have required 11-19 digits"),
    };
    PanError { reason_code, description }
}

/// A refused request's answer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(deny_unknown_fields)]
pub(super) struct Refused {
    errors: Errors,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(deny_unknown_fields)]
struct Errors {
    error: Vec<Error>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(deny_unknown_fields)]
struct Error {
    source: &'static str,
    reason_code: &'static str,
    description: String,
    recoverable: bool,
    details: &'static str,
}

/// Whether these failures are of a request, and not of one PAN of it.
pub(super) fn is_of_request(failures: &[Failure]) -> bool {
    failures.iter().any(|failure| {
        failure.field != column::PAN || matches!(failure.code, Code::PansMissing | Code::PansOrRangeMissing)
    })
}

/// Of a request's failures. `id` is the list that it names, if that is known.
pub(super) fn of_request(failures: &[Failure], operation: Option<Operation>, list: Option<u64>) -> Refused {
    let error = failures.iter().map(|failure| {
        let (reason_code, description) = said(*failure, operation, list);
        Error { source: "mci-installments-consumer-api", reason_code, description, recoverable: false, details: "" }
    });
    Refused { errors: Errors { error: error.collect() } }
}

fn said(Failure { field, code }: Failure, operation: Option<Operation>, list: Option<u64>) -> (&'static str, String) {
    let name = list.map(|id| format!("{id:018}")).unwrap_or_default();
    let (reason, description) = match (code, field) {
        (Code::PansOrRangeMissing, _) => ("invalid.data: Either pans or Account Range", "must not be null or empty"),
        (Code::PansMissing, _) if operation == Some(Operation::Deregister) => {
            ("invalid.data: pans", "pans must not be null or empty")
        }
        (Code::PansMissing, _) => ("invalid.pan", "To update pan list at least one pan should be present"),
        (Code::FieldMissing, column::LIST_ID) => ("invalid.data: panListId", "must not be null"),
        (Code::FieldMissing, column::LIST_NAME) => ("invalid.data: panListName", "must not be null or empty"),
        (Code::ListNameInvalid, _) => ("invalid.data: panListName", r#"must match "^[a-zA-Z0-9\s-]{1,64}$""#),
        (Code::FieldInvalid, column::LIST_ID) => ("invalid.data: panListId", r#"must match "^[0-9]{18}$""#),
        (Code::FieldInvalid, column::LIST_NAME) => ("invalid.data: panListName", "must be null beside panListId"),
        (Code::RangeInvalid, column::RANGE_LOW) => {
            ("invalid.data: accountRange.accountRangeLow", r#"must match "^[0-9]{11,19}$""#)
        }
        (Code::RangeInvalid, column::RANGE_HIGH) => {
            ("invalid.data: accountRange.accountRangeHigh", r#"must match "^[0-9]{11,19}$""#)
        }
        (Code::RangeUnknown, column::RANGE_HIGH) => ("invalid.accountRange", "Invalid account range for pan list"),
        (Code::RangeInvalid | Code::RangeUnknown, _) => ("invalid.accountRange", "Account range not valid"),
        (Code::ListUnknown, _) => {
            return ("invalid.request.parameter", format!("Pan list not found for id {name}"));
        }
        _ => ("invalid.data: operation", "must be REGISTER or DEREGISTER"),
    };
    (reason, description.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_one_that_explain_tells() {
        for code in [
            Code::AlreadyInList,
            Code::DuplicateInFile,
            Code::PanLuhn,
            Code::PanFormat,
            Code::PanLength,
            Code::PanMangled,
            Code::PanOutOfRange,
            Code::NotInList,
            Code::NotRegistered,
        ] {
            let word = of_pan(Some(code)).reason_code;
            assert!(API.words_for(code).any(|it| it == word), "{code}: {word}");
        }
    }
}
