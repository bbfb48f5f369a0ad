//! Work by directory descriptor: every system call that intake makes on a directory and the names in it.
//!
//! Names are single components; nothing here follows a link or waits for a FIFO's other end.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, Advice, AtFlags, Dir, Mode, OFlags, RenameFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use rustix::path::Arg;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::IntakeError;
use super::name::is_component;
use super::way::walk;

/// What tells one state of one file from any other: any write, rename, link or change of mode moves `ctime_ns`, and
/// no uploader can set that back. The device is left out: its number may differ after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Inode number.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Time of the last write, in nanoseconds since 1970. Uploaders set it as they like.
    pub mtime_ns: i64,
    /// Time of the last change of the inode, in nanoseconds since 1970. The kernel alone sets it.
    pub ctime_ns: i64,
}

impl Identity {
    pub(super) fn of(stat: &Stat) -> Self {
        // A time beyond the range wraps: it is compared for equality and never read as a time.
        let ns = |seconds: i64, ns: u64| seconds.wrapping_mul(1_000_000_000).wrapping_add_unsigned(ns);
        Self {
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
            ctime_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Whether `later` can be the same file after a rename, which changes ctime alone.
    pub(super) fn survives_rename_as(&self, later: &Self) -> bool {
        *self == Self { ctime_ns: self.ctime_ns, ..*later }
    }
}

/// An open directory that knows its path for what is said when something fails.
pub(super) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

impl Directory {
    /// Opens a configured directory. Links on the way are the operator's: those of others are not followed.
    pub(super) fn open(path: &Path) -> Result<Self, IntakeError> {
        let ours = geteuid().as_raw();
        let fd = walk(path, |owner| owner == 0 || owner == ours).map_err(|source| IntakeError::Io {
            action: "open the directory",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Opens a directory in this one, made when it is not there yet, durably.
    pub(super) fn open_or_make(&self, name: &str) -> Result<Self, IntakeError> {
        match fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(self.failed("make the directory", name, errno)),
        }
        // Also when it was there: whoever made it may have died before this.
        self.sync()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, name, flags, Mode::empty())
            .map_err(|errno| self.failed("open the directory", name, errno))?;
        Ok(Self { fd, path: self.path.join(name) })
    }

    /// Opens a directory in this one; `None` where there is none of that name, or something else.
    pub(super) fn open_inside(&self, name: &str) -> Result<Option<Self>, IntakeError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path: self.path.join(name) })),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(self.failed("open the directory", name, errno)),
        }
    }

    /// An error about `name` in this directory.
    pub(super) fn failed(&self, action: &'static str, name: &str, source: impl Into<io::Error>) -> IntakeError {
        IntakeError::Io { action, path: self.path.join(name), source: source.into() }
    }

    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The entries, in the order of the file system.
    pub(super) fn entries(&self) -> Result<impl Iterator<Item = Result<fs::DirEntry, IntakeError>> + '_, IntakeError> {
        let failed = |errno: Errno| self.failed("list the directory", "", errno);
        Ok(Dir::read_from(&self.fd).map_err(failed)?.map(move |entry| entry.map_err(failed)))
    }

    /// What lies under a name, links not followed; `None` for nothing.
    pub(super) fn stat<P: Arg>(&self, name: P) -> Result<Option<Stat>, Errno> {
        match fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// The same, with the error made.
    pub(super) fn look_at(&self, name: &str) -> Result<Option<Stat>, IntakeError> {
        self.stat(name).map_err(|errno| self.failed("look at", name, errno))
    }

    /// Opens what lies under a name for reading, wherever the name does not lead out of this directory.
    pub(super) fn open_beneath(&self, name: &str) -> Result<File, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match fs::openat2(&self.fd, name, READ, Mode::empty(), resolve) {
            // Kernels before 5.6 do not have the call, and some sandboxes answer EPERM to calls they do not know.
            Err(Errno::NOSYS | Errno::PERM) => self.open_plainly(name),
            opened => opened.map(File::from),
        }
    }

    /// The same by the older call, which is as safe for a single component and refused for anything else: it cannot lead
    /// out, and a link, magic or not, is not followed as the last one.
    pub(super) fn open_plainly(&self, name: &str) -> Result<File, Errno> {
        if name.contains('/') || name == ".." {
            return Err(Errno::XDEV);
        }
        fs::openat(&self.fd, name, READ, Mode::empty()).map(File::from)
    }

    /// Makes a new file that we alone can read and write, in place of any leftover of that name.
    pub(super) fn create_afresh(&self, name: &str) -> Result<File, IntakeError> {
        self.remove(name)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)
            .map(File::from)
            .map_err(|errno| self.failed("create", name, errno))
    }

    /// Removes a name; whether it was there.
    pub(super) fn remove(&self, name: &str) -> Result<bool, IntakeError> {
        match fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.failed("remove", name, errno)),
        }
    }

    /// Removes a directory in this one if nothing lies in it.
    pub(super) fn remove_empty(&self, name: &str) -> Result<(), IntakeError> {
        match fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed("remove the directory", name, errno)),
        }
    }

    /// Renames within the directory without replacing anything, where the file system can promise that.
    pub(super) fn rename_aside(&self, from: &str, to: &str) -> Result<(), Errno> {
        match fs::renameat_with(&self.fd, from, &self.fd, to, RenameFlags::NOREPLACE) {
            // NFS and old file systems. The caller has seen that `to` is free, and nobody else uses such names.
            Err(Errno::INVAL | Errno::NOSYS) => fs::renameat(&self.fd, from, &self.fd, to),
            done => done,
        }
    }

    /// Exchanges two names within the directory in one step.
    pub(super) fn exchange(&self, one: &str, other: &str) -> Result<(), Errno> {
        fs::renameat_with(&self.fd, one, &self.fd, other, RenameFlags::EXCHANGE)
    }

    /// Moves a name into a directory and never replaces what lies there: `EXIST` then, `XDEV` across file systems.
    pub(super) fn move_new(&self, from: &str, into: &Self, to: &str) -> Result<(), Errno> {
        match fs::renameat_with(&self.fd, from, &into.fd, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) => {
                fs::linkat(&self.fd, from, &into.fd, to, AtFlags::empty())?;
                fs::unlinkat(&self.fd, from, AtFlags::empty())
            }
            done => done,
        }
    }

    /// The room in the directory's file system.
    pub(super) fn room(&self) -> Result<fs::StatVfs, IntakeError> {
        fs::fstatvfs(&self.fd).map_err(|errno| self.failed("ask for the room in", "", errno))
    }

    /// Makes the names in this directory durable.
    pub(super) fn sync(&self) -> Result<(), IntakeError> {
        self.sync_file("", &self.fd)
    }

    /// Makes a file's bytes durable.
    pub(super) fn sync_file(&self, name: &str, file: impl AsFd) -> Result<(), IntakeError> {
        fs::fsync(file).map_err(|errno| IntakeError::Sync { path: self.path.join(name), source: errno.into() })
    }
}

/// Reading, without following a link, waiting for a FIFO's writer or gaining a terminal.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC).union(OFlags::NOCTTY);

/// Tells the kernel how a file is read; nothing depends on its listening.
pub(super) fn advise(file: &File, advice: Advice) {
    const TO_THE_END: Option<NonZeroU64> = None;
    let _ignored = fs::fadvise(file, 0, TO_THE_END, advice);
}

/// Refuses what is not one plain path component before anything is touched.
pub(super) fn check_component(what: &'static str, name: &str) -> Result<(), IntakeError> {
    if is_component(name) { Ok(()) } else { Err(IntakeError::Name { what, name: name.to_owned() }) }
}
