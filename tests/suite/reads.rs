//! What a person reads beside a running daemon or without one: files, one file, its records, the status.

use serde_json::Value;

use crate::file::CsvFile;
use crate::pan;
use crate::world::{World, now};

const RECON: &str = "line,record_ref,outcome,code,recoverable,pan_masked,payment_card_id,status";

/// What a command says as JSON.
fn json(world: &World, args: &[&str]) -> Value {
    let args: Vec<&str> = [args, &["--config", "nightdrop.toml", "--json"]].concat();
    let ran = world.nightdrop(&args).expect(0);
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|problem| panic!("{args:?}: {problem}: {}", ran.text()))
}

fn text(world: &World, args: &[&str]) -> String {
    let args: Vec<&str> = [args, &["--config", "nightdrop.toml"]].concat();
    world.nightdrop(&args).expect(0).text()
}

/// A site on which a good file, one with rejected records, one again and one refused have come.
fn used() -> (World, CsvFile) {
    let world = World::new();
    let mut mixed = CsvFile::good("mixed", 2, 3);
    mixed.register("bad-luhn", &pan::wrong_check_digit(&pan::pan(pan::ACME, 3, 1)), "EUR");
    mixed.register("bad-both", "12", "EURO");
    mixed.register("again", &pan::pan(pan::ACME, 2, 0), "EUR");
    world.drop_sealed(&CsvFile::good("good", 1, 4));
    world.drop_sealed(&mixed);
    world.drop_bytes("ACME_PAYCARDS_none.csv.jwe", "not sealed at all");
    world.once();
    world.drop_bytes("ACME_PAYCARDS_twice.csv.jwe", world.sealed(&mixed.text()));
    world.once().expect(0);
    (world, mixed)
}

#[test]
fn files_lists_what_came_and_selects() {
    let (world, _) = used();
    let all = json(&world, &["files"]);
    let all = all.as_array().unwrap();
    let told: Vec<_> =
        all.iter().map(|file| (file["stem"].as_str().unwrap(), file["decision"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [
            ("ACME_PAYCARDS_good", "ACCEPTED"),
            ("ACME_PAYCARDS_mixed", "ACCEPTED"),
            ("ACME_PAYCARDS_none", "REFUSED"),
            ("ACME_PAYCARDS_twice", "DUPLICATE")
        ]
    );
    for file in all {
        for member in [
            "id",
            "name",
            "stem",
            "feed",
            "issuer",
            "service",
            "state",
            "code",
            "records",
            "outcomes",
            "received_at",
            "done_at",
            "outbound",
        ] {
            assert!(file.get(member).is_some(), "no {member} in {file}");
        }
        assert_eq!(file["state"], "DONE");
    }
    let today = &all[0]["received_at"].as_str().unwrap()[..10];
    assert_eq!(json(&world, &["files", "--date", today]).as_array().unwrap().len(), 4);
    assert_eq!(json(&world, &["files", "--date", "2020-02-02"]), Value::Array(Vec::new()));
    let names = |args: &[&str]| -> Vec<String> {
        let files = json(&world, args);
        files.as_array().unwrap().iter().map(|file| file["stem"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["files", "--state", "REFUSED"]), ["ACME_PAYCARDS_none"]);
    assert_eq!(names(&["files", "--state", "duplicate"]), ["ACME_PAYCARDS_twice"]);
    assert_eq!(names(&["files", "--state", "HELD"]), [""; 0]);
    assert_eq!(names(&["files", "--state", "DONE"]).len(), 4);
    let refused = world.nightdrop(&["files", "--config", "nightdrop.toml", "--state", "LOST"]).expect(2);
    assert!(refused.stderr.contains("WAITING") && refused.stderr.contains("DUPLICATE"), "{}", refused.stderr);
    let table = text(&world, &["files"]);
    assert!(table.contains("ACME_PAYCARDS_mixed.csv.jwe") && table.contains("ENVELOPE_REFUSED"), "{table}");
}

#[test]
fn show_agrees_with_the_summary_and_lists_what_went_out() {
    let (world, mixed) = used();
    let stem = mixed.stem();
    let shown = json(&world, &["show", &stem]);
    let summary = world.out().summary(&stem);
    assert_eq!(shown["outcomes"], summary["outcomes"]);
    assert_eq!(shown["records"], summary["records"]);
    assert_eq!(shown["batch_id"], "mixed");
    let listed = shown["outbound"].as_array().unwrap();
    let (last, before) = listed.split_last().unwrap();
    assert_eq!(&Value::Array(before.to_vec()), &summary["outbound"], "all that the summary lists");
    assert_eq!(last["name"], format!("{stem}.summary.json"));
    for file in listed {
        let bytes = std::fs::read(world.out().at(file["name"].as_str().unwrap())).unwrap();
        assert_eq!(file["sha256"], crate::file::sha256_hex(&bytes), "{file}");
    }
    let told: Vec<_> = shown["trail"].as_array().unwrap().iter().map(|row| row["event"].as_str().unwrap()).collect();
    // Its answers went out a second time when the same file came again.
    assert_eq!(told, ["file_claimed", "key_used", "file_accepted", "key_used", "key_used", "key_used"]);
    // By its number with and without zeros, by its name, by its stem.
    let id = shown["id"].as_str().unwrap();
    for called in [id, id.trim_start_matches('0'), &mixed.name()] {
        assert_eq!(json(&world, &["show", called]), shown, "{called}");
    }
    let refused = json(&world, &["show", "ACME_PAYCARDS_none"]);
    assert_eq!(refused["code"], "ENVELOPE_REFUSED");
    assert_eq!(refused["outbound"][0]["name"], "ACME_PAYCARDS_none.ack.json");
    let words = text(&world, &["show", "ACME_PAYCARDS_none"]);
    assert!(words.contains("ENVELOPE_REFUSED") && words.contains("remedy"), "{words}");
    let unknown = world.nightdrop(&["show", "ACME_PAYCARDS_mixd", "--config", "nightdrop.toml"]).expect(2);
    assert!(unknown.stderr.contains("ACME_PAYCARDS_mixed.csv.jwe"), "{}", unknown.stderr);
}

#[test]
fn a_name_that_came_twice_is_the_newest_and_two_issuers_need_a_word() {
    let world = World::shaped(|shape| shape.issuers = vec!["ACME", "OTHER"]);
    world.drop_bytes("SAME.csv", "x");
    world.once().expect(3);
    world.drop_bytes("SAME.csv", "y");
    world.once().expect(3);
    let newest = world.nightdrop(&["show", "SAME.csv", "--config", "nightdrop.toml", "--json"]).expect(0);
    assert!(newest.text().contains("\"stem\": \"SAME.2\""), "{}", newest.text());
    assert!(newest.stderr.contains("came 2 times") && newest.stderr.contains("00000001"), "{}", newest.stderr);
    crate::world::drop_into(&world.inbound_of("OTHER"), "SAME.csv", "z");
    world.once().expect(3);
    let which = world.nightdrop(&["show", "SAME.csv", "--config", "nightdrop.toml"]).expect(2);
    assert!(which.stderr.contains("--issuer"), "{}", which.stderr);
    assert_eq!(json(&world, &["show", "SAME.csv", "--issuer", "OTHER"])["issuer"], "OTHER");
    assert_eq!(json(&world, &["show", "SAME.csv", "--issuer", "ACME"])["stem"], "SAME.2");
}

#[test]
fn records_are_those_of_recon_and_errors() {
    let (world, mixed) = used();
    let stem = mixed.stem();
    let records = json(&world, &["records", &stem]);
    let records = records.as_array().unwrap();
    let recon = world.out().recon(&stem);
    assert_eq!(records.len(), recon.rows.len());
    for (record, row) in records.iter().zip(&recon.rows) {
        for name in RECON.split(',') {
            let cell = &row[name];
            let shown = match &record[name] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            };
            assert_eq!(shown, cell, "{name} of {record}");
        }
    }
    let rejected = json(&world, &["records", &stem, "--rejected"]);
    let rejected = rejected.as_array().unwrap();
    assert_eq!(rejected.len(), 3);
    let both: Vec<_> =
        rejected[1]["failures"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect();
    assert_eq!(both, ["PAN_LENGTH", "CURRENCY_INVALID"]);
    assert!(rejected[1]["failures"][0]["remedy"].as_str().unwrap().contains("PAN"));
    let words = text(&world, &["records", &stem, "--rejected"]);
    assert!(words.contains("pan: PAN_LUHN") && words.contains("sender:"), "{words}");
    assert_eq!(json(&world, &["records", "ACME_PAYCARDS_none"]), Value::Array(Vec::new()));
    for pan in mixed.rows.iter().filter_map(|row| row.split(',').nth(2)).filter(|pan| pan.len() == 16) {
        assert!(!words.contains(pan) && !text(&world, &["records", &stem]).contains(pan), "a whole PAN is shown");
    }
}

#[test]
fn output_that_nobody_reads_ends_quietly() {
    let world = World::new();
    let stem = world.drop_sealed(&CsvFile::good("long", 1, 3_000));
    world.once().expect(0);
    let script = format!("{} records {stem} --config nightdrop.toml | head -n 2", env!("CARGO_BIN_EXE_nightdrop"));
    let piped = std::process::Command::new("bash")
        .args(["-o", "pipefail", "-c", &script])
        .current_dir(world.path())
        .output()
        .unwrap();
    assert!(piped.status.success(), "{}: {}", piped.status, String::from_utf8_lossy(&piped.stderr));
    assert!(piped.stderr.is_empty(), "{}", String::from_utf8_lossy(&piped.stderr));
}

#[test]
fn reads_answer_while_the_daemon_works_on_a_big_file() {
    let world = World::new();
    let mut daemon = world.daemon();
    let stem = world.drop_sealed(&CsvFile::good("big", 1, 60_000));
    world.wait_for(&mut daemon, &format!("{stem}.ack.json"));
    for args in [&["status"][..], &["files"], &["show", &stem], &["records", &stem, "--rejected"]] {
        let begun = now();
        let answer = json(&world, args);
        // A second is the promise; a debug build on a busy machine is given more.
        assert!((now() - begun).as_secs() < 5, "{args:?} took {:?}", now() - begun);
        if args == ["status"] {
            assert_eq!(answer["running"], true);
            assert_eq!(answer["files"][0]["stem"], stem.as_str());
        }
    }
    assert!(!world.out().has(&format!("{stem}.summary.json")), "done before it was read: the file is too small");
    world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    assert_eq!(json(&world, &["status"])["feeds"][0]["feed"], "acme-payment-cards");
}

#[test]
fn a_store_that_is_not_there_or_not_ours_to_read_is_said() {
    let world = World::new();
    let none = world.nightdrop(&["files", "--config", "nightdrop.toml"]).expect(1);
    assert!(none.stderr.contains("nightdrop run"), "{}", none.stderr);
    assert!(!world.at("nightdrop.db").exists(), "reading makes no store");
    world.once().expect(0);
    for (version, why) in [
        (
            "UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
            "newer nightdrop",
        ),
        ("DELETE FROM _sqlx_migrations WHERE version = 9999", "older nightdrop"),
    ] {
        world.sql(version);
        let ran = world.nightdrop(&["status", "--config", "nightdrop.toml"]);
        assert!(ran.code() != Some(0) && ran.stderr.contains(why), "{why}: {}", ran.stderr);
    }
}
