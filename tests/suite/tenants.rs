//! Two issuers that say the same of the same card: neither sees anything of the other's, whatever the service.

use serde_json::{Value, json};

use crate::cells::{Cells, csv_file};
use crate::d1_batch;
use crate::outbound::{Recon, Row};
use crate::pan;
use crate::world::{World, drop_into};

const BOTH: [&str; 2] = ["ACME", "OTHER"];

fn world(service: &'static str) -> World {
    World::shaped(|shape| {
        shape.reply = false;
        shape.issuers = BOTH.to_vec();
        shape.services = vec![service];
        if service == "click-to-pay" {
            shape.services.push("card-contracts");
        }
    })
}

/// Drops an issuer's file, and gives what came of it.
fn take(world: &World, issuer: &str, service: &str, batch: &str, records: &[Cells]) -> Recon {
    let file = csv_file(issuer, service, batch, records);
    drop_into(&world.inbound_of(issuer), &file.name(), world.sealed(&file.text()));
    world.once();
    world.out_of(issuer).accepted(&file.stem());
    world.out_of(issuer).recon(&file.stem())
}

/// Outcome and code of each record.
fn said(recon: &Recon) -> Vec<String> {
    recon.rows.iter().map(|row: &Row| format!("{} {}", &row["outcome"], &row["code"]).trim_end().to_owned()).collect()
}

/// A PAN of the range that both have.
fn card(n: u64) -> String {
    pan::pan(pan::SHARED, 730, n)
}

const ALREADY: &str = "ALREADY_REGISTERED ALREADY_REGISTERED";

#[test]
fn a_payment_card_is_one_issuers_and_so_is_its_id() {
    let world = world("payment-cards");
    let take = |issuer, batch, records: &[Cells]| take(&world, issuer, "payment-cards", batch, records);
    let register = |record_ref: &str| Cells::new(record_ref).with("pan", card(0)).with("card_base_currency", "EUR");
    let ids = BOTH.map(|issuer| {
        let recon = take(issuer, "ONE", &[register("r")]);
        assert_eq!(said(&recon), ["REGISTERED"], "{issuer}");
        recon.id("r")
    });
    assert_ne!(ids[0], ids[1], "ids tell nothing of another issuer's");
    let delete = |id: &str| Cells::new("d").with("action", "DELETE").with("payment_card_id", id);
    assert_eq!(said(&take("OTHER", "TWO", &[delete(&ids[0])])), ["REJECTED NOT_REGISTERED"]);
    assert_eq!(said(&take("OTHER", "THREE", &[delete(&ids[1])])), ["DEREGISTERED"]);
    assert_eq!(said(&take("ACME", "FOUR", &[register("again")])), [ALREADY]);
    assert_eq!(said(&take("OTHER", "FIVE", &[register("again")])), ["REGISTERED"]);
}

#[test]
fn a_card_and_a_consumer_are_one_issuers() {
    let world = world("cards");
    let take = |issuer, batch, records: &[Cells]| take(&world, issuer, "cards", batch, records);
    let register = |record_ref: &str| {
        Cells::new(record_ref)
            .with("card_id", "same")
            .with("card_product_id", "gold")
            .with("consumer_id", "anna")
            .with("pan", card(1))
            .with("expiry", "1299")
    };
    let delete = Cells::new("d").with("action", "DELETE").with("card_id", "same");
    let recon = take("ACME", "ONE", &[register("r")]);
    assert_eq!((said(&recon), &recon.rows[0]["consumer_created"]), (vec!["REGISTERED".to_owned()], "true"));
    let early = delete.clone().with("record_ref", "early");
    assert_eq!(said(&take("OTHER", "ZERO", &[early])), ["REJECTED NOT_REGISTERED"]);
    let recon = take("OTHER", "ONE", &[register("r")]);
    assert_eq!((said(&recon), &recon.rows[0]["consumer_created"]), (vec!["REGISTERED".to_owned()], "true"));
    assert_eq!(said(&take("OTHER", "TWO", &[delete])), ["DEREGISTERED"]);
    // What OTHER has retired is ACME's live card.
    assert_eq!(said(&take("OTHER", "THREE", &[register("again")])), ["REJECTED PAN_RETIRED"]);
    assert_eq!(said(&take("ACME", "TWO", &[register("again")])), [ALREADY]);
    // The id under which ACME has it is free elsewhere for another card.
    let another = register("another").with("pan", card(2));
    assert_eq!(said(&take("OTHER", "FOUR", &[another])), ["REGISTERED"]);
}

#[test]
fn a_batch_and_what_it_registers_are_one_issuers() {
    let feed = |name: &str, issuer: &str| {
        format!(
            "\n[[feed]]\nname = \"{name}\"\nissuer = \"{issuer}\"\nservice = \"cards\"\nfiles = \"D1-*\"\n\
             envelopes = [\"none\"]\nkeys = [\"keys/feed-ec.jwk\"]\nenvironment = \"TEST\"\n\
             format = \"d1-batch\"\nd1_issuer_id = \"D1\"\n"
        )
    };
    let feeds: &'static str = Box::leak((feed("acme-d1", "ACME") + &feed("other-d1", "OTHER")).into_boxed_str());
    let world = World::shaped(|shape| {
        shape.reply = false;
        shape.issuers = BOTH.to_vec();
        shape.more = feeds;
    });
    let tokens = d1_batch::tokens(&world, 2);
    let text = |sequence: u32, records: &Value| {
        let header = d1_batch::HEADER.replace("ACME_CARDS_1", "D1").replace("007", &sequence.to_string());
        (format!("D1-N-1-{sequence}-1764000000"), d1_batch::batch(&header, &records.to_string()))
    };
    let take = |issuer: &str, (stem, text): &(String, String)| {
        drop_into(&world.inbound_of(issuer), &format!("{stem}.json"), text);
        world.once();
        // What is taken for the other's file again is answered with the other's ack.
        assert_eq!(world.out_of(issuer).accepted(stem)["issuer"], issuer);
        (world.out_of(issuer).recon(stem), world.out_of(issuer).content(&format!("{stem}_OUT.json")))
    };
    let card = |n: usize| d1_batch::card("same", &tokens[n]);
    // The same bytes under the same name: to neither it is the other's again.
    let first = text(1, &json!([d1_batch::row(1, "anna", &[card(0)])]));
    let answers = BOTH.map(|issuer| {
        let (recon, answer) = take(issuer, &first);
        assert_eq!(
            (said(&recon), &recon.rows[0]["consumer_created"]),
            (vec!["REGISTERED".to_owned()], "true"),
            "{issuer}"
        );
        answer
    });
    assert_eq!(answers[0], answers[1]);
    let second = text(2, &json!([d1_batch::row(1, "anna", &[card(1)]), d1_batch::row(2, "anna", &[card(0)])]));
    for issuer in BOTH {
        assert_eq!(said(&take(issuer, &second).0), ["REJECTED CARD_ID_IN_USE", ALREADY], "{issuer}");
    }
}

#[test]
fn a_list_is_one_issuers_and_so_is_what_stands_in_it() {
    let world = world("pan-lists");
    let take = |issuer, batch, records: &[Cells]| take(&world, issuer, "pan-lists", batch, records);
    let row = |operation: &str, pan: String| Cells::new("r").with("operation", operation).with("pan", pan);
    let ids = BOTH.map(|issuer| {
        let recon = take(issuer, "ONE", &[row("REGISTER", card(3)).with("pan_list_name", "Same")]);
        assert_eq!(said(&recon), ["REGISTERED"], "{issuer}");
        recon.rows[0]["pan_list_id"].to_owned()
    });
    assert_ne!(ids[0], ids[1], "ids tell nothing of another issuer's");
    let of = |operation: &str, id: &str, n: u64| row(operation, card(n)).with("pan_list_id", id);
    // ACME's list is unknown to OTHER, and what it holds alone is nowhere.
    assert_eq!(said(&take("ACME", "TWO", &[of("REGISTER", &ids[0], 4)])), ["REGISTERED"]);
    for (batch, record, expected) in [
        ("TWO", of("REGISTER", &ids[0], 3), "REJECTED LIST_UNKNOWN"),
        ("THREE", of("DEREGISTER", &ids[0], 3), "REJECTED LIST_UNKNOWN"),
        ("FOUR", of("DEREGISTER", &ids[1], 4), "REJECTED NOT_REGISTERED"),
        ("FIVE", of("REGISTER", &ids[1], 4), "REGISTERED"),
        ("SIX", of("DEREGISTER", &ids[1], 3), "DEREGISTERED"),
    ] {
        assert_eq!(said(&take("OTHER", batch, &[record])), [expected], "{batch}");
    }
    let recon = take("ACME", "THREE", &[of("REGISTER", &ids[0], 3), of("REGISTER", &ids[0], 4)]);
    assert_eq!(said(&recon), ["ALREADY_REGISTERED ALREADY_IN_LIST"; 2]);
}

#[test]
fn a_contract_is_one_issuers() {
    let world = world("card-contracts");
    let take = |issuer, batch, records: &[Cells]| take(&world, issuer, "card-contracts", batch, records);
    let contract = |n: u64| {
        Cells::new(&format!("r-{n}"))
            .with("card_contract_id", "same")
            .with("pan", card(n))
            .with("expiry", "1299")
            .with("card_product_id", "gold")
            .with("status", "ACTIVE")
    };
    assert_eq!(said(&take("ACME", "ONE", &[contract(5)])), ["REGISTERED"]);
    let recon = take("OTHER", "ONE", &[contract(6), contract(5)]);
    assert_eq!(said(&recon), ["REGISTERED", "REJECTED CARD_ID_IN_USE"]);
    assert_eq!(&recon.rows[0]["changed"], "", "it is new");
    let blocked = contract(6).with("record_ref", "blocked").with("status", "BLOCKED");
    assert_eq!(&take("OTHER", "TWO", &[blocked]).rows[0]["changed"], "status");
    assert_eq!(said(&take("ACME", "TWO", &[contract(5).with("record_ref", "again")])), [ALREADY]);
}

#[test]
fn an_enrolment_and_its_consumer_are_one_issuers() {
    let world = world("click-to-pay");
    let contract =
        |n: u64| Cells::new("r").with("card_contract_id", format!("k-{n}")).with("pan", card(n)).with("expiry", "1299");
    let contract = |n: u64| contract(n).with("card_product_id", "gold").with("status", "ACTIVE");
    let enrol = |n: u64, record_ref: &str| {
        Cells::new(record_ref)
            .with("card_contract_id", format!("k-{n}"))
            .with("src_client_id", "c2b2a3f0-6a7e-4d6b-9a0c-0f1e2d3c4b5a")
            .with("service_id", "SRC#1")
            .with("email", "jane@example.com")
            .with("locale", "de-AT")
            .with("country", "AT")
            .with("privacy_version", "v1")
            .with("tnc_version", "v2")
            .with("accepted_at", "2026-11-19T08:00:00Z")
    };
    // A contract that ACME alone has is unknown to OTHER.
    take(&world, "ACME", "card-contracts", "K0", &[contract(7)]);
    let recon = take(&world, "OTHER", "click-to-pay", "ZERO", &[enrol(7, "early")]);
    assert_eq!(said(&recon), ["REJECTED CONTRACT_UNKNOWN"]);
    take(&world, "OTHER", "card-contracts", "K0", &[contract(7)]);
    let ids = BOTH.map(|issuer| {
        let recon = take(&world, issuer, "click-to-pay", "ONE", &[enrol(7, "r")]);
        assert_eq!(said(&recon), ["ENROLLED"], "{issuer}");
        ["src_digital_card_id", "src_consumer_id"].map(|column| recon.rows[0][column].to_owned())
    });
    assert!(ids[0][0] != ids[1][0] && ids[0][1] != ids[1][1], "the same card and e-mail are two: {ids:?}");
    for (issuer, ids) in BOTH.iter().zip(&ids) {
        let recon = take(&world, issuer, "click-to-pay", "TWO", &[enrol(7, "again")]);
        assert_eq!(said(&recon), ["ALREADY_REGISTERED ALREADY_ENROLLED"], "{issuer}");
        assert_eq!(&recon.rows[0]["src_digital_card_id"], ids[0], "{issuer}");
    }
}
