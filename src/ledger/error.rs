//! What can go wrong with a store, and whether waiting helps.

use std::io;
use std::path::PathBuf;

use crate::model::Retry;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database answered with an error, or not at all.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// Another process holds the store.
    #[error("another nightdrop holds the store: {0} is locked; stop it, or look with `nightdrop status`")]
    Held(PathBuf),
    /// The database was written by a newer program.
    #[error(
        "the database has migration {0}, which this program does not know: it was written by a newer nightdrop; install that one"
    )]
    Newer(i64),
    /// The database was written by an older program, and this command only reads.
    #[error("the database was written by an older nightdrop; `nightdrop run` or `nightdrop once` brings it up to date")]
    Older,
    /// A migration failed.
    #[error("the database could not be brought to this program's version: {0}")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The database is pinned to something else than the configuration says.
    #[error("the database was made for {what} {pinned}, the configuration says {wanted}; use another [store] url")]
    Pinned {
        /// What is pinned.
        what: &'static str,
        /// What the database holds.
        pinned: String,
        /// What was asked for.
        wanted: String,
    },
    /// A check of the database after an unclean stop found damage.
    #[error("the database is damaged ({0}); restore a backup or the copy kept beside it")]
    Damaged(String),
    /// The database lies where it cannot be kept safe.
    #[error("the database lies on {0}, where a commit cannot be made durable; put it on a local disk")]
    Unsafe(&'static str),
    /// A row does not hold what its version says, or a file is not in the state it was thought to be in.
    #[error("the ledger contradicts itself: {0}")]
    Inconsistent(String),
    /// The audit trail takes no row; what it was to tell of did not happen.
    #[error("the audit trail cannot be written, and nothing goes on without it: {0}")]
    Trail(#[source] sqlx::Error),
    /// The mark of the trail's last row does not read as one.
    #[error(
        "the audit trail cannot be written, and nothing goes on without it: the mark of its last row has an unknown form"
    )]
    TrailHead,
    /// A file system call around the database failed.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
}

impl LedgerError {
    /// Whether waiting helps.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Database(error) => database_retry(error),
            Self::Io { .. } => Retry::Later,
            // Whatever is wrong with it is somebody's to mend; no file is to blame.
            Self::Trail(_) | Self::TrailHead => Retry::Later,
            Self::Held(_)
            | Self::Newer(_)
            | Self::Older
            | Self::Migration(_)
            | Self::Pinned { .. }
            | Self::Damaged(_)
            | Self::Unsafe(_)
            | Self::Inconsistent(_) => Retry::Never,
        }
    }
}

/// What the rows themselves are wrong about stays wrong; all else may be a lock, a full disk, a lost connection.
fn database_retry(error: &sqlx::Error) -> Retry {
    match error {
        sqlx::Error::RowNotFound
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_) => Retry::Never,
        sqlx::Error::Database(said) if said.is_unique_violation() || said.is_foreign_key_violation() => Retry::Never,
        _ => Retry::Later,
    }
}
