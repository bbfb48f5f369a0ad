//! A D1 batch: one object of a header, the records of consumers with their cards, and perhaps a signature.
//!
//! ```text
//! {"header": {...}, "records": [{"rowId": 1, "consumerAndCardRegistrationRequest": {..., "cards": [card ...]}} ...],
//!  "signature": "<detached compact JWS over the bytes of the array>"}
//! ```
//! The text is read as a stream, one row in memory at a time. Each card is a record. A row without a card is one too, which
//! lacks everything that makes a card, so that no row is left without an answer. Rows must rise by their ids: what does not
//! rise is told as a duplicate, since the ids that went before are not kept.
//!
//! It may not write, verify a signature, or say a value of the file.

pub(in crate::parse) mod cutter;
mod header;
pub(in crate::parse) mod names;
mod row;
pub(in crate::parse) mod structure;
#[cfg(test)]
mod tests;
mod text;

use std::ops::Range;

use super::layout::Layout as JsonLayout;

/// What a feed says of its batches, and the name that this one came under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The issuer's id at D1.
    pub issuer_id: String,
    /// The file's name as received.
    pub name: String,
}

/// The signature that a batch carries. Nobody has verified it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The detached compact JWS.
    pub jws: String,
    /// The bytes that it signs: those of `records`, both brackets included, counted from the first byte of the plaintext.
    pub signed: Range<u64>,
    /// The line on which it stands.
    pub line: u64,
}

/// How a proven batch is laid out.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    pub(in crate::parse) cards: JsonLayout,
    /// How many rows it has.
    pub rows: u64,
    /// Its signature, if it has one.
    pub signature: Option<Signature>,
}
