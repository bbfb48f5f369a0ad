//! The young fingerprints, which are held in memory.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;

use crate::vault::{Fingerprint, FingerprintMap, leading};

use super::filter::Filter;

/// Whose a fingerprint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Card {
    pub(super) issuer: i64,
    pub(super) fingerprint: Fingerprint,
    pub(super) pan_id: i64,
}

/// Two generations of fingerprints: the one that is filled, and the one before, which moves into the old index in order.
#[derive(Debug)]
pub(super) struct Young {
    /// The number of the generation that is filled.
    pub(super) generation: i64,
    /// Whether the old index is empty, as it is as long as the register is small.
    none_is_old: bool,
    /// What the old index may hold.
    pub(super) filter: Filter,
    /// How many a generation may have; more only if they come in one commit, or before the one before has moved.
    pub(super) max: usize,
    filled: Generation,
    ageing: Generation,
    /// How many of all leading numbers of fingerprints come to one that ages, and the first that has not moved.
    step: u64,
    next: u64,
    /// How many should have moved by now.
    due: usize,
    /// What the transaction that is open has changed.
    pub(super) change: Change,
}

/// What a transaction has changed that is not committed yet.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Anything at all.
    pub(super) any: bool,
    /// How many came.
    pub(super) came: usize,
    /// The lowest and the highest of their cards, until that is written down.
    pub(super) range: Option<(i64, i64)>,
}

/// Fingerprints by issuer.
#[derive(Debug, Default)]
struct Generation {
    /// Ordered, since there are few: hashing a number costs more than a look at each.
    issuers: BTreeMap<i64, FingerprintMap<i64>>,
    count: usize,
}

impl Generation {
    fn holder(&self, issuer: i64, fingerprint: &Fingerprint) -> Option<i64> {
        self.issuers.get(&issuer)?.get(fingerprint).copied()
    }

    /// `false` if it is there already.
    fn put(&mut self, card: Card) -> bool {
        let Entry::Vacant(place) = self.issuers.entry(card.issuer).or_default().entry(card.fingerprint) else {
            return false;
        };
        place.insert(card.pan_id);
        self.count += 1;
        true
    }

    fn take_out(&mut self, issuer: i64, fingerprint: &Fingerprint) -> bool {
        let taken = self.issuers.get_mut(&issuer).is_some_and(|cards| cards.remove(fingerprint).is_some());
        self.count -= usize::from(taken);
        taken
    }

    /// Takes out all up to a fingerprint, in order.
    fn take_up_to(&mut self, last: &Fingerprint) -> Vec<Card> {
        let mut taken = Vec::new();
        for (&issuer, cards) in &mut self.issuers {
            let up_to = cards.extract_if(|fingerprint, _| fingerprint <= last);
            taken.extend(up_to.map(|(fingerprint, pan_id)| Card { issuer, fingerprint, pan_id }));
        }
        self.count -= taken.len();
        taken.sort_unstable();
        taken
    }
}

impl Young {
    /// `generation` is filled by those that come. Nothing is old yet.
    pub(super) fn new(generation: i64, max: usize, filter: Filter) -> Self {
        Self {
            generation,
            none_is_old: true,
            filter,
            max,
            filled: Generation::default(),
            ageing: Generation::default(),
            step: 0,
            next: 0,
            due: 0,
            change: Change::default(),
        }
    }

    /// Takes in one that is known to be young; `generation` is that of its range.
    pub(super) fn restore(&mut self, generation: i64, card: Card) {
        if generation == self.generation {
            self.filled.put(card)
        } else {
            self.ageing.put(card)
        };
    }

    /// To be called once all have been restored, with the fingerprint up to which they have moved, and whether none is old.
    pub(super) fn restored(&mut self, moved: &[u8], none_is_old: bool) {
        self.none_is_old = none_is_old;
        self.next = leading(moved).map_or(0, |last| last.saturating_add(1));
        self.step = (u64::MAX - self.next) / self.ageing.count.max(1) as u64;
    }

    /// Notes a new one; `false` if it is held already.
    pub(super) fn note(&mut self, card: Card) -> bool {
        let new = self.ageing.holder(card.issuer, &card.fingerprint).is_none() && self.filled.put(card);
        self.change.any |= new;
        new
    }

    /// The card of one that was noted comes with this transaction.
    pub(super) fn comes(&mut self, pan_id: i64) {
        self.change.came += 1;
        let (first, last) = self.change.range.unwrap_or((pan_id, pan_id));
        self.change.range = Some((first.min(pan_id), last.max(pan_id)));
    }

    /// Whose it is.
    pub(super) fn holder(&self, issuer: i64, fingerprint: &Fingerprint) -> Option<i64> {
        self.filled.holder(issuer, fingerprint).or_else(|| self.ageing.holder(issuer, fingerprint))
    }

    /// Whether the old index may hold it.
    pub(super) fn may_be_old(&self, fingerprint: &Fingerprint) -> bool {
        !self.none_is_old && self.filter.may_hold(fingerprint)
    }

    /// Takes one out; `false` if it is not held.
    pub(super) fn take_out(&mut self, issuer: i64, fingerprint: &Fingerprint) -> bool {
        let taken = self.filled.take_out(issuer, fingerprint) || self.ageing.take_out(issuer, fingerprint);
        self.change.any |= taken;
        taken
    }

    /// Whether a generation has no room for so many more, and the one before has moved. Never with what is not committed yet: a
    /// commit's range is of one generation.
    pub(super) const fn is_full(&self, more: usize) -> bool {
        let room = self.max.saturating_sub(self.filled.count);
        more > room && self.filled.count > 0 && self.none_ages() && self.change.came == 0
    }

    /// Whether all that aged has moved.
    pub(super) const fn none_ages(&self) -> bool {
        self.ageing.count == 0
    }

    /// What was filled begins to move, and another generation is filled.
    pub(super) fn turn(&mut self) {
        self.change.any = true;
        self.generation += 1;
        self.ageing = std::mem::take(&mut self.filled);
        if self.none_is_old {
            self.filter.begin(self.ageing.count);
        }
        (self.next, self.due) = (0, 0);
        self.step = u64::MAX / self.ageing.count.max(1) as u64;
    }

    /// Takes out what moves next, in order, and says up to which fingerprint that is all. `more` are added to those that should have
    /// moved; fewer than `at_least` wait. Fingerprints are spread evenly, so that a part of their range is about as many of them.
    pub(super) fn stretch(&mut self, more: usize, at_least: usize) -> Option<(Vec<Card>, Fingerprint)> {
        self.due += more;
        if self.none_ages() || self.due < at_least.max(1) {
            return None;
        }
        let wide = self.step.saturating_mul(std::mem::take(&mut self.due) as u64);
        let bound = self.next.saturating_add(wide);
        let mut last = [u8::MAX; 16];
        last[..8].copy_from_slice(&bound.to_be_bytes());
        self.next = bound.saturating_add(1);
        let cards = self.ageing.take_up_to(&last);
        self.change.any = true;
        self.none_is_old &= cards.is_empty();
        if self.none_ages() {
            self.ageing = Generation::default();
        }
        Some((cards, last))
    }
}

#[cfg(test)]
mod tests {
    use super::{Card, Change, Filter, Young};

    const fn card(issuer: i64, first: u8, pan_id: i64) -> Card {
        let mut fingerprint = [7; 16];
        fingerprint[0] = first;
        Card { issuer, fingerprint, pan_id }
    }

    #[test]
    fn the_first_of_two_is_noted_in_either_generation() {
        let mut young = Young::new(1, 3, Filter::new(1 << 20));
        assert!(young.note(card(1, 5, 50)));
        assert!(!young.note(card(1, 5, 51)), "held");
        assert!(young.note(card(2, 5, 52)), "another issuer's");
        young.comes(52);
        young.comes(50);
        assert_eq!((young.change.came, young.change.range), (2, Some((50, 52))));
        assert!(!young.is_full(2), "nothing is committed yet");
        young.change = Change::default();
        assert!(young.is_full(2) && !young.is_full(1));
        young.turn();
        assert_eq!(young.generation, 2);
        assert!(!young.note(card(1, 5, 60)), "held by the one that ages");
        assert!(young.note(card(1, 4, 61)));
        young.change = Change::default();
        assert!(!young.is_full(9), "not before the other has moved");
        for (issuer, first, holder) in [(1, 5, Some(50)), (1, 4, Some(61)), (2, 5, Some(52)), (3, 5, None)] {
            assert_eq!(young.holder(issuer, &card(issuer, first, 0).fingerprint), holder);
        }
    }

    #[test]
    fn a_generation_moves_in_order_without_what_was_taken_out() {
        let mut young = Young::new(1, 3, Filter::new(1 << 20));
        for (issuer, first) in [(2, 40), (1, 250), (1, 90), (1, 60)] {
            assert!(young.note(card(issuer, first, i64::from(first))));
        }
        assert!(young.stretch(9, 1).is_none(), "nothing ages yet");
        young.turn();
        assert!(young.take_out(1, &card(1, 60, 0).fingerprint));
        assert!(!young.take_out(1, &card(1, 60, 0).fingerprint), "only once");
        assert!(young.stretch(1, 2).is_none(), "one waits for another");
        let (cards, last) = young.stretch(1, 2).unwrap();
        assert_eq!(cards, [card(1, 90, 90), card(2, 40, 40)], "half of the range");
        assert!(last > card(1, 90, 0).fingerprint && last < card(1, 250, 0).fingerprint);
        assert!(!young.none_is_old);
        assert_eq!(young.holder(1, &card(1, 90, 0).fingerprint), None, "to be looked for in the old index");
        let mut again = Young::new(young.generation, 3, Filter::new(1 << 20));
        again.restore(1, card(1, 250, 250));
        again.restored(&last, false);
        for mut young in [young, again] {
            assert_eq!(young.stretch(9, 1), Some((vec![card(1, 250, 250)], [255; 16])));
            assert!(young.stretch(1, 1).is_none());
            assert!(young.note(card(1, 60, 70)), "one that was taken out can come again");
            young.change = Change::default();
            assert!(young.is_full(3));
        }
    }
}
