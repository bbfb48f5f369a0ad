use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use tempfile::TempDir;

use crate::ledger::suite;
use crate::ledger::{Actor, AuditEntry, AuditEvent, Ledger, LedgerError};

use crate::model::{Code, Environment, FileNo, Timestamp};
use crate::services::Register;

use super::filter::Filter;
use super::{Options, SqliteLedger, held_by_another, open, open_read_only};

fn options(directory: &Path) -> Options {
    Options { path: directory.join("nd.db"), cache_bytes: 8 << 20, environment: Environment::Test }
}

async fn fresh() -> (TempDir, SqliteLedger) {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = open(&options(directory.path())).await.unwrap();
    (directory, ledger)
}

/// Runs a case of the suite on a new SQLite store.
macro_rules! runs {
    ($($case:ident),* $(,)?) => {
        $(#[tokio::test]
        async fn $case() {
            let (_directory, ledger) = fresh().await;
            suite::$case(Arc::new(ledger)).await;
        })*
    };
}

runs!(
    stems_are_an_issuers_own_and_never_used_twice,
    the_same_file_twice_is_told_by_key_and_content,
    sequences_rise_and_leave_no_gap_where_none_is_allowed,
    a_group_is_there_whole_or_not_at_all,
    a_file_gets_on_with_its_chunks,
    what_is_told_with_an_acceptance_stands_around_it,
    another_issuers_cards_are_not_seen,
    what_is_pinned_stays,
    what_is_decided_is_in_the_trail_and_what_failed_is_not,
    the_trail_proves_itself_and_fits_its_anchors,
    results_go_oldest_first_and_leave_what_they_registered,
    outbound_files_are_found_once_their_file_is_done_for_long,
    a_clock_that_jumps_moves_retention_by_a_step,
    a_file_on_a_server_is_taken_once_until_it_is_gone,
    the_journal_keeps_order_and_repeats_nothing_unasked,
    an_alarm_is_open_once_and_told_once_each_way,
    a_feeds_nights_are_kept,
    reports_are_made_from_what_was_received_and_what_moved,
);

#[tokio::test]
async fn what_is_due_goes_out_with_the_next_call_and_changes_its_row() {
    let (_directory, ledger) = fresh().await;
    let added = |write: &mut super::Write<'_>, key: &'static str| {
        write.later("INSERT INTO meta (key, value) VALUES (?, 'x')", |values| values.add(key)).unwrap();
    };
    let none = |write: &mut super::Write<'_>| {
        write.later("UPDATE meta SET value = 'y' WHERE key = ?", |values| values.add("nobody's")).unwrap();
    };
    let mut write = ledger.begin().await.unwrap();
    added(&mut write, "first");
    added(&mut write, "second");
    let found =
        write.rows("SELECT key FROM meta WHERE value = ? ORDER BY key", |values| values.add("x")).await.unwrap();
    assert_eq!(found.iter().map(|row| row.get::<&str, _>(0)).collect::<Vec<_>>(), ["first", "second"]);
    added(&mut write, "third");
    write.commit().await.unwrap();
    for key in ["first", "second", "third"] {
        assert_eq!(ledger.pinned(key).await.unwrap().as_deref(), Some("x"), "{key}");
    }

    // One that changes nothing takes all with it, and what a query finds does not stand in for it.
    let mut write = ledger.begin().await.unwrap();
    added(&mut write, "fourth");
    none(&mut write);
    assert!(write.commit().await.is_err());
    let mut write = ledger.begin().await.unwrap();
    added(&mut write, "fourth");
    none(&mut write);
    assert!(write.rows("SELECT 1", |_| Ok(())).await.is_err());
    drop(write);
    let mut write = ledger.begin().await.unwrap();
    added(&mut write, "fourth");
    drop(write);
    assert_eq!(ledger.pinned("fourth").await.unwrap(), None);

    // A transaction of one.
    let one = async |key: &'static str| {
        let write = ledger.begin().await.unwrap();
        write.commit_one("UPDATE meta SET value = 'z' WHERE key = ?", |values| values.add(key)).await
    };
    assert!(one("third").await.unwrap());
    assert!(!one("fourth").await.unwrap());
    assert_eq!(ledger.pinned("third").await.unwrap().as_deref(), Some("z"));
    let write = ledger.begin().await.unwrap();
    assert!(
        write.commit_one("UPDATE meta SET value = NULL WHERE key = ?", |values| values.add("third")).await.is_err()
    );
    assert_eq!(ledger.pinned("third").await.unwrap().as_deref(), Some("z"));
}

#[tokio::test]
async fn one_process_holds_it_and_others_may_read() {
    let (directory, ledger) = fresh().await;
    let options = options(directory.path());
    assert!(held_by_another(&options.path));
    assert!(matches!(open(&options).await, Err(LedgerError::Held(_))));
    assert!(open_read_only(&options.path).await.unwrap().overview(5).await.unwrap().files.is_empty());
    ledger.close().await.unwrap();
    drop(ledger);
    assert!(!held_by_another(&options.path));
    open_read_only(&options.path).await.unwrap().overview(5).await.unwrap();
    open(&options).await.unwrap();
}

#[tokio::test]
async fn test_and_prod_do_not_mix() {
    let (directory, ledger) = fresh().await;
    drop(ledger);
    let prod = Options { environment: Environment::Prod, ..options(directory.path()) };
    assert!(matches!(open(&prod).await, Err(LedgerError::Pinned { what: "environment", .. })));
}

#[tokio::test]
async fn a_newer_database_is_left_alone() {
    let (directory, ledger) = fresh().await;
    let mut write = ledger.begin().await.unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', 1, x'00', 0)")
        .execute(write.on().await.unwrap())
        .await
        .unwrap();
    write.commit().await.unwrap();
    drop(ledger);
    assert!(matches!(open(&options(directory.path())).await, Err(LedgerError::Newer(99))));
}

#[tokio::test]
async fn a_copy_kept_before_a_migration_is_a_whole_database() {
    let (directory, ledger) = fresh().await;
    ledger.pin("x", "kept").await.unwrap();
    let path = options(directory.path()).path;
    super::opening::keep_copy(&path, 1).await.unwrap();
    // Again, as after a crash that cut the first copy short.
    super::opening::keep_copy(&path, 1).await.unwrap();
    let copy = directory.path().join("nd.db.before-migration-2");
    assert_eq!(open_read_only(&copy).await.unwrap().pinned("x").await.unwrap().as_deref(), Some("kept"));
}

#[tokio::test]
async fn damage_is_found_after_an_unclean_stop() {
    let (directory, ledger) = fresh().await;
    let root = sqlx::query("SELECT rootpage FROM sqlite_schema WHERE name = 'payment_card'");
    let root: i64 = root.fetch_one(&ledger.readers).await.unwrap().try_get(0).unwrap();
    let path = options(directory.path()).path;
    ledger.close().await.unwrap();
    drop(ledger);
    let mut bytes = std::fs::read(&path).unwrap();
    // As after an unclean stop: the mark says no, and a page is no page any more.
    let mark = b"stopped_cleanlyyes";
    let at = bytes.windows(mark.len()).position(|window| window == mark).unwrap();
    bytes[at + 15..at + 18].copy_from_slice(b"not");
    let page = usize::try_from((root - 1) * i64::from(super::opening::PAGE_BYTES)).unwrap();
    bytes[page] = 0x55;
    std::fs::write(&path, bytes).unwrap();
    let opened = open(&options(directory.path())).await;
    assert!(matches!(opened, Err(LedgerError::Damaged(_))), "{:?}", opened.err());
}

#[tokio::test]
async fn every_byte_of_the_trail_counts() {
    let (directory, ledger) = fresh().await;
    for n in 0..9 {
        let entry = AuditEntry::new(Timestamp(n), AuditEvent::Action, Actor::Uid(7)).of_issuer("ACME").with("n", n);
        ledger.audit(&entry).await.unwrap();
    }
    let root = sqlx::query("SELECT rootpage FROM sqlite_schema WHERE name = 'audit'");
    let root: i64 = root.fetch_one(&ledger.readers).await.unwrap().try_get(0).unwrap();
    ledger.close().await.unwrap();
    drop(ledger);
    let path = options(directory.path()).path;
    let whole = std::fs::read(&path).unwrap();
    let page = usize::try_from((root - 1) * i64::from(super::opening::PAGE_BYTES)).unwrap();
    // A leaf's cells lie at its end; where they begin stands in its header.
    let cells = usize::from(u16::from_be_bytes([whole[page + 5], whole[page + 6]]));
    for at in (page + cells..page + super::opening::PAGE_BYTES as usize).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        std::fs::write(&path, bytes).unwrap();
        let found = open_read_only(&path).await.unwrap().audit_verify(&[]).await.unwrap();
        let finding = found.expect_err("a byte was changed");
        // A number itself may be what was changed.
        assert!((0..=13).contains(&finding.seq().unwrap()), "byte {at}: {finding}");
    }
}

/// How many fingerprints each index holds.
async fn fingerprints(ledger: &SqliteLedger) -> (i64, i64) {
    let counts = "SELECT (SELECT count(*) FROM fingerprint_young), (SELECT count(*) FROM fingerprint_old)";
    let row = sqlx::query(counts).fetch_one(&ledger.readers).await.unwrap();
    (row.try_get(0).unwrap(), row.try_get(1).unwrap())
}

/// Cards without exactly one fingerprint, and fingerprints without their card.
async fn strays(ledger: &SqliteLedger) -> i64 {
    let strays = "WITH held AS (SELECT issuer, fingerprint, pan_id FROM fingerprint_young UNION ALL SELECT issuer, fingerprint, pan_id FROM fingerprint_old) \
        SELECT (SELECT count(*) FROM vault_card AS card WHERE 1 <> (SELECT count(*) FROM held WHERE held.pan_id = card.pan_id \
                AND held.issuer = card.issuer AND held.fingerprint = card.fingerprint)) \
             + (SELECT count(*) FROM held WHERE pan_id NOT IN (SELECT pan_id FROM vault_card))";
    sqlx::query(strays).fetch_one(&ledger.readers).await.unwrap().try_get(0).unwrap()
}

/// How many fingerprints of the old index its filter does not know, and how many parts the filter has.
async fn filter(ledger: &SqliteLedger) -> (usize, usize) {
    let mut reader = ledger.readers.acquire().await.unwrap();
    let mut filter = Filter::new(ledger.room.filter_bytes);
    super::old::load_filter(&mut reader, &mut filter).await.unwrap();
    let old = sqlx::query("SELECT fingerprint FROM fingerprint_old").fetch_all(&mut *reader).await.unwrap();
    let fingerprints = old.iter().map(|row| row.get::<&[u8], _>(0).try_into().unwrap());
    let unknown = fingerprints.filter(|fingerprint| !filter.may_hold(fingerprint)).count();
    (unknown, (0..256).filter(|no| filter.part(*no).is_some()).count())
}

/// Registers PANs, a chunk of seven a group; the codes they got.
async fn register(ledger: &SqliteLedger, name: &str, content: u8, pans: &[u8]) -> (FileNo, Vec<Option<Code>>) {
    let no = suite::registering(ledger, name, name, content).await;
    for (index, part) in (0..).zip(pans.chunks(7)) {
        let asks: Vec<_> = part.iter().map(|pan| Ok(*pan)).collect();
        suite::commit(ledger, no, &mut [suite::chunk(no, index, &asks)]).await.unwrap();
    }
    (no, suite::codes(ledger, no).await)
}

/// A store whose generations are of ten fingerprints, and 256 PANs in an order that goes to and fro.
async fn with_small_generations() -> (TempDir, SqliteLedger, Vec<u8>) {
    let (directory, mut ledger) = fresh().await;
    ledger.room.young_max = 10;
    (directory, ledger, (0..=255_u8).map(|n| n.wrapping_mul(77)).collect())
}

/// Takes the first so many out that a file registered.
async fn deregister(ledger: &SqliteLedger, name: &str, content: u8, of: FileNo, count: u64) -> FileNo {
    let no = suite::registering(ledger, name, name, content).await;
    let id = |n: u64| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&of.0.to_be_bytes());
        id[8..].copy_from_slice(&(n / 7 * 10 + n % 7).to_be_bytes());
        Err(id)
    };
    let asks: Vec<_> = (0..count).map(id).collect();
    for (index, part) in (0..).zip(asks.chunks(7)) {
        suite::commit(ledger, no, &mut [suite::chunk(no, index, part)]).await.unwrap();
    }
    no
}

#[tokio::test]
async fn fingerprints_age_all_around_and_are_found_wherever_they_are() {
    let (directory, ledger, order) = with_small_generations().await;
    let (no, codes) = register(&ledger, "A.csv", 1, &order).await;
    assert_eq!(codes, [None; 256]);
    let (young, old) = fingerprints(&ledger).await;
    assert_eq!((young + old, strays(&ledger).await), (256, 0));
    assert!((1..=30).contains(&young), "{young} are young");
    assert_eq!(filter(&ledger).await, (0, usize::try_from(old).unwrap()), "each has a part of its own here");
    let ranges = sqlx::query("SELECT count(*) FROM fingerprint_range").fetch_one(&ledger.readers).await.unwrap();
    assert!(ranges.try_get::<i64, _>(0).unwrap() <= 6, "of 37 commits only those are kept that brought what is young");
    let (_, codes) = register(&ledger, "B.csv", 2, &order).await;
    assert_eq!(codes, [Some(Code::AlreadyRegistered); 256], "found in both levels");
    assert_eq!(fingerprints(&ledger).await, (young, old), "what is known is not noted again");

    // Twenty chunks of seven are taken out again: out of both levels.
    let out = deregister(&ledger, "C.csv", 3, no, 140).await;
    assert_eq!(suite::codes(&ledger, out).await, [None; 140]);
    let (young, old) = fingerprints(&ledger).await;
    assert_eq!((young + old, strays(&ledger).await), (116, 0));

    // A process that starts reads what is young, and so does one after a failed commit. A part of the filter that is not there,
    // or of another version, is made from the index when another fingerprint comes to it.
    let mut write = ledger.begin().await.unwrap();
    let other = "DELETE FROM fingerprint_filter WHERE part % 4 = 0; \
        UPDATE fingerprint_filter SET version = 0, bits = zeroblob(length(bits)) WHERE part % 4 = 2";
    sqlx::query(other).execute(write.on().await.unwrap()).await.unwrap();
    write.commit().await.unwrap();
    ledger.close().await.unwrap();
    drop(ledger);
    let (mut ledger, _) = open(&options(directory.path())).await.unwrap();
    ledger.room.young_max = 30;
    ledger.read_ahead();
    assert!(suite::commit(&ledger, out, &mut [suite::chunk(out, 0, &[Ok(1)])]).await.is_err());
    let (_, codes) = register(&ledger, "D.csv", 4, &order[..140]).await;
    assert_eq!(codes, [None; 140], "taken out, they can come again");
    let (young, old) = fingerprints(&ledger).await;
    assert_eq!((young + old, strays(&ledger).await), (256, 0));
    let (unknown, parts) = filter(&ledger).await;
    assert!(unknown == 0 && parts > 128, "{unknown} are not in the filter, which has {parts} parts");
    let read_only = open_read_only(&options(directory.path()).path).await.unwrap();
    let mut again = [suite::chunk(out, 0, &order.iter().map(|pan| Ok(*pan)).collect::<Vec<_>>())];
    let Some(Register::PaymentCards(seen)) = read_only.touched(out, "ACME", &mut again).await.unwrap() else {
        panic!()
    };
    assert_eq!(seen.holdings.len(), 256, "a reader sees those that are young too");
}

#[tokio::test]
async fn an_old_index_that_was_emptied_is_filled_anew() {
    let (directory, mut ledger, order) = with_small_generations().await;
    let (no, _) = register(&ledger, "A.csv", 1, &order).await;
    deregister(&ledger, "B.csv", 2, no, 256).await;
    assert_eq!((fingerprints(&ledger).await, strays(&ledger).await), ((0, 0), 0));
    assert!(filter(&ledger).await.1 > 200, "its filter says still what was there");
    for content in [3, 5] {
        ledger.close().await.unwrap();
        drop(ledger);
        (ledger, _) = open(&options(directory.path())).await.unwrap();
        ledger.room.young_max = 10;
        let (_, codes) = register(&ledger, &format!("{content}.csv"), content, &order).await;
        let expected = (content > 3).then_some(Code::AlreadyRegistered);
        assert_eq!(codes, [expected; 256]);
        assert_eq!((filter(&ledger).await.0, strays(&ledger).await), (0, 0));
    }
}

#[tokio::test]
async fn a_store_from_before_two_levels_keeps_what_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path());
    let connect = SqliteConnectOptions::new().filename(&options.path).create_if_missing(true).foreign_keys(true);
    let mut before = SqliteConnection::connect_with(&connect).await.unwrap();
    super::opening::MIGRATIONS.run_to(13, &mut before).await.unwrap();
    let rows = "INSERT INTO issuer VALUES (1, 'ACME');
        INSERT INTO vault_card SELECT value, 1, randomblob(16), zeroblob(38), 1, 16, 230377, value, 2 FROM generate;
        INSERT INTO payment_card SELECT value, randomblob(16), 1 FROM generate;
        INSERT INTO consumer VALUES (1, 1, 'c');
        INSERT INTO pan_list VALUES (1, 1, 7, 'n', 'c', 'i', 'DEU', '1', '2', 1, 0);
        INSERT INTO pan_list_member SELECT value, 1, 1 FROM generate;
        INSERT INTO card SELECT value, 1, 'card' || value, 1, 'GOLD', 'ACTIVE', 203012, 'FULL' FROM generate";
    let numbers = "CREATE TEMP VIEW generate AS WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 9) \
        SELECT value FROM n;";
    sqlx::raw_sql(AssertSqlSafe(format!("{numbers}{rows}"))).execute(&mut before).await.unwrap();
    let before_all = sums(&mut before).await;
    before.close().await.unwrap();

    let (ledger, notes) = open(&options).await.unwrap();
    assert!(notes.copied, "a copy is kept");
    assert_eq!((fingerprints(&ledger).await, strays(&ledger).await), ((0, 9), 0));
    let mut write = ledger.begin().await.unwrap();
    assert_eq!(sums(write.on().await.unwrap()).await, before_all);
}

/// All rows of the tables that the migration makes anew, and the names of their indexes.
async fn sums(on: &mut SqliteConnection) -> Vec<String> {
    let mut sums = Vec::new();
    for of in [
        "SELECT group_concat(concat_ws('|', pan_id, issuer, hex(fingerprint), hex(sealed), epoch, digits, bin6, last4, references_held)) FROM vault_card",
        "SELECT group_concat(concat_ws('|', pan_id, hex(payment_card_id), file)) FROM payment_card",
        "SELECT group_concat(concat_ws('|', pan_id, issuer, card_id, consumer, card_product_id, state, expiry, registration)) FROM card",
        "SELECT group_concat(concat_ws('|', pan_id, list, file)) FROM pan_list_member",
        "SELECT group_concat(concat_ws('|', no, issuer, consumer_id)) FROM consumer",
        "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE name IN ('payment_card_by_id', 'card_by_id', 'consumer_by_id') ORDER BY name)",
    ] {
        sums.push(sqlx::query(of).fetch_one(&mut *on).await.unwrap().try_get(0).unwrap());
    }
    sums
}
