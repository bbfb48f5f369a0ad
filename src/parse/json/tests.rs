//! The two forms of JSON, pass by pass, whatever the pieces they come in.

use proptest::prelude::*;

use crate::model::{Code, Columns, Environment, InRequest, Limits, Refusal, Request, ServiceName};
use crate::parse::{Controls, Cutter, Format, Options, ParseError, Proven, Survey};

use super::scan;

static REQUEST: Request = Request { keys: &[("id", 0), ("fpan", 2), ("cur", 1)], arrays: true, body: None };
static COLUMNS: Columns =
    Columns { names: &["ref", "currency", "pan"], missing: |_| None, request: Some(&REQUEST), runs: None };

const HEADER: &str = r#"{"header":{"version":1,"issuer":"ACME","service":"payment-cards","batchId":"B1","sequence":7,"created":"2026-11-20T01:30:00Z","environment":"TEST"}}"#;

fn options(format: Format, controls: Controls) -> Options {
    Options {
        limits: Limits { request_bytes_max: 400, file_records_max: 1000, ..Limits::default() },
        delimiter: b',',
        controls,
        format: Some(format),
        columns: &COLUMNS,
        issuer: "ACME".into(),
        service: ServiceName::PaymentCards,
        environment: Environment::Test,
        unseal: None,
        d1: None,
    }
}

fn survey(text: &[u8], options: Options, piece: usize) -> Result<Proven, Refusal> {
    let mut survey = Survey::new(options);
    text.chunks(piece).for_each(|part| survey.push(part));
    survey.finish()
}

/// Line, cells and place of every record.
type Seen = Vec<(u64, u64, Vec<String>, InRequest)>;

fn cut(text: &[u8], proven: &Proven, chunk: usize, first: u64, piece: usize) -> Result<Seen, ParseError> {
    let mut cutter = Cutter::new(&proven.layout, chunk, first, None);
    let mut ready = Vec::new();
    for part in text.chunks(piece) {
        cutter.push(part, &mut ready)?;
    }
    cutter.finish(&mut ready)?;
    let mut seen = Vec::new();
    for (index, raw) in (first..).zip(&ready) {
        assert_eq!((raw.index(), raw.first_ordinal()), (index, index * chunk as u64));
        assert!(raw.len() <= chunk);
        raw.for_each(&mut |ordinal, line, cells, place| {
            let cells = cells.iter().map(|cell| String::from_utf8(cell.to_vec()).unwrap()).collect();
            seen.push((ordinal, line, cells, place.unwrap()));
        })?;
    }
    Ok(seen)
}

fn whole(format: Format, text: &str) -> Result<Seen, Refusal> {
    let proven = survey(text.as_bytes(), options(format, Controls::Optional), 7)?;
    let seen = cut(text.as_bytes(), &proven, 3, 0, 5).unwrap();
    assert_eq!(seen.len() as u64, proven.records, "{text}");
    Ok(seen)
}

fn refused(format: Format, controls: Controls, text: &str) -> (Code, Option<u64>, bool, bool) {
    let refusal = survey(text.as_bytes(), options(format, controls), 11).unwrap_err();
    (refusal.code, refusal.line, refusal.ends_early, refusal.sensitive)
}

#[test]
fn lines_are_cut_into_records_with_their_places() {
    let text = format!(
        "{HEADER}\r\n{{\"id\":\"a\",\"fpan\":\"1\",\"cur\":\"EUR\"}}\n[{{\"id\":\"b\"}}, {{\"cur\":null,\"fpan\":\"\\u0032\\\"}}{{\"}}]\n[]\n{{\"trailer\":{{\"records\":4}}}}\n"
    );
    let proven = survey(text.as_bytes(), options(Format::Jsonl, Controls::Required), 3).unwrap();
    assert_eq!((proven.records, proven.layout.format()), (4, Format::Jsonl));
    assert_eq!(proven.header.as_ref().unwrap().sequence(), Some(7));
    let seen = cut(text.as_bytes(), &proven, 3, 0, 4).unwrap();
    let place = |request, n, records, is_array| InRequest { request, n, records, is_array, is_row: false };
    let cells = |all: [&str; 3]| all.map(str::to_owned).to_vec();
    assert_eq!(
        seen,
        [
            (0, 2, cells(["a", "EUR", "1"]), place(1, 1, 1, false)),
            (1, 3, cells(["b", "", ""]), place(2, 1, 2, true)),
            (2, 3, cells(["", "", "2\"}{"]), place(2, 2, 2, true)),
            (3, 4, cells(["", "", ""]), place(3, 1, 0, true)),
        ]
    );
    assert_eq!(cut(text.as_bytes(), &proven, 3, 1, 9).unwrap(), seen[3..], "a resumed file passes over what is in");
}

#[test]
fn one_text_is_a_request_or_an_array_of_them() {
    let places = |text: &str| -> Vec<(u64, u64, u64, u64)> {
        let seen = whole(Format::Json, text).unwrap();
        seen.iter().map(|(_, line, _, place)| (*line, place.request, place.n, place.records)).collect()
    };
    assert_eq!(places(r#"{"id":"a"}"#), [(1, 1, 1, 1)]);
    assert_eq!(places("\n [ {\"id\":\"a\"},\n{\"id\":\"]\"} ]\n"), [(2, 1, 1, 2), (2, 1, 2, 2)]);
    assert_eq!(
        places("[\n[{\"id\":\"a\"}],\n\n[{},{}]\n, []]"),
        [(2, 1, 1, 1), (4, 2, 1, 2), (4, 2, 2, 2), (5, 3, 1, 0)]
    );
    assert_eq!(places("[ ]"), [(1, 1, 1, 0)]);
    assert_eq!(places("[[]]"), [(1, 1, 1, 0)]);
}

#[test]
fn what_is_no_request_is_refused_at_its_line() {
    use Code::{ColumnUnknown, FormatInvalid, SadPresent, TooManyRecords, TrailerMissing};
    for (text, expected) in [
        ("[[{}],\n{}]", (FormatInvalid, Some(2), false, false)),
        ("[{},\n[]]", (FormatInvalid, Some(2), false, false)),
        ("[1]", (FormatInvalid, Some(1), false, false)),
        ("{}\n{}", (FormatInvalid, Some(2), false, false)),
        ("[[{}]\n[{}]]", (FormatInvalid, Some(2), false, false)),
        ("hello", (FormatInvalid, Some(1), false, false)),
        ("{\"id\":1}", (FormatInvalid, Some(1), false, false)),
        ("{\"id\":[\"a\"]}", (FormatInvalid, Some(1), false, false)),
        ("{\"id\":\"a\",\"id\":\"b\"}", (FormatInvalid, Some(1), false, false)),
        ("[[{\"id\":\"a\"},\n{\"name\":\"b\"}]]", (ColumnUnknown, Some(2), false, false)),
        ("{\"id\":\"a\",\n\"cvv\":\"123\"}", (SadPresent, Some(2), false, true)),
        ("{\"id\":7,\n\"card\":{\"c\\u0076v2\" :1}}", (SadPresent, Some(2), false, true)),
        ("[[{}],\n[{", (TrailerMissing, Some(2), true, false)),
        ("[", (TrailerMissing, Some(1), true, false)),
        (" \n ", (TrailerMissing, Some(2), true, false)),
        (&format!("[[{}{{}}]]", "{},".repeat(500)), (FormatInvalid, Some(1), false, false)),
        (&format!("[{}[]]", "[],".repeat(1000)), (TooManyRecords, Some(1), false, false)),
    ] {
        assert_eq!(refused(Format::Json, Controls::Optional, text), expected, "{text:.60}");
    }
}

#[test]
fn lines_are_refused_in_the_order_of_the_contract() {
    use Code::{
        ColumnUnknown, CountMismatch, DigestMismatch, FormatInvalid, HeaderMismatch, HeaderMissing, SadPresent,
        TrailerMissing, VersionUnsupported,
    };
    let trailer = |count: u64| format!("{{\"trailer\":{{\"records\":{count},\"sha256\":\"\"}}}}\n");
    let record = "{\"id\":\"a\"}\n";
    let file = |header: &str, rest: &str| format!("{header}\n{rest}");
    for (text, expected) in [
        (record.to_owned(), (HeaderMissing, Some(1), false, false)),
        ("{\"hea".to_owned(), (HeaderMissing, Some(1), true, false)),
        (file(&HEADER.replace(":1,", ":2,"), record), (VersionUnsupported, Some(1), false, false)),
        (file(&HEADER.replace("\"version\":1,", ""), record), (FormatInvalid, Some(1), false, false)),
        (file(&HEADER.replace("ACME", "OTHER"), "{\"cvv\":1}"), (HeaderMismatch, Some(1), false, true)),
        (file(&HEADER.replace("7", "\"7\""), record), (FormatInvalid, Some(1), false, false)),
        (HEADER[..40].to_owned(), (FormatInvalid, Some(1), true, false)),
        (file(HEADER, "{\"nom\":\"a\"}\n{\"pin\":\"1\"}\n"), (SadPresent, Some(3), false, true)),
        (file(HEADER, "{\"nom\":\"a\"}\n"), (ColumnUnknown, Some(2), false, false)),
        (file(HEADER, "nothing\n"), (FormatInvalid, Some(2), false, false)),
        (file(HEADER, "{\"id\":\"a"), (TrailerMissing, Some(2), true, false)),
        (file(HEADER, "{\"id\":\"a\n"), (FormatInvalid, Some(2), false, false)),
        (file(HEADER, record), (TrailerMissing, Some(2), true, false)),
        (file(HEADER, &format!("\n{record}{}", trailer(1))), (FormatInvalid, Some(2), false, false)),
        (file(HEADER, &format!("{record}{}", trailer(2))), (CountMismatch, Some(3), false, false)),
        (file(HEADER, &format!("{record}{}{record}", trailer(1))), (FormatInvalid, Some(4), false, false)),
        (
            file(HEADER, &format!("{record}{{\"trailer\":{{\"records\":1,\"sha256\":\"{}\"}}}}", "0".repeat(64))),
            (DigestMismatch, Some(3), false, false),
        ),
        (
            file(HEADER, &format!("{record}{{\"trailer\":{{\"records\":\"1\"}}}}\n")),
            (FormatInvalid, Some(3), false, false),
        ),
    ] {
        assert_eq!(refused(Format::Jsonl, Controls::Required, &text), expected, "{text}");
    }
    let nil = survey(file(HEADER, &trailer(0)).as_bytes(), options(Format::Jsonl, Controls::Required), 9).unwrap();
    assert_eq!(nil.records, 0);
}

#[test]
fn what_must_not_be_sent_is_seen_in_a_text_of_the_wrong_format() {
    let records = "{\"id\":\"a\"}\n".repeat(9);
    let json = format!("{HEADER}\n{records}{{\"cvv\":\"1\"}}\n");
    let utf16: Vec<u8> = json.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let said = |format, text: &[u8]| {
        let refusal = survey(text, options(format, Controls::Required), 13).unwrap_err();
        (refusal.code, refusal.sensitive)
    };
    assert_eq!(said(Format::Csv, json.as_bytes()), (Code::HeaderMissing, true));
    assert_eq!(said(Format::Csv, &utf16), (Code::EncodingInvalid, true));
    assert_eq!(said(Format::Jsonl, &utf16), (Code::EncodingInvalid, true));
    let csv = b"HDR,1,ACME,payment-cards,B1,7,2026-11-20T01:30:00Z,TEST\nrecord_ref,pan,cvv\nr-1,1,123\n";
    assert_eq!(said(Format::Jsonl, csv), (Code::HeaderMissing, true));
    // Values are not names.
    let honest = format!("{HEADER}\n{{\"id\":\"cvv\"}}\n");
    assert_eq!(said(Format::Jsonl, honest.as_bytes()), (Code::TrailerMissing, false));
    let apart = format!("{HEADER}\n{{\"x\":1,\"cvv\"\n:\"1\"}}\n");
    assert_eq!(said(Format::Jsonl, apart.as_bytes()), (Code::SadPresent, true));
}

#[test]
fn an_oversized_record_is_kept_cut_short_and_its_neighbours_whole() {
    let mut options = options(Format::Jsonl, Controls::Optional);
    options.limits.request_bytes_max = 1 << 20;
    let long = "\u{1}é\"".repeat(40_000);
    let records = [
        serde_json::json!({"id": "a", "fpan": "1", "cur": "EUR"}),
        serde_json::json!({"fpan": long, "id": "b", "cur": null}),
        serde_json::json!([{"id": "c"}, {"id": long, "fpan": "2"}, {"id": "d"}]),
    ];
    let text: String = records.iter().map(|it| format!("{it}\n")).collect();
    let proven = survey(text.as_bytes(), options, 4096).unwrap();
    let seen = cut(text.as_bytes(), &proven, 2, 0, 4096).unwrap();
    let short: Vec<[&str; 3]> = seen
        .iter()
        .map(|(_, _, cells, _)| [cells[0].as_str(), &cells[1], &cells[2]].map(|it| &it[..it.len().min(1)]))
        .collect();
    assert_eq!(short, [["a", "E", "1"], ["b", "", "\u{1}"], ["c", "", ""], ["\u{1}", "", "2"], ["d", "", ""]]);
    for cell in [&seen[1].2[2], &seen[3].2[0]] {
        assert!(long.starts_with(cell.as_str()) && cell.len() > 16_000 && cell.len() <= 16_384, "{}", cell.len());
    }
    let places: Vec<_> =
        seen.iter().map(|(_, line, _, it)| (*line, it.request, it.n, it.records, it.is_array)).collect();
    assert_eq!(
        places,
        [(1, 1, 1, 1, false), (2, 2, 1, 1, false), (3, 3, 1, 3, true), (3, 3, 2, 3, true), (3, 3, 3, 3, true)]
    );
}

#[test]
fn the_same_requests_under_another_header_have_the_same_content() {
    let digest =
        |text: String| survey(text.as_bytes(), options(Format::Jsonl, Controls::Required), 64).unwrap().content_digest;
    let file = |header: &str, id: &str| format!("{header}\n{{\"id\":\"{id}\"}}\n{{\"trailer\":{{\"records\":1}}}}\n");
    assert_eq!(digest(file(HEADER, "a")), digest(file(&HEADER.replace("B1", "B2"), "a")));
    assert_ne!(digest(file(HEADER, "a")), digest(file(HEADER, "b")));
}

#[test]
fn a_name_or_a_first_byte_says_the_format() {
    let by_name = |name, controls| Format::of_name(name, controls);
    assert_eq!(by_name("A.csv.jwe", Controls::Required), Some(Format::Csv));
    assert_eq!(by_name("A.jsonl.pgp", Controls::Optional), Some(Format::Jsonl));
    assert_eq!(by_name("A.json", Controls::Optional), Some(Format::Json));
    assert_eq!(by_name("A.json.jwe", Controls::Required), Some(Format::Jsonl));
    assert_eq!(by_name("A.jwe", Controls::Required), None);
    let by_first = |text: &[u8], controls| Format::of_first(text, controls);
    assert_eq!(by_first(b"HDR,", Controls::Required), Format::Csv);
    assert_eq!(by_first(b" {\"h", Controls::Required), Format::Jsonl);
    assert_eq!(by_first(b"[[{", Controls::Optional), Format::Json);
    assert_eq!(by_first(b"", Controls::Optional), Format::Csv);
}

fn request() -> impl Strategy<Value = serde_json::Value> {
    let text = "[a-c\"\\\\{}\\[\\],:é\u{1}]{0,6}";
    let record = (text, proptest::option::of(text)).prop_map(|(id, pan)| serde_json::json!({ "id": id, "fpan": pan }));
    prop_oneof![record.clone(), prop::collection::vec(record, 0..5).prop_map(serde_json::Value::Array)]
}

proptest! {
    /// The library writes the text, ours cuts it: what comes out is what went in, whatever the pieces.
    #[test]
    fn every_value_arrives(requests in prop::collection::vec(request(), 1..8), chunk in 1_usize..5, piece in 1_usize..40, pretty: bool) {
        let arrays: Vec<_> = requests.iter().map(|it| if it.is_array() { it.clone() } else { serde_json::json!([it]) }).collect();
        let lines: String = requests.iter().map(|it| format!("{it}\n")).collect();
        let whole = serde_json::Value::Array(arrays.clone());
        let whole = if pretty { serde_json::to_string_pretty(&whole).unwrap() } else { whole.to_string() };
        let values = |requests: &[serde_json::Value]| -> Vec<[String; 2]> {
            requests.iter().flat_map(|request| {
                let records = match request { serde_json::Value::Array(all) => all.clone(), one => vec![one.clone()] };
                let records = if records.is_empty() { vec![serde_json::json!({})] } else { records };
                records.into_iter().map(|it| [it["id"].as_str().unwrap_or("").to_owned(), it["fpan"].as_str().unwrap_or("").to_owned()])
            }).collect()
        };
        for (format, text, requests) in [(Format::Jsonl, &lines, &requests), (Format::Json, &whole, &arrays)] {
            let proven = survey(text.as_bytes(), options(format, Controls::Optional), piece).unwrap();
            let seen = cut(text.as_bytes(), &proven, chunk, 0, piece).unwrap();
            let found: Vec<[String; 2]> = seen.iter().map(|(_, _, cells, _)| [cells[0].clone(), cells[2].clone()]).collect();
            prop_assert_eq!(found, values(requests));
        }
    }

    /// Whatever the bytes, no pass panics, and what pass 1 proves pass 2 finds.
    #[test]
    fn nothing_panics(text in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), Just(b','), Just(b':'), Just(b'\n'), Just(b'i'), any::<u8>()], 0..60), piece in 1_usize..9) {
        for format in [Format::Jsonl, Format::Json] {
            for controls in [Controls::Required, Controls::Optional] {
                let whole = survey(&text, options(format, controls), text.len().max(1));
                let pieces = survey(&text, options(format, controls), piece);
                prop_assert_eq!(whole.as_ref().err().map(|it| (it.code, it.line)), pieces.as_ref().err().map(|it| (it.code, it.line)));
                if let Ok(proven) = pieces {
                    let seen = cut(&text, &proven, 2, 0, piece).unwrap();
                    prop_assert_eq!(seen.len() as u64, proven.records);
                }
            }
        }
    }

    /// Strings and records are found where the library's own writer puts them.
    #[test]
    fn the_scan_finds_strings(text in "[a-z\"\\\\{}]{0,8}") {
        let line = serde_json::json!({ "id": text }).to_string();
        let strings = scan::strings(line.as_bytes());
        prop_assert_eq!(strings.len(), 2);
        let value: String = serde_json::from_str(&line[strings[1].clone()]).unwrap();
        prop_assert_eq!(value, text);
        prop_assert_eq!(scan::records(line.as_bytes()).collect::<Vec<_>>(), vec![0..line.len()]);
    }
}
