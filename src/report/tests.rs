use crate::model::Retry;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::*;
use crate::model::{
    Cells, Decision, EnvelopeKind, Environment, Failure, FileNo, FileRecord, Header, Masked, Outcome, Place, RecordRow,
    State, Tally, Timestamp, View,
};
use crate::services::{Answer, PerRequest};

mod letters;

const VIEW: View = View {
    service: ServiceName::PaymentCards,
    recon_columns: &["payment_card_id", "status"],
    field_names: &["record_ref", "action", "pan", "card_base_currency"],
    expected: &[],
    own_cells,
};

/// Answers each record with its reference, and a refused request with one word.
fn answer(row: &RecordRow) -> Answer {
    match row.failures.first() {
        Some(failure) if failure.code == Code::RequestSize => Answer::Request(b"\"refused\"".to_vec()),
        _ => Answer::Record(format!("\"{}\"", row.record_ref).into_bytes()),
    }
}

const WORDS: Words = Words {
    describe: |code, service, field| {
        format!("{service}: {} broke {code}, as \"expected\".", field.map_or("record", |field| field.name))
    },
    remedy: |code| if code == Code::BinUnsupported { "=Ask, then resend" } else { "Mend and resend" },
    owner: |code| if code == Code::BinUnsupported { "operator" } else { "sender" },
};

fn own_cells(row: &RecordRow, cell: &mut Cells<'_>) {
    if let Ok(own) = std::str::from_utf8(&row.own)
        && !own.is_empty()
    {
        own.split('|').for_each(cell);
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn file() -> FileRecord {
    FileRecord {
        no: FileNo(7),
        name: "ACME_PAYCARDS_20261120_1.csv.jwe".into(),
        stem: "ACME_PAYCARDS_20261120_1".into(),
        issuer: "ACME".into(),
        feed: Some("acme-payment-cards".into()),
        service: Some(ServiceName::PaymentCards),
        environment: Some(Environment::Test),
        state: State::Registered,
        decision: Some(Decision::Accepted),
        code: None,
        line: None,
        description: None,
        bytes: 1234,
        sha256: Some("ab".repeat(32)),
        envelope: Some(EnvelopeKind::Jwe),
        key_id: Some("acme-2026".into()),
        header: Some(Header {
            batch_id: "-20261120".into(),
            sequence_text: "001".into(),
            created_text: "2026-11-20T02:30:00+01:00".into(),
            created: at("2026-11-20T01:30:00Z"),
        }),
        records: Some(6),
        next_sequence: Some(2),
        duplicate_of: None,
        received_at: at("2026-11-20T01:31:00Z"),
        accepted_at: Some(at("2026-11-20T01:31:01Z")),
        started_at: Some(at("2026-11-20T01:31:02Z")),
        finished_at: Some(at("2026-11-20T01:31:03.500Z")),
        done_at: None,
        source: None,
        held_why: None,
        held_from: None,
        retried: false,
        ends: crate::model::Ends::default(),
    }
}

fn row(line: u64, record_ref: &str, outcome: Outcome, failures: &[(u8, Code)], pan: &str, own: &str) -> RecordRow {
    RecordRow {
        line,
        record_ref: record_ref.into(),
        outcome,
        failures: failures.iter().map(|&(field, code)| Failure { field, code }).collect(),
        masked: Masked::of_digits(pan.as_bytes()),
        own: own.as_bytes().into(),
        place: Place::Row,
    }
}

fn rows() -> Vec<RecordRow> {
    const PAN: &str = "2303770003322342";
    vec![
        row(3, "r-1", Outcome::Registered, &[], PAN, "5a6b|ACTIVE"),
        row(4, "@r,2", Outcome::AlreadyRegistered, &[(2, Code::AlreadyRegistered)], PAN, ""),
        row(
            5,
            "",
            Outcome::Rejected,
            &[(0, Code::FieldInvalid), (2, Code::PanLuhn), (3, Code::CurrencyInvalid)],
            "",
            "",
        ),
        row(7, "=r4", Outcome::Rejected, &[(2, Code::BinUnsupported)], "12345678901", ""),
        row(8, "r-5", Outcome::Deregistered, &[], PAN, "5a6b|DELETED"),
        row(9, "r-6", Outcome::Rejected, &[(Failure::WHOLE, Code::FieldInvalid)], "", "|"),
    ]
}

fn tally(rows: &[RecordRow]) -> Tally {
    let mut tally = Tally::default();
    rows.iter().for_each(|row| tally.count(row.outcome));
    tally
}

fn sha256(bytes: &[u8]) -> String {
    hash::hex(Sha256::new_with_prefix(bytes))
}

fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    fs::read_dir(dir).unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// Writes the book of `rows`, which balances.
fn balanced(dir: &Path, file: &FileRecord, rows: &[RecordRow], seal: Option<&dyn Seal>) -> Vec<Outbound> {
    let outbox = Outbox::new(dir);
    let mut book = Book::begin(&outbox, file, VIEW, WORDS, seal, Vec::new()).unwrap();
    rows.iter().for_each(|row| book.row(row).unwrap());
    match book.finish(&tally(rows), rows.len() as u64).unwrap() {
        Balance::Balanced { outbound, .. } => outbound,
        Balance::Unbalanced { counted } => panic!("counted {counted:?}"),
    }
}

#[test]
fn recon_and_errors_are_these_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let outbound = balanced(dir.path(), &file(), &rows(), None);
    let contents = contents(dir.path());

    let rows = "HDR,1,ACME,payment-cards,'-20261120,001,2026-11-20T02:30:00+01:00,TEST\n\
        line,record_ref,outcome,code,recoverable,pan_masked,payment_card_id,status\n\
        3,r-1,REGISTERED,,,230377******2342,5a6b,ACTIVE\n\
        4,\"'@r,2\",ALREADY_REGISTERED,ALREADY_REGISTERED,false,230377******2342,,\n\
        5,,REJECTED,FIELD_INVALID,true,,,\n\
        7,'=r4,REJECTED,BIN_UNSUPPORTED,true,*******8901,,\n\
        8,r-5,DEREGISTERED,,,230377******2342,5a6b,DELETED\n\
        9,r-6,REJECTED,FIELD_INVALID,true,,,\n";
    let recon = format!("{rows}TRL,6,1,1,1,0,3,{}\n", sha256(rows.as_bytes()));
    assert_eq!(String::from_utf8_lossy(&contents["ACME_PAYCARDS_20261120_1.recon.csv"]), recon);

    let errors = "line,record_ref,field,code,recoverable,pan_masked,owner,description,remedy\n\
        5,,record_ref,FIELD_INVALID,true,,sender,\
        \"payment-cards: record_ref broke FIELD_INVALID, as \"\"expected\"\".\",Mend and resend\n\
        5,,pan,PAN_LUHN,true,,sender,\"payment-cards: pan broke PAN_LUHN, as \"\"expected\"\".\",Mend and resend\n\
        5,,card_base_currency,CURRENCY_INVALID,true,,sender,\
        \"payment-cards: card_base_currency broke CURRENCY_INVALID, as \"\"expected\"\".\",Mend and resend\n\
        7,'=r4,pan,BIN_UNSUPPORTED,true,*******8901,operator,\
        \"payment-cards: pan broke BIN_UNSUPPORTED, as \"\"expected\"\".\",\"'=Ask, then resend\"\n\
        9,r-6,,FIELD_INVALID,true,,sender,\
        \"payment-cards: record broke FIELD_INVALID, as \"\"expected\"\".\",Mend and resend\n";
    assert_eq!(String::from_utf8_lossy(&contents["ACME_PAYCARDS_20261120_1.errors.csv"]), errors);

    let as_listed = |name: &str, content: &str| Outbound {
        name: name.into(),
        content_sha256: sha256(content.as_bytes()),
        sha256: sha256(content.as_bytes()),
    };
    assert_eq!(
        outbound,
        [
            as_listed("ACME_PAYCARDS_20261120_1.recon.csv", &recon),
            as_listed("ACME_PAYCARDS_20261120_1.errors.csv", errors)
        ]
    );
    assert_eq!(contents.len(), 2);
}

#[test]
fn a_file_without_header_or_rejects_has_an_empty_header_and_no_errors_file() {
    let dir = tempfile::tempdir().unwrap();
    let outbound = balanced(dir.path(), &FileRecord { header: None, ..file() }, &rows()[..1], None);
    let contents = contents(dir.path());
    assert_eq!(contents.keys().collect::<Vec<_>>(), ["ACME_PAYCARDS_20261120_1.recon.csv"]);
    assert_eq!(outbound.len(), 1);
    let recon = String::from_utf8_lossy(&contents["ACME_PAYCARDS_20261120_1.recon.csv"]).into_owned();
    assert!(recon.starts_with("HDR,1,ACME,payment-cards,,,,TEST\n"), "{recon}");
    assert!(recon.contains("\nTRL,1,1,0,0,0,0,"), "{recon}");
}

#[test]
fn a_nil_file_has_its_recon() {
    let dir = tempfile::tempdir().unwrap();
    balanced(dir.path(), &file(), &[], None);
    let contents = contents(dir.path());
    let recon = String::from_utf8_lossy(&contents["ACME_PAYCARDS_20261120_1.recon.csv"]).into_owned();
    assert_eq!(recon.lines().count(), 3);
    assert!(recon.contains("\nTRL,0,0,0,0,0,0,"), "{recon}");
}

#[test]
fn a_book_counts_the_codes_that_records_stand_on() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(dir.path());
    let rows = rows();
    let mut book = Book::begin(&outbox, &file(), VIEW, WORDS, None, Vec::new()).unwrap();
    rows.iter().for_each(|row| book.row(row).unwrap());
    let Balance::Balanced { codes, .. } = book.finish(&tally(&rows), 6).unwrap() else { panic!("unbalanced") };
    let expected = [(Code::FieldInvalid, 2), (Code::BinUnsupported, 1), (Code::AlreadyRegistered, 1)];
    assert_eq!(codes, BTreeMap::from(expected));
}

#[test]
fn a_book_that_does_not_balance_shows_nothing() {
    let rows = rows();
    let expected = tally(&rows);
    let mut swapped = expected;
    (swapped.registered, swapped.rejected) = (swapped.rejected, swapped.registered);
    let short = tally(&rows[..5]);
    for (given, expected, records) in [
        (&rows[..], expected, 7),
        (&rows[..], swapped, 6),
        (&rows[..5], expected, 6),
        (&rows[..5], short, 6),
        (&rows[..0], Tally::default(), 1),
    ] {
        for seal in [None, Some(&Hex { fail_after: usize::MAX } as &dyn Seal)] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("ACME_PAYCARDS_20261120_1.recon.csv"), "from before").unwrap();
            let outbox = Outbox::new(dir.path());
            let mut book = Book::begin(&outbox, &file(), VIEW, WORDS, seal, Vec::new()).unwrap();
            given.iter().for_each(|row| book.row(row).unwrap());
            let balance = book.finish(&expected, records).unwrap();
            assert_eq!(balance, Balance::Unbalanced { counted: tally(given) });
            let left = [("ACME_PAYCARDS_20261120_1.recon.csv".to_owned(), b"from before".to_vec())];
            assert_eq!(contents(dir.path()), BTreeMap::from(left));
        }
    }
}

#[test]
fn a_long_book_is_made_alike_each_time_and_its_trailer_proves_it() {
    let rows: Vec<RecordRow> = (0..5_000)
        .map(|n| {
            let failed = [(2, Code::PanLuhn), (3, Code::CurrencyInvalid)];
            let outcome = if n % 7 == 0 { Outcome::Rejected } else { Outcome::Registered };
            let failures = if n % 7 == 0 { &failed[..] } else { &[] };
            row(n + 3, &format!("ref,{n}"), outcome, failures, "5555555555554444", "id|ACTIVE")
        })
        .collect();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outbound = balanced(one.path(), &file(), &rows, None);
    assert_eq!(outbound, balanced(two.path(), &file(), &rows, None));
    let contents_one = contents(one.path());
    assert_eq!(contents_one, contents(two.path()));
    for sent in &outbound {
        assert_eq!(sent.sha256, sha256(&contents_one[&sent.name]));
    }

    let recon = String::from_utf8(contents_one[&outbound[0].name].clone()).unwrap();
    assert!(recon.len() > 4 * (64 << 10), "shorter than the buffers it is to go through");
    let (before, trailer) = recon.split_at(recon.find("TRL,").unwrap());
    assert_eq!(trailer, format!("TRL,5000,4285,0,0,0,715,{}\n", sha256(before.as_bytes())));
    let mut reader = csv::ReaderBuilder::new().from_reader(before.split_once('\n').unwrap().1.as_bytes());
    let read: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(read.len(), 5_000);
    for (cells, row) in read.iter().zip(&rows) {
        assert_eq!((&cells[0], &cells[1]), (row.line.to_string().as_str(), &*row.record_ref));
    }
    assert_eq!(contents_one[&outbound[1].name].iter().filter(|&&byte| byte == b'\n').count(), 1 + 2 * 715);
}

/// Seals as hex with a full stop at the end, and fails after so many bytes.
struct Hex {
    fail_after: usize,
}

struct HexWriter {
    draft: Draft,
    left: usize,
}

impl Seal for Hex {
    fn extension(&self) -> &'static str {
        ".hex"
    }

    fn seal<'a>(&'a self, draft: Draft) -> io::Result<Box<dyn SealedWrite + 'a>> {
        Ok(Box::new(HexWriter { draft, left: self.fail_after }))
    }
}

impl Write for HexWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.left {
            // Fails once only: what comes after must fail because this did.
            self.left = usize::MAX;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.left -= bytes.len();
        bytes.iter().try_for_each(|byte| write!(self.draft, "{byte:02x}"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.draft.flush()
    }
}

impl SealedWrite for HexWriter {
    fn finish(mut self: Box<Self>) -> io::Result<Draft> {
        self.draft.write_all(b".")?;
        Ok(self.draft)
    }
}

#[test]
fn sealed_files_hold_the_same_content_and_no_plaintext_touches_the_disk() {
    let (plain, sealed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut rows = rows();
    // Enough for every buffer on the way to have been poured out before the end.
    for n in 0..20_000 {
        rows.push(row(10 + n, "r", Outcome::Rejected, &[(2, Code::PanLuhn)], "", ""));
    }
    let in_plain = balanced(plain.path(), &file(), &rows, None);
    let plain = contents(plain.path());

    let hex = Hex { fail_after: usize::MAX };
    let outbox = Outbox::new(sealed.path());
    let mut book = Book::begin(&outbox, &file(), VIEW, WORDS, Some(&hex), Vec::new()).unwrap();
    rows.iter().for_each(|row| book.row(row).unwrap());
    let midway = contents(sealed.path());
    assert_eq!(midway.len(), 2);
    for (name, bytes) in &midway {
        assert!(name.starts_with(".nightdrop-"), "{name} before the end");
        assert!(bytes.len() > 1 << 20, "{name} has only {} bytes", bytes.len());
        assert!(bytes.iter().all(u8::is_ascii_hexdigit), "{name} holds plaintext");
    }
    let Balance::Balanced { outbound, .. } = book.finish(&tally(&rows), rows.len() as u64).unwrap() else {
        panic!("unbalanced")
    };

    let sealed = contents(sealed.path());
    assert_eq!(sealed.len(), 2);
    for (sent, plain_sent) in outbound.iter().zip(&in_plain) {
        assert_eq!(sent.name, format!("{}.hex", plain_sent.name));
        assert_eq!(sent.content_sha256, plain_sent.content_sha256);
        assert_ne!(sent.sha256, sent.content_sha256);
        let bytes = &sealed[&sent.name];
        assert_eq!(sent.sha256, sha256(bytes));
        let mut expected: Vec<u8> = Vec::new();
        plain[&plain_sent.name].iter().for_each(|byte| write!(expected, "{byte:02x}").unwrap());
        expected.push(b'.');
        assert!(*bytes == expected, "{} is not its content sealed", sent.name);
    }
}

#[test]
fn after_a_failed_write_nothing_can_be_committed() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(dir.path());
    let rows = vec![row(3, "r-1", Outcome::Registered, &[], "", ""); 20_000];
    let hex = Hex { fail_after: 100_000 };
    let mut book = Book::begin(&outbox, &file(), VIEW, WORDS, Some(&hex), Vec::new()).unwrap();
    let failed: Vec<ReportError> = rows.iter().filter_map(|row| book.row(row).err()).collect();
    assert_eq!(failed.len(), 1);
    assert!(matches!(&failed[0], ReportError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull));
    assert_eq!(failed[0].retry(), Retry::Later);
    book.finish(&tally(&rows), 20_000).unwrap_err();
    assert!(contents(dir.path()).is_empty());
}

#[test]
fn a_row_that_the_errors_file_lacks_is_not_made_up_for_by_later_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (out, away) = (dir.path().join("out"), dir.path().join("away"));
    fs::create_dir(&out).unwrap();
    let outbox = Outbox::new(&out);
    let rows = vec![row(3, "r", Outcome::Rejected, &[(2, Code::PanLuhn)], "", ""); 2];
    let mut book = Book::begin(&outbox, &file(), VIEW, WORDS, None, Vec::new()).unwrap();
    fs::rename(&out, &away).unwrap();
    book.row(&rows[0]).unwrap_err();
    fs::rename(&away, &out).unwrap();
    book.row(&rows[1]).unwrap();
    book.finish(&tally(&rows), 2).unwrap_err();
    assert!(contents(&out).is_empty());
}

#[test]
fn a_response_answers_request_by_request() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(dir.path());
    let placed = |name: &str, place| RecordRow { place, ..row(2, name, Outcome::Registered, &[], "", "") };
    let refused = |name: &str, place| RecordRow {
        place,
        ..row(2, name, Outcome::Rejected, &[(Failure::WHOLE, Code::RequestSize)], "", "")
    };
    let rows = [
        placed("a", Place::Object),
        placed("b", Place::First),
        placed("c", Place::Next),
        refused("d", Place::First),
        refused("e", Place::Next),
        placed("f", Place::First),
        placed("g", Place::Object),
    ];
    let mut book = Book::begin(&outbox, &file(), VIEW, WORDS, None, vec![PerRequest::file(answer)]).unwrap();
    let mut tally = Tally::default();
    for row in &rows {
        tally.count(row.outcome);
        book.row(row).unwrap();
    }
    let Balance::Balanced { outbound, .. } = book.finish(&tally, 7).unwrap() else { panic!("it balances") };
    let name = &outbound.last().unwrap().name;
    assert!(name.ends_with(".response.jsonl"), "{name}");
    let text = std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(text, "\"a\"\n[\"b\",\"c\"]\n\"refused\"\n[\"f\"]\n\"g\"\n");
}
