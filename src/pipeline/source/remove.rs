//! What becomes of a file on a partner's server once it is decided about.
//!
//! There is no call that removes a name only while it is a certain file's. So the name is moved aside first, and what was moved
//! is looked at: the fetched file goes, anything else is put back. What a broken line leaves aside, the next listing shows.

use crate::faults;
use crate::intake::{ListedKind, Mark, aside_of, marker_of};
use crate::ledger::Taken;
use crate::sftp::{Entry, Error, Kind};

use super::super::origin::mark;
use super::super::patience::patiently;
use super::exchange::{Exchange, Failed};
use super::health::{Fault, Kind as Fails, kind};
use super::{After, name_of, within};

/// Files of one name in the directory that fetched files go into.
const SAME_NAME_MAX: u32 = 1_000;

pub(super) fn mark_of(entry: &Entry) -> Mark {
    Mark { size: entry.size, mtime: entry.mtime }
}

pub(super) const fn kind_of(kind: Kind) -> ListedKind {
    match kind {
        Kind::File => ListedKind::File,
        Kind::Directory => ListedKind::Directory,
        Kind::Link => ListedKind::Link,
        Kind::Other => ListedKind::Other,
    }
}

impl Exchange {
    /// Takes away what was decided about. One that the server does not let go of is tried again, and holds up no other.
    pub(super) async fn remove_decided(&self) -> Result<Option<Fault>, Failed> {
        let site = &self.site;
        if self.source.after == After::Keep {
            return Ok(None);
        }
        let taken = patiently!(site, Ok(site.ledger.taken(&self.source.name).await?))?;
        let mut fault = None;
        for taken in taken.iter().filter(|taken| taken.decided) {
            match self.take_away(taken).await {
                Ok(()) => {
                    faults::reach("gone_there", &taken.remote.path);
                    patiently!(site, Ok(site.ledger.remote_gone(taken.id, site.clock.now()).await?))?;
                }
                Err(error) if kind(&error) == Fails::Place => {
                    fault.get_or_insert(Fault::of(&error));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(fault)
    }

    async fn take_away(&self, taken: &Taken) -> Result<(), Error> {
        let path = &taken.remote.path;
        let is_it = |entry: &Option<Entry>| {
            entry.as_ref().is_some_and(|it| it.kind == Kind::File && mark_of(it) == mark(&taken.remote))
        };
        let name = name_of(path);
        let dir = &path[..path.len() - name.len()];
        let aside = within(dir, &aside_of(name));
        let lies_aside = self.asked(self.client.stat(&aside)).await?;
        if is_it(&lies_aside) {
            // Left there by a try that was cut off.
            self.let_go(&aside, dir, name).await?;
        } else if lies_aside.is_some() && is_it(&self.asked(self.client.stat(path)).await?) {
            // Another file lies aside, until this name is free for it: some servers would rename over it.
            self.let_go(path, dir, name).await?;
        } else if is_it(&self.asked(self.client.stat(path)).await?) {
            match self.asked(self.client.rename(path, &aside)).await {
                Ok(()) if is_it(&self.asked(self.client.stat(&aside)).await?) => {
                    faults::reach("set_aside", name);
                    self.let_go(&aside, dir, name).await?;
                }
                // Another file took its place between the look and the step.
                Ok(()) => self.asked(self.client.rename(&aside, path)).await?,
                // Where nothing may be renamed it goes as it stands.
                Err(Error::Denied { .. } | Error::Refused { .. }) => self.let_go(path, dir, name).await?,
                Err(Error::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if self.takes_markers_away() && self.asked(self.client.stat(path)).await?.is_none() {
            match self.asked(self.client.remove(&within(dir, &marker_of(name)))).await {
                Ok(()) | Err(Error::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether a file's done marker goes with it.
    pub(super) fn takes_markers_away(&self) -> bool {
        self.source.after != After::Keep && self.issuer.feeds.iter().any(|feed| feed.done_marker)
    }

    /// Removes it, or moves it where fetched files go.
    async fn let_go(&self, path: &str, dir: &str, name: &str) -> Result<(), Error> {
        let After::Move(to) = &self.source.after else {
            return match self.asked(self.client.remove(path)).await {
                Err(Error::Missing { .. }) => Ok(()),
                ended => ended,
            };
        };
        let to = if to.starts_with('/') { to.clone() } else { within(dir, to) };
        let mut target = within(&to, name);
        for next in 2..SAME_NAME_MAX {
            if self.asked(self.client.stat(&target)).await?.is_none() {
                break;
            }
            target = within(&to, &format!("{name}.{next}"));
        }
        match self.asked(self.client.rename(path, &target)).await {
            // Of the two that a rename may miss, the directory is what somebody must make; a file that is gone may be gone.
            Err(Error::Missing { .. }) if self.asked(self.client.stat(&to)).await?.is_some() => Ok(()),
            Err(Error::Missing { .. }) => Err(Error::Missing { path: to }),
            ended => ended,
        }
    }

    /// Gives what a removal left aside its name again, where it is not the file that was to go.
    pub(super) async fn put_back_aside(&self, aside: &[(String, Mark)], taken: &[Taken]) -> Result<(), Error> {
        let Some(inbound) = &self.source.inbound else { return Ok(()) };
        for (name, mark_there) in aside {
            let path = within(inbound, name);
            // Where files are kept, one that was to go when they were not is put back too.
            let ours = self.source.after != After::Keep
                && taken.iter().any(|it| it.decided && it.remote.path == path && mark(&it.remote) == *mark_there);
            if !ours && self.asked(self.client.stat(&path)).await?.is_none() {
                self.asked(self.client.rename(&within(inbound, &aside_of(name)), &path)).await?;
            }
        }
        Ok(())
    }
}
