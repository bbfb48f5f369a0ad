//! `nightdrop keys new`: a key-encryption key, or an envelope key pair.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use zeroize::Zeroizing;

use crate::open::{KeyType, generate};

use super::assemble::entropy;

/// Writes a new key-encryption key: 64 hex digits, readable by its owner alone. Never overwrites.
pub(super) fn new_kek(out: &Path) -> anyhow::Result<()> {
    let key = entropy()?;
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in key.iter() {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text.push('\n');
    write_new(out, text.as_bytes(), 0o400)
}

/// Writes a new key pair: the private JWK, and the public half beside it as `.pub.jwk`.
pub(super) fn new_envelope(kid: &str, key_type: KeyType, out: &Path) -> anyhow::Result<PathBuf> {
    let public = public_path(out)?;
    let pair = generate(key_type, kid).context("the key pair could not be made")?;
    write_new(out, pair.private_jwk.as_bytes(), 0o400)?;
    write_new(&public, pair.public_jwk.as_bytes(), 0o644)?;
    Ok(public)
}

/// `keys/acme.jwk` → `keys/acme.pub.jwk`.
fn public_path(out: &Path) -> anyhow::Result<PathBuf> {
    let name = out.file_name().ok_or_else(|| anyhow!("{} names no file", out.display()))?;
    let mut name = name.to_string_lossy().into_owned();
    if let Some(stem) = name.strip_suffix(".jwk") {
        name = stem.to_owned();
    }
    Ok(out.with_file_name(format!("{name}.pub.jwk")))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("cannot make {}; an existing key is never overwritten", path.display()))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(|| format!("cannot write {}", path.display()))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(File::open(directory)?.sync_all()?)
}
