//! A row's own part: what recon, response, enroll file and notifications add.

use serde::{Deserialize, Serialize};

use crate::model::{Cells, OwnBytes, RecordRow, pack_own, unpack_own};
use crate::vault::uuid_text;

/// See the module. Nothing in it says who the consumer is, but for what may be shown of an e-mail address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Own {
    /// The contract, if its id passed its rule.
    pub(super) contract_id: Box<str>,
    /// What may be shown of the consumer.
    pub(super) identity: Box<str>,
    /// The enrolment: made by this record, or found.
    pub(super) enrolled: Option<Ids>,
    /// What the tokenization decision was: approved or declined.
    pub(super) approved: Option<bool>,
    /// Through when the card is good, `YYYYMM`.
    pub(super) expiry: i64,
    /// The card object, sealed for the enroller.
    pub(super) card_data: Box<str>,
}

/// The ids of an enrolment, and since when it and its consumer are there, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ids {
    pub(super) card: [u8; 16],
    pub(super) card_at: i64,
    pub(super) consumer: [u8; 16],
    pub(super) consumer_at: i64,
}

impl Own {
    pub(super) fn packed(&self) -> OwnBytes {
        pack_own(self)
    }

    pub(super) fn of(row: &RecordRow) -> Self {
        unpack_own(row).unwrap_or_default()
    }

    /// The decision as the scheme writes it.
    pub(super) const fn tar_response(&self) -> &'static str {
        match self.approved {
            Some(true) => "00",
            Some(false) => "05",
            None => "",
        }
    }
}

pub(super) fn own_cells(row: &RecordRow, cell: &mut Cells<'_>) {
    let own = Own::of(row);
    cell(&own.contract_id);
    cell(&own.enrolled.map(|ids| uuid_text(&ids.card)).unwrap_or_default());
    cell(&own.enrolled.map(|ids| uuid_text(&ids.consumer)).unwrap_or_default());
    cell(own.tar_response());
}
