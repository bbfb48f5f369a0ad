//! Which service's SQL a group of chunks is for.

use sqlx::SqliteConnection;

use crate::ledger::LedgerError;
use crate::model::{FileNo, registry};
use crate::services::{Effects, PreparedChunk, Register};

use super::Write;

macro_rules! stores {
    ($($name:ident in $folder:ident;)*) => {
        /// Decides what the chunks ask, and writes what comes of it.
        pub(super) async fn apply(
            write: &mut Write<'_>,
            no: FileNo,
            issuer: i64,
            chunks: &mut [PreparedChunk],
        ) -> Result<(), LedgerError> {
            match chunks.first().map(|chunk| &chunk.effects) {
                None => Ok(()),
                $(Some(Effects::$name(_)) => super::$folder::apply(write, no, issuer, chunks).await,)*
            }
        }

        /// Reads what the chunks ask for.
        pub(super) async fn read(
            reader: &mut SqliteConnection,
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
    };
}

registry!(stores);
