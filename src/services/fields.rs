//! Rules of fields that several services have.

use std::ops::RangeInclusive;

use crate::model::{Code, Failure};
use crate::vault::Pan;

use super::Record;

/// What a `record_ref` must be: `[A-Za-z0-9_.:][A-Za-z0-9_.:-]{0,99}`, and no card number in disguise.
pub fn record_ref_is_valid(text: &[u8]) -> bool {
    let shaped = (1..=100).contains(&text.len())
        && text.first() != Some(&b'-')
        && text.iter().all(|byte| IN_REFERENCES[usize::from(*byte)]);
    shaped && !holds_card_number(text)
}

/// What references may hold: every record has one, and a look is less than a comparison with each range.
const IN_REFERENCES: [bool; 256] = {
    let mut may = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        may[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
        byte += 1;
    }
    may
};

const CARD_DIGITS: RangeInclusive<usize> = 13..=19;

/// Whether a run of digits is a Luhn-valid number of 13 to 19 digits, written together or in groups of four as on a card.
/// Longer and shorter runs, dates and counters among them, are no card numbers.
pub fn holds_card_number(text: &[u8]) -> bool {
    // Most references have too few digits, and every record has one.
    if text.iter().filter(|byte| byte.is_ascii_digit()).count() < *CARD_DIGITS.start() {
        return false;
    }
    let is_card = |digits: &[u8]| CARD_DIGITS.contains(&digits.len()) && luhn(digits);
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
    // Every second digit from the right counts twice, and of what has two digits then their sum.
    const TWICE: [u8; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let value = |digit: u8| digit.wrapping_sub(b'0');
    let twice = |digit: u8| TWICE.get(usize::from(value(digit))).copied().unwrap_or_default();
    let pairs = digits.rchunks_exact(2);
    let last = pairs.remainder().first().map_or(0, |&digit| value(digit));
    let sum = pairs.fold(u32::from(last), |sum, pair| sum + u32::from(twice(pair[0])) + u32::from(value(pair[1])));
    sum.is_multiple_of(10)
}

/// The record's reference, if it is one; else what is wrong with it goes to `failures`.
pub fn record_ref<'a>(record: &Record<'a>, column: u8, failures: &mut Vec<Failure>) -> &'a str {
    let cell = record.cell(column);
    match std::str::from_utf8(cell) {
        Ok(text) if record_ref_is_valid(cell) => return text,
        Ok("") => failures.push(Failure { field: column, code: Code::FieldMissing }),
        _ => failures.push(Failure { field: column, code: Code::FieldInvalid }),
    }
    ""
}

/// `[A-Za-z0-9_-]`, at least one and at most `chars_max`: the form of ids that senders give.
pub fn is_id(text: &[u8], chars_max: usize) -> bool {
    (1..=chars_max).contains(&text.len())
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte))
}

/// A PAN of so many digits. One code for one that is none: the first of FIELD_MISSING, PAN_MANGLED, PAN_FORMAT, PAN_LENGTH, PAN_LUHN.
pub fn pan(text: &[u8], lengths: RangeInclusive<usize>) -> Result<Pan, Code> {
    if text.is_empty() {
        Err(Code::FieldMissing)
    } else if !text.iter().all(u8::is_ascii_digit) {
        Err(if mangled(text) { Code::PanMangled } else { Code::PanFormat })
    } else if !lengths.contains(&text.len()) {
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

    #[test]
    fn a_pan_yields_its_first_code() {
        let code = |text: &str| pan(text.as_bytes(), 16..=16).err();
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
}
