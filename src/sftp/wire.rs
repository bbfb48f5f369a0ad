//! The wire between libssh2 and a server's socket, on which every byte is counted.
//!
//! libssh2 reads on as long as there is something to read, and keeps answers to questions that nobody asked. A server that
//! sends faster than it is read would therefore hold the thread within one call, past every limit, and fill the memory.
//! So libssh2 gets one end of a pair of sockets, and is handed a bounded number of bytes between two looks at the clock; and
//! a server that sends far more than it was asked for is hung up on.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::event::PollFlags;
use rustix::net::sockopt;

/// How much is carried at once, each way.
const BLOCK: usize = 64 * 1024;
/// The room that is asked for between libssh2 and the wire; a system may give less.
const ROOM: usize = 1024 * 1024;
/// How much a server may send unasked: greetings, key exchanges, what it has to say of itself.
const UNASKED_MAX: u64 = 4 * 1024 * 1024;
/// What an answer may take that is no content.
const ANSWER: u64 = 1024;

pub(super) struct Wire {
    /// To the server.
    tcp: TcpStream,
    /// To libssh2.
    inner: UnixStream,
    up: RefCell<Block>,
    down: RefCell<Block>,
    received: Cell<u64>,
    allowed: Cell<u64>,
    ended: Cell<bool>,
    room: usize,
}

/// What one turn of carrying came to.
pub(super) struct Carried {
    /// Bytes went to the server or came from it.
    pub(super) moved: bool,
    /// There is something new for libssh2.
    pub(super) news: bool,
}

impl Wire {
    /// A wire to a connected socket that does not block, and the end of it that is libssh2's.
    pub(super) fn new(tcp: TcpStream) -> io::Result<(Self, UnixStream)> {
        let (inner, end) = UnixStream::pair()?;
        inner.set_nonblocking(true)?;
        end.set_nonblocking(true)?;
        // Nothing hangs on its being that much: what there is, is asked.
        let _ = sockopt::set_socket_send_buffer_size(&end, ROOM);
        let wire = Self {
            // The system counts what it needs for itself too, and less than as much again.
            room: sockopt::socket_send_buffer_size(&end)? / 2,
            tcp,
            inner,
            up: RefCell::default(),
            down: RefCell::default(),
            received: Cell::new(0),
            allowed: Cell::new(UNASKED_MAX),
            ended: Cell::new(false),
        };
        Ok((wire, end))
    }

    /// How many bytes libssh2 can send and be rid of in any case. One that could send a part of a packet and is then asked for new
    /// keys waits for ever: it sends neither the keys before the rest of the packet nor the rest before the keys.
    pub(super) const fn room(&self) -> usize {
        self.room
    }

    /// The socket to the server.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }

    /// Carries a block each way, as far as both sides take it now.
    pub(super) fn carry(&self) -> Carried {
        let (mut up, mut down) = (self.up.borrow_mut(), self.down.borrow_mut());
        let mut carried = Carried { moved: false, news: false };
        // What libssh2 sent has made room for more.
        carried.news |= matches!(up.fill(&self.inner), Ok(1..));
        match up.empty_into(&self.tcp) {
            Ok(sent) => carried.moved |= sent > 0,
            Err(_) => self.end(&mut carried),
        }
        match down.fill(&self.tcp) {
            Ok(came) => {
                carried.moved |= came > 0;
                self.received.set(self.received.get().saturating_add(u64::try_from(came).unwrap_or(u64::MAX)));
            }
            Err(_) => self.end(&mut carried),
        }
        carried.news |= matches!(down.empty_into(&self.inner), Ok(1..));
        if self.ended.get() && down.is_empty() {
            // Now libssh2 sees the end as well, after all that came before it.
            let _ = self.inner.shutdown(Shutdown::Both);
        }
        carried
    }

    fn end(&self, carried: &mut Carried) {
        // Told once: whoever asks again after that waits for nothing.
        carried.news |= !self.ended.replace(true);
    }

    /// What the socket must be ready for before there is anything to carry.
    pub(super) fn wanted(&self) -> PollFlags {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, self.down.borrow().is_empty() && !self.ended.get());
        wanted.set(PollFlags::OUT, !self.up.borrow().is_empty() && !self.ended.get());
        wanted
    }

    /// Whether the connection has ended, or broke.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// An answer came that holds so many bytes of content: so much more may come.
    pub(super) fn allow(&self, content: usize) {
        let content = u64::try_from(content).unwrap_or(u64::MAX);
        let more = content.saturating_add(content / 16).saturating_add(ANSWER);
        self.allowed.set(self.allowed.get().saturating_add(more));
    }

    /// Whether the server has sent far more than it was asked for.
    pub(super) const fn is_flooded(&self) -> bool {
        self.received.get() > self.allowed.get()
    }

    /// Ends everything, so that nothing that libssh2 does on it can wait any more.
    pub(super) fn cut(&self) {
        self.ended.set(true);
        let _ = self.inner.shutdown(Shutdown::Both);
        let _ = self.tcp.shutdown(Shutdown::Both);
    }
}

/// Bytes on their way in one direction.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    gone: usize,
}

impl Block {
    fn is_empty(&self) -> bool {
        self.gone == self.bytes.len()
    }

    /// Reads a block if there is none; an end is an error.
    fn fill(&mut self, mut from: impl Read) -> io::Result<usize> {
        if !self.is_empty() {
            return Ok(0);
        }
        self.bytes.resize(BLOCK, 0);
        let read = match from.read(&mut self.bytes) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if nothing_now(&error) => Ok(0),
            other => other,
        };
        self.bytes.truncate(*read.as_ref().unwrap_or(&0));
        self.gone = 0;
        read
    }

    fn empty_into(&mut self, mut to: impl Write) -> io::Result<usize> {
        let rest = self.bytes.get(self.gone..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(0);
        }
        match to.write(rest) {
            Ok(written) => {
                self.gone += written;
                Ok(written)
            }
            Err(error) if nothing_now(&error) => Ok(0),
            Err(error) => Err(error),
        }
    }
}

fn nothing_now(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_libssh2_may_send_at_once_is_taken_whole() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (wire, mut end) = Wire::new(tcp).unwrap();
        // Nobody carries it on. Packets of SFTP are of 32 KiB and a little more.
        let packet = vec![0; 32 * 1024 + 100];
        for sent in 1..=wire.room() / packet.len() {
            assert_eq!(end.write(&packet).unwrap(), packet.len(), "packet {sent} of {} bytes of room", wire.room());
        }
        assert!(wire.room() >= 64 * 1024, "{}", wire.room());
    }
}
