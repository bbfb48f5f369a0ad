//! A connection with its SFTP channel, and the one way of asking something over it.
//!
//! libssh2 is kept from blocking; [`drive`] asks again until there is an answer, and waits between under the watch. ssh2
//! lets go of files and channels by blocking calls without a limit, so whatever was not closed in good order is let go of
//! only after the wire is cut: then those calls fail at once.

use std::io::{self, Read as _, Write as _};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use ssh2::{ErrorCode, OpenFlags, OpenType, Session, Sftp};

use super::watch::Watch;
use super::wire::Wire;
use super::{Error, Options};

/// A belt beside the braces: how long a blocking call of ssh2 may take where one slips through.
const BLOCKED_MAX_MS: u32 = 1_000;

pub(super) struct Link {
    session: Session,
    wire: Wire,
    options: Arc<Options>,
    /// Present once the channel is open.
    sftp: Option<Sftp>,
}

impl Link {
    pub(super) fn new(session: Session, wire: Wire, options: Arc<Options>) -> Self {
        session.set_timeout(BLOCKED_MAX_MS);
        Self { session, wire, options, sftp: None }
    }

    /// Opens the one channel.
    pub(super) fn start_sftp(mut self, watch: &mut Watch<'_>) -> Result<Self, Error> {
        let opened = drive(&self.wire, watch, || self.session.sftp())?;
        self.sftp = Some(opened.map_err(|error| lost_or_protocol(watch, &error))?);
        Ok(self)
    }

    /// The limits that calls over this connection keep.
    pub(super) fn limits(&self) -> &Options {
        &self.options
    }

    pub(super) const fn session(&self) -> &Session {
        &self.session
    }

    pub(super) const fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.wire.socket()
    }

    /// Asks the server once. `path` is what it is about, for messages.
    pub(super) fn ask<T>(
        &self,
        watch: &mut Watch<'_>,
        path: &str,
        mut question: impl FnMut(&Sftp) -> Result<T, ssh2::Error>,
    ) -> Result<T, Error> {
        let Some(sftp) = &self.sftp else { return Err(Error::Ended) };
        drive(&self.wire, watch, || question(sftp))?.map_err(|error| said(watch, &error, path))
    }

    /// Opens a file or directory and does something with it; it is closed whatever comes of that.
    pub(super) fn with_open<T>(
        &self,
        watch: &mut Watch<'_>,
        path: &str,
        (flags, mode, kind): (OpenFlags, i32, OpenType),
        work: impl FnOnce(&mut Open<'_>, &mut Watch<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let opened = self.ask(watch, path, |sftp| sftp.open_mode(Path::new(path), flags, mode, kind))?;
        let mut open = Open { link: self, path, file: Some(opened) };
        match work(&mut open, watch) {
            // A server on which this failed may not answer to a close either.
            Err(error) if !error.leaves_the_line_usable() => Err(error),
            outcome => {
                let closed = open.close(watch);
                outcome.and_then(|value| closed.map(|()| value))
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // A word of leave if it fits into the socket, which nobody waits for.
        let _ = self.session.disconnect(None, "", None);
        let _ = self.wire.carry();
        self.wire.cut();
        drop(self.sftp.take());
        self.session.set_blocking(true);
    }
}

/// A file or directory that is open on the server.
pub(super) struct Open<'l> {
    link: &'l Link,
    path: &'l str,
    /// Absent once it is closed.
    file: Option<ssh2::File>,
}

impl Open<'_> {
    /// Asks the server something about the open file.
    pub(super) fn ask<T>(
        &mut self,
        watch: &mut Watch<'_>,
        mut question: impl FnMut(&mut ssh2::File) -> Result<T, ssh2::Error>,
    ) -> Result<T, Error> {
        let answer = self.ask_plainly(watch, |file| question(file))?;
        answer.map_err(|error| said(watch, &error, self.path))
    }

    /// The same, with the server's no handed on as it is.
    pub(super) fn ask_plainly<T>(
        &mut self,
        watch: &mut Watch<'_>,
        mut question: impl FnMut(&mut ssh2::File) -> Result<T, ssh2::Error>,
    ) -> Result<Result<T, ssh2::Error>, Error> {
        let Some(file) = &mut self.file else { return Err(Error::Ended) };
        drive(&self.link.wire, watch, || question(file))
    }

    /// Reads on, at most a block; nothing at the file's end.
    pub(super) fn read(&mut self, watch: &mut Watch<'_>, block: &mut [u8]) -> Result<usize, Error> {
        let session = self.link.session.clone();
        let read = self.ask(watch, |file| file.read(block).map_err(|error| unwrapped(&error, &session)))?;
        self.link.wire.allow(read);
        Ok(read)
    }

    /// Sends on, and gives how many bytes from the block's beginning the server has taken. libssh2 may have sent more of
    /// them already, so the next block must begin with what this one has left.
    pub(super) fn write(&mut self, watch: &mut Watch<'_>, block: &[u8]) -> Result<usize, Error> {
        let session = self.link.session.clone();
        self.ask(watch, |file| file.write(block).map_err(|error| unwrapped(&error, &session)))
    }

    fn close(mut self, watch: &mut Watch<'_>) -> Result<(), Error> {
        let closed = self.ask(watch, ssh2::File::close);
        // After any answer the handle is gone; without one it goes with the connection.
        if closed.as_ref().err().is_none_or(Error::leaves_the_line_usable) {
            self.file = None;
        }
        closed
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if self.file.is_some() {
            self.link.wire.cut();
        }
    }
}

/// Asks until there is an answer, waiting in between; fails only if the watch gives up.
pub(super) fn drive<T>(
    wire: &Wire,
    watch: &mut Watch<'_>,
    mut question: impl FnMut() -> Result<T, ssh2::Error>,
) -> Result<Result<T, ssh2::Error>, Error> {
    watch.left()?;
    loop {
        match question() {
            Err(error) if session_code(&error) == Some(libssh2_sys::LIBSSH2_ERROR_EAGAIN) => {
                watch.wait(wire)?;
            }
            answer => {
                if answer.as_ref().err().and_then(session_code).is_some() {
                    watch.failed(wire.has_ended());
                } else {
                    wire.allow(0);
                }
                watch.moved();
                return Ok(answer);
            }
        }
    }
}

/// Where ssh2 implements `Read` and `Write` it keeps only the words of its error, so its code is looked for by them.
fn unwrapped(error: &io::Error, session: &Session) -> ssh2::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        return ssh2::Error::from_errno(ErrorCode::Session(libssh2_sys::LIBSSH2_ERROR_EAGAIN));
    }
    let words = error.to_string();
    let mut statuses =
        (1..=libssh2_sys::LIBSSH2_FX_LINK_LOOP).map(|code| ssh2::Error::from_errno(ErrorCode::SFTP(code)));
    statuses
        .find(|status| status.message() == words)
        .or_else(|| ssh2::Error::last_session_error(session))
        .unwrap_or_else(ssh2::Error::unknown)
}

/// libssh2's own code of an error that is not the server's answer.
pub(super) fn session_code(error: &ssh2::Error) -> Option<i32> {
    match error.code() {
        ErrorCode::Session(code) => Some(code),
        ErrorCode::SFTP(_) => None,
    }
}

/// An error without an answer: the connection broke, or what came makes no sense.
pub(super) fn lost_or_protocol(watch: &Watch<'_>, error: &ssh2::Error) -> Error {
    let (server, doing, detail) = (watch.server.to_owned(), watch.doing(), error.message().to_owned());
    let broken = match session_code(error) {
        Some(
            libssh2_sys::LIBSSH2_ERROR_SOCKET_SEND
            | libssh2_sys::LIBSSH2_ERROR_SOCKET_RECV
            | libssh2_sys::LIBSSH2_ERROR_SOCKET_DISCONNECT
            | libssh2_sys::LIBSSH2_ERROR_SOCKET_TIMEOUT
            | libssh2_sys::LIBSSH2_ERROR_BAD_SOCKET
            | libssh2_sys::LIBSSH2_ERROR_TIMEOUT
            | libssh2_sys::LIBSSH2_ERROR_BANNER_RECV
            | libssh2_sys::LIBSSH2_ERROR_BANNER_SEND
            | libssh2_sys::LIBSSH2_ERROR_CHANNEL_CLOSED
            | libssh2_sys::LIBSSH2_ERROR_CHANNEL_EOF_SENT,
        ) => true,
        _ => watch.hung_up(),
    };
    if broken { Error::Lost { server, doing, detail } } else { Error::Protocol { server, doing, detail } }
}

/// The server's answer as an error of ours; an error without an answer as well.
pub(super) fn said(watch: &Watch<'_>, error: &ssh2::Error, path: &str) -> Error {
    let (doing, path) = (watch.doing(), path.to_owned());
    let ErrorCode::SFTP(code) = error.code() else { return lost_or_protocol(watch, error) };
    match code {
        libssh2_sys::LIBSSH2_FX_NO_SUCH_FILE | libssh2_sys::LIBSSH2_FX_NO_SUCH_PATH => Error::Missing { path },
        libssh2_sys::LIBSSH2_FX_PERMISSION_DENIED | libssh2_sys::LIBSSH2_FX_WRITE_PROTECT => {
            Error::Denied { doing, path }
        }
        libssh2_sys::LIBSSH2_FX_NO_SPACE_ON_FILESYSTEM | libssh2_sys::LIBSSH2_FX_QUOTA_EXCEEDED => {
            Error::Full { path, code, meaning: meaning(code) }
        }
        libssh2_sys::LIBSSH2_FX_NO_CONNECTION | libssh2_sys::LIBSSH2_FX_CONNECTION_LOST => {
            Error::Lost { server: watch.server.to_owned(), doing, detail: meaning(code).to_owned() }
        }
        // libssh2 tells of an answer that makes no sense as a refusal with the status "ok".
        ..=0 | libssh2_sys::LIBSSH2_FX_EOF => {
            Error::Protocol { server: watch.server.to_owned(), doing, detail: "a malformed answer".to_owned() }
        }
        _ => Error::Refused { doing, path, code, meaning: meaning(code) },
    }
}

/// The name of an SFTP status (draft-ietf-secsh-filexfer-02 and -13, section 7 and 9.1).
pub(super) const fn meaning(code: i32) -> &'static str {
    match code {
        1 => "end of file",
        2 => "no such file",
        3 => "permission denied",
        4 => "failure",
        5 => "bad message",
        6 => "no connection",
        7 => "connection lost",
        8 => "operation unsupported",
        9 => "invalid handle",
        10 => "no such path",
        11 => "file already exists",
        12 => "write protected",
        13 => "no medium",
        14 => "no space on the filesystem",
        15 => "quota exceeded",
        16 => "unknown principal",
        17 => "lock conflict",
        18 => "directory not empty",
        19 => "not a directory",
        20 => "invalid file name",
        21 => "link loop",
        _ => "a status of its own",
    }
}
