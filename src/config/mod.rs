//! The configuration: one TOML file, as written (`written`) and then as decided ([`Config`]).
//!
//! It refuses what it does not know and reports every problem at once, each with its key path and line. It reads no
//! environment, opens no key and touches no directory: [`check`] looks at the world, and only when asked. No stage
//! imports it; the root hands each part the values that are its own.

pub mod check;
mod days;
mod decide;
mod decided;
pub mod keys;
mod needs;
mod places;
mod problem;
mod quantity;
mod reader;
mod restart;
mod secret;
mod source;
#[cfg(test)]
mod tests;
mod written;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use toml::de::DeTable;

pub use decided::{Config, Controls, Daemon, Feed, Format, Issuer, Kit, Reference, Sequence, Store};
pub use problem::Problem;
pub use restart::takes_restart;
pub use secret::SecretSource;
pub use source::{After, Source};

use reader::{Document, Place, Section};
use written::{Purpose, Written};

/// A complete configuration with a word on each key; what `nightdrop config example` prints.
pub const EXAMPLE: &str = include_str!("example.toml");

/// No configuration is that long.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What the process was started with and a configuration depends on; `main` reads it.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Where systemd put the credentials (`$CREDENTIALS_DIRECTORY`).
    pub credentials_dir: Option<PathBuf>,
    /// Where programs are found (`$PATH`): all that the command for alarms has in its environment.
    pub path: Option<OsString>,
}

impl Config {
    /// Reads and decides the file. Relative paths in it start at its own directory.
    ///
    /// # Errors
    /// Every problem found, in the order of the file.
    pub fn load(file: &Path) -> Result<Self, Vec<Problem>> {
        let (text, file) = read(file)?;
        Self::parse(&text, &file)
    }

    /// The same for a text, as if it stood in `file`, whose path is absolute.
    ///
    /// # Errors
    /// Every problem found, in the order of the file.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Vec<Problem>> {
        parse(text, file, Purpose::Daemon, |written| decide::decide(written, file, Sha256::digest(text).into()))
    }
}

impl Kit {
    /// Reads and decides what a partner's kit needs of the file; `[store]`, `[vault]` and the keys of feeds may be absent.
    ///
    /// # Errors
    /// Every problem found, in the order of the file.
    pub fn load(file: &Path) -> Result<Self, Vec<Problem>> {
        let (text, file) = read(file)?;
        parse(&text, &file, Purpose::Kit, decide::decide_kit)
    }
}

/// The text of a file, and its absolute path.
fn read(file: &Path) -> Result<(String, PathBuf), Vec<Problem>> {
    let unreadable = |what: String| vec![Problem { line: None, key: String::new(), message: what }];
    let file = std::path::absolute(file).map_err(|error| unreadable(error.to_string()))?;
    let show = file.display();
    match fs::metadata(&file) {
        Ok(found) if found.len() > FILE_BYTES_MAX => return Err(unreadable(format!("{show} is over 4 MiB"))),
        Ok(_) => {}
        Err(error) => return Err(unreadable(format!("cannot read {show}: {error}"))),
    }
    let text = fs::read_to_string(&file).map_err(|error| unreadable(format!("cannot read {show}: {error}")))?;
    Ok((text, file))
}

fn parse<T>(
    text: &str,
    file: &Path,
    purpose: Purpose,
    decide: impl FnOnce(Written<'_>) -> Option<T>,
) -> Result<T, Vec<Problem>> {
    let document = Document::new(text, file.parent().unwrap_or(Path::new("/")));
    let (table, faults) = DeTable::parse_recoverable(text);
    for fault in &faults {
        // The message names the rule of TOML that is broken; it does not repeat the text.
        let at = fault.span().map(|span| span.start);
        document.note(&Place { path: String::new(), at }, format!("not TOML: {}", fault.message()));
    }
    if !faults.is_empty() {
        return Err(document.into_problems());
    }
    let written = written::read(Section::root(&document, table.get_ref()), purpose);
    let decided = decide(written);
    match (decided, document.into_problems()) {
        (Some(decided), problems) if problems.is_empty() => Ok(decided),
        (_, problems) => Err(problems),
    }
}
