//! The cases of pan-lists: requests as rows and as bodies; those of a list that is there come after the answer that names it.

use serde_json::{Value, json};

use crate::cells::{Cells, json_lines};
use crate::pan;
use crate::world::World;

use super::contract::answers;
use super::records::{Case, rows};
use super::{Said, Sample, Told};

const SERVICE: &str = "pan-lists";

/// The file whose first record makes the list that [`of_a_list`] is told of.
pub(super) const LIST_STEM: &str = "ACME_PANLISTS_RECORDS";

fn good_pan(n: u64) -> String {
    pan::pan(pan::ACME, 720, n)
}

/// A row of a list of its own.
fn named(n: u64) -> Cells {
    Cells::new(&format!("r-{n}"))
        .with("operation", "REGISTER")
        .with("pan_list_name", format!("List {n}"))
        .with("pan", good_pan(n))
}

/// A request's body, its code, the field, and words of the answer beside those that the code always has. All of its records
/// have the code.
type Body = (Value, &'static str, &'static str, &'static [&'static str]);

fn of_pans(pans: &[String]) -> Value {
    json!({"pans": pans.iter().map(|pan| json!({"pan": pan})).collect::<Vec<_>>()})
}

/// What needs no list.
pub(super) fn samples(world: &World) -> Vec<Sample> {
    let range = |cells: Cells, low: &str, high: &str| {
        cells.with("account_range_low", low.to_owned()).with("account_range_high", high.to_owned())
    };
    let other = |digit: &str| format!("{}{}", pan::OTHER, digit.repeat(13));
    let table: Vec<Case> = vec![
        (named(0), "", ""),
        (named(1).with("pan_list_name", "List 0").with("pan", good_pan(0)), "DUPLICATE_IN_FILE", "pan"),
        (named(2).with("operation", ""), "FIELD_MISSING", "operation"),
        (named(3).with("pan_list_name", "").with("pan_list_id", "12345"), "FIELD_INVALID", "pan_list_id"),
        (named(4).with("pan", "5.23E+15"), "PAN_MANGLED", "pan"),
        (named(5).with("pan", "2303-7700-0332"), "PAN_FORMAT", "pan"),
        (named(6).with("pan", "1234567890"), "PAN_LENGTH", "pan"),
        (named(7).with("pan", pan::wrong_check_digit(&good_pan(7))), "PAN_LUHN", "pan"),
        (named(8).with("pan_list_name", "").with("pan_list_id", "999999999999999999"), "LIST_UNKNOWN", "pan_list_id"),
        (named(9).with("pan_list_name", "Gold_9"), "LIST_NAME_INVALID", "pan_list_name"),
        (named(10).with("pan", ""), "PANS_OR_RANGE_MISSING", "pan"),
        (range(named(11), "2303", &other("9")), "RANGE_INVALID", "account_range_low"),
        (range(named(12), &other("0"), &other("9")), "RANGE_UNKNOWN", "account_range_low"),
        (named(13).with("pan", pan::pan(pan::NOBODY, 720, 13)), "PAN_OUT_OF_RANGE", "pan"),
        (named(14), "", ""),
    ];
    let body = |name: &str, cards: &[String]| json!({"panListName": name, "sensitiveData": of_pans(cards)});
    let ranged = |low: &str, high: &str| json!({"panListName": "Ranged", "accountRange": {"accountRangeLow": low, "accountRangeHigh": high}});
    let wrong = pan::wrong_check_digit(&good_pan(7));
    let bodies: Vec<Body> = vec![
        (body("One", &[good_pan(20)]), "", "", &[]),
        (
            json!({"sensitiveData": of_pans(&[good_pan(21)])}),
            "FIELD_MISSING",
            "pan_list_name",
            &["invalid.data: panListName", "must not be null or empty"],
        ),
        (
            json!({"panListId": "12345", "sensitiveData": of_pans(&[good_pan(21)])}),
            "FIELD_INVALID",
            "pan_list_id",
            &["invalid.data: panListId"],
        ),
        (body("Mangled", &["5.23E+15".into()]), "PAN_MANGLED", "pan", &[]),
        (body("Format", &["2303-7700-0332".into()]), "PAN_FORMAT", "pan", &[]),
        (body("Length", &["1234567890".into()]), "PAN_LENGTH", "pan", &[]),
        (body("Luhn", &[wrong]), "PAN_LUHN", "pan", &[]),
        (
            json!({"panListId": "999999999999999999", "sensitiveData": of_pans(&[good_pan(21)])}),
            "LIST_UNKNOWN",
            "pan_list_id",
            &[],
        ),
        (body("Gold_9", &[good_pan(21), good_pan(22)]), "LIST_NAME_INVALID", "pan_list_name", &[]),
        (json!({"panListName": "Nothing"}), "PANS_OR_RANGE_MISSING", "pan", &[]),
        (
            ranged("2303", &other("9")),
            "RANGE_INVALID",
            "account_range_low",
            &["invalid.data: accountRange.accountRangeLow"],
        ),
        (ranged(&other("9"), &other("0")), "RANGE_INVALID", "", &["invalid.accountRange", "Account range not valid"]),
        (
            ranged(&other("0"), &other("9")),
            "RANGE_UNKNOWN",
            "account_range_low",
            &["invalid.accountRange", "Account range not valid"],
        ),
        (body("Alien", &[pan::pan(pan::NOBODY, 720, 21)]), "PAN_OUT_OF_RANGE", "pan", &[]),
    ];
    vec![rows(world, SERVICE, "RECORDS", table), requests(world, "LINES", bodies)]
}

/// What is asked of a list that holds the PAN 0 alone.
pub(super) fn of_a_list(world: &World, id: &str) -> Vec<Sample> {
    let known = |n: u64, operation: &str, pan: String| {
        Cells::new(&format!("k-{n}")).with("operation", operation).with("pan_list_id", id).with("pan", pan)
    };
    let table: Vec<Case> = vec![
        (known(0, "REGISTER", good_pan(0)), "ALREADY_IN_LIST", "pan"),
        (known(1, "DEREGISTER", good_pan(14)), "NOT_IN_LIST", "pan"),
        (known(2, "DEREGISTER", good_pan(99)), "NOT_REGISTERED", "pan"),
        (known(3, "REGISTER", String::new()), "PANS_MISSING", "pan"),
    ];
    let body = |operation: &str, pan: String| json!({"operation": operation, "panListId": id, "sensitiveData": of_pans(&[pan])});
    let other = |digit: &str| format!("{}{}", pan::SHARED, digit.repeat(13));
    let another_range = json!({
        "panListId": id,
        "accountRange": {"accountRangeLow": other("0"), "accountRangeHigh": other("9")},
        "sensitiveData": of_pans(&[good_pan(98)]),
    });
    let bodies: Vec<Body> = vec![
        (body("REGISTER", good_pan(0)), "ALREADY_IN_LIST", "pan", &[]),
        (body("REGISTER", good_pan(97)), "", "", &[]),
        (body("REGISTER", good_pan(97)), "DUPLICATE_IN_FILE", "pan", &[]),
        (body("DEREGISTER", good_pan(14)), "NOT_IN_LIST", "pan", &[]),
        (body("DEREGISTER", good_pan(99)), "NOT_REGISTERED", "pan", &[]),
        (
            json!({"panListId": id}),
            "PANS_MISSING",
            "pan",
            &["invalid.pan", "To update pan list at least one pan should be present"],
        ),
        (
            json!({"operation": "DEREGISTER", "panListId": id}),
            "PANS_MISSING",
            "pan",
            &["invalid.data: pans", "pans must not be null or empty"],
        ),
        (
            another_range,
            "RANGE_UNKNOWN",
            "account_range_high",
            &["invalid.accountRange", "Invalid account range for pan list"],
        ),
    ];
    vec![rows(world, SERVICE, "KNOWN", table), requests(world, "KNOWN-LINES", bodies)]
}

fn requests(world: &World, batch: &str, bodies: Vec<Body>) -> Sample {
    let count = |body: &Value| body["sensitiveData"]["pans"].as_array().map_or(1, Vec::len);
    let records = bodies.iter().map(|(body, ..)| count(body)).sum();
    let texts: Vec<Value> = bodies.iter().map(|(body, ..)| body.clone()).collect();
    let text = json_lines("ACME", SERVICE, batch, &texts, records);
    let mut told = Vec::new();
    for (at, (body, code, field, more)) in bodies.into_iter().enumerate().filter(|(_, body)| !body.1.is_empty()) {
        told.extend((1..=count(&body)).map(|n| Told {
            record_ref: format!("{}.{n}", at + 1),
            code,
            field,
            value: String::new(),
            answers: [answers(SERVICE, code), more.to_vec()].concat(),
        }));
    }
    let name = format!("ACME_PANLISTS_{batch}.jsonl.jwe");
    Sample::sealed(world, &name, text, Said::Records { service: SERVICE, told })
}
