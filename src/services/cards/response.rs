//! The answer to a JSON line. *Register cards* takes no lines; it is an object in the words of its batch results.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Code, Failure, Outcome, RecordRow};
use crate::services::Answer;

use super::{Own, column};

/// Answers one record.
pub(super) fn answer(row: &RecordRow) -> Answer {
    let own = Own::of(row);
    let given = |text: &'_ str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let answer = Card {
        record_ref: given(&row.record_ref),
        card_id: given(&own.card_id),
        card_product_id: given(&own.product),
        consumer_id: given(&own.consumer),
        consumer_status: consumer_status(row),
        status: if row.outcome == Outcome::Rejected { "KO" } else { "OK" },
        error_code: row.code(),
    };
    // Strings always make JSON.
    Answer::Record(serde_json::to_vec(&answer).unwrap_or_default())
}

/// Nothing was wrong with the consumer itself.
pub(super) fn consumer_status(row: &RecordRow) -> &'static str {
    let wrong = |failure: &Failure| failure.field == column::CONSUMER;
    if row.failures.iter().any(wrong) { "KO" } else { "OK" }
}

/// The JSON Schema of such an answer.
pub(super) fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Card>().to_value()
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Card {
    /// The record's reference, if it is one.
    record_ref: Option<String>,
    /// The card's id; of a card that is registered already, the one that it has.
    card_id: Option<String>,
    card_product_id: Option<String>,
    consumer_id: Option<String>,
    /// `KO` where something is wrong with the consumer's id.
    consumer_status: &'static str,
    /// `OK`: the card is as the record asks.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<Code>,
}
