//! The ways in which the story speaks to sources: a source's memory of its directory, and the bell that wakes it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::intake::RemoteInbox;
use crate::ledger::Remote;

use super::super::origin::mark;

/// A door to each source at work.
#[derive(Default)]
pub struct SourceDoors(Mutex<HashMap<String, Arc<Door>>>);

/// The door to one source.
pub(super) struct Door {
    pub(super) inbox: Mutex<RemoteInbox>,
    pub(super) bell: Notify,
}

impl Door {
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut RemoteInbox) -> T) -> T {
        // A panic while it was held leaves at worst a file that settles anew.
        act(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SourceDoors {
    pub(super) fn open(&self, source: &str, door: &Arc<Door>) {
        self.table().insert(source.to_owned(), Arc::clone(door));
    }

    /// Something is to be done for it: a file was decided about, or is to go out.
    pub(in crate::pipeline) fn wake(&self, source: &str) {
        if let Some(door) = self.table().get(source) {
            door.bell.notify_one();
        }
    }

    /// The proof of one of its files is over.
    pub(in crate::pipeline) fn proven(&self, remote: &Remote, name: &str) {
        if let Some(door) = self.table().get(&remote.source).map(Arc::clone) {
            door.with(|inbox| inbox.proven(name));
        }
    }

    /// A claim of one of its files came to nothing.
    pub(in crate::pipeline) fn put_back(&self, remote: &Remote, name: &str, ended_early: bool) {
        let Some(door) = self.table().get(&remote.source).map(Arc::clone) else { return };
        door.with(|inbox| if ended_early { inbox.ended_early(name, mark(remote)) } else { inbox.forget(name) });
        door.bell.notify_one();
    }

    fn table(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Door>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
