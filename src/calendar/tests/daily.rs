use jiff::civil::{Date, date};

use super::{at, zone};
use crate::calendar::Daily;

#[test]
fn periods_tile_time_through_the_year() {
    for (place, schedule) in [
        ("Europe/Paris", "0 0 6 * * *"),
        ("Europe/Paris", "0 30 2 * * *"),
        ("America/New_York", "0 30 1 * * *"),
        ("Asia/Beirut", "0 0 0 * * *"),
        ("Australia/Lord_Howe", "0 45 1 * * Mon-Fri"),
    ] {
        let (zone, daily) = (zone(place), Daily::parse(schedule).unwrap());
        let mut before: Option<(Date, jiff::Timestamp)> = None;
        for day in date(2026, 1, 1).series(jiff::Span::new().days(1)).take(365) {
            let Some(period) = daily.period(day, &zone) else { continue };
            assert!(period.from < period.to, "{place} {day}");
            if let Some((_, to)) = before {
                assert_eq!(period.from, to, "{place} {day}: no gap, no overlap");
            }
            assert_eq!(daily.newest_due(period.to, &zone), Some(day), "{place} {day}: due at its instant");
            let earlier = period.to - jiff::SignedDuration::from_nanos(1);
            assert_eq!(
                daily.newest_due(earlier, &zone),
                before.map(|(day, _)| day).or(daily.newest_due(earlier, &zone))
            );
            before = Some((day, period.to));
        }
    }
}

#[test]
fn days_on_which_clocks_change() {
    let (paris, daily) = (zone("Europe/Paris"), Daily::parse("0 30 2 * * *").unwrap());
    let period = daily.period(date(2026, 3, 29), &paris).unwrap();
    assert_eq!((period.from, period.to), (at("2026-03-28T01:30:00Z"), at("2026-03-29T01:00:00Z")));
    let period = daily.period(date(2026, 10, 25), &paris).unwrap();
    assert_eq!((period.from, period.to), (at("2026-10-24T00:30:00Z"), at("2026-10-25T00:30:00Z")), "the first of two");
    let period = daily.period(date(2026, 10, 26), &paris).unwrap();
    assert_eq!((period.from, period.to), (at("2026-10-25T00:30:00Z"), at("2026-10-26T01:30:00Z")), "25 hours");
}

#[test]
fn weekends_and_months() {
    let (utc, daily) = (zone("UTC"), Daily::parse("0 0 6 * * Mon-Fri").unwrap());
    assert_eq!(daily.period(date(2026, 11, 22), &utc), None, "a Sunday");
    let monday = daily.period(date(2026, 11, 23), &utc).unwrap();
    assert_eq!((monday.from, monday.to), (at("2026-11-20T06:00:00Z"), at("2026-11-23T06:00:00Z")), "the whole weekend");
    let month = daily.month(date(2026, 11, 1), &utc).unwrap();
    assert_eq!((month.from, month.to), (at("2026-10-30T06:00:00Z"), at("2026-11-30T06:00:00Z")));
    let next = daily.month(date(2026, 12, 1), &utc).unwrap();
    assert_eq!(next.from, month.to, "months tile time too");
}

#[test]
fn a_schedule_that_comes_more_often_is_of_days_so_far() {
    let paris = zone("Europe/Paris");
    for text in ["0 0 6,18 * * *", "0 */5 6 * * *", "* * * * * *"] {
        let daily = Daily::parse(text).unwrap();
        assert!(daily.covers_days());
        let period = daily.period(date(2026, 10, 25), &paris).unwrap();
        assert_eq!((period.from, period.to), (at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z")), "{text}");
        let due = at("2026-11-23T06:00:00Z");
        assert_eq!(daily.newest_due(due, &paris), Some(date(2026, 11, 23)), "{text}: while its day is not over");
    }
    let early = Daily::parse("0 0 6,18 * * *").unwrap();
    assert_eq!(early.newest_due(at("2026-11-23T03:00:00Z"), &paris), Some(date(2026, 11, 22)));
    assert!(!Daily::parse("30 0 6 * * *").unwrap().covers_days());
    assert!(Daily::parse("0 6 * * *").is_err());
}
