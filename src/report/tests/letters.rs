//! Ack and summary, byte for byte.

use super::*;

#[test]
fn the_ack_of_an_accepted_file_is_these_bytes() {
    let ack = String::from_utf8(ack::content(&file(), Some("cards-ops@example.com"))).unwrap();
    let expected = r#"{
  "status": "ACCEPTED",
  "code": null,
  "description": null,
  "line": null,
  "file": "ACME_PAYCARDS_20261120_1.csv.jwe",
  "bytes": 1234,
  "sha256": "abababababababababababababababababababababababababababababababab",
  "feed": "acme-payment-cards",
  "issuer": "ACME",
  "service": "payment-cards",
  "envelope": "jwe",
  "key_id": "acme-2026",
  "batch_id": "-20261120",
  "sequence": 1,
  "environment": "TEST",
  "records": 6,
  "next_sequence": 2,
  "duplicate_of": null,
  "received_at": "2026-11-20T01:31:00.000Z",
  "contact": "cards-ops@example.com",
  "contract_version": 1
}
"#;
    assert_eq!(ack, expected);
    assert_eq!(ack::name(&file().stem), "ACME_PAYCARDS_20261120_1.ack.json");
}

#[test]
fn the_ack_of_a_refused_file_says_why_and_null_where_nothing_is_known() {
    let refused = FileRecord {
        feed: None,
        service: None,
        environment: None,
        decision: Some(Decision::Refused),
        code: Some(Code::FeedUnknown),
        line: Some(2),
        description: Some("No feed takes \"it\".".into()),
        sha256: None,
        envelope: None,
        key_id: None,
        header: None,
        records: None,
        next_sequence: None,
        duplicate_of: Some("ACME_PAYCARDS_20261119_1.csv.jwe".into()),
        ..file()
    };
    let ack = String::from_utf8(ack::content(&refused, None)).unwrap();
    let expected = r#"{
  "status": "REFUSED",
  "code": "FEED_UNKNOWN",
  "description": "No feed takes \"it\".",
  "line": 2,
  "file": "ACME_PAYCARDS_20261120_1.csv.jwe",
  "bytes": 1234,
  "sha256": null,
  "feed": null,
  "issuer": "ACME",
  "service": null,
  "envelope": null,
  "key_id": null,
  "batch_id": null,
  "sequence": null,
  "environment": null,
  "records": null,
  "next_sequence": null,
  "duplicate_of": "ACME_PAYCARDS_20261119_1.csv.jwe",
  "received_at": "2026-11-20T01:31:00.000Z",
  "contact": null,
  "contract_version": 1
}
"#;
    assert_eq!(ack, expected);
}

#[test]
fn the_summary_is_these_bytes() {
    let codes = BTreeMap::from([(Code::PanLuhn, 2), (Code::AlreadyRegistered, 1), (Code::FieldInvalid, 1)]);
    let outbound = [Outbound { name: "A.ack.json".into(), content_sha256: "c".repeat(4), sha256: "5".repeat(4) }];
    let summary = String::from_utf8(summary::content(&file(), &tally(&rows()), &codes, &outbound)).unwrap();
    let expected = r#"{
  "file": "ACME_PAYCARDS_20261120_1.csv.jwe",
  "issuer": "ACME",
  "service": "payment-cards",
  "batch_id": "-20261120",
  "sequence": 1,
  "records": 6,
  "outcomes": {
    "REGISTERED": 1,
    "ALREADY_REGISTERED": 1,
    "DEREGISTERED": 1,
    "ENROLLED": 0,
    "REJECTED": 3
  },
  "codes": {
    "FIELD_INVALID": 1,
    "PAN_LUHN": 2,
    "ALREADY_REGISTERED": 1
  },
  "received_at": "2026-11-20T01:31:00.000Z",
  "accepted_at": "2026-11-20T01:31:01.000Z",
  "started_at": "2026-11-20T01:31:02.000Z",
  "finished_at": "2026-11-20T01:31:03.500Z",
  "records_per_second": 4,
  "outbound": [
    {
      "name": "A.ack.json",
      "content_sha256": "cccc",
      "sha256": "5555"
    }
  ]
}
"#;
    assert_eq!(summary, expected);
    assert_eq!(summary::name(&file().stem), "ACME_PAYCARDS_20261120_1.summary.json");
}

#[test]
fn the_rate_is_null_where_time_says_nothing() {
    let rate = |started, finished| {
        let file = FileRecord { started_at: started, finished_at: finished, header: None, ..file() };
        let summary = summary::content(&file, &tally(&rows()), &BTreeMap::new(), &[]);
        let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
        assert!(summary["sequence"].is_null() && summary["batch_id"].is_null());
        summary["records_per_second"].as_u64()
    };
    let noon = at("2026-11-20T12:00:00Z");
    assert_eq!(rate(None, Some(noon)), None);
    assert_eq!(rate(Some(noon), None), None);
    assert_eq!(rate(Some(noon), Some(Timestamp(noon.0 - 1))), None);
    assert_eq!(rate(Some(noon), Some(noon)), Some(6_000));
    assert_eq!(rate(Some(noon), Some(Timestamp(noon.0 + 60_000))), Some(0));
}
