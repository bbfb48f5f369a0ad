//! Does what was asked for, on a site that holds the store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::{Actor, AuditEntry, AuditEvent, LedgerError};
use crate::model::{Code, Decision, FileNo, FileRecord, State};
use crate::pipeline::{Again, AgainError, Made, ReportsError, Site, When};

use super::{Action, Answer, Broken, Called, Found, Outcome, Which, find};

/// How long whoever asks for a redelivery waits for its end; a longer one goes on without them.
const ANSWER_WITHIN: Duration = Duration::from_millis(800);

/// How often a file with its last steps before it is looked at meanwhile.
const SOON_LOOKS: u32 = 10;

/// Reports that an answer names.
const REPORTS_NAMED: usize = 40;

/// A reason is a sentence, not a file.
const REASON_BYTES_MAX: usize = 1_000;

/// Who asks, and where it is done.
pub struct Performer {
    /// Where.
    pub site: Arc<Site>,
    /// Who.
    pub actor: Actor,
    /// No daemon runs: what a file needs is done here, to its end.
    pub alone: bool,
}

/// Does it, or says why not.
pub async fn perform(performer: &Performer, action: Action) -> Answer {
    let done = match action {
        Action::Retry { file, reason, force } => performer.retry(&file, &reason, force).await,
        Action::Redeliver { file } => performer.redeliver(&file).await,
        Action::SetSequence { feed, next, reason } => performer.set_sequence(&feed, next, &reason).await,
        Action::Report { of } => performer.report(&of).await,
        Action::Backup { to } => performer.backup(&to).await,
        Action::WaitedFor => Ok(performer.waited_for()),
    };
    done.unwrap_or_else(|error| Answer::new(Outcome::Failed, format!("not done: {error}")))
}

impl Performer {
    fn entry(&self, action: &'static str) -> AuditEntry {
        AuditEntry::new(self.site.clock.now(), AuditEvent::Action, self.actor).with("action", action)
    }

    fn waited_for(&self) -> Answer {
        let now = self.site.progress.troubles.now();
        let words = if now.is_empty() { "nothing is waited for" } else { "not all of the world works" };
        // What the system says of a failure is a line; an answer has room for some of them.
        let broken = |(part, why): (&str, String)| Broken { part: part.into(), why: why.chars().take(500).collect() };
        Answer { waited_for: now.into_iter().map(broken).collect(), ..Answer::new(Outcome::Done, words) }
    }

    fn about(&self, action: &'static str, record: &FileRecord) -> AuditEntry {
        self.entry(action).of_issuer(&record.issuer).of_file(record.no).with("name", record.name.as_str())
    }

    async fn retry(&self, which: &Which, reason: &str, force: bool) -> Result<Answer, LedgerError> {
        if let Some(why) = no_reason(reason) {
            return Ok(Answer::not_allowed(why));
        }
        let record = match self.find(which).await? {
            Ok(record) => record,
            Err(why) => return Ok(Answer::not_allowed(why)),
        };
        let (no, name) = (record.no, record.name.clone());
        let again = match (record.state, record.decision, record.code) {
            (State::Held, ..) => Again::GoOn,
            (State::Done, Some(Decision::Refused), Some(Code::DuplicateContent)) if !force => {
                let why = format!(
                    "{name} has the records of a file that was taken before; --force takes them a second time, which \
                     registers nothing twice but gives the file answers of its own"
                );
                return Ok(Answer::not_allowed(why));
            }
            (State::Done, Some(Decision::Refused), code) => {
                Again::Decide { release: force && code == Some(Code::DuplicateContent) }
            }
            (State::Done, ..) => {
                let why = format!("{name} is done; `nightdrop redeliver` writes its answers again");
                return Ok(Answer::not_allowed(why));
            }
            (state, ..) => {
                return Ok(Answer::not_allowed(format!("{name} is {}: it is being worked on", state.as_str())));
            }
        };
        let entry = self.about("retry", &record).with("reason", reason).with("force", force);
        Ok(match self.site.take_again(record, again, &entry, self.alone).await {
            Ok(()) => {
                let what = if again == Again::GoOn { "goes on from where it was held" } else { "is decided again" };
                Answer::new(Outcome::Done, format!("{no} {name} {what}{}", self.came_to(no).await?))
            }
            Err(AgainError::NotKept(why)) => Answer::not_allowed(format!("{name} cannot be taken again: {why}")),
            Err(AgainError::World(why)) => Answer::new(Outcome::Failed, format!("{name} is left as it is: {why}")),
        })
    }

    /// What a file has come to, where it was waited for.
    async fn came_to(&self, no: FileNo) -> Result<String, LedgerError> {
        if !self.alone {
            return Ok(String::new());
        }
        let FileRecord { state, decision, code, .. } = self.site.ledger.file(no).await?;
        let words = [Some(state.as_str()), decision.map(Decision::as_str), code.map(Code::as_str)];
        Ok(format!(": it is {}", words.into_iter().flatten().collect::<Vec<_>>().join(", ")))
    }

    async fn redeliver(&self, which: &Which) -> Result<Answer, LedgerError> {
        let record = match self.find(which).await? {
            Ok(record) => record,
            Err(why) => return Ok(Answer::not_allowed(why)),
        };
        let asked = self.site.clock.monotonic();
        let record = self.soon_done(record).await?;
        let (no, name) = (record.no, record.name.clone());
        if record.state != State::Done {
            let why = format!("{name} is {}: its answers are still to come", record.state.as_str());
            return Ok(Answer::not_allowed(why));
        }
        if self.site.setup.now().issuer(&record.issuer).is_none() {
            let why =
                format!("its issuer {} is not in the configuration: there is nowhere to deliver to", record.issuer);
            return Ok(Answer::not_allowed(why));
        }
        if record.decision == Some(Decision::Accepted)
            && self.site.ledger.standing(no).await?.results_purged_at.is_some()
        {
            let why = format!("the records of {name} were kept as long as [retention] results says, and are gone");
            return Ok(Answer::not_allowed(why));
        }
        self.site.ledger.audit(&self.about("redeliver", &record)).await?;
        let site = Arc::clone(&self.site);
        let mut delivering = tokio::spawn(async move { site.deliver_again(&record).await });
        // The trail may have had to wait for the store, which others write to.
        let waited = self.site.clock.monotonic().saturating_duration_since(asked);
        let within = if self.alone { Duration::MAX } else { ANSWER_WITHIN.saturating_sub(waited) };
        Ok(match tokio::time::timeout(within, &mut delivering).await {
            Err(_) => {
                // It goes on by itself; what fails then is said in the log.
                Answer::new(Outcome::Begun, format!("the answers of {no} {name} are being written again"))
            }
            Ok(Ok(Ok(()))) => Answer::new(Outcome::Done, format!("the answers of {no} {name} are written again")),
            Ok(Ok(Err(why))) => Answer::new(Outcome::Failed, format!("the answers of {name} were not written: {why}")),
            Ok(Err(_)) => Answer::new(Outcome::Failed, "the delivery panicked; the daemon's log names the line"),
        })
    }

    /// A file whose summary lies there, and which has its last steps before it.
    async fn soon_done(&self, mut record: FileRecord) -> Result<FileRecord, LedgerError> {
        let mut looks = SOON_LOOKS;
        while record.state == State::Reported && !self.alone && looks > 0 {
            self.site.stop.within(ANSWER_WITHIN / SOON_LOOKS).await;
            record = self.site.ledger.file(record.no).await?;
            looks -= 1;
        }
        Ok(record)
    }

    async fn set_sequence(&self, feed: &str, next: u64, reason: &str) -> Result<Answer, LedgerError> {
        if let Some(why) = no_reason(reason) {
            return Ok(Answer::not_allowed(why));
        }
        let setup = self.site.setup.now();
        let Some(issuer) = setup.issuers.iter().find(|issuer| issuer.feed(feed).is_some()) else {
            let feeds: Vec<&str> =
                setup.issuers.iter().flat_map(|issuer| issuer.feeds.iter().map(|feed| feed.name.as_str())).collect();
            return Ok(Answer::not_allowed(format!("no feed is called {feed}; there are {}", feeds.join(", "))));
        };
        let entry = self
            .entry("sequence_set")
            .of_issuer(&issuer.id)
            .with("feed", feed)
            .with("next", next)
            .with("reason", reason);
        self.site.ledger.set_sequence(feed, next, &entry).await?;
        Ok(Answer::new(Outcome::Done, format!("the next sequence number expected from {feed} is {next}")))
    }

    async fn report(&self, of: &str) -> Result<Answer, LedgerError> {
        let Some(when) = When::parse(of) else {
            return Ok(Answer::not_allowed(format!(
                "{of} is neither a day, such as 2026-11-20, nor a month, such as 2026-11"
            )));
        };
        self.site.ledger.audit(&self.entry("report").with("of", of)).await?;
        Ok(match self.site.report(when).await {
            Ok(made) => {
                let bad = made.iter().any(|one| matches!(one, Made::Unbalanced(_)));
                let said: Vec<String> = made
                    .into_iter()
                    .map(|one| match one {
                        Made::Written(name) => format!("{name} is written"),
                        Made::Unbalanced(why) => format!("not written, since it does not balance: {why}"),
                    })
                    .collect();
                // An answer is a line of bounded length.
                let mut words = said.iter().take(REPORTS_NAMED).cloned().collect::<Vec<_>>().join("; ");
                if said.len() > REPORTS_NAMED {
                    words.push_str(&format!("; and {} more", said.len() - REPORTS_NAMED));
                }
                Answer::new(if bad { Outcome::Failed } else { Outcome::Done }, words)
            }
            Err(ReportsError::None(why)) => Answer::not_allowed(format!("no report of {of}: {why}")),
            Err(ReportsError::World(why)) => {
                Answer::new(Outcome::Failed, format!("the report of {of} is not written: {why}"))
            }
        })
    }

    async fn backup(&self, to: &Path) -> Result<Answer, LedgerError> {
        if to.exists() {
            return Ok(Answer::not_allowed(format!("{} exists; a backup overwrites nothing", to.display())));
        }
        let told = self.entry("backup").with("to", to.display().to_string());
        self.site.ledger.backup(to, &told).await?;
        Ok(Answer::new(Outcome::Done, format!("the store is copied to {}", to.display())))
    }

    async fn find(&self, which: &Which) -> Result<Result<FileRecord, String>, LedgerError> {
        let called = Called { words: &which.words, issuer: which.issuer.as_deref() };
        Ok(match find(&*self.site.ledger, called).await? {
            Found::File { record, .. } => Ok(*record),
            Found::None(why) => Err(why),
        })
    }
}

fn no_reason(reason: &str) -> Option<&'static str> {
    if reason.trim().is_empty() {
        Some("a reason is needed: it goes into the audit trail")
    } else if reason.len() > REASON_BYTES_MAX || reason.chars().any(char::is_control) {
        Some("the reason must be one line of at most 1000 bytes")
    } else if crate::services::holds_card_number(reason.as_bytes()) {
        Some("the reason holds a card number, which must not stand in the audit trail")
    } else {
        None
    }
}
