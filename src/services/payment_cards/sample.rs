//! Synthetic records.

use crate::model::Code;
use crate::services::sample::{self, FOREIGN, Mistake, Sampling};

/// Registrations, and what can be wrong with one.
pub(super) const SAMPLING: Sampling = Sampling {
    good: |source, n| {
        let currency = &source.currencies[usize::try_from(n % source.currencies.len() as u64).unwrap_or(0)];
        vec![sample::record_ref(n), "REGISTER".into(), source.numbers.pan(n), currency.clone(), String::new()]
    },
    mistakes: |source| {
        let mut all = Mistake::of_pan::<2>().to_vec();
        all.extend([
            Mistake::new(Code::FieldInvalid, |_, _, cells| cells[0].insert(0, '-')),
            Mistake::new(Code::CurrencyInvalid, |_, _, cells| cells[3] = "EURO".into()),
            Mistake::new(Code::BinUnsupported, |_, _, cells| cells[2] = FOREIGN.into()),
            Mistake::new(Code::DuplicateInFile, |source, _, cells| cells[2] = source.numbers.pan(0)),
        ]);
        if source.currencies_are_limited {
            all.push(Mistake::new(Code::CurrencyUnsupported, |_, _, cells| cells[3] = "XAF".into()));
        }
        // A request of the API can only register.
        if !source.requests {
            all.push(Mistake::new(Code::NotRegistered, |_, n, cells| {
                let unknown = "018f3c5e-7b1a-8000-8000-000000000000";
                *cells = vec![sample::record_ref(n), "DELETE".into(), String::new(), String::new(), unknown.to_owned()];
            }));
        }
        all
    },
    of_one_range: false,
};
