//! Days of the week, by name.

use std::fmt;

use jiff::civil::Weekday;

const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A set of weekdays, such as `Mon-Fri`, `Sat,Sun` or `Fri-Mon`. Displays as names and ranges from Monday on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekdays([bool; 7]);

impl Weekdays {
    /// Every day.
    pub const ALL: Self = Self([true; 7]);

    /// Reads names and ranges with commas between them; case does not matter. The error is a sentence without a full
    /// stop.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut days = [false; 7];
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            let length = (last + 7 - first) % 7;
            for (day, named) in days.iter_mut().enumerate() {
                *named |= (day + 7 - first) % 7 <= length;
            }
        }
        Ok(Self(days))
    }

    /// Whether a day is one of them.
    pub fn contains(self, day: Weekday) -> bool {
        usize::try_from(day.to_monday_zero_offset()).ok().and_then(|day| self.0.get(day)).is_some_and(|named| *named)
    }
}

impl fmt::Display for Weekdays {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut run: Option<(&str, &str)> = None;
        for (name, named) in NAMES.iter().zip(self.0) {
            run = match (run, named) {
                (Some((first, _)), true) => Some((first, name)),
                (None, true) => Some((name, name)),
                (ended, false) => {
                    parts.extend(ended);
                    None
                }
            };
        }
        parts.extend(run);
        for (at, (first, last)) in parts.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            if first == last { write!(out, "{comma}{first}")? } else { write!(out, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}

fn number(name: &str) -> Result<usize, String> {
    let name = name.trim();
    NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)).ok_or_else(|| {
        format!(
            "\"{name}\" is not a weekday; they are Mon, Tue, Wed, Thu, Fri, Sat, Sun, with - for a range and , between"
        )
    })
}
