//! Waiting for a broken world: the one place that tries again.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use crate::intake::IntakeError;
use crate::ledger::LedgerError;
use crate::model::{Refusal, Retry};
use crate::open::OpenError;
use crate::register::{RegisterError, Stop};
use crate::report::ReportError;
use crate::telemetry;

use super::site::Progress;
use super::troubles::Waited;

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Why a step did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The world is broken; the same step may succeed later.
    #[error("{part}: {}", chain(.error.as_ref()))]
    Later {
        /// What failed.
        part: &'static str,
        /// How.
        error: Box<dyn Error + Send + Sync>,
    },
    /// The file cannot go on; a person must look.
    #[error("{0}")]
    Hold(String),
    /// A thread of this program panicked; its log names the line.
    #[error("this program panicked on it; the log names the line")]
    Panicked,
    /// The copy is no longer in the work directory.
    #[error("the copy is gone from the work directory")]
    CopyGone,
    /// What the system says of its disk cannot be believed any more: the process must end.
    #[error("{0}")]
    Fatal(String),
    /// The daemon stops.
    #[error("stopping")]
    Stopped,
}

impl Trouble {
    /// Whether it is a failure of something in `directory`.
    pub(super) fn is_under(&self, directory: &Path) -> bool {
        match self {
            Self::Later { error, .. } => match error.downcast_ref::<IntakeError>() {
                Some(IntakeError::Io { path, .. }) => path.starts_with(directory),
                _ => false,
            },
            _ => false,
        }
    }
}

/// An error with its causes, as one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let text = source.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = source.source();
    }
    line
}

/// Which part of the world fails where the ledger does.
pub(super) const fn part_of(error: &LedgerError) -> &'static str {
    match error {
        LedgerError::Trail(_) | LedgerError::TrailHead => "audit trail",
        _ => "store",
    }
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        match error.retry() {
            Retry::Later => Self::Later { part: part_of(&error), error: error.into() },
            Retry::Never => Self::Hold(chain(&error)),
        }
    }
}

impl From<IntakeError> for Trouble {
    fn from(error: IntakeError) -> Self {
        if error.is_fatal() {
            return Self::Fatal(chain(&error));
        }
        match error.retry() {
            Retry::Later => Self::Later { part: "intake", error: error.into() },
            Retry::Never => Self::Hold(chain(&error)),
        }
    }
}

impl From<ReportError> for Trouble {
    fn from(error: ReportError) -> Self {
        if error.fatal() {
            return Self::Fatal(chain(&error));
        }
        match error.retry() {
            Retry::Later => Self::Later { part: "outbound", error: error.into() },
            Retry::Never => Self::Hold(chain(&error)),
        }
    }
}

impl From<RegisterError> for Trouble {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Ledger(error) => error.into(),
            RegisterError::WorkerLost => Self::Panicked,
            RegisterError::Source(_) | RegisterError::Changed(_) => Self::Hold(chain(&error)),
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Later { part: "work directory", error: error.into() }
    }
}

/// A refusal is the file's, all else is the world's.
pub(super) fn refusal_or_trouble(error: OpenError) -> Result<Refusal, Trouble> {
    match error {
        OpenError::Refused(refusal) => Ok(refusal),
        OpenError::Io { .. } | OpenError::Library { .. } => {
            Err(Trouble::Later { part: "work directory", error: error.into() })
        }
    }
}

/// Repeats a step until it succeeds, fails for good, or the daemon stops.
///
/// A macro and not a function: the step borrows what lies around it, and a closure that gives back such a future cannot
/// say that it may move between threads.
macro_rules! patiently {
    ($site:expr, $step:expr) => {{
        let mut patience = $crate::pipeline::patience::Patience::default();
        loop {
            let tried: Result<_, $crate::pipeline::patience::Trouble> = async { $step }.await;
            match patience.weigh(tried, &$site.stop, &$site.progress).await {
                Ok(Some(done)) => break Ok(done),
                Ok(None) => {}
                Err(trouble) => break Err(trouble),
            }
        }
    }};
}
pub(super) use patiently;

/// How often a step was tried, and what failed.
#[derive(Default)]
pub(super) struct Patience {
    failing: Option<Waited>,
    tries: u32,
}

impl Patience {
    /// Waits after a failure of the world, and gives back `None` for another try. A failure is said when it begins and when it is over.
    pub(super) async fn weigh<T>(
        &mut self,
        tried: Result<T, Trouble>,
        stop: &Stop,
        progress: &Progress,
    ) -> Result<Option<T>, Trouble> {
        let (part, error) = match tried {
            Ok(done) => {
                if let Some(failed) = self.failing.take() {
                    telemetry::world_recovered(failed.part);
                }
                return Ok(Some(done));
            }
            Err(Trouble::Later { part, error }) => (part, error),
            Err(final_one) => return Err(final_one),
        };
        let pause = (PAUSE_MIN * 2_u32.saturating_pow(self.tries)).min(PAUSE_MAX);
        self.tries = (self.tries + 1).min(10);
        if self.failing.as_ref().is_none_or(|failed| failed.part != part) {
            let why = chain(error.as_ref());
            telemetry::world_failed(part, &why, pause);
            self.failing = Some(progress.troubles.wait(part, &why));
        }
        if stop.said() {
            return Err(Trouble::Stopped);
        }
        stop.within(pause).await;
        Ok(None)
    }
}

/// Runs what blocks on a thread where that is allowed.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Trouble::Panicked),
    }
}
