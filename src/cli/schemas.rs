//! `nightdrop config schema`: JSON Schemas (2020-12) of the configuration, of JSON records, and of everything outbound that
//! is JSON. What goes out is described by the types that write it.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::config::keys;
use crate::model::ServiceName;
use crate::report::{ack, summary};
use crate::services;

use super::ExitCode;
use super::reading::Out;

/// Every schema with the name of its file.
fn all() -> Vec<(String, Value)> {
    let mut all = vec![
        ("configuration.schema.json".to_owned(), keys::schema()),
        ("ack.schema.json".to_owned(), titled(ack::schema(), "STEM.ack.json")),
        ("summary.schema.json".to_owned(), titled(summary::schema(), "STEM.summary.json")),
        ("alarm.schema.json".to_owned(), titled(crate::pipeline::alarm_schema(), "What [alarm] command is told")),
        ("control-records.schema.json".to_owned(), control_records()),
    ];
    for service in services::BUILT {
        let name = service.view.service;
        if let Some(request) = service.columns.request {
            all.push((format!("{name}.records.schema.json"), requests(name, request)));
        }
        for (what, schema) in (service.answer_schemas)() {
            let title = match what {
                "out" => format!("{name}: STEM_OUT.json"),
                _ => format!("{name}: a line of STEM.{what}.jsonl"),
            };
            all.push((format!("{name}.{what}.schema.json"), titled(schema, &title)));
        }
    }
    all
}

pub(super) fn schemas(out: Option<&Path>) -> anyhow::Result<ExitCode> {
    match out {
        None => {
            let mut out = Out::new();
            let written = writeln!(out, "{:#}", keys::schema()).map(|()| ExitCode::Ok).map_err(Into::into);
            out.end(written)
        }
        Some(directory) => {
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
            for (name, schema) in all() {
                let path = directory.join(&name);
                fs::write(&path, format!("{schema:#}\n"))
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
            Ok(ExitCode::Ok)
        }
    }
}

fn titled(mut schema: Value, title: &str) -> Value {
    schema["title"] = title.into();
    schema
}

/// A request of a service: a record, or an array of them.
fn requests(service: ServiceName, request: &crate::model::Request) -> Value {
    let keys: serde_json::Map<String, Value> =
        request.keys.iter().map(|(key, _)| ((*key).to_owned(), json!({"type": ["string", "null"]}))).collect();
    let record = json!({"type": "object", "properties": keys, "additionalProperties": false});
    let array = json!({"type": "array", "items": {"$ref": "#/$defs/record"}});
    let ways = if request.arrays { vec![json!({"$ref": "#/$defs/record"}), array] } else { vec![record.clone()] };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("{service}: a request"),
        "description": "A line of a jsonl file between its control records, or an element of a json file. What its values \
                        must be is the record's own matter: one that is wrong is rejected, not its file.",
        "$defs": {"record": record},
        "oneOf": ways,
    })
}

/// The first and the last line of a jsonl file.
fn control_records() -> Value {
    let text = || json!({"type": "string"});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The control records of a jsonl file",
        "oneOf": [
            {
                "type": "object",
                "properties": {"header": {
                    "type": "object",
                    "properties": {
                        "version": {"const": 1},
                        "issuer": {"type": "string", "pattern": "^[A-Z0-9_]{1,16}$"},
                        "service": {"enum": ServiceName::ALL.map(ServiceName::as_str)},
                        "batchId": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,48}$"},
                        "sequence": {"type": ["integer", "null"], "minimum": 0},
                        "created": {"type": "string", "format": "date-time"},
                        "environment": {"enum": ["TEST", "PROD"]},
                    },
                    "required": ["version", "issuer", "service", "batchId", "created", "environment"],
                    "additionalProperties": false,
                }},
                "required": ["header"],
                "additionalProperties": false,
            },
            {
                "type": "object",
                "properties": {"trailer": {
                    "type": "object",
                    "properties": {
                        "records": {"type": "integer", "minimum": 0},
                        "sha256": {"anyOf": [text(), {"type": "null"}], "description": "64 hex digits, or nothing"},
                    },
                    "required": ["records"],
                    "additionalProperties": false,
                }},
                "required": ["trailer"],
                "additionalProperties": false,
            },
        ],
    })
}
