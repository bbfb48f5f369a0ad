//! Findings for programs: one object, written as it comes, so that a file of any size can be checked.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Stdout, Write as _};

use serde::Serialize;

use crate::model::{Code, Decision, Tally};
use crate::pipeline::{Finding, Findings, Foreseen, Level};

use super::{Said, Shown};

pub(super) struct Json<'a> {
    out: BufWriter<Stdout>,
    file: &'a str,
    any: bool,
}

impl<'a> Json<'a> {
    pub(super) fn begin(mut out: BufWriter<Stdout>, file: &'a str) -> io::Result<Self> {
        write!(out, "{{\n  \"findings\": [")?;
        Ok(Self { out, file, any: false })
    }
}

/// One finding. What does not apply is null.
#[derive(Serialize)]
struct Found<'a> {
    file: &'a str,
    line: Option<u64>,
    column: Option<usize>,
    record_ref: Option<&'a str>,
    field: Option<&'a str>,
    code: Option<Code>,
    recoverable: bool,
    pan_masked: Option<String>,
    owner: &'a str,
    level: &'static str,
    description: &'a str,
    remedy: &'a str,
}

/// The file as a whole. What does not apply is null.
#[derive(Serialize)]
struct Whole<'a> {
    file: &'a str,
    issuer: &'a str,
    feed: Option<&'a str>,
    service: Option<&'a str>,
    offline: bool,
    exit: u8,
    status: Option<Decision>,
    code: Option<Code>,
    line: Option<u64>,
    description: Option<&'a str>,
    envelope: Option<&'a str>,
    key_id: Option<&'a str>,
    batch_id: Option<&'a str>,
    sequence: Option<u64>,
    next_sequence: Option<u64>,
    duplicate_of: Option<&'a str>,
    records: Option<u64>,
    outcomes: Tally,
    codes: &'a BTreeMap<Code, u64>,
}

impl Findings for Json<'_> {
    fn found(&mut self, finding: &Finding) -> io::Result<()> {
        let masked = finding.masked.to_string();
        let found = Found {
            file: self.file,
            line: finding.line,
            column: finding.excerpt.as_ref().map(|excerpt| excerpt.column()),
            record_ref: Some(&*finding.record_ref).filter(|it| !it.is_empty()),
            field: finding.field,
            code: finding.code,
            recoverable: finding.recoverable,
            pan_masked: Some(masked).filter(|it| !it.is_empty()),
            owner: finding.owner,
            level: match finding.level {
                Level::Error => "error",
                Level::Note => "note",
            },
            description: &finding.description,
            remedy: finding.remedy,
        };
        let comma = if std::mem::replace(&mut self.any, true) { "," } else { "" };
        write!(self.out, "{comma}\n    {}", serde_json::to_string(&found)?)
    }
}

impl Shown for Json<'_> {
    fn ended(&mut self, foreseen: &Foreseen, said: &Said<'_>) -> io::Result<()> {
        let refusal = foreseen.refusal.as_ref();
        let header = foreseen.header.as_ref();
        let whole = Whole {
            file: said.file,
            issuer: said.issuer,
            feed: said.feed,
            service: said.service,
            offline: said.offline,
            exit: said.exit as u8,
            status: foreseen.decision,
            code: refusal.map(|refusal| refusal.code),
            line: refusal.and_then(|refusal| refusal.line),
            description: refusal.map(|refusal| refusal.description.as_str()),
            envelope: foreseen.envelope.map(|envelope| envelope.as_str()),
            key_id: foreseen.key_id.as_deref(),
            batch_id: header.map(|header| header.batch_id.as_str()),
            sequence: header.and_then(crate::model::Header::sequence),
            next_sequence: foreseen.next_sequence,
            duplicate_of: foreseen.duplicate_of.as_deref(),
            records: foreseen.records,
            outcomes: foreseen.tally,
            codes: &foreseen.codes,
        };
        // The object has begun already: what is left of it follows its first brace.
        let rest = serde_json::to_string_pretty(&whole)?;
        let rest = rest.strip_prefix('{').unwrap_or(&rest);
        let end = if self.any { "\n  " } else { "" };
        writeln!(self.out, "{end}],{rest}")?;
        self.out.flush()
    }
}
