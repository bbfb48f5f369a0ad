//! Reason codes: one closed list, shared by acks, reports, the console and `nightdrop explain`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Outcome;

/// Whether a code turns away a file or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Refuses the file.
    File,
    /// Rejects the record.
    Record,
}

macro_rules! codes {
    ($($variant:ident = $number:literal, $level:ident, $word:literal;)*) => {
        /// A reason code. The numbers are persisted in chunk rows: never change or reuse one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Code {
            $(#[doc = concat!("`", $word, "`; `nightdrop explain ", $word, "` says more.")] $variant = $number,)*
        }

        impl Code {
            /// All of them, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word in outbound files.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What it turns away.
            pub const fn level(self) -> Level {
                match self { $(Self::$variant => Level::$level,)* }
            }

            pub(super) const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    FeedUnknown = 1, File, "FEED_UNKNOWN";
    FileEmpty = 2, File, "FILE_EMPTY";
    FileTooLarge = 3, File, "FILE_TOO_LARGE";
    TooManyRecords = 4, File, "TOO_MANY_RECORDS";
    EnvelopeRefused = 5, File, "ENVELOPE_REFUSED";
    AlgorithmRefused = 6, File, "ALGORITHM_REFUSED";
    KeyUnknown = 7, File, "KEY_UNKNOWN";
    CryptoError = 8, File, "CRYPTO_ERROR";
    SignatureMissing = 9, File, "SIGNATURE_MISSING";
    SignatureInvalid = 10, File, "SIGNATURE_INVALID";
    EncodingInvalid = 11, File, "ENCODING_INVALID";
    FormatInvalid = 12, File, "FORMAT_INVALID";
    ColumnMissing = 13, File, "COLUMN_MISSING";
    ColumnUnknown = 14, File, "COLUMN_UNKNOWN";
    SadPresent = 15, File, "SAD_PRESENT";
    HeaderMissing = 16, File, "HEADER_MISSING";
    HeaderMismatch = 17, File, "HEADER_MISMATCH";
    VersionUnsupported = 18, File, "VERSION_UNSUPPORTED";
    TrailerMissing = 19, File, "TRAILER_MISSING";
    CountMismatch = 20, File, "COUNT_MISMATCH";
    DigestMismatch = 21, File, "DIGEST_MISMATCH";
    DuplicateFile = 22, File, "DUPLICATE_FILE";
    BatchReused = 23, File, "BATCH_REUSED";
    DuplicateContent = 24, File, "DUPLICATE_CONTENT";
    SequenceGap = 25, File, "SEQUENCE_GAP";
    SequenceOld = 26, File, "SEQUENCE_OLD";
    Poisoned = 27, File, "POISONED";
    FieldMissing = 64, Record, "FIELD_MISSING";
    FieldInvalid = 65, Record, "FIELD_INVALID";
    RecordCryptoError = 66, Record, "RECORD_CRYPTO_ERROR";
    PanMangled = 67, Record, "PAN_MANGLED";
    PanFormat = 68, Record, "PAN_FORMAT";
    PanLength = 69, Record, "PAN_LENGTH";
    PanLuhn = 70, Record, "PAN_LUHN";
    BinUnsupported = 71, Record, "BIN_UNSUPPORTED";
    DuplicateInFile = 72, Record, "DUPLICATE_IN_FILE";
    AlreadyRegistered = 73, Record, "ALREADY_REGISTERED";
    PanRetired = 74, Record, "PAN_RETIRED";
    RequestSize = 75, Record, "REQUEST_SIZE";
    CurrencyInvalid = 76, Record, "CURRENCY_INVALID";
    CurrencyUnsupported = 77, Record, "CURRENCY_UNSUPPORTED";
    NotRegistered = 78, Record, "NOT_REGISTERED";
    ListUnknown = 79, Record, "LIST_UNKNOWN";
    ListNameInvalid = 80, Record, "LIST_NAME_INVALID";
    PansOrRangeMissing = 81, Record, "PANS_OR_RANGE_MISSING";
    PansMissing = 82, Record, "PANS_MISSING";
    RangeInvalid = 83, Record, "RANGE_INVALID";
    RangeUnknown = 84, Record, "RANGE_UNKNOWN";
    PanOutOfRange = 85, Record, "PAN_OUT_OF_RANGE";
    AlreadyInList = 86, Record, "ALREADY_IN_LIST";
    NotInList = 87, Record, "NOT_IN_LIST";
    ExpiryInvalid = 88, Record, "EXPIRY_INVALID";
    CardExpired = 89, Record, "CARD_EXPIRED";
    CardIdDerived = 90, Record, "CARD_ID_DERIVED";
    CardIdInUse = 91, Record, "CARD_ID_IN_USE";
    ProductUnknown = 92, Record, "PRODUCT_UNKNOWN";
    EventIgnored = 93, Record, "EVENT_IGNORED";
    ContractUnknown = 94, Record, "CONTRACT_UNKNOWN";
    ContractInactive = 95, Record, "CONTRACT_INACTIVE";
    ProductIneligible = 96, Record, "PRODUCT_INELIGIBLE";
    AlreadyEnrolled = 97, Record, "ALREADY_ENROLLED";
}

impl Code {
    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == word)
    }

    /// The outcome of a record with this code.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::AlreadyRegistered | Self::AlreadyInList | Self::AlreadyEnrolled => Outcome::AlreadyRegistered,
            _ => Outcome::Rejected,
        }
    }

    /// Whether sending the record again, mended, can succeed.
    pub const fn recoverable(self) -> bool {
        !matches!(
            self,
            Self::AlreadyRegistered
                | Self::AlreadyInList
                | Self::AlreadyEnrolled
                | Self::DuplicateInFile
                | Self::PanRetired
                | Self::NotInList
                | Self::NotRegistered
                | Self::EventIgnored
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The words; as a schema of what is written for people.
impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = Self::ALL.iter().map(|code| code.as_str()).collect();
        json_schema!({"type": "string", "enum": words})
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.serialize_str(self.as_str()) } else { to.serialize_u8(*self as u8) }
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        if from.is_human_readable() {
            let word = String::deserialize(from)?;
            Self::from_word(&word).ok_or_else(|| Error::custom("not a reason code"))
        } else {
            let number = u8::deserialize(from)?;
            Self::from_number(number).ok_or_else(|| Error::custom("not the number of a reason code"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_name_one_code_each() {
        for &code in Code::ALL {
            assert_eq!(Code::from_word(code.as_str()), Some(code));
            assert_eq!(Code::from_number(code as u8), Some(code));
        }
    }
}
