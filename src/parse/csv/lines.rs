//! Where records end: at a line feed that no quoted field holds.

use memchr::{memchr, memchr_iter};
use zeroize::Zeroizing;

/// Looks for record ends in bytes that come piece by piece.
///
/// It counts quotes and nothing else: in a record that RFC 4180 allows, a line feed is inside quotes exactly when an odd
/// number of quotes stands before it. In one that it does not allow, the record comes out longer and is refused anyway.
#[derive(Debug, Default)]
pub(super) struct LineEnds {
    quoted: bool,
    /// Line feeds seen inside quotes since the record began.
    inner: u64,
}

impl LineEnds {
    /// How many bytes of `bytes` the record that goes on in them takes, line feed included; `None` if it takes them all
    /// and does not end. `quotes` may be false where there is certainly no quote.
    pub(super) fn next(&mut self, bytes: &[u8], quotes: bool) -> Option<usize> {
        if !quotes && !self.quoted {
            return memchr(b'\n', bytes).map(|at| at + 1);
        }
        let mut from = 0;
        loop {
            let end = memchr(b'\n', &bytes[from..]).map(|at| from + at);
            let part = &bytes[from..end.unwrap_or(bytes.len())];
            self.quoted ^= memchr_iter(b'"', part).count() % 2 == 1;
            from = end? + 1;
            if !self.quoted {
                return Some(from);
            }
            self.inner += 1;
        }
    }

    /// Whether the bytes so far leave a quoted field open.
    pub(super) const fn is_quoted(&self) -> bool {
        self.quoted
    }

    /// Begins another record: how many lines the last one took.
    pub(super) fn take_lines(&mut self) -> u64 {
        self.quoted = false;
        1 + std::mem::take(&mut self.inner)
    }
}

/// A record without its line end.
pub(super) fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Appends to a buffer that is wiped. When it is outgrown the old memory is wiped too, which `Vec` by itself does not do.
pub(in crate::parse) fn append(buffer: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let needed = buffer.len() + bytes.len();
    if needed > buffer.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * buffer.capacity())));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
    buffer.extend_from_slice(bytes);
}
