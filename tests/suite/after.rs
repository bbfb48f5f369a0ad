//! Feeds whose files wait for those of others.

use crate::file::CsvFile;
use crate::pan;
use crate::world::World;

/// A world whose feed of deletions and repeats goes after the usual one. What comes first shows in the outcomes.
fn world(more: &'static str) -> World {
    World::shaped(|shape| shape.more = more)
}

const AFTER: &str = r#"
[[feed]]
name = "second"
issuer = "ACME"
service = "payment-cards"
files = "ACME_0SECOND_*"
envelopes = ["jwe"]
keys = ["keys/feed.jwk"]
environment = "TEST"
after = ["acme-payment-cards"]
"#;

fn same_cards(batch: &str) -> CsvFile {
    let mut file = CsvFile::new(batch);
    for (n, pan) in pan::pans(pan::ACME, 77, 3).iter().enumerate() {
        // Told apart by its references: the same content twice is the same file.
        file.register(&format!("{batch}-{n}"), pan, "EUR");
    }
    file
}

fn drop_second(world: &World, batch: &str) -> String {
    let text = same_cards(batch).text();
    world.drop_bytes(&format!("ACME_0SECOND_{batch}.csv.jwe"), world.sealed(&text));
    format!("ACME_0SECOND_{batch}")
}

#[test]
fn a_file_waits_for_claimed_files_of_the_feeds_it_goes_after() {
    let world = world(AFTER);
    // Its name sorts first, and it is the first to be whole; but the second feed in the configuration.
    let second = drop_second(&world, "S1");
    let firsts: Vec<String> = (0..3).map(|n| world.drop_sealed(&CsvFile::good(&format!("F{n}"), n, 400))).collect();
    let same = world.drop_sealed(&same_cards("F9"));
    world.once().expect(0);
    assert_eq!(world.out().recon(&same).trailer, [3, 3, 0, 0, 0, 0], "it was there first");
    assert_eq!(world.out().recon(&second).trailer[2], 3, "and these were registered already");
    for first in &firsts {
        assert_eq!(world.out().recon(first).trailer[1], 400);
    }
    // Alone it waits for nothing.
    let alone = drop_second(&world, "S2");
    world.once();
    assert!(world.out().has(&format!("{alone}.ack.json")));
}

#[test]
fn the_order_of_the_configuration_does_not_matter() {
    // Here the feed that goes after comes first, and so do its files' numbers.
    let world = world("");
    let toml = std::fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    world.write("nightdrop.toml", toml.replacen("\n[[feed]]\nname", &format!("{AFTER}\n[[feed]]\nname"), 1));
    let second = drop_second(&world, "S1");
    let first = world.drop_sealed(&same_cards("F1"));
    world.once().expect(0);
    assert_eq!(world.out().recon(&first).trailer, [3, 3, 0, 0, 0, 0]);
    assert_eq!(world.out().recon(&second).trailer[2], 3);
}

#[test]
fn a_batch_run_ends_though_a_file_waits_for_one_that_waits_for_its_sequence() {
    let more = AFTER.replace("\"acme-payment-cards\"", "\"counted\"")
        + "\n[[feed]]\nname = \"counted\"\nissuer = \"ACME\"\nservice = \"payment-cards\"\nfiles = \"ACME_COUNTED_*\"\n\
           envelopes = [\"jwe\"]\nkeys = [\"keys/feed.jwk\"]\nenvironment = \"TEST\"\nsequence = \"gapless\"\n";
    let world = world(more.leak());
    let numbered = |batch: &str, sequence: &str| {
        let text = same_cards(batch).text();
        let text = text.replacen(&format!(",{batch},1,"), &format!(",{batch},{sequence},"), 1);
        let body = text.rsplit_once("TRL,").unwrap().0.to_owned();
        let text = format!("{body}TRL,3,{}\n", crate::file::sha256_hex(body.as_bytes()));
        world.drop_bytes(&format!("ACME_COUNTED_{batch}.csv.jwe"), world.sealed(&text));
    };
    numbered("C1", "1");
    world.once().expect(0);
    numbered("C3", "3");
    let second = drop_second(&world, "S1");
    world.once();
    assert!(!world.out().has(&format!("{second}.ack.json")), "it waits as long as the other does");
    numbered("C2", "2");
    world.once();
    assert!(world.out().has(&format!("{second}.ack.json")));
}
