//! A world whose issuer has its files on a real OpenSSH server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::file::CsvFile;
use crate::world::sshd::Sshd;
use crate::world::{Shape, World, until};

/// A world whose issuer has its files on a server, polled every second.
pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) sshd: Sshd,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(Sshd::new(), |_| {}, "")
    }

    pub(crate) fn with(sshd: Sshd, change: impl FnOnce(&mut Shape), more: &str) -> Self {
        let at = sshd.port;
        Self::through(sshd, at, change, more)
    }

    /// The same where the server is reached on another port.
    pub(crate) fn through(sshd: Sshd, port: u16, change: impl FnOnce(&mut Shape), more: &str) -> Self {
        directories(&sshd);
        let world = World::shaped(|shape| {
            shape.reply = false;
            change(shape);
        });
        world.write("keys/sftp.key", sshd.user_key());
        let toml = fs::read_to_string(world.at("nightdrop.toml")).unwrap() + &table(&sshd, "acme", "ACME", port, more);
        world.write("nightdrop.toml", toml);
        Self { world, sshd }
    }

    /// A file on the server, put there in one step.
    pub(crate) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let temporary = self.sshd.files().join(format!("out/.{name}.tmp"));
        fs::write(&temporary, bytes).unwrap();
        fs::rename(temporary, self.sshd.files().join("out").join(name)).unwrap();
    }

    /// A good file of that many records; its name and stem.
    pub(crate) fn put_good(&self, batch: &str, series: u32, records: u64) -> (String, String) {
        let file = CsvFile::good(batch, u64::from(series), records);
        let (name, stem) = (format!("ACME_PAYCARDS_{batch}.csv.jwe"), format!("ACME_PAYCARDS_{batch}"));
        self.put(&name, self.world.sealed(&file.text()));
        (name, stem)
    }

    pub(crate) fn there(&self, dir: &str) -> Vec<String> {
        crate::world::names_in(&self.sshd.files().join(dir))
    }

    pub(crate) fn delivered(&self, name: &str) -> PathBuf {
        self.sshd.files().join("in").join(name)
    }

    /// How the server serves from the next connection on: lines of shell before it, and its options. Those it has are cut off.
    pub(crate) fn serve(&self, before: &str, options: &str) {
        serve(&self.sshd, before, options);
        self.cut_off();
    }

    /// Ends the server's connections.
    pub(crate) fn cut_off(&self) {
        end(&self.sshd.connections());
    }

    /// Ends the server with its connections and starts it anew; `change` comes between.
    pub(crate) fn restart(&mut self, change: impl FnOnce(&Sshd)) {
        let open = self.sshd.connections();
        self.sshd.restart(change);
        end(&open);
    }

    /// What `status` says of a source.
    pub(crate) fn source(&self, name: &str) -> Value {
        let ran = self.world.nightdrop(&["status", "--json", "--config", "nightdrop.toml"]).expect(0);
        let status: Value = serde_json::from_str(&ran.text()).unwrap();
        status["sources"].as_array().unwrap().iter().find(|it| it["source"] == name).unwrap().clone()
    }

    /// Waits until a source is in this state.
    pub(crate) fn until(&self, name: &str, state: &str) {
        until(&format!("{name} is {state:?}"), || self.source(name)["state"] == state);
    }

    /// Every file that the ledger knows: its name and code, in the order of arrival.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let ran = self.world.nightdrop(&["files", "--json", "--config", "nightdrop.toml"]).expect(0);
        let files: Value = serde_json::from_str(&ran.text()).unwrap();
        let files = files.as_array().or_else(|| files["files"].as_array()).unwrap().clone();
        let mut files: Vec<_> = files
            .iter()
            .map(|file| {
                let word = |key: &str| file[key].as_str().unwrap_or_default().to_owned();
                (word("id"), word("name"), word("code"))
            })
            .collect();
        files.sort();
        files.into_iter().map(|(_, name, code)| (name, code)).collect()
    }

    /// Fails unless what lies on the server under a final name is what lies in the outbound directory.
    pub(crate) fn expect_whole(&self) {
        for name in self.there("in").iter().filter(|name| !name.starts_with('.')) {
            let (here, there) = (fs::read(self.world.out().at(name)), fs::read(self.delivered(name)));
            assert!(here.unwrap() == there.unwrap(), "{name} is not whole on the server");
        }
    }

    /// Whether all that lies in the outbound directory has been delivered.
    pub(crate) fn all_is_delivered(&self) -> bool {
        self.world.out().names().iter().all(|name| name.starts_with('.') || self.delivered(name).exists())
    }
}

/// A server that runs the system's `sftp-server`, as nobody where the tests run as root, so that what is not allowed is not.
/// [`Site::serve`] changes how.
pub(crate) fn changing() -> Sshd {
    let sshd = Sshd::shaped(|shape| shape.subsystem = "/bin/sh {files}/../serve -d {files}".to_owned());
    serve(&sshd, "", "");
    sshd
}

fn end(processes: &[i32]) {
    for pid in processes {
        // One may have ended by itself.
        let _ = kill_process(Pid::from_raw(*pid).unwrap(), Signal::KILL);
    }
}

fn serve(sshd: &Sshd, before: &str, options: &str) {
    let user =
        if rustix::process::geteuid().is_root() { "setpriv --reuid=65534 --regid=65534 --clear-groups " } else { "" };
    let text = format!("{before}\nexec {user}/usr/lib/openssh/sftp-server {options} \"$@\"\n");
    fs::write(sshd.path("serve"), text).unwrap();
}

/// Lines of a log about an event of a source in a state.
pub(crate) fn failed(log: &str, source: &str, state: &str) -> usize {
    let (source, state) = (format!("source=\"{source}\""), format!("state=\"{state}\""));
    log.lines().filter(|it| it.contains("source_failed") && it.contains(&source) && it.contains(&state)).count()
}

/// The directories that are exchanged, open to whoever the server serves as.
pub(crate) fn directories(sshd: &Sshd) {
    for name in ["out", "in"] {
        let path = sshd.files().join(name);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    }
}

/// The source's table of the configuration.
pub(crate) fn table(sshd: &Sshd, name: &str, issuer: &str, port: u16, more: &str) -> String {
    let (user, key) = (Sshd::user(), sshd.fingerprint("host-ed25519"));
    format!(
        "\n[[sftp]]\nname = \"{name}\"\nissuer = \"{issuer}\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\n\
         private_key = \"keys/sftp.key\"\nhost_keys = [\"{key}\"]\ninbound = \"out\"\noutbound = \"in\"\n\
         poll = \"* * * * * *\"\n{more}\n"
    )
}
