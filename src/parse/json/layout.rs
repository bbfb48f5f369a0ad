//! How a proven text of JSON is laid out: all that pass 2 needs to know.

use std::ops::Range;

use crate::model::Request;
use crate::parse::Spans;

use super::scan;

/// Which of the two forms a text has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::parse) enum Form {
    /// A request a line.
    Lines,
    /// One request, or an array of them.
    Whole,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    pub(in crate::parse) form: Form,
    pub(in crate::parse) request: &'static Request,
    /// How many columns the service has.
    pub(in crate::parse) columns: usize,
    /// Whether a byte order mark stands first.
    pub(in crate::parse) marked: bool,
    /// Whether the first line is a header.
    pub(in crate::parse) has_header: bool,
    pub(in crate::parse) records: u64,
    pub(in crate::parse) request_bytes_max: usize,
}

impl Layout {
    /// Where the `n`th record of a line lies in it, counted from 0, and its values.
    pub(in crate::parse) fn spans_of(&self, line: &[u8], n: usize) -> Option<Spans> {
        let record = match self.request.body {
            None => scan::records(line).nth(n)?,
            Some(body) => {
                let array = value_of(line, body.records.1)?.start;
                let record = scan::records(line.get(array..)?).nth(n)?;
                record.start + array..record.end + array
            }
        };
        let strings = scan::strings(&line[record.clone()]);
        let mut cells = Vec::new();
        for pair in strings.windows(2) {
            let [key, value] = [&pair[0], &pair[1]].map(|it| it.start + record.start..it.end + record.start);
            let between = &line[key.end..value.start];
            if between.trim_ascii() == b":"
                && let name = &line[key.start + 1..key.end - 1]
                && let Some((_, column)) = self.request.keys.iter().find(|(known, _)| known.as_bytes() == name)
            {
                cells.push((*column, value));
            }
        }
        Some(Spans { record, cells })
    }
}

/// The value of a key, wherever in a text of JSON it stands first: for showing it, since nothing of it is checked.
pub fn value_of(text: &[u8], key: &str) -> Option<Range<usize>> {
    let strings = scan::strings(text);
    let at = strings.iter().position(|string| {
        let colon = text[string.end..].trim_ascii_start().first() == Some(&b':');
        colon && &text[string.start + 1..string.end - 1] == key.as_bytes()
    })?;
    let after = strings[at].end;
    let colon = after + text[after..].iter().position(|byte| *byte == b':')?;
    let start = colon + 1 + text[colon + 1..].iter().position(|byte| !byte.is_ascii_whitespace())?;
    if let Some(string) = strings.get(at + 1).filter(|string| string.start == start) {
        return Some(string.clone());
    }
    let end = text[start..].iter().position(|byte| b",}] \t".contains(byte)).map_or(text.len(), |end| start + end);
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::value_of;

    #[test]
    fn finds_values_by_their_keys() {
        let text = br#"{"header":{"version": 2 ,"issuer" : "A\"B","service":"issuer","last":[1]}}"#;
        let found = |key: &str| value_of(text, key).map(|it| String::from_utf8_lossy(&text[it]).into_owned());
        assert_eq!(found("version").as_deref(), Some("2"));
        assert_eq!(found("issuer").as_deref(), Some(r#""A\"B""#));
        assert_eq!(found("service").as_deref(), Some(r#""issuer""#));
        assert_eq!(found("last").as_deref(), Some("[1"));
        assert_eq!(found("nothing"), None);
        for end in 0..text.len() {
            value_of(&text[..end], "issuer");
        }
    }
}
