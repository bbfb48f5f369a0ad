//! How the nights of feeds stand whose files are expected, for `nightdrop status`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::config::Config;
use crate::ledger::{Ledger, LedgerError};
use crate::model;
use crate::pipeline::{Night, night_standing};

/// A feed's present night.
#[derive(Serialize)]
pub(super) struct ExpectedFeed<'a> {
    feed: &'a str,
    issuer: &'a str,
    /// The day on which the night ends.
    day: String,
    /// `came`, `late`, `missing` or `not due`.
    state: &'static str,
    /// When the window ends or ended, UTC.
    by: String,
    #[serde(skip)]
    line: String,
}

impl ExpectedFeed<'_> {
    /// What a person reads.
    pub(super) fn line(&self) -> &str {
        &self.line
    }
}

/// All of them, in the order of the configuration.
pub(super) async fn expected<'a>(
    config: &'a Config,
    ledger: &dyn Ledger,
    now: model::Timestamp,
) -> Result<Vec<ExpectedFeed<'a>>, LedgerError> {
    let calendar = &config.calendar;
    let mut all = Vec::new();
    for feed in &config.feeds {
        let Some(expected) = &feed.expected else { continue };
        // Before the first night that is watched to its end nothing is missing.
        let since = ledger.watched_so_far(&feed.name).await?.map_or(now, |watched| watched.since);
        let present = expected.window_at(now.into(), calendar).filter(|window| since < window.by.into());
        let first = || expected.next_end(since.into(), calendar);
        let Some(window) = present.or_else(|| expected.window_at(first()?, calendar)) else { continue };
        let night = night_standing(ledger, (&feed.issuer, &feed.name), expected, &window, now).await?;
        let by = local(window.by, &calendar.zone);
        let (state, words) = match night {
            Night::NotDue => ("not due", format!("not due before {by}")),
            Night::Came => ("came", format!("came, by {by}")),
            Night::Late(at) => ("late", format!("late: came at {}, not by {by}", local(at.into(), &calendar.zone))),
            Night::Missing => ("missing", format!("missing since {by}")),
        };
        all.push(ExpectedFeed {
            feed: &feed.name,
            issuer: &feed.issuer,
            day: window.day.to_string(),
            state,
            by: model::Timestamp::from(window.by).to_string(),
            line: format!("expected {} {}: {words}", feed.name, window.day),
        });
    }
    Ok(all)
}

/// A time as people in the zone say it.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %H:%M").to_string()
}
