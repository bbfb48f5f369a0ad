use std::fs;
use std::path::PathBuf;

use super::*;
use crate::intake::testing::{World, names};

const ID: &str = "00000007";
const DAY: &str = "2026-11-20";

fn keep(world: &World) -> Result<(), IntakeError> {
    set_aside(&world.work, ID, &world.archive, DAY, "A.csv.jwe")
}

fn kept(world: &World) -> PathBuf {
    world.archive.join(DAY).join("00000007-A.csv.jwe")
}

#[test]
fn a_copy_is_set_aside_under_its_day_id_and_name() {
    let world = World::new();
    fs::write(world.work.join(ID), "sealed").unwrap();
    keep(&world).unwrap();
    assert_eq!(fs::read_to_string(kept(&world)).unwrap(), "sealed");
    assert!(names(&world.work).is_empty());
    keep(&world).unwrap();
    assert_eq!(fs::read_to_string(kept(&world)).unwrap(), "sealed", "again is done");
    assert_eq!(names(&world.archive.join(DAY)).len(), 1);
}

#[test]
fn a_copy_that_lies_nowhere_is_an_error() {
    let world = World::new();
    let error = keep(&world).unwrap_err();
    assert!(matches!(&error, IntakeError::CopyMissing { path } if *path == world.work.join(ID)), "{error}");
    assert_eq!(error.retry(), crate::model::Retry::Never);
}

#[test]
fn a_crash_between_placing_and_removing_the_source_is_made_good() {
    let world = World::new();
    fs::create_dir(world.archive.join(DAY)).unwrap();
    fs::write(world.work.join(ID), "sealed").unwrap();
    fs::hard_link(world.work.join(ID), kept(&world)).unwrap();
    keep(&world).unwrap();
    assert_eq!(names(&world.archive.join(DAY)), ["00000007-A.csv.jwe"]);
    assert!(names(&world.work).is_empty());
}

#[test]
fn what_lies_there_is_never_replaced() {
    let world = World::new();
    for content in ["first", "other", "third", "other"] {
        fs::write(world.work.join(ID), content).unwrap();
        keep(&world).unwrap();
        assert!(names(&world.work).is_empty());
    }
    let place = world.archive.join(DAY);
    assert_eq!(names(&place), ["00000007-A.csv.jwe", "00000007-A.csv.jwe.2", "00000007-A.csv.jwe.3"]);
    let read = |name: &str| fs::read_to_string(place.join(name)).unwrap();
    assert_eq!(read("00000007-A.csv.jwe"), "first");
    assert_eq!(read("00000007-A.csv.jwe.2"), "other");
    assert_eq!(read("00000007-A.csv.jwe.3"), "third");
}

#[test]
fn an_archive_that_is_not_there_is_not_made() {
    // It may be a file system that is not mounted: what is written below its mount point would be hidden later.
    let world = World::new();
    fs::write(world.work.join(ID), "sealed").unwrap();
    fs::remove_dir(&world.archive).unwrap();
    assert_eq!(keep(&world).unwrap_err().retry(), crate::model::Retry::Later);
    assert_eq!(names(&world.work), [ID]);
}

#[test]
fn a_move_across_file_systems_copies_first_and_removes_last() {
    let world = World::new();
    let content = "x".repeat((1 << 20) + 7);
    let carry_it = || {
        let work = Directory::open(&world.work).unwrap();
        let place = Directory::open(&world.archive).unwrap().open_or_make(DAY).unwrap();
        carry(&work, ID, &place, "00000007-A.csv.jwe").unwrap();
    };
    fs::write(world.work.join(ID), &content).unwrap();
    // A process died while it copied.
    fs::create_dir(world.archive.join(DAY)).unwrap();
    fs::write(world.archive.join(DAY).join(".00000007.tmp"), "half").unwrap();
    carry_it();
    assert!(fs::read_to_string(kept(&world)).unwrap() == content);
    assert_eq!(names(&world.archive.join(DAY)), ["00000007-A.csv.jwe"]);
    assert!(names(&world.work).is_empty());

    // Another died before it removed the source.
    fs::write(world.work.join(ID), &content).unwrap();
    carry_it();
    assert_eq!(names(&world.archive.join(DAY)), ["00000007-A.csv.jwe"]);
    assert!(names(&world.work).is_empty());
}

#[test]
fn a_real_other_file_system_is_reached() {
    use std::os::unix::fs::MetadataExt;
    let world = World::new();
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else { return };
    if other.path().metadata().unwrap().dev() == world.work.metadata().unwrap().dev() {
        return;
    }
    fs::write(world.work.join(ID), "sealed").unwrap();
    set_aside(&world.work, ID, other.path(), DAY, "A.csv.jwe").unwrap();
    assert_eq!(fs::read_to_string(other.path().join(DAY).join("00000007-A.csv.jwe")).unwrap(), "sealed");
    assert!(names(&world.work).is_empty());
    set_aside(&world.work, ID, other.path(), DAY, "A.csv.jwe").unwrap();
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let world = World::new();
    fs::write(world.work.join(ID), "sealed").unwrap();
    for (id, day, name) in [("../x", DAY, "A"), (ID, "..", "A"), (ID, "a/b", "A"), (ID, DAY, "/A"), (ID, DAY, "")] {
        let result = set_aside(&world.work, id, &world.archive, day, name);
        assert!(matches!(result, Err(IntakeError::Name { .. })), "{id} {day} {name}");
    }
    assert!(matches!(discard_copy(&world.work, "../archive"), Err(IntakeError::Name { .. })));
    assert_eq!(names(&world.work), [ID]);
}

#[test]
fn a_copy_is_discarded_once_and_again() {
    let world = World::new();
    fs::write(world.work.join(ID), "sealed").unwrap();
    fs::write(world.work.join("00000008"), "another").unwrap();
    discard_copy(&world.work, ID).unwrap();
    discard_copy(&world.work, ID).unwrap();
    assert_eq!(names(&world.work), ["00000008"]);
}

#[test]
fn the_sweep_takes_orphans_and_leaves_what_is_kept_and_what_is_no_file() {
    let world = World::new();
    for name in ["00000001", "00000002", ".00000003.tmp", "00000004"] {
        fs::write(world.work.join(name), "x").unwrap();
    }
    fs::create_dir(world.work.join("directory")).unwrap();
    let keep = HashSet::from(["00000001".to_owned(), "00000004".to_owned()]);
    assert_eq!(sweep_work(&world.work, &keep).unwrap(), [".00000003.tmp", "00000002"]);
    assert_eq!(names(&world.work), ["00000001", "00000004", "directory"]);
    assert!(sweep_work(&world.work, &keep).unwrap().is_empty());
}

#[test]
fn room_is_what_is_left_beyond_the_reserve() {
    let world = World::new();
    assert!(free_room(&world.work, 1, 0).unwrap());
    assert!(!free_room(&world.work, u64::MAX, 0).unwrap());
    assert!(!free_room(&world.work, 1, u64::MAX).unwrap());
    assert!(free_room(&world.inbound.join("missing"), 1, 0).is_err());

    let mut room = fs_of(&world);
    (room.f_bavail, room.f_frsize, room.f_files, room.f_favail) = (10, 4096, 100, 1);
    assert!(has_room(&room, 40_000, 960));
    assert!(!has_room(&room, 40_000, 961));
    room.f_favail = 0;
    assert!(!has_room(&room, 1, 1), "no inode is left");
    room.f_files = 0;
    assert!(has_room(&room, 1, 1), "a file system without a table of inodes");
}

fn fs_of(world: &World) -> rustix::fs::StatVfs {
    rustix::fs::statvfs(&world.work).unwrap()
}
