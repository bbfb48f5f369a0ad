//! Seals answers for an issuer's reply key: joins the report stage's seam to the JWE sealer.

use std::io::{self, Write};
use std::sync::Arc;

use crate::open::{Recipient, Sealer};
use crate::report::{Draft, Seal, SealedWrite};
use crate::services::{SealPart, SealText, SealedPart, Sink};

/// A reply key at work.
pub(super) struct ReplySeal(pub(super) Arc<Recipient>);

struct Sealing(Sealer<Draft>);

impl Seal for ReplySeal {
    fn extension(&self) -> &'static str {
        ".jwe"
    }

    fn seal<'a>(&'a self, draft: Draft) -> io::Result<Box<dyn SealedWrite + 'a>> {
        let sealer = Sealer::new(&self.0, draft).map_err(io::Error::other)?;
        Ok(Box::new(Sealing(sealer)))
    }
}

impl Write for Sealing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl SealedWrite for Sealing {
    fn finish(self: Box<Self>) -> io::Result<Draft> {
        self.0.finish()
    }
}

/// Seals parts of answers by themselves, for the same key.
pub(super) fn seal_part(recipient: &Arc<Recipient>) -> SealPart {
    let recipient = Arc::clone(recipient);
    Arc::new(move |sink| {
        let sealer = Sealer::new(&recipient, sink).map_err(io::Error::other)?;
        Ok(Box::new(Part(sealer)))
    })
}

struct Part(Sealer<Sink>);

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl SealedPart for Part {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.finish().map(drop)
    }
}

/// Seals texts for a key, each by itself.
pub(super) fn seal_text(recipient: Recipient) -> SealText {
    Arc::new(move |text| {
        let mut sealer = Sealer::new(&recipient, Vec::with_capacity(text.len() * 2)).map_err(io::Error::other)?;
        sealer.write_all(text)?;
        String::from_utf8(sealer.finish()?).map_err(io::Error::other)
    })
}
