//! From written to decided: which values go together, which directories follow from which.

use std::path::{Path, PathBuf};

use crate::model::{EnvelopeKind, Environment, ServiceName};

use super::decided::{Config, Controls, Feed, Format, Issuer, Kit, Reference, Store};
use super::needs;
use super::places::{self, Claimed};
use super::written::{Purpose, Written, WrittenFeed, WrittenIssuer};
use super::{Problem, SecretSource, source};

/// `None` only where a problem has been noted.
pub(super) fn decide(written: Written<'_>, file: &Path, sha256: [u8; 32]) -> Option<Config> {
    let (environment, issuers) = together(&written, Purpose::Daemon);
    let warnings = warnings(&written, environment);
    Some(Config {
        issuers: decided(written.issuers, issuers)?,
        feeds: written.feeds.into_iter().map(feed).collect::<Option<_>>()?,
        sources: written.sources.into_iter().map(source::decide).collect::<Option<_>>()?,
        file: file.to_owned(),
        sha256,
        environment: environment?,
        daemon: written.daemon,
        limits: written.limits,
        retention: written.retention,
        store: Store { path: written.store_path?, cache_bytes: written.cache_bytes },
        key_encryption_key: written.key_encryption_key?,
        reference: Reference { account_ranges: written.account_ranges?, card_products: written.card_products },
        daily: written.daily,
        calendar: written.calendar,
        alarm_command: written.alarm_command,
        log: written.log,
        warnings,
    })
}

/// The same for a partner's kit; see [`Purpose::Kit`].
pub(super) fn decide_kit(written: Written<'_>) -> Option<Kit> {
    let (_, issuers) = together(&written, Purpose::Kit);
    Some(Kit {
        issuers: decided(written.issuers, issuers)?,
        feeds: written.feeds.into_iter().map(feed).collect::<Option<_>>()?,
        daemon: written.daemon,
        limits: written.limits,
        reference: Reference { account_ranges: written.account_ranges?, card_products: written.card_products },
    })
}

/// What must go together does; and the environment, and each issuer's directories.
fn together(written: &Written<'_>, purpose: Purpose) -> (Option<Environment>, Vec<(Claimed, Claimed)>) {
    refuse_repeated_names(written);
    let environment = one_environment(&written.feeds);
    for feed in &written.feeds {
        refuse_contradictions(feed, purpose);
        needs::refuse_missing(written, feed, purpose);
    }
    for issuer in written.issuers.iter().filter(|issuer| issuer.seal_sensitive_data && issuer.reply_key.is_none()) {
        issuer.section.note("seal_sensitive_data", "needs a reply_key");
    }
    needs::refuse_wrong_orders(written);
    source::refuse_contradictions(written);
    let issuers: Vec<(Claimed, Claimed)> = written.issuers.iter().map(|it| directories(it, written)).collect();
    refuse_shared_places(written, &issuers);
    (environment, issuers)
}

fn decided(written: Vec<WrittenIssuer<'_>>, directories: Vec<(Claimed, Claimed)>) -> Option<Vec<Issuer>> {
    let decided = written.into_iter().zip(directories).map(|(issuer, (inbound, outbound))| {
        Some(Issuer {
            id: issuer.id?,
            inbound: inbound.path,
            outbound: outbound.path,
            reply_key: issuer.reply_key,
            reply_envelope: issuer.reply_envelope,
            enroll_client_encryption_key: issuer.enroll_client_encryption_key,
            currencies: issuer.currencies,
            seal_sensitive_data: issuer.seal_sensitive_data,
        })
    });
    decided.collect()
}

fn feed(written: WrittenFeed<'_>) -> Option<Feed> {
    Some(Feed {
        name: written.name?,
        issuer: written.issuer?,
        service: written.service?,
        files: written.files?,
        envelopes: written.envelopes?,
        keys: written.keys.unwrap_or_default(),
        format: written.format,
        delimiter: written.delimiter,
        environment: written.environment?,
        controls: written.controls,
        sequence: written.sequence,
        sequence_wait: written.sequence_wait,
        done_marker: written.done_marker,
        d1_issuer_id: written.d1_issuer_id,
        jws_key: written.jws_key,
        after: written.after,
        expected: written.expected,
        allow_plaintext: written.allow_plaintext,
        oaep_hash: written.oaep_hash,
    })
}

/// Ids and names are unique, there is at least one of each, and a feed's issuer exists.
fn refuse_repeated_names(written: &Written<'_>) {
    for (key, none) in [("issuer", written.issuers.is_empty()), ("feed", written.feeds.is_empty())] {
        if none && !written.root.has(key) {
            written.root.note(key, format!("at least one [[{key}]] is required"));
        }
    }
    for (index, issuer) in written.issuers.iter().enumerate() {
        if issuer.id.is_some() && written.issuers[..index].iter().any(|it| it.id == issuer.id) {
            issuer.section.note("id", "another issuer has this id");
        }
    }
    // An id that is wrong or absent has been noted; the feeds that name it are not wrong too.
    let all_known = written.issuers.iter().all(|it| it.id.is_some()) && !written.issuers.is_empty();
    for (index, feed) in written.feeds.iter().enumerate() {
        if feed.name.is_some() && written.feeds[..index].iter().any(|it| it.name == feed.name) {
            feed.section.note("name", "another feed has this name");
        }
        let named = feed.issuer.is_some() && written.issuers.iter().any(|it| it.id == feed.issuer);
        if feed.issuer.is_some() && all_known && !named {
            feed.section.note("issuer", "no [[issuer]] has this id");
        }
    }
}

/// One database holds TEST or PROD, never both.
fn one_environment(feeds: &[WrittenFeed<'_>]) -> Option<Environment> {
    let first = feeds.iter().find_map(|it| it.environment)?;
    for feed in feeds.iter().filter(|it| it.environment.is_some_and(|its| its != first)) {
        feed.section.note("environment", format!("an earlier feed has {first}, and one database holds one of the two"));
    }
    Some(first)
}

/// What a feed accepts needs what opens it.
fn refuse_contradictions(feed: &WrittenFeed<'_>, purpose: Purpose) {
    let prod = feed.environment == Some(Environment::Prod);
    if prod && feed.allow_plaintext {
        feed.section.note("allow_plaintext", "must not be true with environment \"PROD\"");
    }
    if feed.format == Format::Json && feed.controls == Controls::Required {
        let message = "is \"json\", which has no control records: it needs controls = \"optional\"";
        feed.section.note("format", message);
    }
    let batch = feed.format == Format::D1Batch;
    if batch && feed.service.is_some_and(|service| service != ServiceName::Cards) {
        feed.section.note("format", "is \"d1-batch\", which brings cards: it needs service = \"cards\"");
    }
    if batch && !feed.section.has("d1_issuer_id") {
        feed.section.note("d1_issuer_id", "required with format = \"d1-batch\", but absent");
    }
    for key in ["d1_issuer_id", "jws_key"] {
        if !batch && feed.section.has(key) {
            feed.section.note(key, "applies to format = \"d1-batch\" alone");
        }
    }
    let Some(envelopes) = &feed.envelopes else { return };
    if feed.section.has("oaep_hash") && !envelopes.contains(&EnvelopeKind::Mastercard) {
        feed.section.note("oaep_hash", "applies to envelopes that hold \"mastercard\" alone");
    }
    // A batch may come unsealed anywhere, since its cards are sealed one by one.
    if envelopes.contains(&EnvelopeKind::None) && !batch {
        if prod {
            feed.section.note("envelopes", "must not hold \"none\" with environment \"PROD\"");
        } else if !feed.allow_plaintext {
            feed.section.note("envelopes", "holds \"none\", which needs allow_plaintext = true");
        }
    }
    let sealed = batch || envelopes.iter().any(|it| *it != EnvelopeKind::None);
    if purpose == Purpose::Daemon && sealed && !feed.section.has("keys") {
        feed.section.note("keys", "required, but absent: only a feed whose envelopes are [\"none\"] needs no key, unless its cards are sealed (d1-batch)");
    }
}

/// One issuer has the inbound and outbound directories; of several, each has one below them, unless it names its own.
fn directories(issuer: &WrittenIssuer<'_>, written: &Written<'_>) -> (Claimed, Claimed) {
    let claim = |key, own: &Option<PathBuf>, shared: &Path| match own {
        Some(path) => Claimed { place: issuer.section.place(key), path: path.clone() },
        None if written.issuers.len() == 1 => {
            Claimed { place: written.daemon_section.place(key), path: shared.to_owned() }
        }
        None => {
            let path = shared.join(issuer.id.as_deref().unwrap_or_default());
            Claimed { place: issuer.section.place(key), path }
        }
    };
    (claim("inbound", &issuer.inbound, &written.inbound), claim("outbound", &issuer.outbound, &written.outbound))
}

fn refuse_shared_places(written: &Written<'_>, issuers: &[(Claimed, Claimed)]) {
    // Without its id, or with another's, an issuer's directories are not its own; that has been noted.
    let mut known: Vec<&str> = written.issuers.iter().filter_map(|it| it.id.as_deref()).collect();
    known.sort_unstable();
    known.dedup();
    if known.len() < written.issuers.len() {
        return;
    }
    let daemon = &written.daemon_section;
    let own = [
        ("work", &written.daemon.work),
        ("archive", &written.daemon.archive),
        ("quarantine", &written.daemon.quarantine),
    ];
    let own = own.map(|(key, path)| Claimed { place: daemon.place(key), path: path.clone() });
    let partners = issuers.iter().flat_map(|(inbound, outbound)| [inbound.clone(), outbound.clone()]);
    let directories: Vec<Claimed> = partners.chain(own).collect();
    let mut files = Vec::new();
    if let Some(path) = &written.store_path {
        files.push(Claimed { place: written.store_section.place("url"), path: path.clone() });
    }
    if let Some(SecretSource::File(path)) = &written.key_encryption_key {
        files.push(Claimed { place: written.vault_section.place("key_encryption_key"), path: path.clone() });
    }
    places::check(written.root.document(), &directories, &files, issuers.len() * 2);
}

/// What is allowed and yet unwise.
fn warnings(written: &Written<'_>, environment: Option<Environment>) -> Vec<Problem> {
    let mut warnings = Vec::new();
    if environment == Some(Environment::Prod) && matches!(written.key_encryption_key, Some(SecretSource::File(_))) {
        warnings.push(written.vault_section.problem(
            "key_encryption_key",
            "the key to every card number lies in a file; a credential or a command keeps it off the disk",
        ));
    }
    for issuer in &written.issuers {
        if !written.feeds.iter().any(|feed| feed.issuer == issuer.id) {
            warnings.push(issuer.section.problem("id", "no [[feed]] is of this issuer: every file of it is refused"));
        }
        if environment == Some(Environment::Prod) && issuer.reply_key.is_none() {
            warnings.push(issuer.section.problem("reply_key", "without one, answers to this issuer are plain text"));
        }
    }
    for (index, feed) in written.feeds.iter().enumerate() {
        // Not an error: the contract refuses such files one by one. But no file can belong to either feed.
        let same = |it: &WrittenFeed<'_>| it.issuer == feed.issuer && it.files == feed.files && it.files.is_some();
        if written.feeds[..index].iter().any(same) {
            let message = "another feed of this issuer has this pattern: every file that matches it is refused";
            warnings.push(feed.section.problem("files", message));
        }
    }
    for feed in written.feeds.iter().filter(|it| it.allow_plaintext) {
        warnings.push(feed.section.problem("allow_plaintext", "files of this feed may come as plain text"));
    }
    warnings
}
