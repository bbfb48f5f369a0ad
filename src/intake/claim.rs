//! Makes the copy that everything after reads: an inode of our own.
//!
//! A rename would not do: an uploader's open descriptor goes with the inode and can write on. The copy is whole when
//! the original is, before and after copying, the very file that the scan saw; else the copy is thrown away.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use rustix::fs::{self, Advice, FileType};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::directory::{Directory, Identity, advise, check_component};
use super::name::is_arrival_name;
use super::{Candidate, IntakeError};

/// What became of a claim. Only for `Whole` does a copy lie in the work directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The copy is whole, ours and durable.
    Whole {
        /// Of the bytes as received.
        sha256: [u8; 32],
        /// Their number.
        bytes: u64,
    },
    /// The original is no longer what the scan saw: call [`super::Inbox::forget`], it settles anew.
    Changed,
    /// The original is gone: [`super::Inbox::forget`].
    Gone,
    /// More bytes than are taken; nothing was read.
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// We may not read it: call [`super::Inbox::denied`].
    Denied,
}

/// Copies a whole file into `work/ID`, hashing on the way, makes the copy durable, then looks at the original again.
///
/// A copy left under the same ID by a process that died is replaced. On an error none is left behind.
pub fn claim(
    inbound: &Path,
    candidate: &Candidate,
    work: &Path,
    id: &str,
    file_bytes_max: u64,
) -> Result<Claim, IntakeError> {
    claim_with(inbound, candidate, work, id, file_bytes_max, || {})
}

/// The claim, with a place between the copy and the second look where a test can be the uploader.
fn claim_with(
    inbound: &Path,
    candidate: &Candidate,
    work: &Path,
    id: &str,
    file_bytes_max: u64,
    meanwhile: impl FnOnce(),
) -> Result<Claim, IntakeError> {
    let Candidate { name, identity, .. } = candidate;
    if !is_arrival_name(name) {
        return Err(IntakeError::Name { what: "the file name", name: name.clone() });
    }
    check_component("the copy's ID", id)?;
    let inbound = Directory::open(inbound)?;
    let original = match inbound.open_beneath(name) {
        Ok(original) => original,
        Err(errno) => return not_opened(errno).ok_or_else(|| inbound.failed("open", name, errno)),
    };
    let stat = fs::fstat(&original).map_err(|errno| inbound.failed("look at", name, errno))?;
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink == 1;
    if !regular || Identity::of(&stat) != *identity {
        return Ok(Claim::Changed);
    }
    if identity.size > file_bytes_max {
        return Ok(Claim::TooLarge { bytes: identity.size });
    }

    let work = Directory::open(work)?;
    let copied = copy(&inbound, name, &original, identity.size, &work, id).and_then(|(sha256, bytes)| {
        meanwhile();
        // The open descriptor keeps the inode's number from being given to another file meanwhile.
        Ok(match inbound.look_at(name)? {
            None => Claim::Gone,
            Some(stat) if bytes == identity.size && Identity::of(&stat) == *identity => Claim::Whole { sha256, bytes },
            Some(_) => Claim::Changed,
        })
    });
    if !matches!(copied, Ok(Claim::Whole { .. })) {
        let removed = work.remove(id);
        // The first error says more than one that follows from it.
        if copied.is_ok() {
            removed?;
        }
    }
    copied
}

/// What it says of an original that it cannot be opened; `None` where it says something of the world.
const fn not_opened(errno: Errno) -> Option<Claim> {
    match errno {
        Errno::NOENT => Some(Claim::Gone),
        // A link, a socket or a device has taken its place, or somebody holds a lease on it and may be writing.
        Errno::LOOP | Errno::NXIO | Errno::NODEV | Errno::AGAIN => Some(Claim::Changed),
        Errno::ACCESS | Errno::PERM => Some(Claim::Denied),
        _ => None,
    }
}

/// Copies and syncs; the hash and number of the bytes that are in the copy.
fn copy(
    inbound: &Directory,
    name: &str,
    original: &File,
    size: u64,
    work: &Directory,
    id: &str,
) -> Result<([u8; 32], u64), IntakeError> {
    let mut copy = work.create_afresh(id)?;
    // Shared extents cost nothing to make; then our own inode is hashed, not one that others may write to.
    let poured = if fs::ioctl_ficlone(&copy, original).is_ok() {
        pour(&copy, None, size)
    } else {
        // A failed clone may have written: begin at nothing.
        copy.set_len(0).and_then(|()| copy.rewind()).map_err(|error| work.failed("write", id, error))?;
        advise(original, Advice::Sequential);
        let poured = pour(original, Some(&copy), size);
        advise(original, Advice::DontNeed);
        poured
    };
    let poured = poured.map_err(|failed| match failed {
        Failed::Reading(error) => inbound.failed("read", name, error),
        Failed::Writing(error) => work.failed("write", id, error),
    })?;
    work.sync_file(id, &copy)?;
    work.sync()?;
    Ok(poured)
}

/// Which side of a copy failed.
pub(super) enum Failed {
    Reading(io::Error),
    Writing(io::Error),
}

/// Reads to the end, but not beyond one byte more than expected, hashes, and writes where asked to.
pub(super) fn pour(mut from: &File, mut to: Option<&File>, bytes_expected: u64) -> Result<([u8; 32], u64), Failed> {
    const BUFFER_BYTES: usize = 1 << 20;
    // Not every feed seals its files.
    let room = usize::try_from(bytes_expected.saturating_add(1)).map_or(BUFFER_BYTES, |it| it.min(BUFFER_BYTES));
    let mut buffer = Zeroizing::new(vec![0; room]);
    let mut hash = Sha256::new();
    let mut bytes = 0_u64;
    while bytes <= bytes_expected {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failed::Reading(error)),
        };
        hash.update(&buffer[..read]);
        if let Some(to) = &mut to {
            to.write_all(&buffer[..read]).map_err(Failed::Writing)?;
        }
        bytes += read as u64;
    }
    Ok((hash.finalize().into(), bytes))
}

#[cfg(test)]
mod tests;
