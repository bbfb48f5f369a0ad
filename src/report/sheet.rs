//! A CSV file on its way out: lines into a buffer, the buffer hashed, sealed where the issuer wants it so, and drafted.

use std::io::{self, Write};
use std::path::PathBuf;

use sha2::Sha256;

use super::cells::Line;
use super::hash::{Hashed, hex};
use super::{Draft, Outbound, Outbox, ReportError, Seal, SealedWrite, Written};

const BUFFER_BYTES: usize = 64 << 10;

pub(super) struct Sheet<'a> {
    /// Gone after the first failure: what was lost on the way can then never be committed.
    sink: Option<Sink<'a>>,
    buffer: Vec<u8>,
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
        Ok(Self { sink: Some(sink), buffer: Vec::with_capacity(BUFFER_BYTES + 1024), path })
    }

    /// Adds a line.
    pub(super) fn line(&mut self, write: impl FnOnce(&mut Line<'_>)) -> Result<(), ReportError> {
        let mut line = Line::new(&mut self.buffer);
        write(&mut line);
        line.end();
        if self.buffer.len() >= BUFFER_BYTES { self.pour().map(|_| ()) } else { Ok(()) }
    }

    /// The hex SHA-256 of every byte so far.
    pub(super) fn digest(&mut self) -> Result<String, ReportError> {
        let digest = self.pour()?.digest();
        digest.map(hex).map_err(ReportError::io("write", &self.path))
    }

    pub(super) fn finish(mut self) -> Result<Finished, ReportError> {
        let content_sha256 = self.digest()?;
        let path = self.path;
        let draft = match self.sink {
            Some(Sink::Plain(draft)) => Ok(draft),
            Some(Sink::Sealed(sealed)) => sealed.inner.finish(),
            None => Err(broken()),
        }
        .map_err(ReportError::io("write", &path))?;
        Ok(Finished { draft, content_sha256 })
    }

    /// Hands the buffer on.
    fn pour(&mut self) -> Result<&mut Sink<'a>, ReportError> {
        let poured = match self.sink.take() {
            Some(mut sink) => sink.write_all(&self.buffer).map(|()| sink),
            None => Err(broken()),
        };
        self.buffer.clear();
        let sink = poured.map_err(ReportError::io("write", &self.path))?;
        Ok(self.sink.insert(sink))
    }
}

fn broken() -> io::Error {
    io::Error::other("an earlier write to it failed")
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
