//! However many workers and however large the chunks: the same file gives the same answers, byte for byte.

use crate::file::CsvFile;
use crate::night::{self, Before, File};
use crate::pan;
use crate::world::{World, expect_same};

/// A file in which much depends on the order of records: duplicates near and far, deletions, bad records between.
fn tangled(batch: &str, ids: &[String]) -> CsvFile {
    CsvFile::new(batch).with(|file| {
        for n in 0..1500_u64 {
            let record_ref = format!("r-{n}");
            match n % 10 {
                3 => file.register(&record_ref, &pan::pan(pan::ACME, 91, n - 1), "EUR"),
                5 => file.register(&record_ref, &pan::pan(pan::ACME, 91, n / 2), "EUR"),
                6 => file.row(format!("{record_ref},,5.23E+15,EURO,")),
                7 if n % 20 == 7 => file.delete(&record_ref, &ids[usize::try_from(n).unwrap() / 20]),
                8 => file.register(&record_ref, &pan::pan(pan::ACME, 90, 99 - n / 20), "USD"),
                _ => file.register(&record_ref, &pan::pan(pan::ACME, 91, n), "EUR"),
            };
        }
    })
}

#[test]
fn workers_and_chunk_sizes_change_nothing_in_the_answers() {
    let first = World::shaped(|shape| shape.reply = false);
    let earlier = CsvFile::good("EARLIER", 90, 100);
    first.drop_sealed(&earlier);
    first.once().expect(0);
    let ids: Vec<_> =
        first.out().recon(&earlier.stem()).rows.iter().map(|row| row["payment_card_id"].to_owned()).collect();

    let file = tangled("TANGLED", &ids);
    let answers = |workers: u32, chunk_records: u32, more: &'static str| {
        let world = first.copied(|shape| {
            shape.workers = workers;
            shape.chunk_records = chunk_records;
            shape.daemon = more;
        });
        let stem = world.drop_sealed(&file);
        world.once().expect(4);
        assert!(world.registers_balance() > 0);
        let recon = world.out().recon(&stem);
        let errors = world.out().content(&format!("{stem}.errors.csv"));
        (recon, errors, world.out().timeless_summary(&stem))
    };
    let (recon, errors, summary) = answers(1, 100, "");
    for (at, outcome) in ["REGISTERED", "ALREADY_REGISTERED", "DEREGISTERED"].iter().enumerate() {
        assert!(recon.trailer[at + 1] > 0, "the file has no {outcome}: it shows too little");
    }
    for code in ["DUPLICATE_IN_FILE", "ALREADY_REGISTERED", "PAN_MANGLED"] {
        assert!(recon.rows.iter().any(|row| &row["code"] == code), "the file has no {code}: it shows too little");
    }
    let shapes = [
        (8, 100, ""),
        (1, 1, ""),
        (8, 1, "chunks_in_flight = 1"),
        (1, 7, "group_records_max = 100"),
        (8, 7, ""),
        (3, 100, "group_records_max = 100\nchunks_in_flight = 2"),
    ];
    for (workers, chunk_records, more) in shapes {
        let what = format!("{workers} workers, chunks of {chunk_records} {more}");
        let other = answers(workers, chunk_records, more);
        expect_same(&format!("recon, {what}"), &recon.content, &other.0.content);
        expect_same(&format!("errors, {what}"), &errors, &other.1);
        expect_same(&format!("summary, {what}"), &summary, &other.2);
    }
}

#[test]
fn nothing_changes_for_any_service() {
    let first = World::shaped(|shape| {
        shape.reply = false;
        shape.services = night::SERVICES.to_vec();
        shape.more = night::D1_FEED;
    });
    let drop_all = |world: &World, files: &[File]| files.iter().for_each(|file| file.drop_into(world));
    let earlier = night::files(&first, 0, 400, &Before::default());
    drop_all(&first, &earlier);
    first.once().expect(4);
    let files = night::files(&first, 1, 1_100, &Before::of(&first, &earlier));
    let answers = |workers: u32, chunk_records: u32, more: &'static str| {
        let world = first.copied(|shape| {
            shape.workers = workers;
            shape.chunk_records = chunk_records;
            shape.daemon = more;
        });
        drop_all(&world, &files);
        world.once().expect(4);
        assert!(world.registers_balance() > 0);
        let told: Vec<_> = files.iter().flat_map(|file| night::told(&world, file)).collect();
        (told, night::counts(&world), world)
    };
    let (told, counts, world) = answers(1, 100, "");
    expect_much(&world, &files);
    for (workers, chunk_records, more) in [
        (8, 7, ""),
        (3, 1, "group_records_max = 1\nchunks_in_flight = 1"),
        (8, 100, "group_records_max = 100\nchunks_in_flight = 2"),
        (1, 64, "group_records_max = 300"),
    ] {
        let what = format!("{workers} workers, chunks of {chunk_records} {more}");
        let (other, other_counts, _) = answers(workers, chunk_records, more);
        assert_eq!(told.len(), other.len(), "{what}");
        for ((name, one), (_, other)) in told.iter().zip(&other) {
            expect_same(&format!("{name}, {what}"), one, other);
        }
        assert_eq!(counts, other_counts, "{what}");
    }
}

/// The files show too little unless each of these comes in them, often.
fn expect_much(world: &World, files: &[File]) {
    for (service, outcomes) in [
        ("payment-cards", ["ALREADY_REGISTERED", "DUPLICATE_IN_FILE", "PAN_MANGLED"].as_slice()),
        ("pan-lists", &["ALREADY_IN_LIST", "DUPLICATE_IN_FILE", "PAN_LUHN", "NOT_IN_LIST", "NOT_REGISTERED"]),
        ("cards", &["ALREADY_REGISTERED", "CARD_ID_IN_USE", "PAN_RETIRED", "EVENT_IGNORED", "PRODUCT_UNKNOWN"]),
        ("card-contracts", &["ALREADY_REGISTERED", "CARD_ID_IN_USE"]),
        (
            "click-to-pay",
            &["ALREADY_ENROLLED", "CONTRACT_UNKNOWN", "CONTRACT_INACTIVE", "CARD_EXPIRED", "FIELD_INVALID"],
        ),
        ("D1", &["ALREADY_REGISTERED", "CARD_ID_IN_USE", "RECORD_CRYPTO_ERROR", "FIELD_MISSING"]),
    ] {
        let is_meant = |file: &&File| file.service == service || (service == "D1" && file.stem.contains("_D1-"));
        let file = files.iter().find(is_meant).unwrap();
        let codes = world.out().summary(&file.stem)["codes"].clone();
        for code in outcomes {
            assert!(codes[code].as_u64().is_some_and(|count| count >= 5), "{service}: {code} is hardly among {codes}");
        }
        let recon = world.out().recon(&file.stem);
        let done = recon.trailer[1] + recon.trailer[3] + recon.trailer[4];
        assert!(done > recon.trailer[0] / 8, "{service}: {:?}", recon.trailer);
    }
}
