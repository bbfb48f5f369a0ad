//! A judged chunk, and what its records ask of the register, by service.

use std::borrow::Cow;

use crate::model::{FileNo, Outcome, RecordRow, ServiceName, pack, registry};
use crate::vault::IdMaker;

/// A chunk, judged: rows in file order, and what is still to be decided by the register.
pub struct PreparedChunk {
    /// Its place in the file, counted from 0.
    pub index: u64,
    /// A row a record. Rows with an effect hold a provisional outcome.
    pub rows: Vec<RecordRow>,
    /// What the records ask of the register.
    pub effects: Effects,
    /// The rows as they are kept, if nothing changed them since they were packed.
    packed: Option<Vec<u8>>,
}

impl PreparedChunk {
    /// A chunk whose rows are not packed yet.
    pub fn new(index: u64, rows: Vec<RecordRow>, effects: Effects) -> Self {
        Self { index, rows, effects, packed: None }
    }

    /// Packs the rows ahead, where they say already what they will say unless the register is against it. A worker does this so
    /// that nobody waits for it.
    pub fn pack(&mut self) {
        let open = |row: &RecordRow| row.outcome == Outcome::Rejected && row.failures.is_empty();
        if !self.rows.iter().any(open) {
            self.packed = Some(pack(&self.rows));
        }
    }

    /// The rows as they are kept.
    pub fn packed(&self) -> Cow<'_, [u8]> {
        match &self.packed {
            Some(packed) => Cow::Borrowed(packed),
            None => Cow::Owned(pack(&self.rows)),
        }
    }

    /// What the last record that asks something asks.
    pub fn last_ask<A: Ask>(&self) -> Option<&A> {
        A::of(&self.effects).last().map(|effect| &effect.ask)
    }

    /// The record whose row comes next asks this of the register.
    pub fn ask<A: Ask>(&mut self, ask: A) {
        let position = self.rows.len();
        if let Some(effects) = A::of_mut(&mut self.effects) {
            effects.push(Effect { position, ask });
        }
    }
}

/// What a record asks of the register.
#[derive(Clone)]
pub struct Effect<A> {
    /// The record's place in its chunk.
    pub position: usize,
    /// What it asks.
    pub ask: A,
}

/// What can be asked of one service's register.
pub trait Ask: Sized {
    /// The asks among effects; none of another service's.
    fn of(effects: &Effects) -> &[Effect<Self>];
    /// The same, to add to.
    fn of_mut(effects: &mut Effects) -> Option<&mut Vec<Effect<Self>>>;
}

/// A record of some chunks: its chunk, its place there.
pub type Place = (usize, usize);

/// What the records of these chunks ask, in file order.
pub fn asks<A: Ask>(chunks: &[PreparedChunk]) -> Vec<(Place, &A)> {
    chunks
        .iter()
        .enumerate()
        .flat_map(|(chunk, prepared)| {
            A::of(&prepared.effects).iter().map(move |effect| ((chunk, effect.position), &effect.ask))
        })
        .collect()
}

/// Whether the row of a record says already that it was registered. Most were judged so and are, and are not settled again, so that
/// their chunk stays packed; an earlier try of the commit may have said otherwise.
pub fn is_registered(chunks: &[PreparedChunk], (chunk, position): Place) -> bool {
    let row = chunks.get(chunk).and_then(|chunk| chunk.rows.get(position));
    row.is_some_and(|row| row.outcome == Outcome::Registered)
}

/// Writes what came of asks into the rows of their records.
pub fn settle_all<C>(
    chunks: &mut [PreparedChunk],
    settled: impl IntoIterator<Item = (Place, C)>,
    settle: impl Fn(&mut RecordRow, C),
) {
    for ((chunk, position), change) in settled {
        let Some(chunk) = chunks.get_mut(chunk) else { continue };
        if let Some(row) = chunk.rows.get_mut(position) {
            settle(row, change);
            chunk.packed = None;
        }
    }
}

macro_rules! effects {
    ($($name:ident $word:literal in $folder:ident;)*) => {
        /// What a chunk's records ask, by service.
        pub enum Effects {
            $(#[doc = concat!("Of ", stringify!($folder), ".")] $name(Vec<Effect<super::$folder::Ask>>),)*
        }

        impl Effects {
            /// Nothing asked yet.
            pub(super) fn none(service: ServiceName, records: usize) -> Self {
                match service {
                    $(ServiceName::$name => Self::$name(Vec::with_capacity(records)),)*
                }
            }
        }

        $(impl Ask for super::$folder::Ask {
            fn of(effects: &Effects) -> &[Effect<Self>] {
                match effects {
                    Effects::$name(effects) => effects,
                    _ => &[],
                }
            }

            fn of_mut(effects: &mut Effects) -> Option<&mut Vec<Effect<Self>>> {
                match effects {
                    Effects::$name(effects) => Some(effects),
                    _ => None,
                }
            }
        })*

        /// What a store holds of what some chunks ask for, by service.
        pub enum Register {
            $(#[doc = concat!("Of ", stringify!($folder), ".")] $name(super::$folder::Register),)*
        }

        impl Register {
            /// Of a store that holds nothing.
            pub fn empty(chunks: &[PreparedChunk]) -> Option<Self> {
                Some(match &chunks.first()?.effects {
                    $(Effects::$name(_) => Self::$name(super::$folder::Register::default()),)*
                })
            }
        }

        /// What one file did to the register, kept beside a register that may only be read: a dry run's memory.
        pub enum Memory {
            $(#[doc = concat!("Of ", stringify!($folder), ".")] $name(super::$folder::Memory),)*
        }

        impl Memory {
            /// Nothing done yet. `ids` makes the file's identifiers.
            pub fn new(service: ServiceName, file: FileNo, ids: IdMaker) -> Self {
                match service {
                    $(ServiceName::$name => Self::$name(super::$folder::Memory::new(file, ids)),)*
                }
            }

            /// Decides a group's asks in file order, given what the register held of them before the file, and writes what
            /// came of them into the rows.
            pub fn decide(&mut self, register: Register, chunks: &mut [PreparedChunk]) {
                match (self, register) {
                    $((Self::$name(memory), Register::$name(register)) => memory.decide(register, chunks),)*
                    _ => {}
                }
            }
        }
    };
}

registry!(effects);
