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
    /// How rows of CSV are told to be one request; `None` where each stands for itself.
    pub runs: Option<&'static Runs>,
}

/// A service's request as its public API takes it: a record as an object of strings, or an array of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The keys of a record, at most 64, and the index of the column that each fills.
    pub keys: &'static [(&'static str, usize)],
    /// A request may be an array of records.
    pub arrays: bool,
    /// A request is an object around its records; `None` where it is the record.
    pub body: Option<&'static Body>,
}

/// An object around the records of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Body {
    /// The keys that speak for all its records, and the columns that they fill. `outer.inner` is a key of an object.
    pub keys: &'static [(&'static str, usize)],
    /// The object that holds the records, and its key for the array of them.
    pub records: (&'static str, &'static str),
    /// The key that stands in the place of that object when it is sealed by itself, as a compact JWE.
    pub sealed: &'static str,
}

/// Consecutive rows of CSV with equal cells are one request. A row without the cell that makes it a record stands alone, unless a
/// row beside it in the same run has one.
#[derive(Debug, PartialEq, Eq)]
pub struct Runs {
    /// The columns whose cells must be equal.
    pub same: &'static [usize],
    /// The column of the cell that makes a row a record of its request.
    pub record: usize,
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
    /// What each of these fields must be, to follow "expected is": `a PAN of 11 to 19 digits`. Empty where there is no more to
    /// say than that a value is expected. After a `|` stands what is expected where no value of that form is allowed.
    pub expected: &'static [&'static str],
    /// Unpacks [`RecordRow::own`] into the cells of `recon_columns`, in their order. Cells at the end
    /// that have nothing to say need not be given.
    pub own_cells: fn(&RecordRow, &mut Cells<'_>),
}

/// A field in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The column's name.
    pub name: &'static str,
    /// What it must be, to follow "expected is"; empty where there is no more to say.
    pub expected: &'static str,
    /// What it must be where a value of that form is not allowed; the same where that is never so.
    pub allowed: &'static str,
}

impl View {
    /// The field that a failure stands at; `None` for one of the record as a whole.
    pub fn field(&self, index: u8) -> Option<Field> {
        let at = usize::from(index);
        let name = self.field_names.get(at).copied()?;
        let words = self.expected.get(at).copied().unwrap_or_default();
        let (expected, allowed) = words.split_once('|').unwrap_or((words, words));
        Some(Field { name, expected, allowed })
    }
}

/// What every service expects of a `record_ref`.
pub const RECORD_REF_EXPECTED: &str = "a reference of 1 to 100 of the characters A-Z a-z 0-9 _ . : - that does not begin with a dash and holds no card \
     number";

/// Takes the next cell of a line.
pub type Cells<'a> = dyn FnMut(&str) + 'a;
