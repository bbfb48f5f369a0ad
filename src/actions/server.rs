//! The daemon's end of the Unix socket: a bounded number of askers, each with one question.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::ledger::{Actor, AuditEntry, AuditEvent};
use crate::pipeline::Site;
use crate::telemetry;

use super::{Answer, LINE_BYTES_MAX, Performer, Question, VERSION, perform};

/// Askers at a time; further ones wait.
const ASKERS_MAX: usize = 16;

/// How long an asker may take to ask, and to take the answer.
const ASKER_WITHIN: Duration = Duration::from_secs(5);

/// Why the daemon cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("[daemon] socket: {path}: {source}")]
pub struct ServerError {
    path: PathBuf,
    source: io::Error,
}

/// Listens from its making on; its end takes the socket away.
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    site: Arc<Site>,
}

impl Server {
    /// Takes the place of a socket that an earlier daemon left; whoever calls this holds the store, so nobody else listens.
    pub fn listen(path: &Path, site: &Arc<Site>) -> Result<Self, ServerError> {
        let failed = |source| ServerError { path: path.to_owned(), source };
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path).map_err(failed)?,
            Ok(_) => {
                let what = "something else than a socket lies there; it is not replaced";
                return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, what)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned(), site: Arc::clone(site) })
    }

    /// Answers until the daemon stops.
    pub async fn run(self) {
        let askers = Arc::new(Semaphore::new(ASKERS_MAX));
        loop {
            let Ok(asker) = Arc::clone(&askers).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = self.site.stop.told() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let site = Arc::clone(&self.site);
                    tokio::spawn(async move {
                        answer(site, stream).await;
                        drop(asker);
                    });
                }
                Err(error) => {
                    telemetry::world_failed("socket", &error.to_string(), ASKER_WITHIN);
                    self.site.stop.within(ASKER_WITHIN).await;
                }
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The next daemon replaces it anyway.
        let _ = fs::remove_file(&self.path);
    }
}

/// One question, one answer. An asker that does neither in time is left.
async fn answer(site: Arc<Site>, stream: UnixStream) {
    let Ok(peer) = stream.peer_cred() else { return };
    let actor = Actor::Uid(peer.uid());
    let (from, mut to) = stream.into_split();
    let mut line = Vec::new();
    let mut from = BufReader::new(from.take(LINE_BYTES_MAX as u64));
    let read = tokio::time::timeout(ASKER_WITHIN, from.read_until(b'\n', &mut line)).await;
    let question = match read {
        Ok(Ok(0)) | Err(_) | Ok(Err(_)) => return,
        Ok(Ok(_)) => serde_json::from_slice::<Question>(&line).ok(),
    };
    let answer = match question {
        Some(Question { version: VERSION, action }) => {
            // On a task of its own: an asker that goes away does not stop what it asked for.
            let done =
                tokio::spawn(async move { perform(&Performer { site, actor, alone: false }, action).await }).await;
            done.unwrap_or_else(|_| Answer::new(super::Outcome::Failed, "the daemon panicked; its log names the line"))
        }
        Some(Question { version, .. }) => {
            Answer::not_allowed(format!("this daemon answers questions of version {VERSION}, not {version}"))
        }
        None => {
            let what = AuditEntry::new(site.clock.now(), AuditEvent::AccessFailed, actor)
                .with("what", "a question at the socket that is none");
            if let Err(error) = site.ledger.audit(&what).await {
                telemetry::world_failed("store", &error.to_string(), Duration::ZERO);
            }
            Answer::not_allowed("that is no question: expected is one line of JSON")
        }
    };
    let mut text = serde_json::to_vec(&answer).unwrap_or_default();
    text.push(b'\n');
    // Whoever asked may be gone.
    let _ = tokio::time::timeout(ASKER_WITHIN, to.write_all(&text)).await;
}
