//! A name becomes a TCP connection, in bounded time.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

use super::watch::{Bell, Watch, Woken, rest};
use super::{Error, Options};

/// The most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Finds a name's addresses on a thread of its own, since the system's resolver has no time limit and cannot be called off.
/// One question is under way at most: a call that gave up on it leaves it to the next.
pub(super) struct Resolver {
    host: String,
    port: u16,
    bell: Bell,
    asked: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
}

impl Resolver {
    pub(super) fn new(options: &Options, bell: &Bell) -> Self {
        Self { host: options.host.clone(), port: options.port, bell: bell.clone(), asked: None }
    }

    fn addresses(&mut self, watch: &mut Watch<'_>) -> Result<Vec<SocketAddr>, Error> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let asked = match self.asked.take() {
            Some(asked) => asked,
            None => self.ask()?,
        };
        loop {
            match asked.try_recv() {
                Ok(found) => return found.map_err(|source| unreachable(watch, source)),
                Err(TryRecvError::Disconnected) => {
                    return Err(unreachable(watch, io::Error::other("the name could not be looked up")));
                }
                Err(TryRecvError::Empty) => match watch.left() {
                    Ok(left) => {
                        let _ = rest(&self.bell, None, Some(left));
                    }
                    Err(error) => {
                        self.asked = Some(asked);
                        return Err(within_the_limit(watch, error));
                    }
                },
            }
        }
    }

    fn ask(&self) -> Result<Receiver<io::Result<Vec<SocketAddr>>>, Error> {
        let (answer, asked) = mpsc::channel();
        let (host, port, bell) = (self.host.clone(), self.port, self.bell.clone());
        let look_up = move || {
            let found = (host.as_str(), port).to_socket_addrs().map(|all| all.take(ADDRESSES_MAX).collect());
            let _ = answer.send(found);
            bell.ring();
        };
        let started = thread::Builder::new().name("sftp-name".to_owned()).spawn(look_up);
        started.map(|_| asked).map_err(|source| Error::Local { doing: "start a thread", source })
    }
}

/// A connected, non-blocking socket to the first address that takes it.
pub(super) fn connect(options: &Options, resolver: &mut Resolver, watch: &mut Watch<'_>) -> Result<TcpStream, Error> {
    watch.begin("answer", options.connect);
    let addresses = resolver.addresses(watch)?;
    let mut last = Error::Unreachable {
        server: watch.server.to_owned(),
        source: io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
    };
    let share = options.connect / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    for address in addresses {
        watch.begin("answer", share);
        match reach(address, options.idle, watch) {
            Ok(stream) => return Ok(stream),
            Err(Error::Ended) => return Err(Error::Ended),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn reach(address: SocketAddr, idle: Duration, watch: &mut Watch<'_>) -> Result<TcpStream, Error> {
    let failed = |watch: &Watch<'_>, error: Errno| unreachable(watch, error.into());
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket: OwnedFd = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))
        .map_err(|error| failed(watch, error))?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => loop {
            let left = watch.left().map_err(|error| within_the_limit(watch, error))?;
            if rest(watch.bell, Some((socket.as_fd(), PollFlags::OUT)), Some(left)) == Woken::Socket {
                break;
            }
        },
        Err(error) => return Err(failed(watch, error)),
    }
    sockopt::socket_error(&socket).and_then(|outcome| outcome).map_err(|error| failed(watch, error))?;
    // Requests are small and wait for answers. What we send and nobody takes ends the connection, even where our own watch
    // sees room in the socket.
    let _ = sockopt::set_tcp_nodelay(&socket, true);
    let _ = sockopt::set_tcp_user_timeout(&socket, u32::try_from(idle.as_millis()).unwrap_or(u32::MAX));
    Ok(TcpStream::from(socket))
}

fn unreachable(watch: &Watch<'_>, source: io::Error) -> Error {
    Error::Unreachable { server: watch.server.to_owned(), source }
}

/// A limit that ran out before there was a connection is a server that cannot be reached.
fn within_the_limit(watch: &Watch<'_>, error: Error) -> Error {
    match error {
        Error::Frozen { .. } | Error::Slow { .. } => {
            unreachable(watch, io::Error::new(io::ErrorKind::TimedOut, "no answer within the time limit"))
        }
        other => other,
    }
}
