//! The column line: which columns a file has, and where each goes.

use crate::model::{Code, Columns, Refusal, Runs};
use crate::parse::sensitive::names_sensitive_data;

use super::fields::Fields;

/// How a proven file is laid out: all that pass 2 needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(super) delimiter: u8,
    /// For each of the file's columns its index in the service's.
    pub(super) order: Vec<usize>,
    /// How many columns the service has.
    pub(super) columns: usize,
    /// Whether a byte order mark stands first.
    pub(super) marked: bool,
    /// Records before the first of the service's: a header, a column line.
    pub(super) heads: u8,
    /// Whether there is a quote anywhere.
    pub(super) quotes: bool,
    pub(in crate::parse) records: u64,
    pub(super) line_bytes_max: usize,
    /// How rows are told to be one request.
    pub(in crate::parse) runs: Option<&'static Runs>,
}

/// Reads a column line without its end: for each of its columns the index in the service's.
pub(super) fn read(line: &[u8], delimiter: u8, columns: &Columns) -> Result<Vec<usize>, Refusal> {
    let names: Vec<_> = match Fields::new(line, delimiter).collect::<Result<_, _>>() {
        Ok(names) => names,
        Err(fault) => return Err(Refusal::new(Code::FormatInvalid, fault.sentence())),
    };
    let names: Vec<_> = names.iter().map(|name| name.value()).collect();
    if let Some(at) = names.iter().position(|name| names_sensitive_data(name)) {
        let description = format!(
            "Column {} is named as sensitive authentication data (a verification code, a PIN or track data), which must \
             not be sent.",
            at + 1
        );
        let mut refusal = Refusal::new(Code::SadPresent, description);
        refusal.sensitive = true;
        return Err(refusal);
    }
    let mut order = Vec::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        let Some(index) = columns.names.iter().position(|known| known.as_bytes() == name.as_ref()) else {
            let known = columns.names.join(", ");
            let description = format!("The name of column {} is not known; expected are {known}.", at + 1);
            return Err(Refusal::new(Code::ColumnUnknown, description));
        };
        order.push(index);
    }
    let present: Vec<_> = (0..columns.names.len()).map(|index| order.contains(&index)).collect();
    if let Some(missing) = (columns.missing)(&present) {
        let name = columns.names.get(missing).copied().unwrap_or_default();
        return Err(Refusal::new(Code::ColumnMissing, format!("The column {name} is missing.")));
    }
    if let Some(at) = (1..order.len()).find(|&at| order[..at].contains(&order[at])) {
        let description = format!("Column {} repeats an earlier one; expected is each at most once.", at + 1);
        return Err(Refusal::new(Code::FormatInvalid, description));
    }
    Ok(order)
}
