//! What is kept of files, archive and quarantine, for as long as it is kept: `PLACE/DAY/ID-NAME`.
//!
//! Removes nothing but copies of our own making, tells them by their names and places, and follows no link. What is not
//! known to be old stays: a copy must be old by its directory's day and by its own date, which a restored one is not.

use std::path::Path;

use rustix::fs::{FileType, Stat};

use crate::model::Timestamp;

use super::IntakeError;
use super::directory::Directory;
use super::name::is_component;

/// Copies of one day that have been kept long enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aged {
    day: String,
    names: Vec<String>,
}

impl Aged {
    /// The day, as `YYYY-MM-DD`.
    pub fn day(&self) -> &str {
        &self.day
    }

    /// How many copies. None: only the day's directory is left over.
    pub fn count(&self) -> usize {
        self.names.len()
    }
}

/// The copies in the archive or the quarantine that came before `before`, day by day.
pub fn aged_copies(place: &Path, before: Timestamp) -> Result<Vec<Aged>, IntakeError> {
    let place = Directory::open(place)?;
    let mut days = Vec::new();
    for entry in place.entries()? {
        let entry = entry?;
        let Ok(day) = entry.file_name().to_str() else { continue };
        if day_begins(day).is_some_and(|begins| begins < before) {
            days.push(day.to_owned());
        }
    }
    days.sort_unstable();
    let mut aged = Vec::new();
    for day in days {
        let Some(within) = place.open_inside(&day)? else { continue };
        let (mut names, mut others) = (Vec::new(), false);
        for entry in within.entries()? {
            let entry = entry?;
            match entry.file_name().to_str() {
                Ok("." | "..") => {}
                Ok(name) if is_copy(name) && is_aged(within.look_at(name)?, before) => names.push(name.to_owned()),
                _ => others = true,
            }
        }
        names.sort_unstable();
        if !names.is_empty() || !others {
            aged.push(Aged { day, names });
        }
    }
    Ok(aged)
}

/// Removes them, and the day's directory if nothing else lies in it; how many copies were there.
///
/// Nothing is synced: what a power cut brings back is found again at the next look.
pub fn remove_aged(place: &Path, aged: &Aged) -> Result<u64, IntakeError> {
    let place = Directory::open(place)?;
    let Some(within) = place.open_inside(&aged.day)? else { return Ok(0) };
    let mut removed = 0;
    for name in &aged.names {
        removed += u64::from(within.remove(name)?);
    }
    place.remove_empty(&aged.day)?;
    Ok(removed)
}

/// When a day begins; `None` for a name that is no day.
fn day_begins(name: &str) -> Option<Timestamp> {
    Timestamp::parse(&format!("{name}T00:00:00Z")).filter(|begins| begins.day() == name)
}

/// `ID-NAME`, or a copy that was on its way there when the process died: `.ID.tmp`.
fn is_copy(name: &str) -> bool {
    let is_id = |text: &str| text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let staged = || name.strip_prefix('.')?.strip_suffix(".tmp");
    name.split_once('-').is_some_and(|(id, name)| is_id(id) && is_component(name)) || staged().is_some_and(is_id)
}

fn is_aged(stat: Option<Stat>, before: Timestamp) -> bool {
    stat.is_some_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_mtime.saturating_mul(1000) < before.0
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;
    use std::time::{Duration, UNIX_EPOCH};

    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

    use super::*;
    use crate::intake::testing::{World, names};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// A file in the archive, last written at the beginning of `written`.
    fn lay(world: &World, day: &str, name: &str, written: &str) {
        fs::create_dir_all(world.archive.join(day)).unwrap();
        let file = File::create(world.archive.join(day).join(name)).unwrap();
        let ms = at(&format!("{written}T00:00:00Z")).0.unsigned_abs();
        file.set_modified(UNIX_EPOCH + Duration::from_millis(ms)).unwrap();
    }

    fn sweep(world: &World, before: &str) -> u64 {
        aged_copies(&world.archive, at(before))
            .unwrap()
            .iter()
            .map(|aged| remove_aged(&world.archive, aged).unwrap())
            .sum()
    }

    #[test]
    fn copies_go_when_they_are_old_and_empty_days_with_them() {
        let world = World::new();
        lay(&world, "2026-08-01", "00000001-A.csv.jwe", "2026-08-01");
        lay(&world, "2026-08-01", "00000002-B.csv.jwe.2", "2026-08-01");
        lay(&world, "2026-08-01", ".00000003.tmp", "2026-08-01");
        lay(&world, "2026-08-02", "123456789-C.csv.jwe", "2026-08-02");
        fs::create_dir(world.archive.join("2026-07-01")).unwrap();
        assert_eq!(sweep(&world, "2026-08-01T00:00:00Z"), 0, "not a moment too early");
        assert_eq!(names(&world.archive), ["2026-08-01", "2026-08-02"], "an empty day is left by nobody");
        assert_eq!(sweep(&world, "2026-08-01T00:00:01Z"), 3);
        assert_eq!(names(&world.archive), ["2026-08-02"]);
        assert_eq!(sweep(&world, "2026-08-01T00:00:01Z"), 0, "again is done");
        assert_eq!(sweep(&world, "2027-08-01T00:00:00Z"), 1);
        assert_eq!(names(&world.archive), [""; 0]);
    }

    #[test]
    fn what_is_not_known_to_be_ours_and_old_stays() {
        let world = World::new();
        let outside = world.work.join("00000009-outside.csv");
        fs::write(&outside, "").unwrap();
        for name in ["notes.txt", "0000001-short-id.csv", "00000001", "00000001-.hidden", "x0000001-A.csv"] {
            lay(&world, "2026-08-01", name, "2026-08-01");
        }
        lay(&world, "2026-08-01", "00000004-restored-today.csv", "2026-11-20");
        lay(&world, "2026-11-20", "00000005-old-date.csv", "2026-08-01");
        lay(&world, "2026-8-1", "00000006-no-day.csv", "2026-08-01");
        lay(&world, "kept-for-the-auditor", "00000007-A.csv", "2026-08-01");
        let link = world.archive.join("2026-08-01/00000008-link.csv");
        symlink(&outside, &link).unwrap();
        let old = Timespec { tv_sec: at("2026-08-01T00:00:00Z").0 / 1000, tv_nsec: 0 };
        let times = Timestamps { last_access: old, last_modification: old };
        utimensat(CWD, &link, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
        symlink(&world.work, world.archive.join("2026-08-02")).unwrap();
        fs::write(world.archive.join("2026-08-03"), "").unwrap();
        let everything = || {
            let mut all: Vec<String> = names(&world.archive);
            for day in ["2026-08-01", "2026-11-20", "2026-8-1", "kept-for-the-auditor"] {
                all.extend(names(&world.archive.join(day)));
            }
            all
        };
        let before = everything();
        assert_eq!(sweep(&world, "2026-11-01T00:00:00Z"), 0);
        assert_eq!(everything(), before);
        assert!(outside.exists());
        // Beside them what is ours goes all the same, and the day stays with what is not.
        lay(&world, "2026-08-01", "00000001-A.csv.jwe", "2026-08-01");
        assert_eq!(sweep(&world, "2026-11-01T00:00:00Z"), 1);
        assert_eq!(everything(), before);
    }

    #[test]
    fn a_place_that_is_gone_is_an_error_of_the_world() {
        let world = World::new();
        fs::remove_dir(&world.archive).unwrap();
        let error = aged_copies(&world.archive, at("2026-11-01T00:00:00Z")).unwrap_err();
        assert_eq!(error.retry(), crate::model::Retry::Later);
    }
}
