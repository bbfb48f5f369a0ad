//! D1 batches: the public format in and out, through the binary.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::pan;
use crate::seal::{Job, jwcrypto, python};
use crate::world::{World, expect_same, long, until};

pub(crate) const FEED: &str = "format = \"d1-batch\"\nd1_issuer_id = \"ACME_CARDS_1\"";
pub(crate) const SIGNED_FEED: &str =
    "format = \"d1-batch\"\nd1_issuer_id = \"ACME_CARDS_1\"\njws_key = \"keys/sign.jwk\"";

/// A name with the issuer's id, and a batch id with a dash.
pub(crate) const NAME: &str = "ACME_CARDS_1-N-1-007-1764000000.json";
pub(crate) const STEM: &str = "ACME_CARDS_1-N-1-007-1764000000";

pub(crate) fn world(feed: &'static str) -> World {
    World::shaped(|shape| {
        shape.services = vec!["cards"];
        shape.reply = false;
        shape.envelopes = r#"["none", "jwe"]"#;
        shape.feed = feed;
    })
}

pub(crate) const HEADER: &str =
    r#"{"batchId":"N-1","seqNumber":"007","issuerId":"ACME_CARDS_1","operation":"CONSUMER_CARD_REGISTRATION"}"#;

pub(crate) fn batch(header: &str, records: &str) -> String {
    format!("{{\n \"header\" : {header},\n \"records\" : {records}\n}}\n")
}

pub(crate) fn card(id: &str, token: &str) -> Value {
    json!({"cardId": id, "cardProductId": "gold", "state": "ACTIVE", "encryptedData": token})
}

pub(crate) fn row(id: u64, consumer: &str, cards: &[Value]) -> Value {
    let information = json!({"name": {"first": "A \u{e9}", "all": [["B", {"c": []}]]}, "age": 7});
    json!({"rowId": id, "consumerAndCardRegistrationRequest":
        {"consumerId": consumer, "personalInformation": information, "cards": cards}})
}

/// Cards as D1 has them sealed, by jwcrypto.
pub(crate) fn tokens(world: &World, count: u64) -> Vec<String> {
    let public = world.public_key("feed-ec");
    let texts: Vec<String> =
        (0..count).map(|n| json!({"pan": pan::pan(pan::NOBODY, 710, n), "exp": "1299"}).to_string()).collect();
    let job = |text| Job { alg: "ECDH-ES", enc: "A256GCM", kid: "feed-2", public: &public, plaintext: text };
    jwcrypto(&texts.iter().map(|text| job(text)).collect::<Vec<_>>())
}

fn sample(world: &World) -> String {
    let tokens = tokens(world, 5);
    let rows = [
        row(1, "c-1", &[card("k-1", &tokens[0]), card("k-2", &tokens[1])]),
        row(5, "c-2", &[card("k-3", &tokens[2]), card("k 4", &tokens[3]), card("k-5", &tokens[4][1..])]),
        row(6, "c 3", &[card("k-6", &tokens[4])]),
        row(9, "c-4", &[]),
    ];
    serde_json::to_string_pretty(&rows).unwrap()
}

fn out(world: &World) -> Value {
    serde_json::from_slice(&world.out().content(&format!("{STEM}_OUT.json"))).unwrap()
}

#[test]
fn a_batch_comes_in_and_its_answer_goes_out_sealed_or_not() {
    let plain = world(FEED);
    let text = batch(HEADER, &sample(&plain));
    let sealed = plain.copied(|_| {});
    plain.drop_bytes(NAME, &text);
    sealed.drop_bytes(&format!("{NAME}.jwe"), sealed.sealed(&format!("\u{feff}{text}")));
    for world in [plain, sealed] {
        world.once().expect(4);
        let ack = world.out().accepted(STEM);
        assert_eq!((&ack["batch_id"], &ack["sequence"], &ack["records"]), (&json!("N-1"), &json!(7), &json!(7)));
        let recon = world.out().recon(STEM);
        let rows: Vec<_> = recon.rows.iter().map(|row| [&row["record_ref"], &row["outcome"], &row["code"]]).collect();
        assert_eq!(
            rows,
            [
                ["1.1", "REGISTERED", ""],
                ["1.2", "REGISTERED", ""],
                ["5.1", "REGISTERED", ""],
                ["5.2", "REJECTED", "FIELD_INVALID"],
                ["5.3", "REJECTED", "RECORD_CRYPTO_ERROR"],
                ["6.1", "REJECTED", "FIELD_INVALID"],
                ["9.1", "REJECTED", "FIELD_MISSING"],
            ]
        );
        let ok = |id: &str| json!({"cardId": id, "status": "OK"});
        let ko = |id: Value, code: &str| json!({"cardId": id, "status": "KO", "errorCode": code});
        let result = |id: u64, consumer: Value, status: &str, cards: &[Value]| {
            json!({"rowId": id, "consumerCardRegistrationResult":
                {"consumerId": consumer, "consumerStatus": status, "cards": cards}})
        };
        let expected = json!({
            "header": {"batchId": "N-1", "seqNumber": "007", "issuerId": "ACME_CARDS_1",
                       "operation": "CONSUMER_CARD_REGISTRATION", "totalRecords": 4},
            "recordsResults": [
                result(1, json!("c-1"), "OK", &[ok("k-1"), ok("k-2")]),
                result(5, json!("c-2"), "OK",
                       &[ok("k-3"), ko(Value::Null, "FIELD_INVALID"), ko(json!("k-5"), "RECORD_CRYPTO_ERROR")]),
                result(6, Value::Null, "KO", &[ko(json!("k-6"), "FIELD_INVALID")]),
                result(9, json!("c-4"), "OK", &[ko(Value::Null, "FIELD_MISSING")]),
            ],
        });
        assert_eq!(out(&world), expected);
        assert!(!world.out().has(&format!("{STEM}.response.jsonl")));
        let listed = world.out().summary(STEM)["outbound"].to_string();
        assert!(listed.contains("_OUT.json"), "{listed}");
    }
}

#[test]
fn what_is_wrong_with_a_batch_has_its_code_here_and_there() {
    let records = |rows: &[Value]| Value::from(rows).to_string();
    let good = records(&[row(1, "c-1", &[])]);
    let whole = batch(HEADER, &good);
    let with = |from: &str, to: &str| whole.replacen(from, to, 1);
    let deep = format!("{}{}", "[".repeat(80), "]".repeat(80));
    let cases: Vec<(String, &str, Option<&str>)> = vec![
        (with("ACME_CARDS_1", "ACME_CARDS_2"), "HEADER_MISMATCH", Some("100")),
        (with("N-1", "N-2"), "HEADER_MISMATCH", Some("100")),
        (with("\"007\"", "\"7\""), "HEADER_MISMATCH", Some("100")),
        (with("REGISTRATION\"", "REGISTRATION_WITH_DIGITAL_CARDS\""), "HEADER_MISMATCH", Some("100")),
        (with("N-1", "N 1"), "FORMAT_INVALID", Some("106")),
        (with("\"007\"", "\"00x\""), "FORMAT_INVALID", Some("106")),
        (with("\"007\"", "7"), "FORMAT_INVALID", Some("106")),
        (with("\"batchId\":\"N-1\",", ""), "FORMAT_INVALID", Some("105")),
        (with("\"batchId\"", "\"batch\""), "COLUMN_UNKNOWN", Some("103")),
        (format!("{{\"records\":{good}}}"), "FORMAT_INVALID", Some("105")),
        (format!("{{\"header\":{HEADER}}}"), "FORMAT_INVALID", Some("105")),
        (format!("{{\"header\":{HEADER},\"signature\":\"a\"}}"), "FORMAT_INVALID", Some("105")),
        (format!("{{\"header\":{HEADER},\"records\":{good},\"records\":[]}}"), "FORMAT_INVALID", Some("103")),
        (format!("{{\"header\":{HEADER},\"records\":{good},\"more\":\"\"}}"), "COLUMN_UNKNOWN", Some("103")),
        (format!("{whole}x"), "FORMAT_INVALID", Some("103")),
        (whole[..whole.len() - 3].to_owned(), "FORMAT_INVALID", Some("103")),
        ("pan,expiry\n".to_owned(), "FORMAT_INVALID", Some("103")),
        (with("\"rowId\":1,", ""), "FORMAT_INVALID", Some("105")),
        (with("\"rowId\":1,", "\"rowId\":1.5,"), "FORMAT_INVALID", Some("106")),
        (with("\"rowId\"", "\"row\""), "COLUMN_UNKNOWN", Some("103")),
        (with("\"cards\":[]", "\"cards\":{}"), "FORMAT_INVALID", Some("106")),
        (with("\"cards\":[]", "\"cards\":[{\"cardId\":1}]"), "FORMAT_INVALID", Some("106")),
        (with("\"age\":7", &format!("\"age\":{deep}")), "FORMAT_INVALID", Some("103")),
        (with("\"age\":7", "\"cvv\":\"123\""), "SAD_PRESENT", Some("103")),
        (batch(HEADER, &records(&[row(3, "c", &[]), row(3, "c", &[])])), "FORMAT_INVALID", Some("107")),
        (batch(HEADER, &records(&[row(3, "c", &[]), row(2, "c", &[])])), "FORMAT_INVALID", Some("107")),
        (whole.clone(), "", None),
    ];
    let world = world(FEED);
    for (n, (text, code, d1)) in cases.into_iter().enumerate() {
        let before = world.out().names();
        world.drop_bytes(NAME, &text);
        world.once();
        let added: Vec<String> = world.out().names().into_iter().filter(|name| !before.contains(name)).collect();
        let stem = added.iter().find_map(|name| name.strip_suffix(".ack.json")).unwrap();
        let Some(d1) = d1 else {
            world.out().accepted(stem);
            continue;
        };
        world.out().refused(stem, code);
        let out: Value = serde_json::from_slice(&world.out().content(&format!("{stem}_OUT.json"))).unwrap();
        assert_eq!(out["header"]["errorCode"], d1, "case {n}: {text}");
        assert_eq!(out.as_object().unwrap().len(), 1, "case {n}");
        assert!(!out.to_string().contains("N 1") && !out.to_string().contains("00x"), "case {n}");
    }
}

#[test]
fn an_empty_batch_is_a_nil_file_and_nothing_need_be_known_of_a_consumer() {
    let world = world(FEED);
    let numbered = |n: u32| (HEADER.replace("007", &format!("00{n}")), NAME.replace("007", &format!("00{n}")));
    let (header, name) = numbered(1);
    world.drop_bytes(&name, batch(&header, "[]"));
    world.once().expect(0);
    let nil = STEM.replace("007", "001");
    assert_eq!(world.out().accepted(&nil)["records"], 0);
    let answer =
        |stem: &str| -> Value { serde_json::from_slice(&world.out().content(&format!("{stem}_OUT.json"))).unwrap() };
    assert_eq!((&answer(&nil)["header"]["totalRecords"], &answer(&nil)["recordsResults"]), (&json!(0), &json!([])));

    let mut unknown = row(1, "c-1", &[card("k-1", &tokens(&world, 1)[0])]);
    unknown["consumerAndCardRegistrationRequest"]["personalInformation"] = Value::Null;
    let (header, name) = numbered(2);
    world.drop_bytes(&name, batch(&header, &json!([unknown]).to_string()));
    world.once().expect(0);
    assert_eq!(world.out().recon(&STEM.replace("007", "002")).trailer[1], 1);
}

#[test]
fn a_refused_batch_keeps_its_answer_when_it_is_delivered_again() {
    let world = world(FEED);
    world.drop_bytes(NAME, batch(&HEADER.replace("N-1", "N-2"), "[]"));
    world.once().expect(3);
    let name = format!("{STEM}_OUT.json");
    let before = world.out().content(&name);
    std::fs::remove_file(world.out().at(&name)).unwrap();
    world.nightdrop(&["redeliver", STEM, "--config", "nightdrop.toml"]).expect(0);
    expect_same(&name, &before, &world.out().content(&name));
    let shown = world.nightdrop(&["show", STEM, "--json", "--config", "nightdrop.toml"]).expect(0).text();
    assert!(shown.contains(&name), "{shown}");
}

/// Signs by jwcrypto: token, public key.
fn signed(jobs: &[(&str, &str)]) -> Vec<(String, Value, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/jwcrypto_sign.py");
    let mut python = Command::new(python()).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(&serde_json::to_vec(jobs).unwrap()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_signature_is_verified_over_the_records_as_they_stand() {
    let first = world(SIGNED_FEED);
    // More than one piece of what is read at once, with a length that is no multiple of three.
    let padding = "é".repeat(200_000);
    let records = sample(&first).replacen("\"A é\"", &format!("\"{padding}\""), 1);
    assert!(records.len() > 400_000);
    let whole = |jws: &str, records: &str| {
        format!("{{\"header\":{HEADER},\"records\":{records},\n\"signature\":{}}}", Value::from(jws))
    };
    for (jws, key, alg) in signed(&[("RS256", &records), ("PS256", &records), ("ES256", &records), ("RS512", &records)])
    {
        let drop = |text: String, expected: &str| {
            let world = first.copied(|_| {});
            world.write("keys/sign.jwk", key.to_string());
            world.drop_bytes(NAME, text);
            world.once();
            if expected.is_empty() {
                world.out().accepted(STEM);
                assert_eq!(out(&world)["header"]["totalRecords"], 4, "{alg}");
                return;
            }
            world.out().refused(STEM, expected);
            assert_eq!(out(&world)["header"]["errorCode"], "110", "{alg}: {expected}");
            assert_eq!(out(&world)["header"]["batchId"], "N-1");
        };
        drop(whole(&jws, &records), if alg == "RS512" { "SIGNATURE_INVALID" } else { "" });
        if alg == "RS512" {
            continue;
        }
        drop(whole(&jws, &records.replacen("c-2", "c-9", 1)), "SIGNATURE_INVALID");
        drop(whole(&jws, &records.replacen("[\n", "[ \n", 1)), "SIGNATURE_INVALID");
        drop(whole(&jws.replacen("..", ".e30.", 1), &records), "SIGNATURE_INVALID");
        drop(whole(&jws[..jws.len() - 4], &records), "SIGNATURE_INVALID");
        // {"alg":"none"}, and the public key's text taken for a secret: {"alg":"HS256"}
        drop(whole("eyJhbGciOiJub25lIn0..", &records), "SIGNATURE_INVALID");
        let forged = jws.replacen(jws.split('.').next().unwrap(), "eyJhbGciOiJIUzI1NiJ9", 1);
        drop(whole(&forged, &records), "SIGNATURE_INVALID");
        drop(batch(HEADER, &records), "SIGNATURE_MISSING");
    }
    let unasked = first.copied(|shape| shape.feed = FEED);
    unasked.drop_bytes(NAME, whole("nothing", &records));
    unasked.once();
    unasked.out().accepted(STEM);
}

/// A batch of about that many bytes, all cards of which fail to open.
fn large(bytes: usize) -> String {
    let mut records = String::with_capacity(bytes + 2000);
    records.push('[');
    let mut id = 0;
    while records.len() < bytes {
        let cards: Vec<Value> = (0..2).map(|n| card(&format!("k-{id}-{n}"), &"x".repeat(600))).collect();
        write!(records, "{}{}", if id == 0 { "" } else { ",\n" }, row(id, "c-1", &cards)).unwrap();
        id += 1;
    }
    records.push(']');
    records
}

#[test]
fn memory_stays_flat_and_too_much_is_refused() {
    let bytes = if long() { 199_000_000 } else { 20_000_000 };
    let world = world(SIGNED_FEED);
    let records = large(bytes);
    let (jws, key, _) = signed(&[("ES256", &records)]).remove(0);
    world.write("keys/sign.jwk", key.to_string());
    world.drop_bytes(NAME, format!("{{\"header\":{HEADER},\"records\":{records},\"signature\":\"{jws}\"}}"));
    let ran = world.once().expect(4);
    world.out().accepted(STEM);
    eprintln!("{bytes} bytes: {:.1} s, peak memory {} MiB", ran.took.as_secs_f64(), ran.peak_bytes >> 20);
    assert!(ran.peak_bytes < 256 << 20, "{} MiB", ran.peak_bytes >> 20);
    let header = HEADER.replace("007", "008");
    let too_much = batch(&header, &format!("[{}]", " ".repeat(200_000_000)));
    world.drop_bytes(&NAME.replace("007", "008"), too_much);
    world.once();
    let stem = STEM.replace("007", "008");
    world.out().refused(&stem, "FILE_TOO_LARGE");
    let out: Value = serde_json::from_slice(&world.out().content(&format!("{stem}_OUT.json"))).unwrap();
    assert_eq!(out["header"]["errorCode"], "102");
}

#[test]
fn a_killed_batch_goes_on_where_it_stopped() {
    let peace = world(FEED);
    peace.once().expect(0);
    let storm = peace.copied(|_| {});
    let tokens = tokens(&peace, 40);
    let rows: Vec<Value> = (0..2000_u64)
        .map(|id| {
            let token = |n: u64| usize::try_from((id + n) % 40).map(|at| tokens[at].as_str()).unwrap();
            row(
                id + 1,
                &format!("c-{id}"),
                &[card(&format!("k-{id}-0"), token(0)), card(&format!("k-{id}-1"), token(1))],
            )
        })
        .collect();
    let text = batch(HEADER, &Value::from(rows).to_string());
    for world in [&peace, &storm] {
        world.drop_bytes(NAME, &text);
    }
    peace.once();
    let mut daemon = storm.daemon();
    until("the ack", || !daemon.alive() || storm.out().has(&format!("{STEM}.ack.json")));
    daemon.kill();
    assert!(!storm.out().has(&format!("{STEM}_OUT.json")), "the kill came too late");
    storm.once();
    let name = format!("{STEM}_OUT.json");
    expect_same(&name, &peace.out().content(&name), &storm.out().content(&name));
    assert_eq!(storm.out().recon(STEM).trailer[0], 4000);
}
