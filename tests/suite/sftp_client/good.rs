//! What a good server over a good line gives.

use std::fs;

use nightdrop::sftp::{Error, Kind, Uploaded};

use super::{client, content, download, names, options, ours, run, sha256, upload};
use crate::world::sshd::Sshd;

#[test]
fn a_directory_is_listed_and_a_path_looked_at() {
    let sshd = Sshd::new();
    let files = sshd.files();
    fs::write(files.join("a.csv"), "four").unwrap();
    fs::create_dir(files.join("sub")).unwrap();
    std::os::unix::fs::symlink("a.csv", files.join("link")).unwrap();
    fs::write(files.join("line\nend"), "").unwrap();
    let client = client(options(&sshd));

    let mut listed = run(client.list("")).unwrap();
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    let seen: Vec<_> = listed.iter().map(|entry| (entry.name.as_slice(), entry.kind)).collect();
    assert_eq!(
        seen,
        [(&b"a.csv"[..], Kind::File), (b"line\nend", Kind::File), (b"link", Kind::Link), (b"sub", Kind::Directory)]
    );
    let entry = run(client.stat("a.csv")).unwrap().unwrap();
    assert_eq!((&entry, entry.size), (&listed[0], 4));
    assert!(entry.mtime > 1_700_000_000);
    assert_eq!(run(client.stat("link")).unwrap().unwrap().kind, Kind::Link);
    assert_eq!(run(client.stat("nothing")).unwrap(), None);
    assert_eq!(run(client.list("sub")).unwrap(), []);
    assert!(matches!(run(client.list("nowhere")), Err(Error::Missing { path }) if path == "nowhere"));
}

#[test]
fn files_come_and_go_whole() {
    let sshd = Sshd::new();
    let client = client(options(&sshd));
    for length in [0, 1, 30_000, 131_072, 5_000_003] {
        let bytes = content(length);
        fs::write(sshd.files().join("there"), &bytes).unwrap();
        assert!(download(&client, "there", length).unwrap() == bytes, "{length} bytes come");
        assert_eq!(upload(&client, "", &format!("sent-{length}"), &bytes).unwrap(), Uploaded::Sent);
        assert!(fs::read(sshd.files().join(format!("sent-{length}"))).unwrap() == bytes, "{length} bytes go");
    }
    assert_eq!(names(&sshd.files()), ["sent-0", "sent-1", "sent-131072", "sent-30000", "sent-5000003", "there"]);
    run(client.rename("there", "sent-0")).expect_err("a taken name stays");
    run(client.rename("there", "here")).unwrap();
    run(client.remove("here")).unwrap();
    assert!(matches!(run(client.remove("here")), Err(Error::Missing { .. })));
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 1, "all of it over one connection");
}

#[test]
fn keys_are_exchanged_anew_in_the_middle_of_a_transfer() {
    let sshd = Sshd::shaped(|shape| shape.lines.push("RekeyLimit 200K".to_owned()));
    let client = client(options(&sshd));
    let bytes = content(3_000_000);
    assert_eq!(upload(&client, "", "file", &bytes).unwrap(), Uploaded::Sent);
    assert!(download(&client, "file", bytes.len()).unwrap() == bytes);
    assert!(sshd.log().matches("rekey").count() > 5, "it did");
}

#[test]
fn a_file_of_another_length_is_not_taken() {
    let sshd = Sshd::new();
    let client = client(options(&sshd));
    let bytes = content(400_000);
    fs::write(sshd.files().join("file"), &bytes).unwrap();
    for announced in [0, 1, 300_000, 399_999, 400_001, 900_000] {
        let found = download(&client, "file", announced);
        assert!(matches!(found, Err(Error::Changed { .. })), "{announced}: {found:?}");
    }
    assert!(download(&client, "file", bytes.len()).unwrap() == bytes, "the connection is still good");
}

#[test]
fn a_delivered_file_is_not_sent_again_and_another_takes_its_place() {
    let sshd = Sshd::new();
    let client = client(options(&sshd));
    let (one, other) = (content(100_000), content(99_999));
    fs::create_dir(sshd.files().join("in")).unwrap();
    assert_eq!(upload(&client, "in", "name", &one).unwrap(), Uploaded::Sent);
    assert_eq!(upload(&client, "in", "name", &one).unwrap(), Uploaded::AlreadyThere);
    assert_eq!(upload(&client, "in/", "name", &other).unwrap(), Uploaded::Sent);
    let mut same_size = other.clone();
    same_size[7] ^= 1;
    assert_eq!(upload(&client, "in", "name", &same_size).unwrap(), Uploaded::Sent);
    assert!(fs::read(sshd.files().join("in/name")).unwrap() == same_size);
    assert_eq!(names(&sshd.files().join("in")), ["name"]);
}

#[test]
fn a_file_of_ours_that_is_not_the_announced_one_leaves_nothing_there() {
    let sshd = Sshd::new();
    let client = client(options(&sshd));
    let bytes = content(50_000);
    for (size, hash) in [(50_000, [0; 32]), (49_999, sha256(&bytes[..49_999])), (50_001, sha256(&bytes))] {
        let sent = run(client.upload(ours(&bytes), "", "name", size, hash));
        assert!(matches!(sent, Err(Error::Source { .. })), "{size}: {sent:?}");
        assert_eq!(names(&sshd.files()), [""; 0]);
    }
}

#[test]
fn names_that_lead_elsewhere_are_not_sent() {
    let sshd = Sshd::new();
    let client = client(options(&sshd));
    for name in ["", ".", "..", "a/b", "a\0", "a\nb", &"n".repeat(250)] {
        let sent = upload(&client, "", name, b"x");
        assert!(matches!(sent, Err(Error::Name { .. })), "{name:?}: {sent:?}");
    }
    assert!(matches!(run(client.remove("a\0b")), Err(Error::Name { .. })));
    assert_eq!(names(&sshd.files()), [""; 0]);
}

#[test]
fn a_probe_leaves_nothing_behind() {
    let sshd = Sshd::new();
    let client = client(options(&sshd));
    // What an earlier probe left half-way is in nobody's way.
    fs::write(sshd.files().join(".nightdrop-probe"), "old").unwrap();
    fs::write(sshd.files().join("..nightdrop-probe.part"), "old").unwrap();
    run(client.probe_write("")).unwrap();
    assert_eq!(names(&sshd.files()), [""; 0]);
    assert!(matches!(run(client.probe_write("nowhere")), Err(Error::Missing { .. })));
}
