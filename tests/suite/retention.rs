//! What is kept long enough goes, and what is kept for good stays. Time is short here; that a clock may jump is tested
//! beside the code.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::file::CsvFile;
use crate::world::{PATIENCE, World, files_under, names_in, until};

const SHORT: &str = "\n[retention]\narchive = \"1s\"\nquarantine = \"1s\"\noutbound = \"1s\"\nresults = \"1s\"\n";
const RESULTS_ONLY: &str = "\n[retention]\nresults = \"1s\"\n";

/// What a query of the world's database gives, one value.
fn ask(world: &World, sql: &str) -> String {
    let script = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])";
    let ran = Command::new("python3").args(["-c", script]).arg(world.at("nightdrop.db")).arg(sql).output().unwrap();
    assert!(ran.status.success(), "{sql}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

#[test]
fn copies_answers_and_results_go_and_nothing_of_anybody_else() {
    let world = World::shaped(|shape| shape.more = SHORT);
    let mut daemon = world.daemon();
    for (name, content) in [("ACME_PRICES.txt", "a partner's own"), ("MINE.ack.json", "{}")] {
        fs::write(world.at("outbound").join(name), content).unwrap();
    }
    fs::create_dir_all(world.at("archive/2020-01-01")).unwrap();
    fs::write(world.at("archive/2020-01-01/notes.txt"), "an operator's own").unwrap();
    let good = CsvFile::good("OLD", 340, 250);
    world.drop_sealed(&good);
    world.drop_bytes("ACME_PAYCARDS_BAD.csv.jwe", "eyJhbGciOiJub25lIn0.a.b.c.d");
    let done = "SELECT count(*) FROM file WHERE state = 'DONE'";
    until("both files are done", || ask(&world, done) == "2");
    until("nothing of them is left outside", || {
        assert!(daemon.alive(), "{}", daemon.stderr());
        names_in(&world.at("outbound")) == ["ACME_PRICES.txt", "MINE.ack.json"]
    });
    until("nothing of them is left in the ledger", || ask(&world, "SELECT count(*) FROM chunk") == "0");
    until("the refused copy is gone", || names_in(&world.at("quarantine")).is_empty());
    until("the accepted copy is gone", || names_in(&world.at("archive")) == ["2020-01-01"]);
    daemon.terminate(PATIENCE).expect(0);
    assert_eq!(files_under(&world.at("archive")), [world.at("archive/2020-01-01/notes.txt")]);

    let told = "SELECT count(DISTINCT json_extract(detail, '$.what')) FROM audit WHERE event = 'retention'";
    assert_eq!(ask(&world, told), "4", "each kind stands in the trail");
    // Cards, keys and files stay.
    assert_eq!(ask(&world, "SELECT count(*) FROM payment_card"), "250");
    assert_eq!(ask(&world, "SELECT count(*) FROM vault_card"), "250");
    assert_eq!(ask(&world, done), "2");
    assert_eq!(ask(&world, "SELECT count(*) FROM batch"), "1");
}

#[test]
fn without_its_results_a_file_is_still_known_and_its_answers_are_not_made_again() {
    let world = World::shaped(|shape| shape.more = RESULTS_ONLY);
    let first = CsvFile::good("KNOWN", 341, 120);
    let stem = world.drop_sealed(&first);
    // A batch run looks once, at its end: at the second one the results are older than a second.
    world.once().expect(0);
    assert_eq!(world.out().recon(&stem).trailer[0], 120);
    until("the results are old enough", || {
        world.once().expect(0);
        ask(&world, "SELECT count(*) FROM chunk") == "0"
    });
    assert!(world.out().has(&format!("{stem}.summary.json")), "its answers lie there as long as they are kept");

    let records = world.nightdrop(&["records", &first.name(), "--config", "nightdrop.toml"]).expect(1);
    assert!(records.stdout.is_empty() && records.stderr.contains("purged"), "{}", records.stderr);
    let shown = world.nightdrop(&["show", &first.name(), "--config", "nightdrop.toml", "--json"]).expect(0);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert!(shown["results_purged_at"].is_string() && shown["outbound_purged_at"].is_null(), "{shown}");
    assert_eq!(shown["outcomes"]["REGISTERED"], 120);

    for name in world.out().names() {
        fs::remove_file(world.at("outbound").join(name)).unwrap();
    }
    world.drop_sealed(&first);
    world.once().expect(0);
    assert_eq!(world.out().names(), [format!("{stem}.2.ack.json")], "the duplicate's own ack and nothing else");
    let ack: Value = world.out().ack(&format!("{stem}.2"));
    assert_eq!((&ack["status"], &ack["code"]), (&"DUPLICATE".into(), &"DUPLICATE_FILE".into()));
    assert_eq!(ack["duplicate_of"], first.name());

    // The register remembers, too.
    let again = CsvFile::good("AGAIN", 341, 120).with(|file| {
        file.register("one-more", &crate::pan::pan(crate::pan::ACME, 342, 1), "EUR");
    });
    let stem = world.drop_sealed(&again);
    world.once().expect(0);
    assert_eq!(world.out().recon(&stem).trailer, [121, 1, 120, 0, 0, 0]);
}

#[test]
fn what_cannot_be_removed_now_is_said_once_and_removed_later() {
    let world = World::shaped(|shape| shape.more = SHORT);
    let daemon = world.daemon();
    let quarantine = world.at("quarantine");
    fs::rename(&quarantine, world.at("away")).unwrap();
    let said = |daemon: &crate::world::Running, event: &str| daemon.stderr().matches(&format!("\"{event}\"")).count();
    until("the daemon says so", || said(&daemon, "retention_failed") == 1);
    // The rest goes on, and it is said no second time.
    let stem = world.drop_sealed(&CsvFile::good("MEANWHILE", 343, 5));
    until("another part's round", || said(&daemon, "retention") > 0);
    assert_eq!(said(&daemon, "retention_failed"), 1);
    fs::create_dir_all(world.at("away/2020-01-01")).unwrap();
    fs::rename(world.at("away"), &quarantine).unwrap();
    until("it recovers", || said(&daemon, "retention_recovered") == 1);
    until("a day that is left over is gone", || names_in(&quarantine).is_empty());
    until("its answers are gone", || !world.out().has(&format!("{stem}.summary.json")));
    daemon.terminate(PATIENCE).expect(0);
}
