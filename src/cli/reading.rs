//! What commands that read have in common: the store opened beside a running daemon, a file found by what a person
//! calls it, and output that ends quietly when nobody reads it any more.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::actions::{self, Called, Found};
use crate::config::Config;
use crate::ledger::sqlite::{self, SqliteLedger};
use crate::ledger::{Ledger, LedgerError};
use crate::model::FileRecord;

use super::ExitCode;

/// Earlier files of a name that are named.
const EARLIER_MAX: usize = 5;

/// The store, to be read.
pub(super) struct Reading {
    pub(super) ledger: SqliteLedger,
    pub(super) path: PathBuf,
    pub(super) config: Config,
    /// Where a daemon of this configuration can be asked.
    pub(super) socket: PathBuf,
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
    let (path, socket) = (config.store.path.clone(), config.daemon.socket.clone());
    if !path.exists() {
        return Err(anyhow!("there is no store at {} yet; `nightdrop run` makes it", path.display()));
    }
    super::runtime()?.block_on(async {
        let ledger = sqlite::open_read_only(&path).await?;
        work(&Reading { ledger, path, config, socket }).await.map(Ok)
    })
}

/// Which file is meant; says which others of its name there are.
pub(super) async fn find(ledger: &dyn Ledger, called: Called<'_>) -> Result<Result<FileRecord, String>, LedgerError> {
    match actions::find(ledger, called).await? {
        Found::None(why) => Ok(Err(why)),
        Found::File { record, earlier } => {
            if !earlier.is_empty() {
                let others: Vec<String> = earlier.iter().take(EARLIER_MAX).map(ToString::to_string).collect();
                eprintln!(
                    "nightdrop: {} came {} times; this is {}, earlier ones: {}",
                    called.words,
                    earlier.len() + 1,
                    record.no,
                    others.join(", ")
                );
            }
            Ok(Ok(*record))
        }
    }
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
