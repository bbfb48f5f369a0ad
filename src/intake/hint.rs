//! Wakes the next scan early when something seems to have happened in an inbound directory.
//!
//! A hint and never proof: a lost event, a full queue, a file system without events or a watch that could not be set
//! only mean that the next scan comes when its timer says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// A directory without events, and why. Worth a line in the log, nothing else.
#[derive(Debug, thiserror::Error)]
#[error("{directory:?} cannot be watched; scans find what comes")]
pub struct Unwatched {
    /// The directory.
    pub directory: PathBuf,
    /// Why.
    pub source: notify::Error,
}

/// Watches until it is dropped.
pub struct Hint {
    wake: Arc<Notify>,
    _watcher: Option<RecommendedWatcher>,
}

impl Hint {
    /// Watches all inbound directories as far as they can be.
    pub fn watch(directories: &[PathBuf]) -> (Self, Vec<Unwatched>) {
        let wake = Arc::new(Notify::new());
        let heard = Arc::clone(&wake);
        let hear = move |event: notify::Result<Event>| {
            if is_worth_a_look(&event) {
                heard.notify_one();
            }
        };
        let failed = |directory: &Path, source| Unwatched { directory: directory.to_owned(), source };
        match RecommendedWatcher::new(hear, notify::Config::default()) {
            Ok(mut watcher) => {
                let mut unwatched = Vec::new();
                for directory in directories {
                    if let Err(source) = watcher.watch(directory, RecursiveMode::NonRecursive) {
                        unwatched.push(failed(directory, source));
                    }
                }
                (Self { wake, _watcher: Some(watcher) }, unwatched)
            }
            Err(source) => {
                // One reason for all: it is said of the first.
                let unwatched = directories.first().map(|directory| failed(directory, source));
                (Self { wake, _watcher: None }, unwatched.into_iter().collect())
            }
        }
    }

    /// Waits for the next hint; one that came since the last wait is not lost. Can be dropped at any time.
    pub async fn heard(&self) {
        self.wake.notified().await;
    }
}

/// Names that appear and writers that close. Not each write, which would make an upload a storm of scans, and above all
/// not opening, since every scan opens the directory and would wake the next one.
fn is_worth_a_look(event: &notify::Result<Event>) -> bool {
    let Ok(event) = event else { return true };
    event.need_rescan()
        || matches!(
            event.kind,
            EventKind::Create(_)
                | EventKind::Modify(ModifyKind::Name(_))
                | EventKind::Access(AccessKind::Close(AccessMode::Write))
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, Flag, RenameMode};
    use std::fs;
    use std::time::Duration;
    use tokio::time::timeout;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_new_file_and_a_renamed_one_wake() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (hint, unwatched) = Hint::watch(&[one.path().to_owned()]);
        assert!(unwatched.is_empty(), "{unwatched:?}");
        fs::write(one.path().join("a.part"), "x").unwrap();
        timeout(LONG, hint.heard()).await.expect("a new file wakes");
        // A second watch, so that what is left of the first file's events cannot stand in for the rename.
        let (hint, _) = Hint::watch(&[one.path().to_owned(), two.path().to_owned()]);
        fs::rename(one.path().join("a.part"), two.path().join("a")).unwrap();
        timeout(LONG, hint.heard()).await.expect("a rename wakes");
    }

    #[tokio::test]
    async fn a_hint_that_came_before_the_wait_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (hint, _) = Hint::watch(&[dir.path().to_owned()]);
        let (other, _) = Hint::watch(&[dir.path().to_owned()]);
        fs::write(dir.path().join("a"), "x").unwrap();
        timeout(LONG, other.heard()).await.expect("the event has come");
        timeout(LONG, hint.heard()).await.expect("the event waits for whoever waits later");
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_reported_and_the_others_watched() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let (hint, unwatched) = Hint::watch(&[missing.clone(), dir.path().to_owned()]);
        assert_eq!(unwatched.len(), 1);
        assert_eq!(unwatched[0].directory, missing);
        fs::write(dir.path().join("a"), "x").unwrap();
        timeout(LONG, hint.heard()).await.expect("the other one is watched");
    }

    #[test]
    fn only_what_may_have_made_a_file_whole_wakes() {
        let event = |kind| Ok(Event::new(kind));
        assert!(is_worth_a_look(&event(EventKind::Create(CreateKind::File))));
        assert!(is_worth_a_look(&event(EventKind::Modify(ModifyKind::Name(RenameMode::To)))));
        assert!(is_worth_a_look(&event(EventKind::Access(AccessKind::Close(AccessMode::Write)))));
        assert!(!is_worth_a_look(&event(EventKind::Access(AccessKind::Open(AccessMode::Any)))));
        assert!(!is_worth_a_look(&event(EventKind::Modify(ModifyKind::Data(DataChange::Any)))));
        // A queue that overflowed, a watcher that failed: something was missed.
        assert!(is_worth_a_look(&Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan))));
        assert!(is_worth_a_look(&Err(notify::Error::generic("no more watches"))));
    }
}
