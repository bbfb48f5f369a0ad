use std::sync::Arc;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::model::Masked;
use crate::services::NewPan;
use crate::services::pan_lists::GivenRange;
use crate::services::reference::AccountRange;
use crate::vault::{IdMaker, IssuerKeys, KeyEncryptionKey, KeyPurpose, Pan};

const FILE: FileNo = FileNo(7);
const LOW: &str = "2303770004100000000";
const HIGH: &str = "2303770004199999999";

fn ids() -> IdMaker {
    let kek = KeyEncryptionKey::from_hex("a".repeat(64).as_bytes()).unwrap();
    let wrapped: Vec<_> =
        KeyPurpose::ALL.map(|purpose| kek.wrap_new("ACME", purpose, 1, &Zeroizing::new([3; 44]))).into();
    IssuerKeys::open(&kek, "ACME", &wrapped).unwrap().id_maker(&[b"scope"], 1_795_138_200_000)
}

fn range() -> Range {
    Range { cid: "1".into(), ica: "2".into(), country: "USA".into(), low: LOW.into(), high: HIGH.into() }
}

fn owned() -> Arc<AccountRange> {
    Arc::new(AccountRange {
        issuer: "ACME".into(),
        cid: "1".into(),
        ica: "2".into(),
        country: "USA".into(),
        low: LOW.into(),
        high: HIGH.into(),
        services: Vec::new(),
    })
}

/// A PAN told by a digit; those from 8 on lie in no range.
fn pan(digit: u8, ordinal: u64) -> Brings {
    let digits = if digit < 8 { format!("230377000415000000{digit}") } else { format!("230377000515000000{digit}") };
    let new = NewPan {
        fingerprint: [digit; 16],
        pan_id: i64::try_from(ordinal).unwrap(),
        sealed: [0; 38],
        epoch: 1,
        masked: Masked::NONE,
    };
    let narrowest = (digit < 8).then(owned);
    Brings::Pan(Box::new(Brought {
        pan: Pan::new(digits.as_bytes()).unwrap(),
        new,
        narrowest,
        repeated: Box::default(),
    }))
}

struct Script {
    asks: Vec<Ask>,
    ids: IdMaker,
}

impl Script {
    fn new() -> Self {
        Self { asks: Vec::new(), ids: ids() }
    }

    fn request(&mut self, operation: Operation, list: Wanted, given: bool, brings: &[Option<u8>]) {
        let request = self.asks.last().map_or(0, |ask| ask.head.request) + 1;
        let given = given.then(|| GivenRange { low: LOW.into(), high: HIGH.into(), owned: Some(range()) });
        let head = Arc::new(Head { request, operation, list, range: given, ids: self.ids.clone() });
        let from = u64::try_from(self.asks.len()).unwrap_or(0);
        let mut push = |brings: Brings, ordinal: u64| {
            let row = i64::try_from(ordinal).unwrap();
            self.asks.push(Ask { head: Arc::clone(&head), ordinal, row, brings });
        };
        if brings.is_empty() {
            push(Brings::Nothing, from);
        }
        for (ordinal, digit) in (from..).zip(brings) {
            push(digit.map_or(Brings::Failed, |digit| pan(digit, ordinal)), ordinal);
        }
    }
}

fn apply(register: &mut Register, difference: Difference) {
    for new in difference.made {
        assert!(register.made.insert(new.request, new.list.clone()).is_none(), "a request makes one list");
        assert!(register.lists.insert(new.list.id, new.list).is_none(), "a list is made once");
    }
    for (new, references) in difference.pans.vaulted {
        assert!(references > 0);
        let held = Held { pan_id: new.pan_id, masked: new.masked };
        assert!(register.held.insert(new.fingerprint, held).is_none(), "a PAN is stored once");
    }
    let memberships = |register: &Register| register.members.values().map(|lists| lists.iter().count()).sum::<usize>();
    let before = memberships(register);
    register.members.extend(difference.members);
    let after = memberships(register);
    assert_eq!(before + difference.added.len() - difference.removed.len(), after);
    register.held.retain(|fingerprint, _| register.members.get(fingerprint).is_some_and(|lists| !lists.is_empty()));
    register.members.retain(|_, lists| !lists.is_empty());
    for (pan_id, _) in difference.added {
        assert!(register.held.values().any(|held| held.pan_id == pan_id), "a member is a PAN that is held");
    }
}

fn run(asks: &[Ask], size: usize) -> (Vec<Change>, Vec<(u64, Vec<u8>)>) {
    let mut register = Register::default();
    let mut all = Vec::new();
    for group in asks.chunks(size) {
        let (changes, difference) = fold(FILE, &register, group.iter());
        all.extend(changes);
        apply(&mut register, difference);
    }
    let mut lists: Vec<(u64, Vec<u8>)> = register
        .lists
        .values()
        .map(|list| {
            let is_in = |(fingerprint, lists): (&Fingerprint, &Lists)| lists.get(list.row).map(|_| fingerprint[0]);
            let mut digits: Vec<u8> = register.members.iter().filter_map(is_in).collect();
            digits.sort_unstable();
            (list.id, digits)
        })
        .collect();
    lists.sort_unstable();
    (all, lists)
}

#[test]
fn a_list_is_made_with_its_first_good_pan_and_not_before() {
    let mut script = Script::new();
    script.request(
        Operation::Register,
        Wanted::New("A".into()),
        false,
        &[None, Some(8), Some(1), Some(1), Some(9), Some(2)],
    );
    script.request(Operation::Register, Wanted::New("A".into()), true, &[Some(9), None]);
    script.request(Operation::Register, Wanted::New("B".into()), true, &[]);
    let (changes, lists) = run(&script.asks, 100);
    let out = Change::Failed(column::PAN, Code::PanOutOfRange);
    let expected = [
        Change::AsJudged,
        out.clone(),
        Change::Registered,
        Change::Failed(column::PAN, Code::DuplicateInFile),
        out.clone(),
        Change::Registered,
        out,
        Change::AsJudged,
        Change::Registered,
    ];
    assert_eq!(changes, expected);
    let mut members: Vec<Vec<u8>> = lists.into_iter().map(|(_, digits)| digits).collect();
    members.sort();
    assert_eq!(members, [vec![], vec![1, 2]]);
}

#[test]
fn a_list_that_is_there_takes_and_gives_back() {
    let mut script = Script::new();
    script.request(Operation::Register, Wanted::New("A".into()), true, &[Some(1)]);
    script.request(Operation::Register, Wanted::New("B".into()), true, &[Some(2)]);
    let id = script.ids.number(0, 0);
    let known = || Wanted::Known(id);
    script.request(Operation::Deregister, known(), false, &[Some(1), Some(1), Some(2), Some(8)]);
    script.request(Operation::Register, known(), false, &[Some(1), Some(1), Some(8)]);
    script.request(Operation::Deregister, known(), false, &[Some(1)]);
    script.request(Operation::Register, Wanted::Known(5), false, &[Some(1), None]);
    script.request(Operation::Register, known(), false, &[]);
    for size in [1, 2, 3, 100] {
        let (changes, lists) = run(&script.asks, size);
        let failed = |code| Change::Failed(column::PAN, code);
        let expected = [
            Change::Registered,
            Change::Registered,
            Change::Deregistered,
            failed(Code::NotRegistered),
            failed(Code::NotInList),
            failed(Code::NotRegistered),
            Change::Registered,
            failed(Code::DuplicateInFile),
            failed(Code::PanOutOfRange),
            Change::Deregistered,
            Change::RequestFailed(column::LIST_ID, Code::ListUnknown),
            Change::RequestFailed(column::LIST_ID, Code::ListUnknown),
            Change::RequestFailed(column::PAN, Code::PansMissing),
        ];
        assert_eq!(changes, expected, "groups of {size}");
        assert_eq!(lists.iter().find(|(it, _)| *it == id), Some(&(id, vec![])));
    }
}

#[test]
fn an_id_that_is_taken_is_passed_over() {
    let mut script = Script::new();
    script.request(Operation::Register, Wanted::New("A".into()), true, &[]);
    let register = Register { taken: [script.ids.number(0, 0)].into(), ..Register::default() };
    let (_, difference) = fold(FILE, &register, script.asks.iter());
    assert_eq!(difference.made[0].list.id, script.ids.number(0, 1));
}

proptest! {
    #[test]
    fn groups_of_any_size_give_what_single_records_give(
        requests in prop::collection::vec(
            (0_u8..4, any::<bool>(), prop::collection::vec(prop::option::weighted(0.9, 0_u8..10), 0..6)),
            1..12,
        ),
        cut in 1_usize..40,
    ) {
        let mut script = Script::new();
        let mut made: Vec<u64> = Vec::new();
        for (kind, given, brings) in &requests {
            let first = u64::try_from(script.asks.len()).unwrap();
            let known = made.get(usize::from(*kind)).or(made.first()).copied().unwrap_or(5);
            match kind {
                0 => {
                    script.request(Operation::Register, Wanted::New("A".into()), *given || brings.is_empty(), brings);
                    // The list, if one is made, has the id of the first good PAN.
                    let good = brings.iter().position(|digit| digit.is_some_and(|digit| digit < 8));
                    made.extend(good.map(|at| script.ids.number(first + at as u64, 0)));
                }
                1 => script.request(Operation::Register, Wanted::Known(known), *given, brings),
                _ => script.request(Operation::Deregister, Wanted::Known(known), *given, brings),
            }
        }
        prop_assert_eq!(run(&script.asks, cut), run(&script.asks, 1));
    }
}

#[test]
fn lists_of_a_pan_keep_their_order_and_who_put_it_there() {
    let mut lists = Lists::default();
    for (list, by) in [(5, 1), (9, 1), (7, 2), (5, 3)] {
        lists.insert(list, FileNo(by));
    }
    let there = |lists: &Lists| lists.iter().map(|(list, by)| (list, by.0)).collect::<Vec<_>>();
    assert_eq!(there(&lists), [(5, 3), (7, 2), (9, 1)], "each once, by the last");
    assert_eq!((lists.get(7), lists.get(8)), (Some(FileNo(2)), None));
    assert!(lists.remove(7) && !lists.remove(7));
    assert_eq!(there(&lists), [(5, 3), (9, 1)]);
    assert!(!lists.is_empty());
}
