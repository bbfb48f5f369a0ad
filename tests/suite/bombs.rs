//! Bombs: small or plain things that would take memory or time without end if anybody waited for theirs. Each is refused
//! soon and in little memory (hostile.md S5). Full size by `make test-long`.

use std::time::Duration;

use crate::file::COLUMNS;
use crate::world::{World, long};

/// Most that the process may hold, whatever the bomb's size.
const PEAK_BYTES: u64 = 128 << 20;

/// The code that it is refused by.
fn refused_soon(what: &str, name: &str, text: &[u8]) -> String {
    let world = World::shaped(|shape| {
        shape.reply = false;
        shape.feed = if name.ends_with(".json") { "controls = \"optional\"" } else { "" };
    });
    world.drop_bytes(&format!("{name}.jwe"), world.sealed_bytes(text));
    let ran = world.once().expect(3);
    let ack = world.out().ack(name.split('.').next().unwrap());
    assert_eq!(ack["status"], "REFUSED", "{what}: {ack}");
    let code = ack["code"].as_str().unwrap().to_owned();
    eprintln!(
        "{what}, {:.1} MiB: {code} after {:.2} s, peak memory {} MiB",
        text.len() as f64 / f64::from(1 << 20),
        ran.took.as_secs_f64(),
        ran.peak_bytes >> 20
    );
    // The release build has the goal to keep; this one has neighbours.
    let limit = Duration::from_secs(if long() { 2 } else { 20 });
    assert!(ran.took < limit, "{what} took {:?}", ran.took);
    assert!(ran.peak_bytes < PEAK_BYTES, "{what} took {} MiB", ran.peak_bytes >> 20);
    code
}

#[test]
fn each_is_refused_soon_and_in_little_memory() {
    let bytes: usize = if long() { 64 << 20 } else { 12 << 20 };
    let csv = |rest: &[u8]| {
        let control = format!("HDR,1,ACME,payment-cards,BOMB,1,2026-11-20T01:30:00Z,TEST\n{COLUMNS}\n");
        [control.as_bytes(), rest].concat()
    };
    let jsonl = |rest: &[u8]| [crate::json::header("BOMB").as_bytes(), b"\n", rest].concat();
    let xs = || vec![b'x'; bytes];
    // Within what one request may have.
    let deep = |open: &[u8]| open.repeat((7 << 20) / open.len());
    let closed = |open: &[u8], close: &[u8]| {
        let depth = (7 << 20) / (open.len() + close.len());
        [open.repeat(depth), close.repeat(depth)].concat()
    };
    let mut others = Vec::new();
    for (what, name, text, expected) in [
        ("a first line without an end", "ACME_PAYCARDS_A.csv", xs(), "HEADER_MISSING"),
        ("a row without an end", "ACME_PAYCARDS_B.csv", csv(&xs()), "FORMAT_INVALID"),
        (
            "a quote that is never closed",
            "ACME_PAYCARDS_C.csv",
            csv(&[b"r-1,\"", &xs()[..]].concat()),
            "FORMAT_INVALID",
        ),
        (
            "a quote over many lines",
            "ACME_PAYCARDS_D.csv",
            csv(&[b"r-1,\"", &b"x\n".repeat(bytes / 2)[..]].concat()),
            "FORMAT_INVALID",
        ),
        ("a row of nothing but commas", "ACME_PAYCARDS_E.csv", csv(&vec![b','; bytes]), "FORMAT_INVALID"),
        ("a first line of JSON without an end", "ACME_PAYCARDS_F.jsonl", xs(), "HEADER_MISSING"),
        ("a line of JSON without an end", "ACME_PAYCARDS_G.jsonl", jsonl(&xs()), "FORMAT_INVALID"),
        (
            "a text of JSON without an end",
            "ACME_PAYCARDS_H.jsonl",
            jsonl(&[b"{\"id\":\"", &xs()[..]].concat()),
            "FORMAT_INVALID",
        ),
        ("nested arrays", "ACME_PAYCARDS_I.jsonl", jsonl(&deep(b"[")), "FORMAT_INVALID"),
        ("nested objects", "ACME_PAYCARDS_J.jsonl", jsonl(&deep(b"{\"a\":")), "COLUMN_UNKNOWN"),
        ("nested arrays in one text", "ACME_PAYCARDS_K.json", closed(b"[", b"]"), "FORMAT_INVALID"),
        ("nested objects in one text", "ACME_PAYCARDS_L.json", closed(b"{\"cards\":[", b"]}"), "COLUMN_UNKNOWN"),
        (
            "a number without an end",
            "ACME_PAYCARDS_M.json",
            [b"{\"id\":", &vec![b'1'; bytes][..]].concat(),
            "FORMAT_INVALID",
        ),
        ("white space without an end", "ACME_PAYCARDS_N.json", vec![b' '; bytes], "TRAILER_MISSING"),
        ("empty lines without an end", "ACME_PAYCARDS_O.jsonl", jsonl(&vec![b'\n'; bytes]), "TRAILER_MISSING"),
    ] {
        let code = refused_soon(what, name, &text);
        if code != expected {
            others.push((what, code));
        }
    }
    assert!(others.is_empty(), "refused, but by other codes: {others:?}");
}
