//! The units of `systemd/`, looked at by systemd's own tools: they are understood whole, they expose next to nothing,
//! and their user and directories can be made. The tools look into a directory that stands for a machine with nightdrop
//! installed, since this one has neither its binary nor its user.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::file::CsvFile;
use crate::world::{Running, World, until};

const UNITS: [&str; 3] = ["nightdrop.service", "nightdrop-once.service", "nightdrop-once.timer"];
const SERVICES: [&str; 2] = ["nightdrop.service", "nightdrop-once.service"];

/// The most that `systemd-analyze security` may find, of 10.
const EXPOSURE_MAX: f64 = 0.9;

/// Every unit of the machine that ours wait for without naming it.
const TARGETS: [&str; 3] = ["sysinit.target", "basic.target", "shutdown.target"];

fn ours(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(path)
}

fn unit(name: &str) -> String {
    fs::read_to_string(ours(name)).unwrap()
}

/// What a unit sets a key to, in order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// A directory that stands for a machine with nightdrop installed.
fn machine() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let place = |path: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    for name in UNITS {
        fs::copy(ours(name), place(&format!("etc/systemd/system/{name}"))).unwrap();
    }
    for target in TARGETS {
        fs::write(place(&format!("usr/lib/systemd/system/{target}")), "[Unit]\nDescription=a target\n").unwrap();
    }
    for kind in ["sysusers.d", "tmpfiles.d"] {
        fs::copy(ours(kind).join("nightdrop.conf"), place(&format!("usr/lib/{kind}/nightdrop.conf"))).unwrap();
    }
    // Only whether they can be executed is looked at.
    for program in ["usr/bin/nightdrop", "bin/kill"] {
        fs::write(place(program), "").unwrap();
        fs::set_permissions(root.path().join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    root
}

fn run(program: &str, args: &[&str], root: &Path) -> Output {
    let root = format!("--root={}", root.display());
    Command::new(program).args(args).arg(root).stdin(Stdio::null()).output().unwrap_or_else(|problem| {
        panic!("{program}: {problem}; scripts/packages test installs it");
    })
}

/// What `systemd-analyze verify` complains about.
fn complaints(root: &Path) -> String {
    let ran = run("systemd-analyze", &[&["verify"][..], &UNITS].concat(), root);
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success() || !said.is_empty(), "it failed and said nothing");
    said
}

#[test]
fn the_units_are_understood_whole() {
    let machine = machine();
    assert_eq!(complaints(machine.path()), "");
    // It would say so if they were not: a key it does not know, a program that is not there.
    let place = machine.path().join("etc/systemd/system/nightdrop.service");
    fs::write(&place, unit("nightdrop.service").replace("WatchdogSec", "WatchdogSek")).unwrap();
    assert!(complaints(machine.path()).contains("WatchdogSek"));
    fs::write(&place, unit("nightdrop.service").replace("/usr/bin/nightdrop", "/usr/bin/lightdrop")).unwrap();
    assert!(complaints(machine.path()).contains("lightdrop"));
}

/// The overall exposure that `systemd-analyze security` finds in a unit file.
fn exposure(unit: &Path) -> f64 {
    let ran = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(unit)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|problem| panic!("systemd-analyze: {problem}; scripts/packages test installs it"));
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let line = said.lines().find_map(|line| line.split_once("Overall exposure level for ")).map(|(_, rest)| rest);
    let level = line.and_then(|rest| rest.split_once(": ")?.1.split(' ').next()?.parse().ok());
    level.unwrap_or_else(|| panic!("no overall exposure in: {said}{}", String::from_utf8_lossy(&ran.stderr)))
}

#[test]
fn the_services_expose_next_to_nothing() {
    for name in SERVICES {
        let found = exposure(&ours(name));
        assert!(found <= EXPOSURE_MAX, "{name}: {found}, at most {EXPOSURE_MAX}");
    }
    // It is the unit's doing: without its largest protection it is over the limit, bare far over.
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("nightdrop.service");
    let text = unit("nightdrop.service");
    fs::write(&place, text.replace("\nSystemCallFilter=", "\n#")).unwrap();
    assert!(exposure(&place) > EXPOSURE_MAX);
    fs::write(&place, "[Service]\nExecStart=/usr/bin/nightdrop run --config /etc/nightdrop/nightdrop.toml\n").unwrap();
    assert!(exposure(&place) > 9.0);
}

#[test]
fn a_site_with_servers_gives_back_the_network_and_nothing_else() {
    let drop_in = unit("sftp.conf");
    let (_, service) = drop_in.split_once("[Service]\n").unwrap();
    let set: Vec<&str> = service.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(set, ["PrivateNetwork=no", "RestrictAddressFamilies=AF_INET AF_INET6", "IPAddressDeny="]);
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("nightdrop.service");
    let (before, install) = {
        let text = unit("nightdrop.service");
        let at = text.find("\n[Install]").unwrap();
        (text[..at].to_owned(), text[at..].to_owned())
    };
    // systemd 252 counts the network for 1.0; what is left of the rest is the unit's 0.4 without it.
    fs::write(&place, format!("{before}\n{service}{install}")).unwrap();
    let found = exposure(&place);
    assert!(found <= 1.2, "{found}");
}

#[test]
fn both_services_are_confined_alike() {
    let confinement = |name: &str| -> Vec<String> {
        let text = unit(name);
        let from = text.find("\nNoNewPrivileges=").unwrap();
        let to = text.find("\n[Install]").unwrap_or(text.len());
        text[from..to].lines().filter(|line| line.contains('=') && !line.starts_with('#')).map(str::to_owned).collect()
    };
    let daemon = confinement("nightdrop.service");
    assert!(daemon.len() > 25, "{daemon:?}");
    assert_eq!(daemon, confinement("nightdrop-once.service"));
}

#[test]
fn what_the_units_promise_is_what_the_program_keeps() {
    let (daemon, once) = (unit("nightdrop.service"), unit("nightdrop-once.service"));
    for (key, value) in [
        ("Type", "notify"),
        ("User", "nightdrop"),
        ("LoadCredential", "nightdrop-kek"),
        ("StateDirectory", "nightdrop"),
        ("RuntimeDirectory", "nightdrop"),
        ("RestartPreventExitStatus", "2"),
        ("ExecStart", "/usr/bin/nightdrop run --config /etc/nightdrop/nightdrop.toml"),
    ] {
        assert_eq!(values(&daemon, key), [value], "{key}");
    }
    assert_eq!(values(&once, "SuccessExitStatus"), ["3 4"]);
    // A wrong configuration ends with 2, as the unit believes; and each command of the units is one.
    let world = World::new();
    world.write("wrong.toml", "[daemon]\nno_such_key = 1\n");
    for text in [&daemon, &once] {
        let start = values(text, "ExecStart")[0];
        let command = start.split(' ').nth(1).unwrap();
        world.nightdrop(&[command, "--config", "wrong.toml"]).expect(2);
    }
}

#[test]
fn the_key_comes_as_a_credential() {
    let world = World::shaped(|shape| shape.env = &[("CREDENTIALS_DIRECTORY", "credentials")]);
    fs::create_dir(world.at("credentials")).unwrap();
    fs::rename(world.at("keys/kek.key"), world.at("credentials/nightdrop-kek")).unwrap();
    let from_file = r#"{ file = "keys/kek.key" }"#;
    let text = fs::read_to_string(world.at("nightdrop.toml")).unwrap();
    assert!(text.contains(from_file));
    world.write("nightdrop.toml", text.replace(from_file, r#"{ credential = "nightdrop-kek" }"#));
    let stem = world.drop_sealed(&CsvFile::good("CREDENTIAL", 330, 5));
    world.once().expect(0);
    assert_eq!(world.out().recon(&stem).trailer[0], 5);
}

/// How often the watchdog was fed so far.
fn fed(daemon: &Running) -> usize {
    daemon.notified().lines().filter(|line| *line == "WATCHDOG=1").count()
}

#[test]
fn the_watchdog_is_fed_by_an_idle_daemon_and_while_the_store_is_away() {
    let world = World::shaped(|shape| shape.env = &[("WATCHDOG_USEC", "400000")]);
    let mut daemon = world.daemon();
    until("WATCHDOG=1 from an idle daemon", || fed(&daemon) > 2);

    let held = Held::new(&world.at("nightdrop.db"));
    let stem = world.drop_sealed(&CsvFile::good("FED", 331, 5));
    until("the daemon says that the store is away", || daemon.stderr().contains("world_failed"));
    // Not what was fed on the way into the round that now waits, but what comes while it waits.
    let before = fed(&daemon);
    until("WATCHDOG=1 while the store is away", || fed(&daemon) > before);
    drop(held);
    world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
}

/// Another process that keeps the database's write lock until it is dropped.
struct Held(Child);

impl Held {
    fn new(database: &Path) -> Self {
        let script = "import sqlite3, sys\n\
                      store = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                      store.execute('BEGIN IMMEDIATE')\n\
                      print('held', flush=True)\n\
                      sys.stdin.read()";
        let mut child = Command::new("python3")
            .args(["-c", script])
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 5];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(said, *b"held\n");
        Self(child)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}

#[test]
fn the_user_and_the_directories_can_be_made() {
    let machine = machine();
    let made = run("systemd-sysusers", &["nightdrop.conf"], machine.path());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let users = fs::read_to_string(machine.path().join("etc/passwd")).unwrap();
    let user: Vec<&str> = users.lines().find(|line| line.starts_with("nightdrop:")).unwrap().split(':').collect();
    assert_eq!((user[5], user[6]), ("/var/lib/nightdrop", "/usr/sbin/nologin"));
    if !rustix::process::geteuid().is_root() {
        // Root alone may give a directory away; the lines are then looked at by nobody.
        return;
    }
    let made = run("systemd-tmpfiles", &["--create", "nightdrop.conf"], machine.path());
    assert!(made.status.success() && made.stderr.is_empty(), "{}", String::from_utf8_lossy(&made.stderr));
    let (uid, gid): (u32, u32) = (user[2].parse().unwrap(), user[3].parse().unwrap());
    for (path, mode, owner, group) in [
        ("etc/nightdrop", 0o750, 0, gid),
        ("etc/nightdrop/keys", 0o750, 0, gid),
        ("etc/credstore", 0o700, 0, 0),
        ("srv/nightdrop/inbound", 0o751, uid, gid),
    ] {
        let found = fs::metadata(machine.path().join(path)).unwrap();
        assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (mode, owner, group), "{path}");
    }
}
