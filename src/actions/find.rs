//! Finds the file that a person means.

use crate::ledger::{Ledger, LedgerError};
use crate::model::{FileNo, FileRecord};

/// Names shown in place of one that is not there.
const NEAR_MAX: usize = 5;

/// The newest files whose names are compared with one that is not there.
const LOOKED_AT: u32 = 1_000;

/// How alike two names must be, from 0 to 1, for one to be shown in place of the other.
const ALIKE: f64 = 0.85;

/// What a person calls a file.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// An arrival's number, a name or a stem.
    pub words: &'a str,
    /// Its issuer, where a name alone is not enough.
    pub issuer: Option<&'a str>,
}

/// What was found.
pub enum Found {
    /// The newest file of that name.
    File {
        /// It.
        record: Box<FileRecord>,
        /// Earlier ones of the same name, the newest first.
        earlier: Vec<FileNo>,
    },
    /// None, or files of several issuers; one sentence says it.
    None(String),
}

/// Which file is meant.
pub async fn find(ledger: &dyn Ledger, called: Called<'_>) -> Result<Found, LedgerError> {
    let Called { words, issuer } = called;
    let mut found = ledger.find(words).await?;
    found.retain(|file| issuer.is_none_or(|issuer| file.issuer == issuer));
    let Some(newest) = found.first() else {
        let near = near(ledger, words).await?;
        let of = issuer.map_or(String::new(), |issuer| format!(" of issuer {issuer}"));
        let hint = if near.is_empty() { String::new() } else { format!("; there are {}", near.join(", ")) };
        return Ok(Found::None(format!("no file{of} is called {words}{hint}")));
    };
    if let Some(other) = found.iter().find(|file| file.issuer != newest.issuer) {
        return Ok(Found::None(format!(
            "{words} is a file of {} ({}) and of {} ({}); say which with its id or with --issuer",
            newest.issuer, newest.no, other.issuer, other.no
        )));
    }
    let earlier = found[1..].iter().map(|file| file.no).collect();
    Ok(Found::File { record: Box::new(newest.clone()), earlier })
}

/// Names of the newest files that are nearly that.
async fn near(ledger: &dyn Ledger, words: &str) -> Result<Vec<String>, LedgerError> {
    let mut alike: Vec<(f64, String)> = ledger
        .overview(LOOKED_AT)
        .await?
        .files
        .into_iter()
        .map(|account| {
            let FileRecord { name, stem, .. } = account.record;
            (strsim::jaro_winkler(words, &name).max(strsim::jaro_winkler(words, &stem)), name)
        })
        .filter(|(alike, _)| *alike > ALIKE)
        .collect();
    alike.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    Ok(alike.into_iter().map(|(_, name)| name).take(NEAR_MAX).collect())
}
