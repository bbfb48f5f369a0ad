//! The line that a finding is about, with what must not be shown hidden, and the place in it that is wrong.
//!
//! A file is on its owner's disk, but what is said of it ends in terminals, logs and tickets. So a PAN shows as it does
//! everywhere, one that failed its rule shows its length and shape alone, and whatever looks like a card number elsewhere in the
//! line is hidden, too. Hiding puts one `*` in the place of a digit: columns stay what they are.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::model::{Code, Failure, Masked, RecordRow, Refusal};
use crate::open::Plaintext;
use crate::parse::{Spans, cells, value_of};

const READ_BYTES: usize = 64 << 10;

/// Longer lines are not shown: no terminal would help with them.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Digits in a row that may be a card number.
const CARD_DIGITS_MIN: usize = 11;

/// A byte order mark: not part of the line it stands before.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, without its end.
    pub text: String,
    /// Its number; the first is 1.
    pub line: u64,
    /// The bytes of `text` that are wrong; empty for something that is missing there.
    pub mark: Range<usize>,
}

impl Excerpt {
    /// The column in which the mark begins, counted in characters; the first is 1.
    pub fn column(&self) -> usize {
        self.text.get(..self.mark.start).map_or(1, |before| before.chars().count() + 1)
    }

    /// The line of a record, of which `field` is the column that is wrong.
    pub(super) fn of_record(line: &[u8], spans: &Spans, names: &[&str], row: &RecordRow, field: u8) -> Self {
        let Spans { record, cells } = spans;
        let mut shown = Zeroizing::new(line.to_vec());
        // Other records of the line are not what this is about.
        hide_digits(&mut shown[..record.start]);
        hide_digits(&mut shown[record.end..]);
        let mut from = record.start;
        for (column, cell) in cells {
            hide_card_numbers(&mut shown[from..cell.start]);
            from = cell.end;
            match names.get(*column) {
                Some(&"pan") => hide_pan(&mut shown[cell.clone()], row.masked),
                _ => hide_card_numbers(&mut shown[cell.clone()]),
            }
        }
        // Whatever is no cell of the service's is hidden by its looks alone.
        hide_card_numbers(&mut shown[from..record.end]);
        let cell = cells.iter().find(|(column, _)| *column == usize::from(field)).map(|(_, cell)| cell.clone());
        let whole = field == Failure::WHOLE || line[record.clone()].starts_with(b"{");
        // What a line does not have at all is missing at its end, what an object does not have in all of it.
        let mark = cell.unwrap_or(if whole { record.clone() } else { record.end..record.end });
        Self::new(&shown, row.line, mark)
    }

    /// The line that refuses a file. Which part of it is wrong follows from the code, where it does.
    pub(super) fn of_refused(line: &[u8], delimiter: u8, refusal: &Refusal, number: u64) -> Self {
        let json = matches!(line.trim_ascii_start().first(), Some(b'{' | b'['));
        let cells = cells(line, if json { b',' } else { delimiter });
        let word = cells.first().and_then(|cell| line.get(cell.clone())).unwrap_or_default();
        let begins = |words: [&[u8]; 2]| words.iter().any(|it| word.trim_ascii_start().starts_with(it));
        let control = match json {
            true => begins([b"{\"header\"", b"{\"trailer\""]),
            false => matches!(word, b"HDR" | b"\"HDR\"" | b"TRL" | b"\"TRL\""),
        };
        let mut shown = Zeroizing::new(line.to_vec());
        for cell in &cells {
            let cell = &mut shown[cell.clone()];
            if control {
                hide_card_numbers(cell);
            } else if cell.iter().filter(|byte| byte.is_ascii_digit()).count() >= 4 {
                // What its cells are meant to be is not known.
                hide_digits(cell);
            }
        }
        let mark = match json {
            true => key_of(refusal).and_then(|key| value_of(line, key)),
            false => cell_of(refusal).and_then(|at| cells.get(at).cloned()),
        };
        Self::new(&shown, number, mark.unwrap_or(0..line.len()))
    }

    fn new(shown: &[u8], line: u64, mark: Range<usize>) -> Self {
        match std::str::from_utf8(shown) {
            Ok(text) => Self { text: text.to_owned(), line, mark },
            // Where the encoding is what is wrong, places in the line mean nothing.
            Err(_) => {
                let text = String::from_utf8_lossy(shown).into_owned();
                let whole = 0..text.len();
                Self { text, line, mark: whole }
            }
        }
    }
}

/// The cell of a CSV line that a refusal is about.
fn cell_of(refusal: &Refusal) -> Option<usize> {
    match (refusal.code, header_part(refusal)) {
        (Code::VersionUnsupported | Code::CountMismatch, _) => Some(1),
        (Code::DigestMismatch, _) => Some(2),
        (_, Some(part)) => ["", "version", "issuer", "service", "batchId", "sequence", "created", "environment"]
            .iter()
            .position(|it| *it == part),
        (Code::ColumnUnknown | Code::FormatInvalid, _) => column_named(&refusal.description),
        _ => None,
    }
}

/// The key of a JSON line that a refusal is about.
fn key_of(refusal: &Refusal) -> Option<&str> {
    match (refusal.code, header_part(refusal)) {
        (Code::VersionUnsupported, _) => Some("version"),
        (Code::CountMismatch, _) => Some("records"),
        (Code::DigestMismatch, _) => Some("sha256"),
        (_, Some(part)) => Some(part),
        // The sentence names a key of the service's own, never one of the sender's.
        (Code::FormatInvalid, _) => refusal.description.strip_prefix("The value of ")?.split(' ').next(),
        _ => None,
    }
}

/// The part of the header that a refusal is about, as JSON calls it.
fn header_part(refusal: &Refusal) -> Option<&'static str> {
    match refusal.code {
        Code::HeaderMismatch => {
            let parts = ["issuer", "service", "sequence", "environment"];
            parts.into_iter().find(|part| refusal.description.contains(part))
        }
        Code::BatchReused => Some("batchId"),
        Code::SequenceGap | Code::SequenceOld => Some("sequence"),
        _ => None,
    }
}

/// The index of the column that a description names by its number.
fn column_named(description: &str) -> Option<usize> {
    let (_, after) = description.split_once("olumn ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<usize>().ok()?.checked_sub(1)
}

/// A PAN as it is shown everywhere; one that failed its rule as stars.
fn hide_pan(cell: &mut [u8], masked: Masked) {
    let mut room = [0; 19];
    let text = masked.text(&mut room);
    let quotes = usize::from(cell.first() == Some(&b'"'));
    match cell.get_mut(quotes..quotes + text.len()) {
        Some(digits) if !text.is_empty() && digits.iter().all(u8::is_ascii_digit) => digits.copy_from_slice(text),
        _ => hide_digits(cell),
    }
}

fn hide_digits(cell: &mut [u8]) {
    cell.iter_mut().filter(|byte| byte.is_ascii_digit()).for_each(|byte| *byte = b'*');
}

/// Hides every run of digits that is long enough, written together or with single signs between them.
fn hide_card_numbers(cell: &mut [u8]) {
    if is_uuid(cell) {
        return;
    }
    let mut from = 0;
    while from < cell.len() {
        let (mut end, mut digits) = (from, 0);
        while let Some(byte) = cell.get(end) {
            let joins = digits > 0 && !byte.is_ascii_alphabetic() && cell.get(end + 1).is_some_and(u8::is_ascii_digit);
            match byte {
                b'0'..=b'9' => digits += 1,
                _ if joins => {}
                _ => break,
            }
            end += 1;
        }
        if digits >= CARD_DIGITS_MIN {
            hide_digits(&mut cell[from..end]);
        }
        from = end.max(from + 1);
    }
}

fn is_uuid(cell: &[u8]) -> bool {
    let cell = cell.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")).unwrap_or(cell);
    let dash = |at: usize| [8, 13, 18, 23].contains(&at);
    cell.len() == 36
        && cell.iter().enumerate().all(|(at, byte)| if dash(at) { *byte == b'-' } else { byte.is_ascii_hexdigit() })
}

/// Lines of a plaintext that has been proven, each asked for once or several times, never one before the last.
pub(super) struct Lines {
    plaintext: Plaintext,
    buffer: Zeroizing<Vec<u8>>,
    at: usize,
    filled: usize,
    /// The line that begins at `at`.
    next: u64,
    /// The last line asked for, and whether it can be shown.
    last: (u64, bool),
    text: Zeroizing<Vec<u8>>,
}

impl Lines {
    pub(super) fn new(plaintext: Plaintext) -> Self {
        let buffer = Zeroizing::new(vec![0; READ_BYTES]);
        // All there can be, so that no copy is left behind by growing.
        let text = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX));
        Self { plaintext, buffer, at: 0, filled: 0, next: 1, last: (0, false), text }
    }

    /// A line without its end; `None` if it is not there, too long to be shown, or cannot be read: then it is not shown.
    pub(super) fn at(&mut self, line: u64) -> Option<&[u8]> {
        if self.last.0 != line {
            self.last = (line, self.read(line).is_some());
        }
        self.last.1.then_some(&self.text)
    }

    fn read(&mut self, line: u64) -> Option<()> {
        while self.next < line {
            self.take(|_| {})?;
        }
        if self.next != line {
            return None;
        }
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let mut whole = true;
        let taken = self.take(|part| {
            whole &= text.len() + part.len() <= LINE_BYTES_MAX;
            if whole {
                text.extend_from_slice(part);
            }
        });
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        if line == 1 && text.starts_with(MARK) {
            text.drain(..MARK.len());
        }
        self.text = text;
        taken.filter(|()| whole)
    }

    /// Passes over the line that comes next and shows it piece by piece.
    fn take(&mut self, mut show: impl FnMut(&[u8])) -> Option<()> {
        let mut any = false;
        loop {
            if self.at == self.filled {
                self.filled = self.plaintext.read(&mut self.buffer).ok()?;
                self.at = 0;
                if self.filled == 0 {
                    self.next += 1;
                    return any.then_some(());
                }
            }
            any = true;
            let rest = &self.buffer[self.at..self.filled];
            let end = memchr::memchr(b'\n', rest);
            show(&rest[..end.unwrap_or(rest.len())]);
            self.at = end.map_or(self.filled, |end| self.at + end + 1);
            if end.is_some() {
                self.next += 1;
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        hide_card_numbers(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn hides_what_may_be_a_card_number_and_nothing_else() {
        for (text, expected) in [
            ("r-1", "r-1"),
            ("B20261120", "B20261120"),
            ("2026-11-20T01:30:00Z", "2026-11-20T01:30:00Z"),
            ("0123456789", "0123456789"),
            ("2303770003322342", "****************"),
            ("x2303770003322342y", "x****************y"),
            ("2303-7700 0332.2342", "****-**** ****.****"),
            ("a-12345678901-", "a-***********-"),
            ("\"12345678901\"", "\"***********\""),
            ("01939d2e-5e00-8000-8000-000000000000", "01939d2e-5e00-8000-8000-000000000000"),
            ("12345é678901", "12345é678901"),
        ] {
            assert_eq!(hidden(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_known_cell_is_searched_too() {
        let row = RecordRow {
            line: 3,
            record_ref: "r".into(),
            outcome: crate::model::Outcome::Rejected,
            failures: Vec::new(),
            masked: Masked::NONE,
            own: crate::model::OwnBytes::default(),
            place: crate::model::Place::Row,
        };
        let shown = |cells: &[(usize, Range<usize>)]| {
            let line = b"r,2303770003322342,4111111111111111";
            let spans = Spans { record: 0..line.len(), cells: cells.to_vec() };
            Excerpt::of_record(line, &spans, &["record_ref", "pan"], &row, 1)
        };
        for cells in [&[][..], &[(0, 0..1)], &[(0, 0..1), (1, 2..18)], &[(0, 0..1), (9, 19..35)]] {
            assert_eq!(shown(cells).text, "r,****************,****************");
        }
        assert_eq!((shown(&[(0, 0..1)]).mark, shown(&[(1, 2..18)]).mark), (35..35, 2..18));
    }

    #[test]
    fn a_pan_that_passed_is_truncated_and_one_that_failed_keeps_its_shape_alone() {
        let shown = |text: &str, masked| {
            let mut bytes = text.as_bytes().to_vec();
            hide_pan(&mut bytes, masked);
            String::from_utf8(bytes).unwrap()
        };
        let masked = Masked::of_digits(b"2303770003322342");
        assert_eq!(shown("2303770003322342", masked), "230377******2342");
        assert_eq!(shown("\"2303770003322342\"", masked), "\"230377******2342\"");
        assert_eq!(shown("2303770003322342", Masked::NONE), "****************");
        assert_eq!(shown("5.23E+15", Masked::NONE), "*.**E+**");
        assert_eq!(shown("2303 7700", Masked::NONE), "**** ****");
        assert_eq!(shown("", masked), "");
    }

    #[test]
    fn marks_the_cell_that_a_refusal_is_about() {
        let marked = |line: &str, code, description: &str| {
            let refusal = Refusal::new(code, description);
            let excerpt = Excerpt::of_refused(line.as_bytes(), b',', &refusal, 1);
            (excerpt.text[excerpt.mark.clone()].to_owned(), excerpt.column())
        };
        let header = "HDR,1,ACME,payment-cards,B1,7,2026-11-20T01:30:00Z,TEST";
        for (code, description, cell, column) in [
            (Code::VersionUnsupported, "", "1", 5),
            (Code::HeaderMismatch, "The header's issuer is not that of the feed", "ACME", 7),
            (Code::HeaderMismatch, "The header's service is not that of the feed", "payment-cards", 12),
            (Code::HeaderMismatch, "The header's environment is not that of the feed", "TEST", 52),
            (Code::HeaderMismatch, "The file has no sequence number", "7", 29),
            (Code::BatchReused, "", "B1", 26),
            (Code::SequenceOld, "", "7", 29),
            (Code::HeaderMissing, "", header, 1),
        ] {
            assert_eq!(marked(header, code, description), (cell.to_owned(), column), "{code} {description}");
        }
        let json =
            r#"{"header":{"version":1,"issuer":"ACME","service":"payment-cards","batchId":"B20261120","sequence":7}}"#;
        for (code, description, value) in [
            (Code::VersionUnsupported, "", "1"),
            (Code::HeaderMismatch, "The header's service is not that of the feed", "\"payment-cards\""),
            (Code::BatchReused, "", "\"B20261120\""),
            (Code::SequenceGap, "", "7"),
            (Code::HeaderMissing, "", json),
        ] {
            assert_eq!(marked(json, code, description).0, value, "{code} {description}");
        }
        let number = r#"{"id":"r-1","fpan":2303770003322342}"#;
        assert_eq!(marked(number, Code::FormatInvalid, "The value of fpan is not a string").0, "****************");
        assert_eq!(marked("TRL,3,00ff", Code::CountMismatch, ""), ("3".to_owned(), 5));
        assert_eq!(marked("TRL,3,00ff", Code::DigestMismatch, ""), ("00ff".to_owned(), 7));
        assert_eq!(
            marked("a,é,colour", Code::ColumnUnknown, "The name of column 3 is not known"),
            ("colour".to_owned(), 5)
        );
        assert_eq!(
            marked("r-1,,2303,7700,0332,2342", Code::FormatInvalid, "The record has 6 fields").0,
            "r-1,,****,****,****,****"
        );
    }
}
