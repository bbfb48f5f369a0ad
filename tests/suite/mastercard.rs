//! Mastercard payload encryption: it opens, and whatever damage can make of it looks the same from outside.

use std::fmt::Write as _;

use openssl::hash::MessageDigest;
use serde_json::{Value, json};

use crate::file::{COLUMNS, CsvFile, sha256_hex};
use crate::pan;
use crate::seal::{Payload, public_key};
use crate::world::World;

const REFUSED: &str = "The file does not decrypt; expected a file sealed for a key of this feed and unchanged since.";

fn world(feed: &'static str) -> World {
    World::shaped(|shape| {
        shape.reply = false;
        shape.envelopes = r#"["jwe", "mastercard"]"#;
        shape.feed = feed;
    })
}

impl World {
    fn payload(&self, text: &str) -> Payload {
        Payload::new(&self.public_key("feed"), MessageDigest::sha256(), text.as_bytes())
    }

    fn drop_object(&self, file: &CsvFile, object: impl AsRef<[u8]>) -> String {
        self.drop_bytes(&format!("{}.csv", file.stem()), object);
        file.stem()
    }
}

#[test]
fn a_file_opens_and_its_ack_names_envelope_and_key() {
    let world = world("");
    let (plain, named) = (CsvFile::good("MC1", 601, 3), CsvFile::good("MC2", 602, 3));
    let mut payload = world.payload(&plain.text());
    world.drop_object(&plain, payload.object());
    let fingerprint = sha256_hex(&public_key(&world.public_key("feed")).public_key_to_der().unwrap());
    payload = world.payload(&named.text());
    write!(payload.more, r#","oaepHashingAlgorithm":"SHA256","publicKeyFingerprint":"{fingerprint}""#).unwrap();
    world.drop_object(&named, payload.object() + "\n");
    let jwe = CsvFile::good("MC3", 603, 3);
    world.drop_sealed(&jwe);
    world.once().expect(0);
    assert_eq!(world.kept_in("archive").len(), 3, "sealed originals are kept");
    for (file, envelope) in [(&plain, "mastercard"), (&named, "mastercard"), (&jwe, "jwe")] {
        let ack = world.out().accepted(&file.stem());
        assert_eq!((&ack["envelope"], &ack["key_id"]), (&json!(envelope), &json!("feed-1")), "{ack}");
        assert_eq!(world.out().recon(&file.stem()).trailer[..2], [3, 3]);
    }
}

#[test]
fn the_feed_pins_the_hash() {
    let world = world("oaep_hash = \"SHA512\"");
    let files = [CsvFile::good("S512", 604, 2), CsvFile::good("S256", 605, 2), CsvFile::good("SAYS", 606, 2)];
    let public = world.public_key("feed");
    let seal = |hash, file: &CsvFile, more: &str| {
        let payload = Payload::new(&public, hash, file.text().as_bytes());
        Payload { more: more.to_owned(), ..payload }.object()
    };
    let right = seal(MessageDigest::sha512(), &files[0], r#","oaepPaddingDigestAlgorithm":"SHA-512""#);
    world.drop_object(&files[0], right);
    world.drop_object(&files[1], seal(MessageDigest::sha256(), &files[1], ""));
    world.drop_object(&files[2], seal(MessageDigest::sha256(), &files[2], r#","oaepHashingAlgorithm":"SHA256""#));
    world.once().expect(3);
    world.out().accepted(&files[0].stem());
    world.out().refused(&files[1].stem(), "CRYPTO_ERROR");
    world.out().refused(&files[2].stem(), "ALGORITHM_REFUSED");
}

/// What is wrong with a text, with and without damage behind it; no digest tells the two apart.
fn undigested(batch: &str, seed: u64, change: impl FnOnce(&mut CsvFile)) -> CsvFile {
    CsvFile::good(batch, seed, 40).with(|file| {
        file.digest = Some(String::new());
        change(file);
    })
}

#[test]
fn whatever_damage_can_make_has_one_ack() {
    let world = world("");
    let mut stems = Vec::new();
    let mut texts = vec![
        undigested("COLUMN", 610, |file| file.columns = format!("{COLUMNS},colour")),
        undigested("HEADER", 611, |file| file.service = "cards".into()),
        undigested("VERSION", 612, |file| file.version = "9".into()),
        undigested("COUNT", 613, |file| file.count = Some("41".into())),
        undigested("SHAPE", 614, |file| file.rows[20] = "a\"b".into()),
        CsvFile::good("DIGEST", 615, 40).with(|file| file.digest = Some("0".repeat(64))),
    ];
    for file in &texts {
        stems.push(world.drop_object(file, world.payload(&file.text()).object()));
    }
    let mut damaged = |batch: &str, damage: &dyn Fn(&mut Payload), cut: usize| {
        let file = CsvFile::good(batch, 620, 40);
        let text = file.text();
        let mut payload = world.payload(&text[..text.len() - cut]);
        damage(&mut payload);
        stems.push(world.drop_object(&file, payload.object()));
        texts.push(file);
    };
    damaged("UNTRAILED", &|_| {}, 80);
    damaged("KEY", &|payload| payload.key[100] ^= 1, 0);
    damaged("SHORTKEY", &|payload| payload.key.truncate(100), 0);
    damaged("IV", &|payload| payload.iv[9] ^= 1, 0);
    damaged("SHORTIV", &|payload| payload.iv.truncate(15), 0);
    damaged("BLOCK", &|payload| payload.data[64] ^= 1, 0);
    damaged("PADDING", &|payload| *payload.data.last_mut().unwrap() ^= 1, 0);
    damaged("BEFORE", &|payload| *payload.data.iter_mut().nth_back(16).unwrap() ^= 0x40, 0);
    damaged("CUT", &|payload| payload.data.truncate(160), 0);
    damaged("ODD", &|payload| payload.data.truncate(161), 0);
    damaged("NOTHING", &|payload| payload.data.clear(), 0);
    // Empty when it is opened.
    stems.push(world.drop_object(&CsvFile::new("EMPTY"), world.payload("").object()));
    stems.push(world.drop_object(&CsvFile::new("UTF8"), {
        Payload::new(&world.public_key("feed"), MessageDigest::sha256(), b"HDR,\xff\n").object()
    }));
    let foreseen: Vec<Value> = stems
        .iter()
        .map(|stem| {
            let path = format!("inbound/{stem}.csv");
            let said = world.nightdrop(&["check", &path, "--config", "nightdrop.toml", "--json"]).expect(3);
            let mut said: Value = serde_json::from_slice(&said.stdout).unwrap();
            for own in ["file", "findings"] {
                said[own].take();
            }
            said
        })
        .collect();
    assert!(foreseen.iter().all(|said| *said == foreseen[0]), "{foreseen:#?}");
    let ran = world.once().expect(3);
    for (n, stem) in stems.iter().enumerate() {
        let mut ack = world.out().refused(stem, "CRYPTO_ERROR");
        assert_eq!(ack["description"], REFUSED, "{ack}");
        for own in ["file", "bytes", "sha256", "received_at"] {
            ack[own].take();
        }
        for none in ["line", "key_id", "batch_id", "sequence", "records"] {
            assert_eq!(ack[none], Value::Null, "{none} of {ack}");
        }
        assert_eq!(ack["envelope"], "mastercard", "{n}: {ack}");
    }
    assert_eq!(world.kept_in("quarantine").len(), stems.len(), "refused ones are kept as they came");
    for word in ["COLUMN_", "HEADER_", "FORMAT_", "COUNT_", "DIGEST_", "ENCODING_", "TRAILER_", "VERSION_"] {
        assert!(!ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
}

#[test]
fn a_text_whose_own_digest_holds_is_told_what_is_wrong_with_it() {
    let world = world("");
    let file = CsvFile::good("INTACT", 630, 3).with(|file| file.columns = format!("{COLUMNS},colour"));
    let stem = world.drop_object(&file, world.payload(&file.text()).object());
    let sad = CsvFile::good("INTACTSAD", 631, 3).with(|file| file.columns = format!("{COLUMNS},cvv"));
    let sad_stem = world.drop_object(&sad, world.payload(&sad.text()).object());
    world.once().expect(3);
    let ack = world.out().refused(&stem, "COLUMN_UNKNOWN");
    assert_eq!((&ack["batch_id"], &ack["key_id"]), (&json!("INTACT"), &json!("feed-1")), "{ack}");
    world.out().refused(&sad_stem, "SAD_PRESENT");
}

#[test]
fn security_codes_in_a_text_that_nothing_proves_are_not_kept_and_not_told() {
    let world = world("");
    let file = undigested("SAD", 640, |file| {
        file.columns = format!("{COLUMNS},cvv");
        file.rows.iter_mut().for_each(|row| row.push_str(",987"));
    });
    let mut payload = world.payload(&file.text());
    let whole = world.drop_object(&file, payload.object());
    let broken = file.with(|file| file.batch = "SADCUT".into());
    // Seen before the padding at the end is found to be none.
    *payload.data.last_mut().unwrap() ^= 1;
    let broken = world.drop_object(&broken, payload.object());
    world.once().expect(3);
    for stem in [whole, broken] {
        world.out().refused(&stem, "CRYPTO_ERROR");
    }
    for place in ["quarantine", "archive", "work", "inbound"] {
        assert!(world.kept_in(place).is_empty(), "kept in {place}: {:?}", world.kept_in(place));
    }
}

#[test]
fn a_long_file_takes_no_more_memory_than_a_short_one() {
    const LONG: usize = 120 << 20;
    let world = world("");
    let file = CsvFile::good("LONG", 650, 1);
    // One line that is far too long: read to its end all the same.
    let mut text = file.untrailed();
    text.extend(std::iter::repeat_n('x', LONG));
    let stem = world.drop_object(&file, world.payload(&text).object());
    let ran = world.once().expect(3);
    world.out().refused(&stem, "CRYPTO_ERROR");
    assert!(ran.peak_bytes > 0, "its memory was never seen");
    assert!(ran.peak_bytes < 96 << 20, "{} MiB for {} MiB", ran.peak_bytes >> 20, 2 * (LONG >> 20));
}

#[test]
fn a_feed_without_an_rsa_key_cannot_take_it() {
    let world = World::shaped(|shape| shape.envelopes = r#"["mastercard"]"#);
    let text = std::fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    let only_ec = text.replace("\"keys/feed.jwk\", ", "");
    assert_ne!(only_ec, text);
    world.write("nightdrop.toml", only_ec);
    let checked = world.nightdrop(&["config", "check", "--config", "nightdrop.toml"]).expect(2);
    assert!(checked.stderr.contains("none is an RSA key"), "{}", checked.stderr);
    let ran = world.once().expect(2);
    assert!(ran.stderr.contains("none is an RSA key"), "{}", ran.stderr);
}

/// A text of JSON lines: header, requests, trailer with its digest.
fn json_lines(batch: &str, seed: u64, records: u64) -> Vec<String> {
    let header = json!({"header": {
        "version": 1, "issuer": "ACME", "service": "payment-cards", "batchId": batch, "sequence": 1,
        "created": "2026-11-20T01:30:00Z", "environment": "TEST",
    }});
    let mut lines = vec![header.to_string()];
    for pan in pan::pans(pan::ACME, seed, records) {
        lines.push(json!({"id": "r", "fpan": pan, "cardBaseCurrency": "EUR"}).to_string());
    }
    let digest = sha256_hex((lines.join("\n") + "\n").as_bytes());
    lines.push(json!({"trailer": {"records": records, "sha256": digest}}).to_string());
    lines
}

#[test]
fn lines_that_are_sealed_one_by_one_open_and_one_that_does_not_fails_the_file() {
    let world = world("");
    let seal = |line: &String| world.payload(line).object();
    let drop = |batch: &str, lines: &[String]| {
        world.drop_bytes(&format!("ACME_PAYCARDS_{batch}.jsonl"), lines.join("\n") + "\n");
        format!("ACME_PAYCARDS_{batch}")
    };
    // Control records in clear, and sealed like the rest by our own command.
    let open = json_lines("LINES", 660, 5);
    let mut lines: Vec<String> = open.iter().map(seal).collect();
    (lines[0], lines[6]) = (open[0].clone(), open[6].clone());
    let stem = drop("LINES", &lines);
    let all = json_lines("ALL", 661, 5);
    world.write("all.jsonl", all.join("\n") + "\n");
    let args = ["seal", "all.jsonl", "--to", "keys/feed.pub.jwk", "--envelope", "mastercard", "--lines"];
    let sealed = world.nightdrop(&args).expect(0).text();
    assert_eq!(sealed.lines().count(), 7);
    world.drop_bytes("ACME_PAYCARDS_ALL.jsonl", &sealed);
    world.write("sealed.jsonl", &sealed);
    let unsealed = world.nightdrop(&["unseal", "sealed.jsonl", "--key", "keys/feed.jwk"]).expect(0).text();
    assert_eq!(unsealed.lines().collect::<Vec<_>>(), all);
    world.once().expect(0);
    for (stem, batch) in [(stem, "LINES"), ("ACME_PAYCARDS_ALL".to_owned(), "ALL")] {
        let ack = world.out().accepted(&stem);
        assert_eq!((&ack["envelope"], &ack["key_id"]), (&json!("mastercard"), &json!("feed-1")), "{ack}");
        assert_eq!((&ack["batch_id"], &ack["records"]), (&json!(batch), &json!(5)), "{ack}");
        assert_eq!(world.out().recon(&stem).trailer[..2], [5, 5]);
    }

    // Damaged, missing, in clear, doubled, added: all the same.
    let bad = json_lines("BAD", 662, 5);
    let good: Vec<String> = bad.iter().map(seal).collect();
    type Change<'a> = &'a dyn Fn(&mut Vec<String>);
    let changes: [(&str, Change<'_>); 5] = [
        ("BADLINE", &|lines| lines[3] = lines[3].replacen("\"encryptedData\":\"", "\"encryptedData\":\"00", 1)),
        ("BADGONE", &|lines| drop_one(lines, 3)),
        ("BADCLEAR", &|lines| lines[3] = bad[3].clone()),
        ("BADTWICE", &|lines| lines[3] = lines[2].clone()),
        ("BADEND", &|lines| drop_one(lines, 6)),
    ];
    let mut acks = Vec::new();
    for (batch, change) in changes {
        let mut lines = good.clone();
        change(&mut lines);
        drop(batch, &lines);
    }
    world.once().expect(3);
    for (batch, _) in changes {
        let mut ack = world.out().refused(&format!("ACME_PAYCARDS_{batch}"), "CRYPTO_ERROR");
        for own in ["file", "bytes", "sha256", "received_at"] {
            ack[own].take();
        }
        acks.push(ack);
    }
    assert!(acks.iter().all(|ack| *ack == acks[0]), "{acks:#?}");
    // One that was accepted is sealed; one that was not may hold cards between its lines.
    assert_eq!((world.kept_in("archive").len(), world.kept_in("quarantine").len()), (2, 0));
}

fn drop_one(lines: &mut Vec<String>, at: usize) {
    lines.remove(at);
}

#[test]
fn what_seal_seals_as_payload_unseal_opens_and_each_key_is_tried_live() {
    let world = world("oaep_hash = \"SHA512\"");
    let file = CsvFile::good("OWN", 670, 3);
    world.write("plain.csv", file.text());
    let seal = ["seal", "plain.csv", "--to", "keys/feed.pub.jwk", "--envelope", "mastercard", "--oaep-hash", "SHA-512"];
    let sealed = world.nightdrop(&seal).expect(0).text();
    world.write("sealed.json", &sealed);
    let unseal = ["unseal", "sealed.json", "--key", "keys/feed.jwk", "--oaep-hash", "SHA512"];
    assert_eq!(world.nightdrop(&unseal).expect(0).text(), file.text());
    let wrong = world.nightdrop(&unseal[..4]).expect(3);
    assert!(wrong.stdout.is_empty() && wrong.stderr.contains("ALGORITHM_REFUSED"), "{}", wrong.stderr);
    let ec = ["seal", "plain.csv", "--to", "keys/feed-ec.pub.jwk", "--envelope", "mastercard"];
    assert!(world.nightdrop(&ec).expect(2).stderr.contains("not RSA"));
    let tokens = world.nightdrop(&["seal", "plain.csv", "--to", "keys/feed-ec.pub.jwk", "--lines"]).expect(0).text();
    assert!(tokens.lines().count() == 6 && tokens.lines().all(|line| line.starts_with("eyJ")), "{tokens}");

    world.drop_object(&file, sealed);
    world.once().expect(0);
    world.out().accepted(&file.stem());
    let live = world.nightdrop(&["config", "check", "--config", "nightdrop.toml", "--live"]).expect(0).text();
    assert!(live.contains("as jwe and mastercard") && live.contains("opens a test file"), "{live}");
}
