//! Opening the store: lock, pragmas, migrations with a copy kept, checks after an unclean stop.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex as Table;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, OnceCell};

use crate::ledger::LedgerError;
use crate::model::Environment;

use super::fingerprints::Room;
use super::{SqliteLedger, Writer, backup};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("src/ledger/migrations/sqlite");

/// Pages larger than the default: fewer of them are visited for the same rows.
pub(super) const PAGE_BYTES: u32 = 8192;

/// How the store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database file.
    pub path: PathBuf,
    /// What the writer may hold in memory, in bytes: half for pages, half for young fingerprints. The filter of old ones takes a
    /// byte or two for each, up to an eighth as much besides.
    pub cache_bytes: u64,
    /// What the database is pinned to.
    pub environment: Environment,
}

/// What opening found that a person should know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notes {
    /// The database lies in memory: a power cut loses it. Refused with environment PROD.
    pub on_tmpfs: bool,
    /// A copy was kept before migrations were run.
    pub copied: bool,
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn lock(path: &Path) -> Result<File, LedgerError> {
    let lock_path = lock_path(path);
    let io = |source| LedgerError::Io { path: lock_path.clone(), source };
    let file = OpenOptions::new().create(true).append(true).mode(0o640).open(&lock_path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LedgerError::Held(lock_path)),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Whether a process holds the store now.
pub fn held_by_another(path: &Path) -> bool {
    let file = File::open(lock_path(path));
    matches!(file.map(|file| file.try_lock_shared()), Ok(Err(TryLockError::WouldBlock)))
}

/// Where commits cannot be made durable: network file systems, and memory in production.
fn check_place(path: &Path, environment: Environment) -> Result<bool, LedgerError> {
    const NFS: i64 = 0x6969;
    const SMB2: i64 = 0xFE53_4D42;
    const TMPFS: i64 = 0x0102_1994;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stat = rustix::fs::statfs(directory)
        .map_err(|errno| LedgerError::Io { path: directory.to_owned(), source: errno.into() })?;
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the width of f_type differs by platform")]
    match stat.f_type as i64 {
        NFS => Err(LedgerError::Unsafe("NFS")),
        SMB2 => Err(LedgerError::Unsafe("SMB")),
        TMPFS if environment == Environment::Prod => Err(LedgerError::Unsafe("tmpfs")),
        TMPFS => Ok(true),
        _ => Ok(false),
    }
}

fn write_options(options: &Options) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&options.path)
        .create_if_missing(true)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // The other half is for young fingerprints.
        .pragma("cache_size", format!("-{}", (options.cache_bytes / 2).div_ceil(1024)))
        .pragma("wal_autocheckpoint", "10000")
        .pragma("trusted_schema", "OFF")
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
        .statement_cache_capacity(64)
        .disable_statement_logging()
}

async fn readers(path: &Path, create: bool) -> Result<SqlitePool, LedgerError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(create)
        .read_only(!create)
        .pragma("query_only", "ON")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging();
    Ok(SqlitePoolOptions::new()
        .max_connections(4)
        .min_connections(0)
        // There is no server that could have hung up.
        .test_before_acquire(false)
        .connect_with(options)
        .await?)
}

/// Opens the store for the process that will write to it: takes the lock, brings the schema up to date, checks after an unclean stop.
pub async fn open(options: &Options) -> Result<(SqliteLedger, Notes), LedgerError> {
    let mut notes = Notes { on_tmpfs: check_place(&options.path, options.environment)?, copied: false };
    let lock = lock(&options.path)?;
    let write_options = write_options(options);
    let mut writer = SqliteConnection::connect_with(&write_options).await?;
    notes.copied = migrate(&mut writer, &options.path).await?;
    check_after_unclean_stop(&mut writer).await?;
    pin_environment(&mut writer, options.environment).await?;
    let ledger = SqliteLedger {
        write_options,
        writer: Mutex::new(Some(Writer::new(writer))),
        room: Room::of_cache(options.cache_bytes),
        readers: readers(&options.path, false).await?,
        young_seen: OnceCell::new(),
        reading: Table::new(None),
        issuers: Table::new(HashMap::new()),
        lock: Some(lock),
        path: options.path.clone(),
    };
    Ok((ledger, notes))
}

/// Opens the store to read it, beside a running daemon or without one. Takes no lock and changes nothing.
pub async fn open_read_only(path: &Path) -> Result<SqliteLedger, LedgerError> {
    if !path.exists() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(LedgerError::Io { path: path.to_owned(), source });
    }
    let readers = readers(path, false).await?;
    match newest_migration(&mut *readers.acquire().await?).await? {
        newest if newest > known_migration() => return Err(LedgerError::Newer(newest)),
        newest if newest < known_migration() => return Err(LedgerError::Older),
        _ => {}
    }
    let ledger = SqliteLedger {
        write_options: SqliteConnectOptions::new().filename(path).read_only(true),
        writer: Mutex::new(None),
        room: Room::default(),
        readers,
        young_seen: OnceCell::new(),
        reading: Table::new(None),
        issuers: Table::new(HashMap::new()),
        lock: None,
        path: path.to_owned(),
    };
    Ok(ledger)
}

/// The version that this program's migrations lead to.
fn known_migration() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// The version of the database; 0 of one that holds nothing yet.
async fn newest_migration(on: &mut SqliteConnection) -> Result<i64, LedgerError> {
    let has_table = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations'");
    if has_table.fetch_optional(&mut *on).await?.is_none() {
        return Ok(0);
    }
    let newest = sqlx::query("SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success");
    Ok(newest.fetch_one(&mut *on).await?.try_get(0)?)
}

/// Runs what is missing, after a copy of a database that already holds something. Gives back whether a copy was kept.
async fn migrate(writer: &mut SqliteConnection, path: &Path) -> Result<bool, LedgerError> {
    let newest = newest_migration(writer).await?;
    if newest > known_migration() {
        return Err(LedgerError::Newer(newest));
    }
    let copied = newest < known_migration() && newest > 0;
    if copied {
        keep_copy(path, newest).await?;
    }
    MIGRATIONS.run(&mut *writer).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => LedgerError::Newer(version),
        MigrateError::Execute(source) => LedgerError::Database(source),
        other => LedgerError::Migration(other),
    })?;
    Ok(copied)
}

pub(super) async fn keep_copy(path: &Path, version: i64) -> Result<(), LedgerError> {
    let mut copy = path.as_os_str().to_owned();
    copy.push(format!(".before-migration-{}", version + 1));
    let copy = PathBuf::from(copy);
    match std::fs::remove_file(&copy) {
        // A copy that a crash cut short.
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(LedgerError::Io { path: copy, source }),
    }
    backup::copy(path, &copy).await?;
    File::open(&copy).and_then(|file| file.sync_all()).map_err(|source| LedgerError::Io { path: copy, source })
}

async fn check_after_unclean_stop(writer: &mut SqliteConnection) -> Result<(), LedgerError> {
    let stopped =
        sqlx::query("SELECT value FROM meta WHERE key = 'stopped_cleanly'").fetch_optional(&mut *writer).await?;
    if let Some(stopped) = stopped
        && stopped.try_get::<&str, _>(0)? != "yes"
    {
        let findings = sqlx::query(AssertSqlSafe("PRAGMA quick_check(1)")).fetch_one(&mut *writer).await?;
        let finding: String = findings.try_get(0)?;
        if finding != "ok" {
            return Err(LedgerError::Damaged(finding));
        }
    }
    sqlx::query(
        "INSERT INTO meta (key, value) VALUES ('stopped_cleanly', 'no') ON CONFLICT (key) DO UPDATE SET value = 'no'",
    )
    .execute(&mut *writer)
    .await?;
    Ok(())
}

async fn pin_environment(writer: &mut SqliteConnection, environment: Environment) -> Result<(), LedgerError> {
    sqlx::query("INSERT INTO meta (key, value) VALUES ('environment', ?) ON CONFLICT DO NOTHING")
        .bind(environment.as_str())
        .execute(&mut *writer)
        .await?;
    let pinned = sqlx::query("SELECT value FROM meta WHERE key = 'environment'").fetch_one(&mut *writer).await?;
    let pinned: String = pinned.try_get(0)?;
    if pinned == environment.as_str() {
        return Ok(());
    }
    Err(LedgerError::Pinned { what: "environment", pinned, wanted: environment.to_string() })
}
