//! `nightdrop config check` and `nightdrop config example`.

use std::path::Path;

use serde::Serialize;

use crate::config::check::{self, Findings, Judges};
use crate::config::{Config, EXAMPLE, Surroundings};
use crate::open::{PrivateKey, Recipient};
use crate::services::reference::{AccountRanges, CardProducts};
use crate::vault::KeyEncryptionKey;

use super::ExitCode;

#[derive(Serialize)]
struct Shown<'a> {
    ok: bool,
    problems: &'a [String],
    warnings: &'a [String],
}

/// Reads the configuration and all it names.
pub(super) fn check(file: &Path, json: bool, surroundings: &Surroundings) -> ExitCode {
    let found = match Config::load(file) {
        Err(problems) => {
            Findings { problems: problems.iter().map(ToString::to_string).collect(), warnings: Vec::new() }
        }
        Ok(config) => check::check(
            &config,
            surroundings,
            &Judges {
                kek: &|bytes| KeyEncryptionKey::from_hex(bytes).map(drop).map_err(|error| error.to_string()),
                private_key: &|bytes| PrivateKey::parse(bytes).map(drop).map_err(|error| error.to_string()),
                public_key: &|bytes| Recipient::parse(bytes).map(drop).map_err(|error| error.to_string()),
                account_ranges: &|csv| {
                    AccountRanges::parse(csv).err().unwrap_or_default().iter().map(ToString::to_string).collect()
                },
                card_products: &|csv| {
                    CardProducts::parse(csv).err().unwrap_or_default().iter().map(ToString::to_string).collect()
                },
            },
        ),
    };
    let ok = found.problems.is_empty();
    if json {
        let shown = Shown { ok, problems: &found.problems, warnings: &found.warnings };
        // Strings and a flag always make JSON.
        println!("{}", serde_json::to_string_pretty(&shown).unwrap_or_default());
    } else {
        for problem in &found.problems {
            eprintln!("{}: {problem}", file.display());
        }
        for warning in &found.warnings {
            eprintln!("{}: warning: {warning}", file.display());
        }
        if ok {
            println!("{} is right", file.display());
        } else {
            eprintln!("nightdrop: {} to mend", found.problems.len());
        }
    }
    if ok { ExitCode::Ok } else { ExitCode::Usage }
}

/// Prints the example.
pub(super) fn example() -> ExitCode {
    print!("{EXAMPLE}");
    ExitCode::Ok
}
