//! A sealed file of any size is opened in the same memory. 2 GiB by `make test-long`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};

use openssl::sha::Sha256;
use serde_json::json;

use crate::file::hex;
use crate::json::header;
use crate::pan;
use crate::world::{World, long};

use super::bounds::measured;

/// A record that fills a line of 64 KiB, by blanks that mean nothing.
const LINE_BYTES: usize = 64 << 10;

/// The text of a file of `records` records, written without ever being held.
fn write_text(world: &World, records: u64) {
    let mut to = BufWriter::new(File::create(world.at("plain.jsonl")).unwrap());
    let mut digest = Sha256::new();
    let mut line = header("GIANT") + "\n";
    for n in 0..records {
        digest.update(line.as_bytes());
        to.write_all(line.as_bytes()).unwrap();
        line.clear();
        let pan = pan::pan(pan::ACME, 960, n);
        write!(line, "{{\"id\":\"r-{n}\",\"fpan\":\"{pan}\",\"cardBaseCurrency\":\"EUR\"").unwrap();
        line.extend(std::iter::repeat_n(' ', LINE_BYTES - line.len() - 2));
        line.push_str("}\n");
    }
    digest.update(line.as_bytes());
    to.write_all(line.as_bytes()).unwrap();
    writeln!(to, "{}", json!({"trailer": {"records": records, "sha256": hex(&digest.finish())}})).unwrap();
    to.flush().unwrap();
}

#[test]
fn a_sealed_file_of_2_gib_opens_in_flat_memory() {
    let records = if long() { 24_600 } else { 500 };
    let world = World::shaped(|shape| shape.reply = false);
    write_text(&world, records);
    let name = "inbound/ACME_PAYCARDS_GIANT.jsonl.jwe";
    world.nightdrop(&["seal", "plain.jsonl", "--to", "keys/feed.pub.jwk", "--out", name]).expect(0);
    fs::remove_file(world.at("plain.jsonl")).unwrap();
    let bytes = fs::metadata(world.at(name)).unwrap().len();
    assert!(bytes > if long() { 2 << 30 } else { 40 << 20 }, "{bytes}");

    let run = |args: &[&str]| {
        let binary = std::iter::once(&env!("CARGO_BIN_EXE_nightdrop")).chain(args);
        let ran = measured(&world, &[binary.map(|&word| word.to_owned()).collect()], 1).remove(0);
        assert_eq!(ran["code"], json!(0), "{args:?}: {ran}");
        let kib = ran["kib"].as_u64().unwrap();
        eprintln!(
            "{} MiB, {}: {} MiB, {:.1} s of processor",
            bytes >> 20,
            args[0],
            kib >> 10,
            ran["cpu"].as_f64().unwrap()
        );
        kib
    };
    let opened = run(&["unseal", name, "--key", "keys/feed.jwk"]);
    let registered = run(&["once", "--config", "nightdrop.toml"]);
    assert!(opened > 0 && opened < 64 << 10, "{opened} KiB to open it");
    assert!(registered > 0 && registered < 256 << 10, "{registered} KiB to register it");
    assert_eq!(world.out().recon("ACME_PAYCARDS_GIANT").trailer, [records, records, 0, 0, 0, 0]);
}
