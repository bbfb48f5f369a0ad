//! What can be said of a record by itself: its fields, the card inside, whether its id gives the PAN away, its product.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::model::{Code, Failure, Masked};
use crate::services::fields::{self, holds_card_number, record_ref};
use crate::services::{Expiry, Judge, PreparedChunk, Record};
use crate::vault::{Pan, Sealing};

use super::derived::is_derived;
use super::fold::Card;
use super::opened::{self, Texts};
use super::{Ask, NewCard, Own, Registration, column};

/// Judges one record: its row goes into the chunk, with an ask if it is a candidate.
pub(super) fn judge(judge: &Judge, sealing: &mut Sealing, record: Record<'_>, into: &mut PreparedChunk) {
    let mut fields = Fields { record: &record, failures: Vec::new() };
    let reference = record_ref(&record, column::RECORD_REF, &mut fields.failures);
    let registration = match record.cell(column::ACTION) {
        b"" | b"REGISTER" => Registration::Explicit,
        b"TOKENIZED" => Registration::Tokenized,
        b"ORDERED" => Registration::Ordered,
        b"DELETE" => {
            let (failures, own, ask) = delete(fields);
            if let Some(ask) = ask {
                into.ask(ask);
            }
            let mut row = record.row(reference, failures, Masked::NONE);
            row.own = own.packed();
            into.rows.push(row);
            return;
        }
        _ => {
            // What else the record must hold depends on the action; all of them need the id.
            fields.fail(column::ACTION, Code::FieldInvalid);
            let card_id = fields.id(column::CARD_ID, 48).unwrap_or_default();
            let own = Own { card_id: shown(card_id, None), ..Own::default() };
            let mut row = record.row(reference, fields.failures, Masked::NONE);
            row.own = own.packed();
            into.rows.push(row);
            return;
        }
    };

    let found = register(judge, fields, registration);
    let masked = found.pan.as_ref().map_or(Masked::NONE, Pan::masked);
    let mut row = record.row(reference, found.failures, masked);
    if let (true, Some(pan), Some(expiry)) = (row.failures.is_empty(), &found.pan, found.expiry) {
        let pan = judge.new_pan(pan, record.ordinal, sealing);
        let card = Card {
            id: found.card_id.into(),
            product: found.product.into(),
            consumer: found.consumer.into(),
            registration,
            fingerprint: pan.fingerprint,
            pan_id: pan.pan_id,
            masked: pan.masked,
        };
        into.ask(Ask::Register(Arc::new(NewCard {
            card: Arc::new(card),
            consumer_row: pan.pan_id,
            pan,
            active: found.active,
            expiry,
            pan_column: found.pan_column,
        })));
    } else {
        let failed = |column: u8| row.failures.iter().any(|failure| failure.field == column);
        let or_empty = |column: u8, id: &str| if failed(column) { "".into() } else { shown(id, found.pan.as_ref()) };
        let own = Own {
            card_id: or_empty(column::CARD_ID, found.card_id),
            product: or_empty(column::PRODUCT, found.product),
            consumer: or_empty(column::CONSUMER, found.consumer),
            ..Own::default()
        };
        row.own = own.packed();
    }
    into.rows.push(row);
}

/// The fields of a record, in the order of its columns, and what is wrong with them.
struct Fields<'a> {
    record: &'a Record<'a>,
    failures: Vec<Failure>,
}

impl<'a> Fields<'a> {
    fn fail(&mut self, field: u8, code: Code) {
        self.failures.push(Failure { field, code });
    }

    fn id(&mut self, column: u8, chars_max: usize) -> Option<&'a str> {
        let cell = self.record.cell(column);
        let formed = cell.len() <= chars_max
            && cell.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        match std::str::from_utf8(cell) {
            Ok("") => self.fail(column, Code::FieldMissing),
            Ok(text) if formed => return Some(text),
            _ => self.fail(column, Code::FieldInvalid),
        }
        None
    }

    fn absent(&mut self, column: u8) {
        if !self.record.cell(column).is_empty() {
            self.fail(column, Code::FieldInvalid);
        }
    }
}

fn delete(mut fields: Fields<'_>) -> (Vec<Failure>, Own, Option<Ask>) {
    fields.absent(column::EVENT_STATUS);
    let id = fields.id(column::CARD_ID, 48);
    for column in [column::PRODUCT, column::CONSUMER, column::STATE, column::CARD, column::PAN, column::EXPIRY] {
        fields.absent(column);
    }
    let ask = id.filter(|_| fields.failures.is_empty()).map(|id| Ask::Delete(id.into()));
    let own = Own { card_id: shown(id.unwrap_or_default(), None), ..Own::default() };
    (fields.failures, own, ask)
}

/// A record that is to register a card, after all rules that need no register.
struct Found<'a> {
    failures: Vec<Failure>,
    card_id: &'a str,
    product: &'a str,
    consumer: &'a str,
    active: bool,
    pan: Option<Pan>,
    expiry: Option<Expiry>,
    pan_column: u8,
}

fn register<'a>(judge: &Judge, mut fields: Fields<'a>, registration: Registration) -> Found<'a> {
    let record = fields.record;
    let tokenized = registration == Registration::Tokenized;
    let event_status = record.cell(column::EVENT_STATUS);
    match (tokenized, event_status.is_empty()) {
        (true, true) => fields.fail(column::EVENT_STATUS, Code::FieldMissing),
        (false, false) => fields.fail(column::EVENT_STATUS, Code::FieldInvalid),
        _ => {}
    }
    let card_id = fields.id(column::CARD_ID, 48).unwrap_or_default();
    let product = fields.id(column::PRODUCT, 48).unwrap_or_default();
    // The consumer's id may not hold the PAN, which is known only when the card is read: its failure comes before the card's.
    let consumer = fields.id(column::CONSUMER, 64).unwrap_or_default();
    let before_card = fields.failures.len();
    let active = match record.cell(column::STATE) {
        b"" | b"ACTIVE" => true,
        b"INACTIVE" => false,
        _ => {
            fields.fail(column::STATE, Code::FieldInvalid);
            false
        }
    };
    let (pan, expiry, pan_column) = card(judge, &mut fields);
    let mut failures = fields.failures;
    if pan.as_ref().is_some_and(|pan| holds(consumer, pan)) {
        failures.insert(before_card, Failure { field: column::CONSUMER, code: Code::FieldInvalid });
    }

    if let (true, Some(pan), Some(expiry)) = (failures.is_empty(), &pan, expiry) {
        let expiry_column = if pan_column == column::CARD { column::CARD } else { column::EXPIRY };
        let failed = if tokenized && event_status != b"SUCCESS" {
            Some((column::EVENT_STATUS, Code::EventIgnored))
        } else if expiry.is_over(judge.received_at) {
            Some((expiry_column, Code::CardExpired))
        } else if is_derived(card_id.as_bytes(), pan) {
            Some((column::CARD_ID, Code::CardIdDerived))
        } else if judge.products.get(product).is_none() {
            Some((column::PRODUCT, Code::ProductUnknown))
        } else {
            None
        };
        failures.extend(failed.map(|(field, code)| Failure { field, code }));
    }
    Found { failures, card_id, product, consumer, active, pan, expiry, pan_column }
}

/// The card of a record: sealed in one field, or plain in two.
fn card(judge: &Judge, fields: &mut Fields<'_>) -> (Option<Pan>, Option<Expiry>, u8) {
    let record = fields.record;
    let token = record.cell(column::CARD);
    let plain = Texts { pan: record.cell(column::PAN), expiry: record.cell(column::EXPIRY) };
    if token.is_empty() {
        if plain.pan.is_empty() && plain.expiry.is_empty() {
            fields.fail(column::CARD, Code::FieldMissing);
            return (None, None, column::CARD);
        }
        let (pan, expiry) = texts(fields, plain, column::PAN, column::EXPIRY);
        return (pan, expiry, column::PAN);
    }
    let json: Option<Zeroizing<Vec<u8>>> = judge.unseal.as_ref().and_then(|unseal| unseal(token));
    let card = match json.as_deref().and_then(|json| opened::read(json)) {
        Some(card) => texts(fields, card, column::CARD, column::CARD),
        None => {
            fields.fail(column::CARD, Code::RecordCryptoError);
            (None, None)
        }
    };
    fields.absent(column::PAN);
    fields.absent(column::EXPIRY);
    (card.0, card.1, column::CARD)
}

fn texts(
    fields: &mut Fields<'_>,
    texts: Texts<'_>,
    pan_column: u8,
    expiry_column: u8,
) -> (Option<Pan>, Option<Expiry>) {
    let pan = fields::pan(texts.pan, 11..=19).map_err(|code| fields.fail(pan_column, code)).ok();
    let expiry = match texts.expiry {
        b"" => Err(Code::FieldMissing),
        text => Expiry::parse(text).ok_or(Code::ExpiryInvalid),
    };
    (pan, expiry.map_err(|code| fields.fail(expiry_column, code)).ok())
}

fn holds(text: &str, pan: &Pan) -> bool {
    text.as_bytes().windows(pan.digits().len()).any(|window| window == pan.digits())
}

/// What a report shows of an id that passed its rule: nothing of one that gives its own PAN away, or that looks like a card
/// number while it is not known to be none.
fn shown(id: &str, pan: Option<&Pan>) -> Box<str> {
    let hidden = match pan {
        Some(pan) => is_derived(id.as_bytes(), pan),
        None => holds_card_number(id.as_bytes()),
    };
    if hidden { "".into() } else { id.into() }
}
