//! Cron schedules of six fields, in a time zone.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use cron::TimeUnitSpec;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A cron schedule: second, minute, hour, day of the month, month, weekday; weekdays by name.
///
/// A time that exists twice because clocks go back comes twice, so that what comes every few minutes goes on through
/// the repeated hour. Times that do not exist because clocks go forward come once, together, when they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    cron: cron::Schedule,
}

impl Schedule {
    /// Reads `second minute hour day-of-month month weekday`; the error is a sentence without a full stop.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [_, _, _, _, _, weekdays] = fields[..] else {
            return Err(format!(
                "a schedule has six fields (second, minute, hour, day of the month, month, weekday), not {}",
                fields.len()
            ));
        };
        if weekdays.bytes().any(|byte| byte.is_ascii_digit()) {
            return Err(format!(
                "weekdays are written by name, such as Mon-Fri, not \"{weekdays}\": their numbers mean different days \
                 to different programs"
            ));
        }
        let cron = cron::Schedule::from_str(&fields.join(" ")).map_err(|_| mistake(&fields))?;
        let schedule = Self { cron };
        match schedule.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC) {
            Some(_) => Ok(schedule),
            None => Err(format!("the schedule \"{text}\" never comes")),
        }
    }

    /// The first instant after `after` at which it is due, or `None` past the year 2100.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut changes = zone.following(after);
        let mut offset = i64::from(zone.to_offset(after).seconds());
        // The cron is asked for civil times, between two changes of the zone's offset at once.
        let mut civil = floor_second(after) + offset;
        loop {
            let due = self.next_civil(civil)?;
            let Some(change) = changes.next() else { return instant(due - offset) };
            let at = change.timestamp().as_second();
            if due - offset < at {
                return instant(due - offset);
            }
            let changed = i64::from(change.offset().seconds());
            if due < at + changed {
                // In the gap: the civil times from `at + offset` up to `at + changed` do not exist.
                return instant(at);
            }
            offset = changed;
            civil = at + offset - 1;
        }
    }

    /// The first instant at which it is due on a day, or `None` if it is not due on it.
    pub fn first_on(&self, day: Date, zone: &TimeZone) -> Option<Timestamp> {
        let start = day.to_zoned(zone.clone()).ok()?.timestamp();
        let before = start.checked_sub(jiff::Span::new().nanoseconds(1)).ok()?;
        let due = self.next(before, zone)?;
        (zone.to_datetime(due).date() == day).then_some(due)
    }

    /// Whether it is due at one time of day only.
    pub fn is_once_a_day(&self) -> bool {
        [self.cron.seconds().count(), self.cron.minutes().count(), self.cron.hours().count()] == [1, 1, 1]
    }

    /// The first civil time after one that the cron names; both in seconds, as if the zone were UTC.
    fn next_civil(&self, after: i64) -> Option<i64> {
        let after = DateTime::<Utc>::from_timestamp(after, 0)?;
        self.cron.after(&after).next().map(|due| due.timestamp())
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.cron.source())
    }
}

/// Which field it is that cannot be read: each is tried among fields that can.
fn mistake(fields: &[&str]) -> String {
    const NAMES: [&str; 6] = ["second", "minute", "hour", "day of the month", "month", "weekday"];
    for (at, (field, name)) in fields.iter().zip(NAMES).enumerate() {
        let mut alone = ["*"; 6];
        if let Some(place) = alone.get_mut(at) {
            *place = field;
        }
        if cron::Schedule::from_str(&alone.join(" ")).is_err() {
            return format!("cannot read \"{field}\" as the {name} of a schedule");
        }
    }
    "this is not a schedule".to_owned()
}

fn floor_second(at: Timestamp) -> i64 {
    // The parts of a second of a time before 1970 are negative.
    if at.subsec_nanosecond() < 0 { at.as_second() - 1 } else { at.as_second() }
}

fn instant(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}
