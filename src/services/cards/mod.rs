//! cards: Thales D1, *Register cards*, file by file.
//!
//! A REGISTER brings a card of a consumer under an id of the issuer's own; TOKENIZED and ORDERED bring it too, as events do; a
//! DELETE takes it out, and its PAN is never taken again. A PAN comes sealed by itself (`card`) or plain, beside its expiry.
//! Source of the rules: the public API's reference and `services.md` §3.

mod batch;
mod derived;
mod fold;
mod memory;
mod opened;
mod response;
mod rules;
mod sample;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{
    Cells, Columns, OwnBytes, RECORD_REF_EXPECTED, RecordRow, Request, ServiceName, View, pack_own, unpack_own,
};

use super::{Definition, Expiry, Need, NewPan, PerRequest};

pub use batch::{OUT, refused as refused_batch};
pub use fold::{Card, Change, Difference, Register, fold, settle};
pub use memory::Memory;

/// The service, as the pipeline knows it.
pub const DEFINITION: Definition = Definition {
    columns: &COLUMNS,
    view: View {
        service: ServiceName::Cards,
        recon_columns: &["card_id", "card_product_id", "consumer_id", "consumer_created", "registration"],
        field_names: COLUMNS.names,
        expected: &[
            RECORD_REF_EXPECTED,
            "REGISTER, TOKENIZED, ORDERED or DELETE",
            "with the action TOKENIZED the event's status|an empty one with any action but TOKENIZED",
            "an id of 1 to 48 of the characters A-Z a-z 0-9 _ -",
            "an id of 1 to 48 of the characters A-Z a-z 0-9 _ -, and an empty one with the action DELETE",
            "an id of 1 to 64 of the characters A-Z a-z 0-9 _ - that does not hold the PAN, and an empty one with the \
             action DELETE",
            "ACTIVE or INACTIVE, and an empty one with the action DELETE",
            "pan and expiry, or in their place a compact JWE that holds a PAN of 11 to 19 digits|an empty one with the \
             action DELETE",
            "a PAN of 11 to 19 digits|an empty one beside card and with the action DELETE",
            "an expiry as MMYY|an empty one beside card and with the action DELETE",
        ],
        own_cells,
    },
    sealed_parts: true,
    needs: &[Need::CardProducts],
    answers_ahead: Some(|_| true),
    answers: |answering| match answering.d1_batch {
        Some((issuer_id, rows)) => vec![batch::file(answering.file, issuer_id, rows)],
        None if answering.requests => vec![PerRequest::file(response::answer)],
        None => Vec::new(),
    },
    api: batch::API,
    answer_schemas: || vec![("response", response::schema()), ("out", batch::schema())],
    judge: rules::judge,
    sample: &sample::SAMPLING,
};

/// Indices into [`COLUMNS`].
pub mod column {
    /// The sender's reference.
    pub const RECORD_REF: u8 = 0;
    /// REGISTER, TOKENIZED, ORDERED or DELETE.
    pub const ACTION: u8 = 1;
    /// How a tokenization ended.
    pub const EVENT_STATUS: u8 = 2;
    /// The issuer's id for the card.
    pub const CARD_ID: u8 = 3;
    /// The card product.
    pub const PRODUCT: u8 = 4;
    /// The issuer's id for the consumer.
    pub const CONSUMER: u8 = 5;
    /// ACTIVE or INACTIVE.
    pub const STATE: u8 = 6;
    /// The card, sealed by itself.
    pub const CARD: u8 = 7;
    /// The card number.
    pub const PAN: u8 = 8;
    /// MMYY.
    pub const EXPIRY: u8 = 9;
}

/// The inbound columns. A file with actions and nothing that makes a card is one of deletions.
pub const COLUMNS: Columns = Columns {
    names: &[
        "record_ref",
        "action",
        "event_status",
        "card_id",
        "card_product_id",
        "consumer_id",
        "state",
        "card",
        "pan",
        "expiry",
    ],
    missing: |present| {
        let has = |column: u8| present.get(usize::from(column)).copied().unwrap_or(false);
        let makes = [column::EVENT_STATUS, column::PRODUCT, column::CONSUMER, column::STATE].into_iter().chain([
            column::CARD,
            column::PAN,
            column::EXPIRY,
        ]);
        let deletions = has(column::ACTION) && !makes.into_iter().any(has);
        let card: &[u8] = match (has(column::CARD), has(column::PAN) || has(column::EXPIRY)) {
            (true, false) => &[],
            (false, false) => &[column::CARD],
            (_, true) => &[column::PAN, column::EXPIRY],
        };
        let always = [column::RECORD_REF, column::CARD_ID].into_iter();
        let made = [column::PRODUCT, column::CONSUMER].into_iter().chain(card.iter().copied());
        let wanted = always.chain(made.filter(|_| !deletions));
        wanted.filter(|column| !has(*column)).min().map(usize::from)
    },
    request: Some(&REQUEST),
    runs: None,
};

/// A JSON line: an object with the columns' names.
static REQUEST: Request = Request {
    keys: &[
        ("record_ref", 0),
        ("action", 1),
        ("event_status", 2),
        ("card_id", 3),
        ("card_product_id", 4),
        ("consumer_id", 5),
        ("state", 6),
        ("card", 7),
        ("pan", 8),
        ("expiry", 9),
    ],
    arrays: false,
    body: None,
};

/// How a card came to be registered. The numbers are persisted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registration {
    /// By a REGISTER.
    Explicit,
    /// By the event that it was tokenized.
    Tokenized,
    /// By the event that it was ordered.
    Ordered,
}

impl Registration {
    const ALL: [Self; 3] = [Self::Explicit, Self::Tokenized, Self::Ordered];

    /// The word in files and stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Explicit => "EXPLICIT",
            Self::Tokenized => "IMPLICIT_TOKENIZED",
            Self::Ordered => "IMPLICIT_ORDERED",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|registration| registration.as_str() == word)
    }
}

/// What a record asks of the register.
#[derive(Clone)]
pub enum Ask {
    /// Add a card.
    Register(Arc<NewCard>),
    /// Take out the card with this id.
    Delete(Box<str>),
}

/// A card to be added, with everything its rows need.
pub struct NewCard {
    /// What reports show of it.
    pub card: Arc<Card>,
    /// Its PAN, whose row has this record's number.
    pub pan: NewPan,
    /// The key of its consumer's row, if this record is the first to name the consumer.
    pub consumer_row: i64,
    /// It may be used.
    pub active: bool,
    /// Through when it is good.
    pub expiry: Expiry,
    /// The column that its PAN came in: `card` or `pan`.
    pub pan_column: u8,
}

/// A row's own part: what recon adds. An id that failed its rule is empty.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Own {
    card_id: Box<str>,
    product: Box<str>,
    consumer: Box<str>,
    /// Whether this record made the consumer; nothing for one that failed.
    consumer_created: Option<bool>,
    registration: Option<Registration>,
}

impl Own {
    fn packed(&self) -> OwnBytes {
        pack_own(self)
    }

    fn of(row: &RecordRow) -> Self {
        unpack_own(row).unwrap_or_default()
    }
}

fn own_cells(row: &RecordRow, cell: &mut Cells<'_>) {
    let own = Own::of(row);
    for id in [&own.card_id, &own.product, &own.consumer] {
        cell(id);
    }
    cell(own.consumer_created.map_or("", |created| if created { "true" } else { "false" }));
    cell(own.registration.map_or("", Registration::as_str));
}

#[cfg(test)]
mod tests;
