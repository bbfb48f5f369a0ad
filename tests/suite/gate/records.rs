//! Tokens inside records stand behind the same gate; a file of which none opens calls an operator once.

use serde_json::{Value, json};

use crate::file::CsvFile;
use crate::pan;
use crate::seal::josekit;
use crate::world::{PATIENCE, Running, World};

use super::rows::rows;
use super::{TAG, flipped};

fn world() -> World {
    World::shaped(|shape| {
        shape.services = vec!["cards"];
        shape.reply = false;
    })
}

fn file(batch: &str, tokens: &[String]) -> CsvFile {
    CsvFile::of("cards", "record_ref,card_id,card_product_id,consumer_id,card", batch).with(|file| {
        for (n, token) in tokens.iter().enumerate() {
            file.row(format!("r-{n},{batch}-{n},gold,c-{n},{token}"));
        }
    })
}

fn token(world: &World, n: u64) -> String {
    let card = json!({"pan": pan::pan(pan::NOBODY, 940, n), "exp": "1299"}).to_string();
    josekit("ECDH-ES", "A256GCM", Some("feed-2"), &world.public_key("feed-ec"), card.as_bytes())
}

#[test]
fn each_row_is_refused_as_a_records_card_and_all_failures_look_alike() {
    let world = world();
    let card = json!({"pan": pan::pan(pan::NOBODY, 941, 1), "exp": "1299"}).to_string();
    let rows = rows(&world, card.as_bytes(), false);
    let mut tokens: Vec<String> = rows.iter().map(|row| row.token.clone()).collect();
    tokens.push(token(&world, 1));
    let stem = world.drop_sealed(&file("ROWS", &tokens));
    world.once().expect(4);
    let (recon, errors) = (world.out().recon(&stem), world.out().errors(&stem));
    let bad = rows.len() as u64;
    assert_eq!(recon.trailer, [bad + 1, 1, 0, 0, 0, bad]);
    for (row, (told, error)) in rows.iter().zip(recon.rows.iter().zip(&errors)) {
        let said = [&told["outcome"], &told["code"], &told["recoverable"], &told["pan_masked"]];
        assert_eq!(said, ["REJECTED", "RECORD_CRYPTO_ERROR", "true", ""], "{}", row.what);
        for column in ["field", "code", "owner", "description", "remedy"] {
            assert_eq!(&error[column], &errors[0][column], "{}", row.what);
        }
    }
    assert_eq!(open_alarms(&world), json!([]), "a file with a record that opens is no alarm");
}

fn open_alarms(world: &World) -> Value {
    let status = world.nightdrop(&["status", "--json", "--config", "nightdrop.toml"]).expect(0);
    serde_json::from_slice::<Value>(&status.stdout).unwrap()["alarms"].take()
}

fn lines(daemon: &Running, what: &str) -> usize {
    daemon.stderr().lines().filter(|line| line.contains(what)).count()
}

#[test]
fn a_file_of_which_no_record_opens_calls_an_operator_once_until_one_registers() {
    let world = world();
    let mut daemon = world.daemon();
    let drop = |batch: &str, tokens: &[String], daemon: &mut Running| {
        let stem = world.drop_sealed(&file(batch, tokens));
        world.wait_for(daemon, &format!("{stem}.summary.json"));
    };
    let bad: Vec<String> = (0..300).map(|n| flipped(&token(&world, n), TAG)).collect();
    drop("SOME", &[bad[..3].to_vec(), vec![token(&world, 900)]].concat(), &mut daemon);
    drop("NIL", &[], &mut daemon);
    assert_eq!(open_alarms(&world), json!([]));

    drop("ALL", &bad, &mut daemon);
    let open = open_alarms(&world);
    assert_eq!((open.as_array().unwrap().len(), &open[0]["kind"]), (1, &json!("RECORDS_UNREADABLE")), "{open}");
    assert_eq!(lines(&daemon, "event=\"alarm_raised\""), 1);
    assert!(daemon.stderr().contains("check the sender's key"));
    assert!(lines(&daemon, "") < 60, "records are told of one by one");
    daemon.terminate(PATIENCE).expect(0);

    // It is kept, and is not raised again by a restart, by another such file, or cleared by a nil file.
    let mut daemon = world.daemon();
    drop("AGAIN", &bad[..5], &mut daemon);
    drop("NIL-2", &[], &mut daemon);
    assert_eq!(open_alarms(&world), open);
    assert_eq!(lines(&daemon, "event=\"alarm_raised\""), 0);
    drop("GOOD", &[token(&world, 901)], &mut daemon);
    assert_eq!(open_alarms(&world), json!([]));
    assert_eq!(lines(&daemon, "event=\"alarm_cleared\""), 1);
    daemon.terminate(PATIENCE).expect(0);
}
