//! How it stands with a source: said once when it changes, in the log, as an alarm, and in the ledger for whoever asks.

use std::time::{Duration, Instant};

use crate::ledger::SourceStanding;
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

/// What is wrong with a source.
pub(super) struct Fault {
    pub(super) state: &'static str,
    pub(super) why: String,
    pub(super) kind: Kind,
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
        Self { state: error.state(), why: chain(error), kind: kind(error) }
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
        Self { standing, told: None, tries: 0 }
    }

    /// How often in a row it has failed.
    pub(super) const fn failures(&self) -> u32 {
        self.tries
    }

    /// Notes how a round ended; gives back how long to wait before the next try, where one is due before the next poll.
    pub(super) async fn note(&mut self, site: &Site, ended: Result<(), Fault>) -> Result<Option<Duration>, Trouble> {
        let now = site.clock.monotonic();
        let (state, why, kind) = match ended {
            Ok(()) => (OK, None, None),
            Err(fault) => (fault.state, Some(fault.why), Some(fault.kind)),
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
        if changed || stale || self.standing.why != why {
            self.standing.why = why.clone();
            site.ledger.source_stands(&self.standing).await?;
            self.told = Some(now);
        }
        let Some(kind) = kind else {
            self.tries = 0;
            return Ok(None);
        };
        self.tries = self.tries.saturating_add(1);
        Ok((kind != Kind::Door).then(|| jittered(site, self.tries)))
    }
}

/// A pause that grows with the tries, and is not the same for all who wait for one server.
fn jittered(site: &Site, tries: u32) -> Duration {
    let pause = (PAUSE_MIN * 2_u32.saturating_pow(tries.saturating_sub(1).min(10))).min(PAUSE_MAX);
    // Without randomness the pause is only a little less well spread.
    let random = (site.entropy)().map_or(128, |bytes| bytes[0]);
    pause.mul_f64(0.5 + f64::from(random) / 512.0)
}
