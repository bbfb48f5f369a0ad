//! A copy that is damaged between the pass that proves it and the one that registers it.

use openssl::hash::MessageDigest;

use crate::file::CsvFile;
use crate::hands::ask;
use crate::seal::Payload;
use crate::world::World;

/// What stands behind the last record says whether all of it is what was proven, so that no file is registered before that is read.
/// (Of a large one what was committed before stays.)
#[test]
fn a_copy_damaged_after_its_proof_is_held_and_not_answered() {
    // As one commit, and as several of which the first ones cannot know.
    for (records, committed) in [(90, "0"), (700, "6")] {
        let world = World::shaped(|shape| {
            shape.reply = false;
            shape.daemon = "group_records_max = 200";
        });
        let stem = world.drop_sealed(&CsvFile::good("DAMAGED", 1, records));
        world.plan(Some("proven:flip"));
        world.once().expect(3);
        world.plan(None);
        let stands = || ask(&world, "SELECT state || ' ' || (state = 'HELD' AND held_from <> 'REGISTERED') FROM file");
        let what = format!("{records} records");
        assert_eq!(stands(), "HELD 1", "{what}");
        let in_the_store = ask(&world, "SELECT count(*) FROM chunk");
        assert!(in_the_store.as_str() <= committed, "{what}: {in_the_store} chunks");
        assert_eq!(world.out().names(), [format!("{stem}.ack.json")], "{what}");

        // Whoever lets it go on is told the same: the copy is not what was claimed.
        world.nightdrop(&["retry", &stem, "--reason", "perhaps", "--config", "nightdrop.toml"]);
        world.once().expect(3);
        assert_eq!(stands(), "HELD 1", "{what}, again");
        assert_eq!(world.out().names(), [format!("{stem}.ack.json")], "{what}, again");
    }
}

/// What no tag proves a second time, is proven by the hash that the copy was claimed with.
#[test]
fn so_is_one_in_an_envelope_that_proves_nothing() {
    for envelope in ["mastercard", "none"] {
        let world = World::shaped(|shape| {
            shape.reply = false;
            shape.envelopes = if envelope == "none" { r#"["none"]"# } else { r#"["mastercard"]"# };
            shape.feed = if envelope == "none" { "allow_plaintext = true" } else { "" };
        });
        let file = CsvFile::good("DAMAGED", 1, 90);
        let payload = Payload::new(&world.public_key("feed"), MessageDigest::sha256(), file.text().as_bytes());
        let bytes = if envelope == "none" { file.text() } else { payload.object() };
        world.drop_bytes(&format!("{}.csv", file.stem()), bytes);
        world.plan(Some("proven:flip"));
        world.once().expect(3);
        let stands = ask(&world, "SELECT state || ' ' || held_from || ' ' || chunks FROM file");
        assert_eq!(stands, "HELD ACCEPTED 0", "{envelope}");
        assert_eq!(world.out().names(), [format!("{}.ack.json", file.stem())], "{envelope}");
    }
}
