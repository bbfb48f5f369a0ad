//! What is fetched from partners' servers and delivered there.

use std::sync::Arc;

use crate::ledger::{Claim, Delivery, Ledger, Order, Remote, SourceStanding};
use crate::model::{FileNo, Timestamp};

use super::{AT, candidate, claimed};

fn remote(name: &str, mtime: u64) -> Remote {
    Remote { source: "acme".into(), path: format!("/out/{name}"), size: 7, mtime }
}

async fn fetch(ledger: &dyn Ledger, remote: &Remote) -> FileNo {
    let claim = Claim {
        issuer: "ACME".into(),
        name: "A.csv".into(),
        stem: "A".into(),
        feed: Some("feed".into()),
        service: None,
        environment: None,
        identity: "{}".into(),
        remote: Some(remote.clone()),
        bytes: 7,
        at: AT,
    };
    let record = ledger.claim(&claim).await.unwrap();
    assert_eq!(record.source.as_deref(), Some("acme"));
    record.no
}

pub(in crate::ledger) async fn a_file_on_a_server_is_taken_once_until_it_is_gone(ledger: Arc<dyn Ledger>) {
    let taken = async || ledger.taken("acme").await.unwrap();
    let first = fetch(&*ledger, &remote("A.csv", 1)).await;
    assert_eq!(fetch(&*ledger, &remote("A.csv", 1)).await, first, "the same try again");
    let other = fetch(&*ledger, &remote("A.csv", 2)).await;
    assert_ne!(other, first, "another file under its name");
    let before: Vec<_> = taken().await.into_iter().map(|it| (it.no, it.decided)).collect();
    assert_eq!(before, [(first, false), (other, false)]);
    assert!(ledger.taken("bank").await.unwrap().is_empty());

    // What is put back was never taken.
    ledger.unclaim(other, AT).await.unwrap();
    ledger.claimed(first, Some("ab"), 7).await.unwrap();
    ledger.decide(&candidate(first, "B1", 1, 1)).await.unwrap();
    let decided = taken().await;
    assert_eq!((decided.len(), decided[0].decided), (1, true));
    assert_eq!(decided[0].remote, remote("A.csv", 1));

    ledger.remote_gone(decided[0].id, AT).await.unwrap();
    assert!(taken().await.is_empty());
    assert_ne!(
        fetch(&*ledger, &remote("A.csv", 1)).await,
        first,
        "the same again, once it was gone, is another arrival"
    );
}

fn order(file: FileNo, name: &str, sha256: &str) -> Order {
    let (source, issuer) = ("acme".into(), "ACME".into());
    Order { source, issuer, file: Some(file), name: name.into(), sha256: sha256.into(), again: false }
}

pub(in crate::ledger) async fn the_journal_keeps_order_and_repeats_nothing_unasked(ledger: Arc<dyn Ledger>) {
    let no = claimed(&*ledger, "ACME", "A.csv").await;
    let due = async || ledger.deliveries_due("acme").await.unwrap();
    let names = |due: &[Delivery]| due.iter().map(|it| format!("{} {}", it.name, it.sha256)).collect::<Vec<_>>();
    ledger.deliver(&[order(no, "ack", "1"), order(no, "recon", "2"), order(no, "summary", "3")], AT).await.unwrap();
    let first = due().await;
    assert_eq!(names(&first), ["ack 1", "recon 2", "summary 3"]);
    ledger.delivery_tried(first[0].id, Ok(Timestamp(AT.0 + 1))).await.unwrap();
    ledger.delivery_tried(first[1].id, Err("no room")).await.unwrap();
    assert_eq!(due().await[0].failed.as_deref(), Some("no room"));

    // Written anew after a crash, the same bytes are not delivered twice, and what has other bytes goes behind.
    ledger.deliver(&[order(no, "ack", "1"), order(no, "recon", "9"), order(no, "summary", "3")], AT).await.unwrap();
    assert_eq!(names(&due().await), ["summary 3", "recon 9"]);
    let both = [order(no, "recon", "9"), Order { again: true, ..order(no, "ack", "1") }];
    ledger.deliver(&both, AT).await.unwrap();
    assert_eq!(names(&due().await), ["summary 3", "recon 9", "ack 1"]);
    assert!(ledger.deliveries_due("bank").await.unwrap().is_empty());

    let journal = ledger.deliveries_of(no).await.unwrap();
    let delivered: Vec<_> = journal.iter().filter_map(|it| Some((it.name.as_str(), it.delivered_at?.0))).collect();
    assert_eq!(delivered, [("ack", AT.0 + 1)]);

    let standing = SourceStanding {
        name: "acme".into(),
        issuer: "ACME".into(),
        state: "ok".into(),
        why: None,
        since: AT,
        last_contact: Some(AT),
        backlog: 0,
    };
    ledger.source_stands(&standing).await.unwrap();
    let away = SourceStanding { state: "unreachable".into(), last_contact: None, ..standing.clone() };
    ledger.source_stands(&away).await.unwrap();
    let known = ledger.sources().await.unwrap();
    assert_eq!(known, [SourceStanding { backlog: 3, last_contact: Some(AT), ..away }]);
}
