//! What registering asks of every store.

use std::sync::Arc;

use crate::ledger::{Actor, AuditEntry, AuditEvent, Candidate, Decided, Group, Ledger, Standing};
use crate::model::{FileRecord, State, Timestamp};
use crate::services::PreparedChunk;

use super::{AT, candidate, chunk, claimed, registering, told};

const BEGAN: Timestamp = Timestamp(AT.0 - 700);

pub(in crate::ledger) async fn a_file_gets_on_with_its_chunks(ledger: Arc<dyn Ledger>) {
    let no = registering(&*ledger, "A.csv", "B1", 1).await;
    let commit = async |began, chunks: &mut [PreparedChunk]| {
        ledger.commit(Group { no, issuer: "ACME", at: AT, began, chunks }).await
    };
    let stands = async || -> (FileRecord, Standing) { ledger.file_and_standing(no).await.unwrap() };
    assert_eq!((stands().await.0.state, stands().await.1.chunks), (State::Accepted, 0));

    assert!(commit(BEGAN, &mut [chunk(no, 1, &[Ok(1)])]).await.is_err(), "not the chunk that is missing");
    assert_eq!((stands().await.0.state, stands().await.0.started_at), (State::Accepted, None), "nothing of it stays");

    commit(BEGAN, &mut [chunk(no, 0, &[Ok(1), Ok(2)])]).await.unwrap();
    let (record, standing) = stands().await;
    assert_eq!((record.state, standing.chunks, standing.tally.records()), (State::Registering, 1, 2));
    assert_eq!((record.started_at, record.finished_at), (Some(BEGAN), None));

    // The last of the three records that were read of it.
    commit(AT, &mut [chunk(no, 1, &[Ok(1)])]).await.unwrap();
    let (record, standing) = stands().await;
    assert_eq!((record.state, standing.tally.registered, standing.tally.rejected), (State::Registered, 2, 1));
    assert_eq!((record.started_at, record.finished_at), (Some(BEGAN), Some(AT)));

    assert!(commit(AT, &mut [chunk(no, 2, &[Ok(9)])]).await.is_err(), "one more than were read");
    assert_eq!(stands().await.1.chunks, 2);

    // Another of the feed that is registered later, or may be.
    assert!(ledger.is_newest_registered(no).await.unwrap());
    let next = registering(&*ledger, "B.csv", "B2", 2).await;
    assert!(ledger.is_newest_registered(no).await.unwrap());
    let mut all = [chunk(next, 0, &[Ok(3), Ok(4), Ok(5)])];
    ledger.commit(Group { no: next, issuer: "ACME", at: AT, began: AT, chunks: &mut all }).await.unwrap();
    assert!(!ledger.is_newest_registered(no).await.unwrap());
}

pub(in crate::ledger) async fn what_is_told_with_an_acceptance_stands_around_it(ledger: Arc<dyn Ledger>) {
    let no = claimed(&*ledger, "ACME", "A.csv").await;
    let used = |to: &str| {
        let entry = AuditEntry::new(AT, AuditEvent::KeyUsed, Actor::Daemon).of_issuer("ACME").of_file(no);
        Some(entry.with("to", to))
    };
    let first = candidate(no, "B1", 1, 1);
    let candidate = Candidate { told: used("open"), told_then: used("vault"), ..first };
    assert_eq!(ledger.decide(&candidate).await.unwrap(), Decided::Accepted);
    let events: Vec<String> = told(&*ledger).await.into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["file_claimed", "key_used", "file_accepted", "key_used"]);
    assert!(ledger.audit_verify(&[]).await.unwrap().is_ok());
    // Of one that is not accepted nothing is told.
    let again = claimed(&*ledger, "ACME", "A.csv").await;
    assert_eq!(ledger.decide(&Candidate { no: again, ..candidate }).await.unwrap(), Decided::Duplicate(no));
    assert_eq!(told(&*ledger).await.len(), 5);
    assert!(ledger.audit_verify(&[]).await.unwrap().is_ok());
}
