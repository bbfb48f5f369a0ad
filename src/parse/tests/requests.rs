//! Records that are told to be requests: bodies of JSON around them, and runs of rows of CSV.

use std::sync::Arc;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::{pieces, survey_in_pieces};
use crate::model::{Body, Code, Columns, Environment, InRequest, Limits, Refusal, Request, Runs, ServiceName, Unseal};
use crate::parse::{Controls, Cutter, Format, Options, Proven};

static REQUEST: Request = Request {
    keys: &[("pan", 4)],
    arrays: false,
    body: Some(&Body {
        keys: &[("operation", 0), ("name", 1), ("range.low", 2), ("range.high", 3)],
        records: ("sensitiveData", "pans"),
        sealed: "encryptedValue",
    }),
};
static COLUMNS: Columns = Columns {
    names: &["operation", "name", "low", "high", "pan"],
    missing: |_| None,
    request: Some(&REQUEST),
    runs: Some(&Runs { same: &[0, 1, 2, 3], record: 4 }),
};

fn options(format: Format) -> Options {
    // In the place of a JWE: what follows the dash, backwards.
    let unseal: Unseal = Arc::new(|token| {
        let text = token.strip_prefix(b"token-")?;
        Some(Zeroizing::new(text.iter().rev().copied().collect()))
    });
    Options {
        limits: Limits { request_bytes_max: 4000, line_bytes_max: 200, ..Limits::default() },
        delimiter: b',',
        controls: Controls::Optional,
        format: Some(format),
        columns: &COLUMNS,
        issuer: "ACME".into(),
        service: ServiceName::PanLists,
        environment: Environment::Test,
        unseal: Some(unseal),
        d1: None,
    }
}

fn token(text: &str) -> String {
    let backwards: String = text.chars().rev().collect();
    serde_json::Value::String(format!("token-{backwards}")).to_string()
}

/// Request, number in it, records in it, line, cells joined.
type Seen = (u64, u64, u64, u64, String);

fn cut(text: &str, proven: &Proven, chunk: usize, first: u64, sizes: &[usize], options: &Options) -> Vec<Seen> {
    let mut cutter = Cutter::new(&proven.layout, chunk, first, options.unseal.clone());
    let mut ready = Vec::new();
    pieces(text.as_bytes(), sizes).for_each(|piece| cutter.push(piece, &mut ready).unwrap());
    cutter.finish(&mut ready).unwrap();
    let mut seen = Vec::new();
    for raw in &ready {
        raw.for_each(&mut |ordinal, line, cells, place| {
            assert_eq!(ordinal, first * chunk as u64 + seen.len() as u64);
            let InRequest { request, n, records, is_array, is_row } = place.unwrap();
            assert_eq!(is_row, proven.layout.format() == Format::Csv);
            assert_eq!(is_array, proven.layout.format() != Format::Csv && records > 0);
            let cells: Vec<&str> = cells.iter().map(|cell| std::str::from_utf8(cell).unwrap()).collect();
            seen.push((request, n, records, line, cells.join("|")));
        })
        .unwrap();
    }
    seen
}

fn whole(format: Format, text: &str) -> Result<Vec<Seen>, Refusal> {
    let proven = survey_in_pieces(text.as_bytes(), options(format), &[7])?;
    let seen = cut(text, &proven, 2, 0, &[5], &options(format));
    assert_eq!(seen.len() as u64, proven.records, "{text}");
    Ok(seen)
}

fn seen(rows: &[(u64, u64, u64, u64, &str)]) -> Vec<Seen> {
    rows.iter().map(|(request, n, records, line, cells)| (*request, *n, *records, *line, (*cells).to_owned())).collect()
}

#[test]
fn a_body_gives_its_keys_to_each_of_its_records() {
    let text = concat!(
        r#"{"name":"A \u0042","range":{"high":"9","low":"1"},"sensitiveData":{"pans":[{"pan":"1"},{"pan":"2"},{}]}}"#,
        "\n",
        r#"{"operation":"DEREGISTER","sensitiveData":{"pans":[]},"range":null}"#,
        "\n",
        r#"{"name":"C"}"#,
        "\n",
        r#" {"sensitiveData": {"pans": [ {"pan":"3"} ] } , "name" : "D"} "#,
        "\n"
    );
    let expected = [
        (1, 1, 3, 1, "|A B|1|9|1"),
        (1, 2, 3, 1, "|A B|1|9|2"),
        (1, 3, 3, 1, "|A B|1|9|"),
        (2, 1, 0, 2, "DEREGISTER||||"),
        (3, 1, 0, 3, "|C|||"),
        (4, 1, 1, 4, "|D|||3"),
    ];
    assert_eq!(whole(Format::Jsonl, text).unwrap(), seen(&expected));
}

#[test]
fn one_text_is_a_body_or_an_array_of_bodies() {
    let one = "{\"name\":\"A\",\n\"sensitiveData\":{\"pans\":[{\"pan\":\"1\"}]}}\n";
    assert_eq!(whole(Format::Json, one).unwrap(), seen(&[(1, 1, 1, 1, "|A|||1")]));
    let two =
        "[\n{\"name\":\"A\"},\n\n {\"name\":\"B\",\"sensitiveData\":{\"pans\":[{\"pan\":\"1\"},{\"pan\":\"2\"}]}}]";
    let expected = [(1, 1, 0, 2, "|A|||"), (2, 1, 2, 4, "|B|||1"), (2, 2, 2, 4, "|B|||2")];
    assert_eq!(whole(Format::Json, two).unwrap(), seen(&expected));
    for bad in ["[[{\"name\":\"A\"}]]", "[]", "[1]", "[{\"name\":\"A\"},[]]"] {
        assert_eq!(whole(Format::Json, bad).unwrap_err().code, Code::FormatInvalid, "{bad}");
    }
    assert_eq!(whole(Format::Jsonl, "[{\"name\":\"A\"}]\n").unwrap_err().code, Code::FormatInvalid);
}

#[test]
fn a_sealed_part_stands_in_the_place_of_the_clear_one() {
    let pans = r#"{"pans":[{"pan":"1"},{"pan":"2"}]}"#;
    let wrapped = format!(r#"{{"sensitiveData":{pans}}}"#);
    for text in [
        format!(r#"{{"name":"A","encryptedValue":{}}}"#, token(pans)),
        format!(r#"{{"name":"A","encryptedValue":{}}}"#, token(&wrapped)),
        format!(r#"{{"sensitiveData":{{"encryptedValue":{}}},"name":"A"}}"#, token(pans)),
    ] {
        let expected = [(1, 1, 2, 1, "|A|||1"), (1, 2, 2, 1, "|A|||2")];
        assert_eq!(whole(Format::Jsonl, &text).unwrap(), seen(&expected), "{text}");
    }
    let empty = format!(r#"{{"name":"A","encryptedValue":{}}}"#, token("{}"));
    assert_eq!(whole(Format::Jsonl, &empty).unwrap(), seen(&[(1, 1, 0, 1, "|A|||")]));
    let code = |text: &str| whole(Format::Jsonl, text).unwrap_err().code;
    assert_eq!(code(r#"{"name":"A","encryptedValue":"something else"}"#), Code::CryptoError);
    assert_eq!(code(&format!(r#"{{"encryptedValue":{},"sensitiveData":{{}}}}"#, token(pans))), Code::FormatInvalid);
    let both = format!(r#"{{"sensitiveData":{{"encryptedValue":{},"pans":[]}}}}"#, token(pans));
    assert_eq!(code(&both), Code::FormatInvalid);
    assert_eq!(code(&format!(r#"{{"encryptedValue":{}}}"#, token(r#"{"pans":{}}"#))), Code::FormatInvalid);
    assert_eq!(code(&format!(r#"{{"encryptedValue":{}}}"#, token("pans"))), Code::FormatInvalid);
    let unknown = token(r#"{"pans":[],"more":1}"#);
    assert_eq!(code(&format!(r#"{{"encryptedValue":{unknown}}}"#)), Code::ColumnUnknown);
    // Wherever in the sealed part: the copy must not be kept.
    let sensitive = token(r#"{"pans":[{"pan":"1","more":{"cvv":"123"}}]}"#);
    let refusal = whole(Format::Jsonl, &format!(r#"{{"encryptedValue":{sensitive}}}"#)).unwrap_err();
    assert_eq!((refusal.code, refusal.sensitive), (Code::SadPresent, true));
}

#[test]
fn what_a_body_may_not_hold_refuses_the_file() {
    for (text, code) in [
        (r#"{"name":1}"#, Code::FormatInvalid),
        (r#"{"range":"1"}"#, Code::FormatInvalid),
        (r#"{"range":{"low":1}}"#, Code::FormatInvalid),
        (r#"{"sensitiveData":[]}"#, Code::FormatInvalid),
        (r#"{"sensitiveData":{"pans":{"pan":"1"}}}"#, Code::FormatInvalid),
        (r#"{"sensitiveData":{"pans":["1"]}}"#, Code::FormatInvalid),
        (r#"{"sensitiveData":{"pans":[{"pan":1}]}}"#, Code::FormatInvalid),
        (r#"{"sensitiveData":{"pans":[{"pan":"1","pan":"2"}]}}"#, Code::FormatInvalid),
        (r#"{"name":"A","name":"A"}"#, Code::FormatInvalid),
        (r#"{"range":{"low":"1","low":"1"}}"#, Code::FormatInvalid),
        (r#"{"name":"A"} x"#, Code::FormatInvalid),
        (r#"{"low":"1"}"#, Code::ColumnUnknown),
        (r#"{"range.low":"1"}"#, Code::ColumnUnknown),
        (r#"{"range":{"middle":"1"}}"#, Code::ColumnUnknown),
        (r#"{"sensitiveData":{"pan":"1"}}"#, Code::ColumnUnknown),
        (r#"{"sensitiveData":{"pans":[{"pan":"1","name":"x"}]}}"#, Code::ColumnUnknown),
        (r#"{"sensitiveData":{"pans":[{"pan":"1","cvc":"x"}]}}"#, Code::SadPresent),
        (r#"{"range":{"pin":"1"}}"#, Code::SadPresent),
    ] {
        assert_eq!(whole(Format::Jsonl, text).unwrap_err().code, code, "{text}");
    }
    let deep = format!(r#"{{"sensitiveData":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    assert_eq!(whole(Format::Jsonl, &deep).unwrap_err().code, Code::FormatInvalid);
    // The line that is wrong, in a request of several.
    let lines = "{\n\"name\": \"A\",\n\"sensitiveData\":\n{\"pans\": [\n{\"pan\": \"1\"},\n{\"pin\": \"1\"}]}}";
    assert_eq!(whole(Format::Json, lines).unwrap_err().line, Some(6));
}

#[test]
fn rows_of_a_run_are_one_request() {
    let text = "pan,operation,name,low,high\n1,R,A,,\n2,R,A,,\n\n".trim_end_matches('\n').to_owned()
        + "\n,R,B,1,9\n3,R,\"A\",,\n,R,A,,\n";
    let expected = [
        (1, 1, 1, 2, "R|A|||1"),
        (1, 2, 2, 3, "R|A|||2"),
        (2, 1, 0, 4, "R|B|1|9|"),
        (3, 1, 1, 5, "R|A|||3"),
        (3, 2, 2, 6, "R|A|||"),
    ];
    assert_eq!(whole(Format::Csv, &text).unwrap(), seen(&expected));
}

proptest! {
    /// Chunks, pieces and where a resumed file goes on change nothing of what is seen.
    #[test]
    fn a_cut_is_the_same_however_it_is_made(
        requests in prop::collection::vec((0_u8..3, prop::collection::vec(0_u8..9, 0..6), any::<bool>()), 1..8),
        chunk in 1_usize..5,
        sizes in prop::collection::vec(1_usize..30, 1..5),
        csv in any::<bool>(),
    ) {
        let mut text = if csv { "operation,name,pan\n".to_owned() } else { String::new() };
        for (name, pans, sealed) in &requests {
            if csv {
                for pan in pans {
                    let pan = if *pan == 0 { String::new() } else { pan.to_string() };
                    text += &format!("R,{name},{pan}\n");
                }
                continue;
            }
            let array: Vec<String> = pans.iter().map(|pan| format!(r#"{{"pan":"{pan}"}}"#)).collect();
            let inner = format!(r#"{{"pans":[{}]}}"#, array.join(","));
            text += &if *sealed {
                format!("{{\"name\":\"{name}\",\"encryptedValue\":{}}}\n", token(&inner))
            } else {
                format!("{{\"sensitiveData\":{inner},\"name\":\"{name}\"}}\n")
            };
        }
        let format = if csv { Format::Csv } else { Format::Jsonl };
        let proven = survey_in_pieces(text.as_bytes(), options(format), &sizes).unwrap();
        let expected = cut(&text, &proven, 1000, 0, &[usize::MAX], &options(format));
        let found = cut(&text, &proven, chunk, 0, &sizes, &options(format));
        prop_assert_eq!(&found, &expected);
        let first = proven.records / chunk as u64 / 2;
        let resumed = cut(&text, &proven, chunk, first, &sizes, &options(format));
        prop_assert_eq!(&resumed[..], &expected[usize::try_from(first).unwrap() * chunk..]);
    }
}
