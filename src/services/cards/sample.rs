//! Synthetic records.

use crate::model::Code;
use crate::services::sample::{self, Mistake, Sampling, Source};

/// Cards told of plainly, some by events, and what can be wrong with one.
pub(super) const SAMPLING: Sampling = Sampling {
    good,
    mistakes: |_| {
        let mut all = Mistake::of_pan::<8>().to_vec();
        all.extend([
            Mistake::new(Code::FieldInvalid, |_, _, cells| cells[6] = "BLOCKED".into()),
            Mistake::new(Code::ExpiryInvalid, |_, _, cells| cells[9] = "1330".into()),
            Mistake::new(Code::CardExpired, |_, _, cells| cells[9] = "0120".into()),
            Mistake::new(Code::CardIdDerived, |_, _, cells| cells[3] = cells[8].clone()),
            Mistake::new(Code::ProductUnknown, |_, _, cells| cells[4] = "NO-SUCH-PRODUCT".into()),
            Mistake::new(Code::EventIgnored, |_, _, cells| {
                cells[1] = "TOKENIZED".into();
                cells[2] = "DECLINED".into();
            }),
            Mistake::new(Code::CardIdInUse, |source, _, cells| cells[3] = source.id("card", 0)),
            Mistake::new(Code::AlreadyRegistered, |source, n, cells| {
                *cells = good(source, 0);
                cells[0] = sample::record_ref(n);
            }),
            Mistake::new(Code::NotRegistered, |source, n, cells| {
                *cells = vec![String::new(); 10];
                cells[0] = sample::record_ref(n);
                cells[1] = "DELETE".into();
                cells[3] = source.id("none", n);
            }),
        ]);
        all
    },
    of_one_range: false,
};

fn good(source: &Source, n: u64) -> Vec<String> {
    let (action, event_status) = match n % 5 {
        3 => ("TOKENIZED", "SUCCESS"),
        4 => ("ORDERED", ""),
        _ => ("REGISTER", ""),
    };
    vec![
        sample::record_ref(n),
        action.into(),
        event_status.into(),
        source.id("card", n),
        source.product(n),
        // Some have two cards.
        source.id("consumer", n - n % 3 / 2),
        "ACTIVE".into(),
        String::new(),
        source.numbers.pan(n),
        Source::expiry(n),
    ]
}
