//! A daemon's world in a directory of its own, with small verbs: make it, drop a file, run, read what came out.

pub(crate) mod faulty;
mod keys;
mod process;
mod shape;
pub(crate) mod sshd;
pub(crate) mod trace;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::file::CsvFile;
use crate::outbound::Outbound;
use crate::seal;

pub(crate) use process::{PATIENCE, Ran, Running, long, now, pause, throughout, until};
pub(crate) use shape::{Shape, kind};

/// See the module.
pub(crate) struct World {
    dir: TempDir,
    shape: Shape,
    runs: Cell<u32>,
    said: RefCell<Vec<String>>,
    /// Where the binary ends itself, if it has crash points.
    fault: RefCell<Option<String>>,
}

impl World {
    /// A world of the usual shape.
    pub(crate) fn new() -> Self {
        Self::shaped(|_| {})
    }

    /// A world of a shape with something changed.
    pub(crate) fn shaped(change: impl FnOnce(&mut Shape)) -> Self {
        let mut shape = Shape::default();
        change(&mut shape);
        let dir = tempfile::Builder::new().prefix("nightdrop-").tempdir().unwrap();
        for name in ["said", "reference", "inbound", "outbound"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        keys::lay_out(&dir.path().join("keys"));
        let world = Self { dir, shape, runs: Cell::new(0), said: RefCell::default(), fault: RefCell::default() };
        for issuer in &world.shape.issuers {
            fs::create_dir_all(world.inbound_of(issuer)).unwrap();
            fs::create_dir_all(world.outbound_of(issuer)).unwrap();
        }
        world.write("reference/account_ranges.csv", world.shape.account_ranges());
        world.write("reference/card_products.csv", world.shape.card_products());
        world.write("nightdrop.toml", world.shape.toml());
        world
    }

    /// Another world that begins as this one stands now: files, database, keys. `change` gives it another configuration.
    pub(crate) fn copied(&self, change: impl FnOnce(&mut Shape)) -> Self {
        let dir = tempfile::Builder::new().prefix("nightdrop-").tempdir().unwrap();
        copy_tree(self.path(), dir.path());
        let mut shape = self.shape.clone();
        change(&mut shape);
        let world =
            Self { dir, shape, runs: Cell::new(self.runs.get()), said: RefCell::default(), fault: RefCell::default() };
        world.write("nightdrop.toml", world.shape.toml());
        world
    }

    /// The directory that everything lies in.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    /// Every regular file under one of its directories but the daemon's own marks; none where the directory was never
    /// made.
    pub(crate) fn kept_in(&self, place: &str) -> Vec<PathBuf> {
        let mut kept = if self.at(place).exists() { files_under(&self.at(place)) } else { Vec::new() };
        let own = |name: &str| name == ".last-words" || (name.starts_with('.') && name.ends_with(".hand"));
        kept.retain(|path| !own(&path.file_name().unwrap().to_string_lossy()));
        kept
    }

    /// Writes a file of the world itself; inbound files are dropped instead.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::write(self.at(path), content).unwrap();
    }

    /// The inbound directory of the first issuer.
    pub(crate) fn inbound(&self) -> PathBuf {
        self.inbound_of(self.shape.issuers[0])
    }

    /// The inbound directory of an issuer: the daemon's own where there is one issuer only.
    pub(crate) fn inbound_of(&self, issuer: &str) -> PathBuf {
        self.place("inbound", issuer)
    }

    fn outbound_of(&self, issuer: &str) -> PathBuf {
        self.place("outbound", issuer)
    }

    fn place(&self, kind: &str, issuer: &str) -> PathBuf {
        if self.shape.issuers.len() == 1 { self.at(kind) } else { self.at(kind).join(issuer) }
    }

    /// Names lying in the first issuer's inbound directory, sorted.
    pub(crate) fn waiting(&self) -> Vec<String> {
        names_in(&self.inbound())
    }

    /// Seals a file for the feed, by josekit, and drops it under its own name; gives the stem.
    pub(crate) fn drop_sealed(&self, file: &CsvFile) -> String {
        self.drop_bytes(&file.name(), self.sealed(&file.text()));
        file.stem()
    }

    /// A text sealed for the feed, by josekit.
    pub(crate) fn sealed(&self, text: &str) -> String {
        seal::josekit("RSA-OAEP-256", "A256GCM", Some("feed-1"), &self.public_key("feed"), text.as_bytes())
    }

    /// The same of bytes that need not be a text.
    pub(crate) fn sealed_bytes(&self, bytes: &[u8]) -> String {
        seal::josekit("RSA-OAEP-256", "A256GCM", Some("feed-1"), &self.public_key("feed"), bytes)
    }

    /// A public key of the world, as JSON.
    pub(crate) fn public_key(&self, name: &str) -> String {
        fs::read_to_string(self.at(&format!("keys/{name}.pub.jwk"))).unwrap()
    }

    /// Drops bytes for the first issuer, whole from the first moment on.
    pub(crate) fn drop_bytes(&self, name: &str, bytes: impl AsRef<[u8]>) {
        drop_into(&self.inbound(), name, bytes);
    }

    /// What came out for the first issuer.
    pub(crate) fn out(&self) -> Outbound<'_> {
        self.out_of(self.shape.issuers[0])
    }

    /// What came out for an issuer.
    pub(crate) fn out_of(&self, issuer: &str) -> Outbound<'_> {
        Outbound::new(self, self.outbound_of(issuer))
    }

    /// Whether recon and errors are sealed for the issuers.
    pub(crate) fn replies_are_sealed(&self) -> bool {
        self.shape.reply
    }

    /// Runs `nightdrop` with these arguments, in this world's directory, to its end.
    pub(crate) fn nightdrop(&self, args: &[&str]) -> Ran {
        self.start(args, None).wait()
    }

    /// Runs a statement on the store, as somebody with another program would.
    pub(crate) fn sql(&self, statement: &str) {
        self.sql_of("nightdrop.db", statement);
    }

    /// Fails if a register holds anything else than what came to it and did not leave it; gives back how many rows all of
    /// them hold.
    #[allow(dead_code, reason = "one of the two suites does without")]
    pub(crate) fn registers_balance(&self) -> i64 {
        const SCRIPT: &str = r#"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10)
held = """
SELECT file.issuer AS issuer, 'payment-cards' AS service, count(*) AS held FROM payment_card JOIN file ON file.no = payment_card.file GROUP BY 1
UNION ALL SELECT pan_list.issuer, 'pan-lists', count(*) FROM pan_list_member JOIN pan_list ON pan_list.no = list GROUP BY 1
UNION ALL SELECT issuer, 'cards', count(*) FROM card GROUP BY 1
UNION ALL SELECT issuer, 'card-contracts', count(*) FROM card_contract GROUP BY 1
UNION ALL SELECT enrolled_consumer.issuer, 'click-to-pay', count(*) FROM enrolment JOIN enrolled_consumer ON enrolled_consumer.no = consumer GROUP BY 1
"""
moved = "SELECT issuer, service, sum(added - removed) AS moved FROM movement GROUP BY 1, 2"
bad = db.execute(f"SELECT * FROM ({moved}) LEFT JOIN ({held}) USING (issuer, service) WHERE moved <> coalesce(held, 0)").fetchall()
unmoved = db.execute(f"SELECT * FROM ({held}) LEFT JOIN ({moved}) USING (issuer, service) WHERE moved IS NULL").fetchall()
assert not bad and not unmoved, (bad, unmoved)
indexed = "SELECT issuer, fingerprint, pan_id FROM fingerprint_young UNION ALL SELECT issuer, fingerprint, pan_id FROM fingerprint_old"
cards = "SELECT issuer, fingerprint, pan_id FROM vault_card"
assert sorted(db.execute(indexed)) == sorted(db.execute(cards)), "every PAN has one fingerprint in the index"
print(sum(row[2] for row in db.execute(held)))
"#;
        let mut python = Command::new("python3");
        python.args(["-c", SCRIPT, "nightdrop.db"]).current_dir(self.path());
        Running::start(python, self.at("said/registers"), None).wait().expect(0).text().trim().parse().unwrap()
    }

    /// The same on another database of this world.
    pub(crate) fn sql_of(&self, database: &str, statement: &str) {
        const SCRIPT: &str = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], timeout=10); \
                              db.execute(sys.argv[2]).fetchall(); db.commit(); db.close()";
        let mut python = Command::new("python3");
        python.args(["-c", SCRIPT, database, statement]).current_dir(self.path());
        Running::start(python, self.at("said/sql"), None).wait().expect(0);
    }

    /// From now on the binary ends itself there; only one with the feature `faults` does.
    #[allow(dead_code, reason = "one of the two suites plans none")]
    pub(crate) fn plan(&self, fault: Option<&str>) {
        *self.fault.borrow_mut() = fault.map(str::to_owned);
    }

    /// `nightdrop` with these arguments, just started.
    pub(crate) fn start_command(&self, args: &[&str]) -> Running {
        self.start(args, None)
    }

    /// `nightdrop once` to its end.
    pub(crate) fn once(&self) -> Ran {
        self.nightdrop(&["once", "--config", "nightdrop.toml"])
    }

    /// `nightdrop run`, ready.
    pub(crate) fn daemon(&self) -> Running {
        self.daemon_unready().ready()
    }

    /// `nightdrop run`, just started.
    pub(crate) fn daemon_unready(&self) -> Running {
        let path = self.at(&format!("notify-{}.sock", self.runs.get()));
        let socket = UnixDatagram::bind(&path).unwrap();
        self.start(&["run", "--config", "nightdrop.toml"], Some((path, socket)))
    }

    /// Waits until a daemon has written an outbound file of the first issuer.
    pub(crate) fn wait_for(&self, daemon: &mut Running, name: &str) {
        self.wait_for_of(self.shape.issuers[0], daemon, name);
    }

    /// The same of an issuer.
    pub(crate) fn wait_for_of(&self, issuer: &str, daemon: &mut Running, name: &str) {
        until(name, || {
            assert!(daemon.alive(), "the daemon ended while {name} was awaited; stderr: {}", daemon.stderr());
            self.out_of(issuer).has(name)
        });
    }

    fn start(&self, args: &[&str], notify: Option<(PathBuf, UnixDatagram)>) -> Running {
        let run = self.runs.get();
        self.runs.set(run + 1);
        self.said.borrow_mut().push(format!("nightdrop {}", args.join(" ")));
        let said = self.at(&format!("said/{run:04}"));
        let binary = env!("CARGO_BIN_EXE_nightdrop");
        let trace = (self.shape.traced || process::tracing()).then(|| said.with_extension("strace"));
        let mut command = trace.as_ref().map_or_else(|| Command::new(binary), |log| trace::traced(binary, log));
        command.args(args).current_dir(self.path()).env_clear().env("NIGHTDROP_LOG", self.shape.log);
        command.envs(self.shape.env.iter().copied());
        command.envs(self.fault.borrow().iter().map(|plan| ("NIGHTDROP_FAULT", plan)));
        let socket = notify.map(|(path, socket)| {
            command.env("NOTIFY_SOCKET", path);
            socket
        });
        let running = Running::start(command, said, socket);
        match trace {
            Some(log) => running.traced_into(log),
            None => running,
        }
    }

    /// The system calls of all traced runs.
    pub(crate) fn calls(&self) -> BTreeSet<String> {
        let logs =
            files_under(&self.at("said")).into_iter().filter(|path| path.extension().is_some_and(|it| it == "strace"));
        logs.flat_map(|log| trace::calls(&fs::read_to_string(log).unwrap())).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.dir.disable_cleanup(true);
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let said = self.said.borrow();
        let last: Vec<_> = said.iter().rev().take(5).rev().map(String::as_str).collect();
        eprintln!(
            "\nThe world is kept: {}\n  there: {}\n  whole test: cargo test --test suite -- --exact --nocapture {test}\n",
            self.path().display(),
            last.join("; "),
        );
    }
}

/// Drops bytes into a directory, whole from the first moment on: a dot-name, then a rename.
pub(crate) fn drop_into(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let hidden = dir.join(format!(".{name}.coming"));
    fs::write(&hidden, bytes).unwrap();
    fs::rename(hidden, dir.join(name)).unwrap();
}

/// Names in a directory, sorted.
pub(crate) fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Every regular file under a directory; one that a running daemon takes away meanwhile is none.
pub(crate) fn files_under(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in names_in(dir) {
        let path = dir.join(name);
        let Ok(kind) = fs::symlink_metadata(&path).map(|found| found.file_type()) else { continue };
        if kind.is_dir() {
            found.extend(files_under(&path));
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found
}

fn copy_tree(from: &Path, to: &Path) {
    for name in names_in(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        let kind = fs::symlink_metadata(&from).unwrap().file_type();
        if kind.is_dir() {
            fs::create_dir(&to).unwrap();
            copy_tree(&from, &to);
        } else if kind.is_file() {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// Fails with the first difference of two texts that must be the same.
pub(crate) fn expect_same(what: &str, left: &[u8], right: &[u8]) {
    if left == right {
        return;
    }
    let (left, right) = (String::from_utf8_lossy(left), String::from_utf8_lossy(right));
    let differs = left.lines().zip(right.lines()).enumerate().find(|(_, (one, other))| one != other);
    match differs {
        Some((at, (one, other))) => panic!("{what}: line {} differs\n  - {one}\n  + {other}", at + 1),
        None => panic!("{what}: {} lines against {}", left.lines().count(), right.lines().count()),
    }
}
