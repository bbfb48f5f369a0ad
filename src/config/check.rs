//! Looks at what the configuration names: keys, secrets, reference data. Changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::model::EnvelopeKind;

use super::{Config, Problem, SecretSource, Surroundings};

/// What each part says of a secret or a file of its own; handed in, since no part is imported here.
pub struct Judges<'a> {
    /// Of the key-encryption key.
    pub kek: &'a dyn Fn(&[u8]) -> Result<(), String>,
    /// Of a feed's private key.
    pub private_key: &'a dyn Fn(&[u8]) -> Result<(), String>,
    /// Whether a private key, which is one, is of RSA.
    pub is_rsa: &'a dyn Fn(&[u8]) -> bool,
    /// Of an issuer's reply key.
    pub public_key: &'a dyn Fn(&[u8]) -> Result<(), String>,
    /// Of the private key for a partner's server.
    pub ssh_key: &'a dyn Fn(&[u8]) -> Result<(), String>,
    /// Of the account ranges: every mistake.
    pub account_ranges: &'a dyn Fn(&[u8]) -> Vec<String>,
    /// Of the card products: every mistake.
    pub card_products: &'a dyn Fn(&[u8]) -> Vec<String>,
}

/// What was found: what stops a start, and what is unwise. Each begins with its key path.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What would stop a start.
    pub problems: Vec<String>,
    /// What is allowed and yet unwise, the configuration's own warnings first.
    pub warnings: Vec<String>,
}

/// Reads everything that the configuration names, once.
pub fn check(config: &Config, surroundings: &Surroundings, judges: &Judges<'_>) -> Findings {
    let mut found =
        Findings { problems: Vec::new(), warnings: config.warnings.iter().map(Problem::to_string).collect() };
    for (key, source, judge) in secrets(config, judges) {
        let said = source.read(surroundings).map_err(|error| error.to_string()).and_then(|bytes| judge(&bytes));
        match said {
            Err(why) => found.problems.push(format!("{key}: {source}: {why}")),
            Ok(()) => found.warnings.extend(open_to_others(&key, source)),
        }
    }
    found.problems.extend(without_rsa_key(config, surroundings, judges));
    let reference = &config.reference;
    let ranges = ("account_ranges", Some(&reference.account_ranges), judges.account_ranges);
    for (key, path, judge) in [ranges, ("card_products", reference.card_products.as_ref(), judges.card_products)] {
        let Some(path) = path else { continue };
        let mistakes = fs::read(path).map_or_else(|error| vec![error.to_string()], |csv| judge(&csv));
        let named = mistakes.iter().map(|mistake| format!("reference.{key}: {}: {mistake}", path.display()));
        found.problems.extend(named);
    }
    found
}

/// Feeds that take what is sealed for RSA keys alone, and have none. Keys that cannot be read have been told of.
fn without_rsa_key(config: &Config, surroundings: &Surroundings, judges: &Judges<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, feed) in config.feeds.iter().enumerate() {
        let takes = feed.envelopes.contains(&EnvelopeKind::Mastercard);
        let keys: Option<Vec<_>> = feed.keys.iter().map(|source| source.read(surroundings).ok()).collect();
        let Some(keys) = keys.filter(|keys| takes && keys.iter().all(|key| (judges.private_key)(key).is_ok())) else {
            continue;
        };
        if !keys.iter().any(|key| (judges.is_rsa)(key)) {
            problems.push(format!("feed[{at}].keys: none is an RSA key, which the envelope \"mastercard\" needs"));
        }
    }
    problems
}

type Judge<'j> = &'j dyn Fn(&[u8]) -> Result<(), String>;

/// Every key and secret, with its key path and who can tell whether it is one.
fn secrets<'c>(config: &'c Config, judges: &Judges<'c>) -> Vec<(String, &'c SecretSource, Judge<'c>)> {
    let mut all = vec![("vault.key_encryption_key".to_owned(), &config.key_encryption_key, judges.kek)];
    for (at, issuer) in config.issuers.iter().enumerate() {
        let named = |(name, key)| (format!("issuer[{at}].{name}"), key, judges.public_key);
        let keys = [
            ("reply_key", issuer.reply_key.as_ref()),
            ("enroll_client_encryption_key", issuer.enroll_client_encryption_key.as_ref()),
        ];
        all.extend(keys.into_iter().filter_map(|(name, key)| Some((name, key?))).map(named));
    }
    for (at, feed) in config.feeds.iter().enumerate() {
        let named = |(key, source)| (format!("feed[{at}].keys[{key}]"), source, judges.private_key);
        all.extend(feed.keys.iter().enumerate().map(named));
    }
    for (at, source) in config.sources.iter().enumerate() {
        all.push((format!("sftp[{at}].private_key"), &source.private_key, judges.ssh_key));
    }
    all
}

/// A private key in a file is its owner's alone. Reply and enroll keys are public, and systemd guards its credentials.
fn open_to_others(key: &str, source: &SecretSource) -> Option<String> {
    let SecretSource::File(path) = source else { return None };
    let mode = mode(path)?;
    let public = key.ends_with("reply_key") || key.ends_with("enroll_client_encryption_key");
    let open = !public && mode != 0o400 && mode != 0o600;
    open.then(|| format!("{key}: {source} has mode {mode:04o}; expected 0400 or 0600"))
}

fn mode(path: &Path) -> Option<u32> {
    Some(fs::metadata(path).ok()?.permissions().mode() & 0o7777)
}
