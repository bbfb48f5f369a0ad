//! The morning report: each issuer's files of a day, what did not come, and whether the registers balance.
//!
//! Written when it is due, for days that a daemon was down up to a week later, and again under another number when something
//! that stands in it has changed. A name never has other content: which versions there are is in the ledger, and one is noted
//! there before it is written. A report that does not add up is not written, and calls an operator.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::calendar::Period;
use crate::ledger::Version;
use crate::model::{AlarmKind, Outbound, Subject, Timestamp, hex};
use crate::report::daily;
use crate::telemetry;

use super::patience::{Trouble, blocking, patiently};
use super::site::{Issuer, Progress, Setup, Site};
use super::{Fatal, source};

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// After its instant a report waits this long, so that a commit under way at that moment is in.
const GRACE: Duration = Duration::from_secs(5);

/// From one look whether a report has changed to the next, where files have moved, and where none has.
const CHANGED: Duration = Duration::from_secs(60);
const UNCHANGED: Duration = Duration::from_secs(3_600);

/// Days back to which reports are written late, and written again.
const DAYS_BACK: i32 = 6;

/// Since when there are reports: none is made for a day before.
const SINCE: &str = "reports_since";

/// What a report is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A day.
    Day(Date),
    /// A month, by its first day.
    Month(Date),
}

/// What became of an issuer's report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// It stands in the outbound directory under this name.
    Written(String),
    /// It does not add up, and was not written.
    Unbalanced(String),
}

/// Why a report is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ReportsError {
    /// There is none.
    #[error("{0}")]
    None(String),
    /// The world failed.
    #[error("{0}")]
    World(String),
}

impl When {
    /// `YYYY-MM-DD` or `YYYY-MM`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.len() {
            10 => text.parse().ok().map(Self::Day),
            7 => format!("{text}-01").parse().ok().map(Self::Month),
            _ => None,
        }
    }

    /// What it covers: by `[report] daily` or, without it, by the calendar.
    fn period(self, setup: &Setup) -> Option<Period> {
        let zone = &setup.calendar.zone;
        match (self, &setup.daily) {
            (Self::Day(day), Some(daily)) => daily.period(day, zone),
            (Self::Month(first), Some(daily)) => daily.month(first, zone),
            (Self::Day(day), None) => Period::of_days(day, 1, zone),
            (Self::Month(first), None) => Period::of_days(first, first.days_in_month(), zone),
        }
    }

    /// As it stands in the name.
    fn word(self) -> String {
        match self {
            Self::Day(day) => day.strftime("%Y%m%d").to_string(),
            Self::Month(first) => first.strftime("%Y%m").to_string(),
        }
    }
}

/// Whether a report is to be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum If {
    /// Also if it is there.
    Asked,
    /// If there is none, or it is another one by now.
    New,
    /// The same, but not an empty one.
    NotEmpty,
}

/// Writes reports when they are due.
pub struct Reports {
    site: Arc<Site>,
    looked: Option<(Timestamp, [u64; 4])>,
}

impl Reports {
    /// Writes this site's.
    pub fn new(site: &Arc<Site>) -> Self {
        Self { site: Arc::clone(site), looked: None }
    }

    /// Writes until the word to stop.
    pub async fn run(mut self) -> Result<(), Fatal> {
        let mut changes = self.site.setup.changes();
        let mut due = None;
        while !self.site.stop.said() {
            let now = self.site.clock.now();
            if due.is_none_or(|due| due <= now) || self.has_moved(now) {
                match self.round(due.is_none_or(|due| due <= now)).await {
                    Ok(next) => due = Some(next),
                    Err(Trouble::Fatal(why)) => return Err(Fatal(why)),
                    Err(Trouble::Stopped) => return Ok(()),
                    Err(trouble) => {
                        telemetry::world_failed("reports", &trouble.to_string(), UNCHANGED);
                        due = Some(now.after(UNCHANGED));
                    }
                }
            }
            tokio::select! {
                () = self.site.stop.told() => {}
                _ = changes.changed() => due = None,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        Ok(())
    }

    /// For a batch run: what is due by its end. What fails is left for the next.
    pub async fn last_round(mut self) {
        let _ = self.round(true).await;
    }

    fn has_moved(&self, now: Timestamp) -> bool {
        self.looked.is_none_or(|(looked, before)| {
            now < looked
                || now >= looked.after(UNCHANGED)
                || (now >= looked.after(CHANGED) && before != figures(&self.site))
        })
    }

    /// Writes what is due and not there, or there and changed; gives back when the next is due.
    /// Of a day that is not over nothing new is told before it is due again.
    async fn round(&mut self, is_due: bool) -> Result<Timestamp, Trouble> {
        let (site, setup, now) = (Arc::clone(&self.site), self.site.setup.now(), self.site.clock.now());
        self.looked = Some((now, figures(&site)));
        let Some(daily) = &setup.daily else { return Ok(now.after(UNCHANGED)) };
        let zone = &setup.calendar.zone;
        let since = patiently!(site, Ok(site.ledger.pin(SINCE, &now.0.to_string()).await?))?;
        let since = Timestamp(since.parse().unwrap_or(now.0));
        if let Some(newest) = daily.newest_due(now.before(GRACE).into(), zone) {
            let first = newest.checked_sub(jiff::Span::new().days(DAYS_BACK)).unwrap_or(newest);
            for day in first.series(jiff::Span::new().days(1)).take_while(|day| *day <= newest) {
                let Some(period) = daily.period(day, zone).filter(|period| since < period.to.into()) else { continue };
                if !is_due && now < period.to.into() {
                    continue;
                }
                let wanted = if day == newest { If::New } else { If::NotEmpty };
                for issuer in &setup.issuers {
                    patiently!(site, make(&site, issuer, When::Day(day), period, wanted).await)?;
                }
            }
        }
        let next = daily.next(now.before(GRACE).into(), zone);
        Ok(next.map_or_else(|| now.after(UNCHANGED), |next| Timestamp::from(next).after(GRACE)))
    }
}

impl Site {
    /// Writes the reports of a day or a month, of every issuer, also if they are there. One that is not over is told of so far: what
    /// changes until then is told under the next number.
    pub async fn report(&self, when: When) -> Result<Vec<Made>, ReportsError> {
        let setup = self.setup.now();
        let Some(period) = when.period(&setup) else {
            return Err(ReportsError::None("by [report] daily there is no report of it".into()));
        };
        let now = self.clock.now();
        if now < period.from.into() {
            let why = format!("it does not begin before {}", Timestamp::from(period.from));
            return Err(ReportsError::None(why));
        }
        let mut made = Vec::new();
        for issuer in &setup.issuers {
            let one = make(self, issuer, when, period, If::Asked).await;
            made.extend(one.map_err(|trouble| ReportsError::World(trouble.to_string()))?);
        }
        Ok(made)
    }
}

/// Makes a report and, where it is wanted, writes it.
async fn make(site: &Site, issuer: &Issuer, when: When, period: Period, wanted: If) -> Result<Option<Made>, Trouble> {
    // One at a time: an operator may ask for what is being written.
    let _turn = site.reporting.lock().await;
    let base = daily::name(&issuer.id, &when.word(), 1);
    let facts = site.ledger.facts(&issuer.id, (period.from.into(), period.to.into())).await?;
    let report = match daily::content(&facts) {
        Ok(report) => report,
        Err(why) => return unbalanced(site, issuer, &base, why).await,
    };
    let sha256 = hex(&Sha256::digest(&report.content));
    let newest = site.ledger.newest_version(&issuer.id, &base).await?;
    let number = match &newest {
        None if wanted == If::NotEmpty && report.empty => return Ok(None),
        None => 1,
        Some(newest) if newest.sha256 == sha256 && newest.written && wanted != If::Asked => return Ok(None),
        Some(newest) if newest.sha256 == sha256 => newest.number,
        // What is still moving is not told of step by step.
        Some(newest) if newest.written && wanted != If::Asked && report.in_progress > 0 => return Ok(None),
        Some(newest) => newest.number + 1,
    };
    for counted in site.ledger.counted(&issuer.id).await? {
        if counted.moved != counted.held {
            let why = format!(
                "the register of {} holds {} by what came and went, and {} by count",
                counted.service, counted.moved, counted.held
            );
            return unbalanced(site, issuer, &base, why).await;
        }
    }
    let version = Version { number, sha256, written: false };
    site.ledger.make_version(&issuer.id, &base, &version, site.clock.now()).await?;
    let name = daily::name(&issuer.id, &when.word(), number);
    let written = put(issuer, &name, report.content).await?;
    source::order(site, &issuer.id, (None, None), &[&written], wanted == If::Asked).await?;
    site.ledger.version_written(&issuer.id, &base, number).await?;
    telemetry::report_written(&issuer.id, &name);
    let subject = Subject::report(&issuer.id, &base);
    site.alarms.clear(AlarmKind::ReportUnbalanced, &subject, "the report balances and is written").await?;
    Ok(Some(Made::Written(name)))
}

async fn put(issuer: &Issuer, name: &str, content: Vec<u8>) -> Result<Outbound, Trouble> {
    let (outbox, name) = (issuer.outbox.clone(), name.to_owned());
    blocking(move || Ok(outbox.put(&name, &content)?)).await
}

async fn unbalanced(site: &Site, issuer: &Issuer, base: &str, why: String) -> Result<Option<Made>, Trouble> {
    let next = "nothing was written; keep a copy of the store (`nightdrop backup`) and report it: the ledger contradicts \
                itself. It is tried again every hour";
    let subject = Subject::report(&issuer.id, base);
    let what = format!("{base} does not balance: {why}");
    site.alarms.raise(AlarmKind::ReportUnbalanced, Some(&issuer.id), subject, what, next).await?;
    Ok(Some(Made::Unbalanced(format!("{base}: {why}"))))
}

/// What changes whenever a file gets on.
fn figures(site: &Site) -> [u64; 4] {
    let progress = &site.progress;
    [&progress.files_open, &progress.files_done, &progress.files_refused, &progress.files_held].map(Progress::read)
}
