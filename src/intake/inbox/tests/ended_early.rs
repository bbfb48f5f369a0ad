//! Uploads that pause: when a file's early end is believed.

use super::*;

#[test]
fn a_file_that_ends_early_waits_for_stalled_and_then_has_the_last_word() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A_2.csv", "HDR");
    watch.world.put("A_10.csv", "HDR");
    watch.look();
    let look = watch.after(SETTLE);
    for name in ["A_2.csv", "A_10.csv"] {
        let candidate = watch.claims(name, &look);
        assert!(!candidate.last_word);
        watch.inbox.ended_early(name, &candidate.identity);
    }
    let look = watch.look();
    assert_eq!(look.stalled_waiting, ["A_2.csv", "A_10.csv"]);
    assert_eq!((names(&look), look.settling, look.next_change), (vec![], 0, Some(STALLED - SETTLE)));
    let look = watch.after(STALLED - SETTLE - SECOND);
    assert_eq!((names(&look), look.next_change), (vec![], Some(SECOND)));
    let look = watch.after(SECOND);
    assert!(look.stalled_waiting.is_empty());
    assert_eq!(names(&look), ["A_2.csv", "A_10.csv"]);
    assert!(look.ready.iter().all(|candidate| candidate.last_word));
}

#[test]
fn an_upload_that_goes_on_after_a_pause_is_offered_when_it_has_settled() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "HDR");
    watch.look();
    let look = watch.after(SETTLE);
    let candidate = watch.claims("A.csv", &look);
    watch.inbox.ended_early("A.csv", &candidate.identity);
    watch.after(SECOND);
    watch.world.append("A.csv", "TRL");
    let look = watch.look();
    assert_eq!((look.settling, look.stalled_waiting.len()), (1, 0));
    let look = watch.after(SETTLE);
    assert_eq!(names(&look), ["A.csv"]);
    assert!(!look.ready[0].last_word, "it may pause again");
}

#[test]
fn an_upload_that_went_on_while_its_copy_was_read_is_not_held_back() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "HDR");
    watch.look();
    let look = watch.after(SETTLE);
    let candidate = watch.claims("A.csv", &look);
    watch.world.append("A.csv", "TRL");
    watch.look();
    watch.inbox.ended_early("A.csv", &candidate.identity);
    assert_eq!(names(&watch.after(SETTLE)), ["A.csv"]);
}

#[test]
fn the_first_word_is_the_last_when_the_file_lay_long_enough_or_nobody_waits() {
    let mut watch = Watch::with(&[("A*", false)], Duration::ZERO);
    watch.world.put("A.csv", "HDR");
    watch.look();
    assert!(watch.after(SETTLE).ready[0].last_word);
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "HDR");
    watch.look();
    assert!(watch.after(STALLED).ready[0].last_word);
}

#[test]
fn an_upload_that_went_on_is_not_claimed_before_it_is_known_what_was_copied() {
    let mut watch = Watch::new(&[("A*", false)]);
    watch.world.put("A.csv", "HDR");
    watch.look();
    let look = watch.after(SETTLE);
    let candidate = watch.claims("A.csv", &look);
    watch.inbox.proving("A.csv", candidate.identity);
    watch.world.append("A.csv", "TRL");
    watch.look();
    // Whole by its looks, but the first claim still has its name.
    let look = watch.after(SETTLE);
    assert_eq!((names(&look), look.settling), (vec![], 1));
    watch.inbox.ended_early("A.csv", &candidate.identity);
    assert_eq!(names(&watch.look()), ["A.csv"]);

    // One that was whole gives way as soon as that is known, though it may be in hand for hours.
    let look = watch.look();
    let whole = watch.claims("A.csv", &look);
    watch.inbox.proving("A.csv", whole.identity);
    watch.world.replace("A.csv", "another file");
    watch.look();
    assert_eq!(names(&watch.after(SETTLE)), [""; 0]);
    watch.inbox.proven("A.csv", &whole.identity);
    assert_eq!(names(&watch.look()), ["A.csv"]);
}
