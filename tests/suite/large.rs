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
