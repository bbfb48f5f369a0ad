//! What every store must do, tested through the contract alone: each store runs these unchanged.

use std::sync::Arc;

use crate::model::{
    BatchKey, Code, Decision, EnvelopeKind, Environment, FileNo, Header, Masked, Outcome, OwnBytes, Place, RecordRow,
    Refusal, ServiceName, State, Timestamp,
};
use crate::services::payment_cards::{Ask, NewCard};
use crate::services::{Effect, Effects, NewPan, PreparedChunk};

use super::{
    Actor, AuditEntry, AuditEvent, Candidate, Claim, Decided, Finding, Group, Ledger, LedgerError, Refused,
    SequenceRule,
};

mod alarms;
mod partner;
mod registration;
mod reports;
mod retention;

pub(super) use alarms::an_alarm_is_open_once_and_told_once_each_way;
pub(super) use partner::{
    a_file_on_a_server_is_taken_once_until_it_is_gone, the_journal_keeps_order_and_repeats_nothing_unasked,
};
pub(super) use registration::{a_file_gets_on_with_its_chunks, what_is_told_with_an_acceptance_stands_around_it};
pub(super) use reports::{a_feeds_nights_are_kept, reports_are_made_from_what_was_received_and_what_moved};
pub(super) use retention::{
    a_clock_that_jumps_moves_retention_by_a_step, outbound_files_are_found_once_their_file_is_done_for_long,
    results_go_oldest_first_and_leave_what_they_registered,
};

const AT: Timestamp = Timestamp(1_795_138_200_000);

async fn claimed(ledger: &dyn Ledger, issuer: &str, name: &str) -> FileNo {
    let claim = Claim {
        issuer: issuer.into(),
        name: name.into(),
        stem: name.trim_end_matches(".csv").into(),
        feed: Some("feed".into()),
        service: Some(ServiceName::PaymentCards),
        environment: Some(Environment::Test),
        identity: "{}".into(),
        remote: None,
        bytes: 1,
        at: AT,
    };
    let record = ledger.claim(&claim).await.unwrap();
    assert_eq!((record.state, record.name.as_str()), (State::Claiming, name));
    ledger.claimed(record.no, Some("ab"), 1).await.unwrap();
    record.no
}

fn candidate(no: FileNo, batch_id: &str, sequence: u64, content: u8) -> Candidate {
    Candidate {
        no,
        issuer: "ACME".into(),
        feed: "feed".into(),
        service: ServiceName::PaymentCards,
        key: Some(BatchKey {
            issuer: "ACME".into(),
            service: ServiceName::PaymentCards,
            batch_id: batch_id.into(),
            sequence: Some(sequence),
        }),
        header: Some(Header {
            batch_id: batch_id.into(),
            sequence_text: sequence.to_string(),
            created_text: AT.to_string(),
            created: AT,
        }),
        content_digest: [content; 32],
        records: 3,
        envelope: EnvelopeKind::Jwe,
        key_id: None,
        sequence: SequenceRule::Off,
        told: None,
        told_then: None,
        settings: "{}".into(),
        at: AT,
    }
}

/// A chunk of registrations; the PANs are told by one byte each.
pub(super) fn chunk(no: FileNo, index: u64, asks: &[Result<u8, [u8; 16]>]) -> PreparedChunk {
    let row = |position: usize| RecordRow {
        line: index * 10 + position as u64,
        record_ref: format!("r-{position}").into(),
        outcome: Outcome::Rejected,
        failures: Vec::new(),
        masked: Masked::NONE,
        own: OwnBytes::default(),
        place: Place::Row,
    };
    let effect = |(position, ask): (usize, &Result<u8, [u8; 16]>)| Effect {
        position,
        ask: match ask {
            Ok(pan) => {
                let ordinal = i64::try_from(index * 10 + position as u64).unwrap();
                let mut card_id = [0; 16];
                card_id[..8].copy_from_slice(&no.0.to_be_bytes());
                card_id[8..].copy_from_slice(&ordinal.to_be_bytes());
                Ask::Register(NewCard {
                    pan: NewPan {
                        fingerprint: [*pan; 16],
                        pan_id: (no.0 << 26) | ordinal,
                        sealed: [0; 38],
                        epoch: 1,
                        masked: Masked { digits: 16, bin6: 230_377, last4: u16::from(*pan) },
                    },
                    card_id,
                })
            }
            Err(id) => Ask::Delete(*id),
        },
    };
    PreparedChunk::new(
        index,
        (0..asks.len()).map(row).collect(),
        Effects::PaymentCards(asks.iter().enumerate().map(effect).collect()),
    )
}

pub(super) async fn registering(ledger: &dyn Ledger, name: &str, batch_id: &str, content: u8) -> FileNo {
    let no = claimed(ledger, "ACME", name).await;
    assert_eq!(ledger.decide(&candidate(no, batch_id, 1, content)).await.unwrap(), Decided::Accepted);
    no
}

pub(super) async fn commit(ledger: &dyn Ledger, no: FileNo, chunks: &mut [PreparedChunk]) -> Result<(), LedgerError> {
    ledger.commit(Group { no, issuer: "ACME", at: AT, began: AT, chunks }).await
}

pub(super) async fn codes(ledger: &dyn Ledger, no: FileNo) -> Vec<Option<Code>> {
    ledger.rows(no, 0, 1000).await.unwrap().iter().map(RecordRow::code).collect()
}

pub(super) async fn stems_are_an_issuers_own_and_never_used_twice(ledger: Arc<dyn Ledger>) {
    let mut stems = Vec::new();
    for (issuer, name) in
        [("ACME", "A.csv"), ("ACME", "A.csv"), ("ACME", "A.2.csv"), ("ACME", "A.csv"), ("OTHER", "A.csv")]
    {
        let no = claimed(&*ledger, issuer, name).await;
        stems.push(ledger.file(no).await.unwrap().stem);
    }
    assert_eq!(stems, ["A", "A.2", "A.2.2", "A.3", "A"]);
    let last = claimed(&*ledger, "ACME", "B.csv").await;
    ledger.unclaim(last, AT).await.unwrap();
    assert!(ledger.file(last).await.is_err());
    assert_eq!(ledger.open_files().await.unwrap().len(), 5);
}

pub(super) async fn the_same_file_twice_is_told_by_key_and_content(ledger: Arc<dyn Ledger>) {
    let first = registering(&*ledger, "A.csv", "B1", 1).await;
    let again = claimed(&*ledger, "ACME", "A.csv").await;
    let decide = async |candidate: &Candidate| ledger.decide(candidate).await.unwrap();
    assert_eq!(decide(&candidate(again, "B1", 1, 1)).await, Decided::Duplicate(first));
    assert_eq!(decide(&candidate(again, "B1", 1, 2)).await, Decided::BatchReused("A.csv".into()));
    assert_eq!(decide(&candidate(again, "B2", 1, 1)).await, Decided::DuplicateContent("A.csv".into()));
    assert_eq!(decide(&candidate(again, "B1", 2, 1)).await, Decided::DuplicateContent("A.csv".into()));
    assert_eq!(ledger.file(again).await.unwrap().state, State::Claimed, "nothing was written");

    let refused = Refused {
        refusal: Refusal::new(Code::DuplicateFile, "again"),
        envelope: Some(EnvelopeKind::Jwe),
        key_id: None,
        header: None,
        records: Some(3),
        duplicate_of: Some(first),
        at: AT,
    };
    ledger.refuse(again, &refused, None).await.unwrap();
    let record = ledger.file(again).await.unwrap();
    assert_eq!((record.decision, record.duplicate_of.as_deref()), (Some(Decision::Duplicate), Some("A.csv")));
    assert_eq!(ledger.first_of(again).await.unwrap().map(|file| file.no), Some(first));
    assert!(ledger.refuse(again, &refused, None).await.is_err(), "a step is taken once");

    let nil = |no, batch_id| Candidate { records: 0, ..candidate(no, batch_id, 1, 9) };
    for batch_id in ["N1", "N2"] {
        let no = claimed(&*ledger, "ACME", "N.csv").await;
        assert_eq!(decide(&nil(no, batch_id)).await, Decided::Accepted, "nil files have no content to repeat");
    }
}

pub(super) async fn sequences_rise_and_leave_no_gap_where_none_is_allowed(ledger: Arc<dyn Ledger>) {
    let mut decided = Vec::new();
    for (rule, sequence) in [
        (SequenceRule::Gapless, 7),
        (SequenceRule::Gapless, 9),
        (SequenceRule::Gapless, 8),
        (SequenceRule::Gapless, 7),
        (SequenceRule::Increasing, 12),
        (SequenceRule::Increasing, 12),
    ] {
        let no = claimed(&*ledger, "ACME", "S.csv").await;
        let unlike = u8::try_from(no.0).unwrap();
        let file = Candidate { sequence: rule, ..candidate(no, &format!("B{no}"), sequence, unlike) };
        decided.push(ledger.decide(&file).await.unwrap());
    }
    let expected = [
        Decided::Accepted,
        Decided::SequenceGap(8),
        Decided::Accepted,
        Decided::SequenceOld(9),
        Decided::Accepted,
        Decided::SequenceOld(13),
    ];
    assert_eq!(decided, expected);
}

pub(super) async fn a_group_is_there_whole_or_not_at_all(ledger: Arc<dyn Ledger>) {
    let no = registering(&*ledger, "A.csv", "B1", 1).await;
    let mut group = [chunk(no, 0, &[Ok(1), Ok(2), Ok(1)]), chunk(no, 1, &[Ok(2), Ok(3)])];
    commit(&*ledger, no, &mut group).await.unwrap();
    let twice = Some(Code::DuplicateInFile);
    assert_eq!(codes(&*ledger, no).await, [None, None, twice, twice, None]);
    let standing = ledger.standing(no).await.unwrap();
    assert_eq!((standing.chunks, standing.tally.registered, standing.tally.rejected), (2, 3, 2));

    // The same chunks again, or a gap: refused, and nothing of it stays.
    assert!(commit(&*ledger, no, &mut [chunk(no, 0, &[Ok(8)])]).await.is_err());
    assert!(commit(&*ledger, no, &mut [chunk(no, 3, &[Ok(8)])]).await.is_err());
    commit(&*ledger, no, &mut [chunk(no, 2, &[Ok(8)])]).await.unwrap();
    assert_eq!(codes(&*ledger, no).await[5], None, "what was undone made no card");

    let next = registering(&*ledger, "B.csv", "B2", 2).await;
    let card_of_one = {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&no.0.to_be_bytes());
        id
    };
    let mut group = [chunk(next, 0, &[Ok(1), Err(card_of_one), Ok(1), Ok(1), Err(card_of_one)])];
    commit(&*ledger, next, &mut group).await.unwrap();
    let expected = [Some(Code::AlreadyRegistered), None, None, twice, Some(Code::NotRegistered)];
    assert_eq!(codes(&*ledger, next).await, expected);
    assert_eq!(ledger.rows(next, 0, 1).await.unwrap()[1].outcome, Outcome::Deregistered);

    // Taken out for good, its PAN is erased and can come again.
    let last = registering(&*ledger, "C.csv", "B3", 3).await;
    let mut of_two = [0; 16];
    of_two[..8].copy_from_slice(&no.0.to_be_bytes());
    of_two[15] = 1;
    commit(&*ledger, last, &mut [chunk(last, 0, &[Err(of_two)]), chunk(last, 1, &[Ok(2)])]).await.unwrap();
    assert_eq!(codes(&*ledger, last).await, [None, None]);
}

pub(super) async fn another_issuers_cards_are_not_seen(ledger: Arc<dyn Ledger>) {
    let mine = registering(&*ledger, "A.csv", "B1", 1).await;
    commit(&*ledger, mine, &mut [chunk(mine, 0, &[Ok(1)])]).await.unwrap();
    let no = claimed(&*ledger, "OTHER", "A.csv").await;
    let theirs = Candidate { issuer: "OTHER".into(), ..candidate(no, "B1", 1, 1) };
    assert_eq!(
        ledger.decide(&theirs).await.unwrap(),
        Decided::Accepted,
        "the same key of another issuer is another key"
    );
    let mut of_mine = [0; 16];
    of_mine[..8].copy_from_slice(&mine.0.to_be_bytes());
    let mut group = [chunk(no, 0, &[Ok(1), Err(of_mine)])];
    ledger.commit(Group { no, issuer: "OTHER", at: AT, began: AT, chunks: &mut group }).await.unwrap();
    assert_eq!(codes(&*ledger, no).await, [None, Some(Code::NotRegistered)]);
}

pub(super) async fn what_is_pinned_stays(ledger: Arc<dyn Ledger>) {
    assert_eq!(ledger.pinned("x").await.unwrap(), None);
    assert_eq!(ledger.pin("x", "1").await.unwrap(), "1");
    assert_eq!(ledger.pin("x", "2").await.unwrap(), "1");
    assert_eq!(ledger.pinned("x").await.unwrap().as_deref(), Some("1"));
    let no = claimed(&*ledger, "ACME", "A.csv").await;
    assert!(
        ledger.advance(no, &[State::Accepted], State::Registering, AT, None).await.is_err(),
        "a step from another state"
    );
    assert_eq!(ledger.file(no).await.unwrap().state, State::Claimed);
}

/// Events of the trail from its first row on, with the file that each is about.
async fn told(ledger: &dyn Ledger) -> Vec<(String, Option<i64>)> {
    let rows = ledger.audit_rows(1, 100).await.unwrap();
    rows.iter().map(|row| (String::from_utf8(row.event.clone()).unwrap(), row.file)).collect()
}

pub(super) async fn what_is_decided_is_in_the_trail_and_what_failed_is_not(ledger: Arc<dyn Ledger>) {
    let started = AuditEntry::new(AT, AuditEvent::Started, Actor::Uid(7)).with("version", "1");
    ledger.audit(&started).await.unwrap();
    let first = registering(&*ledger, "A.csv", "B1", 1).await;
    let again = claimed(&*ledger, "ACME", "A.csv").await;
    assert_eq!(ledger.decide(&candidate(again, "B1", 1, 1)).await.unwrap(), Decided::Duplicate(first));
    let refused = |code, duplicate_of| Refused {
        refusal: Refusal::new(code, "why").at(4),
        envelope: None,
        key_id: None,
        header: None,
        records: None,
        duplicate_of,
        at: AT,
    };
    ledger.refuse(again, &refused(Code::DuplicateFile, Some(first)), None).await.unwrap();
    assert!(ledger.refuse(again, &refused(Code::DuplicateFile, Some(first)), None).await.is_err());
    assert!(ledger.decide(&candidate(again, "B9", 1, 9)).await.is_err());
    let bad = claimed(&*ledger, "ACME", "B.csv").await;
    ledger.refuse(bad, &refused(Code::CryptoError, None), None).await.unwrap();
    let worse = claimed(&*ledger, "ACME", "C.csv").await;
    ledger.refuse(worse, &refused(Code::Poisoned, None), None).await.unwrap();
    let gone = claimed(&*ledger, "ACME", "D.csv").await;
    ledger.unclaim(gone, AT).await.unwrap();
    ledger.unclaim(gone, AT).await.unwrap();
    ledger.hold(first, "because", AT).await.unwrap();
    ledger.hold(first, "because", AT).await.unwrap();

    let expected = [
        ("started", None),
        ("file_claimed", Some(first)),
        ("file_accepted", Some(first)),
        ("file_claimed", Some(again)),
        ("file_duplicate", Some(again)),
        ("file_claimed", Some(bad)),
        ("file_refused", Some(bad)),
        ("file_claimed", Some(worse)),
        ("file_poisoned", Some(worse)),
        ("file_claimed", Some(gone)),
        ("file_put_back", Some(gone)),
        ("file_held", Some(first)),
    ];
    let expected: Vec<_> = expected.map(|(event, no)| (event.to_owned(), no.map(|no| no.0))).into();
    assert_eq!(told(&*ledger).await, expected);

    let rows = ledger.audit_rows(1, 100).await.unwrap();
    assert_eq!(rows[0].actor, b"uid 7");
    let says = |at: usize| serde_json::from_slice::<serde_json::Value>(&rows[at].detail).unwrap();
    assert_eq!(says(1), serde_json::json!({"name": "A.csv", "feed": "feed", "bytes": 1}));
    assert_eq!(says(2), serde_json::json!({"name": "A.csv", "feed": "feed", "sha256": "ab", "records": 3}));
    assert_eq!(says(4)["first"], first.to_string());
    assert_eq!((says(6)["code"].as_str(), says(6)["line"].as_u64()), (Some("CRYPTO_ERROR"), Some(4)));
    assert_eq!(says(11)["why"], "because");
    assert_eq!(ledger.audit_of(first).await.unwrap(), [&rows[1], &rows[2], &rows[11]].map(Clone::clone));
    assert_eq!(ledger.audit_rows(3, 2).await.unwrap(), rows[2..4]);
}

pub(super) async fn the_trail_proves_itself_and_fits_its_anchors(ledger: Arc<dyn Ledger>) {
    let verify = async |anchors: &[_]| ledger.audit_verify(anchors).await.unwrap();
    assert_eq!(ledger.audit_head().await.unwrap(), None);
    assert_eq!(verify(&[]).await.unwrap().rows, 0);
    let mut anchors = Vec::new();
    // More than are read at a time.
    for n in 0..1203 {
        let entry = AuditEntry::new(AT, AuditEvent::Action, Actor::Daemon).with("n", n);
        ledger.audit(&entry).await.unwrap();
        if n % 400 == 0 {
            anchors.extend(ledger.audit_head().await.unwrap());
        }
    }
    let whole = verify(&anchors).await.unwrap();
    assert_eq!((whole.rows, whole.anchors), (1203, 4));
    assert_eq!(whole.head, ledger.audit_head().await.unwrap());
    anchors[2].hash[0] ^= 1;
    assert_eq!(verify(&anchors).await, Err(Finding::AnchorDiffers { seq: 801 }));
    anchors[2].hash[0] ^= 1;
    anchors[3].seq = 1204;
    assert_eq!(verify(&anchors).await, Err(Finding::AnchorGone { seq: 1204, last: 1203 }));
}
