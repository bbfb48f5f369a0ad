//! A line that breaks: a TCP proxy on the loopback that cuts, resets, falls silent or slows down after so many bytes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

use super::process::pause;

/// What a line does to one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Ends in good order after so many bytes.
    Cut(Way, u64),
    /// Ends with a reset after so many bytes.
    Reset(Way, u64),
    /// Stays open and passes nothing on, in either direction, after so many bytes.
    Silence(Way, u64),
    /// Passes on so many bytes a second.
    Slow(Way, u64),
    /// Passes on a byte now and then, after so many bytes.
    Dribble(Way, u64),
}

/// Which direction is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// See the module.
pub(crate) struct Faulty {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    to: u16,
    /// For connections that begin from now on.
    fault: Mutex<Fault>,
    connections: AtomicU64,
    up: AtomicU64,
    ended: AtomicBool,
}

impl Faulty {
    /// A line to a port, without a fault yet.
    pub(crate) fn to(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            to,
            fault: Mutex::new(Fault::None),
            connections: AtomicU64::new(0),
            up: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                serving.carry(client.unwrap());
            }
        });
        Self { port, shared }
    }

    /// Connections that begin from now on have this fault.
    pub(crate) fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many bytes went to the server so far.
    pub(crate) fn up(&self) -> u64 {
        self.shared.up.load(Ordering::SeqCst)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn carry(self: &Arc<Self>, client: TcpStream) {
        let fault = *self.fault.lock().unwrap();
        // Counted after its fault is settled: who waits for a connection may then set another.
        self.connections.fetch_add(1, Ordering::SeqCst);
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.to)) else { return };
        let line = Arc::new(Line { client, server, fault, silent: AtomicBool::new(false) });
        for way in [Way::Up, Way::Down] {
            let (line, shared) = (Arc::clone(&line), Arc::clone(self));
            thread::spawn(move || line.pump(way, &shared));
        }
    }
}

/// One connection.
struct Line {
    client: TcpStream,
    server: TcpStream,
    fault: Fault,
    silent: AtomicBool,
}

impl Line {
    fn pump(&self, way: Way, shared: &Shared) {
        let (mut from, mut to) = match way {
            Way::Up => (&self.client, &self.server),
            Way::Down => (&self.server, &self.client),
        };
        let mut block = vec![0; 16 * 1024];
        let mut passed = 0;
        while !shared.ended.load(Ordering::SeqCst) {
            let left = self.before_the_fault(way).map(|at| at.saturating_sub(passed));
            if left == Some(0) && !self.strike(shared) {
                break;
            }
            let most = match (left, self.fault) {
                (_, Fault::Slow(slow, rate)) if slow == way => (rate / 10).max(1),
                (Some(0), Fault::Dribble(..)) => 1,
                (Some(left), _) => left,
                (None, _) => u64::MAX,
            };
            let most = usize::try_from(most).unwrap_or(usize::MAX).min(block.len());
            let Ok(read @ 1..) = from.read(&mut block[..most]) else { break };
            if self.silent.load(Ordering::SeqCst) {
                self.hold(shared);
                break;
            }
            if to.write_all(&block[..read]).is_err() {
                break;
            }
            passed += u64::try_from(read).unwrap();
            if way == Way::Up {
                shared.up.fetch_add(u64::try_from(read).unwrap(), Ordering::SeqCst);
            }
            if matches!(self.fault, Fault::Slow(slow, _) if slow == way) {
                pause(Duration::from_millis(100));
            }
        }
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    /// After how many bytes of this direction the fault strikes.
    fn before_the_fault(&self, way: Way) -> Option<u64> {
        match self.fault {
            Fault::Cut(at, bytes) | Fault::Reset(at, bytes) | Fault::Silence(at, bytes) | Fault::Dribble(at, bytes)
                if at == way =>
            {
                Some(bytes)
            }
            _ => None,
        }
    }

    /// True if the line goes on.
    fn strike(&self, shared: &Shared) -> bool {
        match self.fault {
            Fault::Reset(..) => {
                let _ = rustix::net::connect_unspec(&self.client);
                false
            }
            Fault::Silence(..) => {
                self.silent.store(true, Ordering::SeqCst);
                self.hold(shared);
                false
            }
            Fault::Dribble(..) => {
                pause(Duration::from_millis(100));
                true
            }
            Fault::None | Fault::Cut(..) | Fault::Slow(..) => false,
        }
    }

    /// Keeps the connection open and still until the client leaves or the proxy ends.
    fn hold(&self, shared: &Shared) {
        // Bytes that the client still sends stay where they are.
        while !shared.ended.load(Ordering::SeqCst) {
            let mut watched = [PollFd::new(&self.client, PollFlags::RDHUP)];
            let limit = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            if rustix::event::poll(&mut watched, Some(&limit)).is_ok_and(|ready| ready > 0) {
                return;
            }
        }
    }
}
