//! Synthetic card numbers of an issuer's ranges: Luhn-valid, no two alike, the same for the same seed.

use crate::services::luhn;

/// Digits of a card number before its check digit.
const BODY_DIGITS: usize = 15;

/// A source of numbers; the n-th is always the same.
pub struct Numbers {
    /// First bodies and how many there are, range by range.
    ranges: Vec<(u64, u64)>,
    size: u64,
    step: u64,
    offset: u64,
}

impl Numbers {
    /// From ranges as reference data gives them: bounds of 11 to 19 digits. `None` if no card of 16 digits lies in them.
    pub fn new<'a>(ranges: impl Iterator<Item = (&'a str, &'a str)>, seed: u64) -> Option<Self> {
        let ranges: Vec<(u64, u64)> = ranges.filter_map(|(low, high)| bodies(low, high)).collect();
        let size: u64 = ranges.iter().map(|(_, count)| count).sum();
        if size == 0 {
            return None;
        }
        // A step that shares no factor with the size meets every body once, in no obvious order.
        let step = (7_654_321..).find(|step| gcd(*step, size) == 1)?;
        Some(Self { ranges, size, step, offset: (seed % size).wrapping_mul(332_233) % size })
    }

    /// How many different numbers there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "there are always some")]
    pub const fn len(&self) -> u64 {
        self.size
    }

    /// The n-th.
    pub fn pan(&self, n: u64) -> String {
        let wide = u128::from(n % self.size) * u128::from(self.step) + u128::from(self.offset);
        let mut at = u64::try_from(wide % u128::from(self.size)).unwrap_or(0);
        for &(first, count) in &self.ranges {
            if at < count {
                return with_check_digit(first + at);
            }
            at -= count;
        }
        with_check_digit(self.ranges[0].0)
    }
}

/// The bodies all of whose ten endings lie in a range.
fn bodies(low: &str, high: &str) -> Option<(u64, u64)> {
    let padded = |bound: &str, with: char| -> Option<u64> {
        let filled: String = bound.chars().chain(std::iter::repeat(with)).take(BODY_DIGITS + 1).collect();
        filled.parse().ok()
    };
    let (low, high) = (padded(low, '0')?, padded(high, '9')?);
    let first = low.div_ceil(10);
    let count = ((high + 1) / 10).checked_sub(first)?;
    (count > 0).then_some((first, count))
}

fn with_check_digit(body: u64) -> String {
    let body = format!("{body:015}");
    (b'0'..=b'9')
        .map(|digit| format!("{body}{}", char::from(digit)))
        .find(|candidate| luhn(candidate.as_bytes()))
        .unwrap_or(body)
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_are_different_valid_and_in_their_ranges() {
        let ranges = [("2303770000000000000", "2303770000000009999"), ("51234567890", "51234567891")];
        let numbers = Numbers::new(ranges.into_iter(), 5).unwrap();
        let all: HashSet<String> = (0..numbers.len()).map(|n| numbers.pan(n)).collect();
        assert_eq!(all.len() as u64, numbers.len(), "each once");
        for pan in all {
            assert!(luhn(pan.as_bytes()) && pan.len() == 16, "{pan}");
            assert!(pan.starts_with("230377000000") || pan.starts_with("5123456789"), "{pan}");
        }
        assert!(Numbers::new([("2303770000000000000", "2303770000000000009")].into_iter(), 0).is_none());
        assert_ne!(Numbers::new(ranges.into_iter(), 6).unwrap().pan(0), numbers.pan(0), "the seed matters");
    }
}
