//! Waiting for a server, never for ever: the one place that blocks.
//!
//! A wait ends when bytes have come or gone, when no byte has moved for `idle`, when the call has had its time, or when the
//! bell rings because the call is no longer wanted.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use super::Error;
use super::wire::Wire;
use crate::model::Clock;

/// Wakes the client's thread out of any wait.
#[derive(Clone)]
pub(super) struct Bell(Arc<OwnedFd>);

impl Bell {
    pub(super) fn new() -> Result<Self, Error> {
        let made = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        made.map(|fd| Self(Arc::new(fd))).map_err(|error| Error::Local { doing: "make an event", source: error.into() })
    }

    /// Wakes the thread now, or out of its next wait.
    pub(super) fn ring(&self) {
        // Fails only if it has been rung 2^64 times, which also wakes.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    fn silence(&self) {
        let _ = rustix::io::read(&*self.0, &mut [0_u8; 8]);
    }
}

/// What a wait came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// The socket is ready, or has ended.
    Socket,
    /// The bell rang.
    Bell,
    /// The time is up.
    Time,
}

/// Waits at most `limit` for the bell or, where one is given, for a socket.
pub(super) fn rest(bell: &Bell, socket: Option<(BorrowedFd<'_>, PollFlags)>, limit: Option<Duration>) -> Woken {
    let mut watched = vec![PollFd::new(&*bell.0, PollFlags::IN)];
    watched.extend(socket.map(|(fd, wanted)| PollFd::from_borrowed_fd(fd, wanted)));
    // A limit too large for the kernel's type is no limit.
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match poll(&mut watched, limit.as_ref()) {
        Ok(0) => Woken::Time,
        // An interrupted wait is asked again by whoever waits, as if the bell had rung.
        Err(Errno::INTR) => Woken::Bell,
        Err(_) => Woken::Socket,
        Ok(_) if !watched[0].revents().is_empty() => {
            bell.silence();
            Woken::Bell
        }
        Ok(_) => Woken::Socket,
    }
}

/// Whether the other side has ended the connection, or it broke.
pub(super) fn has_ended(socket: impl AsFd) -> bool {
    let mut watched = [PollFd::new(&socket, PollFlags::RDHUP)];
    poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

/// The time limits of one call.
pub(super) struct Watch<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) bell: &'a Bell,
    /// Host and port, for messages.
    pub(super) server: &'a str,
    /// True when the caller no longer waits, or the client ends.
    pub(super) unwanted: &'a dyn Fn() -> bool,
    idle: Duration,
    doing: &'static str,
    begun: Instant,
    moved: Instant,
    deadline: Instant,
    hung_up: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        clock: &'a dyn Clock,
        bell: &'a Bell,
        server: &'a str,
        unwanted: &'a dyn Fn() -> bool,
        idle: Duration,
    ) -> Self {
        let now = clock.monotonic();
        let doing = "begin";
        Self { clock, bell, server, unwanted, idle, doing, begun: now, moved: now, deadline: now, hung_up: false }
    }

    /// A new step begins and may take `limit` from now; `doing` says of what, as a verb.
    pub(super) fn begin(&mut self, doing: &'static str, limit: Duration) {
        let now = self.clock.monotonic();
        (self.doing, self.begun, self.moved) = (doing, now, now);
        self.deadline = now.checked_add(limit).unwrap_or(now);
    }

    /// What the server is doing at the moment.
    pub(super) const fn doing(&self) -> &'static str {
        self.doing
    }

    /// A question failed without an answer; `hung_up` if that is because the connection has ended.
    pub(super) const fn failed(&mut self, hung_up: bool) {
        self.hung_up = hung_up;
    }

    /// Whether the last question failed because the connection has ended; libssh2 has many words for it.
    pub(super) const fn hung_up(&self) -> bool {
        self.hung_up
    }

    /// Bytes went or came.
    pub(super) fn moved(&mut self) {
        self.moved = self.clock.monotonic();
    }

    /// What is left of the call's time, or why it is over.
    pub(super) fn left(&self) -> Result<Duration, Error> {
        if (self.unwanted)() {
            return Err(Error::Ended);
        }
        let now = self.clock.monotonic();
        let (server, doing) = (self.server.to_owned(), self.doing);
        let until_frozen = (self.moved + self.idle).saturating_duration_since(now);
        let until_over = self.deadline.saturating_duration_since(now);
        if until_over.is_zero() {
            let seconds = self.deadline.saturating_duration_since(self.begun).as_secs();
            return Err(Error::Slow { server, doing, seconds });
        }
        if until_frozen.is_zero() {
            return Err(Error::Frozen { server, doing, seconds: self.idle.as_secs() });
        }
        Ok(until_frozen.min(until_over))
    }

    /// Carries bytes, waiting for them if need be, until there is something new for libssh2; or says why to give up.
    pub(super) fn wait(&mut self, wire: &Wire) -> Result<(), Error> {
        loop {
            let left = self.left()?;
            let carried = wire.carry();
            if carried.moved {
                self.moved();
            }
            if wire.is_flooded() {
                let (server, doing) = (self.server.to_owned(), self.doing);
                return Err(Error::Protocol { server, doing, detail: "far more came than was asked for".to_owned() });
            }
            if carried.news {
                return Ok(());
            }
            if wire.has_ended() {
                let (server, doing) = (self.server.to_owned(), self.doing);
                return Err(Error::Lost { server, doing, detail: "the connection has ended".to_owned() });
            }
            if !carried.moved {
                let wanted = wire.wanted();
                let _ = rest(self.bell, (!wanted.is_empty()).then(|| (wire.socket(), wanted)), Some(left));
            }
        }
    }
}

/// A flag that a dropped future raises.
#[derive(Clone, Default)]
pub(super) struct Flag(Arc<AtomicBool>);

impl Flag {
    pub(super) fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_up(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
