//! When things are due: cron schedules, and the windows in which a feed's files are expected.
//!
//! All of it is arithmetic: instants and a time zone are handed in, instants come out; no clock is read. Times of day
//! are those of a time zone. Where its clocks go forward, a time that does not exist is the instant at which they do;
//! where they go back, an hour exists twice, and each use says which of the two it means.

mod daily;
mod expected;
mod schedule;
mod weekdays;

#[cfg(test)]
mod tests;

pub use daily::{Daily, Period};
pub use expected::{Calendar, Expected, Window, time_of_day};
pub use schedule::Schedule;
pub use weekdays::Weekdays;
