//! card-contracts: the processor's card management store, kept up to date file by file.
//!
//! A record says what a contract is now: a new one is made, a known one is brought up to date, one that says nothing new is left
//! alone. A contract keeps its PAN for good. click-to-pay reads PAN, expiry, product and status here. Source of the rules:
//! `services.md` §4.

mod fold;
mod response;
mod rules;
mod sample;

use serde::{Deserialize, Serialize};

use crate::model::{
    Cells, Columns, OwnBytes, RECORD_REF_EXPECTED, RecordRow, Request, ServiceName, View, pack_own, unpack_own,
};

use super::{Api, Definition, Expiry, Need, NewPan, PerRequest};

pub(super) use sample::sample_contract_id;

pub use fold::{Change, Contract, Difference, Memory, Register, fold, settle};

/// The service, as the pipeline knows it.
pub const DEFINITION: Definition = Definition {
    columns: &COLUMNS,
    view: View {
        service: ServiceName::CardContracts,
        recon_columns: &["card_contract_id", "changed"],
        field_names: COLUMNS.names,
        expected: &[
            RECORD_REF_EXPECTED,
            "an id of 1 to 64 of the characters A-Z a-z 0-9 _ - that does not hold the PAN",
            "a PAN of 11 to 19 digits",
            "an expiry as MMYY",
            "an id of 1 to 48 of the characters A-Z a-z 0-9 _ -",
            "ACTIVE, INACTIVE, BLOCKED or CLOSED",
        ],
        own_cells,
    },
    sealed_parts: false,
    needs: &[Need::CardProducts],
    answers_ahead: Some(|_| true),
    answers: |answering| if answering.requests { vec![PerRequest::file(response::answer)] } else { Vec::new() },
    api: Api::NONE,
    answer_schemas: || vec![("response", response::schema())],
    judge: rules::judge,
    sample: &sample::SAMPLING,
};

/// Indices into [`COLUMNS`].
mod column {
    pub(super) const RECORD_REF: u8 = 0;
    pub(super) const CONTRACT_ID: u8 = 1;
    pub(super) const PAN: u8 = 2;
    pub(super) const EXPIRY: u8 = 3;
    pub(super) const PRODUCT: u8 = 4;
    pub(super) const STATUS: u8 = 5;
}

/// The inbound columns; all are needed.
pub const COLUMNS: Columns = Columns {
    names: &["record_ref", "card_contract_id", "pan", "expiry", "card_product_id", "status"],
    missing: |present| present.iter().position(|there| !there),
    request: Some(&REQUEST),
    runs: None,
};

/// A JSON line: an object with the columns' names.
static REQUEST: Request = Request {
    keys: &[
        ("record_ref", 0),
        ("card_contract_id", 1),
        ("pan", 2),
        ("expiry", 3),
        ("card_product_id", 4),
        ("status", 5),
    ],
    arrays: false,
    body: None,
};

/// Where a contract stands. The words are persisted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its card may be used.
    Active,
    /// Not yet, or for a time.
    Inactive,
    /// The issuer stopped it.
    Blocked,
    /// It has ended.
    Closed,
}

impl Status {
    const ALL: [Self; 4] = [Self::Active, Self::Inactive, Self::Blocked, Self::Closed];

    /// The word in files and stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Blocked => "BLOCKED",
            Self::Closed => "CLOSED",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str().as_bytes() == word)
    }
}

/// What a record asks of the register: that a contract be as it says.
#[derive(Clone)]
pub struct Ask(pub Box<NewContract>);

/// A contract as a record says it is.
#[derive(Clone)]
pub struct NewContract {
    /// Its id.
    pub id: Box<str>,
    /// The key of its row, if this record makes it.
    pub row: i64,
    /// Its PAN.
    pub pan: NewPan,
    /// Through when its card is good.
    pub expiry: Expiry,
    /// Its card product.
    pub product: Box<str>,
    /// Where it stands.
    pub status: Status,
}

/// A row's own part: what recon adds.
#[derive(Serialize, Deserialize)]
struct Own {
    /// The id, if it passed its rule.
    id: Box<str>,
    /// The columns that changed.
    changed: Vec<u8>,
}

impl Own {
    fn packed(id: &str, changed: Vec<u8>) -> OwnBytes {
        pack_own(&Self { id: id.into(), changed })
    }

    fn of(row: &RecordRow) -> Option<Self> {
        unpack_own(row)
    }
}

fn own_cells(row: &RecordRow, cell: &mut Cells<'_>) {
    if let Some(own) = Own::of(row) {
        let names: Vec<&str> =
            own.changed.iter().filter_map(|column| COLUMNS.names.get(usize::from(*column)).copied()).collect();
        cell(&own.id);
        cell(&names.join("|"));
    }
}
