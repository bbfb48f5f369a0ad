//! The records of a sample: good ones, and between them every mistake that a file alone can show.

use std::collections::BTreeMap;

use crate::model::Code;
use crate::services::sample::{Mistake, Sampling, Source};

/// What is made.
pub(in crate::cli) struct Plan {
    pub(in crate::cli) sampling: &'static Sampling,
    pub(in crate::cli) source: Source,
    pub(in crate::cli) records: u64,
    pub(in crate::cli) bad_percent: u64,
}

impl Plan {
    fn is_bad(&self, n: u64) -> bool {
        n > 0 && n < self.records && (n + 1) * self.bad_percent / 100 > n * self.bad_percent / 100
    }

    /// Which of the mistakes the n-th record shows; spread evenly, and never the first.
    fn mistake(&self, n: u64, mistakes: &[Mistake]) -> Option<Mistake> {
        if !self.is_bad(n) || mistakes.is_empty() {
            return None;
        }
        let from = usize::try_from(n * self.bad_percent / 100 % mistakes.len() as u64).unwrap_or(0);
        let fits = |mistake: &&Mistake| !mistake.after_good || (!n.is_multiple_of(100) && !self.is_bad(n - 1));
        mistakes.iter().cycle().skip(from).take(mistakes.len()).find(fits).copied()
    }

    /// The cells of every record, in order.
    pub(in crate::cli) fn records(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        let mistakes = (self.sampling.mistakes)(&self.source);
        (0..self.records).map(move |n| {
            let mut cells = (self.sampling.good)(&self.source, n);
            if let Some(mistake) = self.mistake(n, &mistakes) {
                (mistake.make)(&self.source, n, &mut cells);
            }
            cells
        })
    }

    /// How many records will be answered with each code.
    pub(in crate::cli) fn codes(&self) -> BTreeMap<Code, u64> {
        let mistakes = (self.sampling.mistakes)(&self.source);
        let mut codes = BTreeMap::new();
        for mistake in (0..self.records).filter_map(|n| self.mistake(n, &mistakes)) {
            *codes.entry(mistake.code).or_default() += 1;
        }
        codes
    }
}
