//! A partner's kit: a configuration with the feed, reference data, whatever keys the partner has, and no more.

use std::fs;

use serde_json::{Value, json};

use super::{checked, foreseen};
use crate::file::CsvFile;
use crate::pan;
use crate::world::World;

const FEED: &str = r#"
[reference]
account_ranges = "reference/account_ranges.csv"
[[issuer]]
id = "ACME"
currencies = ["EUR"]
[[feed]]
name = "acme-payment-cards"
issuer = "ACME"
service = "payment-cards"
files = "ACME_PAYCARDS_*"
envelopes = ["jwe"]
environment = "PROD"
"#;

/// A directory with a configuration, account ranges, a plain file, and nothing of the daemon's.
fn kit(config: &str, file: &CsvFile) -> World {
    let world = World::new();
    for name in ["keys/kek.key", "keys/feed.jwk", "keys/feed-ec.jwk", "keys/reply.jwk"] {
        fs::remove_file(world.at(name)).unwrap();
    }
    for name in ["inbound", "outbound"] {
        fs::remove_dir_all(world.at(name)).unwrap();
    }
    world.write("kit.toml", config);
    world.write("tonight.csv", file.clone().with(|file| file.environment = "PROD".into()).text());
    world
}

fn check(world: &World, config: &str) -> (i32, Value, String) {
    let args = ["tonight.csv", "--config", config, "--offline", "--feed", "acme-payment-cards", "--json"];
    let ran = checked(world, &args);
    (ran.code().unwrap(), serde_json::from_slice(&ran.stdout).unwrap_or(Value::Null), ran.stderr)
}

fn some_bad() -> CsvFile {
    CsvFile::good("KIT", 95, 3).with(|file| {
        file.register("again", &pan::pan(pan::ACME, 95, 0), "EUR").register(
            "nobody",
            &pan::pan(pan::NOBODY, 1, 1),
            "EUR",
        );
        file.register("dollars", &pan::pan(pan::ACME, 95, 9), "USD");
    })
}

#[test]
fn a_plain_file_is_checked_before_it_is_sealed_without_vault_database_or_keys() {
    let world = kit(FEED, &some_bad());
    let (exit, said, words) = check(&world, "kit.toml");
    let codes: Vec<_> = said["findings"].as_array().unwrap().iter().map(|it| it["code"].clone()).collect();
    assert_eq!(codes, ["DUPLICATE_IN_FILE", "BIN_UNSUPPORTED", "CURRENCY_UNSUPPORTED"], "{said}");
    assert_eq!((exit, &said["outcomes"]["REGISTERED"]), (4, &json!(3)), "{said}");
    assert_eq!((&said["envelope"], &said["offline"]), (&json!("none"), &json!(true)), "{said}");
    assert!(words.contains("the envelope") && words.contains("not looked at"), "{words}");
    assert!(words.contains("FEED_UNKNOWN") && words.contains("ACME_PAYCARDS_*"), "the name, too: {words}");

    let clean = kit(FEED, &CsvFile::good("KIT", 96, 3));
    // Nothing came before, however often it is looked at.
    for _ in 0..2 {
        assert_eq!(check(&clean, "kit.toml").0, 0);
    }
    // By its name, too, once it has the right one.
    fs::rename(clean.at("tonight.csv"), clean.at("ACME_PAYCARDS_1.csv")).unwrap();
    checked(&clean, &["ACME_PAYCARDS_1.csv", "--config", "kit.toml", "--offline"]).expect(0);
}

#[test]
fn keys_that_are_public_or_not_there_are_no_mistake_and_neither_is_the_rest_of_the_daemon() {
    let all = r#"
[store]
url = "sqlite:nowhere/nightdrop.db"
[vault]
key_encryption_key = { credential = "not-here" }
"#;
    let keys = r#"keys = ["keys/feed.pub.jwk", "keys/none.jwk", { credential = "acme" }]"#;
    let world = kit(&format!("{all}{FEED}{keys}\n"), &CsvFile::good("KIT", 97, 3));
    let (exit, said, words) = check(&world, "kit.toml");
    assert_eq!(exit, 0, "{said} {words}");
    // The same without --offline is no configuration to run by.
    let ran = checked(&world, &["tonight.csv", "--config", "kit.toml", "--feed", "acme-payment-cards"]).expect(2);
    assert!(ran.stderr.contains("vault.key_encryption_key"), "{}", ran.stderr);
    // What is wrong in it is told all the same.
    world.write("wrong.toml", format!("{FEED}sequence = \"of\"\n"));
    let (exit, _, words) = check(&world, "wrong.toml");
    assert!(exit == 2 && words.contains("feed[0].sequence"), "{words}");
    world.write("reference/account_ranges.csv", "issuer,low\n");
    let (exit, _, words) = check(&world, "kit.toml");
    assert!(exit == 2 && words.contains("account_ranges.csv"), "{words}");
}

#[test]
fn a_sealed_file_needs_a_key_that_opens_it() {
    let with = |key: &str| format!("{FEED}keys = [\"keys/{key}\"]\n");
    let world = kit(&with("feed.pub.jwk"), &some_bad());
    let text = fs::read_to_string(world.at("tonight.csv")).unwrap();
    world.write("tonight.csv", world.sealed(&text));
    let (exit, said, words) = check(&world, "kit.toml");
    assert!(exit == 2 && words.contains("before it was sealed"), "{said} {words}");

    // Sealed for a pair of the partner's own, the envelope is checked with the rest.
    world.write("own.toml", with("stranger.jwk"));
    let own =
        crate::seal::josekit("RSA-OAEP-256", "A256GCM", Some("feed-9"), &world.public_key("stranger"), text.as_bytes());
    world.write("tonight.csv", &own);
    let (exit, said, words) = check(&world, "own.toml");
    assert_eq!((exit, &said["envelope"], &said["key_id"]), (4, &json!("jwe"), &json!("feed-9")), "{said}");
    assert!(!words.contains("the envelope"), "{words}");
    world.write("tonight.csv", &own[..own.len() - 9]);
    assert_eq!(check(&world, "own.toml").0, 3);
    world.write("tonight.csv", world.sealed(&text));
    let (exit, said, _) = check(&world, "own.toml");
    assert_eq!((exit, &said["code"]), (3, &json!("KEY_UNKNOWN")), "{said}");
}

#[test]
fn offline_the_daemons_own_configuration_serves_as_well() {
    let world = World::new();
    let file = CsvFile::good("KIT", 98, 3);
    world.drop_sealed(&file);
    world.once().expect(0);
    world.write("ACME_PAYCARDS_KIT.csv", file.text());
    let offline = ["ACME_PAYCARDS_KIT.csv", "--config", "nightdrop.toml", "--offline"];
    let said = checked(&world, &offline).expect(0).text();
    assert_eq!(said, "ACME_PAYCARDS_KIT.csv would be accepted; 3 records, 3 REGISTERED\n");
    // With the store the same plain file is refused, and the sealed one came before.
    let (exit, said) = foreseen(&world, "ACME_PAYCARDS_KIT.csv");
    assert_eq!((exit, &said["code"]), (3, &json!("ENVELOPE_REFUSED")), "{said}");
    let ran = checked(&world, &offline[..3]).expect(3);
    assert!(ran.stderr.contains("--offline --feed NAME"), "{}", ran.stderr);
}
