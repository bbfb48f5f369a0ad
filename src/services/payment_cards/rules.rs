//! What can be said of a record by itself: format, currency, range.

use crate::model::{Code, Failure, InRequest, Masked, Outcome, Place, RecordRow, currency};
use crate::services::{Effects, Judge, PreparedChunk, Record, luhn, record_ref_is_valid};
use crate::vault::{Nonces, Pan};

use super::{Ask, CardId, Effect, NewCard, REQUEST_RECORDS_MAX, column};

/// Judges one record: its row goes into the chunk, with an effect if it is a candidate.
pub(super) fn judge(judge: &Judge, nonces: &mut Nonces, record: Record<'_>, into: &mut PreparedChunk) {
    let cell = |index: u8| record.cells.get(usize::from(index)).copied().unwrap_or(b"");
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
    let mut ask = None;
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
                let pan_id = judge.pan_id(record.ordinal);
                // The rule after the duplicate rule is judged here; the register reports it only if that one passes.
                let owned = judge.ranges.contains(pan.digits());
                ask = Some((
                    Ask::Register(Box::new(NewCard {
                        fingerprint: judge.keys.fingerprint(&pan),
                        pan_id,
                        sealed: judge.keys.seal(&pan, pan_id, nonces),
                        epoch: judge.keys.epoch(),
                        masked,
                        card_id: judge.ids.uuid(record.ordinal),
                    })),
                    owned,
                ));
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
                Ok(id) => ask = Some((Ask::Delete(id), true)).filter(|_| failures.is_empty()),
            }
        }
        // What else the record must hold depends on the action, so nothing more can be said of it.
        _ => fail(column::ACTION, Code::FieldInvalid),
    }

    let position = into.rows.len();
    if let Some((ask, owned)) = ask {
        let Effects::PaymentCards(effects) = &mut into.effects;
        if owned {
            effects.push(Effect { position, ask });
        } else if let Ask::Register(card) = ask {
            // A PAN outside the ranges can still be a card that is registered already (a range given up since); its duplicate comes first.
            effects.push(Effect { position, ask: Ask::Lookup(card.fingerprint) });
        }
    }
    into.rows.push(RecordRow {
        line: record.line,
        record_ref: record_ref.into(),
        outcome: Outcome::Rejected,
        failures,
        masked,
        own: Box::default(),
        place: Place::of(record.request),
    });
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
        own: Box::default(),
        place: Place::of(Some(request)),
    }
}

/// One code for a PAN: the first of FIELD_MISSING, PAN_MANGLED, PAN_FORMAT, PAN_LENGTH, PAN_LUHN.
fn pan(text: &[u8]) -> Result<Pan, Code> {
    if text.is_empty() {
        Err(Code::FieldMissing)
    } else if !text.iter().all(u8::is_ascii_digit) {
        Err(if mangled(text) { Code::PanMangled } else { Code::PanFormat })
    } else if text.len() != 16 {
        Err(Code::PanLength)
    } else if !luhn(text) {
        Err(Code::PanLuhn)
    } else {
        Pan::new(text).ok_or(Code::PanLength)
    }
}

/// A spreadsheet's scientific notation: `5.23E+15`, `5,23e15`, `5E+15`.
fn mangled(text: &[u8]) -> bool {
    let Some(at) = text.iter().position(|byte| byte.eq_ignore_ascii_case(&b'e')) else { return false };
    let (mantissa, exponent) = (&text[..at], &text[at + 1..]);
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let exponent = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
    let mantissa_fits = match mantissa.iter().position(|byte| matches!(byte, b'.' | b',')) {
        Some(point) => digits(&mantissa[..point]) && (mantissa.len() == point + 1 || digits(&mantissa[point + 1..])),
        None => digits(mantissa),
    };
    mantissa_fits && digits(exponent)
}

/// Three letters in any case, an active ISO 4217 code, and one that the issuer allows.
fn currency_rule(text: &[u8], allowed: Option<&[String]>) -> Result<(), Code> {
    if text.is_empty() {
        return Err(Code::FieldMissing);
    }
    let code = <[u8; 3]>::try_from(text).map(|code| code.map(|letter| letter.to_ascii_uppercase()));
    let code =
        code.as_ref().ok().and_then(|code| std::str::from_utf8(code).ok()).filter(|code| currency::is_active(code));
    let Some(code) = code else { return Err(Code::CurrencyInvalid) };
    match allowed {
        Some(list) if !list.iter().any(|it| it == code) => Err(Code::CurrencyUnsupported),
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
    fn a_pan_yields_its_first_code() {
        let code = |text: &str| pan(text.as_bytes()).err();
        assert_eq!(code("2303770003322342"), None);
        assert_eq!(code(""), Some(Code::FieldMissing));
        for mangled in ["5.23E+15", "5,23E+15", "5.23e15", "5E+15", "5.E15", "5.23E-15"] {
            assert_eq!(code(mangled), Some(Code::PanMangled), "{mangled}");
        }
        for format in [
            "2303 7700 0332 2342",
            "2303-7700-0332-2342",
            "E",
            "5.23",
            "abc",
            "5.23E",
            " 2303770003322342",
            "2303770003322342\0",
        ] {
            assert_eq!(code(format), Some(Code::PanFormat), "{format}");
        }
        for length in ["1", "230377000332234", "23037700033223420"] {
            assert_eq!(code(length), Some(Code::PanLength), "{length}");
        }
        assert_eq!(code("2303770003322343"), Some(Code::PanLuhn));
    }

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
