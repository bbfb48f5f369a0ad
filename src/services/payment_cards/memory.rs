//! What one file did to the register, kept beside a register that may only be read: the dry run's memory.
//!
//! Groups are folded one after another, as the ledger folds them. What a group read shows the register as it was before the
//! file; this lays over it what earlier groups of the file did. It costs about 40 bytes for each card that the file adds or
//! takes out, and nothing for any other record.

use crate::model::{FileNo, Masked};
use crate::services::{self, ORDINAL_BITS, Place, PreparedChunk};
use crate::vault::{Fingerprint, FingerprintMap, IdMaker};

use super::{Ask, Card, CardId, Change, Holding, Register, fold, settle};

/// In the place of an ordinal: the PAN's card was taken out.
const GONE: u32 = u32::MAX;

/// See the module.
pub struct Memory {
    file: FileNo,
    ids: IdMaker,
    /// Each PAN whose card this file changed: the ordinal of the record that made its card.
    touched: FingerprintMap<u32>,
}

impl Memory {
    /// Nothing changed yet. `ids` makes this file's identifiers.
    pub fn new(file: FileNo, ids: IdMaker) -> Self {
        Self { file, ids, touched: FingerprintMap::default() }
    }

    /// Decides a group's asks in file order, given what the register held of them before the file, and writes what came of
    /// them into the rows.
    pub fn decide(&mut self, register: Register, chunks: &mut [PreparedChunk]) {
        let (places, asks): (Vec<Place>, Vec<&Ask>) = services::asks::<Ask>(chunks).into_iter().unzip();
        let changes = self.changes(register, &asks);
        services::settle_all(chunks, places.into_iter().zip(changes), settle);
    }

    fn changes(&mut self, mut register: Register, asks: &[&Ask]) -> Vec<Change> {
        self.lay_over(&mut register, asks);
        let (changes, _) = fold(self.file, &register, asks.iter().copied());
        // Which PAN an identifier belongs to: one held before, or one made in this group.
        let mut cards = register.cards;
        for (ask, change) in asks.iter().zip(&changes) {
            match (ask, change) {
                (Ask::Register(new), Change::Registered(id)) => {
                    cards.insert(*id, new.pan.fingerprint);
                    let ordinal = new.pan.pan_id & ((1 << ORDINAL_BITS) - 1);
                    self.touched.insert(new.pan.fingerprint, u32::try_from(ordinal).unwrap_or(GONE));
                }
                (_, Change::Deleted(id, _)) => {
                    if let Some(fingerprint) = cards.get(id) {
                        self.touched.insert(*fingerprint, GONE);
                    }
                }
                _ => {}
            }
        }
        changes
    }

    /// Brings what was read to where the groups before this one left it.
    fn lay_over(&self, register: &mut Register, asks: &[&Ask]) {
        let asked = asks.iter().filter_map(|ask| match ask {
            Ask::Register(new) => Some(new.pan.fingerprint),
            Ask::Lookup(fingerprint) => Some(*fingerprint),
            Ask::Delete(_) => None,
        });
        let read: Vec<Fingerprint> = register.holdings.keys().copied().chain(asked).collect();
        for fingerprint in read {
            if let Some(&ordinal) = self.touched.get(&fingerprint) {
                self.put(register, fingerprint, ordinal);
            }
        }
        for ask in asks {
            // Nobody can know the identifier of a card that its own file makes; should one have it all the same, it is found.
            let Ask::Delete(id) = ask else { continue };
            if register.cards.contains_key(id) || self.ids.uuid(IdMaker::ordinal(id)) != *id {
                continue;
            }
            let made = self.touched.iter().find(|(_, ordinal)| u64::from(**ordinal) == IdMaker::ordinal(id));
            if let Some((fingerprint, ordinal)) = made {
                self.put(register, *fingerprint, *ordinal);
            }
        }
    }

    fn put(&self, register: &mut Register, fingerprint: Fingerprint, ordinal: u32) {
        register.cards.retain(|_, pan| *pan != fingerprint);
        let held = register.holdings.entry(fingerprint).or_insert(Holding {
            pan_id: (self.file.0 << ORDINAL_BITS) | i64::from(ordinal),
            masked: Masked::NONE,
            card: None,
        });
        held.card = None;
        if ordinal != GONE {
            let id: CardId = self.ids.uuid(u64::from(ordinal));
            held.card = Some(Card { id, file: self.file });
            register.cards.insert(id, fingerprint);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    use super::*;
    use crate::services::NewPan;
    use crate::services::payment_cards::NewCard;
    use crate::vault::{IssuerKeys, KeyEncryptionKey, KeyPurpose};

    const FILE: FileNo = FileNo(7);

    fn ids() -> IdMaker {
        let kek = KeyEncryptionKey::from_hex("a".repeat(64).as_bytes()).unwrap();
        let wrapped: Vec<_> =
            KeyPurpose::ALL.map(|purpose| kek.wrap_new("ACME", purpose, 1, &Zeroizing::new([3; 44]))).into();
        IssuerKeys::open(&kek, "ACME", &wrapped).unwrap().id_maker(&[b"scope"], 1_795_138_200_000)
    }

    fn new(ids: &IdMaker, pan: u8, ordinal: u32) -> Ask {
        Ask::Register(NewCard {
            pan: NewPan {
                fingerprint: [pan; 16],
                pan_id: (FILE.0 << ORDINAL_BITS) | i64::from(ordinal),
                sealed: [0; 38],
                epoch: 1,
                masked: Masked::NONE,
            },
            card_id: ids.uuid(u64::from(ordinal)),
        })
    }

    /// The register before the file: the PANs 0 to 2 have cards of an earlier file, with the ids 200 to 202.
    fn before(asks: &[&Ask]) -> Register {
        let mut register = Register::default();
        for pan in 0..3_u8 {
            let id = [200 + pan; 16];
            let asked = asks.iter().any(|ask| match ask {
                Ask::Register(new) => new.pan.fingerprint == [pan; 16],
                Ask::Lookup(fingerprint) => *fingerprint == [pan; 16],
                Ask::Delete(asked) => *asked == id,
            });
            if asked {
                let card = Some(Card { id, file: FileNo(1) });
                register.holdings.insert([pan; 16], Holding { pan_id: pan.into(), masked: Masked::NONE, card });
                register.cards.insert(id, [pan; 16]);
            }
        }
        register
    }

    proptest! {
        /// The dry run must say what the ledger would: one group of all records, folded over the register as it is.
        #[test]
        fn groups_over_a_register_that_never_changes_give_what_one_fold_gives(
            script in prop::collection::vec((0_u8..6, 0_u8..4, 0_u32..40), 1..60),
            size in 1_usize..20,
        ) {
            let ids = ids();
            let asks: Vec<Ask> = (0_u32..).zip(&script).map(|(ordinal, &(pan, kind, which))| match kind {
                0 => Ask::Lookup([pan; 16]),
                1 => Ask::Delete([200 + pan; 16]),
                // The identifier of a record of this very file, made or not.
                2 => Ask::Delete(ids.uuid(u64::from(which))),
                _ => new(&ids, pan, ordinal),
            }).collect();
            let all: Vec<&Ask> = asks.iter().collect();
            let (expected, _) = fold(FILE, &before(&all), all.iter().copied());
            let mut memory = Memory::new(FILE, ids);
            let mut found = Vec::new();
            for group in all.chunks(size) {
                found.extend(memory.changes(before(group), group));
            }
            prop_assert_eq!(found, expected);
        }
    }
}
