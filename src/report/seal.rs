//! Sealing as it is handed in: reports know no envelope.

use std::io::{self, Write};

use super::Draft;

/// Seals outbound files for whom they go to.
pub trait Seal: Send + Sync {
    /// What a sealed file's name ends with, dot included: `.jwe`.
    fn extension(&self) -> &'static str;

    /// Begins a sealed file. The draft is handed over whole: what is written to the result reaches it sealed only.
    fn seal<'a>(&'a self, draft: Draft) -> io::Result<Box<dyn SealedWrite + 'a>>;
}

/// Takes plaintext, writes it on sealed.
pub trait SealedWrite: Write + Send {
    /// Writes what is left (a tag, an end line) and gives the draft back, whole but not yet committed.
    fn finish(self: Box<Self>) -> io::Result<Draft>;
}
