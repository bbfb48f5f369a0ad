//! What is left alone: said once while it lies there, and never so often that it fills a log or our memory.
//!
//! Whoever may write to a directory can lay millions of odd entries into it, or change one at every look. So they are
//! remembered by a hash of their names, and beyond a number in a while they are only counted.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

/// As many are said by name in a [`WHILE`].
const SAID_MAX: usize = 50;

/// How long it takes until others are said by name, and until their number is said again.
const WHILE: Duration = Duration::from_secs(600);

/// Why an entry is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OddKind {
    /// Not 1 to 200 bytes of `[A-Za-z0-9._-]`, or a dash first.
    Name,
    /// A symbolic link; it is not followed.
    Symlink,
    /// A directory.
    Directory,
    /// A FIFO; it is not opened.
    Fifo,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
    /// Something else that is not a regular file.
    Other,
    /// A regular file that has other names too: it could change under them.
    SeveralLinks,
    /// A file that we may not read, or an entry that the file system cannot describe.
    Unreadable,
    /// The directory itself: more lies in it than is looked at in one go. The rest is seen as what was seen goes.
    TooMany,
}

/// An entry that is left alone, said once while it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// Its name, with every byte escaped that is not printable ASCII.
    pub name: String,
    /// Why it is left alone.
    pub kind: OddKind,
}

/// The odd entries of one directory.
#[derive(Default)]
pub(super) struct Oddities {
    hasher: RandomState,
    lying: HashMap<u64, Lying>,
    round: u64,
    to_say: Vec<Odd>,
    said: usize,
    /// When the first of those that count as said was said.
    said_since: Option<Instant>,
    unsaid: u64,
    counted_at: Option<Instant>,
}

struct Lying {
    round: u64,
    kind: OddKind,
}

impl Oddities {
    /// A look begins.
    pub(super) fn begin(&mut self) {
        self.round += 1;
    }

    /// It was seen in this look; said unless it lay there before, of the same kind.
    pub(super) fn note(&mut self, name: &[u8], kind: OddKind, now: Instant) {
        let seen = Lying { round: self.round, kind };
        let before = self.lying.insert(self.hasher.hash_one(name), seen);
        if before.is_none_or(|before| before.kind != kind) {
            self.say(name, kind, now);
        }
    }

    /// The look is over: what it did not see is gone, and said again if it comes again.
    pub(super) fn end(&mut self) {
        self.lying.retain(|_, it| it.round == self.round);
    }

    /// Says it by name, or counts it.
    pub(super) fn say(&mut self, name: &[u8], kind: OddKind, now: Instant) {
        if self.said_since.is_none_or(|since| now.saturating_duration_since(since) >= WHILE) {
            (self.said_since, self.said) = (Some(now), 0);
        }
        if self.said < SAID_MAX {
            self.said += 1;
            self.to_say.push(Odd { name: name.escape_ascii().to_string(), kind });
        } else {
            self.unsaid = self.unsaid.saturating_add(1);
        }
    }

    /// What is to be said now, by name, and how many more there were, once in a [`WHILE`].
    pub(super) fn take(&mut self, now: Instant) -> (Vec<Odd>, u64) {
        let mut odd = std::mem::take(&mut self.to_say);
        odd.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let due = self.unsaid > 0 && self.counted_at.is_none_or(|at| now.saturating_duration_since(at) >= WHILE);
        if !due {
            return (odd, 0);
        }
        self.counted_at = Some(now);
        (odd, std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Clock, SystemClock};

    fn look(odd: &mut Oddities, names: std::ops::Range<u32>, kind: OddKind, now: Instant) -> (usize, u64) {
        odd.begin();
        for name in names {
            odd.note(&name.to_le_bytes(), kind, now);
        }
        odd.end();
        let (said, unsaid) = odd.take(now);
        (said.len(), unsaid)
    }

    #[test]
    fn a_million_are_some_names_and_a_number() {
        let (mut odd, start) = (Oddities::default(), SystemClock.monotonic());
        assert_eq!(look(&mut odd, 0..1_000_000, OddKind::Fifo, start), (SAID_MAX, 1_000_000 - SAID_MAX as u64));
        assert_eq!(look(&mut odd, 0..1_000_000, OddKind::Fifo, start + WHILE), (0, 0), "each of them counts once");
        assert!(odd.to_say.capacity() <= 2 * SAID_MAX);
        assert_eq!(look(&mut odd, 0..0, OddKind::Fifo, start + WHILE), (0, 0));
        assert!(odd.lying.is_empty(), "what is gone is forgotten");
        assert_eq!(look(&mut odd, 0..1, OddKind::Fifo, start + WHILE), (1, 0), "and said when it comes again");
    }

    #[test]
    fn one_that_changes_at_every_look_fills_no_log() {
        let (mut odd, start) = (Oddities::default(), SystemClock.monotonic());
        let (mut names, mut numbers, mut counted) = (0, 0, 0);
        // A look every 10 ms, for an hour.
        for n in 0..360_000_u32 {
            let kind = if n % 2 == 0 { OddKind::Fifo } else { OddKind::Symlink };
            let (said, unsaid) = look(&mut odd, 0..1, kind, start + Duration::from_millis(10) * n);
            (names, numbers, counted) = (names + said, numbers + u32::from(unsaid > 0), counted + unsaid);
        }
        assert_eq!((names, numbers), (6 * SAID_MAX, 6));
        assert!(counted > 250_000, "{counted}");
    }
}
