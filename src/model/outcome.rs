//! What became of a record, and the sums that must balance.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a record. The numbers are persisted: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// Made by this record.
    Registered,
    /// Made before, by this file or an earlier one.
    AlreadyRegistered,
    /// Taken out by this record.
    Deregistered,
    /// Enrolled (click-to-pay).
    Enrolled,
    /// Nothing was done; the code says why.
    Rejected,
}

impl Outcome {
    /// In the order of the recon trailer.
    pub const ALL: [Self; 5] =
        [Self::Registered, Self::AlreadyRegistered, Self::Deregistered, Self::Enrolled, Self::Rejected];

    /// The word in outbound files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "REGISTERED",
            Self::AlreadyRegistered => "ALREADY_REGISTERED",
            Self::Deregistered => "DEREGISTERED",
            Self::Enrolled => "ENROLLED",
            Self::Rejected => "REJECTED",
        }
    }
}

/// How many records came to each outcome. Written as `outcomes` of JSON, under the outcomes' own words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(deny_unknown_fields)]
pub struct Tally {
    /// [`Outcome::Registered`].
    pub registered: u64,
    /// [`Outcome::AlreadyRegistered`].
    pub already_registered: u64,
    /// [`Outcome::Deregistered`].
    pub deregistered: u64,
    /// [`Outcome::Enrolled`].
    pub enrolled: u64,
    /// [`Outcome::Rejected`].
    pub rejected: u64,
}

impl Tally {
    /// Counts one more.
    pub const fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Registered => self.registered += 1,
            Outcome::AlreadyRegistered => self.already_registered += 1,
            Outcome::Deregistered => self.deregistered += 1,
            Outcome::Enrolled => self.enrolled += 1,
            Outcome::Rejected => self.rejected += 1,
        }
    }

    /// Adds another tally.
    pub const fn add(&mut self, other: &Self) {
        self.registered += other.registered;
        self.already_registered += other.already_registered;
        self.deregistered += other.deregistered;
        self.enrolled += other.enrolled;
        self.rejected += other.rejected;
    }

    /// The number that came to `outcome`.
    pub const fn of(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Registered => self.registered,
            Outcome::AlreadyRegistered => self.already_registered,
            Outcome::Deregistered => self.deregistered,
            Outcome::Enrolled => self.enrolled,
            Outcome::Rejected => self.rejected,
        }
    }

    /// All records counted.
    pub const fn records(&self) -> u64 {
        self.registered + self.already_registered + self.deregistered + self.enrolled + self.rejected
    }
}
