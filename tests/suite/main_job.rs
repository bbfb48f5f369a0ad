//! The main job: a sealed file of good and bad records in, answers that account for every one out.

use std::fs;

use serde_json::{Value, json};

use crate::file::{CsvFile, sha256_hex};
use crate::pan::{self, pans};
use crate::world::World;

#[test]
fn good_records_come_out_registered_and_the_answers_balance() {
    let world = World::new();
    let file = CsvFile::good("B1", 1, 250);
    let sealed = world.sealed(&file.text());
    world.drop_bytes(&file.name(), &sealed);
    world.once().expect(0);

    let (out, stem) = (world.out(), file.stem());
    let ack = out.accepted(&stem);
    for (member, value) in [
        ("file", json!(file.name())),
        ("bytes", json!(sealed.len())),
        ("sha256", json!(sha256_hex(sealed.as_bytes()))),
        ("feed", json!("acme-payment-cards")),
        ("issuer", json!("ACME")),
        ("service", json!("payment-cards")),
        ("envelope", json!("jwe")),
        ("key_id", json!("feed-1")),
        ("batch_id", json!("B1")),
        ("environment", json!("TEST")),
        ("records", json!(250)),
        ("duplicate_of", Value::Null),
        ("contact", json!("cards-ops@example.com")),
    ] {
        assert_eq!(ack[member], value, "ack.{member}: {ack}");
    }

    let recon = out.recon(&stem);
    assert_eq!(recon.header, "HDR,1,ACME,payment-cards,B1,1,2026-11-20T01:30:00Z,TEST");
    assert_eq!(recon.trailer, [250, 250, 0, 0, 0, 0]);
    let mut ids = Vec::new();
    for (n, (row, pan)) in recon.rows.iter().zip(pans(pan::ACME, 1, 250)).enumerate() {
        assert_eq!(row["line"], (n + 3).to_string());
        assert_eq!(row["record_ref"], format!("r-{}", n + 1));
        assert_eq!((&row["outcome"], &row["code"], &row["recoverable"]), ("REGISTERED", "", ""));
        assert_eq!(row["pan_masked"], format!("{}******{}", &pan[..6], &pan[12..]));
        assert_eq!(&row["status"], "ACTIVE");
        let id = &row["payment_card_id"];
        let (version, variant) = (id.as_bytes()[14], id.as_bytes()[19]);
        assert!(id.len() == 36 && version == b'8' && b"89ab".contains(&variant), "not a UUID of version 8: {id}");
        ids.push(id.to_owned());
    }
    let in_file_order = ids.clone();
    ids.sort();
    ids.dedup();
    assert_eq!(ids, in_file_order, "ids differ from each other and grow in file order");
    assert!(!out.has_errors(&stem), "an error file without an error");

    let summary = out.summary(&stem);
    assert_eq!(summary["records"], 250);
    assert_eq!(
        summary["outcomes"],
        json!({"REGISTERED": 250, "ALREADY_REGISTERED": 0, "DEREGISTERED": 0, "ENROLLED": 0, "REJECTED": 0})
    );
    assert_eq!(summary["codes"], json!({}));
    let listed = |name: &str| {
        summary["outbound"].as_array().unwrap().iter().find(|file| file["name"] == name).cloned().unwrap_or_default()
    };
    let written = out.as_written(&format!("{stem}.recon.csv"));
    assert_eq!(listed(&written)["content_sha256"], sha256_hex(&recon.content), "{summary}");
    assert_eq!(listed(&written)["sha256"], sha256_hex(&fs::read(out.at(&written)).unwrap()), "{summary}");

    assert_eq!(world.waiting(), [""; 0], "the original is removed");
    assert!(world.kept_in("work").is_empty(), "no copy is left: {:?}", world.kept_in("work"));
    let archived = world.kept_in("archive");
    assert_eq!(archived.len(), 1, "{archived:?}");
    let name = archived[0].file_name().unwrap().to_str().unwrap();
    assert!(name.ends_with(&format!("-{}", file.name())), "{name}");
    assert_eq!(fs::read(&archived[0]).unwrap(), sealed.as_bytes(), "the archive holds what was sent, sealed");
}

#[test]
fn all_failures_of_a_records_format_are_told_and_the_first_is_its_code() {
    let world = World::new();
    let file = CsvFile::new("MANY").with(|file| {
        file.row("r-1,,5.23E+15,EURO,").row("-r,,,,");
    });
    let stem = world.drop_sealed(&file);
    world.once().expect(4);
    let said: Vec<_> = world
        .out()
        .errors(&stem)
        .iter()
        .map(|row| [&row["line"], &row["record_ref"], &row["field"], &row["code"]].join(" "))
        .collect();
    assert_eq!(
        said,
        [
            "3 r-1 pan PAN_MANGLED",
            "3 r-1 card_base_currency CURRENCY_INVALID",
            "4  record_ref FIELD_INVALID",
            "4  pan FIELD_MISSING",
            "4  card_base_currency FIELD_MISSING",
        ]
    );
    let recon = world.out().recon(&stem);
    assert_eq!((&recon.row("r-1")["code"], &recon.row("")["code"]), ("PAN_MANGLED", "FIELD_INVALID"));
}

#[test]
fn a_reference_that_holds_a_card_number_is_not_repeated() {
    let world = World::new();
    let pan = pan::pan(pan::ACME, 3, 7);
    let file = CsvFile::new("REF").with(|file| {
        file.register(&format!("card-{pan}-x"), &pan, "EUR").register("r-2", &pan, "EUR");
    });
    let stem = world.drop_sealed(&file);
    world.once().expect(4);
    let recon = world.out().recon(&stem);
    assert_eq!((&recon.rows[0]["record_ref"], &recon.rows[0]["code"]), ("", "FIELD_INVALID"));
    assert!(!String::from_utf8_lossy(&recon.content).contains(&pan));
    // A record that failed made nothing, so the second is no duplicate.
    assert_eq!(&recon.rows[1]["outcome"], "REGISTERED");
}

#[test]
fn a_card_of_an_earlier_file_is_already_registered_and_its_id_is_not_given_away() {
    let world = World::new();
    world.drop_sealed(&CsvFile::good("ONE", 4, 10));
    world.once().expect(0);
    let second = CsvFile::new("TWO").with(|file| {
        for (n, pan) in pans(pan::ACME, 4, 12).iter().enumerate() {
            file.register(&format!("s-{n}"), pan, "EUR");
        }
    });
    let stem = world.drop_sealed(&second);
    world.once().expect(0);
    let recon = world.out().recon(&stem);
    assert_eq!(recon.trailer, [12, 2, 10, 0, 0, 0]);
    let row = recon.row("s-3");
    assert_eq!(
        (&row["outcome"], &row["code"], &row["recoverable"]),
        ("ALREADY_REGISTERED", "ALREADY_REGISTERED", "false")
    );
    assert_eq!((&row["payment_card_id"], &row["status"]), ("", ""));
    assert_eq!(&recon.row("s-11")["outcome"], "REGISTERED");
    assert!(!world.out().has_errors(&stem), "what was there before is no error");
}

#[test]
fn a_deleted_card_may_be_registered_again_and_gets_a_new_id() {
    let world = World::new();
    let card = pan::pan(pan::ACME, 5, 1);
    let first = CsvFile::new("D1").with(|file| {
        file.register("r", &card, "EUR");
    });
    let stem = world.drop_sealed(&first);
    world.once().expect(0);
    let id = world.out().recon(&stem).id("r");

    // One after another in file order, inside one chunk too.
    let second = CsvFile::new("D2").with(|file| {
        file.register("before", &card, "EUR")
            .delete("delete", &id)
            .delete("delete-again", &id)
            .register("anew", &card, "USD")
            .register("anew-again", &card, "USD");
    });
    let stem = world.drop_sealed(&second);
    world.once().expect(4);
    let recon = world.out().recon(&stem);
    let said = |record_ref: &str| {
        let row = recon.row(record_ref);
        format!("{} {} {}", &row["outcome"], &row["code"], &row["status"])
    };
    assert_eq!(said("before"), "ALREADY_REGISTERED ALREADY_REGISTERED ");
    assert_eq!(said("delete"), "DEREGISTERED  DELETED");
    assert_eq!(recon.id("delete"), id);
    assert_eq!(recon.row("delete")["pan_masked"], format!("{}******{}", &card[..6], &card[12..]));
    assert_eq!(said("delete-again"), "REJECTED NOT_REGISTERED ");
    assert_eq!(said("anew"), "REGISTERED  ACTIVE");
    assert_ne!(recon.id("anew"), id);
    assert_eq!(said("anew-again"), "REJECTED DUPLICATE_IN_FILE ");
    assert_eq!(recon.trailer, [5, 1, 1, 1, 0, 2]);
    assert!(world.registers_balance() > 0);
}

#[test]
fn columns_in_any_order_crlf_bom_quotes_and_absent_optional_columns_are_taken() {
    let world = World::new();
    let file = CsvFile::new("LOOSE").with(|file| {
        file.columns = "card_base_currency,record_ref,pan".into();
        file.row(format!("EUR,\"r-1\",\"{}\"", pan::pan(pan::ACME, 6, 1)));
    });
    let body = file.untrailed().replace('\n', "\r\n");
    let text = format!("\u{feff}{body}TRL,1,\r\n");
    world.drop_bytes(&file.name(), world.sealed(&text));
    world.once().expect(0);
    assert_eq!(world.out().recon(&file.stem()).trailer, [1, 1, 0, 0, 0, 0]);
}

#[test]
fn once_says_by_its_exit_code_what_became_of_the_night() {
    let world = World::new();
    world.once().expect(0);
    let rejected = CsvFile::new("R").with(|file| {
        file.row("r-1,,5.23E+15,EUR,");
    });
    world.drop_sealed(&rejected);
    world.once().expect(4);
    world.drop_sealed(&CsvFile::good("G", 7, 1));
    world.drop_bytes("ACME_PAYCARDS_BROKEN.csv.jwe", "not a token");
    world.once().expect(3);
    // A refused file outranks a rejected record.
    world.drop_sealed(&rejected.with(|file| file.batch = "R2".into()));
    world.drop_bytes("ACME_PAYCARDS_BROKEN2.csv.jwe", "not a token");
    world.once().expect(3);
}
