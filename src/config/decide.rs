//! What goes together: the cross-checks, and the configuration as decided.

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::{EnvelopeKind, Environment};

use super::places::{self, Place};
use super::written::{Written, WrittenFeed, WrittenIssuer};
use super::{Config, Feed, Issuer, Problem, Reference, SecretSource, Store};

/// Decides what was written. Every problem is noted in the document; `None` where something required is not there.
pub(super) fn decide(written: Written<'_>, file: &Path) -> Option<Config> {
    if written.issuers.is_empty() {
        written.root.note("issuer", "at least one [[issuer]] is needed");
    }
    if written.feeds.is_empty() {
        written.root.note("feed", "at least one [[feed]] is needed");
    }
    unique(&written);
    let environment = environment(&written.feeds);
    let several = written.issuers.len() > 1;
    let mut decided = Vec::new();
    for issuer in &written.issuers {
        decided.push(decide_issuer(&written, issuer, several));
    }
    check_places(&written, &decided);
    let mut warnings = Vec::new();
    for feed in &written.feeds {
        check_feed(&written, feed, &mut warnings);
    }
    if environment == Some(Environment::Prod)
        && let Some(SecretSource::File(_)) = &written.key_encryption_key
    {
        let place = written.vault_section.place("key_encryption_key");
        let message = "the key-encryption key lies in a file; in PROD use a systemd credential or a command";
        warnings.push(written.root.problem(&place, message));
    }
    Some(Config {
        file: file.to_owned(),
        environment: environment?,
        issuers: decided.into_iter().collect::<Option<_>>()?,
        feeds: written.feeds.into_iter().map(decide_feed).collect::<Option<_>>()?,
        daemon: written.daemon,
        limits: written.limits,
        store: Store { path: written.store_path?, cache_bytes: written.cache_bytes },
        key_encryption_key: written.key_encryption_key?,
        reference: Reference { account_ranges: written.account_ranges?, card_products: written.card_products },
        log: written.log,
        warnings,
    })
}

fn unique(written: &Written<'_>) {
    let mut ids = BTreeMap::new();
    for issuer in &written.issuers {
        if let Some(id) = &issuer.id
            && ids.insert(id.as_str(), ()).is_some()
        {
            issuer.section.note("id", "another issuer has this id already");
        }
    }
    let mut names = BTreeMap::new();
    for feed in &written.feeds {
        if let Some(name) = &feed.name
            && names.insert(name.as_str(), ()).is_some()
        {
            feed.section.note("name", "another feed has this name already");
        }
        if let Some(issuer) = &feed.issuer
            && !ids.contains_key(issuer.as_str())
        {
            feed.section.note("issuer", "no [[issuer]] has this id");
        }
    }
}

/// One database holds TEST or PROD, never both.
fn environment(feeds: &[WrittenFeed<'_>]) -> Option<Environment> {
    let first = feeds.iter().find_map(|feed| feed.environment)?;
    for feed in feeds {
        if feed.environment.is_some_and(|environment| environment != first) {
            feed.section
                .note("environment", format!("all feeds of one daemon must be {first} like the first, or none"));
        }
    }
    Some(first)
}

fn decide_issuer(written: &Written<'_>, issuer: &WrittenIssuer<'_>, several: bool) -> Option<Issuer> {
    let id = issuer.id.clone()?;
    let own = |named: &Option<std::path::PathBuf>, all: &Path| match named {
        Some(path) => path.clone(),
        None if several => all.join(&id),
        None => all.to_owned(),
    };
    Some(Issuer {
        inbound: own(&issuer.inbound, &written.inbound),
        outbound: own(&issuer.outbound, &written.outbound),
        reply_key: issuer.reply_key.clone(),
        reply_envelope: issuer.reply_envelope,
        currencies: issuer.currencies.clone(),
        id,
    })
}

/// Each directory has one use: a file that is written in one must never be taken for an arrival in another.
fn check_places(written: &Written<'_>, issuers: &[Option<Issuer>]) {
    let daemon = &written.daemon;
    let mut all = Vec::new();
    for (path, key) in [(&daemon.work, "work"), (&daemon.archive, "archive"), (&daemon.quarantine, "quarantine")] {
        all.push(Place { path, what: format!("daemon.{key}"), section: &written.daemon_section, key });
    }
    for (decided, issuer) in issuers.iter().zip(&written.issuers) {
        if let Some(decided) = decided {
            let place = |path, key| Place {
                path,
                what: format!("{} of issuer {}", key, decided.id),
                section: &issuer.section,
                key,
            };
            all.push(place(&decided.inbound, "inbound"));
            all.push(place(&decided.outbound, "outbound"));
        }
    }
    places::check(&all);
}

fn check_feed(written: &Written<'_>, feed: &WrittenFeed<'_>, warnings: &mut Vec<Problem>) {
    let Some(envelopes) = &feed.envelopes else { return };
    if envelopes.is_empty() {
        feed.section.note("envelopes", "at least one envelope is needed");
    }
    let plain = envelopes.contains(&EnvelopeKind::None);
    let sealed = envelopes.iter().any(|envelope| *envelope != EnvelopeKind::None);
    if sealed && !feed.section.has("keys") {
        feed.section.note("keys", "required, but absent: a sealed envelope needs a key that opens it");
    } else if sealed && feed.keys.as_ref().is_some_and(Vec::is_empty) {
        feed.section.note("keys", "at least one key is needed");
    }
    if feed.allow_plaintext && feed.environment == Some(Environment::Prod) {
        feed.section.note("allow_plaintext", "never with environment PROD");
    } else if plain && !feed.allow_plaintext {
        feed.section.note("envelopes", "\"none\" takes plain text: it needs allow_plaintext = true, and never in PROD");
    } else if plain {
        let message = "this feed takes files that are not sealed";
        warnings.push(written.root.problem(&feed.section.place("envelopes"), message));
    }
}

fn decide_feed(feed: WrittenFeed<'_>) -> Option<Feed> {
    Some(Feed {
        name: feed.name?,
        issuer: feed.issuer?,
        service: feed.service?,
        files: feed.files?,
        envelopes: feed.envelopes?,
        keys: feed.keys.unwrap_or_default(),
        format: feed.format,
        delimiter: feed.delimiter,
        environment: feed.environment?,
        controls: feed.controls,
        sequence: feed.sequence,
        sequence_wait: feed.sequence_wait,
        done_marker: feed.done_marker,
        allow_plaintext: feed.allow_plaintext,
    })
}
