//! Mastercard's client libraries in their other mode, payload encryption: every way of writing it that they can be told.

use serde_json::{Value, json};

use crate::file::CsvFile;
use crate::json::{card, cards, lines};
use crate::pan;
use crate::world::World;

use super::tools::{NODE_PAYLOAD, PYTHON_PAYLOAD, certificate};
use super::{Dropped, expect_registered};

/// Hex and base64; each fingerprint, both, none; with the hash told and not told; CSV, lines, and a body of the API.
fn what_they_seal_is_registered(hash: &str, feed: &'static str) {
    let world = World::shaped(|shape| {
        shape.reply = false;
        shape.envelopes = r#"["mastercard"]"#;
        shape.feed = feed;
    });
    let certificate = certificate(&world, "feed");
    let (mut dropped, mut turn) = (Vec::new(), 0);
    for tool in [PYTHON_PAYLOAD, NODE_PAYLOAD] {
        let (mut jobs, mut names) = (Vec::new(), Vec::new());
        for encoding in ["hex", "base64"] {
            for fingerprints in [&["key"][..], &["certificate"], &["key", "certificate"], &[]] {
                for told in [true, false] {
                    let batch = format!("{}-{encoding}-{}-{told}", tool.name, fingerprints.join("_"));
                    let mut job = json!({
                        "encoding": encoding, "hash": hash, "fingerprints": fingerprints, "told": told,
                        "certificate": certificate,
                    });
                    let (extension, records) = match turn % 3 {
                        0 => {
                            job["text"] = CsvFile::good(&batch, turn, 5).text().into();
                            ("csv", 5)
                        }
                        1 => {
                            job["text"] = lines(&batch, &cards("r", turn, 4), 4).into();
                            ("jsonl", 4)
                        }
                        _ => {
                            job["body"] = card("b", &pan::pan(pan::ACME, turn, 0)).to_string().into();
                            ("json", 1)
                        }
                    };
                    jobs.push(job);
                    names.push((batch, extension, records));
                    turn += 1;
                }
            }
        }
        for (object, (batch, extension, records)) in tool.all("seal", jobs).into_iter().zip(names) {
            let parts: Value = serde_json::from_str(&object).unwrap();
            assert!(["encryptedData", "encryptedKey", "iv"].iter().all(|part| parts[part].is_string()), "{batch}");
            let stem = format!("ACME_PAYCARDS_{batch}");
            world.drop_bytes(&format!("{stem}.{extension}"), object);
            dropped.push(Dropped { stem, envelope: "mastercard", key_id: "feed-1", records });
        }
    }
    assert_eq!(dropped.len(), 32);
    world.once().expect(0);
    expect_registered(&world, &dropped);
}

#[test]
fn what_they_seal_with_sha_256_is_registered() {
    what_they_seal_is_registered("SHA-256", "oaep_hash = \"SHA256\"\ncontrols = \"optional\"");
}

#[test]
fn what_they_seal_with_sha_512_is_registered() {
    what_they_seal_is_registered("SHA-512", "oaep_hash = \"SHA512\"\ncontrols = \"optional\"");
}

/// A request a line, as the library seals a body; the control records stay in clear. What the library writes of a body is its own
/// affair, so the trailer gives no digest.
#[test]
fn what_they_seal_line_by_line_is_registered() {
    let world = World::shaped(|shape| {
        shape.reply = false;
        shape.envelopes = r#"["mastercard"]"#;
    });
    let certificate = certificate(&world, "feed");
    let mut dropped = Vec::new();
    for (seed, tool) in (320..).zip([PYTHON_PAYLOAD, NODE_PAYLOAD]) {
        let batch = format!("{}-lines", tool.name);
        let text = lines(&batch, &cards("r", seed, 4), 4);
        let clear: Vec<&str> = text.lines().collect();
        let job = |line: &&str| {
            json!({
                "encoding": "hex", "hash": "SHA-256", "fingerprints": ["key"], "told": true,
                "certificate": certificate, "body": line,
            })
        };
        let sealed = tool.all("seal", clear[1..5].iter().map(job).collect());
        let trailer = json!({"trailer": {"records": 4, "sha256": ""}}).to_string();
        let file = [clear[0].to_owned()].into_iter().chain(sealed).chain([trailer]).collect::<Vec<_>>().join("\n");
        let stem = format!("ACME_PAYCARDS_{batch}");
        world.drop_bytes(&format!("{stem}.jsonl"), file + "\n");
        dropped.push(Dropped { stem, envelope: "mastercard", key_id: "feed-1", records: 4 });
    }
    world.once().expect(0);
    expect_registered(&world, &dropped);
}
