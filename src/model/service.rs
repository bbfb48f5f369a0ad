//! The record services by name, and the registry: what must know all of them is made from it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The registry: a line a service, its name and its folder. What it must have in [`crate::services`] and in every store stands
/// where this is taken.
macro_rules! registry {
    ($take:ident) => {
        $take! {
            PaymentCards in payment_cards;
            PanLists in pan_lists;
            Cards in cards;
            CardContracts in card_contracts;
        }
    };
}
pub(crate) use registry;

/// A record service, as it is written in configuration, control records and reference data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceName {
    /// Mastercard Carbon Calculator, Add Payment Cards.
    PaymentCards,
    /// Mastercard Unified Installments, PAN List API.
    PanLists,
    /// Thales D1, Register cards.
    Cards,
    /// The processor's card management store.
    CardContracts,
    /// Mastercard Processing Digital, Enroll API.
    ClickToPay,
}

impl ServiceName {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::PaymentCards, Self::PanLists, Self::Cards, Self::CardContracts, Self::ClickToPay];

    /// The name on disk.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaymentCards => "payment-cards",
            Self::PanLists => "pan-lists",
            Self::Cards => "cards",
            Self::CardContracts => "card-contracts",
            Self::ClickToPay => "click-to-pay",
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for ServiceName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or(())
    }
}
