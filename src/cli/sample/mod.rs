//! `nightdrop sample`: a synthetic file in an issuer's ranges, with as many mistakes as are asked for. The same options
//! give the same bytes: no clock and no chance is in it.

pub(super) mod plan;
pub(super) mod text;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::config::Config;
use crate::model::{Environment, ServiceName, Timestamp};
use crate::parse::Format;
use crate::services::reference::{AccountRanges, CardProducts};
use crate::services::sample::{Numbers, Source};
use crate::services::{Definition, definition};

use super::ExitCode;
use super::reading::Out;
use plan::Plan;
use text::Head;

/// The ranges of an issuer who has no configuration here: the public sandbox's.
pub(super) const RANGE: (&str, &str) = ("2303770000000000000", "2303779999999999999");

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
    products: Vec<String>,
    delimiter: char,
}

pub(super) fn sample(asked: &Asked, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let Some(service) = definition(asked.service) else { bail!("{} is not served", asked.service) };
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
    let plan = plan(service, &to, asked)?;
    match &asked.out {
        Some(path) => {
            let file = File::create_new(path).with_context(|| format!("cannot make {}", path.display()))?;
            let mut out = BufWriter::new(file);
            write(service, asked, &to, &plan, &mut out)?;
            out.flush()?;
        }
        None => {
            let mut out = Out::new();
            let written = write(service, asked, &to, &plan, &mut out).map(|()| ExitCode::Ok);
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
        products: vec!["GOLD".into()],
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
    // A service whose ranges nobody keeps takes any card; then those that are kept for others will do.
    let for_service = |service| {
        let of = ranges.ranges_of(&feed.issuer, service);
        of.map(|range| (range.low.clone(), range.high.clone())).collect::<Vec<_>>()
    };
    let all = std::iter::once(asked.service).chain(ServiceName::ALL).map(for_service);
    let ranges = all.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    let products = match &config.reference.card_products {
        None => CardProducts::default(),
        Some(path) => {
            let csv = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            match CardProducts::parse(&csv) {
                Ok(products) => products,
                Err(_) => {
                    return Ok(Err(format!("{} has mistakes; `nightdrop config check` names them", path.display())));
                }
            }
        }
    }
    .for_issuer(&feed.issuer);
    let eligible = |only: bool| {
        let wanted = products.iter().filter(|(_, product)| product.tokenization_eligible || !only);
        wanted.map(|(id, _)| id.to_owned()).collect::<Vec<_>>()
    };
    let products = Some(eligible(true)).filter(|found| !found.is_empty()).unwrap_or_else(|| eligible(false));
    let issuer = config.issuers.iter().find(|issuer| issuer.id == feed.issuer);
    Ok(Ok(For {
        issuer: feed.issuer.clone(),
        environment: feed.environment,
        currencies: issuer.and_then(|issuer| issuer.currencies.clone()),
        ranges,
        products,
        delimiter: char::from(feed.delimiter),
    }))
}

fn plan(service: &'static Definition, to: &For, asked: &Asked) -> anyhow::Result<Plan> {
    let ranges: Vec<(&str, &str)> = to.ranges.iter().map(|(low, high)| (low.as_str(), high.as_str())).collect();
    let sets: Vec<&[(&str, &str)]> =
        if service.sample.of_one_range { ranges.chunks(1).collect() } else { vec![&ranges] };
    let mut found = sets.into_iter().filter_map(|set| Some((Numbers::new(set.iter().copied(), asked.seed)?, set[0])));
    let roomy = |(numbers, _): &(Numbers, _)| numbers.len() >= asked.records;
    let first = found.next().context("no card number of 16 digits lies in the issuer's ranges")?;
    let held = first.0.len();
    let Some((numbers, range)) = Some(first).filter(roomy).or_else(|| found.find(roomy)) else {
        bail!("the issuer's ranges hold {held} card numbers, and {} were asked for", asked.records);
    };
    let source = Source {
        numbers,
        range: (range.0.to_owned(), range.1.to_owned()),
        currencies: to.currencies.clone().unwrap_or_else(|| vec!["EUR".into(), "USD".into()]),
        currencies_are_limited: to.currencies.as_ref().is_some_and(|all| !all.iter().any(|it| it == "XAF")),
        products: to.products.clone(),
        seed: asked.seed,
        requests: asked.format != Format::Csv,
    };
    Ok(Plan { sampling: service.sample, source, records: asked.records, bad_percent: asked.bad_percent })
}

fn write(service: &Definition, asked: &Asked, to: &For, plan: &Plan, out: &mut impl Write) -> anyhow::Result<()> {
    let minute = i64::try_from(asked.seed % 1_000_000).unwrap_or(0) * 60_000;
    let head = Head {
        issuer: &to.issuer,
        service: asked.service.as_str(),
        batch: &asked.batch_id.clone().unwrap_or_else(|| format!("SAMPLE-{}", asked.seed)),
        sequence: asked.sequence,
        created: &Timestamp(CREATED_MS + minute).to_string(),
        environment: to.environment.as_str(),
        delimiter: to.delimiter,
    };
    text::write(asked.format, &head, service.columns, plan, out)
}
