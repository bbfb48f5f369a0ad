//! The audit trail: it tells of everything, whatever is done to it is found and named, and nothing goes on without it.

use std::fs;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::file::CsvFile;
use crate::world::{PATIENCE, Ran, World, throughout, until};

const CONFIG: [&str; 2] = ["--config", "nightdrop.toml"];

fn verify(world: &World, more: &[&str]) -> Ran {
    world.nightdrop(&[&["audit", "verify"], &CONFIG[..], more].concat())
}

/// The rows of the trail, as `audit list --json` shows them.
pub(crate) fn rows(world: &World) -> Vec<Value> {
    let listed = world.nightdrop(&[&["audit", "list", "--json"], &CONFIG[..]].concat()).expect(0);
    listed.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn events(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["event"].as_str().unwrap()).collect()
}

/// The trail is whole; gives the number of its rows.
pub(crate) fn expect_unbroken(world: &World) -> u64 {
    let shown: Value = serde_json::from_str(&verify(world, &["--json"]).expect(0).text()).unwrap();
    assert_eq!(shown["ok"], true);
    shown["rows"].as_u64().unwrap()
}

/// Changes the store from another process's place, as somebody with its file could.
fn sql(world: &World, statements: &str) {
    let path = world.at("nightdrop.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}", path.display());
        let mut store = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut store).await.unwrap();
        store.close().await.unwrap();
    });
}

/// A world whose trail has a night behind it: two starts, and a file of each end.
fn after_a_night() -> World {
    let world = World::new();
    let good = CsvFile::good("GOOD", 601, 3);
    world.drop_sealed(&good);
    world.once().expect(0);
    world.drop_bytes("ACME_PAYCARDS_AGAIN.csv.jwe", world.sealed(&good.text()));
    world.drop_bytes("ACME_PAYCARDS_BAD.csv.jwe", world.sealed("no header\n"));
    world.drop_sealed(&CsvFile::good("MIXED", 602, 3).with(|file| {
        file.register("bad", "5.23E+15", "EUR");
    }));
    world.once().expect(3);
    world
}

#[test]
fn every_decision_every_key_and_every_start_is_in_the_trail() {
    let world = after_a_night();
    let rows = rows(&world);
    let expected = [
        "key_made",
        "started",
        "configuration",
        "file_claimed",
        "key_used",
        "file_accepted",
        "key_used",
        "key_used",
        "stopped",
        "started",
        "configuration",
    ];
    assert_eq!(&events(&rows)[..expected.len()], expected);
    assert_eq!(events(&rows).last(), Some(&"stopped"));
    assert_eq!(expect_unbroken(&world), rows.len() as u64);

    let of = |name: &str, event: &str| -> Vec<&Value> {
        let name = format!("ACME_PAYCARDS_{name}.csv.jwe");
        rows.iter().filter(|row| row["event"] == event && row["detail"]["name"] == name.as_str()).collect()
    };
    for (name, decision) in
        [("GOOD", "file_accepted"), ("AGAIN", "file_duplicate"), ("BAD", "file_refused"), ("MIXED", "file_accepted")]
    {
        assert_eq!(of(name, "file_claimed").len(), 1, "{name}");
        assert_eq!(of(name, decision).len(), 1, "{name}");
        let opened: Vec<_> = of(name, "key_used").into_iter().filter(|row| row["detail"]["to"] == "open").collect();
        assert_eq!(opened.len(), 1, "{name}");
        assert_eq!(opened[0]["detail"]["key"], "feed-1", "{name}");
    }
    assert_eq!(of("AGAIN", "file_duplicate")[0]["detail"]["first"], "00000001");
    assert_eq!(of("BAD", "file_refused")[0]["detail"]["code"], "HEADER_MISSING");
    assert_eq!(of("MIXED", "file_accepted")[0]["detail"]["records"], 4);
    let used: Vec<_> = of("MIXED", "key_used").iter().map(|row| row["detail"]["to"].as_str().unwrap()).collect();
    assert_eq!(used, ["open", "vault", "answers"], "one row a use, none a record");
    let delivered = |rows: &[&Value]| rows.iter().filter(|row| row["detail"]["to"] == "answers").count();
    assert_eq!(delivered(&of("GOOD", "key_used")), 2, "its answers are sealed again for the file that repeats it");

    let configuration = &rows[2]["detail"];
    let sha256 = crate::file::sha256_hex(&fs::read(world.at("nightdrop.toml")).unwrap());
    assert_eq!(configuration["sha256"], sha256.as_str());
    let ranges = crate::file::sha256_hex(&fs::read(world.at("reference/account_ranges.csv")).unwrap());
    assert_eq!(configuration["account_ranges_sha256"], ranges.as_str());
    assert_eq!(configuration["feeds"][0]["keys"][1]["kid"], "feed-2");
    assert_eq!(configuration["issuers"][0]["reply_key"]["kid"], "reply-1");
    let kek = fs::read_to_string(world.at("keys/kek.key")).unwrap();
    assert!(!format!("{rows:?}").contains(kek.trim()), "a key is told of by its check value alone");

    let of_one = world.nightdrop(&["audit", "list", "--config", "nightdrop.toml", "--file", "ACME_PAYCARDS_BAD"]);
    let text = of_one.expect(0).text();
    let words: Vec<_> = text.lines().map(|line| line.split_whitespace().nth(2).unwrap()).collect();
    assert_eq!(words, ["file_claimed", "key_used", "file_refused"]);
}

#[test]
fn whatever_is_done_to_the_trail_is_named() {
    let world = after_a_night();
    let rows = expect_unbroken(&world);
    let whole = fs::read(world.at("nightdrop.db")).unwrap();
    let set_head = "UPDATE meta SET value = (SELECT seq || ':' || lower(hex(hash)) FROM audit ORDER BY seq DESC LIMIT 1) \
                    WHERE key = 'audit_head';";
    let last = rows;
    let before = last - 1;
    let deeds = [
        ("UPDATE audit SET detail = replace(detail, 'GOOD', 'GOOF') WHERE seq = 6;".to_owned(), "row 6 was changed".into()),
        ("UPDATE audit SET at = at + 1 WHERE seq = 1;".to_owned(), "row 1 was changed".into()),
        ("UPDATE audit SET actor = 'uid 0' WHERE seq = 4;".to_owned(), "row 4 was changed".into()),
        ("UPDATE audit SET file = NULL WHERE seq = 5;".to_owned(), "row 5 was changed".into()),
        ("UPDATE audit SET detail = CAST(x'ff7b7d' AS TEXT) WHERE seq = 7;".to_owned(), "row 7 was changed".into()),
        ("UPDATE audit SET hash = zeroblob(3) WHERE seq = 8;".to_owned(), "row 8 was changed".into()),
        ("DELETE FROM audit WHERE seq = 7;".to_owned(), "row 7 is missing: the trail goes on".into()),
        ("DELETE FROM audit WHERE seq BETWEEN 2 AND 4;".to_owned(), "rows 2 to 4 are missing: the trail goes on".into()),
        (format!("DELETE FROM audit WHERE seq = {last};"), format!("row {last} is missing: the end of the trail was cut")),
        (
            format!("DELETE FROM audit WHERE seq >= {before};"),
            format!("rows {before} to {last} are missing: the end of the trail was cut"),
        ),
        (
            "UPDATE audit SET seq = -6 WHERE seq = 6; UPDATE audit SET seq = 6 WHERE seq = 7; UPDATE audit SET seq = 7 WHERE seq = -6;"
                .to_owned(),
            "row 6 was changed".into(),
        ),
        (
            format!("INSERT INTO audit SELECT {last} + 1, version, at, event, actor, issuer, file, detail, hash FROM audit WHERE seq = 3;"),
            format!("row {} is there, but nightdrop did not write that", last + 1),
        ),
        ("UPDATE meta SET value = 'x' WHERE key = 'audit_head';".to_owned(), "the mark of the last row is gone".into()),
        ("DELETE FROM meta WHERE key = 'audit_head';".to_owned(), "the mark of the last row is gone".into()),
        (
            format!("UPDATE meta SET value = '{last}:{}' WHERE key = 'audit_head';", "0".repeat(64)),
            format!("row {last}, the last, is not the one that was written last"),
        ),
    ];
    for (deed, named) in &deeds {
        fs::write(world.at("nightdrop.db"), &whole).unwrap();
        sql(&world, deed);
        let found = verify(&world, &[]).expect(1).text();
        assert!(found.starts_with(&format!("the audit trail is broken: {named}")), "after {deed}: {found}");
        let shown: Value = serde_json::from_str(&verify(&world, &["--json"]).expect(1).text()).unwrap();
        assert_eq!(shown["ok"], false, "after {deed}: {shown}");
    }

    // A cut stays one after the daemon has gone on.
    fs::write(world.at("nightdrop.db"), &whole).unwrap();
    sql(&world, &format!("DELETE FROM audit WHERE seq = {last};"));
    world.once().expect(0);
    let found = verify(&world, &[]).expect(1).text();
    assert!(found.contains(&format!("row {last} is missing: the trail goes on after a gap")), "{found}");

    // One byte of the file itself.
    let words = b"\"version\":\"0.1.0\"";
    let mut bytes = whole.clone();
    let at = memchr::memmem::find(&bytes, words).unwrap() + words.len() - 2;
    bytes[at] ^= 1;
    fs::write(world.at("nightdrop.db"), &bytes).unwrap();
    let found = verify(&world, &[]).expect(1).text();
    assert!(found.contains("was changed"), "{found}");

    // With a head that fits, the chain alone cannot tell; what was said in the log can.
    // Of the second run, whose last rows are taken away.
    let log = fs::read_to_string(world.at("said/0001.err")).unwrap();
    world.write("kept.log", &log);
    fs::write(world.at("nightdrop.db"), &whole).unwrap();
    let fits = verify(&world, &["--anchors", "kept.log"]).expect(0).text();
    assert!(fits.contains("all fit"), "{fits}");
    sql(&world, &format!("DELETE FROM audit WHERE seq > {}; {set_head}", last - 3));
    expect_unbroken(&world);
    let found = verify(&world, &["--anchors", "kept.log"]).expect(1).text();
    let named = format!("the log has an anchor of row {last}, the trail ends at row {}", last - 3);
    assert!(found.contains(&named), "{found}");
    // Gone on from there, as if nothing had been.
    world.once().expect(0);
    world.once().expect(0);
    assert!(expect_unbroken(&world) > last);
    let found = verify(&world, &["--anchors", "kept.log"]).expect(1).text();
    assert!(found.contains(&format!("the log's anchor of row {last} does not fit")), "{found}");
    let head = fits.lines().find_map(|line| line.strip_prefix("head: ")).unwrap();
    verify(&world, &["--anchor", head]).expect(1);
    world.write("empty.log", "nothing of the kind\n");
    let ran = verify(&world, &["--anchors", "empty.log"]).expect(1);
    assert!(ran.stderr.contains("holds no anchor"), "{}", ran.stderr);
}

#[test]
fn the_trail_is_proven_beside_a_daemon_at_work() {
    let world = World::new();
    let mut daemon = world.daemon();
    let stems: Vec<_> = (0..30).map(|n| world.drop_sealed(&CsvFile::good(&format!("W{n}"), 620 + n, 20))).collect();
    let (mut rows, mut looks) = (0, 0);
    while !stems.iter().all(|stem| world.out().has(&format!("{stem}.summary.json"))) {
        assert!(daemon.alive(), "{}", daemon.stderr());
        let now = expect_unbroken(&world);
        assert!(now >= rows, "{now} rows after {rows}");
        (rows, looks) = (now, looks + 1);
    }
    assert!(looks > 2, "it was looked at while it grew");
    let ran = daemon.terminate(PATIENCE).expect(0);
    world.write("kept.log", &ran.stderr);
    assert!(ran.stderr.matches("audit_anchor").count() >= 2, "one at the start, one at the end");
    verify(&world, &["--anchors", "kept.log"]).expect(0);
}

#[test]
fn nothing_is_taken_in_while_the_trail_cannot_be_written() {
    let world = World::new();
    let mut daemon = world.daemon();
    let before = rows(&world).len();
    sql(&world, "CREATE TRIGGER stuck BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END");
    let file = CsvFile::good("STUCK", 650, 10);
    let stem = world.drop_sealed(&file);
    until("the daemon says so", || daemon.stderr().contains("part=\"audit trail\""));
    throughout(std::time::Duration::from_millis(400), "nothing is taken, and it goes on trying", || {
        world.waiting() == [file.name()] && world.kept_in("work").is_empty() && world.out().names().is_empty()
    });
    let status = |daemon: &crate::world::Running| {
        daemon.notified().lines().rfind(|line| line.starts_with("STATUS=")).unwrap().to_owned()
    };
    assert!(status(&daemon).contains("waiting for the audit trail"), "{}", status(&daemon));
    let asked = |args: &[&str]| world.nightdrop(&[&["status"], &CONFIG[..], args].concat()).expect(0).text();
    assert!(asked(&[]).contains("waiting for the audit trail: "), "{}", asked(&[]));
    let shown: Value = serde_json::from_str(&asked(&["--json"])).unwrap();
    assert_eq!(shown["waited_for"][0]["part"], "audit trail", "{shown}");
    assert!(daemon.alive());
    assert_eq!(daemon.stderr().matches("\"world_failed\"").count(), 1, "said once, not at every try");
    assert_eq!(rows(&world).len(), before);

    // A statement that is made to do nothing, without an error, is no row either.
    sql(&world, "DROP TRIGGER stuck; CREATE TRIGGER stuck BEFORE INSERT ON audit BEGIN SELECT RAISE(IGNORE); END");
    throughout(std::time::Duration::from_millis(400), "nothing is taken", || {
        world.waiting() == [file.name()] && world.out().names().is_empty()
    });

    sql(&world, "DROP TRIGGER stuck");
    world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    assert!(daemon.stderr().contains("world_recovered"));
    until("the status is as before", || !status(&daemon).contains("waiting"));
    assert!(!asked(&[]).contains("waiting for"), "{}", asked(&[]));
    daemon.terminate(PATIENCE).expect(0);
    world.out().accepted(&stem);
    expect_unbroken(&world);
}

#[test]
fn a_file_in_hand_is_not_decided_while_the_trail_cannot_be_written() {
    let world = World::new();
    let mut daemon = world.daemon();
    let decisions = "BEFORE INSERT ON audit WHEN NEW.event IN ('file_accepted', 'file_refused', 'file_duplicate')";
    sql(&world, &format!("CREATE TRIGGER stuck {decisions} BEGIN SELECT RAISE(ABORT, 'no room'); END"));
    let good = CsvFile::good("HALF", 651, 10);
    let stem = world.drop_sealed(&good);
    let bad = "ACME_PAYCARDS_BAD.csv.jwe";
    world.drop_bytes(bad, world.sealed("no header\n"));
    until("the daemon says so", || daemon.stderr().contains("part=\"audit trail\""));
    throughout(std::time::Duration::from_millis(400), "nothing is acknowledged, and both originals stay", || {
        world.out().names().is_empty() && world.waiting().len() == 2
    });
    assert!(!daemon.stderr().contains("file_held"), "no file is to blame");
    sql(&world, "DROP TRIGGER stuck");
    world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    world.wait_for(&mut daemon, "ACME_PAYCARDS_BAD.ack.json");
    daemon.terminate(PATIENCE).expect(0);
    let decided: Vec<_> = events(&rows(&world))
        .into_iter()
        .filter(|event| matches!(*event, "file_accepted" | "file_refused"))
        .map(str::to_owned)
        .collect();
    assert_eq!(decided.len(), 2, "{decided:?}");
    expect_unbroken(&world);
}

#[test]
fn who_is_not_let_in_is_in_the_trail() {
    let world = World::new();
    world.once().expect(0);
    let right = fs::read(world.at("keys/kek.key")).unwrap();
    let replace = |content: Option<&[u8]>| {
        fs::remove_file(world.at("keys/kek.key")).unwrap();
        if let Some(content) = content {
            world.write("keys/kek.key", content);
        }
    };
    replace(Some("ab".repeat(32).as_bytes()));
    world.once().expect(2);
    replace(None);
    world.once().expect(2);
    world.write("keys/kek.key", &right);
    let feed = fs::read(world.at("keys/feed-ec.jwk")).unwrap();
    fs::remove_file(world.at("keys/feed-ec.jwk")).unwrap();
    world.once().expect(2);
    fs::write(world.at("keys/feed-ec.jwk"), &feed).unwrap();

    let mut daemon = world.daemon();
    let before = rows(&world).len();
    world.once().expect(5);
    assert_eq!(rows(&world).len(), before, "without the lock nothing is written");
    fs::remove_file(world.at("keys/feed-ec.jwk")).unwrap();
    daemon.reload("reload_refused");
    fs::write(world.at("keys/feed-ec.jwk"), &feed).unwrap();
    let changed = fs::read_to_string(world.at("nightdrop.toml")).unwrap() + "# changed\n";
    world.write("nightdrop.toml", &changed);
    daemon.reload("reloaded");
    daemon.terminate(PATIENCE).expect(0);

    let rows = rows(&world);
    let tail: Vec<_> = rows.iter().skip_while(|row| row["event"] != "stopped").skip(1).collect();
    let told: Vec<_> = tail.iter().map(|row| row["event"].as_str().unwrap()).collect();
    let expected = [
        "access_failed",
        "access_failed",
        "access_failed",
        "started",
        "configuration",
        "access_failed",
        "reload_refused",
        "configuration",
        "stopped",
    ];
    assert_eq!(told, expected);
    let why = |at: usize| tail[at]["detail"]["why"].to_string();
    assert!(why(0).contains("not the key that this database was made with"), "{}", why(0));
    assert!(why(1).contains("key_encryption_key: No such file"), "{}", why(1));
    assert!(why(2).contains("keys[1]") && why(5).contains("keys[1]"), "{} {}", why(2), why(5));
    assert_eq!(tail[7]["detail"]["sha256"], crate::file::sha256_hex(changed.as_bytes()).as_str());
    assert_eq!(tail[8]["detail"]["why"], "told to stop");
    expect_unbroken(&world);
}
