//! The kill campaign: SIGKILL at random moments, started again each time, and in the end nothing differs from a run
//! that was left in peace. 15 kills in `make test`, 300 in `make test-long`.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, SystemTime};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::audit;
use crate::file::CsvFile;
use crate::outbound::Recon;
use crate::pan;
use crate::world::{PATIENCE, World, expect_same, long, now, pause};

/// The `n`th file: records of its own, some of the file before, some bad, some twice.
fn nth_file(n: u64, records: u64) -> CsvFile {
    CsvFile::new(&format!("K{n:04}")).with(|file| {
        for at in 0..records {
            let record_ref = format!("r-{at}");
            match at % 50 {
                7 => file.row(format!("{record_ref},,5.23E+15,EUR,")),
                11 => file.register(&record_ref, &pan::pan(pan::ACME, 400 + n, at - 1), "EUR"),
                13 if n > 0 => file.register(&record_ref, &pan::pan(pan::ACME, 399 + n, at + 1), "USD"),
                _ => file.register(&record_ref, &pan::pan(pan::ACME, 400 + n, at), "EUR"),
            };
        }
    })
}

/// A file under a final name is whole, whenever one looks.
struct Watch {
    seen: HashMap<String, SystemTime>,
}

impl Watch {
    fn look(&mut self, world: &World) {
        let out = world.out();
        for name in out.names() {
            // Temporary files are dot-names: nobody takes them for a final one.
            if name.starts_with('.') {
                continue;
            }
            let changed = fs::metadata(out.at(&name)).unwrap().modified().unwrap();
            if self.seen.insert(name.clone(), changed) == Some(changed) {
                continue;
            }
            let content = fs::read(out.at(&name)).unwrap();
            if name.ends_with(".json") {
                serde_json::from_slice::<serde_json::Value>(&content).unwrap_or_else(|_| panic!("{name} is not whole"));
            } else if name.ends_with(".recon.csv") {
                Recon::read(&name, content);
            } else {
                assert_eq!(content.last(), Some(&b'\n'), "{name} is not whole");
            }
        }
    }
}

#[test]
fn kills_at_random_moments_change_nothing() {
    let (kills_wanted, records) = if long() { (300, 10_000) } else { (15, 10_000) };
    let peace = World::shaped(|shape| shape.reply = false);
    // The first start makes the vault's keys; from here on both worlds are the same.
    peace.once().expect(0);
    let storm = peace.copied(|_| {});

    // How long a file takes from start to end, so that kills fall everywhere between.
    let mut files = Vec::new();
    let drop_next = |world: &World, files: &mut Vec<CsvFile>| {
        let file = nth_file(files.len() as u64, records);
        world.drop_sealed(&file);
        files.push(file);
    };
    drop_next(&storm, &mut files);
    peace.drop_sealed(&files[0]);
    let undisturbed = peace.once().expect(4).took;

    let seed = 20_261_120;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut watch = Watch { seen: HashMap::new() };
    let mut kills = 0;
    let deadline = now() + PATIENCE * if long() { 60 } else { 2 };
    while kills < kills_wanted {
        assert!(now() < deadline, "{kills} kills of {kills_wanted}, {} files: no progress; seed {seed}", files.len());
        if storm.out().has(&format!("{}.summary.json", files.last().unwrap().stem())) {
            drop_next(&storm, &mut files);
        }
        let mut daemon = storm.daemon_unready();
        let moment = undisturbed.mul_f64(f64::from(random.next_u32()) / f64::from(u32::MAX));
        pause(moment);
        assert!(daemon.alive(), "the daemon ended by itself: {}", daemon.stderr());
        daemon.kill();
        kills += 1;
        watch.look(&storm);
    }
    let mut daemon = storm.daemon();
    storm.wait_for(&mut daemon, &format!("{}.summary.json", files.last().unwrap().stem()));
    daemon.terminate(Duration::from_secs(10)).expect(0);
    watch.look(&storm);

    for file in &files[1..] {
        peace.drop_sealed(file);
        peace.once().expect(4);
    }
    let mut registered = 0;
    for file in &files {
        let stem = file.stem();
        for name in [format!("{stem}.recon.csv"), format!("{stem}.errors.csv")] {
            let (calm, wild) = (peace.out().content(&name), storm.out().content(&name));
            expect_same(&format!("{name} after {kills} kills, seed {seed}"), &calm, &wild);
        }
        expect_same(&stem, &peace.out().timeless_summary(&stem), &storm.out().timeless_summary(&stem));
        storm.out().accepted(&stem);
        let recon = storm.out().recon(&stem);
        assert_eq!(recon.trailer[0], records);
        registered += recon.trailer[1];
    }
    assert_eq!(storm.out().names(), peace.out().names(), "an outbound file too many, too few or half-made");
    assert_eq!(storm.waiting(), [""; 0]);
    audit::expect_unbroken(&storm);
    everything_is_registered_once(&storm, &files, registered);
    eprintln!("{kills} kills over {} files of {records} records: identical, 0 lost, 0 doubled", files.len());
}

/// Every card of every file, dropped once more: all of them are there.
fn everything_is_registered_once(world: &World, files: &[CsvFile], registered: u64) {
    let mut cards: Vec<_> = files
        .iter()
        .flat_map(|file| &file.rows)
        .map(|row| row.split(',').nth(2).unwrap())
        .filter(|pan| pan.len() == 16)
        .collect();
    cards.sort_unstable();
    cards.dedup();
    assert_eq!(cards.len() as u64, registered, "as many ids were given as there are cards");
    let probe = CsvFile::new("PROBE").with(|file| {
        for (n, pan) in cards.iter().enumerate() {
            file.register(&format!("p-{n}"), pan, "EUR");
        }
    });
    let stem = world.drop_sealed(&probe);
    world.once().expect(0);
    assert_eq!(world.out().recon(&stem).trailer, [registered, 0, registered, 0, 0, 0], "cards were lost");
}

#[test]
fn an_innocent_file_is_not_set_aside_by_kills_before_it_could_begin() {
    let world = World::shaped(|shape| shape.reply = false);
    let stem = world.drop_sealed(&CsvFile::good("INNOCENT", 395, 50));
    for _ in 0..6 {
        let daemon = world.daemon_unready();
        pause(Duration::from_millis(30));
        daemon.kill();
    }
    world.once().expect(0);
    assert_eq!(world.out().recon(&stem).trailer, [50, 50, 0, 0, 0, 0]);
}

#[test]
fn a_daemon_that_is_asked_to_stop_in_mid_file_goes_on_where_it_was() {
    let world = World::shaped(|shape| {
        shape.reply = false;
        shape.daemon = "group_records_max = 1000";
    });
    world.once().expect(0);
    let peace = world.copied(|_| {});
    let file = nth_file(0, 20_000);
    peace.drop_sealed(&file);
    peace.once().expect(4);

    let stem = world.drop_sealed(&file);
    let mut stops = 0;
    while !world.out().has(&format!("{stem}.summary.json")) {
        let mut daemon = world.daemon();
        world.wait_for(&mut daemon, &format!("{stem}.ack.json"));
        pause(Duration::from_millis(20));
        daemon.terminate(Duration::from_secs(10)).expect(0);
        stops += 1;
        assert!(stops < 500, "it never comes to an end");
    }
    let name = format!("{stem}.recon.csv");
    expect_same(&format!("recon after {stops} stops"), &peace.out().content(&name), &world.out().content(&name));
}
