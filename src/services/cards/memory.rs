//! What one file did to the register, kept beside a register that may only be read: the dry run's memory.
//!
//! What a group read shows the register as it was before the file; this lays over it what earlier groups of the file did: the
//! cards that they made or took out, the PANs that they retired, the consumers that they made.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::FileNo;
use crate::services::{self, Held, Place, PreparedChunk};
use crate::vault::{FingerprintMap, FingerprintSet, IdMaker};

use super::{Ask, Card, Change, Register, fold, settle};

/// See the module.
#[derive(Default)]
pub struct Memory {
    /// Each id whose card this file changed: the card that has it now.
    ids: HashMap<Box<str>, Option<Arc<Card>>>,
    /// Each PAN that has a card by this file.
    pans: FingerprintMap<Arc<Card>>,
    /// PANs that this file retired; none of them has a card.
    retired: FingerprintSet,
    consumers: HashMap<Box<str>, i64>,
}

impl Memory {
    /// Nothing done yet.
    pub fn new(_file: FileNo, _ids: IdMaker) -> Self {
        Self::default()
    }

    /// Decides a group's asks in file order, given what the register held of them before the file, and writes what came of
    /// them into the rows.
    pub fn decide(&mut self, register: Register, chunks: &mut [PreparedChunk]) {
        let (places, asks): (Vec<Place>, Vec<&Ask>) = services::asks::<Ask>(chunks).into_iter().unzip();
        let changes = self.changes(register, &asks);
        services::settle_all(chunks, places.into_iter().zip(changes), settle);
    }

    pub(super) fn changes(&mut self, mut register: Register, asks: &[&Ask]) -> Vec<Change> {
        self.lay_over(&mut register, asks);
        let (changes, difference) = fold(&register, asks.iter().copied());
        for change in &changes {
            match change {
                Change::Registered(card, _) => {
                    self.ids.insert(card.id.clone(), Some(Arc::clone(card)));
                    self.pans.insert(card.fingerprint, Arc::clone(card));
                }
                Change::Deleted(card) => {
                    self.ids.insert(card.id.clone(), None);
                    self.pans.remove(&card.fingerprint);
                    self.retired.insert(card.fingerprint);
                }
                _ => {}
            }
        }
        self.consumers.extend(difference.consumers.into_iter().map(|(row, id)| (id, row)));
        changes
    }

    /// Brings what was read to where the groups before this one left it.
    fn lay_over(&self, register: &mut Register, asks: &[&Ask]) {
        register.cards.retain(|id, _| !self.ids.contains_key(id));
        for ask in asks {
            let (id, new) = match ask {
                Ask::Register(new) => (&new.card.id, Some(new)),
                Ask::Delete(id) => (id, None),
            };
            let by_pan = new.and_then(|new| self.pans.get(&new.card.fingerprint));
            for card in self.ids.get(id).and_then(Option::as_ref).into_iter().chain(by_pan) {
                let held = Held { pan_id: card.pan_id, masked: card.masked };
                register.held.entry(card.fingerprint).or_insert(held);
                register.cards.insert(card.id.clone(), Arc::clone(card));
            }
            if let Some(new) = new {
                if self.retired.contains(&new.card.fingerprint) {
                    register.retired.insert(new.card.fingerprint);
                }
                if let Some((id, row)) = self.consumers.get_key_value(&new.card.consumer) {
                    register.consumers.insert(id.clone(), *row);
                }
            }
        }
    }
}
