//! `nightdrop config check` and `nightdrop config example`.

use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::config::check::{self, Findings, Judges};
use crate::config::keys;
use crate::config::{Config, EXAMPLE, Surroundings};
use crate::open::{PrivateKey, Recipient};
use crate::services::reference::{AccountRanges, CardProducts};
use crate::sftp;
use crate::vault::KeyEncryptionKey;

use super::ExitCode;
use super::live::Tried;
use super::reading::Out;

/// What a file is not that should be a key for a partner's server.
const NO_SSH_KEY: &str = "it is no private key in OpenSSH or PEM form";

#[derive(Serialize)]
struct Shown<'a> {
    ok: bool,
    problems: &'a [String],
    warnings: &'a [String],
    /// Absent unless it was tried, and what is written is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<&'a [Tried]>,
}

/// Reads the configuration and all it names.
pub(super) fn check(file: &Path, live: bool, json: bool, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let loaded = Config::load(file);
    let found = match &loaded {
        Err(problems) => {
            Findings { problems: problems.iter().map(ToString::to_string).collect(), warnings: Vec::new() }
        }
        Ok(config) => check::check(
            config,
            surroundings,
            &Judges {
                kek: &|bytes| KeyEncryptionKey::from_hex(bytes).map(drop).map_err(|error| error.to_string()),
                private_key: &|bytes| PrivateKey::parse(bytes).map(drop).map_err(|error| error.to_string()),
                is_rsa: &|bytes| PrivateKey::parse(bytes).is_ok_and(|key| key.is_rsa()),
                public_key: &|bytes| Recipient::parse(bytes).map(drop).map_err(|error| error.to_string()),
                ssh_key: &|bytes| sftp::looks_like_a_key(bytes).then_some(()).ok_or_else(|| NO_SSH_KEY.to_owned()),
                account_ranges: &|csv| {
                    AccountRanges::parse(csv).err().unwrap_or_default().iter().map(ToString::to_string).collect()
                },
                card_products: &|csv| {
                    CardProducts::parse(csv).err().unwrap_or_default().iter().map(ToString::to_string).collect()
                },
            },
        ),
    };
    let mut ok = found.problems.is_empty();
    let tried = match &loaded {
        // What is wrong in itself need not be tried.
        Ok(config) if live && ok => Some(super::live::all(config, surroundings)?),
        _ => None,
    };
    let failed = tried.iter().flatten().filter(|it| !it.ok()).count();
    ok &= failed == 0;
    if json {
        let shown = Shown { ok, problems: &found.problems, warnings: &found.warnings, live: tried.as_deref() };
        // Strings and a flag always make JSON.
        println!("{}", serde_json::to_string_pretty(&shown).unwrap_or_default());
    } else {
        for problem in &found.problems {
            eprintln!("{}: {problem}", file.display());
        }
        for warning in &found.warnings {
            eprintln!("{}: warning: {warning}", file.display());
        }
        for it in tried.iter().flatten() {
            if it.ok() {
                println!("{}", it.line());
            } else {
                eprintln!("{}: {}", file.display(), it.line());
            }
        }
        if ok {
            println!("{} is right", file.display());
        } else {
            eprintln!("nightdrop: {} to mend", found.problems.len() + failed);
        }
    }
    // What is written is right and the world is not: that is no mistake of the configuration.
    Ok(match (ok, found.problems.is_empty()) {
        (true, _) => ExitCode::Ok,
        (false, true) => ExitCode::Failure,
        (false, false) => ExitCode::Usage,
    })
}

/// Prints the example.
pub(super) fn example() -> ExitCode {
    print!("{EXAMPLE}");
    ExitCode::Ok
}

/// Keys shown in place of one that does not exist.
const NEAR_MAX: usize = 5;
/// How alike two keys must be, from 0 to 1, for one to be shown in place of the other.
const ALIKE: f64 = 0.8;

/// Says what a key is, or all of them.
pub(super) fn explain(key: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let all = keys::explained();
    // A key's own name is enough where only one section has it.
    let is_it =
        |it: &keys::Explained, key: &str| it.key == key || it.key.split_once('.').is_some_and(|(_, own)| own == key);
    let wanted: Vec<_> = all.iter().filter(|it| key.is_none_or(|key| is_it(it, key))).collect();
    if let (Some(key), true) = (key, wanted.is_empty()) {
        let alike = |it: &&keys::Explained| {
            strsim::jaro_winkler(it.key, key)
                .max(it.key.split_once('.').map_or(0.0, |(_, own)| strsim::jaro_winkler(own, key)))
        };
        let near: Vec<_> = all.iter().filter(|it| alike(it) > ALIKE).map(|it| it.key).take(NEAR_MAX).collect();
        let hint = if near.is_empty() { String::new() } else { format!("; there are {}", near.join(", ")) };
        eprintln!("nightdrop: no key is called {key}{hint}");
        return Ok(ExitCode::Usage);
    }
    let mut out = Out::new();
    let written = (|| {
        if json {
            serde_json::to_writer_pretty(&mut out, &wanted).map_err(std::io::Error::from)?;
            writeln!(out)?;
            return Ok(ExitCode::Ok);
        }
        for it in wanted {
            let required = if it.required { " (required)" } else { "" };
            writeln!(out, "{}{required}\n    {}\n    as in: {}", it.key, it.takes, it.example)?;
            if !it.words.is_empty() {
                writeln!(out, "    {}", it.words)?;
            }
        }
        Ok(ExitCode::Ok)
    })();
    out.end(written)
}
