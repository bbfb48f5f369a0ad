//! The answer to a JSON line. The public programs have none for this store; it is an object in the manner of the others.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Code, Outcome, RecordRow};
use crate::services::Answer;

use super::Own;

/// Answers one record.
pub(super) fn answer(row: &RecordRow) -> Answer {
    let own = Own::of(row);
    let answer = Contract {
        record_ref: Some(&*row.record_ref).filter(|text| !text.is_empty()),
        card_contract_id: own.as_ref().map(|own| &*own.id).filter(|text| !text.is_empty()),
        status: if row.outcome == Outcome::Rejected { "KO" } else { "OK" },
        error_code: row.code(),
    };
    // Strings always make JSON.
    Answer::Record(serde_json::to_vec(&answer).unwrap_or_default())
}

/// The JSON Schema of such an answer.
pub(super) fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Contract<'_>>().to_value()
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Contract<'a> {
    record_ref: Option<&'a str>,
    card_contract_id: Option<&'a str>,
    /// `OK`: the contract is as the record says.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<Code>,
}
