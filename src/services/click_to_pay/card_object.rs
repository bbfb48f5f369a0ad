//! The card object that the enroller gets: what the record says of the cardholder, and what the contract says of the card.
//! Never a security code.

use std::io;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::services::Expiry;
use crate::vault::Pan;

use super::With;

/// What a record brings to it. Absent parts are left out.
#[derive(Default)]
pub struct CardObject {
    /// The cardholder's name as on the card.
    pub name: Option<Zeroizing<String>>,
    /// Line 1, 2, 3, city, state, postal code, country.
    pub address: [Option<Zeroizing<String>>; 7],
}

/// The card object of this card, sealed for the enroller; nothing where nothing seals.
pub fn card_data(with: &With, card: &CardObject, pan: &Pan, expiry: Expiry) -> io::Result<Option<Box<str>>> {
    let Some(enroll) = &with.enroll else { return Ok(None) };
    enroll(&text(card, pan, expiry)).map(|token| Some(token.into()))
}

fn text(card: &CardObject, pan: &Pan, expiry: Expiry) -> Zeroizing<Vec<u8>> {
    let part = |at: usize| card.address.get(at).and_then(Option::as_deref).map(String::as_str);
    let address = Address {
        line1: part(0),
        line2: part(1),
        line3: part(2),
        city: part(3),
        state: part(4),
        zip: part(5),
        country_code: part(6),
    };
    let object = Object {
        primary_account_number: std::str::from_utf8(pan.digits()).unwrap_or_default(),
        pan_expiration_month: &format!("{:02}", expiry.month()),
        pan_expiration_year: &format!("{:04}", expiry.year()),
        cardholder_full_name: card.name.as_deref().map(String::as_str),
        billing_address: card.address.iter().any(Option::is_some).then_some(address),
    };
    // Values have 255 characters at most, each six bytes when it is escaped: the buffer never grows, which would leave a copy
    // behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(16 << 10));
    // Strings always make JSON.
    let _ = serde_json::to_writer(&mut *bytes, &object);
    bytes
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    primary_account_number: &'a str,
    pan_expiration_month: &'a str,
    pan_expiration_year: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cardholder_full_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_address: Option<Address<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Address<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line1: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line2: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line3: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_code: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_is_there_and_nothing_else() {
        let pan = Pan::new(b"2303770003322342").unwrap();
        let expiry = Expiry::parse(b"0931").unwrap();
        let said = |card: &CardObject| String::from_utf8(text(card, &pan, expiry).to_vec()).unwrap();
        assert_eq!(
            said(&CardObject::default()),
            r#"{"primaryAccountNumber":"2303770003322342","panExpirationMonth":"09","panExpirationYear":"2031"}"#
        );
        let some = |text: &str| Some(Zeroizing::new(text.to_owned()));
        let mut card = CardObject { name: some("Jane \"J\" Doe"), ..CardObject::default() };
        card.address[0] = some("Main St 1");
        card.address[6] = some("AT");
        assert!(said(&card).ends_with(
            r#","cardholderFullName":"Jane \"J\" Doe","billingAddress":{"line1":"Main St 1","countryCode":"AT"}}"#
        ));
    }
}
