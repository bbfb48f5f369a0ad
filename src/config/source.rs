//! `[[sftp]]`: partners' servers, as written and as decided.

use crate::calendar::Schedule;
use crate::sftp::HostKey;

use super::SecretSource;
use super::reader::{Section, Value};
use super::written::{Written, feed_name, issuer_id, secret};

/// One `[[sftp]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name, unique.
    pub name: String,
    /// The issuer whose files lie there, and whose answers go there.
    pub issuer: String,
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who we are there.
    pub user: String,
    /// The key that shows it.
    pub private_key: SecretSource,
    /// The server's keys; with any other nothing is exchanged.
    pub host_keys: Vec<HostKey>,
    /// Where files lie there.
    pub inbound: Option<String>,
    /// Where answers go.
    pub outbound: Option<String>,
    /// When it is looked at.
    pub poll: Schedule,
    /// What becomes of a fetched file there.
    pub after: After,
}

/// An `[[sftp]]`'s `after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// It is removed once it is decided.
    Delete,
    /// It is moved into this directory.
    Move(String),
    /// It stays.
    Keep,
}

pub(super) struct WrittenSource<'d> {
    pub(super) section: Section<'d>,
    name: Option<String>,
    issuer: Option<String>,
    host: Option<String>,
    port: u16,
    user: Option<String>,
    private_key: Option<SecretSource>,
    host_keys: Option<Vec<HostKey>>,
    inbound: Option<String>,
    outbound: Option<String>,
    poll: Option<Schedule>,
    after: After,
}

/// How often a source is looked at that says nothing of it: every five minutes.
const POLL: &str = "0 */5 * * * *";

pub(super) fn source(section: Section<'_>) -> WrittenSource<'_> {
    let poll = |it: &Value<'_>| it.checked(Schedule::parse(it.text()?));
    let written = WrittenSource {
        name: section.required("name", feed_name),
        issuer: section.required("issuer", issuer_id),
        host: section.required("host", host),
        port: section.or("port", 22, |it| it.number(1, u16::MAX)),
        user: section.required("user", |it| word(it, "must be a user's name")),
        private_key: section.required("private_key", |it| secret(it, false)),
        host_keys: section.required("host_keys", |it| it.list(host_key)),
        inbound: section.optional("inbound", directory),
        outbound: section.optional("outbound", directory),
        poll: section.optional("poll", poll).or_else(|| Schedule::parse(POLL).ok()),
        after: section.or("after", After::Delete, after),
        section,
    };
    written.section.refuse_unknown();
    written
}

fn host(value: &Value<'_>) -> Option<String> {
    word(value, "must be the name or address of a server, without a port")
}

/// One word that a command line could not take for anything else.
fn word(value: &Value<'_>, rule: &str) -> Option<String> {
    let text = value.text()?;
    let right = text.len() <= 255 && !text.starts_with('-') && text.bytes().all(|byte| byte.is_ascii_graphic());
    value.checked(right.then(|| text.to_owned()).ok_or(rule))
}

fn host_key(value: &Value<'_>) -> Option<HostKey> {
    let text = value.text()?;
    value.checked(text.parse::<HostKey>().map_err(|error| error.to_string()))
}

/// A path there, as the server reads it.
fn directory(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let right = text.len() <= 1024 && !text.chars().any(char::is_control) && text.split('/').all(|part| part != "..");
    value.checked(right.then(|| text.to_owned()).ok_or("must be a directory on the server, without .. in it"))
}

fn after(value: &Value<'_>) -> Option<After> {
    let text = value.text()?;
    let decided = match text.split_once(':') {
        None if text == "delete" => Ok(After::Delete),
        None if text == "keep" => Ok(After::Keep),
        Some(("move", to)) if !to.is_empty() && !to.split('/').any(|part| part == "..") => {
            Ok(After::Move(to.to_owned()))
        }
        _ => Err("must be \"delete\", \"keep\" or \"move:DIRECTORY\""),
    };
    value.checked(decided)
}

/// Names are unique, issuers exist, and there is something to do.
pub(super) fn refuse_contradictions(written: &Written<'_>) {
    let all_known = written.issuers.iter().all(|it| it.id.is_some()) && !written.issuers.is_empty();
    for (index, source) in written.sources.iter().enumerate() {
        if source.name.is_some() && written.sources[..index].iter().any(|it| it.name == source.name) {
            source.section.note("name", "another source has this name");
        }
        let named = written.issuers.iter().any(|it| it.id == source.issuer);
        if source.issuer.is_some() && all_known && !named {
            source.section.note("issuer", "no [[issuer]] has this id");
        }
        if !source.section.has("inbound") && !source.section.has("outbound") {
            source.section.note("inbound", "neither inbound nor outbound is named: there is nothing to do there");
        }
        let places = |it: &WrittenSource<'_>| (it.host.clone(), it.port, it.user.clone(), it.inbound.clone());
        let same = |it: &WrittenSource<'_>| it.inbound.is_some() && places(it) == places(source);
        if written.sources[..index].iter().any(same) {
            source.section.note("inbound", "another source fetches from this place: each file would be taken twice");
        }
        if source.inbound.is_some() && source.inbound == source.outbound {
            source.section.note("outbound", "is the inbound directory: answers would be fetched as files");
        }
    }
}

/// `None` only where a problem has been noted.
pub(super) fn decide(written: WrittenSource<'_>) -> Option<Source> {
    Some(Source {
        name: written.name?,
        issuer: written.issuer?,
        host: written.host?,
        port: written.port,
        user: written.user?,
        private_key: written.private_key?,
        host_keys: written.host_keys?,
        inbound: written.inbound,
        outbound: written.outbound,
        poll: written.poll?,
        after: written.after,
    })
}
