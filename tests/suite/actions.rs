//! What an operator asks for, beside a running daemon and without one.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use crate::file::CsvFile;
use crate::world::{Ran, Running, World, now, until};

const STOP: Duration = Duration::from_secs(10);

fn act(world: &World, args: &[&str]) -> Ran {
    world.nightdrop(&[args, &["--config", "nightdrop.toml"]].concat())
}

fn shown(world: &World, file: &str) -> Value {
    serde_json::from_slice(&act(world, &["show", file, "--json"]).expect(0).stdout).unwrap()
}

/// The actions in the audit trail, by word.
fn trail(world: &World) -> Vec<Value> {
    let rows = act(world, &["audit", "list", "--json"]).expect(0).text();
    act(world, &["audit", "verify"]).expect(0);
    let rows = rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap());
    rows.filter(|row| row["event"] == "action").collect()
}

/// Two files with the same records under different keys; the second is refused.
fn duplicate_content(world: &World) -> (CsvFile, CsvFile) {
    let first = CsvFile::good("FIRST", 1, 5);
    let second = CsvFile { batch: "SECOND".into(), ..first.clone() };
    world.drop_sealed(&first);
    world.once().expect(0);
    world.drop_sealed(&second);
    world.once().expect(3);
    world.out().refused(&second.stem(), "DUPLICATE_CONTENT");
    (first, second)
}

#[test]
fn content_that_came_before_is_released_by_force_alone() {
    for daemon in [false, true] {
        let world = World::new();
        let (_, second) = duplicate_content(&world);
        let stem = second.stem();
        let mut running = daemon.then(|| world.daemon());
        let refused = act(&world, &["retry", &stem, "--reason", "asked the sender"]).expect(2);
        assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
        assert!(trail(&world).is_empty(), "what is not done is not told as done");
        act(&world, &["retry", &stem, "--reason", "asked the sender", "--force"]).expect(0);
        if let Some(running) = &mut running {
            world.wait_for(running, &format!("{stem}.summary.json"));
        }
        let ack = world.out().accepted(&stem);
        assert_eq!(ack["batch_id"], "SECOND");
        assert_eq!(world.out().recon(&stem).trailer, [5, 0, 5, 0, 0, 0], "nothing is registered twice");
        until("DONE", || shown(&world, &stem)["state"] == "DONE");
        let file = shown(&world, &stem);
        assert_eq!((&file["decision"], &file["code"]), (&"ACCEPTED".into(), &Value::Null));
        assert!(world.kept_in("quarantine").is_empty(), "its copy lies in the archive now");
        assert_eq!(world.kept_in("archive").len(), 2);
        let told = trail(&world);
        assert_eq!(told.len(), 1, "{told:?}");
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(told[0]["actor"], format!("uid {uid}"));
        assert_eq!(
            (&told[0]["detail"]["action"], &told[0]["detail"]["reason"]),
            (&"retry".into(), &"asked the sender".into())
        );
        if let Some(running) = running {
            running.terminate(STOP).expect(0);
        }
        let again = act(&world, &["retry", &stem, "--reason", "x"]).expect(2);
        assert!(again.stderr.contains("redeliver"), "{}", again.stderr);
    }
}

#[test]
fn a_refused_file_is_decided_again_once_what_refused_it_is_mended() {
    let world = World::shaped(|_| {});
    let right = fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    world.write("nightdrop.toml", right.replace("\"keys/feed.jwk\", ", ""));
    let file = CsvFile::good("KEY", 1, 3);
    let stem = world.drop_sealed(&file);
    world.drop_bytes("OTHER_NAME.csv.jwe", world.sealed(&CsvFile::good("NAME", 2, 2).text()));
    world.once().expect(3);
    world.out().refused(&stem, "KEY_UNKNOWN");
    world.out().refused("OTHER_NAME", "FEED_UNKNOWN");
    // Nothing changed: it is refused again, by the same number.
    let id = shown(&world, &stem)["id"].clone();
    act(&world, &["retry", &stem, "--reason", "try"]).expect(0);
    world.out().refused(&stem, "KEY_UNKNOWN");
    assert_eq!(world.kept_in("quarantine").len(), 2);

    world.write("nightdrop.toml", right.replace("\"ACME_PAYCARDS_*\"", "\"*_*\""));
    let daemon = world.daemon();
    for name in [&stem, "OTHER_NAME"] {
        act(&world, &["retry", name, "--reason", "the key is there now"]).expect(0);
        until("accepted", || shown(&world, name)["state"] == "DONE" && shown(&world, name)["decision"] == "ACCEPTED");
    }
    let file = shown(&world, &stem);
    assert_eq!((&file["id"], &file["outcomes"]["REGISTERED"]), (&id, &3.into()));
    assert!(world.kept_in("quarantine").is_empty());
    daemon.terminate(STOP).expect(0);
}

#[test]
fn what_is_not_kept_cannot_be_taken_again() {
    let world = World::shaped(|shape| shape.limits = "file_bytes = \"4KiB\"");
    let cvv = CsvFile::good("CVV", 1, 1).with(|file| file.columns = format!("{},cvv", file.columns));
    world.drop_sealed(&cvv);
    world.drop_bytes("ACME_PAYCARDS_LARGE.csv.jwe", vec![b'e'; 8 << 10]);
    world.drop_bytes("ACME_PAYCARDS_PLAIN.csv.jwe", "not sealed");
    world.once().expect(3);
    for name in [&cvv.stem(), "ACME_PAYCARDS_LARGE", "ACME_PAYCARDS_PLAIN"] {
        let said = act(&world, &["retry", name, "--reason", "please"]).expect(2).stderr;
        assert!(said.contains("sent again"), "{name}: {said}");
        assert_eq!(shown(&world, name)["decision"], "REFUSED");
    }
    for (args, why) in [
        (["retry", "ACME_PAYCARDS_LARGE", "--reason", " "], "a reason is needed"),
        (["retry", "ACME_PAYCARDS_LARGE", "--reason", "card 2303770003322342"], "card number"),
        (["retry", "NOBODY", "--reason", "please"], "no file is called NOBODY"),
    ] {
        let said = act(&world, &args).expect(2).stderr;
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_held_file_goes_on_from_where_it_was_held() {
    let world = World::shaped(|shape| shape.reply = false);
    let stem = world.drop_sealed(&CsvFile::good("HELD", 1, 20_000));
    let mut daemon = world.daemon();
    world.wait_for(&mut daemon, &format!("{stem}.ack.json"));
    daemon.kill();
    // Its copy is another one for a while: the file is held.
    let copy = world.at("work/00000001");
    let bytes = fs::read(&copy).unwrap();
    fs::write(&copy, [&bytes[..], b"x"].concat()).unwrap();
    world.once().expect(3);
    let held = shown(&world, &stem);
    assert_eq!(held["state"], "HELD");
    assert!(held["held_why"].as_str().unwrap().contains("copy"), "{held}");
    fs::remove_file(&copy).unwrap();
    let gone = act(&world, &["retry", &stem, "--reason", "none"]).expect(2);
    assert!(gone.stderr.contains("work directory"), "{}", gone.stderr);
    fs::write(&copy, &bytes).unwrap();
    act(&world, &["retry", &stem, "--reason", "the copy is back"]).expect(0);
    assert_eq!(world.out().recon(&stem).trailer, [20_000, 20_000, 0, 0, 0, 0]);
    assert_eq!(shown(&world, &stem)["state"], "DONE");
}

#[test]
fn answers_go_out_again() {
    let world = World::shaped(|shape| shape.reply = false);
    let good = world.drop_sealed(&CsvFile::good("GOOD", 1, 4));
    world.drop_bytes("ACME_PAYCARDS_BAD.csv.jwe", "not sealed");
    world.once().expect(3);
    let recon = world.out().content(&format!("{good}.recon.csv"));
    for daemon in [false, true] {
        for name in world.out().names() {
            fs::remove_file(world.out().at(&name)).unwrap();
        }
        let running = daemon.then(|| world.daemon());
        act(&world, &["redeliver", &good]).expect(0);
        act(&world, &["redeliver", "ACME_PAYCARDS_BAD"]).expect(0);
        until("the answers", || world.out().has(&format!("{good}.summary.json")));
        assert_eq!(world.out().content(&format!("{good}.recon.csv")), recon);
        world.out().accepted(&good);
        world.out().refused("ACME_PAYCARDS_BAD", "ENVELOPE_REFUSED");
        if let Some(running) = running {
            running.terminate(STOP).expect(0);
        }
    }
    assert_eq!(trail(&world).iter().filter(|row| row["detail"]["action"] == "redeliver").count(), 4);
}

#[test]
fn the_next_sequence_is_set() {
    let world = World::shaped(|shape| shape.feed = "sequence = \"gapless\"\nsequence_wait = \"1h\"");
    let numbered = |n: u64| CsvFile::good(&format!("N{n}"), n, 2).with(|file| file.sequence = n.to_string());
    world.drop_sealed(&numbered(1));
    world.once().expect(0);
    let mut daemon = world.daemon();
    let early = world.drop_sealed(&numbered(5));
    until("waiting", || act(&world, &["files", "--state", "WAITING"]).text().contains("N5"));
    let unknown = act(&world, &["sequence", "set", "acme-cards", "5", "--reason", "x"]).expect(2);
    assert!(unknown.stderr.contains("acme-payment-cards"), "{}", unknown.stderr);
    act(&world, &["sequence", "set", "acme-payment-cards", "5", "--reason", "2 to 4 were never made"]).expect(0);
    world.wait_for(&mut daemon, &format!("{early}.summary.json"));
    assert_eq!(world.out().accepted(&early)["next_sequence"], 6);
    daemon.terminate(STOP).expect(0);
    // Back, without a daemon: the same number may come again under another batch.
    act(&world, &["sequence", "set", "acme-payment-cards", "2", "--reason", "made after all"]).expect(0);
    let second = world.drop_sealed(&numbered(2));
    world.once().expect(0);
    world.out().accepted(&second);
}

#[test]
fn a_backup_opens_and_a_file_lost_since_gets_the_same_ids() {
    let world = World::shaped(|shape| shape.reply = false);
    world.drop_sealed(&CsvFile::good("BEFORE", 1, 300));
    world.once().expect(0);
    let mut daemon = world.daemon();
    let big = CsvFile::good("BIG", 2, 30_000);
    let stem = world.drop_sealed(&big);
    world.wait_for(&mut daemon, &format!("{stem}.ack.json"));
    // In the midst of commits, several times: each is whole.
    for n in 0..5 {
        let name = format!("copy-{n}.db");
        act(&world, &["backup", "--to", &name]).expect(0);
        assert_eq!(fs::metadata(world.at(&name)).unwrap().permissions().mode() & 0o007, 0);
        world.sql_of(&name, "SELECT CASE WHEN (SELECT integrity_check FROM pragma_integrity_check) = 'ok' THEN 1 ELSE abs(-9223372036854775807 - 1) END");
        // Chunks and cards are of one moment.
        world.sql_of(&name, "SELECT CASE WHEN (SELECT count(*) FROM payment_card) = (SELECT sum(registered) FROM file) THEN 1 ELSE abs(-9223372036854775807 - 1) END");
    }
    let taken = act(&world, &["backup", "--to", "copy-0.db"]).expect(2);
    assert!(taken.stderr.contains("exists"), "{}", taken.stderr);
    let nowhere = act(&world, &["backup", "--to", "no/such/place.db"]).expect(1);
    assert!(nowhere.stderr.contains("no/such"), "{}", nowhere.stderr);
    world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    daemon.terminate(STOP).expect(0);
    let recon = world.out().recon(&stem);

    // The store is lost; the backup takes its place, and the sender sends the file again.
    let restored = world.copied(|_| {});
    for name in ["nightdrop.db", "nightdrop.db-wal", "nightdrop.db-shm"] {
        fs::remove_file(restored.at(name)).ok();
    }
    fs::copy(restored.at("copy-0.db"), restored.at("nightdrop.db")).unwrap();
    act(&restored, &["status"]).expect(0);
    let files = act(&restored, &["files", "--json"]).expect(0);
    if !files.text().contains("BIG") || shown(&restored, &stem)["state"] == "CLAIMED" {
        restored.drop_sealed(&big);
    }
    restored.once();
    crate::world::expect_same("recon", &recon.content, &restored.out().recon(&stem).content);
}

#[test]
fn the_socket_is_for_its_group_and_is_replaced_when_it_is_stale() {
    let world = World::new();
    let daemon = world.daemon();
    let socket = world.at("nightdrop.sock");
    let found = fs::symlink_metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o660);
    // A batch run beside it finds the store taken.
    world.once().expect(5);
    daemon.kill();
    assert!(socket.exists(), "a killed daemon leaves it");
    let stem = world.drop_sealed(&CsvFile::good("A", 1, 1));
    world.once().expect(0);
    act(&world, &["redeliver", &stem]).expect(0);
    let daemon = world.daemon();
    act(&world, &["redeliver", &stem]).expect(0);
    daemon.terminate(STOP).expect(0);
    assert!(!socket.exists(), "a clean stop takes it away");

    fs::write(&socket, "a file of somebody's").unwrap();
    let refused = world.nightdrop(&["run", "--config", "nightdrop.toml"]).expect(1);
    assert!(refused.stderr.contains("[daemon] socket"), "{}", refused.stderr);
    assert_eq!(fs::read(&socket).unwrap(), b"a file of somebody's");
}

#[test]
fn nonsense_at_the_socket_is_answered_told_and_harms_nobody() {
    let world = World::new();
    let mut daemon = world.daemon();
    let ask = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(world.at("nightdrop.sock")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // One that is cut off early may not take it all.
        stream.write_all(bytes).ok();
        stream.shutdown(std::net::Shutdown::Write).ok();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok();
        answer
    };
    assert!(ask(b"hello\n").contains("not_allowed"));
    assert!(
        ask(b"{\"version\":9,\"action\":{\"redeliver\":{\"file\":{\"words\":\"1\",\"issuer\":null}}}}\n")
            .contains("version 1")
    );
    assert!(ask(&vec![b'x'; 1 << 20]).contains("not_allowed") || daemon.alive());
    ask(b"");
    // One that says nothing holds up nobody else.
    let silent: Vec<UnixStream> = (0..8).map(|_| UnixStream::connect(world.at("nightdrop.sock")).unwrap()).collect();
    let stem = world.drop_sealed(&CsvFile::good("A", 1, 1));
    world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    act(&world, &["redeliver", &stem]).expect(0);
    drop(silent);
    let rows = act(&world, &["audit", "list", "--json"]).expect(0).text();
    assert!(rows.contains("access_failed"), "{rows}");
    daemon.terminate(STOP).expect(0);
}

#[test]
fn actions_answer_while_a_big_file_is_registered() {
    let world = World::new();
    let small = world.drop_sealed(&CsvFile::good("SMALL", 1, 50));
    let mut daemon = world.daemon();
    world.wait_for(&mut daemon, &format!("{small}.summary.json"));
    until("DONE", || shown(&world, &small)["state"] == "DONE");
    let big = world.drop_sealed(&CsvFile::good("BIG", 2, 60_000));
    world.wait_for(&mut daemon, &format!("{big}.ack.json"));
    let open = act(&world, &["redeliver", &big]).expect(2);
    assert!(open.stderr.contains("still to come"), "{}", open.stderr);
    let busy = act(&world, &["retry", &big, "--reason", "x"]).expect(2);
    assert!(busy.stderr.contains("worked on"), "{}", busy.stderr);
    for args in [&["redeliver", &small][..], &["backup", "--to", "copy.db"]] {
        let begun = now();
        act(&world, args).expect(0);
        // A second is the promise; a debug build on a busy machine is given more.
        assert!((now() - begun).as_secs() < 5, "{args:?} took {:?}", now() - begun);
    }
    assert!(!world.out().has(&format!("{big}.summary.json")), "done before it was asked: the file is too small");
    daemon.terminate(STOP).expect(0);
}

#[test]
fn a_kill_in_the_midst_of_a_retry_loses_nothing() {
    let first = World::shaped(|shape| shape.reply = false);
    let (_, second) = duplicate_content(&first);
    let stem = second.stem();
    for kill in 0..12_u64 {
        let world = first.copied(|_| {});
        let args = ["retry", &stem, "--reason", "kill", "--force", "--config", "nightdrop.toml"];
        let running: Running = world.start_command(&args);
        crate::world::pause(Duration::from_millis(kill * 9));
        running.kill();
        // Whatever was done: it is refused still, with its copy, or goes on to its end.
        world.once();
        let file = shown(&world, &stem);
        assert_eq!(file["state"], "DONE", "{file}");
        if file["decision"] == "REFUSED" {
            act(&world, &["retry", &stem, "--reason", "again", "--force"]).expect(0);
        }
        assert_eq!(world.out().recon(&stem).trailer, [5, 0, 5, 0, 0, 0]);
        act(&world, &["audit", "verify"]).expect(0);
    }
}
