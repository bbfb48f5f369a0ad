//! Looks at the world a configuration names: keys that can be read, files that exist. Changes nothing.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Config, Problem, SecretSource, Surroundings};

/// What was found besides the file's own problems.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What would stop the daemon or refuse files.
    pub problems: Vec<Problem>,
    /// What is allowed and yet unwise, the configuration's own warnings first.
    pub warnings: Vec<Problem>,
}

/// Reads every key and secret once, and looks for the reference data.
pub fn surroundings(config: &Config, surroundings: &Surroundings) -> Findings {
    let mut findings = Findings { problems: Vec::new(), warnings: config.warnings.clone() };
    for (key, source) in secrets(config) {
        match source.read(surroundings) {
            Ok(_) => findings.warnings.extend(open_to_others(&key, source)),
            Err(error) => findings.problems.push(problem(key, format!("cannot read {source}: {error}"))),
        }
    }
    let products = config.reference.card_products.as_deref();
    for (key, path) in
        [("account_ranges", Some(config.reference.account_ranges.as_path())), ("card_products", products)]
    {
        if let Some(Err(error)) = path.map(readable) {
            let path = path.unwrap_or(Path::new("")).display();
            findings.problems.push(problem(format!("reference.{key}"), format!("cannot read {path}: {error}")));
        }
    }
    findings
}

/// Every key and secret with its key path.
fn secrets(config: &Config) -> impl Iterator<Item = (String, &SecretSource)> {
    let replies = config.issuers.iter().enumerate();
    let replies = replies.filter_map(|(at, it)| Some((format!("issuer[{at}].reply_key"), it.reply_key.as_ref()?)));
    let keys = config.feeds.iter().enumerate().flat_map(|(at, feed)| {
        feed.keys.iter().enumerate().map(move |(key, source)| (format!("feed[{at}].keys[{key}]"), source))
    });
    [("vault.key_encryption_key".to_owned(), &config.key_encryption_key)].into_iter().chain(replies).chain(keys)
}

/// A private key in a file is its owner's alone. A reply key is public; systemd guards its credentials.
fn open_to_others(key: &str, source: &SecretSource) -> Option<Problem> {
    let SecretSource::File(path) = source else { return None };
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    let open = !key.ends_with("reply_key") && mode != 0o400 && mode != 0o600;
    open.then(|| problem(key.to_owned(), format!("{source} has mode {mode:04o}; expected 0400 or 0600")))
}

fn readable(path: &Path) -> io::Result<()> {
    if fs::File::open(path)?.metadata()?.is_file() { Ok(()) } else { Err(io::Error::other("not a file")) }
}

const fn problem(key: String, message: String) -> Problem {
    Problem { line: None, key, message }
}
