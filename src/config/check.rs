//! Looks at what the configuration names: keys, reference data, directories. Changes nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Config, SecretSource, Surroundings};

/// What each part says of a secret or a file of its own; handed in, since no part is imported here.
pub struct Judges<'a> {
    /// Of the key-encryption key.
    pub kek: &'a dyn Fn(&[u8]) -> Result<(), String>,
    /// Of a feed's private key.
    pub private_key: &'a dyn Fn(&[u8]) -> Result<(), String>,
    /// Of an issuer's reply key.
    pub public_key: &'a dyn Fn(&[u8]) -> Result<(), String>,
    /// Of the account ranges: every mistake.
    pub account_ranges: &'a dyn Fn(&[u8]) -> Vec<String>,
    /// Of the card products: every mistake.
    pub card_products: &'a dyn Fn(&[u8]) -> Vec<String>,
}

/// What was found: what stops a start, and what is unwise.
#[derive(Debug, Default)]
pub struct Findings {
    /// With the key path each.
    pub problems: Vec<String>,
    /// With the key path each.
    pub warnings: Vec<String>,
}

/// Reads everything that the configuration names.
pub fn check(config: &Config, surroundings: &Surroundings, judges: &Judges<'_>) -> Findings {
    let mut found = Findings::default();
    found.warnings.extend(config.warnings.iter().map(ToString::to_string));
    let mut secret = |key: String, source: &SecretSource, judge: &dyn Fn(&[u8]) -> Result<(), String>| {
        let said = source.read(surroundings).map_err(|error| error.to_string()).and_then(|bytes| judge(&bytes));
        if let Err(why) = said {
            found.problems.push(format!("{key}: {source}: {why}"));
        }
    };
    secret("vault.key_encryption_key".into(), &config.key_encryption_key, judges.kek);
    for issuer in &config.issuers {
        if let Some(source) = &issuer.reply_key {
            secret(format!("issuer {}: reply_key", issuer.id), source, judges.public_key);
        }
    }
    for feed in &config.feeds {
        for (index, source) in feed.keys.iter().enumerate() {
            secret(format!("feed {}: keys[{index}]", feed.name), source, judges.private_key);
        }
    }
    if let SecretSource::File(path) = &config.key_encryption_key {
        found.warnings.extend(too_open(path));
    }
    let mut table = |key: &str, path: &Path, judge: &dyn Fn(&[u8]) -> Vec<String>| match std::fs::read(path) {
        Ok(csv) => {
            let mistakes = judge(&csv).into_iter().map(|mistake| format!("{key}: {}: {mistake}", path.display()));
            found.problems.extend(mistakes);
        }
        Err(error) => found.problems.push(format!("{key}: {}: {error}", path.display())),
    };
    table("reference.account_ranges", &config.reference.account_ranges, judges.account_ranges);
    if let Some(path) = &config.reference.card_products {
        table("reference.card_products", path, judges.card_products);
    }
    found
}

/// A key that others may read protects little.
fn too_open(path: &Path) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let open = mode & 0o077 != 0;
    open.then(|| format!("vault.key_encryption_key: {} has mode {mode:04o}; expected 0400", path.display()))
}
