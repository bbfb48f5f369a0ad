//! SIGHUP: what is read again holds for later files; a mistake changes nothing and says why.

use std::time::Duration;

use crate::file::CsvFile;
use crate::pan;
use crate::world::{Running, World};

const STOP: Duration = Duration::from_secs(10);

/// Drops a file and waits for its ack: the decision about it.
fn decided(world: &World, daemon: &mut Running, file: &CsvFile) -> String {
    let stem = world.drop_sealed(file);
    world.wait_for(daemon, &format!("{stem}.ack.json"));
    stem
}

#[test]
fn keys_change_for_later_files() {
    let world = World::shaped(|_| {});
    let both = std::fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    let one = both.replace("keys = [\"keys/feed.jwk\", \"keys/feed-ec.jwk\"]", "keys = [\"keys/feed-ec.jwk\"]");
    assert_ne!(both, one);
    world.write("nightdrop.toml", &one);
    let mut daemon = world.daemon();
    let before = decided(&world, &mut daemon, &CsvFile::good("before", 1, 3));
    world.out().refused(&before, "KEY_UNKNOWN");

    world.write("nightdrop.toml", &both);
    daemon.reload("reloaded");
    let after = decided(&world, &mut daemon, &CsvFile::good("after", 1, 3));
    world.out().accepted(&after);
    let said = daemon.notified();
    let (reloading, ready) = (said.find("RELOADING=1"), said.rfind("READY=1"));
    assert!(reloading.is_some() && reloading < ready, "the supervisor hears of it: {said}");
    daemon.terminate(STOP).expect(0);
}

#[test]
fn a_mistake_changes_nothing_and_says_why() {
    let world = World::new();
    let right = std::fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    let ranges = std::fs::read_to_string(world.at("reference/account_ranges.csv")).unwrap();
    let mut daemon = world.daemon();
    let mistakes = [
        ("unknown", right.replace("[store]", "[store]\nspeed = 1"), ranges.clone(), "store.speed: not a key"),
        (
            "absent",
            right.replace("keys/feed-ec.jwk", "keys/gone.jwk"),
            ranges.clone(),
            "feed acme-payment-cards: keys[1]",
        ),
        ("unkeyed", right.replace("keys/reply.pub.jwk", "keys/kek.key"), ranges.clone(), "issuer ACME: reply_key"),
        ("ranged", right.clone(), ranges.replace("USA,230377", "USA,23x377"), "account_ranges.csv"),
        (
            "stored",
            right.replace("nightdrop.db", "other.db"),
            ranges.clone(),
            "store.url: changed, which takes a restart",
        ),
        ("untoml", "[daemon".to_owned(), ranges.clone(), "not TOML"),
    ];
    for (seed, (what, toml, csv, why)) in (1..).zip(mistakes) {
        world.write("nightdrop.toml", &toml);
        world.write("reference/account_ranges.csv", &csv);
        daemon.reload("reload_refused");
        assert!(daemon.stderr().contains(why), "{what}: expected {why} in {}", daemon.stderr());
        let stem = decided(&world, &mut daemon, &CsvFile::good(what, seed, 2));
        world.out().accepted(&stem);
    }
    assert!(!world.at("other.db").exists());
    world.write("nightdrop.toml", &right);
    world.write("reference/account_ranges.csv", &ranges);
    daemon.reload("reloaded");
    daemon.terminate(STOP).expect(0);
}

#[test]
fn a_file_keeps_the_reference_data_it_was_accepted_under() {
    let world = World::new();
    let ranges = std::fs::read_to_string(world.at("reference/account_ranges.csv")).unwrap();
    let mut daemon = world.daemon();
    let big = decided(&world, &mut daemon, &CsvFile::good("big", 1, 30_000));
    world.write("reference/account_ranges.csv", ranges.replace(pan::ACME, pan::NOBODY));
    daemon.reload("reloaded");
    assert!(!world.out().has(&format!("{big}.summary.json")), "done before the reload: the file is too small");
    let later = world.drop_sealed(&CsvFile::good("later", 2, 3));
    world.wait_for(&mut daemon, &format!("{later}.summary.json"));
    world.wait_for(&mut daemon, &format!("{big}.summary.json"));
    assert_eq!(world.out().summary(&big)["outcomes"]["REGISTERED"], 30_000);
    assert_eq!(world.out().summary(&later)["codes"]["BIN_UNSUPPORTED"], 3);
    daemon.terminate(STOP).expect(0);
}

#[test]
fn issuers_come_and_go() {
    let world = World::shaped(|shape| shape.issuers = vec!["ACME", "OTHER"]);
    let both = std::fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    let other = |batch: &str| {
        let mut file = CsvFile::new(batch).with(|it| it.issuer = "OTHER".into());
        file.register("r-1", &pan::pan(pan::OTHER, 1, batch.len() as u64), "EUR");
        file
    };
    // The same directories for ACME, and no OTHER.
    let (head, tail) = both.split_once("\n[[issuer]]\nid = \"OTHER\"").unwrap();
    let tail = tail.split_once("\n[[feed]]").unwrap().1.split_once("\n[[feed]]").unwrap().0;
    let alone = format!("{head}\n[[feed]]{tail}")
        .replace("id = \"ACME\"", "id = \"ACME\"\ninbound = \"inbound/ACME\"\noutbound = \"outbound/ACME\"");
    world.write("nightdrop.toml", &alone);
    let mut daemon = world.daemon();
    let acme = decided(&world, &mut daemon, &CsvFile::good("a", 1, 2));
    world.out().accepted(&acme);

    let drop_other = |file: &CsvFile| {
        let inbound = world.inbound_of("OTHER");
        crate::world::drop_into(&inbound, &file.name(), world.sealed(&file.text()));
        file.stem()
    };
    let first = drop_other(&other("first"));
    world.write("nightdrop.toml", &both);
    daemon.reload("reloaded");
    world.wait_for_of("OTHER", &mut daemon, &format!("{first}.summary.json"));
    world.out_of("OTHER").accepted(&first);

    world.write("nightdrop.toml", &alone);
    daemon.reload("reloaded");
    let second = drop_other(&other("second"));
    let third = decided(&world, &mut daemon, &CsvFile::good("b", 2, 2));
    world.out().accepted(&third);
    assert!(!world.out_of("OTHER").has(&format!("{second}.ack.json")), "an issuer that is gone has no post");

    world.write("nightdrop.toml", &both);
    daemon.reload("reloaded");
    world.wait_for_of("OTHER", &mut daemon, &format!("{second}.summary.json"));
    daemon.terminate(STOP).expect(0);
}
