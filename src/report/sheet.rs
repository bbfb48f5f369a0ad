//! A file of lines on its way out: lines into a buffer, the buffer hashed, sealed where the issuer wants it so, and drafted.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::Sha256;
use zeroize::Zeroizing;

use super::cells::Line;
use super::hash::{Hashed, hex};
use super::{Draft, Outbound, Outbox, ReportError, Seal, SealedWrite, Written};

const BUFFER_BYTES: usize = 64 << 10;

pub(super) struct Sheet<'a> {
    sink: Sink<'a>,
    /// Answers may hold card numbers: wiped.
    buffer: Zeroizing<Vec<u8>>,
    path: PathBuf,
}

enum Sink<'a> {
    /// The draft hashes what it writes, and that is the content.
    Plain(Draft),
    Sealed(Hashed<Box<dyn SealedWrite + 'a>>),
}

/// Whole, proven nowhere yet, not in its place.
pub(super) struct Finished {
    draft: Draft,
    content_sha256: String,
}

impl<'a> Sheet<'a> {
    pub(super) fn begin(outbox: &Outbox, name: &str, seal: Option<&'a dyn Seal>) -> Result<Self, ReportError> {
        let extension = seal.map_or("", Seal::extension);
        let draft = outbox.begin(&format!("{name}{extension}"))?;
        let path = draft.path().to_owned();
        let sink = match seal {
            None => Sink::Plain(draft),
            Some(seal) => Sink::Sealed(Hashed::new(seal.seal(draft).map_err(ReportError::io("seal", &path))?)),
        };
        Ok(Self { sink, buffer: Zeroizing::new(Vec::with_capacity(BUFFER_BYTES + 1024)), path })
    }

    /// Adds a line. After a failure here the sheet must not be finished: bytes were lost on the way.
    pub(super) fn line(&mut self, write: impl FnOnce(&mut Line<'_>)) -> Result<(), ReportError> {
        let mut line = Line::new(&mut self.buffer);
        write(&mut line);
        line.end();
        if self.buffer.len() >= BUFFER_BYTES { self.pour() } else { Ok(()) }
    }

    /// Adds bytes as they are; the same holds after a failure.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), ReportError> {
        // What does not fit is written at once: the buffer does not grow.
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.pour()?;
        }
        if bytes.len() > BUFFER_BYTES {
            return self.sink.write_all(bytes).map_err(ReportError::io("write", &self.path));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Where it is written.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The hex SHA-256 of every byte so far.
    pub(super) fn digest(&mut self) -> Result<String, ReportError> {
        self.pour()?;
        self.sink.digest().map(hex).map_err(ReportError::io("write", &self.path))
    }

    pub(super) fn finish(mut self) -> Result<Finished, ReportError> {
        let content_sha256 = self.digest()?;
        let draft = match self.sink {
            Sink::Plain(draft) => draft,
            Sink::Sealed(sealed) => sealed.inner.finish().map_err(ReportError::io("seal", &self.path))?,
        };
        Ok(Finished { draft, content_sha256 })
    }

    /// Hands the buffer on.
    fn pour(&mut self) -> Result<(), ReportError> {
        self.sink.write_all(&self.buffer).map_err(ReportError::io("write", &self.path))?;
        self.buffer.clear();
        Ok(())
    }
}

impl Finished {
    pub(super) fn commit(self) -> Result<Outbound, ReportError> {
        let Written { name, sha256 } = self.draft.commit()?;
        Ok(Outbound { name, content_sha256: self.content_sha256, sha256 })
    }
}

impl Sink<'_> {
    fn digest(&mut self) -> io::Result<Sha256> {
        match self {
            Self::Plain(draft) => draft.digest(),
            Self::Sealed(sealed) => Ok(sealed.sha.clone()),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(draft) => draft.write_all(bytes),
            Self::Sealed(sealed) => sealed.write_all(bytes),
        }
    }
}
