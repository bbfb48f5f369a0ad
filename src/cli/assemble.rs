//! Puts the site together from the configuration: the one place where every part's options meet.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{Mutex, Notify, Semaphore};
use zeroize::Zeroizing;

use crate::config::{Config, Daemon, Surroundings};
use crate::ledger::sqlite::{self, Notes};
use crate::ledger::{Ledger, LedgerError};
use crate::model::hex;
use crate::pipeline::{Alarms, Current, Doors, Progress, Setup, Site, SourceDoors};
use crate::register::{self, Stop};
use crate::telemetry;
use crate::vault::{IssuerKeys, KeyEncryptionKey, KeyPurpose, WrappedKey};

use super::ExitCode;
use super::clock::clock;
use super::setup::{IssuersKeys, Reference, setup};
use super::trail;

/// Records that are worth a commit before a file ends; from there on larger groups gain little.
const GROUP_RECORDS_MIN: usize = 20_000;

/// Files in pass 1 at a time, for each core.
const PROOFS_A_CORE: usize = 2;

/// Under which name the key-encryption key's check value is pinned.
pub(super) const KEK_CHECK: &str = "key_encryption_key_check";

/// Why the daemon cannot start: what to say, and how to exit.
#[derive(Debug)]
pub(super) struct Unfit {
    pub(super) words: Vec<String>,
    pub(super) code: ExitCode,
    /// A key was not the right one, or not to be had: the audit trail is told.
    pub(super) locked_out: bool,
}

impl Unfit {
    pub(super) fn config(words: impl Into<String>) -> Self {
        Self::all_of(vec![words.into()])
    }

    /// Several mistakes.
    pub(super) const fn all_of(words: Vec<String>) -> Self {
        Self { words, code: ExitCode::Usage, locked_out: false }
    }

    /// A key that is not to be had, or not the right one.
    pub(super) fn locked_out(words: impl Into<String>) -> Self {
        Self { locked_out: true, ..Self::config(words) }
    }

    /// The world, and nobody's mistake.
    pub(super) fn failure(words: impl Into<String>) -> Self {
        Self { code: ExitCode::Failure, ..Self::config(words) }
    }

    /// Says it, and how to exit.
    pub(super) fn say(self) -> ExitCode {
        self.words.iter().for_each(|word| eprintln!("nightdrop: {word}"));
        self.code
    }
}

impl From<LedgerError> for Unfit {
    fn from(error: LedgerError) -> Self {
        let code = match error {
            LedgerError::Held(_) => ExitCode::Held,
            LedgerError::Newer(_) | LedgerError::Pinned { .. } | LedgerError::Unsafe(_) => ExitCode::Usage,
            LedgerError::Database(_)
            | LedgerError::Older
            | LedgerError::Migration(_)
            | LedgerError::Damaged(_)
            | LedgerError::Inconsistent(_)
            | LedgerError::Trail(_)
            | LedgerError::TrailHead
            | LedgerError::Io { .. } => ExitCode::Failure,
        };
        Self { code, ..Self::config(error.to_string()) }
    }
}

/// 32 bytes from the system's source of randomness.
pub(super) fn entropy() -> io::Result<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    let mut filled = 0;
    while filled < bytes.len() {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

/// Opens the store, reads keys and reference data, and puts everything together.
pub(super) async fn assemble(config: &Config, surroundings: &Surroundings) -> Result<Arc<Site>, Unfit> {
    let kek = match read_kek(config, surroundings) {
        Ok(kek) => kek,
        Err(mut unfit) => {
            // A store is not made for the sake of a row that says why there is none.
            if config.store.path.exists()
                && let Ok((ledger, _)) = sqlite::open(&store_options(config)).await
            {
                trail::locked_out(&ledger, &mut unfit).await;
            }
            return Err(unfit);
        }
    };
    let reference = Reference::read(&config.reference)?;

    if let Some(directory) = config.store.path.parent() {
        std::fs::create_dir_all(directory)
            .map_err(|error| Unfit::config(format!("[store] url: cannot make {}: {error}", directory.display())))?;
    }
    let (ledger, notes) = sqlite::open(&store_options(config)).await?;
    tell(notes, &config.store.path);
    let ledger: Arc<dyn Ledger> = Arc::new(ledger);
    let setup = match unlock(config, surroundings, &*ledger, &kek, &reference).await {
        Ok(setup) => setup,
        Err(mut unfit) => {
            trail::locked_out(&*ledger, &mut unfit).await;
            return Err(unfit);
        }
    };
    let daemon = &config.daemon;
    let clock = clock();
    Ok(Arc::new(Site {
        alarms: Alarms::new(&ledger, &clock, surroundings.path.clone()),
        accepted: Notify::new(),
        reporting: Mutex::new(()),
        ledger,
        clock,
        entropy,
        setup: Current::new(setup),
        work: daemon.work.clone(),
        archive: daemon.archive.clone(),
        quarantine: daemon.quarantine.clone(),
        register: register_options(daemon),
        proofs: Arc::new(Semaphore::new(cores() * PROOFS_A_CORE)),
        doors: Doors::default(),
        sources: SourceDoors::default(),
        stop: Stop::default(),
        progress: Arc::new(Progress::default()),
    }))
}

fn store_options(config: &Config) -> sqlite::Options {
    sqlite::Options {
        path: config.store.path.clone(),
        cache_bytes: config.store.cache_bytes,
        environment: config.environment,
    }
}

/// Proves the key-encryption key, opens the issuers' keys with it, and makes the setup.
async fn unlock(
    config: &Config,
    surroundings: &Surroundings,
    ledger: &dyn Ledger,
    kek: &KeyEncryptionKey,
    reference: &Reference,
) -> Result<Setup, Unfit> {
    pin_kek(ledger, kek).await?;
    reference.keep(ledger).await?;
    let mut keys = IssuersKeys::new();
    for issuer in &config.issuers {
        keys.insert(issuer.id.clone(), issuer_keys(ledger, kek, &issuer.id).await?);
    }
    setup(config, surroundings, reference, &keys)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How much is registered at once.
pub(super) fn register_options(daemon: &Daemon) -> register::Options {
    register::Options {
        workers: if daemon.workers == 0 { cores() } else { daemon.workers },
        chunks_in_flight: daemon.chunks_in_flight,
        group_records_max: daemon.group_records_max,
        group_records_min: GROUP_RECORDS_MIN.min(daemon.group_records_max),
        group_wait: std::time::Duration::from_millis(500),
    }
}

fn tell(notes: Notes, path: &Path) {
    if notes.on_tmpfs {
        telemetry::store_on_tmpfs(path);
    }
    if notes.copied {
        telemetry::store_copied(path);
    }
}

pub(super) fn read_kek(config: &Config, surroundings: &Surroundings) -> Result<KeyEncryptionKey, Unfit> {
    let key = "vault.key_encryption_key";
    let text =
        config.key_encryption_key.read(surroundings).map_err(|error| Unfit::locked_out(format!("{key}: {error}")))?;
    KeyEncryptionKey::from_hex(&text).map_err(|error| Unfit::locked_out(format!("{key}: {error}")))
}

/// The first start pins the key-encryption key; another one is a mistake to be told before anything is touched.
pub(super) async fn pin_kek(ledger: &dyn Ledger, kek: &KeyEncryptionKey) -> Result<(), Unfit> {
    let check = hex(&kek.check());
    is_pinned_kek(&ledger.pin(KEK_CHECK, &check).await?, kek)
}

/// Refuses a key-encryption key that is not the one whose check value is pinned.
pub(super) fn is_pinned_kek(pinned: &str, kek: &KeyEncryptionKey) -> Result<(), Unfit> {
    if pinned == hex(&kek.check()) {
        return Ok(());
    }
    let words = "vault.key_encryption_key: not the key that this database was made with; put that one back, or use another [store] url";
    Err(Unfit::locked_out(words))
}

/// An issuer's keys; made at its first start.
pub(super) async fn issuer_keys(
    ledger: &dyn Ledger,
    kek: &KeyEncryptionKey,
    issuer: &str,
) -> Result<Arc<IssuerKeys>, Unfit> {
    if ledger.keys(issuer).await?.is_empty() {
        let keys = new_keys(kek, issuer)?;
        ledger.audit(&trail::keys_made(issuer, &keys)).await?;
        ledger.keep_keys(issuer, &keys).await?;
    }
    let keys = IssuerKeys::open(kek, issuer, &ledger.keys(issuer).await?)
        .map_err(|error| Unfit::locked_out(format!("vault.key_encryption_key: {error}")))?;
    if !keys.locked() {
        telemetry::memory_not_locked(issuer);
    }
    Ok(Arc::new(keys))
}

/// An issuer's first keys, drawn from the system and wrapped.
pub(super) fn new_keys(kek: &KeyEncryptionKey, issuer: &str) -> Result<Vec<WrappedKey>, Unfit> {
    let mut keys = Vec::new();
    for purpose in KeyPurpose::ALL {
        let mut random = Zeroizing::new([0_u8; 44]);
        let failed = |error: io::Error| Unfit::failure(error.to_string());
        random[..32].copy_from_slice(&*entropy().map_err(failed)?);
        random[32..].copy_from_slice(&entropy().map_err(failed)?[..12]);
        keys.push(kek.wrap_new(issuer, purpose, 1, &random));
    }
    Ok(keys)
}
