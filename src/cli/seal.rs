//! `nightdrop seal` and `nightdrop unseal`: for partners, to make an inbound file and to open an outbound one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use crate::model::EnvelopeKind;
use crate::open::{self, Keyring, PrivateKey, Recipient, Sealer};

use super::ExitCode;

const BUFFER_BYTES: usize = 256 << 10;

/// Seals a file for a public key.
pub(super) fn seal(file: &Path, to: &Path, out: Option<&Path>) -> anyhow::Result<ExitCode> {
    let key = std::fs::read(to).with_context(|| format!("cannot read the key {}", to.display()))?;
    let recipient = Recipient::parse(&key).with_context(|| format!("{} is no public key to seal for", to.display()))?;
    let mut from = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    write_to(out, |out| {
        let mut sealer = Sealer::new(&recipient, out)?;
        pour(|buffer| Ok(from.read(buffer)?), &mut sealer)?;
        sealer.finish()?;
        Ok(())
    })?;
    Ok(ExitCode::Ok)
}

/// Opens a sealed file. Nothing is written before the whole of it is proven.
pub(super) fn unseal(file: &Path, key: &Path, out: Option<&Path>) -> anyhow::Result<ExitCode> {
    let bytes = Zeroizing::new(std::fs::read(key).with_context(|| format!("cannot read the key {}", key.display()))?);
    let key = PrivateKey::parse(&bytes).with_context(|| format!("{} is no private key to open with", key.display()))?;
    let keyring = Keyring::new(vec![key])?;
    let options = open::Options { accepted: vec![EnvelopeKind::Jwe], allow_plaintext: false };
    let from = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let refused = |error: open::OpenError| match error {
        open::OpenError::Refused(refusal) => {
            eprintln!("nightdrop: {}: {}: {}", file.display(), refusal.code, refusal.description);
            Ok(ExitCode::FileRefused)
        }
        other => Err(anyhow::Error::from(other).context(format!("cannot read {}", file.display()))),
    };
    let opened = match open::open(from, &options, &keyring) {
        Ok(opened) => opened,
        Err(error) => return refused(error),
    };
    let mut proof = match opened.plaintext() {
        Ok(plaintext) => plaintext,
        Err(error) => return refused(error),
    };
    let mut buffer = Zeroizing::new(vec![0_u8; BUFFER_BYTES]);
    loop {
        match proof.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return refused(error),
        }
    }
    write_to(out, |out| {
        let mut plaintext = opened.plaintext()?;
        pour(|buffer| Ok(plaintext.read(buffer)?), out)
    })?;
    Ok(ExitCode::Ok)
}

fn pour(mut from: impl FnMut(&mut [u8]) -> anyhow::Result<usize>, to: &mut dyn Write) -> anyhow::Result<()> {
    let mut buffer = Zeroizing::new(vec![0_u8; BUFFER_BYTES]);
    loop {
        match from(&mut buffer)? {
            0 => return Ok(()),
            count => to.write_all(&buffer[..count])?,
        }
    }
}

/// To stdout, or to a file that appears under its name only when it is whole: it may lie in an inbound directory.
fn write_to(out: Option<&Path>, write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let Some(out) = out else {
        let mut stdout = io::stdout().lock();
        write(&mut stdout)?;
        return Ok(stdout.flush()?);
    };
    let Some(name) = out.file_name() else { bail!("{} names no file", out.display()) };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".tmp");
    let temporary: PathBuf = out.with_file_name(hidden);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o640)
        .open(&temporary)
        .with_context(|| format!("cannot write {}", temporary.display()))
        .and_then(|mut file| {
            write(&mut file)?;
            file.sync_all()?;
            Ok(std::fs::rename(&temporary, out)?)
        });
    if written.is_err() {
        // What stopped the writing is what counts.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}
