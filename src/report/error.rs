//! What can go wrong with the world while a report is written.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::Retry;

/// Why a file could not be written out. Its place holds what it held before, unless a directory failed to sync.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The name could leave its directory, hide in it, or not fit.
    #[error("the name of an outbound file must be 1 to 230 of [A-Za-z0-9._-] and not begin with a dot or a dash")]
    Name,
    /// Writing failed at some step.
    #[error("cannot {step} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        step: &'static str,
        /// The file or directory it was tried on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is on disk is unknown. The process must end: a second fsync on the same descriptor would report success for
    /// pages that the first one lost.
    #[error("cannot sync {}: what reached the disk is unknown, so the process has to start anew", path.display())]
    Sync {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk gave back other bytes than it was given.
    #[error("{} does not read back as it was written; nothing was put in its place", path.display())]
    ReadBack {
        /// The file.
        path: PathBuf,
    },
}

impl ReportError {
    /// Whether trying again can help. Every try begins from the ledger with a new file.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Io { .. } | Self::ReadBack { .. } => Retry::Later,
            Self::Name | Self::Sync { .. } => Retry::Never,
        }
    }

    /// Whether the process must end (and start again).
    pub const fn fatal(&self) -> bool {
        match self {
            Self::Sync { .. } => true,
            Self::Name | Self::Io { .. } | Self::ReadBack { .. } => false,
        }
    }

    pub(super) fn io<E: Into<io::Error>>(step: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { step, path: path.to_owned(), source: source.into() }
    }
}
