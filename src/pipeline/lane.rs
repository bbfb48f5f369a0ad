//! An issuer's lane: one file at a time from its decision until all is registered, in order of arrival numbers. A file whose
//! feed goes after others lets theirs pass that are claimed, or are being claimed in the same look.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::model::{FileNo, FileRecord, State};

use super::Fatal;
use super::origin::Origin;
use super::patience::Trouble;
use super::post::{self, Coming, Post, SharedInbox};
use super::queue::Queue;
use super::site::{Issuer, Progress, Setup, Site};
use super::story::{Arrival, Next, Pending, Story, Waiting};

/// How often files that wait for their sequence are looked at when nothing else happens.
const WAITING_LOOK: Duration = Duration::from_secs(1);

/// One issuer's lane.
pub struct Lane {
    story: Story,
    pending: UnboundedReceiver<Pending>,
    /// Files that have come and are not taken yet.
    queue: Queue,
    /// Files of each feed that the post is about to claim.
    coming: watch::Receiver<Coming>,
    waiting: BTreeMap<FileNo, Box<Waiting>>,
    reports: JoinSet<Result<(), Fatal>>,
}

impl Lane {
    /// An issuer's lane, with the post that feeds it. Files left open by an earlier process go first, by number.
    pub fn open(
        site: &Arc<Site>,
        setup: &Arc<Setup>,
        issuer: &Arc<Issuer>,
        left_open: Vec<(FileRecord, String)>,
    ) -> Result<(Post, Self), Fatal> {
        let inbox: SharedInbox = post::inbox(issuer, setup.looking)?;
        let (to_lane, pending): (UnboundedSender<Pending>, _) = unbounded_channel();
        for (record, origin) in left_open {
            let origin = Origin::kept_with(&record, &origin)?;
            if let Origin::Directory(identity) = origin {
                post::with_inbox(&inbox, |inbox| inbox.claimed(&record.name, identity));
            }
            if record.state == State::Held {
                // Nothing is done with it, but its original may still lie there, and is not another arrival.
                continue;
            }
            Progress::add(&site.progress.files_open, 1);
            let last_word = record.retried;
            let arrival = Arrival {
                record,
                setup: Arc::clone(setup),
                issuer: Arc::clone(issuer),
                origin,
                last_word,
                several_feeds: false,
                resumed: true,
            };
            let _ = to_lane.send(Pending::begin(site, arrival));
        }
        site.doors.open(&issuer.id, &to_lane, &inbox);
        let (tell, coming) = watch::channel(Coming::default());
        let post =
            Post::new(Arc::clone(site), Arc::clone(setup), Arc::clone(issuer), Arc::clone(&inbox), (to_lane, tell));
        let story = Story::new(Arc::clone(site), inbox);
        let (queue, waiting) = (Queue::default(), BTreeMap::new());
        Ok((post, Self { story, pending, queue, coming, waiting, reports: JoinSet::new() }))
    }

    /// Takes file after file until the post is gone and nothing is left to do now, or the daemon stops.
    pub async fn run(mut self) -> Result<(), Fatal> {
        let mut post_is_gone = false;
        loop {
            while let Some(done) = self.reports.try_join_next() {
                report_ended(done)?;
            }
            // Read before what has come: a file counts as coming until it is there.
            let coming = self.coming.borrow_and_update().clone();
            while let Ok(pending) = self.pending.try_recv() {
                self.queue.push(pending);
            }
            if self.story.stopping() {
                break;
            }
            if let Some(pending) = self.next_in_turn(&coming) {
                let next = self.story.take(pending).await;
                self.go_on(next).await?;
                self.look_at_waiting().await?;
                continue;
            }
            if post_is_gone {
                break;
            }
            tokio::select! {
                biased;
                pending = self.pending.recv() => match pending {
                    Some(pending) => self.queue.push(pending),
                    None => post_is_gone = true,
                },
                // The post is gone where it tells nothing any more; the channel says so too.
                Ok(()) = self.coming.changed(), if !self.queue.is_empty() => {}
                // One that must end the process does it now, and not when the next file comes.
                Some(done) = self.reports.join_next() => report_ended(done)?,
                () = tokio::time::sleep(WAITING_LOOK), if !self.waiting.is_empty() => self.look_at_waiting().await?,
            }
        }
        while let Some(done) = self.reports.join_next().await {
            report_ended(done)?;
        }
        Ok(())
    }

    /// The first file that waits for none of another feed. Those that wait for one that itself waits for its sequence are
    /// counted with it: a batch run does not wait for either.
    fn next_in_turn(&mut self, coming: &Coming) -> Option<Pending> {
        let waiting: Vec<&str> = self.waiting.values().filter_map(|waiting| waiting.feed()).collect();
        let (next, change) = self.queue.take(coming, &waiting);
        for _ in 0..change.abs() {
            self.story.waits(if change > 0 { 1 } else { -1 });
        }
        next
    }

    async fn look_at_waiting(&mut self) -> Result<(), Fatal> {
        // One that is accepted can be the one that the next waits for: they are looked at by number, once each.
        for no in self.waiting.keys().copied().collect::<Vec<_>>() {
            if self.story.stopping() {
                break;
            }
            if let Some(waiting) = self.waiting.remove(&no) {
                self.story.waits(-1);
                let next = self.story.look_again(waiting).await;
                self.go_on(next).await?;
            }
        }
        Ok(())
    }

    async fn go_on(&mut self, next: Result<Next, Trouble>) -> Result<(), Fatal> {
        match next {
            Ok(Next::Closed) | Err(Trouble::Stopped) => Ok(()),
            Ok(Next::Wait(waiting)) => {
                self.waiting.insert(waiting.no(), waiting);
                self.story.waits(1);
                Ok(())
            }
            Ok(Next::Report(no, issuer, registered)) => {
                let story = self.story.clone();
                self.reports.spawn(async move {
                    let reporter = story.clone();
                    match tokio::spawn(async move { reporter.report(no, &issuer, registered).await }).await {
                        Ok(ended) => ended,
                        Err(_) => story.report_panicked(no).await,
                    }
                });
                Ok(())
            }
            Err(Trouble::Fatal(why) | Trouble::Hold(why)) => Err(Fatal(why)),
            Err(trouble @ (Trouble::Later { .. } | Trouble::CopyGone | Trouble::Panicked)) => {
                Err(Fatal(trouble.to_string()))
            }
        }
    }
}

fn report_ended(done: Result<Result<(), Fatal>, tokio::task::JoinError>) -> Result<(), Fatal> {
    done.unwrap_or_else(|_| Err(Fatal("a report panicked; the log names the line".into())))
}
