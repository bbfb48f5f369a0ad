//! The setup that files are taken by, made from the configuration: at the start, and anew at every reload.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::config::{self, Config, Surroundings};
use crate::ledger::{Ledger, LedgerError, ReferenceKind, SequenceRule};
use crate::model::{EnvelopeKind, Limits};
use crate::open::{self, Keyring, PrivateKey, Recipient, VerifyKey};
use crate::parse::{Controls, Format};
use crate::pipeline::{After, Batches, Feed, Issuer, Looking, Setup, Source};
use crate::report::Outbox;
use crate::services;
use crate::services::reference::{AccountRanges, CardProducts};
use crate::sftp;
use crate::telemetry;
use crate::vault::IssuerKeys;

use super::assemble::Unfit;

/// The issuers' keys in the vault, by issuer.
pub(super) type IssuersKeys = BTreeMap<String, Arc<IssuerKeys>>;

/// Reference data, read and right.
pub(super) struct Reference {
    ranges: Arc<AccountRanges>,
    ranges_csv: Vec<u8>,
    products: Arc<CardProducts>,
    products_csv: Option<Vec<u8>>,
}

impl Reference {
    pub(super) fn read(named: &config::Reference) -> Result<Self, Unfit> {
        let path = &named.account_ranges;
        let ranges_csv = read(path)?;
        let ranges = AccountRanges::parse(&ranges_csv)
            .map_err(|mistakes| mistaken(path, mistakes.iter().map(ToString::to_string)))?;
        let products_csv = named.card_products.as_deref().map(read).transpose()?;
        let products = match (&named.card_products, &products_csv) {
            (Some(path), Some(csv)) => {
                CardProducts::parse(csv).map_err(|mistakes| mistaken(path, mistakes.iter().map(ToString::to_string)))?
            }
            _ => CardProducts::default(),
        };
        Ok(Self { ranges: Arc::new(ranges), ranges_csv, products: Arc::new(products), products_csv })
    }

    fn ranges_digest(&self) -> [u8; 32] {
        Sha256::digest(&self.ranges_csv[..]).into()
    }

    fn products_digest(&self) -> Option<[u8; 32]> {
        self.products_csv.as_ref().map(|csv| Sha256::digest(csv).into())
    }

    /// The account ranges alone.
    pub(super) const fn ranges(&self) -> &Arc<AccountRanges> {
        &self.ranges
    }

    /// The card products alone.
    pub(super) const fn products(&self) -> &Arc<CardProducts> {
        &self.products
    }

    /// Keeps this version in the ledger: a file keeps the one it was accepted under.
    pub(super) async fn keep(&self, ledger: &dyn Ledger) -> Result<(), LedgerError> {
        ledger.keep_reference(ReferenceKind::AccountRanges, &self.ranges_digest(), &self.ranges_csv).await?;
        if let Some(csv) = &self.products_csv {
            ledger.keep_reference(ReferenceKind::CardProducts, &Sha256::digest(csv).into(), csv).await?;
        }
        Ok(())
    }
}

/// Reads the keys that the configuration names, and puts the setup together.
pub(super) fn setup(
    config: &Config,
    surroundings: &Surroundings,
    reference: &Reference,
    keys: &IssuersKeys,
) -> Result<Setup, Unfit> {
    let mut issuers = Vec::new();
    for issuer in &config.issuers {
        let keys = keys.get(&issuer.id).ok_or_else(|| Unfit::config(format!("issuer {}: has no keys", issuer.id)))?;
        issuers.push(Arc::new(assemble_issuer(config, issuer, Arc::clone(keys), surroundings)?));
    }
    let daemon = &config.daemon;
    Ok(Setup {
        issuers,
        limits: config.limits.clone(),
        contact: daemon.contact.clone(),
        chunk_records: daemon.chunk_records,
        ranges_digest: reference.ranges_digest(),
        products: Arc::clone(&reference.products),
        products_digest: reference.products_digest(),
        ranges: Arc::clone(&reference.ranges),
        retention: config.retention,
        sources: config.sources.iter().map(|it| source(it, surroundings).map(Arc::new)).collect::<Result<_, _>>()?,
        calendar: config.calendar.clone(),
        daily: config.daily.clone(),
        alarm_command: config.alarm_command.clone(),
        looking: Looking { settle: daemon.settle, stalled: daemon.stalled, scan: daemon.scan },
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Unfit> {
    std::fs::read(path).map_err(|error| Unfit::config(format!("{}: {error}", path.display())))
}

fn mistaken(path: &Path, mistakes: impl Iterator<Item = String>) -> Unfit {
    Unfit::all_of(mistakes.map(|mistake| format!("{}: {mistake}", path.display())).collect())
}

fn assemble_issuer(
    config: &Config,
    issuer: &config::Issuer,
    keys: Arc<IssuerKeys>,
    surroundings: &Surroundings,
) -> Result<Issuer, Unfit> {
    let public = |name: &str, source: &Option<config::SecretSource>| -> Result<Option<Recipient>, Unfit> {
        let Some(source) = source else { return Ok(None) };
        let key = format!("issuer {}: {name}", issuer.id);
        let bytes = source.read(surroundings).map_err(|error| Unfit::locked_out(format!("{key}: {error}")))?;
        Recipient::parse(&bytes).map(Some).map_err(|error| Unfit::locked_out(format!("{key}: {error}")))
    };
    let reply_key = public("reply_key", &issuer.reply_key)?;
    let enroll_key = public("enroll_client_encryption_key", &issuer.enroll_client_encryption_key)?;
    if enroll_key.as_ref().is_some_and(|key| !key.is_rsa()) {
        let words = "is no RSA key; the enroller's card objects are sealed with RSA-OAEP-256";
        return Err(Unfit::config(format!("issuer {}: enroll_client_encryption_key: {words}", issuer.id)));
    }
    let feeds = config.feeds_of(&issuer.id).map(|feed| assemble_feed(feed, surroundings)).collect::<Result<_, _>>()?;
    Ok(Issuer {
        id: issuer.id.clone(),
        inbound: issuer.inbound.clone(),
        outbox: Outbox::new(&issuer.outbound),
        reply_key,
        enroll_key,
        seal_sensitive_data: issuer.seal_sensitive_data,
        currencies: issuer.currencies.clone(),
        keys,
        feeds,
    })
}

fn source(source: &config::Source, surroundings: &Surroundings) -> Result<Source, Unfit> {
    let key = format!("sftp {}: private_key", source.name);
    let private_key =
        source.private_key.read(surroundings).map_err(|error| Unfit::locked_out(format!("{key}: {error}")))?;
    let server = sftp::Options::new(&source.host, source.port, &source.user, private_key, source.host_keys.clone());
    Ok(Source {
        name: source.name.clone(),
        issuer: source.issuer.clone(),
        server,
        inbound: source.inbound.clone(),
        outbound: source.outbound.clone(),
        poll: source.poll.clone(),
        after: match &source.after {
            config::After::Delete => After::Delete,
            config::After::Move(to) => After::Move(to.clone()),
            config::After::Keep => After::Keep,
        },
    })
}

fn assemble_feed(feed: &config::Feed, surroundings: &Surroundings) -> Result<Feed, Unfit> {
    let mut keys = Vec::new();
    for (index, source) in feed.keys.iter().enumerate() {
        let key = format!("feed {}: keys[{index}]", feed.name);
        let bytes = source.read(surroundings).map_err(|error| Unfit::locked_out(format!("{key}: {error}")))?;
        keys.push(PrivateKey::parse(&bytes).map_err(|error| Unfit::locked_out(format!("{key}: {error}")))?);
    }
    if feed.envelopes.contains(&EnvelopeKind::None) && feed.allow_plaintext {
        telemetry::plaintext_feed(&feed.name);
    }
    let jws_key = match &feed.jws_key {
        None => None,
        Some(source) => {
            let key = format!("feed {}: jws_key", feed.name);
            let bytes = source.read(surroundings).map_err(|error| Unfit::locked_out(format!("{key}: {error}")))?;
            Some(VerifyKey::parse(&bytes).map_err(|error| Unfit::locked_out(format!("{key}: {error}")))?)
        }
    };
    if feed.envelopes.contains(&EnvelopeKind::Mastercard) && !keys.iter().any(PrivateKey::is_rsa) {
        let words = "none is an RSA key, which the envelope \"mastercard\" needs";
        return Err(Unfit::config(format!("feed {}: keys: {words}", feed.name)));
    }
    feed_with(feed, keys, jws_key)
}

/// A feed with the keys that open its files.
pub(super) fn feed_with(feed: &config::Feed, keys: Vec<PrivateKey>, jws_key: Option<VerifyKey>) -> Result<Feed, Unfit> {
    let service = services::definition(feed.service).ok_or_else(|| {
        Unfit::config(format!("feed {}: service {} is not served by this version", feed.name, feed.service))
    })?;
    Ok(Feed {
        name: feed.name.clone(),
        files: feed.files.clone(),
        service,
        open: open::Options {
            accepted: feed.envelopes.clone(),
            allow_plaintext: feed.allow_plaintext || feed.format == config::Format::D1Batch,
            oaep_hash: feed.oaep_hash,
            line_bytes_max: Limits::default().request_bytes_max,
        },
        keyring: Arc::new(
            Keyring::new(keys).map_err(|error| Unfit::config(format!("feed {}: keys: {error}", feed.name)))?,
        ),
        format: match feed.format {
            config::Format::Auto => None,
            config::Format::Csv => Some(Format::Csv),
            config::Format::Jsonl => Some(Format::Jsonl),
            config::Format::Json => Some(Format::Json),
            config::Format::D1Batch => Some(Format::D1Batch),
        },
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
        d1: feed.d1_issuer_id.clone().map(|issuer_id| Batches { issuer_id, jws_key }),
        after: feed.after.clone(),
        expected: feed.expected.clone(),
    })
}
