//! Cuts bytes that come piece by piece into what is read at once: lines, or the requests of one text.

use memchr::memchr;
use zeroize::Zeroizing;

use crate::parse::csv::lines::append;

use super::scan::ValueEnd;

/// A line with its end, if it has one.
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    /// The first is 1.
    pub(super) number: u64,
    pub(super) ended: bool,
}

/// Cuts lines, one in memory at a time.
pub(super) struct Lines {
    open: Zeroizing<Vec<u8>>,
    number: u64,
    bytes_max: usize,
}

/// Something that is read at once has more bytes than it may have; on this line it begins.
pub(super) struct TooLong(pub(super) u64);

impl Lines {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { open: Zeroizing::default(), number: 1, bytes_max }
    }

    /// The line that is read next, or goes on.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn push<E>(
        &mut self,
        bytes: &[u8],
        each: &mut dyn FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), Broken<E>> {
        let mut at = 0;
        while let Some(end) = memchr(b'\n', &bytes[at..]).map(|next| at + next + 1) {
            let number = self.number;
            if self.open.len() + (end - at) > self.bytes_max {
                return Err(Broken::TooLong(TooLong(number)));
            }
            self.number += 1;
            if self.open.is_empty() {
                each(Line { text: &bytes[at..end], number, ended: true })?;
            } else {
                append(&mut self.open, &bytes[at..end]);
                let text = std::mem::take(&mut self.open);
                each(Line { text: &text, number, ended: true })?;
            }
            at = end;
        }
        if self.open.len() + (bytes.len() - at) > self.bytes_max {
            return Err(Broken::TooLong(TooLong(self.number)));
        }
        append(&mut self.open, &bytes[at..]);
        Ok(())
    }

    /// The last line, if it has no end.
    pub(super) fn finish<E>(&mut self, each: &mut dyn FnMut(Line<'_>) -> Result<(), E>) -> Result<(), Broken<E>> {
        let text = std::mem::take(&mut self.open);
        if !text.is_empty() {
            each(Line { text: &text, number: self.number, ended: false })?;
        }
        Ok(())
    }
}

/// Why a cut stopped.
pub(super) enum Broken<E> {
    TooLong(TooLong),
    Each(E),
}

impl<E> From<E> for Broken<E> {
    fn from(error: E) -> Self {
        Self::Each(error)
    }
}

/// What of a text is between its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    /// Before everything.
    Begin,
    /// Behind the bracket that opens an array of requests, or of the records of one.
    Opened,
    /// Where the next request must begin.
    Next,
    /// Where a comma or the closing bracket must stand.
    After,
    /// In a request.
    Within,
    /// Behind the end: white space alone.
    End,
}

/// Something stands where it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misplaced {
    pub(super) line: u64,
    pub(super) what: &'static str,
}

/// A request of a text, and the line on which it begins.
pub(super) struct Whole<'a> {
    pub(super) text: &'a [u8],
    pub(super) line: u64,
}

/// Cuts the requests out of one text, one in memory at a time. Where a request may be an array, an array whose first
/// element is an object is one request, and one whose first element is an array is an array of requests; elsewhere every
/// array is one of requests.
pub(super) struct Requests {
    open: Zeroizing<Vec<u8>>,
    between: Between,
    end: ValueEnd,
    line: u64,
    /// Where the request that goes on began.
    begun: u64,
    /// The whole text is one request.
    single: bool,
    arrays: bool,
    bytes_max: usize,
}

/// Why a cut of requests stopped.
pub(super) enum Torn<E> {
    TooLong(TooLong),
    Misplaced(Misplaced),
    Each(E),
}

impl Requests {
    pub(super) fn new(bytes_max: usize, arrays: bool) -> Self {
        Self {
            open: Zeroizing::default(),
            between: Between::Begin,
            end: ValueEnd::default(),
            line: 1,
            begun: 1,
            single: false,
            arrays,
            bytes_max,
        }
    }

    /// The line on which something was read last.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// Whether the text has ended where it may.
    pub(super) fn is_whole(&self) -> bool {
        self.between == Between::End
    }

    pub(super) fn push<E>(
        &mut self,
        bytes: &[u8],
        each: &mut dyn FnMut(Whole<'_>) -> Result<(), E>,
    ) -> Result<(), Torn<E>> {
        let mut at = 0;
        while at < bytes.len() {
            if self.between == Between::Within {
                let taken = self.end.next(&bytes[at..]);
                let part = &bytes[at..taken.map_or(bytes.len(), |taken| at + taken)];
                if self.open.len() + part.len() > self.bytes_max {
                    return Err(Torn::TooLong(TooLong(self.begun)));
                }
                append(&mut self.open, part);
                self.line += count_lines(part);
                at += part.len();
                if taken.is_some() {
                    let text = std::mem::take(&mut self.open);
                    self.between = if self.single { Between::End } else { Between::After };
                    each(Whole { text: &text, line: self.begun }).map_err(Torn::Each)?;
                }
                continue;
            }
            let byte = bytes[at];
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                _ => {
                    if self.sign(byte).map_err(Torn::Misplaced)? {
                        // Looked at again, as the first byte of a request.
                        continue;
                    }
                    if self.between == Between::End && self.open.as_slice() == b"[]" {
                        let text = std::mem::take(&mut self.open);
                        each(Whole { text: &text, line: self.begun }).map_err(Torn::Each)?;
                    }
                }
            }
            at += 1;
        }
        Ok(())
    }

    /// A sign between requests; true where a request begins with it.
    fn sign(&mut self, byte: u8) -> Result<bool, Misplaced> {
        let misplaced = |what| Err(Misplaced { line: self.line, what });
        let begins = match (self.between, byte) {
            (Between::Begin, b'{') => {
                self.single = true;
                true
            }
            (Between::Begin, b'[') => {
                self.begun = self.line;
                self.between = Between::Opened;
                return Ok(false);
            }
            // Records of one request: its own bracket was read already.
            (Between::Opened | Between::Next, b'{') if !self.arrays => true,
            (Between::Opened, b'{') => {
                self.single = true;
                append(&mut self.open, b"[");
                // One bracket deep, without the text's first byte being there any more.
                let _ = self.end.next(b"[");
                self.between = Between::Within;
                return Ok(true);
            }
            (Between::Opened, b']') => {
                // An array of nothing: one request without records.
                append(&mut self.open, b"[]");
                self.between = Between::End;
                return Ok(false);
            }
            (Between::Opened | Between::Next, b'[') if self.arrays => true,
            (Between::After, b',') => {
                self.between = Between::Next;
                return Ok(false);
            }
            (Between::After, b']') => {
                self.between = Between::End;
                return Ok(false);
            }
            (Between::Begin, _) => {
                return misplaced("The text is no request; expected is one, or an array of them.");
            }
            (Between::Opened, _) => {
                return misplaced(if self.arrays {
                    "The array holds neither records nor requests; expected are objects or arrays of them."
                } else {
                    "The array holds something other than requests; expected are objects."
                });
            }
            (Between::Next, _) => {
                return misplaced(if self.arrays {
                    "An element of the array is no request; expected are arrays alone, as the first one."
                } else {
                    "An element of the array is no request; expected are objects."
                });
            }
            (Between::After, _) => return misplaced("Behind a request stands neither a comma nor the array's end."),
            (Between::End | Between::Within, _) => {
                return misplaced("Something follows the last request; expected is nothing.");
            }
        };
        self.begun = self.line;
        self.between = Between::Within;
        Ok(begins)
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    u64::try_from(memchr::memchr_iter(b'\n', bytes).count()).unwrap_or(0)
}
