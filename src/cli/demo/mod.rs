//! `nightdrop demo`: an issuer, keys, reference data and sealed files in a new directory, the daemon run on them, and what came of it.
//!
//! The directory is a working site afterwards: `nightdrop run --config DIR/nightdrop.toml` takes it further.

mod batches;
mod site;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::config::{Config, Surroundings};
use crate::ledger::Ledger;
use crate::model::{Clock, SystemClock};
use crate::telemetry::{self, LogFormat};

use super::ExitCode;
use super::account::table;
use super::assemble::{Unfit, assemble};
use super::run::{Until, work};
use super::trail;

/// Makes the site, runs it, shows it.
pub(super) fn demo(records: u64, dir: Option<&Path>, log_filter: Option<&str>) -> anyhow::Result<ExitCode> {
    let dir = new_directory(dir)?;
    println!("making an issuer, its keys and its files in {}", dir.display());
    let keys = site::make(&dir)?;
    let now = SystemClock.now();
    let samples = batches::drop_all(&dir.join("inbound"), &keys, now, records)?;
    for (name, what) in &samples {
        println!("  {name:<44} {what}");
    }

    let file = dir.join("nightdrop.toml");
    let config = Config::load(&file)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        .map_err(anyhow::Error::msg)?;
    // The table at the end says what happened; the log would say it twice.
    telemetry::start(LogFormat::Text, log_filter.or(Some("error")));
    super::runtime()?.block_on(async {
        let surroundings = Surroundings { credentials_dir: None, path: None };
        let site = match assemble(&config, &surroundings).await {
            Ok(site) => site,
            Err(Unfit { words, .. }) => bail!(words.join("\n")),
        };
        trail::began(&site, &config).await?;
        work(&site, None, Until::Done(None)).await?;
        drop(site);
        let ledger = crate::ledger::sqlite::open_read_only(&config.store.path).await?;
        let overview = ledger.overview(u32::MAX).await?;
        println!("\n{}", table(&overview.files));
        Ok(())
    })?;
    show_outbound(&dir)?;
    Ok(ExitCode::Ok)
}

/// The directory asked for, which must not hold anything yet, or the first free `nightdrop-demo`.
fn new_directory(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    let dir = match asked {
        Some(dir) => dir.to_owned(),
        None => (1..)
            .map(|count| {
                PathBuf::from(if count == 1 { "nightdrop-demo".to_owned() } else { format!("nightdrop-demo.{count}") })
            })
            .find(|dir| !dir.exists())
            .context("no free name for the demo's directory")?,
    };
    if dir.exists() && std::fs::read_dir(&dir)?.next().is_some() {
        bail!("{} is not empty; name a new directory with --dir", dir.display());
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(std::fs::canonicalize(dir)?)
}

fn show_outbound(dir: &Path) -> anyhow::Result<()> {
    let outbound = dir.join("outbound");
    let mut names: Vec<String> = std::fs::read_dir(&outbound)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<_>>()?;
    names.sort_unstable();
    println!("\nwhat went out, in {}:", outbound.display());
    for name in &names {
        println!("  {name}");
    }
    let Some(sealed) = names.iter().find(|name| name.ends_with(".errors.csv.jwe")) else { return Ok(()) };
    println!("\nrecon and errors are sealed for the issuer's reply key; open one with");
    println!(
        "  nightdrop unseal {} --key {}",
        outbound.join(sealed).display(),
        dir.join("keys/acme-reply.jwk").display()
    );
    println!("look at the store, or run the daemon on, with");
    println!("  nightdrop status --config {}", dir.join("nightdrop.toml").display());
    println!("  nightdrop run --config {}", dir.join("nightdrop.toml").display());
    Ok(())
}
