//! A file goes out and lies under its name whole, or not at all.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use ssh2::{OpenFlags, OpenType};

use super::calls::{plain_path, remove, rename, stat, within};
use super::link::Link;
use super::transfer::{read, transfer_limit};
use super::watch::Watch;
use super::{Error, Kind, Uploaded};

/// How much is under way unacknowledged: at first, so that a line of 1 kB/s shows an acknowledgement every few seconds, ...
const WINDOW_MIN: usize = 4 * 1024;
/// ... and at most, so that a fast line with a long way is filled; less where the wire has no room for so much.
const WINDOW_MAX: usize = 512 * 1024;
/// The longest name: with a dot before and `.part` behind it still fits into a directory entry.
const NAME_MAX: usize = 249;
/// What we write for others to read; the server's own mask takes away from it.
const MODE: i32 = 0o644;
const PROBE: &str = ".nightdrop-probe";

/// Where a file lies while it is on its way: one place a name, so that what an earlier try left is overwritten.
fn temporary(name: &str) -> String {
    format!(".{name}.part")
}

pub(super) fn upload(
    link: &Link,
    watch: &mut Watch<'_>,
    from: File,
    dir: &str,
    name: &str,
    size: u64,
    sha256: [u8; 32],
) -> Result<Uploaded, Error> {
    if name.len() > NAME_MAX {
        return Err(Error::Name { name: name.to_owned() });
    }
    let (target, part) = (within(dir, name)?, within(dir, &temporary(name))?);
    if lies_there(link, watch, &target, size, sha256)? {
        // A server that ended in the middle of its rename may show both names.
        return match remove(link, watch, &part) {
            Err(error) if !error.leaves_the_line_usable() => Err(error),
            _ => Ok(Uploaded::AlreadyThere),
        };
    }
    let sent = send(link, watch, from, &part, name, size, sha256).and_then(|()| check_size(link, watch, &part, size));
    if let Err(error) = sent {
        // Its room may be what others wait for. The error to tell of is the first one.
        if error.leaves_the_line_usable() {
            let _ = remove(link, watch, &part);
        }
        return Err(error);
    }
    put_in_place(link, watch, &part, &target)?;
    Ok(Uploaded::Sent)
}

pub(super) fn probe(link: &Link, watch: &mut Watch<'_>, dir: &str) -> Result<(), Error> {
    let text = b"nightdrop looks whether it can write here\n";
    let (target, part) = (within(dir, PROBE)?, within(dir, &temporary(PROBE))?);
    let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
    write(link, watch, &part, size, |open, watch| {
        let mut left: &[u8] = text;
        while !left.is_empty() {
            let taken = open.write(watch, left)?;
            left = left.get(taken..).unwrap_or_default();
        }
        Ok(())
    })?;
    check_size(link, watch, &part, size)?;
    put_in_place(link, watch, &part, &target)?;
    remove(link, watch, &target)
}

/// Whether the very file lies there. What cannot be read back, as in a drop that shows nothing, is not it.
fn lies_there(link: &Link, watch: &mut Watch<'_>, target: &str, size: u64, sha256: [u8; 32]) -> Result<bool, Error> {
    if !stat(link, watch, target)?.is_some_and(|there| there.kind == Kind::File && there.size == size) {
        return Ok(false);
    }
    match read(link, watch, target, size, "send back", |_| Ok(())) {
        Ok((there, _)) => Ok(there == sha256),
        Err(error) if error.leaves_the_line_usable() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Sends the content under the temporary name.
fn send(
    link: &Link,
    watch: &mut Watch<'_>,
    from: File,
    part: &str,
    name: &str,
    size: u64,
    sha256: [u8; 32],
) -> Result<(), Error> {
    let other = || Error::Source { name: name.to_owned() };
    write(link, watch, part, size, |open, watch| {
        let mut outgoing = Outgoing::new(from, size, link);
        while outgoing.fill()? {
            let before = watch.clock.monotonic();
            let taken = open.write(watch, &outgoing.block)?;
            outgoing.taken(taken, watch.clock.monotonic().saturating_duration_since(before));
        }
        // The announced size has been sent; whatever follows it makes it another file.
        if outgoing.left > 0 || outgoing.has_more()? {
            return Err(other());
        }
        let sent: [u8; 32] = outgoing.hash.finalize().into();
        if sent == sha256 { Ok(()) } else { Err(other()) }
    })
}

/// A file of ours on its way out: the bytes that are under way, and how many may be.
struct Outgoing {
    file: File,
    hash: Sha256,
    /// What has been read of the file and not yet been taken by the server, from the first byte of it on.
    block: Vec<u8>,
    /// Where the file is read next.
    offset: u64,
    /// What is still to be read.
    left: u64,
    window: usize,
    window_max: usize,
    idle: Duration,
}

impl Outgoing {
    fn new(file: File, size: u64, link: &Link) -> Self {
        let (idle, window_max) = (link.limits().idle, WINDOW_MAX.min(link.wire().room()));
        let (hash, block, offset, window) = (Sha256::new(), Vec::new(), 0, WINDOW_MIN);
        Self { file, hash, block, offset, left: size, window, window_max, idle }
    }

    /// Fills the window; false when nothing is left to send, or the file has ended early.
    fn fill(&mut self) -> Result<bool, Error> {
        let kept = self.block.len();
        let room = self.window.saturating_sub(kept);
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(room);
        self.block.resize(kept + wanted, 0);
        let mut filled = kept;
        while filled < self.block.len() {
            let read = match self.file.read_at(self.block.get_mut(filled..).unwrap_or_default(), self.offset) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(Error::Local { doing: "read a file to be delivered", source }),
            };
            filled += read;
            let read = u64::try_from(read).unwrap_or(u64::MAX);
            (self.offset, self.left) = (self.offset + read, self.left.saturating_sub(read));
        }
        self.block.truncate(filled);
        self.hash.update(self.block.get(kept..).unwrap_or_default());
        Ok(!self.block.is_empty())
    }

    /// The server took so many bytes, and the next answer came after so long. While answers come fast more may be under
    /// way; when they come slowly less, so that a slow line still shows one well within `idle`.
    fn taken(&mut self, bytes: usize, after: Duration) {
        self.block.drain(..bytes.min(self.block.len()));
        if after < self.idle / 16 {
            self.window = (self.window * 2).min(self.window_max);
        } else if after > self.idle / 4 {
            self.window = (self.window / 2).max(WINDOW_MIN);
        }
    }

    fn has_more(&mut self) -> Result<bool, Error> {
        let more = self.file.read_at(&mut [0], self.offset);
        more.map(|read| read > 0).map_err(|source| Error::Local { doing: "read a file to be delivered", source })
    }
}

/// Makes a file anew and writes it. A server that says no more than "failure" while it is written has no room for it.
fn write(
    link: &Link,
    watch: &mut Watch<'_>,
    path: &str,
    size: u64,
    work: impl FnOnce(&mut super::link::Open<'_>, &mut Watch<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let path = plain_path(path)?;
    watch.begin("write", transfer_limit(link.limits().call, size));
    let mut opened = false;
    let way = (OpenFlags::WRITE | OpenFlags::TRUNCATE, MODE, OpenType::File);
    let written = link.with_open(watch, path, way, |open, watch| {
        opened = true;
        work(open, watch)
    });
    match written {
        Err(Error::Refused { path, code: code @ libssh2_sys::LIBSSH2_FX_FAILURE, meaning, .. }) if opened => {
            Err(Error::Full { path, code, meaning })
        }
        other => other,
    }
}

/// What the server says it has.
fn check_size(link: &Link, watch: &mut Watch<'_>, path: &str, size: u64) -> Result<(), Error> {
    let found = match stat(link, watch, path)? {
        Some(there) if there.size == size => return Ok(()),
        Some(there) => format!("there are {}", there.size),
        None => "nothing is there".to_owned(),
    };
    Err(Error::Changed { path: path.to_owned(), size, found })
}

/// Gives a whole file its final name, in the place of what has it.
fn put_in_place(link: &Link, watch: &mut Watch<'_>, part: &str, target: &str) -> Result<(), Error> {
    let refused = match rename(link, watch, part, target) {
        Err(error) if error.leaves_the_line_usable() => error,
        done => return done,
    };
    // Servers tell of a taken name in different ways, so they are asked whether it is.
    if stat(link, watch, target)?.is_none_or(|there| there.kind == Kind::Directory) {
        return Err(refused);
    }
    remove(link, watch, target)?;
    rename(link, watch, part, target)
}
