//! What expected files and reports ask of every store.

use std::sync::Arc;
use std::time::Duration;

use crate::ledger::{Counted, Group, Lacking, Ledger, Missed, Movement, Version, Watched};
use crate::model::{ServiceName, Timestamp};

use super::{AT, chunk, claimed, commit, registering};

const HOUR: Duration = Duration::from_secs(3_600);

pub(in crate::ledger) async fn a_feeds_nights_are_kept(ledger: Arc<dyn Ledger>) {
    let later = AT.after(HOUR);
    assert_eq!(ledger.watched_so_far("feed").await.unwrap(), None);
    let begun = Watched { since: AT, checked: AT };
    assert_eq!(ledger.watched("feed", AT).await.unwrap(), begun);
    assert_eq!(ledger.watched("feed", later).await.unwrap(), begun, "not from anew");
    ledger.checked("feed", later).await.unwrap();
    assert_eq!(ledger.watched_so_far("feed").await.unwrap(), Some(Watched { since: AT, checked: later }));
    ledger.watched("other", AT).await.unwrap();
    ledger.watch_only(&["other"]).await.unwrap();
    assert_eq!(ledger.watched("feed", later).await.unwrap(), Watched { since: later, checked: later }, "expected anew");

    // Accepted at AT, both; one of another feed's issuer is not looked at.
    registering(&*ledger, "A", "A", 1).await;
    registering(&*ledger, "B", "B", 2).await;
    claimed(&*ledger, "ACME", "C.csv").await;
    let accepted = async |from: Timestamp, to: Timestamp, most: u32| {
        ledger.accepted_between("ACME", "feed", (from, to), most).await.unwrap()
    };
    assert_eq!(accepted(AT, later, 9).await, [AT, AT]);
    assert_eq!(accepted(AT, later, 1).await, [AT]);
    assert_eq!(accepted(AT.before(HOUR), AT, 9).await, [], "up to, and not at");
    assert_eq!(ledger.accepted_between("OTHER", "feed", (AT, later), 9).await.unwrap(), []);
}

pub(in crate::ledger) async fn reports_are_made_from_what_was_received_and_what_moved(ledger: Arc<dyn Ledger>) {
    let (noon, evening) = (AT.after(HOUR), AT.after(HOUR * 2));
    let first = registering(&*ledger, "A", "A", 1).await;
    commit(&*ledger, first, &mut [chunk(first, 0, &[Ok(1), Ok(2)])]).await.unwrap();
    let mut later = [chunk(first, 1, &[Ok(3), Ok(1)])];
    ledger.commit(Group { no: first, issuer: "ACME", at: noon, began: noon, chunks: &mut later }).await.unwrap();
    let moved = |opening, added, removed| [Movement { service: ServiceName::PaymentCards, opening, added, removed }];
    let facts = async |from: Timestamp, to: Timestamp| ledger.facts("ACME", (from, to)).await.unwrap();
    let minute = Duration::from_secs(60);
    assert_eq!(facts(AT.before(HOUR), AT.after(minute)).await.registers, moved(0, 2, 0));
    assert_eq!(facts(AT.after(minute), noon.after(minute)).await.registers, moved(2, 1, 0), "one PAN was there");
    assert_eq!(facts(AT.before(HOUR), noon.after(minute)).await.registers, moved(0, 3, 0), "both together");
    assert!(facts(AT.before(HOUR), AT).await.registers.is_empty());
    let names = |facts: &crate::ledger::Facts| -> Vec<String> {
        facts.files.iter().map(|file| file.record.name.clone()).collect()
    };
    assert_eq!(names(&facts(AT, noon).await), ["A"]);
    assert!(names(&facts(AT.before(HOUR), AT).await).is_empty(), "up to, and not at");
    assert!(ledger.facts("OTHER", (AT, noon)).await.unwrap().files.is_empty());
    let counted = ledger.counted("ACME").await.unwrap();
    assert_eq!(counted[0], Counted { service: ServiceName::PaymentCards, moved: 3, held: 3 });
    assert!(counted.iter().all(|it| it.moved == it.held) && counted.len() == ServiceName::ALL.len());

    // Two were expected before noon; one was accepted, at AT.
    let missed = Missed {
        issuer: "ACME".into(),
        feed: "feed".into(),
        service: ServiceName::PaymentCards,
        day: "2026-11-20".into(),
        window: [AT.before(HOUR), noon, evening],
        files: 2,
    };
    ledger.miss(&missed).await.unwrap();
    ledger.miss(&missed).await.unwrap();
    let lacking = vec![Lacking { feed: "feed".into(), service: ServiceName::PaymentCards, files: 1 }];
    assert_eq!(facts(AT, evening).await.lacking, lacking);
    assert!(facts(AT, noon).await.lacking.is_empty(), "it was not over");
    assert!(facts(evening, evening.after(HOUR)).await.lacking.is_empty());

    let name = "recon-ACME-20261120.csv";
    assert_eq!(ledger.newest_version("ACME", name).await.unwrap(), None);
    let made = Version { number: 1, sha256: "aa".into(), written: false };
    ledger.make_version("ACME", name, &made, AT).await.unwrap();
    assert_eq!(ledger.newest_version("ACME", name).await.unwrap(), Some(made.clone()));
    ledger.version_written("ACME", name, 1).await.unwrap();
    assert_eq!(ledger.newest_version("ACME", name).await.unwrap(), Some(Version { written: true, ..made.clone() }));
    let second = Version { number: 2, sha256: "bb".into(), written: false };
    ledger.make_version("ACME", name, &second, AT).await.unwrap();
    assert_eq!(ledger.newest_version("ACME", name).await.unwrap(), Some(second));
    assert_eq!(ledger.newest_version("OTHER", name).await.unwrap(), None);
}
