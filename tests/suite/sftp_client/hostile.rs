//! Servers that mean ill, or are broken: bounded in time and memory, and told of.

use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use nightdrop::sftp::{Client, Error, Kind, Options};

use super::{client, content, download, options, run, through, upload};
use crate::world::now;
use crate::world::sshd::Sshd;

const SIZE: usize = 100_000;

/// A server whose SFTP side is `hostile_sftp.py` with this argument, and a client with short limits.
fn hostile(way: &str) -> (Sshd, Client) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/world/hostile_sftp.py");
    let sshd = Sshd::shaped(|shape| shape.subsystem = format!("python3 {script} {way}"));
    let limits =
        Options { idle: Duration::from_secs(4), call: Duration::from_secs(8), listing_max: 1_000, ..options(&sshd) };
    (sshd, client(limits))
}

#[test]
fn listings_without_an_end_are_given_up() {
    for way in ["endless", "dots"] {
        let (_sshd, client) = hostile(way);
        let error = run(client.list("")).unwrap_err();
        assert!(matches!(error, Error::ListingTooLong { max: 1_000, .. }), "{way}: {error:?}");
    }
}

#[test]
fn odd_names_are_handed_on_and_huge_ones_are_not() {
    let (_sshd, client) = hostile("names");
    let listed = run(client.list("")).unwrap();
    let names: Vec<&[u8]> = listed.iter().map(|entry| entry.name.as_slice()).collect();
    assert_eq!(names[..3], [&b"../../etc/passwd"[..], b"/abs", b"line\nend"]);
    assert_eq!((names[4], names[5].len(), names[6]), (&b"\xff\xfe"[..], 256, &b"a\0b"[..]));
    let kind = |name: &[u8]| listed.iter().find(|entry| entry.name == name).unwrap().kind;
    assert_eq!((kind(b"bare"), kind(b"pipe"), kind(b"good")), (Kind::Other, Kind::Other, Kind::File));

    for way in ["long-name", "count"] {
        let (_sshd, client) = hostile(way);
        let error = run(client.list("")).unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{way}: {error:?}");
    }
}

#[test]
fn a_file_that_grows_or_has_no_end_is_not_taken() {
    for way in ["longer", "grown"] {
        let (_sshd, client) = hostile(way);
        let error = download(&client, "file", SIZE).unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{way}: {error:?}");
    }
    let (_sshd, client) = hostile("none");
    assert_eq!(download(&client, "file", SIZE).unwrap(), vec![b'x'; SIZE], "the server as such is good");
    let (_sshd, client) = hostile("read-error");
    let error = download(&client, "file", SIZE).unwrap_err();
    assert!(matches!(error, Error::Refused { code: 4, .. }), "{error:?}");
}

#[test]
fn what_makes_no_sense_is_a_protocol_error_and_the_connection_is_made_anew() {
    for way in ["garbage", "huge-packet", "fat"] {
        let (sshd, client) = hostile(way);
        for _ in 0..2 {
            let error = download(&client, "file", SIZE).unwrap_err();
            assert!(matches!(error, Error::Protocol { .. } | Error::Frozen { .. }), "{way}: {error:?}");
        }
        assert_eq!(sshd.log().matches("Accepted publickey").count(), 2, "{way}");
    }
    let (_sshd, client) = hostile("silent");
    assert!(matches!(run(client.stat("file")), Err(Error::Frozen { .. })));
}

#[test]
fn what_the_server_says_while_it_is_written_to_is_told() {
    let bytes = content(SIZE);
    for (way, told) in [("write-4", 4), ("write-14", 14), ("write-15", 15), ("close-error", 4)] {
        let (_sshd, client) = hostile(way);
        let error = upload(&client, "", "sent", &bytes).unwrap_err();
        assert!(matches!(error, Error::Full { code, .. } if code == told), "{way}: {error:?}");
        assert_eq!(error.state(), "no room");
    }
    let (_sshd, client) = hostile("write-3");
    assert!(matches!(upload(&client, "", "sent", &bytes), Err(Error::Denied { .. })));
    let (_sshd, client) = hostile("not-all");
    assert!(matches!(upload(&client, "", "sent", &bytes), Err(Error::Changed { .. })));
    let (_sshd, client) = hostile("no-rename");
    let error = upload(&client, "", "sent", &bytes).unwrap_err();
    assert!(matches!(error, Error::Refused { doing: "rename", code: 8, .. }), "{error:?}");
}

#[test]
fn a_flood_of_answers_to_nothing_is_bounded_in_time_and_memory() {
    let (_sshd, client) = hostile("flood");
    let (begun, before) = (now(), resident());
    let error = run(client.stat("file")).unwrap_err();
    assert!(matches!(error, Error::Protocol { .. } | Error::Slow { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(13), "{:?}", begun.elapsed());
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "it took {grown} bytes");
}

#[test]
fn a_greeting_without_an_end_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = "no greeting\r\n".repeat(1_000);
        while stream.write_all(lines.as_bytes()).is_ok() {}
    });
    let sshd = Sshd::new();
    let begun = now();
    let error = run(client(through(&sshd, port)).list("")).unwrap_err();
    assert!(matches!(&error, Error::Protocol { detail, .. } if detail.contains("far more")), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(60), "long before the call's limit: {:?}", begun.elapsed());
}

/// How many bytes of memory this process has.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
