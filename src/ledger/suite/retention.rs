//! What retention asks of every store.

use std::sync::Arc;
use std::time::Duration;

use crate::ledger::{Decided, Ledger, Outlived, Purged};
use crate::model::{FileNo, Outcome, State, Timestamp};

use super::{AT, candidate, chunk, claimed, commit, registering, told};

const DAY: Duration = Duration::from_secs(86_400);

/// A file of three chunks, done at `AT` and `after` more days.
async fn done(ledger: &dyn Ledger, name: &str, content: u8, after: u64) -> FileNo {
    let no = registering(ledger, name, name, content).await;
    commit(ledger, no, &mut [chunk(no, 0, &[Ok(content)]), chunk(no, 1, &[Ok(content + 1)])]).await.unwrap();
    commit(ledger, no, &mut [chunk(no, 2, &[Ok(content)])]).await.unwrap();
    let steps = [State::Registered, State::Reported, State::Done];
    for step in steps.windows(2) {
        ledger.advance(no, &step[..1], step[1], AT.after(DAY * u32::try_from(after).unwrap()), None).await.unwrap();
    }
    no
}

pub(in crate::ledger) async fn results_go_oldest_first_and_leave_what_they_registered(ledger: Arc<dyn Ledger>) {
    let later = done(&*ledger, "B", 20, 2).await;
    let first = done(&*ledger, "A", 10, 1).await;
    let open = registering(&*ledger, "C", "C", 30).await;
    commit(&*ledger, open, &mut [chunk(open, 0, &[Ok(30)])]).await.unwrap();
    let at = AT.after(DAY * 9);

    assert_eq!(ledger.purge_results(AT.after(DAY), 2, at).await.unwrap(), None, "not a moment too early");
    let before = AT.after(DAY * 2);
    let purged = Purged { no: first, chunks: 2, whole: false };
    assert_eq!(ledger.purge_results(before, 2, at).await.unwrap(), Some(purged));
    // From the first row on that is gone it is said, and what is left still counts.
    let standing = ledger.standing(first).await.unwrap();
    assert_eq!((standing.chunks, standing.results_purged_at), (1, Some(at)));
    assert_eq!(ledger.rows(first, 0, 9).await.unwrap().len(), 1);
    let purged = Purged { no: first, chunks: 1, whole: true };
    assert_eq!(ledger.purge_results(before, 2, AT.after(DAY * 10)).await.unwrap(), Some(purged));
    let standing = ledger.standing(first).await.unwrap();
    assert_eq!((standing.chunks, standing.results_purged_at, standing.tally.records()), (0, Some(at), 3));
    let in_the_trail = told(&*ledger).await;
    assert_eq!(in_the_trail.iter().filter(|(event, _)| event == "retention").count(), 1, "once a file");
    assert_eq!(in_the_trail.last(), Some(&("retention".to_owned(), Some(first.0))));
    assert_eq!(ledger.purge_results(before, 2, at).await.unwrap(), None);
    assert_eq!(ledger.rows(later, 0, 9).await.unwrap().len(), 3, "another file's rows");

    // Whatever the time, an open file is not looked at.
    let purged = Purged { no: later, chunks: 3, whole: true };
    assert_eq!(ledger.purge_results(AT.after(DAY * 4000), 9, at).await.unwrap(), Some(purged));
    assert_eq!(ledger.purge_results(AT.after(DAY * 4000), 9, at).await.unwrap(), None);
    assert_eq!(ledger.rows(open, 0, 9).await.unwrap().len(), 1);

    // Cards, batch keys and digests stay.
    let again = registering(&*ledger, "D", "D", 40).await;
    let mut chunks = [chunk(again, 0, &[Ok(10), Ok(99)])];
    commit(&*ledger, again, &mut chunks).await.unwrap();
    assert_eq!(
        chunks[0].rows.iter().map(|row| row.outcome).collect::<Vec<_>>(),
        [Outcome::AlreadyRegistered, Outcome::Registered]
    );
    let copy = claimed(&*ledger, "ACME", "A2").await;
    assert_eq!(ledger.decide(&candidate(copy, "A", 1, 10)).await.unwrap(), Decided::Duplicate(first));
    assert_eq!(ledger.decide(&candidate(copy, "other", 1, 10)).await.unwrap(), Decided::DuplicateContent("A".into()));
}

pub(in crate::ledger) async fn outbound_files_are_found_once_their_file_is_done_for_long(ledger: Arc<dyn Ledger>) {
    let (one, two) = (done(&*ledger, "A", 10, 1).await, done(&*ledger, "B", 20, 2).await);
    registering(&*ledger, "C", "C", 30).await;
    let ever = AT.after(DAY * 4000);
    let told = |found: Vec<Outlived>| {
        assert!(found.iter().all(|it| it.issuer == "ACME"));
        found.into_iter().map(|it| (it.no, it.stem)).collect::<Vec<_>>()
    };
    let (a, b) = ((one, "A".to_owned()), (two, "B".to_owned()));
    let both = vec![a.clone(), b.clone()];
    let looks = [
        (AT.after(DAY), FileNo(0), 9, vec![]),
        (AT.after(DAY * 2), FileNo(0), 9, vec![a.clone()]),
        (ever, FileNo(0), 9, both.clone()),
        (ever, FileNo(0), 1, vec![a]),
        (ever, one, 9, vec![b.clone()]),
    ];
    for (before, after, count, expected) in looks {
        assert_eq!(told(ledger.outlived(before, after, count).await.unwrap()), expected, "{before} {after} {count}");
    }
    ledger.outbound_purged(one, AT).await.unwrap();
    assert_eq!(told(ledger.outlived(ever, FileNo(0), 9).await.unwrap()), vec![b]);
    let done = [State::Done];
    ledger.advance(one, &done, State::Done, AT.after(DAY * 9), Some(&[])).await.unwrap();
    assert_eq!(told(ledger.outlived(ever, FileNo(0), 9).await.unwrap()), both, "delivered again");
}

pub(in crate::ledger) async fn a_clock_that_jumps_moves_retention_by_a_step(ledger: Arc<dyn Ledger>) {
    let believed = |now: Timestamp| {
        let ledger = Arc::clone(&ledger);
        async move { ledger.retention_clock(now, DAY * 2).await.unwrap() }
    };
    assert_eq!(believed(AT.after(DAY * 4000)).await, AT.after(DAY * 4000), "nothing is there to be purged");
    // The first time there is nothing to go by but the newest file.
    claimed(&*ledger, "ACME", "A").await;
    assert_eq!(believed(AT.after(DAY * 400)).await, AT.after(DAY * 2));
    assert_eq!(believed(AT.after(DAY * 400)).await, AT.after(DAY * 4));
    // Set right, it is believed at once, and goes on from there.
    assert_eq!(believed(AT.after(DAY)).await, AT.after(DAY));
    assert_eq!(believed(AT.before(DAY * 400)).await, AT.before(DAY * 400), "nothing is old by a clock that is behind");
    assert_eq!(believed(AT.after(DAY * 5)).await, AT.after(DAY * 5), "nor is it remembered");
    assert_eq!(believed(AT.after(DAY * 400)).await, AT.after(DAY * 7));
}
