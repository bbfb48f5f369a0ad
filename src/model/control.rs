//! What a file says of itself: its header, and the key that makes it the same file twice.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ServiceName, Timestamp};

/// A database, and every feed that writes to it, holds one of the two, never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Environment {
    /// Synthetic cards.
    Test,
    /// Real cards.
    Prod,
}

impl Environment {
    /// As written in control records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "TEST",
            Self::Prod => "PROD",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Environment {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "TEST" => Ok(Self::Test),
            "PROD" => Ok(Self::Prod),
            _ => Err(()),
        }
    }
}

/// The one operation that a D1 batch may ask for.
pub const D1_OPERATION: &str = "CONSUMER_CARD_REGISTRATION";

/// A header that agrees with its feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// `[A-Za-z0-9_-]{1,48}`.
    pub batch_id: String,
    /// 0 to 18 digits, as received; to 48 of a D1 batch.
    pub sequence_text: String,
    /// RFC 3339, as received.
    pub created_text: String,
    /// When the sender made the file.
    pub created: Timestamp,
}

impl Header {
    /// The sequence as a number; `None` where the sender gives none, or one of more than 18 digits.
    pub fn sequence(&self) -> Option<u64> {
        self.sequence_text.parse().ok().filter(|sequence| *sequence < 1_000_000_000_000_000_000)
    }
}

/// Two files with one key are the same file, or a mistake.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BatchKey {
    /// The issuer's id.
    pub issuer: String,
    /// The record service.
    pub service: ServiceName,
    /// From the header; with a sequence that is no number of ours behind a sign that no batch id has.
    pub batch_id: String,
    /// From the header; `None` where the sender gives none.
    pub sequence: Option<u64>,
}

impl BatchKey {
    /// From a file's header.
    pub fn of(issuer: &str, service: ServiceName, header: &Header) -> Self {
        let sequence = header.sequence();
        let long = header.sequence_text.trim_start_matches('0');
        let batch_id = match sequence {
            None if !long.is_empty() => format!("{}#{long}", header.batch_id),
            _ => header.batch_id.clone(),
        };
        Self { issuer: issuer.to_owned(), service, batch_id, sequence }
    }
}
