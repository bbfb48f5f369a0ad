//! The file that did not come, by a clock that the test moves.

use std::fs;
use std::time::Duration;

use crate::file::CsvFile;
use crate::hands::{MOVED, TELLS, ask, expected, set, told};
use crate::world::{PATIENCE, World, throughout, until};

const PARIS: &str = "\n[report]\ntimezone = \"Europe/Paris\"\nholidays = [\"2026-12-25\"]\n";
const NIGHTLY: &str = "expected = { from = \"18:00\", by = \"02:30\", days = \"Mon-Fri\" }";

fn world(feed: &'static str) -> World {
    World::shaped(|shape| {
        shape.reply = false;
        shape.feed = feed;
        shape.more = Box::leak(format!("{PARIS}{TELLS}").into_boxed_str());
        shape.env = MOVED;
    })
}

fn state(day: &str, state: &str) -> (String, String) {
    (day.to_owned(), state.to_owned())
}

/// Kind and state of each call, and the day that it names.
fn calls(world: &World) -> Vec<String> {
    let day = |what: &str| what.split("for ").nth(1).unwrap().chars().take(10).collect::<String>();
    told(world).iter().map(|(kind, state, what)| format!("{kind} {state} {}", day(what))).collect()
}

/// The feed's windows were looked at up to a moment of the world's.
fn looked(world: &World, since: &str) -> bool {
    let since: jiff::Timestamp = since.parse().unwrap();
    ask(world, "SELECT coalesce(max(checked), 0) FROM expected_feed").parse::<i64>().unwrap() >= since.as_millisecond()
}

#[test]
fn nights_in_a_row() {
    let world = world(NIGHTLY);
    set(&world, "2026-11-22T12:00:00Z");
    let daemon = world.daemon();
    until("watched", || looked(&world, "2026-11-22T12:00:00Z"));
    assert_eq!(expected(&world), state("2026-11-23", "not due"));
    set(&world, "2026-11-23T01:30:00Z");
    until("told", || calls(&world) == ["FILE_MISSING raised 2026-11-23"]);
    assert!(told(&world)[0].2.contains("acme-payment-cards"), "{:?}", told(&world));
    assert!(told(&world)[0].2.contains("by 2026-11-23 02:30"), "{:?}", told(&world));
    assert_eq!(expected(&world), state("2026-11-23", "missing"));
    daemon.terminate(PATIENCE).expect(0);

    // A restart in the night does not call again.
    let mut daemon = world.daemon();
    set(&world, "2026-11-23T02:30:00Z");
    throughout(Duration::from_millis(1_500), "told once", || calls(&world).len() == 1);
    // Late, on Monday at noon.
    set(&world, "2026-11-23T11:00:00Z");
    let monday = CsvFile::good("MONDAY", 1, 3);
    let stem = world.drop_sealed(&monday);
    world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    until("over", || calls(&world).last().unwrap() == "FILE_MISSING cleared 2026-11-23");
    assert_eq!(expected(&world), state("2026-11-23", "late"));

    // It is not Tuesday's. Neither is the same file again, on Tuesday evening, Wednesday's.
    set(&world, "2026-11-24T01:30:01Z");
    until("told", || calls(&world).len() == 3);
    assert_eq!(calls(&world)[2], "FILE_MISSING raised 2026-11-24");
    set(&world, "2026-11-24T18:00:00Z");
    world.drop_bytes("ACME_PAYCARDS_AGAIN.csv.jwe", world.sealed(&monday.text()));
    world.wait_for(&mut daemon, "ACME_PAYCARDS_AGAIN.ack.json");
    assert_eq!(expected(&world), state("2026-11-25", "not due"));
    set(&world, "2026-11-25T01:30:01Z");
    until("told", || calls(&world).len() == 4);
    assert_eq!(calls(&world)[3], "FILE_MISSING raised 2026-11-25");

    // A file without records has come. Nights that are over for good call nobody any more.
    set(&world, "2026-11-25T18:00:00Z");
    let nil = world.drop_sealed(&CsvFile::good("NIL", 2, 0));
    world.wait_for(&mut daemon, &format!("{nil}.summary.json"));
    until("over", || calls(&world).len() == 6);
    let mut over = calls(&world)[4..].to_vec();
    over.sort();
    assert_eq!(over, ["FILE_MISSING cleared 2026-11-24", "FILE_MISSING cleared 2026-11-25"]);
    assert_eq!(expected(&world), state("2026-11-26", "came"));
    set(&world, "2026-11-26T01:31:00Z");
    until("looked", || looked(&world, "2026-11-26T01:31:00Z"));
    assert_eq!(calls(&world).len(), 6);
    daemon.terminate(PATIENCE).expect(0);
}

#[test]
fn as_many_files_as_are_expected() {
    let world = world("expected = { from = \"18:00\", by = \"02:30\", count = 2 }");
    set(&world, "2026-11-22T18:00:00Z");
    let mut daemon = world.daemon();
    let first = world.drop_sealed(&CsvFile::good("FIRST", 1, 1));
    world.wait_for(&mut daemon, &format!("{first}.summary.json"));
    set(&world, "2026-11-23T01:30:01Z");
    until("told", || calls(&world) == ["FILE_MISSING raised 2026-11-23"]);
    let second = world.drop_sealed(&CsvFile::good("SECOND", 2, 1));
    world.wait_for(&mut daemon, &format!("{second}.summary.json"));
    until("over", || calls(&world).len() == 2);
    daemon.terminate(PATIENCE).expect(0);
}

#[test]
fn holidays_and_nights_on_which_clocks_change() {
    // From, an instant at which nobody is to be called, one at which somebody is.
    let nights = [
        ("2026-12-24T12:00:00Z", "2026-12-25T02:00:00Z", "2026-12-28T01:30:01Z"),
        ("2026-03-28T12:00:00Z", "2026-03-29T00:59:50Z", "2026-03-29T01:00:01Z"),
        ("2026-10-24T12:00:00Z", "2026-10-25T00:45:00Z", "2026-10-25T01:30:01Z"),
    ];
    for (from, nobody, somebody) in nights {
        let world = world("expected = { from = \"18:00\", by = \"02:30\", days = \"Sun-Fri\" }");
        let toml = fs::read_to_string(world.at("nightdrop.toml")).unwrap();
        if from.starts_with("2026-12") {
            world.write("nightdrop.toml", toml.replace("Sun-Fri", "Mon-Fri"));
        }
        set(&world, from);
        let daemon = world.daemon();
        until("watched", || looked(&world, from));
        set(&world, nobody);
        throughout(Duration::from_millis(1_500), nobody, || calls(&world).is_empty());
        set(&world, somebody);
        until(somebody, || calls(&world) == [format!("FILE_MISSING raised {}", &somebody[..10])]);
        daemon.terminate(PATIENCE).expect(0);
    }
}

#[test]
fn a_feed_that_a_reload_brings_misses_no_night_before_it() {
    let world = world("");
    set(&world, "2026-11-23T11:00:00Z");
    let mut daemon = world.daemon();
    let toml = fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    let with = toml.replace("service = \"payment-cards\"\n", &format!("service = \"payment-cards\"\n{NIGHTLY}\n"));
    assert_ne!(with, toml);
    world.write("nightdrop.toml", with);
    daemon.reload("reloaded");
    until("watched", || looked(&world, "2026-11-23T11:00:00Z"));
    assert_eq!(expected(&world), state("2026-11-24", "not due"));
    throughout(Duration::from_millis(1_500), "nobody is called", || calls(&world).is_empty());
    set(&world, "2026-11-24T01:30:01Z");
    until("told", || calls(&world) == ["FILE_MISSING raised 2026-11-24"]);
    // Taken out again, it is missed no longer.
    world.write("nightdrop.toml", toml);
    daemon.reload("reloaded");
    until("over", || told(&world).last().unwrap().1 == "cleared");
    daemon.terminate(PATIENCE).expect(0);
}
