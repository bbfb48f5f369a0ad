//! A line that breaks in mid-transfer, both ways: no half file is registered, no answer is lost or half under its final name, and
//! all is delivered in the end. 12 breaks in `make test`, 200 in `make test-long`.

use std::fs;
use std::thread;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::site::{directories, failed};
use super::{Site, table};
use crate::file::CsvFile;
use crate::world::faulty::{Fault, Faulty, Way};
use crate::world::sshd::Sshd;
use crate::world::{PATIENCE, World, drop_into, expect_same, long, now, until};

/// What is broken in `make test`: a login takes about 4 kB down and 3 kB up, a file 30 kB.
const SHORT: [Fault; 12] = [
    Fault::Cut(Way::Down, 0),
    Fault::Cut(Way::Down, 6_000),
    Fault::Cut(Way::Down, 20_000),
    Fault::Reset(Way::Down, 2_000),
    Fault::Reset(Way::Down, 12_000),
    Fault::Reset(Way::Down, 16_000),
    Fault::Slow(Way::Down, 30_000),
    Fault::Cut(Way::Up, 5_000),
    Fault::Cut(Way::Up, 12_000),
    Fault::Reset(Way::Up, 7_000),
    Fault::Reset(Way::Up, 20_000),
    Fault::Slow(Way::Up, 30_000),
];

/// One of a campaign's breaks.
fn any(random: &mut ChaCha8Rng) -> Fault {
    let way = if random.next_u32().is_multiple_of(2) { Way::Down } else { Way::Up };
    let at = u64::from(random.next_u32() % 40_000);
    match random.next_u32() % 20 {
        0 => Fault::Silence(way, at),
        1 | 2 => Fault::Slow(way, 1_000),
        3..=5 => Fault::Slow(way, 5_000 + at),
        even if even.is_multiple_of(2) => Fault::Cut(way, at),
        _ => Fault::Reset(way, at),
    }
}

#[test]
fn breaks_in_mid_transfer_lose_and_halve_nothing() {
    if !long() {
        return campaign(&SHORT);
    }
    let campaigns: Vec<_> = (0..4_u64)
        .map(|n| {
            thread::spawn(move || {
                let mut random = ChaCha8Rng::seed_from_u64(20_261_126 + n);
                let faults: Vec<Fault> = (0..50).map(|_| any(&mut random)).collect();
                campaign(&faults);
            })
        })
        .collect();
    for campaign in campaigns {
        campaign.join().unwrap();
    }
}

fn campaign(faults: &[Fault]) {
    let sshd = Sshd::new();
    let line = Faulty::to(sshd.port);
    let site = Site::through(sshd, line.port, |_| {}, "");
    // The first start makes the vault's keys; from here on both worlds register alike.
    site.world.once().expect(0);
    let peace = site.world.copied(|_| {});
    let mut daemon = site.world.daemon();
    let mut stems = Vec::new();
    for (n, fault) in faults.iter().enumerate() {
        let began = now();
        let batch = format!("N{n:03}");
        let file = CsvFile::good(&batch, 100 + n as u64, 400);
        let sealed = site.world.sealed(&file.text());
        peace.drop_bytes(&file.name(), &sealed);
        let before = line.connections();
        line.set(*fault);
        site.put(&file.name(), &sealed);
        let summary = site.delivered(&format!("{}.summary.json", file.stem()));
        // One connection is struck, and those after it are good.
        until("a connection", || {
            // One that was only just beginning is ended by the next try.
            let begun = line.connections() > before;
            if !begun {
                site.cut_off();
            }
            begun
        });
        line.set(Fault::None);
        until(&format!("the answers after {fault:?}"), || {
            assert!(daemon.alive(), "{}", daemon.stderr());
            site.expect_whole();
            summary.exists()
        });
        stems.push(file.stem());
        eprintln!("{fault:?}: {:?}, {} connections", now() - began, line.connections() - before);
    }
    until("all is gone there", || site.there("out").is_empty());
    until("all is delivered", || site.all_is_delivered());
    daemon.terminate(PATIENCE).expect(0);
    site.expect_whole();
    expect_undisturbed(&site, &peace, &stems);
    assert!(site.there("in").iter().all(|name| !name.starts_with('.')), "{:?}", site.there("in"));
}

/// Each file was registered once, with the results of a run that nothing disturbed.
pub(super) fn expect_undisturbed(site: &Site, peace: &World, stems: &[String]) {
    peace.once().expect(0);
    for stem in stems {
        let name = format!("{stem}.recon.csv");
        expect_same(&name, &peace.out().content(&name), &fs::read(site.delivered(&name)).unwrap());
    }
    let files = site.files();
    assert_eq!(files.len(), stems.len(), "{files:?}");
    assert!(files.iter().all(|(_, code)| code.is_empty()), "{files:?}");
    assert!(site.world.kept_in("work").is_empty(), "{:?}", site.world.kept_in("work"));
    crate::audit::expect_unbroken(&site.world);
}

#[test]
fn a_freeze_is_noticed_within_a_minute_and_holds_up_nobody_else_nor_the_end() {
    let (sshd, other) = (Sshd::new(), Sshd::new());
    directories(&other);
    fs::copy(sshd.path("user.pub"), other.path("authorized")).unwrap();
    let line = Faulty::to(sshd.port);
    let more = table(&other, "other", "OTHER", other.port, "");
    let site = Site::through(sshd, line.port, |shape| shape.issuers = vec!["ACME", "OTHER"], &more);
    let daemon = site.world.daemon();
    site.until("acme", "ok");

    let freeze = |series: u32| {
        line.set(Fault::Silence(Way::Down, 9_000));
        site.cut_off();
        site.put_good(&format!("F{series}"), series, 400)
    };
    let (_, stem) = freeze(51);
    let began = now();
    for n in 0..3 {
        drop_into(&other.files().join("out"), &format!("OTHER_PAYCARDS_{n}.csv.jwe"), "no token");
        until("the other's answer", || other.files().join(format!("in/OTHER_PAYCARDS_{n}.ack.json")).exists());
    }
    assert!(now() - began < Duration::from_secs(25), "the other source waited: {:?}", now() - began);
    site.until("acme", "frozen");
    assert!(now() - began < Duration::from_secs(60), "noticed after {:?}", now() - began);
    eprintln!("a freeze was noticed after {:?}", now() - began);
    assert_eq!(failed(&daemon.stderr(), "acme", "frozen"), 1, "{}", daemon.stderr());
    line.set(Fault::None);
    site.cut_off();
    until("its answers", || site.delivered(&format!("{stem}.summary.json")).exists());
    site.until("acme", "ok");

    // One that is in the middle of it when it is told to stop does not wait for the server.
    let (name, stem) = freeze(52);
    until("a file half fetched", || site.files().iter().any(|(it, _)| *it == name));
    let log = daemon.terminate(Duration::from_secs(10)).expect(0).stderr;
    assert_eq!(failed(&log, "acme", "given up"), 0, "{log}");
    assert!(site.world.kept_in("work").is_empty(), "{:?}", site.world.kept_in("work"));
    line.set(Fault::None);
    site.world.once().expect(0);
    assert!(site.delivered(&format!("{stem}.summary.json")).exists());
}
