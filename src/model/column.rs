//! What a service's records are made of, as the parser needs to know it.

/// A service's columns: cells are handed to the service in this order, whatever the file's own.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    /// The names, in the order in which failures are reported.
    pub names: &'static [&'static str],
    /// Given which columns a file has, the index of the first that it lacks but needs.
    pub missing: fn(present: &[bool]) -> Option<usize>,
}
