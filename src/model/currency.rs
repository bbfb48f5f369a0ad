//! Which three letters name a currency that a card account can be kept in.

use std::sync::LazyLock;

use iso_currency::Currency;

/// The active codes in order: the crate compares one string after another, and every record has a currency.
static ACTIVE: LazyLock<Vec<[u8; 3]>> = LazyLock::new(|| {
    let letters = || b'A'..=b'Z';
    let all = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
    all.filter(|code| std::str::from_utf8(code).is_ok_and(is_listed)).collect()
});

/// Whether `code`, in capitals, is an active ISO 4217 code.
pub fn is_active(code: &[u8]) -> bool {
    <&[u8; 3]>::try_from(code).is_ok_and(|code| ACTIVE.binary_search(code).is_ok())
}

/// The crate's list is SIX's list one with withdrawn codes marked as superseded (HRK, BGN, SLL, ZWL, CUC; older ones
/// such as DEM are not in it at all). Two corrections: it marks VES as superseded by VED, but ISO 4217 lists both; and
/// XXX (no currency) and XTS (reserved for testing) are in the list but name no currency.
fn is_listed(code: &str) -> bool {
    match Currency::from_code(code) {
        None | Some(Currency::XXX | Currency::XTS) => false,
        Some(Currency::VES) => true,
        Some(currency) => currency.is_superseded().is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_codes_are_taken_and_withdrawn_or_unheard_of_ones_are_not() {
        for code in ["EUR", "USD", "CHF", "JPY", "KWD", "XOF", "XCG", "ZWG", "SLE", "VED", "VES", "UYW"] {
            assert!(is_active(code.as_bytes()), "{code}");
        }
        for code in [
            "HRK", "BGN", "DEM", "FRF", "LTL", "SLL", "ZWL", "CUC", "ANG", "XXX", "XTS", "ZZZ", "eur", "EU", "EURO", "",
        ] {
            assert!(!is_active(code.as_bytes()), "{code}");
        }
    }
}
