//! Tests of the form: what is told to be a sealed object, and what of an object is refused before anything is opened.

use proptest::prelude::*;

use super::super::source::Source;
use super::scan::Scanned;
use super::*;

fn scanned(text: &str) -> Result<Option<usize>, Code> {
    let source = Source::Memory(text.as_bytes().to_vec());
    match scan::object(&source, 0, text.len() as u64, &fields::is_long) {
        Ok(Scanned::Object { members, .. }) => Ok(Some(members.len())),
        Ok(Scanned::Cut) => Ok(None),
        Err(OpenError::Refused(refusal)) => Err(refusal.code),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_sealed_object_is_told_by_its_own_members() {
    for text in [
        r#"{"encryptedData":"00"}"#,
        r#" { "iv" : "00" , "encryptedValue" : "00"#,
        r#"{"a":{"b":[1,{"c":"}"}]},"oaepHashingAlgorithm":"SHA256","encryptedKey":"00"}"#,
        r#"{"a":"\\","encryptedKey":"#,
        r#"{"encryptedDa"#,
    ] {
        assert!(looks_sealed(text.as_bytes()), "{text}");
    }
    for text in [
        "",
        "{",
        "HDR,1",
        r#"{"header":{"encryptedData":"00"}}"#,
        r#"{"iv":"00"}"#,
        r#"{"a":"encryptedData","b":["encryptedData"]}"#,
        r#"[{"encryptedData":"00"}]"#,
        r#"{"a":1} {"encryptedData":"00"}"#,
        r#"{"a":"\"encryptedData\":"}"#,
        "}}",
    ] {
        assert!(!looks_sealed(text.as_bytes()), "{text}");
    }
}

#[test]
fn an_object_is_strings_under_names_that_come_once() {
    assert_eq!(scanned(r#"{}"#), Ok(Some(0)));
    assert_eq!(
        scanned("\n{ \"a\" : \"b\" ,\t\"encryptedData\":\"\\/\" , \"n\":null,\"t\":true,\"x\":-1.5e3 }"),
        Ok(Some(5))
    );
    for bad in [
        r#"{"a":"b","a":"c"}"#,
        r#"{"encryptedData":"b","encryptedData":"c"}"#,
        r#"{"a":{}}"#,
        r#"{"a":[]}"#,
        r#"{"a" "b"}"#,
        r#"{"a":"b",}"#,
        r#"{"a":"b";"c":"d"}"#,
        r#"{a:"b"}"#,
        r#"{"a":nul}"#,
        r#"{"a":}"#,
        r#"{"\u0061":"b"}"#,
        r#"["a"]"#,
        r#""a""#,
    ] {
        assert_eq!(scanned(bad), Err(Code::EnvelopeRefused), "{bad}");
    }
}

#[test]
fn all_but_the_sealed_value_is_short() {
    let with = |name: &str, length: usize| format!("{{\"{name}\":\"{}\"}}", "0".repeat(length));
    assert_eq!(scanned(&with("encryptedData", 1 << 20)), Ok(Some(1)));
    assert_eq!(scanned(&with("encryptedKey", 8 << 10)), Ok(Some(1)));
    assert_eq!(scanned(&with("encryptedKey", 1 << 20)), Err(Code::EnvelopeRefused));
    assert_eq!(scanned(&with("other", 1 << 20)), Err(Code::EnvelopeRefused));
    assert_eq!(scanned(&format!("{{\"{}\":null}}", "n".repeat(1 << 20))), Err(Code::EnvelopeRefused));
    assert_eq!(scanned(&format!("{{{}\"a\":null}}", " ".repeat(1 << 20))), Err(Code::EnvelopeRefused));
    let many: Vec<String> = (0..10_000).map(|n| format!("\"{n}\":1")).collect();
    assert_eq!(scanned(&format!("{{{}}}", many.join(","))), Err(Code::EnvelopeRefused));
}

#[test]
fn every_cut_of_an_object_is_seen_as_one() {
    let whole = "{ \"iv\":\"00\", \"encryptedData\":\"a\\/b\", \"n\":null }";
    for length in 0..whole.len() {
        assert_eq!(scanned(&whole[..length]), Ok(None), "{length} bytes");
    }
    assert_eq!(scanned(whole), Ok(Some(3)));
}

proptest! {
    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        looks_sealed(&bytes);
        let size = bytes.len() as u64;
        let _ = scan::object(&Source::Memory(bytes), 0, size, &fields::is_long);
    }

    #[test]
    fn what_serde_takes_for_an_object_of_strings_is_one(
        text in "\\{(\"(a|encryptedData)\":(\"(x|\\\\\\\\|\\\\/|\\\\u003d){0,3}\"|null|1),?){0,3}\\}",
    ) {
        let ours = scanned(&text).is_ok_and(|found| found.is_some());
        let value = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        // serde takes the last of two members with one name.
        let twice = text.matches("\"a\"").count() > 1 || text.matches("\"encryptedData\"").count() > 1;
        prop_assert_eq!(ours, value.is_ok() && !twice, "{}", text);
    }
}
