//! payment-cards: Mastercard Carbon Calculator, *Add Payment Cards*, file by file.
//!
//! A REGISTER brings a PAN and gets a `paymentCardId`; a DELETE brings a `paymentCardId` and takes the card out. PANs must lie in
//! a range the issuer owns for this service. Source of the rules: the public API's reference (formats, error codes, at most 100 cards
//! a call) and `services.md` §1.

mod fold;
mod memory;
mod response;
mod rules;
mod sample;

use crate::model::{Cells, Columns, OwnBytes, RECORD_REF_EXPECTED, RecordRow, Request, ServiceName, View};
use crate::vault::{Fingerprint, UUID_CHARS, write_uuid};

use super::{Definition, NewPan, PerRequest};

pub use fold::{Card, Change, Difference, Holding, Register, fold, settle};
pub use memory::Memory;

/// The service, as the pipeline knows it.
pub const DEFINITION: Definition = Definition {
    columns: &COLUMNS,
    view: View {
        service: ServiceName::PaymentCards,
        recon_columns: &["payment_card_id", "status"],
        field_names: COLUMNS.names,
        expected: &[
            RECORD_REF_EXPECTED,
            "REGISTER or DELETE",
            "a PAN of exactly 16 digits|an empty one with the action DELETE",
            "a code of three letters of ISO 4217, such as EUR|an empty one with the action DELETE",
            "with the action DELETE the UUID that was given out for the card, and otherwise an empty one",
        ],
        own_cells,
    },
    sealed_parts: false,
    needs: &[],
    answers_ahead: Some(|_| true),
    answers: |answering| if answering.requests { vec![PerRequest::file(response::answer)] } else { Vec::new() },
    api: response::API,
    answer_schemas: || vec![("response", response::schema())],
    judge: rules::judge,
    sample: &sample::SAMPLING,
};

/// Indices into [`COLUMNS`].
pub mod column {
    /// The sender's reference.
    pub const RECORD_REF: u8 = 0;
    /// REGISTER or DELETE.
    pub const ACTION: u8 = 1;
    /// The card number.
    pub const PAN: u8 = 2;
    /// ISO 4217.
    pub const CURRENCY: u8 = 3;
    /// For DELETE.
    pub const CARD_ID: u8 = 4;
}

/// The inbound columns. A file of deletions alone needs neither `pan` nor `card_base_currency`.
pub const COLUMNS: Columns = Columns {
    names: &["record_ref", "action", "pan", "card_base_currency", "payment_card_id"],
    missing: |present| {
        let has = |column: u8| present.get(usize::from(column)).copied().unwrap_or(false);
        let deletions = has(column::ACTION) && has(column::CARD_ID);
        [column::RECORD_REF, column::PAN, column::CURRENCY]
            .into_iter()
            .find(|&wanted| !has(wanted) && (wanted == column::RECORD_REF || !deletions))
            .map(usize::from)
    },
    request: Some(&REQUEST),
    runs: None,
};

/// The body of *Add Payment Cards*: a card, or an array of them.
static REQUEST: Request = Request {
    keys: &[
        ("id", column::RECORD_REF as usize),
        ("fpan", column::PAN as usize),
        ("cardBaseCurrency", column::CURRENCY as usize),
    ],
    arrays: true,
    body: None,
};

/// Cards of one request, at most: the API takes no more.
const REQUEST_RECORDS_MAX: u64 = 100;

/// A payment card's identifier: a UUID of version 8.
pub type CardId = [u8; 16];

/// What a record asks of the register.
#[derive(Clone)]
pub enum Ask {
    /// Add a card.
    Register(NewCard),
    /// Say whether a PAN in no range is registered all the same (a range given up since): the duplicate rule comes before the range rule.
    Lookup(Fingerprint),
    /// Take a card out.
    Delete(CardId),
}

/// A card to be added, with everything its rows need.
#[derive(Clone)]
pub struct NewCard {
    /// Its PAN.
    pub pan: NewPan,
    /// The identifier it gets.
    pub card_id: CardId,
}

/// A row's own bytes: one byte for the status, then the identifier; nothing where no id is given away.
mod own {
    pub(super) const ACTIVE: u8 = 1;
    pub(super) const DELETED: u8 = 2;
}

fn packed(status: u8, card_id: &CardId) -> OwnBytes {
    let mut bytes = [status; 17];
    bytes[1..].copy_from_slice(card_id);
    OwnBytes::from_slice(&bytes)
}

fn own_cells(row: &RecordRow, cell: &mut Cells<'_>) {
    let unpacked = row.own.split_first().and_then(|(status, id)| Some((*status, <&CardId>::try_from(id).ok()?)));
    match unpacked {
        Some((status, id)) => {
            cell(write_uuid(id, &mut [0; UUID_CHARS]));
            cell(match status {
                own::ACTIVE => "ACTIVE",
                own::DELETED => "DELETED",
                _ => "",
            });
        }
        None => {
            cell("");
            cell("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Code;
    use crate::model::explain::describe;

    #[test]
    fn says_what_each_field_must_be() {
        let view = &DEFINITION.view;
        assert_eq!(view.expected.len(), view.field_names.len());
        let said = |code, column: u8, expected: &str| {
            let text = describe(code, view.service, view.field(column));
            assert!(text.contains(expected), "{text}");
        };
        for code in [Code::FieldMissing, Code::PanMangled, Code::PanFormat, Code::PanLength, Code::PanLuhn] {
            said(code, column::PAN, "expected is a PAN of exactly 16 digits");
        }
        for code in [Code::FieldMissing, Code::FieldInvalid] {
            said(code, column::RECORD_REF, "1 to 100 of the characters A-Z a-z 0-9 _ . : - ");
            said(code, column::RECORD_REF, "does not begin with a dash and holds no card number");
            said(code, column::ACTION, "expected is REGISTER or DELETE.");
            said(code, column::CARD_ID, "with the action DELETE the UUID that was given out");
        }
        said(Code::FieldInvalid, column::PAN, "expected is an empty one with the action DELETE.");
        said(Code::FieldInvalid, column::CURRENCY, "expected is an empty one with the action DELETE.");
        said(Code::CurrencyInvalid, column::CURRENCY, "three letters of ISO 4217");
    }
}
