//! Durations and byte sizes: the unit stands in the value.

use std::time::Duration;

use super::reader::Value;

/// Longer than anything waits, and short enough to be added to any time.
const DURATION_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);

/// A duration between bounds.
pub(super) fn duration(value: &Value<'_>, low: Duration) -> Option<Duration> {
    let text = match value.integer() {
        Some(_) => "", // A bare number has no unit, whatever it is.
        None => value.raw()?,
    };
    let found = value.checked(
        parse_duration(text)
            .ok_or("expected a duration with its unit: ms, s, m, h or d, such as \"250ms\", \"5s\" or \"10m\""),
    )?;
    let inside = (low..=DURATION_MAX).contains(&found);
    value.checked(
        inside
            .then_some(found)
            .ok_or_else(|| format!("must be from {}ms to {}d", low.as_millis(), DURATION_MAX.as_secs() / 86_400)),
    )
}

/// Digits and one unit. `None` for anything else.
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|it: char| !it.is_ascii_digit())?;
    let count: u64 = text[..digits].parse().ok()?;
    let seconds = |each: u64| count.checked_mul(each).map(Duration::from_secs);
    match &text[digits..] {
        "ms" => Some(Duration::from_millis(count)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3_600),
        "d" => seconds(86_400),
        _ => None,
    }
}

/// A number of bytes between bounds.
pub(super) fn bytes(value: &Value<'_>, low: u64, high: u64) -> Option<u64> {
    let found = match value.integer() {
        Some(count) => u64::try_from(count).ok(),
        None => parse_bytes(value.raw()?),
    };
    let found = value
        .checked(found.ok_or(
            "expected a number of bytes with its unit: KiB, MiB, GiB, TiB, kB, MB, GB or TB, such as \"64KiB\"",
        ))?;
    let inside = (low..=high).contains(&found);
    value.checked(
        inside.then_some(found).ok_or_else(|| format!("must be from {} to {}", show_bytes(low), show_bytes(high))),
    )
}

/// Digits and at most one unit. `None` for anything else, and for what 64 bits do not hold.
fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let count: u64 = text[..digits].parse().ok()?;
    let unit: u64 = match text[digits..].trim_start_matches(' ').to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    count.checked_mul(unit)
}

/// The shortest exact way to write it.
fn show_bytes(count: u64) -> String {
    [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)]
        .into_iter()
        .find(|(_, shift)| count >= 1 << shift && count.trailing_zeros() >= *shift)
        .map_or_else(|| format!("{count}B"), |(unit, shift)| format!("{}{unit}", count >> shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_one_of_five_units() {
        for (text, expected) in [
            ("0s", Some(0)),
            ("250ms", Some(250)),
            ("5s", Some(5_000)),
            ("10m", Some(600_000)),
            ("2h", Some(7_200_000)),
            ("90d", Some(7_776_000_000)),
            ("5", None),
            ("s", None),
            ("", None),
            ("-5s", None),
            ("+5s", None),
            ("1.5s", None),
            ("5 s", None),
            ("5S", None),
            ("1h30m", None),
            ("5us", None),
            ("5\u{b5}s", None),
            ("99999999999999999999d", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(parse_duration(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn bytes_are_binary_or_decimal_as_their_unit_says() {
        for (text, expected) in [
            ("0", Some(0)),
            ("17", Some(17)),
            ("17B", Some(17)),
            ("64KiB", Some(65_536)),
            ("64kib", Some(65_536)),
            ("8 MiB", Some(8 << 20)),
            ("8GiB", Some(8 << 30)),
            ("1TiB", Some(1 << 40)),
            ("64kB", Some(64_000)),
            ("1GB", Some(1_000_000_000)),
            ("64K", None),
            ("-1KiB", None),
            ("1.5GiB", None),
            ("KiB", None),
            ("", None),
            ("99999999999TiB", None),
        ] {
            assert_eq!(parse_bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_as_they_would_be_written() {
        for count in [1, 1023, 1 << 10, 65_536, 1_000_000, 3 << 30, 1 << 40] {
            assert_eq!(parse_bytes(&show_bytes(count)), Some(count));
        }
        assert_eq!(show_bytes(3 << 30), "3GiB");
    }
}
