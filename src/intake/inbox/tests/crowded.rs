//! Directories that somebody fills without end.

use super::*;

#[test]
fn what_is_not_remembered_for_lack_of_room_is_seen_once_there_is_some() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.inbox.files_max = 3;
    for n in 0..5 {
        watch.world.put(&format!("A{n}"), "x");
    }
    assert_eq!(odd(&watch.look()), [(".", OddKind::TooMany)]);
    let first = watch.after(SETTLE);
    assert_eq!((first.ready.len(), first.odd.len()), (3, 0), "said once while it lasts");
    for name in names(&first) {
        let candidate = watch.claims(&name, &first);
        let removed = remove_original(&watch.world.inbound, &name, &candidate.identity).unwrap();
        assert_eq!(removed, Removal::Removed);
        watch.inbox.forget(&name, &candidate.identity);
    }
    assert_eq!(watch.settled().len(), 2);
    for n in 0..5 {
        watch.world.put(&format!("A{n}"), "x");
    }
    assert_eq!(odd(&watch.look()), [(".", OddKind::TooMany)], "and again when it comes again");
}

#[test]
fn a_listing_without_an_end_ends() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.inbox.entries_max = 6;
    for n in 0..7 {
        watch.world.put(&format!("A{n}"), "x");
    }
    assert_eq!(odd(&watch.look()), [(".", OddKind::TooMany)]);
    let seen = names(&watch.after(SETTLE)).len();
    // Dot and dot-dot lie anywhere among the others.
    assert!((4..=6).contains(&seen), "{seen}");
}

#[test]
fn odd_entries_by_the_thousand_are_some_names_and_a_number_and_take_no_files_room() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.inbox.files_max = 1;
    for n in 0..3_000 {
        symlink("nowhere", watch.world.inbound.join(format!("A{n}"))).unwrap();
    }
    watch.world.put("A", "x");
    let look = watch.look();
    assert_eq!((look.odd.len(), look.odd_unsaid), (50, 2_950));
    let look = watch.after(SETTLE);
    assert_eq!((names(&look), look.odd.len(), look.odd_unsaid), (vec!["A".to_owned()], 0, 0));
    let later = watch.after(STALLED);
    assert_eq!((later.odd.len(), later.odd_unsaid), (0, 0));
}
