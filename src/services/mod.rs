//! The record services: each a folder with its record, its rules, its columns, its answers.
//!
//! A worker hands a chunk's records to the service's judge; what depends on the record alone is decided there (format,
//! range, fingerprint, seal). What depends on the register is left as an ask, which is decided in file order when the chunk
//! is committed: the store reads what a group asks for, the service folds the group over it, the store writes the difference.
//!
//! A new service is a folder here, its SQL beside the others', and a line in the registry of `model/service.rs`. The folder
//! has a `DEFINITION`, an `Ask`, a `Register` (what a store reads of what a group asks for) and a `Memory` (what a dry run
//! keeps of the groups before).

mod answers;
pub mod card_contracts;
pub mod cards;
pub mod click_to_pay;
mod definition;
mod effects;
mod expiry;
pub mod fields;
mod judge;
pub mod pan_lists;
mod pans;
pub mod payment_cards;
pub mod reference;
pub mod sample;

use crate::model::ServiceName;

pub use answers::{Answer, Answering, PerRequest, RESPONSE, SealPart, SealText, SealedPart, Sink};
pub use definition::{Api, Definition, Need};
pub use effects::{Ask, Effect, Effects, Memory, Place, PreparedChunk, Register, asks, is_registered, settle_all};
pub use expiry::Expiry;
pub use fields::{holds_card_number, luhn, record_ref_is_valid};
pub use judge::{Judge, ORDINAL_BITS, Record};
pub use pans::{Held, NewPan, PanChanges, Pans};

macro_rules! built {
    ($($name:ident $word:literal in $folder:ident;)*) => {
        /// The services that this version serves.
        pub const BUILT: &[&Definition] = &[$(&$folder::DEFINITION),*];
    };
}

crate::model::registry!(built);

/// The definition of a service.
pub fn definition(name: ServiceName) -> Option<&'static Definition> {
    BUILT.iter().copied().find(|service| service.view.service == name)
}
