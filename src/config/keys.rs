//! Every key of the configuration: its kind, and, from the example, its value there and the words beside it. One source for
//! `config explain`, for the JSON Schema and for the example.

use serde_json::{Map, Value, json};

use crate::services;

use super::EXAMPLE;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    /// A path; relative ones start at the file's own directory.
    Path,
    /// As `250ms`, `5s`, `10m`, `2h`, `90d`.
    Duration,
    /// As `64KiB`, `8GiB`, or a number of bytes.
    Bytes,
    Whole(u64, u64),
    Flag,
    /// The name of a service that this version serves.
    Service,
    /// One of these.
    Word(&'static [&'static str]),
    Words(&'static [&'static str]),
    Texts,
    /// A path, `{ file = … }` or `{ credential = … }`.
    Secret,
    /// The same, or `{ command = [ … ] }`.
    SecretOrCommand,
    /// `{ from, by, days, count }`.
    Night,
    Secrets,
}

use Kind::{
    Bytes, Duration, Flag, Night, Path, Secret, SecretOrCommand, Secrets, Service, Text, Texts, Whole, Word, Words,
};

/// Path, kind, and whether it must be there. An issuer's, a feed's and a source's keys stand in arrays of tables.
const KEYS: &[(&str, Kind, bool)] = &[
    ("daemon.inbound", Path, false),
    ("daemon.outbound", Path, false),
    ("daemon.work", Path, false),
    ("daemon.archive", Path, false),
    ("daemon.quarantine", Path, false),
    ("daemon.socket", Path, false),
    ("daemon.settle", Duration, false),
    ("daemon.stalled", Duration, false),
    ("daemon.scan", Duration, false),
    ("daemon.workers", Whole(0, 1_024), false),
    ("daemon.chunk_records", Whole(1, 100), false),
    ("daemon.chunks_in_flight", Whole(1, 65_536), false),
    ("daemon.group_records_max", Whole(1, 10_000_000), false),
    ("daemon.contact", Text, false),
    ("limits.file_bytes", Bytes, false),
    ("limits.file_records", Whole(1, 1 << 26), false),
    ("limits.line_bytes", Bytes, false),
    ("limits.request_bytes", Bytes, false),
    ("limits.growth", Whole(1, 10_000), false),
    ("limits.free_bytes", Bytes, false),
    ("retention.archive", Duration, false),
    ("retention.quarantine", Duration, false),
    ("retention.outbound", Duration, false),
    ("retention.results", Duration, false),
    ("store.url", Text, true),
    ("store.cache", Bytes, false),
    ("vault.key_encryption_key", SecretOrCommand, true),
    ("reference.account_ranges", Path, true),
    ("reference.card_products", Path, false),
    ("report.daily", Text, false),
    ("report.timezone", Text, false),
    ("report.holidays", Texts, false),
    ("alarm.command", Texts, false),
    ("telemetry.log", Word(&["json", "text"]), false),
    ("issuer.id", Text, true),
    ("issuer.inbound", Path, false),
    ("issuer.outbound", Path, false),
    ("issuer.reply_key", Secret, false),
    ("issuer.reply_envelope", Word(&["jwe"]), false),
    ("issuer.enroll_client_encryption_key", Secret, false),
    ("issuer.currencies", Texts, false),
    ("issuer.seal_sensitive_data", Flag, false),
    ("feed.name", Text, true),
    ("feed.issuer", Text, true),
    ("feed.service", Service, true),
    ("feed.files", Text, true),
    ("feed.envelopes", Words(&["jwe", "mastercard", "none"]), true),
    ("feed.keys", Secrets, false),
    ("feed.format", Word(&["auto", "csv", "jsonl", "json", "d1-batch"]), false),
    ("feed.delimiter", Text, false),
    ("feed.environment", Word(&["TEST", "PROD"]), true),
    ("feed.controls", Word(&["required", "optional"]), false),
    ("feed.sequence", Word(&["off", "increasing", "gapless"]), false),
    ("feed.sequence_wait", Duration, false),
    ("feed.done_marker", Flag, false),
    ("feed.after", Texts, false),
    ("feed.expected", Night, false),
    ("feed.d1_issuer_id", Text, false),
    ("feed.jws_key", Secret, false),
    ("feed.allow_plaintext", Flag, false),
    ("feed.oaep_hash", Word(&["SHA256", "SHA512"]), false),
    ("sftp.name", Text, true),
    ("sftp.issuer", Text, true),
    ("sftp.host", Text, true),
    ("sftp.port", Whole(1, 65_535), false),
    ("sftp.user", Text, true),
    ("sftp.private_key", Secret, true),
    ("sftp.host_keys", Texts, true),
    ("sftp.inbound", Text, false),
    ("sftp.outbound", Text, false),
    ("sftp.poll", Text, false),
    ("sftp.after", Text, false),
];

/// A key as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Explained {
    /// Its path: `daemon.settle`, `feed.format`.
    pub key: &'static str,
    /// What it takes, in words.
    pub takes: String,
    /// Whether it must be there.
    pub required: bool,
    /// What stands in the example: what it would be if it were absent, or a way to set it.
    pub example: String,
    /// What it is for.
    pub words: String,
}

/// All of them, in the order of the example.
pub fn explained() -> Vec<Explained> {
    KEYS.iter()
        .map(|&(key, kind, required)| {
            let (example, words) = in_example(key).unwrap_or_default();
            Explained { key, takes: kind.words(), required, example, words }
        })
        .collect()
}

/// Value and comment of a key in the example. Comments above a key belong to it where none stands beside it.
fn in_example(key: &str) -> Option<(String, String)> {
    let (wanted, name) = key.split_once('.')?;
    let (mut section, mut above) = (String::new(), Vec::new());
    for line in EXAMPLE.lines() {
        if let Some(inside) = line.strip_prefix('[') {
            section = inside.trim_start_matches('[').split(']').next().unwrap_or_default().to_owned();
            above.clear();
            continue;
        }
        let bare = line.trim_start_matches("# ");
        if section == wanted && bare.starts_with(&format!("{name} = ")) {
            let (value, words) = bare.split_once("  #").or_else(|| bare.split_once(" #")).unwrap_or((bare, ""));
            let value = value.split_once('=')?.1.trim().to_owned();
            let words = words.trim();
            return Some((value, if words.is_empty() { above.join(" ") } else { words.to_owned() }));
        }
        match line.strip_prefix("# ") {
            Some(comment) => above.push(comment.trim().to_owned()),
            None => above.clear(),
        }
    }
    None
}

impl Kind {
    fn words(self) -> String {
        match self {
            Text => "text".to_owned(),
            Path => "a path; a relative one starts at the file's own directory".to_owned(),
            Duration => "a duration: a number and ms, s, m, h or d".to_owned(),
            Bytes => "a size: a number and KiB, MiB, GiB, TiB, kB, MB, GB or TB, or a number of bytes".to_owned(),
            Whole(low, high) => format!("a whole number, {low} to {high}"),
            Flag => "true or false".to_owned(),
            Service => format!("one of {}", served().join(", ")),
            Word(words) => format!("one of {}", words.join(", ")),
            Words(words) => format!("a list of {}", words.join(", ")),
            Texts => "a list of texts".to_owned(),
            Secret => "a path, { file = … } or { credential = … }".to_owned(),
            SecretOrCommand => "a path, { file = … }, { credential = … } or { command = [ … ] }".to_owned(),
            Night => {
                "{ from = \"HH:MM\", by = \"HH:MM\", days = \"Mon-Fri\", count = 1 }; days and count may be left out"
                    .to_owned()
            }
            Secrets => "a list of paths, { file = … } or { credential = … }".to_owned(),
        }
    }

    fn schema(self) -> Value {
        let secret = |command: bool| {
            let table = |key: &str, value: Value| json!({"type": "object", "properties": {key: value}, "required": [key], "additionalProperties": false});
            let text = || json!({"type": "string", "minLength": 1});
            let mut ways = vec![text(), table("file", text()), table("credential", text())];
            if command {
                ways.push(table("command", json!({"type": "array", "items": {"type": "string"}, "minItems": 1})));
            }
            json!({ "oneOf": ways })
        };
        match self {
            Text => json!({"type": "string"}),
            Path => json!({"type": "string", "minLength": 1}),
            Duration => json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"}),
            Bytes => json!({"oneOf": [
                {"type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)$"},
                {"type": "integer", "minimum": 0},
            ]}),
            Whole(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
            Flag => json!({"type": "boolean"}),
            Service => json!({"enum": served()}),
            Word(words) => json!({"enum": words}),
            Words(words) => json!({"type": "array", "items": {"enum": words}, "minItems": 1}),
            Texts => json!({"type": "array", "items": {"type": "string"}}),
            Secret => secret(false),
            SecretOrCommand => secret(true),
            Night => {
                let time = json!({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"});
                let properties = json!({
                    "from": time, "by": time, "days": {"type": "string"},
                    "count": {"type": "integer", "minimum": 1, "maximum": 1000},
                });
                json!({"type": "object", "properties": properties, "required": ["from", "by"], "additionalProperties": false})
            }
            Secrets => json!({"type": "array", "items": secret(false)}),
        }
    }
}

fn served() -> Vec<&'static str> {
    services::BUILT.iter().map(|service| service.view.service.as_str()).collect()
}

/// The configuration's JSON Schema (2020-12), for editors and for checks of other languages.
pub fn schema() -> Value {
    let mut sections: Vec<(&str, Map<String, Value>, Vec<&str>)> = Vec::new();
    for (&(path, kind, required), said) in KEYS.iter().zip(explained()) {
        let (section, key) = path.split_once('.').unwrap_or((path, ""));
        if sections.last().is_none_or(|(name, ..)| *name != section) {
            sections.push((section, Map::new(), Vec::new()));
        }
        let Some((_, properties, needed)) = sections.last_mut() else { continue };
        let mut schema = kind.schema();
        schema["description"] = said.words.into();
        properties.insert(key.to_owned(), schema);
        if required {
            needed.push(key);
        }
    }
    let mut properties = Map::new();
    let mut needed = Vec::new();
    for (name, keys, required) in sections {
        let is_array = matches!(name, "issuer" | "feed" | "sftp");
        if name != "sftp" && (is_array || !required.is_empty()) {
            needed.push(name);
        }
        let table = json!({"type": "object", "properties": keys, "required": required, "additionalProperties": false});
        let schema = if is_array { json!({"type": "array", "items": table, "minItems": 1}) } else { table };
        properties.insert(name.to_owned(), schema);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "nightdrop configuration",
        "description": "nightdrop.toml, as JSON",
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_example_is_here_with_its_words_and_no_other() {
        let (mut section, mut found) = (String::new(), Vec::new());
        for line in EXAMPLE.lines() {
            if let Some(inside) = line.strip_prefix('[') {
                section = inside.trim_start_matches('[').split(']').next().unwrap().to_owned();
                continue;
            }
            let bare = line.trim_start_matches("# ");
            let word = bare.split(' ').next().unwrap();
            let is_key = !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if is_key && bare[word.len()..].starts_with(" = ") {
                found.push(format!("{section}.{word}"));
            }
        }
        let keys: Vec<_> = KEYS.iter().map(|(key, ..)| (*key).to_owned()).collect();
        assert_eq!(keys, found);
        for said in explained() {
            assert!(!said.example.is_empty(), "{}: no example", said.key);
        }
    }

    #[test]
    fn the_words_and_bounds_are_those_that_the_reader_takes() {
        let at = std::path::Path::new("/etc/nightdrop/nightdrop.toml");
        let with = |key: &str, value: &str| {
            let (section, name) = key.split_once('.').unwrap();
            let mut inside = String::new();
            let lines: Vec<String> = EXAMPLE
                .lines()
                .map(|line| {
                    if let Some(found) = line.strip_prefix('[') {
                        inside = found.trim_start_matches('[').split(']').next().unwrap().to_owned();
                    }
                    let is_it = inside == section && line.trim_start_matches("# ").starts_with(&format!("{name} = "));
                    if is_it { format!("{name} = {value}") } else { line.to_owned() }
                })
                .collect();
            crate::config::Config::parse(&lines.join("\n"), at).err().unwrap_or_default()
        };
        for &(key, kind, _) in KEYS {
            let about = |problems: &[crate::config::Problem]| {
                let name = key.split_once('.').unwrap().1;
                problems.iter().any(|it| it.key.ends_with(name))
            };
            let (good, bad): (Vec<String>, Vec<String>) = match kind {
                Whole(low, high) => (vec![low.to_string(), high.to_string()], vec![(high + 1).to_string()]),
                Flag => (vec!["false".into()], vec!["1".into()]),
                Service => {
                    // The others need more than their feed.
                    let plain = services::BUILT.iter().filter(|service| service.needs.is_empty());
                    (plain.map(|it| format!("\"{}\"", it.view.service)).collect(), vec!["\"nonsense\"".into()])
                }
                Word(words) => (words.iter().map(|it| format!("\"{it}\"")).collect(), vec!["\"nonsense\"".into()]),
                Duration => (vec!["\"7s\"".into()], vec!["7".into(), "\"7\"".into()]),
                Bytes => (vec!["\"7MiB\"".into(), "7340032".into()], vec!["\"7 apples\"".into()]),
                _ => (Vec::new(), vec!["true".into()]),
            };
            // What contradicts another key (PROD with plain text, "json" with controls, a hash that nothing uses) is not this
            // key's fault.
            let contradicts = ["feed.format", "feed.environment", "feed.oaep_hash"];
            for value in good.iter().filter(|value| {
                !(contradicts.contains(&key)
                    && (value.contains("\"json\"")
                        || value.contains("d1-batch")
                        || value.contains("PROD")
                        || value.contains("SHA")
                        || value.contains("card-contracts")))
            }) {
                assert!(!about(&with(key, value)), "{key} = {value}: {:?}", with(key, value));
            }
            for value in bad {
                assert!(about(&with(key, &value)), "{key} = {value} is taken");
            }
        }
    }
}
