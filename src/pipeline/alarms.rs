//! Alarms: raised once, kept in the ledger, told to the operators' command, and cleared when what they are about is over.
//!
//! Whoever raises or clears one writes a row and goes on. The command runs elsewhere (`teller.rs`), so that neither a slow
//! pager nor a broken one holds up a file.

mod records;
mod teller;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use tokio::sync::{Mutex, Notify};

use crate::ledger::{Ledger, LedgerError};
use crate::model::{Alarm, AlarmKind, Clock, FileRecord, State, Subject};
use crate::telemetry;

use super::site::Site;

pub use teller::{Teller, schema};

/// The alarms of one daemon. Cheap to ask: what is open is known without the store.
pub struct Alarms {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    /// Read from the ledger at the first use: this process is the only one that writes there.
    open: Mutex<Option<Open>>,
    /// Something is to be told.
    news: Notify,
    /// The one variable that the command's environment has.
    path: Option<OsString>,
}

type Open = BTreeMap<(AlarmKind, String), Alarm>;

impl Alarms {
    /// What the ledger holds, told by this clock. `path` is where the operators' command finds programs: its `PATH`.
    pub fn new(ledger: &Arc<dyn Ledger>, clock: &Arc<dyn Clock>, path: Option<OsString>) -> Self {
        Self { ledger: Arc::clone(ledger), clock: Arc::clone(clock), open: Mutex::new(None), news: Notify::new(), path }
    }

    /// Calls an operator, unless an alarm of this kind and subject is open already; says whether it was not. May be called
    /// as often as the failure is met: only the first call writes and tells.
    pub async fn raise(
        &self,
        kind: AlarmKind,
        issuer: Option<&str>,
        subject: Subject,
        what: impl Into<String> + Send,
        next: impl Into<String> + Send,
    ) -> Result<bool, LedgerError> {
        let mut open = self.open.lock().await;
        let open = self.known(&mut open).await?;
        let at = (kind, subject.key.clone());
        if open.contains_key(&at) {
            return Ok(false);
        }
        let alarm = Alarm {
            kind,
            issuer: issuer.map(str::to_owned),
            subject,
            what: what.into(),
            next: next.into(),
            raised_at: self.clock.now(),
            cleared_at: None,
        };
        // Not written where the answer to an earlier try was lost; then it is not said a second time either.
        if self.ledger.open_alarm(&alarm).await? {
            telemetry::alarm_raised(&alarm);
            self.news.notify_one();
        }
        open.insert(at, alarm);
        Ok(true)
    }

    /// What an alarm was about is over; `how`, in a sentence. Does nothing where none is open, and says so.
    pub async fn clear(&self, kind: AlarmKind, subject: &Subject, how: &str) -> Result<bool, LedgerError> {
        let mut open = self.open.lock().await;
        let open = self.known(&mut open).await?;
        let at = (kind, subject.key.clone());
        let Some(alarm) = open.get(&at) else { return Ok(false) };
        if self.ledger.close_alarm(kind, &subject.key, how, self.clock.now()).await? {
            telemetry::alarm_cleared(alarm, how);
            self.news.notify_one();
        }
        open.remove(&at);
        Ok(true)
    }

    /// The open ones of a kind.
    pub async fn open_of(&self, kind: AlarmKind) -> Result<Vec<Alarm>, LedgerError> {
        let mut open = self.open.lock().await;
        let open = self.known(&mut open).await?;
        Ok(open.values().filter(|alarm| alarm.kind == kind).cloned().collect())
    }

    /// A file waits for an operator.
    pub(super) async fn file_held(&self, record: &FileRecord, why: &str) -> Result<(), LedgerError> {
        let (no, name) = (record.no, &record.name);
        let what = format!("{name} is HELD: {why}");
        let next = format!("mend what it says, then `nightdrop retry {no} --reason …` lets it go on");
        let subject = Subject::file(no, name, record.feed.as_deref());
        self.raise(AlarmKind::FileHeld, Some(&record.issuer), subject, what, next).await.map(drop)
    }

    /// A file is refused for what it did to this process.
    pub(super) async fn file_poisoned(&self, record: &FileRecord) -> Result<(), LedgerError> {
        let (no, name) = (record.no, &record.name);
        let what = format!("{name} is refused, POISONED: this program ended again and again while it had it in hand");
        let next = format!(
            "the log says where; report it. `nightdrop retry {no} --reason …` takes it once more; the alarm is cleared \
             then, or when the feed's next file is accepted"
        );
        let subject = Subject::file(no, name, record.feed.as_deref());
        self.raise(AlarmKind::Poisoned, Some(&record.issuer), subject, what, next).await.map(drop)
    }

    /// An operator lets a file go on.
    pub(super) async fn file_taken_again(&self, record: &FileRecord) -> Result<(), LedgerError> {
        let subject = Subject::file(record.no, &record.name, record.feed.as_deref());
        for kind in [AlarmKind::FileHeld, AlarmKind::Poisoned] {
            self.clear(kind, &subject, "an operator let the file go on").await?;
        }
        Ok(())
    }

    /// A file is accepted.
    pub(super) async fn file_accepted(&self, record: &FileRecord) -> Result<(), LedgerError> {
        for alarm in self.open_of(AlarmKind::Poisoned).await? {
            if alarm.subject.feed.is_some() && alarm.subject.feed == record.feed {
                self.clear(alarm.kind, &alarm.subject, &format!("{} of the same feed was accepted", record.name))
                    .await?;
            }
        }
        Ok(())
    }

    async fn known<'a>(&self, open: &'a mut Option<Open>) -> Result<&'a mut Open, LedgerError> {
        let known = match open.take() {
            Some(known) => known,
            None => {
                let open = self.ledger.open_alarms().await?;
                open.into_iter().map(|alarm| ((alarm.kind, alarm.subject.key.clone()), alarm)).collect()
            }
        };
        Ok(open.insert(known))
    }
}

impl Site {
    /// Alarms about files that are HELD and those that are open agree again: a process may have ended between the two.
    pub async fn agree_on_held_files(&self, open: &[FileRecord]) -> Result<(), LedgerError> {
        let held: Vec<&FileRecord> = open.iter().filter(|record| record.state == State::Held).collect();
        for alarm in self.alarms.open_of(AlarmKind::FileHeld).await? {
            if !held.iter().any(|record| record.no.to_string() == alarm.subject.key) {
                self.alarms.clear(alarm.kind, &alarm.subject, "the file went on").await?;
            }
        }
        for record in held {
            self.alarms.file_held(record, record.held_why.as_deref().unwrap_or("the log says why")).await?;
        }
        Ok(())
    }
}
