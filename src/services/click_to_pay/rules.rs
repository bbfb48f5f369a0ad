//! What can be said of a record by itself: the form of every field.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::model::{Code, Failure, Masked, Timestamp};
use crate::services::fields::{holds_card_number, record_ref};
use crate::services::{Judge, PreparedChunk, Record};
use crate::vault::Sealing;

use super::contact::{is_calling_code, is_country, is_email, is_locale, is_phone, is_subscriber_number, masked_email};
use super::own::Own;
use super::{Ask, CardObject, Fetched, With, column};

/// The longest text, in characters.
const TEXT_CHARS_MAX: usize = 255;

/// Judges one record.
pub(super) fn judge(judge: &Judge, _sealing: &mut Sealing, record: Record<'_>, into: &mut PreparedChunk) {
    let mut failures = Vec::new();
    let reference = record_ref(&record, column::RECORD_REF, &mut failures);
    let mut fields = Fields { record: &record, failures };
    let contract = fields.formed(column::CONTRACT, |text| is_made_of(text, 64, b"_-"));
    fields.formed(column::CLIENT, |text| text.len() == 36 && uuid::Uuid::try_parse(text).is_ok());
    fields.formed(column::SERVICE, |text| is_made_of(text, 255, b"#_-"));
    let external = fields.formed(column::EXTERNAL_ID, is_text);
    let email = fields.formed(column::EMAIL, is_email);
    fields.phone();
    let first = fields.formed(column::FIRST_NAME, is_text);
    let last = fields.formed(column::LAST_NAME, is_text);
    fields.formed(column::LOCALE, is_locale);
    fields.formed(column::COUNTRY, is_country);
    let cardholder = fields.formed(column::CARDHOLDER, is_text);
    let lines = [column::LINE1, column::LINE2, column::LINE3, column::CITY, column::STATE, column::POSTAL_CODE]
        .map(|column| fields.formed(column, is_text));
    let address_country = fields.formed(column::ADDRESS_COUNTRY, is_country);
    fields.formed(column::PRIVACY, is_text);
    fields.formed(column::TNC, is_text);
    fields.formed(column::ACCEPTED_AT, |text| Timestamp::parse(text).is_some());

    let mut row = record.row(reference, fields.failures, Masked::NONE);
    // An id that looks like a card number is shown once a contract is known by it.
    let shown = contract.filter(|id| row.failures.is_empty() || !holds_card_number(id.as_bytes()));
    let mut own = Own { contract_id: shown.unwrap_or_default().into(), ..Own::default() };
    if let (Some(contract), Some(email), true) = (contract, email, row.failures.is_empty()) {
        own.identity = masked_email(email).into();
        let kept = |text: &str| Zeroizing::new(text.to_owned());
        let name = match (cardholder, first, last) {
            (Some(name), ..) => Some(kept(name)),
            (None, Some(first), Some(last)) => Some(Zeroizing::new(format!("{first} {last}"))),
            (None, one, other) => one.or(other).map(kept),
        };
        let [one, two, three, city, state, postal_code] = lines;
        let address = [one, two, three, city, state, postal_code, address_country].map(|part| part.map(kept));
        // Two kinds of names for a consumer, which never meet.
        let consumer = match external {
            Some(id) => judge.keys.text_fingerprint(b"external_consumer_id", id.as_bytes()),
            None => judge.keys.text_fingerprint(b"email", email.to_lowercase().as_bytes()),
        };
        let with = match into.last_ask::<Ask>() {
            Some(last) => Arc::clone(&last.with),
            None => Arc::new(With {
                received_at: judge.received_at,
                products: judge.products.clone(),
                keys: Arc::clone(&judge.keys),
                enroll: judge.enroll.clone(),
            }),
        };
        into.ask(Ask {
            contract_id: contract.into(),
            consumer,
            card: Arc::new(CardObject { name, address }),
            src_consumer_id: judge.ids.second_uuid(record.ordinal),
            src_digital_card_id: judge.ids.uuid(record.ordinal),
            row: judge.row_id(record.ordinal),
            with,
            fetched: Fetched::NotAsked,
        });
    }
    row.own = own.packed();
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

    fn text(&self, column: u8) -> Option<&'a str> {
        std::str::from_utf8(self.record.cell(column)).ok()
    }

    /// A value of that form; one that may be absent and is, is none.
    fn formed(&mut self, column: u8, form: impl Fn(&str) -> bool) -> Option<&'a str> {
        match self.text(column) {
            Some("") => {
                if column::REQUIRED.contains(&column) {
                    self.fail(column, Code::FieldMissing);
                }
                None
            }
            Some(text) if form(text) => Some(text),
            _ => {
                self.fail(column, Code::FieldInvalid);
                None
            }
        }
    }

    /// Both or neither, each by itself, then one with the other.
    fn phone(&mut self) {
        let country = self.text(column::PHONE_COUNTRY).unwrap_or("?");
        let number = self.text(column::PHONE).unwrap_or("?");
        if country.is_empty() && number.is_empty() {
            return;
        }
        let part = |text: &str, formed: bool| match (text, formed) {
            ("", _) => Some(Code::FieldMissing),
            (_, formed) => (!formed).then_some(Code::FieldInvalid),
        };
        let country_fails = part(country, is_calling_code(country));
        let number_fails = part(number, is_subscriber_number(number));
        let together = country_fails.is_none() && number_fails.is_none() && !is_phone(country, number);
        if let Some(code) = country_fails {
            self.fail(column::PHONE_COUNTRY, code);
        }
        if let Some(code) = number_fails.or(together.then_some(Code::FieldInvalid)) {
            self.fail(column::PHONE, code);
        }
    }
}

fn is_made_of(text: &str, bytes_max: usize, signs: &[u8]) -> bool {
    text.len() <= bytes_max && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || signs.contains(&byte))
}

/// A free text: no control characters, since it goes on to other systems, and no card number, which nobody may send here.
fn is_text(text: &str) -> bool {
    text.chars().count() <= TEXT_CHARS_MAX && !text.chars().any(char::is_control) && !holds_card_number(text.as_bytes())
}
