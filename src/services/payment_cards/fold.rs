//! What depends on the register, decided record after record in file order, without touching a database.
//!
//! The ledger reads what the group touches into a [`Register`], [`fold`]s the group over it and writes the [`Difference`].
//! The result is that of one record after another, whatever the group's size.

use std::collections::HashMap;

use crate::model::{Code, Failure, FileNo, Masked, Outcome, OwnBytes, RecordRow};
use crate::vault::{Fingerprint, FingerprintMap};

use super::{Ask, CardId, NewCard, column, own, packed};

/// A live payment card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its identifier.
    pub id: CardId,
    /// The file that made it.
    pub file: FileNo,
}

/// A PAN that the issuer's vault holds.
#[derive(Clone, Copy, Debug)]
pub struct Holding {
    /// Its row.
    pub pan_id: i64,
    /// What may be shown of it.
    pub masked: Masked,
    /// The payment card that refers to it, if one does.
    pub card: Option<Card>,
}

/// The part of the register that a group touches.
#[derive(Default)]
pub struct Register {
    /// Every PAN asked for that the vault holds.
    pub holdings: FingerprintMap<Holding>,
    /// Every live card asked for by its id, and the PAN it refers to.
    pub cards: HashMap<CardId, Fingerprint>,
}

/// What came of one ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Made, with this id.
    Registered(CardId),
    /// There already: made by this file (`true`) or an earlier one.
    Exists(bool),
    /// Not there, and its PAN lies in no range.
    Unsupported,
    /// Taken out; the stored PAN, truncated.
    Deleted(CardId, Masked),
    /// No live card of this issuer has the id.
    Unknown,
}

/// What must be written so that the register is as after the last record. Sorted by row key.
#[derive(Default)]
pub struct Difference {
    /// PANs the vault does not hold yet.
    pub vaulted: Vec<NewCard>,
    /// Cards added: the PAN's row, the id.
    pub added: Vec<(i64, CardId)>,
    /// PANs held before that a card now refers to.
    pub attached: Vec<i64>,
    /// PANs whose card is gone, replaced or not.
    pub removed: Vec<i64>,
    /// PANs that a card no longer refers to.
    pub released: Vec<i64>,
}

struct Slot<'a> {
    stored: Option<Holding>,
    now: Option<Card>,
    maker: Option<&'a NewCard>,
}

/// Decides a group's asks in file order.
pub fn fold<'a>(file: FileNo, register: &Register, asks: impl Iterator<Item = &'a Ask>) -> (Vec<Change>, Difference) {
    let mut slots: FingerprintMap<Slot<'a>> = FingerprintMap::default();
    let mut cards = register.cards.clone();
    let slot = |slots: &mut FingerprintMap<Slot<'a>>, fingerprint: &Fingerprint| {
        slots.entry(*fingerprint).or_insert_with(|| {
            let stored = register.holdings.get(fingerprint).copied();
            Slot { stored, now: stored.and_then(|held| held.card), maker: None }
        });
    };
    let mut changes = Vec::new();
    for ask in asks {
        changes.push(match ask {
            Ask::Lookup(fingerprint) => {
                slot(&mut slots, fingerprint);
                match slots.get(fingerprint).and_then(|slot| slot.now) {
                    Some(card) => Change::Exists(card.file == file),
                    None => Change::Unsupported,
                }
            }
            Ask::Register(new) => {
                slot(&mut slots, &new.pan.fingerprint);
                match slots.get_mut(&new.pan.fingerprint) {
                    Some(Slot { now: Some(card), .. }) => Change::Exists(card.file == file),
                    Some(slot) => {
                        slot.now = Some(Card { id: new.card_id, file });
                        slot.maker = Some(new);
                        cards.insert(new.card_id, new.pan.fingerprint);
                        Change::Registered(new.card_id)
                    }
                    None => Change::Unknown,
                }
            }
            Ask::Delete(id) => match cards.get(id).copied() {
                None => Change::Unknown,
                Some(fingerprint) => {
                    slot(&mut slots, &fingerprint);
                    match slots.get_mut(&fingerprint) {
                        Some(slot) if slot.now.is_some_and(|card| card.id == *id) => {
                            slot.now = None;
                            let masked = slot.stored.map(|held| held.masked).or(slot.maker.map(|new| new.pan.masked));
                            Change::Deleted(*id, masked.unwrap_or(Masked::NONE))
                        }
                        _ => Change::Unknown,
                    }
                }
            },
        });
    }
    (changes, difference(slots.into_values()))
}

fn difference<'a>(slots: impl Iterator<Item = Slot<'a>>) -> Difference {
    let mut write = Difference::default();
    for slot in slots {
        match (slot.stored, slot.now) {
            (None, Some(card)) => {
                if let Some(maker) = slot.maker {
                    write.added.push((maker.pan.pan_id, card.id));
                    write.vaulted.push(maker.clone());
                }
            }
            (Some(held), Some(card)) if held.card.is_none() => {
                write.attached.push(held.pan_id);
                write.added.push((held.pan_id, card.id));
            }
            (Some(held), Some(card)) if held.card.is_some_and(|before| before.id != card.id) => {
                write.removed.push(held.pan_id);
                write.added.push((held.pan_id, card.id));
            }
            (Some(held), None) if held.card.is_some() => {
                write.removed.push(held.pan_id);
                write.released.push(held.pan_id);
            }
            _ => {}
        }
    }
    write.vaulted.sort_unstable_by_key(|new| new.pan.fingerprint);
    write.added.sort_unstable();
    write.attached.sort_unstable();
    write.removed.sort_unstable();
    write.released.sort_unstable();
    write
}

/// Writes what came of an ask into its row. May be called again with another change: a commit that failed is decided anew.
pub fn settle(row: &mut RecordRow, change: Change) {
    let rejected = |field: u8, code: Code| (code.outcome(), vec![Failure { field, code }], OwnBytes::default());
    let (outcome, failures, own) = match change {
        Change::Registered(id) => (Outcome::Registered, Vec::new(), packed(own::ACTIVE, &id)),
        Change::Exists(true) => rejected(column::PAN, Code::DuplicateInFile),
        Change::Exists(false) => rejected(column::PAN, Code::AlreadyRegistered),
        Change::Unsupported => rejected(column::PAN, Code::BinUnsupported),
        Change::Deleted(id, masked) => {
            row.masked = masked;
            (Outcome::Deregistered, Vec::new(), packed(own::DELETED, &id))
        }
        Change::Unknown => rejected(column::CARD_ID, Code::NotRegistered),
    };
    (row.outcome, row.failures, row.own) = (outcome, failures, own);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::services::NewPan;

    fn new(pan: u8, ordinal: u8) -> Ask {
        Ask::Register(NewCard {
            pan: NewPan {
                fingerprint: [pan; 16],
                pan_id: i64::from(ordinal),
                sealed: [0; 38],
                epoch: 1,
                masked: Masked { digits: 16, bin6: 230_377, last4: u16::from(pan) },
            },
            card_id: [ordinal; 16],
        })
    }

    fn applied(register: &Register, write: &Difference, file: FileNo) -> Register {
        let mut after = Register { holdings: register.holdings.clone(), cards: HashMap::new() };
        for new in &write.vaulted {
            let held = Holding { pan_id: new.pan.pan_id, masked: new.pan.masked, card: None };
            assert!(after.holdings.insert(new.pan.fingerprint, held).is_none(), "a PAN is stored once");
        }
        for held in after.holdings.values_mut() {
            if write.removed.contains(&held.pan_id) {
                held.card = None;
            }
            if let Some((_, id)) = write.added.iter().find(|(pan_id, _)| *pan_id == held.pan_id) {
                assert!(held.card.is_none(), "a PAN has one live card");
                held.card = Some(Card { id: *id, file });
            }
        }
        after.holdings.retain(|_, held| !write.released.contains(&held.pan_id));
        after.cards = after.holdings.iter().filter_map(|(pan, held)| Some((held.card?.id, *pan))).collect();
        after
    }

    #[test]
    fn delete_then_register_makes_a_new_id_and_keeps_the_row() {
        let file = FileNo(2);
        let old = Card { id: [200; 16], file: FileNo(1) };
        let mut register = Register::default();
        register.holdings.insert([1; 16], Holding { pan_id: 77, masked: Masked::NONE, card: Some(old) });
        register.cards.insert([200; 16], [1; 16]);
        let asks = [new(1, 1), Ask::Delete([200; 16]), new(1, 2), new(1, 3), Ask::Delete([200; 16])];
        let (changes, write) = fold(file, &register, asks.iter());
        assert_eq!(
            changes,
            [
                Change::Exists(false),
                Change::Deleted([200; 16], Masked::NONE),
                Change::Registered([2; 16]),
                Change::Exists(true),
                Change::Unknown
            ]
        );
        assert_eq!((write.removed, write.added), (vec![77], vec![(77, [2; 16])]));
        assert!(write.vaulted.is_empty() && write.released.is_empty());
    }

    proptest! {
        /// Any cut into groups gives what one record after another gives: the whole point of folding.
        #[test]
        fn groups_of_any_size_give_what_single_records_give(
            script in prop::collection::vec((0_u8..6, any::<bool>(), 0_u8..40), 1..40),
            cut in 1_usize..40,
        ) {
            let asks: Vec<Ask> = script.iter().enumerate().map(|(at, (pan, delete, which))| {
                if *delete { Ask::Delete([*which; 16]) } else { new(*pan, u8::try_from(at).unwrap()) }
            }).collect();
            let run = |size: usize| {
                let mut register = Register::default();
                let mut all = Vec::new();
                for group in asks.chunks(size) {
                    let (changes, write) = fold(FileNo(1), &register, group.iter());
                    all.extend(changes);
                    register = applied(&register, &write, FileNo(1));
                }
                let mut cards: Vec<_> = register.cards.into_iter().collect();
                cards.sort_unstable();
                (all, cards)
            };
            prop_assert_eq!(run(cut), run(1));
        }
    }
}
