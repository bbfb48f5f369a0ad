//! Everything odd that an uploader can lay into an inbound directory, beside a good file: left alone, and said once.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::process::geteuid;

use crate::file::CsvFile;
use crate::world::{World, long, throughout, until};

const SOON: Duration = Duration::from_secs(10);

fn lying_bytes(dir: &Path) -> Vec<Vec<u8>> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().as_bytes().to_vec()).collect();
    names.sort();
    names
}

/// How often the log tells of an odd entry of this kind, under this name as it is escaped there.
fn said(log: &str, name: &str, kind: &str) -> usize {
    let [name, kind] = [format!("name=\"{name}\" "), format!("kind=\"{kind}\"")];
    log.lines().filter(|line| line.contains("odd_entry") && line.contains(&name) && line.contains(&kind)).count()
}

#[test]
fn all_kinds_beside_a_good_file() {
    let world = World::new();
    let inbound = world.inbound();
    let at = |name: &str| inbound.join(format!("ACME_PAYCARDS_{name}.csv.jwe"));
    let secret = CsvFile::good("SECRET", 208, 1);
    world.write("secret.jwe", world.sealed(&secret.text()));
    world.write("marker-target", "");

    symlink(world.at("secret.jwe"), at("LINK")).unwrap();
    symlink("/proc/self/exe", at("MAGIC")).unwrap();
    symlink("nowhere", at("DANGLING")).unwrap();
    symlink(world.at("keys"), at("LINKDIR")).unwrap();
    fs::hard_link(world.at("secret.jwe"), at("TWO")).unwrap();
    fs::create_dir(at("DIR")).unwrap();
    fs::write(at("DIR").join("ACME_PAYCARDS_INSIDE.csv.jwe"), world.sealed(&secret.text())).unwrap();
    mknodat(CWD, at("FIFO"), FileType::Fifo, Mode::from_bits_truncate(0o666), 0).unwrap();
    let _socket = UnixListener::bind(at("SOCKET")).unwrap();
    let mut odd: Vec<(String, &str)> = [
        ("LINK", "Symlink"),
        ("MAGIC", "Symlink"),
        ("DANGLING", "Symlink"),
        ("LINKDIR", "Symlink"),
        ("TWO", "SeveralLinks"),
        ("DIR", "Directory"),
        ("FIFO", "Fifo"),
        ("SOCKET", "Socket"),
    ]
    .map(|(name, kind)| (format!("ACME_PAYCARDS_{name}.csv.jwe"), kind))
    .into();
    if geteuid().is_root() {
        // The device of /dev/zero, which would never end.
        mknodat(CWD, at("DEVICE"), FileType::CharacterDevice, Mode::from_bits_truncate(0o666), makedev(1, 5)).unwrap();
        odd.push(("ACME_PAYCARDS_DEVICE.csv.jwe".into(), "Device"));
    } else {
        // Root reads what nobody may read.
        fs::write(at("DENIED"), "x").unwrap();
        fs::set_permissions(at("DENIED"), Permissions::from_mode(0o000)).unwrap();
        odd.push(("ACME_PAYCARDS_DENIED.csv.jwe".into(), "Unreadable"));
    }
    // Names, as bytes and as the log escapes them.
    let long_name = "L".repeat(201);
    let names: [(&[u8], &str); 9] = [
        (b"ACME_PAYCARDS_A B.csv.jwe", "ACME_PAYCARDS_A B.csv.jwe"),
        (b"ACME_PAYCARDS_A\nlevel=INFO.csv.jwe", r"ACME_PAYCARDS_A\\nlevel=INFO.csv.jwe"),
        (b"ACME_PAYCARDS_\x1b[2J.csv.jwe", r"ACME_PAYCARDS_\\x1b[2J.csv.jwe"),
        (b"ACME_PAYCARDS_\xff\xfe.csv.jwe", r"ACME_PAYCARDS_\\xff\\xfe.csv.jwe"),
        ("ACME_PAYCARDS_ä.csv.jwe".as_bytes(), r"ACME_PAYCARDS_\\xc3\\xa4.csv.jwe"),
        (b"-ACME_PAYCARDS_.csv.jwe", "-ACME_PAYCARDS_.csv.jwe"),
        (b"--config=x", "--config=x"),
        (b"$(reboot)", "$(reboot)"),
        (long_name.as_bytes(), &long_name),
    ];
    for (bytes, shown) in names {
        fs::write(inbound.join(OsStr::from_bytes(bytes)), world.sealed(&secret.text())).unwrap();
        odd.push((shown.to_owned(), "Name"));
    }
    // Markers, and what a removal leaves aside, can be odd too.
    let marked = at("MARKED");
    for (name, kind) in [("done", "Symlink"), ("csv.done", "Fifo"), ("jwe.done", "Directory")] {
        let path = marked.with_extension(name);
        match kind {
            "Symlink" => symlink(world.at("marker-target"), &path).unwrap(),
            "Fifo" => mknodat(CWD, &path, FileType::Fifo, Mode::from_bits_truncate(0o666), 0).unwrap(),
            _ => fs::create_dir(&path).unwrap(),
        }
        odd.push((path.file_name().unwrap().to_str().unwrap().to_owned(), kind));
    }
    let aside = ".ACME_PAYCARDS_ASIDE.csv.jwe.nightdrop-removing";
    symlink(world.at("secret.jwe"), inbound.join(aside)).unwrap();
    odd.push((aside.to_owned(), "Symlink"));

    let before = lying_bytes(&inbound);
    let good = CsvFile::good("ZGOOD", 209, 2);
    let mut daemon = world.daemon();
    world.drop_sealed(&good);
    world.wait_for(&mut daemon, &format!("{}.summary.json", good.stem()));
    throughout(Duration::from_secs(1), "several looks leave them alone", || lying_bytes(&inbound) == before);
    assert!(world.out().names().iter().all(|name| name.starts_with(&good.stem())), "{:?}", world.out().names());
    assert_eq!(world.kept_in("quarantine").len() + world.kept_in("work").len(), 0);
    let ran = daemon.terminate(SOON).expect(0);
    for (name, kind) in &odd {
        assert_eq!(said(&ran.stderr, name, kind), 1, "{name} is said once, as {kind}: {}", ran.stderr);
    }
    assert_eq!(ran.stderr.matches("odd_entry").count(), odd.len(), "{}", ran.stderr);
}

#[test]
fn a_file_of_nothing_but_a_size_is_refused_and_in_nobodys_way() {
    let world = World::new();
    // 8 TiB, and none of it on the disk: more than the limit, and more than there is room for.
    let sparse = world.inbound().join("ACME_PAYCARDS_A-SPARSE.csv.jwe");
    File::create(&sparse).unwrap().set_len(8 << 40).unwrap();
    let good = CsvFile::good("B-GOOD", 213, 2);
    world.drop_sealed(&good);
    let mut daemon = world.daemon();
    world.wait_for(&mut daemon, &format!("{}.summary.json", good.stem()));
    world.wait_for(&mut daemon, "ACME_PAYCARDS_A-SPARSE.ack.json");
    world.out().refused("ACME_PAYCARDS_A-SPARSE", "FILE_TOO_LARGE");
    until("it is taken away", || !sparse.exists());
    daemon.terminate(SOON).expect(0);
}

#[test]
fn thousands_of_odd_entries_fill_no_log_and_stop_no_good_file() {
    let entries = if long() { 1_000_000 } else { 5_000 };
    let world = World::new();
    for n in 0..entries {
        // Half of them by their names, half by what they are.
        if n % 2 == 0 {
            File::create(world.inbound().join(format!("odd entry {n}"))).unwrap();
        } else {
            symlink("/etc/hostname", world.inbound().join(format!("ACME_PAYCARDS_{n}.csv.jwe"))).unwrap();
        }
    }
    let mut daemon = world.daemon();
    let dropped = crate::world::now();
    let good = CsvFile::good("GOOD", 214, 2);
    world.drop_sealed(&good);
    world.wait_for(&mut daemon, &format!("{}.summary.json", good.stem()));
    let took = crate::world::now() - dropped;
    assert!(took < Duration::from_millis(50) + SOON, "the good file took {took:?}");
    throughout(Duration::from_secs(1), "it goes on", || daemon.alive());
    let ran = daemon.terminate(SOON).expect(0);
    eprintln!("{entries} odd entries: the good file took {took:?}, peak memory {} MiB", ran.peak_bytes >> 20);
    assert_eq!(ran.stderr.matches("event=\"odd_entry\"").count(), 50, "by name");
    let rest: Vec<_> = ran.stderr.lines().filter(|line| line.contains("event=\"odd_entries\"")).collect();
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert!(rest[0].contains(&format!("entries={}", entries - 50)), "{rest:?}");
    assert!(ran.peak_bytes < 256 << 20, "{} MiB", ran.peak_bytes >> 20);
}

#[test]
fn somebody_elses_link_in_the_place_of_the_directory_is_not_followed() {
    if !geteuid().is_root() {
        eprintln!("only root can make a link that belongs to somebody else: left to the unit tests of the way");
        return;
    }
    let world = World::new();
    let outside = tempfile::tempdir().unwrap();
    let precious = outside.path().join("ACME_PAYCARDS_KEY.csv.jwe");
    fs::write(&precious, "a key that happens to have such a name").unwrap();
    let mut daemon = world.daemon();
    let away = world.at("inbound.away");
    // One step for whoever sees it: a link under its name, the directory under the other.
    symlink(outside.path(), &away).unwrap();
    lchown(&away, Some(65534), Some(65534)).unwrap();
    rustix::fs::renameat_with(CWD, world.inbound(), CWD, &away, rustix::fs::RenameFlags::EXCHANGE).unwrap();
    until("it says that it does not look there", || daemon.stderr().contains("belongs neither to root nor"));
    throughout(Duration::from_secs(1), "nothing is taken", || precious.exists() && daemon.alive());
    assert_eq!(world.out().names(), [""; 0]);
    rustix::fs::renameat_with(CWD, world.inbound(), CWD, &away, rustix::fs::RenameFlags::EXCHANGE).unwrap();
    let good = CsvFile::good("GOOD", 215, 2);
    world.drop_sealed(&good);
    world.wait_for(&mut daemon, &format!("{}.summary.json", good.stem()));
    daemon.terminate(SOON).expect(0);
    assert!(precious.exists());
}
