use std::path::Path;
use std::sync::Arc;

use sqlx::Row;
use tempfile::TempDir;

use crate::ledger::suite;
use crate::ledger::{Actor, AuditEntry, AuditEvent, Ledger, LedgerError};
use crate::model::{Environment, Timestamp};

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
        .execute(write.on().unwrap())
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
    let mut guard = ledger.writer.lock().await;
    super::opening::keep_copy(guard.as_mut().unwrap(), &path, 1).await.unwrap();
    // Again, as after a crash that cut the first copy short.
    super::opening::keep_copy(guard.as_mut().unwrap(), &path, 1).await.unwrap();
    drop(guard);
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
