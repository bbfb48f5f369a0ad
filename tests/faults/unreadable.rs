//! The alarm about records that do not open, and a file that is taken up again when others were registered after it.

use serde_json::{Value, json};

use crate::file::CsvFile;
use crate::pan;
use crate::seal::josekit;
use crate::world::World;

fn kinds(world: &World) -> Vec<Value> {
    let status = world.nightdrop(&["status", "--json", "--config", "nightdrop.toml"]).expect(0);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    status["alarms"].as_array().unwrap().iter().map(|alarm| alarm["kind"].clone()).collect()
}

#[test]
fn an_earlier_file_that_goes_on_says_nothing_of_the_senders_key() {
    let world = World::shaped(|shape| {
        shape.services = vec!["cards"];
        shape.reply = false;
    });
    let public = world.public_key("feed-ec");
    let file = |batch: &str, first: u64, opens: bool| {
        CsvFile::of("cards", "record_ref,card_id,card_product_id,consumer_id,card", batch).with(|file| {
            for n in first..first + 3 {
                let card = json!({"pan": pan::pan(pan::NOBODY, 700, n), "exp": "1299"}).to_string();
                let mut token = josekit("ECDH-ES", "A256GCM", Some("feed-2"), &public, card.as_bytes());
                if !opens {
                    let tag = token.rfind('.').unwrap() + 1;
                    let other = if token[tag..].starts_with('A') { "B" } else { "A" };
                    token.replace_range(tag..=tag, other);
                }
                file.row(format!("r-{n},id-{n},gold,c-{n},{token}"));
            }
        })
    };
    let unreadable = json!("RECORDS_UNREADABLE");

    // Registered, and held before its answers; then one of which no record opens.
    let early = world.drop_sealed(&file("EARLY", 0, true));
    world.plan(Some("reports:panic:1:EARLY"));
    world.once().expect(3);
    world.plan(None);
    world.drop_sealed(&file("BAD", 10, false));
    world.once();
    assert!(kinds(&world).contains(&unreadable));

    world.nightdrop(&["retry", &early, "--reason", "mended", "--config", "nightdrop.toml"]).expect(0);
    assert_eq!(world.out().recon(&early).trailer, [3, 3, 0, 0, 0, 0]);
    assert_eq!(kinds(&world), std::slice::from_ref(&unreadable), "what was registered before says nothing of it");

    // One whose process ended before the question was asked: the next one asks it.
    world.drop_sealed(&file("GOOD", 20, true));
    world.once().expect(0);
    assert_eq!(kinds(&world), [Value::Null; 0]);
    world.drop_sealed(&file("BAD-2", 30, false));
    world.plan(Some("registered:abort:1:BAD-2"));
    assert_eq!(world.once().code(), None);
    world.plan(None);
    assert_eq!(kinds(&world), [Value::Null; 0]);
    world.once();
    assert_eq!(kinds(&world), [unreadable]);
}
