//! Synthetic records.

use crate::model::Code;
use crate::services::sample::{self, Mistake, Sampling, Source};

/// The id of the n-th contract of a sample. A sample of click-to-pay with the same seed names the same contracts.
pub(in crate::services) fn sample_contract_id(source: &Source, n: u64) -> String {
    source.id("C", n)
}

/// New contracts, good and in use, and what can be wrong with one.
pub(super) const SAMPLING: Sampling = Sampling {
    good,
    mistakes: |_| {
        let mut all = Mistake::of_pan::<2>().to_vec();
        all.extend([
            Mistake::new(Code::FieldInvalid, |_, _, cells| cells[5] = "STOPPED".into()),
            Mistake::new(Code::ExpiryInvalid, |_, _, cells| cells[3] = "1330".into()),
            Mistake::new(Code::ProductUnknown, |_, _, cells| cells[4] = "NO-SUCH-PRODUCT".into()),
            Mistake::new(Code::CardIdInUse, |source, _, cells| cells[1] = sample_contract_id(source, 0)),
            Mistake::new(Code::AlreadyRegistered, |source, n, cells| {
                *cells = good(source, 0);
                cells[0] = sample::record_ref(n);
            }),
        ]);
        all
    },
    of_one_range: false,
};

fn good(source: &Source, n: u64) -> Vec<String> {
    vec![
        sample::record_ref(n),
        sample_contract_id(source, n),
        source.numbers.pan(n),
        Source::expiry(n),
        source.product(n),
        "ACTIVE".into(),
    ]
}
