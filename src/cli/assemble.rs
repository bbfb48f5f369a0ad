//! Puts the site together from the configuration: the one place where every part's options meet.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::config::{self, Config, Surroundings};
use crate::ledger::sqlite::{self, Notes};
use crate::ledger::{Ledger, LedgerError, ReferenceKind, SequenceRule};
use crate::model::{EnvelopeKind, SystemClock, hex};
use crate::open::{self, Keyring, PrivateKey, Recipient};
use crate::parse::Controls;
use crate::pipeline::{Feed, Issuer, Progress, Site};
use crate::register::{self, Stop};
use crate::report::Outbox;
use crate::services;
use crate::services::reference::{AccountRanges, CardProducts};
use crate::telemetry;
use crate::vault::{IssuerKeys, KeyEncryptionKey, KeyPurpose};

use super::ExitCode;

/// Records that are worth a commit before a file ends; from there on larger groups gain little.
const GROUP_RECORDS_MIN: usize = 20_000;

/// Files in pass 1 at a time, for each core.
const PROOFS_A_CORE: usize = 2;

/// Why the daemon cannot start: what to say, and how to exit.
#[derive(Debug)]
pub(super) struct Unfit {
    pub(super) words: Vec<String>,
    pub(super) code: ExitCode,
}

impl Unfit {
    pub(super) fn config(words: impl Into<String>) -> Self {
        Self { words: vec![words.into()], code: ExitCode::Usage }
    }
}

impl From<LedgerError> for Unfit {
    fn from(error: LedgerError) -> Self {
        let code = match error {
            LedgerError::Held(_) => ExitCode::Held,
            LedgerError::Newer(_) | LedgerError::Pinned { .. } | LedgerError::Unsafe(_) => ExitCode::Usage,
            LedgerError::Database(_)
            | LedgerError::Migration(_)
            | LedgerError::Damaged(_)
            | LedgerError::Inconsistent(_)
            | LedgerError::Io { .. } => ExitCode::Failure,
        };
        Self { words: vec![error.to_string()], code }
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
    let kek = read_kek(config, surroundings)?;
    let ranges_csv = read(&config.reference.account_ranges)?;
    let ranges = AccountRanges::parse(&ranges_csv)
        .map_err(|mistakes| mistaken(&config.reference.account_ranges, mistakes.iter().map(ToString::to_string)))?;
    let products_csv = config.reference.card_products.as_deref().map(read).transpose()?;
    if let (Some(path), Some(csv)) = (&config.reference.card_products, &products_csv) {
        CardProducts::parse(csv).map_err(|mistakes| mistaken(path, mistakes.iter().map(ToString::to_string)))?;
    }

    if let Some(directory) = config.store.path.parent() {
        std::fs::create_dir_all(directory)
            .map_err(|error| Unfit::config(format!("[store] url: cannot make {}: {error}", directory.display())))?;
    }
    let (ledger, notes) = sqlite::open(&sqlite::Options {
        path: config.store.path.clone(),
        cache_bytes: config.store.cache_bytes,
        environment: config.environment,
    })
    .await?;
    tell(notes, &config.store.path);
    let ledger: Arc<dyn Ledger> = Arc::new(ledger);
    pin_kek(&*ledger, &kek).await?;
    let ranges_digest: [u8; 32] = Sha256::digest(&ranges_csv[..]).into();
    ledger.keep_reference(ReferenceKind::AccountRanges, &ranges_digest, &ranges_csv).await?;
    if let Some(csv) = &products_csv {
        ledger.keep_reference(ReferenceKind::CardProducts, &Sha256::digest(&csv[..]).into(), csv).await?;
    }

    let mut issuers = Vec::new();
    for issuer in &config.issuers {
        let keys = issuer_keys(&*ledger, &kek, &issuer.id).await?;
        issuers.push(assemble_issuer(config, issuer, keys, surroundings)?);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let daemon = &config.daemon;
    Ok(Arc::new(Site {
        ledger,
        clock: Arc::new(SystemClock),
        entropy,
        issuers,
        work: daemon.work.clone(),
        archive: daemon.archive.clone(),
        quarantine: daemon.quarantine.clone(),
        limits: config.limits.clone(),
        contact: daemon.contact.clone(),
        chunk_records: daemon.chunk_records,
        register: register::Options {
            workers: if daemon.workers == 0 { cores } else { daemon.workers },
            chunks_in_flight: daemon.chunks_in_flight,
            group_records_max: daemon.group_records_max,
            group_records_min: GROUP_RECORDS_MIN.min(daemon.group_records_max),
            group_wait: std::time::Duration::from_millis(500),
        },
        ranges: Arc::new(ranges),
        ranges_digest,
        proofs: Arc::new(Semaphore::new(cores * PROOFS_A_CORE)),
        stop: Stop::default(),
        progress: Arc::new(Progress::default()),
    }))
}

fn tell(notes: Notes, path: &Path) {
    if notes.on_tmpfs {
        telemetry::store_on_tmpfs(path);
    }
    if notes.copied {
        telemetry::store_copied(path);
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Unfit> {
    std::fs::read(path).map_err(|error| Unfit::config(format!("{}: {error}", path.display())))
}

fn mistaken(path: &Path, mistakes: impl Iterator<Item = String>) -> Unfit {
    Unfit { words: mistakes.map(|mistake| format!("{}: {mistake}", path.display())).collect(), code: ExitCode::Usage }
}

fn read_kek(config: &Config, surroundings: &Surroundings) -> Result<KeyEncryptionKey, Unfit> {
    let key = "vault.key_encryption_key";
    let text =
        config.key_encryption_key.read(surroundings).map_err(|error| Unfit::config(format!("{key}: {error}")))?;
    KeyEncryptionKey::from_hex(&text).map_err(|error| Unfit::config(format!("{key}: {error}")))
}

/// The first start pins the key-encryption key; another one is a mistake to be told before anything is touched.
async fn pin_kek(ledger: &dyn Ledger, kek: &KeyEncryptionKey) -> Result<(), Unfit> {
    let check = hex(&kek.check());
    if ledger.pin("key_encryption_key_check", &check).await? == check {
        return Ok(());
    }
    let words = "vault.key_encryption_key: not the key that this database was made with; put that one back, or use another [store] url";
    Err(Unfit::config(words))
}

/// An issuer's keys; made at its first start.
async fn issuer_keys(ledger: &dyn Ledger, kek: &KeyEncryptionKey, issuer: &str) -> Result<Arc<IssuerKeys>, Unfit> {
    if ledger.keys(issuer).await?.is_empty() {
        let mut keys = Vec::new();
        for purpose in KeyPurpose::ALL {
            let mut random = Zeroizing::new([0_u8; 44]);
            let failed = |error: io::Error| Unfit { words: vec![error.to_string()], code: ExitCode::Failure };
            random[..32].copy_from_slice(&*entropy().map_err(failed)?);
            random[32..].copy_from_slice(&entropy().map_err(failed)?[..12]);
            keys.push(kek.wrap_new(issuer, purpose, 1, &random));
        }
        ledger.keep_keys(issuer, &keys).await?;
    }
    let keys = IssuerKeys::open(kek, issuer, &ledger.keys(issuer).await?)
        .map_err(|error| Unfit::config(format!("vault.key_encryption_key: {error}")))?;
    if !keys.locked() {
        telemetry::memory_not_locked(issuer);
    }
    Ok(Arc::new(keys))
}

fn assemble_issuer(
    config: &Config,
    issuer: &config::Issuer,
    keys: Arc<IssuerKeys>,
    surroundings: &Surroundings,
) -> Result<Issuer, Unfit> {
    let reply_key = match &issuer.reply_key {
        None => None,
        Some(source) => {
            let key = format!("issuer {}: reply_key", issuer.id);
            let bytes = source.read(surroundings).map_err(|error| Unfit::config(format!("{key}: {error}")))?;
            Some(Recipient::parse(&bytes).map_err(|error| Unfit::config(format!("{key}: {error}")))?)
        }
    };
    let feeds = config.feeds_of(&issuer.id).map(|feed| assemble_feed(feed, surroundings)).collect::<Result<_, _>>()?;
    Ok(Issuer {
        id: issuer.id.clone(),
        inbound: issuer.inbound.clone(),
        outbox: Outbox::new(&issuer.outbound),
        reply_key,
        currencies: issuer.currencies.clone(),
        keys,
        feeds,
    })
}

fn assemble_feed(feed: &config::Feed, surroundings: &Surroundings) -> Result<Feed, Unfit> {
    let mut keys = Vec::new();
    for (index, source) in feed.keys.iter().enumerate() {
        let key = format!("feed {}: keys[{index}]", feed.name);
        let bytes = source.read(surroundings).map_err(|error| Unfit::config(format!("{key}: {error}")))?;
        keys.push(PrivateKey::parse(&bytes).map_err(|error| Unfit::config(format!("{key}: {error}")))?);
    }
    if feed.envelopes.contains(&EnvelopeKind::None) {
        telemetry::plaintext_feed(&feed.name);
    }
    let service = services::definition(feed.service).ok_or_else(|| {
        Unfit::config(format!("feed {}: service {} is not served by this version", feed.name, feed.service))
    })?;
    Ok(Feed {
        name: feed.name.clone(),
        files: feed.files.clone(),
        service,
        open: open::Options { accepted: feed.envelopes.clone(), allow_plaintext: feed.allow_plaintext },
        keyring: Keyring::new(keys).map_err(|error| Unfit::config(format!("feed {}: keys: {error}", feed.name)))?,
        delimiter: feed.delimiter,
        controls: match feed.controls {
            config::Controls::Required => Controls::Required,
            config::Controls::Optional => Controls::Optional,
        },
        environment: feed.environment,
        sequence: match feed.sequence {
            config::Sequence::Off => SequenceRule::Off,
            config::Sequence::Increasing => SequenceRule::Increasing,
            config::Sequence::Gapless => SequenceRule::Gapless,
        },
        sequence_wait: feed.sequence_wait,
        done_marker: feed.done_marker,
    })
}
