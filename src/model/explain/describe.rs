//! The sentence of a row of the errors file: which field, what was found, what is expected.

use super::{Code, words};
use crate::model::{Field, ServiceName};

/// One plain English sentence for a row of the errors file. `field` is the column, where it is one.
pub fn describe(code: Code, service: ServiceName, field: Option<Field>) -> String {
    let it = match field {
        Some(field) if !field.name.is_empty() => format!("The field {}", field.name),
        _ => "The record".to_owned(),
    };
    let expected = field.map(|field| field.expected).filter(|expected| !expected.is_empty());
    let pan = expected.unwrap_or("a PAN of digits alone");
    match code {
        Code::FieldMissing => match expected {
            Some(expected) => format!("{it} is empty; expected is {expected}."),
            None if field.is_some() => format!("{it} is empty; expected is a value."),
            None => "A field that the record needs is empty; expected is a value.".to_owned(),
        },
        Code::FieldInvalid => match field.map(|field| field.allowed) {
            Some(allowed) if !allowed.is_empty() => {
                format!("{it} has a value that is not allowed there; expected is {allowed}.")
            }
            _ => format!("{it} has a value that is not allowed there; expected is one of the form agreed for it."),
        },
        Code::RecordCryptoError => {
            format!("{it} could not be decrypted; expected is a card sealed for the current public key.")
        }
        Code::PanMangled => {
            format!("{it} is in scientific notation, as a spreadsheet writes it; expected is {pan}.")
        }
        Code::PanFormat => format!("{it} holds something other than digits; expected is {pan}."),
        Code::PanLength => format!("{it} has too few or too many digits; expected is {pan}."),
        Code::PanLuhn => {
            format!("{it} has a check digit that does not fit the others; expected is {pan} that passes Luhn.")
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
        Code::ExpiryInvalid => format!("{it} holds no expiry; expected is MMYY with a month from 01 to 12."),
        Code::CardExpired => {
            format!(
                "{it} stands for a card whose expiry month was over when the file came; expected is one that is still good."
            )
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
            Some(field) => format!("The field {}: {}", field.name, lower_first(words(code).meaning)),
            _ => words(code).meaning.to_owned(),
        },
    }
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
