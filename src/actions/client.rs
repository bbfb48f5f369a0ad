//! The asker's end of the Unix socket.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{Action, Answer, LINE_BYTES_MAX, Question, VERSION};

/// The longest that a daemon may take to answer; a backup of a large store takes its time.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);

/// What came of asking.
pub enum Asked {
    /// The daemon's answer.
    Answered(Answer),
    /// Nobody listens there.
    Nobody,
}

/// Asks the daemon that listens at `socket`.
///
/// # Errors
/// A socket that may not be opened, and a daemon that does not answer as one.
pub fn ask(socket: &Path, action: Action) -> io::Result<Asked> {
    ask_within(socket, action, ANSWER_WITHIN)
}

/// The same for who does not want to wait long.
///
/// # Errors
/// Those of [`ask`], and an answer that did not come in time.
pub fn ask_within(socket: &Path, action: Action, within: Duration) -> io::Result<Asked> {
    let mut stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(Asked::Nobody);
        }
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    let mut question = serde_json::to_vec(&Question { version: VERSION, action }).map_err(io::Error::other)?;
    question.push(b'\n');
    if question.len() > LINE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the question is too long"));
    }
    stream.write_all(&question)?;
    let mut line = Vec::new();
    BufReader::new(stream.take(LINE_BYTES_MAX as u64)).read_until(b'\n', &mut line)?;
    let answer = serde_json::from_slice(&line)
        .map_err(|_| io::Error::new(io::ErrorKind::UnexpectedEof, "the daemon ended before it answered"))?;
    Ok(Asked::Answered(answer))
}
