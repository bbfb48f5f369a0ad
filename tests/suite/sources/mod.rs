//! Partners' servers, with a real OpenSSH server: files are fetched, processed and answered there.

mod basic;
mod seen;

use std::fs;
use std::path::PathBuf;

use crate::file::CsvFile;
use crate::world::sshd::Sshd;
use crate::world::{Shape, World};

/// A world whose issuer has its files on a server, polled every second.
struct Site {
    world: World,
    sshd: Sshd,
}

impl Site {
    fn new() -> Self {
        Self::with(Sshd::new(), |_| {}, "")
    }

    fn with(sshd: Sshd, change: impl FnOnce(&mut Shape), more: &str) -> Self {
        let at = sshd.port;
        Self::through(sshd, at, change, more)
    }

    /// The same where the server is reached on another port.
    fn through(sshd: Sshd, port: u16, change: impl FnOnce(&mut Shape), more: &str) -> Self {
        for name in ["out", "in"] {
            fs::create_dir_all(sshd.files().join(name)).unwrap();
        }
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
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let temporary = self.sshd.files().join(format!("out/.{name}.tmp"));
        fs::write(&temporary, bytes).unwrap();
        fs::rename(temporary, self.sshd.files().join("out").join(name)).unwrap();
    }

    /// A good file of that many records; its name and stem.
    fn put_good(&self, batch: &str, series: u32, records: u64) -> (String, String) {
        let file = CsvFile::good(batch, u64::from(series), records);
        let (name, stem) = (format!("ACME_PAYCARDS_{batch}.csv.jwe"), format!("ACME_PAYCARDS_{batch}"));
        self.put(&name, self.world.sealed(&file.text()));
        (name, stem)
    }

    fn there(&self, dir: &str) -> Vec<String> {
        crate::world::names_in(&self.sshd.files().join(dir))
    }

    fn delivered(&self, name: &str) -> PathBuf {
        self.sshd.files().join("in").join(name)
    }
}

/// The source's table of the configuration.
fn table(sshd: &Sshd, name: &str, issuer: &str, port: u16, more: &str) -> String {
    let (user, key) = (Sshd::user(), sshd.fingerprint("host-ed25519"));
    format!(
        "\n[[sftp]]\nname = \"{name}\"\nissuer = \"{issuer}\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\n\
         private_key = \"keys/sftp.key\"\nhost_keys = [\"{key}\"]\ninbound = \"out\"\noutbound = \"in\"\n\
         poll = \"* * * * * *\"\n{more}\n"
    )
}
