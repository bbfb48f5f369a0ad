//! D1 batches that somebody made in order to get something past nightdrop, or that say what must not be told again.

use base64_simd::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::{Value, json};

use crate::check::expect_all_as_foreseen;
use crate::d1_batch::{FEED, HEADER, NAME, SIGNED_FEED, STEM, batch, card, row, tokens, world};
use crate::pan;
use crate::world::{World, expect_same, files_under, until};

/// Header, name and stem of the `n`th of several batches.
fn numbered(n: usize) -> (String, String, String) {
    let of = |text: &str| text.replace("007", &format!("{n:03}"));
    (of(HEADER), of(NAME), of(STEM))
}

fn answer(world: &World, stem: &str) -> Value {
    serde_json::from_slice(&world.out().content(&format!("{stem}_OUT.json"))).unwrap()
}

/// A detached JWS under a header as it stands; what is signed behind the dot as it stands, too.
fn detached(header: &str, signed: &[u8], key: &PKey<Private>) -> String {
    let header = URL_SAFE_NO_PAD.encode_to_string(header);
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    signer.update(format!("{header}.").as_bytes()).unwrap();
    signer.update(signed).unwrap();
    format!("{header}..{}", URL_SAFE_NO_PAD.encode_to_string(signer.sign_to_vec().unwrap()))
}

#[test]
fn a_signature_holds_for_the_key_the_bytes_and_the_ways_that_are_asked_for_alone() {
    let world = world(SIGNED_FEED);
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let strangers = Rsa::generate(2048).unwrap();
    let number = |it: &openssl::bn::BigNumRef| URL_SAFE_NO_PAD.encode_to_string(it.to_vec());
    let jwk = json!({"kty": "RSA", "n": number(strangers.n()), "e": number(strangers.e())});
    let strangers = PKey::from_rsa(strangers).unwrap();
    let public = key.public_key_to_pem().unwrap();
    let shared = PKey::hmac(&public).unwrap();
    world.write("keys/sign.jwk", &public);

    let token = &tokens(&world, 1)[0];
    // Each batch has content of its own, with blanks of every kind around and within.
    let records =
        |n: usize| format!("[\r\n\t {} ,\n{}\t ]", row(1, "c-1", &[card("k-1", token)]), row(2 + n as u64, "c", &[]));
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode_to_string(text).into_bytes();
    let rs256 = r#"{"alg":"RS256"}"#;
    let key = &key;
    let of_records = |header: &str, n: usize| detached(header, &encoded(&records(n)), key);
    type Sign<'a> = Box<dyn Fn(usize) -> String + 'a>;
    let mut cases: Vec<(String, Sign<'_>, bool)> = Vec::new();
    for (header, holds) in [
        (rs256, true),
        (r#"{"typ":"JOSE","kid":"another","alg":"RS256","iat":1}"#, true),
        (r#"{"alg":"RS256","crit":["exp"],"exp":1}"#, false),
        (r#"{"alg":"RS256","crit":[]}"#, false),
        (r#"{"alg":"RS256","crit":null}"#, false),
        (r#"{"alg":"RS256","b64":true}"#, false),
        (r#"{"alg":"RS256","b64":null}"#, false),
        (r#"{"alg":"RS256","alg":"RS256"}"#, false),
        (r#"{"alg":"rs256"}"#, false),
        (r#"{"alg":"RS384"}"#, false),
        (r#"{"alg":"PS256"}"#, false),
        (r#"{"alg":"ES256"}"#, false),
        (r#"{"alg":["RS256"]}"#, false),
        (r#"{}"#, false),
        (r#"["RS256"]"#, false),
        ("", false),
    ] {
        cases.push((header.to_owned(), Box::new(move |n| of_records(header, n)), holds));
    }
    let raw = r#"{"alg":"RS256","crit":["b64"],"b64":false}"#;
    cases.push((raw.to_owned(), Box::new(|n| detached(raw, records(n).as_bytes(), key)), false));
    let raw = r#"{"alg":"RS256","b64":false}"#;
    cases.push((raw.to_owned(), Box::new(|n| detached(raw, records(n).as_bytes(), key)), false));
    let hs256 = r#"{"alg":"HS256"}"#;
    cases.push((hs256.to_owned(), Box::new(|n| detached(hs256, &encoded(&records(n)), &shared)), false));
    let carried = json!({"alg": "RS256", "jwk": jwk}).to_string();
    let (header, stranger) = (carried.clone(), &strangers);
    cases.push((carried, Box::new(move |n| detached(&header, &encoded(&records(n)), stranger)), false));
    cases.push(("a stranger's".into(), Box::new(|n| detached(rs256, &encoded(&records(n)), &strangers)), false));
    cases.push(("another's records".into(), Box::new(|n| of_records(rs256, n + 1)), false));
    let other = |bytes: &dyn Fn(&str) -> String, n: usize| detached(rs256, &encoded(&bytes(&records(n))), key);
    cases.push(("without brackets".into(), Box::new(move |n| other(&|it| it[1..it.len() - 1].into(), n)), false));
    cases.push(("a blank more".into(), Box::new(move |n| other(&|it| format!("{it} "), n)), false));
    let compact = |it: &str| serde_json::from_str::<Value>(it).unwrap().to_string();
    cases.push(("as another would write it".into(), Box::new(move |n| other(&compact, n)), false));
    cases.push((
        "with its payload".into(),
        Box::new(|n| {
            of_records(rs256, n).replacen("..", &format!(".{}.", String::from_utf8(encoded(&records(n))).unwrap()), 1)
        }),
        false,
    ));
    cases.push(("of four parts".into(), Box::new(|n| format!("{}.", of_records(rs256, n))), false));
    cases.push(("with a blank".into(), Box::new(|n| format!(" {}", of_records(rs256, n))), false));
    cases.push(("nothing".into(), Box::new(|_| String::new()), false));

    for (n, (_, sign, _)) in cases.iter().enumerate() {
        let (header, name, _) = numbered(n);
        let text = format!(
            "{{\"header\":{header}, \"records\" :\n {} \n, \"signature\":{}}}",
            records(n),
            Value::from(sign(n))
        );
        world.drop_bytes(&name, text);
    }
    world.once();
    for (n, (what, _, holds)) in cases.iter().enumerate() {
        let stem = numbered(n).2;
        if *holds {
            assert_eq!(world.out().accepted(&stem)["records"], 2, "{what}");
        } else {
            let ack = world.out().ack(&stem);
            assert_eq!(ack["code"], "SIGNATURE_INVALID", "{what}: {ack}");
            assert_eq!(answer(&world, &stem)["header"]["errorCode"], "110", "{what}");
        }
    }
}

#[test]
fn what_disagrees_with_the_name_or_is_a_card_number_is_not_told_again() {
    let world = world(FEED);
    let canary = pan::pan(pan::NOBODY, 715, 1);
    let token = &tokens(&world, 1)[0];
    let (header, name, refused) = numbered(1);
    world.drop_bytes(&name, batch(&header.replace("N-1", &canary), "[]"));
    let (header, name, taken) = numbered(2);
    let id = canary.parse().unwrap();
    let rows = [row(1, "c-1", &[]), row(id, "c-2", &[card("k-1", token)]), row(id + 1, "c-3", &[card("k-2", token)])];
    world.drop_bytes(&name, batch(&header, &Value::from(rows.to_vec()).to_string()));
    world.once();
    world.out().refused(&refused, "HEADER_MISMATCH");
    let header = json!({"issuerId": "ACME_CARDS_1", "operation": "CONSUMER_CARD_REGISTRATION", "errorCode": "100"});
    assert_eq!(answer(&world, &refused)["header"], header);
    assert_eq!(world.out().ack(&refused)["batch_id"], Value::Null);

    world.out().accepted(&taken);
    let said = answer(&world, &taken);
    let ids: Vec<&Value> = said["recordsResults"].as_array().unwrap().iter().map(|row| &row["rowId"]).collect();
    assert_eq!(ids, [&json!(1), &Value::Null, &json!(id + 1)]);
    assert_eq!(said["recordsResults"][1]["consumerCardRegistrationResult"]["cards"][0]["errorCode"], "FIELD_INVALID");
    for path in files_under(world.path()) {
        let found = crate::leaks::find(&std::fs::read(&path).unwrap(), std::slice::from_ref(&canary));
        assert_eq!(found, [""; 0], "{}", path.display());
    }
}

#[test]
fn what_is_said_of_persons_is_taken_and_kept_nowhere() {
    let world = world(FEED);
    let token = &tokens(&world, 1)[0];
    let secret = "Canary Person of Nowhere";
    let nested = format!("{}\"{secret}\"{}", "[{\"a\":".repeat(25), "}]".repeat(25));
    let mut one = row(1, "c-1", &[card("k-1", token)]);
    one["consumerAndCardRegistrationRequest"]["personalInformation"] = json!({
        "nested": serde_json::from_str::<Value>(&nested).unwrap(), "big": secret.repeat(100_000), "": [null, true, -1.5e300],
    });
    let (header, name, stem) = numbered(1);
    world.drop_bytes(&name, batch(&header, &json!([one]).to_string()));
    world.once().expect(0);
    assert_eq!(world.out().recon(&stem).trailer[1], 1);
    // A security code is found there, however deep and however its name is written.
    for (n, key) in (2..).zip(["cvv", r"c\u0076v2", "card_verification_value", "PIN", "track2"]) {
        let (header, name, stem) = numbered(n);
        let deep = nested.replace(&format!("\"{secret}\""), &format!("{{\"{key}\":\"123\"}}"));
        let text = batch(&header, &json!([row(1, "c-1", &[])]).to_string()).replacen(
            "\"age\":7",
            &format!("\"age\":{deep}"),
            1,
        );
        world.drop_bytes(&name, &text);
        world.once().expect(3);
        world.out().refused(&stem, "SAD_PRESENT");
    }
    for path in files_under(world.path()) {
        let found = memchr::memmem::find(&std::fs::read(&path).unwrap(), secret.as_bytes());
        assert!(found.is_none(), "{}", path.display());
    }
}

#[test]
fn the_same_batch_twice_is_told_by_its_key_and_by_its_records() {
    let world = world(FEED);
    let tokens = tokens(&world, 2);
    let records = |n: usize| json!([row(1, "c-1", &[card(&format!("k-{n}"), &tokens[n])])]).to_string();
    let (header, name, first) = numbered(1);
    // The name's time is no part of the key, and a number is the same with and without noughts before it.
    let later = name.replace("1764000000", "1764000001");
    let short = later.replace("-001-", "-1-");
    world.drop_bytes(&name, batch(&header, &records(0)));
    world.once().expect(0);
    world.drop_bytes(&later, batch(&header, &records(0)));
    world.drop_bytes(&short, batch(&header.replace("\"001\"", "\"1\""), &records(1)));
    let (header, name, new) = numbered(2);
    world.drop_bytes(&name, batch(&header, &records(0)));
    world.once();
    let stem = |name: &str| name.strip_suffix(".json").unwrap().to_owned();
    let ack = world.out().ack(&stem(&later));
    assert_eq!((&ack["status"], &ack["code"]), (&json!("DUPLICATE"), &json!("DUPLICATE_FILE")));
    world.out().refused(&stem(&short), "BATCH_REUSED");
    world.out().refused(&new, "DUPLICATE_CONTENT");
    // D1 has no code for any of these, and the first one's answer is there.
    let answers: Vec<String> = world.out().names().into_iter().filter(|name| name.ends_with("_OUT.json")).collect();
    assert_eq!(answers, [format!("{first}_OUT.json")]);
}

#[test]
fn an_accepted_batch_ends_as_it_began_whatever_its_feed_takes_by_then() {
    let peace = world(FEED);
    peace.once().expect(0);
    let storm = peace.copied(|_| {});
    let token = &tokens(&peace, 1)[0];
    let rows: Vec<Value> =
        (1..3000).map(|id| row(id, &format!("c-{id}"), &[card(&format!("k-{id}"), token)])).collect();
    let text = batch(HEADER, &Value::from(rows).to_string());
    for world in [&peace, &storm] {
        world.drop_bytes(NAME, &text);
    }
    peace.once();
    let mut daemon = storm.daemon();
    until("the ack", || !daemon.alive() || storm.out().has(&format!("{STEM}.ack.json")));
    daemon.kill();
    let name = format!("{STEM}_OUT.json");
    assert!(!storm.out().has(&name), "the kill came too late");
    let changed = storm.copied(|shape| shape.feed = "format = \"jsonl\"\nallow_plaintext = true");
    changed.once();
    expect_same(&name, &peace.out().content(&name), &changed.out().content(&name));
}

#[test]
fn a_dry_run_says_of_a_batch_what_becomes_of_it() {
    let world = world(SIGNED_FEED);
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    world.write("keys/sign.jwk", key.public_key_to_pem().unwrap());
    let tokens = tokens(&world, 3);
    let mut next = 0;
    let mut signed = |change: &dyn Fn(String) -> String, records: &Value| {
        next += 1;
        let (header, name, _) = numbered(next);
        let records = records.to_string();
        let jws = detached(r#"{"alg":"RS256"}"#, URL_SAFE_NO_PAD.encode_to_string(&records).as_bytes(), &key);
        (name, change(format!("{{\"header\":{header},\"records\":{records},\"signature\":\"{jws}\"}}")).into_bytes())
    };
    let mixed = json!([
        row(1, "c-1", &[card("k-1", &tokens[0]), card("k 2", &tokens[1])]),
        row(4, "c-1", &[card("k-3", &tokens[0]), card("k-4", "eyJ.torn")]),
        row(5, "c-1", &[]),
    ]);
    let good = |n: usize| json!([row(1, "c-2", &[card(&format!("k-1{n}"), &tokens[n])])]);
    let files = vec![
        signed(&|text| text, &mixed),
        signed(&|text| text, &good(1)),
        signed(&|text| text.replacen("\"rowId\":1", "\"rowId\":2", 1), &good(2)),
        signed(&|text| text.replacen("\"issuerId\":\"ACME", "\"issuerId\":\"ACNE", 1), &good(2)),
        signed(&|text| text.replacen("\"rowId\"", "\"cvv\"", 1), &good(2)),
        signed(&|text| text, &json!([row(3, "c", &[]), row(3, "c", &[])])),
        signed(&|text| text[..text.len() - 1].to_owned(), &good(2)),
        signed(&|text| text.split(",\"signature\"").next().unwrap().to_owned() + "}", &good(2)),
    ];
    expect_all_as_foreseen(&world, &files);
}
