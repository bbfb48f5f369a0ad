//! The file that did not come: for each feed whose files are expected, every window is looked at once, when it ends. One in
//! which too few files were accepted raises an alarm; what comes later clears it.
//!
//! A window owns what is accepted from its beginning until the next one begins, so a late file is of its own night. A
//! duplicate is no new file; a nil file is one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::calendar::{Calendar, Expected, Window};
use crate::ledger::{Ledger, LedgerError, Missed};
use crate::model::{Alarm, AlarmKind, Subject, Timestamp};

use super::site::{Feed, Setup, Site};

/// How often the clock is looked at. Between two things that are due that is all that is done.
const LOOK: Duration = Duration::from_secs(1);

/// Windows that ended longer ago than this, while no daemon ran, call nobody any more.
const LOOK_BACK: Duration = Duration::from_secs(7 * 86_400);

/// How long a look that failed waits for the next.
const AGAIN: Duration = Duration::from_secs(10);

/// Looks at every window when it ends.
pub struct Nights {
    site: Arc<Site>,
    /// Up to when each feed was looked at, where no window ended since the ledger was told.
    checked: BTreeMap<String, Timestamp>,
}

/// How a feed's night stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Night {
    /// Its window has not ended, and not all of its files are there.
    NotDue,
    /// All were accepted in time.
    Came,
    /// All are there, and the last of them was accepted after the end of the window, at this time.
    Late(Timestamp),
    /// The window has ended without them.
    Missing,
}

impl Nights {
    /// Looks at this site's.
    pub fn new(site: &Arc<Site>) -> Self {
        Self { site: Arc::clone(site), checked: BTreeMap::new() }
    }

    /// Looks until the word to stop.
    pub async fn run(mut self) {
        let mut changes = self.site.setup.changes();
        let mut due = None;
        while !self.site.stop.said() {
            let now = self.site.clock.now();
            if due.is_none_or(|due| due <= now) {
                // The store is away: whoever works with it says so.
                due = Some(self.round().await.unwrap_or_else(|_| now.after(AGAIN)));
            }
            tokio::select! {
                () = self.site.stop.told() => {}
                () = self.site.accepted.notified() => due = None,
                _ = changes.changed() => due = None,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Looks once; gives back when the next window ends.
    pub async fn round(&mut self) -> Result<Timestamp, LedgerError> {
        let setup = self.site.setup.now();
        let now = self.site.clock.now();
        let feeds: Vec<(&str, &Feed, &Expected)> = expecting(&setup).collect();
        let names: Vec<&str> = feeds.iter().map(|(_, feed, _)| feed.name.as_str()).collect();
        self.site.ledger.watch_only(&names).await?;
        self.checked.retain(|feed, _| names.contains(&feed.as_str()));
        for (issuer, feed, expected) in &feeds {
            self.look(issuer, feed, expected, &setup.calendar, now).await?;
        }
        for alarm in self.site.alarms.open_of(AlarmKind::FileMissing).await? {
            if let Some(how) = self.over(&alarm, &feeds, &setup.calendar, now).await? {
                self.site.alarms.clear(alarm.kind, &alarm.subject, &how).await?;
            }
        }
        let ends = feeds.iter().filter_map(|(_, _, expected)| expected.next_end(now.into(), &setup.calendar));
        Ok(ends.map(Timestamp::from).min().unwrap_or_else(|| now.after(Duration::from_secs(86_400))))
    }

    async fn look(
        &mut self,
        issuer: &str,
        feed: &Feed,
        expected: &Expected,
        calendar: &Calendar,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let ledger = &self.site.ledger;
        let checked = match self.checked.get(&feed.name) {
            Some(checked) => *checked,
            None => ledger.watched(&feed.name, now).await?.checked,
        };
        // A clock that was ahead does not leave a night out once it is right again.
        let after = checked.min(now).max(now.before(LOOK_BACK));
        let ended = expected.ended_between(after.into(), now.into(), calendar);
        for window in &ended {
            if let Night::Missing = night(&**ledger, issuer, feed, expected, window, now).await? {
                self.miss(issuer, feed, expected, window, calendar).await?;
            }
        }
        if !ended.is_empty() || checked > now {
            ledger.checked(&feed.name, now).await?;
        }
        self.checked.insert(feed.name.clone(), now);
        Ok(())
    }

    async fn miss(
        &self,
        issuer: &str,
        feed: &Feed,
        expected: &Expected,
        window: &Window,
        calendar: &Calendar,
    ) -> Result<(), LedgerError> {
        let files = if expected.count == 1 { "file".to_owned() } else { format!("{} files", expected.count) };
        let by = calendar.zone.to_datetime(window.by);
        let what = format!(
            "{}: the {files} expected for {} did not come by {} {:02}:{:02}",
            feed.name,
            window.day,
            by.date(),
            by.hour(),
            by.minute()
        );
        let next = format!(
            "ask {issuer} for {}; `nightdrop files` shows whether a file came and was refused; this alarm is cleared when \
             the file is accepted",
            feed.files
        );
        let day = window.day.to_string();
        let missed = Missed {
            issuer: issuer.to_owned(),
            feed: feed.name.clone(),
            service: feed.service.view.service,
            day: day.clone(),
            window: [window.from.into(), window.by.into(), window.until.into()],
            files: expected.count,
        };
        self.site.ledger.miss(&missed).await?;
        let subject = Subject::night(&feed.name, &day);
        self.site.alarms.raise(AlarmKind::FileMissing, Some(issuer), subject, what, next).await.map(drop)
    }

    /// How an alarm about a night is over, if it is.
    async fn over(
        &self,
        alarm: &Alarm,
        feeds: &[(&str, &Feed, &Expected)],
        calendar: &Calendar,
        now: Timestamp,
    ) -> Result<Option<String>, LedgerError> {
        let name = alarm.subject.feed.as_deref().unwrap_or_default();
        let day = alarm.subject.key.rsplit(' ').next().and_then(|day| day.parse().ok());
        let feed = feeds.iter().find(|(_, feed, _)| feed.name == name);
        let (Some((issuer, feed, expected)), Some(day)) = (feed, day) else {
            return Ok(Some(format!("{name}: its files are not expected any more")));
        };
        let Some(window) = expected.window(day, calendar) else {
            return Ok(Some(format!("{name}: no file is expected for {day} any more")));
        };
        let ledger = &*self.site.ledger;
        match night(ledger, issuer, feed, expected, &window, now).await? {
            Night::Missing => {}
            Night::Late(at) => {
                return Ok(Some(format!("{name}: what was expected for {day} was accepted late, at {at}")));
            }
            Night::Came | Night::NotDue => {
                return Ok(Some(format!("{name}: what was expected for {day} is not missing")));
            }
        }
        // Nothing that comes now counts for it any more: it stands in its report, and calls nobody once the next came.
        let Some(present) = expected.window_at(now.into(), calendar).filter(|present| present.day > day) else {
            return Ok(None);
        };
        Ok(match night(ledger, issuer, feed, expected, &present, now).await? {
            Night::Came | Night::Late(_) => {
                Some(format!("{name}: nothing came for {day}; what was expected for {} has", present.day))
            }
            Night::NotDue | Night::Missing => None,
        })
    }
}

/// Feeds whose files are expected, with their issuers.
fn expecting(setup: &Setup) -> impl Iterator<Item = (&str, &Feed, &Expected)> {
    setup.issuers.iter().flat_map(|issuer| {
        issuer.feeds.iter().filter_map(|feed| Some((issuer.id.as_str(), feed, feed.expected.as_ref()?)))
    })
}

async fn night(
    ledger: &dyn Ledger,
    issuer: &str,
    feed: &Feed,
    expected: &Expected,
    window: &Window,
    now: Timestamp,
) -> Result<Night, LedgerError> {
    standing(ledger, (issuer, &feed.name), expected, window, now).await
}

/// How the window of a feed, named with its issuer, stands.
pub async fn standing(
    ledger: &dyn Ledger,
    (issuer, feed): (&str, &str),
    expected: &Expected,
    window: &Window,
    now: Timestamp,
) -> Result<Night, LedgerError> {
    let between = (window.from.into(), window.until.into());
    let came = ledger.accepted_between(issuer, feed, between, expected.count).await?;
    let all = u32::try_from(came.len()).unwrap_or(u32::MAX) >= expected.count;
    Ok(match came.last() {
        Some(last) if all && *last < Timestamp::from(window.by) => Night::Came,
        Some(last) if all => Night::Late(*last),
        _ if now < Timestamp::from(window.by) => Night::NotDue,
        _ => Night::Missing,
    })
}
