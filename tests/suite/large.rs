//! A large file takes no more memory than a small one. Full size by `make test-long`.

use std::fmt::Write as _;

use openssl::sha::Sha256;

use crate::file::hex;
use crate::pan;
use crate::world::{World, long};

/// The store's cache as configured, which the larger file may fill.
const CACHE_BYTES: u64 = 64 << 20;

/// A sealed file of `records` good records, built without holding more than its text.
fn sealed(world: &World, records: u64) -> String {
    let mut text =
        String::from("HDR,1,ACME,payment-cards,LARGE,1,2026-11-20T01:30:00Z,TEST\nrecord_ref,pan,card_base_currency\n");
    for n in 0..records {
        // A million to a seed.
        writeln!(text, "r-{n},{},EUR", pan::pan(pan::ACME, 100 + n / 1_000_000, n % 1_000_000)).unwrap();
    }
    let mut digest = Sha256::new();
    digest.update(text.as_bytes());
    writeln!(text, "TRL,{records},{}", hex(&digest.finish())).unwrap();
    world.sealed(&text)
}

/// Peak memory and rate of a file of `records` in a world of its own.
fn measured(records: u64) -> u64 {
    let world = World::shaped(|shape| shape.reply = false);
    world.drop_bytes("ACME_PAYCARDS_LARGE.csv.jwe", sealed(&world, records));
    let ran = world.once().expect(0);
    let recon = world.out().recon("ACME_PAYCARDS_LARGE");
    assert_eq!(recon.trailer, [records, records, 0, 0, 0, 0]);
    let in_order = recon.rows.iter().enumerate().all(|(n, row)| row["record_ref"] == format!("r-{n}"));
    assert!(in_order, "recon has every record, in file order");
    let rate = world.out().summary("ACME_PAYCARDS_LARGE")["records_per_second"].clone();
    eprintln!(
        "{records} records: {:.1} s in all, {rate} records/s registered, peak memory {} MiB",
        ran.took.as_secs_f64(),
        ran.peak_bytes >> 20
    );
    ran.peak_bytes
}

#[test]
fn memory_stays_flat() {
    let (small, large) = if long() { (100_000, 1_000_000) } else { (2_000, 40_000) };
    let (less, more) = (measured(small), measured(large));
    assert!(less > 0, "memory was never seen");
    assert!(more < 256 << 20, "{large} records took {} MiB", more >> 20);
    assert!(
        more <= less * 13 / 10 + CACHE_BYTES,
        "{large} records took {} MiB, {small} took {} MiB",
        more >> 20,
        less >> 20
    );
}

/// The text of a JSON file of `batch` with these requests, a line each.
fn in_lines(batch: &str, requests: impl Iterator<Item = String>, records: u64) -> String {
    let mut text = crate::json::header(batch) + "\n";
    for request in requests {
        writeln!(text, "{request}").unwrap();
    }
    writeln!(text, "{{\"trailer\":{{\"records\":{records}}}}}").unwrap();
    text
}

/// Peak memory of a file of JSON in a world of its own, and the outcomes of its records as recon's trailer has them.
fn measured_json(name: &str, text: &str, exit: i32) -> (u64, Vec<u64>) {
    let world = World::shaped(|shape| {
        shape.reply = false;
        shape.feed = if name.ends_with(".json") { "controls = \"optional\"" } else { "" };
    });
    world.drop_bytes(&format!("{name}.jwe"), world.sealed(text));
    let ran = world.once().expect(exit);
    let stem = name.split('.').next().unwrap();
    let rate = world.out().summary(stem)["records_per_second"].clone();
    eprintln!(
        "{name}, {} MiB: {:.1} s in all, {rate} records/s registered, peak memory {} MiB",
        text.len() >> 20,
        ran.took.as_secs_f64(),
        ran.peak_bytes >> 20
    );
    (ran.peak_bytes, world.out().recon(stem).trailer.to_vec())
}

#[test]
fn memory_stays_flat_whatever_json_holds() {
    let (fill, huge, nothings) = if long() { (1_300_000, 100, 2_700_000) } else { (20_000, 30, 300_000) };
    // The small ones would stay below the bound of the large ones in any case.
    let most = if long() { 256 << 20 } else { 96 << 20 };
    let card = |n: u64| {
        let pan = pan::pan(pan::ACME, 100 + n / 1_000_000, n % 1_000_000);
        format!("{{\"id\":\"r-{n}\",\"fpan\":\"{pan}\",\"cardBaseCurrency\":\"EUR\"}}")
    };
    let array = |n: u64| format!("[{}]", (n * 50..n * 50 + 50).map(card).collect::<Vec<_>>().join(",\n"));
    let arrays = format!("[{}]", (0..fill / 50).map(array).collect::<Vec<_>>().join(",\n"));
    let long_id = format!("{{\"id\":\"{}\"}}", "x".repeat(2 << 20));
    let of_nothing = format!("[{}]", vec!["{}"; usize::try_from(nothings).unwrap()].join(","));
    for (name, text, exit, good, bad) in [
        ("ACME_PAYCARDS_SINGLE.jsonl", in_lines("SINGLE", (0..fill).map(card), fill), 0, fill, 0),
        ("ACME_PAYCARDS_ARRAYS.json", arrays, 0, fill, 0),
        // A record may be as large as a request, a chunk is of many.
        ("ACME_PAYCARDS_HUGE.jsonl", in_lines("HUGE", (0..huge).map(|_| long_id.clone()), huge), 4, 0, huge),
        // A request may be of very many records.
        ("ACME_PAYCARDS_NOTHING.jsonl", in_lines("NOTHING", std::iter::once(of_nothing), nothings), 4, 0, nothings),
    ] {
        let (peak, trailer) = measured_json(name, &text, exit);
        assert_eq!(trailer, [good + bad, good, 0, 0, 0, bad], "{name}");
        assert!(peak > 0, "memory was never seen");
        assert!(peak < most, "{name} took {} MiB", peak >> 20);
    }
}
