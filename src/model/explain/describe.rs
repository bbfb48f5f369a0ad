//! The sentence of a row of the errors file: which field, what was found, what is expected.

use super::{Code, ServiceName, words};

/// One plain English sentence for a row of the errors file. `field` is the column's name, where there is one.
pub fn describe(code: Code, service: ServiceName, field: Option<&str>) -> String {
    let it = match field {
        Some(field) if !field.is_empty() => format!("The field {field}"),
        _ => "The record".to_owned(),
    };
    let pan = match service {
        ServiceName::PaymentCards => "exactly 16 digits",
        _ => "11 to 19 digits",
    };
    match code {
        Code::FieldMissing => match expected(service, field) {
            Some(expected) => format!("{it} is empty; expected is {expected}."),
            None if field.is_some_and(|field| !field.is_empty()) => format!("{it} is empty; expected is a value."),
            None => "A field that the record needs is empty; expected is a value.".to_owned(),
        },
        Code::FieldInvalid => match (expected(service, field), field) {
            (_, Some("pan" | "card_base_currency")) if service == ServiceName::PaymentCards => {
                format!("{it} holds a value; expected is an empty one with the action DELETE.")
            }
            (Some(expected), _) => format!("{it} has a value that is not allowed there; expected is {expected}."),
            (None, _) => {
                format!("{it} has a value that is not allowed there; expected is one of the form agreed for it.")
            }
        },
        Code::RecordCryptoError => {
            format!("{it} could not be decrypted; expected is a card sealed for the current public key.")
        }
        Code::PanMangled => {
            format!("{it} is in scientific notation, as a spreadsheet writes it; expected is a PAN of {pan}.")
        }
        Code::PanFormat => format!("{it} holds something other than digits; expected is a PAN of {pan}."),
        Code::PanLength => format!("{it} has too few or too many digits; expected is a PAN of {pan}."),
        Code::PanLuhn => {
            format!("{it} has a check digit that does not fit the others; expected is a PAN of {pan} that passes Luhn.")
        }
        Code::BinUnsupported => {
            format!("{it} lies in none of the issuer's account ranges for {service}; expected is a PAN inside one.")
        }
        Code::DuplicateInFile => {
            format!("{it} repeats what an earlier record of this file did; expected is each card once.")
        }
        Code::AlreadyRegistered => {
            format!("{it} names what is registered already; expected is something new to {service}.")
        }
        Code::PanRetired => {
            format!("{it} holds a PAN that was deleted from {service} before; expected is one that never was.")
        }
        Code::RequestSize => {
            "The record's request holds no card or more than 100; expected are 1 to 100 in each request.".to_owned()
        }
        Code::CurrencyInvalid => {
            format!("{it} is not an active currency; expected is a code of three letters of ISO 4217, such as EUR.")
        }
        Code::CurrencyUnsupported => {
            format!("{it} names a currency that is not allowed for this issuer; expected is one of those agreed.")
        }
        Code::NotRegistered => {
            format!("{it} names nothing that is registered for this issuer; expected is what was registered before.")
        }
        Code::ListUnknown => format!("{it} names no PAN list of this issuer; expected is the id of one."),
        Code::ListNameInvalid => {
            format!("{it} is not a list's name; expected are 1 to 64 letters, digits, spaces or dashes.")
        }
        Code::ExpiryInvalid => format!("{it} is not an expiry; expected is MMYY with a month from 01 to 12."),
        Code::CardExpired => {
            format!("{it} shows a month that was over when the file came; expected is a card that is still good.")
        }
        Code::CardIdDerived => {
            format!("{it} is made from the PAN; expected is an id that has nothing to do with it.")
        }
        Code::CardIdInUse => {
            format!("{it} already belongs to another card or consumer; expected is an id of the card's own.")
        }
        Code::ProductUnknown => format!("{it} names no card product of this issuer; expected is the id of one."),
        Code::EventIgnored => format!("{it} reports a tokenization that did not succeed; expected is SUCCESS."),
        Code::ContractUnknown => format!("{it} names no card contract of this issuer; expected is the id of one."),
        // What is wrong here lies in the request or in what is known of the card: the meaning says it all.
        Code::PansOrRangeMissing
        | Code::PansMissing
        | Code::RangeInvalid
        | Code::RangeUnknown
        | Code::PanOutOfRange
        | Code::AlreadyInList
        | Code::NotInList
        | Code::ContractInactive
        | Code::ProductIneligible
        | Code::AlreadyEnrolled
        | Code::FeedUnknown
        | Code::FileEmpty
        | Code::FileTooLarge
        | Code::TooManyRecords
        | Code::EnvelopeRefused
        | Code::AlgorithmRefused
        | Code::KeyUnknown
        | Code::CryptoError
        | Code::SignatureMissing
        | Code::SignatureInvalid
        | Code::EncodingInvalid
        | Code::FormatInvalid
        | Code::ColumnMissing
        | Code::ColumnUnknown
        | Code::SadPresent
        | Code::HeaderMissing
        | Code::HeaderMismatch
        | Code::VersionUnsupported
        | Code::TrailerMissing
        | Code::CountMismatch
        | Code::DigestMismatch
        | Code::DuplicateFile
        | Code::BatchReused
        | Code::DuplicateContent
        | Code::SequenceGap
        | Code::SequenceOld
        | Code::Poisoned => match field {
            Some(field) if !field.is_empty() => format!("The field {field}: {}", lower_first(words(code).meaning)),
            _ => words(code).meaning.to_owned(),
        },
    }
}

/// What a field must be, to follow "expected is".
fn expected(service: ServiceName, field: Option<&str>) -> Option<&'static str> {
    use ServiceName::{CardContracts, Cards, ClickToPay, PanLists, PaymentCards};
    Some(match (service, field?) {
        (_, "record_ref") => {
            "a reference of 1 to 100 of the characters A-Z a-z 0-9 _ . : - that does not begin with a dash and holds no \
             card number"
        }
        (PaymentCards, "pan") => "a PAN of exactly 16 digits",
        (_, "pan") => "a PAN of 11 to 19 digits",
        (PaymentCards, "action") => "REGISTER or DELETE",
        (PaymentCards, "card_base_currency") => "a code of three letters of ISO 4217, such as EUR",
        (PaymentCards, "payment_card_id") => {
            "with the action DELETE the UUID that was given out for the card, and otherwise an empty one"
        }
        (PanLists, "operation") => "REGISTER or DEREGISTER",
        (PanLists, "pan_list_id") => "the 18 digits of a list's id, and not beside pan_list_name",
        (PanLists, "pan_list_name") => "1 to 64 letters, digits, spaces or dashes, and not beside pan_list_id",
        (PanLists, "account_range_low" | "account_range_high") => "a bound of 11 to 19 digits",
        (Cards, "action") => "REGISTER, TOKENIZED, ORDERED or DELETE",
        (Cards, "event_status") => "with the action TOKENIZED the event's status, and otherwise an empty one",
        (Cards, "card_id") => "an id of 1 to 48 of the characters A-Z a-z 0-9 _ -",
        (Cards | CardContracts, "card_product_id") => "an id of 1 to 48 of the characters A-Z a-z 0-9 _ -",
        (Cards, "consumer_id") => "an id of 1 to 64 of the characters A-Z a-z 0-9 _ -",
        (Cards, "state") => "ACTIVE or INACTIVE",
        (Cards, "card") => "a card sealed as a compact JWE",
        (Cards | CardContracts, "expiry") => "an expiry as MMYY",
        (CardContracts | ClickToPay, "card_contract_id") => "an id of 1 to 64 of the characters A-Z a-z 0-9 _ -",
        (CardContracts, "status") => "ACTIVE, INACTIVE, BLOCKED or CLOSED",
        (ClickToPay, "src_client_id") => "a UUID",
        (ClickToPay, "service_id") => "an id of 1 to 255 of the characters A-Z a-z 0-9 # _ -",
        (ClickToPay, "email") => "an e-mail address",
        (ClickToPay, "phone_country") => "a calling code in digits alone, together with phone",
        (ClickToPay, "phone") => "a telephone number in digits alone, together with phone_country",
        (ClickToPay, "locale") => "a language tag of BCP 47, such as de-AT",
        (ClickToPay, "country" | "address_country") => "a country code of two letters of ISO 3166",
        (ClickToPay, "accepted_at") => "a time of RFC 3339, such as 2026-11-20T01:30:00Z",
        _ => return None,
    })
}

fn lower_first(sentence: &str) -> String {
    // "PAN" and other names in capitals stay as they are.
    let mut letters = sentence.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            let rest = &sentence[first.len_utf8()..];
            format!("{}{rest}", first.to_lowercase())
        }
        _ => sentence.to_owned(),
    }
}
