//! The record services by name, and the registry: what must know all of them is made from it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The registry: a line a service, its name, its word on disk and its folder. What it must have in [`crate::services`] and in
/// every store stands where this is taken.
macro_rules! registry {
    ($take:ident) => {
        $take! {
            PaymentCards "payment-cards" in payment_cards;
            PanLists "pan-lists" in pan_lists;
            Cards "cards" in cards;
            CardContracts "card-contracts" in card_contracts;
            ClickToPay "click-to-pay" in click_to_pay;
        }
    };
}
pub(crate) use registry;

macro_rules! names {
    ($($name:ident $word:literal in $folder:ident;)*) => {
        /// A record service, as it is written in configuration, control records and reference data.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum ServiceName {
            $(#[doc = concat!("`", $word, "`.")] #[serde(rename = $word)] $name,)*
        }

        impl ServiceName {
            /// All of them, in the order of the documentation.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$name),*];

            /// The name on disk.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

registry!(names);

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
