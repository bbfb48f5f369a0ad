//! The same file twice, and files out of their order.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::file::CsvFile;
use crate::pan;
use crate::world::{World, expect_same, throughout};

/// A world that took one file of five records.
fn world_with(file: &CsvFile) -> World {
    let world = World::new();
    world.drop_sealed(file);
    world.once().expect(0);
    world.out().accepted(&file.stem());
    world
}

#[test]
fn the_same_file_again_is_a_duplicate_and_the_first_answers_are_delivered_again() {
    let file = CsvFile::good("SAME", 30, 5);
    let world = world_with(&file);
    let first = world.out().recon(&file.stem()).content;
    let delivered = world.out().as_written(&format!("{}.recon.csv", file.stem()));
    fs::remove_file(world.out().at(&delivered)).unwrap();

    // Sealed anew: other bytes, the same plaintext. The same name, too, so that it gets a stem of its own.
    world.drop_sealed(&file);
    world.once().expect(0);
    let second = format!("{}.2", file.stem());
    duplicate_of(&world, &second, &file.name());
    expect_same("recon delivered again", &first, &world.out().recon(&file.stem()).content);
    assert!(!world.out().has(&world.out().as_written(&format!("{second}.recon.csv"))), "a duplicate has no recon");
}

#[test]
fn a_renamed_copy_byte_for_byte_is_a_duplicate() {
    let file = CsvFile::good("SAME", 31, 5);
    let world = World::new();
    let sealed = world.sealed(&file.text());
    world.drop_bytes(&file.name(), &sealed);
    world.once().expect(0);
    world.drop_bytes("ACME_PAYCARDS_RENAMED.csv.jwe", &sealed);
    world.once().expect(0);
    duplicate_of(&world, "ACME_PAYCARDS_RENAMED", &file.name());
}

fn duplicate_of(world: &World, stem: &str, first: &str) {
    let ack = world.out().ack(stem);
    assert_eq!((&ack["status"], &ack["code"]), (&"DUPLICATE".into(), &"DUPLICATE_FILE".into()), "{ack}");
    assert_eq!(ack["duplicate_of"], first, "{ack}");
}

#[test]
fn both_of_one_batch_dropped_at_once_give_one_effect() {
    let world = World::new();
    let file = CsvFile::good("ONCE", 32, 5);
    world.drop_bytes("ACME_PAYCARDS_a.csv.jwe", world.sealed(&file.text()));
    world.drop_bytes("ACME_PAYCARDS_b.csv.jwe", world.sealed(&file.text()));
    world.once().expect(0);
    world.out().accepted("ACME_PAYCARDS_a");
    assert_eq!(world.out().recon("ACME_PAYCARDS_a").trailer, [5, 5, 0, 0, 0, 0]);
    duplicate_of(&world, "ACME_PAYCARDS_b", "ACME_PAYCARDS_a.csv.jwe");
}

#[test]
fn the_same_batch_with_other_content_is_refused() {
    let file = CsvFile::good("REUSED", 33, 5);
    let world = world_with(&file);
    let altered = file.clone().with(|file| {
        file.register("r-6", &pan::pan(pan::ACME, 33, 900), "EUR");
    });
    world.drop_bytes("ACME_PAYCARDS_ALTERED.csv.jwe", world.sealed(&altered.text()));
    world.once().expect(3);
    world.out().refused("ACME_PAYCARDS_ALTERED", "BATCH_REUSED");
    // Its card was not touched.
    let probe = CsvFile::new("PROBE").with(|file| {
        file.register("p", &pan::pan(pan::ACME, 33, 900), "EUR");
    });
    let stem = world.drop_sealed(&probe);
    world.once().expect(0);
    assert_eq!(world.out().recon(&stem).trailer, [1, 1, 0, 0, 0, 0]);
}

#[test]
fn the_same_content_under_a_new_batch_id_is_refused() {
    let file = CsvFile::good("CONTENT", 34, 5);
    let world = world_with(&file);
    let stem = world.drop_sealed(&file.with(|file| file.batch = "CONTENT2".into()));
    world.once().expect(3);
    world.out().refused(&stem, "DUPLICATE_CONTENT");
}

#[test]
fn two_nil_files_have_the_same_content_and_are_two_files() {
    let world = World::new();
    for batch in ["NIL1", "NIL2"] {
        let stem = world.drop_sealed(&CsvFile::new(batch));
        world.once().expect(0);
        world.out().accepted(&stem);
    }
}

#[test]
fn the_same_name_two_nights_running_has_answers_of_its_own() {
    let world = World::new();
    for (night, stem) in
        ["ACME_PAYCARDS_NIGHTLY", "ACME_PAYCARDS_NIGHTLY.2", "ACME_PAYCARDS_NIGHTLY.3"].iter().enumerate()
    {
        let file = CsvFile::good(&format!("N{night}"), 35 + night as u64, 5);
        world.drop_bytes("ACME_PAYCARDS_NIGHTLY.csv.jwe", world.sealed(&file.text()));
        world.once().expect(0);
        assert_eq!(world.out().accepted(stem)["batch_id"], format!("N{night}"));
        assert_eq!(world.out().recon(stem).trailer, [5, 5, 0, 0, 0, 0]);
    }
    assert_eq!(world.out().ack("ACME_PAYCARDS_NIGHTLY")["batch_id"], "N0", "the first night's answers stay");
}

/// A file of one record with a sequence.
fn numbered(sequence: u64, seed: u64) -> CsvFile {
    CsvFile::good(&format!("S{sequence}-{seed}"), seed, 1).with(|file| file.sequence = sequence.to_string())
}

#[test]
fn increasing_sequences_may_leave_gaps_and_never_go_back() {
    let world = World::shaped(|shape| shape.feed = "sequence = \"increasing\"");
    let take = |file: &CsvFile, code: i32| {
        let stem = world.drop_sealed(file);
        world.once().expect(code);
        stem
    };
    assert_eq!(world.out().accepted(&take(&numbered(5, 40), 0))["next_sequence"], 6);
    assert_eq!(world.out().accepted(&take(&numbered(9, 41), 0))["next_sequence"], 10);
    let old = world.out().refused(&take(&numbered(9, 42), 3), "SEQUENCE_OLD");
    assert_eq!(old["next_sequence"], 10, "the ack says which is expected: {old}");
    world.out().refused(&take(&numbered(6, 43), 3), "SEQUENCE_OLD");
    world.out().accepted(&take(&numbered(10, 44), 0));
}

#[test]
fn gapless_sequences_hold_an_early_file_until_its_turn() {
    let world = World::shaped(|shape| shape.feed = "sequence = \"gapless\"\nsequence_wait = \"10m\"");
    let mut daemon = world.daemon();
    let (first, second, third) = (numbered(1, 45), numbered(2, 46), numbered(3, 47));
    let done = |file: &CsvFile| format!("{}.summary.json", file.stem());
    world.drop_sealed(&first);
    world.wait_for(&mut daemon, &done(&first));
    world.drop_sealed(&third);
    throughout(Duration::from_millis(700), "the early file waits", || {
        !world.out().has(&format!("{}.ack.json", third.stem()))
    });
    world.drop_sealed(&second);
    world.wait_for(&mut daemon, &done(&second));
    world.wait_for(&mut daemon, &done(&third));
    assert_eq!(world.out().accepted(&third.stem())["next_sequence"], 4);
    // The same sequence in a new batch is too late.
    let late = numbered(2, 48);
    world.drop_sealed(&late);
    world.wait_for(&mut daemon, &format!("{}.ack.json", late.stem()));
    world.out().refused(&late.stem(), "SEQUENCE_OLD");
    daemon.terminate(Duration::from_secs(10)).expect(0);
}

#[test]
fn a_gap_that_stays_is_refused() {
    let world = World::shaped(|shape| shape.feed = "sequence = \"gapless\"\nsequence_wait = \"300ms\"");
    let mut daemon = world.daemon();
    let (first, third) = (numbered(1, 49), numbered(3, 50));
    world.drop_sealed(&first);
    world.wait_for(&mut daemon, &format!("{}.summary.json", first.stem()));
    world.drop_sealed(&third);
    world.wait_for(&mut daemon, &format!("{}.ack.json", third.stem()));
    let ack = world.out().refused(&third.stem(), "SEQUENCE_GAP");
    assert_eq!(ack["next_sequence"], 2, "{ack}");
    assert_ne!(ack["description"], Value::Null);
    daemon.terminate(Duration::from_secs(10)).expect(0);
}
