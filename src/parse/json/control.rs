//! Control records as lines: `{"header":{...}}` first, `{"trailer":{...}}` last.

use serde::Deserialize;

use crate::model::{Code, Header, Refusal};
use crate::parse::Options;
use crate::parse::control::{self, HeaderCells, Trailer};

/// What a line says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Header,
    Trailer,
    Request,
}

/// Looks at the first key alone.
pub(super) fn kind(line: &[u8]) -> Kind {
    let rest = line.trim_ascii_start();
    let key = rest.strip_prefix(b"{").map(<[u8]>::trim_ascii_start).unwrap_or_default();
    if key.starts_with(b"\"header\"") {
        Kind::Header
    } else if key.starts_with(b"\"trailer\"") {
        Kind::Trailer
    } else {
        Kind::Request
    }
}

/// Whether a line that stops here could have become a header.
pub(super) fn may_become_header(line: &[u8]) -> bool {
    let squeezed: Vec<u8> = line.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    b"{\"header\"".starts_with(&squeezed)
}

#[derive(Deserialize)]
struct AnyVersion {
    header: Version,
}

#[derive(Deserialize)]
struct Version {
    version: Option<serde_json::Number>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine<'a> {
    #[serde(borrow)]
    header: HeaderMembers<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct HeaderMembers<'a> {
    version: u64,
    issuer: std::borrow::Cow<'a, str>,
    service: std::borrow::Cow<'a, str>,
    batch_id: std::borrow::Cow<'a, str>,
    sequence: Option<u64>,
    created: std::borrow::Cow<'a, str>,
    environment: std::borrow::Cow<'a, str>,
}

/// Reads a header line and checks it against its feed. A line that is cut is told from one that is wrong by `is_eof`.
pub(super) fn header(line: &[u8], options: &Options) -> Result<Header, (Refusal, bool)> {
    // Of another version nothing more can be said than that.
    if let Ok(AnyVersion { header: Version { version: Some(version), .. } }) = serde_json::from_slice(line) {
        control::check_version(version.to_string().as_bytes()).map_err(|refusal| (refusal, false))?;
    }
    let members = match serde_json::from_slice::<HeaderLine<'_>>(line) {
        Ok(HeaderLine { header }) => header,
        Err(error) => {
            let what = "The header is malformed; expected is {\"header\":{\"version\":1,\"issuer\",\"service\",\"batchId\",\
                        \"sequence\",\"created\",\"environment\"}} with numbers for version and sequence and strings for the rest.";
            return Err((Refusal::new(Code::FormatInvalid, what), error.is_eof()));
        }
    };
    let version = members.version.to_string();
    let sequence = members.sequence.map_or(String::new(), |sequence| sequence.to_string());
    let cells = HeaderCells {
        version: version.as_bytes(),
        issuer: members.issuer.as_bytes(),
        service: members.service.as_bytes(),
        batch_id: members.batch_id.as_bytes(),
        sequence: sequence.as_bytes(),
        created: members.created.as_bytes(),
        environment: members.environment.as_bytes(),
    };
    control::header(cells, options).map_err(|refusal| (refusal, false))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrailerLine<'a> {
    #[serde(borrow)]
    trailer: TrailerMembers<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrailerMembers<'a> {
    records: u64,
    #[serde(borrow, default)]
    sha256: Option<std::borrow::Cow<'a, str>>,
}

/// Reads a trailer line.
pub(super) fn trailer(line: &[u8], number: u64) -> Result<Trailer, (Refusal, bool)> {
    let malformed = |what, cut| Err((Refusal::new(Code::FormatInvalid, what), cut));
    let TrailerMembers { records, sha256 } = match serde_json::from_slice::<TrailerLine<'_>>(line) {
        Ok(TrailerLine { trailer }) => trailer,
        Err(error) => {
            let what =
                "The trailer is malformed; expected is {\"trailer\":{\"records\":N,\"sha256\":\"64 hex digits\"}}.";
            return malformed(what, error.is_eof());
        }
    };
    let digest = match sha256.as_deref().filter(|digest| !digest.is_empty()) {
        None => None,
        Some(text) => match control::digest(text.as_bytes()) {
            Some(digest) => Some(digest),
            None => {
                return malformed("The trailer's digest is malformed; expected are 64 hex digits or nothing.", false);
            }
        },
    };
    // A line of JSON has an end of its own: nothing more of it can come.
    Ok(Trailer { line: number, records, digest, open: false })
}
