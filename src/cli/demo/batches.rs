//! The demo's files: good ones, bad records, and the mistakes that senders make; and a file of each service.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::cli::sample::RANGE;
use crate::cli::sample::plan::Plan;
use crate::cli::sample::text::{self, Head};
use crate::model::{ServiceName, Timestamp, hex};
use crate::open::{Recipient, Sealer};
use crate::parse::Format;
use crate::services::definition;
use crate::services::sample::{Numbers, Source};

/// A batch's parts before they are put together.
struct Batch<'a> {
    id: String,
    sequence: u32,
    created: &'a str,
    rows: String,
    records: u64,
}

impl Batch<'_> {
    fn text(&self) -> String {
        let mut text = format!(
            "HDR,1,ACME,payment-cards,{},{},{},TEST\nrecord_ref,action,pan,card_base_currency,payment_card_id\n{}",
            self.id, self.sequence, self.created, self.rows
        );
        let digest = hex(&Sha256::digest(text.as_bytes()));
        let _ = writeln!(text, "TRL,{},{digest}", self.records);
        text
    }
}

/// Seals the files and drops them; gives back their names, and what each shows.
pub(super) fn drop_all(
    inbound: &Path,
    to: &Recipient,
    now: Timestamp,
    records: u64,
) -> anyhow::Result<Vec<(String, &'static str)>> {
    let created = now.to_string();
    let numbers = Numbers::new(std::iter::once(RANGE), 0).context("the sandbox's range holds cards")?;
    let day = now.day().replace('-', "");
    let batch = |sequence: u32, rows: String, records: u64| Batch {
        id: format!("B{day}"),
        sequence,
        created: &created,
        rows,
        records,
    };
    let name = |part: &str| format!("ACME_PAYCARDS_{day}_{part}.csv.jwe");

    let good = batch(1, good_rows(&numbers, records), records).text();
    let (rows, count) = bad_rows(&numbers);
    let mixed = batch(2, rows, count).text();
    let nil = batch(3, String::new(), 0).text();
    let whole = batch(4, good_rows(&numbers, 50), 50).text();
    let cut = &whole[..whole.rfind("TRL").unwrap_or(whole.len()) - 20];
    let with_code = batch(5, String::new(), 0).text().replacen("record_ref,", "cvv2,record_ref,", 1);
    let requested = requests(&numbers, &day, &created);
    let first = numbers.pan(REQUESTED);
    let as_number = requested.replacen(&format!("\"{first}\""), &first, 1);

    let sealed = |text: &str| -> anyhow::Result<Vec<u8>> {
        let mut sealer = Sealer::new(to, Vec::new())?;
        sealer.write_all(text.as_bytes())?;
        Ok(sealer.finish()?)
    };
    let mut damaged = sealed(&whole)?;
    let middle = damaged.len() / 2;
    damaged[middle] = if damaged[middle] == b'A' { b'B' } else { b'A' };
    let files = [
        (name("1"), sealed(&good)?, "good records"),
        (name("2"), sealed(&mixed)?, "a record of each mistake, between good ones"),
        (name("3"), sealed(&nil)?, "a nil file: nothing to report tonight"),
        (name("4_cut"), sealed(cut)?, "cut off before its trailer"),
        (name("5_damaged"), damaged, "one character of the sealed file changed"),
        (name("6_cvv"), sealed(&with_code)?, "a column that must never be sent"),
        (name("7_again"), sealed(&good)?, "the first file again, sealed anew"),
        (
            name("8_requests").replace(".csv", ".jsonl"),
            sealed(&requested)?,
            "requests of the API, good and bad, a line each",
        ),
        (
            name("9_number").replace(".csv", ".jsonl"),
            sealed(&as_number)?,
            "a card number that is a number of JSON and no string",
        ),
    ];
    let mut others = Vec::new();
    for (kind, service, format, what) in OTHERS {
        let text = sampled(*service, *format, &day, &created)?;
        let ending = if *format == Format::Csv { "csv" } else { "jsonl" };
        others.push((format!("ACME_{kind}_{day}_1.{ending}.jwe"), sealed(&text)?, *what));
    }
    let seconds = now.0 / 1000;
    let d1 = d1_batch(&numbers, &day, &sealed)?;
    others.push((format!("ACME_D1-D{day}-1-{seconds}.json"), d1, "cards as a D1 batch, each sealed by itself"));
    let mut dropped = Vec::new();
    for (name, bytes, what) in files.into_iter().chain(others) {
        // As an uploader should: under a temporary name, then renamed.
        let temporary = inbound.join(format!(".{name}.tmp"));
        std::fs::write(&temporary, bytes)?;
        std::fs::rename(&temporary, inbound.join(&name))?;
        dropped.push((name, what));
    }
    Ok(dropped)
}

/// A file of each other service, good records and bad ones.
const OTHERS: &[(&str, ServiceName, Format, &str)] = &[
    ("PANLISTS", ServiceName::PanLists, Format::Jsonl, "PAN lists: requests of the API, good and bad"),
    ("CARDS", ServiceName::Cards, Format::Csv, "cards of consumers, a fifth of them with a mistake"),
    ("CONTRACTS", ServiceName::CardContracts, Format::Csv, "card contracts, a fifth of them with a mistake"),
    ("CLICKTOPAY", ServiceName::ClickToPay, Format::Csv, "enrolments by those contracts; they wait for them"),
];

fn sampled(service: ServiceName, format: Format, day: &str, created: &str) -> anyhow::Result<String> {
    let definition = definition(service).context("the service is served")?;
    let source = Source {
        numbers: Numbers::new(std::iter::once(RANGE), 0).context("the sandbox's range holds cards")?,
        range: (RANGE.0.into(), RANGE.1.into()),
        currencies: vec!["EUR".into()],
        currencies_are_limited: true,
        products: vec!["GOLD".into(), "PLAIN".into()],
        seed: 0,
        requests: format != Format::Csv,
    };
    let plan = Plan { sampling: definition.sample, source, records: 200, bad_percent: 20 };
    let batch = format!("B{day}");
    let head = Head {
        issuer: "ACME",
        service: service.as_str(),
        batch: &batch,
        sequence: 1,
        created,
        environment: "TEST",
        delimiter: ',',
    };
    let mut text = Vec::new();
    text::write(format, &head, definition.columns, &plan, &mut text)?;
    Ok(String::from_utf8(text)?)
}

/// Consumers with cards as Thales D1 has them: good ones, one that does not open, one whose id is made from its PAN.
fn d1_batch(numbers: &Numbers, day: &str, sealed: &dyn Fn(&str) -> anyhow::Result<Vec<u8>>) -> anyhow::Result<Vec<u8>> {
    let card = |n: u64, id: &str| -> anyhow::Result<_> {
        let token =
            String::from_utf8(sealed(&json!({"pan": numbers.pan(850_000_000 + n), "exp": "1232"}).to_string())?)?;
        Ok(json!({"cardId": id, "cardProductId": "GOLD", "state": "ACTIVE", "encryptedData": token}))
    };
    let row = |id: u64, cards: Vec<serde_json::Value>| {
        json!({"rowId": id, "consumerAndCardRegistrationRequest": {
            "consumerId": format!("d1-consumer-{id}"), "personalInformation": {"language": "en"}, "cards": cards,
        }})
    };
    let mut torn = card(4, "d1-card-4")?;
    torn["encryptedData"] = "eyJ.torn".into();
    let derived = numbers.pan(850_000_005);
    let rows = [
        row(1, vec![card(1, "d1-card-1")?, card(2, "d1-card-2")?]),
        row(2, vec![card(3, "d1-card-3")?, torn]),
        row(3, vec![card(5, &derived[..12])?]),
        row(4, vec![card(1, "d1-card-1")?]),
    ];
    let header = json!({
        "batchId": format!("D{day}"), "seqNumber": "1", "issuerId": "ACME_D1", "operation": "CONSUMER_CARD_REGISTRATION",
    });
    Ok(format!("{{\"header\":{header},\n\"records\":{}}}\n", serde_json::Value::from(rows.to_vec())).into_bytes())
}

fn good_rows(numbers: &Numbers, records: u64) -> String {
    let mut rows = String::new();
    for n in 0..records {
        let _ = writeln!(rows, "r-{},REGISTER,{},{},", n + 1, numbers.pan(n), if n % 3 == 0 { "USD" } else { "EUR" });
    }
    rows
}

/// A record of each mistake that payment-cards knows, with good ones between them.
fn bad_rows(numbers: &Numbers) -> (String, u64) {
    let fresh = |n: u64| numbers.pan(900_000_000 + n);
    let wrong_check_digit = {
        let good = fresh(1);
        let last = good.as_bytes()[15] - b'0';
        format!("{}{}", &good[..15], (last + 1) % 10)
    };
    let rows = [
        format!("good-1,REGISTER,{},EUR,", fresh(2)),
        format!(",REGISTER,{},EUR,", fresh(3)),
        format!("-dash,REGISTER,{},EUR,", fresh(3)),
        "no-pan,REGISTER,,EUR,".to_owned(),
        "excel,REGISTER,5.23E+15,EUR,".to_owned(),
        format!("spaces,REGISTER,{} {},EUR,", &fresh(4)[..8], &fresh(4)[8..]),
        format!("short,REGISTER,{},EUR,", &fresh(5)[..15]),
        format!("luhn,REGISTER,{wrong_check_digit},EUR,"),
        "foreign-bin,REGISTER,4111111111111111,EUR,".to_owned(),
        format!("no-currency,REGISTER,{},,", fresh(6)),
        format!("old-currency,REGISTER,{},DEM,", fresh(6)),
        format!("other-currency,REGISTER,{},JPY,", fresh(6)),
        format!("twice,REGISTER,{},EUR,", fresh(2)),
        format!("seen-before,REGISTER,{},EUR,", numbers.pan(0)),
        "unknown-card,DELETE,,,018f3c5e-7b1a-8000-8000-000000000000".to_owned(),
        format!("two-mistakes,REGISTER,{wrong_check_digit},XXQ,"),
        format!("good-2,,{},usd,", fresh(7)),
    ];
    (rows.iter().fold(String::new(), |all, row| all + row + "\n"), rows.len() as u64)
}

/// Which of the numbers comes first in requests.
const REQUESTED: u64 = 800_000_001;

/// The same service as requests of its API: a card, and arrays of them, some with mistakes.
fn requests(numbers: &Numbers, day: &str, created: &str) -> String {
    let card = |id: &str, pan: String| json!({"id": id, "fpan": pan, "cardBaseCurrency": "EUR"});
    let fresh = |n: u64| numbers.pan(REQUESTED - 1 + n);
    let many: Vec<_> = (0..101).map(|n| card(&format!("too-many-{n}"), fresh(100 + n))).collect();
    let short = fresh(4)[..12].to_owned();
    let lines = [
        json!({"header": {
            "version": 1, "issuer": "ACME", "service": "payment-cards", "batchId": format!("J{day}"), "sequence": 1,
            "created": created, "environment": "TEST",
        }}),
        card("one", fresh(1)),
        json!([
            card("two", fresh(2)),
            card("short", short),
            card("seen-before", numbers.pan(0)),
            card("three", fresh(3))
        ]),
        many.into(),
        json!([]),
    ];
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    let digest = hex(&Sha256::digest(text.as_bytes()));
    let _ = writeln!(text, "{}", json!({"trailer": {"records": 107, "sha256": digest}}));
    text
}
