//! How long what is no longer needed is kept.

use std::time::Duration;

/// The `[retention]` of the configuration, as decided. What makes a file the same file twice, the register and the audit
/// trail are not in it: they are never purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Sealed originals of accepted files, from the day they were received.
    pub archive: Duration,
    /// Sealed originals of refused files, likewise.
    pub quarantine: Duration,
    /// Outbound files, from when they were written.
    pub outbound: Duration,
    /// The ledger's rows of a file's records, from when the file was done.
    pub results: Duration,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for Retention {
    fn default() -> Self {
        Self {
            archive: DAY.saturating_mul(90),
            quarantine: DAY.saturating_mul(90),
            outbound: DAY.saturating_mul(400),
            results: DAY.saturating_mul(400),
        }
    }
}
