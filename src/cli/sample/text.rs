//! Records of a sample as a text: CSV, or requests as the service's API takes them.

use std::io::Write;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::model::{Columns, hex};
use crate::parse::Format;

use super::plan::Plan;

/// Records of one JSON request.
const REQUEST_RECORDS: usize = 100;

/// What stands in the control records.
pub(in crate::cli) struct Head<'a> {
    pub(in crate::cli) issuer: &'a str,
    pub(in crate::cli) service: &'a str,
    pub(in crate::cli) batch: &'a str,
    pub(in crate::cli) sequence: u64,
    pub(in crate::cli) created: &'a str,
    pub(in crate::cli) environment: &'a str,
    pub(in crate::cli) delimiter: char,
}

pub(in crate::cli) fn write(
    format: Format,
    head: &Head<'_>,
    columns: &Columns,
    plan: &Plan,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut out = Hashing { out, sha: Sha256::new() };
    let Head { issuer, service, batch, sequence, created, environment, delimiter } = head;
    match format {
        Format::Jsonl => {
            let header = json!({"header": {
                "version": 1, "issuer": issuer, "service": service, "batchId": batch, "sequence": sequence,
                "created": created, "environment": environment,
            }});
            writeln!(out, "{header}")?;
            requests(columns, plan, &mut out, b"", b"\n", b"")?;
            let digest = hex(&out.sha.clone().finalize());
            writeln!(out, "{}", json!({"trailer": {"records": plan.records, "sha256": digest}}))?;
        }
        Format::Json => requests(columns, plan, &mut out, b"[\n", b",\n", b"\n]\n")?,
        _ => {
            let between = delimiter.to_string();
            let sequence = sequence.to_string();
            let header = ["HDR", "1", issuer, service, batch, &sequence, created, environment];
            writeln!(out, "{}", header.join(&between))?;
            writeln!(out, "{}", columns.names.join(&between))?;
            for cells in plan.records() {
                writeln!(out, "{}", cells.join(&between))?;
            }
            let digest = hex(&out.sha.clone().finalize());
            writeln!(out, "TRL{delimiter}{}{delimiter}{digest}", plan.records)?;
        }
    }
    Ok(())
}

fn requests(
    columns: &Columns,
    plan: &Plan,
    out: &mut impl Write,
    begin: &[u8],
    between: &[u8],
    end: &[u8],
) -> anyhow::Result<()> {
    let Some(request) = columns.request else { return Ok(()) };
    let object = |keys: &[(&str, usize)], cells: &[String]| -> Map<String, Value> {
        let given = keys.iter().filter(|(_, column)| !cells[*column].is_empty());
        given.map(|(key, column)| ((*key).to_owned(), Value::from(cells[*column].as_str()))).collect()
    };
    out.write_all(begin)?;
    let mut records = plan.records().peekable();
    while let Some(first) = records.next() {
        let request = match request.body {
            None if request.arrays => {
                let mut cards = vec![Value::from(object(request.keys, &first))];
                while cards.len() < REQUEST_RECORDS
                    && let Some(next) = records.next()
                {
                    cards.push(object(request.keys, &next).into());
                }
                Value::from(cards)
            }
            None => object(request.keys, &first).into(),
            Some(body) => {
                // What stands around the records, and as many records as have the same there.
                let around = |cells: &[String]| object(body.keys, cells);
                let mut whole = Map::new();
                for (key, value) in around(&first) {
                    match key.split_once('.') {
                        None => _ = whole.insert(key, value),
                        Some((outer, inner)) => {
                            let outer = whole.entry(outer).or_insert_with(|| json!({}));
                            outer[inner] = value;
                        }
                    }
                }
                let mut inner = vec![object(request.keys, &first)];
                while inner.len() < REQUEST_RECORDS
                    && let Some(next) = records.next_if(|next| around(next) == around(&first))
                {
                    inner.push(object(request.keys, &next));
                }
                inner.retain(|record| !record.is_empty());
                if !inner.is_empty() {
                    whole.insert(body.records.0.to_owned(), json!({ body.records.1: inner }));
                }
                whole.into()
            }
        };
        write!(out, "{request}")?;
        // Lines end each request; one text has something between two of them.
        if end.is_empty() || records.peek().is_some() {
            out.write_all(between)?;
        }
    }
    Ok(out.write_all(end)?)
}

struct Hashing<'a, W> {
    out: &'a mut W,
    sha: Sha256,
}

impl<W: Write> Write for Hashing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.sha.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
