//! Whose file it is: the issuer's in whose inbound directory it lies, the one whose feed is named, or the only one there is.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use crate::intake::{FeedMatch, FeedRule, Patterns, why_never};
use crate::pipeline::{Feed, Issuer};

/// See the module.
pub(super) struct Whose<'a> {
    pub(super) issuer: &'a Issuer,
    pub(super) feed: FeedMatch,
    /// Why it would never be taken.
    pub(super) never: Option<&'static str>,
    /// What a person should know besides.
    pub(super) notes: Vec<String>,
}

impl<'a> Whose<'a> {
    pub(super) fn feed(&self) -> Option<&'a Feed> {
        match self.feed {
            FeedMatch::One(index) => self.issuer.feeds.get(index),
            FeedMatch::None | FeedMatch::Several => None,
        }
    }
}

/// Finds it out, or says what to add to the command.
pub(super) fn whose<'a>(issuers: &'a [Arc<Issuer>], file: &Path, named: Option<&str>) -> Result<Whose<'a>, String> {
    let name = file.file_name().unwrap_or_default();
    let never = why_never(name.as_bytes());
    let name = name.to_string_lossy();
    if let Some(wanted) = named {
        return of_feed(issuers, wanted, &name, never);
    }
    let lies_in = issuers.iter().find(|issuer| lies_in(file, &issuer.inbound));
    let never = never.or_else(|| lies_in.and_then(|_| odd(file)));
    let issuer = match (lies_in, issuers) {
        (Some(issuer), _) => issuer,
        (None, [only]) => only,
        (None, several) => {
            let of: Vec<&Arc<Issuer>> =
                several.iter().filter(|issuer| matching(issuer, &name).is_ok_and(|feeds| !feeds.is_empty())).collect();
            match of[..] {
                [one] => one,
                [] => {
                    return Err(format!("{name} matches no feed of any issuer; say whose it is with --feed NAME"));
                }
                _ => return Err(format!("{name} matches feeds of several issuers; say which with --feed NAME")),
            }
        }
    };
    let feeds = matching(issuer, &name)?;
    let marker = format!("{name}.done");
    let unmarked = |feed: &usize| issuer.feeds.get(*feed).is_some_and(|feed| feed.done_marker);
    let mut notes = Vec::new();
    if lies_in.is_some() && feeds.iter().any(unmarked) && !file.with_file_name(&marker).exists() {
        notes.push(format!("{name} is not taken before {marker} lies beside it"));
    }
    Ok(Whose { issuer, feed: FeedMatch::of(&feeds), never, notes })
}

/// As a file of a named feed. Then its name is not judged, but it is said what would be wrong with it.
fn of_feed<'a>(issuers: &'a [Arc<Issuer>], wanted: &str, name: &str, never: Option<&str>) -> Result<Whose<'a>, String> {
    let mut all = issuers.iter().flat_map(|issuer| issuer.feeds.iter().enumerate().map(move |feed| (issuer, feed)));
    let Some((issuer, (index, feed))) = all.find(|(_, (_, feed))| feed.name == wanted) else {
        let known: Vec<&str> = issuers.iter().flat_map(|issuer| &issuer.feeds).map(|feed| feed.name.as_str()).collect();
        return Err(format!("--feed: no [[feed]] is named {wanted}; there are: {}", known.join(", ")));
    };
    let mut notes = Vec::new();
    if let Some(why) = never {
        notes.push(format!("under the name {name} it would not be taken: {why}"));
    } else if matching(issuer, name)? != [index] {
        notes.push(format!(
            "under the name {name} it would be refused, FEED_UNKNOWN: files of {wanted} are named {}",
            feed.files
        ));
    }
    Ok(Whose { issuer, feed: FeedMatch::One(index), never: None, notes })
}

fn matching(issuer: &Issuer, name: &str) -> Result<Vec<usize>, String> {
    let rule =
        |feed: &Feed| FeedRule { name: feed.name.clone(), files: feed.files.clone(), done_marker: feed.done_marker };
    let rules: Vec<FeedRule> = issuer.feeds.iter().map(rule).collect();
    Ok(Patterns::new(&rules).map_err(|error| error.to_string())?.matching(name))
}

fn lies_in(file: &Path, inbound: &Path) -> bool {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (directory.canonicalize(), inbound.canonicalize()) {
        (Ok(directory), Ok(inbound)) => directory == inbound,
        _ => false,
    }
}

/// What intake leaves alone, of a file that lies where it would be taken.
fn odd(file: &Path) -> Option<&'static str> {
    let found = std::fs::symlink_metadata(file).ok()?;
    if found.is_symlink() {
        Some("it is a symbolic link")
    } else if found.nlink() > 1 {
        Some("it has other names, under which it could change")
    } else {
        None
    }
}
