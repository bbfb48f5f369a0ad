//! What commands that read have in common: the store opened beside a running daemon, a file found by what a person
//! calls it, and output that ends quietly when nobody reads it any more.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::ledger::sqlite::{self, SqliteLedger};
use crate::ledger::{Ledger, LedgerError};
use crate::model::FileRecord;

use super::ExitCode;

/// Names shown in place of one that is not there.
const NEAR_MAX: usize = 5;

/// The store, to be read.
pub(super) struct Reading {
    pub(super) ledger: SqliteLedger,
    pub(super) path: PathBuf,
}

/// Opens the store that the configuration names, reads, and says what went wrong.
pub(super) fn read<T>(
    config: &Path,
    work: impl AsyncFnOnce(&Reading) -> anyhow::Result<T>,
) -> anyhow::Result<Result<T, ExitCode>> {
    let config = match super::load(config) {
        Ok(config) => config,
        Err(code) => return Ok(Err(code)),
    };
    let path = config.store.path;
    if !path.exists() {
        return Err(anyhow!("there is no store at {} yet; `nightdrop run` makes it", path.display()));
    }
    super::runtime()?.block_on(async {
        let ledger = sqlite::open_read_only(&path).await?;
        work(&Reading { ledger, path }).await.map(Ok)
    })
}

/// What a person calls a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called<'a> {
    /// An arrival's number, a name or a stem.
    pub(super) words: &'a str,
    /// Its issuer, where a name alone is not enough.
    pub(super) issuer: Option<&'a str>,
}

/// Which file is meant: the newest of that name. Says why where none is, and which others there are.
pub(super) async fn find(ledger: &dyn Ledger, called: Called<'_>) -> Result<Result<FileRecord, String>, LedgerError> {
    let Called { words, issuer } = called;
    let mut found = ledger.find(words).await?;
    found.retain(|file| issuer.is_none_or(|issuer| file.issuer == issuer));
    let Some(newest) = found.first().cloned() else {
        let near = near(ledger, words).await?;
        let of = issuer.map_or(String::new(), |issuer| format!(" of issuer {issuer}"));
        let hint = if near.is_empty() { String::new() } else { format!("; there are {}", near.join(", ")) };
        return Ok(Err(format!("no file{of} is called {words}{hint}")));
    };
    if let Some(other) = found.iter().find(|file| file.issuer != newest.issuer) {
        let why = format!(
            "{words} is a file of {} ({}) and of {} ({}); say which with its id or with --issuer",
            newest.issuer, newest.no, other.issuer, other.no
        );
        return Ok(Err(why));
    }
    if found.len() > 1 {
        let others: Vec<String> = found[1..].iter().take(NEAR_MAX).map(|file| file.no.to_string()).collect();
        eprintln!(
            "nightdrop: {words} came {} times; this is {}, earlier ones: {}",
            found.len(),
            newest.no,
            others.join(", ")
        );
    }
    Ok(Ok(newest))
}

/// Names of the newest files that are nearly that.
async fn near(ledger: &dyn Ledger, words: &str) -> Result<Vec<String>, LedgerError> {
    const LOOKED_AT: u32 = 1_000;
    const ALIKE: f64 = 0.85;
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

/// Stdout for data, in blocks.
pub(super) struct Out(BufWriter<StdoutLock<'static>>);

impl Out {
    pub(super) fn new() -> Self {
        Self(BufWriter::with_capacity(64 << 10, io::stdout().lock()))
    }

    /// How the command ends: quietly where nobody reads any more, as when it is piped into `head`.
    pub(super) fn end(mut self, written: anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
        let flushed = self.0.flush();
        let gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        match (written, flushed) {
            (Err(error), _) if error.downcast_ref::<io::Error>().is_some_and(gone) => Ok(ExitCode::Ok),
            (Err(error), _) => Err(error),
            (Ok(_), Err(error)) if !gone(&error) => Err(error.into()),
            (Ok(code), _) => Ok(code),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
