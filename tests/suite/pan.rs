//! Synthetic card numbers: Luhn-valid, of a chosen range, made from a seed, no two alike.

/// The range that the account ranges give to ACME for payment-cards.
pub(crate) const ACME: &str = "230377";
/// The range that they give to OTHER.
pub(crate) const OTHER: &str = "230378";
/// A range that they give to every issuer.
pub(crate) const SHARED: &str = "230379";
/// A range of nobody's.
pub(crate) const NOBODY: &str = "555555";

/// `count` different 16-digit PANs beginning with `prefix`.
pub(crate) fn pans(prefix: &str, seed: u64, count: u64) -> Vec<String> {
    (0..count).map(|n| pan(prefix, seed, n)).collect()
}

/// The `n`th PAN of a seed. Two seeds share none as long as each makes fewer than a million.
pub(crate) fn pan(prefix: &str, seed: u64, n: u64) -> String {
    assert_eq!(prefix.len(), 6, "a prefix of six digits leaves nine and a check digit");
    assert!(seed < 1000 && n < 1_000_000, "beyond this, seeds would share PANs");
    // Multiplying by a number coprime to 10^9 spreads neighbours over the range and keeps them apart.
    let body = ((seed * 1_000_000 + n) * 387_420_489) % 1_000_000_000;
    let fifteen = format!("{prefix}{body:09}");
    let check = (10 - luhn_sum(&fifteen) % 10) % 10;
    format!("{fifteen}{check}")
}

/// The same number with its last digit wrong.
pub(crate) fn wrong_check_digit(pan: &str) -> String {
    let (head, last) = pan.split_at(pan.len() - 1);
    format!("{head}{}", (last.parse::<u32>().unwrap() + 1) % 10)
}

/// The Luhn sum of digits that lack their check digit.
fn luhn_sum(digits: &str) -> u32 {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    digits
        .chars()
        .rev()
        .map(|c| c.to_digit(10).unwrap())
        .enumerate()
        .fold(0, |sum, (at, digit)| sum + if at % 2 == 0 { doubled(digit) } else { digit })
}

#[test]
fn the_generator_agrees_with_published_numbers() {
    for published in ["2303770003322342", "5555555555554444", "4111111111111111"] {
        let (head, last) = published.split_at(15);
        assert_eq!((10 - luhn_sum(head) % 10) % 10, last.parse::<u32>().unwrap());
    }
    let some = pans(ACME, 1, 5000);
    let mut apart = some.clone();
    apart.sort();
    apart.dedup();
    assert_eq!(some.len(), apart.len());
}
