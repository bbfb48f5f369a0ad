//! A consistent copy of the store while it is written to.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use crate::ledger::{AuditEntry, LedgerError};

use super::SqliteLedger;

impl SqliteLedger {
    /// One read transaction writes what it sees into a file of its own, row by row, which is synced and given its name.
    /// A writer is not held up: in WAL mode it goes on behind the reader. Damage in the store would fail the reading.
    pub(super) async fn copy_to(&self, to: &Path, told: &AuditEntry) -> Result<(), LedgerError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| LedgerError::Io { path, source }
        };
        let temporary = temporary(to);
        match fs::remove_file(&temporary) {
            // What an earlier try left.
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(&temporary)(error)),
        }
        // Side by side: a writer in the midst of a large commit is waited for while the copy is made.
        let (told, copied) = tokio::join!(self.audit_alone(told), copy(&self.path, &temporary));
        if let Err(error) = told.and(copied) {
            // It holds sealed card numbers, and is no backup.
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        File::open(&temporary).and_then(|file| file.sync_all()).map_err(io(&temporary))?;
        // Never over a file that came meanwhile: a link fails where a name is taken.
        fs::hard_link(&temporary, to).map_err(io(to))?;
        fs::remove_file(&temporary).map_err(io(&temporary))?;
        let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(io(directory))
    }
}

/// Copies a database to a place that is free, as it is at this moment; on a connection of its own, whose cache is small.
pub(super) async fn copy(database: &Path, to: &Path) -> Result<(), LedgerError> {
    let options = SqliteConnectOptions::new().filename(database).read_only(true).disable_statement_logging();
    let mut reader = SqliteConnection::connect_with(&options).await?;
    sqlx::query("VACUUM INTO ?").bind(to.to_string_lossy().as_ref()).execute(&mut reader).await?;
    reader.close().await?;
    Ok(())
}

fn temporary(to: &Path) -> PathBuf {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    to.with_file_name(format!(".{name}.tmp"))
}
