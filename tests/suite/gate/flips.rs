//! The last bit of a tag or MAC flipped: no record of it is registered, whatever the algorithms and wherever the token stands.

use serde_json::json;

use crate::cells::json_lines;
use crate::file::CsvFile;
use crate::pan;
use crate::seal::josekit;
use crate::world::{PATIENCE, World, until};

use super::{ALGORITHMS, ENCRYPTIONS, TAG, flipped};

#[test]
fn a_flipped_tag_registers_nothing() {
    let world = World::shaped(|shape| {
        shape.services = vec!["payment-cards", "pan-lists", "cards"];
        shape.reply = false;
    });
    let mut acks = Vec::new();
    let mut cards = CsvFile::of("cards", "record_ref,card_id,card_product_id,consumer_id,card", "FLIPS");
    for (alg, key, kid) in ALGORITHMS {
        for enc in ENCRYPTIONS {
            let n = acks.len() as u64;
            let public = world.public_key(key);
            let bad = |text: &str| flipped(&josekit(alg, enc, Some(kid), &public, text.as_bytes()), TAG);
            // A whole file, a request's part, and a record's card.
            let file = CsvFile::good(&format!("F{n}"), 910 + n, 3);
            world.drop_bytes(&file.name(), bad(&file.text()));
            acks.push(file.stem());

            let pans = json!({"pans": [{"pan": pan::pan(pan::ACME, 930, n)}]}).to_string();
            let request = json!({"panListName": "A", "encryptedValue": bad(&pans)});
            let lines = json_lines("ACME", "pan-lists", &format!("L{n}"), &[request], 1);
            world.drop_bytes(&format!("ACME_PANLISTS_L{n}.jsonl.jwe"), world.sealed(&lines));
            acks.push(format!("ACME_PANLISTS_L{n}"));

            let card = json!({"pan": pan::pan(pan::NOBODY, 931, n), "exp": "1299"}).to_string();
            cards.row(format!("r-{n},id-{n},gold,c-{n},{}", bad(&card)));
        }
    }
    let records = cards.rows.len() as u64;
    let stem = world.drop_sealed(&cards);
    let daemon = world.daemon();
    until("every answer", || {
        acks.iter().all(|stem| world.out().has(&format!("{stem}.ack.json")))
            && world.out().has(&format!("{stem}.summary.json"))
    });
    daemon.terminate(PATIENCE).expect(0);
    for stem in &acks {
        world.out().refused(stem, "CRYPTO_ERROR");
    }
    let recon = world.out().recon(&stem);
    assert_eq!(recon.trailer, [records, 0, 0, 0, 0, records]);
    assert!(recon.rows.iter().all(|row| &row["code"] == "RECORD_CRYPTO_ERROR"));
    assert_eq!(world.registers_balance(), 0);
}
