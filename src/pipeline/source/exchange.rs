//! One source at work: looked at on its schedule, woken when something is to go out or away.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use crate::intake::RemoteInbox;
use crate::sftp::{Client, Error};

use super::super::Fatal;
use super::super::patience::{Trouble, patiently};
use super::super::site::{Issuer, Progress, Setup, Site};
use super::super::story::Pending;
use super::Source;
use super::doors::Door;
use super::fetch::Looked;
use super::health::{Fault, Health};

/// A wall clock may jump: no wait for it is longer.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How often a batch run looks whether everything in hand is done.
const ONCE_LOOK: Duration = Duration::from_millis(50);

/// Failures in a row after which a batch run leaves a source for next time.
const ONCE_TRIES: u32 = 3;

/// One source, fetched from and delivered to.
pub struct Exchange {
    pub(super) site: Arc<Site>,
    pub(super) setup: Arc<Setup>,
    pub(super) issuer: Arc<Issuer>,
    pub(super) source: Arc<Source>,
    pub(super) client: Client,
    pub(super) door: Arc<Door>,
    pub(super) lane: UnboundedSender<Pending>,
    health: Health,
}

/// Why a round was not finished.
pub(super) enum Failed {
    /// The partner's side.
    Partner(Error),
    /// Ours.
    Here(Trouble),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Partner(error)
    }
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Here(trouble)
    }
}

/// What a round found, and what is wrong with single files.
struct Round {
    looked: Option<Looked>,
    fault: Option<Fault>,
}

impl Exchange {
    /// A source of an issuer at work; `None` where its lane is not open. Nothing is sent to it before it runs.
    pub fn open(site: &Arc<Site>, setup: &Arc<Setup>, source: &Arc<Source>) -> Result<Option<Self>, Fatal> {
        let Some(issuer) = setup.issuer(&source.issuer).map(Arc::clone) else { return Ok(None) };
        let Some(lane) = site.doors.lane(&issuer.id) else { return Ok(None) };
        let looking = setup.looking;
        let inbox = RemoteInbox::new(issuer.feed_rules(), looking.settle, looking.stalled)
            .map_err(|error| Fatal(error.to_string()))?;
        let door = Arc::new(Door { inbox: Mutex::new(inbox), bell: Notify::new() });
        site.sources.open(&source.name, &door);
        Ok(Some(Self {
            client: client(site, source)?,
            health: Health::new(source, site),
            site: Arc::clone(site),
            setup: Arc::clone(setup),
            source: Arc::clone(source),
            issuer,
            door,
            lane,
        }))
    }

    /// Exchanges files until the word to stop is said, the source is gone from the configuration or, as a batch, until what waits is
    /// done. Gives back what was left for next time, and why.
    pub async fn run(mut self, once: bool) -> Result<Vec<(String, &'static str)>, Fatal> {
        let mut changes = self.site.setup.changes();
        let mut next_look = Some(self.site.clock.monotonic());
        // No try before then, whatever is due.
        let mut paused_until: Option<Instant> = None;
        loop {
            if self.site.stop.said() || !self.refresh()? {
                return Ok(Vec::new());
            }
            // In this order: what a post claims before it ends is in hand then.
            let posts_ended = Progress::read(&self.site.progress.posts_at_work) == 0;
            let was_idle = posts_ended && self.site.progress.is_idle();
            let now = self.site.clock.monotonic();
            let mut wait = next_look.map(|at| at.saturating_duration_since(now));
            if paused_until.is_none_or(|until| until <= now) {
                let look = next_look.is_some_and(|at| at <= now);
                let (round, pause) = match self.noted(look).await {
                    Ok(noted) => noted,
                    Err(Trouble::Stopped) => return Ok(Vec::new()),
                    Err(trouble) => return Err(Fatal(trouble.to_string())),
                };
                let now = self.site.clock.monotonic();
                let failed = round.is_none();
                // A server that is not who it should be, or does not know us, is spoken to at polls alone.
                let rest = pause.or_else(|| if failed { self.until_poll() } else { None });
                paused_until = rest.map(|rest| now + rest);
                let looked = round.and_then(|round| round.looked);
                if once && let Some(left) = self.is_through(look, looked.as_ref(), was_idle, pause).await? {
                    return Ok(left);
                }
                let poll = if once { Some(ONCE_LOOK) } else { self.until_poll() };
                let again = looked.and_then(|looked| looked.next_change);
                // What failed on the way is tried again after the pause, not at the next poll.
                let next = if look { poll } else { wait };
                wait = [pause, again, next].into_iter().flatten().min();
                next_look = wait.map(|wait| now + wait);
            } else if let Some(until) = paused_until {
                wait = Some(until.saturating_duration_since(now));
            }
            let pause = wait.unwrap_or(WAIT_MAX).min(WAIT_MAX).max(Duration::from_millis(1));
            tokio::select! {
                () = self.site.stop.told() => {}
                () = self.door.bell.notified() => {}
                _ = changes.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// A call to the server, which the word to stop takes back: no server is waited for at the end.
    pub(super) async fn asked<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::select! {
            biased;
            answered = call => answered,
            () = self.site.stop.told() => Err(Error::Ended),
        }
    }

    /// How long until the schedule says that it is to be looked at.
    fn until_poll(&self) -> Option<Duration> {
        let now = jiff::Timestamp::from_millisecond(self.site.clock.now().0).ok()?;
        let next = self.source.poll.next(now, &self.setup.calendar.zone)?;
        Some(next.duration_since(now).unsigned_abs())
    }

    /// A round, with how it ended noted; and how long to wait before another try.
    async fn noted(&mut self, look: bool) -> Result<(Option<Round>, Option<Duration>), Trouble> {
        let (round, ended) = match self.round(look).await {
            Ok(mut round) => {
                let fault = round.fault.take();
                (Some(round), fault.map_or(Ok(()), Err))
            }
            // Cut short by the stop, which says nothing of the partner.
            Err(Failed::Partner(_)) if self.site.stop.said() => return Err(Trouble::Stopped),
            Err(Failed::Partner(error)) => (None, Err(Fault::of(&error))),
            Err(Failed::Here(Trouble::Later { part, error })) => {
                let why = super::super::patience::chain(error.as_ref());
                (
                    None,
                    Err(Fault {
                        state: "failing here",
                        why: format!("{part}: {why}"),
                        kind: super::health::Kind::Link,
                        alarm: None,
                    }),
                )
            }
            Err(Failed::Here(trouble)) => return Err(trouble),
        };
        // A round that had nothing to say to the partner says nothing of it.
        if ended.is_ok() && round.as_ref().is_some_and(|round| round.looked.is_none()) {
            return Ok((round, None));
        }
        let site = Arc::clone(&self.site);
        let pause = patiently!(site, self.health.note(&site, ended.clone()).await)?;
        Ok((round, pause))
    }

    async fn round(&mut self, look: bool) -> Result<Round, Failed> {
        let mut faults = Vec::new();
        faults.extend(self.deliver().await?);
        faults.extend(self.remove_decided().await?);
        let mut looked = if look { Some(self.look().await?) } else { None };
        faults.extend(looked.as_mut().and_then(|looked| looked.fault.take()));
        Ok(Round { looked, fault: faults.into_iter().next() })
    }

    /// Whether a batch run has nothing more to do here, and what it leaves.
    async fn is_through(
        &self,
        look: bool,
        looked: Option<&Looked>,
        was_idle: bool,
        pause: Option<Duration>,
    ) -> Result<Option<Vec<(String, &'static str)>>, Fatal> {
        let failing = looked.is_none() || pause.is_some();
        if failing && look && was_idle && (pause.is_none() || self.health.failures() >= ONCE_TRIES) {
            return Ok(Some(vec![(
                format!("source {}", self.source.name),
                "cannot be worked with; `nightdrop status` says why",
            )]));
        }
        let Some(looked) = looked.filter(|_| !failing) else { return Ok(None) };
        if looked.claimed > 0 || looked.settling > 0 || !was_idle {
            return Ok(None);
        }
        let due = self.site.ledger.deliveries_due(&self.source.name).await.map_err(|error| Fatal(error.to_string()))?;
        let ends_early = "ends early and may still be uploaded";
        Ok(due.is_empty().then(|| looked.stalled.iter().map(|name| (name.clone(), ends_early)).collect()))
    }

    /// Takes up the setup in force. `false`: the source is gone from it.
    fn refresh(&mut self) -> Result<bool, Fatal> {
        let setup = self.site.setup.now();
        if Arc::ptr_eq(&setup, &self.setup) {
            return Ok(true);
        }
        let Some(source) = setup.sources.iter().find(|it| it.name == self.source.name).map(Arc::clone) else {
            return Ok(false);
        };
        let Some(issuer) = setup.issuer(&source.issuer).map(Arc::clone) else { return Ok(false) };
        if source.issuer != self.source.issuer {
            // Another issuer's lane: it begins anew.
            return Ok(false);
        }
        if !source.is_same(&self.source) {
            self.client = client(&self.site, &source)?;
        }
        let looking = setup.looking;
        self.door
            .with(|inbox| inbox.go_on_by(issuer.feed_rules(), looking.settle, looking.stalled))
            .map_err(|error| Fatal(error.to_string()))?;
        (self.setup, self.issuer, self.source) = (setup, issuer, source);
        Ok(true)
    }
}

fn client(site: &Site, source: &Source) -> Result<Client, Fatal> {
    Client::start(source.server.clone(), Arc::clone(&site.clock)).map_err(|error| Fatal(error.to_string()))
}
