//! `nightdrop check`: what would become of a file, without any effect.
//!
//! This file puts together what the dry run is judged by: beside a daemon's store, which is only read, or offline from a partner's
//! kit. How findings look is next door.

mod json;
mod kit;
mod text;
mod whose;

use std::io::{self, BufWriter, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::config::{Config, Surroundings};
use crate::ledger::{Ledger, LedgerError, sqlite};
use crate::model::{Code, Decision, Limits, SystemClock};
use crate::pipeline::{DryRun, Finding, Findings, Foreseen, Issuer, Progress};
use crate::register;
use crate::services::reference::{AccountRanges, CardProducts};
use crate::vault::{IssuerKeys, KeyEncryptionKey};

use super::assemble::{KEK_CHECK, Unfit, entropy, is_pinned_kek, new_keys, read_kek, register_options};
use super::setup::{IssuersKeys, Reference, setup};
use super::{ExitCode, progress};
use whose::Whose;

/// How a file is checked.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    /// As a file of this feed.
    pub(super) feed: Option<&'a str>,
    /// Without vault and database.
    pub(super) offline: bool,
    /// As JSON.
    pub(super) json: bool,
}

/// What files are judged by.
struct Bench {
    issuers: Vec<Arc<Issuer>>,
    limits: Limits,
    ranges: Arc<AccountRanges>,
    products: Arc<CardProducts>,
    chunk_records: usize,
    register: register::Options,
    ledger: Option<Arc<dyn Ledger>>,
}

/// What is said of the file as a whole.
struct Said<'a> {
    /// As it was named on the command line.
    file: &'a str,
    issuer: &'a str,
    feed: Option<&'a str>,
    service: Option<&'static str>,
    offline: bool,
    exit: ExitCode,
}

/// Writes findings, then what would become of the file.
trait Shown: Findings {
    fn ended(&mut self, foreseen: &Foreseen, said: &Said<'_>) -> io::Result<()>;
}

pub(super) fn check(file: &Path, config: &Path, how: How<'_>, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let named = || format!("cannot check {}", file.display());
    if !std::fs::metadata(file).with_context(named)?.is_file() {
        bail!("cannot check {}: it is not a regular file", file.display());
    }
    super::runtime()?.block_on(async {
        let bench = if how.offline {
            match super::or_said(config, crate::config::Kit::load(config)) {
                Ok(kit) => kit::bench(&kit, how.feed, surroundings),
                Err(code) => return Ok(code),
            }
        } else {
            match super::load(config) {
                Ok(config) => bench(&config, surroundings).await,
                Err(code) => return Ok(code),
            }
        };
        match bench {
            Ok(bench) => judge(&bench, file, how).await,
            Err(unfit) => Ok(unfit.say()),
        }
    })
}

async fn judge(bench: &Bench, file: &Path, how: How<'_>) -> anyhow::Result<ExitCode> {
    let whose = match whose::whose(&bench.issuers, file, how.feed).map_err(Unfit::config) {
        Ok(whose) => whose,
        Err(unfit) => return Ok(unfit.say()),
    };
    if how.offline
        && let Err(unfit) = kit::must_open(&whose, file)
    {
        return Ok(unfit.say());
    }
    let path = file.display().to_string();
    let out = BufWriter::new(io::stdout());
    let mut shown: Box<dyn Shown> = if how.json {
        Box::new(json::Json::begin(out, &path)?)
    } else {
        Box::new(text::Text::new(out, &path, io::stdout().is_terminal()))
    };
    for note in &whose.notes {
        eprintln!("nightdrop: {note}");
    }
    let progress = Arc::new(Progress::default());
    let foreseen = match whose.never {
        Some(why) => {
            shown.found(&Finding::never_taken(why))?;
            Foreseen::default()
        }
        None => {
            let dry_run = DryRun {
                issuer: whose.issuer,
                feed: whose.feed,
                limits: &bench.limits,
                ranges: &bench.ranges,
                products: &bench.products,
                chunk_records: bench.chunk_records,
                register: bench.register,
                ledger: bench.ledger.clone(),
                progress: &progress,
                clock: &SystemClock,
                entropy,
            };
            // A bar among findings on one terminal would spoil both.
            let bar = (!io::stdout().is_terminal()).then(|| tokio::spawn(progress::show(Arc::clone(&progress))));
            let foreseen = dry_run.run(file, &mut *shown).await;
            if let Some(bar) = bar {
                bar.abort();
                // It was told to end.
                let _ = bar.await;
            }
            foreseen?
        }
    };
    let exit = match foreseen.decision {
        None | Some(Decision::Refused) => ExitCode::FileRefused,
        Some(Decision::Accepted) if foreseen.tally.rejected > 0 => ExitCode::RecordsRejected,
        Some(Decision::Accepted | Decision::Duplicate) => ExitCode::Ok,
    };
    let feed = whose.feed();
    let said = Said {
        file: &path,
        issuer: &whose.issuer.id,
        feed: feed.map(|feed| feed.name.as_str()),
        service: feed.map(|feed| feed.service.view.service.as_str()),
        offline: how.offline,
        exit,
    };
    shown.ended(&foreseen, &said)?;
    kit::tell(how.offline, &foreseen);
    if foreseen.refusal.as_ref().is_some_and(|refusal| refusal.code == Code::EnvelopeRefused)
        && !kit::looks_sealed(file)
    {
        eprintln!("nightdrop: a file can be checked before it is sealed: --offline --feed NAME");
    }
    Ok(exit)
}

/// From the daemon's own configuration, beside its store. What the store does not hold yet is made up for this one look.
async fn bench(config: &Config, surroundings: &Surroundings) -> Result<Bench, Unfit> {
    let kek = read_kek(config, surroundings)?;
    let reference = Reference::read(&config.reference)?;
    let path = &config.store.path;
    let ledger: Option<Arc<dyn Ledger>> =
        if path.exists() { Some(Arc::new(sqlite::open_read_only(path).await?)) } else { None };
    if let Some(ledger) = &ledger {
        check_pins(&**ledger, config, &kek).await?;
    }
    let mut keys = IssuersKeys::new();
    for issuer in &config.issuers {
        let mut wrapped = match &ledger {
            Some(ledger) => ledger.keys(&issuer.id).await?,
            None => Vec::new(),
        };
        if wrapped.is_empty() {
            wrapped = new_keys(&kek, &issuer.id)?;
        }
        keys.insert(issuer.id.clone(), open_keys(&kek, &issuer.id, &wrapped)?);
    }
    let setup = setup(config, surroundings, &reference, &keys)?;
    Ok(Bench {
        issuers: setup.issuers,
        limits: setup.limits,
        ranges: setup.ranges,
        products: setup.products,
        chunk_records: setup.chunk_records,
        register: register_options(&config.daemon),
        ledger,
    })
}

/// What a start of the daemon would refuse about this store.
async fn check_pins(ledger: &dyn Ledger, config: &Config, kek: &KeyEncryptionKey) -> Result<(), Unfit> {
    let wanted = config.environment.to_string();
    if let Some(pinned) = ledger.pinned("environment").await?.filter(|pinned| *pinned != wanted) {
        return Err(LedgerError::Pinned { what: "environment", pinned, wanted }.into());
    }
    ledger.pinned(KEK_CHECK).await?.map_or(Ok(()), |pinned| is_pinned_kek(&pinned, kek))
}

fn open_keys(
    kek: &KeyEncryptionKey,
    issuer: &str,
    wrapped: &[crate::vault::WrappedKey],
) -> Result<Arc<IssuerKeys>, Unfit> {
    IssuerKeys::open(kek, issuer, wrapped)
        .map(Arc::new)
        .map_err(|error| Unfit::config(format!("vault.key_encryption_key: {error}")))
}
