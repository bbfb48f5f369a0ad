//! `nightdrop seal` and `nightdrop unseal`: for partners, to make an inbound file and to open an outbound one.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use crate::model::{EnvelopeKind, Limits, OaepHash};
use crate::open::{self, Keyring, PayloadSealer, PrivateKey, Recipient, Sealer};

use super::ExitCode;
use super::args::Envelope;

const BUFFER_BYTES: usize = 256 << 10;

/// What seals a file.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub(super) envelope: Envelope,
    pub(super) oaep_hash: OaepHash,
    /// Each line by itself.
    pub(super) lines: bool,
}

/// Seals a file for a public key.
pub(super) fn seal(file: &Path, to: &Path, how: How, out: Option<&Path>) -> anyhow::Result<ExitCode> {
    let key = std::fs::read(to).with_context(|| format!("cannot read the key {}", to.display()))?;
    let recipient = Recipient::parse(&key).with_context(|| format!("{} is no public key to seal for", to.display()))?;
    let mut from = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    write_to(out, |out| {
        if how.lines { seal_lines(from, &recipient, how, out) } else { seal_all(&mut from, &recipient, how, out) }
    })?;
    Ok(ExitCode::Ok)
}

fn seal_all(from: &mut dyn Read, recipient: &Recipient, how: How, out: &mut dyn Write) -> anyhow::Result<()> {
    match how.envelope {
        Envelope::Jwe => {
            let mut sealer = Sealer::new(recipient, out)?;
            pour(|buffer| Ok(from.read(buffer)?), &mut sealer)?;
            sealer.finish()?;
        }
        Envelope::Mastercard => {
            let mut sealer = PayloadSealer::new(recipient, how.oaep_hash, out)?;
            pour(|buffer| Ok(from.read(buffer)?), &mut sealer)?;
            sealer.finish()?;
        }
    }
    Ok(())
}

/// Each line becomes a line; its own end is not sealed with it.
fn seal_lines(from: File, recipient: &Recipient, how: How, out: &mut dyn Write) -> anyhow::Result<()> {
    let longest = Limits::default().request_bytes_max;
    let mut from = BufReader::new(from);
    let mut line = Zeroizing::new(Vec::new());
    for number in 1_u64.. {
        line.clear();
        if (&mut from).take(longest as u64 + 1).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() > longest {
            bail!("line {number} is over {longest} bytes, more than any feed takes");
        }
        let bare = line.strip_suffix(b"\n").unwrap_or(&line);
        let mut bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        if !bare.is_empty() {
            seal_all(&mut bare, recipient, how, out)?;
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Opens a sealed file. Nothing is written before the whole of it is proven.
pub(super) fn unseal(file: &Path, key: &Path, oaep_hash: OaepHash, out: Option<&Path>) -> anyhow::Result<ExitCode> {
    let bytes = Zeroizing::new(std::fs::read(key).with_context(|| format!("cannot read the key {}", key.display()))?);
    let key = PrivateKey::parse(&bytes).with_context(|| format!("{} is no private key to open with", key.display()))?;
    let keyring = Keyring::new(vec![key])?;
    let options = open::Options {
        accepted: vec![EnvelopeKind::Jwe, EnvelopeKind::Mastercard],
        allow_plaintext: false,
        oaep_hash,
        line_bytes_max: Limits::default().request_bytes_max,
    };
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
