//! Why a whole file is turned away, in words, and what the records of an accepted one are judged against: the same for the lane
//! and for the dry run.

use std::sync::Arc;

use crate::ledger::{Candidate, Decided, SequenceRule};
use crate::model::{Code, FileNo, Header, Refusal, Timestamp, Unseal};
use crate::services::reference::{AccountRanges, CardProducts};
use crate::services::{Definition, Judge, SealText};
use crate::vault::IssuerKeys;

/// A proven file that is not accepted.
pub(super) struct TurnedAway {
    pub(super) refusal: Refusal,
    /// The first file, where this one repeats it.
    pub(super) duplicate_of: Option<FileNo>,
    /// The sequence number expected next, where that is why.
    pub(super) next_sequence: Option<u64>,
}

/// The refusal of a file that no feed, or more than one, claims.
pub(super) fn feed_unknown(several: bool) -> Refusal {
    Refusal::new(
        Code::FeedUnknown,
        if several {
            "the file's name matches more than one feed of this issuer; expected exactly one"
        } else {
            "the file's name matches no feed of this issuer; expected exactly one"
        },
    )
}

/// The refusal of a file over the limit.
pub(super) fn too_large(bytes_max: u64) -> Refusal {
    Refusal::new(Code::FileTooLarge, format!("the file is larger than the {bytes_max} bytes that are taken"))
}

/// The refusal of a file without a sequence number on a feed that counts.
pub(super) fn sequence_missing(candidate: &Candidate) -> Option<Refusal> {
    let missing = candidate.key.as_ref().is_none_or(|key| key.sequence.is_none());
    (candidate.sequence != SequenceRule::Off && missing).then(|| {
        let why = "the file has no sequence number; this feed expects one in every header";
        Refusal::new(Code::HeaderMismatch, why).at(1)
    })
}

/// What the ledger decided, if it is not that the file is accepted.
pub(super) fn turned_away(decided: Decided) -> Option<TurnedAway> {
    let (refusal, duplicate_of, next_sequence) = match decided {
        Decided::Accepted => return None,
        Decided::SequenceGap(expected) => {
            let why = format!("the file's sequence number leaves a gap; {expected} is expected next");
            (Refusal::new(Code::SequenceGap, why).at(1), None, Some(expected))
        }
        Decided::SequenceOld(expected) => {
            let why = format!("the file's sequence number was passed already; {expected} or more is expected");
            (Refusal::new(Code::SequenceOld, why).at(1), None, Some(expected))
        }
        Decided::Duplicate(first) => {
            let why = "the file was received before, with the same content; its answers are delivered again";
            (Refusal::new(Code::DuplicateFile, why), Some(first), None)
        }
        Decided::BatchReused(first) => {
            let why = format!(
                "batch id and sequence were used before by {first} with other content; each file needs its own"
            );
            (Refusal::new(Code::BatchReused, why).at(1), None, None)
        }
        Decided::DuplicateContent(first) => {
            let why = format!(
                "the records are those of {first} under another batch id or sequence; an operator can release the file"
            );
            (Refusal::new(Code::DuplicateContent, why), None, None)
        }
    };
    Some(TurnedAway { refusal, duplicate_of, next_sequence })
}

/// What an accepted file brings to the judgement of its records.
pub(super) struct Accepted<'a> {
    pub(super) no: FileNo,
    pub(super) issuer: &'a str,
    pub(super) service: &'static Definition,
    pub(super) header: Option<&'a Header>,
    pub(super) received_at: Timestamp,
    pub(super) content_digest: &'a [u8; 32],
    pub(super) keys: &'a Arc<IssuerKeys>,
    pub(super) ranges: &'a AccountRanges,
    pub(super) products: &'a CardProducts,
    pub(super) currencies: Option<&'a [String]>,
    pub(super) unseal: Option<Unseal>,
    pub(super) enroll: Option<SealText>,
    pub(super) answers_sealed: bool,
}

impl Accepted<'_> {
    /// What its records are judged against.
    pub(super) fn judge(&self) -> Judge {
        let service = self.service.view.service;
        // The batch key names a file for good; where there is none, its records do.
        let (created, key) = match self.header {
            Some(header) => {
                let sequence = header.sequence().map_or(String::new(), |sequence| sequence.to_string());
                (header.created, format!("batch|{}|{sequence}", header.batch_id).into_bytes())
            }
            None => (self.received_at, [&b"digest|"[..], self.content_digest].concat()),
        };
        let scope: [&[u8]; 3] = [self.issuer.as_bytes(), service.as_str().as_bytes(), &key];
        Judge {
            service: self.service,
            file: self.no,
            received_at: self.received_at,
            keys: Arc::clone(self.keys),
            ids: self.keys.id_maker(&scope, created.0),
            ranges: self.ranges.for_issuer(self.issuer, service),
            products: self.products.for_issuer(self.issuer),
            currencies: self.currencies.map(Into::into),
            unseal: self.unseal.clone(),
            enroll: self.enroll.clone(),
            answers_sealed: self.answers_sealed,
        }
    }
}
