//! What every store keeps for reports of days and months.

use async_trait::async_trait;

use crate::model::{ServiceName, Timestamp};

use super::{Account, LedgerError};

/// A night whose files were missing when its window ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The feed's issuer.
    pub issuer: String,
    /// The feed.
    pub feed: String,
    /// The feed's service.
    pub service: ServiceName,
    /// The day on which the night ended, `YYYY-MM-DD`.
    pub day: String,
    /// The window: its beginning, its end, and the beginning of the next.
    pub window: [Timestamp; 3],
    /// Files expected.
    pub files: u32,
}

/// Expected files that did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The feed.
    pub feed: String,
    /// Its service.
    pub service: ServiceName,
    /// How many.
    pub files: u32,
}

/// What came to the register of a service and left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The service.
    pub service: ServiceName,
    /// What it held when the window began.
    pub opening: i64,
    /// What came.
    pub added: i64,
    /// What left.
    pub removed: i64,
}

/// All that a report is made from, of one moment.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Files received in the window, by number.
    pub files: Vec<Account>,
    /// Expected files that did not come in nights that ended in it.
    pub lacking: Vec<Lacking>,
    /// The registers of the services that ever held anything.
    pub registers: Vec<Movement>,
}

/// What a register should hold by its movements, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The service.
    pub service: ServiceName,
    /// The sum of all movements.
    pub moved: i64,
    /// Its rows.
    pub held: i64,
}

/// The newest version of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number, from 1.
    pub number: u32,
    /// Hex SHA-256 of its content.
    pub sha256: String,
    /// Whether it stood in the outbound directory.
    pub written: bool,
}

/// The facts of reports, and which were written.
#[async_trait]
pub trait ReportBook: Send + Sync {
    /// A night's files are missing; told once.
    async fn miss(&self, missed: &Missed) -> Result<(), LedgerError>;
    /// What a report of an issuer is made from: from the first instant on and before the second, both whole minutes.
    async fn facts(&self, issuer: &str, window: (Timestamp, Timestamp)) -> Result<Facts, LedgerError>;
    /// Counts an issuer's registers, and what their movements come to. Reads every row of them.
    async fn counted(&self, issuer: &str) -> Result<Vec<Counted>, LedgerError>;
    /// The newest version of a report, if it was ever made.
    async fn newest_version(&self, issuer: &str, name: &str) -> Result<Option<Version>, LedgerError>;
    /// A version is made and about to be written.
    async fn make_version(&self, issuer: &str, name: &str, version: &Version, at: Timestamp)
    -> Result<(), LedgerError>;
    /// It stands in the outbound directory.
    async fn version_written(&self, issuer: &str, name: &str, number: u32) -> Result<(), LedgerError>;
}
