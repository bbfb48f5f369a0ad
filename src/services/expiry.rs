//! A card's expiry: the month through whose last day it is good.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// A month of the years 2000 to 2099. Ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Expiry {
    year: u16,
    month: u8,
}

impl Expiry {
    /// Reads `MMYY`, which is of the year 20YY; `None` for anything else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let [a, b, c, d] = <[u8; 4]>::try_from(text).ok()?.map(|digit| digit.wrapping_sub(b'0'));
        if [a, b, c, d].iter().any(|digit| *digit > 9) {
            return None;
        }
        let month = a * 10 + b;
        (1..=12).contains(&month).then_some(Self { year: 2000 + u16::from(c * 10 + d), month })
    }

    /// Whether its last day was over at a time, in UTC.
    pub fn is_over(self, at: Timestamp) -> bool {
        // A time is written as `YYYY-MM-…`.
        let day = at.day();
        let part =
            |range: std::ops::Range<usize>| day.get(range).and_then(|text| text.parse::<u16>().ok()).unwrap_or(0);
        (self.year, u16::from(self.month)) < (part(0..4), part(5..7))
    }

    /// The year, of four digits.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// As one number, `YYYYMM`: what a store keeps.
    pub fn number(self) -> i64 {
        i64::from(self.year) * 100 + i64::from(self.month)
    }

    /// Reads that number back.
    pub fn from_number(number: i64) -> Option<Self> {
        let (year, month) = (u16::try_from(number / 100).ok()?, u8::try_from(number % 100).ok()?);
        ((2000..2100).contains(&year) && (1..=12).contains(&month)).then_some(Self { year, month })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_real_month() {
        for good in ["0100", "1299", "0930"] {
            let expiry = Expiry::parse(good.as_bytes()).unwrap();
            assert_eq!(Expiry::from_number(expiry.number()), Some(expiry));
        }
        assert_eq!(Expiry::parse(b"0931"), Some(Expiry { year: 2031, month: 9 }));
        for bad in ["", "0031", "1331", "931", "09/31", "0931 ", "O931", "2031", "093\u{0}"] {
            assert_eq!(Expiry::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!((Expiry::from_number(203_113), Expiry::from_number(-1)), (None, None));
    }

    #[test]
    fn is_good_through_its_last_day() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let expiry = Expiry::parse(b"1226").unwrap();
        assert!(!expiry.is_over(at("2026-12-31T23:59:59.999Z")));
        assert!(expiry.is_over(at("2027-01-01T00:00:00Z")));
        assert!(expiry.is_over(at("2026-12-31T23:30:00-01:00")), "the day is that of UTC");
        assert!(Expiry::parse(b"0126").unwrap().is_over(at("2026-12-01T00:00:00Z")));
    }
}
