//! The cells of one record, strictly by RFC 4180.
//!
//! Where other readers guess (a quote in the middle of a cell, text after a closing quote), this one says what is wrong:
//! a guess would register something the sender did not mean.

use std::borrow::Cow;

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A quote opens a cell and none closes it.
    Unclosed,
    /// A quote within a cell that does not begin with one.
    Stray,
    /// Something other than a delimiter follows a closing quote.
    AfterQuote,
    /// A carriage return that no line feed follows, outside quotes.
    LoneReturn,
}

impl Fault {
    /// What was found and what is expected.
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::Unclosed => "A quote opens a field and none closes it; a quoted field ends with a quote.",
            Self::Stray => {
                "A quote stands within a field that does not begin with one; quote the whole field and double the quote."
            }
            Self::AfterQuote => "Something stands between a closing quote and the next delimiter; expected is nothing.",
            Self::LoneReturn => "A carriage return stands alone; lines end with LF or CR LF.",
        }
    }
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// Its bytes, without the quotes around them.
    pub(super) raw: &'a [u8],
    /// Whether quotes in it stand doubled.
    pub(super) escaped: bool,
}

impl<'a> Field<'a> {
    /// Its value, in memory that is not wiped: for control records and column names only.
    pub(super) fn value(self) -> Cow<'a, [u8]> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut value = Vec::with_capacity(self.raw.len());
        self.append_to(&mut value);
        Cow::Owned(value)
    }

    /// Appends its value.
    pub(super) fn append_to(self, to: &mut Vec<u8>) {
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'"', rest).filter(|_| self.escaped) {
            to.extend_from_slice(&rest[..=at]);
            rest = rest.get(at + 2..).unwrap_or_default();
        }
        to.extend_from_slice(rest);
    }
}

/// The cells of a record that stands without its line end. Ends with the first fault.
pub(super) struct Fields<'a> {
    rest: Option<&'a [u8]>,
    delimiter: u8,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(record: &'a [u8], delimiter: u8) -> Self {
        Self { rest: Some(record), delimiter }
    }

    fn quoted(&mut self, rest: &'a [u8]) -> Result<Field<'a>, Fault> {
        let mut from = 1;
        let mut escaped = false;
        loop {
            let close = from + memchr::memchr(b'"', &rest[from..]).ok_or(Fault::Unclosed)?;
            match rest.get(close + 1) {
                Some(b'"') => {
                    escaped = true;
                    from = close + 2;
                }
                Some(&next) if next == self.delimiter => {
                    self.rest = Some(&rest[close + 2..]);
                    return Ok(Field { raw: &rest[1..close], escaped });
                }
                None => return Ok(Field { raw: &rest[1..close], escaped }),
                Some(b'\r') => return Err(Fault::LoneReturn),
                Some(_) => return Err(Fault::AfterQuote),
            }
        }
    }

    fn plain(&mut self, rest: &'a [u8]) -> Result<Field<'a>, Fault> {
        let end = memchr::memchr(self.delimiter, rest);
        self.rest = end.map(|end| &rest[end + 1..]);
        let raw = &rest[..end.unwrap_or(rest.len())];
        match memchr::memchr2(b'"', b'\r', raw).map(|at| raw[at]) {
            None => Ok(Field { raw, escaped: false }),
            Some(b'"') => Err(Fault::Stray),
            Some(_) => Err(Fault::LoneReturn),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let field = if rest.first() == Some(&b'"') { self.quoted(rest) } else { self.plain(rest) };
        if field.is_err() {
            self.rest = None;
        }
        Some(field)
    }
}

/// How many cells a record has.
pub(super) fn count(record: &[u8], delimiter: u8) -> Result<usize, Fault> {
    Fields::new(record, delimiter).try_fold(0, |count, field| field.map(|_| count + 1))
}

/// Whether the first cell of a line is this control word, quoted or not.
pub(super) fn begins_with(line: &[u8], word: &[u8; 3], delimiter: u8) -> bool {
    let (line, quote) = match line.strip_prefix(b"\"") {
        Some(line) => (line, b"\"".as_slice()),
        None => (line, b"".as_slice()),
    };
    line.strip_prefix(word)
        .and_then(|rest| rest.strip_prefix(quote))
        .is_some_and(|rest| rest.first().is_none_or(|&next| next == delimiter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(record: &str) -> Result<Vec<String>, Fault> {
        Fields::new(record.as_bytes(), b',')
            .map(|field| field.map(|field| String::from_utf8(field.value().into_owned()).unwrap()))
            .collect()
    }

    #[test]
    fn reads_rfc_4180() {
        for (record, cells) in [
            ("", &[""][..]),
            ("a,b", &["a", "b"]),
            ("a,,", &["a", "", ""]),
            (r#""""#, &[""]),
            (r#""a","b""#, &["a", "b"]),
            (r#""a,b",c"#, &["a,b", "c"]),
            (r#""a""b",c"#, &[r#"a"b"#, "c"]),
            ("\"\"\"\"\"\"", &["\"\""]),
            ("\"a\r\nb\",c", &["a\r\nb", "c"]),
            (r#"x,"""say"", he said""#, &["x", r#""say", he said"#]),
        ] {
            assert_eq!(values(record).unwrap(), cells, "{record}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (record, fault) in [
            (r#"a"b,c"#, Fault::Stray),
            (r#"a, "b""#, Fault::Stray),
            (r#""a"b,c"#, Fault::AfterQuote),
            (r#""a" ,c"#, Fault::AfterQuote),
            (r#"a,"b"#, Fault::Unclosed),
            (r#""a"""#, Fault::Unclosed),
            ("a\rb,c", Fault::LoneReturn),
            ("\"a\"\rb,c", Fault::LoneReturn),
        ] {
            assert_eq!(values(record), Err(fault), "{record}");
        }
    }

    #[test]
    fn knows_control_words_from_longer_ones() {
        for line in ["TRL", "TRL,", "TRL,1", "\"TRL\"", "\"TRL\",\"1\""] {
            assert!(begins_with(line.as_bytes(), b"TRL", b','), "{line}");
        }
        for line in ["", "T", "TRLX,1", "TRL;1", "trl,1", "\"TRL,1", "\"TRL\"x", " TRL,1"] {
            assert!(!begins_with(line.as_bytes(), b"TRL", b','), "{line}");
        }
    }
}
