//! What records are judged against, and a record as it comes to its service.

use std::sync::Arc;

use crate::model::{Failure, FileNo, InRequest, Masked, Outcome, OwnBytes, Place, RecordRow, Timestamp, Unseal};
use crate::vault::{Fingerprint, IdMaker, IssuerKeys, Pan, Sealing};

use super::reference::{IssuerProducts, IssuerRanges};
use super::{Definition, Effects, NewPan, PreparedChunk, SealText};

/// Bits of a row key that number a record (or chunk) inside its file: 67 million, above `file_records`' ceiling.
pub const ORDINAL_BITS: u32 = 26;

/// One record as it stands in the file: cells in the order of the service's columns, empty where absent.
pub struct Record<'a> {
    /// Its place in the file, counted from 0.
    pub ordinal: u64,
    /// The line it starts on.
    pub line: u64,
    /// Its cells.
    pub cells: &'a [&'a [u8]],
    /// Where it stands in the request that brought it.
    pub request: Option<InRequest>,
}

impl<'a> Record<'a> {
    /// The cell of a column.
    pub fn cell(&self, column: u8) -> &'a [u8] {
        self.cells.get(usize::from(column)).copied().unwrap_or(b"")
    }

    /// Its row, rejected for `failures` until something better is decided.
    pub fn row(&self, record_ref: &str, failures: Vec<Failure>, masked: Masked) -> RecordRow {
        RecordRow {
            line: self.line,
            record_ref: record_ref.into(),
            outcome: failures.first().map_or(Outcome::Rejected, |failure| failure.code.outcome()),
            failures,
            masked,
            own: OwnBytes::default(),
            place: Place::of(self.request),
        }
    }
}

/// What records are judged against; fixed for a file when it is accepted, the same for all workers.
pub struct Judge {
    /// The service whose rules apply.
    pub service: &'static Definition,
    /// The file.
    pub file: FileNo,
    /// When it was received: dates are judged by this.
    pub received_at: Timestamp,
    /// The issuer's keys.
    pub keys: Arc<IssuerKeys>,
    /// Makes the file's identifiers.
    pub ids: IdMaker,
    /// The issuer's ranges for this service.
    pub ranges: IssuerRanges,
    /// The issuer's card products.
    pub products: IssuerProducts,
    /// The currencies the issuer allows; `None` for all.
    pub currencies: Option<Arc<[String]>>,
    /// Opens what is sealed inside records, with the feed's keys.
    pub unseal: Option<Unseal>,
    /// Seals card objects for the enroller; nothing does in a dry run.
    pub enroll: Option<SealText>,
    /// Whether answers are sealed for the issuer, so that rejected PANs may stand in them.
    pub answers_sealed: bool,
}

impl Judge {
    /// An empty chunk to judge records into.
    pub fn chunk(&self, index: u64, records: usize) -> PreparedChunk {
        PreparedChunk::new(index, Vec::with_capacity(records), Effects::none(self.service.view.service, records))
    }

    /// Judges one record: its row, and what it asks of the register.
    pub fn record(&self, sealing: &mut Sealing, record: Record<'_>, into: &mut PreparedChunk) {
        (self.service.judge)(self, sealing, record, into);
    }

    /// The key of a row if this record turns out to be the one that makes it: file and ordinal, so that rows grow at their end.
    pub fn row_id(&self, ordinal: u64) -> i64 {
        (self.file.0 << ORDINAL_BITS) | i64::try_from(ordinal).unwrap_or(i64::MAX)
    }

    /// A PAN as the vault will hold it if this record is the first to bring it.
    pub fn new_pan(&self, pan: &Pan, ordinal: u64, sealing: &mut Sealing) -> NewPan {
        self.sealed_pan(pan, self.keys.fingerprint(pan), ordinal, sealing)
    }

    /// The same, and the UUID of what the record makes.
    pub fn new_pan_and_uuid(&self, pan: &Pan, ordinal: u64, sealing: &mut Sealing) -> (NewPan, [u8; 16]) {
        let (fingerprint, uuid) = self.keys.fingerprint_and_uuid(pan, &self.ids, ordinal);
        (self.sealed_pan(pan, fingerprint, ordinal, sealing), uuid)
    }

    fn sealed_pan(&self, pan: &Pan, fingerprint: Fingerprint, ordinal: u64, sealing: &mut Sealing) -> NewPan {
        let pan_id = self.row_id(ordinal);
        NewPan {
            fingerprint,
            pan_id,
            sealed: sealing.seal(pan, pan_id),
            epoch: self.keys.epoch(),
            masked: pan.masked(),
        }
    }
}
