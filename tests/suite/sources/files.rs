//! Single files on a server: what cannot be removed, is replaced, is kept, is moved, is odd.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::time::Duration;

use super::Site;
use super::site::{changing, failed};
use crate::file::CsvFile;
use crate::world::sshd::Sshd;
use crate::world::{PATIENCE, throughout, until};

#[test]
fn what_cannot_be_removed_is_processed_once_and_removed_when_it_can_be() {
    let site = Site::with(changing(), |_| {}, "");
    site.serve("", "-P remove");
    let daemon = site.world.daemon();
    let (name, stem) = site.put_good("STAYS", 21, 5);
    until("its answers", || site.delivered(&format!("{stem}.summary.json")).exists());
    site.until("acme", "not allowed");
    throughout(Duration::from_secs(2), "it stays there", || site.there("out").len() == 1);
    // Another goes its way meanwhile.
    let (_, next) = site.put_good("NEXT", 22, 5);
    until("the answers to the next", || site.delivered(&format!("{next}.summary.json")).exists());
    assert_eq!(failed(&daemon.stderr(), "acme", "not allowed"), 1, "{}", daemon.stderr());
    assert_eq!(site.there("out").len(), 2, "{:?}", site.there("out"));
    // A restart knows what was taken.
    daemon.terminate(PATIENCE).expect(0);
    let daemon = site.world.daemon();
    site.until("acme", "not allowed");
    site.serve("", "");
    until("their end there", || site.there("out").is_empty());
    site.until("acme", "ok");
    daemon.terminate(PATIENCE).expect(0);
    assert_eq!(site.files().len(), 2, "{:?}", site.files());
    assert_eq!(site.files()[0], (name, String::new()));
}

#[test]
fn a_file_that_took_the_place_of_a_decided_one_is_processed_and_not_removed_unread() {
    let site = Site::with(changing(), |_| {}, "");
    site.serve("", "-P remove,rename");
    let daemon = site.world.daemon();
    let (name, first) = site.put_good("TWICE", 23, 5);
    until("its reports", || site.world.out().has(&format!("{first}.summary.json")));
    site.until("acme", "not allowed");
    let other = CsvFile::good("OTHER", 24, 9);
    site.put(&name, site.world.sealed(&other.text()));
    site.serve("", "");
    until("the second one's answers", || site.delivered(&format!("{first}.2.summary.json")).exists());
    until("its end there", || site.there("out").is_empty());
    assert_eq!(site.world.out().recon(&first).trailer[0], 5);
    assert_eq!(site.world.out().recon(&format!("{first}.2")).trailer[0], 9);
    until("all is delivered", || site.all_is_delivered());
    site.expect_whole();
    daemon.terminate(PATIENCE).expect(0);
    assert_eq!(site.files().len(), 2);
}

#[test]
fn what_a_broken_removal_left_aside_comes_back_unless_it_is_decided() {
    let site = Site::new();
    let daemon = site.world.daemon();
    site.until("acme", "ok");
    // So it looks where another file took the place of a decided one just before it was moved aside, and the line broke.
    let file = CsvFile::good("ASIDE", 25, 4);
    site.put(".ACME_PAYCARDS_ASIDE.csv.jwe.nightdrop-removing", site.world.sealed(&file.text()));
    until("its answers", || site.delivered("ACME_PAYCARDS_ASIDE.summary.json").exists());
    until("its end there", || site.there("out").is_empty());
    daemon.terminate(PATIENCE).expect(0);
}

#[test]
fn a_file_that_cannot_be_read_holds_up_no_other() {
    let site = Site::with(changing(), |_| {}, "");
    let (shut, _) = site.put_good("A1", 26, 3);
    let mode = |mode| fs::set_permissions(site.sshd.files().join("out").join(&shut), fs::Permissions::from_mode(mode));
    mode(0o000).unwrap();
    let (_, open) = site.put_good("A2", 27, 3);
    let daemon = site.world.daemon();
    until("the other's answers", || site.delivered(&format!("{open}.summary.json")).exists());
    site.until("acme", "not allowed");
    assert!(site.source("acme")["why"].as_str().unwrap().contains(&shut), "{}", site.source("acme"));
    assert_eq!(failed(&daemon.stderr(), "acme", "not allowed"), 1, "{}", daemon.stderr());
    mode(0o644).unwrap();
    until("its own answers", || site.delivered("ACME_PAYCARDS_A1.summary.json").exists());
    until("their end there", || site.there("out").is_empty());
    site.until("acme", "ok");
    daemon.terminate(PATIENCE).expect(0);
    assert_eq!(site.files().len(), 2);
}

#[test]
fn a_kept_file_is_taken_once_and_another_under_its_name_too() {
    let site = Site::with(Sshd::new(), |_| {}, "after = \"keep\"");
    let (name, stem) = site.put_good("KEPT", 28, 4);
    site.world.once().expect(0);
    site.world.once().expect(0);
    assert_eq!((site.files().len(), site.there("out").len()), (1, 1));

    // It goes and comes back, to the second as old as it was: another arrival, of which the content is known.
    let (lies, away) = (site.sshd.files().join("out").join(&name), site.sshd.files().join("away"));
    fs::rename(&lies, &away).unwrap();
    site.world.once().expect(0);
    fs::rename(&away, &lies).unwrap();
    site.world.once().expect(0);
    site.world.once().expect(0);
    assert_eq!(site.files().len(), 2, "{:?}", site.files());
    assert!(site.delivered(&format!("{stem}.2.ack.json")).exists());

    site.put(&name, site.world.sealed(&CsvFile::good("KEPT2", 29, 6).text()));
    site.world.once().expect(0);
    assert_eq!(site.world.out().recon(&format!("{stem}.3")).trailer[0], 6);
    assert!(site.delivered(&format!("{stem}.3.summary.json")).exists());
    site.world.once().expect(0);
    assert_eq!((site.files().len(), site.there("out")), (3, vec![name]));
}

#[test]
fn a_directory_to_move_to_that_is_missing_is_named_and_waited_for() {
    let site = Site::with(Sshd::new(), |_| {}, "after = \"move:processed\"");
    let daemon = site.world.daemon();
    let (name, stem) = site.put_good("MOVED", 30, 4);
    until("its answers", || site.delivered(&format!("{stem}.summary.json")).exists());
    site.until("acme", "missing");
    assert!(site.source("acme")["why"].as_str().unwrap().contains("\"out/processed\""), "{}", site.source("acme"));
    fs::create_dir(site.sshd.files().join("out/processed")).unwrap();
    until("its way there", || site.there("out/processed") == [name.as_str()]);
    site.until("acme", "ok");
    let log = daemon.terminate(PATIENCE).expect(0).stderr;
    assert_eq!((log.matches("\"source_failed\"").count(), site.files().len()), (1, 1), "{log}");
}

#[test]
fn a_marker_goes_with_its_file_even_if_it_may_go_only_later() {
    let site = Site::with(changing(), |shape| shape.feed = "done_marker = true", "");
    let out = site.sshd.files().join("out");
    let (name, stem) = site.put_good("MARKED", 31, 4);
    let daemon = site.world.daemon();
    throughout(Duration::from_secs(2), "it waits for its marker", || site.files().is_empty());
    let root = rustix::process::geteuid().is_root();
    if root {
        // Whoever the server serves as may remove the file and not its marker.
        chown(out.join(&name), Some(65_534), None).unwrap();
        fs::set_permissions(&out, fs::Permissions::from_mode(0o1777)).unwrap();
    }
    site.put(&format!("{name}.done"), "");
    until("its answers", || site.delivered(&format!("{stem}.summary.json")).exists());
    if root {
        site.until("acme", "not allowed");
        throughout(Duration::from_secs(2), "the marker stays", || site.there("out") == [format!("{name}.done")]);
        fs::set_permissions(&out, fs::Permissions::from_mode(0o777)).unwrap();
    }
    until("their end there", || site.there("out").is_empty());
    site.until("acme", "ok");
    daemon.terminate(PATIENCE).expect(0);
    assert_eq!(site.files().len(), 1);
}

#[test]
fn what_is_no_arrival_is_left_alone_and_said_once() {
    let site = Site::new();
    let out = site.sshd.files().join("out");
    fs::create_dir(out.join("ACME_PAYCARDS_DIR")).unwrap();
    symlink("/etc/passwd", out.join("ACME_PAYCARDS_LINK")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, out.join("ACME_PAYCARDS_PIPE"), rustix::fs::FileType::Fifo, 0o644.into(), 0)
        .unwrap();
    let long = format!("ACME_PAYCARDS_{}", "X".repeat(220));
    for name in ["-rf", "ACME PAYCARDS", "ACME_PAYCARDS_\n", "ACME_PAYCARDS_é", &long] {
        fs::write(out.join(name), "x").unwrap();
    }
    for name in [".ACME_PAYCARDS_1", "ACME_PAYCARDS_1.part", "ACME_PAYCARDS_1.tmp", "ACME_PAYCARDS_1.filepart"] {
        fs::write(out.join(name), "x").unwrap();
    }
    let before = site.there("out");
    let daemon = site.world.daemon();
    let (_, stem) = site.put_good("PLAIN", 32, 3);
    until("the answers to the good one", || site.delivered(&format!("{stem}.summary.json")).exists());
    until("its end there", || site.there("out") == before);
    throughout(Duration::from_secs(3), "all else stays", || site.there("out") == before);
    let log = daemon.terminate(PATIENCE).expect(0).stderr;
    assert_eq!(log.matches("\"odd_entry\"").count(), 8, "{log}");
    assert_eq!((site.files().len(), log.matches("\"source_failed\"").count()), (1, 0), "{log}");
}

#[test]
fn what_a_server_left_of_a_rename_it_did_by_halves_goes() {
    let site = Site::new();
    let (_, stem) = site.put_good("HALF", 33, 3);
    site.world.once().expect(0);
    let (whole, part) = (format!("{stem}.summary.json"), format!(".{stem}.summary.json.part"));
    // It ended between the new name and the old one's removal, and its answer never came.
    fs::hard_link(site.delivered(&whole), site.delivered(&part)).unwrap();
    site.world.sql(&format!("UPDATE delivery SET delivered_at = NULL WHERE name = '{whole}'"));
    site.world.once().expect(0);
    assert!(site.delivered(&whole).exists() && !site.delivered(&part).exists(), "{:?}", site.there("in"));
    assert_eq!(site.source("acme")["backlog"], 0);
}
