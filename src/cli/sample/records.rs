//! The records of a sample: good ones, and between them every mistake that a file alone can show.

use std::collections::BTreeMap;

use crate::model::Code;

use super::numbers::Numbers;

/// A record of payment-cards before it is written in a format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Card {
    pub(super) record_ref: String,
    pub(super) action: &'static str,
    pub(super) pan: String,
    pub(super) currency: String,
    pub(super) card_id: &'static str,
}

/// A mistake, and the code that it is answered with.
type Mistake = (Code, fn(&Plan<'_>, u64, &mut Card));

/// What is made.
pub(super) struct Plan<'a> {
    pub(super) numbers: &'a Numbers,
    /// The issuer's currencies, at least one.
    pub(super) currencies: Vec<String>,
    /// Whether currencies beside those are refused.
    pub(super) currencies_are_limited: bool,
    pub(super) records: u64,
    pub(super) bad_percent: u64,
    /// Whether deletions can be written: JSON has none.
    pub(super) deletions: bool,
}

/// A number that is nobody's here: the one of the card schemes' documentation.
const FOREIGN: &str = "4111111111111111";

const MISTAKES: &[Mistake] = &[
    (Code::PanLuhn, |_, _, card| {
        let last = card.pan.pop().map_or('0', |digit| if digit == '9' { '0' } else { char::from(digit as u8 + 1) });
        card.pan.push(last);
    }),
    (Code::PanMangled, |_, _, card| card.pan = "5.23E+15".into()),
    (Code::PanFormat, |_, _, card| card.pan.insert(4, ' ')),
    (Code::PanLength, |_, _, card| card.pan.truncate(15)),
    (Code::FieldMissing, |_, _, card| card.pan.clear()),
    (Code::FieldInvalid, |_, _, card| card.record_ref.insert(0, '-')),
    (Code::CurrencyInvalid, |_, _, card| card.currency = "EURO".into()),
    (Code::BinUnsupported, |_, _, card| card.pan = FOREIGN.into()),
    // The first record of the file is always good.
    (Code::DuplicateInFile, |plan, _, card| card.pan = plan.numbers.pan(0)),
];
const NOT_ALLOWED: Mistake = (Code::CurrencyUnsupported, |_, _, card| card.currency = "XAF".into());
const UNKNOWN_CARD: Mistake = (Code::NotRegistered, |_, _, card| {
    *card = Card {
        record_ref: std::mem::take(&mut card.record_ref),
        action: "DELETE",
        card_id: "018f3c5e-7b1a-8000-8000-000000000000",
        ..Card::default()
    };
});

impl Plan<'_> {
    fn mistakes(&self) -> Vec<Mistake> {
        let mut all = MISTAKES.to_vec();
        if self.currencies_are_limited {
            all.push(NOT_ALLOWED);
        }
        if self.deletions {
            all.push(UNKNOWN_CARD);
        }
        all
    }

    /// Which of the mistakes the n-th record shows; spread evenly, and never the first.
    fn mistake(&self, n: u64, mistakes: &[Mistake]) -> Option<Mistake> {
        let before = n * self.bad_percent / 100;
        let is_bad = n > 0 && (n + 1) * self.bad_percent / 100 > before;
        let at = usize::try_from(before % mistakes.len() as u64).unwrap_or(0);
        is_bad.then(|| mistakes[at])
    }

    /// Every record in order.
    pub(super) fn cards(&self) -> impl Iterator<Item = Card> + '_ {
        let mistakes = self.mistakes();
        (0..self.records).map(move |n| {
            let currency = &self.currencies[usize::try_from(n % self.currencies.len() as u64).unwrap_or(0)];
            let mut card = Card {
                record_ref: format!("r-{}", n + 1),
                action: "REGISTER",
                pan: self.numbers.pan(n),
                currency: currency.clone(),
                card_id: "",
            };
            if let Some((_, make)) = self.mistake(n, &mistakes) {
                make(self, n, &mut card);
            }
            card
        })
    }

    /// How many records will be answered with each code.
    pub(super) fn codes(&self) -> BTreeMap<Code, u64> {
        let mistakes = self.mistakes();
        let mut codes = BTreeMap::new();
        for (code, _) in (0..self.records).filter_map(|n| self.mistake(n, &mistakes)) {
            *codes.entry(code).or_default() += 1;
        }
        codes
    }
}
