//! Whether a text that nothing else proves proves itself: its last line gives the SHA-256 of all that stands before it.
//!
//! Says nothing of whether the text is right. Where it is intact, what is wrong with it is its sender's doing and no damage.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::model::hex;

use super::encoding::MARK;

/// A trailer is a few words and a digest.
const LINE_BYTES_MAX: usize = 1 << 10;
const DIGEST_LETTERS: usize = 64;

/// Takes a text piece by piece, however it is split, and keeps no more of it than a short line.
#[derive(Default)]
pub struct Intact {
    /// Of everything before the line in hand.
    before: Sha256,
    /// The same without a byte order mark, where the text begins with one: senders hash either.
    unmarked: Option<Sha256>,
    /// The line in hand with its end and empty lines behind it; empty while the line is too long for a trailer.
    line: Vec<u8>,
    too_long: bool,
    begun: bool,
}

/// A trailer of JSON lines, as far as it matters here.
#[derive(Deserialize)]
struct Trailer {
    trailer: Sums,
}

#[derive(Deserialize)]
struct Sums {
    sha256: String,
}

impl Intact {
    /// Takes the next bytes of the text.
    pub fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let is_blank = piece.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
            if !is_blank {
                self.pass_ended();
            }
            if !self.too_long {
                self.line.extend_from_slice(piece);
                if self.line.len() > LINE_BYTES_MAX {
                    self.pass();
                    self.too_long = true;
                }
            } else {
                self.hash(piece);
            }
            if piece.ends_with(b"\n") {
                self.too_long = false;
            }
        }
    }

    /// A line goes on or begins: what has come to its end before it was not the last.
    fn pass_ended(&mut self) {
        if let Some(end) = self.line.iter().rposition(|&byte| byte == b'\n') {
            let rest = self.line.split_off(end + 1);
            self.pass();
            self.line = rest;
        }
    }

    /// What is in hand was not the last line.
    fn pass(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.hash(&line);
    }

    fn hash(&mut self, bytes: &[u8]) {
        if !self.begun && !bytes.is_empty() {
            self.begun = true;
            self.unmarked = bytes.strip_prefix(MARK).map(Sha256::new_with_prefix);
        } else if let Some(unmarked) = &mut self.unmarked {
            unmarked.update(bytes);
        }
        self.before.update(bytes);
    }

    /// Says that the text has ended: whether its last line proves the rest.
    pub fn holds(self) -> bool {
        let Some(said) = digest_in(self.line.trim_ascii()) else { return false };
        let hashes = [Some(self.before), self.unmarked].into_iter().flatten();
        hashes.map(|hash| hex(&hash.finalize())).any(|hash| said.eq_ignore_ascii_case(hash.as_bytes()))
    }
}

/// The digest that a trailer gives, in either form.
fn digest_in(line: &[u8]) -> Option<Vec<u8>> {
    if line.starts_with(b"{") {
        // The parser's words would echo the line; they go no further.
        let trailer: Trailer = serde_json::from_slice(line).ok()?;
        return Some(trailer.trailer.sha256.into_bytes());
    }
    let line = line.strip_suffix(b"\"").unwrap_or(line);
    let (first, digest) = line.split_at(line.len().checked_sub(DIGEST_LETTERS)?);
    let is_trailer = first.strip_prefix(b"\"").unwrap_or(first).starts_with(b"TRL");
    (is_trailer && digest.iter().all(u8::is_ascii_hexdigit)).then(|| digest.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(bytes: &[u8]) -> String {
        hex(&Sha256::digest(bytes))
    }

    /// However the text is split, the answer is the same.
    fn holds(text: &[u8]) -> bool {
        let whole = |step: usize| {
            let mut intact = Intact::default();
            text.chunks(step).for_each(|piece| intact.push(piece));
            intact.holds()
        };
        let answer = whole(text.len().max(1));
        for step in [1, 2, 3, 7, 64] {
            assert_eq!(whole(step), answer, "in pieces of {step}");
        }
        answer
    }

    #[test]
    fn a_trailer_with_the_digest_of_all_before_it_proves_the_text() {
        let long = "x".repeat(3 * LINE_BYTES_MAX);
        for before in
            ["HDR,1\nref\nr-1\n", "HDR,1\r\n\r\nref\r\n", "\u{feff}HDR,1\n", &format!("HDR\n{long}\n{long}\nr\n")]
        {
            let digest = sum(before.as_bytes());
            for end in ["", "\n", "\r\n", "\n\n\r\n"] {
                for trailer in [
                    format!("TRL,1,{digest}"),
                    format!("TRL;1;\"{}\"", digest.to_uppercase()),
                    format!("{{\"trailer\":{{\"records\":1,\"sha256\":\"{digest}\"}}}}"),
                ] {
                    assert!(holds(format!("{before}{trailer}{end}").as_bytes()), "{before:?} {trailer}{end:?}");
                    assert!(!holds(format!("y{before}{trailer}{end}").as_bytes()));
                    assert!(!holds(format!("{before}{trailer}\nmore{end}").as_bytes()));
                }
            }
        }
        let marked = "\u{feff}HDR,1\n";
        assert!(holds(format!("{marked}TRL,0,{}", sum(b"HDR,1\n")).as_bytes()));
    }

    #[test]
    fn nothing_else_proves_it() {
        let before = "HDR,1\n";
        let digest = sum(before.as_bytes());
        for last in
            ["", "TRL,0,", "TRL,0", &digest[..], &format!("ROW,{digest}"), "{\"trailer\":{\"records\":0}}", "TRL"]
        {
            assert!(!holds(format!("{before}{last}").as_bytes()), "{last}");
        }
        for at in 0..before.len() {
            let mut text = format!("{before}TRL,0,{digest}").into_bytes();
            text[at] ^= 1;
            assert!(!holds(&text), "byte {at}");
        }
    }
}
