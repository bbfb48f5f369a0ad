//! A directory on a partner's server, from one listing to the next: what still changes, what is whole. Free of IO.
//!
//! A server tells names, sizes and times of writing, and no more. Whole means: its name says nothing against it, two listings
//! at least `settle` apart by our own monotonic clock show the same size and time, and its done marker is listed where its
//! feed wants one. What was taken before is told by whoever asks, from the ledger.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::inbox::{FeedMatch, FeedRule};
use super::name::{Name, compare_names};
use super::odd::{Odd, OddKind, Oddities};
use super::{IntakeError, Patterns};

/// What kind of thing a listing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedKind {
    /// A regular file, as far as the server says.
    File,
    /// A directory.
    Directory,
    /// A link; it is not followed.
    Link,
    /// Anything else.
    Other,
}

/// An entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, as it came.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: ListedKind,
    /// Its size and time of writing.
    pub mark: Mark,
}

/// What tells one state of a file on a server from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: u64,
}

/// A file on a server that is whole as far as can be told from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetchable {
    /// Its name: [`super::is_arrival_name`] holds.
    pub name: String,
    /// Whose it is.
    pub feed: FeedMatch,
    /// What was listed.
    pub mark: Mark,
    /// If it ends early, it is to be refused and not waited for.
    pub last_word: bool,
}

/// What one listing showed.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// What is whole now, in arrival order.
    pub ready: Vec<Fetchable>,
    /// What is left alone and has not been said yet, by name.
    pub odd: Vec<Odd>,
    /// How many more there were, which are not said by name.
    pub odd_unsaid: u64,
    /// Files that a removal cut off has left under another name: the name that they had, and what they are.
    pub aside: Vec<(String, Mark)>,
    /// In how long the next entry may become ready by staying unchanged.
    pub next_change: Option<Duration>,
    /// Files that are still settling.
    pub settling: usize,
    /// Files that ended early and have not yet stayed unchanged for `stalled`, in order.
    pub stalled_waiting: Vec<String>,
}

/// A source's directory and what is remembered of it.
pub struct RemoteInbox {
    feeds: Vec<FeedRule>,
    patterns: Patterns,
    settle: Duration,
    stalled: Duration,
    seen: HashMap<Vec<u8>, Seen>,
    odd: Oddities,
    /// Names of files that were fetched and of which it is not known yet whether they are whole.
    unproven: HashSet<String>,
}

struct Seen {
    mark: Mark,
    /// When it was first listed as exactly this.
    since: Instant,
    /// It was read, and ended early.
    ended_early: bool,
}

impl RemoteInbox {
    /// Begins with nothing remembered. The feeds are the issuer's, in configuration order.
    pub fn new(feeds: Vec<FeedRule>, settle: Duration, stalled: Duration) -> Result<Self, IntakeError> {
        Ok(Self {
            patterns: Patterns::new(&feeds)?,
            feeds,
            settle,
            stalled,
            seen: HashMap::new(),
            odd: Oddities::default(),
            unproven: HashSet::new(),
        })
    }

    /// Goes on by other rules with all that it remembers.
    pub fn go_on_by(&mut self, feeds: Vec<FeedRule>, settle: Duration, stalled: Duration) -> Result<(), IntakeError> {
        self.patterns = Patterns::new(&feeds)?;
        (self.feeds, self.settle, self.stalled) = (feeds, settle, stalled);
        Ok(())
    }

    /// Takes a listing in. `taken` are names and marks of what was taken before and is not known to be gone.
    pub fn look(&mut self, listing: &[Listed], taken: &HashSet<(String, Mark)>, now: Instant) -> Shown {
        let mut shown = Shown::default();
        let listed: HashSet<&[u8]> = listing.iter().map(|entry| &entry.name[..]).collect();
        self.seen.retain(|name, _| listed.contains(&name[..]));
        let markers: HashSet<&str> = listing
            .iter()
            .filter(|entry| entry.kind == ListedKind::File)
            .filter_map(|entry| match Name::of(&entry.name) {
                Name::Marker(stem) => Some(stem),
                _ => None,
            })
            .collect();
        self.odd.begin();
        for entry in listing {
            let odd = match (Name::of(&entry.name), entry.kind) {
                (Name::Temporary, _) | (Name::Marker(_), ListedKind::File) => continue,
                (Name::Odd, _) => OddKind::Name,
                (Name::Aside(stem), ListedKind::File) => {
                    shown.aside.push((stem.to_owned(), entry.mark));
                    continue;
                }
                (_, ListedKind::Directory) => OddKind::Directory,
                (_, ListedKind::Link) => OddKind::Symlink,
                (_, ListedKind::Other) => OddKind::Other,
                (Name::Arrival(name), ListedKind::File) => {
                    if !taken.contains(&(name.to_owned(), entry.mark)) {
                        self.judge(name, entry.mark, &markers, now, &mut shown);
                    }
                    continue;
                }
            };
            self.seen.remove(&entry.name);
            self.odd.note(&entry.name, odd, now);
        }
        self.odd.end();
        (shown.odd, shown.odd_unsaid) = self.odd.take(now);
        shown.in_order()
    }

    fn judge(&mut self, name: &str, mark: Mark, markers: &HashSet<&str>, now: Instant, shown: &mut Shown) {
        let fresh = Seen { mark, since: now, ended_early: false };
        let seen = match self.seen.get_mut(name.as_bytes()) {
            Some(seen) if seen.mark == mark => seen,
            _ => {
                // Once is not twice, however short the time to settle is.
                self.seen.insert(name.as_bytes().to_vec(), fresh);
                return shown.wait(self.settle);
            }
        };
        let unchanged = now.saturating_duration_since(seen.since);
        let wanted = if seen.ended_early { self.stalled.max(self.settle) } else { self.settle };
        if unchanged < wanted {
            if seen.ended_early {
                shown.stalled_waiting.push(name.to_owned());
                return shown.sooner(wanted - unchanged);
            }
            return shown.wait(wanted - unchanged);
        }
        if self.unproven.contains(name) {
            return shown.wait(self.settle);
        }
        let matching = self.patterns.matching(name);
        if matching.iter().any(|&feed| self.feeds[feed].done_marker && !markers.contains(name)) {
            return;
        }
        let last_word = unchanged >= self.stalled;
        shown.ready.push(Fetchable { name: name.to_owned(), feed: FeedMatch::of(&matching), mark, last_word });
    }

    /// A fetched file is about to be proven. Until that is over, what has taken its place under its name is not offered.
    pub fn proving(&mut self, name: &str) {
        self.unproven.insert(name.to_owned());
    }

    /// Its proof is over, whatever came of it.
    pub fn proven(&mut self, name: &str) {
        self.unproven.remove(name);
    }

    /// Its claim came to nothing: it settles anew.
    pub fn forget(&mut self, name: &str) {
        self.proven(name);
        self.seen.remove(name.as_bytes());
    }

    /// It was fetched and found to end early: it is offered again once it has stayed unchanged for `stalled`.
    pub fn ended_early(&mut self, name: &str, mark: Mark) {
        self.proven(name);
        if let Some(seen) = self.seen.get_mut(name.as_bytes())
            && seen.mark == mark
        {
            seen.ended_early = true;
        }
    }
}

impl Shown {
    fn wait(&mut self, remaining: Duration) {
        self.settling += 1;
        self.sooner(remaining);
    }

    fn sooner(&mut self, remaining: Duration) {
        self.next_change = Some(self.next_change.map_or(remaining, |next| next.min(remaining)));
    }

    /// Feeds in configuration order, files of no single feed last; then names.
    fn in_order(mut self) -> Self {
        let rank = |it: &Fetchable| match it.feed {
            FeedMatch::One(feed) => feed,
            FeedMatch::None | FeedMatch::Several => usize::MAX,
        };
        self.ready.sort_unstable_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| compare_names(&a.name, &b.name)));
        self.stalled_waiting.sort_unstable_by(|a, b| compare_names(a, b));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Clock, SystemClock};

    const SETTLE: Duration = Duration::from_secs(5);
    const STALLED: Duration = Duration::from_secs(600);

    fn inbox() -> RemoteInbox {
        let feed =
            |name: &str, files: &str, done_marker| FeedRule { name: name.into(), files: files.into(), done_marker };
        let feeds = vec![feed("b", "B_*", false), feed("a", "A_*", false), feed("m", "M_*", true)];
        RemoteInbox::new(feeds, SETTLE, STALLED).unwrap()
    }

    fn entry(name: &str, size: u64) -> Listed {
        Listed { name: name.into(), kind: ListedKind::File, mark: Mark { size, mtime: 7 } }
    }

    fn names(shown: &Shown) -> Vec<&str> {
        shown.ready.iter().map(|it| it.name.as_str()).collect()
    }

    #[test]
    fn two_listings_that_agree_make_a_file_whole() {
        let (mut inbox, start, none) = (inbox(), SystemClock.monotonic(), HashSet::new());
        let listing = [entry("A_10", 1), entry("A_9", 1), entry("B_1", 1), entry("C_1", 1), entry("A_8.part", 1)];
        let first = inbox.look(&listing, &none, start);
        assert_eq!((names(&first).len(), first.settling, first.next_change), (0, 4, Some(SETTLE)));
        let grown = [entry("A_10", 2), entry("A_9", 1), entry("B_1", 1), entry("C_1", 1)];
        let second = inbox.look(&grown, &none, start + SETTLE);
        assert_eq!(names(&second), ["B_1", "A_9", "C_1"], "in order of feeds, then of names, with strangers last");
        assert_eq!(second.ready[2].feed, FeedMatch::None);
        assert!(!second.ready[0].last_word);
        let third = inbox.look(&grown, &none, start + SETTLE * 2);
        assert_eq!(names(&third), ["B_1", "A_9", "A_10", "C_1"]);

        let taken: HashSet<_> = grown.iter().map(|it| (String::from_utf8(it.name.clone()).unwrap(), it.mark)).collect();
        assert!(names(&inbox.look(&grown, &taken, start + SETTLE * 3)).is_empty());
        let replaced = [entry("A_9", 3)];
        let after = inbox.look(&replaced, &taken, start + SETTLE * 4);
        assert_eq!((names(&after).len(), after.settling), (0, 1), "another file under the name is another arrival");
    }

    #[test]
    fn no_time_to_settle_still_takes_two_listings() {
        let feeds = vec![FeedRule { name: "a".into(), files: "*".into(), done_marker: false }];
        let mut inbox = RemoteInbox::new(feeds, Duration::ZERO, Duration::ZERO).unwrap();
        let (start, none, listing) = (SystemClock.monotonic(), HashSet::new(), [entry("A", 1)]);
        assert!(names(&inbox.look(&listing, &none, start)).is_empty());
        let second = inbox.look(&listing, &none, start);
        assert_eq!((names(&second), second.ready[0].last_word), (vec!["A"], true));
    }

    #[test]
    fn a_file_that_ends_early_waits_until_it_has_stalled() {
        let (mut inbox, start, none) = (inbox(), SystemClock.monotonic(), HashSet::new());
        let listing = [entry("A_1", 1)];
        inbox.look(&listing, &none, start);
        assert_eq!(names(&inbox.look(&listing, &none, start + SETTLE)), ["A_1"]);
        inbox.ended_early("A_1", listing[0].mark);
        let waiting = inbox.look(&listing, &none, start + SETTLE * 2);
        assert_eq!(
            (waiting.stalled_waiting.as_slice(), waiting.next_change),
            (["A_1".to_owned()].as_slice(), Some(STALLED - SETTLE * 2))
        );
        let stalled = inbox.look(&listing, &none, start + STALLED);
        assert!(stalled.ready[0].last_word);
        // It went on: whatever was thought of it before, it settles as any other.
        let grown = [entry("A_1", 2)];
        inbox.look(&grown, &none, start + STALLED);
        let whole = inbox.look(&grown, &none, start + STALLED + SETTLE);
        assert_eq!((names(&whole), whole.ready[0].last_word), (vec!["A_1"], false));
    }

    #[test]
    fn what_took_a_files_place_waits_until_it_is_known_what_was_fetched() {
        let (mut inbox, start, none) = (inbox(), SystemClock.monotonic(), HashSet::new());
        inbox.look(&[entry("A_1", 1)], &none, start);
        assert_eq!(names(&inbox.look(&[entry("A_1", 1)], &none, start + SETTLE)), ["A_1"]);
        inbox.proving("A_1");
        let grown = [entry("A_1", 2)];
        inbox.look(&grown, &none, start + SETTLE);
        let later = inbox.look(&grown, &none, start + SETTLE * 2);
        assert_eq!((names(&later).len(), later.settling), (0, 1));
        inbox.proven("A_1");
        assert_eq!(names(&inbox.look(&grown, &none, start + SETTLE * 2)), ["A_1"]);
    }

    #[test]
    fn what_is_no_arrival_is_left_alone_and_said_once() {
        let (mut inbox, start, none) = (inbox(), SystemClock.monotonic(), HashSet::new());
        let other = |name: &[u8], kind| Listed { name: name.into(), kind, mark: Mark { size: 0, mtime: 0 } };
        let listing = [
            other(b"A_1", ListedKind::Directory),
            other(b"A_2", ListedKind::Link),
            other(b"A_3", ListedKind::Other),
            other(b"A_\n4", ListedKind::File),
            other(b"a/../b", ListedKind::File),
            other(b"-rf", ListedKind::File),
            other(&[b'A'; 5_000], ListedKind::File),
            other(b".A_5.nightdrop-removing", ListedKind::File),
            other(b"M_1", ListedKind::File),
        ];
        let first = inbox.look(&listing, &none, start);
        let odd: Vec<_> = first.odd.iter().map(|it| it.kind).collect();
        assert_eq!(odd.len(), 7, "{odd:?}");
        assert_eq!(first.aside, [("A_5".to_owned(), listing[7].mark)]);
        let second = inbox.look(&listing, &none, start + SETTLE);
        assert!(second.odd.is_empty());
        assert!(names(&second).is_empty(), "its marker has not come");
        let marked: Vec<_> = listing.into_iter().chain([other(b"M_1.done", ListedKind::File)]).collect();
        assert_eq!(names(&inbox.look(&marked, &none, start + SETTLE)), ["M_1"]);
    }
}
