//! What every store keeps of expected files.

use async_trait::async_trait;

use crate::model::Timestamp;

use super::LedgerError;

/// How far a feed's windows were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Since when its files are expected: no window that ended before is missed.
    pub since: Timestamp,
    /// Windows that ended up to here were looked at.
    pub checked: Timestamp,
}

/// The nights of feeds whose files are expected.
#[async_trait]
pub trait NightBook: Send + Sync {
    /// How far a feed was looked at; its files are expected from `now` on where they were not before.
    async fn watched(&self, feed: &str, now: Timestamp) -> Result<Watched, LedgerError>;
    /// The same, asked by one that writes nothing.
    async fn watched_so_far(&self, feed: &str) -> Result<Option<Watched>, LedgerError>;
    /// A feed's windows that ended up to `checked` were looked at.
    async fn checked(&self, feed: &str, checked: Timestamp) -> Result<(), LedgerError>;
    /// Files of feeds other than these are not expected any more.
    async fn watch_only(&self, feeds: &[&str]) -> Result<(), LedgerError>;
    /// When the first `most` files of a feed were accepted, of those accepted at or after the first instant and before the
    /// second.
    async fn accepted_between(
        &self,
        issuer: &str,
        feed: &str,
        between: (Timestamp, Timestamp),
        most: u32,
    ) -> Result<Vec<Timestamp>, LedgerError>;
}
