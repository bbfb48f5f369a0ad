//! cards: the cards of an issuer's consumers, sealed one by one or plain, through the binary.

mod codes;
mod derived;
mod register;

use std::process::Command;

use serde_json::json;

use crate::file::CsvFile;
use crate::pan;
use crate::seal::{Job, jwcrypto};
use crate::world::{Shape, World};

const COLUMNS: [&str; 10] = [
    "record_ref",
    "action",
    "event_status",
    "card_id",
    "card_product_id",
    "consumer_id",
    "state",
    "card",
    "pan",
    "expiry",
];

/// A world whose issuers have a feed for cards, and answers that can be read as they lie there.
fn world(change: impl FnOnce(&mut Shape)) -> World {
    World::shaped(|shape| {
        shape.services = vec!["cards"];
        shape.reply = false;
        change(shape);
    })
}

fn file(batch: &str) -> CsvFile {
    CsvFile::of("cards", &COLUMNS.join(","), batch)
}

/// A record: its cells by column.
#[derive(Clone)]
struct Record(Vec<(&'static str, String)>);

impl Record {
    /// A good registration of a plain card.
    fn new(record_ref: &str, card_id: &str, consumer: &str, pan: &str) -> Self {
        Self(vec![])
            .with("record_ref", record_ref)
            .with("card_id", card_id)
            .with("card_product_id", "gold")
            .with("consumer_id", consumer)
            .with("pan", pan)
            .with("expiry", "1299")
    }

    /// A deletion.
    fn delete(record_ref: &str, card_id: &str) -> Self {
        Self(vec![]).with("record_ref", record_ref).with("action", "DELETE").with("card_id", card_id)
    }

    /// The same with a cell of another value.
    fn with(mut self, column: &'static str, value: impl Into<String>) -> Self {
        self.0.retain(|(name, _)| *name != column);
        self.0.push((column, value.into()));
        self
    }

    /// The same with its card sealed.
    fn sealed(self, token: &str) -> Self {
        self.with("pan", "").with("expiry", "").with("card", token)
    }

    fn cell(&self, column: &str) -> &str {
        self.0.iter().find(|(name, _)| *name == column).map_or("", |(_, value)| value)
    }

    fn row(&self) -> String {
        COLUMNS.map(|column| self.cell(column)).join(",")
    }

    fn json(&self) -> serde_json::Value {
        self.0.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (*name, json!(value))).collect()
    }
}

/// A file of records, sealed and dropped; gives the stem.
fn drop_file(world: &World, batch: &str, records: &[Record]) -> String {
    let file = file(batch).with(|file| {
        for record in records {
            file.row(record.row());
        }
    });
    world.drop_sealed(&file)
}

/// What the store answers to a query: rows of cells, a line each.
fn stored(world: &World, query: &str) -> String {
    const SCRIPT: &str = "import sqlite3, sys; db = sqlite3.connect('file:nightdrop.db?mode=ro', uri=True); \
                          print('\\n'.join(' '.join(map(str, row)) for row in db.execute(sys.argv[1])))";
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT, query]).current_dir(world.path());
    let output = python.output().unwrap();
    assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What a card says of itself before it is sealed.
fn card(pan: &str, expiry: &str) -> String {
    json!({"pan": pan, "exp": expiry}).to_string()
}

/// Seals texts as Thales D1 has it, by jwcrypto: ECDH-ES on P-256, A256GCM.
fn sealed(world: &World, texts: &[String]) -> Vec<String> {
    let public = world.public_key("feed-ec");
    let job = |text| Job { alg: "ECDH-ES", enc: "A256GCM", kid: "feed-2", public: &public, plaintext: text };
    jwcrypto(&texts.iter().map(|text| job(text)).collect::<Vec<_>>())
}

/// A PAN of nobody's range: ranges are not checked for cards.
fn pan(n: u64) -> String {
    pan::pan(pan::NOBODY, 700, n)
}
