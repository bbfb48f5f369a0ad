//! What must hold for any bytes whatever, a function each. They take bytes and panic where something does not hold, so that a
//! fuzzer can call them as they are.

#[path = "sealed.rs"]
pub(crate) mod sealed;

use std::path::Path;
use std::sync::Arc;

use nightdrop::config::Config;
use nightdrop::intake::{compare_names, is_arrival_name, marker_of, why_never};
use nightdrop::model::{Environment, Limits, ServiceName, Unseal};
use nightdrop::parse::{Batch, Controls, Cutter, Format, Layout, Options, Proven, RawChunk, Survey};
use nightdrop::services::definition;
use nightdrop::services::reference::{AccountRanges, CardProducts};
use zeroize::Zeroizing;

/// A target's name, which is that of its folder in the corpus, and the target.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const TARGETS: [Target; 9] = [
    ("csv", csv),
    ("json_lines", json_lines),
    ("json", json),
    ("d1_batch", d1_batch),
    ("names", names),
    ("configuration", configuration),
    ("reference", reference),
    ("jwe", sealed::jwe),
    ("mastercard", sealed::mastercard),
];

/// A record as pass 2 shows it: ordinal, line, cells.
type Shown = (u64, u64, Vec<Vec<u8>>);

/// A CSV file of any service; see [`text`].
pub(crate) fn csv(data: &[u8]) {
    text(Format::Csv, data);
}

/// JSON Lines of any service, records and requests.
pub(crate) fn json_lines(data: &[u8]) {
    text(Format::Jsonl, data);
}

/// One request, or an array of them.
pub(crate) fn json(data: &[u8]) {
    text(Format::Json, data);
}

/// A batch of cards.
pub(crate) fn d1_batch(data: &[u8]) {
    text(Format::D1Batch, data);
}

/// A text for any service. Its first four bytes say which service, whether control records are required, how large the pieces
/// are that it is read in, and how many records a chunk has.
///
/// The answer of pass 1 does not depend on the pieces; it says no long number of the text; and what it proves, pass 2 gives:
/// so many records, the same ones, whatever the pieces and the chunks.
fn text(format: Format, data: &[u8]) {
    let Some((&[service, controls, piece, chunk], text)) = data.split_first_chunk::<4>() else { return };
    let service = ServiceName::ALL[usize::from(service) % ServiceName::ALL.len()];
    let (piece, chunk) = (usize::from(piece % 64) + 1, usize::from(chunk % 8) + 1);
    let options = options(service, format, controls);
    let unseal = options.unseal.clone();
    let at_once = survey(text, &options, usize::MAX);
    assert_eq!(survey(text, &options, piece), at_once, "pieces of {piece} bytes");
    match at_once {
        Err(refusal) => expect_no_number(&refusal.description, text),
        Ok(proven) => {
            let shown = cut(text, &proven.layout, 100, usize::MAX, unseal.clone());
            assert_eq!(shown.len() as u64, proven.records, "records proven and records given");
            assert!((0..).zip(&shown).all(|(at, record)| record.0 == at), "ordinals");
            let again = cut(text, &proven.layout, chunk, piece, unseal);
            assert!(again == shown, "chunks of {chunk} and pieces of {piece} show other records");
        }
    }
}

fn options(service: ServiceName, format: Format, controls: u8) -> Options {
    let definition = definition(service).expect("every service is built");
    // Opens what begins as no JWE does, so that what is within can be reached.
    let unseal: Unseal = Arc::new(|sealed| sealed.strip_prefix(b"J").map(|bytes| Zeroizing::new(bytes.to_vec())));
    Options {
        limits: Limits { line_bytes_max: 1000, file_records_max: 50, request_bytes_max: 4000, ..Limits::default() },
        delimiter: b',',
        controls: if controls & 4 == 0 { Controls::Required } else { Controls::Optional },
        format: Some(format),
        columns: definition.columns,
        issuer: "ACME".to_owned(),
        service,
        environment: Environment::Test,
        unseal: definition.sealed_parts.then_some(unseal),
        d1: Some(Batch { issuer_id: "ACME_1".to_owned(), name: "ACME_1-N-1-007-1764000000.json".to_owned() }),
    }
}

fn survey(text: &[u8], options: &Options, piece: usize) -> Result<Proven, nightdrop::model::Refusal> {
    let mut survey = Survey::new(options.clone());
    text.chunks(piece).for_each(|piece| survey.push(piece));
    survey.finish()
}

fn cut(text: &[u8], layout: &Arc<Layout>, chunk: usize, piece: usize, unseal: Option<Unseal>) -> Vec<Shown> {
    let mut cutter = Cutter::new(layout, chunk, 0, unseal);
    let mut ready = Vec::new();
    text.chunks(piece).for_each(|piece| cutter.push(piece, &mut ready).expect("pass 1 has proven the text"));
    cutter.finish(&mut ready).expect("pass 1 has proven the text");
    let mut shown: Vec<Shown> = Vec::new();
    for (index, raw) in (0..).zip(&ready) {
        assert_eq!((raw.index(), raw.first_ordinal()), (index, shown.len() as u64), "a chunk's place");
        let before = shown.len();
        show(raw, &mut shown);
        assert_eq!(shown.len() - before, raw.len(), "a chunk's length");
    }
    shown
}

fn show(raw: &RawChunk, shown: &mut Vec<Shown>) {
    let mut visit = |ordinal, line, cells: &[&[u8]], _| {
        shown.push((ordinal, line, cells.iter().map(|cell| cell.to_vec()).collect()));
    };
    raw.for_each(&mut visit).expect("pass 1 has proven the records");
}

/// What is said of an input repeats no eight digits of it.
pub(super) fn expect_no_number(said: &str, input: &[u8]) {
    let echoed = said
        .as_bytes()
        .windows(8)
        .any(|eight| eight.iter().all(u8::is_ascii_digit) && input.windows(8).any(|of_input| of_input == eight));
    // Not the sentence itself: it may hold a card number.
    assert!(!echoed, "a refusal's description repeats digits of the text");
}

/// The name of a directory entry: what may arrive is what the contract says, and every other name has a reason.
pub(crate) fn names(data: &[u8]) {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let name = std::str::from_utf8(data).ok();
    let taken = name.is_some_and(is_arrival_name);
    assert_eq!(why_never(data).is_none(), taken, "a name is taken, or there is a reason");
    let Some(name) = name else { return };
    if taken {
        assert!((1..=200).contains(&data.len()) && data.iter().all(legal) && !b".-".contains(&data[0]));
        assert!(!name.ends_with('~') && !name.to_ascii_lowercase().ends_with(".part"));
        assert!(!is_arrival_name(&marker_of(name)), "a marker never arrives");
    }
    let (left, right) = name.split_at((0..=name.len() / 2).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0));
    assert_eq!(compare_names(left, right), compare_names(right, left).reverse());
    assert_eq!(compare_names(left, right).is_eq(), left == right, "the order is total");
}

/// A configuration: each problem of what is TOML at all names a key, and has a sentence.
pub(crate) fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Err(problems) = Config::parse(text, Path::new("/etc/nightdrop/nightdrop.toml")) else { return };
    assert!(!problems.is_empty(), "refused without a problem");
    let is_toml = toml::from_str::<toml::Table>(text).is_ok();
    for problem in problems {
        assert!(!problem.message.is_empty(), "a problem without a word");
        assert!(!is_toml || !problem.key.is_empty(), "a problem without a key: {problem}");
        assert!(
            problem.line.is_none_or(|line| (1..=text.lines().count() + 1).contains(&line)),
            "no such line: {problem}"
        );
    }
}

/// Reference data: what is refused has mistakes, each at a line that is there; what is taken has issuers only of its own.
pub(crate) fn reference(data: &[u8]) {
    let lines = data.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64 + 1;
    let ranges = AccountRanges::parse(data).map(|it| it.issuers().map(str::to_owned).collect::<Vec<_>>());
    let products = CardProducts::parse(data).map(|it| it.issuers().map(str::to_owned).collect::<Vec<_>>());
    for parsed in [ranges, products] {
        match parsed {
            Ok(issuers) => {
                assert!(issuers.iter().all(|id| data.windows(id.len().max(1)).any(|found| found == id.as_bytes())));
            }
            Err(mistakes) => {
                assert!(!mistakes.is_empty(), "refused without a mistake");
                assert!(mistakes.iter().all(|it| (1..=lines).contains(&it.line) && !it.sentence.is_empty()));
            }
        }
    }
}
