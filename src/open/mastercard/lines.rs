//! A file of lines, each sealed by itself: its plaintext is the opened lines, one behind the other.
//!
//! Header and trailer may stand in clear between sealed lines. At most one line is in memory. A line that does not open is no
//! record that failed, it fails the file; and nothing says which it was.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::model::OaepHash;

use super::super::error::{OpenError, crypto_error};
use super::super::keyring::Keyring;
use super::super::source::Source;
use super::content::{Sealed, Stream};
use super::fields::Fields;
use super::scan::{self, Scanned};
use super::unwrap::{self, Unwrapped};
use super::{Rest, fields, looks_sealed, rest_of};

/// Lines that do not open before the rest is not even tried: a million of them must not cost a million private operations.
const FAILURES_MAX: u32 = 3;
/// What is read at a time.
const BLOCK_BYTES: usize = 64 << 10;

/// How lines are opened.
pub(in super::super) struct Lines {
    pub(super) source: Arc<Source>,
    pub(super) size: u64,
    pub(super) hash: OaepHash,
    pub(super) line_bytes_max: usize,
    pub(super) keyring: Keyring,
}

/// Whether a line is a control record in clear.
pub(super) fn is_control(line: &[u8]) -> bool {
    let Some(inside) = line.trim_ascii_start().strip_prefix(b"{") else { return false };
    let inside = inside.trim_ascii_start();
    [&b"\"header\""[..], b"\"trailer\""].iter().any(|name| inside.starts_with(name))
}

/// One pass over the opened lines.
pub(in super::super) struct LineStream {
    lines: Arc<Lines>,
    /// Where the next block stands.
    at: u64,
    /// Read, and not yet a whole line.
    held: Vec<u8>,
    plain: Zeroizing<Vec<u8>>,
    /// How much of `plain` has been handed out.
    given: usize,
    failures: u32,
    ended: bool,
    /// The content key of the line before: many senders draw one for a file.
    known: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
}

impl LineStream {
    pub(in super::super) fn new(lines: Arc<Lines>) -> Self {
        Self {
            lines,
            at: 0,
            held: Vec::new(),
            plain: Zeroizing::new(Vec::new()),
            given: 0,
            failures: 0,
            ended: false,
            known: None,
        }
    }

    pub(in super::super) fn read(&mut self, out: &mut [u8]) -> Result<usize, OpenError> {
        while self.given == self.plain.len() {
            if self.failures >= FAILURES_MAX || (self.ended && self.failures > 0) {
                return Err(crypto_error().into());
            }
            if self.ended {
                return Ok(0);
            }
            self.next_line()?;
        }
        let ready = self.plain.get(self.given..).unwrap_or_default();
        let length = ready.len().min(out.len());
        if let (Some(out), Some(ready)) = (out.get_mut(..length), ready.get(..length)) {
            out.copy_from_slice(ready);
        }
        self.given += length;
        Ok(length)
    }

    #[cfg(test)]
    pub(in super::super) const fn read_bytes(&self) -> u64 {
        self.at
    }

    /// Opens the next line, or counts it as one that does not open.
    fn next_line(&mut self) -> Result<(), OpenError> {
        self.plain = Zeroizing::new(Vec::new());
        self.given = 0;
        let Some(line) = self.take_line()? else {
            self.failures = FAILURES_MAX;
            return Ok(());
        };
        let bare = line.strip_suffix(b"\n").unwrap_or(&line);
        if bare.trim_ascii().is_empty() || is_control(bare) {
            self.plain = Zeroizing::new(line);
            return Ok(());
        }
        match self.open(bare) {
            Ok(plain) => self.plain = plain,
            Err(OpenError::Refused(_)) => self.failures += 1,
            Err(broken) => return Err(broken),
        }
        Ok(())
    }

    /// The next line with its end; `None` for one that is too long. Of the last one the end may be missing.
    fn take_line(&mut self) -> Result<Option<Vec<u8>>, OpenError> {
        let mut looked_at = 0;
        loop {
            let fresh = self.held.get(looked_at..).unwrap_or_default();
            if let Some(found) = memchr::memchr(b'\n', fresh) {
                let rest = self.held.split_off(looked_at + found + 1);
                return Ok(Some(std::mem::replace(&mut self.held, rest)));
            }
            looked_at = self.held.len();
            if looked_at > self.lines.line_bytes_max {
                return Ok(None);
            }
            let left = usize::try_from(self.lines.size - self.at).unwrap_or(usize::MAX).min(BLOCK_BYTES);
            if left == 0 {
                self.ended = true;
                return Ok(Some(std::mem::take(&mut self.held)));
            }
            self.held.resize(looked_at + left, 0);
            let block = self.held.get_mut(looked_at..).unwrap_or_default();
            self.lines.source.read_exact_at(block, self.at)?;
            self.at += left as u64;
        }
    }

    /// A sealed line, opened: what would end a line within it becomes a space, and a line end stands behind it.
    fn open(&mut self, line: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if !looks_sealed(line) {
            return Err(crypto_error().into());
        }
        let source = Source::Memory(line.to_vec());
        let (fields, end) = read_object(&source, 0, line.len() as u64, self.lines.hash)?;
        if rest_of(&source, end, line.len() as u64)? != Rest::Blank {
            return Err(crypto_error().into());
        }
        let known = self.known.as_ref().filter(|(wrapped, _)| *wrapped == fields.encrypted_key);
        let (cek, unwrapped) = match known {
            Some((_, cek)) => (cek.clone(), true),
            None => {
                let Unwrapped { cek, key_id, .. } = unwrap::content_key(
                    &fields.encrypted_key,
                    &fields.fingerprints,
                    self.lines.hash,
                    &self.lines.keyring,
                )?;
                if key_id.is_some() {
                    self.known = Some((fields.encrypted_key.clone(), cek.clone()));
                }
                (cek, key_id.is_some())
            }
        };
        let mut stream = Stream::new(Arc::new(Sealed::new(Arc::new(source), &fields, cek, unwrapped)))?;
        // The plaintext is shorter than its letters; what is wiped must never have moved.
        let mut plain = Zeroizing::new(vec![0; line.len() + 1]);
        let mut length = 0;
        loop {
            match stream.read(plain.get_mut(length..).unwrap_or_default())? {
                0 => break,
                more => length += more,
            }
        }
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let text = plain.get_mut(..length).unwrap_or_default();
        length -= text.iter().rev().take_while(|byte| is_end(byte)).count();
        let text = text.get_mut(..length).unwrap_or_default();
        text.iter_mut().filter(|byte| is_end(byte)).for_each(|byte| *byte = b' ');
        plain.truncate(length);
        plain.push(b'\n');
        Ok(plain)
    }
}

/// An object that begins at `from`, and where it ends; one that is cut is refused as any that is damaged.
pub(super) fn read_object(source: &Source, from: u64, size: u64, hash: OaepHash) -> Result<(Fields, u64), OpenError> {
    match scan::object(source, from, size, &fields::is_long)? {
        Scanned::Object { members, end } => Ok((Fields::of(members, hash)?, end)),
        Scanned::Cut => Err(crypto_error().early().into()),
    }
}
