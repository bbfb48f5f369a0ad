use std::path::Path;

use super::*;
use crate::model::Environment;

const GOOD: &str = r#"
[store]
url = "sqlite:nd.db"
[vault]
key_encryption_key = { file = "kek.key" }
[reference]
account_ranges = "ranges.csv"
[[issuer]]
id = "ACME"
[[feed]]
name = "acme"
issuer = "ACME"
service = "payment-cards"
files = "ACME_*"
envelopes = ["jwe"]
keys = ["acme.jwk"]
environment = "TEST"
"#;

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse(text, Path::new("/site/nightdrop.toml"))
}

fn problems(text: &str) -> Vec<String> {
    parse(text).expect_err("problems").iter().map(ToString::to_string).collect()
}

/// `GOOD` with one line put in its place.
fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old}");
    GOOD.replacen(old, new, 1)
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.environment, Environment::Test);
    assert_eq!(
        (config.daemon.settle.as_secs(), config.daemon.stalled.as_secs(), config.daemon.scan.as_secs()),
        (5, 600, 5)
    );
    assert_eq!((config.daemon.workers, config.daemon.chunk_records, config.daemon.chunks_in_flight), (0, 100, 64));
    assert_eq!((config.daemon.group_records_max, config.store.cache_bytes), (50_000, 64 << 20));
    assert_eq!(config.limits, crate::model::Limits::default());
    assert_eq!(config.issuers[0].inbound, Path::new("/site/inbound"));
    assert_eq!(config.store.path, Path::new("/site/nd.db"));
    assert_eq!(config.feeds[0].sequence_wait.as_secs(), 7200);
    assert!(config.warnings.is_empty());
}

#[test]
fn the_example_reads_and_shows_every_key() {
    let config = parse(EXAMPLE).unwrap();
    assert_eq!(config.feeds[0].keys.len(), 2);
}

#[test]
fn several_issuers_have_directories_of_their_own() {
    let text = with("[[feed]]", "[[issuer]]\nid = \"OTHER\"\n[[feed]]");
    let config = parse(&text).unwrap();
    assert_eq!(config.issuers[0].inbound, Path::new("/site/inbound/ACME"));
    assert_eq!(config.issuers[1].outbound, Path::new("/site/outbound/OTHER"));
}

#[test]
fn each_problem_is_told_with_its_key_path_and_line() {
    let table = [
        (with("id = \"ACME\"", "id = \"acme\""), "issuer[0].id: must be 1 to 16 of A-Z, 0-9 and _ (line 9)"),
        (with("url = \"sqlite:nd.db\"", ""), "store.url: required, but absent"),
        (with("[store]", "[stor]"), "stor: not a key of this version; did you mean `store`?"),
        (with("[vault]", "[daemon]\nsocket = \"x\"\n[vault]"), "daemon.socket: not a key of this version"),
        (with("[vault]", "[daemon]\nchunk_records = 101\n[vault]"), "daemon.chunk_records:"),
        (with("[vault]", "[daemon]\nsettle = \"5\"\n[vault]"), "daemon.settle:"),
        (with("[vault]", "[daemon]\nwork = \"inbound/w\"\n[vault]"), "issuer[0].inbound: holds daemon.work"),
        (with("issuer = \"ACME\"", "issuer = \"OTHER\""), "feed[0].issuer: no [[issuer]] has this id"),
        (with("payment-cards", "cards"), "feed[0].service:"),
        (with("envelopes = [\"jwe\"]", "envelopes = [\"none\"]"), "feed[0].envelopes: \"none\" takes plain text"),
        (with("keys = [\"acme.jwk\"]", ""), "feed[0].keys: required, but absent"),
        (
            with("environment = \"TEST\"", "environment = \"PROD\"\nallow_plaintext = true"),
            "feed[0].allow_plaintext: never",
        ),
        (with("[[feed]]", "[[issuer]]\nid = \"ACME\"\n[[feed]]"), "issuer[1].id: another issuer has this id"),
        (with("sqlite:nd.db", "postgres://x"), "store.url: this version stores in SQLite alone"),
        (with("id = \"ACME\"", "id = \"ACME\"\ncurrencies = [\"DEM\"]"), "issuer[0].currencies[0]: must be"),
    ];
    for (text, expected) in table {
        let found = problems(&text);
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected}: {found:#?}");
    }
}

#[test]
fn all_problems_come_at_once() {
    let text = GOOD.replace("url =", "uri =").replace("\"ACME_*\"", "7").replace("account_ranges", "ranges");
    let found = problems(&text);
    assert!(found.len() >= 5, "{found:#?}");
}

#[test]
fn feeds_of_one_daemon_share_one_environment() {
    let second = GOOD.split("[[feed]]").nth(1).unwrap().replace("\"acme\"", "\"b\"").replace("TEST", "PROD");
    let found = problems(&format!("{GOOD}[[feed]]{second}"));
    assert!(found[0].starts_with("feed[1].environment: all feeds of one daemon must be TEST"), "{found:#?}");
}
