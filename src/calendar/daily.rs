//! Reports' days: windows between two instants of a schedule that comes once a day.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Schedule;

/// Days between two that have a report, at most: a schedule may be for the 29th of February alone.
const DAYS_BETWEEN_MAX: i32 = 3_000;

/// When reports are made. Once a day, each covers the time from the one before; more often, each covers the day of the calendar
/// so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daily(Schedule);

/// What a report covers: from the instant of the one before to its own. Periods of reports that follow each other tile
/// time, whatever clocks do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant of the next.
    pub to: Timestamp,
}

impl Period {
    /// So many days of the calendar, from the first one's midnight on.
    pub fn of_days(first: Date, days: i8, zone: &TimeZone) -> Option<Self> {
        let midnight = |day: Date| Some(day.to_zoned(zone.clone()).ok()?.timestamp());
        let end = first.checked_add(jiff::Span::new().days(i64::from(days))).ok()?;
        Some(Self { from: midnight(first)?, to: midnight(end)? })
    }
}

impl Daily {
    /// A schedule of reports; the error is a sentence without a full stop.
    pub fn parse(text: &str) -> Result<Self, String> {
        Schedule::parse(text).map(Self)
    }

    /// Whether each report covers a day of the calendar so far, and not what came since the one before.
    pub fn covers_days(&self) -> bool {
        !self.0.is_once_a_day()
    }

    /// What the report of a day covers; `None` where the day has none. A time of day that comes twice counts once, and one
    /// that does not come is when the clocks go forward.
    pub fn period(&self, day: Date, zone: &TimeZone) -> Option<Period> {
        if self.covers_days() {
            return Period::of_days(day, 1, zone);
        }
        let to = self.0.first_on(day, zone)?;
        let from = before(day).find_map(|day| self.0.first_on(day, zone))?;
        Some(Period { from, to })
    }

    /// The newest day whose report is due by `now`.
    pub fn newest_due(&self, now: Timestamp, zone: &TimeZone) -> Option<Date> {
        let day = zone.to_datetime(now).date().tomorrow().ok()?;
        before(day).find(|day| self.0.first_on(*day, zone).is_some_and(|at| at <= now))
    }

    /// What the reports of a month's days cover together.
    pub fn month(&self, first: Date, zone: &TimeZone) -> Option<Period> {
        let days = || first.series(jiff::Span::new().days(1)).take_while(move |day| day.month() == first.month());
        let periods: Vec<Period> = days().filter_map(|day| self.period(day, zone)).collect();
        Some(Period { from: periods.first()?.from, to: periods.last()?.to })
    }

    /// When the first report after `now` is due.
    pub fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        self.0.next(now, zone)
    }
}

/// The days before one, the nearest first.
fn before(day: Date) -> impl Iterator<Item = Date> {
    let reach = usize::try_from(DAYS_BETWEEN_MAX).unwrap_or(0);
    day.series(jiff::Span::new().days(-1)).skip(1).take(reach)
}
