//! Removes an original once its fate is decided and committed.
//!
//! There is no call that removes a name only while it is a certain file's. So the name is moved aside first, in one
//! step, and what was moved is looked at: the claimed file is removed, anything else is put back. A scan puts back
//! what a crash left aside.

use std::path::Path;

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use super::IntakeError;
use super::directory::{Directory, Identity};
use super::name::{aside_of, is_arrival_name, marker_of};

/// What became of an original. After each of them [`super::Inbox::forget`] is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It and its marker are gone, durably.
    Removed,
    /// Another file lies there, or more was written to it: left alone, it is a new arrival.
    Changed,
    /// It was gone already; a marker that it left behind is gone too.
    Gone,
}

/// Removes the original and its marker `NAME.done`, only if it is still the very file that was claimed.
pub fn remove_original(inbound: &Path, name: &str, identity: &Identity) -> Result<Removal, IntakeError> {
    remove_with(inbound, name, identity, || {})
}

/// The removal, with a place between look and step aside where a test can be the uploader.
fn remove_with(
    inbound: &Path,
    name: &str,
    identity: &Identity,
    meanwhile: impl FnOnce(),
) -> Result<Removal, IntakeError> {
    if !is_arrival_name(name) {
        return Err(IntakeError::Name { what: "the file name", name: name.to_owned() });
    }
    let dir = Directory::open(inbound)?;
    let (marker, aside) = (marker_of(name), aside_of(name));
    let marker_before = dir.look_at(&marker)?;
    let cut_off = finish(&dir, &aside, name, identity)?;
    let removal = match dir.look_at(name)? {
        None if cut_off == Finished::Removed => Removal::Removed,
        None => Removal::Gone,
        Some(stat) if is_claimed(&stat, identity, Identity::eq) => {
            meanwhile();
            // What lies aside under a taken name takes the place of what goes: the two are exchanged.
            let moved =
                if cut_off == Finished::InTheWay { dir.exchange(name, &aside) } else { dir.rename_aside(name, &aside) };
            match moved {
                Ok(()) => match finish(&dir, &aside, name, identity)? {
                    Finished::Removed => Removal::Removed,
                    Finished::PutBack | Finished::InTheWay | Finished::Nothing => Removal::Changed,
                },
                Err(Errno::NOENT) => Removal::Gone,
                Err(errno) => return Err(dir.failed("move aside", name, errno)),
            }
        }
        Some(_) => Removal::Changed,
    };
    if removal != Removal::Changed {
        // A marker that came meanwhile belongs to what comes next.
        let marker_now = dir.look_at(&marker)?;
        if let (Some(before), Some(now)) = (marker_before, marker_now)
            && is_claimed(&now, &Identity::of(&before), Identity::eq)
        {
            dir.remove(&marker)?;
        }
    }
    dir.sync()?;
    Ok(removal)
}

/// What became of a name that was moved aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finished {
    Nothing,
    Removed,
    PutBack,
    /// It is another file, and its name is taken: it stays aside until a scan finds the name free.
    InTheWay,
}

/// Looks at what was moved aside, now or by a process that died, and removes it or puts it back.
fn finish(dir: &Directory, aside: &str, name: &str, identity: &Identity) -> Result<Finished, IntakeError> {
    let Some(stat) = dir.look_at(aside)? else { return Ok(Finished::Nothing) };
    if is_claimed(&stat, identity, Identity::survives_rename_as) {
        dir.remove(aside)?;
        return Ok(Finished::Removed);
    }
    match dir.move_new(aside, dir, name) {
        Ok(()) => Ok(Finished::PutBack),
        Err(Errno::NOENT) => Ok(Finished::Nothing),
        Err(Errno::EXIST) => Ok(Finished::InTheWay),
        Err(errno) => Err(dir.failed("put back", aside, errno)),
    }
}

/// Gives a file that a crash left aside its name again, if it is still what was seen; whether that was done.
pub(super) fn put_back(dir: &Directory, aside: &str, name: &str, seen: &Identity) -> Result<bool, IntakeError> {
    match dir.look_at(aside)? {
        Some(stat) if Identity::of(&stat) == *seen => match dir.move_new(aside, dir, name) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST | Errno::NOENT) => Ok(false),
            Err(errno) => Err(dir.failed("put back", aside, errno)),
        },
        _ => Ok(false),
    }
}

fn is_claimed(stat: &Stat, identity: &Identity, same: impl Fn(&Identity, &Identity) -> bool) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && same(identity, &Identity::of(stat))
}

#[cfg(test)]
mod tests;
