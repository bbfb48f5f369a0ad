//! What `nightdrop status` shows of partners' servers.

use std::io::Write;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::config::Source;
use crate::ledger::SourceStanding;
use crate::model::Timestamp;

/// A server, and how it stands with it.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    source: &'a str,
    issuer: &'a str,
    /// `ok`, or what is wrong in two or three words.
    state: &'a str,
    why: Option<&'a str>,
    since: Option<String>,
    last_contact_at: Option<String>,
    /// By its schedule; what failed is tried again sooner.
    next_poll_at: Option<String>,
    /// Files that are still to be delivered there.
    backlog: u64,
}

/// The configured ones, in their order.
pub(super) fn shown<'a>(
    configured: &'a [Source],
    standings: &'a [SourceStanding],
    now: Timestamp,
    zone: &TimeZone,
) -> Vec<Shown<'a>> {
    let shown = |source: &'a Source| {
        let standing = standings.iter().find(|it| it.name == source.name);
        let next = jiff::Timestamp::from_millisecond(now.0).ok().and_then(|now| source.poll.next(now, zone));
        Shown {
            source: &source.name,
            issuer: &source.issuer,
            state: standing.map_or("not spoken with yet", |it| &it.state),
            why: standing.and_then(|it| it.why.as_deref()),
            since: standing.map(|it| it.since.to_string()),
            last_contact_at: standing.and_then(|it| it.last_contact).map(|at| at.to_string()),
            next_poll_at: next.map(|at| Timestamp(at.as_millisecond()).to_string()),
            backlog: standing.map_or(0, |it| it.backlog),
        }
    };
    configured.iter().map(shown).collect()
}

/// A line each.
pub(super) fn print(sources: &[Shown<'_>], out: &mut impl Write) -> std::io::Result<()> {
    for Shown { source, state, why, since, last_contact_at, next_poll_at, backlog, .. } in sources {
        write!(out, "source {source}: {state}")?;
        if let (Some(since), true) = (since, *state != "ok") {
            write!(out, " since {since}")?;
        }
        write!(out, "; last contact {}", last_contact_at.as_deref().unwrap_or("never"))?;
        if let Some(next) = next_poll_at {
            write!(out, ", next poll {next}")?;
        }
        writeln!(out, ", {backlog} to deliver")?;
        if let Some(why) = why {
            writeln!(out, "  {why}")?;
        }
    }
    Ok(())
}
