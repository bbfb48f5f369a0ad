//! Servers that fall silent, dribble or are slow: noticed in time, or waited for.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use nightdrop::model::Retry;
use nightdrop::sftp::{Error, Options};

use super::{client, content, download, options, ours, run, sha256, through, upload};
use crate::world::faulty::Fault::{Dribble, None, Silence, Slow};
use crate::world::faulty::Way::{Down, Up};
use crate::world::faulty::{Fault, Faulty};
use crate::world::sshd::Sshd;
use crate::world::{now, until};

/// How much longer than `idle` it may take to notice that nothing moves.
const GRACE: Duration = Duration::from_secs(5);

fn impatient(sshd: &Sshd, port: u16) -> Options {
    Options { idle: Duration::from_secs(1), ..through(sshd, port) }
}

#[test]
fn silence_at_any_point_is_noticed_within_idle_and_a_little() {
    let sshd = Sshd::new();
    let bytes = content(700_000);
    fs::write(sshd.files().join("there"), &bytes).unwrap();
    let falls_silent = &|way, point| {
        let line = Faulty::to(sshd.port);
        line.set(Silence(way, point));
        let client = client(impatient(&sshd, line.port));
        let name = format!("sent-{way:?}-{point}");
        let begun = now();
        let outcome =
            download(&client, "there", bytes.len()).and_then(|_| upload(&client, "", &name, &bytes).map(|_| ()));
        let error = outcome.expect_err("it fell silent");
        assert!(matches!(error, Error::Frozen { .. }), "{way:?} {point}: {error:?}");
        assert_eq!((error.state(), error.retry()), ("frozen", Retry::Later));
        assert!(begun.elapsed() < Duration::from_secs(1) + GRACE, "{way:?} {point}: {:?}", begun.elapsed());
        assert!(!sshd.files().join(name).exists());
        line.set(None);
        run(client.list("")).unwrap_or_else(|error| panic!("the next call, {way:?} {point}: {error}"));
    };
    std::thread::scope(|scope| {
        // In the banner, the key exchange, the login, the opening of the channel, and in the middle of the transfers.
        for point in [0, 10, 300, 1_100, 1_900, 2_600, 3_300, 4_000, 20_000, 200_000, 600_000] {
            for way in [Up, Down] {
                scope.spawn(move || falls_silent(way, point));
            }
        }
    });
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_is_frozen() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let sshd = Sshd::new();
    let begun = now();
    let error = run(client(impatient(&sshd, silent.local_addr().unwrap().port())).list("")).unwrap_err();
    assert!(matches!(error, Error::Frozen { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(1) + GRACE);
}

#[test]
fn nobody_there_is_unreachable() {
    let sshd = Sshd::new();
    let port = {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap().port()
    };
    let error = run(client(through(&sshd, port)).list("")).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    for host in ["no-such-host.invalid", "", "a host"] {
        let options = Options { host: host.to_owned(), connect: Duration::from_secs(5), ..options(&sshd) };
        let error = run(client(options).list("")).unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{host}: {error:?}");
    }
    // An address that no packet comes back from.
    let begun = now();
    let nowhere = Options { host: "192.0.2.1".to_owned(), connect: Duration::from_secs(1), ..options(&sshd) };
    let error = run(client(nowhere).list("")).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(1) + GRACE);
}

#[test]
fn a_slow_line_is_waited_for() {
    let sshd = Sshd::new();
    let line = Faulty::to(sshd.port);
    let options = || Options { idle: Duration::from_secs(6), ..through(&sshd, line.port) };
    let bytes = content(6_000);
    fs::write(sshd.files().join("there"), &bytes).unwrap();
    std::thread::scope(|scope| {
        // Each on a connection of its own, at 1 kB/s from the first byte.
        line.set(Slow(Down, 1_000));
        let down = client(options());
        let before = line.connections();
        let fetched = scope.spawn(move || download(&down, "there", 6_000));
        until("it is connected", || line.connections() > before);
        line.set(Slow(Up, 1_000));
        upload(&client(options()), "", "sent", &bytes).unwrap();
        assert!(fs::read(sshd.files().join("sent")).unwrap() == bytes);
        assert!(fetched.join().unwrap().unwrap() == bytes);
    });
}

#[test]
fn a_server_that_dribbles_does_not_hold_a_small_call_for_ever() {
    let sshd = Sshd::new();
    let line = Faulty::to(sshd.port);
    line.set(Dribble(Down, 100));
    let options = Options { call: Duration::from_secs(2), ..impatient(&sshd, line.port) };
    let begun = now();
    let error = run(client(options).list("")).unwrap_err();
    assert!(matches!(error, Error::Slow { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(2) + GRACE);
}

#[test]
fn a_frozen_server_holds_up_neither_the_end_nor_anybody_else() {
    let sshd = Sshd::new();
    let line = Faulty::to(sshd.port);
    let bytes = content(3_000_000);
    for fault in [Silence(Down, 0), Silence(Down, 3_500), Silence(Up, 500_000), Fault::None] {
        line.set(fault);
        let (frozen, other) = (client(through(&sshd, line.port)), client(options(&sshd)));
        let before = (threads(), line.connections());
        let call = frozen.upload(ours(&bytes), "", "name", 3_000_000, sha256(&bytes));
        run(async {
            // The call has begun, the line is silent; meanwhile another server is served.
            tokio::select! {
                _ = call => assert_eq!(fault, None, "it ends on a good line alone"),
                listed = async { other.list("").await } => { listed.unwrap(); }
            }
        });
        until("the call is under way", || line.connections() > before.1);
        let begun = now();
        drop((frozen, other));
        until("the threads are gone", || threads() < before.0);
        assert!(begun.elapsed() < Duration::from_secs(2), "{fault:?}: {:?}", begun.elapsed());
    }
}

/// How many of this process's threads are clients of servers.
fn threads() -> usize {
    let names =
        fs::read_dir("/proc/self/task").unwrap().filter_map(|task| fs::read(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with(b"sftp\n")).count()
}
