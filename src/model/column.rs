//! What a service's records are made of: as the parser needs to know it, and as reports show it.

use super::{RecordRow, ServiceName};

/// A service's columns: cells are handed to the service in this order, whatever the file's own.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    /// The names, in the order in which failures are reported.
    pub names: &'static [&'static str],
    /// Given which columns a file has, the index of the first that it lacks but needs.
    pub missing: fn(present: &[bool]) -> Option<usize>,
    /// How its records come in JSON; `None` where they do not.
    pub request: Option<&'static Request>,
}

/// A service's request as its public API takes it: a record as an object of strings, or an array of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The keys of a record, at most 64, and the index of the column that each fills.
    pub keys: &'static [(&'static str, usize)],
    /// A request may be an array of records.
    pub arrays: bool,
}

/// A service's records as reports show them.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Whose records they are.
    pub service: ServiceName,
    /// What recon adds to the common columns.
    pub recon_columns: &'static [&'static str],
    /// The names that [`Failure::field`](super::Failure::field) indexes.
    pub field_names: &'static [&'static str],
    /// Unpacks [`RecordRow::own`] into the cells of `recon_columns`, in their order. Cells at the end
    /// that have nothing to say need not be given.
    pub own_cells: fn(&RecordRow, &mut Cells<'_>),
    /// What the program's own API answers for a record that came in a request.
    pub answer: fn(&RecordRow) -> Answer,
}

/// An answer as JSON, without a line end.
pub enum Answer {
    /// One record's part of the answer to its request.
    Record(Vec<u8>),
    /// The answer to the whole request, whatever its other records are.
    Request(Vec<u8>),
}

/// Takes the next cell of a line.
pub type Cells<'a> = dyn FnMut(&str) + 'a;
