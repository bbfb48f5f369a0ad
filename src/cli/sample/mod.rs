//! `nightdrop sample`: a synthetic file in an issuer's ranges, with as many mistakes as are asked for. The same options
//! give the same bytes: no clock and no chance is in it.

pub(super) mod numbers;
mod records;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::model::{Environment, ServiceName, Timestamp, hex};
use crate::parse::Format;
use crate::services::reference::AccountRanges;

use super::ExitCode;
use super::reading::Out;
use numbers::Numbers;
use records::{Card, Plan};

/// The ranges of an issuer who has no configuration here: the public sandbox's.
pub(super) const RANGE: (&str, &str) = ("2303770000000000000", "2303779999999999999");

/// Cards of one JSON request.
const REQUEST_CARDS: usize = 100;

/// When the first sample was made; each seed is a minute later.
const CREATED_MS: i64 = 1_767_225_600_000;

/// What is asked for.
pub(super) struct Asked {
    pub(super) service: ServiceName,
    pub(super) records: u64,
    pub(super) bad_percent: u64,
    pub(super) seed: u64,
    pub(super) format: Format,
    pub(super) feed: Option<String>,
    pub(super) batch_id: Option<String>,
    pub(super) sequence: u64,
    pub(super) out: Option<PathBuf>,
}

/// For whom it is made.
struct For {
    issuer: String,
    environment: Environment,
    currencies: Option<Vec<String>>,
    ranges: Vec<(String, String)>,
    delimiter: char,
}

pub(super) fn sample(asked: &Asked, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    if asked.service != ServiceName::PaymentCards {
        let made = ServiceName::PaymentCards;
        eprintln!("nightdrop: this version makes no samples of {}; it makes {made}", asked.service);
        return Ok(ExitCode::Usage);
    }
    let to = match config {
        None => sandbox(),
        Some(file) => match super::load(file) {
            Ok(config) => match of_config(&config, asked)? {
                Ok(to) => to,
                Err(why) => {
                    eprintln!("nightdrop: {why}");
                    return Ok(ExitCode::Usage);
                }
            },
            Err(code) => return Ok(code),
        },
    };
    let ranges = to.ranges.iter().map(|(low, high)| (low.as_str(), high.as_str()));
    let numbers =
        Numbers::new(ranges, asked.seed).context("no card number of 16 digits lies in the issuer's ranges")?;
    if numbers.len() < asked.records {
        bail!("the issuer's ranges hold {} card numbers, and {} were asked for", numbers.len(), asked.records);
    }
    let plan = Plan {
        numbers: &numbers,
        currencies: to.currencies.clone().unwrap_or_else(|| vec!["EUR".into(), "USD".into()]),
        currencies_are_limited: to.currencies.as_ref().is_some_and(|all| !all.iter().any(|it| it == "XAF")),
        records: asked.records,
        bad_percent: asked.bad_percent,
        deletions: asked.format == Format::Csv,
    };
    match &asked.out {
        Some(path) => {
            let file = File::create_new(path).with_context(|| format!("cannot make {}", path.display()))?;
            let mut out = BufWriter::new(file);
            write(asked, &to, &plan, &mut out)?;
            out.flush()?;
        }
        None => {
            let mut out = Out::new();
            let written = write(asked, &to, &plan, &mut out).map(|()| ExitCode::Ok);
            out.end(written)?;
        }
    }
    let codes: Vec<String> = plan.codes().iter().map(|(code, count)| format!("{count} {code}")).collect();
    let bad = if codes.is_empty() { "all good".to_owned() } else { format!("of them {}", codes.join(", ")) };
    eprintln!("nightdrop: {} records for {}, {bad}", asked.records, to.issuer);
    Ok(ExitCode::Ok)
}

fn sandbox() -> For {
    For {
        issuer: "ACME".into(),
        environment: Environment::Test,
        currencies: None,
        ranges: vec![(RANGE.0.into(), RANGE.1.into())],
        delimiter: ',',
    }
}

/// The feed that is named, or the first of the service.
fn of_config(config: &Config, asked: &Asked) -> anyhow::Result<Result<For, String>> {
    let wanted = |feed: &&crate::config::Feed| {
        feed.service == asked.service && asked.feed.as_ref().is_none_or(|name| *name == feed.name)
    };
    let Some(feed) = config.feeds.iter().find(wanted) else {
        let which = asked.feed.as_ref().map_or(String::new(), |name| format!(" called {name}"));
        return Ok(Err(format!("the configuration has no feed{which} of {}", asked.service)));
    };
    let path = &config.reference.account_ranges;
    let csv = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let Ok(ranges) = AccountRanges::parse(&csv) else {
        return Ok(Err(format!("{} has mistakes; `nightdrop config check` names them", path.display())));
    };
    let of = ranges.ranges_of(&feed.issuer, asked.service);
    let issuer = config.issuers.iter().find(|issuer| issuer.id == feed.issuer);
    Ok(Ok(For {
        issuer: feed.issuer.clone(),
        environment: feed.environment,
        currencies: issuer.and_then(|issuer| issuer.currencies.clone()),
        ranges: of.map(|range| (range.low.clone(), range.high.clone())).collect(),
        delimiter: char::from(feed.delimiter),
    }))
}

fn write(asked: &Asked, to: &For, plan: &Plan<'_>, out: &mut impl Write) -> anyhow::Result<()> {
    let mut out = Hashing { out, sha: Sha256::new() };
    let minute = i64::try_from(asked.seed % 1_000_000).unwrap_or(0) * 60_000;
    let created = Timestamp(CREATED_MS + minute).to_string();
    let batch = asked.batch_id.clone().unwrap_or_else(|| format!("SAMPLE-{}", asked.seed));
    let (issuer, service, environment) = (&to.issuer, asked.service.as_str(), to.environment.as_str());
    match asked.format {
        Format::Csv => {
            let d = to.delimiter;
            let head = ["HDR", "1", issuer, service, &batch, &asked.sequence.to_string(), &created, environment];
            writeln!(out, "{}", head.join(&d.to_string()))?;
            let columns = ["record_ref", "action", "pan", "card_base_currency", "payment_card_id"];
            writeln!(out, "{}", columns.join(&d.to_string()))?;
            for Card { record_ref, action, pan, currency, card_id } in plan.cards() {
                writeln!(out, "{record_ref}{d}{action}{d}{pan}{d}{currency}{d}{card_id}")?;
            }
            let digest = hex(&out.sha.clone().finalize());
            writeln!(out, "TRL{d}{}{d}{digest}", plan.records)?;
        }
        Format::Jsonl => {
            let header = json!({"header": {
                "version": 1, "issuer": issuer, "service": service, "batchId": batch, "sequence": asked.sequence,
                "created": created, "environment": environment,
            }});
            writeln!(out, "{header}")?;
            requests(plan, &mut out, b"", b"\n", b"")?;
            let digest = hex(&out.sha.clone().finalize());
            writeln!(out, "{}", json!({"trailer": {"records": plan.records, "sha256": digest}}))?;
        }
        Format::Json => requests(plan, &mut out, b"[\n", b",\n", b"\n]\n")?,
    }
    Ok(())
}

/// Arrays of cards, as the API takes them.
fn requests(plan: &Plan<'_>, out: &mut impl Write, begin: &[u8], between: &[u8], end: &[u8]) -> anyhow::Result<()> {
    out.write_all(begin)?;
    let mut cards = plan.cards().peekable();
    while cards.peek().is_some() {
        let request: Vec<_> = cards
            .by_ref()
            .take(REQUEST_CARDS)
            .map(|card| {
                let pan = Some(card.pan).filter(|pan| !pan.is_empty());
                json!({"id": card.record_ref, "fpan": pan, "cardBaseCurrency": card.currency})
            })
            .collect();
        write!(out, "{}", serde_json::Value::Array(request))?;
        // Lines end each request; one text has something between two of them.
        if end.is_empty() || cards.peek().is_some() {
            out.write_all(between)?;
        }
    }
    Ok(out.write_all(end)?)
}

struct Hashing<'a, W> {
    out: &'a mut W,
    sha: Sha256,
}

impl<W: Write> Write for Hashing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.sha.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
