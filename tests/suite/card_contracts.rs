//! card-contracts: the card management store, kept up to date file by file, through the binary.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::check::expect_all_as_foreseen;
use crate::file::{CsvFile, sha256_hex};
use crate::outbound::Row;
use crate::pan::{self, wrong_check_digit};
use crate::world::{Shape, World, drop_into, expect_same};

const COLUMNS: [&str; 6] = ["record_ref", "card_contract_id", "pan", "expiry", "card_product_id", "status"];

/// A world whose issuers have a feed for contracts, and answers that can be read as they lie there.
fn world(change: impl FnOnce(&mut Shape)) -> World {
    World::shaped(|shape| {
        shape.services = vec!["card-contracts"];
        shape.reply = false;
        change(shape);
    })
}

fn file(batch: &str, rows: &[String]) -> CsvFile {
    CsvFile::of("card-contracts", &COLUMNS.join(","), batch).with(|file| file.rows = rows.to_vec())
}

fn drop_rows(world: &World, batch: &str, rows: &[String]) -> String {
    world.drop_sealed(&file(batch, rows))
}

/// A PAN of nobody's range: ranges are not checked for contracts.
fn pan(n: u64) -> String {
    pan::pan(pan::NOBODY, 500, n)
}

/// Outcome, code and the service's own cells.
fn said(row: &Row) -> String {
    ["outcome", "code", "card_contract_id", "changed"].map(|column| row[column].to_owned()).join(" ")
}

fn all_said(world: &World, stem: &str) -> Vec<String> {
    world.out().recon(stem).rows.iter().map(said).collect()
}

#[test]
fn each_bad_record_has_its_code_at_its_field_and_shows_no_id_that_failed() {
    let world = world(|_| {});
    let good: [String; 6] = ["", "C-bad", &pan(1), "1230", "gold", "ACTIVE"].map(str::to_owned);
    // What stands in the place of a good cell, and the code it gets.
    let bad: [(&str, String, &str); 23] = [
        ("record_ref", String::new(), "FIELD_MISSING"),
        ("record_ref", "-r".into(), "FIELD_INVALID"),
        ("record_ref", pan(1), "FIELD_INVALID"),
        ("card_contract_id", String::new(), "FIELD_MISSING"),
        ("card_contract_id", "a.b".into(), "FIELD_INVALID"),
        ("card_contract_id", "x".repeat(65), "FIELD_INVALID"),
        ("card_contract_id", pan(1), "FIELD_INVALID"),
        ("pan", String::new(), "FIELD_MISSING"),
        ("pan", "5.23E+15".into(), "PAN_MANGLED"),
        ("pan", "5555 5555 5555 4444".into(), "PAN_FORMAT"),
        ("pan", "5018000000".into(), "PAN_LENGTH"),
        ("pan", "50180000000000000000".into(), "PAN_LENGTH"),
        ("pan", wrong_check_digit(&pan(1)), "PAN_LUHN"),
        ("expiry", String::new(), "FIELD_MISSING"),
        ("expiry", "1330".into(), "EXPIRY_INVALID"),
        ("expiry", "12/30".into(), "EXPIRY_INVALID"),
        ("expiry", "122030".into(), "EXPIRY_INVALID"),
        ("card_product_id", String::new(), "FIELD_MISSING"),
        ("card_product_id", "x".repeat(49), "FIELD_INVALID"),
        ("card_product_id", "silver".into(), "PRODUCT_UNKNOWN"),
        ("status", String::new(), "FIELD_MISSING"),
        ("status", "active".into(), "FIELD_INVALID"),
        ("status", "DELETED".into(), "FIELD_INVALID"),
    ];
    let mut rows = Vec::new();
    for (n, (field, cell, _)) in bad.iter().enumerate() {
        let mut cells = good.clone();
        cells[0] = format!("b-{n}");
        cells[COLUMNS.iter().position(|name| name == field).unwrap()].clone_from(cell);
        rows.push(cells.join(","));
    }
    // A card number in the wrong place: its cell is empty, though the id itself has not failed.
    rows.push(format!("misplaced,{},,1230,gold,ACTIVE", pan(1)));
    // None of them made the contract.
    rows.push(format!("last,C-bad,{},1230,gold,ACTIVE", pan(2)));
    let stem = drop_rows(&world, "BAD", &rows);
    world.once().expect(4);

    let (recon, errors) = (world.out().recon(&stem), world.out().errors(&stem));
    assert_eq!((errors.len(), recon.rows.len()), (bad.len() + 1, bad.len() + 2), "one failure each");
    assert_eq!(said(recon.row("misplaced")), "REJECTED FIELD_MISSING  ");
    for (((field, cell, code), error), row) in bad.iter().zip(&errors).zip(&recon.rows) {
        assert_eq!((&error["code"], &error["field"]), (*code, *field), "{field} {cell}");
        let shown = if *field == "card_contract_id" { "" } else { "C-bad" };
        assert_eq!(said(row), format!("REJECTED {code} {shown} "), "{field} {cell}");
        assert_eq!(&row["recoverable"], "true");
        let masked = if *field == "pan" { String::new() } else { format!("{}******{}", &pan(1)[..6], &pan(1)[12..]) };
        assert_eq!(row["pan_masked"], masked, "{field} {cell}");
    }
    assert_eq!(said(recon.row("last")), "REGISTERED  C-bad ");
    assert_eq!(crate::leaks::search(&world, &[pan(1), pan(2)]), [""; 0]);
}

#[test]
fn all_failures_of_a_records_format_are_told_in_column_order_and_the_product_after_them() {
    let world = world(|_| {});
    let rows = ["-r,a b,12,0030,silver,GONE".to_owned(), ",,,,,".to_owned()];
    let stem = drop_rows(&world, "MANY", &rows);
    world.once().expect(4);
    let said: Vec<_> =
        world.out().errors(&stem).iter().map(|row| [&row["line"], &row["field"], &row["code"]].join(" ")).collect();
    assert_eq!(
        said,
        [
            "3 record_ref FIELD_INVALID",
            "3 card_contract_id FIELD_INVALID",
            "3 pan PAN_LENGTH",
            "3 expiry EXPIRY_INVALID",
            "3 status FIELD_INVALID",
            "4 record_ref FIELD_MISSING",
            "4 card_contract_id FIELD_MISSING",
            "4 pan FIELD_MISSING",
            "4 expiry FIELD_MISSING",
            "4 card_product_id FIELD_MISSING",
            "4 status FIELD_MISSING",
        ]
    );
}

#[test]
fn a_file_must_have_all_columns_and_no_other() {
    let world = world(|_| {});
    let columns = COLUMNS.join(",");
    let without = |name: &str| COLUMNS.into_iter().filter(|it| *it != name).collect::<Vec<_>>().join(",");
    let mut files = vec![
        ("NIL".to_owned(), columns.clone(), None),
        ("TURNED".to_owned(), "status,pan,expiry,card_product_id,card_contract_id,record_ref".to_owned(), None),
        ("MORE".to_owned(), format!("{columns},name"), Some("COLUMN_UNKNOWN")),
        ("CVC".to_owned(), format!("{columns},cvc2,name"), Some("SAD_PRESENT")),
    ];
    files.extend(COLUMNS.map(|name| (format!("NO-{name}"), without(name), Some("COLUMN_MISSING"))));
    for (batch, columns, code) in files {
        let stem = world.drop_sealed(&file(&batch, &[]).with(|file| file.columns = columns));
        world.once().expect(if code.is_some() { 3 } else { 0 });
        match code {
            None => drop(world.out().accepted(&stem)),
            Some(code) => drop(world.out().refused(&stem, code)),
        }
    }
}

/// What an earlier file left.
fn begun(world: &World) {
    let rows: Vec<String> = (0..4).map(|n| format!("o-{n},C-{n},{},1230,gold,ACTIVE", pan(n))).collect();
    let stem = drop_rows(world, "OLD", &rows);
    world.once().expect(0);
    let expected: Vec<String> = (0..4).map(|n| format!("REGISTERED  C-{n} ")).collect();
    assert_eq!(all_said(world, &stem), expected, "nothing of a new contract has changed");
}

/// Records that depend on each other in every way there is, and what must come of each.
fn tangled() -> (Vec<String>, Vec<&'static str>) {
    let records = [
        ("C-0", 0, "1230,gold,ACTIVE", "ALREADY_REGISTERED ALREADY_REGISTERED C-0 "),
        ("C-0", 0, "0131,gold,ACTIVE", "REGISTERED  C-0 expiry"),
        ("C-0", 0, "1230,gold,ACTIVE", "REGISTERED  C-0 expiry"),
        ("C-1", 1, "0131,plain,BLOCKED", "REGISTERED  C-1 expiry|card_product_id|status"),
        ("C-1", 1, "0131,plain,BLOCKED", "ALREADY_REGISTERED ALREADY_REGISTERED C-1 "),
        ("C-1", 1, "0131,gold,CLOSED", "REGISTERED  C-1 card_product_id|status"),
        // Another's PAN does not change the contract, nor does what comes with it.
        ("C-2", 9, "0131,plain,CLOSED", "REJECTED CARD_ID_IN_USE  "),
        ("C-2", 2, "1230,gold,ACTIVE", "ALREADY_REGISTERED ALREADY_REGISTERED C-2 "),
        // The product comes before the PAN.
        ("C-2", 9, "1230,silver,ACTIVE", "REJECTED PRODUCT_UNKNOWN C-2 "),
        // A past expiry, every status, an id that begins with a dash.
        ("C-3", 3, "0100,gold,INACTIVE", "REGISTERED  C-3 expiry|status"),
        ("-new_", 20, "0126,gold,INACTIVE", "REGISTERED  '-new_ "),
        ("-new_", 20, "0126,plain,INACTIVE", "REGISTERED  '-new_ card_product_id"),
        ("-new_", 21, "0126,plain,INACTIVE", "REJECTED CARD_ID_IN_USE  "),
        // Two contracts, one PAN.
        ("C-9", 0, "1230,gold,ACTIVE", "REGISTERED  C-9 "),
        ("C-9", 0, "1230,gold,ACTIVE", "ALREADY_REGISTERED ALREADY_REGISTERED C-9 "),
        ("C-10", 20, "1230,gold,BLOCKED", "REGISTERED  C-10 "),
        // Ids are what they are: letters of another case are another contract.
        ("c-0", 22, "1230,gold,ACTIVE", "REGISTERED  c-0 "),
    ];
    let row = |(n, (id, of, rest, _)): (usize, &(&str, u64, &str, &str))| format!("r-{n},{id},{},{rest}", pan(*of));
    (records.iter().enumerate().map(row).collect(), records.iter().map(|record| record.3).collect())
}

#[test]
fn records_take_effect_one_after_another_whatever_the_workers_and_chunks() {
    let first = world(|_| {});
    begun(&first);
    let (rows, expected) = tangled();
    let mut before: Option<(Vec<u8>, Vec<u8>)> = None;
    for (workers, chunk_records, more) in
        [(2, 100, ""), (1, 1, "group_records_max = 100"), (8, 1, "chunks_in_flight = 1"), (3, 4, "")]
    {
        let world =
            first.copied(|shape| (shape.workers, shape.chunk_records, shape.daemon) = (workers, chunk_records, more));
        let stem = drop_rows(&world, "NEW", &rows);
        world.once().expect(4);
        assert_eq!(all_said(&world, &stem), expected, "{workers} workers, chunks of {chunk_records}");
        let now = (world.out().recon(&stem).content, world.out().content(&format!("{stem}.errors.csv")));
        if let Some(before) = &before {
            expect_same("recon", &before.0, &now.0);
            expect_same("errors", &before.1, &now.1);
        }
        before = Some(now);

        // What was written is what the answers said: told once more, nothing is new.
        let last: Vec<String> = [1, 2, 5, 7, 9, 11, 14, 15, 16].iter().map(|at: &usize| rows[*at].clone()).collect();
        let again = drop_rows(&world, "AGAIN", &[&last[1..], &last[..1]].concat());
        world.once().expect(0);
        let recon = world.out().recon(&again);
        assert_eq!(recon.trailer, [9, 1, 8, 0, 0, 0], "{:?}", all_said(&world, &again));
        assert_eq!(said(recon.row("r-1")), "REGISTERED  C-0 expiry");
    }
}

#[test]
fn check_foresees_it() {
    let world = world(|_| {});
    begun(&world);
    let (rows, _) = tangled();
    // Groups of the least size, so that later ones must remember earlier ones.
    for (batch, chunk_records, rows) in [("WHOLE", 100, &rows[..]), ("PARTS", 1, &rows[3..])] {
        let world = world.copied(|shape| {
            shape.chunk_records = chunk_records;
            shape.daemon = "group_records_max = 100";
        });
        let file = file(batch, rows);
        expect_all_as_foreseen(&world, &[(file.name(), world.sealed(&file.text()).into_bytes())]);
    }
}

#[test]
fn issuers_have_contracts_of_their_own() {
    let world = world(|shape| shape.issuers = vec!["ACME", "OTHER"]);
    for (issuer, of, expiry) in [("ACME", 0, "1230"), ("OTHER", 1, "0131"), ("OTHER", 1, "0131")] {
        let batch = format!("B{}", crate::world::names_in(&world.at("outbound").join(issuer)).len());
        let row = format!("r-{batch},C-0,{},{expiry},gold,ACTIVE", pan(of));
        let file = file(&batch, &[row]).with(|file| file.issuer = issuer.into());
        drop_into(&world.inbound_of(issuer), &file.name(), world.sealed(&file.text()));
        world.once().expect(0);
        let expected = if batch == "B0" { "REGISTERED  C-0 " } else { "ALREADY_REGISTERED ALREADY_REGISTERED C-0 " };
        assert_eq!(said(&world.out_of(issuer).recon(&file.stem()).rows[0]), expected, "{issuer}");
    }
    assert!(world.registers_balance() > 0);
}

#[test]
fn lines_of_json_are_answered_line_by_line() {
    let world = world(|_| {});
    begun(&world);
    let record = |record_ref: &str, id: &str, of: u64, expiry: &str| {
        json!({"record_ref": record_ref, "card_contract_id": id, "pan": pan(of), "expiry": expiry,
            "card_product_id": "gold", "status": "ACTIVE"})
    };
    let records = [
        record("j-1", "C-new", 30, "1230"),
        record("j-2", "C-0", 0, "1230"),
        record("j-3", "C-0", 0, "0131"),
        record("j-4", "C-1", 2, "1230"),
        record("j-5", "C-1", 1, "1330"),
        json!({"record_ref": "j-6", "card_contract_id": "a b"}),
        json!({}),
    ];
    let header = json!({"header": {
        "version": 1, "issuer": "ACME", "service": "card-contracts", "batchId": "LINES", "sequence": 1,
        "created": "2026-11-20T01:30:00Z", "environment": "TEST"
    }});
    let mut text = format!("{header}\n");
    for record in &records {
        writeln!(text, "{record}").unwrap();
    }
    let digest = sha256_hex(text.as_bytes());
    writeln!(text, "{}", json!({"trailer": {"records": records.len(), "sha256": digest}})).unwrap();
    world.drop_bytes("ACME_CONTRACTS_LINES.jsonl.jwe", world.sealed(&text));
    world.once().expect(4);
    let out = world.out();
    out.accepted("ACME_CONTRACTS_LINES");
    assert_eq!(said(out.recon("ACME_CONTRACTS_LINES").row("j-3")), "REGISTERED  C-0 expiry");
    let answers = String::from_utf8(out.content("ACME_CONTRACTS_LINES.response.jsonl")).unwrap();
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answer = |record_ref: Value, id: Value| json!({"recordRef": record_ref, "cardContractId": id, "status": "OK"});
    let with = |answer: Value, status: &str, code: &str| {
        let mut answer = answer;
        (answer["status"], answer["errorCode"]) = (json!(status), json!(code));
        answer
    };
    assert_eq!(
        answers,
        [
            answer("j-1".into(), "C-new".into()),
            with(answer("j-2".into(), "C-0".into()), "OK", "ALREADY_REGISTERED"),
            answer("j-3".into(), "C-0".into()),
            with(answer("j-4".into(), Value::Null), "KO", "CARD_ID_IN_USE"),
            with(answer("j-5".into(), "C-1".into()), "KO", "EXPIRY_INVALID"),
            with(answer("j-6".into(), Value::Null), "KO", "FIELD_INVALID"),
            with(answer(Value::Null, Value::Null), "KO", "FIELD_MISSING"),
        ]
    );
    // CSV has no answer of this kind.
    let stem = drop_rows(&world, "ROWS", &[]);
    world.once().expect(0);
    assert!(!out.has(&format!("{stem}.response.jsonl")));
}
