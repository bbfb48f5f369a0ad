//! The one question that every error answers.

/// Whether the same call can succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The world may mend: after a pause.
    Later,
    /// Trying again changes nothing: a person must act, or it is the file.
    Never,
}
