//! `[report]` and `expected`: when things are due.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use crate::calendar::{Calendar, Daily, Expected, Weekdays, time_of_day};

use super::reader::{Section, Value};

/// `[report] daily`.
pub(super) fn daily(it: &Section<'_>) -> Option<Daily> {
    it.optional("daily", |it| it.checked(Daily::parse(it.text()?)))
}

/// `[report] timezone` and `holidays`.
pub(super) fn calendar(it: &Section<'_>) -> Calendar {
    Calendar {
        zone: it.or("timezone", TimeZone::UTC, zone),
        holidays: it.or("holidays", BTreeSet::new(), |it| {
            it.list_or_nothing(|it| {
                let day = it.text()?.parse();
                it.checked(day.map_err(|_| "must be a day, such as \"2026-12-25\""))
            })
            .map(|days| days.into_iter().collect())
        }),
    }
}

fn zone(value: &Value<'_>) -> Option<TimeZone> {
    let name = value.text()?;
    let unknown = format!("\"{name}\" is no time zone; write one of the IANA database, such as \"Europe/Paris\"");
    value.checked(TimeZone::get(name).map_err(|_| unknown))
}

/// A feed's `expected`.
pub(super) fn expected(value: &Value<'_>) -> Option<Expected> {
    let section = value.section()?;
    let time = |it: &Value<'_>| it.checked(time_of_day(it.raw()?));
    let (from, by) = (section.required("from", time), section.required("by", time));
    let days = section.or("days", Weekdays::ALL, |it| it.checked(Weekdays::parse(it.raw()?)));
    let count = section.or("count", 1, |it| it.number(1, 1_000));
    section.refuse_unknown();
    Some(Expected { from: from?, by: by?, days, count })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::civil::{date, time};

    use super::*;
    use crate::config::{Config, EXAMPLE};

    fn parse(report: &str, expected: &str) -> Result<Config, Vec<String>> {
        let text = EXAMPLE.replace("timezone = \"UTC\"", report);
        let text = text.replace("allow_plaintext = false", &format!("allow_plaintext = false\n{expected}"));
        let parsed = Config::parse(&text, Path::new("/etc/nightdrop/nightdrop.toml"));
        parsed.map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nights_and_days_are_read() {
        let zone = "timezone = \"America/New_York\"";
        let config = parse(zone, "expected = { from = \"18:00\", by = \"02:30\" }").unwrap();
        assert_eq!(config.calendar.zone.iana_name(), Some("America/New_York"));
        let every = Expected { from: time(18, 0, 0, 0), by: time(2, 30, 0, 0), days: Weekdays::ALL, count: 1 };
        assert_eq!(config.feeds[0].expected, Some(every.clone()));
        let some = "expected = { from = \"18:00\", by = \"02:30\", days = \"Mon-Fri\", count = 3 }";
        let some = parse(zone, some).unwrap().feeds[0].expected.clone();
        assert_eq!(some, Some(Expected { days: Weekdays::parse("Mon-Fri").unwrap(), count: 3, ..every }));
        let text = EXAMPLE.replace("holidays = []", "holidays = [\"2026-12-25\", \"2027-01-01\"]");
        let config = Config::parse(&text, Path::new("/etc/nightdrop/nightdrop.toml")).unwrap();
        assert_eq!(config.calendar.holidays, [date(2026, 12, 25), date(2027, 1, 1)].into());
    }

    #[test]
    fn mistakes_are_said() {
        for (report, expected, says) in [
            ("timezone = \"Paris\"", "", "report.timezone: \"Paris\" is no time zone"),
            ("daily = \"0 0 6 * * 1-5\"", "", "report.daily: weekdays are written by name"),
            ("daily = \"0 6 * * *\"", "", "report.daily: a schedule has six fields"),
            ("timezones = \"UTC\"", "", "report.timezones: not a key of this version; did you mean `timezone`?"),
            ("", "expected = \"18:00\"", "feed[0].expected: expected a table, found a string"),
            ("", "expected = { by = \"02:30\" }", "feed[0].expected.from: required, but absent"),
            (
                "",
                "expected = { from = \"6pm\", by = \"02:30\" }",
                "feed[0].expected.from: \"6pm\" is not a time of day",
            ),
            (
                "",
                "expected = { from = \"18:00\", by = \"02:30\", days = \"1-5\" }",
                "feed[0].expected.days: \"1\" is not a weekday",
            ),
            (
                "",
                "expected = { from = \"18:00\", by = \"02:30\", count = 0 }",
                "feed[0].expected.count: must be from 1 to 1000",
            ),
            ("", "expected = { from = \"18:00\", by = \"02:30\", files = 2 }", "feed[0].expected.files: not a key"),
        ] {
            let problems = parse(report, expected).unwrap_err();
            assert!(problems.len() == 1 && problems[0].contains(says), "{report}{expected}: {problems:?}");
        }
        let text = EXAMPLE.replace("holidays = []", "holidays = [\"Christmas\"]");
        let problems = Config::parse(&text, Path::new("/etc/nightdrop/nightdrop.toml")).unwrap_err();
        assert!(problems[0].to_string().contains("report.holidays[0]: must be a day"), "{problems:?}");
    }
}
