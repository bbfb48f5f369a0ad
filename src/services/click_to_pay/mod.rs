//! click-to-pay: Mastercard Processing Digital with the Enroll API, synchronous, file by file.
//!
//! A record names a card contract and a consumer, and no PAN. PAN and expiry come from the card management store; the card object
//! is sealed for the enroller; the tokenization decision is taken; what is approved is enrolled. What a sender is told of a
//! consumer is masked, and nothing of a consumer's name, address, e-mail or telephone is kept: it leaves in the sealed card
//! object alone. Source of the rules: the public API's reference and `services.md` §5.

mod card_object;
mod contact;
mod fold;
mod notifications;
mod own;
mod response;
mod rules;
mod sample;

use std::sync::Arc;

use crate::model::{AnswerFile, Columns, RECORD_REF_EXPECTED, Request, ServiceName, Timestamp, View};
use crate::vault::{Fingerprint, IssuerKeys};

use super::card_contracts::Status;
use super::reference::IssuerProducts;
use super::{Answering, Definition, Expiry, Need, SealText};

pub use card_object::{CardObject, card_data};
pub use fold::{
    Change, Consumer, Difference, Enrolled, Enrolment, Memory, NewConsumer, Register, Settled, decision, fold, settle,
};

/// The service, as the pipeline knows it.
pub const DEFINITION: Definition = Definition {
    columns: &COLUMNS,
    view: View {
        service: ServiceName::ClickToPay,
        recon_columns: &["card_contract_id", "src_digital_card_id", "src_consumer_id", "tar_response"],
        field_names: COLUMNS.names,
        expected: &[
            RECORD_REF_EXPECTED,
            "an id of 1 to 64 of the characters A-Z a-z 0-9 _ -",
            "a UUID",
            "an id of 1 to 255 of the characters A-Z a-z 0-9 # _ -",
            TEXT,
            "an e-mail address",
            "a calling code in digits alone, together with phone",
            "a telephone number in digits alone, together with phone_country",
            TEXT,
            TEXT,
            "a language tag of BCP 47, such as de-AT",
            "a country code of two letters of ISO 3166",
            TEXT,
            TEXT,
            TEXT,
            TEXT,
            TEXT,
            TEXT,
            TEXT,
            "a country code of two letters of ISO 3166",
            TEXT,
            TEXT,
            "a time of RFC 3339, such as 2026-11-20T01:30:00Z",
        ],
        own_cells: own::own_cells,
    },
    sealed_parts: false,
    needs: &[Need::CardProducts, Need::EnrollKey],
    answers_ahead: None,
    answers,
    api: response::API,
    answer_schemas: || {
        vec![
            ("response", response::schema()),
            ("enroll", response::enroll_schema()),
            ("notifications", notifications::schema()),
        ]
    },
    judge: rules::judge,
    sample: &sample::SAMPLING,
};

const TEXT: &str = "a text of at most 255 characters without control characters and without a card number";

fn answers(answering: &Answering<'_>) -> Vec<AnswerFile> {
    let at = answering.file.received_at;
    vec![response::file(), response::enroll_file(), notifications::file(at)]
}

/// Indices into [`COLUMNS`].
mod column {
    pub(super) const RECORD_REF: u8 = 0;
    pub(super) const CONTRACT: u8 = 1;
    pub(super) const CLIENT: u8 = 2;
    pub(super) const SERVICE: u8 = 3;
    pub(super) const EXTERNAL_ID: u8 = 4;
    pub(super) const EMAIL: u8 = 5;
    pub(super) const PHONE_COUNTRY: u8 = 6;
    pub(super) const PHONE: u8 = 7;
    pub(super) const FIRST_NAME: u8 = 8;
    pub(super) const LAST_NAME: u8 = 9;
    pub(super) const LOCALE: u8 = 10;
    pub(super) const COUNTRY: u8 = 11;
    pub(super) const CARDHOLDER: u8 = 12;
    pub(super) const LINE1: u8 = 13;
    pub(super) const LINE2: u8 = 14;
    pub(super) const LINE3: u8 = 15;
    pub(super) const CITY: u8 = 16;
    pub(super) const STATE: u8 = 17;
    pub(super) const POSTAL_CODE: u8 = 18;
    pub(super) const ADDRESS_COUNTRY: u8 = 19;
    pub(super) const PRIVACY: u8 = 20;
    pub(super) const TNC: u8 = 21;
    pub(super) const ACCEPTED_AT: u8 = 22;
    /// Those that every record needs.
    pub(super) const REQUIRED: [u8; 10] =
        [RECORD_REF, CONTRACT, CLIENT, SERVICE, EMAIL, LOCALE, COUNTRY, PRIVACY, TNC, ACCEPTED_AT];
}

/// The inbound columns.
pub const COLUMNS: Columns = Columns {
    names: &[
        "record_ref",
        "card_contract_id",
        "src_client_id",
        "service_id",
        "external_consumer_id",
        "email",
        "phone_country",
        "phone",
        "first_name",
        "last_name",
        "locale",
        "country",
        "cardholder_name",
        "address_line1",
        "address_line2",
        "address_line3",
        "city",
        "state",
        "postal_code",
        "address_country",
        "privacy_version",
        "tnc_version",
        "accepted_at",
    ],
    missing: |present| {
        let has = |column: u8| present.get(usize::from(column)).copied().unwrap_or(false);
        column::REQUIRED.into_iter().find(|column| !has(*column)).map(usize::from)
    },
    request: Some(&REQUEST),
    runs: None,
};

/// A JSON line: an object with the columns' names.
static REQUEST: Request = Request {
    keys: &[
        ("record_ref", 0),
        ("card_contract_id", 1),
        ("src_client_id", 2),
        ("service_id", 3),
        ("external_consumer_id", 4),
        ("email", 5),
        ("phone_country", 6),
        ("phone", 7),
        ("first_name", 8),
        ("last_name", 9),
        ("locale", 10),
        ("country", 11),
        ("cardholder_name", 12),
        ("address_line1", 13),
        ("address_line2", 14),
        ("address_line3", 15),
        ("city", 16),
        ("state", 17),
        ("postal_code", 18),
        ("address_country", 19),
        ("privacy_version", 20),
        ("tnc_version", 21),
        ("accepted_at", 22),
    ],
    arrays: false,
    body: None,
};

/// A consumer as the register finds one again: keyed, of the issuer's own id for it or of its e-mail.
pub type ConsumerKey = Fingerprint;

/// What a record asks of the register.
pub struct Ask {
    /// The contract that it names.
    pub contract_id: Box<str>,
    /// Whom it enrols.
    pub consumer: ConsumerKey,
    /// The card object, but for what the contract knows.
    pub card: Arc<CardObject>,
    /// The id that the consumer gets, if this record makes it.
    pub src_consumer_id: [u8; 16],
    /// The id that the card gets, if this record enrols it.
    pub src_digital_card_id: [u8; 16],
    /// The key of the rows that it makes.
    pub row: i64,
    /// What it is decided with.
    pub with: Arc<With>,
    /// What the card management store said.
    pub fetched: Fetched,
}

/// What all records of a chunk are decided with.
pub struct With {
    /// When the file came.
    pub received_at: Timestamp,
    /// The issuer's products.
    pub products: IssuerProducts,
    /// Opens PANs.
    pub keys: Arc<IssuerKeys>,
    /// Seals card objects for the enroller; nothing does in a dry run.
    pub enroll: Option<SealText>,
}

/// What came of the fetch.
#[derive(Clone)]
pub enum Fetched {
    /// There is no store to ask.
    NotAsked,
    /// No contract of the issuer has the id.
    Unknown,
    /// The contract, and the card object if one was sealed.
    Found(Box<Contract>, Option<Box<str>>),
}

/// A contract with its PAN, as the fetch gives them.
#[derive(Clone)]
pub struct Contract {
    /// The PAN's row.
    pub pan_id: i64,
    /// What may be shown of the PAN.
    pub masked: crate::model::Masked,
    /// Through when the card is good.
    pub expiry: Expiry,
    /// Its product.
    pub product: Box<str>,
    /// Where it stands.
    pub status: Status,
}
