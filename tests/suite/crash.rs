//! The kill campaign: SIGKILL at random moments, started again each time, and in the end nothing differs from a run
//! that was left in peace. Each night has a file of every service, one after another, so that kills fall into all of them: 15
//! kills in `make test`, 300 in `make test-long`.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, SystemTime};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::audit;
use crate::file::CsvFile;
use crate::night::{self, Before, File};
use crate::outbound::Recon;
use crate::pan;
use crate::world::{PATIENCE, Running, World, expect_same, long, now, pause, until};

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
    let (kills_wanted, records) = if long() { (300, 6_000) } else { (15, 1_500) };
    let peace = World::shaped(|shape| {
        shape.reply = false;
        shape.services = night::SERVICES.to_vec();
        shape.more = night::D1_FEED;
        // Many commits a file, so that many kills fall between two of them.
        shape.daemon = "group_records_max = 500";
    });
    // The first start makes the vault's keys; from here on both worlds are the same.
    peace.once().expect(0);
    let storm = peace.copied(|_| {});

    // How long a night takes from start to end, so that kills fall everywhere between.
    let mut nights = vec![night::files(&peace, 0, records, &Before::default())];
    let drop_last = |world: &World, nights: &[Vec<File>]| {
        nights.last().unwrap().iter().for_each(|file| file.drop_into(world));
    };
    drop_last(&storm, &nights);
    drop_last(&peace, &nights);
    let undisturbed = peace.once().expect(4).took;
    let over = |nights: &[Vec<File>]| {
        nights.last().unwrap().iter().all(|file| storm.out().has(&format!("{}.summary.json", file.stem)))
    };

    let seed = 20_261_120;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut watch = Watch { seen: HashMap::new() };
    let mut kills = 0;
    let deadline = now() + PATIENCE * if long() { 60 } else { 2 };
    while kills < kills_wanted {
        assert!(now() < deadline, "{kills} kills of {kills_wanted}, {} nights: no progress; seed {seed}", nights.len());
        if over(&nights) {
            let before = Before::of(&storm, nights.last().unwrap());
            nights.push(night::files(&peace, nights.len() as u64, records, &before));
            drop_last(&storm, &nights);
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
    until("the last night's end", || over(&nights));
    assert!(daemon.alive(), "the daemon ended by itself: {}", daemon.stderr());
    daemon.terminate(Duration::from_secs(10)).expect(0);
    watch.look(&storm);

    for (n, files) in nights.iter().enumerate() {
        if n > 0 {
            files.iter().for_each(|file| file.drop_into(&peace));
            peace.once().expect(4);
        }
        for file in files {
            storm.out().accepted(&file.stem);
            assert_eq!(storm.out().recon(&file.stem).trailer[0], file.records);
            let (calm, wild) = (night::told(&peace, file), night::told(&storm, file));
            assert_eq!(calm.len(), wild.len(), "{}", file.stem);
            for ((name, calm), (_, wild)) in calm.iter().zip(&wild) {
                expect_same(&format!("{name} after {kills} kills, seed {seed}"), calm, wild);
            }
        }
    }
    assert_eq!(storm.out().names(), peace.out().names(), "an outbound file too many, too few or half-made");
    assert_eq!(storm.waiting(), [""; 0]);
    audit::expect_unbroken(&storm);
    assert_eq!(night::counts(&storm), night::counts(&peace), "the store holds something twice, or has lost it");
    everything_is_registered_once(&storm, &nights);
    eprintln!("{kills} kills over {} nights of {records} records a service: identical", nights.len());
}

/// Every payment card that is registered, dropped once more: all of them are there, and no card has two ids.
fn everything_is_registered_once(world: &World, nights: &[Vec<File>]) {
    let mut live = HashMap::new();
    for file in nights.iter().flatten().filter(|file| file.service == "payment-cards") {
        for (row, sent) in world.out().recon(&file.stem).rows.iter().zip(file.rows()) {
            let id = row["payment_card_id"].to_owned();
            match &row["outcome"] {
                "REGISTERED" => assert_eq!(live.insert(id, sent[2].clone()), None, "an id was given twice"),
                "DEREGISTERED" => assert!(live.remove(&id).is_some(), "{id} was never given"),
                _ => {}
            }
        }
    }
    let mut cards: Vec<_> = live.values().collect();
    cards.sort_unstable();
    cards.dedup();
    assert_eq!(cards.len(), live.len(), "a card has two ids");
    let probe = CsvFile::new("PROBE").with(|file| {
        for (n, pan) in cards.iter().enumerate() {
            file.register(&format!("p-{n}"), pan, "EUR");
        }
    });
    let stem = world.drop_sealed(&probe);
    world.once().expect(0);
    let there = cards.len() as u64;
    assert_eq!(world.out().recon(&stem).trailer, [there, 0, there, 0, 0, 0], "cards were lost");
}

/// Starts the daemon and ends it in the midst of a file, each time so many milliseconds later, until the file is done; how often.
fn ended_until_done<E>(
    world: &World,
    stem: &str,
    start: fn(&World) -> Running,
    later_ms: u64,
    end: impl Fn(Running) -> E,
) -> u64 {
    let mut ends = 0;
    while !world.out().has(&format!("{stem}.summary.json")) {
        let mut daemon = start(world);
        world.wait_for(&mut daemon, &format!("{stem}.ack.json"));
        // On a busy machine the first moments may pass before anything is committed.
        pause(Duration::from_millis(20 + later_ms * ends));
        end(daemon);
        ends += 1;
        assert!(ends < 500, "it never comes to an end");
    }
    ends
}

/// With the smallest cache a generation of fingerprints is 14 336: the first file fills two, and the second has them move while the
/// process is killed again and again.
#[test]
fn kills_while_fingerprints_age_lose_none_and_find_all() {
    let peace = World::shaped(|shape| {
        shape.reply = false;
        shape.store = "cache = \"1MiB\"";
        shape.daemon = "group_records_max = 1000";
    });
    let known = CsvFile::good("KNOWN", 410, 36_000);
    let stem = peace.drop_sealed(&known);
    peace.once().expect(0);
    let ids = peace.out().recon(&stem).rows;
    let storm = peace.copied(|_| {});
    let file = CsvFile::new("MIXED").with(|file| {
        for n in 0..24_000_u64 {
            let record_ref = format!("r-{n}");
            match n % 8 {
                0 => file.register(&record_ref, &pan::pan(pan::ACME, 410, n * 3 / 2), "EUR"),
                1 | 5 => file.delete(&record_ref, &ids[usize::try_from(n).unwrap()]["payment_card_id"]),
                // Deleted three records before.
                4 => file.register(&record_ref, &pan::pan(pan::ACME, 410, n - 3), "EUR"),
                _ => file.register(&record_ref, &pan::pan(pan::ACME, 411, n), "EUR"),
            };
        }
    });
    peace.drop_sealed(&file);
    peace.once().expect(0);

    let stem = storm.drop_sealed(&file);
    let kills = ended_until_done(&storm, &stem, World::daemon_unready, 10, Running::kill);
    storm.once().expect(0);
    let name = format!("{stem}.recon.csv");
    let (calm, wild) = (peace.out().content(&name), storm.out().content(&name));
    expect_same(&format!("recon after {kills} kills"), &calm, &wild);
    assert!(kills > 2, "it was killed {kills} times alone");
    assert_eq!(storm.registers_balance(), peace.registers_balance());
    // All that is registered by now is found, wherever its fingerprint is.
    let again = CsvFile::new("AGAIN").with(|file| {
        for (n, pan) in pan::pans(pan::ACME, 410, 36_000).iter().enumerate() {
            file.register(&format!("again-{n}"), pan, "EUR");
        }
    });
    let stem = again.stem();
    for world in [&peace, &storm] {
        world.drop_sealed(&again);
        world.once().expect(0);
        assert_eq!(world.out().recon(&stem).trailer, [36_000, 3_000, 33_000, 0, 0, 0]);
    }
    eprintln!("{kills} kills while fingerprints aged: identical");
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
    let file = CsvFile::good("LONG", 400, 20_000).with(|file| {
        file.row("bad,,5.23E+15,EUR,").register("twice", &pan::pan(pan::ACME, 400, 7), "EUR");
    });
    peace.drop_sealed(&file);
    peace.once().expect(4);

    let stem = world.drop_sealed(&file);
    let stop = |daemon: Running| _ = daemon.terminate(Duration::from_secs(10)).expect(0);
    let stops = ended_until_done(&world, &stem, World::daemon, 5, stop);
    let name = format!("{stem}.recon.csv");
    expect_same(&format!("recon after {stops} stops"), &peace.out().content(&name), &world.out().content(&name));
}
