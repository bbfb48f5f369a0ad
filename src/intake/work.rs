//! The work directory: copies in hand, where they are kept afterwards, and the room that is left.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use rustix::fs::{self, FileType};
use rustix::io::Errno;

use super::IntakeError;
use super::claim::{Failed, pour};
use super::directory::{Directory, check_component};

/// Moves `work/ID` to `TO/DAY/ID-NAME`, durably; `to` is the archive or the quarantine and must exist.
///
/// Can be repeated after a crash anywhere: source gone and target there is done. Nothing that lies there is ever
/// replaced: another content under the same name (a register restored from a backup hands out IDs again) makes this
/// one `ID-NAME.2`.
pub fn set_aside(work: &Path, id: &str, to: &Path, day: &str, name: &str) -> Result<(), IntakeError> {
    check_component("the copy's ID", id)?;
    check_component("the day", day)?;
    check_component("the file name", name)?;
    let work = Directory::open(work)?;
    let place = Directory::open(to)?.open_or_make(day)?;
    let target = format!("{id}-{name}");
    if work.look_at(id)?.is_none() {
        return match place.look_at(&target)? {
            // Whoever moved it may have died before this.
            Some(_) => place.sync(),
            None => Err(IntakeError::CopyMissing { path: work.path_of(id) }),
        };
    }
    if !put_new(&work, id, &place, &target)? {
        carry(&work, id, &place, &target)?;
    }
    // The name in the work directory may come back after a power cut: nobody's then, it is swept at the next start.
    place.sync()
}

/// Brings a copy that was set aside back as `work/ID`, whole and synced; it also stays where it lies until
/// [`forget_aside`]. `false`: it is not kept there.
pub fn bring_back(work: &Path, id: &str, from: &Path, day: &str, name: &str) -> Result<bool, IntakeError> {
    check_component("the copy's ID", id)?;
    check_component("the day", day)?;
    check_component("the file name", name)?;
    let (work, kept) = (Directory::open(work)?, format!("{id}-{name}"));
    let Some(place) = Directory::open(from)?.open_inside(day)? else { return Ok(false) };
    let Some(stat) = place.look_at(&kept)? else { return Ok(false) };
    let source = place.open_beneath(&kept).map_err(|errno| place.failed("open", &kept, errno))?;
    let staged = format!(".{id}.tmp");
    let copy = work.create_afresh(&staged)?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    pour(&source, Some(&copy), size).map_err(|failed| match failed {
        Failed::Reading(error) => place.failed("read", &kept, error),
        Failed::Writing(error) => work.failed("write", &staged, error),
    })?;
    work.sync_file(&staged, &copy)?;
    // One that an earlier try brought back.
    work.remove(id)?;
    work.move_new(&staged, &work, id).map_err(|errno| work.failed("move a copy to", id, errno))?;
    work.sync()?;
    Ok(true)
}

/// Removes a copy that was set aside, once it is at work again.
pub fn forget_aside(id: &str, from: &Path, day: &str, name: &str) -> Result<(), IntakeError> {
    check_component("the copy's ID", id)?;
    let kept = format!("{id}-{name}");
    check_component("the kept copy", &kept)?;
    if let Some(place) = Directory::open(from)?.open_inside(day)? {
        place.remove(&kept)?;
        place.sync()?;
    }
    Ok(())
}

/// Moves across file systems: a synced copy beside its place first, the source removed last.
fn carry(work: &Directory, id: &str, place: &Directory, target: &str) -> Result<(), IntakeError> {
    let staged = format!(".{id}.tmp");
    let source = work.open_beneath(id).map_err(|errno| work.failed("open", id, errno))?;
    let size = source.metadata().map_err(|error| work.failed("look at", id, error))?.len();
    let copy = place.create_afresh(&staged)?;
    let (_, bytes) = pour(&source, Some(&copy), size).map_err(|failed| match failed {
        Failed::Reading(error) => work.failed("read", id, error),
        Failed::Writing(error) => place.failed("write", &staged, error),
    })?;
    if bytes != size {
        let changed = std::io::Error::other("its size changed while it was copied");
        return Err(work.failed("move", id, changed));
    }
    place.sync_file(&staged, &copy)?;
    put_new(place, &staged, place, target)?;
    place.sync()?;
    work.remove(id)?;
    Ok(())
}

/// Moves a whole file under a name that is free, or finds it there already; `false` when that is another file system.
fn put_new(from: &Directory, name: &str, place: &Directory, target: &str) -> Result<bool, IntakeError> {
    let mut free = target.to_owned();
    for n in 2_u32.. {
        match from.move_new(name, place, &free) {
            Ok(()) => break,
            Err(Errno::XDEV) => return Ok(false),
            Err(Errno::EXIST) if same_content(from, name, place, &free)? => {
                from.remove(name)?;
                break;
            }
            Err(Errno::EXIST) => free = format!("{target}.{n}"),
            Err(errno) => return Err(place.failed("move a copy to", &free, errno)),
        }
    }
    Ok(true)
}

fn same_content(left: &Directory, a: &str, right: &Directory, b: &str) -> Result<bool, IntakeError> {
    let digest = |dir: &Directory, name: &str| {
        let file = dir.open_beneath(name).map_err(|errno| dir.failed("open", name, errno))?;
        pour(&file, None, u64::MAX).map_err(|failed| match failed {
            Failed::Reading(error) | Failed::Writing(error) => dir.failed("read", name, error),
        })
    };
    let regular = right.look_at(b)?.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    Ok(regular && digest(left, a)? == digest(right, b)?)
}

/// Begins `work/ID`, empty, for bytes that come from elsewhere; one left by a process that died is replaced.
pub fn begin_copy(work: &Path, id: &str) -> Result<File, IntakeError> {
    check_component("the copy's ID", id)?;
    Directory::open(work)?.create_afresh(id)
}

/// Makes a copy that was begun durable.
pub fn finish_copy(work: &Path, id: &str, copy: &File) -> Result<(), IntakeError> {
    let work = Directory::open(work)?;
    work.sync_file(id, copy)?;
    work.sync()
}

/// Removes `work/ID`, durably; one that is gone already is no error.
pub fn discard_copy(work: &Path, id: &str) -> Result<(), IntakeError> {
    check_component("the copy's ID", id)?;
    let work = Directory::open(work)?;
    work.remove(id)?;
    work.sync()
}

/// Removes every file in the work directory whose name is not to be kept: copies of claims that came to nothing, and
/// temporary files. Only at start, before the first claim. Says which, in order.
pub fn sweep_work(work: &Path, keep: &HashSet<String>) -> Result<Vec<String>, IntakeError> {
    let work = Directory::open(work)?;
    let mut orphans = Vec::new();
    for entry in work.entries()? {
        let entry = entry?;
        // A name that is not UTF-8 is none that we made.
        let Ok(name) = entry.file_name().to_str() else { continue };
        if keep.contains(name) {
            continue;
        }
        let stat = work.look_at(name)?;
        if stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile) {
            orphans.push(name.to_owned());
        }
    }
    orphans.sort_unstable();
    for name in &orphans {
        work.remove(name)?;
    }
    work.sync()?;
    Ok(orphans)
}

/// Whether the file system of the work directory has room for `bytes_needed` more and keeps `free_bytes_min`.
pub fn free_room(work: &Path, bytes_needed: u64, free_bytes_min: u64) -> Result<bool, IntakeError> {
    let dir = Directory::open(work)?;
    let room = dir.room()?;
    Ok(has_room(&room, bytes_needed, free_bytes_min))
}

fn has_room(room: &fs::StatVfs, bytes_needed: u64, free_bytes_min: u64) -> bool {
    let bytes = room.f_bavail.saturating_mul(room.f_frsize);
    // File systems that make inodes as they need them report none at all.
    let inodes = room.f_files == 0 || room.f_favail > 0;
    inodes && bytes >= bytes_needed.saturating_add(free_bytes_min)
}

#[cfg(test)]
mod tests;
