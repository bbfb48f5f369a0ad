//! Servers that are not as they should be: each is told of once, holds up nobody else, and is worked with again once it is right.

use std::fs;
use std::time::Duration;

use super::site::{changing, directories, failed};
use super::{Site, table};
use crate::file::CsvFile;
use crate::world::sshd::Sshd;
use crate::world::{PATIENCE, drop_into, throughout, until};

/// Two issuers with a server each; the other's is always well.
fn pair(sshd: Sshd) -> (Site, Sshd) {
    let other = Sshd::new();
    directories(&other);
    // The same key opens both.
    fs::copy(sshd.path("user.pub"), other.path("authorized")).unwrap();
    let more = table(&other, "other", "OTHER", other.port, "");
    (Site::with(sshd, |shape| shape.issuers = vec!["ACME", "OTHER"], &more), other)
}

/// The other's server is fetched from and delivered to.
fn the_other_goes_on(other: &Sshd, batch: &str) {
    drop_into(&other.files().join("out"), &format!("OTHER_PAYCARDS_{batch}.csv.jwe"), "no token");
    let ack = other.files().join(format!("in/OTHER_PAYCARDS_{batch}.ack.json"));
    until("the other source's answer", || ack.exists());
}

#[test]
fn a_changed_host_key_stops_this_source_alone_until_it_is_right_again() {
    let (mut site, other) = pair(Sshd::new());
    let daemon = site.world.daemon();
    site.until("acme", "ok");
    site.restart(|sshd| {
        fs::rename(sshd.path("host-ed25519"), sshd.path("kept")).unwrap();
        sshd.keygen("another", "ed25519");
        fs::copy(sshd.path("another"), sshd.path("host-ed25519")).unwrap();
    });
    let let_in = site.sshd.log().matches("Accepted publickey").count();
    let (name, stem) = site.put_good("HOST", 11, 20);
    site.until("acme", "host key changed");
    the_other_goes_on(&other, "ONE");
    throughout(Duration::from_secs(3), "nothing is exchanged", || {
        site.there("out") == [name.as_str()] && site.there("in").is_empty()
    });
    assert_eq!(site.sshd.log().matches("Accepted publickey").count(), let_in, "{}", site.sshd.log());
    assert_eq!(failed(&daemon.stderr(), "acme", "host key changed"), 1, "{}", daemon.stderr());

    site.sshd.restart(|sshd| fs::rename(sshd.path("kept"), sshd.path("host-ed25519")).unwrap());
    until("its answers", || site.delivered(&format!("{stem}.summary.json")).exists());
    site.until("acme", "ok");
    let log = daemon.terminate(PATIENCE).expect(0).stderr;
    assert_eq!((failed(&log, "acme", "host key changed"), log.matches("\"source_failed\"").count() <= 2), (1, true));
    assert_eq!(site.files().len(), 2);
}

#[test]
fn a_key_that_is_no_longer_let_in_is_told_once() {
    let (site, other) = pair(Sshd::new());
    let daemon = site.world.daemon();
    site.until("acme", "ok");
    fs::rename(site.sshd.path("authorized"), site.sshd.path("kept")).unwrap();
    fs::write(site.sshd.path("authorized"), "").unwrap();
    site.cut_off();
    let (_, stem) = site.put_good("KEY", 12, 5);
    site.until("acme", "key not accepted");
    the_other_goes_on(&other, "TWO");
    throughout(Duration::from_secs(2), "nothing is exchanged", || site.there("in").is_empty());
    assert_eq!(failed(&daemon.stderr(), "acme", "key not accepted"), 1, "{}", daemon.stderr());
    fs::rename(site.sshd.path("kept"), site.sshd.path("authorized")).unwrap();
    until("its answers", || site.delivered(&format!("{stem}.summary.json")).exists());
    site.until("acme", "ok");
    daemon.terminate(PATIENCE).expect(0);
}

#[test]
fn a_missing_directory_is_told_once_and_holds_up_no_answer() {
    let site = Site::new();
    let daemon = site.world.daemon();
    site.until("acme", "ok");
    let (out, away) = (site.sshd.files().join("out"), site.sshd.files().join("away"));
    fs::rename(&out, &away).unwrap();
    site.until("acme", "missing");
    assert!(site.source("acme")["why"].as_str().unwrap().contains("\"out\""), "{}", site.source("acme"));
    let stem = site.world.drop_sealed(&CsvFile::good("LOCAL", 13, 5));
    until("answers to a dropped file", || site.delivered(&format!("{stem}.summary.json")).exists());
    assert_eq!(failed(&daemon.stderr(), "acme", "missing"), 1, "{}", daemon.stderr());
    fs::rename(away, out).unwrap();
    let (_, stem) = site.put_good("FOUND", 14, 5);
    until("its answers", || site.delivered(&format!("{stem}.summary.json")).exists());
    site.until("acme", "ok");
    let log = daemon.terminate(PATIENCE).expect(0).stderr;
    assert_eq!(log.matches("\"source_failed\"").count(), 1, "{log}");
}

#[test]
fn a_server_that_may_only_be_read_gets_its_answers_and_loses_its_files_later() {
    let site = Site::with(changing(), |_| {}, "");
    site.serve("", "-R");
    let daemon = site.world.daemon();
    let (name, stem) = site.put_good("READ", 15, 20);
    until("its reports", || site.world.out().has(&format!("{stem}.summary.json")));
    site.until("acme", "not allowed");
    throughout(Duration::from_secs(2), "nothing changes there", || {
        site.there("out") == [name.as_str()] && site.there("in").is_empty()
    });
    assert_eq!(site.source("acme")["backlog"], 3);
    assert_eq!(failed(&daemon.stderr(), "acme", "not allowed"), 1, "{}", daemon.stderr());
    site.serve("", "");
    until("its answers, and its end there", || site.all_is_delivered() && site.there("out").is_empty());
    site.expect_whole();
    site.until("acme", "ok");
    daemon.terminate(PATIENCE).expect(0);
    assert_eq!(site.files(), [(name, String::new())]);
}

#[test]
fn a_full_disk_holds_up_answers_and_never_puts_a_summary_first() {
    let site = Site::with(changing(), |_| {}, "");
    // What is longer than 2 KiB finds no room.
    let full = "trap '' XFSZ; ulimit -f $((2048 / $(if [ -n \"$BASH_VERSION\" ]; then echo 1024; else echo 512; fi)))";
    site.serve(full, "");
    let daemon = site.world.daemon();
    let (_, stem) = site.put_good("FULL", 16, 250);
    site.until("acme", "no room");
    assert!(site.world.out().has(&format!("{stem}.recon.csv")));
    throughout(Duration::from_secs(2), "only what fits is there", || {
        !site.delivered(&format!("{stem}.recon.csv")).exists()
            && !site.delivered(&format!("{stem}.summary.json")).exists()
    });
    assert_eq!(site.there("in"), [format!("{stem}.ack.json")], "nothing half is left that would take room");
    assert_eq!(site.there("out"), [""; 0], "its file goes all the same");
    assert_eq!(failed(&daemon.stderr(), "acme", "no room"), 1, "{}", daemon.stderr());
    site.serve("", "");
    until("its answers", || site.all_is_delivered());
    site.expect_whole();
    site.until("acme", "ok");
    daemon.terminate(PATIENCE).expect(0);
}
