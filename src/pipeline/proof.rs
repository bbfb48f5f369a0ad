//! Pass 1: opens the copy and reads the whole of it, before anything of it is used.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::faults;
use crate::model::{Code, EnvelopeKind, Header, Limits, Refusal, Unseal, hex};
use crate::open::{self, Keyring, Opened, VerifyKey};
use crate::parse::{self, Batch, Controls, Format, Intact, Layout, Proven, Survey};

use super::patience::{Trouble, refusal_or_trouble};
use super::site::{Feed, KeptBatch, Settings};

const READ_BYTES: usize = 256 << 10;

/// What pass 1 found.
pub(super) enum Proof {
    /// The file is whole and as its feed says.
    Whole { opened: Opened, proven: Proven },
    /// It is turned away; with what was learnt of its envelope. The key is one that opened it or, where none did, the one
    /// that the sender named.
    Refused { refusal: Refusal, envelope: Option<EnvelopeKind>, key_id: Option<String>, header: Option<Header> },
}

impl Proof {
    /// The key that opened the file or was named for it.
    pub(super) fn key_id(&self) -> Option<&str> {
        match self {
            Self::Whole { opened, .. } => opened.key_id(),
            Self::Refused { key_id, .. } => key_id.as_deref(),
        }
    }
}

/// The rules that pass 1 applies: the feed's as they are now, or as they were when the file was accepted.
pub(super) struct Rules<'a> {
    pub(super) open: open::Options,
    pub(super) keyring: &'a Keyring,
    pub(super) parse: parse::Options,
    /// The key that a batch must be signed for.
    pub(super) jws: Option<&'a VerifyKey>,
}

impl<'a> Rules<'a> {
    /// For a file of that name.
    pub(super) fn of_feed(issuer: &str, feed: &'a Feed, limits: &Limits, name: &str) -> Self {
        Self {
            open: open::Options { line_bytes_max: limits.request_bytes_max, ..feed.open.clone() },
            keyring: &feed.keyring,
            parse: parse::Options {
                limits: limits.clone(),
                delimiter: feed.delimiter,
                controls: feed.controls,
                format: feed.format.or_else(|| Format::of_name(name, feed.controls)),
                columns: feed.service.columns,
                issuer: issuer.to_owned(),
                service: feed.service.view.service,
                environment: feed.environment,
                unseal: Some(feed.unseal()),
                d1: feed
                    .d1
                    .as_ref()
                    .map(|batches| Batch { issuer_id: batches.issuer_id.clone(), name: name.to_owned() }),
            },
            jws: feed.d1.as_ref().and_then(|batches| batches.jws_key.as_ref()),
        }
    }

    /// The same, with what was fixed for the file of that name when it was accepted.
    pub(super) fn fixed(mut self, settings: &Settings, unseal: Unseal, name: &str) -> Self {
        self.open.oaep_hash = settings.oaep_hash;
        self.parse.unseal = Some(unseal);
        self.parse.delimiter = settings.delimiter;
        self.parse.controls = if settings.controls_required { Controls::Required } else { Controls::Optional };
        self.parse.environment = settings.environment;
        self.parse.format = Some(settings.format);
        // Whatever the feed takes by now.
        let batch = |kept: &KeptBatch| Batch { issuer_id: kept.issuer_id.clone(), name: name.to_owned() };
        self.parse.d1 = settings.d1_batch.as_ref().map(batch);
        // Verified when it was accepted; the copy's hash says that it is the same, whatever the feed's key is by now.
        self.jws = None;
        self
    }
}

/// Reads the copy once, from its envelope to its trailer.
pub(super) fn prove(copy: &Path, rules: Rules<'_>) -> Result<Proof, Trouble> {
    let opened = match open::open(File::open(copy)?, &rules.open, rules.keyring) {
        Ok(opened) => opened,
        Err(error) => {
            let refusal = refusal_or_trouble(error)?;
            return Ok(Proof::Refused {
                // Cut short, and as uniform as whatever else damage makes of it.
                envelope: (refusal.code == Code::CryptoError).then_some(EnvelopeKind::Mastercard),
                refusal,
                key_id: None,
                header: None,
            });
        }
    };
    faults::reach("opened", &copy.to_string_lossy());
    let refused = |refusal, key: Option<&str>, header| Proof::Refused {
        refusal,
        header,
        envelope: Some(opened.envelope()),
        key_id: key.map(str::to_owned),
    };
    let not_opened = |error| Ok(refused(refusal_or_trouble(error)?, opened.named_key_id(), None));
    // What damage could have caused is told in one way, whatever it was: only that security codes were seen is kept in mind.
    let unproven = |found: Option<Refusal>| Proof::Refused {
        refusal: Refusal {
            sensitive: found.is_some_and(|found| found.sensitive),
            ends_early: opened.is_of_lines(),
            ..open::unproven()
        },
        header: None,
        envelope: Some(opened.envelope()),
        key_id: opened.named_key_id().map(str::to_owned),
    };
    let mut intact = (!opened.proves()).then(Intact::default);
    let mut survey = Survey::new(rules.parse);
    let mut plaintext = match opened.plaintext() {
        Ok(plaintext) => plaintext,
        Err(error) => return not_opened(error),
    };
    let mut buffer = Zeroizing::new(vec![0_u8; READ_BYTES]);
    loop {
        // A failure of the envelope comes before anything that the text says, so the survey is not asked before the end.
        match plaintext.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                survey.push(&buffer[..count]);
                if let Some(intact) = &mut intact {
                    intact.push(&buffer[..count]);
                }
            }
            Err(error) => {
                if intact.is_none() {
                    return not_opened(error);
                }
                // The world's failures are no refusals; of the file's, what the text held so far must not be forgotten.
                refusal_or_trouble(error)?;
                return Ok(unproven(survey.finish().err()));
            }
        }
    }
    let told = intact.is_none_or(Intact::holds);
    let refused = |refusal, key, header| if told { refused(refusal, key, header) } else { unproven(Some(refusal)) };
    // Proven by now, so that it may be told.
    let header = survey.header().cloned();
    faults::reach("proven", &copy.to_string_lossy());
    match survey.finish() {
        Ok(proven) => match rules.jws.map_or(Ok(None), |key| unsigned(&opened, &proven, key))? {
            None => Ok(Proof::Whole { opened, proven }),
            Some(refusal) => Ok(refused(refusal, opened.key_id(), header)),
        },
        Err(refusal) => Ok(refused(refusal, opened.key_id(), header)),
    }
}

/// Why a batch is not signed as it must be. The signature stands behind what it signs, and its header is hashed before it: what
/// is signed is read once more.
fn unsigned(opened: &Opened, proven: &Proven, key: &VerifyKey) -> Result<Option<Refusal>, Trouble> {
    let Layout::D1(layout) = &*proven.layout else { return Ok(None) };
    let Some(signature) = &layout.signature else {
        let what = "The batch has no signature; expected is one by the feed's jws_key.";
        return Ok(Some(Refusal::new(Code::SignatureMissing, what)));
    };
    let what = "The batch's signature does not hold; expected is a detached JWS over the bytes of records by the feed's jws_key.";
    let invalid = Refusal::new(Code::SignatureInvalid, what).at(signature.line);
    let Some(mut verification) = key.begin(&signature.jws) else { return Ok(Some(invalid)) };
    let mut plaintext = match opened.plaintext() {
        Ok(plaintext) => plaintext,
        Err(error) => return Ok(Some(refusal_or_trouble(error)?)),
    };
    let mut buffer = Zeroizing::new(vec![0_u8; READ_BYTES]);
    let mut read = 0;
    loop {
        let count = match plaintext.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return Ok(Some(refusal_or_trouble(error)?)),
        };
        let within = |place: u64| usize::try_from(place.saturating_sub(read)).unwrap_or(usize::MAX).min(count);
        let part = &buffer[within(signature.signed.start)..within(signature.signed.end)];
        if verification.push(part).is_none() {
            return Ok(Some(invalid));
        }
        read += count as u64;
    }
    Ok(if verification.holds() { None } else { Some(invalid) })
}

/// Whether the copy still has the hash that it was claimed with.
pub(super) fn copy_is_unchanged(copy: &Path, sha256: &str) -> Result<bool, Trouble> {
    let mut file = File::open(copy)?;
    let mut hash = Sha256::new();
    let mut buffer = Zeroizing::new(vec![0_u8; READ_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    Ok(hex(&hash.finalize()) == sha256)
}
