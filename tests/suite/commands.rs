//! The commands, beside a daemon and without one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;

use crate::file::CsvFile;
use crate::world::{Shape, World};

const SOON: Duration = Duration::from_secs(10);

/// Every code of the contract.
const CODES: &str = "
FEED_UNKNOWN FILE_EMPTY FILE_TOO_LARGE TOO_MANY_RECORDS ENVELOPE_REFUSED ALGORITHM_REFUSED KEY_UNKNOWN CRYPTO_ERROR
SIGNATURE_MISSING SIGNATURE_INVALID ENCODING_INVALID FORMAT_INVALID COLUMN_MISSING COLUMN_UNKNOWN SAD_PRESENT
HEADER_MISSING HEADER_MISMATCH VERSION_UNSUPPORTED TRAILER_MISSING COUNT_MISMATCH DIGEST_MISMATCH DUPLICATE_FILE
BATCH_REUSED DUPLICATE_CONTENT SEQUENCE_GAP SEQUENCE_OLD POISONED FIELD_MISSING FIELD_INVALID RECORD_CRYPTO_ERROR
PAN_MANGLED PAN_FORMAT PAN_LENGTH PAN_LUHN BIN_UNSUPPORTED DUPLICATE_IN_FILE ALREADY_REGISTERED PAN_RETIRED
REQUEST_SIZE CURRENCY_INVALID CURRENCY_UNSUPPORTED NOT_REGISTERED LIST_UNKNOWN LIST_NAME_INVALID PANS_OR_RANGE_MISSING
PANS_MISSING RANGE_INVALID RANGE_UNKNOWN PAN_OUT_OF_RANGE ALREADY_IN_LIST NOT_IN_LIST EXPIRY_INVALID CARD_EXPIRED
CARD_ID_DERIVED CARD_ID_IN_USE PRODUCT_UNKNOWN EVENT_IGNORED CONTRACT_UNKNOWN CONTRACT_INACTIVE PRODUCT_INELIGIBLE
ALREADY_ENROLLED";

#[test]
fn explain_tells_of_every_code() {
    let world = World::new();
    for code in CODES.split_whitespace() {
        let said = world.nightdrop(&["explain", code]).expect(0).text();
        assert!(said.contains(code) && said.lines().count() >= 3, "{code}: {said}");
    }
    let ran = world.nightdrop(&["explain", "NO_SUCH_CODE"]).expect(2);
    assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "words go to stderr");
    let said = world.nightdrop(&["explain", "PAN_LUHN", "--json"]).expect(0).stdout;
    let said: Value = serde_json::from_slice(&said).unwrap();
    assert_eq!(said["code"], "PAN_LUHN", "{said}");
}

#[test]
fn what_seal_seals_unseal_opens() {
    let world = World::new();
    let text = "some,text\n".repeat(5000);
    world.write("plain.csv", &text);
    for (key, algorithm) in [("feed", "RSA-OAEP-256"), ("feed-ec", "ECDH-ES")] {
        let (public, private) = (format!("keys/{key}.pub.jwk"), format!("keys/{key}.jwk"));
        let sealed = world.nightdrop(&["seal", "plain.csv", "--to", &public]).expect(0).text();
        let header = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(sealed.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!((&header["alg"], &header["enc"]), (&algorithm.into(), &"A256GCM".into()), "{header}");
        assert!(header["kid"].is_string(), "{header}");

        world.nightdrop(&["seal", "plain.csv", "--to", &public, "--envelope", "jwe", "--out", "sealed.jwe"]).expect(0);
        let opened = world.nightdrop(&["unseal", "sealed.jwe", "--key", &private]).expect(0).stdout;
        assert!(opened == text.as_bytes(), "unsealed to stdout");
        world.nightdrop(&["unseal", "sealed.jwe", "--key", &private, "--out", "opened.csv"]).expect(0);
        assert_eq!(fs::read_to_string(world.at("opened.csv")).unwrap(), text);
        fs::remove_file(world.at("opened.csv")).unwrap();
        fs::remove_file(world.at("sealed.jwe")).unwrap();
    }
    // Sealed for one, it does not open for another, and nothing is written.
    world.nightdrop(&["seal", "plain.csv", "--to", "keys/feed.pub.jwk", "--out", "sealed.jwe"]).expect(0);
    let ran = world.nightdrop(&["unseal", "sealed.jwe", "--key", "keys/stranger.jwk", "--out", "opened.csv"]);
    assert_ne!(ran.code(), Some(0));
    assert!(!world.at("opened.csv").exists());
    assert_eq!(world.nightdrop(&["unseal", "none-such", "--key", "keys/feed.jwk"]).stdout, b"");
}

#[test]
fn new_keys_have_their_shape_and_replace_no_old_ones() {
    let world = World::new();
    let kek = fs::read_to_string(world.at("keys/kek.key")).unwrap();
    assert!(kek.trim().len() == 64 && kek.trim().bytes().all(|c| c.is_ascii_hexdigit()), "64 hex digits");
    assert_eq!(fs::metadata(world.at("keys/kek.key")).unwrap().permissions().mode() & 0o777, 0o400);
    let key = |name: &str| serde_json::from_str::<Value>(&fs::read_to_string(world.at(name)).unwrap()).unwrap();
    for (name, kty, secret) in [("feed", "RSA", "d"), ("feed-ec", "EC", "d")] {
        let (private, public) = (key(&format!("keys/{name}.jwk")), key(&format!("keys/{name}.pub.jwk")));
        assert_eq!((&private["kty"], &public["kty"]), (&kty.into(), &kty.into()));
        assert_eq!(private["kid"], public["kid"]);
        assert!(private.get(secret).is_some() && public.get(secret).is_none(), "{name}: the public half is public");
    }
    for args in [
        vec!["keys", "new", "kek", "--out", "keys/kek.key"],
        vec!["keys", "new", "envelope", "--kid", "x", "--out", "keys/feed.jwk"],
    ] {
        assert_ne!(world.nightdrop(&args).code(), Some(0), "{args:?}: a key was written over");
    }
    assert_eq!(fs::read_to_string(world.at("keys/kek.key")).unwrap(), kek);
}

#[test]
fn config_check_passes_a_right_file_and_tells_all_that_is_wrong_with_another() {
    let world = World::new();
    let check = ["config", "check", "--config", "nightdrop.toml"];
    world.nightdrop(&check).expect(0);
    let right = Shape::default().toml();
    let wrong = right
        .replace("settle = \"50ms\"", "settle = \"fifty\"")
        .replace("chunk_records = 100", "chunk_records = 101")
        .replace("scan = ", "scann = ")
        .replace("environment = \"TEST\"", "environment = \"STAGE\"");
    world.write("nightdrop.toml", wrong);
    let ran = world.nightdrop(&check).expect(2);
    for path in ["daemon.settle", "daemon.chunk_records", "daemon.scann", "environment"] {
        assert!(ran.stderr.contains(path), "{path} is not named: {}", ran.stderr);
    }
    world.once().expect(2);
    world.nightdrop(&["run", "--config", "none-such.toml"]).expect(2);

    // Keys of later versions are unknown to this one; plain text has no place in production.
    for (from, to) in [
        ("\n[telemetry]", "\n[no_such_table]\nkey = 1\n\n[telemetry]"),
        (r#"envelopes = ["jwe"]"#, r#"envelopes = ["none"]"#),
        (r#"issuer = "ACME""#, r#"issuer = "NOBODY""#),
        (r#"keys = ["keys/feed.jwk""#, r#"keys = ["keys/gone.jwk""#),
        (r#"url = "sqlite:nightdrop.db""#, ""),
    ] {
        let changed = right.replace(from, to);
        assert_ne!(changed, right, "{from}");
        world.write("nightdrop.toml", changed);
        let ran = world.nightdrop(&check).expect(2);
        assert!(!ran.stderr.is_empty(), "{to}");
    }
}

#[test]
fn account_ranges_are_checked_at_start_with_all_mistakes_at_once() {
    let world = World::new();
    world.write(
        "reference/account_ranges.csv",
        "issuer,cid,ica,country,low,high,services\n\
         ACME,1,2,USA,2303770000000000,230377000000000x,payment-cards\n\
         ACME,1,2,USA,2303779999999999,2303770000000000,payment-cards\n\
         ACME,1,2,USA,2303770000000000,2303779999999999,no-such-service\n",
    );
    let ran = world.once().expect(2);
    for line in ["2", "3", "4"] {
        let named = ran.stderr.lines().any(|said| said.contains("account_ranges.csv") && said.contains(line));
        assert!(named, "line {line} is not named: {}", ran.stderr);
    }
    world.write(
        "reference/account_ranges.csv",
        "issuer,cid,ica,country,low,high,services\n\
         ACME,1,2,USA,23037700000,23037799999,payment-cards|pan-lists|cards|card-contracts|click-to-pay\n",
    );
    world.once().expect(0);
}

#[test]
fn the_example_configuration_is_one() {
    let world = World::new();
    let example = world.nightdrop(&["config", "example"]).expect(0).text();
    let parsed: toml::Table = example.parse().unwrap();
    for table in ["daemon", "store", "vault", "reference", "issuer", "feed"] {
        assert!(parsed.contains_key(table), "no [{table}] in the example");
    }
}

#[test]
fn status_reads_beside_a_running_daemon_and_without_one() {
    let world = World::new();
    let file = CsvFile::good("SHOWN", 300, 3);
    let status = |args: &[&str]| world.nightdrop(&[&["status", "--config", "nightdrop.toml"], args].concat());
    let mut daemon = world.daemon();
    world.drop_sealed(&file);
    world.wait_for(&mut daemon, &format!("{}.summary.json", file.stem()));
    let beside = status(&["--json"]).expect(0);
    let beside: Value = serde_json::from_slice(&beside.stdout).unwrap();
    assert!(beside.to_string().contains("acme-payment-cards"), "{beside}");
    assert!(!status(&[]).expect(0).stdout.is_empty());
    assert!(daemon.alive(), "reading disturbs nobody");
    daemon.terminate(SOON).expect(0);
    let without = status(&["--json"]).expect(0);
    serde_json::from_slice::<Value>(&without.stdout).unwrap();
}

#[test]
fn a_second_instance_gives_up_at_once() {
    let world = World::new();
    let mut daemon = world.daemon();
    for command in ["run", "once"] {
        let ran = world.nightdrop(&[command, "--config", "nightdrop.toml"]).expect(5);
        assert!(ran.took < Duration::from_secs(1), "{command} took {:?} to give up", ran.took);
        assert!(!ran.stderr.is_empty());
    }
    assert!(daemon.alive());
    daemon.kill();
    // The lock goes with the process: no stale marker is left to clear.
    world.daemon().terminate(SOON).expect(0);
}

#[test]
fn sigterm_in_mid_work_ends_it_in_time() {
    let world = World::shaped(|shape| shape.reply = false);
    let file = CsvFile::good("LONG", 301, 30_000);
    world.drop_sealed(&file);
    let mut daemon = world.daemon();
    world.wait_for(&mut daemon, &format!("{}.ack.json", file.stem()));
    daemon.terminate(SOON).expect(0);
    world.once().expect(0);
    assert_eq!(world.out().recon(&file.stem()).trailer, [30_000, 30_000, 0, 0, 0, 0]);
}

#[test]
fn systemd_is_told_of_readiness_status_and_the_end() {
    let world = World::new();
    let mut daemon = world.daemon();
    let file = CsvFile::good("TOLD", 302, 3);
    world.drop_sealed(&file);
    world.wait_for(&mut daemon, &format!("{}.summary.json", file.stem()));
    crate::world::until("a STATUS= on the notify socket", || daemon.notified().contains("STATUS="));
    rustix::process::kill_process(daemon.pid(), rustix::process::Signal::TERM).unwrap();
    crate::world::until("STOPPING=1 on the notify socket", || {
        daemon.notified().lines().any(|line| line == "STOPPING=1")
    });
    daemon.wait().expect(0);
}

#[test]
fn wrong_usage_ends_with_two_and_words_on_stderr() {
    let world = World::new();
    for args in
        [vec!["no-such-command"], vec!["once"], vec!["seal"], vec!["once", "--config", "nightdrop.toml", "--no-such"]]
    {
        let ran = world.nightdrop(&args).expect(2);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{args:?}");
    }
    assert!(world.nightdrop(&["--version"]).expect(0).text().contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_demo_ends_by_itself_and_leaves_a_directory_that_runs_on() {
    let world = World::new();
    let said = world.nightdrop(&["demo", "--records", "300", "--dir", "demo"]).expect(0).text().to_lowercase();
    for word in ["registered", "rejected", "accepted", "refused", "outbound"] {
        assert!(said.contains(word), "the table does not say {word}: {said}");
    }
    let made = crate::world::names_in(&world.at("demo"));
    for name in ["nightdrop.toml", "inbound", "outbound"] {
        assert!(made.iter().any(|there| there == name), "no {name} in {made:?}");
    }
    let out = crate::world::names_in(&world.at("demo/outbound"));
    for end in [".ack.json", ".recon.csv.jwe", ".errors.csv.jwe", ".response.jsonl.jwe", ".summary.json"] {
        let sealed_or_plain = |name: &&String| name.ends_with(end) || name.ends_with(end.trim_end_matches(".jwe"));
        assert!(out.iter().any(|name| sealed_or_plain(&name)), "no {end} in {out:?}");
    }
    world.nightdrop(&["once", "--config", "demo/nightdrop.toml"]).expect(0);
}
