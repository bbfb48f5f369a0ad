use std::sync::Arc;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::model::Timestamp;
use crate::services::click_to_pay::CardObject;
use crate::services::reference::CardProducts;
use crate::vault::{IssuerKeys, KeyEncryptionKey, KeyPurpose};

fn with() -> Arc<With> {
    let kek = KeyEncryptionKey::from_hex("a".repeat(64).as_bytes()).unwrap();
    let wrapped: Vec<_> =
        KeyPurpose::ALL.map(|purpose| kek.wrap_new("ACME", purpose, 1, &Zeroizing::new([3; 44]))).into();
    let products = b"issuer,card_product_id,scheme,tokenization_eligible\nACME,gold,MC,true\nACME,plain,MC,false\n";
    Arc::new(With {
        received_at: Timestamp::parse("2026-11-20T01:30:00Z").unwrap(),
        products: CardProducts::parse(products).unwrap().for_issuer("ACME"),
        keys: Arc::new(IssuerKeys::open(&kek, "ACME", &wrapped).unwrap()),
        enroll: None,
    })
}

fn contract(pan: i64, product: &str, status: Status, expiry: &str) -> Fetched {
    let expiry = Expiry::parse(expiry.as_bytes()).unwrap();
    Fetched::Found(
        Box::new(Contract { pan_id: pan, masked: Masked::NONE, expiry, product: product.into(), status }),
        None,
    )
}

fn ask(with: &Arc<With>, ordinal: u8, consumer: u8, fetched: Fetched) -> Ask {
    Ask {
        contract_id: "C".into(),
        consumer: [consumer; 16],
        card: Arc::new(CardObject::default()),
        src_consumer_id: [100 + ordinal; 16],
        src_digital_card_id: [ordinal; 16],
        row: i64::from(ordinal),
        with: Arc::clone(with),
        fetched,
    }
}

fn good(pan: i64) -> Fetched {
    contract(pan, "gold", Status::Active, "1126")
}

#[test]
fn what_is_declined_makes_nothing_and_what_is_enrolled_stays() {
    let with = with();
    let asks = [
        ask(&with, 0, 1, Fetched::Unknown),
        ask(&with, 1, 1, contract(1, "plain", Status::Blocked, "1026")),
        ask(&with, 2, 1, contract(1, "nothing", Status::Active, "1126")),
        ask(&with, 3, 1, contract(1, "gold", Status::Inactive, "1026")),
        ask(&with, 4, 1, contract(1, "gold", Status::Active, "1026")),
        ask(&with, 5, 1, good(1)),
        ask(&with, 6, 1, good(2)),
        ask(&with, 7, 2, good(1)),
        ask(&with, 8, 1, good(1)),
        // What was enrolled stays so, whatever has become of the contract.
        ask(&with, 9, 1, contract(1, "plain", Status::Closed, "1026")),
        ask(&with, 10, 3, Fetched::NotAsked),
    ];
    let (changes, difference) = fold(&Register::default(), asks.iter());
    let consumer =
        |ordinal: u8| Consumer { row: ordinal.into(), id: [100 + ordinal; 16], added_at: with.received_at.0 };
    let enrolled = |by: u8, card: u8| Enrolled {
        consumer: consumer(by),
        card: Enrolment { id: [card; 16], created_at: with.received_at.0 },
    };
    let expected = [
        Change::Unknown,
        Change::Declined(Code::ProductIneligible),
        Change::Declined(Code::ProductIneligible),
        Change::Declined(Code::ContractInactive),
        Change::Declined(Code::CardExpired),
        Change::Enrolled(enrolled(5, 5)),
        Change::Enrolled(enrolled(5, 6)),
        Change::Enrolled(enrolled(7, 7)),
        Change::Already(enrolled(5, 5)),
        Change::Already(enrolled(5, 5)),
        Change::NotAsked,
    ];
    assert_eq!(changes, expected);
    assert_eq!((difference.consumers.len(), difference.enrolments.len()), (2, 3));
}

proptest! {
    #[test]
    fn groups_of_any_size_give_what_single_records_give(
        script in prop::collection::vec((0_u8..3, 0_i64..3, any::<bool>()), 1..40),
        cut in 1_usize..40,
    ) {
        let with = with();
        let asks: Vec<Ask> = (0_u8..).zip(&script).map(|(ordinal, (consumer, pan, eligible))| {
            let fetched = if *eligible { good(*pan) } else { contract(*pan, "plain", Status::Active, "1126") };
            ask(&with, ordinal, *consumer, fetched)
        }).collect();
        let run = |size: usize| {
            let mut register = Register::default();
            let mut all = Vec::new();
            for group in asks.chunks(size) {
                let (changes, difference) = fold(&register, group.iter());
                all.extend(changes);
                for new in difference.consumers {
                    assert!(register.consumers.insert(new.key, new.consumer).is_none(), "a consumer is made once");
                }
                for (consumer, pan, card) in difference.enrolments {
                    assert!(register.enrolments.insert((consumer, pan), card).is_none(), "a card is enrolled once");
                }
            }
            all
        };
        prop_assert_eq!(run(cut), run(1));
    }
}
