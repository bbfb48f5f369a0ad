//! Time, handed in: wall-clock time for what is written down, monotonic time for waiting.

use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z. Displays as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads RFC 3339; `None` for anything else, and for years before 1970 or after 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        let ms = at.as_millisecond();
        (0..=253_402_300_799_999).contains(&ms).then_some(Self(ms))
    }

    /// The UTC day as `YYYY-MM-DD`: the directory an archived file lies in.
    pub fn day(self) -> String {
        self.to_string().chars().take(10).collect()
    }

    /// The time `earlier` before this one, at least 1970.
    pub fn before(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(earlier.as_millis()).unwrap_or(i64::MAX)).max(0))
    }

    /// The time `later` after this one, at most the largest that can be written.
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(later.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(at: jiff::Timestamp) -> Self {
        Self(at.as_millisecond())
    }
}

impl From<Timestamp> for jiff::Timestamp {
    /// What cannot be said is the nearest that can.
    fn from(at: Timestamp) -> Self {
        Self::from_millisecond(at.0).unwrap_or(if at.0 < 0 { Self::MIN } else { Self::MAX })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(out, "{at:.3}"),
            Err(_) => write!(out, "invalid time"),
        }
    }
}

/// Where time comes from. Two kinds exist: the system's, and one that a test moves.
pub trait Clock: Send + Sync {
    /// Wall-clock time, for what is written down.
    fn now(&self) -> Timestamp;
    /// Monotonic time, for settling and back-off: a wall clock that jumps changes none of them.
    fn monotonic(&self) -> Instant;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_rfc3339_with_milliseconds() {
        let at = Timestamp::parse("2026-11-20T01:30:00Z").unwrap();
        assert_eq!(at.to_string(), "2026-11-20T01:30:00.000Z");
        assert_eq!(Timestamp::parse("2026-11-20T02:30:00.5+01:00").unwrap().to_string(), "2026-11-20T01:30:00.500Z");
        assert_eq!(at.day(), "2026-11-20");
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp::parse("1969-12-31T23:59:59Z"), None);
    }
}
