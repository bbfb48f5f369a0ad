use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{CWD, Mode, mknodat};

use super::*;
use crate::intake::testing::{World, until_seen};
use crate::intake::{Claim, Removal, claim, remove_original};

mod crowded;
mod ended_early;

const SETTLE: Duration = Duration::from_secs(5);
const STALLED: Duration = Duration::from_secs(600);
const SECOND: Duration = Duration::from_secs(1);

/// An inbox over a world, and a monotonic clock that a test moves.
struct Watch {
    world: World,
    inbox: Inbox,
    now: Instant,
}

impl Watch {
    fn new(feeds: &[(&str, bool)]) -> Self {
        Self::with(feeds, STALLED)
    }

    #[expect(clippy::disallowed_methods, reason = "a beginning for a clock that the test moves by itself")]
    fn with(feeds: &[(&str, bool)], stalled: Duration) -> Self {
        let world = World::new();
        let rule = |&(files, done_marker): &(&str, bool)| FeedRule {
            name: files.to_lowercase(),
            files: files.to_owned(),
            done_marker,
        };
        let feeds = feeds.iter().map(rule).collect();
        let options = Options { inbound: world.inbound.clone(), feeds, settle: SETTLE, stalled };
        Self { world, inbox: Inbox::new(options).unwrap(), now: Instant::now() }
    }

    fn look(&mut self) -> Look {
        self.inbox.scan(self.now).unwrap()
    }

    fn after(&mut self, time: Duration) -> Look {
        self.now += time;
        self.look()
    }

    /// Names that are ready once everything has settled.
    fn settled(&mut self) -> Vec<String> {
        self.look();
        names(&self.after(SETTLE))
    }

    /// Says that the file is ready, and claims it.
    fn claims(&mut self, name: &str, look: &Look) -> Candidate {
        let candidate = look.ready.iter().find(|it| it.name == name).expect("is ready").clone();
        self.inbox.claimed(name, candidate.identity);
        candidate
    }
}

fn names(look: &Look) -> Vec<String> {
    look.ready.iter().map(|candidate| candidate.name.clone()).collect()
}

fn odd(look: &Look) -> Vec<(&str, OddKind)> {
    look.odd.iter().map(|odd| (odd.name.as_str(), odd.kind)).collect()
}

#[test]
fn a_file_is_whole_after_it_stayed_unchanged_by_our_clock() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "one");
    let look = watch.look();
    assert_eq!((names(&look), look.settling, look.next_change), (vec![], 1, Some(SETTLE)));
    let look = watch.after(SETTLE - SECOND);
    assert_eq!((names(&look), look.settling, look.next_change), (vec![], 1, Some(SECOND)));
    let look = watch.after(SECOND);
    let expected = Candidate {
        name: "A.csv".into(),
        feed: FeedMatch::One(0),
        identity: watch.world.identity("A.csv"),
        last_word: false,
    };
    assert_eq!((look.ready, look.settling, look.next_change), (vec![expected], 0, None));
}

#[test]
fn any_change_begins_settling_anew() {
    type Change = fn(&World);
    let changes: [(&str, Change); 5] = [
        ("grown", |world| world.append("A.csv", "more")),
        ("rewritten with its old time restored", |world| world.rewrite_in_place("A.csv", "two")),
        ("replaced by another inode", |world| world.replace("A.csv", "one")),
        ("renamed away and back", |world| {
            let before = world.identity("A.csv");
            until_seen(|| {
                fs::rename(world.inbound.join("A.csv"), world.inbound.join("B")).unwrap();
                fs::rename(world.inbound.join("B"), world.inbound.join("A.csv")).unwrap();
                world.identity("A.csv") != before
            });
        }),
        ("its time changed", |world| {
            let file = fs::File::options().write(true).open(world.inbound.join("A.csv")).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }),
    ];
    for (what, change) in changes {
        let mut watch = Watch::new(&[("A*", false)]);
        watch.world.put("A.csv", "one");
        watch.look();
        change(&watch.world);
        let look = watch.after(SETTLE);
        assert_eq!((names(&look), look.settling), (vec![], 1), "{what}");
        assert!(names(&watch.after(SETTLE - SECOND)).is_empty(), "{what}");
        assert_eq!(names(&watch.after(SECOND)), ["A.csv"], "{what}");
    }
}

#[test]
fn a_file_that_was_gone_at_one_scan_settles_anew() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "one");
    watch.look();
    let away = watch.world.work.join("away");
    fs::rename(watch.world.inbound.join("A.csv"), &away).unwrap();
    assert_eq!(watch.after(SETTLE).settling, 0);
    assert!(watch.inbox.seen.is_empty(), "nothing is remembered of what is gone");
    fs::rename(away, watch.world.inbound.join("A.csv")).unwrap();
    assert!(watch.look().ready.is_empty());
    assert_eq!(names(&watch.after(SETTLE)), ["A.csv"]);
}

#[test]
fn temporary_names_and_markers_are_never_arrivals_and_never_odd() {
    let mut watch = Watch::new(&[("*", false)]);
    for name in ["A.csv.tmp", "A.PART", ".A", "A~", "A.csv.done", "A.filepart", "B.done"] {
        watch.world.put(name, "x");
    }
    fs::create_dir(watch.world.inbound.join(".ssh")).unwrap();
    watch.look();
    let look = watch.after(SETTLE);
    assert!(look.ready.is_empty() && look.odd.is_empty() && look.next_change.is_none(), "{look:?}");
}

#[test]
fn a_feed_with_markers_waits_for_them_and_others_do_not() {
    let mut watch = Watch::new(&[("A*", true), ("B*", false)]);
    watch.world.put("A.csv", "x");
    watch.world.put("B.csv", "x");
    watch.world.put("C.csv", "x");
    assert_eq!(watch.settled(), ["B.csv", "C.csv"]);
    let look = watch.look();
    // Time alone does not bring the marker: `next_change` must not make anybody wait for it.
    assert_eq!((look.without_marker, look.settling, look.next_change), (1, 0, None));
    watch.world.put("A.csv.done", "");
    assert_eq!(names(&watch.look()), ["A.csv", "B.csv", "C.csv"]);
    watch.world.append("A.csv", "more");
    assert_eq!(names(&watch.look()), ["B.csv", "C.csv"], "a marker does not replace settling");
}

#[test]
fn a_file_of_two_feeds_waits_for_the_marker_that_one_of_them_wants() {
    let mut watch = Watch::new(&[("A*", false), ("*.csv", true)]);
    watch.world.put("A.csv", "x");
    assert!(watch.settled().is_empty());
    watch.world.put("A.csv.done", "");
    assert_eq!(watch.look().ready[0].feed, FeedMatch::Several);
}

#[test]
fn a_marker_must_be_a_regular_file() {
    let mut watch = Watch::new(&[("A*", true)]);
    watch.world.put("A.csv", "x");
    fs::create_dir(watch.world.inbound.join("A.csv.done")).unwrap();
    assert_eq!(odd(&watch.look()), [("A.csv.done", OddKind::Directory)]);
    let look = watch.after(SETTLE);
    assert_eq!((names(&look), look.without_marker), (vec![], 1));
}

#[test]
fn odd_entries_are_said_once_while_they_lie_there() {
    let mut watch = Watch::new(&[("*", false)]);
    let at = |name: &str| watch.world.inbound.join(name);
    symlink("/etc/passwd", at("link.csv")).unwrap();
    symlink("nowhere", at("dangling.csv")).unwrap();
    fs::create_dir(at("dir.csv")).unwrap();
    mknodat(CWD, at("fifo.csv"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket.csv")).unwrap();
    fs::write(at("new\nline"), "x").unwrap();
    fs::write(at("-dash"), "x").unwrap();
    fs::write(at("ä"), "x").unwrap();
    let all = [
        ("-dash", OddKind::Name),
        ("\\xc3\\xa4", OddKind::Name),
        ("dangling.csv", OddKind::Symlink),
        ("dir.csv", OddKind::Directory),
        ("fifo.csv", OddKind::Fifo),
        ("link.csv", OddKind::Symlink),
        ("new\\nline", OddKind::Name),
        ("socket.csv", OddKind::Socket),
    ];
    assert_eq!(odd(&watch.look()), all);
    let look = watch.after(SETTLE);
    assert!(look.odd.is_empty() && look.ready.is_empty() && look.next_change.is_none(), "{look:?}");

    let at = |name: &str| watch.world.inbound.join(name);
    fs::remove_file(at("fifo.csv")).unwrap();
    symlink("x", at("fifo.csv")).unwrap();
    fs::remove_file(at("link.csv")).unwrap();
    assert_eq!(odd(&watch.look()), [("fifo.csv", OddKind::Symlink)], "another kind is said");
    symlink("x", watch.world.inbound.join("link.csv")).unwrap();
    assert_eq!(odd(&watch.look()), [("link.csv", OddKind::Symlink)], "one that came again is said");
}

#[test]
fn several_links_are_odd_only_after_settling_and_no_longer_when_one_is_left() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "x");
    fs::hard_link(watch.world.inbound.join("A.csv"), watch.world.work.join("other")).unwrap();
    assert!(watch.look().odd.is_empty());
    let look = watch.after(SETTLE);
    assert_eq!((odd(&look), names(&look)), (vec![("A.csv", OddKind::SeveralLinks)], vec![]));
    assert!(watch.after(SETTLE).odd.is_empty(), "said once");
    fs::remove_file(watch.world.work.join("other")).unwrap();
    assert_eq!(watch.settled(), ["A.csv"]);
}

#[test]
fn a_rename_by_link_and_unlink_is_no_oddity() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.part", "x");
    fs::hard_link(watch.world.inbound.join("A.part"), watch.world.inbound.join("A.csv")).unwrap();
    assert!(watch.look().odd.is_empty());
    fs::remove_file(watch.world.inbound.join("A.part")).unwrap();
    let look = watch.after(SETTLE);
    assert!(look.odd.is_empty() && look.ready.is_empty(), "{look:?}");
    assert_eq!(names(&watch.after(SETTLE)), ["A.csv"]);
}

#[test]
fn a_name_of_two_feeds_or_none_is_offered_as_such() {
    let mut watch = Watch::new(&[("A_*", false), ("*_1.csv", false), ("B[0-9]", false)]);
    for name in ["A_1.csv", "A_2.csv", "X_1.csv", "B7", "B77", "xA_2.csv"] {
        watch.world.put(name, "x");
    }
    watch.look();
    let look = watch.after(SETTLE);
    let feeds: Vec<_> = look.ready.iter().map(|it| (it.name.as_str(), it.feed)).collect();
    assert_eq!(
        feeds,
        [
            ("A_2.csv", FeedMatch::One(0)),
            ("X_1.csv", FeedMatch::One(1)),
            ("B7", FeedMatch::One(2)),
            ("A_1.csv", FeedMatch::Several),
            ("B77", FeedMatch::None),
            ("xA_2.csv", FeedMatch::None),
        ]
    );
}

#[test]
fn arrivals_are_ordered_by_feed_then_name_with_numbers() {
    let mut watch = Watch::new(&[("Z_*", false), ("A_*", false)]);
    for name in ["A_10", "A_9", "Z_2", "B_1", "Z_11", "A_1"] {
        watch.world.put(name, "x");
    }
    assert_eq!(watch.settled(), ["Z_2", "Z_11", "A_1", "A_9", "A_10", "B_1"]);
}

#[test]
fn a_file_in_hand_is_not_offered_until_it_changes() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "x");
    watch.look();
    let look = watch.after(SETTLE);
    assert_eq!(names(&watch.look()), ["A.csv"], "offered until somebody claims it");
    let first = watch.claims("A.csv", &look);
    let look = watch.after(SETTLE);
    assert!(look.ready.is_empty() && look.settling == 0, "{look:?}");

    watch.world.append("A.csv", "more");
    assert_eq!(watch.look().settling, 1);
    let look = watch.after(SETTLE);
    let second = watch.claims("A.csv", &look);
    assert_ne!(first.identity, second.identity);
    // The first one's end takes nothing from the second.
    assert_eq!(remove_original(&watch.world.inbound, "A.csv", &first.identity).unwrap(), Removal::Changed);
    watch.inbox.forget("A.csv", &first.identity);
    assert!(watch.settled().is_empty());
    assert_eq!(remove_original(&watch.world.inbound, "A.csv", &second.identity).unwrap(), Removal::Removed);
    watch.inbox.forget("A.csv", &second.identity);
    watch.look();
    assert!(watch.inbox.seen.is_empty() && watch.inbox.in_hand.is_empty());
}

#[test]
fn files_in_hand_at_a_restart_are_not_offered() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "x");
    watch.world.put("A2.csv", "x");
    watch.inbox.claimed("A.csv", watch.world.identity("A.csv"));
    assert_eq!(watch.settled(), ["A2.csv"]);
}

#[test]
fn a_directory_that_goes_and_comes_is_gone_on_with() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "x");
    watch.look();
    let away = watch.world.work.join("away");
    fs::rename(&watch.world.inbound, &away).unwrap();
    let error = watch.inbox.scan(watch.now).unwrap_err();
    assert_eq!(error.retry(), crate::model::Retry::Later);
    assert!(!error.is_fatal());
    fs::rename(&away, &watch.world.inbound).unwrap();
    assert_eq!(names(&watch.after(SETTLE)), ["A.csv"]);
}

#[test]
fn a_claim_that_came_to_nothing_settles_anew() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "x");
    watch.look();
    let look = watch.after(SETTLE);
    let candidate = watch.claims("A.csv", &look);
    watch.inbox.forget("A.csv", &candidate.identity);
    assert_eq!(watch.look().settling, 1);
    assert_eq!(names(&watch.after(SETTLE)), ["A.csv"]);
}

#[test]
fn a_file_we_may_not_read_is_said_once_and_looked_at_again_when_it_changes() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "x");
    watch.look();
    let look = watch.after(SETTLE);
    let candidate = watch.claims("A.csv", &look);
    watch.inbox.denied("A.csv", &candidate.identity);
    assert_eq!(odd(&watch.look()), [("A.csv", OddKind::Unreadable)]);
    let look = watch.after(SETTLE);
    assert!(look.odd.is_empty() && look.ready.is_empty(), "{look:?}");
    let path = watch.world.inbound.join("A.csv");
    until_seen(|| {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        watch.world.identity("A.csv") != candidate.identity
    });
    assert_eq!(watch.settled(), ["A.csv"]);
}

#[test]
fn a_file_that_a_crash_left_aside_comes_back_as_an_arrival() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put(&aside_of("A.csv"), "x");
    let look = watch.look();
    assert_eq!((look.settling, look.next_change), (1, Some(SETTLE)));
    watch.after(SETTLE);
    assert_eq!(watch.world.lying(), ["A.csv"]);
    assert_eq!(watch.settled(), ["A.csv"]);

    // Neither while its removal will be repeated, nor over a file that has its name.
    watch.inbox.claimed("A.csv", watch.world.identity("A.csv"));
    fs::rename(watch.world.inbound.join("A.csv"), watch.world.inbound.join(aside_of("A.csv"))).unwrap();
    watch.settled();
    assert_eq!(watch.world.lying(), [aside_of("A.csv")]);
    watch.inbox.in_hand.clear();
    watch.world.put("A.csv", "new");
    watch.settled();
    let look = watch.after(SETTLE);
    assert_eq!(look.settling, 0, "nobody waits for it");
    assert_eq!(watch.world.lying(), [aside_of("A.csv"), "A.csv".to_owned()]);
    assert_eq!(watch.world.read("A.csv"), "new");
}

#[test]
fn what_is_offered_can_be_claimed() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "one");
    watch.look();
    let look = watch.after(SETTLE);
    let claimed = claim(&watch.world.inbound, &look.ready[0], &watch.world.work, "00000001", 1 << 20).unwrap();
    assert!(matches!(claimed, Claim::Whole { bytes: 3, .. }), "{claimed:?}");
    assert_eq!(names(&watch.look()), ["A.csv"], "reading it is no change");
}

#[test]
fn a_pattern_that_does_not_compile_names_its_feed() {
    let feeds = vec![FeedRule { name: "cards".into(), files: "A[".into(), done_marker: false }];
    let options = Options { inbound: PathBuf::new(), feeds, settle: SETTLE, stalled: STALLED };
    let Err(error) = Inbox::new(options) else { panic!("compiled") };
    assert_eq!(error.to_string(), "the file pattern of feed cards is not a valid glob");
    assert_eq!(error.retry(), crate::model::Retry::Never);
}
