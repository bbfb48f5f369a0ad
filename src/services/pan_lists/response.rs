//! What the PAN List API answers, request by request: how many succeeded, which PANs failed, and the list.
//!
//! ```text
//! {"successfulCount","failureCount","panList":{..},"accountRange":{..}[,"sensitiveData":{"pans":[..]}]}
//! {"panListId","successfulCount","failureCount"[,"sensitiveData":{"pans":[..]}]}
//! {"Errors":{"Error":[..]}}
//! ```
//! `sensitiveData` holds the PANs that failed and no other; where the issuer wants it sealed by itself, `encryptedValue` stands in
//! its place. It comes last, as in the API, unless so many failed that they are not kept until the counts are known.

use std::io;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::model::{AnswerFile, Answers, Outcome, Place, RecordRow};
use crate::services::{Answering, RESPONSE, SealPart, SealedPart, Sink};
use crate::vault::IssuerKeys;

use super::errors::{self, PanError, Refused};
use super::own::Shown;
use super::{Operation, Range};

/// Bytes of failed PANs that are kept until the counts are known.
const KEPT_BYTES_MAX: usize = 256 << 10;

/// The longest failed PAN with its error.
const ENTRY_BYTES_MAX: usize = 1 << 10;

pub(super) fn answers(answering: &Answering<'_>) -> Vec<AnswerFile> {
    if !answering.requests {
        return Vec::new();
    }
    let response = Response {
        keys: Arc::clone(answering.keys),
        in_full: answering.sealed,
        seal: answering.seal_sensitive.clone(),
        open: None,
        // All there can be, so that no copy is left behind by growing.
        kept: Zeroizing::new(Vec::with_capacity(KEPT_BYTES_MAX + ENTRY_BYTES_MAX)),
    };
    vec![AnswerFile { suffix: RESPONSE, sealed: true, answers: Box::new(response) }]
}

struct Response {
    keys: Arc<IssuerKeys>,
    /// PANs stand in full, and not masked.
    in_full: bool,
    seal: Option<SealPart>,
    open: Option<Request>,
    /// Failed PANs of the request, as far as they are not written.
    kept: Zeroizing<Vec<u8>>,
}

/// The request that is being answered.
#[derive(Default)]
struct Request {
    operation: Option<Operation>,
    refused: Option<Refused>,
    successful: u64,
    failed: u64,
    list: Option<(u64, Box<str>, Range)>,
    /// Failed PANs are being written already.
    streamed: Option<Streamed>,
}

enum Streamed {
    Clear,
    Sealed(Box<dyn SealedPart>, Sink),
}

impl Answers for Response {
    fn row(&mut self, row: &RecordRow, out: &mut Vec<u8>) -> io::Result<()> {
        if row.place != Place::Next {
            self.end_request(out)?;
            self.open = Some(Request::default());
        }
        let Some(request) = &mut self.open else { return Ok(()) };
        let Shown { own, list } = Shown::of(row);
        request.operation = own.operation;
        if request.list.is_none() {
            request.list = list;
        }
        if request.refused.is_none() && errors::is_of_request(&row.failures) {
            let named = request.list.as_ref().map(|(id, ..)| *id).or(own.named);
            request.refused = Some(errors::of_request(&row.failures, own.operation, named));
        }
        if request.refused.is_some() || row.place == Place::Object {
            return Ok(());
        }
        if row.outcome != Outcome::Rejected && row.failures.is_empty() {
            request.successful += 1;
            return Ok(());
        }
        request.failed += 1;
        let pan = if self.in_full && !own.repeated.is_empty() {
            self.keys.unseal_text(&own.repeated, own.row).map_err(io::Error::other)?
        } else {
            Zeroizing::new(row.masked.to_string().into_bytes())
        };
        let pan = std::str::from_utf8(&pan).unwrap_or_default();
        if request.failed > 1 {
            self.kept.push(b',');
        }
        serde_json::to_writer(&mut *self.kept, &Failed { pan, error: errors::of_pan(row.code()) })?;
        if self.kept.len() > KEPT_BYTES_MAX {
            request.stream(&mut self.kept, self.seal.as_ref(), out)?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.end_request(out)
    }
}

impl Response {
    fn end_request(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let Some(mut request) = self.open.take() else { return Ok(()) };
        if let Some(refused) = &request.refused {
            self.kept.clear();
            serde_json::to_writer(&mut *out, refused)?;
            out.push(b'\n');
            return Ok(());
        }
        let began = request.streamed.is_some();
        if began {
            request.stream(&mut self.kept, self.seal.as_ref(), out)?;
            request.end_stream(out)?;
            out.push(b',');
        } else {
            out.push(b'{');
        }
        request.counts(out)?;
        if !began && request.failed > 0 {
            out.push(b',');
            request.begin_stream(self.seal.as_ref(), out)?;
            request.stream(&mut self.kept, self.seal.as_ref(), out)?;
            request.end_stream(out)?;
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }
}

impl Request {
    /// Everything but the failed PANs.
    fn counts(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let (successful_count, failure_count) = (self.successful.to_string(), self.failed.to_string());
        let list = self.list.as_ref();
        let part = if self.operation == Some(Operation::Deregister) {
            let pan_list_id = list.map(|(id, ..)| id.to_string());
            serde_json::to_vec(&Deregistered { pan_list_id, successful_count, failure_count, sensitive: NONE })
        } else {
            let pan_list = list.map(|(id, name, _)| PanList { pan_list_id: id.to_string(), pan_list_name: name });
            let account_range = list.map(|(_, _, range)| AccountRange {
                cid: &range.cid,
                ica: &range.ica,
                country: &range.country,
                account_range_low: &range.low,
                account_range_high: &range.high,
            });
            let sensitive = NONE;
            serde_json::to_vec(&Registered { successful_count, failure_count, pan_list, account_range, sensitive })
        };
        let part = part?;
        // Without its braces: more members may stand beside these.
        out.extend_from_slice(part.get(1..part.len().saturating_sub(1)).unwrap_or_default());
        Ok(())
    }

    /// Writes what is kept of the failed PANs.
    fn stream(&mut self, kept: &mut Vec<u8>, seal: Option<&SealPart>, out: &mut Vec<u8>) -> io::Result<()> {
        if self.streamed.is_none() {
            out.push(b'{');
            self.begin_stream(seal, out)?;
        }
        match &mut self.streamed {
            Some(Streamed::Sealed(part, sink)) => {
                part.write_all(kept)?;
                out.append(&mut sink.take());
            }
            Some(Streamed::Clear) | None => out.extend_from_slice(kept),
        }
        kept.clear();
        Ok(())
    }

    fn begin_stream(&mut self, seal: Option<&SealPart>, out: &mut Vec<u8>) -> io::Result<()> {
        self.streamed = Some(match seal {
            None => {
                out.extend_from_slice(br#""sensitiveData":{"pans":["#);
                Streamed::Clear
            }
            Some(seal) => {
                out.extend_from_slice(br#""encryptedValue":""#);
                let sink = Sink::default();
                let mut part = seal(sink.clone())?;
                part.write_all(br#"{"pans":["#)?;
                Streamed::Sealed(part, sink)
            }
        });
        Ok(())
    }

    fn end_stream(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        match self.streamed.take() {
            Some(Streamed::Sealed(mut part, sink)) => {
                part.write_all(b"]}")?;
                part.finish()?;
                out.append(&mut sink.take());
                out.push(b'"');
            }
            Some(Streamed::Clear) => out.extend_from_slice(b"]}"),
            None => {}
        }
        Ok(())
    }
}

/// The JSON Schema of an answer to a request.
pub(super) fn schema() -> serde_json::Value {
    #[derive(JsonSchema)]
    #[schemars(untagged)]
    #[expect(dead_code, reason = "a schema is made of it, and nothing else")]
    enum Answer<'a> {
        Registered(Registered<'a>),
        Deregistered(Deregistered<'a>),
        Refused(Refused),
    }
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Answer<'_>>().to_value()
}

const NONE: Sensitive<'static> = Sensitive { sensitive_data: None, encrypted_value: None };

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Registered<'a> {
    successful_count: String,
    failure_count: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pan_list: Option<PanList<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_range: Option<AccountRange<'a>>,
    #[serde(flatten)]
    sensitive: Sensitive<'a>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Deregistered<'a> {
    pan_list_id: Option<String>,
    successful_count: String,
    failure_count: String,
    #[serde(flatten)]
    sensitive: Sensitive<'a>,
}

/// The PANs that failed, in one of two forms; neither where none did.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Sensitive<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sensitive_data: Option<SensitiveData<'a>>,
    /// A compact JWE of what would be `sensitiveData`.
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted_value: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct PanList<'a> {
    pan_list_id: String,
    pan_list_name: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct AccountRange<'a> {
    cid: &'a str,
    ica: &'a str,
    country: &'a str,
    account_range_low: &'a str,
    account_range_high: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SensitiveData<'a> {
    pans: Vec<Failed<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Failed<'a> {
    pan: &'a str,
    error: PanError,
}
