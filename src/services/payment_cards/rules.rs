//! What can be said of a record by itself: format, currency, range.

use crate::model::{Code, Failure, InRequest, Masked, Outcome, OwnBytes, Place, RecordRow, currency};
use crate::services::fields::{self, record_ref_is_valid};
use crate::services::{Judge, PreparedChunk, Record};
use crate::vault::{Pan, Sealing};

use super::{Ask, CardId, Change, NewCard, REQUEST_RECORDS_MAX, column, settle};

/// Judges one record: its row goes into the chunk, with an effect if it is a candidate.
pub(super) fn judge(judge: &Judge, sealing: &mut Sealing, record: Record<'_>, into: &mut PreparedChunk) {
    let cell = |index: u8| record.cell(index);
    let mut failures = Vec::new();
    let mut fail = |field: u8, code: Code| failures.push(Failure { field, code });

    let reference = cell(column::RECORD_REF);
    let mut record_ref = "";
    match std::str::from_utf8(reference) {
        Ok(text) if record_ref_is_valid(reference) => record_ref = text,
        _ if reference.is_empty() => fail(column::RECORD_REF, Code::FieldMissing),
        _ => fail(column::RECORD_REF, Code::FieldInvalid),
    }

    let mut masked = Masked::NONE;
    let mut foreseen = None;
    if let Some(request) = record.request.filter(|request| !(1..=REQUEST_RECORDS_MAX).contains(&request.records)) {
        let row = of_refused_request(record.line, request, record_ref, cell(column::PAN));
        into.rows.push(row);
        return;
    }
    match cell(column::ACTION) {
        b"" | b"REGISTER" => {
            let pan = match pan(cell(column::PAN)) {
                Ok(pan) => {
                    masked = pan.masked();
                    Some(pan)
                }
                Err(code) => {
                    fail(column::PAN, code);
                    None
                }
            };
            if let Err(code) = currency_rule(cell(column::CURRENCY), judge.currencies.as_deref()) {
                fail(column::CURRENCY, code);
            }
            if !cell(column::CARD_ID).is_empty() {
                fail(column::CARD_ID, Code::FieldInvalid);
            }
            if let Some(pan) = pan.filter(|_| failures.is_empty()) {
                if judge.ranges.contains(pan.digits()) {
                    let (pan, card_id) = judge.new_pan_and_uuid(&pan, record.ordinal, sealing);
                    // What it will be unless the register knows the PAN, so that the row can be packed before that is looked up.
                    foreseen = Some(Change::Registered(card_id));
                    into.ask(Ask::Register(NewCard { pan, card_id }));
                } else {
                    // It can still be a card that is registered already (a range given up since), and the duplicate rule comes first.
                    into.ask(Ask::Lookup(judge.keys.fingerprint(&pan)));
                }
            }
        }
        b"DELETE" => {
            for absent in [column::PAN, column::CURRENCY] {
                if !cell(absent).is_empty() {
                    fail(absent, Code::FieldInvalid);
                }
            }
            match card_id(cell(column::CARD_ID)) {
                Err(code) => fail(column::CARD_ID, code),
                Ok(id) if failures.is_empty() => into.ask(Ask::Delete(id)),
                Ok(_) => {}
            }
        }
        // What else the record must hold depends on the action, so nothing more can be said of it.
        _ => fail(column::ACTION, Code::FieldInvalid),
    }

    let mut row = record.row(record_ref, failures, masked);
    if let Some(change) = foreseen {
        settle(&mut row, change);
    }
    into.rows.push(row);
}

/// A request of a size that the API does not take: nothing else is said of its records.
fn of_refused_request(line: u64, request: InRequest, record_ref: &str, digits: &[u8]) -> RecordRow {
    let record_ref =
        if request.records == 0 { format!("{}.{}", request.request, request.n) } else { record_ref.to_owned() };
    RecordRow {
        line,
        record_ref: record_ref.into(),
        outcome: Outcome::Rejected,
        failures: vec![Failure { field: Failure::WHOLE, code: Code::RequestSize }],
        masked: pan(digits).map_or(Masked::NONE, |pan| pan.masked()),
        own: OwnBytes::default(),
        place: Place::of(Some(request)),
    }
}

fn pan(text: &[u8]) -> Result<Pan, Code> {
    fields::pan(text, 16..=16)
}

/// Three letters in any case, an active ISO 4217 code, and one that the issuer allows.
fn currency_rule(text: &[u8], allowed: Option<&[String]>) -> Result<(), Code> {
    if text.is_empty() {
        return Err(Code::FieldMissing);
    }
    let code = <[u8; 3]>::try_from(text).map(|code| code.map(|letter| letter.to_ascii_uppercase()));
    let Some(code) = code.ok().filter(|code| currency::is_active(code)) else { return Err(Code::CurrencyInvalid) };
    match allowed {
        Some(list) if !list.iter().any(|it| it.as_bytes() == code) => Err(Code::CurrencyUnsupported),
        _ => Ok(()),
    }
}

fn card_id(text: &[u8]) -> Result<CardId, Code> {
    if text.is_empty() {
        return Err(Code::FieldMissing);
    }
    // The hyphenated form alone: the one that was given out.
    if text.len() != 36 {
        return Err(Code::FieldInvalid);
    }
    uuid::Uuid::try_parse_ascii(text).map(|id| *id.as_bytes()).map_err(|_| Code::FieldInvalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_active_and_allowed() {
        let allowed = ["EUR".to_owned()];
        assert_eq!(currency_rule(b"eur", Some(&allowed)), Ok(()));
        assert_eq!(currency_rule(b"USD", Some(&allowed)), Err(Code::CurrencyUnsupported));
        assert_eq!(currency_rule(b"USD", None), Ok(()));
        for invalid in ["EURO", "E1R", "XXQ", "DEM"] {
            assert_eq!(currency_rule(invalid.as_bytes(), None), Err(Code::CurrencyInvalid), "{invalid}");
        }
        assert_eq!(currency_rule(b"", None), Err(Code::FieldMissing));
    }

    #[test]
    fn columns_of_a_file_of_deletions_need_no_pan() {
        let missing = super::super::COLUMNS.missing;
        assert_eq!(missing(&[true, false, true, true, false]), None);
        assert_eq!(missing(&[false, false, true, true, false]), Some(0));
        assert_eq!(missing(&[true, true, false, true, false]), Some(2));
        assert_eq!(missing(&[true, false, true, false, false]), Some(3));
        assert_eq!(missing(&[true, true, false, false, true]), None);
    }
}
