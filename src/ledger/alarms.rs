//! What every store keeps of alarms.

use async_trait::async_trait;

use crate::model::{Alarm, AlarmKind, Timestamp};

use super::LedgerError;

/// An alarm that the operators' command has still to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// Its number.
    pub no: i64,
    /// The alarm: to be told that it is raised or, if it is over, that it was cleared.
    pub alarm: Alarm,
}

/// The alarms that are open, and what was told of them.
#[async_trait]
pub trait AlarmBook: Send + Sync {
    /// Opens an alarm; gives back `false`, and changes nothing, where one of its kind and subject is open.
    async fn open_alarm(&self, alarm: &Alarm) -> Result<bool, LedgerError>;
    /// An alarm is over, and how; gives back `false` where none is open.
    async fn close_alarm(&self, kind: AlarmKind, subject: &str, how: &str, at: Timestamp) -> Result<bool, LedgerError>;
    /// The open ones, the oldest first.
    async fn open_alarms(&self) -> Result<Vec<Alarm>, LedgerError>;
    /// Alarms that are open and not told, or over and told of only as open; one that was over before it was told is passed
    /// over. The oldest first, at most `count`.
    async fn untold_alarms(&self, count: u32) -> Result<Vec<Untold>, LedgerError>;
    /// What [`Self::untold_alarms`] gave was told.
    async fn alarm_told(&self, told: &Untold) -> Result<(), LedgerError>;
}
