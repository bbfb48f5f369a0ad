//! The cases of records: for each service a file in which every code comes, between records that are good.

use serde_json::{Value, json};

use crate::cells::{Cells, csv_file, json_lines};
use crate::corpus::bad_records;
use crate::json::{card, lines};
use crate::pan;
use crate::seal::josekit;
use crate::world::{World, kind};

use super::contract::answers;
use super::lists;
use super::{Said, Sample, Told};

pub(super) use super::lists::{LIST_STEM, of_a_list};

/// A record, its code, its field; a good one has neither.
pub(super) type Case = (Cells, &'static str, &'static str);

/// Everything that needs no answer of an earlier file.
pub(super) fn samples(world: &World) -> Vec<Sample> {
    let mut samples = payment_cards(world);
    samples.extend(lists::samples(world));
    samples.push(rows(world, "card-contracts", "TO-ENROL", contracts_to_enrol()));
    for (service, table) in [
        ("cards", cards as fn(&World, u64) -> Vec<Case>),
        ("card-contracts", card_contracts),
        ("click-to-pay", click_to_pay),
    ] {
        samples.extend(both(world, service, table));
    }
    samples
}

/// A table as CSV, and once more with other cards as lines of JSON.
fn both(world: &World, service: &'static str, table: fn(&World, u64) -> Vec<Case>) -> [Sample; 2] {
    let objects = table(world, 1);
    let requests: Vec<Value> = objects.iter().map(|(cells, ..)| cells.json(service)).collect();
    let text = json_lines("ACME", service, "LINES", &requests, requests.len());
    let told = Said::Records { service, told: told(objects, |code| answers(service, code)) };
    [
        rows(world, service, "RECORDS", table(world, 0)),
        Sample::sealed(world, &format!("ACME_{}_LINES.jsonl.jwe", kind(service)), text, told),
    ]
}

/// A table as CSV.
pub(super) fn rows(world: &World, service: &'static str, batch: &str, table: Vec<Case>) -> Sample {
    let cells: Vec<_> = table.iter().map(|(cells, ..)| cells.clone()).collect();
    let file = csv_file("ACME", service, batch, &cells);
    let told = Said::Records { service, told: told(table, |_| Vec::new()) };
    Sample::sealed(world, &file.name(), file.text(), told)
}

fn told(table: Vec<Case>, answers: impl Fn(&'static str) -> Vec<&'static str>) -> Vec<Told> {
    let bad = table.into_iter().filter(|(_, code, _)| !code.is_empty());
    bad.map(|(cells, code, field)| Told {
        record_ref: cells.cell("record_ref").to_owned(),
        code,
        field,
        value: cells.cell(field).to_owned(),
        answers: answers(code),
    })
    .collect()
}

fn payment_cards(world: &World) -> Vec<Sample> {
    let service = "payment-cards";
    let good = |record_ref: &str, pan: &str| format!("{record_ref},,{pan},EUR,");
    let (first, earlier) = (pan::pan(pan::ACME, 2, 0), pan::pan(pan::ACME, 2, 98));
    let mut csv = csv_file("ACME", service, "RECORDS", &[]);
    csv.rows = vec![good("first", &first), good("again", &earlier)];
    let mut told = vec![Told { record_ref: "again".into(), code: "ALREADY_REGISTERED", field: "", ..Told::default() }];
    for (record_ref, row, code, field, _) in bad_records() {
        csv.row(format!("{record_ref},{row}"));
        let at = csv.columns.split(',').position(|column| column == field).unwrap();
        let value = row.split(',').nth(at - 1).unwrap().to_owned();
        told.push(Told { record_ref: record_ref.into(), code, field, value, answers: Vec::new() });
    }
    let last = pan::pan(pan::ACME, 2, 99);
    csv.row(good("last", &last));
    let earlier_file = csv_file("ACME", service, "EARLIER", &[]).with(|file| {
        file.row(good("e", &earlier));
    });

    let wrong = pan::wrong_check_digit(&first);
    let with = |id: &str, fpan: &str, currency: &str| json!({"id": id, "fpan": fpan, "cardBaseCurrency": currency});
    let (new, alien) = (pan::pan(pan::ACME, 2, 97), pan::pan(pan::NOBODY, 2, 97));
    let requests: Vec<(Value, &str, &'static str, &'static str, &[&'static str])> = vec![
        (card("first", &pan::pan(pan::ACME, 2, 96)), "", "", "", &[]),
        (with("missing", "", "EUR"), "missing", "FIELD_MISSING", "pan", &["INVALID_FPAN"]),
        (
            json!({"id": "none", "fpan": new}),
            "none",
            "FIELD_MISSING",
            "card_base_currency",
            &["INVALID_CARD_BASE_CURRENCY"],
        ),
        (with("-odd", &new, "EUR"), "", "FIELD_INVALID", "record_ref", &["INVALID_REQUEST_PARAMETER"]),
        (with("mangled", "5.23E+15", "EUR"), "mangled", "PAN_MANGLED", "pan", &[]),
        (with("letters", "23037700033223xy", "EUR"), "letters", "PAN_FORMAT", "pan", &[]),
        (with("short", &new[..15], "EUR"), "short", "PAN_LENGTH", "pan", &[]),
        (with("luhn", &wrong, "EUR"), "luhn", "PAN_LUHN", "pan", &[]),
        (with("bin", &alien, "EUR"), "bin", "BIN_UNSUPPORTED", "pan", &[]),
        (with("dead", &new, "DEM"), "dead", "CURRENCY_INVALID", "card_base_currency", &[]),
        (with("pounds", &new, "GBP"), "pounds", "CURRENCY_UNSUPPORTED", "card_base_currency", &[]),
        (card("twice", &pan::pan(pan::ACME, 2, 96)), "twice", "DUPLICATE_IN_FILE", "pan", &[]),
        (card("again", &earlier), "again", "ALREADY_REGISTERED", "", &[]),
        (json!([]), "14.1", "REQUEST_SIZE", "", &[]),
    ];
    let text = lines("LINES", &requests.iter().map(|(it, ..)| it.clone()).collect::<Vec<_>>(), requests.len());
    let answered =
        requests.into_iter().filter(|(_, _, code, ..)| !code.is_empty()).map(|(_, record_ref, code, field, more)| {
            Told {
                record_ref: record_ref.into(),
                code,
                field,
                value: String::new(),
                answers: [answers(service, code), more.to_vec()].concat(),
            }
        });
    vec![
        Sample::sealed(world, &earlier_file.name(), earlier_file.text(), Said::Records { service, told: Vec::new() }),
        Sample::sealed(
            world,
            "ACME_PAYCARDS_LINES.jsonl.jwe",
            text,
            Said::Records { service, told: answered.collect() },
        ),
        Sample::sealed(world, &csv.name(), csv.text(), Said::Records { service, told }),
    ]
}

/// A PAN of nobody's range, which those who check no range take.
fn any_pan(seed: u64, n: u64) -> String {
    pan::pan(pan::NOBODY, 710 + seed, n)
}

/// What is wrong with a PAN alone.
fn bad_pans(good: &dyn Fn(u64) -> Cells) -> Vec<Case> {
    let of = |n: u64, code, value: String| (good(n).with("pan", value), code, "pan");
    vec![
        of(60, "FIELD_MISSING", String::new()),
        of(61, "PAN_MANGLED", "5.23E+15".into()),
        of(62, "PAN_FORMAT", "5555-5555-5555-4444".into()),
        of(63, "PAN_LENGTH", "1234567890".into()),
        of(64, "PAN_LUHN", pan::wrong_check_digit(&any_pan(0, 64))),
    ]
}

fn cards(world: &World, seed: u64) -> Vec<Case> {
    let good = |n: u64| {
        Cells::new(&format!("r-{n}"))
            .with("card_id", format!("id-{seed}-{n}"))
            .with("card_product_id", "gold")
            .with("consumer_id", format!("c-{seed}"))
            .with("pan", any_pan(seed, n))
            .with("expiry", "1299")
    };
    let delete = |n: u64, id: String| Cells::new(&format!("r-{n}")).with("action", "DELETE").with("card_id", id);
    let text = json!({"pan": any_pan(seed, 20), "exp": "1299"}).to_string();
    let alien = josekit("RSA-OAEP-256", "A256GCM", Some("feed-9"), &world.public_key("stranger"), text.as_bytes());
    let mut cases = vec![
        (good(0), "", ""),
        (good(1), "", ""),
        (delete(2, format!("id-{seed}-1")), "", ""),
        (good(10).with("consumer_id", ""), "FIELD_MISSING", "consumer_id"),
        (good(11).with("state", "ASLEEP"), "FIELD_INVALID", "state"),
        (good(12).with("pan", "").with("expiry", "").with("card", alien), "RECORD_CRYPTO_ERROR", "card"),
        (good(13).with("expiry", "1330"), "EXPIRY_INVALID", "expiry"),
        (good(14).with("expiry", "0126"), "CARD_EXPIRED", "expiry"),
        (good(15).with("card_id", any_pan(seed, 15)), "CARD_ID_DERIVED", "card_id"),
        (good(16).with("card_product_id", "silver"), "PRODUCT_UNKNOWN", "card_product_id"),
        (good(17).with("action", "TOKENIZED").with("event_status", "DECLINED"), "EVENT_IGNORED", "event_status"),
        (good(18).with("card_id", format!("id-{seed}-0")), "CARD_ID_IN_USE", "card_id"),
        (good(19).with("pan", any_pan(seed, 0)), "ALREADY_REGISTERED", ""),
        (good(20).with("pan", any_pan(seed, 1)), "PAN_RETIRED", "pan"),
        (delete(21, "none-there".into()), "NOT_REGISTERED", "card_id"),
        (good(22), "", ""),
    ];
    cases.extend(bad_pans(&good));
    cases
}

fn card_contracts(_: &World, seed: u64) -> Vec<Case> {
    let good = |n: u64| {
        Cells::new(&format!("r-{n}"))
            .with("card_contract_id", format!("k-{seed}-{n}"))
            .with("pan", any_pan(seed, n))
            .with("expiry", "1299")
            .with("card_product_id", "gold")
            .with("status", "ACTIVE")
    };
    let again = |n: u64| good(0).with("record_ref", format!("r-{n}"));
    let mut cases = vec![
        (good(0), "", ""),
        (good(10).with("status", ""), "FIELD_MISSING", "status"),
        (good(11).with("status", "ASLEEP"), "FIELD_INVALID", "status"),
        (good(12).with("expiry", "1330"), "EXPIRY_INVALID", "expiry"),
        (good(13).with("card_product_id", "silver"), "PRODUCT_UNKNOWN", "card_product_id"),
        (again(14).with("pan", any_pan(seed, 14)), "CARD_ID_IN_USE", "card_contract_id"),
        (again(15), "ALREADY_REGISTERED", ""),
        (good(16), "", ""),
    ];
    cases.extend(bad_pans(&good));
    cases
}

fn contracts_to_enrol() -> Vec<Case> {
    let contract = |n: u64, id: &str, expiry: &str, product: &str, status: &str| {
        let cells = Cells::new(&format!("c-{n}")).with("card_contract_id", id).with("pan", any_pan(3, n));
        (cells.with("expiry", expiry).with("card_product_id", product).with("status", status), "", "")
    };
    vec![
        contract(0, "good", "1299", "gold", "ACTIVE"),
        contract(1, "plain", "1299", "plain", "ACTIVE"),
        contract(2, "blocked", "1299", "gold", "BLOCKED"),
        contract(3, "expired", "0125", "gold", "ACTIVE"),
    ]
}

fn click_to_pay(_: &World, seed: u64) -> Vec<Case> {
    let of = |n: u64, contract: &str| {
        Cells::new(&format!("r-{n}"))
            .with("card_contract_id", contract)
            .with("src_client_id", "c2b2a3f0-6a7e-4d6b-9a0c-0f1e2d3c4b5a")
            .with("service_id", "SRC#1")
            .with("email", format!("jane-{seed}@example.com"))
            .with("locale", "de-AT")
            .with("country", "AT")
            .with("privacy_version", "v1")
            .with("tnc_version", "v2")
            .with("accepted_at", "2026-11-19T08:00:00Z")
    };
    vec![
        (of(0, "good"), "", ""),
        (of(1, "good").with("locale", ""), "FIELD_MISSING", "locale"),
        (of(2, "good").with("email", "no-address"), "FIELD_INVALID", "email"),
        (of(3, "nowhere"), "CONTRACT_UNKNOWN", "card_contract_id"),
        (of(4, "plain"), "PRODUCT_INELIGIBLE", "card_contract_id"),
        (of(5, "blocked"), "CONTRACT_INACTIVE", "card_contract_id"),
        (of(6, "expired"), "CARD_EXPIRED", "card_contract_id"),
        (of(7, "good"), "ALREADY_ENROLLED", ""),
    ]
}
