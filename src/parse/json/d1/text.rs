//! Cuts a batch that comes piece by piece into its header, its rows and its signature, one of them in memory at a time.

use std::ops::Range;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::parse::csv::lines::append;

use super::super::scan::ValueEnd;
use super::names::{self, Fault};

/// A part as it stands.
pub(super) enum Part<'a> {
    Header(&'a [u8]),
    Row(&'a [u8]),
    /// With its quotes.
    Signature(&'a [u8]),
}

/// Why a cut stopped.
pub(super) enum Torn<E> {
    Fault(Fault, u64),
    Each(E),
}

/// What is expected, or goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Begin,
    /// A key; the end of the batch too where one may stand.
    Key,
    InKey,
    Colon,
    Value,
    InHeader,
    /// A row, or the end of the array where none has come.
    FirstRow,
    Row,
    InRow,
    AfterRow,
    InSignature,
    AfterValue,
    End,
}

/// See the module.
pub(super) struct Text {
    at: At,
    /// How many of the three parts have begun.
    parts: usize,
    open: Zeroizing<Vec<u8>>,
    end: ValueEnd,
    escaped: bool,
    line: u64,
    /// Where the part that goes on began.
    begun: u64,
    /// Bytes read.
    read: u64,
    records: Range<u64>,
    digest: Sha256,
    bytes_max: usize,
}

/// The most that a key, and that a signature may have.
const KEY_BYTES_MAX: usize = 64;
const SIGNATURE_BYTES_MAX: usize = 16 << 10;

impl Text {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            at: At::Begin,
            parts: 0,
            open: Zeroizing::default(),
            end: ValueEnd::default(),
            escaped: false,
            line: 1,
            begun: 1,
            read: 0,
            records: 0..0,
            digest: Sha256::new(),
            bytes_max,
        }
    }

    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn is_whole(&self) -> bool {
        self.at == At::End
    }

    /// Where the array of rows lies, once it was read, and its SHA-256.
    pub(super) fn records(self) -> (Range<u64>, [u8; 32]) {
        (self.records, self.digest.finalize().into())
    }

    pub(super) fn push<E>(
        &mut self,
        bytes: &[u8],
        each: &mut dyn FnMut(Part<'_>, u64) -> Result<(), E>,
    ) -> Result<(), Torn<E>> {
        let before = self.read;
        let mut at = 0;
        while at < bytes.len() {
            self.read = before + at as u64;
            at += match self.at {
                At::InHeader | At::InRow => self.object(&bytes[at..], each)?,
                At::InKey | At::InSignature => self.string(&bytes[at..], each)?,
                _ => {
                    self.sign(bytes[at])?;
                    // What begins with this byte is read from it on.
                    usize::from(!matches!(self.at, At::InHeader | At::InRow | At::InKey | At::InSignature))
                }
            };
            if matches!(self.at, At::InKey | At::InSignature) && self.open.is_empty() {
                append(&mut self.open, b"\"");
                at += 1;
            }
        }
        self.read = before + bytes.len() as u64;
        // Of this piece, what lies in the array.
        let within = |place: u64| usize::try_from(place.saturating_sub(before)).unwrap_or(usize::MAX).min(bytes.len());
        if self.records.end > self.records.start {
            let end = if self.records.end == u64::MAX { bytes.len() } else { within(self.records.end) };
            self.digest.update(bytes.get(within(self.records.start)..end).unwrap_or_default());
        }
        Ok(())
    }

    fn object<E>(
        &mut self,
        bytes: &[u8],
        each: &mut dyn FnMut(Part<'_>, u64) -> Result<(), E>,
    ) -> Result<usize, Torn<E>> {
        let taken = self.end.next(bytes);
        let part = &bytes[..taken.unwrap_or(bytes.len())];
        self.keep(part, self.bytes_max)?;
        self.line += u64::try_from(memchr::memchr_iter(b'\n', part).count()).unwrap_or(0);
        if taken.is_some() {
            let text = std::mem::take(&mut self.open);
            let (next, part) = match self.at {
                At::InHeader => (At::AfterValue, Part::Header(&text)),
                _ => (At::AfterRow, Part::Row(&text)),
            };
            self.at = next;
            each(part, self.begun).map_err(Torn::Each)?;
        }
        Ok(part.len())
    }

    fn string<E>(
        &mut self,
        bytes: &[u8],
        each: &mut dyn FnMut(Part<'_>, u64) -> Result<(), E>,
    ) -> Result<usize, Torn<E>> {
        let max = if self.at == At::InKey { KEY_BYTES_MAX } else { SIGNATURE_BYTES_MAX };
        // What lies beyond the most it may have is not looked at: how the text comes in pieces must not tell which fault is found.
        let room = max - self.open.len();
        let mut ends = None;
        for (at, byte) in bytes.iter().take(room).enumerate() {
            match byte {
                _ if std::mem::take(&mut self.escaped) => {}
                b'\\' => self.escaped = true,
                b'"' => {
                    ends = Some(at + 1);
                    break;
                }
                b'\n' => return Err(Torn::Fault(names::NOT_JSON, self.line)),
                _ => {}
            }
        }
        let part = &bytes[..ends.unwrap_or(bytes.len())];
        self.keep(part, max)?;
        if ends.is_some() {
            let text = std::mem::take(&mut self.open);
            if self.at == At::InKey {
                self.key(&text)?;
            } else {
                self.at = At::AfterValue;
                each(Part::Signature(&text), self.begun).map_err(Torn::Each)?;
            }
        }
        Ok(part.len())
    }

    fn keep<E>(&mut self, part: &[u8], max: usize) -> Result<(), Torn<E>> {
        if self.open.len() + part.len() > max {
            let fault = if self.at == At::InKey { names::UNKNOWN } else { names::TOO_LONG };
            return Err(Torn::Fault(fault, self.begun));
        }
        append(&mut self.open, part);
        Ok(())
    }

    fn key<E>(&mut self, quoted: &[u8]) -> Result<(), Torn<E>> {
        let torn = |fault| Err(Torn::Fault(fault, self.begun));
        let key: String = match serde_json::from_slice(quoted) {
            Ok(key) => key,
            Err(_) => return torn(names::NOT_JSON),
        };
        match names::PARTS.iter().position(|part| *part == key) {
            None => torn(names::UNKNOWN),
            Some(part) if part == self.parts => {
                self.parts += 1;
                self.at = At::Colon;
                Ok(())
            }
            Some(1..) if self.parts == 0 => torn(names::HEADER_ABSENT),
            Some(2) if self.parts == 1 => torn(names::RECORDS_ABSENT),
            Some(_) => torn(names::ORDER),
        }
    }

    /// A sign between the parts.
    fn sign<E>(&mut self, byte: u8) -> Result<(), Torn<E>> {
        let next = match (self.at, byte) {
            (_, b'\n') => {
                self.line += 1;
                return Ok(());
            }
            (_, b' ' | b'\t' | b'\r') => return Ok(()),
            (At::Begin, b'{') => At::Key,
            (At::Key, b'"') => At::InKey,
            (At::Key, b'}') if self.parts == 0 => return Err(Torn::Fault(names::HEADER_ABSENT, self.line)),
            (At::Colon, b':') => At::Value,
            (At::Value, b'{') if self.parts == 1 => At::InHeader,
            (At::Value, b'[') if self.parts == 2 => {
                self.records = self.read..u64::MAX;
                At::FirstRow
            }
            (At::Value, b'"') if self.parts == 3 => At::InSignature,
            (At::Value, _) => return Err(Torn::Fault(names::TYPE, self.line)),
            (At::FirstRow | At::Row, b'{') => At::InRow,
            (At::AfterRow, b',') => At::Row,
            (At::FirstRow | At::AfterRow, b']') => {
                self.records.end = self.read + 1;
                At::AfterValue
            }
            (At::AfterValue, b',') => At::Key,
            (At::AfterValue, b'}') if self.parts >= 2 => At::End,
            (At::AfterValue, b'}') => return Err(Torn::Fault(names::RECORDS_ABSENT, self.line)),
            _ => return Err(Torn::Fault(names::NOT_JSON, self.line)),
        };
        self.at = next;
        self.begun = self.line;
        Ok(())
    }
}
