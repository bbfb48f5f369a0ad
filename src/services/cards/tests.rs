use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::model::explain::describe;
use crate::model::{Code, FileNo, Masked, Outcome, OwnBytes, Place};
use crate::services::{Held, NewPan};
use crate::vault::{IdMaker, IssuerKeys, KeyEncryptionKey, KeyPurpose};

fn new(ordinal: i64, id: u8, pan: u8, consumer: u8) -> Ask {
    let masked = Masked { digits: 16, bin6: 230_377, last4: pan.into() };
    let card = Card {
        id: format!("card-{id}").into(),
        product: "gold".into(),
        consumer: format!("consumer-{consumer}").into(),
        registration: Registration::Explicit,
        fingerprint: [pan; 16],
        pan_id: ordinal,
        masked,
    };
    Ask::Register(Arc::new(NewCard {
        card: Arc::new(card),
        pan: NewPan { fingerprint: [pan; 16], pan_id: ordinal, sealed: [0; 38], epoch: 1, masked },
        consumer_row: ordinal,
        active: true,
        expiry: Expiry::parse(b"1230").unwrap(),
        pan_column: column::PAN,
    }))
}

fn delete(id: u8) -> Ask {
    Ask::Delete(format!("card-{id}").into())
}

/// A store: a group reads of it what it asks for and no more, and what is written must fit it.
#[derive(Default)]
struct Store {
    register: Register,
    references: BTreeMap<[u8; 16], i64>,
}

/// What a store reads for a group.
fn read(register: &Register, group: &[Ask]) -> Register {
    let (mut ids, mut pans) = (BTreeSet::new(), BTreeSet::new());
    for ask in group {
        match ask {
            Ask::Register(new) => {
                ids.insert(new.card.id.clone());
                pans.insert(new.card.fingerprint);
            }
            Ask::Delete(id) => {
                ids.insert(id.clone());
            }
        }
    }
    let mut read = register.clone();
    read.cards.retain(|id, card| ids.contains(id) || pans.contains(&card.fingerprint));
    let of_cards: BTreeSet<_> = read.cards.values().map(|card| card.fingerprint).collect();
    read.held.retain(|pan, _| pans.contains(pan) || of_cards.contains(pan));
    read.retired.retain(|pan| pans.contains(pan));
    read
}

impl Store {
    fn apply(&mut self, difference: Difference) {
        let register = &mut self.register;
        let pan_of = |register: &Register, pan_id: i64| {
            *register.held.iter().find(|(_, held)| held.pan_id == pan_id).expect("a row of the vault").0
        };
        for pan_id in difference.removed {
            let before = register.cards.len();
            register.cards.retain(|_, card| card.pan_id != pan_id);
            assert_eq!(register.cards.len(), before - 1, "a card that is removed was there");
        }
        for fingerprint in difference.retired {
            assert!(register.retired.insert(fingerprint), "a PAN is retired once");
        }
        for (new, references) in difference.pans.vaulted {
            assert!(references > 0 && self.references.insert(new.fingerprint, references).is_none());
            register.held.insert(new.fingerprint, Held { pan_id: new.pan_id, masked: new.masked });
        }
        for (pan_id, change) in difference.pans.referred {
            let fingerprint = pan_of(register, pan_id);
            let references = self.references.get_mut(&fingerprint).unwrap();
            *references += change;
            if *references == 0 {
                self.references.remove(&fingerprint);
                register.held.remove(&fingerprint);
            }
        }
        for (row, id) in difference.consumers {
            assert!(register.consumers.insert(id, row).is_none(), "a consumer is made once");
        }
        for added in difference.added {
            let card = Card { pan_id: added.pan_id, ..(*added.new.card).clone() };
            assert_eq!(pan_of(register, added.pan_id), card.fingerprint);
            assert_eq!(register.consumers[&card.consumer], added.consumer);
            assert!(register.cards.insert(card.id.clone(), Arc::new(card)).is_none(), "an id has one live card");
        }
        let live: BTreeSet<_> = register.cards.values().map(|card| card.fingerprint).collect();
        assert_eq!(live.len(), register.cards.len(), "a PAN has one live card");
    }
}

/// What the contract says, one record after another, in its own words.
#[derive(Default)]
struct Model {
    cards: BTreeMap<u8, (u8, u8)>,
    retired: BTreeSet<u8>,
    consumers: BTreeSet<u8>,
}

impl Model {
    fn says(&mut self, (delete, id, pan, consumer): (bool, u8, u8, u8)) -> String {
        if delete {
            return match self.cards.remove(&id) {
                None => "NOT_REGISTERED".into(),
                Some((pan, _)) => {
                    self.retired.insert(pan);
                    format!("DEREGISTERED {id} {pan}")
                }
            };
        }
        if self.retired.contains(&pan) {
            return "PAN_RETIRED".into();
        }
        match self.cards.get(&id) {
            Some(known) if *known == (pan, consumer) => return format!("ALREADY_REGISTERED {id}"),
            Some(_) => return "CARD_ID_IN_USE".into(),
            None => {}
        }
        if let Some((other, _)) = self.cards.iter().find(|(_, (live, _))| *live == pan) {
            return format!("ALREADY_REGISTERED {other}");
        }
        self.cards.insert(id, (pan, consumer));
        format!("REGISTERED {id} {}", self.consumers.insert(consumer))
    }
}

/// What the row of a record would say, in the model's words.
fn said(change: Change) -> String {
    let mut row = RecordRow {
        line: 1,
        record_ref: "r".into(),
        outcome: Outcome::Rejected,
        failures: Vec::new(),
        masked: Masked::NONE,
        own: OwnBytes::default(),
        place: Place::Row,
    };
    settle(&mut row, change);
    let own = Own::of(&row);
    let id = own.card_id.strip_prefix("card-").unwrap_or("none").to_owned();
    match (row.code(), row.outcome) {
        (Some(Code::AlreadyRegistered), Outcome::AlreadyRegistered) => format!("ALREADY_REGISTERED {id}"),
        (Some(code), Outcome::Rejected) => {
            assert!(own.consumer_created.is_none() && own.registration.is_none());
            assert_eq!(own.card_id.is_empty(), code != Code::PanRetired, "{code}");
            code.as_str().into()
        }
        (None, Outcome::Deregistered) => format!("DEREGISTERED {id} {}", row.masked.last4),
        (None, Outcome::Registered) => format!("REGISTERED {id} {}", own.consumer_created.unwrap()),
        other => panic!("{other:?}"),
    }
}

fn ids() -> IdMaker {
    let kek = KeyEncryptionKey::from_hex("a".repeat(64).as_bytes()).unwrap();
    let wrapped: Vec<_> =
        KeyPurpose::ALL.map(|purpose| kek.wrap_new("ACME", purpose, 1, &Zeroizing::new([3; 44]))).into();
    IssuerKeys::open(&kek, "ACME", &wrapped).unwrap().id_maker(&[b"scope"], 1_795_138_200_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// A fold in groups of any cut says what the contract says of single records; so does a dry run, over a register that never
    /// changes, of all that comes after the first group.
    #[test]
    fn groups_of_any_cut_and_a_dry_run_give_what_the_contract_says(
        script in prop::collection::vec((prop::bool::weighted(0.3), 0_u8..5, 0_u8..6, 0_u8..3), 1..50),
        cuts in prop::collection::vec(1_usize..12, 50),
        held_elsewhere in any::<bool>(),
    ) {
        let mut model = Model::default();
        let expected: Vec<String> = script.iter().map(|record| model.says(*record)).collect();
        let asks: Vec<Ask> = (10_i64..).zip(&script).map(|(at, &(gone, id, pan, consumer))| {
            if gone { delete(id) } else { new(at, id, pan, consumer) }
        }).collect();

        let mut store = Store::default();
        if held_elsewhere {
            // Another service of the issuer refers to the first PAN.
            store.register.held.insert([0; 16], Held { pan_id: 1, masked: Masked::NONE });
            store.references.insert([0; 16], 1);
        }
        let mut before_dry_run = None;
        let mut found = Vec::new();
        let mut foreseen = Vec::new();
        let mut rest = &asks[..];
        let mut memory = Memory::new(FileNo(1), ids());
        for cut in cuts {
            let (group, later) = rest.split_at(cut.min(rest.len()));
            rest = later;
            if let Some(register) = &before_dry_run {
                let asked: Vec<&Ask> = group.iter().collect();
                foreseen.extend(memory.changes(read(register, group), &asked).into_iter().map(said));
            }
            let (changes, difference) = fold(&read(&store.register, group), group.iter());
            found.extend(changes.into_iter().map(said));
            store.apply(difference);
            if before_dry_run.is_none() {
                before_dry_run = Some(store.register.clone());
                foreseen.clone_from(&found);
            }
        }
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(&foreseen, &expected);
        let live: BTreeSet<_> = store.register.cards.values().map(|card| card.fingerprint).collect();
        let mut referred: BTreeMap<_, i64> = live.into_iter().map(|pan| (pan, 1)).collect();
        if held_elsewhere {
            *referred.entry([0; 16]).or_default() += 1;
        }
        prop_assert_eq!(store.references, referred, "each live card refers to its PAN once");
    }
}

#[test]
fn an_id_comes_before_a_pan_and_a_retired_pan_before_both() {
    let asks = [new(1, 1, 1, 1), new(2, 2, 2, 1), new(3, 1, 2, 1), delete(2), new(4, 1, 2, 1), new(5, 3, 1, 2)];
    let (changes, difference) = fold(&Register::default(), asks.iter());
    let said: Vec<String> = changes.into_iter().map(said).collect();
    assert_eq!(
        said,
        [
            "REGISTERED 1 true",
            "REGISTERED 2 false",
            "CARD_ID_IN_USE",
            "DEREGISTERED 2 2",
            "PAN_RETIRED",
            "ALREADY_REGISTERED 1"
        ]
    );
    assert_eq!((difference.added.len(), difference.retired, difference.removed), (1, vec![[2; 16]], vec![]));
    assert_eq!(difference.consumers, [(1, "consumer-1".into())], "a record that failed makes no consumer");
}

#[test]
fn a_column_line_must_hold_what_its_records_need() {
    let missing = |names: &str| {
        let present: Vec<bool> =
            COLUMNS.names.iter().map(|name| names.split(' ').any(|given| given == *name)).collect();
        (COLUMNS.missing)(&present).map(|at| COLUMNS.names[at])
    };
    assert_eq!(missing("record_ref card_id card_product_id consumer_id card"), None);
    assert_eq!(missing("record_ref card_id card_product_id consumer_id pan expiry"), None);
    assert_eq!(
        missing("record_ref card_id card_product_id consumer_id card pan expiry state event_status action"),
        None
    );
    assert_eq!(missing("record_ref action card_id"), None, "a file of deletions");
    assert_eq!(missing("record_ref card_id"), Some("card_product_id"));
    assert_eq!(missing("record_ref action card_id consumer_id"), Some("card_product_id"));
    assert_eq!(missing("record_ref card_id card_product_id consumer_id"), Some("card"));
    assert_eq!(missing("record_ref card_id card_product_id consumer_id pan"), Some("expiry"));
    assert_eq!(missing("record_ref card_id card_product_id consumer_id card expiry"), Some("pan"));
    assert_eq!(missing("action card_id"), Some("record_ref"));
    assert_eq!(missing("record_ref action"), Some("card_id"));
}

#[test]
fn says_what_each_field_must_be() {
    let view = &DEFINITION.view;
    assert_eq!(view.expected.len(), view.field_names.len());
    let said = |code, column: u8, expected: &str| {
        let text = describe(code, view.service, view.field(column));
        assert!(text.contains(expected), "{text}");
    };
    said(Code::FieldInvalid, column::ACTION, "expected is REGISTER, TOKENIZED, ORDERED or DELETE.");
    said(Code::FieldMissing, column::EVENT_STATUS, "with the action TOKENIZED the event's status");
    said(Code::FieldInvalid, column::EVENT_STATUS, "an empty one with any action but TOKENIZED");
    said(Code::FieldMissing, column::CARD, "expected is pan and expiry, or in their place a compact JWE");
    said(Code::PanLuhn, column::CARD, "holds a PAN of 11 to 19 digits that passes Luhn.");
    said(Code::FieldInvalid, column::PAN, "an empty one beside card and with the action DELETE");
}
