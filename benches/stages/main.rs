//! The stages of the main job one by one, each on what the stage before it gives. `make bench-stages` runs them and says what they take
//! of the processor, a record; the whole is measured by `benches/whole.py`.
//!
//! Elements are records, bytes those of the plaintext. Each stage runs on one thread, whose processor time counts; but the commit, since
//! the store has a thread of its own, is measured by the clock.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may stop where it stands, and criterion makes its functions"
)]

mod cpu;

use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cpu::ThreadTime;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nightdrop::intake::{self, FeedRule, Inbox};
use nightdrop::ledger::{Candidate, Claim, Group, Ledger, SequenceRule, sqlite};
use nightdrop::model::{
    BatchKey, Clock as _, EnvelopeKind, Environment, FileNo, Limits, OaepHash, PACKED_VERSION, ServiceName,
    SystemClock, Tally, Timestamp, explain, hex, unpack,
};
use nightdrop::open::{self, KeyType, Keyring, PrivateKey, Recipient, Sealer};
use nightdrop::parse::{self, Controls, Cutter, Format, Proven, RawChunk, Survey};
use nightdrop::report::{Balance, Book, Outbox, Words};
use nightdrop::services::payment_cards::{self, DEFINITION};
use nightdrop::services::reference::{AccountRanges, CardProducts};
use nightdrop::services::sample::Numbers;
use nightdrop::services::{Judge, PreparedChunk, Record};
use nightdrop::vault::{IssuerKeys, KeyEncryptionKey, KeyPurpose, Nonces, Pan, Sealing};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

const ISSUER: &str = "ACME";
const SERVICE: ServiceName = ServiceName::PaymentCards;
/// Records of the file, and of the one commit: the default of `group_records_max`.
const RECORDS: u64 = 50_000;
/// What a file costs once (a key unwrapped, a sync) is spread over a million records: so often the text stands in a file that is
/// claimed or opened.
const TEXTS: usize = 20;
const CHUNK_RECORDS: usize = 100;
/// As much as a stage is handed at once by the pipeline.
const PIECE_BYTES: usize = 256 << 10;
const CREATED: &str = "2026-11-20T01:30:00Z";
const RANGE: (&str, &str) = ("2303770000000000000", "2303779999999999999");

fn at() -> Timestamp {
    Timestamp::parse(CREATED).unwrap()
}

/// Beside the build: the system's own place for temporaries may be in memory, where a sync costs nothing.
fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn pans() -> Vec<String> {
    let numbers = Numbers::new([RANGE].into_iter(), 1).unwrap();
    (0..RECORDS).map(|n| numbers.pan(n)).collect()
}

fn text(format: Format) -> Vec<u8> {
    let csv = format == Format::Csv;
    let mut text = if csv {
        format!("HDR,1,{ISSUER},{SERVICE},B1,1,{CREATED},TEST\nrecord_ref,pan,card_base_currency\n")
    } else {
        format!(
            r#"{{"header":{{"version":1,"issuer":"{ISSUER}","service":"{SERVICE}","batchId":"B1","sequence":1,"created":"{CREATED}","environment":"TEST"}}}}"#
        ) + "\n"
    };
    for (n, pan) in pans().iter().enumerate() {
        if csv {
            writeln!(text, "r-{n},{pan},EUR").unwrap();
        } else {
            writeln!(text, r#"{{"id":"r-{n}","fpan":"{pan}","cardBaseCurrency":"EUR"}}"#).unwrap();
        }
    }
    let digest = hex(&Sha256::digest(&text));
    if csv {
        writeln!(text, "TRL,{RECORDS},{digest}").unwrap();
    } else {
        writeln!(text, r#"{{"trailer":{{"records":{RECORDS},"sha256":"{digest}"}}}}"#).unwrap();
    }
    text.into_bytes()
}

fn survey(text: &[u8], format: Format) -> Proven {
    let mut survey = Survey::new(parse::Options {
        limits: Limits::default(),
        delimiter: b',',
        controls: Controls::Required,
        format: Some(format),
        columns: &payment_cards::COLUMNS,
        issuer: ISSUER.to_owned(),
        service: SERVICE,
        environment: Environment::Test,
        unseal: None,
        d1: None,
    });
    text.chunks(PIECE_BYTES).for_each(|piece| survey.push(piece));
    survey.finish().unwrap()
}

fn cut(text: &[u8], proven: &Proven) -> Vec<RawChunk> {
    let mut cutter = Cutter::new(&proven.layout, CHUNK_RECORDS, 0, None);
    let mut ready = Vec::new();
    text.chunks(PIECE_BYTES).for_each(|piece| cutter.push(piece, &mut ready).unwrap());
    cutter.finish(&mut ready).unwrap();
    ready
}

fn keys() -> IssuerKeys {
    let kek = KeyEncryptionKey::from_hex("a7".repeat(32).as_bytes()).unwrap();
    let random = Zeroizing::new([3; 44]);
    let wrapped = KeyPurpose::ALL.map(|purpose| kek.wrap_new(ISSUER, purpose, 1, &random));
    IssuerKeys::open(&kek, ISSUER, &wrapped).unwrap()
}

fn judge(file: FileNo) -> Judge {
    let keys = Arc::new(keys());
    let (low, high) = RANGE;
    let ranges = format!("issuer,cid,ica,country,low,high,services\n{ISSUER},1,1001,FR,{low},{high},{SERVICE}\n");
    Judge {
        service: &DEFINITION,
        file,
        received_at: at(),
        ids: keys.id_maker(&[b"bench"], at().0),
        keys,
        ranges: AccountRanges::parse(ranges.as_bytes()).unwrap().for_issuer(ISSUER, SERVICE),
        products: CardProducts::default().for_issuer(ISSUER),
        currencies: None,
        unseal: None,
        enroll: None,
        answers_sealed: false,
    }
}

fn sealing(judge: &Judge) -> Sealing {
    Sealing::new(Arc::clone(&judge.keys), Nonces::from_seed([7; 32]))
}

fn prepare(raw: &RawChunk, judge: &Judge, sealing: &mut Sealing) -> PreparedChunk {
    let mut chunk = judge.chunk(raw.index(), raw.len());
    raw.for_each(&mut |ordinal, line, cells, request| {
        judge.record(sealing, Record { ordinal, line, cells, request }, &mut chunk);
    })
    .unwrap();
    chunk.pack();
    chunk
}

/// The copy that is claimed, hashed and synced.
fn claiming(bench: &mut Criterion<ThreadTime>) {
    let text = text(Format::Csv).repeat(TEXTS);
    let home = directory();
    let (inbound, work) = (home.path().join("inbound"), home.path().join("work"));
    [&inbound, &work].iter().for_each(|it| std::fs::create_dir(it).unwrap());
    let key = open::generate(KeyType::EcP256, "bench").unwrap();
    seal(&text, &key.public_jwk, &inbound.join("ACME_1.csv.jwe"));
    let mut inbox = Inbox::new(intake::Options {
        inbound: inbound.clone(),
        feeds: vec![FeedRule { name: "feed".into(), files: "*".into(), done_marker: false }],
        settle: Duration::ZERO,
        stalled: Duration::ZERO,
    })
    .unwrap();
    let candidate = inbox.scan(SystemClock.monotonic()).unwrap().ready.remove(0);
    let mut group = bench.benchmark_group("claim");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("copy", |bench| {
        bench.iter(|| {
            let claimed = intake::claim(&inbound, &candidate, &work, "1", u64::MAX).unwrap();
            assert!(matches!(claimed, intake::Claim::Whole { .. }));
        });
    });
    group.finish();
}

fn seal(text: &[u8], public_jwk: &str, to: &Path) {
    let recipient = Recipient::parse(public_jwk.as_bytes()).unwrap();
    let mut sealer = Sealer::new(&recipient, File::create(to).unwrap()).unwrap();
    sealer.write_all(text).unwrap();
    sealer.finish().unwrap();
}

/// Pass 1 over the envelope: unwrap the key, stream and decrypt all of it, verify the tag.
fn opening(bench: &mut Criterion<ThreadTime>) {
    let text = text(Format::Csv).repeat(TEXTS);
    let home = directory();
    let options = open::Options {
        accepted: vec![EnvelopeKind::Jwe],
        allow_plaintext: false,
        oaep_hash: OaepHash::default(),
        line_bytes_max: 8 << 20,
    };
    let mut group = bench.benchmark_group("open");
    group.throughput(Throughput::Bytes(text.len() as u64));
    for (name, key_type) in [("jwe RSA-OAEP-256 (3072)", KeyType::Rsa3072), ("jwe ECDH-ES (P-256)", KeyType::EcP256)] {
        let key = open::generate(key_type, "bench").unwrap();
        let keyring = Keyring::new(vec![PrivateKey::parse(key.private_jwk.as_bytes()).unwrap()]).unwrap();
        let path = home.path().join(name);
        seal(&text, &key.public_jwk, &path);
        let mut buffer = vec![0; PIECE_BYTES];
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let opened = open::open(File::open(&path).unwrap(), &options, &keyring).unwrap();
                let mut plaintext = opened.plaintext().unwrap();
                let mut bytes = 0;
                loop {
                    match plaintext.read(&mut buffer).unwrap() {
                        0 => break,
                        count => bytes += count,
                    }
                }
                assert_eq!(bytes, text.len());
            });
        });
    }
    group.finish();
}

/// Pass 1 over the text (encoding, control records, structure, digest), and pass 2's cutting into chunks.
fn parsing(bench: &mut Criterion<ThreadTime>) {
    let mut group = bench.benchmark_group("parse");
    for (name, format) in [("csv", Format::Csv), ("jsonl", Format::Jsonl)] {
        let text = text(format);
        let proven = survey(&text, format);
        assert_eq!(proven.records, RECORDS);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("{name} survey"), |bench| bench.iter(|| survey(black_box(&text), format)));
        group.bench_function(format!("{name} cut"), |bench| bench.iter(|| cut(black_box(&text), &proven)));
    }
    group.finish();
}

/// What a worker does: cells found, rules, range, fingerprint, sealed PAN, identifier, rows packed; and parts of it by themselves.
fn preparing(bench: &mut Criterion<ThreadTime>) {
    let judge = judge(FileNo(1));
    let mut sealing = sealing(&judge);
    let mut group = bench.benchmark_group("prepare");
    group.throughput(Throughput::Elements(RECORDS));
    for (name, format) in [("csv", Format::Csv), ("jsonl", Format::Jsonl)] {
        let text = text(format);
        let chunks = cut(&text, &survey(&text, format));
        group.bench_function(format!("{name} cells"), |bench| {
            bench.iter(|| {
                let mut bytes = 0;
                for chunk in &chunks {
                    chunk
                        .for_each(&mut |_, _, cells, _| bytes += cells.iter().map(|it| it.len()).sum::<usize>())
                        .unwrap();
                }
                bytes
            });
        });
        group.bench_function(format!("{name} chunks"), |bench| {
            bench.iter(|| chunks.iter().for_each(|raw| drop(black_box(prepare(raw, &judge, &mut sealing)))));
        });
    }
    let pans: Vec<Pan> = pans().iter().map(|pan| Pan::new(pan.as_bytes()).unwrap()).collect();
    group.bench_function("fingerprint", |bench| {
        bench.iter(|| pans.iter().for_each(|pan| _ = black_box(judge.keys.fingerprint(black_box(pan)))));
    });
    group.bench_function("fingerprint and identifier", |bench| {
        bench.iter(|| {
            for (ordinal, pan) in (0..).zip(&pans) {
                black_box(judge.keys.fingerprint_and_uuid(black_box(pan), &judge.ids, ordinal));
            }
        });
    });
    group.bench_function("seal", |bench| {
        bench.iter(|| {
            for (pan_id, pan) in (0..).zip(&pans) {
                black_box(sealing.seal(black_box(pan), pan_id));
            }
        });
    });
    group.finish();
}

/// A store with a file whose chunks may come.
async fn registering(home: &Path) -> (sqlite::SqliteLedger, FileNo) {
    let options =
        sqlite::Options { path: home.join("nightdrop.db"), cache_bytes: 64 << 20, environment: Environment::Test };
    let (ledger, _) = sqlite::open(&options).await.unwrap();
    let claim = Claim {
        issuer: ISSUER.into(),
        name: "ACME_1.csv".into(),
        stem: "ACME_1".into(),
        feed: Some("feed".into()),
        service: Some(SERVICE),
        environment: Some(Environment::Test),
        identity: "{}".into(),
        remote: None,
        bytes: 1,
        at: at(),
    };
    let no = ledger.claim(&claim).await.unwrap().no;
    ledger.claimed(no, Some("ab"), 1).await.unwrap();
    let key = BatchKey { issuer: ISSUER.into(), service: SERVICE, batch_id: "B1".into(), sequence: Some(1) };
    let candidate = Candidate {
        no,
        issuer: ISSUER.into(),
        feed: "feed".into(),
        service: SERVICE,
        key: Some(key),
        header: None,
        content_digest: [1; 32],
        records: RECORDS,
        envelope: EnvelopeKind::Jwe,
        key_id: None,
        sequence: SequenceRule::Off,
        told: None,
        told_then: None,
        settings: "{}".into(),
        at: at(),
    };
    ledger.decide(&candidate).await.unwrap();
    (ledger, no)
}

fn prepared(no: FileNo) -> Vec<PreparedChunk> {
    let text = text(Format::Csv);
    let judge = judge(no);
    let mut sealing = sealing(&judge);
    cut(&text, &survey(&text, Format::Csv)).iter().map(|raw| prepare(raw, &judge, &mut sealing)).collect()
}

/// One commit of all the records into an empty store.
fn committing(bench: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = bench.benchmark_group("commit");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("sqlite, one group", |bench| {
        bench.iter_batched(
            || {
                let home = directory();
                let (ledger, no) = runtime.block_on(registering(home.path()));
                (home, ledger, no, prepared(no))
            },
            |(home, ledger, no, mut chunks)| {
                let group = Group { no, issuer: ISSUER, at: at(), began: at(), chunks: &mut chunks };
                runtime.block_on(ledger.commit(group)).unwrap();
                // Closed and taken away beside the clock.
                (home, ledger, chunks)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// The reconciliation of all the records from their rows as the ledger keeps them, written durably.
fn reporting(bench: &mut Criterion<ThreadTime>) {
    let runtime = Runtime::new().unwrap();
    let home = directory();
    let (record, rows): (_, Vec<Vec<u8>>) = runtime.block_on(async {
        let (ledger, no) = registering(home.path()).await;
        let mut chunks = prepared(no);
        ledger.commit(Group { no, issuer: ISSUER, at: at(), began: at(), chunks: &mut chunks }).await.unwrap();
        let record = ledger.file(no).await.unwrap();
        ledger.close().await.unwrap();
        (record, chunks.iter().map(|chunk| chunk.packed().into_owned()).collect())
    });
    let tally = Tally { registered: RECORDS, ..Tally::default() };
    let words = Words { describe: explain::describe, remedy: explain::remedy, owner: explain::owner };
    let outbox = Outbox::new(home.path());
    let mut group = bench.benchmark_group("report");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("recon", |bench| {
        bench.iter(|| {
            let mut book = Book::begin(&outbox, &record, DEFINITION.view, words, None, Vec::new()).unwrap();
            for packed in &rows {
                unpack(PACKED_VERSION, packed).unwrap().iter().for_each(|row| book.row(row).unwrap());
            }
            assert!(matches!(book.finish(&tally, RECORDS).unwrap(), Balance::Balanced { .. }));
        });
    });
    group.finish();
}

fn settings() -> Criterion {
    Criterion::default().sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3))
}

criterion_group! {
    name = threads;
    config = settings().with_measurement(ThreadTime);
    targets = claiming, opening, parsing, preparing, reporting
}
criterion_group! {
    name = store;
    config = settings();
    targets = committing
}
criterion_main!(threads, store);
