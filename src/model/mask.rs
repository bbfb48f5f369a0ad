//! The one truncation of a PAN used everywhere (PCI DSS 3.4.1: at most first six and last four).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A truncated PAN: what may be shown of it. Displays as `230377******2342`, `*******1234` or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masked {
    /// Digits the PAN had; 0 where there is nothing to show.
    pub digits: u8,
    /// First six digits as a number, shown for 15 to 19 digits only.
    pub bin6: u32,
    /// Last four digits as a number.
    pub last4: u16,
}

impl Masked {
    /// Nothing to show.
    pub const NONE: Self = Self { digits: 0, bin6: 0, last4: 0 };

    /// Truncates ASCII digits; anything but 11 to 19 of them shows nothing.
    pub fn of_digits(pan: &[u8]) -> Self {
        let number = |part: &[u8]| part.iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(digit.wrapping_sub(b'0')));
        match u8::try_from(pan.len()) {
            Ok(digits @ 11..=19) if pan.iter().all(u8::is_ascii_digit) => Self {
                digits,
                bin6: if digits >= 15 { number(&pan[..6]) } else { 0 },
                last4: u16::try_from(number(&pan[pan.len() - 4..])).unwrap_or(0),
            },
            _ => Self::NONE,
        }
    }

    /// What [`Display`](fmt::Display) writes, put into `room`: reports write a million of them.
    pub fn text<'a>(&self, room: &'a mut [u8; 19]) -> &'a [u8] {
        let digits = usize::from(self.digits);
        if !(11..=19).contains(&digits) {
            return &[];
        }
        let text = &mut room[..digits];
        text.fill(b'*');
        if digits >= 15 {
            decimal(&mut text[..6], self.bin6);
        }
        decimal(&mut text[digits - 4..], u32::from(self.last4));
        text
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(std::str::from_utf8(self.text(&mut [0; 19])).unwrap_or_default())
    }
}

/// Fills `room` with the last digits of `number`.
fn decimal(room: &mut [u8], mut number: u32) {
    for place in room.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_first_six_and_last_four_of_long_numbers_and_last_four_of_short_ones() {
        assert_eq!(Masked::of_digits(b"2303770003322342").to_string(), "230377******2342");
        assert_eq!(Masked::of_digits(b"0000001234567890123").to_string(), "000000*********0123");
        assert_eq!(Masked::of_digits(b"12345678901").to_string(), "*******8901");
        assert_eq!(Masked::of_digits(b"1234567890").to_string(), "");
        assert_eq!(Masked::of_digits(b"12345678901234").to_string(), "**********1234");
        assert_eq!(Masked::of_digits(b"123456789012345").to_string(), "123456*****2345");
        assert_eq!(Masked::of_digits(b"5.23E+1500000000").to_string(), "");
        assert_eq!(Masked { digits: 20, bin6: 1, last4: 1 }.to_string(), "");
    }
}
