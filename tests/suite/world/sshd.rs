//! A real OpenSSH server on a free port of the loopback, with keys, directory and configuration of its own.
//!
//! It runs as whoever runs the tests, who is also the user it lets in. `internal-sftp` starts in [`Sshd::files`].

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::process::until;

/// sshd starts itself anew for each connection and takes no other than its full path for that.
const SSHD: &str = "/usr/sbin/sshd";

/// What a server is to be like; the default is the usual.
pub(crate) struct Sshape {
    /// The kinds of its host keys.
    pub(crate) host_keys: Vec<&'static str>,
    /// What runs as the SFTP server, `{files}` standing for its directory.
    pub(crate) subsystem: String,
    /// Further lines of `sshd_config`, `{files}` as above.
    pub(crate) lines: Vec<String>,
    /// Where the directories are made; the system's temporary directory if it does not matter.
    pub(crate) below: Option<PathBuf>,
}

impl Default for Sshape {
    fn default() -> Self {
        Self {
            host_keys: vec!["ed25519"],
            subsystem: "internal-sftp -d {files}".to_owned(),
            lines: vec!["MaxSessions 1".to_owned()],
            below: None,
        }
    }
}

/// See the module.
pub(crate) struct Sshd {
    dir: TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
    shape: Sshape,
}

impl Sshd {
    /// The usual server.
    pub(crate) fn new() -> Self {
        Self::shaped(|_| {})
    }

    /// A server with something changed.
    pub(crate) fn shaped(change: impl FnOnce(&mut Sshape)) -> Self {
        let mut shape = Sshape::default();
        change(&mut shape);
        let mut making = tempfile::Builder::new();
        making.prefix("nightdrop-sshd-");
        let dir = match &shape.below {
            Some(below) => making.tempdir_in(below).unwrap(),
            None => making.tempdir().unwrap(),
        };
        // Below a directory for a changed root all must be passable.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(dir.path().join("files")).unwrap();
        let mut sshd = Self { port: free_port(), dir, child: None, shape };
        sshd.keygen("user", "ed25519");
        fs::copy(sshd.path("user.pub"), sshd.path("authorized")).unwrap();
        for kind in sshd.shape.host_keys.clone() {
            sshd.keygen(&format!("host-{kind}"), kind);
        }
        sshd.start();
        sshd
    }

    /// What the client sees as its directory.
    pub(crate) fn files(&self) -> PathBuf {
        self.path("files")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The text of the private key that is let in.
    pub(crate) fn user_key(&self) -> Vec<u8> {
        fs::read(self.path("user")).unwrap()
    }

    /// Makes a key pair `NAME`, `NAME.pub`.
    pub(crate) fn keygen(&self, name: &str, kind: &str) {
        let _ = fs::remove_file(self.path(name));
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-N", "", "-C", "test", "-t", kind]);
        if kind == "rsa" {
            command.args(["-b", "2048"]);
        }
        told(command.arg("-f").arg(self.path(name)));
    }

    /// Writes a private key anew, as PEM.
    pub(crate) fn as_pem(&self, name: &str) {
        told(Command::new("ssh-keygen").args(["-q", "-p", "-N", "", "-P", "", "-m", "PEM", "-f"]).arg(self.path(name)));
    }

    /// Writes a private key anew, under a passphrase.
    pub(crate) fn protect(&self, name: &str, passphrase: &str) {
        told(Command::new("ssh-keygen").args(["-q", "-p", "-N", passphrase, "-P", "", "-f"]).arg(self.path(name)));
    }

    /// The kinds of its host keys.
    pub(crate) fn host_key_kinds(&self) -> &[&'static str] {
        &self.shape.host_keys
    }

    /// The fingerprint of a public key, as `ssh-keygen -l` prints it.
    pub(crate) fn fingerprint(&self, name: &str) -> String {
        let text = told(Command::new("ssh-keygen").arg("-lf").arg(self.path(&format!("{name}.pub"))));
        text.split_whitespace().nth(1).unwrap().to_owned()
    }

    /// Who is let in.
    pub(crate) fn user() -> String {
        told(Command::new("id").arg("-un")).trim().to_owned()
    }

    /// What the server has said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// The processes that serve its connections.
    pub(crate) fn connections(&self) -> Vec<i32> {
        let mut found = Vec::new();
        let mut parents: Vec<i32> = self.child.iter().map(|child| i32::try_from(child.id()).unwrap()).collect();
        while let Some(parent) = parents.pop() {
            let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
            let children = children.split_whitespace().map(|pid| pid.parse::<i32>().unwrap());
            for child in children {
                found.push(child);
                parents.push(child);
            }
        }
        found
    }

    /// Ends the server, but not the connections it has, and starts it anew on the same port; `change` comes between.
    pub(crate) fn restart(&mut self, change: impl FnOnce(&Self)) {
        self.stop();
        change(self);
        self.start();
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn start(&mut self) {
        // As root sshd insists on this directory, which a service makes at boot.
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        fs::write(self.path("config"), self.config()).unwrap();
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = Command::new(SSHD);
        command.args(["-D", "-e", "-f"]).arg(self.path("config"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.child =
            Some(child.unwrap_or_else(|problem| panic!("{SSHD}: {problem}; scripts/packages test installs it")));
        until(&format!("sshd takes connections: {}", self.log()), || {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "sshd ended: {}", fs::read_to_string(self.dir.path().join("log")).unwrap());
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    fn config(&self) -> String {
        let files = self.files();
        let files = files.to_str().unwrap();
        let dir = self.dir.path().display();
        let mut lines = vec![
            format!("Port {}", self.port),
            "ListenAddress 127.0.0.1".to_owned(),
            format!("AuthorizedKeysFile {dir}/authorized"),
            format!("PidFile {dir}/pid"),
            "StrictModes no".to_owned(),
            "UsePAM no".to_owned(),
            "PasswordAuthentication no".to_owned(),
            "KbdInteractiveAuthentication no".to_owned(),
            "PermitRootLogin prohibit-password".to_owned(),
            "MaxStartups 1000".to_owned(),
            "LogLevel DEBUG1".to_owned(),
            format!("Subsystem sftp {}", self.shape.subsystem.replace("{files}", files)),
        ];
        lines.extend(self.shape.host_keys.iter().map(|kind| format!("HostKey {dir}/host-{kind}")));
        lines.extend(self.shape.lines.iter().map(|line| line.replace("{files}", files)));
        lines.join("\n") + "\n"
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.path("log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("what sshd said last:\n{}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// A port that nobody has at the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn told(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|problem| panic!("{command:?}: {problem}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
