//! The handle: calls go to the server's thread through a channel, answers come back as futures.

use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use tokio::sync::oneshot;

use super::link::Link;
use super::watch::{Bell, Flag, Watch};
use super::worker::{Job, Worker};
use super::{Downloaded, Entry, Error, Options, Uploaded, calls, transfer, upload};
use crate::model::Clock;

/// One partner's server.
///
/// It connects at the first call and stays connected; after a loss the next call connects anew. Calls are done one after
/// the other. A future that is dropped takes its call back, and with it the connection it was on; dropping the last handle
/// ends the thread at once, whatever the server is doing.
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

struct Handle {
    jobs: Sender<Job>,
    bell: Bell,
    ended: Flag,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.ended.raise();
        self.bell.ring();
    }
}

/// Takes a call back when its future is dropped.
struct Wanted {
    given_up: Flag,
    bell: Bell,
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.given_up.raise();
        self.bell.ring();
    }
}

impl Client {
    /// A client for a server, on a thread of its own. Nothing is sent before the first call.
    ///
    /// # Errors
    /// [`Error::Local`] if there is no thread or descriptor to be had.
    pub fn start(options: Options, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let (jobs, waiting) = mpsc::channel();
        let (bell, ended) = (Bell::new()?, Flag::default());
        let worker = Worker::new(options, clock, bell.clone(), ended.clone());
        thread::Builder::new()
            .name("sftp".to_owned())
            .spawn(move || worker.run(&waiting))
            .map_err(|source| Error::Local { doing: "start a thread", source })?;
        Ok(Self { handle: Arc::new(Handle { jobs, bell, ended }) })
    }

    /// What a directory lists, in the server's order, without `.` and `..`. An empty name is the directory we land in.
    ///
    /// # Errors
    /// [`Error::ListingTooLong`] beyond `listing_max`; [`Error::Missing`], [`Error::Denied`].
    pub async fn list(&self, dir: &str) -> Result<Vec<Entry>, Error> {
        let dir = dir.to_owned();
        self.call(move |link, watch| calls::list(link, watch, &dir)).await
    }

    /// What stands under a path, links not followed; nothing if there is nothing.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub async fn stat(&self, path: &str) -> Result<Option<Entry>, Error> {
        let path = path.to_owned();
        self.call(move |link, watch| calls::stat(link, watch, &path)).await
    }

    /// Copies a file of exactly `size` bytes into `into`, which the caller syncs or, after an error, throws away.
    ///
    /// # Errors
    /// [`Error::Changed`] if it is longer or shorter; [`Error::Missing`], [`Error::Denied`].
    pub async fn download(&self, path: &str, into: File, size: u64) -> Result<Downloaded, Error> {
        let path = path.to_owned();
        self.call(move |link, watch| transfer::download(link, watch, &path, into, size)).await
    }

    /// Lays a file down in `dir` as `name`, whole or not at all, in the place of what had this name.
    ///
    /// It is sent as `.NAME.part`, its size is read back, and it is renamed. libssh2 knows the plain rename of SFTP 3 only,
    /// which servers refuse if the name is taken: then what has the name is removed first.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Missing`], [`Error::Denied`], [`Error::Refused`]; [`Error::Source`] if `from` does not have
    /// the size and hash announced.
    pub async fn upload(
        &self,
        from: File,
        dir: &str,
        name: &str,
        size: u64,
        sha256: [u8; 32],
    ) -> Result<Uploaded, Error> {
        let (dir, name) = (dir.to_owned(), name.to_owned());
        self.call(move |link, watch| upload::upload(link, watch, from, &dir, &name, size, sha256)).await
    }

    /// Renames; what has the name `to` stays, and the call fails.
    ///
    /// # Errors
    /// [`Error::Refused`] if the name is taken, among others; [`Error::Missing`], [`Error::Denied`].
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.call(move |link, watch| calls::rename(link, watch, &from, &to)).await
    }

    /// Removes a file.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Denied`], [`Error::Refused`].
    pub async fn remove(&self, path: &str) -> Result<(), Error> {
        let path = path.to_owned();
        self.call(move |link, watch| calls::remove(link, watch, &path)).await
    }

    /// Writes, renames and removes a small file in `dir`, to see that deliveries can get there. Its names begin with a dot.
    ///
    /// # Errors
    /// What an upload would meet.
    pub async fn probe_write(&self, dir: &str) -> Result<(), Error> {
        let dir = dir.to_owned();
        self.call(move |link, watch| upload::probe(link, watch, &dir)).await
    }

    async fn call<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Link, &mut Watch<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let given_up = Flag::default();
        let _wanted = Wanted { given_up: given_up.clone(), bell: self.handle.bell.clone() };
        let job: Job = Box::new(move |worker| {
            // Nobody may be waiting any more, which is their business.
            let _ = answer.send(worker.perform(&given_up, run));
        });
        self.handle.jobs.send(job).map_err(|_| Error::Ended)?;
        self.handle.bell.ring();
        answered.await.unwrap_or(Err(Error::Ended))
    }
}
