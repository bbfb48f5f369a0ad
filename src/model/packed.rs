//! The form in which a chunk's rows are kept: one value, with the number of its form beside it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Code, Failure, Masked, Outcome, OwnBytes, Place, RecordRow};

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

/// Bytes of a row but for its reference, its failures and its own part: more than most have.
const ROW_BYTES: usize = 40;

/// Bytes of a row without any of these, at least.
const ROW_BYTES_MIN: usize = 9;

/// Packs a chunk's rows: as postcard does, put together by hand, since every record of every file goes this way and back.
pub fn pack(rows: &[RecordRow]) -> Vec<u8> {
    let of_row = |row: &RecordRow| ROW_BYTES + row.record_ref.len() + row.own.len() + 2 * row.failures.len();
    let mut out = Vec::with_capacity(ROW_BYTES + rows.iter().map(of_row).sum::<usize>());
    put_length(&mut out, rows.len());
    for row in rows {
        let RecordRow { line, record_ref, outcome, failures, masked, own, place } = row;
        put(&mut out, *line);
        put_bytes(&mut out, record_ref.as_bytes());
        out.push(*outcome as u8);
        put_length(&mut out, failures.len());
        for Failure { field, code } in failures {
            out.extend_from_slice(&[*field, *code as u8]);
        }
        out.push(masked.digits);
        put(&mut out, masked.bin6.into());
        put(&mut out, masked.last4.into());
        put_bytes(&mut out, own);
        out.push(*place as u8);
    }
    out
}

/// A number: seven bits a byte, the lowest first, the highest bit where more follow.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7F {
        out.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7F) as u8);
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    put(out, length as u64);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Reads packed rows of any version; `None` of one that is not known, or of other bytes.
pub fn unpack(version: i64, outcomes: &[u8]) -> Option<Vec<RecordRow>> {
    match version {
        PACKED_VERSION => Packed(outcomes).rows(),
        VERSION_1 => {
            let rows: Vec<RowV1> = postcard::from_bytes(outcomes).ok()?;
            Some(rows.into_iter().map(RecordRow::from).collect())
        }
        _ => None,
    }
}

/// What is left to be read.
struct Packed<'a>(&'a [u8]);

impl<'a> Packed<'a> {
    fn rows(mut self) -> Option<Vec<RecordRow>> {
        let count = self.length()?;
        let mut rows = Vec::with_capacity(count.min(self.0.len() / ROW_BYTES_MIN));
        for _ in 0..count {
            rows.push(self.row()?);
        }
        self.0.is_empty().then_some(rows)
    }

    fn row(&mut self) -> Option<RecordRow> {
        let line = self.number()?;
        let record_ref = SmolStr::new(std::str::from_utf8(self.bytes()?).ok()?);
        let outcome = *Outcome::ALL.get(usize::from(self.byte()?))?;
        let count = self.length()?;
        let mut failures = Vec::with_capacity(count.min(self.0.len() / 2));
        for _ in 0..count {
            failures.push(Failure { field: self.byte()?, code: Code::from_number(self.byte()?)? });
        }
        let masked = Masked {
            digits: self.byte()?,
            bin6: self.number()?.try_into().ok()?,
            last4: self.number()?.try_into().ok()?,
        };
        let own = OwnBytes::from_slice(self.bytes()?);
        let place = *Place::ALL.get(usize::from(self.byte()?))?;
        Some(RecordRow { line, record_ref, outcome, failures, masked, own, place })
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            // The tenth byte has room for one.
            if bits << shift >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte <= 0x7F {
                return Some(number);
            }
        }
        None
    }

    /// A number of things of a byte or more that follow: never more than there are bytes.
    fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(self.number()?).ok()?;
        (length <= self.0.len()).then_some(length)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(bytes)
    }
}

/// Bytes read at once, not one by one. Postcard has the same form for both.
mod own {
    use serde::{Deserialize, Deserializer};

    use super::OwnBytes;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<OwnBytes, D::Error> {
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
    use proptest::prelude::*;

    use super::*;

    /// What postcard reads and writes of version 2.
    #[derive(Serialize, Deserialize)]
    struct RowV2 {
        line: u64,
        record_ref: SmolStr,
        outcome: Outcome,
        failures: Vec<Failure>,
        masked: Masked,
        own: Vec<u8>,
        place: PlaceV2,
    }

    #[derive(Serialize, Deserialize)]
    enum PlaceV2 {
        Row,
        Object,
        First,
        Next,
    }

    impl From<&RecordRow> for RowV2 {
        fn from(row: &RecordRow) -> Self {
            let RecordRow { line, record_ref, outcome, failures, masked, own, place } = row.clone();
            let place = match place {
                Place::Row => PlaceV2::Row,
                Place::Object => PlaceV2::Object,
                Place::First => PlaceV2::First,
                Place::Next => PlaceV2::Next,
            };
            Self { line, record_ref, outcome, failures, masked, own: own.to_vec(), place }
        }
    }

    fn rows() -> impl Strategy<Value = Vec<RecordRow>> {
        let number = prop_oneof![any::<u64>(), (0_u32..64).prop_map(|shift| 1 << shift), Just(u64::MAX), 0..300_u64];
        let failure = (any::<u8>(), proptest::sample::select(Code::ALL.to_vec()));
        let failures = proptest::collection::vec(failure.prop_map(|(field, code)| Failure { field, code }), 0..4);
        let masked = (any::<u8>(), any::<u32>(), any::<u16>());
        let masked = masked.prop_map(|(digits, bin6, last4)| Masked { digits, bin6, last4 });
        let shown = (number, "[a-zé]{0,130}", proptest::sample::select(Outcome::ALL.to_vec()));
        let row = (shown, failures, masked, proptest::collection::vec(any::<u8>(), 0..200), 0..Place::ALL.len());
        let row = row.prop_map(|((line, record_ref, outcome), failures, masked, own, place)| RecordRow {
            line,
            record_ref: record_ref.into(),
            outcome,
            failures,
            masked,
            own: OwnBytes::from_vec(own),
            place: Place::ALL[place],
        });
        proptest::collection::vec(row, 0..6)
    }

    proptest! {
        #[test]
        fn rows_are_packed_as_postcard_packs_them_and_read_back(rows in rows()) {
            let packed = pack(&rows);
            let by_postcard: Vec<RowV2> = rows.iter().map(RowV2::from).collect();
            prop_assert_eq!(&packed, &postcard::to_stdvec(&by_postcard).unwrap());
            prop_assert_eq!(unpack(PACKED_VERSION, &packed), Some(rows));
        }

        #[test]
        fn other_bytes_are_no_rows_or_those_that_postcard_reads(
            rows in rows(), at in any::<proptest::sample::Index>(), to in any::<u8>(), cut in any::<bool>(),
        ) {
            let mut bytes = pack(&rows);
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = to }
            if let Some(read) = unpack(PACKED_VERSION, &bytes) {
                let by_postcard: Vec<RowV2> = postcard::from_bytes(&bytes).unwrap();
                let read: Vec<RowV2> = read.iter().map(RowV2::from).collect();
                prop_assert_eq!(postcard::to_stdvec(&read).unwrap(), postcard::to_stdvec(&by_postcard).unwrap());
            }
        }
    }

    #[test]
    fn numbers_too_large_and_bytes_too_many_are_refused() {
        let number = |bytes: &[u8]| Packed(bytes).number();
        let full = [[0xFF; 9].as_slice(), &[1]].concat();
        assert_eq!(number(&full), Some(u64::MAX));
        assert_eq!(number(&[[0xFF; 9].as_slice(), &[2]].concat()), None);
        assert_eq!(number(&[0x80; 11]), None);
        assert_eq!(number(&[0x80]), None);
        // More rows, or bytes, than there are bytes: no room is made for them.
        assert_eq!(unpack(PACKED_VERSION, &full), None);
        assert_eq!(unpack(PACKED_VERSION, &[1, 0, 9, 1]), None);
        assert_eq!(unpack(PACKED_VERSION, &[0, 0]), None);
        assert_eq!(unpack(PACKED_VERSION, &[0]), Some(Vec::new()));
    }

    #[test]
    fn rows_of_the_first_version_are_read_and_those_of_a_later_one_are_not() {
        // line 5, "r-1", Rejected, one failure (field 2, PAN_LUHN), nothing masked, three bytes of its own.
        let written = [1, 5, 3, b'r', b'-', b'1', 4, 1, 2, 70, 0, 0, 0, 3, 200, 0, 7];
        let rows = unpack(VERSION_1, &written).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].line, &*rows[0].record_ref, rows[0].outcome), (5, "r-1", Outcome::Rejected));
        assert_eq!(rows[0].failures, [Failure { field: 2, code: crate::model::Code::PanLuhn }]);
        assert_eq!((rows[0].place, &rows[0].own[..]), (Place::Row, &[200, 0, 7][..]));
        let now = pack(&rows);
        assert_eq!(unpack(PACKED_VERSION, &now), Some(rows));
        assert_eq!(unpack(PACKED_VERSION + 1, &now), None);
    }
}
