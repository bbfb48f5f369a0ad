//! CSV cells by hand: a report of a million rows is written into one reused buffer.

use crate::model::{Code, Masked};

/// A CSV line being written (RFC 4180, ended by LF).
pub(super) struct Line<'a> {
    out: &'a mut Vec<u8>,
    begun: bool,
}

impl<'a> Line<'a> {
    pub(super) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, begun: false }
    }

    /// A cell, or several with their commas, of our own making: known to need neither quotes nor guard.
    pub(super) fn word(&mut self, word: &[u8]) -> &mut Self {
        self.separate();
        self.out.extend_from_slice(word);
        self
    }

    /// A cell that holds anything. One that a spreadsheet would run as a formula gets a leading `'`.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.separate();
        let bytes = text.as_bytes();
        // Looks at every byte, since a loop without an exit is one the compiler can make wide.
        let quoted = bytes.iter().fold(false, |found, byte| found | matches!(byte, b',' | b'"' | b'\n' | b'\r'));
        if quoted {
            self.out.push(b'"');
        }
        if let Some(b'=' | b'+' | b'-' | b'@') = bytes.first() {
            self.out.push(b'\'');
        }
        if quoted {
            for &byte in bytes {
                if byte == b'"' {
                    self.out.push(b'"');
                }
                self.out.push(byte);
            }
            self.out.push(b'"');
        } else {
            self.out.extend_from_slice(bytes);
        }
        self
    }

    pub(super) fn number(&mut self, mut number: u64) -> &mut Self {
        let mut room = [0; 20];
        let mut begin = room.len();
        loop {
            begin -= 1;
            room[begin] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return self.word(&room[begin..]);
            }
        }
    }

    pub(super) fn masked(&mut self, masked: Masked) -> &mut Self {
        self.word(masked.text(&mut [0; 19]))
    }

    pub(super) fn end(&mut self) {
        self.out.push(b'\n');
    }

    fn separate(&mut self) {
        if self.begun {
            self.out.push(b',');
        }
        self.begun = true;
    }
}

/// `true`, `false`, or nothing without a code.
pub(super) const fn recoverable(code: Option<Code>) -> &'static [u8] {
    match code {
        Some(code) if code.recoverable() => b"true",
        Some(_) => b"false",
        None => b"",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(write: impl FnOnce(&mut Line<'_>)) -> String {
        let mut out = Vec::new();
        let mut line = Line::new(&mut out);
        write(&mut line);
        line.end();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotes_where_needed_and_disarms_formulas() {
        let cells = ["plain", "a,b", "say \"x\"", "=1+1", "+1", "-1", "@a", "=a,b", "a=b", "'=", "", "two\nlines"];
        let written = line(|line| cells.iter().for_each(|cell| _ = line.text(cell)));
        assert_eq!(written, "plain,\"a,b\",\"say \"\"x\"\"\",'=1+1,'+1,'-1,'@a,\"'=a,b\",a=b,'=,,\"two\nlines\"\n");
    }

    #[test]
    fn writes_numbers_whole() {
        assert_eq!(
            line(|line| _ = line.number(0).number(9).number(10).number(u64::MAX)),
            "0,9,10,18446744073709551615\n"
        );
    }

    proptest! {
        #[test]
        fn a_csv_reader_reads_back_every_cell(cells in proptest::collection::vec("[-=+@,\"'\r\n a-zé]{0,6}", 1..6)) {
            let written = line(|line| {
                line.word(b"first");
                cells.iter().for_each(|cell| _ = line.text(cell));
            });
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(written.as_bytes());
            let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(rows.len(), 1);
            let expected: Vec<String> = cells
                .iter()
                .map(|cell| if cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell.clone() })
                .collect();
            prop_assert_eq!(rows[0].iter().skip(1).collect::<Vec<_>>(), expected);
        }
    }
}
