//! Files that are turned away whole: each its code, each with an ack, none touching a record.

use std::fs;

use crate::file::{COLUMNS, CsvFile};
use crate::world::World;

#[test]
fn sensitive_authentication_data_refuses_the_file_and_its_copy_is_not_kept() {
    for column in ["cvv", "CVC2", "pin", "track2_data"] {
        let world = World::new();
        let file = CsvFile::good("SAD", 21, 2).with(|file| {
            // An unknown column beside it does not hide it.
            file.columns = format!("{COLUMNS},colour,{column}");
            file.rows.iter_mut().for_each(|row| row.push_str(",red,987"));
        });
        let stem = world.drop_sealed(&file);
        world.once().expect(3);
        let mut ack = world.out().refused(&stem, "SAD_PRESENT");
        // A hash holds any three digits now and then.
        ack["sha256"].take();
        ack["received_at"].take();
        assert!(!ack.to_string().contains("987"), "{ack}");
        for place in ["quarantine", "archive", "work", "inbound"] {
            let kept = world.kept_in(place);
            assert!(kept.is_empty(), "{column}: kept in {place}: {kept:?}");
        }
    }
}

#[test]
fn a_nil_file_came_and_a_file_of_no_bytes_did_not() {
    let world = World::new();
    let nil = world.drop_sealed(&CsvFile::new("NIL"));
    world.once().expect(0);
    assert_eq!(world.out().accepted(&nil)["records"], 0);
    assert_eq!(world.out().recon(&nil).trailer, [0; 6]);
    assert_eq!(world.out().summary(&nil)["records"], 0);

    world.drop_bytes("ACME_PAYCARDS_ZERO.csv.jwe", "");
    world.once().expect(3);
    world.out().refused("ACME_PAYCARDS_ZERO", "FILE_EMPTY");
}

#[test]
fn a_quote_that_is_never_closed_costs_no_memory() {
    const UNCLOSED: usize = 200 << 20;
    let world = World::shaped(|shape| {
        shape.envelopes = r#"["none"]"#;
        shape.feed = "allow_plaintext = true";
    });
    let mut text = CsvFile::good("QUOTE", 22, 1).untrailed().into_bytes();
    text.extend_from_slice(b"\"");
    text.resize(UNCLOSED, b'x');
    world.drop_bytes("ACME_PAYCARDS_QUOTE.csv", text);
    let ran = world.once().expect(3);
    world.out().refused("ACME_PAYCARDS_QUOTE", "FORMAT_INVALID");
    assert!(ran.peak_bytes > 0, "its memory was never seen");
    assert!(ran.peak_bytes < 128 << 20, "{} MiB for an unclosed quote", ran.peak_bytes >> 20);
}

#[test]
fn a_file_without_control_records_needs_a_feed_that_says_so() {
    let bare = |seed| {
        let text = CsvFile::good("BARE", seed, 2).untrailed();
        text.split_once('\n').unwrap().1.to_owned()
    };
    let world = World::new();
    world.drop_bytes("ACME_PAYCARDS_BARE.csv.jwe", world.sealed(&bare(27)));
    world.once().expect(3);
    world.out().refused("ACME_PAYCARDS_BARE", "HEADER_MISSING");

    let world = World::shaped(|shape| shape.feed = "controls = \"optional\"");
    world.drop_bytes("ACME_PAYCARDS_BARE.csv.jwe", world.sealed(&bare(27)));
    world.once().expect(0);
    let recon = world.out().recon("ACME_PAYCARDS_BARE");
    assert_eq!(recon.trailer, [2, 2, 0, 0, 0, 0]);
    assert_eq!(&recon.rows[0]["line"], "2");
    assert!(recon.header.starts_with("HDR,1,ACME,payment-cards,,,"), "{}", recon.header);
}

#[test]
fn a_refused_file_does_not_block_its_corrected_successor() {
    let world = World::new();
    let file = CsvFile::good("FIX", 28, 4);
    world.drop_sealed(&file.clone().with(|file| file.count = Some("5".into())));
    world.once().expect(3);
    world.out().refused(&file.stem(), "COUNT_MISMATCH");
    world.drop_sealed(&file);
    world.once().expect(0);
    // The name came before, so the answers of this one bear a number.
    let stem = format!("{}.2", file.stem());
    world.out().accepted(&stem);
    assert_eq!(world.out().recon(&stem).trailer, [4, 4, 0, 0, 0, 0]);
    world.out().refused(&file.stem(), "COUNT_MISMATCH");
}

#[test]
fn plain_text_is_refused_unless_the_feed_allows_it() {
    let file = CsvFile::good("PLAIN", 29, 2);
    let world = World::new();
    world.drop_bytes("ACME_PAYCARDS_PLAIN.csv", file.text());
    world.once().expect(3);
    world.out().refused("ACME_PAYCARDS_PLAIN", "ENVELOPE_REFUSED");
    for quarantined in world.kept_in("quarantine") {
        let kept = fs::read(quarantined).unwrap();
        assert!(!kept.is_empty());
    }

    let world = World::shaped(|shape| {
        shape.envelopes = r#"["jwe", "none"]"#;
        shape.feed = "allow_plaintext = true";
    });
    world.drop_bytes("ACME_PAYCARDS_PLAIN.csv", file.text());
    world.once().expect(0);
    let ack = world.out().accepted("ACME_PAYCARDS_PLAIN");
    assert_eq!((&ack["envelope"], &ack["key_id"]), (&"none".into(), &serde_json::Value::Null), "{ack}");
}
