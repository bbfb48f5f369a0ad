//! Which service's SQL a group of chunks is for.

use sqlx::SqlitePool;

use crate::ledger::LedgerError;
use crate::model::{FileNo, RecordRow, ServiceName, registry};
use crate::services::{Effects, PreparedChunk, Register};

use super::fingerprints::Reader;
use super::reports::Moved;
use super::{SqliteLedger, Write};

macro_rules! stores {
    ($($name:ident $word:literal in $folder:ident;)*) => {
        /// Decides what the chunks ask, and writes what comes of it; says what it did to the register.
        pub(super) async fn apply(
            write: &mut Write<'_>,
            no: FileNo,
            issuer: i64,
            chunks: &mut [PreparedChunk],
        ) -> Result<Moved, LedgerError> {
            match chunks.first().map(|chunk| &chunk.effects) {
                None => Ok(Moved::default()),
                $(Some(Effects::$name(_)) => super::$folder::apply(write, no, issuer, chunks).await,)*
            }
        }

        /// Reads what the chunks ask for.
        pub(super) async fn read(
            reader: &mut Reader<'_>,
            no: FileNo,
            issuer: i64,
            chunks: &[PreparedChunk],
        ) -> Result<Option<Register>, LedgerError> {
            Ok(match chunks.first().map(|chunk| &chunk.effects) {
                None => None,
                $(Some(Effects::$name(_)) => {
                    Some(Register::$name(super::$folder::read(reader, no, issuer, chunks).await?))
                })*
            })
        }

        /// Fetches what asks need before they are decided, and does with it what takes long: without holding up other writers.
        pub(super) async fn prepare(
            ledger: &SqliteLedger,
            issuer: &str,
            chunks: &mut [PreparedChunk],
        ) -> Result<(), LedgerError> {
            match chunks.first().map(|chunk| &chunk.effects) {
                None => Ok(()),
                $(Some(Effects::$name(_)) => super::$folder::prepare(ledger, issuer, chunks).await,)*
            }
        }

        /// Joins to a file's rows what the register says of what they name.
        pub(super) async fn complete(
            readers: &SqlitePool,
            no: FileNo,
            service: ServiceName,
            rows: &mut [RecordRow],
        ) -> Result<(), LedgerError> {
            match service {
                $(ServiceName::$name => super::$folder::complete(readers, no, rows).await,)*
            }
        }
    };
}

registry!(stores);

/// Of a service whose rows say all that there is to be said of them.
pub(super) async fn rows_are_complete(
    _readers: &SqlitePool,
    _no: FileNo,
    _rows: &mut [RecordRow],
) -> Result<(), LedgerError> {
    Ok(())
}

/// Of a service whose asks need nothing before they are decided.
pub(super) async fn nothing_to_prepare(
    _ledger: &SqliteLedger,
    _issuer: &str,
    _chunks: &mut [PreparedChunk],
) -> Result<(), LedgerError> {
    Ok(())
}
