//! What the ledger keeps of a record: enough for every report, and no card number.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;

use super::{Code, Masked, Outcome};

/// One failure of one record: which rule, in which field.
///
/// `field` is the index of the field in its service's column order; a failure of the record as a
/// whole stands at [`Failure::WHOLE`]. The words are made from the two when a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Index into the service's columns.
    pub field: u8,
    /// The rule that failed.
    pub code: Code,
}

impl Failure {
    /// The record as a whole, no single field.
    pub const WHOLE: u8 = u8::MAX;
}

/// Where a record stands in the request that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InRequest {
    /// The request's number in the file; the first is 1.
    pub request: u64,
    /// The record's number in the request; the first is 1.
    pub n: u64,
    /// Records in the request, or, where they are rows of CSV, those so far. A request of none still has one to be answered,
    /// without any value.
    pub records: u64,
    /// The request is an array, and not one record.
    pub is_array: bool,
    /// The records are rows of CSV that are told to be a request.
    pub is_row: bool,
}

/// The same as the ledger keeps it: enough to answer request by request. The numbers are persisted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// In a file without requests.
    #[default]
    Row,
    /// The request is this record.
    Object,
    /// The first record of an array.
    First,
    /// A further record of an array.
    Next,
}

impl Place {
    /// In the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Row, Self::Object, Self::First, Self::Next];

    /// What is kept of a place.
    pub fn of(place: Option<InRequest>) -> Self {
        match place {
            None | Some(InRequest { is_row: true, .. }) => Self::Row,
            Some(InRequest { is_array: false, .. }) => Self::Object,
            Some(InRequest { n: 1, .. }) => Self::First,
            Some(_) => Self::Next,
        }
    }
}

/// A service's own part of a row. A card's status and identifier find room in it, so that a million rows need no allocation.
pub type OwnBytes = SmallVec<[u8; 24]>;

/// A record's line in the ledger: the source of recon, errors and response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// Where the record starts in the plaintext; the first line is 1.
    pub line: u64,
    /// The sender's reference; empty when it failed its rule.
    pub record_ref: SmolStr,
    /// What became of it.
    pub outcome: Outcome,
    /// Failures in column order, then rule order; the first gives the record's code. Empty for what succeeded.
    pub failures: Vec<Failure>,
    /// What may be shown of its PAN.
    pub masked: Masked,
    /// The service's own columns, packed by the service and read by it alone.
    pub own: OwnBytes,
    /// Where it stands in its request.
    pub place: Place,
}

impl RecordRow {
    /// The record's one code: its first failure.
    pub fn code(&self) -> Option<Code> {
        self.failures.first().map(|failure| failure.code)
    }
}
