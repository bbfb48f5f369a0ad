//! A file that ends the process is set aside after three starts; one that is only there when it ends is not.

use std::time::Duration;

use serde_json::Value;

use crate::file::CsvFile;
use crate::world::{World, pause, until};

fn shown(world: &World, file: &str) -> Value {
    let ran = world.nightdrop(&["show", file, "--config", "nightdrop.toml", "--json"]).expect(0);
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// Starts that end by themselves, one after another, as a supervisor would make them.
fn starts(world: &World, times: u32) {
    for _ in 0..times {
        let ended = world.once();
        assert_eq!(ended.code(), None, "it was to end by a signal: {}", ended.stderr);
    }
}

#[test]
fn a_file_that_aborts_the_process_is_set_aside_and_its_neighbours_are_not() {
    for action in ["abort", "panic"] {
        let world = World::shaped(|shape| shape.reply = false);
        let before = world.drop_sealed(&CsvFile::good("A-INNOCENT", 1, 30));
        let culprit = world.drop_sealed(&CsvFile::good("B-CULPRIT", 2, 30));
        let after = world.drop_sealed(&CsvFile::good("C-INNOCENT", 3, 30));
        // The copy of the second arrival.
        world.plan(Some(&format!("opened:{action}:1:00000002")));
        if action == "abort" {
            // All three are in hand at the first one; from then on the culprit runs alone.
            starts(&world, 3);
        }
        let set_aside = world.once();
        assert_eq!(set_aside.code(), Some(3), "{}", set_aside.stderr);
        let ack = world.out().refused(&culprit, "POISONED");
        assert!(ack["description"].as_str().unwrap().contains("3 times"), "{ack}");
        for stem in [&before, &after] {
            assert_eq!(world.out().recon(stem).trailer, [30, 30, 0, 0, 0, 0], "{action}");
        }
        assert_eq!(world.kept_in("quarantine").len(), 1);
        let trail = world.nightdrop(&["audit", "list", "--config", "nightdrop.toml"]).expect(0).text();
        assert!(trail.contains("file_poisoned"), "{trail}");
        // The next good file goes its way beside it, and the culprit too once this program is mended.
        let next = world.drop_sealed(&CsvFile::good("D-NEXT", 4, 10));
        world.once().expect(0);
        world.out().accepted(&next);
        world.plan(None);
        world.nightdrop(&["retry", &culprit, "--reason", "mended", "--config", "nightdrop.toml"]).expect(0);
        assert_eq!(world.out().recon(&culprit).trailer, [30, 30, 0, 0, 0, 0]);
    }
}

#[test]
fn a_file_that_ends_the_process_after_its_acceptance_is_held_and_goes_on_when_it_is_let() {
    for action in ["abort", "kill"] {
        let world = World::shaped(|shape| {
            shape.reply = false;
            shape.daemon = "group_records_max = 200";
        });
        let stem = world.drop_sealed(&CsvFile::good("CULPRIT", 1, 1_000));
        // At its third commit once, and at its first in every start after that: it never gets on again.
        world.plan(Some(&format!("committed:{action}:3:CULPRIT")));
        starts(&world, 1);
        world.plan(Some(&format!("original_removed:{action}:1:CULPRIT")));
        starts(&world, if action == "abort" { 3 } else { 20 });
        let next = world.drop_sealed(&CsvFile::good("NEXT", 2, 10));
        let held = world.once();
        assert_eq!(held.code(), Some(3), "{action}: {}", held.stderr);
        world.out().accepted(&next);
        let file = shown(&world, &stem);
        assert_eq!(file["state"], "HELD", "{action}: {file}");
        world.plan(None);
        world.nightdrop(&["retry", &stem, "--reason", "mended", "--config", "nightdrop.toml"]).expect(0);
        assert_eq!(world.out().recon(&stem).trailer, [1_000, 1_000, 0, 0, 0, 0], "{action}");
    }
}

#[test]
fn kills_set_an_innocent_file_aside_only_if_it_never_gets_on() {
    let world = World::shaped(|shape| shape.reply = false);
    let stem = world.drop_sealed(&CsvFile::good("SLOW", 1, 50));
    world.plan(Some("opened:kill"));
    starts(&world, 19);
    let patient = world.copied(|_| {});
    patient.once().expect(0);
    patient.out().accepted(&stem);
    starts(&world, 1);
    world.plan(None);
    world.once().expect(3);
    let ack = world.out().refused(&stem, "POISONED");
    assert!(ack["description"].as_str().unwrap().contains("20 times"), "{ack}");
}

#[test]
fn twenty_kills_never_set_a_file_aside_that_gets_on() {
    let world = World::shaped(|shape| {
        shape.reply = false;
        shape.daemon = "group_records_max = 100";
    });
    let stem = world.drop_sealed(&CsvFile::good("BIG", 1, 5_000));
    // Each start gets one commit further, and ends before the mark is gone: the commit alone clears the file.
    world.plan(Some("committed:kill"));
    starts(&world, 24);
    world.plan(None);
    world.once().expect(0);
    assert_eq!(world.out().recon(&stem).trailer, [5_000, 5_000, 0, 0, 0, 0]);
}

#[test]
fn a_file_that_waits_for_its_turn_is_not_blamed_for_its_neighbour() {
    for (action, times) in [("abort", 3), ("kill", 20)] {
        let world = World::shaped(|shape| {
            shape.feed = "sequence = \"gapless\"\nsequence_wait = \"1h\"";
            shape.reply = false;
        });
        let numbered = |batch: &str, n: u64| CsvFile::good(batch, n, 5).with(|file| file.sequence = n.to_string());
        world.drop_sealed(&numbered("FIRST", 1));
        world.once().expect(0);
        let early = world.drop_sealed(&numbered("EARLY", 3));
        world.once().expect(3);
        let culprit = world.drop_sealed(&numbered("CULPRIT", 2));
        // The copy of the third arrival.
        world.plan(Some(&format!("opened:{action}:1:00000003")));
        starts(&world, times);
        world.once().expect(3);
        world.out().refused(&culprit, "POISONED");
        assert_eq!(shown(&world, &early)["state"], "WAITING", "{action}");
        world.plan(None);
        let missing = world.drop_sealed(&CsvFile::good("MISSING", 4, 5).with(|file| file.sequence = "2".into()));
        world.once().expect(0);
        for stem in [&missing, &early] {
            assert_eq!(world.out().recon(stem).trailer, [5, 5, 0, 0, 0, 0], "{action}");
        }
    }
}

#[test]
fn a_file_whose_answers_end_the_process_is_held() {
    for (point, action) in [("reports", "abort"), ("reports", "panic"), ("summary", "abort"), ("acked", "abort")] {
        let world = World::shaped(|shape| shape.reply = false);
        let refused = point == "acked";
        let culprit = CsvFile::good("CULPRIT", 1, 30)
            .with(|file| file.count = if refused { Some("3".into()) } else { file.count.take() });
        let stem = world.drop_sealed(&culprit);
        world.plan(Some(&format!("{point}:{action}:1:CULPRIT")));
        if action == "abort" {
            // The first time it had just got on; then three in a row.
            starts(&world, 4);
        }
        let next = world.drop_sealed(&CsvFile::good("NEXT", 2, 10));
        world.once().expect(3);
        world.out().accepted(&next);
        assert_eq!(shown(&world, &stem)["state"], "HELD", "{point}:{action}");
        world.plan(None);
        world.nightdrop(&["retry", &stem, "--reason", "mended", "--config", "nightdrop.toml"]).expect(0);
        assert_eq!(shown(&world, &stem)["state"], "DONE", "{point}:{action}");
        if refused {
            world.out().refused(&stem, "COUNT_MISMATCH");
        } else {
            assert_eq!(world.out().recon(&stem).trailer, [30, 30, 0, 0, 0, 0], "{point}:{action}");
        }
        assert!(!world.at("work").join(".00000001.hand").exists(), "{point}:{action}: no mark is left");
    }
}

#[test]
fn a_stop_that_was_asked_for_counts_for_nothing() {
    let world = World::shaped(|shape| shape.reply = false);
    let stem = world.drop_sealed(&CsvFile::good("BIG", 1, 40_000));
    for _ in 0..22 {
        let daemon = world.daemon_unready();
        pause(Duration::from_millis(60));
        drop(daemon.terminate(Duration::from_secs(20)));
    }
    let mut daemon = world.daemon();
    world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    until("DONE", || shown(&world, &stem)["state"] == "DONE");
    assert!(!world.at("work").join(".00000001.hand").exists(), "no mark is left");
    daemon.terminate(Duration::from_secs(10)).expect(0);
}

#[test]
fn the_watchdogs_abort_ends_the_process_and_is_heard_by_the_next() {
    let world = World::shaped(|shape| shape.reply = false);
    let mut daemon = world.daemon();
    let stem = world.drop_sealed(&CsvFile::good("BIG", 1, 60_000));
    until("in hand", || {
        world.at("work").join(".00000001.hand").exists() || world.out().has(&format!("{stem}.ack.json"))
    });
    rustix::process::kill_process(daemon.pid(), rustix::process::Signal::ABORT).unwrap();
    until("its end", || !daemon.alive());
    assert!(std::fs::metadata(world.at("work/.last-words")).unwrap().len() > 0, "its last words are there");
    world.once().expect(0);
    assert_eq!(world.out().recon(&stem).trailer[0], 60_000);
}
