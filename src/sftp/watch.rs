//! Waiting for a server, never for ever: the one place that blocks.
//!
//! A wait ends when the socket is ready, when no byte has moved for `idle`, when the call has had its time, or when the
//! bell rings because the call is no longer wanted.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use super::Error;
use crate::model::Clock;

/// How often room to write may be there without any progress before that is no longer believed.
const SPINS_MAX: u32 = 3;
/// How long is waited when a socket's readiness is not believed.
const PAUSE: Duration = Duration::from_millis(20);
/// What shows that a wait really waited, so that readiness after it is movement.
const WAITED: Duration = Duration::from_millis(1);

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
    /// The socket is ready for this, or has ended.
    Socket(PollFlags),
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
        Err(_) => Woken::Socket(PollFlags::empty()),
        Ok(_) if !watched[0].revents().is_empty() => {
            bell.silence();
            Woken::Bell
        }
        Ok(_) => Woken::Socket(watched.get(1).map_or(PollFlags::empty(), PollFd::revents)),
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
    spins: u32,
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
        Self {
            clock,
            bell,
            server,
            unwanted,
            idle,
            doing,
            begun: now,
            moved: now,
            deadline: now,
            spins: 0,
            hung_up: false,
        }
    }

    /// A new step begins and may take `limit` from now; `doing` says of what, as a verb.
    pub(super) fn begin(&mut self, doing: &'static str, limit: Duration) {
        let now = self.clock.monotonic();
        (self.doing, self.begun, self.moved, self.spins) = (doing, now, now, 0);
        self.deadline = now.checked_add(limit).unwrap_or(now);
    }

    /// What the server is doing at the moment.
    pub(super) const fn doing(&self) -> &'static str {
        self.doing
    }

    /// A question failed without an answer: looks whether that is because the connection has ended.
    pub(super) fn failed(&mut self, socket: impl AsFd) {
        self.hung_up = has_ended(socket);
    }

    /// Whether the last question failed because the connection has ended; libssh2 has many words for it.
    pub(super) const fn hung_up(&self) -> bool {
        self.hung_up
    }

    /// Bytes went or came.
    pub(super) fn moved(&mut self) {
        self.moved = self.clock.monotonic();
        self.spins = 0;
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

    /// Waits once until the socket may be ready, or says why to give up.
    pub(super) fn wait(&mut self, socket: impl AsFd, wanted: PollFlags) -> Result<(), Error> {
        let left = self.left()?;
        // The library may ask to write where it could and yet not go on, since it must read first: that is not believed
        // for ever, or it would burn a core.
        let trusted = self.spins < SPINS_MAX;
        let (watched, limit) =
            if trusted { (wanted, left) } else { (wanted.difference(PollFlags::OUT), left.min(PAUSE)) };
        let before = self.clock.monotonic();
        let Woken::Socket(ready) = rest(self.bell, Some((socket.as_fd(), watched)), Some(limit)) else {
            self.spins = 0;
            return self.left().map(|_| ());
        };
        let now = self.clock.monotonic();
        // Room to write that was there at once says nothing of bytes having moved; bytes to read do.
        let waited = now.saturating_duration_since(before) >= WAITED;
        if ready.contains(PollFlags::IN) || (waited && ready.contains(PollFlags::OUT)) {
            self.moved = now;
        }
        self.spins = if waited || ready.contains(PollFlags::IN) { 0 } else { self.spins + 1 };
        self.left().map(|_| ())
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
