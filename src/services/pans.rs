//! The vault's side of a fold: which PANs a service refers to, and what must be written of it.
//!
//! A PAN is stored once an issuer, however many services and lists refer to it, and erased when none does any more. A service's
//! fold says [`refer`](Pans::refer) and [`release`](Pans::release) in file order; [`changes`](Pans::changes) is the difference.

use crate::model::Masked;
use crate::vault::{Fingerprint, FingerprintMap, SealedPan};

/// A PAN to be kept, with everything its row needs.
#[derive(Clone)]
pub struct NewPan {
    /// How the issuer finds it again.
    pub fingerprint: Fingerprint,
    /// The key of its row, if this record is the first to bring it.
    pub pan_id: i64,
    /// The PAN, sealed for that row.
    pub sealed: SealedPan,
    /// The epoch it is sealed under.
    pub epoch: u32,
    /// What may be shown of it.
    pub masked: Masked,
}

/// A PAN that the issuer's vault holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its row.
    pub pan_id: i64,
    /// What may be shown of it.
    pub masked: Masked,
}

/// What must be written so that the vault is as after the last record. Sorted by key.
#[derive(Default)]
pub struct PanChanges {
    /// PANs the vault does not hold yet, and how many refer to each.
    pub vaulted: Vec<(NewPan, i64)>,
    /// PANs it holds, and by how many more (or fewer) they are referred to. One that nothing refers to then is erased.
    pub referred: Vec<(i64, i64)>,
}

/// See the module.
pub struct Pans<'a> {
    held: &'a FingerprintMap<Held>,
    touched: FingerprintMap<Touched<'a>>,
}

struct Touched<'a> {
    change: i64,
    maker: Option<&'a NewPan>,
}

impl<'a> Pans<'a> {
    /// Over what the vault holds of the PANs that a group asks for, with room for so many.
    pub fn over(held: &'a FingerprintMap<Held>, room: usize) -> Self {
        Self { held, touched: FingerprintMap::with_capacity_and_hasher(room, Default::default()) }
    }

    /// One more refers to a PAN, which is made by this record if nothing made it before. Gives the key of its row.
    pub fn refer(&mut self, new: &'a NewPan) -> i64 {
        let held = self.held.get(&new.fingerprint);
        let touched = self.touched.entry(new.fingerprint).or_insert(Touched { change: 0, maker: None });
        if held.is_none() && touched.change == 0 {
            // Nobody has it now: never held, or made and given up within this group.
            touched.maker = Some(new);
        }
        touched.change += 1;
        held.map(|held| held.pan_id).or(touched.maker.map(|maker| maker.pan_id)).unwrap_or(new.pan_id)
    }

    /// One fewer refers to a PAN that was referred to.
    pub fn release(&mut self, fingerprint: &Fingerprint) {
        self.touched.entry(*fingerprint).or_insert(Touched { change: 0, maker: None }).change -= 1;
    }

    /// The difference to what the vault held.
    pub fn changes(self) -> PanChanges {
        let mut changes = PanChanges::default();
        for (fingerprint, Touched { change, maker }) in self.touched {
            match (self.held.get(&fingerprint), maker) {
                (Some(held), _) if change != 0 => changes.referred.push((held.pan_id, change)),
                (None, Some(maker)) if change > 0 => changes.vaulted.push((maker.clone(), change)),
                _ => {}
            }
        }
        changes.vaulted.sort_unstable_by_key(|(new, _)| new.fingerprint);
        changes.referred.sort_unstable();
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(pan: u8, pan_id: i64) -> NewPan {
        NewPan { fingerprint: [pan; 16], pan_id, sealed: [0; 38], epoch: 1, masked: Masked::NONE }
    }

    #[test]
    fn a_pan_is_stored_once_and_goes_with_its_last_reference() {
        let held = FingerprintMap::from_iter([([1; 16], Held { pan_id: 70, masked: Masked::NONE })]);
        let news = [new(1, 1), new(2, 2), new(2, 3), new(3, 4), new(3, 5)];
        let mut pans = Pans::over(&held, 0);
        assert_eq!(pans.refer(&news[0]), 70);
        pans.release(&[1; 16]);
        pans.release(&[1; 16]);
        assert_eq!((pans.refer(&news[1]), pans.refer(&news[2])), (2, 2));
        assert_eq!(pans.refer(&news[3]), 4);
        pans.release(&[3; 16]);
        assert_eq!(pans.refer(&news[4]), 5, "what was given up is made anew");
        let changes = pans.changes();
        let vaulted: Vec<_> = changes.vaulted.iter().map(|(new, count)| (new.pan_id, *count)).collect();
        assert_eq!((vaulted, changes.referred), (vec![(2, 2), (5, 1)], vec![(70, -1)]));
    }
}
