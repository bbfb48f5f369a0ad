//! What can go wrong with the world while files are taken in. A bad file is never one of these.

use std::io;
use std::path::PathBuf;

use crate::model::Retry;

/// A broken world: directories gone, disks full, descriptors that lie.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// A system call failed.
    #[error("cannot {action} {path:?}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A sync failed: what was written may be lost while the page cache shows it. Only a new process, which reads what
    /// is on the disk, may go on; a second sync of the same descriptor can succeed and prove nothing.
    #[error("cannot sync {path:?}; the process must end and start again from what is on the disk")]
    Sync {
        /// What was synced.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A feed's file pattern does not compile.
    #[error("the file pattern of feed {feed} is not a valid glob")]
    Pattern {
        /// The feed's name.
        feed: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// A name handed in is not one plain path component, so nothing was touched.
    #[error("{what} {name:?} is not a plain file name")]
    Name {
        /// Which argument.
        what: &'static str,
        /// Its value.
        name: String,
    },
    /// A copy lies neither in the work directory nor where it was to be set aside.
    #[error("the copy {path:?} is gone and was not set aside either; somebody else removed it")]
    CopyMissing {
        /// Where it should lie.
        path: PathBuf,
    },
}

impl IntakeError {
    /// Whether to try again.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Io { .. } => Retry::Later,
            Self::Sync { .. } | Self::Pattern { .. } | Self::Name { .. } | Self::CopyMissing { .. } => Retry::Never,
        }
    }

    /// Whether the process must end: after a failed sync nothing that this process sees of the file can be believed.
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Sync { .. })
    }
}
