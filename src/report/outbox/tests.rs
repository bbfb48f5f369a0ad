use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::super::ReportError;
use super::*;
use crate::model::Retry;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn begun(outbox: &Outbox, name: &str, content: &str) -> Draft {
    let mut draft = outbox.begin(name).unwrap();
    draft.write_all(content.as_bytes()).unwrap();
    draft
}

#[test]
fn a_committed_file_stands_whole_under_its_name_with_its_hash() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(dir.path());
    let written = outbox.put("a.ack.json", b"abc").unwrap();
    assert_eq!(written.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(written.content_sha256, written.sha256);
    assert_eq!(names(dir.path()), ["a.ack.json"]);
    assert_eq!(fs::read(dir.path().join("a.ack.json")).unwrap(), b"abc");
    let mode = fs::metadata(dir.path().join("a.ack.json")).unwrap().permissions().mode();
    assert_eq!((mode & !0o100_640, mode & 0o600), (0, 0o600), "mode {mode:o}");
}

#[test]
fn a_dropped_draft_leaves_nothing_however_much_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let draft = begun(&Outbox::new(dir.path()), "a.csv", &"x".repeat(3 * BUFFER_BYTES + 1));
    assert_eq!(names(dir.path()), [".nightdrop-a.csv.0.tmp"]);
    drop(draft);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_name_that_is_taken_changes_in_one_step() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(dir.path());
    let path = dir.path().join("a.csv");
    outbox.put("a.csv", b"old").unwrap();
    let mut reader = fs::File::open(&path).unwrap();
    let mut draft = begun(&outbox, "a.csv", "new");
    draft.flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    draft.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    // Whoever was reading goes on reading the file that was there.
    let mut read = String::new();
    reader.read_to_string(&mut read).unwrap();
    assert_eq!(read, "old");
    assert_eq!(names(dir.path()), ["a.csv"]);
}

#[test]
fn what_an_earlier_process_left_does_not_stand_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(".nightdrop-a.csv.0.tmp"), "half").unwrap();
    symlink("/dev/null", dir.path().join(".nightdrop-a.csv.1.tmp")).unwrap();
    begun(&Outbox::new(dir.path()), "a.csv", "whole").commit().unwrap();
    assert_eq!(fs::read(dir.path().join("a.csv")).unwrap(), b"whole");
    assert_eq!(fs::read(dir.path().join(".nightdrop-a.csv.0.tmp")).unwrap(), b"half");
}

#[test]
fn a_file_that_reads_back_otherwise_is_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(dir.path());
    let temporary = dir.path().join(".nightdrop-a.csv.0.tmp");

    let mut draft = begun(&outbox, "a.csv", "content");
    draft.flush().unwrap();
    fs::OpenOptions::new().append(true).open(&temporary).unwrap().write_all(b"more").unwrap();
    let error = draft.commit().unwrap_err();
    assert!(matches!(error, ReportError::ReadBack { .. }), "{error}");
    assert_eq!(error.retry(), Retry::Later);
    assert!(names(dir.path()).is_empty());

    let mut draft = begun(&outbox, "a.csv", "content");
    draft.flush().unwrap();
    fs::OpenOptions::new().write(true).open(&temporary).unwrap().write_all(b"k").unwrap();
    assert!(matches!(draft.commit().unwrap_err(), ReportError::ReadBack { .. }), "as long as it was, but another");

    let draft = begun(&outbox, "a.csv", "content");
    fs::remove_file(&temporary).unwrap();
    fs::write(dir.path().join("elsewhere"), "content").unwrap();
    symlink(dir.path().join("elsewhere"), &temporary).unwrap();
    assert!(matches!(draft.commit().unwrap_err(), ReportError::Io { step: "read back", .. }));
    assert_eq!(names(dir.path()), ["elsewhere"]);
}

#[test]
fn only_plain_names_that_fit_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(dir.path());
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    for name in ["", ".", "..", ".a", "-a", "a/b", "../a", "a\nb", "a b", "a\0b", "\u{e9}", &long] {
        let error = outbox.begin(name).err().unwrap_or_else(|| panic!("took {name:?}"));
        assert!(matches!(error, ReportError::Name), "{error}");
        assert_eq!(error.retry(), Retry::Never);
    }
    outbox.put(&long[1..], b"").unwrap();
    assert_eq!(names(dir.path()), [&long[1..]]);
}

#[test]
fn a_directory_that_is_gone_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let outbox = Outbox::new(&out);
    let error = outbox.put("a", b"").unwrap_err();
    assert_eq!(error.retry(), Retry::Later);
    assert!(!error.fatal());
    assert!(error.to_string().ends_with("/out"), "{error}");
    assert!(outbox.sweep().is_err());
    fs::create_dir(&out).unwrap();
    outbox.put("a", b"").unwrap();
}

#[test]
fn a_failed_sync_ends_the_process() {
    let error = ReportError::Sync { path: "a".into(), source: io::Error::other("lost") };
    assert!(error.fatal());
    assert_eq!(error.retry(), Retry::Never);
}

#[test]
fn the_sweep_takes_our_temporaries_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let others = [".nightdrop", ".nightdrop-a.csv", ".other-a.csv.0.tmp", "a.csv", "nightdrop-a.csv.0.tmp"];
    for name in others.into_iter().chain([".nightdrop-a.csv.0.tmp", ".nightdrop-b.recon.csv.jwe.17.tmp"]) {
        fs::write(dir.path().join(name), "").unwrap();
    }
    fs::create_dir(dir.path().join(".nightdrop-dir.0.tmp")).unwrap();
    symlink("a.csv", dir.path().join(".nightdrop-link.0.tmp")).unwrap();
    let outbox = Outbox::new(dir.path());
    assert_eq!(outbox.sweep().unwrap(), 2);
    let mut left: Vec<&str> = others.into_iter().chain([".nightdrop-dir.0.tmp", ".nightdrop-link.0.tmp"]).collect();
    left.sort_unstable();
    assert_eq!(names(dir.path()), left);
    assert_eq!(outbox.sweep().unwrap(), 0);
}
