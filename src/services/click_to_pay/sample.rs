//! Synthetic records.

use crate::model::Code;
use crate::services::card_contracts::sample_contract_id;
use crate::services::sample::{self, Mistake, Sampling, Source};

/// Enrolments by the contracts that a sample of card-contracts with the same seed makes, and what can be wrong with one.
pub(super) const SAMPLING: Sampling = Sampling {
    good,
    mistakes: |_| {
        vec![
            Mistake::new(Code::FieldMissing, |_, _, cells| cells[5].clear()),
            Mistake::new(Code::FieldInvalid, |_, _, cells| cells[10] = "de_AT".into()),
            Mistake::new(Code::ContractUnknown, |source, n, cells| cells[1] = source.id("none", n)),
            Mistake::new(Code::AlreadyEnrolled, |source, n, cells| {
                *cells = good(source, 0);
                cells[0] = sample::record_ref(n);
            }),
        ]
    },
    of_one_range: false,
};

fn good(source: &Source, n: u64) -> Vec<String> {
    let mut cells = vec![String::new(); super::COLUMNS.names.len()];
    for (at, cell) in [
        (0, sample::record_ref(n)),
        (1, sample_contract_id(source, n)),
        (2, "5d0e1c7a-2f4b-4c6d-8e9f-0a1b2c3d4e5f".into()),
        (3, "SRC#1".into()),
        (5, format!("consumer.{}.{n}@example.com", source.seed % 1_000_000)),
        (8, "Sam".into()),
        (9, "Sample".into()),
        (10, "en-GB".into()),
        (11, "GB".into()),
        (12, "SAM SAMPLE".into()),
        (13, "1 Example Street".into()),
        (16, "London".into()),
        (19, "GB".into()),
        (20, "1.0".into()),
        (21, "1.0".into()),
        (22, "2026-01-01T00:00:00Z".into()),
    ] {
        cells[at] = cell;
    }
    cells
}
