//! SIGHUP: configuration, keys and reference data are read again, for later files. A mistake in any of them changes
//! nothing: it is said, and everything goes on as before.

use std::io;
use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::config::{Config, Surroundings, takes_restart};
use crate::daemon;
use crate::pipeline::{Setup, Site};
use crate::telemetry;

use super::assemble::{Unfit, issuer_keys, pin_kek, read_kek};
use super::setup::{IssuersKeys, Reference, setup};
use super::trail;

/// Listens from now on, until it is aborted.
pub(super) fn listen(site: &Arc<Site>, config: &Config, surroundings: &Surroundings) -> io::Result<JoinHandle<()>> {
    let hangups = signal(SignalKind::hangup())?;
    Ok(tokio::spawn(reloading(hangups, Arc::clone(site), config.clone(), surroundings.clone())))
}

async fn reloading(mut hangups: Signal, site: Arc<Site>, mut config: Config, surroundings: Surroundings) {
    while hangups.recv().await.is_some() {
        // A supervisor that waits for the end of a reload wants to know when it began; one that does not ignores it.
        if let Ok(at) = NotifyState::monotonic_usec_now() {
            daemon::say(&[NotifyState::Reloading, at]);
        }
        match reload(&site, &config, &surroundings).await {
            Ok((new, setup)) => {
                for warning in &new.warnings {
                    telemetry::config_warning(&warning.to_string());
                }
                telemetry::reloaded(setup.issuers.len());
                site.setup.replace(setup);
                config = new;
            }
            Err(mut unfit) => {
                trail::reload_refused(&*site.ledger, &mut unfit).await;
                unfit.words.iter().for_each(|why| telemetry::reload_refused(why));
            }
        }
        daemon::say(&[NotifyState::Ready]);
    }
}

/// Reads everything, and keeps in the ledger what is new: keys of new issuers, another version of reference data.
async fn reload(site: &Arc<Site>, config: &Config, surroundings: &Surroundings) -> Result<(Config, Setup), Unfit> {
    let file = config.file.clone();
    let new = on_thread(move || Config::load(&file).map_err(|problems| mistakes(&problems))).await?;
    let changed = takes_restart(config, &new);
    if !changed.is_empty() {
        return Err(mistakes(&changed));
    }
    let at_work = site.setup.now();
    let mut keys = IssuersKeys::new();
    for issuer in &new.issuers {
        if let Some(known) = at_work.issuer(&issuer.id) {
            keys.insert(issuer.id.clone(), Arc::clone(&known.keys));
        }
    }
    let has_new = new.issuers.iter().any(|issuer| !keys.contains_key(&issuer.id));
    let (named, at) = (new.clone(), surroundings.clone());
    let (reference, kek) = on_thread(move || {
        let kek = if has_new { Some(read_kek(&named, &at)?) } else { None };
        Ok((Reference::read(&named.reference)?, kek))
    })
    .await?;
    if let Some(kek) = kek {
        pin_kek(&*site.ledger, &kek).await?;
        for issuer in &new.issuers {
            if !keys.contains_key(&issuer.id) {
                keys.insert(issuer.id.clone(), issuer_keys(&*site.ledger, &kek, &issuer.id).await?);
            }
        }
    }
    let (named, at) = (new.clone(), surroundings.clone());
    let (setup, reference) = on_thread(move || Ok((setup(&named, &at, &reference, &keys)?, reference))).await?;
    reference.keep(&*site.ledger).await?;
    trail::configuration(&*site.ledger, &new, &setup).await?;
    Ok((new, setup))
}

fn mistakes(problems: &[crate::config::Problem]) -> Unfit {
    Unfit::all_of(problems.iter().map(ToString::to_string).collect())
}

/// Files may lie where reading takes its time.
async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, Unfit> + Send + 'static) -> Result<T, Unfit> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(Unfit::config("reading the configuration made this program panic; its log names the line")),
    }
}
