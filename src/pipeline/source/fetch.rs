//! One look at a partner's directory: what is whole is claimed and fetched.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::faults;
use crate::intake::{self, FeedMatch, Fetchable, Listed, Mark};
use crate::ledger::{Claim, Remote, Taken};
use crate::model::{FileRecord, State, hex};
use crate::sftp::{Error, Kind};
use crate::telemetry;

use super::super::origin::{Origin, mark};
use super::super::patience::{Trouble, blocking, patiently};
use super::super::post::{IN_HAND_LOOK, IN_HAND_MAX, stem};
use super::super::site::Progress;
use super::super::story::{Arrival, Pending};
use super::exchange::{Exchange, Failed};
use super::health::{Fault, Kind as Fails, kind};
use super::remove::{kind_of, mark_of};
use super::{After, name_of, within};

/// How long to wait for room in the work directory.
const ROOM_LOOK: Duration = Duration::from_secs(10);

/// What a look came to.
#[derive(Default)]
pub(super) struct Looked {
    /// Files fetched.
    pub(super) claimed: usize,
    /// When the next entry may become ready.
    pub(super) next_change: Option<Duration>,
    /// Files still settling.
    pub(super) settling: usize,
    /// Files that ended early and are left until they have stayed unchanged for `stalled`.
    pub(super) stalled: Vec<String>,
    /// What the server said no to.
    pub(super) fault: Option<Fault>,
}

impl Exchange {
    /// Lists once, and fetches what is whole.
    pub(super) async fn look(&mut self) -> Result<Looked, Failed> {
        let Some(inbound) = self.source.inbound.clone() else {
            // Whether answers could go there is worth knowing before there are any.
            let outbound = self.source.outbound.as_deref().unwrap_or_default();
            return match self.asked(self.client.stat(outbound)).await? {
                Some(_) => Ok(Looked::default()),
                None => Err(Error::Missing { path: outbound.to_owned() }.into()),
            };
        };
        let site = Arc::clone(&self.site);
        let listing = self.asked(self.client.list(&inbound)).await?;
        let own = match &self.source.after {
            After::Move(to) => to.split('/').next().unwrap_or_default(),
            After::Delete | After::Keep => "",
        };
        let listing: Vec<Listed> = listing
            .into_iter()
            // The directory that decided files go into is no odd entry.
            .filter(|entry| entry.kind != Kind::Directory || entry.name != own.as_bytes())
            .map(|entry| Listed { kind: kind_of(entry.kind), mark: mark_of(&entry), name: entry.name })
            .collect();
        let taken = patiently!(site, Ok(site.ledger.taken(&self.source.name).await?))?;
        self.close_gone(&listing, &taken).await?;
        // One of the same name that was taken from another directory says nothing here.
        let here = |it: &Taken| {
            let name = name_of(&it.remote.path);
            (within(&inbound, name) == it.remote.path).then(|| (name.to_owned(), mark(&it.remote)))
        };
        let known: HashSet<(String, Mark)> = taken.iter().filter_map(here).collect();
        let now = site.clock.monotonic();
        let shown = self.door.with(|inbox| inbox.look(&listing, &known, now));
        for odd in &shown.odd {
            telemetry::odd_entry(
                &self.source.issuer,
                &odd.name,
                &format!("{:?} at source {}", odd.kind, self.source.name),
            );
        }
        if shown.odd_unsaid > 0 {
            telemetry::odd_entries(&self.source.issuer, shown.odd_unsaid);
        }
        self.put_back_aside(&shown.aside, &taken).await?;
        let mut looked = Looked {
            claimed: 0,
            next_change: shown.next_change,
            settling: shown.settling,
            stalled: shown.stalled_waiting,
            fault: None,
        };
        // Where feeds go after others, files that are listed together come to the lane together.
        let together = self.issuer.feeds.iter().any(|feed| !feed.after.is_empty());
        let mut fetched = Vec::new();
        for file in shown.ready {
            if site.stop.said() {
                break;
            }
            let wait = if site.progress.in_hand() >= IN_HAND_MAX {
                Some(IN_HAND_LOOK)
            } else if self.has_room(file.mark.size).await? {
                None
            } else {
                Some(ROOM_LOOK)
            };
            if let Some(wait) = wait {
                looked.settling += 1;
                looked.next_change = Some(wait);
                break;
            }
            match self.fetch(&inbound, &file).await {
                Ok(Some(pending)) => {
                    looked.claimed += 1;
                    fetched.push(pending);
                }
                Ok(None) => looked.settling += 1,
                // What the server says no to is one file's: the others are fetched.
                Err(Failed::Partner(error)) if kind(&error) == Fails::Place => {
                    looked.fault.get_or_insert(Fault::of(&error));
                }
                Err(failed) => {
                    self.hand_over(&mut fetched);
                    return Err(failed);
                }
            }
            if !together {
                self.hand_over(&mut fetched);
            }
        }
        self.hand_over(&mut fetched);
        Ok(looked)
    }

    fn hand_over(&self, fetched: &mut Vec<Arrival>) {
        for arrival in fetched.drain(..) {
            // A lane that is gone has said why itself.
            let _ = self.lane.send(Pending::begin(&self.site, arrival));
        }
    }

    /// What was taken and decided about, and is no longer listed as it was, is gone; but not while its done marker is still to go.
    async fn close_gone(&self, listing: &[Listed], taken: &[Taken]) -> Result<(), Failed> {
        let listed: HashSet<(&[u8], Mark)> = listing.iter().map(|it| (&it.name[..], it.mark)).collect();
        let site = &self.site;
        for taken in taken.iter().filter(|taken| taken.decided) {
            let name = name_of(&taken.remote.path);
            let aside = intake::aside_of(name);
            let lies_there = |name: &str| listed.contains(&(name.as_bytes(), mark(&taken.remote)));
            let marker = intake::marker_of(name);
            let marked = self.takes_markers_away() && listing.iter().any(|it| it.name == marker.as_bytes());
            if !lies_there(name) && !lies_there(&aside) && !marked {
                patiently!(site, Ok(site.ledger.remote_gone(taken.id, site.clock.now()).await?))?;
            }
        }
        Ok(())
    }

    async fn has_room(&self, size: u64) -> Result<bool, Failed> {
        if size > self.setup.limits.file_bytes_max {
            // Refused without being fetched, whatever a server says of its size.
            return Ok(true);
        }
        let (work, min) = (self.site.work.clone(), self.setup.limits.free_bytes_min);
        Ok(blocking(move || Ok(intake::free_room(&work, size, min)?)).await?)
    }

    /// Intent, fetch, claim. `None`: the file was not as it had been listed, and settles anew.
    async fn fetch(&self, inbound: &str, file: &Fetchable) -> Result<Option<Arrival>, Failed> {
        let (site, issuer) = (&self.site, &self.issuer);
        let feed = match file.feed {
            FeedMatch::One(index) => issuer.feeds.get(index),
            FeedMatch::None | FeedMatch::Several => None,
        };
        let Mark { size, mtime } = file.mark;
        let path = within(inbound, &file.name);
        let remote = Remote { source: self.source.name.clone(), path: path.clone(), size, mtime };
        let origin = Origin::Source(remote.clone());
        let claim = Claim {
            issuer: issuer.id.clone(),
            name: file.name.clone(),
            stem: stem(&file.name).to_owned(),
            feed: feed.map(|feed| feed.name.clone()),
            service: feed.map(|feed| feed.service.view.service),
            environment: feed.map(|feed| feed.environment),
            identity: origin.to_text(),
            remote: Some(remote),
            bytes: size,
            at: site.clock.now(),
        };
        let record = patiently!(site, Ok(site.ledger.claim(&claim).await?))?;
        faults::reach("intent", &record.name);
        let sha256 = if size > self.setup.limits.file_bytes_max {
            None
        } else {
            match self.download(&path, file.mark, &record).await {
                Ok(Some(sha256)) => Some(hex(&sha256)),
                Ok(None) => {
                    self.put_back(&record).await?;
                    telemetry::claim_thrown_away(record.no, &file.name);
                    self.door.with(|inbox| inbox.forget(&file.name));
                    return Ok(None);
                }
                Err(failed) => {
                    self.put_back(&record).await?;
                    return Err(failed);
                }
            }
        };
        faults::reach("copied", &record.name);
        patiently!(site, Ok(site.ledger.claimed(record.no, sha256.as_deref(), size).await?))?;
        self.door.with(|inbox| inbox.proving(&file.name));
        faults::reach("claimed", &record.name);
        telemetry::file_fetched(record.no, &issuer.id, &self.source.name, &file.name, size);
        Progress::add(&site.progress.files_open, 1);
        Ok(Some(Arrival {
            record: FileRecord { sha256, bytes: size, state: State::Claimed, ..record },
            setup: Arc::clone(&self.setup),
            issuer: Arc::clone(issuer),
            origin,
            last_word: file.last_word,
            several_feeds: file.feed == FeedMatch::Several,
            resumed: false,
        }))
    }

    /// The copy, synced; nothing if the file changed meanwhile.
    async fn download(&self, path: &str, mark: Mark, record: &FileRecord) -> Result<Option<[u8; 32]>, Failed> {
        let (work, id) = (self.site.work.clone(), record.no.to_string());
        let (copy, kept) = blocking(move || {
            let copy = intake::begin_copy(&work, &id)?;
            let kept = copy.try_clone()?;
            Ok((copy, kept))
        })
        .await?;
        let fetched = match self.asked(self.client.download(path, copy, mark.size)).await {
            Ok(fetched) => fetched,
            Err(Error::Changed { .. } | Error::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let same = self.asked(self.client.stat(path)).await?.is_some_and(|entry| mark_of(&entry) == mark);
        if !same || fetched.mtime != mark.mtime {
            return Ok(None);
        }
        let (work, id) = (self.site.work.clone(), record.no.to_string());
        blocking(move || Ok(intake::finish_copy(&work, &id, &kept)?)).await?;
        Ok(Some(fetched.sha256))
    }

    async fn put_back(&self, record: &FileRecord) -> Result<(), Failed> {
        let site = &self.site;
        let put_back = async {
            // An intent that stayed would keep the file from being fetched again.
            patiently!(site, {
                let (work, id) = (site.work.clone(), record.no.to_string());
                blocking(move || Ok(intake::discard_copy(&work, &id)?)).await
            })?;
            patiently!(site, Ok(site.ledger.unclaim(record.no, site.clock.now()).await?))
        };
        match put_back.await {
            // The next start takes the intent back.
            Ok(()) | Err(Trouble::Stopped) => Ok(()),
            Err(trouble) => Err(trouble.into()),
        }
    }
}
