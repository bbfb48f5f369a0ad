//! click-to-pay: fetch, card object, decision, enrolment, events, answers; beside the contracts that it fetches from.

use serde_json::{Value, json};

use crate::file::CsvFile;
use crate::pan;
use crate::world::{World, files_under};

const COLUMNS: &str = "record_ref,card_contract_id,src_client_id,service_id,external_consumer_id,email,phone_country,phone,first_name,\
                       last_name,locale,country,cardholder_name,address_line1,address_line2,address_line3,city,state,postal_code,\
                       address_country,privacy_version,tnc_version,accepted_at";
const CONTRACT_COLUMNS: &str = "record_ref,card_contract_id,pan,expiry,card_product_id,status";
const CLIENT: &str = "c2b2a3f0-6a7e-4d6b-9a0c-0f1e2d3c4b5a";

fn world() -> World {
    World::shaped(|shape| shape.services = vec!["click-to-pay", "card-contracts"])
}

/// A record with everything in it.
fn full(record_ref: &str, contract: &str, email: &str) -> String {
    format!(
        "{record_ref},{contract},{CLIENT},SRC#1,,{email},43,6641234567,Jane,Doe,de-AT,AT,JANE M DOE,Main Street 1,Top 7,,Vienna,,1010,AT,\
         v1,v2,2026-11-19T08:00:00Z"
    )
}

fn contracts(batch: &str, rows: &[(&str, String, &str, &str, &str)]) -> CsvFile {
    let mut file = CsvFile::of("card-contracts", CONTRACT_COLUMNS, batch);
    for (id, pan, expiry, product, status) in rows {
        file.row(format!("c-{id},{id},{pan},{expiry},{product},{status}"));
    }
    file
}

fn enrolments(batch: &str, rows: &[String]) -> CsvFile {
    let mut file = CsvFile::of("click-to-pay", COLUMNS, batch);
    for row in rows {
        file.row(row.clone());
    }
    file
}

fn lines(world: &World, name: &str) -> Vec<Value> {
    let text = String::from_utf8(world.out().content(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn plain_lines(world: &World, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(world.out().at(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the enroller reads.
fn opened(world: &World, token: &Value) -> Value {
    world.write("card.jwe", token.as_str().unwrap());
    let ran = world.nightdrop(&["unseal", "card.jwe", "--key", "keys/enroll.jwk"]).expect(0);
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn contracts_and_enrolments_dropped_together_are_enrolled_once() {
    let world = world();
    let card = pan::pan(pan::ACME, 9, 1);
    // The file of enrolments comes first, by the order of the feeds too.
    let file = enrolments(
        "E1",
        &[
            full("a", "K-1", "jane@example.com"),
            full("b", "K-1", "Jane@Example.com"),
            format!("c,K-1,{CLIENT},SRC#1,cust-7,jane@example.com,,,,,en,GB,,,,,,,,,v1,v2,2026-11-19T08:00:00Z"),
        ],
    );
    let stem = world.drop_sealed(&file);
    world.drop_sealed(&contracts("K1", &[("K-1", card.clone(), "1230", "gold", "ACTIVE")]));
    world.once().expect(0);
    let recon = world.out().recon(&stem);
    assert_eq!(recon.trailer, [3, 0, 1, 0, 2, 0]);
    let told: Vec<_> = recon.rows.iter().map(|row| (&row["outcome"], &row["code"], &row["tar_response"])).collect();
    let expected = [("ENROLLED", "", "00"), ("ALREADY_REGISTERED", "ALREADY_ENROLLED", ""), ("ENROLLED", "", "00")];
    assert_eq!(told, expected);
    let ids =
        |at: usize| (recon.rows[at]["src_digital_card_id"].to_owned(), recon.rows[at]["src_consumer_id"].to_owned());
    assert_eq!(ids(0), ids(1), "the same consumer and card");
    assert!(ids(0).0 != ids(2).0 && ids(0).1 != ids(2).1, "an id of the issuer's own is another consumer");
    assert_eq!(&recon.rows[0]["pan_masked"], format!("{}******{}", &card[..6], &card[12..]).as_str());

    let answers = lines(&world, &format!("{stem}.response.jsonl"));
    let first = &answers[0];
    assert_eq!(first["maskedCard"]["srcDigitalCardId"], ids(0).0);
    assert_eq!(
        (&first["maskedCard"]["panBin"], &first["maskedCard"]["panLastFour"]),
        (&card[..6].into(), &card[12..].into())
    );
    assert_eq!(first["maskedCard"]["digitalCardData"], json!({"status": "ACTIVE"}));
    assert_eq!(
        (&first["maskedCard"]["panExpirationMonth"], &first["maskedCard"]["panExpirationYear"]),
        (&"12".into(), &"2030".into())
    );
    assert_eq!(first["maskedConsumer"]["maskedConsumerIdentity"], "j***@example.com");
    assert!(answers[1].get("cardData").is_none());
    let expected = json!({
        "primaryAccountNumber": card, "panExpirationMonth": "12", "panExpirationYear": "2030", "cardholderFullName": "JANE M DOE",
        "billingAddress": {"line1": "Main Street 1", "line2": "Top 7", "city": "Vienna", "zip": "1010", "countryCode": "AT"}
    });
    assert_eq!(opened(&world, &first["cardData"]), expected);
    let bare = json!({"primaryAccountNumber": card, "panExpirationMonth": "12", "panExpirationYear": "2030"});
    assert_eq!(opened(&world, &answers[2]["cardData"]), bare);
    let enroll = lines(&world, &format!("{stem}.enroll.jsonl"));
    let sealed: Vec<_> = enroll.iter().map(|line| (&line["recordRef"], &line["cardData"])).collect();
    assert_eq!(sealed, [(&"a".into(), &first["cardData"]), (&"c".into(), &answers[2]["cardData"])]);
    let events: Vec<String> = plain_lines(&world, &format!("{stem}.notifications.jsonl"))
        .iter()
        .map(|event| {
            format!(
                "{} {} {}",
                event["recordRef"].as_str().unwrap(),
                event["type"].as_str().unwrap(),
                event["responseCode"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(events, ["a TAR 00", "a TCN 00", "c TAR 00", "c TCN 00"]);

    // In a later file too: the ids stay.
    let again = world.drop_sealed(&enrolments("E2", &[full("z", "K-1", "jane@example.com")]));
    world.once().expect(0);
    let row = &world.out().recon(&again).rows[0];
    assert_eq!((&row["code"], &row["src_digital_card_id"]), ("ALREADY_ENROLLED", ids(0).0.as_str()));
    assert!(plain_lines(&world, &format!("{again}.notifications.jsonl")).is_empty());
    assert!(lines(&world, &format!("{again}.enroll.jsonl")).is_empty());
    assert!(world.registers_balance() > 0);
}

#[test]
fn what_is_declined_is_not_enrolled() {
    let world = world();
    let card = |n| pan::pan(pan::ACME, 9, n);
    world.drop_sealed(&contracts(
        "K1",
        &[
            ("plain", card(1), "1230", "plain", "BLOCKED"),
            ("blocked", card(2), "0125", "gold", "BLOCKED"),
            ("expired", card(3), "0125", "gold", "ACTIVE"),
            ("good", card(4), "1230", "gold", "ACTIVE"),
        ],
    ));
    let rows: Vec<String> =
        ["plain", "blocked", "expired", "nothing"].iter().map(|id| full(id, id, "jane@example.com")).collect();
    let stem = world.drop_sealed(&enrolments("E1", &rows));
    world.once().expect(4);
    let recon = world.out().recon(&stem);
    let told: Vec<_> =
        recon.rows.iter().map(|row| (&row["code"], &row["tar_response"], &row["src_consumer_id"])).collect();
    let expected = [
        ("PRODUCT_INELIGIBLE", "05", ""),
        ("CONTRACT_INACTIVE", "05", ""),
        ("CARD_EXPIRED", "05", ""),
        ("CONTRACT_UNKNOWN", "", ""),
    ];
    assert_eq!(told, expected);
    let answers = lines(&world, &format!("{stem}.response.jsonl"));
    let said: Vec<_> =
        answers.iter().map(|it| (&it["status"], &it["reason"], &it["errordetail"][0]["reason"])).collect();
    let (bad, state) = (json!(400), json!("INVALID_STATE"));
    let details = ["TOKENIZATION_INELIGIBLE", "ISSUER_DECLINED", "PAN_INELIGIBLE", "INVALID_VALUE"].map(Value::from);
    assert_eq!(said, details.iter().map(|detail| (&bad, &state, detail)).collect::<Vec<_>>());
    let events = plain_lines(&world, &format!("{stem}.notifications.jsonl"));
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event["type"] == "TAR" && event["responseCode"] == "05"), "{events:?}");
    assert_eq!(events[0]["tokenRequestorId"], "50123197928");
    assert_eq!(events[0]["walletName"], "MDES for Merchants");
    assert!(lines(&world, &format!("{stem}.enroll.jsonl")).is_empty());
    // The consumer was not made by any of them: the first that enrols makes it.
    let good = world.drop_sealed(&enrolments("E2", &[full("g", "good", "jane@example.com")]));
    world.once().expect(0);
    assert_eq!(&world.out().recon(&good).rows[0]["outcome"], "ENROLLED");
}

#[test]
fn every_field_has_its_form() {
    let world = world();
    world.drop_sealed(&contracts("K1", &[("K-1", pan::pan(pan::ACME, 9, 1), "1230", "gold", "ACTIVE")]));
    let names: Vec<&str> = COLUMNS.split(',').map(str::trim).collect();
    let good: Vec<String> =
        full("r", "K-1", "jane@example.com").split(',').map(|cell| cell.trim().to_owned()).collect();
    let wrong = [
        ("card_contract_id", "K 1"),
        ("src_client_id", "no uuid"),
        ("service_id", "a b"),
        ("external_consumer_id", "4111111111111111"),
        ("email", "jane"),
        ("phone_country", "999"),
        ("phone", "66x"),
        ("first_name", "a\u{7}b"),
        ("last_name", "4111 1111 1111 1111"),
        ("locale", "de_AT"),
        ("country", "Austria"),
        ("cardholder_name", "\u{1}"),
        ("city", "5500000000000004"),
        ("address_country", "XX"),
        ("privacy_version", ""),
        ("tnc_version", ""),
        ("accepted_at", "yesterday"),
        ("email", ""),
        ("locale", ""),
    ];
    let rows: Vec<String> = wrong
        .iter()
        .enumerate()
        .map(|(n, (name, value))| {
            let mut cells = good.clone();
            cells[0] = format!("r-{n}");
            cells[names.iter().position(|it| it == name).unwrap()] = (*value).to_owned();
            cells.join(",")
        })
        .collect();
    let stem = world.drop_sealed(&enrolments("E1", &rows));
    world.once().expect(4);
    let errors = world.out().errors(&stem);
    let told: Vec<_> = errors.iter().map(|row| (&row["record_ref"], &row["field"], &row["code"])).collect();
    let refs: Vec<String> = (0..wrong.len()).map(|n| format!("r-{n}")).collect();
    let expected: Vec<(&str, &str, &str)> = wrong
        .iter()
        .zip(&refs)
        .map(|((name, value), it)| {
            // A code that is none is told by the number that does not fit it.
            let field = if *value == "999" { "phone" } else { *name };
            (it.as_str(), field, if value.is_empty() { "FIELD_MISSING" } else { "FIELD_INVALID" })
        })
        .collect();
    assert_eq!(told, expected);
    // A code and a number fail each by itself, and as a whole only where neither did.
    let phones = [(",66x", "MI"), ("0,", "IM"), ("+43,abc", "II"), ("43,664123456789012", "-I"), ("43,", "-M")];
    let rows: Vec<String> = phones
        .iter()
        .enumerate()
        .map(|(n, (phone, _))| full(&format!("p-{n}"), "K-1", "jane@example.com").replace("43,6641234567", phone))
        .collect();
    let of_phones = world.drop_sealed(&enrolments("E2", &rows));
    world.once().expect(4);
    let told: Vec<String> = world
        .out()
        .errors(&of_phones)
        .iter()
        .map(|row| [&row["record_ref"], &row["field"], &row["code"]].join(" "))
        .collect();
    let mut expected = Vec::new();
    for (n, (_, marks)) in phones.iter().enumerate() {
        for (field, mark) in ["phone_country", "phone"].into_iter().zip(marks.chars()).filter(|(_, mark)| *mark != '-')
        {
            let code = if mark == 'M' { "FIELD_MISSING" } else { "FIELD_INVALID" };
            expected.push(format!("p-{n} {field} {code}"));
        }
    }
    assert_eq!(told, expected);
    // A card number in the place of the contract's id is shown to nobody, whatever else is wrong.
    let card = pan::pan(pan::ACME, 9, 1);
    let misplaced = world.drop_sealed(&enrolments("E3", &[full("m", &card, ""), full("n", &card, "jane@example.com")]));
    world.once().expect(4);
    let recon = world.out().recon(&misplaced);
    let told: Vec<_> = recon.rows.iter().map(|row| (&row["code"], &row["card_contract_id"])).collect();
    assert_eq!(told, [("FIELD_MISSING", ""), ("CONTRACT_UNKNOWN", "")]);
    let answers = lines(&world, &format!("{stem}.response.jsonl"));
    assert_eq!(answers[0]["reason"], "INVALID_ARGUMENT");
    let detail = json!({"reason": "INVALID_FORMAT", "source": "card_contract_id", "sourceType": "BODY"});
    for (key, value) in detail.as_object().unwrap() {
        assert_eq!(&answers[0]["errordetail"][0][key], value);
    }
    assert_eq!(answers[14]["errordetail"][0]["reason"], "CANNOT_BE_NULL");
    // What a card must not come with refuses the file.
    for (batch, column, code) in
        [("S1", "cvv", "SAD_PRESENT"), ("S2", "pan", "COLUMN_UNKNOWN"), ("S3", "expiry", "COLUMN_UNKNOWN")]
    {
        let mut file = CsvFile::of("click-to-pay", &format!("{COLUMNS},{column}"), batch);
        file.row(full("r", "K-1", "jane@example.com") + ",1");
        let stem = world.drop_sealed(&file);
        world.once().expect(3);
        world.out().refused(&stem, code);
    }
}

#[test]
fn a_line_of_json_is_answered_and_nothing_of_a_consumer_is_kept() {
    let world = world();
    let card = pan::pan(pan::ACME, 9, 1);
    world.drop_sealed(&contracts("K1", &[("K-1", card.clone(), "1230", "gold", "ACTIVE")]));
    let record = json!({
        "record_ref": "j", "card_contract_id": "K-1", "src_client_id": CLIENT, "service_id": "s", "email": "canary.person@example.net",
        "first_name": "Canaryfirst", "last_name": "Canarylast", "address_line1": "Canary Lane 12", "city": "Canarytown", "locale": "en-GB",
        "country": "GB", "privacy_version": "1", "tnc_version": "1", "accepted_at": "2026-11-19T08:00:00+01:00"
    });
    let header = crate::json::header("J1").replace("payment-cards", "click-to-pay");
    let body = format!("{header}\n{record}\n");
    let text =
        format!("{body}{}\n", json!({"trailer": {"records": 1, "sha256": crate::file::sha256_hex(body.as_bytes())}}));
    world.drop_bytes("ACME_CLICK_J1.jsonl.jwe", world.sealed(&text));
    world.once().expect(0);
    let answer = &lines(&world, "ACME_CLICK_J1.response.jsonl")[0];
    assert_eq!((&answer["recordRef"], &answer["maskedConsumer"]["status"]), (&"j".into(), &"ACTIVE".into()));
    assert_eq!(opened(&world, &answer["cardData"])["cardholderFullName"], "Canaryfirst Canarylast");
    std::fs::remove_file(world.at("card.jwe")).unwrap();
    // Not in the database, not in logs, in no file that goes out in clear.
    for path in files_under(world.path()) {
        let bytes = std::fs::read(&path).unwrap();
        for canary in ["canary.person", "Canaryfirst", "Canarylast", "Canary Lane", "Canarytown", &card] {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            // What this test had the binary print is the test's own.
            let printed =
                path.starts_with(world.at("said")) && path.extension().is_some_and(|it| it == "out" || it == "stdout");
            assert!(!found || printed, "{canary} in {}", path.display());
        }
    }
}
