//! The windows in which a feed's files are expected.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::Weekdays;

/// Where and when days are counted: a time zone, and the days on which no file is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The zone of all times of day.
    pub zone: TimeZone,
    /// Days that have no night: no file is expected in the window that would end on one.
    pub holidays: BTreeSet<Date>,
}

/// That a feed's files come, and by when: `count` of them between `from` and `by`, in the night that ends on each of
/// `days`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// When the window begins; on the day before where it is not earlier than `by`.
    pub from: Time,
    /// When a file that has not been accepted is missing.
    pub by: Time,
    /// The days on which a window ends.
    pub days: Weekdays,
    /// How many files come in each.
    pub count: u32,
}

/// One window. It owns what is accepted from `from` until `until`, where the next one begins: a file that comes after
/// `by` is late and clears its own night's alarm, and it never counts for the next night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The day on which it ends, and by which it is called.
    pub day: Date,
    /// Its first instant.
    pub from: Timestamp,
    /// From this instant on a file is missing.
    pub by: Timestamp,
    /// The first instant of the next window, on whatever later day that is.
    pub until: Timestamp,
}

// Windows come at least once a week, unless a list of holidays leaves weeks out.
const LOOK_AHEAD_DAYS: i32 = 400;

impl Expected {
    /// The window that owns an instant: the last that begins at or before it. `None` before the first there is.
    pub fn window_at(&self, at: Timestamp, calendar: &Calendar) -> Option<Window> {
        // A window that ends tomorrow may have begun today.
        let day = calendar.zone.to_datetime(at).date().tomorrow().ok()?;
        let day = days_from(day, -1).find(|day| self.begins(*day, calendar).is_some_and(|from| from <= at))?;
        self.window(day, calendar)
    }

    /// The window that ends on a day, or `None` if none does.
    pub fn window(&self, day: Date, calendar: &Calendar) -> Option<Window> {
        let from = self.begins(day, calendar)?;
        let by = instant(day, self.by, &calendar.zone, Twice::Last)?;
        let until =
            days_from(day.tomorrow().ok()?, 1).find_map(|next| self.begins(next, calendar)).unwrap_or(Timestamp::MAX);
        Some(Window { day, from, by: by.max(from), until })
    }

    /// The windows whose `by` lies after `after` and not after `upto`, in order.
    pub fn ended_between(&self, after: Timestamp, upto: Timestamp, calendar: &Calendar) -> Vec<Window> {
        let first = calendar.zone.to_datetime(after).date();
        let last = calendar.zone.to_datetime(upto).date();
        // Clocks that go back over midnight may have an instant on either day.
        let Ok(first) = first.yesterday() else { return Vec::new() };
        let days = first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last);
        days.filter_map(|day| self.window(day, calendar))
            .filter(|window| after < window.by && window.by <= upto)
            .collect()
    }

    /// The first end of a window after an instant.
    pub fn next_end(&self, after: Timestamp, calendar: &Calendar) -> Option<Timestamp> {
        let day = calendar.zone.to_datetime(after).date().yesterday().ok()?;
        days_from(day, 1).filter_map(|day| self.window(day, calendar)).map(|window| window.by).find(|by| *by > after)
    }

    /// When the window that ends on a day begins.
    fn begins(&self, day: Date, calendar: &Calendar) -> Option<Timestamp> {
        if !self.days.contains(day.weekday()) || calendar.holidays.contains(&day) {
            return None;
        }
        let begins = if self.from < self.by { day } else { day.yesterday().ok()? };
        instant(begins, self.from, &calendar.zone, Twice::First)
    }
}

/// Reads a time of day, `HH:MM`; the error is a sentence without a full stop.
pub fn time_of_day(text: &str) -> Result<Time, String> {
    let two = |digits: &str| match digits.as_bytes() {
        [b'0'..=b'9', b'0'..=b'9'] => digits.parse::<i8>().ok(),
        _ => None,
    };
    let time = text.split_once(':').and_then(|(hour, minute)| Time::new(two(hour)?, two(minute)?, 0, 0).ok());
    time.ok_or_else(|| format!("\"{text}\" is not a time of day; write it as 02:30, from 00:00 to 23:59"))
}

/// Which instant is meant by a time of day that exists twice.
#[derive(Clone, Copy)]
enum Twice {
    First,
    Last,
}

/// A time of day as an instant; one that does not exist is when the clocks go forward.
fn instant(day: Date, time: Time, zone: &TimeZone, twice: Twice) -> Option<Timestamp> {
    let civil = zone.to_ambiguous_timestamp(day.to_datetime(time));
    if let jiff::tz::AmbiguousOffset::Gap { .. } = civil.offset() {
        let before = civil.earlier().ok()?;
        return zone.following(before).next().map(|change| change.timestamp());
    }
    match twice {
        Twice::First => civil.earlier().ok(),
        Twice::Last => civil.later().ok(),
    }
}

fn days_from(day: Date, step: i32) -> impl Iterator<Item = Date> {
    let reach = usize::try_from(LOOK_AHEAD_DAYS).unwrap_or(0);
    day.series(jiff::Span::new().days(step)).take(reach)
}
