//! Finds where JSON values end without reading them: by brackets and strings alone.

use std::ops::Range;

use memchr::{memchr, memchr2};

/// Looks for the end of an array or object in bytes that come piece by piece.
///
/// In JSON the end found is the end. In anything else it is some place, and what lies before it is refused when it is
/// read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ValueEnd {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl ValueEnd {
    /// How many bytes the value that goes on in `bytes` takes; `None` if it takes them all and does not end.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if self.in_string {
                if std::mem::take(&mut self.escaped) {
                    at += 1;
                    continue;
                }
                at += memchr2(b'"', b'\\', &bytes[at..])?;
                if bytes[at] == b'"' { self.in_string = false } else { self.escaped = true }
            } else {
                match bytes[at] {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                    b'}' | b']' => {
                        self.depth = self.depth.saturating_sub(1);
                        if self.depth == 0 {
                            *self = Self::default();
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
            }
            at += 1;
        }
        None
    }
}

/// The records of a whole request that was proven to be one: the bytes of each object in it, found one by one.
pub(super) fn records(request: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = request.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(request.len());
    // An array's own bracket is passed over; what begins an object in it cannot stand in a string before.
    if request.get(at) == Some(&b'[') {
        at += 1;
    }
    std::iter::from_fn(move || {
        let begin = at + memchr(b'{', &request[at..])?;
        at = begin + ValueEnd::default().next(&request[begin..])?;
        Some(begin..at)
    })
}

/// The strings of a text that is JSON, quotes included.
pub(super) fn strings(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(begin) = memchr(b'"', &text[at..]).map(|next| at + next) {
        at = begin + 1;
        loop {
            let Some(next) = memchr2(b'"', b'\\', &text[at..]).map(|next| at + next) else { return found };
            at = (next + if text[next] == b'"' { 1 } else { 2 }).min(text.len());
            if text[next] == b'"' {
                break;
            }
        }
        found.push(begin..at);
    }
    found
}
