//! The machine's clock; where faults can be planned, a test may move its hands.

use std::sync::Arc;

use crate::model::Clock;
#[cfg(not(feature = "faults"))]
use crate::model::SystemClock;

/// The clock of this process.
#[cfg(not(feature = "faults"))]
pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The same, moved by as much as a test says.
#[cfg(feature = "faults")]
pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(moved::Moved)
}

#[cfg(feature = "faults")]
mod moved {
    use std::time::Instant;

    use crate::faults;
    use crate::model::{Clock, SystemClock, Timestamp};

    /// The wall clock alone is moved: pauses last as long as they do.
    pub(super) struct Moved;

    impl Clock for Moved {
        fn now(&self) -> Timestamp {
            Timestamp(SystemClock.now().0 + faults::moved_by())
        }

        fn monotonic(&self) -> Instant {
            SystemClock.monotonic()
        }
    }
}
