//! What a service's records are made of: as the parser needs to know it, and as reports show it.

use super::{RecordRow, ServiceName};

/// A service's columns: cells are handed to the service in this order, whatever the file's own.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    /// The names, in the order in which failures are reported.
    pub names: &'static [&'static str],
    /// Given which columns a file has, the index of the first that it lacks but needs.
    pub missing: fn(present: &[bool]) -> Option<usize>,
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
}

/// Takes the next cell of a line.
pub type Cells<'a> = dyn FnMut(&str) + 'a;
