//! How a proven text of JSON is laid out: all that pass 2 needs to know.

use std::ops::Range;

use crate::model::Request;

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
    /// Where the values of a request that is one record lie in its line, quotes included: the index of each one's column
    /// in the service's, and its bytes. Nothing of a line with several records.
    pub fn cells_of(&self, line: &[u8]) -> Vec<(usize, Range<usize>)> {
        if scan::records(line).len() != 1 {
            return Vec::new();
        }
        let strings = scan::strings(line);
        let mut cells = Vec::new();
        for pair in strings.windows(2) {
            let between = &line[pair[0].end..pair[1].start];
            let key = &line[pair[0].start + 1..pair[0].end - 1];
            if between.trim_ascii() == b":"
                && let Some((_, column)) = self.request.keys.iter().find(|(known, _)| known.as_bytes() == key)
            {
                cells.push((*column, pair[1].clone()));
            }
        }
        cells
    }
}
