//! `STEM.notifications.jsonl`: the tokenization events of a file, a line each: the decision (TAR), and where it was in favour the
//! completion (TCN).

use std::io;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{AnswerFile, Answers, RecordRow, Timestamp};

use super::own::Own;

/// The file. `at`: when its events took place, as far as reports know: when the records came.
pub(super) fn file(at: Timestamp) -> AnswerFile {
    let answers = Notifications { at: at.to_string() };
    AnswerFile { suffix: ".notifications.jsonl", sealed: false, answers: Box::new(answers) }
}

struct Notifications {
    at: String,
}

impl Answers for Notifications {
    fn row(&mut self, row: &RecordRow, out: &mut Vec<u8>) -> io::Result<()> {
        let own = Own::of(row);
        let events: &[&str] = match own.approved {
            None => &[],
            Some(false) => &["TAR"],
            Some(true) => &["TAR", "TCN"],
        };
        for kind in events {
            let event = Event {
                kind,
                record_ref: &row.record_ref,
                response_code: own.tar_response(),
                token_requestor_id: "50123197928",
                wallet_name: "MDES for Merchants",
                at: &self.at,
            };
            serde_json::to_writer(&mut *out, &event)?;
            out.push(b'\n');
        }
        Ok(())
    }
}

/// The JSON Schema of a line.
pub(super) fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Event<'_>>().to_value()
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Event<'a> {
    /// `TAR` or `TCN`.
    #[serde(rename = "type")]
    kind: &'a str,
    record_ref: &'a str,
    /// `00` or `05`.
    response_code: &'a str,
    token_requestor_id: &'a str,
    wallet_name: &'a str,
    #[schemars(extend("format" = "date-time"))]
    at: &'a str,
}
