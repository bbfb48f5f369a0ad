//! An issuer's directories for tests, and an uploader with a rough hand.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Candidate, FeedMatch, Identity};

/// Directories of one test.
pub(super) struct World {
    _root: TempDir,
    pub(super) inbound: PathBuf,
    pub(super) work: PathBuf,
    pub(super) archive: PathBuf,
}

impl World {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let [inbound, work, archive] = ["inbound", "work", "archive"].map(|name| {
            let path = root.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        });
        Self { _root: root, inbound, work, archive }
    }

    /// Uploads a file whole, as a new inode or over the old one.
    pub(super) fn put(&self, name: &str, content: &str) {
        fs::write(self.inbound.join(name), content).unwrap();
    }

    pub(super) fn append(&self, name: &str, more: &str) {
        let mut file = OpenOptions::new().append(true).open(self.inbound.join(name)).unwrap();
        file.write_all(more.as_bytes()).unwrap();
    }

    /// Other content of the same size, and the old modification time restored.
    pub(super) fn rewrite_in_place(&self, name: &str, content: &str) {
        let path = self.inbound.join(name);
        let before = self.identity(name);
        let mtime = fs::metadata(&path).unwrap().modified().unwrap();
        until_seen(|| {
            let mut file = OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all(content.as_bytes()).unwrap();
            file.set_modified(mtime).unwrap();
            self.identity(name).ctime_ns != before.ctime_ns
        });
        assert_eq!(self.identity(name), Identity { ctime_ns: self.identity(name).ctime_ns, ..before });
    }

    /// Another inode under the same name, of the same content and time.
    pub(super) fn replace(&self, name: &str, content: &str) {
        let path = self.inbound.join(name);
        let mtime = fs::metadata(&path).unwrap().modified().unwrap();
        let other = self.inbound.join(".upload");
        let mut file = File::create(&other).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file.set_modified(mtime).unwrap();
        fs::rename(other, path).unwrap();
    }

    pub(super) fn identity(&self, name: &str) -> Identity {
        identity_of(&self.inbound.join(name))
    }

    /// A candidate of the file as it lies there now.
    pub(super) fn candidate(&self, name: &str) -> Candidate {
        let identity = self.identity(name);
        Candidate { name: name.to_owned(), feed: FeedMatch::One(0), identity, last_word: false }
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.inbound.join(name)).unwrap()
    }

    /// Everything that lies in the inbound directory.
    pub(super) fn lying(&self) -> Vec<String> {
        names(&self.inbound)
    }
}

pub(super) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Repeats a change until it shows: two changes within one tick of the kernel's coarse clock look like one.
pub(super) fn until_seen(mut change: impl FnMut() -> bool) {
    assert!((0..200_000).any(|_| change()), "the change never showed");
}

fn identity_of(path: &Path) -> Identity {
    Identity::of(&rustix::fs::lstat(path).unwrap())
}
