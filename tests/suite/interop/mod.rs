//! Interoperation with the tools that senders really use: what they seal nightdrop registers, what nightdrop seals they open.

mod payload;
mod tools;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::file::CsvFile;
use crate::json::{cards, lines};
use crate::pan;
use crate::world::World;

use tools::{
    COMMAND, JOSE, JWCRYPTO, MASTERCARD, NODE, NPM_JOSE, PYTHON, Tool, certificate, pair_on_p384, private_pem,
};

const ENCRYPTIONS: [&str; 5] = ["A256GCM", "A192GCM", "A128GCM", "A128CBC-HS256", "A256CBC-HS512"];
/// Key of the world, its kid, algorithm.
const ALGORITHMS: [(&str, &str, &str); 5] = [
    ("feed", "feed-1", "RSA-OAEP-256"),
    ("feed-ec", "feed-2", "ECDH-ES"),
    ("feed-p384", "feed-3", "ECDH-ES"),
    ("feed-ec", "feed-2", "ECDH-ES+A256KW"),
    ("feed-p384", "feed-3", "ECDH-ES+A256KW"),
];

/// A world whose feeds have a key on P-384 too.
fn world(services: &[&'static str], reply: bool, feed: &'static str) -> World {
    let world = World::shaped(|shape| {
        shape.services = services.to_vec();
        shape.reply = reply;
        shape.feed = feed;
    });
    lay_key(&world, "feed-p384", &pair_on_p384("feed-3"));
    let toml = std::fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    world.write("nightdrop.toml", toml.replace("\"keys/feed-ec.jwk\"", "\"keys/feed-ec.jwk\", \"keys/feed-p384.jwk\""));
    world
}

fn lay_key(world: &World, name: &str, (private, public): &(String, String)) {
    let path = format!("keys/{name}.jwk");
    world.write(&path, private);
    std::fs::set_permissions(world.at(&path), Permissions::from_mode(0o600)).unwrap();
    world.write(&format!("keys/{name}.pub.jwk"), public);
}

fn private_key(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.at(&format!("keys/{name}.jwk"))).unwrap()
}

/// The token in what the client libraries give: an object around it.
fn token_in(object: &str, name: &str) -> String {
    let object: Value = serde_json::from_str(object).unwrap();
    object[name].as_str().unwrap_or_else(|| panic!("no {name} in {object}")).to_owned()
}

/// A dropped file: its stem, what it must have been sealed as and for, its records.
struct Dropped {
    stem: String,
    envelope: &'static str,
    key_id: &'static str,
    records: u64,
}

fn expect_registered(world: &World, dropped: &[Dropped]) {
    for Dropped { stem, envelope, key_id, records } in dropped {
        let ack = world.out().accepted(stem);
        assert_eq!((&ack["envelope"], &ack["key_id"]), (&(*envelope).into(), &(*key_id).into()), "{stem}: {ack}");
        assert_eq!(world.out().recon(stem).trailer, [*records, *records, 0, 0, 0, 0], "{stem}");
    }
}

/// A text of two cards, of lines of JSON or of CSV by turns; its extension beside it.
fn text(batch: &str, seed: u64, turn: usize) -> (String, &'static str) {
    match turn % 2 {
        0 => (CsvFile::good(batch, seed, 2).text(), "csv"),
        _ => (lines(batch, &cards("r", seed, 2), 2), "jsonl"),
    }
}

/// Every algorithm with every content encryption, with a kid, without one, and with the name that one library has for it.
#[test]
fn what_jose_libraries_seal_is_registered() {
    let world = world(&["payment-cards"], false, "");
    let mut dropped = Vec::new();
    for (seed, tool) in (100..).step_by(100).zip(JOSE) {
        let (mut jobs, mut files) = (Vec::new(), Vec::new());
        for (key, key_id, alg) in ALGORITHMS.iter().filter(|(.., alg)| tool.rsa || !alg.starts_with("RSA")) {
            for enc in ENCRYPTIONS {
                let turn = jobs.len();
                let batch = format!("{}-{key}-{}-{enc}", tool.name, alg.replace('+', "_"));
                let (text, extension) = text(&batch, seed + turn as u64, turn);
                let mut header = json!({"alg": alg, "enc": enc});
                match turn % 3 {
                    0 => header["kid"] = json!(key_id),
                    1 => header["keyId"] = json!(key_id),
                    _ => {}
                }
                jobs.push(json!({"text": text, "key": world.public_key(key), "header": header}));
                files.push((batch, extension, *key_id));
            }
        }
        for (token, (batch, extension, key_id)) in tool.all("seal", jobs).into_iter().zip(files) {
            let stem = format!("ACME_PAYCARDS_{batch}");
            world.drop_bytes(&format!("{stem}.{extension}.jwe"), token);
            dropped.push(Dropped { stem, envelope: "jwe", key_id, records: 2 });
        }
    }
    assert_eq!(dropped.len(), 25 + 25 + 20);
    world.once().expect(0);
    expect_registered(&world, &dropped);
}

/// As text and, from one body of the API, whole; the kid is what the libraries make of the certificate's key.
#[test]
fn what_mastercards_libraries_seal_as_jwe_is_registered() {
    let world = world(&["payment-cards"], false, "controls = \"optional\"");
    let certificate = certificate(&world, "feed");
    let mut dropped = Vec::new();
    for (seed, tool) in (100..).step_by(100).zip(MASTERCARD) {
        let mut drop = |batch: String, extension: &str, job: Value, records| {
            let token = token_in(&tool.one("seal", job), "encryptedData");
            let stem = format!("ACME_PAYCARDS_{batch}");
            world.drop_bytes(&format!("{stem}.{extension}.jwe"), token);
            dropped.push(Dropped { stem, envelope: "jwe", key_id: "feed-1", records });
        };
        for turn in 0..2 {
            let batch = format!("{}-{turn}", tool.name);
            // Enough of them that every letter of the alphabets comes.
            let (text, extension) = match turn {
                0 => (CsvFile::good(&batch, seed, 30).text(), "csv"),
                _ => (lines(&batch, &cards("r", seed + 1, 30), 30), "jsonl"),
            };
            drop(batch, extension, json!({"text": text, "certificate": certificate}), 30);
        }
        let body = Value::Array(cards("b", seed + 2, 3)).to_string();
        let job = json!({"body": body, "certificate": certificate});
        drop(format!("{}-body", tool.name), "json", job, 3);
    }
    world.once().expect(0);
    expect_registered(&world, &dropped);
}

/// What is told of the Node library's alphabet, seen: without it the test above would not show what it is there for.
#[test]
fn the_node_library_writes_slashes_and_long_nonces() {
    let world = World::new();
    let job = json!({"text": CsvFile::good("SLASH", 400, 100).text(), "certificate": certificate(&world, "feed")});
    let token = token_in(&NODE.one("seal", job), "encryptedData");
    let parts: Vec<_> = token.split('.').collect();
    assert!(parts[3].contains('/') && !parts[3].contains('_'), "base64url after all");
    assert_eq!(parts[2].len(), 22, "a nonce of 16 bytes");
}

/// Each of them with a reply key of each kind.
#[test]
fn what_nightdrop_seals_others_open() {
    let world = World::shaped(|shape| shape.feed = "controls = \"optional\"");
    let ec = (private_key(&world, "feed-ec"), world.public_key("feed-ec"));
    for (round, pair) in [None, Some(ec), Some(pair_on_p384("reply-3"))].into_iter().enumerate() {
        let rsa = pair.is_none();
        if let Some(pair) = &pair {
            lay_key(&world, "reply", pair);
        }
        let seed = 500 + 10 * round as u64;
        let stem = world.drop_sealed(&CsvFile::good(&format!("REPLY-{round}"), seed, 5));
        let request = Value::Array(cards("a", seed + 1, 3)).to_string();
        world.drop_bytes(&format!("ACME_PAYCARDS_ASKED-{round}.json.jwe"), world.sealed(&request));
        world.once().expect(0);

        let recon = String::from_utf8(world.out().recon(&stem).content).unwrap();
        let sealed = |name: &str| std::fs::read_to_string(world.out().at(&format!("{name}.jwe"))).unwrap();
        let token = sealed(&format!("{stem}.recon.csv"));
        let key = private_key(&world, "reply");
        for tool in JOSE.iter().filter(|tool| tool.rsa || !rsa) {
            let opened = tool.one("open", json!({"text": token, "key": key}));
            assert!(opened == recon, "{} opens something else than `unseal` does", tool.name);
        }
        if !rsa {
            continue;
        }
        let job = |token: &str| json!({"text": token, "certificate": certificate(&world, "reply"), "private": private_pem(&world, "reply")});
        assert!(NODE.one("open", job(&token)) == recon, "the Node library opens something else");
        // The Python library gives back JSON and nothing else: an answer, but no reconciliation.
        let response = format!("ACME_PAYCARDS_ASKED-{round}.response.jsonl");
        let answered: Value = serde_json::from_slice(&world.out().content(&response)).unwrap();
        assert_eq!(answered.as_array().map(Vec::len), Some(3), "{answered}");
        for tool in MASTERCARD {
            let opened: Value = serde_json::from_str(&tool.one("open", job(&sealed(&response)))).unwrap();
            assert_eq!(opened, answered, "{}", tool.name);
        }
    }
}

/// Cards one by one, and the PANs of a list, sealed within a file.
#[test]
fn records_that_they_seal_are_registered() {
    let world = world(&["cards", "pan-lists"], false, "controls = \"optional\"");
    let certificate = certificate(&world, "feed");
    let public = |key: &str| world.public_key(key);
    let by_jwk = |tool: &Tool, key: &str, alg: &str, text: &str| {
        let header = json!({"alg": alg, "enc": "A256GCM"});
        tool.one("seal", json!({"text": text, "key": public(key), "header": header}))
    };

    let mut file = CsvFile::of("cards", "record_ref,card_id,card_product_id,consumer_id,card", "SEALED");
    let mut n = 0;
    let mut add = |token: String, file: &mut CsvFile| {
        n += 1;
        file.row(format!("r-{n},card-{n},gold,c-{n},{token}"));
    };
    let card = |n: u64| json!({"pan": pan::pan(pan::NOBODY, 600, n), "exp": "1299"}).to_string();
    for (n, tool) in (0..).zip(JOSE) {
        // As Thales D1 has it, and on the other curve.
        add(by_jwk(&tool, "feed-ec", "ECDH-ES", &card(2 * n)), &mut file);
        add(by_jwk(&tool, "feed-p384", "ECDH-ES+A256KW", &card(2 * n + 1)), &mut file);
    }
    for (n, tool) in (6..).zip(MASTERCARD) {
        let job = json!({"body": card(n), "certificate": certificate});
        add(token_in(&tool.one("seal", job), "encryptedData"), &mut file);
    }
    let stem = world.drop_sealed(&file);

    let pans = |n: u64| json!({"pans": [{"pan": pan::pan(pan::ACME, 601, 2 * n)}, {"pan": pan::pan(pan::ACME, 601, 2 * n + 1)}]});
    let mut lists = Vec::new();
    for (n, (tool, key, alg)) in (0..).zip([
        (JWCRYPTO, "feed", "RSA-OAEP-256"),
        (NPM_JOSE, "feed", "RSA-OAEP-256"),
        (COMMAND, "feed-ec", "ECDH-ES"),
    ]) {
        let token = by_jwk(&tool, key, alg, &pans(n).to_string());
        lists.push((tool.name, json!({"panListName": tool.name, "encryptedValue": token}).to_string()));
    }
    for (n, tool) in (3..).zip([PYTHON, NODE]) {
        // The library itself puts the sealed member in the place of the other.
        let body = json!({"panListName": tool.name, "sensitiveData": pans(n)}).to_string();
        let job =
            json!({"body": body, "element": "sensitiveData", "name": "encryptedValue", "certificate": certificate});
        let request = tool.one("seal", job);
        assert!(request.contains("panListName") && !request.contains("sensitiveData"), "{request}");
        lists.push((tool.name, request));
    }
    for (name, request) in &lists {
        world.drop_bytes(&format!("ACME_PANLISTS_{name}.json.jwe"), world.sealed(request));
    }
    world.once().expect(0);

    assert_eq!(world.out().recon(&stem).trailer, [8, 8, 0, 0, 0, 0]);
    for (name, _) in &lists {
        assert_eq!(world.out().recon(&format!("ACME_PANLISTS_{name}")).trailer, [2, 2, 0, 0, 0, 0], "{name}");
    }
}

/// Packages come by name, from wherever the one who installs them has them: the lock file pins what they hold, not a place.
#[test]
fn the_lock_file_pins_contents_and_no_place() {
    let lock = include_str!("../../interop/package-lock.json");
    assert!(!lock.contains("://") && !lock.contains("resolved"), "an address in the lock file");
    let lock: Value = serde_json::from_str(lock).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    assert!(packages.len() > 2);
    for (path, package) in packages.iter().filter(|(path, _)| !path.is_empty()) {
        assert!(package["integrity"].as_str().is_some_and(|digest| digest.starts_with("sha512-")), "{path}");
    }
}
