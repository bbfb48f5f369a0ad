//! Lines that break in the middle: no half file, and the next call goes on.

use std::fs;

use nightdrop::sftp::{Error, Uploaded};

use super::{client, content, download, names, options, run, through, upload};
use crate::world::faulty::Fault::{Cut, None, Reset};
use crate::world::faulty::Way::{Down, Up};
use crate::world::faulty::{Fault, Faulty};
use crate::world::long;
use crate::world::sshd::Sshd;

const SIZE: usize = 300_000;

/// Faults spread over a whole transfer and the login before it: 200 in a campaign, 30 otherwise.
fn faults(bytes: u64) -> Vec<Fault> {
    let runs: u64 = if long() { 200 } else { 30 };
    (0..runs)
        .map(|run| {
            // Denser at the beginning, where the steps are small; never twice at the same place.
            let at = if run % 3 == 0 { run * 5_000 / runs + run } else { run * bytes / runs + run };
            let way = if run % 2 == 0 { Up } else { Down };
            if run % 5 < 3 { Cut(way, at) } else { Reset(way, at) }
        })
        .collect()
}

fn is_a_break(error: &Error) -> bool {
    matches!(error, Error::Lost { .. } | Error::Protocol { .. } | Error::Unreachable { .. })
}

#[test]
fn a_cut_download_gives_no_file_and_the_next_one_does() {
    let sshd = Sshd::new();
    let line = Faulty::to(sshd.port);
    let bytes = content(SIZE);
    fs::write(sshd.files().join("file"), &bytes).unwrap();
    let mut broken = 0;
    for fault in faults(320_000) {
        line.set(fault);
        let client = client(through(&sshd, line.port));
        // Bytes that came are the right ones whether or not the line broke at last; the hash is looked at there.
        match download(&client, "file", SIZE) {
            // The line breaks later than this transfer ends.
            Ok(whole) => {
                assert!(whole == bytes, "{fault:?}");
                continue;
            }
            Err(error) if is_a_break(&error) => broken += 1,
            Err(error) => panic!("{fault:?}: {error:?}"),
        }
        line.set(None);
        assert!(download(&client, "file", SIZE).unwrap() == bytes, "the next call, {fault:?}");
    }
    assert!(broken > 15, "most of them broke: {broken}");
}

#[test]
fn a_cut_upload_leaves_no_half_file_under_the_final_name_and_the_next_one_does() {
    let sshd = Sshd::new();
    let line = Faulty::to(sshd.port);
    let bytes = content(SIZE);
    let (mut broken, mut there) = (0, 0);
    for (run, fault) in faults(320_000).into_iter().enumerate() {
        line.set(fault);
        let client = client(through(&sshd, line.port));
        let name = format!("file-{run}");
        let whole = || fs::read(sshd.files().join(&name)).map(|found| assert!(found == bytes, "whole, {fault:?}"));
        match upload(&client, "", &name, &bytes) {
            Ok(done) => {
                assert_eq!((done, whole().is_ok()), (Uploaded::Sent, true), "{fault:?}");
                continue;
            }
            Err(error) if is_a_break(&error) => {
                broken += 1;
                let _ = whole();
            }
            Err(error) => panic!("{fault:?}: {error:?}"),
        }
        line.set(None);
        there += i32::from(upload(&client, "", &name, &bytes).unwrap() == Uploaded::AlreadyThere);
        whole().unwrap();
    }
    assert!(broken > 15, "most of them broke: {broken}, and {there} had got there");
    assert!(names(&sshd.files()).iter().all(|name| !name.ends_with(".part")), "{:?}", names(&sshd.files()));
}

#[test]
fn a_connection_that_the_server_ends_between_two_calls_is_made_anew() {
    let mut sshd = Sshd::new();
    let client = client(options(&sshd));
    run(client.list("")).unwrap();
    for _ in 0..3 {
        end_the_connections(&sshd);
        run(client.list("")).unwrap();
    }
    end_the_connections(&sshd);
    sshd.stop();
    let error = run(client.list("")).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    sshd.restart(|_| {});
    run(client.list("")).unwrap();
}

/// Ends what sshd started for its connections, each by its own id, and waits until they are gone.
fn end_the_connections(sshd: &Sshd) {
    use rustix::process::{Pid, Signal, kill_process};
    for pid in sshd.connections() {
        let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
    }
    crate::world::until("the connections are gone", || sshd.connections().is_empty());
}
