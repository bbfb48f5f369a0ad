//! What becomes of cards, one record after another: registered, told of again, deleted, never taken again.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Record, card, drop_file, file, pan, sealed, stored, world};
use crate::check::expect_all_as_foreseen;
use crate::file::sha256_hex;
use crate::outbound::Row;
use crate::world::{World, expect_same};

/// Outcome, code and the service's own cells.
fn said(row: &Row) -> String {
    ["outcome", "code", "card_id", "card_product_id", "consumer_id", "consumer_created", "registration"]
        .map(|column| row[column].to_owned())
        .join(" ")
}

fn all_said(world: &World, stem: &str) -> Vec<String> {
    world.out().recon(stem).rows.iter().map(said).collect()
}

#[test]
fn cards_come_sealed_or_plain_and_by_events_and_a_consumer_is_made_once() {
    let world = world(|_| {});
    let tokens = sealed(&world, &[card(&pan(1), "1299"), format!(" {{ \"exp\":\"1299\", \"pan\":\"{}\" }}", pan(2))]);
    let stem = drop_file(
        &world,
        "ONE",
        &[
            Record::new("plain", "id-0", "alice", &pan(0)),
            Record::new("sealed", "id-1", "alice", "").sealed(&tokens[0]).with("action", "REGISTER"),
            Record::new("reversed", "id-2", "bob", "").sealed(&tokens[1]).with("state", "INACTIVE"),
            Record::new("tokenized", "id-3", "carol", &pan(3))
                .with("action", "TOKENIZED")
                .with("event_status", "SUCCESS"),
            Record::new("ordered", "id-4", "bob", &pan(4)).with("action", "ORDERED").with("state", "ACTIVE"),
            Record::new("short", "id-5", "dave", "50180000007").with("card_product_id", "plain"),
            Record::new("long", "-id_6", "-e_", "6304000000000000000"),
        ],
    );
    world.once().expect(0);
    assert_eq!(
        all_said(&world, &stem),
        [
            "REGISTERED  id-0 gold alice true EXPLICIT",
            "REGISTERED  id-1 gold alice false EXPLICIT",
            "REGISTERED  id-2 gold bob true EXPLICIT",
            "REGISTERED  id-3 gold carol true IMPLICIT_TOKENIZED",
            "REGISTERED  id-4 gold bob false IMPLICIT_ORDERED",
            "REGISTERED  id-5 plain dave true EXPLICIT",
            "REGISTERED  '-id_6 gold '-e_ true EXPLICIT",
        ]
    );
    let recon = world.out().recon(&stem);
    for (record_ref, n) in [("plain", 0), ("sealed", 1), ("reversed", 2)] {
        assert_eq!(recon.row(record_ref)["pan_masked"], format!("{}******{}", &pan(n)[..6], &pan(n)[12..]));
    }
    assert_eq!(&recon.row("short")["pan_masked"], "*******0007");
    assert_eq!(
        stored(&world, "SELECT card_id, state, expiry, registration FROM card ORDER BY pan_id LIMIT 4"),
        "id-0 ACTIVE 209912 EXPLICIT\nid-1 ACTIVE 209912 EXPLICIT\nid-2 INACTIVE 209912 EXPLICIT\n\
         id-3 ACTIVE 209912 IMPLICIT_TOKENIZED"
    );
    assert!(!world.out().has(&format!("{stem}.response.jsonl")), "there is no response to CSV");
    let pans: Vec<String> = (0..5).map(pan).collect();
    assert_eq!(crate::leaks::search(&world, &pans), [""; 0]);
}

/// A file whose records depend on each other in every way there is, and what must come of each.
fn tangled(tokens: &[String]) -> Vec<(Record, &'static str)> {
    let new = |id: &str, consumer: &str, n: u64| Record::new("", id, consumer, &pan(n));
    vec![
        (new("old-0", "anna", 10), "ALREADY_REGISTERED ALREADY_REGISTERED old-0 gold anna false EXPLICIT"),
        // Nothing is changed by what differs in what does not matter.
        (
            new("old-0", "anna", 10)
                .with("card_product_id", "plain")
                .with("state", "INACTIVE")
                .with("action", "ORDERED"),
            "ALREADY_REGISTERED ALREADY_REGISTERED old-0 gold anna false EXPLICIT",
        ),
        (new("old-0", "bert", 10), "REJECTED CARD_ID_IN_USE  gold bert  "),
        (new("old-0", "anna", 20), "REJECTED CARD_ID_IN_USE  gold anna  "),
        // Both hold: the id comes first.
        (new("old-0", "anna", 11), "REJECTED CARD_ID_IN_USE  gold anna  "),
        (new("new-1", "bert", 11), "ALREADY_REGISTERED ALREADY_REGISTERED old-1 plain anna false IMPLICIT_ORDERED"),
        (new("new-2", "bert", 22), "REGISTERED  new-2 gold bert true EXPLICIT"),
        (new("new-2", "bert", 22), "ALREADY_REGISTERED ALREADY_REGISTERED new-2 gold bert false EXPLICIT"),
        (new("new-3", "carl", 22), "ALREADY_REGISTERED ALREADY_REGISTERED new-2 gold bert false EXPLICIT"),
        (Record::delete("", "new-2"), "DEREGISTERED  new-2 gold bert false EXPLICIT"),
        (Record::delete("", "new-2"), "REJECTED NOT_REGISTERED     "),
        (new("new-2", "bert", 22), "REJECTED PAN_RETIRED new-2 gold bert  "),
        // A deleted card's id may be used again, by anybody.
        (new("new-2", "carl", 23), "REGISTERED  new-2 gold carl true EXPLICIT"),
        (Record::delete("", "old-1"), "DEREGISTERED  old-1 plain anna false IMPLICIT_ORDERED"),
        (new("old-1", "bert", 24), "REGISTERED  old-1 gold bert false EXPLICIT"),
        (new("x-25", "bert", 11).sealed(&tokens[0]), "REJECTED PAN_RETIRED x-25 gold bert  "),
        (new("x-26", "dora", 11).with("expiry", "0126"), "REJECTED CARD_EXPIRED x-26 gold dora  "),
        (new("x-27", "dora", 27), "REGISTERED  x-27 gold dora true EXPLICIT"),
    ]
}

fn numbered(records: Vec<(Record, &'static str)>) -> (Vec<Record>, Vec<&'static str>) {
    let numbered = records.into_iter().enumerate();
    numbered.map(|(n, (record, expected))| (record.with("record_ref", format!("r-{n}")), expected)).unzip()
}

fn begun(world: &World) {
    let old = [
        Record::new("o-0", "old-0", "anna", &pan(10)),
        Record::new("o-1", "old-1", "anna", &pan(11)).with("card_product_id", "plain").with("action", "ORDERED"),
        Record::new("o-2", "old-2", "anna", &pan(12)),
    ];
    drop_file(world, "OLD", &old);
    world.once().expect(0);
}

#[test]
fn records_take_effect_one_after_another_whatever_the_workers_and_chunks() {
    let first = world(|_| {});
    begun(&first);
    let tokens = sealed(&first, &[card(&pan(11), "1299")]);
    let (records, expected) = numbered(tangled(&tokens));
    let mut before: Option<(Vec<u8>, Vec<u8>)> = None;
    for (workers, chunk_records, more) in
        [(2, 100, ""), (1, 1, "group_records_max = 100"), (8, 1, "chunks_in_flight = 1"), (3, 4, "")]
    {
        let world =
            first.copied(|shape| (shape.workers, shape.chunk_records, shape.daemon) = (workers, chunk_records, more));
        let stem = drop_file(&world, "NEW", &records);
        world.once().expect(4);
        assert_eq!(all_said(&world, &stem), expected, "{workers} workers, chunks of {chunk_records}");
        let recon = world.out().recon(&stem);
        // What was deleted is shown as it was stored; what is not there has nothing to show.
        assert_eq!(recon.row("r-13")["pan_masked"], format!("{}******{}", &pan(11)[..6], &pan(11)[12..]));
        assert_eq!(&recon.row("r-10")["pan_masked"], "");
        let now = (recon.content, world.out().content(&format!("{stem}.errors.csv")));
        if let Some(before) = &before {
            expect_same("recon", &before.0, &now.0);
            expect_same("errors", &before.1, &now.1);
        }
        before = Some(now);
    }
}

#[test]
fn check_foresees_it() {
    let world = world(|_| {});
    begun(&world);
    let tokens = sealed(&world, &[card(&pan(11), "1299")]);
    let (records, _) = numbered(tangled(&tokens));
    // Groups of the least size, so that later ones must remember earlier ones.
    for (batch, chunk_records, records) in [("WHOLE", 100, &records[..9]), ("PARTS", 1, &records[9..])] {
        let world = world.copied(|shape| {
            shape.chunk_records = chunk_records;
            shape.daemon = "group_records_max = 100";
        });
        let file = file(batch).with(|file| file.rows = records.iter().map(Record::row).collect());
        expect_all_as_foreseen(&world, &[(file.name(), world.sealed(&file.text()).into_bytes())]);
    }
}

#[test]
fn a_deleted_pan_is_retired_for_good_and_only_here() {
    let world = world(|shape| shape.services = vec!["cards", "card-contracts"]);
    begun(&world);
    let contract = crate::file::CsvFile::of(
        "card-contracts",
        "record_ref,card_contract_id,pan,expiry,card_product_id,status",
        "CONTRACTS",
    );
    let row = format!("k-1,C-1,{},1299,gold,ACTIVE", pan(10));
    world.drop_sealed(&contract.with(|file| file.rows = vec![row]));
    world.once().expect(0);

    let gone = drop_file(&world, "GONE", &[Record::delete("d-0", "old-0"), Record::delete("d-2", "old-2")]);
    world.once().expect(0);
    assert_eq!(
        all_said(&world, &gone),
        ["DEREGISTERED  old-0 gold anna false EXPLICIT", "DEREGISTERED  old-2 gold anna false EXPLICIT"]
    );
    // What another service refers to stays in the vault; what nothing refers to is erased.
    let count = |of: &str| stored(&world, &format!("SELECT count(*) FROM vault_card WHERE {of}"));
    assert_eq!((count("references_held = 1"), count("1 = 1")), ("2".into(), "2".into()));

    for batch in ["AGAIN", "AND-AGAIN"] {
        let stem = drop_file(
            &world,
            batch,
            &[
                // The same content under another batch would be refused.
                Record::new("a", "other", "anna", &pan(10)).with("consumer_id", batch),
                Record::new("b", "old-2", "anna", &pan(12)),
                Record::delete("c", "old-0"),
            ],
        );
        world.once().expect(4);
        assert_eq!(
            all_said(&world, &stem),
            [
                format!("REJECTED PAN_RETIRED other gold {batch}  "),
                "REJECTED PAN_RETIRED old-2 gold anna  ".to_owned(),
                "REJECTED NOT_REGISTERED     ".to_owned(),
            ]
        );
        assert_eq!(&world.out().recon(&stem).row("a")["recoverable"], "false");
    }
    assert!(world.registers_balance() > 0);
}

#[test]
fn two_issuers_know_nothing_of_each_other() {
    let world = world(|shape| shape.issuers = vec!["ACME", "OTHER"]);
    let records = [Record::new("r-1", "same", "anna", &pan(30)), Record::delete("r-2", "old")];
    for issuer in ["ACME", "OTHER"] {
        let file = file("SAME").with(|file| {
            file.issuer = issuer.into();
            file.rows = records.iter().map(Record::row).collect();
        });
        crate::world::drop_into(&world.inbound_of(issuer), &file.name(), world.sealed(&file.text()));
        world.once().expect(4);
        let recon = world.out_of(issuer).recon(&file.stem());
        assert_eq!(said(&recon.rows[0]), "REGISTERED  same gold anna true EXPLICIT", "{issuer}");
        assert_eq!(&recon.rows[1]["code"], "NOT_REGISTERED");
    }
    let delete = file("DELETE").with(|file| file.rows = vec![Record::delete("r-3", "same").row()]);
    world.drop_sealed(&delete);
    world.once().expect(0);
    // OTHER's card is there still, and its PAN is not retired.
    let again = file("AGAIN").with(|file| {
        file.issuer = "OTHER".into();
        file.rows = vec![Record::new("r-4", "same", "anna", &pan(30)).row()];
    });
    crate::world::drop_into(&world.inbound_of("OTHER"), &again.name(), world.sealed(&again.text()));
    world.once().expect(0);
    let recon = world.out_of("OTHER").recon(&again.stem());
    assert_eq!(&recon.rows[0]["outcome"], "ALREADY_REGISTERED");
    assert!(world.registers_balance() > 0);
}

#[test]
fn lines_of_json_are_answered_line_by_line() {
    let world = world(|_| {});
    let token = sealed(&world, &[card(&pan(41), "1299")]).remove(0);
    let records = [
        Record::new("j-1", "id-1", "anna", &pan(40)),
        Record::new("j-2", "id-2", "anna", "").sealed(&token),
        Record::new("j-3", "id-3", "anna", &pan(41)),
        Record::new("j-4", &pan(44), "anna", &pan(44)),
        Record::new("j-5", "id-5", "a b", &pan(45)).with("expiry", ""),
        Record::delete("j-6", "id-1"),
        Record::delete("", "id-1"),
    ];
    let header = json!({"header": {
        "version": 1, "issuer": "ACME", "service": "cards", "batchId": "LINES", "sequence": 1,
        "created": "2026-11-20T01:30:00Z", "environment": "TEST"
    }});
    let mut text = format!("{header}\n");
    for record in &records {
        writeln!(text, "{}", record.json()).unwrap();
    }
    let digest = sha256_hex(text.as_bytes());
    writeln!(text, "{}", json!({"trailer": {"records": records.len(), "sha256": digest}})).unwrap();
    world.drop_bytes("ACME_CARDS_LINES.jsonl.jwe", world.sealed(&text));
    world.once().expect(4);
    let out = world.out();
    out.accepted("ACME_CARDS_LINES");
    let answers = String::from_utf8(out.content("ACME_CARDS_LINES.response.jsonl")).unwrap();
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answer = |record_ref: Value, card: Value, consumer: Value, consumer_status: &str, code: Option<&str>| {
        let known = !consumer.is_null() || record_ref == "j-5";
        let mut answer = json!({
            "recordRef": record_ref,
            "cardId": card,
            "cardProductId": if known { json!("gold") } else { Value::Null },
            "consumerId": consumer,
            "consumerStatus": consumer_status,
            "status": if code.is_some_and(|code| code != "ALREADY_REGISTERED") { "KO" } else { "OK" },
        });
        if let Some(code) = code {
            answer["errorCode"] = json!(code);
        }
        answer
    };
    assert_eq!(
        answers,
        [
            answer("j-1".into(), "id-1".into(), "anna".into(), "OK", None),
            answer("j-2".into(), "id-2".into(), "anna".into(), "OK", None),
            answer("j-3".into(), "id-2".into(), "anna".into(), "OK", Some("ALREADY_REGISTERED")),
            answer("j-4".into(), Value::Null, "anna".into(), "OK", Some("CARD_ID_DERIVED")),
            answer("j-5".into(), "id-5".into(), Value::Null, "KO", Some("FIELD_INVALID")),
            answer("j-6".into(), "id-1".into(), "anna".into(), "OK", None),
            answer(Value::Null, "id-1".into(), Value::Null, "OK", Some("FIELD_MISSING")),
        ]
    );
}
