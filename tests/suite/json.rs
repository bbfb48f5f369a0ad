//! payment-cards as its public API takes it: requests a line each or in one text, answered request by request.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::file::sha256_hex;
use crate::leaks;
use crate::pan;
use crate::world::{World, expect_same};

const OPTIONAL: &str = "controls = \"optional\"";

pub(crate) fn header(batch: &str) -> String {
    json!({"header": {
        "version": 1, "issuer": "ACME", "service": "payment-cards", "batchId": batch, "sequence": 1,
        "created": "2026-11-20T01:30:00Z", "environment": "TEST"
    }})
    .to_string()
}

/// A file of lines, with the trailer that is right for that many records.
pub(crate) fn lines(batch: &str, requests: &[Value], records: usize) -> String {
    let mut text = header(batch) + "\n";
    for request in requests {
        writeln!(text, "{request}").unwrap();
    }
    let digest = sha256_hex(text.as_bytes());
    writeln!(text, "{}", json!({"trailer": {"records": records, "sha256": digest}})).unwrap();
    text
}

pub(crate) fn card(id: &str, fpan: &str) -> Value {
    json!({"id": id, "fpan": fpan, "cardBaseCurrency": "EUR"})
}

/// Good cards, `PREFIX-1` onwards.
pub(crate) fn cards(prefix: &str, seed: u64, count: u64) -> Vec<Value> {
    (0..count).map(|n| card(&format!("{prefix}-{}", n + 1), &pan::pan(pan::ACME, seed, n))).collect()
}

fn drop_lines(world: &World, batch: &str, text: &str) -> String {
    world.drop_bytes(&format!("ACME_PAYCARDS_{batch}.jsonl.jwe"), world.sealed(text));
    format!("ACME_PAYCARDS_{batch}")
}

/// The answers, one a request.
fn response(world: &World, stem: &str) -> Vec<Value> {
    let text = String::from_utf8(world.out().content(&format!("{stem}.response.jsonl"))).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn objects_and_arrays_are_answered_in_kind_and_in_order() {
    let world = World::new();
    let good = pan::pans(pan::ACME, 1, 4);
    let bad = pan::wrong_check_digit(&good[0]);
    let requests = [
        card("a", &good[0]),
        Value::Array(vec![
            card("b", &good[1]),
            card("c", &bad),
            card("d", &good[0]),
            json!({"id": "e", "fpan": good[2], "cardBaseCurrency": "GBP"}),
            json!({"id": "f", "fpan": good[2], "cardBaseCurrency": "EURO"}),
            json!({"fpan": good[2], "cardBaseCurrency": "EUR"}),
            card("g", pan::pan(pan::NOBODY, 1, 1).as_str()),
            json!({"id": "h", "cardBaseCurrency": "EUR", "fpan": null}),
        ]),
        json!([card("i", &good[3])]),
    ];
    let stem = drop_lines(&world, "MIXED", &lines("MIXED", &requests, 10));
    world.once().expect(4);
    let ack = world.out().accepted(&stem);
    assert_eq!((&ack["records"], &ack["batch_id"], &ack["sequence"]), (&10.into(), &"MIXED".into(), &1.into()));
    let recon = world.out().recon(&stem);
    let answers = response(&world, &stem);
    let ok = |id: &str, pan: &str| json!({"id": id, "paymentCardId": recon.id(id), "bin": &pan[..6], "last4fpan": &pan[12..], "status": "ACTIVE"});
    let failed = |id: Value, code: &str| json!({"id": id, "errorCode": code});
    assert_eq!(
        answers,
        [
            ok("a", &good[0]),
            json!([
                ok("b", &good[1]),
                failed("c".into(), "INVALID_FPAN"),
                json!({"id": "d", "errorCode": "PAYMENT_CARD_ALREADY_EXISTS", "bin": &good[0][..6], "last4fpan": &good[0][12..]}),
                failed("e".into(), "UNSUPPORTED_CURRENCY"),
                failed("f".into(), "INVALID_CARD_BASE_CURRENCY"),
                failed(Value::Null, "INVALID_REQUEST_PARAMETER"),
                failed("g".into(), "INVALID_FPAN"),
                failed("h".into(), "INVALID_FPAN"),
            ]),
            json!([ok("i", &good[3])]),
        ]
    );
    // All records of a request share its line.
    let at: Vec<_> = recon.rows.iter().map(|row| row["line"].to_owned()).collect();
    assert_eq!(at, ["2", "3", "3", "3", "3", "3", "3", "3", "3", "4"]);
    let codes: Vec<_> = recon.rows.iter().map(|row| row["code"].to_owned()).collect();
    assert_eq!(
        codes,
        [
            "",
            "",
            "PAN_LUHN",
            "DUPLICATE_IN_FILE",
            "CURRENCY_UNSUPPORTED",
            "CURRENCY_INVALID",
            "FIELD_MISSING",
            "BIN_UNSUPPORTED",
            "FIELD_MISSING",
            ""
        ]
    );
    let errors = world.out().errors(&stem);
    let fields: Vec<_> = errors.iter().map(|row| row["field"].to_owned()).collect();
    assert_eq!(fields, ["pan", "pan", "card_base_currency", "card_base_currency", "record_ref", "pan", "pan"]);
    let names: Vec<_> =
        world.out().summary(&stem)["outbound"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names.last().unwrap(), &Value::from(format!("{stem}.response.jsonl.jwe")));
}

#[test]
fn a_request_holds_1_to_100_cards() {
    let world = World::shaped(|shape| shape.reply = false);
    let (hundred, more) = (cards("h", 1, 100), cards("m", 2, 101));
    let requests = [Value::Array(hundred), Value::Array(more), json!([]), card("last", &pan::pan(pan::ACME, 3, 1))];
    let stem = drop_lines(&world, "SIZES", &lines("SIZES", &requests, 203));
    world.once().expect(4);
    let recon = world.out().recon(&stem);
    assert_eq!(recon.trailer, [203, 101, 0, 0, 0, 102]);
    for (at, row) in recon.rows.iter().enumerate().skip(100).take(102) {
        assert_eq!((&row["code"], &row["recoverable"]), ("REQUEST_SIZE", "true"), "{at}");
    }
    assert_eq!(&recon.rows[100]["record_ref"], "m-1");
    assert_eq!(&recon.rows[201]["record_ref"], "3.1", "an array of nothing has no reference of its own");
    let answers = response(&world, &stem);
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[0].as_array().unwrap().len(), 100);
    for refused in &answers[1..3] {
        let error = &refused["Errors"]["Error"][0];
        assert_eq!(
            (&error["Source"], &error["ReasonCode"]),
            (&"Service-Provider".into(), &"INVALID_REQUEST_PARAMETER".into())
        );
    }
    assert_eq!(answers[3]["id"], "last");
}

#[test]
fn a_text_of_1000_arrays_is_answered_in_order() {
    let world = World::shaped(|shape| {
        shape.feed = OPTIONAL;
        shape.reply = false;
    });
    let wrong = |n: u64| pan::wrong_check_digit(&pan::pan(pan::ACME, 5, n));
    let requests: Vec<Value> = (0..1000)
        .map(|n| json!([card(&format!("{n}.a"), &pan::pan(pan::ACME, 4, n)), card(&format!("{n}.b"), &wrong(n))]))
        .collect();
    let text = serde_json::to_string_pretty(&requests).unwrap();
    world.drop_bytes("ACME_PAYCARDS_1000.json.jwe", world.sealed(&text));
    world.once().expect(4);
    let stem = "ACME_PAYCARDS_1000";
    let recon = world.out().recon(stem);
    assert_eq!(recon.trailer, [2000, 1000, 0, 0, 0, 1000]);
    assert!(recon.header.starts_with("HDR,1,ACME,payment-cards,,,,TEST"), "{}", recon.header);
    let answers = response(&world, stem);
    assert_eq!(answers.len(), 1000);
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!((&answer[0]["id"], &answer[0]["status"]), (&format!("{n}.a").into(), &"ACTIVE".into()));
        assert_eq!((&answer[1]["id"], &answer[1]["errorCode"]), (&format!("{n}.b").into(), &"INVALID_FPAN".into()));
    }
    // Where each request starts in the text.
    let places: Vec<usize> =
        text.lines().enumerate().filter(|(_, line)| *line == "  [").map(|(at, _)| at + 1).collect();
    assert_eq!(recon.rows[1998]["line"], places[999].to_string());
}

#[test]
fn one_body_is_one_request_and_the_first_byte_says_so() {
    let world = World::shaped(|shape| {
        shape.feed = OPTIONAL;
        shape.reply = false;
    });
    let body = json!([card("a", &pan::pan(pan::ACME, 1, 1)), card("b", &pan::pan(pan::ACME, 1, 2))]);
    world.drop_bytes("ACME_PAYCARDS_body.jwe", world.sealed(&body.to_string()));
    world.drop_bytes("ACME_PAYCARDS_one.json.jwe", world.sealed(&card("c", &pan::pan(pan::ACME, 1, 3)).to_string()));
    world.once().expect(0);
    assert_eq!(response(&world, "ACME_PAYCARDS_body")[0].as_array().unwrap().len(), 2);
    assert_eq!(response(&world, "ACME_PAYCARDS_one")[0]["id"], "c");
    // A file without control records has no key: it is processed again, and its cards are there already.
    world.drop_bytes("ACME_PAYCARDS_body2.jwe", world.sealed(&body.to_string()));
    world.once().expect(0);
    let again = &response(&world, "ACME_PAYCARDS_body2")[0][1];
    assert_eq!(
        (&again["errorCode"], &again["last4fpan"]),
        (&"PAYMENT_CARD_ALREADY_EXISTS".into(), &pan::pan(pan::ACME, 1, 2)[12..].into())
    );
}

#[test]
fn the_same_lines_twice_are_one_file() {
    let world = World::new();
    let text = lines("TWICE", &cards("t", 1, 3), 3);
    drop_lines(&world, "TWICE", &text);
    world.once().expect(0);
    world.drop_bytes("ACME_PAYCARDS_TWICE_again.jsonl.jwe", world.sealed(&text));
    world.once().expect(0);
    assert_eq!(world.out().ack("ACME_PAYCARDS_TWICE_again")["code"], "DUPLICATE_FILE");
    let other = text.replace("\"TWICE\"", "\"OTHER\"");
    let digest = sha256_hex(other.split_inclusive('\n').take(4).collect::<String>().as_bytes());
    let other = other.split_inclusive('\n').take(4).collect::<String>()
        + &json!({"trailer": {"records": 3, "sha256": digest}}).to_string();
    drop_lines(&world, "OTHER", &other);
    world.once().expect(3);
    world.out().refused("ACME_PAYCARDS_OTHER", "DUPLICATE_CONTENT");
}

#[test]
fn a_feed_of_one_format_takes_no_other() {
    let world = World::shaped(|shape| shape.feed = "format = \"jsonl\"");
    world.drop_sealed(&crate::file::CsvFile::good("csv", 1, 1));
    world.once().expect(3);
    world.out().refused("ACME_PAYCARDS_csv", "HEADER_MISSING");
    let csv = World::shaped(|shape| shape.feed = "format = \"csv\"");
    let stem = drop_lines(&csv, "lines", &lines("lines", &cards("a", 1, 1), 1));
    csv.once().expect(3);
    csv.out().refused(&stem, "HEADER_MISSING");
}

/// A file in which requests lie across chunks, some bad, some twice.
pub(crate) fn tangled() -> String {
    let mut requests = Vec::new();
    let mut records = 0;
    for n in 0..700_u64 {
        let size = [1, 7, 100, 3, 101, 0][usize::try_from(n % 6).unwrap()];
        let of = |at: u64| match at % 5 {
            3 => card(&format!("{n}.{at}"), &pan::pan(pan::ACME, 71, (n * 101 + at) / 2)),
            4 => json!({"id": format!("{n}.{at}"), "fpan": "12"}),
            _ => card(&format!("{n}.{at}"), &pan::pan(pan::ACME, 71, n * 101 + at)),
        };
        requests.push(if n % 6 == 0 { of(0) } else { Value::Array((0..size).map(of).collect()) });
        records += usize::try_from(size).unwrap().max(1);
    }
    lines("TANGLED", &requests, records)
}

#[test]
fn neither_workers_nor_chunks_nor_a_kill_change_the_answers() {
    let first = World::shaped(|shape| shape.reply = false);
    first.once().expect(0);
    let text = tangled();
    let stem = "ACME_PAYCARDS_TANGLED";
    let told = |world: &World| {
        [".recon.csv", ".errors.csv", ".response.jsonl"].map(|it| world.out().content(&format!("{stem}{it}")))
    };
    let peace = first.copied(|shape| shape.workers = 1);
    drop_lines(&peace, "TANGLED", &text);
    peace.once().expect(4);
    let expected = told(&peace);
    for (workers, chunk_records) in [(8, 7), (3, 100)] {
        let world = first.copied(|shape| {
            shape.workers = workers;
            shape.chunk_records = chunk_records;
        });
        drop_lines(&world, "TANGLED", &text);
        world.once().expect(4);
        told(&world).iter().zip(&expected).for_each(|(other, one)| expect_same("workers and chunks", one, other));
    }
    let storm = first.copied(|shape| shape.daemon = "group_records_max = 500");
    drop_lines(&storm, "TANGLED", &text);
    for kill in 0..4_u32 {
        let mut daemon = storm.daemon();
        storm.wait_for(&mut daemon, &format!("{stem}.ack.json"));
        crate::world::pause(std::time::Duration::from_millis(u64::from(kill) * 40));
        daemon.kill();
    }
    storm.once();
    told(&storm).iter().zip(&expected).for_each(|(other, one)| expect_same("after kills", one, other));
}

#[test]
fn no_card_number_of_a_request_is_left_anywhere() {
    let world = World::shaped(|shape| shape.log = "trace");
    let canaries = pan::pans(pan::ACME, 88, 6);
    drop_leaks(&world, &canaries);
    world.once().expect(3);
    let found = leaks::search(&world, &canaries);
    assert!(found.is_empty(), "{found:#?}");
}

/// Files with card numbers at every place of a request.
pub(crate) fn drop_leaks(world: &World, canaries: &[String]) {
    let odd = json!({"id": canaries[3], "fpan": format!("{} ", canaries[4]), "cardBaseCurrency": canaries[5]});
    let requests = [card("a", &canaries[0]), json!([card("b", &canaries[1]), card("c", &canaries[2]), odd])];
    drop_lines(world, "LEAK", &lines("LEAK", &requests, 4));
    drop_lines(
        world,
        "WRONG",
        &format!("{}\n{{\"id\":\"{}\",\"fpan\":{}}}\n", header("WRONG"), canaries[3], canaries[0]),
    );
    drop_lines(world, "BROKEN", &format!("{}\n{{\"fpan\":\"{}\",\"x\n", header("BROKEN"), canaries[1]));
}
