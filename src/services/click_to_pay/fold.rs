//! What depends on the register, decided record after record in file order, without touching a database.

use std::collections::HashMap;

use crate::model::{Code, Failure, FileNo, Masked, Outcome, RecordRow};
use crate::services::card_contracts::Status;
use crate::services::{self, Expiry, Place, PreparedChunk};
use crate::vault::IdMaker;

use super::own::{Ids, Own};
use super::{Ask, ConsumerKey, Contract, Fetched, With, column};

/// A consumer as the register holds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its row.
    pub row: i64,
    /// Its id.
    pub id: [u8; 16],
    /// Since when it is there, in milliseconds.
    pub added_at: i64,
}

/// A card that a consumer has enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// Its id.
    pub id: [u8; 16],
    /// Since when it is there, in milliseconds.
    pub created_at: i64,
}

/// The part of the register that a group touches.
#[derive(Clone, Default)]
pub struct Register {
    /// Consumers asked for.
    pub consumers: HashMap<ConsumerKey, Consumer>,
    /// Enrolments asked for, by the consumer's row and the PAN's.
    pub enrolments: HashMap<(i64, i64), Enrolment>,
}

/// A consumer that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewConsumer {
    /// How it is found again.
    pub key: ConsumerKey,
    /// The consumer.
    pub consumer: Consumer,
}

/// What must be written so that the register is as after the last record. Sorted by row key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Consumers.
    pub consumers: Vec<NewConsumer>,
    /// Enrolments: the consumer's row, the PAN's.
    pub enrolments: Vec<(i64, i64, Enrolment)>,
}

/// An enrolment and its consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The consumer.
    pub consumer: Consumer,
    /// The card.
    pub card: Enrolment,
}

/// What came of one ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Enrolled.
    Enrolled(Enrolled),
    /// There already.
    Already(Enrolled),
    /// The decision went against it.
    Declined(Code),
    /// No contract has the id.
    Unknown,
    /// There was no store to ask: nothing is wrong with it, as far as can be told.
    NotAsked,
}

/// Decides a group's asks in file order.
pub fn fold<'a>(register: &Register, asks: impl Iterator<Item = &'a Ask>) -> (Vec<Change>, Difference) {
    let mut now = register.clone();
    let mut difference = Difference::default();
    let mut changes = Vec::new();
    for ask in asks {
        let contract = match &ask.fetched {
            Fetched::NotAsked => {
                changes.push(Change::NotAsked);
                continue;
            }
            Fetched::Unknown => {
                changes.push(Change::Unknown);
                continue;
            }
            Fetched::Found(contract, _) => contract,
        };
        let known = now.consumers.get(&ask.consumer).copied();
        if let Some(consumer) = known
            && let Some(card) = now.enrolments.get(&(consumer.row, contract.pan_id)).copied()
        {
            changes.push(Change::Already(Enrolled { consumer, card }));
            continue;
        }
        if let Err(code) = decision(&ask.with, contract) {
            changes.push(Change::Declined(code));
            continue;
        }
        let at = ask.with.received_at.0;
        let consumer = known.unwrap_or_else(|| {
            let consumer = Consumer { row: ask.row, id: ask.src_consumer_id, added_at: at };
            now.consumers.insert(ask.consumer, consumer);
            difference.consumers.push(NewConsumer { key: ask.consumer, consumer });
            consumer
        });
        let card = Enrolment { id: ask.src_digital_card_id, created_at: at };
        now.enrolments.insert((consumer.row, contract.pan_id), card);
        difference.enrolments.push((consumer.row, contract.pan_id, card));
        changes.push(Change::Enrolled(Enrolled { consumer, card }));
    }
    difference.consumers.sort_unstable_by_key(|new| new.consumer.row);
    difference.enrolments.sort_unstable_by_key(|(consumer, pan, _)| (*consumer, *pan));
    (changes, difference)
}

/// Whether the card may be tokenized (TAR).
pub fn decision(with: &With, contract: &Contract) -> Result<(), Code> {
    let eligible = with.products.get(&contract.product).is_some_and(|product| product.tokenization_eligible);
    if !eligible {
        Err(Code::ProductIneligible)
    } else if contract.status != Status::Active {
        Err(Code::ContractInactive)
    } else if contract.expiry.is_over(with.received_at) {
        Err(Code::CardExpired)
    } else {
        Ok(())
    }
}

/// What of an ask goes into its row.
pub struct Settled {
    contract: Option<(Masked, Expiry)>,
    card_data: Box<str>,
}

impl Settled {
    /// Of an ask.
    pub fn of(ask: &Ask) -> Self {
        match &ask.fetched {
            Fetched::Found(contract, card_data) => Self {
                contract: Some((contract.masked, contract.expiry)),
                card_data: card_data.clone().unwrap_or_default(),
            },
            Fetched::Unknown | Fetched::NotAsked => Self { contract: None, card_data: Box::default() },
        }
    }
}

/// Writes what came of an ask into its row. May be called again with another change: a commit that failed is decided anew.
pub fn settle(row: &mut RecordRow, (settled, change): (&Settled, Change)) {
    let before = Own::of(row);
    let mut own = Own { contract_id: before.contract_id, identity: before.identity, ..Own::default() };
    if let Some((masked, expiry)) = settled.contract {
        row.masked = masked;
        own.expiry = expiry.number();
    }
    let failed = |code: Code| (code.outcome(), vec![Failure { field: column::CONTRACT, code }]);
    let ids = |Enrolled { consumer, card }: Enrolled| Ids {
        card: card.id,
        card_at: card.created_at,
        consumer: consumer.id,
        consumer_at: consumer.added_at,
    };
    (row.outcome, row.failures) = match change {
        Change::Enrolled(enrolled) => {
            own.enrolled = Some(ids(enrolled));
            own.approved = Some(true);
            own.card_data = settled.card_data.clone();
            (Outcome::Enrolled, Vec::new())
        }
        Change::Already(enrolled) => {
            own.enrolled = Some(ids(enrolled));
            failed(Code::AlreadyEnrolled)
        }
        Change::Declined(code) => {
            own.approved = Some(false);
            failed(code)
        }
        Change::Unknown => {
            // What failed its rule is not repeated.
            own.contract_id = Box::default();
            failed(Code::ContractUnknown)
        }
        Change::NotAsked => (Outcome::Enrolled, Vec::new()),
    };
    row.own = own.packed();
}

/// What one file did to the register, kept beside a register that may only be read.
#[derive(Default)]
pub struct Memory(Register);

impl Memory {
    /// Nothing done yet.
    pub fn new(_file: FileNo, _ids: IdMaker) -> Self {
        Self::default()
    }

    /// Decides a group's asks in file order, given what the register held of them before the file, and writes what came of
    /// them into the rows.
    pub fn decide(&mut self, mut register: Register, chunks: &mut [PreparedChunk]) {
        let (places, asks): (Vec<Place>, Vec<&Ask>) = services::asks::<Ask>(chunks).into_iter().unzip();
        register.consumers.extend(&self.0.consumers);
        register.enrolments.extend(&self.0.enrolments);
        let (changes, difference) = fold(&register, asks.iter().copied());
        self.0.consumers.extend(difference.consumers.iter().map(|new| (new.key, new.consumer)));
        self.0.enrolments.extend(difference.enrolments.iter().map(|(consumer, pan, card)| ((*consumer, *pan), *card)));
        let settled: Vec<Settled> = asks.iter().map(|ask| Settled::of(ask)).collect();
        services::settle_all(chunks, places.into_iter().zip(settled.iter().zip(changes)), settle);
    }
}

#[cfg(test)]
mod tests;
