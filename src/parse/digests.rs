//! The digests of a text: what its trailer may give, and what tells the same content in another file.

use sha2::{Digest, Sha256};

use crate::parse::encoding::MARK;

/// What a line is, which says what digests it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::parse) enum Kind {
    Header,
    Content,
    Trailer,
}

/// Both digests at once, fed line by line or many lines at a time.
#[derive(Default)]
pub(in crate::parse) struct Digests {
    /// Of all bytes before the trailer, a byte order mark left out.
    whole: Sha256,
    /// The same with the byte order mark, where there is one: senders hash either.
    whole_marked: Option<Sha256>,
    /// The trailer has come: what follows it does not stand before it.
    is_whole: bool,
    /// Of all bytes but control records and a byte order mark.
    content: Sha256,
}

impl Digests {
    pub(in crate::parse) fn begin_marked(&mut self) {
        self.whole_marked = Some(Sha256::new_with_prefix(MARK));
    }

    pub(in crate::parse) fn add(&mut self, bytes: &[u8], kind: Kind) {
        if kind == Kind::Trailer {
            self.is_whole = true;
        }
        if kind == Kind::Content {
            self.content.update(bytes);
        }
        if !self.is_whole {
            self.whole.update(bytes);
            if let Some(marked) = &mut self.whole_marked {
                marked.update(bytes);
            }
        }
    }

    /// That of the content, and those that a trailer may give.
    pub(in crate::parse) fn finish(self) -> ([u8; 32], Vec<[u8; 32]>) {
        let whole = [Some(self.whole), self.whole_marked].into_iter().flatten();
        (self.content.finalize().into(), whole.map(|hash| hash.finalize().into()).collect())
    }
}
