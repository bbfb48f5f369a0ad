use jiff::{SignedDuration, Timestamp, Zoned};
use proptest::prelude::*;

use super::{at, zone};
use crate::calendar::Schedule;

fn next_three(schedule: &str, after: &str, place: &str) -> Vec<String> {
    let (schedule, zone) = (Schedule::parse(schedule).unwrap(), zone(place));
    let mut after = at(after);
    let mut found = Vec::new();
    for _ in 0..3 {
        after = schedule.next(after, &zone).unwrap();
        found.push(Zoned::new(after, zone.clone()).strftime("%a %d %H:%M:%S%:z").to_string());
    }
    found
}

#[test]
fn goes_by_the_zones_clock() {
    let daily = next_three("0 0 6 * * *", "2026-07-01T04:00:00Z", "Europe/Paris");
    assert_eq!(daily, ["Thu 02 06:00:00+02:00", "Fri 03 06:00:00+02:00", "Sat 04 06:00:00+02:00"]);
    let weekdays = next_three("0 30 18 * * Mon,Fri", "2026-07-01T04:00:00Z", "America/New_York");
    assert_eq!(weekdays, ["Fri 03 18:30:00-04:00", "Mon 06 18:30:00-04:00", "Fri 10 18:30:00-04:00"]);
    let parts_of_a_second = next_three("* * * * * *", "2026-07-01T04:00:00.25Z", "UTC");
    assert_eq!(parts_of_a_second[0], "Wed 01 04:00:01+00:00");
}

#[test]
fn what_comes_every_few_minutes_goes_on_through_the_repeated_hour() {
    let polls = next_three("0 */20 * * * *", "2026-10-25T00:30:00Z", "Europe/Paris");
    assert_eq!(polls, ["Sun 25 02:40:00+02:00", "Sun 25 02:00:00+01:00", "Sun 25 02:20:00+01:00"]);
}

#[test]
fn a_time_in_the_gap_comes_once_when_the_clocks_go_forward() {
    let daily = next_three("0 30 2 * * *", "2026-03-28T12:00:00Z", "Europe/Paris");
    assert_eq!(daily, ["Sun 29 03:00:00+02:00", "Mon 30 02:30:00+02:00", "Tue 31 02:30:00+02:00"]);
    let polls = next_three("0 */20 * * * *", "2026-03-29T00:30:00Z", "Europe/Paris");
    assert_eq!(polls, ["Sun 29 01:40:00+01:00", "Sun 29 03:00:00+02:00", "Sun 29 03:20:00+02:00"]);
}

#[test]
fn the_first_instant_of_a_day() {
    let (paris, schedule) = (zone("Europe/Paris"), Schedule::parse("0 30 2 * * Mon-Fri,Sun").unwrap());
    let first = |day: &str| schedule.first_on(day.parse().unwrap(), &paris).map(|at| at.to_string());
    assert_eq!(first("2026-10-25").as_deref(), Some("2026-10-25T00:30:00Z"), "of two, the first");
    assert_eq!(first("2026-03-29").as_deref(), Some("2026-03-29T01:00:00Z"), "in the gap");
    assert_eq!(first("2026-10-24"), None, "a Saturday");
    let beirut = zone("Asia/Beirut");
    let midnight = Schedule::parse("0 0 0 * * *").unwrap();
    let gap = midnight.first_on("2026-03-29".parse().unwrap(), &beirut).unwrap();
    assert_eq!(gap.to_string(), "2026-03-28T22:00:00Z", "a day that begins at one o'clock");
}

#[test]
fn once_a_day() {
    assert!(Schedule::parse("0 0 6 * * Mon-Fri").unwrap().is_once_a_day());
    for more in ["0 0 6,18 * * *", "0 */5 6 * * *", "* 0 6 * * *"] {
        assert!(!Schedule::parse(more).unwrap().is_once_a_day(), "{more}");
    }
}

#[test]
fn refuses_what_others_would_read_differently() {
    let mistakes = [
        ("0 0 6 * * 1-5", "weekdays are written by name, such as Mon-Fri, not \"1-5\""),
        ("0 0 6 * * Mon-5", "weekdays are written by name"),
        ("0 0 6 * * */2", "weekdays are written by name"),
        ("0 6 * * *", "a schedule has six fields (second, minute, hour, day of the month, month, weekday), not 5"),
        ("0 0 6 * * Mon 2026", "not 7"),
        ("@daily", "not 1"),
        ("", "not 0"),
        ("0 61 6 * * *", "cannot read \"61\" as the minute of a schedule"),
        ("0 0 6 * * Mo", "cannot read \"Mo\" as the weekday of a schedule"),
        ("0 0 six * * *", "cannot read \"six\" as the hour of a schedule"),
        ("0 0 6 30 Feb *", "never comes"),
    ];
    for (text, says) in mistakes {
        let error = Schedule::parse(text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
}

/// A field of minutes or hours, with points and ranges below `small`: what is written, and the numbers that it names.
fn field(most: u32, small: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    prop_oneof![
        Just(("*".to_owned(), (0..most).collect())),
        (0..small).prop_map(|one| (one.to_string(), vec![one])),
        (2..most).prop_map(move |step| (format!("*/{step}"), (0..most).filter(|n| n % step == 0).collect())),
        (0..small, 0..small).prop_map(|(a, b)| {
            let (a, b) = (a.min(b), a.max(b));
            (format!("{a}-{b}"), (a..=b).collect())
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Against a walk from minute to minute around the nights on which clocks change.
    #[test]
    fn comes_when_a_walk_minute_by_minute_says(
        minutes in field(60, 60),
        hours in prop_oneof![3 => field(24, 4), 1 => field(24, 24)],
        weekday in prop_oneof![Just(("*", None)), Just(("Sun", Some(6))), Just(("Mon", Some(0)))],
        (place, night) in prop_oneof![
            Just(("Europe/Paris", "2026-03-28T18:00:00Z")),
            Just(("Europe/Paris", "2026-10-24T18:00:00Z")),
            Just(("America/New_York", "2026-03-08T00:00:00Z")),
            Just(("America/New_York", "2026-11-01T00:00:00Z")),
            Just(("Australia/Lord_Howe", "2026-04-04T08:00:00Z")),
            Just(("Australia/Lord_Howe", "2026-10-03T08:00:00Z")),
            Just(("Asia/Beirut", "2026-03-28T14:00:00Z")),
        ],
    ) {
        let schedule = Schedule::parse(&format!("0 {} {} * * {}", minutes.0, hours.0, weekday.0)).unwrap();
        let zone = zone(place);
        let start = at(night);
        let end = start + SignedDuration::from_hours(16);
        let named = |second: i64| {
            let civil = Timestamp::from_second(second).unwrap();
            let civil = jiff::tz::TimeZone::UTC.to_datetime(civil);
            minutes.1.contains(&u32::try_from(civil.minute()).unwrap())
                && hours.1.contains(&u32::try_from(civil.hour()).unwrap())
                && weekday.1.is_none_or(|day| day == civil.weekday().to_monday_zero_offset())
        };
        let offset = |at: Timestamp| i64::from(zone.to_offset(at).seconds());
        let mut walked = Vec::new();
        let mut minute = start + SignedDuration::from_mins(1);
        while minute <= end {
            let (before, now) = (offset(minute - SignedDuration::from_nanos(1)), offset(minute));
            let skipped = (before..now).step_by(60).any(|skipped| named(minute.as_second() + skipped));
            if skipped || named(minute.as_second() + now) {
                walked.push(minute);
            }
            minute += SignedDuration::from_mins(1);
        }
        let mut found = Vec::new();
        let mut after = start;
        while let Some(due) = schedule.next(after, &zone).filter(|due| *due <= end) {
            found.push(due);
            after = due;
        }
        prop_assert!(found == walked, "{} instead of {}", found.len(), walked.len());
    }
}
