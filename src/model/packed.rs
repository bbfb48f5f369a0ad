//! The form in which a chunk's rows are kept: one value, with the number of its form beside it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Failure, Masked, Outcome, OwnBytes, Place, RecordRow};

/// The form that [`pack`] writes: postcard of `Vec<RecordRow>`.
pub const PACKED_VERSION: i64 = 2;

/// The form before records had a place in a request: postcard of `Vec<RowV1>`.
const VERSION_1: i64 = 1;

/// A record's row as version 1 wrote it.
#[derive(Deserialize)]
struct RowV1 {
    line: u64,
    record_ref: SmolStr,
    outcome: Outcome,
    failures: Vec<Failure>,
    masked: Masked,
    #[serde(with = "own")]
    own: OwnBytes,
}

impl From<RowV1> for RecordRow {
    fn from(row: RowV1) -> Self {
        let RowV1 { line, record_ref, outcome, failures, masked, own } = row;
        Self { line, record_ref, outcome, failures, masked, own, place: Place::Row }
    }
}

/// Packs a chunk's rows. `None` never comes of rows that fit into memory.
pub fn pack(rows: &[RecordRow]) -> Option<Vec<u8>> {
    postcard::to_stdvec(rows).ok()
}

/// Reads packed rows of any version; `None` of one that is not known, or of other bytes.
pub fn unpack(version: i64, outcomes: &[u8]) -> Option<Vec<RecordRow>> {
    match version {
        PACKED_VERSION => postcard::from_bytes(outcomes).ok(),
        VERSION_1 => {
            let rows: Vec<RowV1> = postcard::from_bytes(outcomes).ok()?;
            Some(rows.into_iter().map(RecordRow::from).collect())
        }
        _ => None,
    }
}

/// Bytes written and read at once, not one by one. Postcard has the same form for both.
pub(super) mod own {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::OwnBytes;

    pub(in crate::model) fn serialize<S: Serializer>(own: &OwnBytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(own)
    }

    pub(in crate::model) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<OwnBytes, D::Error> {
        <&[u8]>::deserialize(from).map(OwnBytes::from_slice)
    }
}

/// A service's own part of a row, packed. An empty one never comes of parts that fit into memory.
pub fn pack_own(own: &impl Serialize) -> OwnBytes {
    postcard::to_extend(own, OwnBytes::new()).unwrap_or_default()
}

/// Reads it back; `None` of bytes that are not such a part.
pub fn unpack_own<T: DeserializeOwned>(row: &RecordRow) -> Option<T> {
    postcard::from_bytes(&row.own).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_first_version_are_read_and_those_of_a_later_one_are_not() {
        // line 5, "r-1", Rejected, one failure (field 2, PAN_LUHN), nothing masked, three bytes of its own.
        let written = [1, 5, 3, b'r', b'-', b'1', 4, 1, 2, 70, 0, 0, 0, 3, 200, 0, 7];
        let rows = unpack(VERSION_1, &written).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].line, &*rows[0].record_ref, rows[0].outcome), (5, "r-1", Outcome::Rejected));
        assert_eq!(rows[0].failures, [Failure { field: 2, code: crate::model::Code::PanLuhn }]);
        assert_eq!((rows[0].place, &rows[0].own[..]), (Place::Row, &[200, 0, 7][..]));
        let now = pack(&rows).unwrap();
        assert_eq!(unpack(PACKED_VERSION, &now), Some(rows));
        assert_eq!(unpack(PACKED_VERSION + 1, &now), None);
    }
}
