//! The names and codes of the public structure, in one place: its pages show the structure and not each name, so that those
//! here may have to change.

use crate::model::{Code, Columns, Refusal, Request};

use super::super::object::{self, Fault as Noticed};

/// The three parts of a batch, in their order.
pub(super) const PARTS: [&str; 3] = ["header", "records", "signature"];

/// The keys of the header: batch, sequence, issuer, operation.
pub(super) const HEADER: [&str; 4] = ["batchId", "seqNumber", "issuerId", "operation"];

/// The keys of a row: its id, and what it asks.
pub(super) const ROW: [&str; 2] = ["rowId", "consumerAndCardRegistrationRequest"];

/// The keys of what it asks: the consumer, what else is known of them, the cards.
pub(super) const ASKED: [&str; 3] = ["consumerId", "personalInformation", "cards"];

/// A card, and the columns that it fills.
pub(super) static CARD: Request = Request {
    keys: &[("cardId", 3), ("cardProductId", 4), ("state", 6), ("encryptedData", 7)],
    arrays: true,
    body: None,
};

/// The column of the consumer, whom a row names once for all its cards.
pub(super) const CONSUMER: usize = 5;

/// What the columns above are called: a service that does not call them so has no such batches.
const COLUMNS: [(usize, &str); 6] =
    [(0, "record_ref"), (3, "card_id"), (4, "card_product_id"), (CONSUMER, "consumer_id"), (6, "state"), (7, "card")];

/// Whether a service's records can come as a batch.
pub(in crate::parse) fn fits(columns: &Columns) -> bool {
    COLUMNS.iter().all(|(at, name)| columns.names.get(*at) == Some(name))
}

/// The most that a plaintext may have.
pub(super) const BYTES_MAX: u64 = 200_000_000;

/// Something that refuses a batch: our code, D1's, and the sentence by which D1's is found again when the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::parse) struct Fault(Code, u16, &'static str);

impl Fault {
    pub(in crate::parse) fn refusal(self) -> Refusal {
        Refusal::new(self.0, self.2)
    }
}

macro_rules! faults {
    ($($name:ident = $code:ident, $d1:literal, $sentence:literal;)*) => {
        $(pub(super) const $name: Fault = Fault(Code::$code, $d1, $sentence);)*
        /// All of them.
        const FAULTS: &[Fault] = &[$($name),*];
    };
}

faults! {
    NOT_JSON = FormatInvalid, 103, "The text is not JSON as a D1 batch is; expected is one object of header, records and signature.";
    CUT = FormatInvalid, 103, "The file ends within the batch; expected is a whole one.";
    ORDER = FormatInvalid, 103, "The batch's keys stand in another order; expected are header, records, signature, each once.";
    REPEATED = FormatInvalid, 103, "A key stands twice in one object; expected is each at most once.";
    DEEP = FormatInvalid, 103, "Values lie in one another more than 64 deep; expected are fewer.";
    UNKNOWN = ColumnUnknown, 103, "A key of the batch is not known; expected are those of the D1 batch.";
    HEADER_ABSENT = FormatInvalid, 105, "The batch has no header; expected is one before the records.";
    RECORDS_ABSENT = FormatInvalid, 105, "The batch has no records; expected is an array of them behind the header.";
    FIELD_ABSENT = FormatInvalid, 105, "The header lacks a field; expected are batchId, seqNumber, issuerId and operation.";
    ROW_ABSENT = FormatInvalid, 105, "A row has no rowId; expected is one in each.";
    BATCH_ID = FormatInvalid, 106, "The header's batchId is malformed; expected are 1 to 48 letters, digits, _ or -.";
    SEQUENCE = FormatInvalid, 106, "The header's seqNumber is malformed; expected is a string of 1 to 48 digits.";
    TYPE = FormatInvalid, 106, "A value has the wrong type; expected is that of the D1 batch.";
    ROW_ID = FormatInvalid, 106, "A rowId is malformed; expected is a whole number of at most 18 digits.";
    ROW_REPEATED = FormatInvalid, 107, "A rowId is not higher than the one before; expected are rising ones.";
    ISSUER = HeaderMismatch, 100, "The header's issuerId is not that of the feed.";
    ANOTHER_OPERATION = HeaderMismatch, 100, "The header names another operation; expected is CONSUMER_CARD_REGISTRATION.";
    NAME = HeaderMismatch, 100, "The header's batchId or seqNumber is not that of the file's name; expected is [IssuerId-]BatchId-SeqNumber-UnixTime.json.";
    TOO_LARGE = FileTooLarge, 102, "The text has more than 200000000 bytes, the most that a D1 batch may have.";
    TOO_LONG = FormatInvalid, 102, "A part of the batch has more bytes than a request may have.";
}

/// The code that D1 gives for a refusal; `None` where its list has none.
pub fn d1_code(code: Code, description: &str) -> Option<u16> {
    if let Some(Fault(_, d1, _)) = FAULTS.iter().find(|fault| fault.0 == code && fault.2 == description) {
        return Some(*d1);
    }
    match code {
        Code::HeaderMismatch => Some(100),
        Code::FileTooLarge | Code::TooManyRecords => Some(102),
        Code::FormatInvalid | Code::ColumnUnknown | Code::EncodingInvalid | Code::FileEmpty | Code::SadPresent => {
            Some(103)
        }
        Code::SignatureMissing | Code::SignatureInvalid => Some(110),
        _ => None,
    }
}

/// What was noticed in an object, as the refusal of a batch.
pub(super) fn noticed(fault: Noticed) -> Refusal {
    let fault = match fault {
        Noticed::Sensitive => return object::sensitive(),
        Noticed::Malformed | Noticed::Cut => NOT_JSON,
        Noticed::Repeated(_) => REPEATED,
        Noticed::Unknown => UNKNOWN,
        _ => TYPE,
    };
    fault.refusal()
}
