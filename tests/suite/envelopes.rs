//! JWE from real senders opens; JWE that is damaged, forged or of another kind is refused, with an ack, and registers nothing.

use base64_simd::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::file::{CsvFile, sha256_hex};
use crate::pan;
use crate::seal::{Crafted, Job, josekit, jwcrypto, public_key};
use crate::world::World;

const ALGORITHMS: [(&str, &str, &str); 3] =
    [("RSA-OAEP-256", "feed", "feed-1"), ("ECDH-ES", "feed-ec", "feed-2"), ("ECDH-ES+A256KW", "feed-ec", "feed-2")];
const ENCRYPTIONS: [&str; 5] = ["A256GCM", "A192GCM", "A128GCM", "A128CBC-HS256", "A256CBC-HS512"];

/// Every pair of algorithms with a file of its own: key, alg, enc, kid, file.
fn pairs(seed: u64) -> Vec<(&'static str, &'static str, &'static str, &'static str, CsvFile)> {
    let mut pairs = Vec::new();
    for (alg, key, kid) in ALGORITHMS {
        for enc in ENCRYPTIONS {
            let n = pairs.len() as u64;
            let batch = format!("{seed}-{}-{enc}", alg.replace('+', "_"));
            let file = CsvFile::new(&batch).with(|file| {
                file.register("r", &pan::pan(pan::ACME, seed, n), "EUR");
            });
            pairs.push((key, alg, enc, kid, file));
        }
    }
    pairs
}

fn expect_all_registered(world: &World, files: &[CsvFile]) {
    for file in files {
        let ack = world.out().accepted(&file.stem());
        assert_eq!(ack["envelope"], "jwe", "{ack}");
        assert_eq!(world.out().recon(&file.stem()).trailer[..2], [file.rows.len() as u64; 2]);
    }
}

#[test]
fn josekits_tokens_open() {
    let world = World::shaped(|shape| shape.reply = false);
    let mut files = Vec::new();
    for (key, alg, enc, kid, file) in pairs(60) {
        let token = josekit(alg, enc, Some(kid), &world.public_key(key), file.text().as_bytes());
        world.drop_bytes(&file.name(), token);
        files.push(file);
    }
    world.once().expect(0);
    expect_all_registered(&world, &files);
}

#[test]
fn jwcryptos_tokens_open() {
    let world = World::shaped(|shape| shape.reply = false);
    let pairs = pairs(61);
    let publics: Vec<_> = pairs.iter().map(|(key, ..)| world.public_key(key)).collect();
    let texts: Vec<_> = pairs.iter().map(|(.., file)| file.text()).collect();
    let jobs: Vec<_> = pairs
        .iter()
        .zip(publics.iter().zip(&texts))
        .map(|((_, alg, enc, kid, _), (public, plaintext))| Job { alg, enc, kid, public, plaintext })
        .collect();
    let mut files = Vec::new();
    for (token, (.., file)) in jwcrypto(&jobs).into_iter().zip(pairs) {
        world.drop_bytes(&file.name(), token);
        files.push(file);
    }
    world.once().expect(0);
    expect_all_registered(&world, &files);
}

#[test]
fn a_file_sealed_by_nightdrop_opens_and_so_does_one_without_a_kid() {
    let world = World::new();
    let (own, nameless, second) =
        (CsvFile::good("OWN", 62, 3), CsvFile::good("NOKID", 63, 3), CsvFile::good("EC", 64, 3));
    world.write("plain.csv", own.text());
    let sealed = world.nightdrop(&["seal", "plain.csv", "--to", "keys/feed.pub.jwk"]).expect(0).stdout;
    world.drop_bytes(&own.name(), sealed);
    // Each key in turn, the second as well as the first: a rotation overlaps.
    let key = |name: &str| world.public_key(name);
    world.drop_bytes(
        &nameless.name(),
        josekit("RSA-OAEP-256", "A256GCM", None, &key("feed"), nameless.text().as_bytes()),
    );
    world.drop_bytes(&second.name(), josekit("ECDH-ES", "A256GCM", None, &key("feed-ec"), second.text().as_bytes()));
    world.once().expect(0);
    expect_all_registered(&world, &[own, nameless, second]);
}

#[test]
fn sloppy_tokens_of_real_senders_open() {
    let world = World::shaped(|shape| shape.reply = false);
    let public = world.public_key("feed");
    let fingerprint = sha256_hex(&public_key(&public).public_key_to_der().unwrap());
    let header = |more: &str| format!(r#"{{"alg":"RSA-OAEP-256","enc":"A256GCM"{more}}}"#);
    let twelve = [3; 12];
    type Make<'a> = Box<dyn Fn(&[u8]) -> String + 'a>;
    let makers: Vec<(&str, Make)> = vec![
        ("nonce16", Box::new(|text| Crafted::new(&header(r#","kid":"feed-1""#), &[9; 16], &public, text).token())),
        ("key-id", Box::new(|text| Crafted::new(&header(r#","keyId":"feed-1""#), &twelve, &public, text).token())),
        (
            "iat-text",
            Box::new(|text| {
                Crafted::new(
                    &header(r#","kid":"feed-1","iat":"1763600000","cty":"x","foo":[1]"#),
                    &twelve,
                    &public,
                    text,
                )
                .token()
            }),
        ),
        (
            "fingerprint",
            Box::new(|text| {
                Crafted::new(&header(&format!(r#","kid":"{fingerprint}""#)), &twelve, &public, text).token()
            }),
        ),
        (
            "alphabet",
            Box::new(|text| {
                Crafted::new(&header(""), &twelve, &public, text)
                    .encoded(|bytes| STANDARD_NO_PAD.encode_to_string(bytes))
            }),
        ),
        (
            "padding",
            Box::new(|text| {
                Crafted::new(&header(""), &twelve, &public, text).encoded(|bytes| URL_SAFE.encode_to_string(bytes))
            }),
        ),
        (
            "both",
            Box::new(|text| {
                let first = STANDARD.encode_to_string(header(r#","kid":"feed-1" "#));
                Crafted::under(first, &twelve, &public, text).encoded(|bytes| STANDARD.encode_to_string(bytes))
            }),
        ),
        ("newline", Box::new(|text| Crafted::new(&header(""), &twelve, &public, text).token() + "\n")),
    ];
    let mut files = Vec::new();
    for (n, (batch, make)) in makers.iter().enumerate() {
        let file = CsvFile::new(batch).with(|file| {
            // Enough of them that every letter of the alphabets comes.
            for (at, pan) in pan::pans(pan::ACME, 70 + n as u64, 30).iter().enumerate() {
                file.register(&format!("r-{at}"), pan, "EUR");
            }
        });
        world.drop_bytes(&file.name(), make(file.text().as_bytes()));
        files.push(file);
    }
    world.once().expect(0);
    expect_all_registered(&world, &files);
}

/// The cards that every refused token of a test holds: a good file afterwards must find them new.
fn expect_nothing_registered(world: &World, file: &CsvFile) {
    let after = file.clone().with(|file| file.batch = "AFTER".into());
    let stem = world.drop_sealed(&after);
    world.once().expect(0);
    let records = file.rows.len() as u64;
    assert_eq!(
        world.out().recon(&stem).trailer,
        [records, records, 0, 0, 0, 0],
        "a refused token registered something"
    );
}

#[test]
fn a_token_with_one_bit_flipped_is_refused_wherever_the_bit_is() {
    const CODES: [&str; 4] = ["ENVELOPE_REFUSED", "ALGORITHM_REFUSED", "KEY_UNKNOWN", "CRYPTO_ERROR"];
    let world = World::new();
    let file = CsvFile::good("FLIP", 80, 3);
    let token = world.sealed(&file.text()).into_bytes();
    // A sample over the whole, and all bits of the last letter of each segment: two of its values may decode alike.
    let ends = (0..token.len()).filter(|&at| token.get(at + 1).is_none_or(|&next| next == b'.'));
    let mut flips: Vec<_> = ends.flat_map(|at| (0..8).map(move |bit| (at, bit))).collect();
    flips.extend((0..token.len()).step_by(11).map(|at| (at, at % 8)));
    for &(at, bit) in &flips {
        let mut token = token.clone();
        token[at] ^= 1 << bit;
        world.drop_bytes(&format!("ACME_PAYCARDS_F{at}_{bit}.csv.jwe"), token);
    }
    world.once().expect(3);
    for (at, bit) in flips {
        let ack = world.out().ack(&format!("ACME_PAYCARDS_F{at}_{bit}"));
        let code = ack["code"].as_str().unwrap_or_default();
        assert!(CODES.contains(&code), "bit {bit} of byte {at} of {}: {ack}", token.len());
    }
    expect_nothing_registered(&world, &file);
}

#[test]
fn damage_behind_the_encoding_is_one_uniform_crypto_error() {
    let world = World::new();
    let file = CsvFile::good("DAMAGE", 81, 3);
    let whole = || {
        let header = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"feed-1"}"#;
        Crafted::new(header, &[3; 12], &world.public_key("feed"), file.text().as_bytes())
    };
    let mut said = Vec::new();
    for part in ["key", "nonce", "ciphertext", "tag"] {
        for place in ["first", "middle", "last"] {
            let mut crafted = whole();
            let bytes = match part {
                "key" => &mut crafted.key,
                "nonce" => &mut crafted.nonce,
                "ciphertext" => &mut crafted.ciphertext,
                _ => &mut crafted.tag,
            };
            let at = match place {
                "first" => 0,
                "middle" => bytes.len() / 2,
                _ => bytes.len() - 1,
            };
            bytes[at] ^= 1;
            let batch = format!("{part}-{place}");
            world.drop_bytes(&format!("ACME_PAYCARDS_{batch}.csv.jwe"), crafted.token());
            said.push(batch);
        }
    }
    world.once().expect(3);
    let mut descriptions: Vec<_> = said
        .iter()
        .map(|batch| world.out().refused(&format!("ACME_PAYCARDS_{batch}"), "CRYPTO_ERROR"))
        .map(|ack| (ack["description"].clone(), ack["line"].clone()))
        .collect();
    descriptions.dedup();
    assert_eq!(descriptions.len(), 1, "the ack tells one failure from another: {descriptions:?}");
    expect_nothing_registered(&world, &file);
}

#[test]
fn a_key_that_is_not_this_feeds_is_refused_even_where_another_issuer_has_it() {
    let world = World::shaped(|shape| {
        shape.more = r#"
[[issuer]]
id = "OTHER"
inbound = "in-other"
outbound = "out-other"
[[feed]]
name = "other-payment-cards"
issuer = "OTHER"
service = "payment-cards"
files = "OTHER_PAYCARDS_*"
envelopes = ["jwe"]
keys = ["keys/stranger.jwk"]
environment = "TEST"
"#;
    });
    for dir in ["inbound/ACME", "outbound/ACME", "in-other", "out-other"] {
        std::fs::create_dir_all(world.at(dir)).unwrap();
    }
    let file = CsvFile::good("ALIEN", 83, 2);
    let token =
        josekit("RSA-OAEP-256", "A256GCM", Some("feed-9"), &world.public_key("stranger"), file.text().as_bytes());
    // With a second issuer in the configuration ACME's place is a directory of its own below.
    crate::world::drop_into(&world.at("inbound/ACME"), &file.name(), token);
    world.once().expect(3);
    let ack = std::fs::read_to_string(world.at(&format!("outbound/ACME/{}.ack.json", file.stem()))).unwrap();
    assert!(ack.contains("\"KEY_UNKNOWN\""), "{ack}");
}

/// The encoder that senders should use, seen to differ from the sloppy ones on what the tests send.
#[test]
fn the_sloppy_alphabets_differ_from_the_proper_one() {
    let bytes = [0xfb, 0xff, 0xfe, 0x01];
    let proper = URL_SAFE_NO_PAD.encode_to_string(bytes);
    assert_ne!(proper, STANDARD_NO_PAD.encode_to_string(bytes));
    assert_ne!(proper, URL_SAFE.encode_to_string(bytes));
}
