//! Synthetic records.

use crate::model::Code;
use crate::services::sample::{self, FOREIGN, Mistake, Sampling};

/// PANs of one list.
const LIST_PANS: u64 = 100;

/// A list for each hundred PANs, and what can be wrong with a PAN, or with the request that brings it alone.
pub(super) const SAMPLING: Sampling = Sampling {
    good: |source, n| {
        vec![
            sample::record_ref(n),
            "REGISTER".into(),
            String::new(),
            format!("Sample {} list {}", source.seed % 1_000_000, n / LIST_PANS + 1),
            source.range.0.clone(),
            source.range.1.clone(),
            source.numbers.pan(n),
        ]
    },
    mistakes: |_| {
        // The last of a PAN's mistakes is to be absent: a request without PANs may be right.
        let mut all = Mistake::of_pan::<6>()[..4].to_vec();
        all.extend([
            Mistake::new(Code::PanOutOfRange, |_, _, cells| cells[6] = FOREIGN.into()),
            Mistake {
                code: Code::DuplicateInFile,
                make: |source, n, cells| cells[6] = source.numbers.pan(n.saturating_sub(1)),
                after_good: true,
            },
            Mistake::new(Code::FieldMissing, |_, _, cells| cells[3].clear()),
            Mistake::new(Code::FieldInvalid, |_, _, cells| {
                cells[2] = "12".into();
                cells[3].clear();
            }),
            Mistake::new(Code::ListNameInvalid, |_, _, cells| cells[3].push('!')),
            Mistake::new(Code::ListUnknown, |_, _, cells| {
                // No id that is given out begins with 0.
                cells[2] = "012345678901234567".into();
                cells[3].clear();
                cells[4].clear();
                cells[5].clear();
            }),
            Mistake::new(Code::RangeInvalid, |_, _, cells| cells[4] = "23".into()),
            Mistake::new(Code::RangeUnknown, |_, _, cells| {
                cells[4] = "41111111110".into();
                cells[5] = "41111111119".into();
            }),
            Mistake::new(Code::PansOrRangeMissing, |_, _, cells| cells[4..].iter_mut().for_each(String::clear)),
        ]);
        all
    },
    of_one_range: true,
};
