//! One JSON object of strings, read in a single pass: where its long value lies, and the short ones themselves.
//!
//! ```text
//! object = "{" member *("," member) "}"      member = name ":" (string / number / true / false / null)
//! ```
//! Must never keep the long value, which may be as long as the file: all else together is a few KiB, or the object is refused.

use std::io;
use std::ops::Range;

use memchr::memchr2;

use crate::model::Refusal;

use super::super::error::OpenError;
use super::super::source::Source;
use super::malformed;

/// What is read at a time.
const BUFFER_BYTES: usize = 64 << 10;
/// Everything but the long value and white space: names, an RSA-wrapped key, fingerprints, and what a sender has added.
const SHORT_BYTES_MAX: usize = 16 << 10;
/// White space between two parts: an indented object, not a file of blanks.
const BLANK_BYTES_MAX: usize = 1 << 10;

/// A member's value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A string, its escapes still in it.
    Text(Vec<u8>),
    /// A string of a long name, by its place: the bytes between the quotes, and whether there are escapes among them.
    Long { place: Range<u64>, escaped: bool },
    /// `null`.
    Null,
    /// A number, `true` or `false`.
    Other,
}

/// Name and value, in the order of the text.
pub(super) type Members = Vec<(Vec<u8>, Value)>;

/// What came of the pass.
pub(super) enum Scanned {
    /// An object, and where the byte after its closing brace stands.
    Object { members: Members, end: u64 },
    /// The text stops within the object.
    Cut,
}

/// Why the pass ended before the brace.
enum Stop {
    Cut,
    Failed(OpenError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Failed(refusal.into())
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Reads an object that begins at `from` (white space before it is passed over). Values of names that `is_long` are left where
/// they are.
pub(super) fn object(
    source: &Source,
    from: u64,
    size: u64,
    is_long: &dyn Fn(&[u8]) -> bool,
) -> Result<Scanned, OpenError> {
    let mut scan = Scan { source, size, next: from, buffer: Vec::new(), at: 0, short: 0 };
    match scan.object(is_long) {
        Ok((members, end)) => Ok(Scanned::Object { members, end }),
        Err(Stop::Cut) => Ok(Scanned::Cut),
        Err(Stop::Failed(error)) => Err(error),
    }
}

struct Scan<'a> {
    source: &'a Source,
    size: u64,
    /// Where the byte after the buffer stands.
    next: u64,
    buffer: Vec<u8>,
    at: usize,
    short: usize,
}

impl Scan<'_> {
    fn object(&mut self, is_long: &dyn Fn(&[u8]) -> bool) -> Result<(Members, u64), Stop> {
        self.expect(b'{')?;
        let mut members = Members::new();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok((members, self.place()));
        }
        loop {
            self.expect(b'"')?;
            let name = self.text()?;
            if name.contains(&b'\\') {
                return Err(malformed("a name in the sealed object has escapes; expected plain names").into());
            }
            if members.iter().any(|(known, _)| *known == name) {
                return Err(malformed("the sealed object has a name twice; expected each name once").into());
            }
            self.expect(b':')?;
            let value = match self.peek()? {
                b'"' => {
                    self.at += 1;
                    if is_long(&name) { self.long()? } else { Value::Text(self.text()?) }
                }
                b'{' | b'[' => {
                    return Err(malformed("the sealed object holds other objects or arrays; expected strings").into());
                }
                _ => self.word()?,
            };
            members.push((name, value));
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok((members, self.place()));
                }
                _ => return Err(not_json().into()),
            }
        }
    }

    /// Where the next byte stands.
    const fn place(&self) -> u64 {
        self.next - (self.buffer.len() - self.at) as u64
    }

    /// What is read and not yet taken, at least a byte.
    fn ahead(&mut self) -> Result<&[u8], Stop> {
        if self.at == self.buffer.len() {
            let length = usize::try_from(self.size - self.next).unwrap_or(usize::MAX).min(BUFFER_BYTES);
            if length == 0 {
                return Err(Stop::Cut);
            }
            self.buffer.resize(length, 0);
            self.source.read_exact_at(&mut self.buffer, self.next)?;
            self.next += length as u64;
            self.at = 0;
        }
        Ok(self.buffer.get(self.at..).unwrap_or_default())
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = self.ahead()?.first().copied().ok_or(Stop::Cut)?;
        self.at += 1;
        Ok(byte)
    }

    /// The next byte that is not white space, left where it is.
    fn peek(&mut self) -> Result<u8, Stop> {
        for _ in 0..=BLANK_BYTES_MAX {
            let byte = self.ahead()?.first().copied().ok_or(Stop::Cut)?;
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(malformed("the sealed object has long stretches of white space; expected none").into())
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Stop> {
        if self.peek()? != wanted {
            return Err(not_json().into());
        }
        self.at += 1;
        Ok(())
    }

    fn shortens(&mut self) -> Result<(), Stop> {
        self.short += 1;
        if self.short > SHORT_BYTES_MAX {
            return Err(
                malformed("the sealed object has more than its sealed value; expected a few short strings").into()
            );
        }
        Ok(())
    }

    /// A string up to its closing quote, the opening one being taken. What is no letter of JSON, such as a line end, is left to
    /// whoever reads the value: damage to it is not told from other damage.
    fn text(&mut self) -> Result<Vec<u8>, Stop> {
        let mut text = Vec::new();
        loop {
            let byte = self.byte()?;
            self.shortens()?;
            match byte {
                b'"' => return Ok(text),
                b'\\' => {
                    text.push(byte);
                    text.push(self.byte()?);
                    self.shortens()?;
                }
                _ => text.push(byte),
            }
        }
    }

    fn long(&mut self) -> Result<Value, Stop> {
        let start = self.place();
        let mut escaped = false;
        loop {
            let ahead = self.ahead()?;
            match memchr2(b'"', b'\\', ahead).map(|found| (found, ahead.get(found).copied())) {
                None => self.at = self.buffer.len(),
                Some((found, Some(b'"'))) => {
                    self.at += found + 1;
                    return Ok(Value::Long { place: start..self.place() - 1, escaped });
                }
                Some((found, _)) => {
                    escaped = true;
                    self.at += found + 1;
                    self.byte()?;
                }
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<Value, Stop> {
        let mut word = Vec::new();
        loop {
            let byte = self.ahead()?.first().copied().ok_or(Stop::Cut)?;
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) {
                break;
            }
            self.at += 1;
            self.shortens()?;
            word.push(byte);
        }
        match word.as_slice() {
            b"null" => Ok(Value::Null),
            b"true" | b"false" => Ok(Value::Other),
            number if number.iter().any(u8::is_ascii_digit) => Ok(Value::Other),
            _ => Err(not_json().into()),
        }
    }
}

fn not_json() -> Refusal {
    malformed("the file is not one JSON object of strings; expected encryptedData, encryptedKey and iv")
}
