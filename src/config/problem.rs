//! What is wrong with a configuration, and where.

use std::fmt;

/// One thing to mend, or to know about. Displays as `feed[1].keys[0]: message (line 12)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Problem {
    /// The line of the file, from 1; `None` for what is nowhere in it.
    pub line: Option<usize>,
    /// The key's path, elements of arrays counted from 0; empty for the file as a whole.
    pub key: String,
    /// What was found and what is expected: one sentence without its full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(out, "{}: ", self.key)?;
        }
        out.write_str(&self.message)?;
        match self.line {
            Some(line) => write!(out, " (line {line})"),
            None => Ok(()),
        }
    }
}
