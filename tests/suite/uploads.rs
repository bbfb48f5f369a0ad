//! Uploads by real clients, slow and interrupted, into the watched directory and onto a polled server: no half file is taken or
//! refused, and each file is taken once. A handful in `make test`, 500 in `make test-long`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::file::CsvFile;
use crate::seal::python;
use crate::world::sshd::Sshd;
use crate::world::{PATIENCE, World, long, pause, until};

/// Bytes a second of clients that can be slowed down: an upload takes about three seconds.
const RATE: u64 = 120_000;

const RECORDS: u64 = 5_000;

/// How a file is uploaded.
#[derive(Clone, Copy, Debug)]
enum How {
    Put,
    PutWithTimes,
    PutKilledAndResumed,
    LftpTemporary,
    LftpInPlace,
    Rclone,
    Paramiko,
    ParamikoWithPauses,
    ParamikoWithAnOldDate,
}

const ALL: [How; 9] = [
    How::Put,
    How::PutWithTimes,
    How::PutKilledAndResumed,
    How::LftpTemporary,
    How::LftpInPlace,
    How::Rclone,
    How::Paramiko,
    How::ParamikoWithPauses,
    How::ParamikoWithAnOldDate,
];

/// A file on its way: where it lies here, and where it is to lie there.
struct Upload<'a> {
    sshd: &'a Sshd,
    local: PathBuf,
    remote: String,
}

impl Upload<'_> {
    fn key(&self) -> String {
        self.sshd.path("user").display().to_string()
    }

    /// Options by which OpenSSH asks nobody anything.
    fn ssh(&self) -> Vec<String> {
        let options = ["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR"];
        let key = ["-oIdentitiesOnly=yes".to_owned(), "-i".into(), self.key()];
        options.map(str::to_owned).into_iter().chain(key).collect()
    }

    fn sftp(&self, command: &str) -> Command {
        let batch = self.local.with_extension("batch");
        fs::write(&batch, format!("{command} {} {}\n", self.local.display(), self.remote)).unwrap();
        let mut sftp = Command::new("sftp");
        sftp.args(["-q", "-P", &self.sshd.port.to_string(), "-B", "16384", "-l", &(RATE * 8 / 1000).to_string()])
            .args(self.ssh());
        sftp.arg("-b").arg(batch).arg(format!("{}@127.0.0.1", Sshd::user()));
        sftp
    }

    fn lftp(&self, temporary: &str) -> Command {
        let ssh = format!("ssh -a -x {}", self.ssh().join(" "));
        let script = format!(
            "set sftp:connect-program \"{ssh}\"; set xfer:use-temp-file {temporary}; set net:limit-rate 0:{RATE}; \
             set cmd:fail-exit yes; open -u {},none -p {} sftp://127.0.0.1; put {} -o {}; bye",
            Sshd::user(),
            self.sshd.port,
            self.local.display(),
            self.remote
        );
        let mut lftp = Command::new("lftp");
        lftp.args(["-c", &script]).env("HOME", self.local.parent().unwrap());
        lftp
    }

    fn rclone(&self) -> Command {
        let mut rclone = Command::new("rclone");
        rclone.args(["copyto", "--config", "/dev/null", "--retries", "1", "--bwlimit", &format!("{}", RATE)]);
        rclone.args(["--sftp-host", "127.0.0.1", "--sftp-port", &self.sshd.port.to_string()]);
        rclone.args(["--sftp-user", &Sshd::user(), "--sftp-key-file", &self.key(), "--sftp-disable-hashcheck"]);
        rclone.arg(&self.local).arg(format!(":sftp:{}", self.remote));
        rclone
    }

    fn paramiko(&self, pieces: u32, pause: &str, mtime: &str) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/paramiko_put.py");
        let mut put = Command::new(python());
        put.arg(script).args(["127.0.0.1", &self.sshd.port.to_string(), &Sshd::user(), &self.key()]);
        put.arg(&self.local).args([&self.remote, &pieces.to_string(), pause, mtime]);
        put
    }

    fn run(&self, how: How) {
        let told = |mut command: Command| {
            let ran = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
            let said = String::from_utf8_lossy(&ran.stderr).into_owned() + &String::from_utf8_lossy(&ran.stdout);
            assert!(ran.status.success(), "{how:?}: {command:?}: {said}");
        };
        match how {
            How::Put => told(self.sftp("put")),
            How::PutWithTimes => told(self.sftp("put -p")),
            How::PutKilledAndResumed => {
                let mut put = self.sftp("put").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
                let there = self.sshd.files().join(&self.remote);
                let half = fs::metadata(&self.local).unwrap().len() / 3;
                until("a part of it", || fs::metadata(&there).is_ok_and(|it| it.len() > half));
                put.kill().unwrap();
                put.wait().unwrap();
                // Longer than it takes to settle: it looks whole from outside.
                pause(Duration::from_millis(1_500));
                told(self.sftp("reput"));
            }
            How::LftpTemporary => told(self.lftp("yes")),
            How::LftpInPlace => told(self.lftp("no")),
            How::Rclone => told(self.rclone()),
            How::Paramiko => told(self.paramiko(1, "0", "")),
            How::ParamikoWithPauses => told(self.paramiko(12, "0.2", "")),
            How::ParamikoWithAnOldDate => told(self.paramiko(6, "0.1", "1000000000")),
        }
    }
}

/// Uploads by all clients side by side, round after round; `place` is where files go on the server.
fn campaign(world: &World, sshd: &Sshd, place: &Path, rounds: u64) {
    let mut daemon = world.daemon();
    let mut stems = Vec::new();
    for round in 0..rounds {
        thread::scope(|scope| {
            for (n, how) in ALL.into_iter().enumerate() {
                let batch = format!("U{round}-{n}");
                let file = CsvFile::good(&batch, 600 + round * 10 + n as u64, RECORDS);
                let name = format!("ACME_PAYCARDS_{batch}.csv.jwe");
                let local = world.at(&format!("said/{name}"));
                fs::write(&local, world.sealed(&file.text())).unwrap();
                let remote = place.join(&name).display().to_string();
                stems.push(format!("ACME_PAYCARDS_{batch}"));
                scope.spawn(move || Upload { sshd, local, remote }.run(how));
            }
        });
    }
    for stem in &stems {
        world.wait_for(&mut daemon, &format!("{stem}.summary.json"));
    }
    let log = daemon.terminate(PATIENCE).expect(0).stderr;
    for stem in &stems {
        let ack = world.out().accepted(stem);
        assert_eq!(ack["records"], RECORDS, "{stem}");
        assert_eq!(world.out().recon(stem).trailer[1], RECORDS, "{stem}");
    }
    let acks = world.out().names().into_iter().filter(|name| name.ends_with(".ack.json")).count();
    assert_eq!(acks, stems.len(), "one was taken twice, or a half one answered: {log}");
    eprintln!(
        "{} uploads, {} looked at before their end and left to go on: each taken once",
        stems.len(),
        log.matches("file_ended_early").count()
    );
}

/// The uploads of a round are nine; the two campaigns together are 500.
fn rounds() -> u64 {
    if long() { 28 } else { 1 }
}

#[test]
fn into_the_watched_directory_each_is_taken_once_and_none_half() {
    let sshd = Sshd::new();
    let world = World::shaped(|shape| {
        (shape.reply, shape.settle, shape.stalled) = (false, "300ms", "20s");
    });
    campaign(&world, &sshd, &world.inbound(), rounds());
}

#[test]
fn onto_the_polled_server_each_is_taken_once_and_none_half() {
    let sshd = Sshd::new();
    fs::create_dir(sshd.files().join("out")).unwrap();
    let world = World::shaped(|shape| {
        (shape.reply, shape.settle, shape.stalled) = (false, "300ms", "20s");
    });
    world.write("keys/sftp.key", sshd.user_key());
    let table = format!(
        "\n[[sftp]]\nname = \"acme\"\nissuer = \"ACME\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"{}\"\n\
         private_key = \"keys/sftp.key\"\nhost_keys = [\"{}\"]\ninbound = \"out\"\npoll = \"* * * * * *\"\n",
        sshd.port,
        Sshd::user(),
        sshd.fingerprint("host-ed25519")
    );
    world.write("nightdrop.toml", fs::read_to_string(world.at("nightdrop.toml")).unwrap() + &table);
    campaign(&world, &sshd, &sshd.files().join("out"), rounds());
    until("the last removal", || crate::world::names_in(&sshd.files().join("out")).is_empty());
}
