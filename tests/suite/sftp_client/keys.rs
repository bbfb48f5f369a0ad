//! Host keys are strict, our own are of any usual kind.

use std::fs;

use nightdrop::model::Retry;
use nightdrop::sftp::{Error, HostKey};
use zeroize::Zeroizing;

use super::{client, options, run, through};
use crate::world::faulty::Faulty;
use crate::world::sshd::Sshd;

const KINDS: [&str; 3] = ["ed25519", "ecdsa", "rsa"];

#[test]
fn any_pinned_key_of_a_server_with_several_will_do() {
    let sshd = Sshd::shaped(|shape| shape.host_keys = KINDS.to_vec());
    for kind in KINDS {
        let fingerprint: HostKey = sshd.fingerprint(&format!("host-{kind}")).parse().unwrap();
        let mut options = options(&sshd);
        options.host_keys = vec![fingerprint];
        run(client(options).list("")).unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

#[test]
fn a_server_with_another_key_hears_nothing_and_is_taken_again_when_it_is_right() {
    let mut sshd = Sshd::shaped(|shape| shape.host_keys = vec!["ed25519", "rsa"]);
    let line = Faulty::to(sshd.port);
    let pinned = options(&sshd);
    fs::rename(sshd.path("host-ed25519"), sshd.path("kept")).unwrap();
    fs::copy(sshd.path("host-ed25519.pub"), sshd.path("kept.pub")).unwrap();
    sshd.restart(|sshd| sshd.keygen("host-ed25519", "ed25519"));
    let client = client(nightdrop::sftp::Options { host_keys: pinned.host_keys, ..through(&sshd, line.port) });

    let error = run(client.list("")).unwrap_err();
    let shown = sshd.fingerprint("host-ed25519");
    assert!(matches!(&error, Error::HostKeyChanged { found, .. } if found.to_string() == shown), "{error}");
    assert_eq!((error.state(), error.retry()), ("host key changed", Retry::Later));
    assert_eq!(line.connections(), 3, "one for each family of keys, and one to see that there are no more");
    let log = sshd.log();
    assert!(log.contains("kex: algorithm:"), "the log tells of the exchange: {log}");
    assert!(!log.contains("userauth-request") && !log.contains(&Sshd::user()), "and of nothing after it: {log}");

    sshd.restart(|sshd| {
        fs::rename(sshd.path("kept"), sshd.path("host-ed25519")).unwrap();
        fs::rename(sshd.path("kept.pub"), sshd.path("host-ed25519.pub")).unwrap();
    });
    run(client.list("")).unwrap();
}

#[test]
fn keys_of_every_usual_kind_are_taken_as_openssh_and_as_pem() {
    let sshd = Sshd::new();
    for (kind, pem) in [("ed25519", false), ("ecdsa", false), ("rsa", false), ("rsa", true), ("ecdsa", true)] {
        sshd.keygen("mine", kind);
        if pem {
            sshd.as_pem("mine");
        }
        fs::copy(sshd.path("mine.pub"), sshd.path("authorized")).unwrap();
        let mut options = options(&sshd);
        options.private_key = Zeroizing::new(fs::read(sshd.path("mine")).unwrap());
        run(client(options).list("")).unwrap_or_else(|error| panic!("{kind}, pem {pem}: {error}"));
    }
}

#[test]
fn a_key_that_the_server_does_not_know_is_told_from_one_that_cannot_be_read() {
    let sshd = Sshd::new();
    sshd.keygen("mine", "ed25519");
    let mut unknown = options(&sshd);
    unknown.private_key = Zeroizing::new(fs::read(sshd.path("mine")).unwrap());
    let error = run(client(unknown).list("")).unwrap_err();
    assert!(matches!(&error, Error::Auth { user, .. } if *user == Sshd::user()), "{error:?}");

    sshd.protect("mine", "secret");
    let protected = fs::read(sshd.path("mine")).unwrap();
    for key in [&b""[..], b"nonsense", b"\xff\xfe", b"a\0b", &protected, &sshd.user_key()[..120]] {
        let mut unreadable = options(&sshd);
        unreadable.private_key = Zeroizing::new(key.to_vec());
        let error = run(client(unreadable).list("")).unwrap_err();
        assert!(matches!(error, Error::KeyUnreadable), "{:?}: {error:?}", String::from_utf8_lossy(key));
        assert_eq!(error.retry(), Retry::Never);
    }
}
