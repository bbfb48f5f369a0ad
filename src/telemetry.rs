//! What the daemon says while it works: a closed list of events, as text or as a JSON line each, on stderr.
//!
//! One line a file at each step and one at its end, never one a record. Each function takes just what its line may hold, so
//! that no value of a record can get into one.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::model::{Alarm, Code, Ends, FileNo, State, Tally, Timestamp};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A JSON object a line.
    Json,
    /// Words.
    Text,
}

/// Starts the log. `filter` is in the form of tracing's directives; without one `info` and above is said.
///
/// The database driver is kept to warnings whatever the filter: what it says at other levels are statements, one a commit or more.
pub fn start(format: LogFormat, filter: Option<&str>) {
    let mut directives = EnvFilter::new(filter.unwrap_or("info"));
    if let Ok(quiet) = "sqlx=warn".parse() {
        directives = directives.add_directive(quiet);
    }
    let lines = tracing_subscriber::fmt()
        .with_env_filter(directives)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start in one process (the demo after its set-up) keeps the first log.
    let _ = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Text => lines.compact().try_init(),
    };
}

/// The process begins.
pub fn starting(version: &str, config: &Path) {
    info!(event = "starting", version, config = %config.display(), "starting");
}

/// All posts look.
pub fn ready(issuers: usize) {
    info!(event = "ready", issuers, "ready");
}

/// The word to stop came.
pub fn stopping(why: &str) {
    info!(event = "stopping", why, "stopping: chunks in flight are finished");
}

/// The process ends as it should.
pub fn stopped() {
    info!(event = "stopped", "stopped");
}

/// The process ends because it cannot go on.
pub fn fatal(why: &str) {
    error!(event = "fatal", why, "cannot go on");
}

/// The configuration, its keys and its reference data were read again.
pub fn reloaded(issuers: usize) {
    info!(event = "reloaded", issuers, "reloaded: later files are taken by what was read now");
}

/// They were, and something in them is wrong.
pub fn reload_refused(why: &str) {
    error!(event = "reload_refused", why, "not reloaded: everything goes on as before");
}

/// The configuration allows something unwise.
pub fn config_warning(what: &str) {
    warn!(event = "config_warning", what, "the configuration is unwise");
}

/// A feed takes plain text.
pub fn plaintext_feed(feed: &str) {
    warn!(event = "plaintext_feed", feed, "this feed takes files that are not sealed");
}

/// The system did not let an issuer's keys be locked in memory.
pub fn memory_not_locked(issuer: &str) {
    warn!(event = "memory_not_locked", issuer, "keys may be swapped out: raise the limit of locked memory");
}

/// The database lies in memory.
pub fn store_on_tmpfs(path: &Path) {
    warn!(event = "store_on_tmpfs", path = %path.display(), "the store lies in memory: a power cut loses it");
}

/// A copy of the database was kept before it was brought to a newer version.
pub fn store_copied(path: &Path) {
    info!(event = "store_copied", path = %path.display(), "a copy of the store was kept before its migration");
}

/// A directory gives no events.
pub fn not_watched(directory: &Path, why: &str) {
    warn!(event = "not_watched", directory = %directory.display(), why, "no events here: scans alone find what comes");
}

/// Files of an issuer that is no longer configured stay as they are.
pub fn issuer_gone(issuer: &str, files: usize) {
    warn!(event = "issuer_gone", issuer, files, "open files of an issuer that is not configured are left alone");
}

/// An entry of an inbound directory is left alone; said once while it lies there.
pub fn odd_entry(issuer: &str, name: &str, kind: &str) {
    warn!(event = "odd_entry", issuer, name, kind, "this entry is left alone");
}

/// More of them than are said by name; counted together, and not more often than every ten minutes.
pub fn odd_entries(issuer: &str, entries: u64) {
    warn!(event = "odd_entries", issuer, entries, "more entries are left alone");
}

/// A file is ours.
pub fn file_claimed(no: FileNo, issuer: &str, name: &str, bytes: u64) {
    info!(event = "file_claimed", file = %no, issuer, name, bytes, "claimed");
}

/// A file was fetched from a partner's server and is ours.
pub fn file_fetched(no: FileNo, issuer: &str, source: &str, name: &str, bytes: u64) {
    info!(event = "file_fetched", file = %no, issuer, source, name, bytes, "fetched");
}

/// An answer lies on a partner's server.
pub fn delivered(source: &str, name: &str) {
    info!(event = "delivered", source, name, "delivered");
}

/// Something is wrong with a partner's server; said when it begins, and when it becomes something else.
pub fn source_failed(source: &str, state: &str, why: &str) {
    warn!(event = "source_failed", source, state, why, "this source cannot be worked with: trying again");
}

/// A partner's server is as it should be.
pub fn source_works(source: &str) {
    info!(event = "source_works", source, "this source works");
}

/// A file changed while it was copied.
pub fn claim_thrown_away(no: FileNo, name: &str) {
    info!(event = "claim_thrown_away", file = %no, name, "changed while it was copied: it settles anew");
}

/// A file stops before its end; its upload may go on.
pub fn file_ended_early(no: FileNo, name: &str) {
    info!(event = "file_ended_early", file = %no, name, "ends early: waiting whether its upload goes on");
}

/// An earlier process left a file open.
pub fn file_resumed(no: FileNo, name: &str, state: State) {
    info!(event = "file_resumed", file = %no, name, state = state.as_str(), "left open by an earlier process: going on");
}

/// An operator lets a file go on.
pub fn file_taken_again(no: FileNo, name: &str, state: State) {
    info!(event = "file_taken_again", file = %no, name, state = state.as_str(), "taken up again by an operator");
}

/// A file is accepted.
pub fn file_accepted(no: FileNo, name: &str, feed: &str, records: u64) {
    info!(event = "file_accepted", file = %no, name, feed, records, "accepted");
}

/// A file is refused.
pub fn file_refused(no: FileNo, name: &str, code: Code, line: Option<u64>) {
    warn!(event = "file_refused", file = %no, name, code = code.as_str(), line, "refused");
}

/// A file is the same as an earlier one.
pub fn file_duplicate(no: FileNo, name: &str, first: &str) {
    warn!(event = "file_duplicate", file = %no, name, first, "the same file again: the first one's answers go out again");
}

/// A file came before its turn.
pub fn file_waiting(no: FileNo, name: &str, expected: u64, until: &str) {
    info!(event = "file_waiting", file = %no, name, expected, until, "waits for the missing sequence");
}

/// All records of a file are committed.
pub fn file_registered(no: FileNo, name: &str, records: u64) {
    info!(event = "file_registered", file = %no, name, records, "registered");
}

/// A file's last answer is written.
pub fn file_done(no: FileNo, name: &str, tally: &Tally) {
    info!(
        event = "file_done",
        file = %no,
        name,
        records = tally.records(),
        registered = tally.registered,
        already_registered = tally.already_registered,
        deregistered = tally.deregistered,
        enrolled = tally.enrolled,
        rejected = tally.rejected,
        "done"
    );
}

/// The process ended while a file was in hand, and it did not get on.
pub fn file_suspected(no: FileNo, name: &str, ends: Ends) {
    let Ends { aborts, kills } = ends;
    warn!(event = "file_suspected", file = %no, name, aborts, kills, "was in hand when the process ended: it runs alone now");
}

/// A file is set aside for the process's sake.
pub fn file_poisoned(no: FileNo, name: &str, ends: Ends) {
    let Ends { aborts, kills } = ends;
    error!(event = "file_poisoned", file = %no, name, aborts, kills, "set aside: it ends the process");
}

/// Signals that would tell why this process ends cannot be listened for.
pub fn deaf(why: &str) {
    warn!(event = "deaf", why, "the next start cannot tell a fault of this process from a kill");
}

/// A file waits for an operator.
pub fn file_held(no: FileNo, name: &str, why: &str) {
    error!(event = "file_held", file = %no, name, why, "held: an operator must look");
}

/// An operator is called; said once while the alarm is open.
pub fn alarm_raised(alarm: &Alarm) {
    let (issuer, subject) = (alarm.issuer.as_deref(), &alarm.subject);
    error!(
        event = "alarm_raised",
        kind = alarm.kind.as_str(),
        issuer,
        feed = subject.feed.as_deref(),
        source = subject.source.as_deref(),
        file = subject.file.as_deref(),
        what = alarm.what,
        next = alarm.next,
        "alarm"
    );
}

/// What an operator was called for is over.
pub fn alarm_cleared(alarm: &Alarm, how: &str) {
    let (issuer, subject) = (alarm.issuer.as_deref(), &alarm.subject);
    info!(
        event = "alarm_cleared",
        kind = alarm.kind.as_str(),
        issuer,
        feed = subject.feed.as_deref(),
        source = subject.source.as_deref(),
        file = subject.file.as_deref(),
        what = how,
        "alarm is over"
    );
}

/// A report is written, for the first time or anew.
pub fn report_written(issuer: &str, name: &str) {
    info!(event = "report_written", issuer, name, "report");
}

/// The command that tells operators of alarms fails; said when it begins. It is tried again a few times.
pub fn alarm_command_failed(why: &str) {
    error!(event = "alarm_command_failed", why, "nobody is told of alarms but by this log");
}

/// It works again.
pub fn alarm_command_recovered() {
    info!(event = "alarm_command_recovered", "operators are told of alarms again");
}

/// Where the audit trail stands. Whoever keeps the log elsewhere can prove with it that the trail was not made anew.
pub fn audit_anchor(seq: i64, hash: &str) {
    info!(event = "audit_anchor", seq, hash, "the audit trail stands here");
}

/// Part of the world is broken; said when it begins. Nothing is lost, the same is tried again.
pub fn world_failed(part: &str, why: &str, retry_in: Duration) {
    warn!(event = "world_failed", part, why, retry_ms = retry_in.as_millis(), "failed: trying again");
}

/// It works again.
pub fn world_recovered(part: &str) {
    info!(event = "world_recovered", part, "works again");
}

/// What had been kept long enough is gone.
pub fn retention(part: &'static str, count: u64, before: Timestamp) {
    info!(event = "retention", part, count, before = %before, "kept long enough: removed");
}

/// Retention goes by an earlier time than the clock says; said when that begins.
pub fn retention_lags(now: Timestamp, believed: Timestamp) {
    warn!(
        event = "retention_lags",
        now = %now,
        believed = %believed,
        "the clock is far ahead of the last round: retention follows by two days a round; see that the clock is right"
    );
}

/// Something that had been kept long enough cannot be removed; said when it begins.
pub fn retention_failed(part: &'static str, why: &str) {
    warn!(event = "retention_failed", part, why, "cannot be removed now: left for the next round");
}

/// It can be removed again.
pub fn retention_recovered(part: &'static str) {
    info!(event = "retention_recovered", part, "can be removed again");
}
