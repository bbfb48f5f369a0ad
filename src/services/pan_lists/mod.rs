//! pan-lists: Mastercard Unified Installments, *PAN List API*, file by file.
//!
//! A request makes a list (by name), adds PANs to one or takes them out (by id); each of its PANs is a record that succeeds or
//! fails by itself. What fails the request fails each of its records. A list is made with its first good PAN, or at once by a
//! request with a range alone. Source of the rules: the public API's reference (requests, answers, reason codes) and
//! `services.md` §2.

mod errors;
mod fold;
mod memory;
mod own;
mod response;
mod rules;
mod sample;

use std::sync::Arc;

use crate::model::{Body, Code, Columns, RECORD_REF_EXPECTED, Request, Runs, ServiceName, View};
use crate::vault::{IdMaker, Pan};

use super::reference::AccountRange;
use super::{Definition, NewPan};

pub use fold::{Change, Difference, List, Lists, NewList, Register, Settled, fold, settle};
pub use memory::Memory;
pub use own::{ListRef, Own, Shown};

/// The service, as the pipeline knows it.
pub const DEFINITION: Definition = Definition {
    columns: &COLUMNS,
    view: View {
        service: ServiceName::PanLists,
        recon_columns: &["operation", "pan_list_id", "pan_list_name"],
        field_names: COLUMNS.names,
        expected: &[
            RECORD_REF_EXPECTED,
            "REGISTER or DEREGISTER",
            "the 18 digits of a list's id, and not beside pan_list_name",
            "1 to 64 letters, digits, spaces or dashes|an empty one beside pan_list_id",
            "a bound of 11 to 19 digits",
            "a bound of 11 to 19 digits",
            "a PAN of 11 to 19 digits",
        ],
        own_cells: own::own_cells,
    },
    sealed_parts: true,
    needs: &[],
    answers_ahead: Some(own::is_whole),
    answers: response::answers,
    api: errors::API,
    answer_schemas: || vec![("response", response::schema())],
    judge: rules::judge,
    sample: &sample::SAMPLING,
};

/// Indices into [`COLUMNS`].
mod column {
    pub(super) const RECORD_REF: u8 = 0;
    pub(super) const OPERATION: u8 = 1;
    pub(super) const LIST_ID: u8 = 2;
    pub(super) const LIST_NAME: u8 = 3;
    pub(super) const RANGE_LOW: u8 = 4;
    pub(super) const RANGE_HIGH: u8 = 5;
    pub(super) const PAN: u8 = 6;
}

/// The inbound columns. Lists are named by id, by name, or by both in different rows.
pub const COLUMNS: Columns = Columns {
    names: &[
        "record_ref",
        "operation",
        "pan_list_id",
        "pan_list_name",
        "account_range_low",
        "account_range_high",
        "pan",
    ],
    missing: |present| {
        let has = |column: u8| present.get(usize::from(column)).copied().unwrap_or(false);
        let named = has(column::LIST_ID) || has(column::LIST_NAME);
        [column::RECORD_REF, column::OPERATION, column::LIST_NAME]
            .into_iter()
            .find(|&wanted| !has(wanted) && (wanted != column::LIST_NAME || !named))
            .map(usize::from)
    },
    request: Some(&REQUEST),
    runs: Some(&Runs { same: &[1, 2, 3, 4, 5], record: 6 }),
};

/// The body of a registration or a deregistration, with its operation beside it.
static REQUEST: Request = Request {
    keys: &[("pan", column::PAN as usize)],
    arrays: false,
    body: Some(&Body {
        keys: &[
            ("operation", column::OPERATION as usize),
            ("panListId", column::LIST_ID as usize),
            ("panListName", column::LIST_NAME as usize),
            ("accountRange.accountRangeLow", column::RANGE_LOW as usize),
            ("accountRange.accountRangeHigh", column::RANGE_HIGH as usize),
        ],
        records: ("sensitiveData", "pans"),
        sealed: "encryptedValue",
    }),
};

/// What a request does. The numbers are persisted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Operation {
    /// Makes a list, or adds to one.
    Register,
    /// Takes out of a list.
    Deregister,
}

impl Operation {
    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Register => "REGISTER",
            Self::Deregister => "DEREGISTER",
        }
    }
}

/// Which list a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A new one of this name.
    New(Box<str>),
    /// The one with this id.
    Known(u64),
}

/// A range as a list has it: its bounds as given, inside one that the issuer owns.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Range {
    /// The customer id of the owned range.
    pub cid: Box<str>,
    /// Its interbank card association number.
    pub ica: Box<str>,
    /// Its country.
    pub country: Box<str>,
    /// The lowest number, as given.
    pub low: Box<str>,
    /// The highest number, as given.
    pub high: Box<str>,
}

impl Range {
    fn of(owned: &AccountRange, low: &str, high: &str) -> Self {
        Self {
            cid: owned.cid.as_str().into(),
            ica: owned.ica.as_str().into(),
            country: owned.country.as_str().into(),
            low: low.into(),
            high: high.into(),
        }
    }

    /// Whether these are its bounds, by the numbers between them: an answer gives those that the list was made with.
    fn is(&self, low: &str, high: &str) -> bool {
        let (own_low, own_high) = (self.low.as_bytes(), self.high.as_bytes());
        super::reference::is_same_range(low.as_bytes(), high.as_bytes(), own_low, own_high)
    }

    fn holds(&self, pan: &Pan) -> bool {
        super::reference::lies_within(pan.digits(), pan.digits(), self.low.as_bytes(), self.high.as_bytes())
    }
}

/// What all records of a request share.
pub struct Head {
    /// The request's number in its file.
    pub request: u64,
    /// What it does.
    pub operation: Operation,
    /// To which list.
    pub list: Wanted,
    /// The range that it gives.
    pub range: Option<GivenRange>,
    /// Makes the id of the list that it makes.
    pub ids: IdMaker,
}

/// A range that a request gives.
pub struct GivenRange {
    /// Its low end.
    pub low: Box<str>,
    /// Its high end.
    pub high: Box<str>,
    /// The same with what is known of the owned range around it; `None` where the issuer owns none.
    pub owned: Option<Range>,
}

/// What a record asks of the register.
pub struct Ask {
    /// Its request.
    pub head: Arc<Head>,
    /// Its place in the file.
    pub ordinal: u64,
    /// The key of its row.
    pub row: i64,
    /// What it brings.
    pub brings: Brings,
}

/// What a record brings.
pub enum Brings {
    /// Nothing: its request has no PANs.
    Nothing,
    /// A PAN that has failed already, unless its request fails.
    Failed,
    /// A PAN.
    Pan(Box<Brought>),
}

/// A PAN on its way into a list or out of it.
pub struct Brought {
    /// The PAN.
    pub pan: Pan,
    /// The same as the vault keeps it.
    pub new: NewPan,
    /// The narrowest range of the issuer around it, where its request gives none.
    pub narrowest: Option<Arc<AccountRange>>,
    /// The same as an answer would repeat it, sealed for its row.
    pub repeated: Box<[u8]>,
}

/// The failure of a request as a whole, at the field that has it.
type RequestFailure = (u8, Code);
