//! The thread of one server: takes one call after the other, and looks after the connection between them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use rustix::event::PollFlags;

use super::connect::Resolver;
use super::link::Link;
use super::session::{self, Preference};
use super::watch::{Bell, Flag, Watch, Woken, has_ended, rest};
use super::{Error, Options, calls};
use crate::model::Clock;

/// A call, with the way back to who asked.
pub(super) type Job = Box<dyn FnOnce(&mut Worker) + Send>;

pub(super) struct Worker {
    options: Arc<Options>,
    server: String,
    clock: Arc<dyn Clock>,
    bell: Bell,
    ended: Flag,
    resolver: Resolver,
    preference: Preference,
    line: Option<Line>,
}

/// A connection, and when it was last heard of.
struct Line {
    link: Link,
    used: Instant,
}

impl Worker {
    pub(super) fn new(options: Options, clock: Arc<dyn Clock>, bell: Bell, ended: Flag) -> Self {
        Self {
            server: options.server(),
            resolver: Resolver::new(&options, &bell),
            preference: Preference::default(),
            options: Arc::new(options),
            clock,
            bell,
            ended,
            line: None,
        }
    }

    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        while !self.ended.is_up() {
            match jobs.try_recv() {
                Ok(job) => job(&mut self),
                Err(TryRecvError::Empty) => self.rest(),
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }

    /// One call: connects if need be, and keeps the connection if it is still good afterwards.
    pub(super) fn perform<T>(
        &mut self,
        given_up: &Flag,
        run: impl FnOnce(&Link, &mut Watch<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let ended = self.ended.clone();
        let unwanted = || ended.is_up() || given_up.is_up();
        let (clock, bell, server, options) =
            (Arc::clone(&self.clock), self.bell.clone(), self.server.clone(), Arc::clone(&self.options));
        let mut watch = Watch::new(&*clock, &bell, &server, &unwanted, options.idle);
        self.hang_up_if_it_ended();
        let link = match self.line.take() {
            Some(line) => line.link,
            None => session::open(&options, &mut self.resolver, &mut self.preference, &mut watch)?,
        };
        let outcome = run(&link, &mut watch);
        if outcome.as_ref().err().is_none_or(Error::leaves_the_line_usable) {
            self.line = Some(Line { link, used: clock.monotonic() });
        }
        outcome
    }

    /// Until the bell rings: a call, or the end. A connection is used now and then, so that no middle box forgets it, and
    /// given up when it ends.
    fn rest(&mut self) {
        let Some(line) = &self.line else {
            let _ = rest(&self.bell, None, None);
            return;
        };
        let due = (line.used + self.options.keepalive).saturating_duration_since(self.clock.monotonic());
        if due.is_zero() {
            // What is wrong shows at the next call, which connects anew.
            let _ = self.perform(&Flag::default(), calls::sign_of_life);
            return;
        }
        // Bytes that come meanwhile stay in the socket until the next call; only the end of the connection wakes.
        match rest(&self.bell, Some((line.link.socket(), PollFlags::RDHUP)), Some(due)) {
            Woken::Socket => self.line = None,
            Woken::Bell | Woken::Time => {}
        }
    }

    fn hang_up_if_it_ended(&mut self) {
        if self.line.as_ref().is_some_and(|line| has_ended(line.link.socket())) {
            self.line = None;
        }
    }
}
