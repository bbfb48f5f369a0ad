//! One issuer's inbound directory: what lies there, what is still changing, what is whole.
//!
//! Whole means: its name says nothing against it, its identity has stayed the same for `settle` by our own monotonic
//! clock, and its done marker lies beside it where its feed wants one. Scans alone decide; events only make the next
//! one earlier. The memory kept is a few bytes for each entry that is left alone, more for each file and each file in hand,
//! and bounded for a directory that is filled without end.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use super::directory::{Directory, Identity};
use super::name::{Name, aside_of, compare_names};
use super::odd::{Odd, OddKind, Oddities};
use super::{IntakeError, Patterns, original};

/// What of a feed decides whose a file is and when it is whole.
#[derive(Clone, Debug)]
pub struct FeedRule {
    /// The feed's name.
    pub name: String,
    /// A glob that the whole name must match.
    pub files: String,
    /// A file waits for its `NAME.done`.
    pub done_marker: bool,
}

/// How one issuer's inbound directory is watched.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory.
    pub inbound: PathBuf,
    /// This issuer's feeds, in configuration order.
    pub feeds: Vec<FeedRule>,
    /// How long a file stays unchanged before it is looked at.
    pub settle: Duration,
    /// How long a file that ends early stays unchanged before its end is believed.
    pub stalled: Duration,
}

/// Which of the issuer's feeds a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedMatch {
    /// The feed with this index in [`Options::feeds`].
    One(usize),
    /// None: to be refused, `FEED_UNKNOWN`.
    None,
    /// Two or more: to be refused, `FEED_UNKNOWN`.
    Several,
}

/// A file that is whole as far as can be told from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name: [`super::is_arrival_name`] holds.
    pub name: String,
    /// Whose it is.
    pub feed: FeedMatch,
    /// What was seen; [`super::claim`] takes this and nothing else.
    pub identity: Identity,
    /// It has stayed unchanged for `stalled`: if it ends early, it is to be refused and not waited for.
    pub last_word: bool,
}

/// What one scan saw.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What is whole now, in arrival order.
    pub ready: Vec<Candidate>,
    /// What is left alone and has not been said yet, by name.
    pub odd: Vec<Odd>,
    /// How many more there were, which are not said by name.
    pub odd_unsaid: u64,
    /// In how long the next entry may become ready by staying unchanged; `None` when time alone makes none ready.
    pub next_change: Option<Duration>,
    /// Files that are still settling.
    pub settling: usize,
    /// Files that have settled and wait for their done marker.
    pub without_marker: usize,
    /// Files that ended early and have not yet stayed unchanged for `stalled`, in order.
    pub stalled_waiting: Vec<String>,
}

/// Entries looked at in one scan: a directory that is renamed in without end can be read without end.
const ENTRIES_MAX: usize = 2_000_000;

/// Files remembered. With more in a directory the rest is seen once some of these are gone.
const FILES_MAX: usize = 100_000;

/// How soon to look again whether a proof is over.
const PROOF_LOOK: Duration = Duration::from_millis(500);

/// One issuer's inbound directory and what is remembered of it.
pub struct Inbox {
    options: Options,
    patterns: Patterns,
    /// Counts scans, so that an entry that the last one did not see is known to be gone.
    round: u64,
    seen: HashMap<Box<[u8]>, Seen>,
    odd: Oddities,
    entries_max: usize,
    files_max: usize,
    /// Files that were claimed and whose originals still lie there. Kept by name and identity: the same name with
    /// other content is a new arrival.
    in_hand: HashMap<String, Identity>,
    /// Those of them of which it is not known yet whether they are whole.
    unproven: HashMap<String, Identity>,
}

struct Seen {
    round: u64,
    what: What,
    /// When it was first seen to be exactly this.
    since: Instant,
    /// Its oddness has been said.
    told: bool,
    /// It was read, and ended early.
    ended_early: bool,
    /// It could not be opened.
    denied: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    File {
        identity: Identity,
        one_link: bool,
    },
    /// An original moved aside by a removal that was cut off.
    Aside(Identity),
}

impl Inbox {
    /// Begins with nothing remembered; the directory need not exist yet.
    pub fn new(options: Options) -> Result<Self, IntakeError> {
        let patterns = Patterns::new(&options.feeds)?;
        Ok(Self {
            options,
            patterns,
            round: 0,
            seen: HashMap::new(),
            odd: Oddities::default(),
            entries_max: ENTRIES_MAX,
            files_max: FILES_MAX,
            in_hand: HashMap::new(),
            unproven: HashMap::new(),
        })
    }

    /// Goes on by other rules with all that it remembers. The directory stays the one that it is of.
    pub fn go_on_by(&mut self, options: Options) -> Result<(), IntakeError> {
        self.patterns = Patterns::new(&options.feeds)?;
        self.options = Options { inbound: std::mem::take(&mut self.options.inbound), ..options };
        Ok(())
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.options.inbound
    }

    /// Looks once. When it fails nothing is forgotten: a directory that comes back is gone on with.
    pub fn scan(&mut self, now: Instant) -> Result<Look, IntakeError> {
        let dir = Directory::open(&self.options.inbound)?;
        let mut markers: HashSet<Box<str>> = HashSet::new();
        self.round += 1;
        self.odd.begin();
        let mut all = true;
        for (n, entry) in dir.entries()?.enumerate() {
            let entry = entry?;
            if n >= self.entries_max {
                all = false;
                break;
            }
            let bytes = entry.file_name().to_bytes();
            let name = Name::of(bytes);
            let found = match name {
                Name::Temporary => continue,
                Name::Odd => Err(OddKind::Name),
                Name::Arrival(_) | Name::Marker(_) | Name::Aside(_) => match dir.stat(entry.file_name()) {
                    Ok(None) => continue,
                    Ok(Some(stat)) => What::of(&stat),
                    Err(errno @ (Errno::ACCESS | Errno::NOMEM)) => {
                        return Err(dir.failed("look into the directory", "", errno));
                    }
                    Err(_) => Err(OddKind::Unreadable),
                },
            };
            match (name, found) {
                (_, Err(kind)) => self.odd.note(bytes, kind, now),
                (Name::Marker(stem), Ok(_)) if markers.len() < self.files_max => {
                    markers.insert(stem.into());
                }
                (Name::Marker(_), Ok(_)) => all = false,
                (Name::Aside(_), Ok(What::File { identity, .. })) => {
                    all &= self.note(bytes, What::Aside(identity), now)
                }
                (_, Ok(what)) => all &= self.note(bytes, what, now),
            }
        }
        if !all {
            self.odd.note(b".", OddKind::TooMany, now);
        }
        self.odd.end();
        let round = self.round;
        self.seen.retain(|_, seen| seen.round == round);
        Ok(self.judge(&dir, &markers, now))
    }

    /// The file is in hand, or its original waits to be removed: it is not offered again while it is the same.
    /// Also called for every open file of the ledger before the first scan of a process.
    pub fn claimed(&mut self, name: &str, identity: Identity) {
        self.in_hand.insert(name.to_owned(), identity);
    }

    /// The file in hand is about to be proven. Until that is over, what has taken its place under its name is not offered: it may
    /// be the same upload, further on, and its claim is to find the name as if there had been no other.
    pub fn proving(&mut self, name: &str, identity: Identity) {
        self.unproven.insert(name.to_owned(), identity);
    }

    /// Its proof is over, whatever came of it.
    pub fn proven(&mut self, name: &str, identity: &Identity) {
        if self.unproven.get(name) == Some(identity) {
            self.unproven.remove(name);
        }
    }

    /// The file is no longer in hand: its original was removed, or its claim came to nothing. Whatever lies under the
    /// name settles anew. Must follow every [`Self::claimed`] in the end; a later claim of the same name stays.
    pub fn forget(&mut self, name: &str, identity: &Identity) {
        if self.release(name, identity) {
            self.seen.remove(name.as_bytes());
        }
    }

    /// A claimed file was found to end early and its copy discarded: it is offered again once its original has stayed
    /// unchanged for `stalled`, then with [`Candidate::last_word`], or has changed and settled again.
    pub fn ended_early(&mut self, name: &str, identity: &Identity) {
        self.release(name, identity);
        if let Some(seen) = self.seen_as(name, identity) {
            seen.ended_early = true;
        }
    }

    /// [`super::claim`] was denied the file: it is left alone, and said once by the next scan, until it changes
    /// (a change of mode is one).
    pub fn denied(&mut self, name: &str, identity: &Identity) {
        self.release(name, identity);
        if let Some(seen) = self.seen_as(name, identity) {
            seen.denied = true;
        }
    }

    fn release(&mut self, name: &str, identity: &Identity) -> bool {
        self.proven(name, identity);
        self.in_hand.get(name) == Some(identity) && self.in_hand.remove(name).is_some()
    }

    fn seen_as(&mut self, name: &str, identity: &Identity) -> Option<&mut Seen> {
        let same = |seen: &&mut Seen| matches!(seen.what, What::File { identity: ref it, .. } if it == identity);
        self.seen.get_mut(name.as_bytes()).filter(same)
    }

    /// `false`: there is no room to remember it.
    fn note(&mut self, name: &[u8], what: What, now: Instant) -> bool {
        let fresh = Seen { round: self.round, what, since: now, told: false, ended_early: false, denied: false };
        let room = self.seen.len() < self.files_max;
        match self.seen.get_mut(name) {
            Some(seen) if seen.what == what => seen.round = self.round,
            Some(seen) => *seen = fresh,
            None if !room => return false,
            None => {
                self.seen.insert(name.into(), fresh);
            }
        }
        true
    }

    fn judge(&mut self, dir: &Directory, markers: &HashSet<Box<str>>, now: Instant) -> Look {
        let mut look = Look::default();
        let Self { options, patterns, seen, odd, in_hand, unproven, .. } = self;
        for (bytes, seen) in seen {
            let unchanged = now.saturating_duration_since(seen.since);
            let mut say = |kind: OddKind| {
                if !std::mem::replace(&mut seen.told, true) {
                    odd.say(bytes, kind, now);
                }
            };
            match (seen.what, Name::of(bytes)) {
                (What::Aside(identity), Name::Aside(stem)) => {
                    // A removal in progress takes an instant, and one that was cut off is repeated while in hand.
                    if in_hand.contains_key(stem) {
                        continue;
                    }
                    if unchanged < options.settle {
                        look.wait(options.settle - unchanged);
                        continue;
                    }
                    match original::put_back(dir, &aside_of(stem), stem, &identity) {
                        Ok(true) => look.wait(options.settle),
                        // Its name is taken: it waits until it is free.
                        Ok(false) => {}
                        Err(_) => say(OddKind::Unreadable),
                    }
                }
                (What::File { identity, one_link }, Name::Arrival(name)) => {
                    if in_hand.get(name) == Some(&identity) {
                        continue;
                    }
                    if unproven.contains_key(name) {
                        look.wait(options.settle.min(PROOF_LOOK));
                        continue;
                    }
                    let wanted = if seen.ended_early { options.stalled.max(options.settle) } else { options.settle };
                    if unchanged < wanted {
                        if seen.ended_early {
                            look.stalled_waiting.push(name.to_owned());
                            look.sooner(wanted - unchanged);
                        } else {
                            look.wait(wanted - unchanged);
                        }
                    } else if !one_link {
                        // Not before it has settled: some servers rename by link and unlink.
                        say(OddKind::SeveralLinks);
                    } else if seen.denied {
                        say(OddKind::Unreadable);
                    } else {
                        let feeds = patterns.matching(name);
                        let marked = |&feed: &usize| !options.feeds[feed].done_marker || markers.contains(name);
                        if !feeds.iter().all(marked) {
                            look.without_marker += 1;
                            continue;
                        }
                        let feed = FeedMatch::of(&feeds);
                        let last_word = unchanged >= options.stalled;
                        look.ready.push(Candidate { name: name.to_owned(), feed, identity, last_word });
                    }
                }
                (What::File { .. } | What::Aside(_), _) => {}
            }
        }
        (look.odd, look.odd_unsaid) = self.odd.take(now);
        look.in_order()
    }
}

impl What {
    /// A file, or why it is left alone.
    fn of(stat: &Stat) -> Result<Self, OddKind> {
        Err(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                return Ok(Self::File { identity: Identity::of(stat), one_link: stat.st_nlink == 1 });
            }
            FileType::Directory => OddKind::Directory,
            FileType::Symlink => OddKind::Symlink,
            FileType::Fifo => OddKind::Fifo,
            FileType::Socket => OddKind::Socket,
            FileType::CharacterDevice | FileType::BlockDevice => OddKind::Device,
            FileType::Unknown => OddKind::Other,
        })
    }
}

impl Look {
    fn wait(&mut self, remaining: Duration) {
        self.settling += 1;
        self.sooner(remaining);
    }

    fn sooner(&mut self, remaining: Duration) {
        self.next_change = Some(self.next_change.map_or(remaining, |next| next.min(remaining)));
    }

    /// Feeds in configuration order, files of no single feed last; then names.
    fn in_order(mut self) -> Self {
        let rank = |candidate: &Candidate| match candidate.feed {
            FeedMatch::One(feed) => feed,
            FeedMatch::None | FeedMatch::Several => usize::MAX,
        };
        self.ready.sort_unstable_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| compare_names(&a.name, &b.name)));
        self.stalled_waiting.sort_unstable_by(|a, b| compare_names(a, b));
        self
    }
}

#[cfg(test)]
mod tests;
