//! Servers as partners have them: a changed root, read-only directories, full disks, and the library's own version.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::time::Duration;

use nightdrop::sftp::{Error, Options, Uploaded};

use super::{client, content, download, names, options, run, through, upload};
use crate::world::faulty::Faulty;
use crate::world::sshd::Sshd;
use crate::world::{throughout, until};

#[test]
fn a_changed_root_with_the_internal_server_and_one_session_works() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: changing the root takes root");
        return;
    }
    // Every directory down to the new root must be root's and nobody else's to write.
    let sshd = Sshd::shaped(|shape| {
        shape.below = Some("/run".into());
        shape.subsystem = "internal-sftp".to_owned();
        shape.lines.extend(["ChrootDirectory {files}".to_owned(), "ForceCommand internal-sftp".to_owned()]);
    });
    fs::create_dir(sshd.files().join("out")).unwrap();
    fs::create_dir(sshd.files().join("in")).unwrap();
    fs::write(sshd.files().join("out/file"), "there").unwrap();
    let client = client(options(&sshd));
    assert_eq!(run(client.list("/")).unwrap().len(), 2);
    assert_eq!(download(&client, "/out/file", 5).unwrap(), b"there");
    assert_eq!(upload(&client, "/in", "answer", b"whole").unwrap(), Uploaded::Sent);
    assert_eq!(fs::read(sshd.files().join("in/answer")).unwrap(), b"whole");
}

#[test]
fn a_server_that_only_reads_denies_and_is_still_read() {
    let sshd = Sshd::shaped(|shape| shape.subsystem = "internal-sftp -R -d {files}".to_owned());
    fs::write(sshd.files().join("file"), "there").unwrap();
    let client = client(options(&sshd));
    for error in [
        upload(&client, "", "sent", b"x").unwrap_err(),
        run(client.probe_write("")).unwrap_err(),
        run(client.remove("file")).unwrap_err(),
        run(client.rename("file", "other")).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Denied { .. }), "{error:?}");
        assert_eq!(error.state(), "not allowed");
    }
    assert_eq!(download(&client, "file", 5).unwrap(), b"there");
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 1, "over the same connection");
}

#[test]
fn a_full_disk_is_told_and_its_room_given_back() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/world/no_room.sh");
    let sshd = Sshd::shaped(|shape| shape.subsystem = format!("sh {script} {{files}}"));
    let client = client(options(&sshd));
    let (large, small) = (content(500_000), content(1_000));
    let error = upload(&client, "", "large", &large).unwrap_err();
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    assert_eq!(names(&sshd.files()), [""; 0], "nothing of it is left");
    assert_eq!(upload(&client, "", "small", &small).unwrap(), Uploaded::Sent);
}

#[test]
fn a_connection_at_rest_is_used_now_and_then_and_its_end_is_seen() {
    let sshd = Sshd::new();
    let line = Faulty::to(sshd.port);
    let client = client(Options { keepalive: Duration::from_millis(200), ..through(&sshd, line.port) });
    run(client.list("")).unwrap();
    let (connections, passed) = (line.connections(), line.up());
    until("signs of life", || line.up() > passed + 300);
    assert_eq!(line.connections(), connections, "over the same connection");
    run(client.list("")).unwrap();
    drop(client);
    let passed = line.up();
    until("the server sees its end", || sshd.connections().is_empty());
    throughout(Duration::from_millis(500), "quiet", || line.up() <= passed + 100);
}

#[test]
fn the_linked_library_is_above_the_one_with_the_known_hole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let greeting = std::thread::spawn(move || {
        let mut line = String::new();
        BufReader::new(listener.accept().unwrap().0).read_line(&mut line).unwrap();
        line
    });
    let sshd = Sshd::new();
    run(client(through(&sshd, port)).list("")).expect_err("nobody is there");
    let greeting = greeting.join().unwrap();
    let version = greeting.trim().strip_prefix("SSH-2.0-libssh2_").unwrap_or_else(|| panic!("{greeting:?}"));
    let parts: Vec<u32> = version.trim_end_matches("_DEV").split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts > vec![1, 11, 1], "{version}");
}
