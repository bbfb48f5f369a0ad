//! Opens envelopes in flat memory: recognises what seals a file, refuses what is not exactly right, streams the plaintext.
//!
//! Must never: hand raw input to josekit (it sees only what the gate here has checked), say more of a failed decryption
//! than the one uniform sentence, fetch or look up anything by a name from the file but this feed's own keys, or let
//! plaintext touch the disk.
//!
//! **Nothing of a file may be used before its end is reached.** AES-GCM plaintext is released before the tag is checked;
//! only a [`Plaintext::read`] that answers 0 proves the file. A caller that finds a fault in the plaintext (a column, a
//! digest) must read on to the end before it says so: what it found may be the work of whoever damaged the file, and the
//! envelope's own refusal comes first.
//!
//! Mastercard payload encryption has nothing that proves a text, see [`Opened::proves`].
//!
//! Read in this order: this file, `token`, `header`, `keyring`, `unwrap`, `source`, `content`, `mastercard`, `record`, `jws`; then `seal` and `generate`, the way out.

mod base64;
mod content;
pub mod error;
pub mod generate;
mod header;
mod jwk;
pub mod jws;
pub mod keyring;
mod mastercard;
mod record;
pub mod seal;
mod source;
#[cfg(test)]
mod tests;
mod token;
mod unwrap;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::model::{Code, EnvelopeKind, OaepHash, Refusal};

pub use error::{KeyError, OpenError, SealError};
pub use generate::{Generated, KeyType, generate};
pub use jws::{Verification, VerifyKey};
pub use keyring::{KeyName, Keyring, PrivateKey};
pub use mastercard::PayloadSealer;
pub use record::open_record;
pub use seal::{Recipient, Sealer};

use content::{Sealed, Stream};
use header::{Alg, Header};
use mastercard::{Found, Opener};
use unwrap::KeyUsed;

/// The refusal of a text that nothing proves: the same as of a file that does not decrypt, whatever was found.
pub fn unproven() -> Refusal {
    error::crypto_error()
}

/// What a feed takes.
#[derive(Clone, Debug)]
pub struct Options {
    /// The feed's `envelopes`.
    pub accepted: Vec<EnvelopeKind>,
    /// The feed's `allow_plaintext`; [`EnvelopeKind::None`] in `accepted` alone does not let plain text in.
    pub allow_plaintext: bool,
    /// The feed's `oaep_hash`.
    pub oaep_hash: OaepHash,
    /// The longest line of a file whose lines are sealed one by one, as sealed.
    pub line_bytes_max: usize,
}

impl Options {
    fn accepts_jwe(&self) -> bool {
        self.accepted.contains(&EnvelopeKind::Jwe)
    }

    fn accepts_mastercard(&self) -> bool {
        self.accepted.contains(&EnvelopeKind::Mastercard)
    }

    fn accepts_plain(&self) -> bool {
        self.allow_plaintext && self.accepted.contains(&EnvelopeKind::None)
    }
}

/// A file whose envelope passed the gate. Not yet proven: see the module's own words.
pub struct Opened(Kind);

enum Kind {
    Jwe { sealed: Arc<Sealed>, key: KeyUsed },
    Mastercard(mastercard::Found),
    Plain { file: Arc<File>, size: u64 },
}

/// Recognises the envelope by content, checks it against what the feed takes, and unwraps the content key.
///
/// Reads a bounded head and tail. The one exception: an ECDH-ES token that names no key, on a feed with several keys of
/// its curve, says nothing of which key it is for before its tag is checked; then the content is streamed once a key.
pub fn open(file: File, options: &Options, keyring: &Keyring) -> Result<Opened, OpenError> {
    let size = file.metadata()?.len();
    if size == 0 {
        return Err(Refusal::new(Code::FileEmpty, "the file has no bytes").early().into());
    }
    let head = read_range(&file, 0, size.min(token::HEAD_BYTES as u64))?;
    let is_object = mastercard::looks_sealed(&head);
    if is_object && !options.accepts_mastercard() {
        return Err(Refusal::new(
            Code::EnvelopeRefused,
            "the file is sealed as Mastercard payload encryption, which this feed does not accept; expected an envelope the feed accepts",
        )
        .into());
    }
    // Where plain text is not taken, an object that hides what it is can only be a wrong one of these.
    let is_other = !options.accepts_plain() && begins_as_object(&head);
    if is_object || (options.accepts_mastercard() && (is_other || mastercard::looks_like_lines(&head))) {
        let source = Arc::new(source::Source::File(Arc::new(file)));
        let how = (options.oaep_hash, options.line_bytes_max);
        return Ok(Opened(Kind::Mastercard(mastercard::open(source, size, &head, how, keyring)?)));
    }
    match (token::looks_sealed(&head), options.accepts_jwe(), options.accepts_plain()) {
        (true, true, _) => {
            let tail = read_range(&file, size.saturating_sub(token::TAIL_BYTES as u64), size)?;
            open_token(Arc::new(source::Source::File(Arc::new(file))), size, &head, &tail, keyring)
        }
        (true, false, _) => Err(Refusal::new(
            Code::EnvelopeRefused,
            "the file is sealed as JWE, which this feed does not accept; expected an envelope the feed accepts",
        )
        .into()),
        (false, _, true) => Ok(Opened(Kind::Plain { file: Arc::new(file), size })),
        (false, true, false) => Err(Refusal::new(
            Code::EnvelopeRefused,
            "the file does not begin as a compact JWE, and plain text is not accepted; expected a compact JWE",
        )
        .into()),
        (false, false, false) => Err(Refusal::new(
            Code::EnvelopeRefused,
            "plain text is not accepted; expected an envelope the feed accepts",
        )
        .into()),
    }
}

/// Whether a file is sealed, as far as it shows without a key. Of a file of sealed lines only one that was `accepted` is: another
/// may hold anything between them.
pub fn is_sealed(file: File, accepted: bool) -> Result<bool, OpenError> {
    let size = file.metadata()?.len();
    let head = read_range(&file, 0, size.min(token::HEAD_BYTES as u64))?;
    if head.starts_with(b"eyJ") {
        return Ok(true);
    }
    if accepted {
        return Ok(mastercard::looks_sealed(&head) || mastercard::looks_like_lines(&head));
    }
    Ok(mastercard::looks_sealed(&head) && mastercard::is_whole(&source::Source::File(Arc::new(file)), size)?)
}

fn begins_as_object(head: &[u8]) -> bool {
    head.trim_ascii_start().first() == Some(&b'{')
}

fn open_token(
    source: Arc<source::Source>,
    size: u64,
    head: &[u8],
    tail: &[u8],
    keyring: &Keyring,
) -> Result<Opened, OpenError> {
    let mut token = token::lay_out(head, tail, size)?;
    let header = Header::parse(&token.header)?;
    token.check_lengths(header.enc)?;
    let candidates = unwrap::content_keys(&header, &token.encrypted_key, keyring)?;

    let token = Arc::new(token);
    let several = candidates.len() > 1;
    let mut first = None;
    for candidate in candidates {
        let sealed = Sealed::new(Arc::clone(&source), Arc::clone(&token), header.enc, candidate.cek);
        let sealed = Arc::new(sealed);
        let opened = Opened(Kind::Jwe { sealed, key: candidate.key });
        if !several {
            return Ok(opened);
        }
        debug_assert_eq!(header.alg, Alg::EcdhEs, "every other algorithm tells its key when it is unwrapped");
        match opened.prove() {
            Ok(()) => return Ok(opened),
            Err(OpenError::Refused(_)) => first = first.or(Some(opened)),
            Err(broken) => return Err(broken),
        }
    }
    // None fits: the first one fails as any other file would, when it is read to its end.
    let Some(Opened(Kind::Jwe { sealed, .. })) = first else {
        return Err(unwrap::no_key_fits().into());
    };
    Ok(Opened(Kind::Jwe { sealed, key: KeyUsed::none() }))
}

impl Opened {
    /// What seals the file.
    pub const fn envelope(&self) -> EnvelopeKind {
        match self.0 {
            Kind::Jwe { .. } => EnvelopeKind::Jwe,
            Kind::Mastercard(_) => EnvelopeKind::Mastercard,
            Kind::Plain { .. } => EnvelopeKind::None,
        }
    }

    /// The key it opens with: the key's own kid, else its fingerprint. `None` for plain text.
    ///
    /// To be told of a file that is proven, and of no other: where the sender named no key, it says of a forged one whether
    /// its wrapped key unwraps. [`Self::named_key_id`] may be told of any.
    pub fn key_id(&self) -> Option<&str> {
        match &self.0 {
            Kind::Jwe { key, .. } => key.name(),
            Kind::Mastercard(Found::Whole(Opener { key_id, .. }) | Found::Lines { key_id, .. }) => key_id.as_deref(),
            Kind::Plain { .. } => None,
        }
    }

    /// The key that the sender named, by the name that [`Self::key_id`] has for it; `None` where none was named.
    pub fn named_key_id(&self) -> Option<&str> {
        match &self.0 {
            Kind::Jwe { key, .. } => key.named(),
            Kind::Mastercard(Found::Whole(Opener { named, .. }) | Found::Lines { named, .. }) => named.as_deref(),
            Kind::Plain { .. } => None,
        }
    }

    /// Whether it is of lines that are sealed one by one: then it may stop between two of them, as an upload that pauses does, and
    /// nothing tells that from damage.
    pub const fn is_of_lines(&self) -> bool {
        matches!(self.0, Kind::Mastercard(Found::Lines { .. }))
    }

    /// Whether the end of the plaintext proves all of it. Where not, whatever is wrong with the text may be the work of who
    /// damaged the file, and must be told as [`unproven`] and no other way.
    pub const fn proves(&self) -> bool {
        !matches!(self.0, Kind::Mastercard(_))
    }

    /// Streams the plaintext from its start, in flat memory; may be called again, and the streams do not disturb each other.
    ///
    /// For AES-CBC the whole MAC is verified here, before the first byte is decrypted: that is a pass over the file.
    pub fn plaintext(&self) -> Result<Plaintext, OpenError> {
        Ok(Plaintext(match &self.0 {
            Kind::Jwe { sealed, .. } => Source::Jwe(Box::new(Stream::new(Arc::clone(sealed))?)),
            Kind::Mastercard(Found::Whole(opener)) => {
                Source::Mastercard(Box::new(mastercard::Stream::new(Arc::clone(&opener.sealed))?))
            }
            Kind::Mastercard(Found::Lines { lines, .. }) => {
                Source::Lines(Box::new(mastercard::LineStream::new(Arc::clone(lines))))
            }
            Kind::Plain { file, size } => Source::Plain { file: Arc::clone(file), size: *size, at: 0 },
        }))
    }

    fn prove(&self) -> Result<(), OpenError> {
        let mut plaintext = self.plaintext()?;
        let mut bytes = zeroize::Zeroizing::new(vec![0; 64 << 10]);
        while plaintext.read(&mut bytes)? > 0 {}
        Ok(())
    }
}

/// The plaintext from its start. Everything read is unproven until [`Plaintext::read`] answers 0.
pub struct Plaintext(Source);

enum Source {
    Jwe(Box<Stream>),
    Mastercard(Box<mastercard::Stream>),
    Lines(Box<mastercard::LineStream>),
    Plain { file: Arc<File>, size: u64, at: u64 },
}

impl Plaintext {
    /// Fills some of `out` and says how much; 0 is the end (or `out` is empty), and only then is integrity proven.
    ///
    /// An error is final: reading on gives an error again. Damage is one uniform `CRYPTO_ERROR`, except that a character
    /// which no JWE may hold in its content is `ENVELOPE_REFUSED`.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, OpenError> {
        if out.is_empty() {
            return Ok(0);
        }
        match &mut self.0 {
            Source::Jwe(stream) => stream.read(out),
            Source::Mastercard(stream) => stream.read(out),
            Source::Lines(lines) => lines.read(out),
            Source::Plain { file, size, at } => {
                let want = usize::try_from(*size - *at).unwrap_or(usize::MAX).min(out.len());
                let Some(out) = out.get_mut(..want) else { return Ok(0) };
                file.read_exact_at(out, *at)?;
                *at += want as u64;
                Ok(want)
            }
        }
    }
}

fn read_range(file: &File, start: u64, end: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(end.saturating_sub(start)).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, start)?;
    Ok(bytes)
}
