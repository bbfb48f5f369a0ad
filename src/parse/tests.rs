//! Whole small files through both passes.

mod classes;
mod cutting;
mod properties;
mod requests;

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::model::{Code, Columns, Environment, Limits, Refusal, ServiceName};
use crate::parse::Format;

use super::{Controls, Cutter, Layout, Options, ParseError, Proven, RawChunk, Survey};

const HDR: &str = "HDR,1,ACME,payment-cards,20261120,1,2026-11-20T01:30:00Z,TEST\n";
const COLS: &str = "record_ref,pan,card_base_currency\n";

static COLUMNS: Columns = Columns {
    names: &["record_ref", "action", "pan", "card_base_currency", "payment_card_id"],
    missing: |present| [0, 2].into_iter().find(|&at| !present[at]),
    request: None,
    runs: None,
};

fn options(controls: Controls) -> Options {
    Options {
        limits: Limits { line_bytes_max: 200, file_records_max: 20, ..Limits::default() },
        delimiter: b',',
        controls,
        format: Some(Format::Csv),
        columns: &COLUMNS,
        issuer: "ACME".to_owned(),
        service: ServiceName::PaymentCards,
        environment: Environment::Test,
        unseal: None,
        d1: None,
    }
}

fn required() -> Options {
    options(Controls::Required)
}

fn optional() -> Options {
    options(Controls::Optional)
}

/// Header, column line, records and a trailer that is right.
fn whole(records: &str) -> String {
    with_trailer(&format!("{HDR}{COLS}{records}"), records.lines().count())
}

fn with_trailer(before: &str, count: usize) -> String {
    format!("{before}TRL,{count},{}\n", hex(before.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Pieces of these sizes, over and over; an empty piece now and then must do no harm.
fn pieces<'a>(text: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = text;
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let size = *sizes.next()?;
        let (piece, after) = rest.split_at(size.min(rest.len()));
        let is_end = rest.is_empty();
        rest = after;
        (!is_end).then_some(piece)
    })
}

fn survey(text: impl AsRef<[u8]>, options: Options) -> Result<Proven, Refusal> {
    survey_in_pieces(text.as_ref(), options, &[usize::MAX])
}

fn survey_in_pieces(text: &[u8], options: Options, sizes: &[usize]) -> Result<Proven, Refusal> {
    let mut survey = Survey::new(options);
    pieces(text, sizes).for_each(|piece| survey.push(piece));
    survey.finish()
}

fn cut(
    text: &[u8],
    layout: &Arc<Layout>,
    chunk: usize,
    first: u64,
    sizes: &[usize],
) -> Result<Vec<RawChunk>, ParseError> {
    let mut cutter = Cutter::new(layout, chunk, first, None);
    let mut ready = Vec::new();
    for piece in pieces(text, sizes) {
        cutter.push(piece, &mut ready)?;
    }
    cutter.finish(&mut ready)?;
    Ok(ready)
}

/// Ordinal, line, cells.
type Record = (u64, u64, Vec<Vec<u8>>);

fn records(chunks: &[RawChunk]) -> Vec<Record> {
    let mut records = Vec::new();
    for chunk in chunks {
        let mut visit = |ordinal, line, cells: &[&[u8]], _| {
            records.push((ordinal, line, cells.iter().map(|cell| cell.to_vec()).collect()));
        };
        chunk.for_each(&mut visit).unwrap();
    }
    records
}

/// What a refusal comes to: code, line, whether it ends early, whether it is sensitive.
fn verdict(result: Result<Proven, Refusal>) -> Result<u64, (Code, Option<u64>, bool, bool)> {
    result.map(|proven| proven.records).map_err(|it| {
        assert!(it.description.ends_with('.') && it.description.len() > 15, "{}", it.description);
        (it.code, it.line, it.ends_early, it.sensitive)
    })
}
