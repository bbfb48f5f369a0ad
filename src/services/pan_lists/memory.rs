//! What one file did to lists, kept beside a register that may only be read: the dry run's memory.

use std::collections::HashMap;

use crate::model::FileNo;
use crate::services::{self, Place, PreparedChunk};
use crate::vault::{FingerprintMap, IdMaker};

use super::fold::{Lists, Settled};
use super::{Ask, List, Register, fold, settle};

/// See the module.
pub struct Memory {
    file: FileNo,
    lists: HashMap<u64, List>,
    made: HashMap<u64, List>,
    members: FingerprintMap<Lists>,
}

impl Memory {
    /// Nothing done yet.
    pub fn new(file: FileNo, _ids: IdMaker) -> Self {
        Self { file, lists: HashMap::new(), made: HashMap::new(), members: FingerprintMap::default() }
    }

    /// Decides a group's asks in file order, given what the register held of them before the file, and writes what came of
    /// them into the rows.
    pub fn decide(&mut self, mut register: Register, chunks: &mut [PreparedChunk]) {
        let (places, asks): (Vec<Place>, Vec<&Ask>) = services::asks::<Ask>(chunks).into_iter().unzip();
        register.lists.extend(self.lists.iter().map(|(id, list)| (*id, list.clone())));
        register.made = self.made.clone();
        for ask in &asks {
            if let super::Brings::Pan(brought) = &ask.brings
                && let Some(lists) = self.members.get(&brought.new.fingerprint)
            {
                register.members.insert(brought.new.fingerprint, lists.clone());
            }
        }
        let (changes, difference) = fold(self.file, &register, asks.iter().copied());
        for new in difference.made {
            self.lists.insert(new.list.id, new.list.clone());
            self.made.insert(new.request, new.list);
        }
        self.members.extend(difference.members);
        // Only the request that goes on can still be asked for.
        if let Some(last) = asks.last().map(|ask| ask.head.request) {
            self.made.retain(|request, _| *request == last);
        }
        let settled: Vec<Settled> = asks.iter().map(|ask| Settled::of(ask)).collect();
        services::settle_all(chunks, places.into_iter().zip(settled.into_iter().zip(changes)), settle);
    }
}
