//! Where a dry run's chunks end: decided as the ledger would decide them, shown, and forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::ledger::{Group, Ledger, LedgerError};
use crate::model::{Code, FileNo, Outcome, RecordRow, Tally, View};
use crate::parse::{Format, Layout, Spans};
use crate::register::{Destination, Stop};
use crate::services::{Memory, PreparedChunk, Register};
use crate::vault::IdMaker;

use super::excerpt::{Excerpt, Lines};
use super::{CannotForesee, Finding, Findings};

pub(super) struct Pretended<'a> {
    ledger: Option<Arc<dyn Ledger>>,
    file: FileNo,
    issuer: &'a str,
    view: View,
    layout: Arc<Layout>,
    stop: Stop,
    state: Mutex<State<'a>>,
}

/// What the groups so far have come to.
struct State<'a> {
    memory: Memory,
    chunks: u64,
    tally: Tally,
    codes: BTreeMap<Code, u64>,
    /// The line of the last row, and how many rows of the same line came before it.
    nth: (u64, usize),
    lines: Lines,
    findings: &'a mut dyn Findings,
    failed: Option<String>,
}

impl<'a> Pretended<'a> {
    pub(super) fn new(
        ledger: Option<Arc<dyn Ledger>>,
        (file, issuer, ids): (FileNo, &'a str, IdMaker),
        (view, layout): (View, Arc<Layout>),
        (lines, findings): (Lines, &'a mut dyn Findings),
        stop: Stop,
    ) -> Self {
        let state = State {
            memory: Memory::new(view.service, file, ids),
            chunks: 0,
            tally: Tally::default(),
            codes: BTreeMap::new(),
            nth: (0, 0),
            lines,
            findings,
            failed: None,
        };
        Self { ledger, file, issuer, view, layout, stop, state: Mutex::new(state) }
    }

    /// The tally, once all chunks have come.
    pub(super) fn finish(self) -> Result<(Tally, BTreeMap<Code, u64>), CannotForesee> {
        let State { tally, codes, failed, .. } = self.state.into_inner();
        failed.map_or(Ok((tally, codes)), |why| Err(CannotForesee(why)))
    }

    /// Decides what depends on the register.
    async fn decide(&self, memory: &mut Memory, chunks: &mut [PreparedChunk]) -> Result<(), LedgerError> {
        let register = match &self.ledger {
            Some(ledger) => ledger.touched(self.file, self.issuer, chunks).await?,
            None => None,
        };
        if let Some(register) = register.or_else(|| Register::empty(chunks)) {
            memory.decide(register, chunks);
        }
        Ok(())
    }

    fn show(&self, state: &mut State<'a>, row: &RecordRow) -> std::io::Result<()> {
        let names = self.view.field_names;
        let text = state.lines.at(row.line);
        let spans = text.and_then(|text| Some((text, self.layout.spans_of(text, state.nth.1)?)));
        let spans = spans.filter(|(text, spans)| is_it(text, spans, row, self.layout.format()));
        for failure in &row.failures {
            let excerpt =
                spans.as_ref().map(|(text, spans)| Excerpt::of_record(text, spans, names, row, failure.field));
            state.findings.found(&Finding::of_record(row, *failure, self.view, excerpt))?;
        }
        Ok(())
    }
}

/// Whether this is the record of that row: an array without a card is a record that does not lie in the text, so that others
/// of its line may not be where they are counted.
fn is_it(text: &[u8], spans: &Spans, row: &RecordRow, format: Format) -> bool {
    // Every service's first column is the reference.
    let reference =
        spans.cells.iter().find(|(column, _)| *column == 0).map_or(&b""[..], |(_, cell)| &text[cell.clone()]);
    let reference = reference.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")).unwrap_or(reference);
    match &*row.record_ref {
        "" => format != Format::Json,
        shown => shown.as_bytes() == reference || reference.is_empty(),
    }
}

#[async_trait]
impl Destination for Pretended<'_> {
    async fn commit(&self, group: Group<'_>) -> Result<(), LedgerError> {
        let mut state = self.state.lock().await;
        if state.failed.is_some() {
            return Ok(());
        }
        if let Err(error) = self.decide(&mut state.memory, group.chunks).await {
            state.failed = Some(format!("store: {}", super::chain(&error)));
            return Err(error);
        }
        for row in group.chunks.iter().flat_map(|chunk| &chunk.rows) {
            state.nth = if state.nth.0 == row.line { (row.line, state.nth.1 + 1) } else { (row.line, 0) };
            state.tally.count(row.outcome);
            if let Some(code) = row.code() {
                *state.codes.entry(code).or_default() += 1;
            }
            // What is registered already is counted, not found fault with: no report lists it as an error either.
            if row.outcome == Outcome::Rejected
                && let Err(error) = self.show(&mut state, row)
            {
                state.failed = Some(error.to_string());
                self.stop.say();
                return Ok(());
            }
        }
        state.chunks += group.chunks.len() as u64;
        Ok(())
    }

    async fn chunks(&self, _no: FileNo) -> Result<u64, LedgerError> {
        Ok(self.state.lock().await.chunks)
    }
}
