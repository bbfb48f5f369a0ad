//! What registering asks of every store.

use std::sync::Arc;

use crate::ledger::{Actor, AuditEntry, AuditEvent, Group, Ledger, Standing};
use crate::model::{FileRecord, State, Timestamp};
use crate::services::PreparedChunk;

use super::{AT, chunk, registering, told};

const BEGAN: Timestamp = Timestamp(AT.0 - 700);

pub(in crate::ledger) async fn a_file_gets_on_with_its_chunks(ledger: Arc<dyn Ledger>) {
    let no = registering(&*ledger, "A.csv", "B1", 1).await;
    let used = AuditEntry::new(BEGAN, AuditEvent::KeyUsed, Actor::Daemon).of_issuer("ACME").of_file(no);
    let commit = async |chunks: &mut [PreparedChunk], told| {
        ledger.commit(Group { no, issuer: "ACME", at: AT, told, chunks }).await
    };
    let stands = async || -> (FileRecord, Standing) { ledger.file_and_standing(no).await.unwrap() };
    assert_eq!((stands().await.0.state, stands().await.1.chunks), (State::Accepted, 0));

    assert!(commit(&mut [chunk(no, 1, &[Ok(1)])], Some(&used)).await.is_err(), "not the chunk that is missing");
    assert_eq!((stands().await.0.state, told(&*ledger).await.len()), (State::Accepted, 2), "nothing of it stays");

    commit(&mut [chunk(no, 0, &[Ok(1), Ok(2)])], Some(&used)).await.unwrap();
    let (record, standing) = stands().await;
    assert_eq!((record.state, standing.chunks, standing.tally.records()), (State::Registering, 1, 2));
    assert_eq!((record.started_at, record.finished_at), (Some(BEGAN), None));
    assert_eq!(told(&*ledger).await.last(), Some(&("key_used".to_owned(), Some(no.0))));

    // The last of the three records that were read of it.
    commit(&mut [chunk(no, 1, &[Ok(1)])], None).await.unwrap();
    let (record, standing) = stands().await;
    assert_eq!((record.state, standing.tally.registered, standing.tally.rejected), (State::Registered, 2, 1));
    assert_eq!((record.started_at, record.finished_at), (Some(BEGAN), Some(AT)));
    assert_eq!(told(&*ledger).await.len(), 3);

    assert!(commit(&mut [chunk(no, 2, &[Ok(9)])], None).await.is_err(), "one more than were read");
    assert_eq!(stands().await.1.chunks, 2);
}
