//! The record services: each a folder with its record, its rules, its columns, its answer.
//!
//! A worker hands a chunk's records to the service's judge; what depends on the record alone is decided there (format,
//! range, fingerprint, seal). What depends on the register is left as an effect, which the ledger applies in file order. A new
//! service is a folder, its SQL beside the others', an arm in [`Effects`] and a line in [`BUILT`].

pub mod payment_cards;
pub mod reference;

use std::sync::Arc;

use crate::model::{Columns, FileNo, InRequest, RecordRow, ServiceName, View};
use crate::vault::{IdMaker, IssuerKeys, Nonces};

/// What the pipeline needs to know of a service.
pub struct Definition {
    /// Its inbound columns.
    pub columns: &'static Columns,
    /// Its name, and its records as reports show them.
    pub view: View,
    /// The JSON Schema of its answers to requests.
    pub answer_schema: fn() -> serde_json::Value,
    /// Judges one record.
    judge: fn(&Judge, &mut Nonces, Record<'_>, &mut PreparedChunk),
}

/// The services that this version serves.
pub const BUILT: &[&Definition] = &[&payment_cards::DEFINITION];

/// The definition of a service, where this version serves it.
pub fn definition(name: ServiceName) -> Option<&'static Definition> {
    BUILT.iter().copied().find(|service| service.view.service == name)
}

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

/// What records are judged against; fixed for a file when it is accepted, the same for all workers.
pub struct Judge {
    /// The service whose rules apply.
    pub service: &'static Definition,
    /// The file.
    pub file: FileNo,
    /// The issuer's keys.
    pub keys: Arc<IssuerKeys>,
    /// Makes the file's identifiers.
    pub ids: IdMaker,
    /// The issuer's ranges for this service.
    pub ranges: reference::IssuerRanges,
    /// The currencies the issuer allows; `None` for all.
    pub currencies: Option<Arc<[String]>>,
}

impl Judge {
    /// An empty chunk to judge records into.
    pub fn chunk(&self, index: u64, records: usize) -> PreparedChunk {
        PreparedChunk {
            index,
            rows: Vec::with_capacity(records),
            effects: Effects::none(self.service.view.service, records),
        }
    }

    /// Judges one record: its row, and what it asks of the register.
    pub fn record(&self, nonces: &mut Nonces, record: Record<'_>, into: &mut PreparedChunk) {
        (self.service.judge)(self, nonces, record, into);
    }

    /// The key of a PAN's row if this record turns out to be the first to bring it: file and ordinal, so that rows grow at their end.
    pub fn pan_id(&self, ordinal: u64) -> i64 {
        (self.file.0 << ORDINAL_BITS) | i64::try_from(ordinal).unwrap_or(i64::MAX)
    }
}

/// Bits of a row key that number a record (or chunk) inside its file: 67 million, above `file_records`' ceiling.
pub const ORDINAL_BITS: u32 = 26;

/// A chunk, judged: rows in file order, and the effects still to be decided by the register.
pub struct PreparedChunk {
    /// Its place in the file, counted from 0.
    pub index: u64,
    /// A row a record. Rows with an effect hold a provisional outcome.
    pub rows: Vec<RecordRow>,
    /// What the records ask of the register.
    pub effects: Effects,
}

/// The effects of a chunk, by service.
pub enum Effects {
    /// payment-cards.
    PaymentCards(Vec<payment_cards::Effect>),
}

impl Effects {
    fn none(service: ServiceName, records: usize) -> Self {
        match service {
            // The names without a folder of their own never get here: `definition` has none for them.
            ServiceName::PaymentCards
            | ServiceName::PanLists
            | ServiceName::Cards
            | ServiceName::CardContracts
            | ServiceName::ClickToPay => Self::PaymentCards(Vec::with_capacity(records)),
        }
    }
}

/// What a `record_ref` must be: `[A-Za-z0-9_.:][A-Za-z0-9_.:-]{0,99}`, and no card number in disguise.
pub fn record_ref_is_valid(text: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.:".contains(byte);
    let shaped =
        text.len() <= 100 && text.first().is_some_and(plain) && text.iter().all(|byte| plain(byte) || *byte == b'-');
    shaped && !holds_card_number(text)
}

/// Whether a run of digits is a Luhn-valid number of 13 to 19 digits, written together or in groups of four as on a card.
/// Longer and shorter runs, dates and counters among them, are no card numbers.
pub fn holds_card_number(text: &[u8]) -> bool {
    let is_card = |digits: &[u8]| (13..=19).contains(&digits.len()) && luhn(digits);
    if text.split(|byte| !byte.is_ascii_digit()).any(is_card) {
        return true;
    }
    text.split(u8::is_ascii_alphabetic).any(|part| {
        let groups: Vec<&[u8]> = part.split(|byte| !byte.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
        let fours = groups.iter().rev().skip(1).all(|group| group.len() == 4);
        fours && groups.last().is_some_and(|group| group.len() <= 4) && is_card(&groups.concat())
    })
}

/// The Luhn check digit test (ISO/IEC 7812-1, annex B) over ASCII digits.
pub fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let value = u32::from(digit.wrapping_sub(b'0'));
            if index % 2 == 0 { value } else { value * 2 - if value > 4 { 9 } else { 0 } }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luhn_knows_the_published_sandbox_number() {
        assert!(luhn(b"2303770003322342"));
        assert!(!luhn(b"2303770003322343"));
        assert!(luhn(b"4111111111111111"));
    }

    #[test]
    fn a_reference_is_no_card_number_and_begins_with_no_dash() {
        for good in
            ["r-1", "A.b:c_d", "1234567890123456", "2026-11-20-0000123", "12303770003322342000", "9", &"x".repeat(100)]
        {
            assert!(record_ref_is_valid(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "-r",
            "r 1",
            "ü",
            "2303770003322342",
            "x2303770003322342",
            "2303-7700-0332-2342",
            "=1",
            &"x".repeat(101),
        ] {
            assert!(!record_ref_is_valid(bad.as_bytes()), "{bad}");
        }
    }
}
