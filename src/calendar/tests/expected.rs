use jiff::civil::time;

use super::{at, zone};
use crate::calendar::{Calendar, Expected, Weekdays, Window, time_of_day};

fn nightly() -> Expected {
    Expected { from: time(18, 0, 0, 0), by: time(2, 30, 0, 0), days: Weekdays::parse("Mon-Fri").unwrap(), count: 1 }
}

fn paris(holidays: &[&str]) -> Calendar {
    Calendar { zone: zone("Europe/Paris"), holidays: holidays.iter().map(|day| day.parse().unwrap()).collect() }
}

fn window(day: &str, from: &str, by: &str, until: &str) -> Option<Window> {
    Some(Window { day: day.parse().unwrap(), from: at(from), by: at(by), until: at(until) })
}

#[test]
fn the_night_that_ends_on_a_day_begins_the_evening_before() {
    let found = nightly().window("2026-11-24".parse().unwrap(), &paris(&[]));
    assert_eq!(found, window("2026-11-24", "2026-11-23T17:00:00Z", "2026-11-24T01:30:00Z", "2026-11-24T17:00:00Z"));
    let day_time = Expected { from: time(8, 0, 0, 0), by: time(12, 0, 0, 0), ..nightly() };
    let found = day_time.window("2026-11-24".parse().unwrap(), &paris(&[]));
    assert_eq!(found, window("2026-11-24", "2026-11-24T07:00:00Z", "2026-11-24T11:00:00Z", "2026-11-25T07:00:00Z"));
    let round_the_clock = Expected { from: time(6, 0, 0, 0), by: time(6, 0, 0, 0), ..nightly() };
    let found = round_the_clock.window("2026-11-24".parse().unwrap(), &paris(&[]));
    assert_eq!(found, window("2026-11-24", "2026-11-23T05:00:00Z", "2026-11-24T05:00:00Z", "2026-11-24T05:00:00Z"));
}

#[test]
fn a_late_file_is_of_its_own_night_until_the_next_begins() {
    let (expected, calendar) = (nightly(), paris(&[]));
    let owner = |text: &str| expected.window_at(at(text), &calendar).unwrap().day.to_string();
    assert_eq!(owner("2026-11-22T17:00:00Z"), "2026-11-23", "Monday's, from its first instant");
    assert_eq!(owner("2026-11-23T01:29:59Z"), "2026-11-23");
    assert_eq!(owner("2026-11-23T12:00:00Z"), "2026-11-23", "late");
    assert_eq!(owner("2026-11-23T16:59:59.999Z"), "2026-11-23", "as late as can be");
    assert_eq!(owner("2026-11-23T17:00:00Z"), "2026-11-24", "Tuesday's");
    assert_eq!(owner("2026-11-28T12:00:00Z"), "2026-11-27", "Friday's until Sunday evening");
    assert_eq!(owner("2026-11-29T17:00:00Z"), "2026-11-30");
}

#[test]
fn a_holiday_has_no_night_and_the_one_before_goes_on() {
    let (expected, calendar) = (nightly(), paris(&["2026-12-25"]));
    assert_eq!(expected.window("2026-12-25".parse().unwrap(), &calendar), None);
    let before = expected.window("2026-12-24".parse().unwrap(), &calendar);
    assert_eq!(before, window("2026-12-24", "2026-12-23T17:00:00Z", "2026-12-24T01:30:00Z", "2026-12-27T17:00:00Z"));
}

#[test]
fn nights_on_which_clocks_change() {
    let expected = Expected { days: Weekdays::ALL, ..nightly() };
    let found = expected.window("2026-03-29".parse().unwrap(), &paris(&[])).unwrap();
    assert_eq!(found.by, at("2026-03-29T01:00:00Z"), "half past two does not exist: at three");
    let found = expected.window("2026-10-25".parse().unwrap(), &paris(&[])).unwrap();
    assert_eq!(found.by, at("2026-10-25T01:30:00Z"), "half past two comes twice: the second");
    let begins = Expected { from: time(2, 30, 0, 0), by: time(6, 0, 0, 0), ..expected };
    let found = begins.window("2026-10-25".parse().unwrap(), &paris(&[])).unwrap();
    assert_eq!((found.from, found.by), (at("2026-10-25T00:30:00Z"), at("2026-10-25T05:00:00Z")), "from the first");
}

#[test]
fn windows_tile_time() {
    let (expected, calendar) = (nightly(), paris(&["2026-10-26", "2026-12-25"]));
    let mut found = expected.window_at(at("2026-03-20T00:00:00Z"), &calendar).unwrap();
    for _ in 0..220 {
        let next = expected.window_at(found.until, &calendar).unwrap();
        assert_eq!(next.from, found.until, "{found:?}");
        assert!(found.from < found.by && found.by <= found.until, "{found:?}");
        let last = found.until - jiff::SignedDuration::from_nanos(1);
        assert_eq!(expected.window_at(last, &calendar), Some(found));
        found = next;
    }
}

#[test]
fn which_windows_have_ended() {
    let (expected, calendar) = (nightly(), paris(&["2026-11-25"]));
    let ended = |after: &str, upto: &str| -> Vec<String> {
        expected.ended_between(at(after), at(upto), &calendar).iter().map(|w| w.day.to_string()).collect()
    };
    assert_eq!(ended("2026-11-22T00:00:00Z", "2026-11-27T00:00:00Z"), ["2026-11-23", "2026-11-24", "2026-11-26"]);
    assert_eq!(ended("2026-11-23T01:30:00Z", "2026-11-24T01:30:00Z"), ["2026-11-24"], "after, and up to");
    assert_eq!(ended("2026-11-24T01:30:00Z", "2026-11-24T01:30:00Z"), [""; 0]);
    let next = |after: &str| expected.next_end(at(after), &calendar).unwrap();
    assert_eq!(next("2026-11-24T01:29:59Z"), at("2026-11-24T01:30:00Z"));
    assert_eq!(next("2026-11-24T01:30:00Z"), at("2026-11-26T01:30:00Z"), "over the holiday");
}

#[test]
fn reads_days_and_times() {
    for (text, shown) in [
        ("Mon-Fri", "Mon-Fri"),
        ("sat, SUN", "Sat-Sun"),
        ("Fri-Mon", "Mon,Fri-Sun"),
        ("Mon,Wed,Fri", "Mon,Wed,Fri"),
        ("Sun-Sat", "Mon-Sun"),
        ("Tue", "Tue"),
    ] {
        assert_eq!(Weekdays::parse(text).unwrap().to_string(), shown, "{text}");
    }
    for text in ["", "1-5", "Mon-", "Monday", "Mon;Tue", "Mon-Tue-Wed"] {
        assert!(Weekdays::parse(text).is_err(), "{text}");
    }
    assert_eq!(time_of_day("02:30").unwrap(), time(2, 30, 0, 0));
    for text in ["2:30", "24:00", "02:60", "0230", "02:30:00", "", "+2:30", "-1:00"] {
        assert!(time_of_day(text).is_err(), "{text}");
    }
}
