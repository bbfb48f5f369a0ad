//! The configuration as written: section by section, each value right by itself or absent.
//!
//! Which values go together is decided next door. A required value that is absent or wrong has been noted already.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::{EnvelopeKind, Environment, Limits, OaepHash, Retention, ServiceName, currency};
use crate::services::BUILT;
use crate::telemetry::LogFormat;

use crate::calendar::{Calendar, Daily, Expected};

use super::SecretSource;
use super::days;
use super::decided::{Controls, Daemon, Format, Sequence};
use super::quantity::{bytes, duration};
use super::reader::{Section, Value};
use super::source::{WrittenSource, source};

pub(super) struct Written<'d> {
    pub(super) root: Section<'d>,
    pub(super) inbound: PathBuf,
    pub(super) outbound: PathBuf,
    pub(super) daemon: Daemon,
    pub(super) daemon_section: Section<'d>,
    pub(super) limits: Limits,
    pub(super) retention: Retention,
    pub(super) store_path: Option<PathBuf>,
    pub(super) store_section: Section<'d>,
    pub(super) cache_bytes: u64,
    pub(super) key_encryption_key: Option<SecretSource>,
    pub(super) vault_section: Section<'d>,
    pub(super) account_ranges: Option<PathBuf>,
    pub(super) card_products: Option<PathBuf>,
    pub(super) daily: Option<Daily>,
    pub(super) calendar: Calendar,
    pub(super) alarm_command: Option<Vec<String>>,
    pub(super) log: LogFormat,
    pub(super) issuers: Vec<WrittenIssuer<'d>>,
    pub(super) feeds: Vec<WrittenFeed<'d>>,
    pub(super) sources: Vec<WrittenSource<'d>>,
}

pub(super) struct WrittenIssuer<'d> {
    pub(super) section: Section<'d>,
    pub(super) id: Option<String>,
    pub(super) inbound: Option<PathBuf>,
    pub(super) outbound: Option<PathBuf>,
    pub(super) reply_key: Option<SecretSource>,
    pub(super) reply_envelope: EnvelopeKind,
    pub(super) enroll_client_encryption_key: Option<SecretSource>,
    pub(super) currencies: Option<Vec<String>>,
    pub(super) seal_sensitive_data: bool,
}

pub(super) struct WrittenFeed<'d> {
    pub(super) section: Section<'d>,
    pub(super) name: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) service: Option<ServiceName>,
    pub(super) files: Option<String>,
    pub(super) envelopes: Option<Vec<EnvelopeKind>>,
    pub(super) keys: Option<Vec<SecretSource>>,
    pub(super) format: Format,
    pub(super) delimiter: u8,
    pub(super) environment: Option<Environment>,
    pub(super) controls: Controls,
    pub(super) sequence: Sequence,
    pub(super) sequence_wait: Duration,
    pub(super) done_marker: bool,
    pub(super) d1_issuer_id: Option<String>,
    pub(super) jws_key: Option<SecretSource>,
    pub(super) after: Vec<String>,
    pub(super) expected: Option<Expected>,
    pub(super) allow_plaintext: bool,
    pub(super) oaep_hash: OaepHash,
}

/// What a configuration must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To run the daemon: everything.
    Daemon,
    /// To check a file at a partner's: neither a store nor a vault, and no private keys.
    Kit,
}

pub(super) fn read<'d>(root: Section<'d>, purpose: Purpose) -> Written<'d> {
    let daemon_section = root.section("daemon");
    let (inbound, outbound, daemon) = daemon(&daemon_section);
    let limits = limits(&root.section("limits"));
    let retention = retention(&root.section("retention"));
    let store_section = root.section("store");
    let store_path = match purpose {
        Purpose::Daemon => store_section.required("url", store_url),
        Purpose::Kit => store_section.optional("url", store_url),
    };
    let cache_bytes = store_section.or("cache", 64 << 20, |it| bytes(it, 1 << 20, 1 << 40));
    store_section.refuse_unknown();
    let vault_section = root.section("vault");
    let key_encryption_key = match purpose {
        Purpose::Daemon => vault_section.required("key_encryption_key", |it| secret(it, true)),
        Purpose::Kit => vault_section.optional("key_encryption_key", |it| secret(it, true)),
    };
    vault_section.refuse_unknown();
    let reference = root.section("reference");
    let account_ranges = reference.required("account_ranges", Value::path);
    let card_products = reference.optional("card_products", Value::path);
    reference.refuse_unknown();
    let report = root.section("report");
    let daily = days::daily(&report);
    let calendar = days::calendar(&report);
    report.refuse_unknown();
    let alarm = root.section("alarm");
    let alarm_command = alarm.optional("command", |it| it.list(|it| it.text().map(str::to_owned)));
    alarm.refuse_unknown();
    let telemetry = root.section("telemetry");
    let log = telemetry
        .or("log", LogFormat::Text, |it| it.word(&[("json", LogFormat::Json), ("text", LogFormat::Text)], &[]));
    telemetry.refuse_unknown();
    let issuers = root.sections("issuer").into_iter().map(issuer).collect();
    let feeds = root.sections("feed").into_iter().map(feed).collect();
    let sources = root.sections("sftp").into_iter().map(source).collect();
    root.refuse_unknown();
    Written {
        root,
        inbound,
        outbound,
        daemon,
        daemon_section,
        limits,
        retention,
        store_path,
        store_section,
        cache_bytes,
        key_encryption_key,
        vault_section,
        account_ranges,
        card_products,
        daily,
        calendar,
        alarm_command,
        log,
        issuers,
        feeds,
        sources,
    }
}

fn daemon(it: &Section<'_>) -> (PathBuf, PathBuf, Daemon) {
    let directory = |key, default: &str| it.optional(key, Value::path).unwrap_or_else(|| it.resolve(default));
    let seconds = Duration::from_secs;
    let daemon = Daemon {
        work: directory("work", "work"),
        archive: directory("archive", "archive"),
        quarantine: directory("quarantine", "quarantine"),
        socket: socket(it),
        settle: it.or("settle", seconds(5), |it| duration(it, Duration::ZERO)),
        stalled: it.or("stalled", seconds(600), |it| duration(it, Duration::ZERO)),
        // A pause of nothing would scan without end.
        scan: it.or("scan", seconds(5), |it| duration(it, Duration::from_millis(1))),
        workers: it.or("workers", 0, |it| number(it, 0, 1_024)),
        chunk_records: it.or("chunk_records", 100, |it| number(it, 1, 100)),
        chunks_in_flight: it.or("chunks_in_flight", 64, |it| number(it, 1, 65_536)),
        group_records_max: it.or("group_records_max", 50_000, |it| number(it, 1, 10_000_000)),
        contact: it.optional("contact", |it| it.text().map(str::to_owned)),
    };
    let places = (directory("inbound", "inbound"), directory("outbound", "outbound"));
    it.refuse_unknown();
    (places.0, places.1, daemon)
}

/// The system takes no longer path for a socket.
const SOCKET_PATH_BYTES_MAX: usize = 107;

fn socket(it: &Section<'_>) -> PathBuf {
    let fits = |path: &PathBuf| path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX;
    let too_long = "is longer than the 107 bytes, directories included, that the system takes for a socket";
    let named = it.optional("socket", |value| value.checked(value.path().filter(fits).ok_or(too_long)));
    named.unwrap_or_else(|| {
        let usual = it.resolve("nightdrop.sock");
        if !fits(&usual) && !it.has("socket") {
            it.note(
                "socket",
                "beside this file its path is longer than the 107 bytes that the system takes: name another",
            );
        }
        usual
    })
}

fn limits(it: &Section<'_>) -> Limits {
    let default = Limits::default();
    // What is held in memory at once is bounded more tightly than what passes through.
    let small = |key, default, high| it.or(key, default, |it| usize::try_from(bytes(it, 64, high)?).ok());
    let limits = Limits {
        file_bytes_max: it.or("file_bytes", default.file_bytes_max, |it| bytes(it, 1, 1 << 50)),
        // Row keys number a file's records in 26 bits.
        file_records_max: it.or("file_records", default.file_records_max, |it| it.number(1, 1 << 26)),
        line_bytes_max: small("line_bytes", default.line_bytes_max, 16 << 20),
        request_bytes_max: small("request_bytes", default.request_bytes_max, 1 << 30),
        growth_max: it.or("growth", default.growth_max, |it| it.number(1, 10_000)),
        free_bytes_min: it.or("free_bytes", default.free_bytes_min, |it| bytes(it, 0, 1 << 50)),
    };
    it.refuse_unknown();
    limits
}

fn retention(it: &Section<'_>) -> Retention {
    let default = Retention::default();
    // Nothing at all would take an answer away before anybody could read it.
    let kept = |key, default| it.or(key, default, |it| duration(it, Duration::from_secs(1)));
    let retention = Retention {
        archive: kept("archive", default.archive),
        quarantine: kept("quarantine", default.quarantine),
        outbound: kept("outbound", default.outbound),
        results: kept("results", default.results),
    };
    it.refuse_unknown();
    retention
}

fn number(value: &Value<'_>, low: u32, high: u32) -> Option<usize> {
    usize::try_from(value.number(low, high)?).ok()
}

fn issuer(section: Section<'_>) -> WrittenIssuer<'_> {
    let word = |it: &Value<'_>| it.word(&[("jwe", EnvelopeKind::Jwe)], &["openpgp"]);
    let written = WrittenIssuer {
        id: section.required("id", issuer_id),
        inbound: section.optional("inbound", Value::path),
        outbound: section.optional("outbound", Value::path),
        reply_key: section.optional("reply_key", |it| secret(it, false)),
        reply_envelope: section.or("reply_envelope", EnvelopeKind::Jwe, word),
        enroll_client_encryption_key: section.optional("enroll_client_encryption_key", |it| secret(it, false)),
        currencies: section.optional("currencies", |it| it.list(currency_code)),
        seal_sensitive_data: section.or("seal_sensitive_data", false, Value::flag),
        section,
    };
    written.section.refuse_unknown();
    written
}

fn feed(section: Section<'_>) -> WrittenFeed<'_> {
    let envelopes = [EnvelopeKind::Jwe, EnvelopeKind::Mastercard, EnvelopeKind::None].map(|it| (it.as_str(), it));
    let hashes = [OaepHash::Sha256, OaepHash::Sha512].map(|it| (it.as_str(), it));
    let formats = [
        ("auto", Format::Auto),
        ("csv", Format::Csv),
        ("jsonl", Format::Jsonl),
        ("json", Format::Json),
        ("d1-batch", Format::D1Batch),
    ];
    let environments = [Environment::Test, Environment::Prod].map(|it| (it.as_str(), it));
    let controls = [("required", Controls::Required), ("optional", Controls::Optional)];
    let sequences = [("off", Sequence::Off), ("increasing", Sequence::Increasing), ("gapless", Sequence::Gapless)];
    let written = WrittenFeed {
        name: section.required("name", feed_name),
        issuer: section.required("issuer", issuer_id),
        service: section.required("service", service),
        files: section.required("files", pattern),
        envelopes: section.required("envelopes", |it| it.list(|it| it.word(&envelopes, &["openpgp"]))),
        keys: section.optional("keys", |it| it.list(|it| secret(it, false))),
        format: section.or("format", Format::Auto, |it| it.word(&formats, &[])),
        delimiter: section.or("delimiter", b',', delimiter),
        environment: section.required("environment", |it| it.word(&environments, &[])),
        controls: section.or("controls", Controls::Required, |it| it.word(&controls, &[])),
        sequence: section.or("sequence", Sequence::Off, |it| it.word(&sequences, &[])),
        sequence_wait: section.or("sequence_wait", Duration::from_secs(7_200), |it| duration(it, Duration::ZERO)),
        done_marker: section.or("done_marker", false, Value::flag),
        d1_issuer_id: section.optional("d1_issuer_id", d1_issuer_id),
        jws_key: section.optional("jws_key", |it| secret(it, false)),
        after: section.or("after", Vec::new(), |it| it.list_or_nothing(feed_name)),
        expected: section.optional("expected", days::expected),
        allow_plaintext: section.or("allow_plaintext", false, Value::flag),
        oaep_hash: section.or("oaep_hash", OaepHash::default(), |it| it.word(&hashes, &[])),
        section,
    };
    written.section.refuse_unknown();
    written
}

/// An issuer's id at D1, which may stand in names of files.
fn d1_issuer_id(value: &Value<'_>) -> Option<String> {
    let id = value.text()?;
    let fits = (1..=48).contains(&id.len()) && id.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it));
    value.checked(if fits { Ok(id.to_owned()) } else { Err("must be 1 to 48 letters, digits, _ or -") })
}

/// `sqlite:PATH`. The options that such a URL may carry elsewhere are decided here, not there.
fn store_url(value: &Value<'_>) -> Option<PathBuf> {
    let url = value.text()?;
    let path = match url.split_once(':') {
        Some(("sqlite", rest)) => Ok(rest.strip_prefix("//").unwrap_or(rest)),
        Some(("postgres" | "postgresql", _)) => Err("this version stores in SQLite alone: write \"sqlite:PATH\""),
        _ => Err("must be \"sqlite:PATH\""),
    };
    let path = value.checked(path)?;
    let fault = if path.is_empty() {
        "names no file: write \"sqlite:PATH\""
    } else if path.starts_with(":memory:") {
        "a store in memory would lose every card: write \"sqlite:PATH\""
    } else if path.contains('?') {
        "takes no options after the path"
    } else {
        return Some(value.resolve(path));
    };
    value.note(fault);
    None
}

/// A path, `{ file = … }`, `{ credential = … }` or, where commands are allowed, `{ command = […] }`.
pub(super) fn secret(value: &Value<'_>, commands: bool) -> Option<SecretSource> {
    if value.is_text() {
        return value.path().map(SecretSource::File);
    }
    let section = value.section()?;
    let file = section.optional("file", |it| it.path().map(SecretSource::File));
    let credential = section.optional("credential", |it| credential(it).map(SecretSource::Credential));
    let mut keys = vec!["file", "credential"];
    let mut command = None;
    if commands {
        keys.push("command");
        let words = |it: &Value<'_>| it.list(|it| it.text().map(str::to_owned)).map(SecretSource::Command);
        command = section.optional("command", words);
    }
    section.refuse_unknown();
    let written = keys.iter().filter(|key| section.has(key)).count();
    if written != 1 {
        value.note(format!("must be a path, or a table with one of: {}", keys.join(", ")));
        return None;
    }
    file.or(credential).or(command)
}

/// A credential's name is one component of a path.
fn credential(value: &Value<'_>) -> Option<String> {
    let name = value.text()?;
    let plain = !name.contains('/') && name != "." && name != ".." && name.len() <= 255;
    value.checked(plain.then(|| name.to_owned()).ok_or("must be the name of a credential, not a path"))
}

pub(super) fn issuer_id(value: &Value<'_>) -> Option<String> {
    let letter = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_';
    word_of(value, 16, letter, "must be 1 to 16 of A-Z, 0-9 and _")
}

pub(super) fn feed_name(value: &Value<'_>) -> Option<String> {
    let name = word_of(
        value,
        64,
        |it| it.is_ascii_alphanumeric() || b"_.-".contains(&it),
        "must be 1 to 64 of A-Z, a-z, 0-9, _, . and -",
    )?;
    value.checked(if name.starts_with('-') { Err("must not begin with a dash") } else { Ok(name) })
}

fn word_of(value: &Value<'_>, bytes_max: usize, letter: impl Fn(u8) -> bool, rule: &str) -> Option<String> {
    let word = value.raw()?;
    let right = (1..=bytes_max).contains(&word.len()) && word.bytes().all(letter);
    value.checked(right.then(|| word.to_owned()).ok_or(rule))
}

fn service(value: &Value<'_>) -> Option<ServiceName> {
    let served: Vec<_> = BUILT.iter().map(|it| (it.view.service.as_str(), it.view.service)).collect();
    let later = ServiceName::ALL.map(ServiceName::as_str);
    value.word(&served, &later)
}

fn pattern(value: &Value<'_>) -> Option<String> {
    let glob = value.text()?;
    if glob.contains('/') {
        value.note("matches names of files, which hold no slash");
        return None;
    }
    match globset::Glob::new(glob) {
        Ok(_) => Some(glob.to_owned()),
        Err(error) => value.checked(Err(format!("not a pattern for names: {}", error.kind()))),
    }
}

fn delimiter(value: &Value<'_>) -> Option<u8> {
    let text = value.raw()?;
    let right = match *text.as_bytes() {
        [it] if it == b'\t' || ((it == b' ' || it.is_ascii_punctuation()) && it != b'"') => Ok(it),
        _ => Err("must be one ASCII character: a tab, a space or a sign, but no quote, letter or digit"),
    };
    value.checked(right)
}

fn currency_code(value: &Value<'_>) -> Option<String> {
    let code = value.raw()?.to_ascii_uppercase();
    let known = currency::is_active(code.as_bytes());
    value.checked(known.then_some(code).ok_or("must be the three letters of an active ISO 4217 currency"))
}
