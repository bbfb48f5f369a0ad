//! A small CSV table with named columns, one record a line.

use std::fmt;

/// Something wrong in a reference file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The first is 1.
    pub line: u64,
    /// The column, where it is one's.
    pub column: Option<&'static str>,
    /// What was found and what is expected.
    pub sentence: String,
}

impl Mistake {
    pub(super) fn new(line: u64, column: Option<&'static str>, sentence: impl Into<String>) -> Self {
        Self { line, column, sentence: sentence.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(out, "line {}, column {column}: {}", self.line, self.sentence),
            None => write!(out, "line {}: {}", self.line, self.sentence),
        }
    }
}

/// A row: its cells in the order of the columns asked for.
pub(super) struct Row<const N: usize> {
    pub(super) line: u64,
    pub(super) cells: [String; N],
}

/// Reads the rows of a table that must have exactly these columns, in any order. Rows with mistakes are left out; the
/// mistakes come beside them. Empty lines are passed over. No cell may hold a line end.
pub(super) fn read<const N: usize>(bytes: &[u8], columns: [&'static str; N]) -> (Vec<Row<N>>, Vec<Mistake>) {
    let expected = columns.join(",");
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut mistakes = Vec::new();
    let mut rows = Vec::new();
    // For each column asked for, its place in the file.
    let mut places: Option<Vec<usize>> = None;
    for (line, text) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let Some(cells) = cells(text) else {
            mistakes.push(Mistake::new(line, None, "The line is not UTF-8."));
            continue;
        };
        if text.strip_suffix(b"\r").unwrap_or(text).is_empty() {
            continue;
        }
        let Some(places) = &places else {
            let found: Vec<_> = columns.iter().filter_map(|name| cells.iter().position(|cell| cell == name)).collect();
            if found.len() != N || cells.len() != N {
                mistakes.push(Mistake::new(line, None, format!("The column line is not as expected: {expected}.")));
                // What follows cannot be read by it.
                return (rows, mistakes);
            }
            places = Some(found);
            continue;
        };
        if cells.len() != N {
            mistakes.push(Mistake::new(line, None, format!("The line has {} cells; expected are {N}.", cells.len())));
            continue;
        }
        let cell = |at: usize| places.get(at).and_then(|&place| cells.get(place)).cloned().unwrap_or_default();
        rows.push(Row { line, cells: std::array::from_fn(cell) });
    }
    if places.is_none() && mistakes.is_empty() {
        mistakes.push(Mistake::new(1, None, format!("The column line is missing; expected is {expected}.")));
    }
    (rows, mistakes)
}

fn cells(line: &[u8]) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line);
    match reader.records().next() {
        None => Some(Vec::new()),
        Some(record) => Some(record.ok()?.iter().map(str::to_owned).collect()),
    }
}

/// Whether a cell has one of these lengths and only these characters.
pub(super) fn is_made_of(cell: &str, lengths: std::ops::RangeInclusive<usize>, allowed: impl Fn(u8) -> bool) -> bool {
    lengths.contains(&cell.len()) && cell.bytes().all(allowed)
}

/// Checks an issuer's id, as configuration writes it.
pub(super) fn check_issuer(line: u64, issuer: &str) -> Option<Mistake> {
    let is_id = is_made_of(issuer, 1..=16, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let sentence = "The issuer's id is malformed; expected are 1 to 16 of A-Z, 0-9 and _.";
    (!is_id).then(|| Mistake::new(line, Some("issuer"), sentence))
}
