//! What depends on the register, decided record after record in file order, without touching a database.

use std::collections::HashMap;

use crate::model::{Code, Failure, FileNo, Outcome, RecordRow};
use crate::services::{Held, PanChanges, Pans};
use crate::vault::{Fingerprint, FingerprintMap};

use super::{Ask, Brings, Brought, Head, ListRef, Operation, Own, Range, Wanted, column};

/// A list as the register holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Its row.
    pub row: i64,
    /// Its id of 18 digits.
    pub id: u64,
    /// Its range.
    pub range: Range,
}

/// The lists that a PAN is in, and the file that put it there; in order of the lists' rows. Of nearly every PAN that is one, which
/// needs no map; a new list comes last, as its row is the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists(Vec<(i64, FileNo)>);

impl Lists {
    /// Which file put it into a list, if it is there.
    pub fn get(&self, list: i64) -> Option<FileNo> {
        self.place(list).ok().and_then(|place| self.0.get(place)).map(|(_, by)| *by)
    }

    /// Puts it into a list.
    pub fn insert(&mut self, list: i64, by: FileNo) {
        match self.place(list) {
            Ok(place) => self.0[place].1 = by,
            Err(place) => self.0.insert(place, (list, by)),
        }
    }

    /// Takes it out of a list; `false` if it is not there.
    pub fn remove(&mut self, list: i64) -> bool {
        self.place(list).map(|place| self.0.remove(place)).is_ok()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (i64, FileNo)> {
        self.0.iter().copied()
    }

    /// Whether it is in none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, list: i64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&list, |(row, _)| *row)
    }
}

/// The part of the register that a group touches.
#[derive(Clone, Default)]
pub struct Register {
    /// Lists asked for, by id.
    pub lists: HashMap<u64, List>,
    /// Lists that requests of this file have made, by the request's number.
    pub made: HashMap<u64, List>,
    /// PANs asked for that the vault holds.
    pub held: FingerprintMap<Held>,
    /// The lists of this issuer that PANs asked for are in.
    pub members: FingerprintMap<Lists>,
    /// Ids that a new list cannot have.
    pub taken: std::collections::HashSet<u64>,
}

/// A list that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewList {
    /// The list.
    pub list: List,
    /// Its name.
    pub name: Box<str>,
    /// The request that makes it.
    pub request: u64,
}

/// What came of one ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The PAN is in the list now, or the list is made.
    Registered,
    /// The PAN is no longer in it.
    Deregistered,
    /// It failed at this field.
    Failed(u8, Code),
    /// Its request failed at this field, and so did each record of it.
    RequestFailed(u8, Code),
    /// It had failed already.
    AsJudged,
}

/// What must be written so that the register is as after the last record. Sorted by key.
#[derive(Default)]
pub struct Difference {
    /// Lists.
    pub made: Vec<NewList>,
    /// PANs added to lists: the PAN's row, the list's.
    pub added: Vec<(i64, i64)>,
    /// PANs taken out of lists.
    pub removed: Vec<(i64, i64)>,
    /// What changes in the vault.
    pub pans: PanChanges,
    /// Where each PAN is after the last record: for a dry run, which writes nothing.
    pub members: Vec<(Fingerprint, Lists)>,
}

struct Slot {
    pan_id: Option<i64>,
    stored: Lists,
    now: Lists,
}

/// Decides a group's asks in file order.
pub fn fold<'a>(file: FileNo, register: &Register, asks: impl Iterator<Item = &'a Ask>) -> (Vec<Change>, Difference) {
    let room = asks.size_hint().0;
    let mut deciding = Deciding {
        file,
        register,
        made: register.made.clone(),
        by_id: HashMap::new(),
        new: Vec::new(),
        slots: FingerprintMap::with_capacity_and_hasher(room, Default::default()),
        pans: Pans::over(&register.held, room),
    };
    let changes = asks.map(|ask| deciding.decide(ask)).collect();
    (changes, deciding.difference())
}

struct Deciding<'a> {
    file: FileNo,
    register: &'a Register,
    made: HashMap<u64, List>,
    /// Lists made in this group, which a later request of the file may name.
    by_id: HashMap<u64, List>,
    new: Vec<NewList>,
    slots: FingerprintMap<Slot>,
    pans: Pans<'a>,
}

impl<'a> Deciding<'a> {
    fn decide(&mut self, ask: &'a Ask) -> Change {
        match &ask.head.list {
            Wanted::New(name) => self.for_new(ask, name),
            Wanted::Known(id) => {
                let list = self.register.lists.get(id).or_else(|| self.by_id.get(id)).cloned();
                match known(&ask.head, list, &ask.brings) {
                    Ok(list) => self.known(ask, &list),
                    Err((field, code)) => Change::RequestFailed(field, code),
                }
            }
        }
    }

    /// A record of a request that makes a list.
    fn for_new(&mut self, ask: &'a Ask, name: &str) -> Change {
        if let Some(given) = &ask.head.range
            && given.owned.is_none()
        {
            return Change::RequestFailed(column::RANGE_LOW, Code::RangeUnknown);
        }
        let owned = ask.head.range.as_ref().and_then(|given| given.owned.clone());
        let brought = match &ask.brings {
            Brings::Failed => return Change::AsJudged,
            Brings::Nothing => {
                if let Some(range) = owned {
                    self.make(ask, name, range);
                }
                return Change::Registered;
            }
            Brings::Pan(brought) => brought,
        };
        if let Some(list) = self.made.get(&ask.head.request) {
            let list = list.clone();
            return self.put(brought, &list);
        }
        let range = owned.or_else(|| {
            let narrowest = brought.narrowest.as_ref()?;
            Some(Range::of(narrowest, &narrowest.low, &narrowest.high))
        });
        match range.filter(|range| range.holds(&brought.pan)) {
            None => Change::Failed(column::PAN, Code::PanOutOfRange),
            Some(range) => {
                let list = self.make(ask, name, range);
                self.add(brought, &list)
            }
        }
    }

    fn make(&mut self, ask: &Ask, name: &str, range: Range) -> List {
        let taken = |id: &u64| {
            self.register.taken.contains(id) || self.register.lists.contains_key(id) || self.by_id.contains_key(id)
        };
        let mut ids = (0..).map(|attempt| ask.head.ids.number(ask.ordinal, attempt));
        let id = ids.find(|id| !taken(id)).unwrap_or_default();
        let list = List { row: ask.row, id, range };
        self.made.insert(ask.head.request, list.clone());
        self.by_id.insert(id, list.clone());
        self.new.push(NewList { list: list.clone(), name: name.into(), request: ask.head.request });
        list
    }

    /// A record of a request for a list that is there.
    fn known(&mut self, ask: &'a Ask, list: &List) -> Change {
        match (&ask.brings, ask.head.operation) {
            (Brings::Failed, _) => Change::AsJudged,
            // Asked for already: the request has none.
            (Brings::Nothing, _) => Change::RequestFailed(column::PAN, Code::PansMissing),
            (Brings::Pan(brought), Operation::Register) => self.put(brought, list),
            (Brings::Pan(brought), Operation::Deregister) => self.remove(brought, list),
        }
    }

    fn slot(&mut self, fingerprint: &Fingerprint) -> &mut Slot {
        self.slots.entry(*fingerprint).or_insert_with(|| {
            let stored = self.register.members.get(fingerprint).cloned().unwrap_or_default();
            let pan_id = self.register.held.get(fingerprint).map(|held| held.pan_id);
            Slot { pan_id, now: stored.clone(), stored }
        })
    }

    /// Into a list that is there, if its range has room for it.
    fn put(&mut self, brought: &'a Brought, list: &List) -> Change {
        if list.range.holds(&brought.pan) {
            self.add(brought, list)
        } else {
            Change::Failed(column::PAN, Code::PanOutOfRange)
        }
    }

    fn add(&mut self, brought: &'a Brought, list: &List) -> Change {
        let file = self.file;
        if let Some(by) = self.slot(&brought.new.fingerprint).now.get(list.row) {
            let code = if by == file { Code::DuplicateInFile } else { Code::AlreadyInList };
            return Change::Failed(column::PAN, code);
        }
        let pan_id = self.pans.refer(&brought.new);
        let slot = self.slot(&brought.new.fingerprint);
        slot.pan_id = Some(pan_id);
        slot.now.insert(list.row, file);
        Change::Registered
    }

    fn remove(&mut self, brought: &Brought, list: &List) -> Change {
        let slot = self.slot(&brought.new.fingerprint);
        if slot.now.remove(list.row) {
            self.pans.release(&brought.new.fingerprint);
            return Change::Deregistered;
        }
        let code = if slot.now.is_empty() { Code::NotRegistered } else { Code::NotInList };
        Change::Failed(column::PAN, code)
    }

    fn difference(self) -> Difference {
        let mut difference = Difference { made: self.new, pans: self.pans.changes(), ..Difference::default() };
        difference.made.sort_unstable_by_key(|new| new.list.row);
        for (fingerprint, Slot { pan_id, stored, now }) in self.slots {
            if let Some(pan_id) = pan_id {
                // One that was taken out and put in again was put in by this file.
                let added = now.iter().filter(|(list, by)| stored.get(*list) != Some(*by));
                difference.added.extend(added.map(|(list, _)| (pan_id, list)));
                let removed = stored.iter().filter(|(list, by)| now.get(*list) != Some(*by));
                difference.removed.extend(removed.map(|(list, _)| (pan_id, list)));
            }
            difference.members.push((fingerprint, now));
        }
        difference.added.sort_unstable();
        difference.removed.sort_unstable();
        difference
    }
}

/// What a request for a list needs before any of its PANs is looked at.
fn known(head: &Head, list: Option<List>, brings: &Brings) -> Result<List, (u8, Code)> {
    let list = list.ok_or((column::LIST_ID, Code::ListUnknown))?;
    if let Some(given) = &head.range {
        if given.owned.is_none() {
            return Err((column::RANGE_LOW, Code::RangeUnknown));
        }
        if !list.range.is(&given.low, &given.high) {
            return Err((column::RANGE_HIGH, Code::RangeUnknown));
        }
    }
    if matches!(brings, Brings::Nothing) {
        return Err((column::PAN, Code::PansMissing));
    }
    Ok(list)
}

/// Writes what came of an ask into its row. May be called again with another change: a commit that failed is decided anew.
pub fn settle(row: &mut RecordRow, (Settled(repeated), change): (Settled, Change)) {
    let mut own = Own::of(row);
    let failed = |field: u8, code: Code| vec![Failure { field, code }];
    if let (Some(id), false) = (own.named, matches!(change, Change::RequestFailed(..))) {
        own.list = ListRef::Known(id);
    }
    match change {
        Change::Registered => {
            (row.outcome, row.failures, own.repeated) = (Outcome::Registered, Vec::new(), Box::default())
        }
        Change::Deregistered => {
            (row.outcome, row.failures, own.repeated) = (Outcome::Deregistered, Vec::new(), Box::default());
        }
        Change::Failed(field, code) => {
            (row.outcome, row.failures, own.repeated) = (code.outcome(), failed(field, code), repeated);
        }
        Change::RequestFailed(field, code) => {
            own.list = ListRef::None;
            row.outcome = code.outcome();
            // A PAN that failed is not told of, since its request was not looked into; a reference is the record's own.
            row.failures.retain(|failure| failure.field == column::RECORD_REF);
            row.failures.extend(failed(field, code));
        }
        Change::AsJudged => {}
    }
    row.own = own.packed();
}

/// The PAN of an ask as an answer repeats it, if it fails.
pub struct Settled(Box<[u8]>);

impl Settled {
    /// Of an ask.
    pub fn of(ask: &Ask) -> Self {
        Self(match &ask.brings {
            Brings::Pan(brought) => brought.repeated.clone(),
            Brings::Nothing | Brings::Failed => Box::default(),
        })
    }
}

#[cfg(test)]
mod tests;
