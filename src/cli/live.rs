//! `nightdrop config check --live`: what a start would meet, tried for real. Logs in to partners' servers, lists and writes there,
//! opens the store, opens a test file with each key, writes and renames in each directory. What it writes it removes.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::config::{self, Config, Surroundings};
use crate::ledger::sqlite;
use crate::model::{EnvelopeKind, Limits, SystemClock};
use crate::open::{self, Keyring, PayloadSealer, PrivateKey, Recipient, Sealer};
use crate::sftp::{Client, Options};

/// What files that are written for a try are called: hidden, and temporary by their names.
const PROBE: &str = ".nightdrop-probe.tmp";
const RENAMED: &str = ".nightdrop-probe.2.tmp";

/// What a test file says.
const TEXT: &[u8] = b"nightdrop opens this with its own key\n";

/// One thing that was tried.
#[derive(Serialize)]
pub(super) struct Tried {
    what: String,
    ok: bool,
    /// What came of it, or why nothing did.
    said: String,
}

impl Tried {
    fn of(what: impl Into<String>, came: Result<String, String>) -> Self {
        let ok = came.is_ok();
        Self { what: what.into(), ok, said: came.unwrap_or_else(|why| why) }
    }

    /// Whether it went as it should.
    pub(super) const fn ok(&self) -> bool {
        self.ok
    }

    /// As a line.
    pub(super) fn line(&self) -> String {
        format!("{}: {}", self.what, self.said)
    }
}

/// Tries everything, one after another.
pub(super) fn all(config: &Config, surroundings: &Surroundings) -> anyhow::Result<Vec<Tried>> {
    let mut tried = directories(config);
    tried.extend(keys(config, surroundings));
    let runtime = super::runtime()?;
    tried.push(runtime.block_on(store(config)));
    for source in &config.sources {
        tried.push(runtime.block_on(async {
            let came = server(source, surroundings).await;
            Tried::of(format!("sftp {}", source.name), came)
        }));
    }
    Ok(tried)
}

fn directories(config: &Config) -> Vec<Tried> {
    let daemon = &config.daemon;
    let own = [("work", &daemon.work), ("archive", &daemon.archive), ("quarantine", &daemon.quarantine)];
    let mut places: Vec<(String, &Path)> = own.map(|(name, path)| (format!("daemon.{name}"), path.as_path())).into();
    for issuer in &config.issuers {
        places.push((format!("issuer {}: inbound", issuer.id), &issuer.inbound));
        places.push((format!("issuer {}: outbound", issuer.id), &issuer.outbound));
    }
    let place = |(what, path): (String, &Path)| {
        // Made here it would be whose who asks, and not the daemon's.
        if !path.exists() {
            return Tried::of(what, Ok(format!("{}: is made at the start", path.display())));
        }
        let came = match write_and_rename(path) {
            Ok(()) => Ok(format!("{}: writes and renames", path.display())),
            Err(error) => Err(format!("{}: {error}", path.display())),
        };
        Tried::of(what, came)
    };
    places.into_iter().map(place).collect()
}

fn write_and_rename(directory: &Path) -> io::Result<()> {
    let (probe, renamed) = (directory.join(PROBE), directory.join(RENAMED));
    let tried = (|| {
        let mut file = File::create(&probe)?;
        file.write_all(TEXT)?;
        file.sync_all()?;
        fs::rename(&probe, &renamed)
    })();
    for left in [&probe, &renamed] {
        match fs::remove_file(left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return tried.and(Err(error)),
            _ => {}
        }
    }
    tried
}

fn keys(config: &Config, surroundings: &Surroundings) -> Vec<Tried> {
    let mut tried = Vec::new();
    for feed in &config.feeds {
        for (at, source) in feed.keys.iter().enumerate() {
            let opened = source
                .read(surroundings)
                .map_err(|error| error.to_string())
                .and_then(|bytes| opens_its_own(feed, &bytes).map_err(|error| error.to_string()));
            let came = opened.map(|name| format!("{source}: opens a test file, as {name}"));
            tried.push(Tried::of(
                format!("feed {}: keys[{at}]", feed.name),
                came.map_err(|why| format!("{source}: {why}")),
            ));
        }
    }
    tried
}

/// Seals a text for the key's public half, in each way that the feed takes and the key can open, and opens it; what acks would
/// call the key.
fn opens_its_own(feed: &config::Feed, bytes: &[u8]) -> anyhow::Result<String> {
    let key = PrivateKey::parse(bytes)?;
    let name = key.kid().unwrap_or(key.fingerprint()).to_owned();
    let recipient = Recipient::parse(key.to_public_jwk().as_bytes())?;
    let payload = key.is_rsa() && feed.envelopes.contains(&EnvelopeKind::Mastercard);
    let keyring = Keyring::new(vec![key])?;
    let mut sealer = Sealer::new(&recipient, unnamed()?)?;
    sealer.write_all(TEXT)?;
    opens(sealer.finish()?, EnvelopeKind::Jwe, feed, &keyring)?;
    if payload {
        let mut sealer = PayloadSealer::new(&recipient, feed.oaep_hash, unnamed()?)?;
        sealer.write_all(TEXT)?;
        opens(sealer.finish()?, EnvelopeKind::Mastercard, feed, &keyring)?;
    }
    Ok(if payload { format!("{name}, as jwe and mastercard") } else { name })
}

fn opens(sealed: File, envelope: EnvelopeKind, feed: &config::Feed, keyring: &Keyring) -> anyhow::Result<()> {
    let options = open::Options {
        accepted: vec![envelope],
        allow_plaintext: false,
        oaep_hash: feed.oaep_hash,
        line_bytes_max: Limits::default().request_bytes_max,
    };
    let opened = open::open(sealed, &options, keyring)?;
    let mut plaintext = opened.plaintext()?;
    let (mut text, mut buffer) = (Vec::new(), [0; 256]);
    loop {
        match plaintext.read(&mut buffer)? {
            0 => break,
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
    anyhow::ensure!(text == TEXT, "what was opened is not what was sealed");
    Ok(())
}

/// A file in memory that has no name anywhere.
fn unnamed() -> io::Result<File> {
    Ok(File::from(rustix::fs::memfd_create("nightdrop-probe", rustix::fs::MemfdFlags::CLOEXEC)?))
}

async fn store(config: &Config) -> Tried {
    let path = &config.store.path;
    let came = if path.exists() {
        let opened = sqlite::open_read_only(path).await;
        opened.map(|_| format!("{}: opens", path.display())).map_err(|error| error.to_string())
    } else {
        Ok(format!("{}: is made at the first start", path.display()))
    };
    Tried::of("store", came)
}

async fn server(source: &config::Source, surroundings: &Surroundings) -> Result<String, String> {
    let key = source.private_key.read(surroundings).map_err(|error| format!("private_key: {error}"))?;
    let options = Options::new(&source.host, source.port, &source.user, key, source.host_keys.clone());
    let client = Client::start(options, Arc::new(SystemClock)).map_err(|error| chain(&error))?;
    let mut said = vec![format!("{}:{}: logs in", source.host, source.port)];
    if let Some(inbound) = &source.inbound {
        let entries = client.list(inbound).await.map_err(|error| chain(&error))?.len();
        said.push(format!("lists {inbound} ({entries} entries)"));
    }
    if let Some(outbound) = &source.outbound {
        client.probe_write(outbound).await.map_err(|error| chain(&error))?;
        said.push(format!("writes and renames in {outbound}"));
    }
    Ok(said.join(", "))
}

fn chain(error: &crate::sftp::Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
