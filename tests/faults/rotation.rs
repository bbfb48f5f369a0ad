//! A key that goes from a feed while a file with cards sealed for it is half registered.

use serde_json::json;

use crate::file::CsvFile;
use crate::pan;
use crate::seal::josekit;
use crate::world::World;

const RECORDS: u64 = 250;

#[test]
fn records_of_one_file_are_not_judged_by_two_sets_of_keys() {
    let world = World::shaped(|shape| {
        shape.services = vec!["cards"];
        shape.reply = false;
        shape.daemon = "group_records_max = 100";
    });
    let public = world.public_key("feed-ec");
    let file = CsvFile::of("cards", "record_ref,card_id,card_product_id,consumer_id,card", "KEYS").with(|file| {
        for n in 0..RECORDS {
            let card = json!({"pan": pan::pan(pan::NOBODY, 700, n), "exp": "1299"}).to_string();
            let token = josekit("ECDH-ES", "A256GCM", Some("feed-2"), &public, card.as_bytes());
            file.row(format!("r-{n},id-{n},gold,c-{n},{token}"));
        }
    });
    let stem = world.drop_sealed(&file);
    world.plan(Some("committed:kill:1"));
    assert_eq!(world.once().code(), None, "the crash point was not reached");
    world.plan(None);

    let toml = std::fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    let rotated = toml.replace(r#", "keys/feed-ec.jwk""#, "");
    assert_ne!(rotated, toml);
    world.write("nightdrop.toml", &rotated);
    world.once();
    let shown = world.nightdrop(&["show", &stem, "--json", "--config", "nightdrop.toml"]).expect(0).text();
    assert!(shown.contains("HELD") && shown.contains("feed-2"), "{shown}");

    world.write("nightdrop.toml", &toml);
    world.nightdrop(&["retry", &stem, "--reason", "key is back", "--config", "nightdrop.toml"]).expect(0);
    let recon = world.out().recon(&stem);
    assert_eq!(recon.rows.len() as u64, RECORDS);
    for row in &recon.rows {
        assert_eq!((&row["outcome"], &row["code"]), ("REGISTERED", ""));
    }
}
