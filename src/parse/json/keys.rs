//! Watches a whole text for keys that name sensitive authentication data, whatever else is wrong with that text.

use memchr::{memchr, memchr2};
use zeroize::Zeroizing;

use crate::parse::sensitive::names_sensitive_data;

/// A longer string names nothing.
const KEY_BYTES_MAX: usize = 256;

/// Takes a text piece by piece. A string with a colon behind it is a key. Reads UTF-16 and UTF-32 of ASCII by leaving out
/// the NULs.
pub(in crate::parse) struct KeyWatch {
    /// The string that goes on, or the one that ended last, escapes and all.
    text: Zeroizing<Vec<u8>>,
    state: State,
    line: u64,
    found: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Outside,
    String,
    Escaped,
    /// A string has ended: a colon makes it a key.
    After,
}

impl Default for KeyWatch {
    fn default() -> Self {
        // A string may be a PAN: the buffer never grows, which would leave a copy behind.
        let text = Zeroizing::new(Vec::with_capacity(KEY_BYTES_MAX + 1));
        Self { text, state: State::Outside, line: 1, found: None }
    }
}

impl KeyWatch {
    pub(in crate::parse) fn push(&mut self, bytes: &[u8]) {
        if self.found.is_some() {
            return;
        }
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::Outside => {
                    let Some(next) = memchr2(b'"', b'\n', &bytes[at..]) else { return };
                    at += next;
                    if bytes[at] == b'"' {
                        self.text.clear();
                        self.state = State::String;
                    } else {
                        self.line += 1;
                    }
                    at += 1;
                }
                State::String => {
                    let rest = &bytes[at..];
                    let end = memchr2(b'"', b'\\', rest);
                    // A string holds no line end; one that does was never closed, and the next line begins anew.
                    let part = &rest[..end.unwrap_or(rest.len())];
                    if let Some(broken) = memchr(b'\n', part) {
                        self.state = State::Outside;
                        at += broken;
                        continue;
                    }
                    self.keep(part);
                    let Some(end) = end else { return };
                    self.state = if rest[end] == b'"' { State::After } else { State::Escaped };
                    if self.state == State::Escaped {
                        self.keep(b"\\");
                    }
                    at += end + 1;
                }
                State::Escaped => {
                    self.keep(&bytes[at..=at]);
                    self.state = State::String;
                    at += 1;
                }
                State::After => {
                    match bytes[at] {
                        b':' if self.is_sensitive() => {
                            self.found = Some(self.line);
                            return;
                        }
                        b' ' | b'\t' | b'\r' | 0 => at += 1,
                        b'\n' => {
                            self.line += 1;
                            at += 1;
                        }
                        // The next string is looked at there.
                        _ => self.state = State::Outside,
                    }
                }
            }
        }
    }

    /// The line of the first such key.
    pub(in crate::parse) const fn found(&self) -> Option<u64> {
        self.found
    }

    fn keep(&mut self, part: &[u8]) {
        let room = KEY_BYTES_MAX + 1 - self.text.len();
        let letters = part.iter().copied().filter(|byte| *byte != 0).take(room);
        self.text.extend(letters);
    }

    fn is_sensitive(&self) -> bool {
        if self.text.len() > KEY_BYTES_MAX {
            return false;
        }
        if memchr(b'\\', &self.text).is_none() {
            return names_sensitive_data(&self.text);
        }
        let quoted = Zeroizing::new([b"\"", self.text.as_slice(), b"\""].concat());
        serde_json::from_slice::<String>(&quoted).is_ok_and(|key| names_sensitive_data(key.as_bytes()))
    }
}
