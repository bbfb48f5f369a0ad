//! What the codes mean: the one source for the errors file, `nightdrop explain` and the README's table.
//!
//! Nothing here sees a record, so nothing here can show a value of one.

mod describe;
mod file_codes;
mod record_codes;

use super::Code;
use super::code::Level;

pub use describe::describe;

/// Whose move it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Whoever sent the file.
    Sender,
    /// Whoever runs nightdrop.
    Operator,
}

impl Owner {
    /// The word in outbound files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Operator => "operator",
        }
    }
}

/// All there is to say of a code. The texts are whole sentences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What was found.
    pub meaning: &'static str,
    /// How it usually comes about.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// Who does it.
    pub owner: Owner,
    /// What it turns away.
    pub level: Level,
    /// Whether sending it again, mended, can succeed.
    pub recoverable: bool,
}

/// The part of an [`Explanation`] that is written down by hand.
struct Words {
    meaning: &'static str,
    cause: &'static str,
    remedy: &'static str,
    owner: Owner,
}

/// Explains a code.
pub const fn explain(code: Code) -> Explanation {
    let Words { meaning, cause, remedy, owner } = words(code);
    // A record's word for it is the contract's; a file that was accepted before has nothing to mend either.
    let recoverable = code.recoverable() && !matches!(code, Code::DuplicateFile);
    Explanation { meaning, cause, remedy, owner: *owner, level: code.level(), recoverable }
}

/// What to do about a code.
pub fn remedy(code: Code) -> &'static str {
    words(code).remedy
}

/// Who does it: `sender` or `operator`.
pub fn owner(code: Code) -> &'static str {
    words(code).owner.as_str()
}

/// The README's table of codes, in Markdown.
pub fn markdown_table() -> String {
    let mut table = "| code | refuses | meaning | what to do | whose move |\n|---|---|---|---|---|\n".to_owned();
    for &code in Code::ALL {
        let Explanation { meaning, remedy, owner, level, .. } = explain(code);
        let (level, owner) = (level_word(level), owner.as_str());
        table.push_str(&format!("| `{code}` | {level} | {meaning} | {remedy} | {owner} |\n"));
    }
    table
}

/// What a code turns away, in a word.
pub const fn level_word(level: Level) -> &'static str {
    match level {
        Level::File => "file",
        Level::Record => "record",
    }
}

const fn words(code: Code) -> &'static Words {
    match code {
        Code::FeedUnknown => &file_codes::FEED_UNKNOWN,
        Code::FileEmpty => &file_codes::FILE_EMPTY,
        Code::FileTooLarge => &file_codes::FILE_TOO_LARGE,
        Code::TooManyRecords => &file_codes::TOO_MANY_RECORDS,
        Code::EnvelopeRefused => &file_codes::ENVELOPE_REFUSED,
        Code::AlgorithmRefused => &file_codes::ALGORITHM_REFUSED,
        Code::KeyUnknown => &file_codes::KEY_UNKNOWN,
        Code::CryptoError => &file_codes::CRYPTO_ERROR,
        Code::SignatureMissing => &file_codes::SIGNATURE_MISSING,
        Code::SignatureInvalid => &file_codes::SIGNATURE_INVALID,
        Code::EncodingInvalid => &file_codes::ENCODING_INVALID,
        Code::FormatInvalid => &file_codes::FORMAT_INVALID,
        Code::ColumnMissing => &file_codes::COLUMN_MISSING,
        Code::ColumnUnknown => &file_codes::COLUMN_UNKNOWN,
        Code::SadPresent => &file_codes::SAD_PRESENT,
        Code::HeaderMissing => &file_codes::HEADER_MISSING,
        Code::HeaderMismatch => &file_codes::HEADER_MISMATCH,
        Code::VersionUnsupported => &file_codes::VERSION_UNSUPPORTED,
        Code::TrailerMissing => &file_codes::TRAILER_MISSING,
        Code::CountMismatch => &file_codes::COUNT_MISMATCH,
        Code::DigestMismatch => &file_codes::DIGEST_MISMATCH,
        Code::DuplicateFile => &file_codes::DUPLICATE_FILE,
        Code::BatchReused => &file_codes::BATCH_REUSED,
        Code::DuplicateContent => &file_codes::DUPLICATE_CONTENT,
        Code::SequenceGap => &file_codes::SEQUENCE_GAP,
        Code::SequenceOld => &file_codes::SEQUENCE_OLD,
        Code::Poisoned => &file_codes::POISONED,
        Code::FieldMissing => &record_codes::FIELD_MISSING,
        Code::FieldInvalid => &record_codes::FIELD_INVALID,
        Code::RecordCryptoError => &record_codes::RECORD_CRYPTO_ERROR,
        Code::PanMangled => &record_codes::PAN_MANGLED,
        Code::PanFormat => &record_codes::PAN_FORMAT,
        Code::PanLength => &record_codes::PAN_LENGTH,
        Code::PanLuhn => &record_codes::PAN_LUHN,
        Code::BinUnsupported => &record_codes::BIN_UNSUPPORTED,
        Code::DuplicateInFile => &record_codes::DUPLICATE_IN_FILE,
        Code::AlreadyRegistered => &record_codes::ALREADY_REGISTERED,
        Code::PanRetired => &record_codes::PAN_RETIRED,
        Code::RequestSize => &record_codes::REQUEST_SIZE,
        Code::CurrencyInvalid => &record_codes::CURRENCY_INVALID,
        Code::CurrencyUnsupported => &record_codes::CURRENCY_UNSUPPORTED,
        Code::NotRegistered => &record_codes::NOT_REGISTERED,
        Code::ListUnknown => &record_codes::LIST_UNKNOWN,
        Code::ListNameInvalid => &record_codes::LIST_NAME_INVALID,
        Code::PansOrRangeMissing => &record_codes::PANS_OR_RANGE_MISSING,
        Code::PansMissing => &record_codes::PANS_MISSING,
        Code::RangeInvalid => &record_codes::RANGE_INVALID,
        Code::RangeUnknown => &record_codes::RANGE_UNKNOWN,
        Code::PanOutOfRange => &record_codes::PAN_OUT_OF_RANGE,
        Code::AlreadyInList => &record_codes::ALREADY_IN_LIST,
        Code::NotInList => &record_codes::NOT_IN_LIST,
        Code::ExpiryInvalid => &record_codes::EXPIRY_INVALID,
        Code::CardExpired => &record_codes::CARD_EXPIRED,
        Code::CardIdDerived => &record_codes::CARD_ID_DERIVED,
        Code::CardIdInUse => &record_codes::CARD_ID_IN_USE,
        Code::ProductUnknown => &record_codes::PRODUCT_UNKNOWN,
        Code::EventIgnored => &record_codes::EVENT_IGNORED,
        Code::ContractUnknown => &record_codes::CONTRACT_UNKNOWN,
        Code::ContractInactive => &record_codes::CONTRACT_INACTIVE,
        Code::ProductIneligible => &record_codes::PRODUCT_INELIGIBLE,
        Code::AlreadyEnrolled => &record_codes::ALREADY_ENROLLED,
    }
}

#[cfg(test)]
mod tests;
