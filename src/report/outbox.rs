//! The durable outbox: temporary, write, sync, read back, rename, sync the directory. A name appears in an outbound
//! directory only when the content beneath it is whole and on disk; nothing else in nightdrop writes there.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, AtFlags, Mode, OFlags, fadvise, fsync, openat, renameat, unlinkat};
use rustix::io::Errno;
use sha2::Sha256;

use super::hash::{Hashed, Sum, hex};
use super::{Outbound, ReportError};

/// Temporaries are `.nightdrop-NAME.N.tmp`. The dot keeps partners from fetching them, the rest makes them ours to sweep.
const PREFIX: &str = ".nightdrop-";
const SUFFIX: &str = ".tmp";
/// With prefix, number and suffix a name still fits into the 255 bytes of a directory entry.
const NAME_BYTES_MAX: usize = 230;
/// Temporaries of one name that may lie about before something is wrong.
const TEMPORARIES_MAX: u32 = 100;
const BUFFER_BYTES: usize = 64 << 10;

/// One outbound directory.
#[derive(Clone, Debug)]
pub struct Outbox {
    dir: PathBuf,
}

/// A file that stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name in the outbound directory.
    pub name: String,
    /// Hex SHA-256 of its bytes.
    pub sha256: String,
}

impl Outbox {
    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.dir
    }

    /// The directory may come and go: it is opened anew for every file.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    pub(super) fn open(&self) -> Result<OwnedFd, ReportError> {
        rustix::fs::open(&self.dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(ReportError::io("open", &self.dir))
    }

    /// Begins the file that will be called `name`, as a temporary beside its place.
    pub fn begin(&self, name: &str) -> Result<Draft, ReportError> {
        if !is_name(name) {
            return Err(ReportError::Name);
        }
        let dir = self.open()?;
        let path = self.dir.join(name);
        let mut number = 0;
        loop {
            let temporary = format!("{PREFIX}{name}.{number}{SUFFIX}");
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match openat(&dir, &temporary, flags, Mode::from_raw_mode(0o640)) {
                Ok(file) => {
                    let out = BufWriter::with_capacity(BUFFER_BYTES, Hashed::new(File::from(file)));
                    let place = Place { dir, temporary: Some(temporary) };
                    return Ok(Draft { out, sum: Sum::default(), behind: 0, place, path, name: name.to_owned() });
                }
                Err(Errno::EXIST) if number < TEMPORARIES_MAX => number += 1,
                Err(error) => return Err(ReportError::io("create a temporary for", &path)(error)),
            }
        }
    }

    /// Writes a plain file from memory.
    pub fn put(&self, name: &str, content: &[u8]) -> Result<Outbound, ReportError> {
        let mut draft = self.begin(name)?;
        draft.write_all(content).map_err(ReportError::io("write", &draft.path))?;
        let Written { name, sha256 } = draft.commit()?;
        Ok(Outbound { name, content_sha256: sha256.clone(), sha256 })
    }

    /// Removes the temporaries that a process which ended half-way left here; how many there were. Call it at start,
    /// before anything is begun: it cannot tell a draft in hand from one left behind.
    pub fn sweep(&self) -> Result<usize, ReportError> {
        let mut swept = 0;
        for entry in std::fs::read_dir(&self.dir).map_err(ReportError::io("list", &self.dir))? {
            let entry = entry.map_err(ReportError::io("list", &self.dir))?;
            let ours =
                entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
            // A link or a directory of that name is not our making, and stays.
            if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                std::fs::remove_file(entry.path()).map_err(ReportError::io("remove", &entry.path()))?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}

pub(super) fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && !name.starts_with(['.', '-'])
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Bytes after which what was written so far is sent on its way to the disk, so that the sync at the end waits for little.
const AHEAD_BYTES: usize = 8 << 20;

/// A file being written under a temporary name. Dropped before [`commit`](Self::commit), it leaves nothing.
pub struct Draft {
    out: BufWriter<Hashed<File>>,
    /// Of all that was taken, for the proof.
    sum: Sum,
    /// Bytes since the disk was last asked to begin.
    behind: usize,
    place: Place,
    path: PathBuf,
    name: String,
}

impl Draft {
    /// Makes it durable, proves it by reading it back, and puts it in its place; what stood there before is replaced in
    /// one step.
    pub fn commit(self) -> Result<Written, ReportError> {
        let Self { out, sum, mut place, path, name, .. } = self;
        let Hashed { inner: file, sha } =
            out.into_inner().map_err(|error| ReportError::io("write", &path)(error.into_error()))?;
        file.sync_all().map_err(|source| match source.kind() {
            // A network file system says only now that it is full. These bytes are thrown away and written anew from
            // the ledger, so nothing hangs on them.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ReportError::io("write", &path)(source),
            _ => ReportError::Sync { path: path.clone(), source },
        })?;
        // A hint: ask the disk, not the memory that was just written. Where it is not taken, nothing is lost.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        drop(file);
        if place.read_back().map_err(ReportError::io("read back", &path))? != sum {
            return Err(ReportError::ReadBack { path });
        }
        place.rename_to(&name).map_err(ReportError::io("rename the temporary of", &path))?;
        fsync(&place.dir).map_err(|error| ReportError::Sync { path: parent(&path), source: error.into() })?;
        Ok(Written { name, sha256: hex(sha) })
    }

    /// The SHA-256 of all that was written so far.
    pub(super) fn digest(&mut self) -> io::Result<Sha256> {
        self.out.flush()?;
        Ok(self.out.get_ref().sha.clone())
    }

    /// Where it will stand, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.sum.add(&bytes[..taken]);
        self.behind += taken;
        if self.behind >= AHEAD_BYTES {
            self.behind = 0;
            // A hint that begins to write dirty pages and lets go of clean ones. Whether they arrived is asked at the end.
            let _ = fadvise(&self.out.get_ref().inner, 0, None, Advice::DontNeed);
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}

/// A temporary in an open directory; removed on drop as long as it is one.
struct Place {
    dir: OwnedFd,
    temporary: Option<String>,
}

impl Place {
    fn read_back(&self) -> io::Result<Sum> {
        let temporary = self.temporary.as_deref().unwrap_or_default();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.dir, temporary, flags, Mode::empty())?);
        let mut sum = Sum::default();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(sum),
                Ok(read) => sum.add(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn rename_to(&mut self, name: &str) -> io::Result<()> {
        renameat(&self.dir, self.temporary.as_deref().unwrap_or_default(), &self.dir, name)?;
        self.temporary = None;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // What cannot be removed now is swept at the next start.
            let _ = unlinkat(&self.dir, temporary, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests;
