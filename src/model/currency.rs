//! Which three letters name a currency that a card account can be kept in.

use std::sync::LazyLock;

use iso_currency::Currency;

/// For each first and second letter the third letters of active codes, a bit each: the crate compares one string after another,
/// and every record has a currency.
static ACTIVE: LazyLock<[[u32; LETTERS]; LETTERS]> = LazyLock::new(|| {
    let mut active = [[0; LETTERS]; LETTERS];
    for (a, of_first) in (b'A'..).zip(&mut active) {
        for (b, thirds) in (b'A'..).zip(of_first) {
            let listed = |c: &u8| std::str::from_utf8(&[a, b, *c]).is_ok_and(is_listed);
            *thirds = (b'A'..=b'Z').filter(listed).fold(0, |thirds, c| thirds | 1 << (c - b'A'));
        }
    }
    active
});

const LETTERS: usize = 26;

/// Whether `code`, in capitals, is an active ISO 4217 code.
pub fn is_active(code: &[u8]) -> bool {
    let &[a, b, c] = code else { return false };
    let place = |letter: u8| usize::from(letter.wrapping_sub(b'A'));
    let thirds = ACTIVE.get(place(a)).and_then(|of_first| of_first.get(place(b)));
    thirds.is_some_and(|thirds| place(c) < LETTERS && thirds >> place(c) & 1 == 1)
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

    #[test]
    fn every_code_of_three_bytes_is_what_the_list_says() {
        for a in 0..=u8::MAX {
            for b in 0..=u8::MAX {
                for c in [0, b'@', b'A', b'D', b'F', b'Z', b'[', b'a', u8::MAX] {
                    let code = [a, b, c];
                    let listed = std::str::from_utf8(&code).is_ok_and(is_listed);
                    assert_eq!(is_active(&code), listed && code.iter().all(u8::is_ascii_uppercase), "{code:?}");
                }
            }
        }
    }
}
