//! A whole file turned away before any of its records was touched.

use super::Code;

/// Why a file is refused: a code, where, and one plain sentence. Never holds a value from the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The file-level code.
    pub code: Code,
    /// The line of the plaintext, where one can be named; the first is 1.
    pub line: Option<u64>,
    /// What was found and what is expected, one sentence in English.
    pub description: String,
    /// The file stops before its end (a cut envelope, no trailer): an upload may have paused.
    pub ends_early: bool,
    /// A column names sensitive authentication data: whatever the code, the copy must not be kept.
    pub sensitive: bool,
}

impl Refusal {
    /// A refusal of the file as a whole.
    pub fn new(code: Code, description: impl Into<String>) -> Self {
        Self { code, line: None, description: sentence(description.into()), ends_early: false, sensitive: false }
    }

    /// The same, at a line.
    #[must_use]
    pub const fn at(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// The same, of a file that stops before its end.
    #[must_use]
    pub const fn early(mut self) -> Self {
        self.ends_early = true;
        self
    }
}

/// A capital first and a full stop last, whoever wrote it.
fn sentence(mut text: String) -> String {
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}
