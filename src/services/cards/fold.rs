//! What depends on the register, decided record after record in file order, without touching a database.
//!
//! The ledger reads what the group touches into a [`Register`], [`fold`]s the group over it and writes the [`Difference`].
//! The result is that of one record after another, whatever the group's size.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Code, Failure, Masked, Outcome, RecordRow};
use crate::services::{Held, PanChanges, Pans};
use crate::vault::{Fingerprint, FingerprintMap, FingerprintSet};

use super::{Ask, NewCard, Own, Registration, column};

/// A live card, as reports show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The issuer's id for it.
    pub id: Box<str>,
    /// Its product.
    pub product: Box<str>,
    /// Its consumer's id.
    pub consumer: Box<str>,
    /// How it came to be registered.
    pub registration: Registration,
    /// Its PAN.
    pub fingerprint: Fingerprint,
    /// The row of its PAN, which is its own; of a card to be added, the one that a new PAN would get.
    pub pan_id: i64,
    /// What may be shown of its PAN.
    pub masked: Masked,
}

/// The part of the register that a group touches.
#[derive(Clone, Default)]
pub struct Register {
    /// PANs asked for, and those of cards asked for, that the vault holds.
    pub held: FingerprintMap<Held>,
    /// Live cards whose id or PAN is asked for, by id.
    pub cards: HashMap<Box<str>, Arc<Card>>,
    /// PANs asked for that were deleted from this service once.
    pub retired: FingerprintSet,
    /// Consumers asked for that exist, and their rows.
    pub consumers: HashMap<Box<str>, i64>,
}

/// What came of one ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Added; whether its consumer was, too.
    Registered(Arc<Card>, bool),
    /// There already: as what.
    Exists(Arc<Card>),
    /// The id belongs to a card with another PAN, or to one of another consumer; what was asked for.
    InUse(Arc<Card>),
    /// The PAN, which came in this column, was deleted once; what was asked for.
    Retired(Arc<Card>, u8),
    /// Taken out.
    Deleted(Arc<Card>),
    /// No live card of this issuer has the id.
    Unknown,
}

/// A card to be written: the row of its PAN, the row of its consumer, and the rest.
pub struct Added {
    /// The PAN's row, and the card's.
    pub pan_id: i64,
    /// The consumer's row.
    pub consumer: i64,
    /// The card.
    pub new: Arc<NewCard>,
}

/// What must be written so that the register is as after the last record. Sorted by row key, or by fingerprint.
#[derive(Default)]
pub struct Difference {
    /// Cards that were there and are gone, by the row of their PAN.
    pub removed: Vec<i64>,
    /// PANs that are not taken any more.
    pub retired: Vec<Fingerprint>,
    /// What changes in the vault.
    pub pans: PanChanges,
    /// New consumers: their rows and ids.
    pub consumers: Vec<(i64, Box<str>)>,
    /// New cards.
    pub added: Vec<Added>,
}

/// Decides a group's asks in file order.
pub fn fold<'a>(register: &Register, asks: impl Iterator<Item = &'a Ask>) -> (Vec<Change>, Difference) {
    // Room for all from the beginning: growing asks every key for its hash again.
    let (room, known) = (asks.size_hint().0, register.cards.len());
    let mut fold = Fold {
        stored: register,
        cards: HashMap::with_capacity(known + room),
        by_pan: FingerprintMap::with_capacity_and_hasher(known + room, Default::default()),
        pans: Pans::over(&register.held, room),
        consumers: HashMap::with_capacity(room),
        retired: FingerprintSet::default(),
        added: FingerprintMap::with_capacity_and_hasher(room, Default::default()),
        removed: Vec::new(),
    };
    fold.cards.extend(register.cards.iter().map(|(id, card)| (&**id, Arc::clone(card))));
    fold.by_pan.extend(register.cards.values().map(|card| (card.fingerprint, Arc::clone(card))));
    let changes = asks
        .map(|ask| match ask {
            Ask::Register(new) => fold.register(new),
            Ask::Delete(id) => fold.delete(id),
        })
        .collect();
    (changes, fold.difference())
}

struct Fold<'a> {
    stored: &'a Register,
    cards: HashMap<&'a str, Arc<Card>>,
    by_pan: FingerprintMap<Arc<Card>>,
    pans: Pans<'a>,
    /// Consumers that the group makes.
    consumers: HashMap<&'a str, i64>,
    retired: FingerprintSet,
    /// Cards that the group makes. A PAN is made at most once, since one that is deleted stays so.
    added: FingerprintMap<Added>,
    removed: Vec<i64>,
}

impl<'a> Fold<'a> {
    fn register(&mut self, new: &'a Arc<NewCard>) -> Change {
        let card = &new.card;
        let fingerprint = card.fingerprint;
        if self.retired.contains(&fingerprint) || self.stored.retired.contains(&fingerprint) {
            return Change::Retired(Arc::clone(card), new.pan_column);
        }
        if let Some(known) = self.cards.get(&*card.id) {
            let same = known.fingerprint == fingerprint && known.consumer == card.consumer;
            return if same { Change::Exists(Arc::clone(known)) } else { Change::InUse(Arc::clone(card)) };
        }
        if let Some(known) = self.by_pan.get(&fingerprint) {
            return Change::Exists(Arc::clone(known));
        }
        let known = self.stored.consumers.get(&card.consumer).or_else(|| self.consumers.get(&*card.consumer)).copied();
        let consumer = known.unwrap_or_else(|| {
            self.consumers.insert(&card.consumer, new.consumer_row);
            new.consumer_row
        });
        let pan_id = self.pans.refer(&new.pan);
        self.cards.insert(&card.id, Arc::clone(card));
        self.by_pan.insert(fingerprint, Arc::clone(card));
        self.added.insert(fingerprint, Added { pan_id, consumer, new: Arc::clone(new) });
        Change::Registered(Arc::clone(card), known.is_none())
    }

    fn delete(&mut self, id: &str) -> Change {
        let Some(card) = self.cards.remove(id) else { return Change::Unknown };
        self.by_pan.remove(&card.fingerprint);
        self.pans.release(&card.fingerprint);
        self.retired.insert(card.fingerprint);
        if self.added.remove(&card.fingerprint).is_none() {
            self.removed.push(card.pan_id);
        }
        Change::Deleted(card)
    }

    fn difference(self) -> Difference {
        let mut difference = Difference {
            removed: self.removed,
            retired: self.retired.into_iter().collect(),
            pans: self.pans.changes(),
            consumers: self.consumers.into_iter().map(|(id, row)| (row, id.into())).collect(),
            added: self.added.into_values().collect(),
        };
        difference.removed.sort_unstable();
        difference.retired.sort_unstable();
        difference.consumers.sort_unstable();
        difference.added.sort_unstable_by_key(|added| added.pan_id);
        difference
    }
}

/// Writes what came of an ask into its row. May be called again with another change: a commit that failed is decided anew.
pub fn settle(row: &mut RecordRow, change: Change) {
    let failed = |field: u8, code: Code| vec![Failure { field, code }];
    let ids = |card: &Card| Own {
        card_id: card.id.clone(),
        product: card.product.clone(),
        consumer: card.consumer.clone(),
        ..Own::default()
    };
    let stored =
        |card: &Card| Own { consumer_created: Some(false), registration: Some(card.registration), ..ids(card) };
    let (success, failures, own) = match change {
        Change::Registered(card, created) => {
            (Outcome::Registered, Vec::new(), Own { consumer_created: Some(created), ..stored(&card) })
        }
        Change::Exists(card) => (Outcome::Registered, failed(column::CARD_ID, Code::AlreadyRegistered), stored(&card)),
        Change::InUse(card) => {
            let own = Own { card_id: "".into(), ..ids(&card) };
            (Outcome::Registered, failed(column::CARD_ID, Code::CardIdInUse), own)
        }
        Change::Retired(card, field) => (Outcome::Registered, failed(field, Code::PanRetired), ids(&card)),
        Change::Deleted(card) => {
            row.masked = card.masked;
            (Outcome::Deregistered, Vec::new(), stored(&card))
        }
        Change::Unknown => {
            row.masked = Masked::NONE;
            (Outcome::Deregistered, failed(column::CARD_ID, Code::NotRegistered), Own::default())
        }
    };
    row.outcome = failures.first().map_or(success, |failure| failure.code.outcome());
    row.failures = failures;
    row.own = own.packed();
}
