//! A night's files of every service, in which much depends on the order of records: what comes twice, what is taken out again,
//! what an earlier night left, what is bad between them.

use serde_json::{Value, json};

use crate::cells::{Cells, csv_file, json_lines};
use crate::pan;
use crate::world::{World, kind};

/// The feed of a night's D1 batch, beside those of the services.
pub(crate) const D1_FEED: &str = r#"
[[feed]]
name = "acme-cards-d1"
issuer = "ACME"
service = "cards"
files = "ACME_D1-*"
envelopes = ["jwe"]
keys = ["keys/feed.jwk", "keys/feed-ec.jwk"]
format = "d1-batch"
d1_issuer_id = "ACME_D1"
environment = "TEST"
"#;

/// The services that a night has files of, in the order of their feeds.
pub(crate) const SERVICES: [&str; 5] = ["payment-cards", "pan-lists", "cards", "card-contracts", "click-to-pay"];

/// What nights before this one left for it to refer to.
#[derive(Clone, Default)]
pub(crate) struct Before {
    /// Payment cards' ids.
    pub(crate) payment_cards: Vec<String>,
    /// Lists' ids.
    pub(crate) lists: Vec<String>,
}

impl Before {
    /// What a night left, as its recons tell it.
    pub(crate) fn of(world: &World, files: &[File]) -> Self {
        let given = |service: &str, column: &str| {
            let mut ids: Vec<String> = Vec::new();
            for file in files.iter().filter(|file| file.service == service) {
                let recon = world.out().recon(&file.stem);
                ids.extend(recon.rows.iter().map(|row| row[column].to_owned()).filter(|id| !id.is_empty()));
            }
            ids.dedup();
            ids
        };
        Self { payment_cards: given("payment-cards", "payment_card_id"), lists: given("pan-lists", "pan_list_id") }
    }
}

/// A file of a night.
pub(crate) struct File {
    pub(crate) service: &'static str,
    pub(crate) stem: String,
    pub(crate) records: u64,
    name: String,
    text: String,
}

impl File {
    /// Seals and drops it.
    pub(crate) fn drop_into(&self, world: &World) {
        world.drop_bytes(&self.name, world.sealed(&self.text));
    }

    /// The cells of each row of CSV.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        let rows = self.text.lines().skip(2).filter(|row| !row.starts_with("TRL,"));
        rows.map(|row| row.split(',').map(str::to_owned).collect()).collect()
    }
}

/// The `n`th night: a file a service, of so many records, and a D1 batch of fewer. The world's keys seal what is sealed by itself.
pub(crate) fn files(world: &World, n: u64, records: u64, before: &Before) -> Vec<File> {
    let rows = |service: &'static str, row: &dyn Fn(u64) -> Cells| {
        let cells: Vec<_> = (0..records).map(row).collect();
        let file = csv_file("ACME", service, &format!("N{n:04}"), &cells);
        File { service, stem: file.stem(), records, name: file.name(), text: file.text() }
    };
    vec![
        rows("payment-cards", &|at| payment_card(n, at, before)),
        lists(n, records, before),
        rows("cards", &|at| card(n, at)),
        rows("card-contracts", &|at| contract(n, at)),
        rows("click-to-pay", &|at| enrolment(n, at)),
        d1_batch(world, n, records / 5),
    ]
}

/// The PAN of a record, shared with none of another night's.
fn own(n: u64, at: u64) -> String {
    pan::pan(pan::ACME, 800 + n, at)
}

/// One that the night before had, or this one where there is none before.
fn earlier(n: u64, at: u64) -> String {
    own(n.saturating_sub(1), at)
}

fn payment_card(n: u64, at: u64, before: &Before) -> Cells {
    let new = Cells::new(&format!("r-{at}")).with("pan", own(n, at)).with("card_base_currency", "EUR");
    match at % 20 {
        3 => new.with("pan", own(n, at - 1)),
        5 => new.with("pan", own(n, at / 2)),
        7 => new.with("pan", "5.23E+15").with("card_base_currency", "EURO"),
        11 => new.with("pan", earlier(n, at + 1)).with("card_base_currency", "USD"),
        13 => match before.payment_cards.get(usize::try_from(at).unwrap()) {
            Some(id) => Cells::new(&format!("r-{at}")).with("action", "DELETE").with("payment_card_id", id),
            None => new,
        },
        _ => new,
    }
}

/// Requests of 1 to 290 PANs: new lists, more for lists of the night before, PANs out of them again.
fn lists(n: u64, records: u64, before: &Before) -> File {
    let (mut requests, mut at) = (Vec::new(), 0);
    while at < records {
        let which = requests.len();
        let count = [290, 1, 110, 30][which % 4].min(records - at);
        let pan_of = |at: u64| match at % 10 {
            3 => own(n, at - 1),
            6 => pan::wrong_check_digit(&own(n, at)),
            8 => earlier(n, at + 1),
            _ => own(n, at),
        };
        let some = before.lists.len().min(4);
        let known =
            (some > 0 && which % 3 != 0).then(|| &before.lists[if which % 3 == 1 { 0 } else { which / 3 % some }]);
        let out = which % 3 == 2;
        // What the first lists of the night before hold, in no order.
        let theirs = |at: u64| earlier(n, at * 37 % 400);
        let pans: Vec<Value> = (at..at + count)
            .map(|at| if known.is_some() && (out || at % 4 == 1) { theirs(at) } else { pan_of(at) })
            .map(|pan| json!({"pan": pan}))
            .collect();
        let pans = json!({"pans": pans});
        requests.push(match known {
            Some(id) if out => json!({"operation": "DEREGISTER", "panListId": id, "sensitiveData": pans}),
            Some(id) => json!({"panListId": id, "sensitiveData": pans}),
            None => json!({"panListName": format!("Night {n}"), "sensitiveData": pans}),
        });
        at += count;
    }
    let (low, high) = (format!("{}0000000", pan::ACME), format!("{}9999999", pan::ACME));
    let alone = json!({"accountRangeLow": low, "accountRangeHigh": high});
    requests.push(json!({"panListName": "A range alone", "accountRange": alone}));
    let records = records + 1;
    let batch = format!("N{n:04}");
    let text = json_lines("ACME", "pan-lists", &batch, &requests, usize::try_from(records).unwrap());
    let stem = format!("ACME_{}_{batch}", kind("pan-lists"));
    File { service: "pan-lists", name: format!("{stem}.jsonl.jwe"), stem, records, text }
}

fn card(n: u64, at: u64) -> Cells {
    let id = |n: u64, at: u64| format!("card-{n}-{at}");
    let new = Cells::new(&format!("r-{at}"))
        .with("card_id", id(n, at))
        .with("card_product_id", "gold")
        .with("consumer_id", format!("consumer-{}", at / 3))
        .with("pan", own(n, at))
        .with("expiry", "1299");
    let delete = |id: String| Cells::new(&format!("r-{at}")).with("action", "DELETE").with("card_id", id);
    match at % 20 {
        2 => new.with("card_id", id(n, at - 1)),
        4 => new.with("pan", own(n, at - 1)),
        6 => delete(id(n, at - 1)),
        7 => new.with("pan", own(n, at - 2)),
        9 => delete(id(n.saturating_sub(1), at + 1)),
        11 => new.with("pan", earlier(n, at - 1)),
        13 => new.with("action", "TOKENIZED").with("event_status", "DECLINED"),
        15 => new.with("action", "ORDERED").with("consumer_id", format!("consumer-{n}-{at}")),
        17 => new.with("card_product_id", "silver"),
        _ => new,
    }
}

/// Consumers of no card to five: chunks end within rows. Some cards are those of CSV, or of the night before.
fn d1_batch(world: &World, n: u64, records: u64) -> File {
    let card = |at: u64| {
        let token = |pan: String| world.sealed(&json!({"pan": pan, "exp": "1299"}).to_string());
        let (id, pan) = (format!("d1-{n}-{at}"), own(n, 500_000 + at));
        let (id, token) = match at % 10 {
            1 => (format!("d1-{n}-{}", at - 1), token(pan)),
            3 => (id, token(own(n, 500_000 + at - 1))),
            5 => (id, token(own(n, at))),
            6 => (id, "eyJ.torn".to_owned()),
            7 => (format!("d1-{}-{}", n.saturating_sub(1), at + 1), token(earlier(n, 500_000 + at + 1))),
            _ => (id, token(pan)),
        };
        json!({"cardId": id, "cardProductId": "gold", "encryptedData": token})
    };
    let (mut rows, mut at) = (Vec::new(), 0);
    while at < records {
        let count = (rows.len() as u64 % 6).min(records - at);
        let cards: Vec<Value> = (at..at + count).map(card).collect();
        let asked = json!({"consumerId": format!("consumer-{}", at / 2), "cards": cards});
        rows.push(json!({"rowId": 3 * rows.len(), "consumerAndCardRegistrationRequest": asked}));
        // A row without cards is a record, too.
        at += count.max(1);
    }
    let header = json!({"batchId": format!("D{n:04}"), "seqNumber": "1", "issuerId": "ACME_D1",
                        "operation": "CONSUMER_CARD_REGISTRATION"});
    let text = format!("{{\"header\":{header},\n\"records\":{}}}", Value::from(rows));
    let stem = format!("ACME_D1-D{n:04}-1-1764000000");
    File { service: "cards", name: format!("{stem}.json.jwe"), stem, records, text }
}

fn contract(n: u64, at: u64) -> Cells {
    let new = Cells::new(&format!("r-{at}"))
        .with("card_contract_id", format!("contract-{}-{at}", n / 2))
        .with("pan", own(n / 2, at))
        .with("expiry", "1299")
        .with("card_product_id", "gold")
        .with("status", "ACTIVE");
    let before = |new: Cells, by: u64| {
        new.with("card_contract_id", format!("contract-{}-{}", n / 2, at - by)).with("pan", own(n / 2, at - by))
    };
    match at % 20 {
        3 => before(new, 1),
        5 => before(new, 1).with("status", "BLOCKED"),
        7 => before(new, 1).with("pan", own(n / 2, at)),
        9 => new.with("expiry", "1399"),
        11 => before(new, 5).with("expiry", "1298").with("status", "CLOSED"),
        13 if n % 2 == 1 => new.with("card_product_id", "plain"),
        15 if n % 2 == 1 => new.with("status", "INACTIVE"),
        17 if n % 2 == 1 => new.with("expiry", "0125"),
        _ => new,
    }
}

/// Of the contracts of the same night: known consumers and new ones, by e-mail and by an id of the issuer's.
fn enrolment(n: u64, at: u64) -> Cells {
    let contract = |at: u64| format!("contract-{}-{at}", n / 2);
    let new = Cells::new(&format!("r-{n}-{at}"))
        .with("card_contract_id", contract(at))
        .with("src_client_id", "c2b2a3f0-6a7e-4d6b-9a0c-0f1e2d3c4b5a")
        .with("service_id", "SRC#1")
        .with("email", format!("person-{}@example.com", at / 2))
        .with("first_name", "Jane")
        .with("last_name", "Doe")
        .with("locale", "de-AT")
        .with("country", "AT")
        .with("privacy_version", "v1")
        .with("tnc_version", "v1")
        .with("accepted_at", "2026-11-19T08:00:00Z");
    match at % 20 {
        9 => new.with("email", format!("Night-{n}@example.com")),
        10 => new.with("email", "nobody"),
        19 => new.with("card_contract_id", contract(at - 1)),
        _ if at.is_multiple_of(4) => new.with("external_consumer_id", format!("customer-{n}-{}", at / 8)),
        _ => new,
    }
}

/// All that a world says of a file, by name, without what may differ from run to run: times, and what is sealed anew.
pub(crate) fn told(world: &World, file: &File) -> Vec<(String, Vec<u8>)> {
    let out = world.out();
    let mut told = Vec::new();
    for end in [".recon.csv", ".errors.csv", ".response.jsonl", ".enroll.jsonl", ".notifications.jsonl", "_OUT.json"] {
        let name = format!("{}{end}", file.stem);
        if out.has(&out.as_written(&name)) {
            let content = out.content(&name);
            let timed = file.service == "click-to-pay" && end.ends_with(".jsonl");
            told.push((name, if timed { timeless(&content) } else { content }));
        }
    }
    let mut summary: Value = serde_json::from_slice(&out.timeless_summary(&file.stem)).unwrap();
    if file.service == "click-to-pay" {
        for listed in summary["outbound"].as_array_mut().unwrap() {
            if listed["name"].as_str().unwrap().ends_with(".jsonl") {
                listed.as_object_mut().unwrap().remove("content_sha256");
            }
        }
    }
    told.push(("summary".to_owned(), serde_json::to_vec_pretty(&summary).unwrap()));
    told
}

/// Lines of JSON without times and without what is sealed.
fn timeless(content: &[u8]) -> Vec<u8> {
    let mut text = String::new();
    for line in std::str::from_utf8(content).unwrap().lines() {
        let mut value: Value = serde_json::from_str(line).unwrap();
        for (within, member) in [
            ("", "at"),
            ("", "cardData"),
            ("/maskedCard", "dateOfCardCreated"),
            ("/maskedConsumer", "dateConsumerAdded"),
        ] {
            let gone = value.pointer_mut(within).and_then(|it| it.as_object_mut()).and_then(|it| it.remove(member));
            // That it is there is the same in every run.
            text.push(if gone.is_some() { '+' } else { '-' });
        }
        text.push_str(&format!(" {value}\n"));
    }
    text.into_bytes()
}

/// How many rows each table of a world's store has that holds what was registered.
pub(crate) fn counts(world: &World) -> String {
    const SCRIPT: &str = "
import sqlite3
db = sqlite3.connect('nightdrop.db')
names = [name for (name,) in db.execute(\"SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name\")]
for name in names:
    # Rows of movements are of the minutes in which they came; their sums are not. Fingerprints are held by commits.
    if name not in ('audit', 'chunk', 'meta', 'movement', 'reference_data') and not name.startswith(('sqlite_', '_sqlx', 'fingerprint_')):
        print(name, db.execute(f'SELECT count(*) FROM \"{name}\"').fetchone()[0])
print('moved', db.execute('SELECT service, sum(added), sum(removed) FROM movement GROUP BY 1 ORDER BY 1').fetchall())
print('references', db.execute('SELECT sum(references_held) FROM vault_card').fetchone()[0])
";
    let mut python = std::process::Command::new("python3");
    let counted = python.args(["-c", SCRIPT]).current_dir(world.path()).output().unwrap();
    assert!(counted.status.success(), "{}", String::from_utf8_lossy(&counted.stderr));
    String::from_utf8(counted.stdout).unwrap()
}
