//! What depends on the register, decided record after record in file order, without touching a database.

use std::collections::HashMap;

use crate::model::{Code, Failure, FileNo, Outcome, RecordRow};
use crate::services::{self, Expiry, Held, PanChanges, Pans, Place, PreparedChunk};
use crate::vault::{Fingerprint, FingerprintMap, IdMaker};

use super::{Ask, NewContract, Own, Status, column};

/// A contract as the register holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Its row.
    pub row: i64,
    /// Its PAN, which never changes.
    pub fingerprint: Fingerprint,
    /// Through when its card is good.
    pub expiry: Expiry,
    /// Its card product.
    pub product: Box<str>,
    /// Where it stands.
    pub status: Status,
}

/// The part of the register that a group touches.
#[derive(Default)]
pub struct Register {
    /// Contracts asked for, by id.
    pub contracts: HashMap<Box<str>, Contract>,
    /// PANs asked for that the vault holds.
    pub held: FingerprintMap<Held>,
}

/// What came of one ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new contract.
    Made,
    /// Brought up to date in these columns.
    Updated(Vec<u8>),
    /// It was so already.
    Same,
    /// The id belongs to a contract with another PAN.
    InUse,
}

/// What must be written so that the register is as after the last record. Sorted by row key.
#[derive(Default)]
pub struct Difference {
    /// New contracts, as they are after the last record: the row of the PAN, and the contract.
    pub made: Vec<(Box<str>, i64, Contract)>,
    /// Contracts that were there and are different now.
    pub updated: Vec<Contract>,
    /// What changes in the vault.
    pub pans: PanChanges,
}

/// Decides a group's asks in file order.
pub fn fold<'a>(register: &Register, asks: impl Iterator<Item = &'a Ask>) -> (Vec<Change>, Difference) {
    struct Now<'a> {
        id: &'a str,
        contract: Contract,
        /// The row of the PAN of one that this group makes.
        made: Option<i64>,
        touched: bool,
    }
    let room = asks.size_hint().0;
    let mut now: HashMap<&str, Now<'_>> = HashMap::with_capacity(room);
    let mut pans = Pans::over(&register.held, room);
    let mut changes = Vec::new();
    for Ask(new) in asks {
        let stored = |contract: &Contract| Now { id: &new.id, contract: contract.clone(), made: None, touched: false };
        if !now.contains_key(&*new.id)
            && let Some(contract) = register.contracts.get(&new.id)
        {
            now.insert(&new.id, stored(contract));
        }
        changes.push(match now.get_mut(&*new.id) {
            None => {
                let pan_id = pans.refer(&new.pan);
                let made = Now { id: &new.id, contract: as_said(new), made: Some(pan_id), touched: true };
                now.insert(&new.id, made);
                Change::Made
            }
            Some(known) if known.contract.fingerprint != new.pan.fingerprint => Change::InUse,
            Some(known) => {
                let columns = differing(&known.contract, new);
                if columns.is_empty() {
                    Change::Same
                } else {
                    known.contract = Contract { row: known.contract.row, ..as_said(new) };
                    known.touched = true;
                    Change::Updated(columns)
                }
            }
        });
    }
    let mut difference = Difference { pans: pans.changes(), ..Difference::default() };
    for Now { id, contract, made, touched } in now.into_values() {
        match made {
            Some(pan_id) => difference.made.push((id.into(), pan_id, contract)),
            None if touched => difference.updated.push(contract),
            None => {}
        }
    }
    difference.made.sort_unstable_by_key(|(_, _, contract)| contract.row);
    difference.updated.sort_unstable_by_key(|contract| contract.row);
    (changes, difference)
}

fn as_said(new: &NewContract) -> Contract {
    let NewContract { row, pan, expiry, product, status, .. } = new;
    Contract { row: *row, fingerprint: pan.fingerprint, expiry: *expiry, product: product.clone(), status: *status }
}

fn differing(known: &Contract, new: &NewContract) -> Vec<u8> {
    [
        (column::EXPIRY, known.expiry != new.expiry),
        (column::PRODUCT, known.product != new.product),
        (column::STATUS, known.status != new.status),
    ]
    .into_iter()
    .filter_map(|(column, differs)| differs.then_some(column))
    .collect()
}

/// Writes what came of an ask into its row. May be called again with another change: a commit that failed is decided anew.
pub fn settle(row: &mut RecordRow, (id, change): (&str, Change)) {
    let failed = |code: Code| vec![Failure { field: column::CONTRACT_ID, code }];
    let (failures, shown, changed) = match change {
        Change::Made => (Vec::new(), id, Vec::new()),
        Change::Updated(columns) => (Vec::new(), id, columns),
        Change::Same => (failed(Code::AlreadyRegistered), id, Vec::new()),
        // What failed its rule is not repeated.
        Change::InUse => (failed(Code::CardIdInUse), "", Vec::new()),
    };
    row.outcome = failures.first().map_or(Outcome::Registered, |failure| failure.code.outcome());
    row.failures = failures;
    row.own = Own::packed(shown, changed);
}

/// What one file did to the register, kept beside a register that may only be read.
pub struct Memory {
    contracts: HashMap<Box<str>, Contract>,
}

impl Memory {
    /// Nothing done yet.
    pub fn new(_file: FileNo, _ids: IdMaker) -> Self {
        Self { contracts: HashMap::new() }
    }

    /// Decides a group's asks in file order, given what the register held of them before the file.
    pub fn decide(&mut self, mut register: Register, chunks: &mut [PreparedChunk]) {
        let (places, asks): (Vec<Place>, Vec<&Ask>) = services::asks::<Ask>(chunks).into_iter().unzip();
        for Ask(new) in &asks {
            if let Some(known) = self.contracts.get(&new.id) {
                register.contracts.insert(new.id.clone(), known.clone());
            }
        }
        let (changes, _) = fold(&register, asks.iter().copied());
        for (Ask(new), change) in asks.iter().zip(&changes) {
            if matches!(change, Change::Made | Change::Updated(_)) {
                self.contracts.insert(new.id.clone(), as_said(new));
            }
        }
        let ids: Vec<Box<str>> = asks.iter().map(|Ask(new)| new.id.clone()).collect();
        let settled = places.into_iter().zip(ids.iter().map(|id| &**id).zip(changes));
        services::settle_all(chunks, settled, settle);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Masked;
    use crate::services::NewPan;

    fn ask(ordinal: i64, id: u8, pan: u8, month: u8, status: Status) -> Ask {
        Ask(Box::new(NewContract {
            id: format!("C-{id}").into(),
            row: ordinal,
            pan: NewPan { fingerprint: [pan; 16], pan_id: ordinal, sealed: [0; 38], epoch: 1, masked: Masked::NONE },
            expiry: Expiry::parse(format!("{month:02}30").as_bytes()).unwrap(),
            product: "gold".into(),
            status,
        }))
    }

    fn apply(register: &mut Register, difference: Difference) {
        for (new, references) in difference.pans.vaulted {
            assert!(references > 0);
            let held = Held { pan_id: new.pan_id, masked: new.masked };
            assert!(register.held.insert(new.fingerprint, held).is_none(), "a PAN is stored once");
        }
        for (id, pan_id, contract) in difference.made {
            assert_eq!(register.held[&contract.fingerprint].pan_id, pan_id);
            assert!(register.contracts.insert(id, contract).is_none(), "a contract is made once");
        }
        for contract in difference.updated {
            let known = register.contracts.values_mut().find(|known| known.row == contract.row).unwrap();
            *known = contract;
        }
    }

    #[test]
    fn a_contract_is_made_brought_up_to_date_and_keeps_its_pan() {
        let asks = [
            ask(1, 1, 1, 1, Status::Active),
            ask(2, 1, 1, 1, Status::Active),
            ask(3, 1, 1, 2, Status::Blocked),
            ask(4, 1, 2, 2, Status::Blocked),
            ask(5, 2, 1, 2, Status::Closed),
        ];
        let (changes, difference) = fold(&Register::default(), asks.iter());
        let expected = [
            Change::Made,
            Change::Same,
            Change::Updated(vec![column::EXPIRY, column::STATUS]),
            Change::InUse,
            Change::Made,
        ];
        assert_eq!(changes, expected);
        let references: Vec<i64> = difference.pans.vaulted.iter().map(|(_, references)| *references).collect();
        assert_eq!((difference.made.len(), references), (2, vec![2]));
        assert_eq!(difference.made[0].2.status, Status::Blocked);
    }

    proptest! {
        #[test]
        fn groups_of_any_size_give_what_single_records_give(
            script in prop::collection::vec((0_u8..4, 0_u8..3, 1_u8..3, any::<bool>()), 1..40),
            cut in 1_usize..40,
        ) {
            let asks: Vec<Ask> = (0_i64..).zip(&script).map(|(at, (id, pan, month, active))| {
                ask(at, *id, *pan, *month, if *active { Status::Active } else { Status::Closed })
            }).collect();
            let run = |size: usize| {
                let mut register = Register::default();
                let mut all = Vec::new();
                for group in asks.chunks(size) {
                    let (changes, difference) = fold(&register, group.iter());
                    all.extend(changes);
                    apply(&mut register, difference);
                }
                let mut contracts: Vec<_> = register.contracts.into_iter().collect();
                contracts.sort_unstable_by(|one, other| one.0.cmp(&other.0));
                (all, contracts)
            };
            prop_assert_eq!(run(cut), run(1));
        }
    }
}
