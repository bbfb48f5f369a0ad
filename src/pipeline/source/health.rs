//! How it stands with a source: said once when it changes, in the log, as an alarm, and in the ledger for whoever asks.

use std::time::{Duration, Instant};

use crate::ledger::SourceStanding;
use crate::model::{AlarmKind, Subject};
use crate::sftp::Error;
use crate::telemetry;

use super::super::patience::{Trouble, chain};
use super::super::site::Site;
use super::Source;

/// The word for a source that works.
pub(super) const OK: &str = "ok";

const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How often contact is written down while nothing else changes.
const CONTACT_EVERY: Duration = Duration::from_secs(60);

/// A link that drops now and then mends itself: only one that stays away this long is worth a call at night.
const ALARM_AFTER: Duration = Duration::from_secs(60);

/// What is wrong with a source.
#[derive(Clone)]
pub(super) struct Fault {
    pub(super) state: &'static str,
    pub(super) why: String,
    pub(super) kind: Kind,
    /// What an operator is called for.
    pub(super) alarm: Option<AlarmKind>,
}

/// Who or what it is a fault of, for when to try again and when to call somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The line: it is tried again soon, and somebody is called when it stays away.
    Link,
    /// The server is not who it should be, or does not know us: it is tried again at polls, and somebody is called at once.
    Door,
    /// A directory or a file there: somebody is called at once.
    Place,
}

impl Fault {
    pub(super) fn of(error: &Error) -> Self {
        let alarm = match (kind(error), error) {
            (Kind::Link, _) => AlarmKind::SourceUnreachable,
            (Kind::Door, Error::HostKeyChanged { .. }) => AlarmKind::SourceHostKey,
            (Kind::Door, _) => AlarmKind::SourceKey,
            (Kind::Place, _) => AlarmKind::SourceDirectory,
        };
        Self { state: error.state(), why: chain(error), kind: kind(error), alarm: Some(alarm) }
    }

    /// The same where an answer could not be laid down.
    pub(super) fn of_delivery(error: &Error) -> Self {
        let fault = Self::of(error);
        let alarm = if fault.kind == Kind::Place { Some(AlarmKind::DeliveryFailed) } else { fault.alarm };
        Self { alarm, ..fault }
    }
}

/// Of which kind a failure is.
pub(super) const fn kind(error: &Error) -> Kind {
    match error {
        Error::HostKeyChanged { .. } | Error::Auth { .. } | Error::KeyUnreadable => Kind::Door,
        Error::Unreachable { .. }
        | Error::Frozen { .. }
        | Error::Slow { .. }
        | Error::Lost { .. }
        | Error::Protocol { .. }
        | Error::Local { .. }
        | Error::Ended => Kind::Link,
        Error::Missing { .. }
        | Error::Denied { .. }
        | Error::Full { .. }
        | Error::Changed { .. }
        | Error::ListingTooLong { .. }
        | Error::Refused { .. }
        | Error::Name { .. }
        | Error::Source { .. } => Kind::Place,
    }
}

/// How it stands with one source.
pub(super) struct Health {
    standing: SourceStanding,
    /// When contact was written down last.
    told: Option<Instant>,
    /// Something of it is not written down yet: the store was away.
    unwritten: bool,
    failing_since: Option<Instant>,
    tries: u32,
}

impl Health {
    pub(super) fn new(source: &Source, site: &Site) -> Self {
        let standing = SourceStanding {
            name: source.name.clone(),
            issuer: source.issuer.clone(),
            state: "not spoken with yet".into(),
            why: None,
            since: site.clock.now(),
            last_contact: None,
            backlog: 0,
        };
        Self { standing, told: None, unwritten: false, failing_since: None, tries: 0 }
    }

    async fn clear(&self, site: &Site, kinds: &[AlarmKind], but: Option<AlarmKind>) -> Result<(), Trouble> {
        let subject = Subject::source(&self.standing.name);
        for kind in kinds.iter().filter(|kind| Some(**kind) != but) {
            site.alarms.clear(*kind, &subject, "the source got beyond it").await?;
        }
        Ok(())
    }

    /// How often in a row it has failed.
    pub(super) const fn failures(&self) -> u32 {
        self.tries
    }

    /// Notes how a round ended, and may be called again when it fails; gives back how long to wait before the next try, where one is due before the next poll.
    pub(super) async fn note(&mut self, site: &Site, ended: Result<(), Fault>) -> Result<Option<Duration>, Trouble> {
        let now = site.clock.monotonic();
        let (state, why, kind, alarm) = match ended {
            Ok(()) => (OK, None, None, None),
            Err(fault) => (fault.state, Some(fault.why), Some(fault.kind), fault.alarm),
        };
        // Who answered with a no was spoken with.
        let spoken = matches!(kind, None | Some(Kind::Place));
        if spoken {
            self.standing.last_contact = Some(site.clock.now());
        }
        let changed = self.standing.state != state;
        let stale = spoken && self.told.is_none_or(|told| now.saturating_duration_since(told) >= CONTACT_EVERY);
        if changed {
            self.standing.since = site.clock.now();
            state.clone_into(&mut self.standing.state);
            match &why {
                Some(why) => telemetry::source_failed(&self.standing.name, state, why),
                None => telemetry::source_works(&self.standing.name),
            }
        }
        self.unwritten |= changed || stale || self.standing.why != why;
        if self.unwritten {
            self.standing.why = why.clone();
            site.ledger.source_stands(&self.standing).await?;
            (self.told, self.unwritten) = (Some(now), false);
        }
        let Some(kind) = kind else {
            (self.failing_since, self.tries) = (None, 0);
            self.clear(site, OVER_WHEN_WELL, None).await?;
            return Ok(None);
        };
        let since = *self.failing_since.get_or_insert(now);
        // Who got further than what was wrong before is told so.
        match kind {
            Kind::Link => {}
            Kind::Door => {
                self.clear(site, &OVER_AT_THE_DOOR[..if state == Error::HOST_KEY_CHANGED { 1 } else { 2 }], alarm)
                    .await?
            }
            Kind::Place => self.clear(site, OVER_WHEN_WELL, alarm).await?,
        }
        if let Some(alarm) = alarm
            && (kind != Kind::Link || now.saturating_duration_since(since) >= ALARM_AFTER)
        {
            let (name, why) = (&self.standing.name, why.unwrap_or_default());
            let what = format!("the source {name} is not in order ({state}): {why}");
            let next = match alarm {
                AlarmKind::SourceHostKey => {
                    "ask the partner, by another way, whether the key is theirs; `nightdrop status` shows the source"
                }
                AlarmKind::SourceKey => "have the partner enter the public half of our key for this user",
                AlarmKind::DeliveryFailed => {
                    "have the partner make room or open the directory; what is to go out waits for it, `nightdrop status` counts it"
                }
                AlarmKind::SourceDirectory => "have the partner mend the directory; it is tried again by itself",
                _ => "see whether the server and the way there are up; it is tried again by itself",
            };
            site.alarms.raise(alarm, Some(&self.standing.issuer), Subject::source(name), what, next).await?;
        }
        self.tries = self.tries.saturating_add(1);
        Ok((kind != Kind::Door).then(|| jittered(site, self.tries)))
    }
}

/// What is over when a source works, or its server could at least be worked with.
const OVER_WHEN_WELL: &[AlarmKind] = &[
    AlarmKind::SourceUnreachable,
    AlarmKind::SourceHostKey,
    AlarmKind::SourceKey,
    AlarmKind::SourceDirectory,
    AlarmKind::DeliveryFailed,
];

/// What is over when a server answers but does not let us in: the first of them, and the second where its key is right.
const OVER_AT_THE_DOOR: [AlarmKind; 2] = [AlarmKind::SourceUnreachable, AlarmKind::SourceHostKey];

/// A pause that grows with the tries, and is not the same for all who wait for one server.
fn jittered(site: &Site, tries: u32) -> Duration {
    let pause = (PAUSE_MIN * 2_u32.saturating_pow(tries.saturating_sub(1).min(10))).min(PAUSE_MAX);
    // Without randomness the pause is only a little less well spread.
    let random = (site.entropy)().map_or(128, |bytes| bytes[0]);
    pause.mul_f64(0.5 + f64::from(random) / 512.0)
}
