//! The codes as the contract lists them, and what it says of each: written down here by hand, for nothing else to agree with
//! the program by accident.

/// What refuses a file.
pub(super) const FILE: [&str; 27] = [
    "FEED_UNKNOWN",
    "FILE_EMPTY",
    "FILE_TOO_LARGE",
    "TOO_MANY_RECORDS",
    "ENVELOPE_REFUSED",
    "ALGORITHM_REFUSED",
    "KEY_UNKNOWN",
    "CRYPTO_ERROR",
    "SIGNATURE_MISSING",
    "SIGNATURE_INVALID",
    "ENCODING_INVALID",
    "FORMAT_INVALID",
    "COLUMN_MISSING",
    "COLUMN_UNKNOWN",
    "SAD_PRESENT",
    "HEADER_MISSING",
    "HEADER_MISMATCH",
    "VERSION_UNSUPPORTED",
    "TRAILER_MISSING",
    "COUNT_MISMATCH",
    "DIGEST_MISMATCH",
    "DUPLICATE_FILE",
    "BATCH_REUSED",
    "DUPLICATE_CONTENT",
    "SEQUENCE_GAP",
    "SEQUENCE_OLD",
    "POISONED",
];

const ANY: &[&str] = &["FIELD_MISSING", "FIELD_INVALID"];
const PAN: &[&str] = &["PAN_MANGLED", "PAN_FORMAT", "PAN_LENGTH", "PAN_LUHN"];

/// What rejects a record, by service: the codes of its own line, those of the lines for any service and for PANs that its
/// rules name.
pub(super) const RECORD: [(&str, &[&[&str]]); 5] = [
    (
        "payment-cards",
        &[
            ANY,
            PAN,
            &["BIN_UNSUPPORTED", "DUPLICATE_IN_FILE", "ALREADY_REGISTERED"],
            &["REQUEST_SIZE", "CURRENCY_INVALID", "CURRENCY_UNSUPPORTED", "NOT_REGISTERED"],
        ],
    ),
    (
        "pan-lists",
        &[
            ANY,
            PAN,
            &["DUPLICATE_IN_FILE"],
            &[
                "LIST_UNKNOWN",
                "LIST_NAME_INVALID",
                "PANS_OR_RANGE_MISSING",
                "PANS_MISSING",
                "RANGE_INVALID",
                "RANGE_UNKNOWN",
                "PAN_OUT_OF_RANGE",
                "ALREADY_IN_LIST",
                "NOT_IN_LIST",
                "NOT_REGISTERED",
            ],
        ],
    ),
    (
        "cards",
        &[
            ANY,
            PAN,
            &["RECORD_CRYPTO_ERROR", "ALREADY_REGISTERED", "PAN_RETIRED"],
            &[
                "EXPIRY_INVALID",
                "CARD_EXPIRED",
                "CARD_ID_DERIVED",
                "CARD_ID_IN_USE",
                "PRODUCT_UNKNOWN",
                "EVENT_IGNORED",
                "NOT_REGISTERED",
            ],
        ],
    ),
    ("card-contracts", &[ANY, PAN, &["ALREADY_REGISTERED"], &["EXPIRY_INVALID", "PRODUCT_UNKNOWN", "CARD_ID_IN_USE"]]),
    (
        "click-to-pay",
        &[ANY, &["CONTRACT_UNKNOWN", "CONTRACT_INACTIVE", "CARD_EXPIRED", "PRODUCT_INELIGIBLE", "ALREADY_ENROLLED"]],
    ),
];

/// The codes whose record need not be sent again.
const NOT_AGAIN: [&str; 8] = [
    "ALREADY_REGISTERED",
    "ALREADY_IN_LIST",
    "ALREADY_ENROLLED",
    "DUPLICATE_IN_FILE",
    "PAN_RETIRED",
    "NOT_IN_LIST",
    "NOT_REGISTERED",
    "EVENT_IGNORED",
];

/// What stands in `recoverable` beside a record's code.
pub(super) fn recoverable(code: &str) -> &'static str {
    match code {
        "" => "",
        code if NOT_AGAIN.contains(&code) => "false",
        _ => "true",
    }
}

/// The outcome of a record with this code.
pub(super) fn outcome(code: &str) -> &'static str {
    if ["ALREADY_REGISTERED", "ALREADY_IN_LIST", "ALREADY_ENROLLED"].contains(&code) {
        "ALREADY_REGISTERED"
    } else {
        "REJECTED"
    }
}

/// The words that the answer to a JSON request holds for a code; none where they depend on the field, which a case knows.
/// An answer without a public program's word for it holds the code itself.
pub(super) fn answers(service: &str, code: &'static str) -> Vec<&'static str> {
    let known: &[&str] = match (service, code) {
        ("payment-cards", "BIN_UNSUPPORTED" | "PAN_MANGLED" | "PAN_FORMAT" | "PAN_LENGTH" | "PAN_LUHN") => {
            &["INVALID_FPAN"]
        }
        ("payment-cards", "ALREADY_REGISTERED" | "DUPLICATE_IN_FILE") => &["PAYMENT_CARD_ALREADY_EXISTS"],
        ("payment-cards", "CURRENCY_INVALID") => &["INVALID_CARD_BASE_CURRENCY"],
        ("payment-cards", "CURRENCY_UNSUPPORTED") => &["UNSUPPORTED_CURRENCY"],
        ("payment-cards", "REQUEST_SIZE") => &["INVALID_REQUEST_PARAMETER", "Service-Provider"],
        ("pan-lists", "ALREADY_IN_LIST" | "DUPLICATE_IN_FILE") => &["invalid.pan", "pan already present in list"],
        ("pan-lists", "PAN_LUHN") => &["invalid.pan", "pan failed for Luhn check"],
        ("pan-lists", "PAN_FORMAT" | "PAN_LENGTH" | "PAN_MANGLED") => {
            &["invalid.pan", "pan doesn't have required 11-19 digits"]
        }
        ("pan-lists", "PAN_OUT_OF_RANGE") => &["invalid.pan", "pan failed for account range validation"],
        ("pan-lists", "NOT_IN_LIST") => &["pan.not.linked", "pan not associated with the pan list"],
        ("pan-lists", "NOT_REGISTERED") => &["pan.not.registered", "pan not present"],
        ("pan-lists", "PANS_OR_RANGE_MISSING") => {
            &["invalid.data: Either pans or Account Range", "must not be null or empty"]
        }
        ("pan-lists", "LIST_NAME_INVALID") => &["invalid.data: panListName", r#"must match "^[a-zA-Z0-9\s-]{1,64}$""#],
        ("pan-lists", "LIST_UNKNOWN") => &["invalid.request.parameter"],
        ("click-to-pay", "CONTRACT_UNKNOWN") => &["INVALID_STATE", "INVALID_VALUE"],
        ("click-to-pay", "PRODUCT_INELIGIBLE") => &["INVALID_STATE", "TOKENIZATION_INELIGIBLE"],
        ("click-to-pay", "CONTRACT_INACTIVE") => &["INVALID_STATE", "ISSUER_DECLINED"],
        ("click-to-pay", "CARD_EXPIRED") => &["INVALID_STATE", "PAN_INELIGIBLE"],
        ("click-to-pay", "FIELD_MISSING") => &["INVALID_ARGUMENT", "CANNOT_BE_NULL"],
        ("click-to-pay", "FIELD_INVALID") => &["INVALID_ARGUMENT", "INVALID_FORMAT"],
        // It is answered with what is there.
        ("click-to-pay", "ALREADY_ENROLLED") => &["ACTIVE"],
        ("payment-cards" | "pan-lists", _) => &[],
        _ => return vec![code],
    };
    known.to_vec()
}
