//! How findings look, whose file is thought to be whose, and what is never seen.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::{checked, foreseen};
use crate::file::{COLUMNS, CsvFile};
use crate::json::{card, drop_leaks, lines};
use crate::leaks::{drop_canaries, find};
use crate::pan::{self, pans};
use crate::world::{World, expect_same};

const CONFIG: [&str; 2] = ["--config", "nightdrop.toml"];

/// The published sandbox numbers, so that what is shown can be written down here.
fn mixed() -> CsvFile {
    CsvFile::new("LOOK").with(|file| {
        file.columns = "record_ref,pan,card_base_currency".into();
        for row in [
            "r-1,2303770003322342,EUR",
            "r-2,2303770156408767,EUR",
            "r-3,5.23E+15,EURO",
            "r-4,\"2303770003322342\",EUR",
            "2303770003322342,2303770079865554,",
        ] {
            file.row(row);
        }
    })
}

fn text(world: &World, name: &str, content: impl AsRef<[u8]>, code: i32) -> String {
    world.write(name, content);
    checked(world, &[&[name], &CONFIG[..]].concat()).expect(code).text()
}

#[test]
fn findings_look_as_compilers_print_them() {
    let world = World::new();
    let said = text(&world, "ACME_PAYCARDS_LOOK.csv.jwe", world.sealed(&mixed().text()), 4);
    let expected = r#"error[PAN_LUHN]: The field pan has a check digit that does not fit the others; expected is a PAN of exactly 16 digits that passes Luhn.
 --> ACME_PAYCARDS_LOOK.csv.jwe:4:5
  |
4 | r-2,****************,EUR
  |     ^^^^^^^^^^^^^^^^ pan
  |
  = help: Correct the PAN from its source and send the record again.
  = note: record r-2

error[PAN_MANGLED]: The field pan is in scientific notation, as a spreadsheet writes it; expected is a PAN of exactly 16 digits.
 --> ACME_PAYCARDS_LOOK.csv.jwe:5:5
  |
5 | r-3,*.**E+**,EURO
  |     ^^^^^^^^ pan
  |
  = help: Export the PAN as text from its source, without a spreadsheet, and send the record again.
  = note: record r-3

error[CURRENCY_INVALID]: The field card_base_currency is not an active currency; expected is a code of three letters of ISO 4217, such as EUR.
 --> ACME_PAYCARDS_LOOK.csv.jwe:5:14
  |
5 | r-3,*.**E+**,EURO
  |              ^^^^ card_base_currency
  |
  = help: Correct the currency and send the record again.
  = note: record r-3

error[DUPLICATE_IN_FILE]: The field pan repeats what an earlier record of this file did; expected is each card once.
 --> ACME_PAYCARDS_LOOK.csv.jwe:6:5
  |
6 | r-4,"230377******2342",EUR
  |     ^^^^^^^^^^^^^^^^^^ pan
  |
  = help: Do nothing: the earlier record stands.
  = note: record r-4, PAN 230377******2342

error[FIELD_INVALID]: The field record_ref has a value that is not allowed there; expected is a reference of 1 to 100 of the characters A-Z a-z 0-9 _ . : - that does not begin with a dash and holds no card number.
 --> ACME_PAYCARDS_LOOK.csv.jwe:7:1
  |
7 | ****************,230377******5554,
  | ^^^^^^^^^^^^^^^^ record_ref
  |
  = help: Correct the field as the description says and send the record again.
  = note: PAN 230377******5554

error[FIELD_MISSING]: The field card_base_currency is empty; expected is a code of three letters of ISO 4217, such as EUR.
 --> ACME_PAYCARDS_LOOK.csv.jwe:7:35
  |
7 | ****************,230377******5554,
  |                                   ^ card_base_currency
  |
  = help: Fill in the field and send the record again.
  = note: PAN 230377******5554

ACME_PAYCARDS_LOOK.csv.jwe would be accepted; 5 records, 1 REGISTERED, 4 REJECTED (1 FIELD_INVALID, 1 PAN_MANGLED, 1 PAN_LUHN, 1 DUPLICATE_IN_FILE)
"#;
    expect_same("findings", said.as_bytes(), expected.as_bytes());
}

#[test]
fn a_refusal_shows_its_line_and_the_cell_where_one_is_wrong() {
    let world = World::new();
    let header = mixed().with(|file| file.service = "pan-lists".into());
    let said = text(&world, "ACME_PAYCARDS_H.csv.jwe", world.sealed(&header.text()), 3);
    let expected = "error[HEADER_MISMATCH]: The header's service is not that of the feed; expected is payment-cards.
 --> ACME_PAYCARDS_H.csv.jwe:1:12
  |
1 | HDR,1,ACME,pan-lists,LOOK,1,2026-11-20T01:30:00Z,TEST
  |            ^^^^^^^^^
  |
  = help: Send the file to the place it was made for, or correct its header and send it again.

ACME_PAYCARDS_H.csv.jwe would be refused: HEADER_MISMATCH
";
    expect_same("a header", said.as_bytes(), expected.as_bytes());

    let cells = mixed().with(|file| file.rows[1].push_str(",4111111111111111"));
    let said = text(&world, "ACME_PAYCARDS_C.csv.jwe", world.sealed(&cells.text()), 3);
    assert!(said.contains("ACME_PAYCARDS_C.csv.jwe:4"), "{said}");
    assert!(said.contains("4 | r-2,****************,EUR,****************"), "{said}");

    // Sensitive data is named by its column and never shown; what is not proven is not shown either.
    let sad = mixed().with(|file| {
        file.columns = format!("{COLUMNS},cvv");
        file.rows = vec!["r-1,,2303770003322342,EUR,,987".into()];
    });
    let said = text(&world, "ACME_PAYCARDS_S.csv.jwe", world.sealed(&sad.text()), 3);
    assert!(said.contains("error[SAD_PRESENT]") && said.contains("--> ACME_PAYCARDS_S.csv.jwe:2"), "{said}");
    assert!(!said.contains("987") && !said.contains("record_ref,"), "{said}");
    let said = text(&world, "ACME_PAYCARDS_N.csv.jwe", "not a token", 3);
    assert!(said.contains("error[ENVELOPE_REFUSED]") && said.contains("--> ACME_PAYCARDS_N.csv.jwe\n"), "{said}");
    assert!(!said.contains("not a token\n"), "{said}");
}

#[test]
fn a_record_of_a_request_is_marked_in_its_line() {
    let world = World::new();
    let good = "2303770003322342";
    let requests = [
        card("a", "2303770156408767"),
        json!([card("b", good), card("c", good), json!({"id": "d", "fpan": "5.23E+15"}), {"id": good, "fpan": "2303770079865554", "cardBaseCurrency": "EUR"}]),
        json!([]),
    ];
    let said = text(&world, "ACME_PAYCARDS_J.jsonl.jwe", world.sealed(&lines("J", &requests, 6)), 4);
    let shown = |line: &&str| line.contains("-->") || line.contains(" | ") && line.contains(['{', '^']);
    let marked: Vec<&str> = said.lines().filter(shown).collect();
    expect_same("marks", marked.join("\n").as_bytes(), EXPECTED_MARKS.as_bytes());

    let header = lines("J", &requests, 6).replace("\"ACME\"", "\"OTHER\"");
    let said = text(&world, "ACME_PAYCARDS_H.jsonl.jwe", world.sealed(&header), 3);
    assert!(said.contains("^^^^^^^\n") && said.contains("\"issuer\":\"OTHER\""), "{said}");
    let number = lines("N", &[json!({"id": "a", "fpan": 2_303_770_003_322_342_u64})], 1);
    let said = text(&world, "ACME_PAYCARDS_N.jsonl.jwe", world.sealed(&number), 3);
    assert!(said.contains("\"fpan\":****************}") && said.contains(":2:18\n"), "{said}");
}

const EXPECTED_MARKS: &str = r#" --> ACME_PAYCARDS_J.jsonl.jwe:2:18
2 | {"id":"a","fpan":"****************","cardBaseCurrency":"EUR"}
  |                  ^^^^^^^^^^^^^^^^^^ pan
 --> ACME_PAYCARDS_J.jsonl.jwe:3:81
3 | [{"id":"b","fpan":"****************","cardBaseCurrency":"EUR"},{"id":"c","fpan":"230377******2342","cardBaseCurrency":"EUR"},{"id":"d...
  |                                                                                 ^^^^^^^^^^^^^^^^^^ pan
 --> ACME_PAYCARDS_J.jsonl.jwe:3:143
3 | ...*************","cardBaseCurrency":"EUR"},{"id":"d","fpan":"*.**E+**"},{"id":"****************","fpan":"****************","cardBase...
  |                                                              ^^^^^^^^^^ pan
 --> ACME_PAYCARDS_J.jsonl.jwe:3:126
3 | ...*************","cardBaseCurrency":"EUR"},{"id":"d","fpan":"*.**E+**"},{"id":"****************","fpan":"****************","cardBase...
  |                                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ card_base_currency
 --> ACME_PAYCARDS_J.jsonl.jwe:3:161
3 | ...rrency":"EUR"},{"id":"d","fpan":"*.**E+**"},{"id":"****************","fpan":"230377******5554","cardBaseCurrency":"EUR"}]
  |                                                      ^^^^^^^^^^^^^^^^^^ record_ref
--> ACME_PAYCARDS_J.jsonl.jwe:4"#;

#[test]
fn a_clean_file_is_one_line_and_a_duplicate_is_no_failure() {
    let world = World::new();
    let file = CsvFile::good("CLEAN", 91, 3);
    let said = text(&world, &file.name(), world.sealed(&file.text()), 0);
    assert_eq!(said, "ACME_PAYCARDS_CLEAN.csv.jwe would be accepted; 3 records, 3 REGISTERED\n");
    world.drop_sealed(&file);
    world.once().expect(0);
    let said = checked(&world, &[&[&*file.name()], &CONFIG[..]].concat()).expect(0).text();
    assert!(said.starts_with("note[DUPLICATE_FILE]: "), "{said}");
    assert!(
        said.ends_with("would be answered as the same file again, as ACME_PAYCARDS_CLEAN.csv.jwe; 3 records\n"),
        "{said}"
    );
}

#[test]
fn what_intake_would_leave_alone_is_said_and_not_called_good() {
    let world = World::new();
    let good = world.sealed(&CsvFile::good("LEFT", 92, 2).text());
    for (name, why) in [
        ("ACME_PAYCARDS_1.csv.jwe.part", "still being written"),
        (".ACME_PAYCARDS_1.csv.jwe", "still being written"),
        ("ACME_PAYCARDS_1.csv.jwe.done", "done marker"),
        ("ACME PAYCARDS 1.csv.jwe", "is not 1 to 200"),
    ] {
        world.write(name, &good);
        let (exit, said) = foreseen(&world, name);
        let finding = &said["findings"][0];
        assert_eq!((exit, &finding["code"], &said["status"]), (3, &Value::Null, &Value::Null), "{name}: {said}");
        assert!(finding["description"].as_str().unwrap().contains(why), "{name}: {said}");
    }
    // A link leads elsewhere when it lies where files are taken, and nowhere else.
    world.write("ACME_PAYCARDS_1.csv.jwe", &good);
    symlink(world.at("ACME_PAYCARDS_1.csv.jwe"), world.inbound().join("ACME_PAYCARDS_L.csv.jwe")).unwrap();
    symlink(world.at("ACME_PAYCARDS_1.csv.jwe"), world.at("ACME_PAYCARDS_L.csv.jwe")).unwrap();
    assert_eq!(foreseen(&world, "inbound/ACME_PAYCARDS_L.csv.jwe").0, 3);
    assert_eq!(foreseen(&world, "ACME_PAYCARDS_L.csv.jwe").0, 0);
    let marked = World::shaped(|shape| shape.feed = "done_marker = true");
    marked.write("inbound/ACME_PAYCARDS_1.csv.jwe", &good);
    let said =
        |world: &World| checked(world, &[&["inbound/ACME_PAYCARDS_1.csv.jwe"], &CONFIG[..]].concat()).expect(0).stderr;
    assert!(said(&marked).contains("before ACME_PAYCARDS_1.csv.jwe.done lies beside it"), "{}", said(&marked));
    marked.write("inbound/ACME_PAYCARDS_1.csv.jwe.done", "");
    assert_eq!(said(&marked), "");
    for (path, code) in [("inbound", 1), ("nothing-there", 1)] {
        assert!(!checked(&world, &[&[path], &CONFIG[..]].concat()).expect(code).stderr.is_empty(), "{path}");
    }
}

#[test]
fn with_several_issuers_a_file_is_the_one_s_in_whose_place_it_lies() {
    let world = World::shaped(|shape| shape.issuers = vec!["ACME", "OTHER"]);
    let file = CsvFile::good("WHOSE", 93, 2);
    let sealed = world.sealed(&file.text());
    std::fs::create_dir(world.at("kit")).unwrap();
    world.write(&format!("kit/{}", file.name()), &sealed);
    world.write("kit/tonight.csv.jwe", &sealed);
    world.write(&format!("inbound/OTHER/{}", file.name()), &sealed);
    let (exit, said) = foreseen(&world, &format!("kit/{}", file.name()));
    assert_eq!((exit, &said["issuer"]), (0, &"ACME".into()), "{said}");
    let (exit, said) = foreseen(&world, &format!("inbound/OTHER/{}", file.name()));
    assert_eq!((exit, &said["issuer"], &said["code"]), (3, &"OTHER".into(), &"FEED_UNKNOWN".into()), "{said}");
    let ran = checked(&world, &["kit/tonight.csv.jwe", "--config", "nightdrop.toml"]).expect(2);
    assert!(ran.stderr.contains("--feed NAME"), "{}", ran.stderr);
    let named = ["kit/tonight.csv.jwe", "--config", "nightdrop.toml", "--feed", "acme-payment-cards"];
    let ran = checked(&world, &named).expect(0);
    assert!(ran.stderr.contains("FEED_UNKNOWN") && ran.stderr.contains("ACME_PAYCARDS_*"), "{}", ran.stderr);
    let ran = checked(&world, &[&named[..4], &["acme"]].concat()).expect(2);
    assert!(ran.stderr.contains("acme-payment-cards, other-payment-cards"), "{}", ran.stderr);
}

#[test]
fn a_key_or_environment_that_is_not_the_stores_is_told() {
    let world = World::new();
    let file = CsvFile::good("PINS", 94, 2);
    world.drop_sealed(&file);
    world.once().expect(0);
    world.write("next.csv.jwe", world.sealed(&file.text()));
    let check = |world: &World| checked(world, &["next.csv.jwe", "--config", "nightdrop.toml"]);
    let prod = std::fs::read_to_string(world.at("nightdrop.toml")).unwrap().replace("\"TEST\"", "\"PROD\"");
    let other = world.copied(|_| {});
    other.write("nightdrop.toml", prod);
    assert!(check(&other).expect(2).stderr.contains("TEST"));
    std::fs::remove_file(world.at("keys/kek.key")).unwrap();
    assert!(check(&world).expect(2).stderr.contains("vault.key_encryption_key"));
    world.write("keys/kek.key", "ab".repeat(32));
    assert!(check(&world).expect(2).stderr.contains("not the key that this database was made with"));
}

#[test]
fn no_card_number_is_seen_whatever_is_wrong() {
    let world = World::shaped(|shape| shape.log = "trace");
    let cards = pans(pan::ACME, 123, 12);
    drop_canaries(&world, &cards);
    drop_leaks(&world, &cards);
    let names = world.waiting();
    assert!(names.len() > 10, "{names:?}");
    let mut shown = 0;
    for name in &names {
        let path = format!("inbound/{name}");
        for more in [&[][..], &["--json"], &["--offline"], &["--offline", "--feed", "acme-payment-cards", "--json"]] {
            let ran = checked(&world, &[&[&*path], &CONFIG[..], more].concat());
            shown += ran.text().matches("****").count();
            for said in [&ran.stdout[..], ran.stderr.as_bytes()] {
                assert_eq!(find(said, &cards), [""; 0], "{name} {more:?}: {}", String::from_utf8_lossy(said));
            }
        }
    }
    assert!(shown > 20, "hardly anything was shown: too little was searched");
}
