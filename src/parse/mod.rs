//! Cuts plaintext into records with positions, and proves a file's structure and control records.
//!
//! The plaintext of a file is pushed through twice. [`Survey`] is pass 1: it reads the whole of it and answers with a
//! [`Proven`] file or with the one [`Refusal`](crate::model::Refusal) that comes first in the order of the contract.
//! [`Cutter`] is pass 2: it reads the same bytes again and cuts them into [`RawChunk`]s, doing as little as it can on the
//! reading thread; the cells of a record are found by [`RawChunk::for_each`], on a worker.
//!
//! Nothing here reads or writes anything, keeps more of a file than one record and one chunk, or says a value of a file:
//! a description names a line, a column by its number, and what is expected.

mod control;
mod csv;
mod digests;
mod encoding;
mod formats;
mod intact;
mod json;
mod sensitive;
mod survey;

#[cfg(test)]
mod tests;

use crate::model::{Columns, Environment, Limits, ServiceName, Unseal};

pub use self::csv::spans::cells;
pub use self::formats::{Cutter, Format, Layout, RawChunk, Spans, Visit};
pub use self::intact::Intact;
pub use self::json::d1::names::d1_code;
pub use self::json::d1::{Batch, Signature};
pub use self::json::layout::value_of;
pub use self::survey::{Proven, Survey};

/// Whether a file must say who it is and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controls {
    /// A header and a trailer, or the file is refused.
    Required,
    /// Either may be absent; one that is there is checked.
    Optional,
}

/// What the feed says of its files.
#[derive(Clone)]
pub struct Options {
    /// Bounds on a line and on the number of records.
    pub limits: Limits,
    /// Between two cells; neither a quote nor a line end.
    pub delimiter: u8,
    /// Whether control records are required.
    pub controls: Controls,
    /// How the text is written; `None`: its first byte says it.
    pub format: Option<Format>,
    /// The service's columns.
    pub columns: &'static Columns,
    /// The issuer that the header must name.
    pub issuer: String,
    /// The service that the header must name.
    pub service: ServiceName,
    /// The environment that the header must name.
    pub environment: Environment,
    /// Opens parts of requests that are sealed by themselves; `None` where nothing does.
    pub unseal: Option<Unseal>,
    /// What a D1 batch must agree with; `None` where the file is none.
    pub d1: Option<Batch>,
}

/// The second reading does not show what the first one proved: the copy changed, or the disk lies. Nothing that follows
/// may be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// More or fewer records.
    #[error("the file changed between its two readings: {expected} records were proven, {found} were found again")]
    Records {
        /// Proven by pass 1.
        expected: u64,
        /// Found by pass 2.
        found: u64,
    },
    /// A record that pass 1 would have refused.
    #[error("the file changed between its two readings: the record at line {line} is not as it was proven")]
    Record {
        /// Where it starts.
        line: u64,
    },
}
