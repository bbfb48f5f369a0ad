use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, mknodat};

use super::*;
use crate::intake::testing::{World, names};

const ID: &str = "00000001";
const MAX: u64 = 8 << 20;

fn copy_of(world: &World) -> PathBuf {
    world.work.join(ID)
}

fn take(world: &World, candidate: &Candidate) -> Claim {
    claim(&world.inbound, candidate, &world.work, ID, MAX).unwrap()
}

#[test]
fn the_copy_is_whole_hashed_private_and_an_inode_of_our_own() {
    let world = World::new();
    // More than one buffer, and not a multiple of it.
    let content = "0123456789abcdef".repeat((3 << 20) / 16) + "end";
    world.put("A.csv", &content);
    let candidate = world.candidate("A.csv");
    let bytes = content.len() as u64;
    let sha256: [u8; 32] = Sha256::digest(content.as_bytes()).into();
    assert_eq!(take(&world, &candidate), Claim::Whole { sha256, bytes });
    assert!(fs::read(copy_of(&world)).unwrap() == content.as_bytes());
    let copy = fs::metadata(copy_of(&world)).unwrap();
    assert_eq!(copy.permissions().mode() & 0o777, 0o600);
    assert_ne!(copy.ino(), candidate.identity.inode);
    assert_eq!(world.identity("A.csv"), candidate.identity, "the original is untouched");
    world.append("A.csv", "later");
    assert_eq!(fs::metadata(copy_of(&world)).unwrap().len(), bytes, "a writer that goes on changes only the original");
}

#[test]
fn an_empty_file_is_whole() {
    let world = World::new();
    world.put("A.csv", "");
    let sha256 = Sha256::digest(b"").into();
    assert_eq!(take(&world, &world.candidate("A.csv")), Claim::Whole { sha256, bytes: 0 });
}

#[test]
fn a_leftover_of_the_same_id_is_replaced_and_not_written_through() {
    let world = World::new();
    world.put("A.csv", "x");
    let precious = world.archive.join("precious");
    fs::write(&precious, "keep").unwrap();
    symlink(&precious, copy_of(&world)).unwrap();
    assert!(matches!(take(&world, &world.candidate("A.csv")), Claim::Whole { .. }));
    assert_eq!(fs::read_to_string(precious).unwrap(), "keep");
    fs::write(copy_of(&world), "a longer one from before").unwrap();
    assert!(matches!(take(&world, &world.candidate("A.csv")), Claim::Whole { .. }));
    assert_eq!(fs::read_to_string(copy_of(&world)).unwrap(), "x");
}

#[test]
fn a_file_that_changed_since_the_scan_is_not_taken() {
    let world = World::new();
    type Change = fn(&World);
    let changes: [(&str, Change); 7] = [
        ("grown", |world| world.append("A.csv", "more")),
        ("rewritten", |world| world.rewrite_in_place("A.csv", "two")),
        ("replaced", |world| world.replace("A.csv", "one")),
        ("linked", |world| fs::hard_link(world.inbound.join("A.csv"), world.archive.join("link")).unwrap()),
        ("a link", |world| {
            fs::rename(world.inbound.join("A.csv"), world.archive.join("A.csv")).unwrap();
            symlink(world.archive.join("A.csv"), world.inbound.join("A.csv")).unwrap();
        }),
        ("a socket", |world| {
            fs::remove_file(world.inbound.join("A.csv")).unwrap();
            std::os::unix::net::UnixListener::bind(world.inbound.join("A.csv")).unwrap();
        }),
        ("a FIFO", |world| {
            fs::remove_file(world.inbound.join("A.csv")).unwrap();
            mknodat(CWD, world.inbound.join("A.csv"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        }),
    ];
    for (what, change) in changes {
        let _ = fs::remove_file(world.inbound.join("A.csv"));
        world.put("A.csv", "one");
        let candidate = world.candidate("A.csv");
        change(&world);
        let claimed = claim_with(&world.inbound, &candidate, &world.work, ID, MAX, || panic!("{what}: was copied"));
        assert_eq!(claimed.unwrap(), Claim::Changed, "{what}");
        assert!(names(&world.work).is_empty(), "{what}: no copy is left");
    }
}

#[test]
fn a_file_that_changes_while_it_is_copied_is_not_taken() {
    let world = World::new();
    type Change = fn(&World);
    let changes: [(&str, Change, Claim); 5] = [
        ("grown", |world| world.append("A.csv", "more"), Claim::Changed),
        ("rewritten", |world| world.rewrite_in_place("A.csv", "two"), Claim::Changed),
        ("replaced", |world| world.replace("A.csv", "one"), Claim::Changed),
        ("renamed", |world| fs::rename(world.inbound.join("A.csv"), world.inbound.join("B")).unwrap(), Claim::Gone),
        ("removed", |world| fs::remove_file(world.inbound.join("A.csv")).unwrap(), Claim::Gone),
    ];
    for (what, change, expected) in changes {
        world.put("A.csv", "one");
        let candidate = world.candidate("A.csv");
        let claimed = claim_with(&world.inbound, &candidate, &world.work, ID, MAX, || {
            assert_eq!(fs::read_to_string(copy_of(&world)).unwrap(), "one");
            change(&world);
        });
        assert_eq!(claimed.unwrap(), expected, "{what}");
        assert!(names(&world.work).is_empty(), "{what}: no copy is left");
    }
}

#[test]
fn what_is_no_file_of_one_link_is_not_taken_even_if_a_candidate_says_so() {
    let world = World::new();
    mknodat(CWD, world.inbound.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    fs::create_dir(world.inbound.join("directory")).unwrap();
    world.put("linked", "x");
    fs::hard_link(world.inbound.join("linked"), world.archive.join("link")).unwrap();
    for name in ["fifo", "directory", "linked"] {
        assert_eq!(take(&world, &world.candidate(name)), Claim::Changed, "{name}");
    }
    assert!(names(&world.work).is_empty());
}

#[test]
fn an_original_that_is_gone_is_gone() {
    let world = World::new();
    world.put("A.csv", "x");
    let candidate = world.candidate("A.csv");
    fs::remove_file(world.inbound.join("A.csv")).unwrap();
    assert_eq!(take(&world, &candidate), Claim::Gone);
}

#[test]
fn a_file_over_the_limit_is_not_copied() {
    let world = World::new();
    world.put("A.csv", "12345");
    let candidate = world.candidate("A.csv");
    let at_limit = claim(&world.inbound, &candidate, &world.work, ID, 5).unwrap();
    assert!(matches!(at_limit, Claim::Whole { bytes: 5, .. }));
    fs::remove_file(copy_of(&world)).unwrap();
    let over = claim(&world.inbound, &candidate, &world.work, ID, 4).unwrap();
    assert_eq!(over, Claim::TooLarge { bytes: 5 });
    assert!(names(&world.work).is_empty());
}

#[test]
fn reading_stops_soon_after_the_expected_size() {
    let world = World::new();
    fs::write(copy_of(&world), vec![b'x'; 5 << 20]).unwrap();
    let file = File::open(copy_of(&world)).unwrap();
    let Ok((_, bytes)) = pour(&file, None, 10) else { panic!("could not read") };
    assert!((11..=1 << 20).contains(&bytes), "{bytes} bytes read of a file that was to have 10");
}

#[test]
fn a_world_that_is_broken_is_an_error_and_leaves_no_copy() {
    let world = World::new();
    world.put("A.csv", "x");
    let candidate = world.candidate("A.csv");
    fs::remove_dir(&world.work).unwrap();
    let error = claim(&world.inbound, &candidate, &world.work, ID, MAX).unwrap_err();
    assert_eq!(error.retry(), crate::model::Retry::Later);
    assert!(error.to_string().starts_with("cannot open the directory"), "{error}");
    // /dev/full: every write fails as on a full disk.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let from = File::open(world.inbound.join("A.csv")).unwrap();
    assert!(matches!(pour(&from, Some(&full), 1), Err(Failed::Writing(error)) if error.raw_os_error() == Some(28)));
}

#[test]
fn names_that_lead_elsewhere_are_refused_before_anything_is_touched() {
    let world = World::new();
    world.put("A.csv", "x");
    let mut candidate = world.candidate("A.csv");
    for id in ["../x", "", ".", "a/b"] {
        let error = claim(&world.inbound, &candidate, &world.work, id, MAX).unwrap_err();
        assert!(matches!(error, IntakeError::Name { what: "the copy's ID", .. }), "{id}");
    }
    for name in ["../inbound/A.csv", "/etc/passwd", "A.csv.tmp"] {
        candidate.name = name.to_owned();
        let error = claim(&world.inbound, &candidate, &world.work, ID, MAX).unwrap_err();
        assert!(matches!(error, IntakeError::Name { what: "the file name", .. }), "{name}");
    }
}

#[test]
fn both_ways_of_opening_refuse_links_and_do_not_wait_for_fifos() {
    let world = World::new();
    world.put("A.csv", "x");
    symlink("A.csv", world.inbound.join("link")).unwrap();
    mknodat(CWD, world.inbound.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let dir = Directory::open(&world.inbound).unwrap();
    for open in [Directory::open_beneath, Directory::open_plainly] {
        assert!(open(&dir, "A.csv").is_ok());
        assert_eq!(open(&dir, "link").unwrap_err(), Errno::LOOP);
        assert_eq!(open(&dir, "missing").unwrap_err(), Errno::NOENT);
        assert!(open(&dir, "fifo").is_ok(), "opened at once; what it is shows afterwards");
    }
    for open in [Directory::open_beneath, Directory::open_plainly] {
        assert_eq!(open(&dir, "../inbound/A.csv").unwrap_err(), Errno::XDEV);
    }
    assert_eq!(dir.open_plainly("..").unwrap_err(), Errno::XDEV);
}

#[test]
fn a_file_that_is_denied_says_nothing_of_the_world() {
    assert_eq!(not_opened(Errno::ACCESS), Some(Claim::Denied));
    assert_eq!(not_opened(Errno::PERM), Some(Claim::Denied));
    assert_eq!(not_opened(Errno::AGAIN), Some(Claim::Changed));
    assert_eq!(not_opened(Errno::MFILE), None);
    assert_eq!(not_opened(Errno::IO), None);
}

#[test]
fn a_failed_sync_is_fatal_and_never_retried() {
    let world = World::new();
    let dir = Directory::open(&world.work).unwrap();
    let unsyncable = File::open("/dev/null").unwrap();
    let error = dir.sync_file(ID, &unsyncable).unwrap_err();
    assert!(matches!(&error, IntakeError::Sync { path, .. } if *path == copy_of(&world)), "{error}");
    assert!(error.is_fatal());
    assert_eq!(error.retry(), crate::model::Retry::Never);
}
