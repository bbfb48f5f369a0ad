//! Where the cells of a line lie in its text, for whoever shows the line to a person. Never fails: from a fault on, the rest of
//! the line is one cell.

use std::ops::Range;

use crate::parse::Spans;

use super::columns::Layout;
use super::fields::Fields;

/// The bytes of each cell of a line that stands without its end, quotes around it included.
pub fn cells(line: &[u8], delimiter: u8) -> Vec<Range<usize>> {
    let mut cells = Vec::new();
    let mut from = 0;
    let mut fields = Fields::new(line, delimiter);
    while let Some(Ok(field)) = fields.next() {
        // The raw bytes are a part of the line, so that their distance is their place in it.
        let start = field.raw.as_ptr().addr() - line.as_ptr().addr();
        let quote = usize::from(line.get(from) == Some(&b'"'));
        let end = start + field.raw.len() + quote;
        cells.push(from..end);
        from = end + 1;
    }
    if from <= line.len() {
        cells.push(from..line.len());
    }
    cells
}

impl Layout {
    /// Where the cells of a record's first line lie.
    pub(in crate::parse) fn spans_of(&self, line: &[u8]) -> Spans {
        let cells = self.order.iter().copied().zip(cells(line, self.delimiter)).collect();
        Spans { record: 0..line.len(), cells }
    }
}

#[cfg(test)]
mod tests {
    use super::cells;

    #[test]
    fn finds_cells_with_their_quotes_and_takes_the_rest_after_a_fault_as_one() {
        for (line, expected) in [
            ("", &[""][..]),
            ("a,b", &["a", "b"]),
            ("a,,", &["a", "", ""]),
            (r#""a,b","c""d",e"#, &[r#""a,b""#, r#""c""d""#, "e"]),
            (r#"a,"b"#, &["a", r#""b"#]),
            (r#"a,b"c,d"#, &["a", r#"b"c,d"#]),
            (r#""a"x,b"#, &[r#""a"x,b"#]),
            (r#""""#, &[r#""""#]),
        ] {
            let found: Vec<&str> = cells(line.as_bytes(), b',').into_iter().map(|cell| &line[cell]).collect();
            assert_eq!(found, expected, "{line}");
        }
    }
}
