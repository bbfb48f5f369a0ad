//! Every code of the contract, seen to come out where its readers look for it: ack, recon, errors, and the response to JSON.
//!
//! The table is the samples: files that are dropped together, each with what must be said of it. Two starts of the daemon serve
//! all of them. What this cannot show stands in [`ELSEWHERE`].

mod contract;
mod files;
mod lists;
mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::file::CsvFile;
use crate::outbound::{Outbound, Row};
use crate::world::World;

/// Codes that this table cannot show, and the test that does.
const ELSEWHERE: [(&str, &str); 3] = [
    ("POISONED", "tests/faults/poison.rs"),
    ("SIGNATURE_MISSING", "tests/suite/d1_batch.rs"),
    ("SIGNATURE_INVALID", "tests/suite/d1_batch.rs"),
];

/// A file and what must be said of it.
struct Sample {
    name: String,
    bytes: Vec<u8>,
    said: Said,
}

enum Said {
    /// The code, and the line if it has one.
    Refused(&'static str, Option<u64>),
    /// It is the file before it once more.
    Duplicate,
    /// It is accepted, and of its records these are the ones that have a code.
    Records { service: &'static str, told: Vec<Told> },
}

/// What must be said of a record.
#[derive(Default)]
struct Told {
    record_ref: String,
    code: &'static str,
    /// The field that its first failure names.
    field: &'static str,
    /// What stood in that field.
    value: String,
    /// Words that must stand in the answer to its request.
    answers: Vec<&'static str>,
}

impl Sample {
    fn of(name: &str, bytes: impl Into<Vec<u8>>, said: Said) -> Self {
        Self { name: name.to_owned(), bytes: bytes.into(), said }
    }

    fn sealed(world: &World, name: &str, text: impl AsRef<[u8]>, said: Said) -> Self {
        Self::of(name, world.sealed_bytes(text.as_ref()), said)
    }

    fn stem(&self) -> &str {
        let name = self.name.strip_suffix(".jwe").unwrap_or(&self.name);
        [".csv", ".jsonl", ".json"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
    }

    /// Whether it is sealed, well or badly; what is not is kept nowhere on a feed that takes no plain text.
    fn is_token(&self) -> bool {
        self.bytes.starts_with(b"eyJ") && self.bytes.iter().filter(|byte| **byte == b'.').count() == 4
    }

    /// The codes it shows, with the service of those that a record has.
    fn shows(&self) -> Vec<(&'static str, &'static str)> {
        match &self.said {
            Said::Refused(code, _) => vec![("", *code)],
            Said::Duplicate => vec![("", "DUPLICATE_FILE")],
            Said::Records { service, told } => told.iter().map(|told| (*service, told.code)).collect(),
        }
    }
}

/// A world in which every code can come about.
fn world() -> World {
    World::shaped(|shape| {
        shape.reply = false;
        shape.services = vec!["payment-cards", "pan-lists", "cards", "card-contracts", "click-to-pay"];
        shape.limits = files::LIMITS;
        shape.more = files::MORE_FEEDS;
    })
}

fn samples(world: &World) -> Vec<Sample> {
    [files::samples(world), records::samples(world)].into_iter().flatten().collect()
}

/// A code as the binary explains it.
struct Explained {
    level: String,
    owner: String,
    recoverable: bool,
    remedy: String,
}

/// All codes that there are, by the binary's own account.
fn explained(world: &World) -> BTreeMap<String, Explained> {
    // The answer to a word that is like none of them names them all.
    let all = world.nightdrop(&["explain", "0"]).expect(2).stderr;
    let words = all.split_once("the codes are: ").unwrap_or_else(|| panic!("the codes are not listed: {all}")).1;
    words
        .trim()
        .split(", ")
        .map(|word| {
            let said: Value =
                serde_json::from_slice(&world.nightdrop(&["explain", word, "--json"]).expect(0).stdout).unwrap();
            let text = |member: &str| said[member].as_str().unwrap().to_owned();
            let explained = Explained {
                level: text("level"),
                owner: text("owner"),
                recoverable: said["recoverable"].as_bool().unwrap(),
                remedy: text("remedy"),
            };
            (word.to_owned(), explained)
        })
        .collect()
}

#[test]
fn every_code_comes_out_where_its_readers_look_for_it() {
    let world = world();
    let explained = explained(&world);
    let mut samples = samples(&world);
    // The cards of the refused files in a good file, which comes last: it finds none of them registered.
    let untouched = [CsvFile::good("zz-good-1", 20, 3), CsvFile::good("zz-good-2", 82, 3)];
    for file in &untouched {
        let said = Said::Records { service: "payment-cards", told: Vec::new() };
        samples.push(Sample::sealed(&world, &file.name(), file.text(), said));
    }
    let drop_all = |samples: &[Sample]| {
        for sample in samples {
            world.drop_bytes(&sample.name, &sample.bytes);
        }
    };
    drop_all(&samples);
    world.once().expect(3);
    let out = world.out();
    let list = out.recon(records::LIST_STEM).rows[0]["pan_list_id"].to_owned();
    let later = records::of_a_list(&world, &list);
    drop_all(&later);
    world.once().expect(4);
    samples.extend(later);

    let mut kept = Vec::new();
    for sample in &samples {
        match &sample.said {
            Said::Refused(code, line) => {
                expect_refused(&out, sample, code, *line);
                kept.extend((*code != "SAD_PRESENT" && sample.is_token()).then_some(&sample.name));
            }
            Said::Duplicate => {
                let ack = out.ack(sample.stem());
                assert_eq!((&ack["status"], &ack["code"]), (&"DUPLICATE".into(), &"DUPLICATE_FILE".into()), "{ack}");
            }
            Said::Records { told, .. } => expect_told(&out, sample, told, &explained),
        }
    }
    assert_eq!(world.waiting(), [""; 0], "originals are removed, of refused files, too");
    let quarantined = world.kept_in("quarantine");
    for name in &kept {
        let set_aside = |path: &Path| path.file_name().unwrap().to_string_lossy().ends_with(name.as_str());
        assert!(quarantined.iter().any(|path| set_aside(path)), "{name} was not set aside");
    }
    assert!(!quarantined.iter().any(|path| path.to_string_lossy().ends_with("_SAD.csv.jwe")), "{quarantined:?}");
}

fn expect_refused(out: &Outbound<'_>, sample: &Sample, code: &str, line: Option<u64>) {
    let ack = out.refused(sample.stem(), code);
    assert!(line.is_none_or(|line| ack["line"] == line), "{}: line {line:?}: {ack}", sample.name);
    let description = ack["description"].as_str().unwrap().to_owned();
    expect_sentence(&sample.name, &description);
    for repeated in ["2303", "5555", "987", "DEM", "colour"] {
        assert!(!description.contains(repeated), "{}: the ack repeats a value: {ack}", sample.name);
    }
}

fn expect_told(out: &Outbound<'_>, sample: &Sample, told: &[Told], explained: &BTreeMap<String, Explained>) {
    let stem = sample.stem();
    out.accepted(stem);
    let recon = out.recon(stem);
    let errors = if out.has_errors(stem) { out.errors(stem) } else { Vec::new() };
    let answers = response(out, stem);
    let mut coded: Vec<&Row> = recon.rows.iter().filter(|row| !row["code"].is_empty()).collect();
    for told in told {
        let what = format!("{}: {} {}", sample.name, told.record_ref, told.code);
        let of_it = |row: &&Row| row["record_ref"] == told.record_ref && row["code"] == *told.code;
        let at = coded.iter().position(of_it).unwrap_or_else(|| panic!("{what} is not told; there are {coded:?}"));
        let row = coded.remove(at);
        let (outcome, again) = (contract::outcome(told.code), contract::recoverable(told.code));
        assert_eq!((&row["outcome"], &row["recoverable"]), (outcome, again), "{what}");
        if told.code.starts_with("PAN_") && told.code != "PAN_RETIRED" && told.code != "PAN_OUT_OF_RANGE" {
            assert_eq!(&row["pan_masked"], "", "{what}: a value that failed its rule is shown");
        }
        let same = |error: &&Row| {
            let same = ["line", "record_ref"].map(|column| error[column] == row[column]);
            same == [true; 2] && error["code"] == *told.code
        };
        let error = errors.iter().find(same);
        match (outcome, error) {
            ("REJECTED", Some(error)) => expect_error(&what, error, row, told, &explained[told.code]),
            ("REJECTED", None) => panic!("{what} is not among the errors"),
            (_, error) => assert!(error.is_none(), "{what}: what was there before is no error"),
        }
        if !told.answers.is_empty() {
            // The header is the first line; of all others each is a request.
            let line: usize = row["line"].parse().unwrap();
            let mut words = Vec::new();
            strings(&answers[line - 2], &mut words);
            for word in &told.answers {
                assert!(words.contains(word), "{what}: `{word}` is not in the answer {}", answers[line - 2]);
            }
        }
    }
    assert!(coded.is_empty(), "{}: codes that nobody asked for: {coded:?}", sample.name);
    let summary = out.summary(stem);
    for (code, count) in summary["codes"].as_object().unwrap() {
        let counted = told.iter().filter(|told| told.code == code).count();
        assert_eq!(*count, counted, "{}: {code} in the summary", sample.name);
    }
}

fn expect_error(what: &str, error: &Row, row: &Row, told: &Told, explained: &Explained) {
    assert_eq!(&error["field"], told.field, "{what}: the field");
    for column in ["recoverable", "pan_masked"] {
        assert_eq!(&error[column], &row[column], "{what}: {column}");
    }
    assert_eq!(&error["owner"], explained.owner, "{what}: the owner");
    assert_eq!(&error["remedy"], explained.remedy, "{what}: the remedy");
    expect_sentence(what, &error["description"]);
    if !told.value.is_empty() {
        let repeated =
            ["record_ref", "field", "description", "remedy"].map(|column| error[column].contains(&told.value));
        assert_eq!(repeated, [false; 4], "{what}: the value `{}` is repeated: {error:?}", told.value);
    }
}

/// One plain sentence.
fn expect_sentence(what: &str, text: &str) {
    let begins = text.starts_with(|first: char| first.is_ascii_uppercase());
    assert!(begins && text.ends_with('.') && !text.contains('\n'), "{what}: no sentence: {text:?}");
}

/// The answers to a file's requests, if it came as requests.
fn response(out: &Outbound<'_>, stem: &str) -> Vec<Value> {
    let name = format!("{stem}.response.jsonl");
    if !out.has(&name) {
        return Vec::new();
    }
    let text = String::from_utf8(out.content(&name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All texts in a value.
fn strings<'v>(value: &'v Value, into: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => into.push(text),
        Value::Array(values) => values.iter().for_each(|value| strings(value, into)),
        Value::Object(members) => members.values().for_each(|value| strings(value, into)),
        _ => {}
    }
}

#[test]
fn no_code_is_without_a_case() {
    let world = world();
    let shown: BTreeSet<_> = samples(&world)
        .into_iter()
        .chain(records::of_a_list(&world, "123456789012345678"))
        .flat_map(|sample| sample.shows())
        .collect();
    let elsewhere: BTreeSet<_> = ELSEWHERE.iter().map(|(code, _)| ("", *code)).collect();
    for (code, test) in ELSEWHERE {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(test)).unwrap();
        assert!(text.contains(&format!("\"{code}\"")), "{test} is to show {code} and does not speak of it");
    }
    // What the contract lists.
    let mut listed: BTreeSet<_> = contract::FILE.iter().map(|code| ("", *code)).collect();
    for (service, codes) in &contract::RECORD {
        listed.extend(codes.iter().copied().flatten().map(|code| (*service, *code)));
    }
    let missing: Vec<_> = listed.iter().filter(|it| !shown.contains(*it) && !elsewhere.contains(*it)).collect();
    assert!(missing.is_empty(), "codes of the contract without a case: {missing:?}");
    let beyond: Vec<_> = shown.difference(&listed).collect();
    assert!(beyond.is_empty(), "cases of what the contract does not list: {beyond:?}");
    // What the binary knows, and what it says of it.
    let explained = explained(&world);
    let all = contract::RECORD.iter().flat_map(|(_, codes)| codes.iter().copied().flatten().copied());
    let of_contract: BTreeSet<_> = contract::FILE.into_iter().chain(all).collect();
    let of_binary: BTreeSet<_> = explained.keys().map(String::as_str).collect();
    assert_eq!(of_binary, of_contract, "the binary's codes are the contract's");
    for (code, said) in &explained {
        let file = contract::FILE.contains(&code.as_str());
        assert_eq!(said.level, if file { "file" } else { "record" }, "{code}");
        assert!(file || said.recoverable.to_string() == contract::recoverable(code), "{code}: recoverable");
        assert!(["sender", "operator"].contains(&said.owner.as_str()), "{code}: {}", said.owner);
    }
}
