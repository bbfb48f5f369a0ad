//! What feeds need beside themselves: what their services ask for, and an order among feeds that can be kept.

use crate::services::{Need, definition};

use super::written::{Purpose, Written, WrittenFeed};

/// A feed whose service needs something has it. At a partner's nothing is enrolled.
pub(super) fn refuse_missing(written: &Written<'_>, feed: &WrittenFeed<'_>, purpose: Purpose) {
    let Some(service) = feed.service.and_then(definition) else { return };
    let issuer = written.issuers.iter().find(|issuer| issuer.id.is_some() && issuer.id == feed.issuer);
    for need in service.needs {
        match need {
            Need::CardProducts if written.card_products.is_none() => {
                feed.section.note("service", "needs card_products in [reference]");
            }
            Need::EnrollKey
                if purpose == Purpose::Daemon
                    && issuer.is_some_and(|issuer| issuer.enroll_client_encryption_key.is_none()) =>
            {
                feed.section.note("service", "needs an enroll_client_encryption_key of its issuer");
            }
            Need::CardProducts | Need::EnrollKey => {}
        }
    }
}

/// What a feed goes after are other feeds of its issuer, and none of them goes after it.
pub(super) fn refuse_wrong_orders(written: &Written<'_>) {
    for feed in &written.feeds {
        for after in &feed.after {
            let named = written.feeds.iter().find(|it| it.name.as_ref() == Some(after));
            let sentence = match named {
                None => format!("no [[feed]] has the name {after}"),
                Some(named) if named.issuer != feed.issuer => format!("{after} is a feed of another issuer"),
                Some(_) if leads_to(written, after, feed.name.as_deref()) => {
                    format!("{after} waits for this feed itself, so that neither would ever be taken")
                }
                Some(_) => continue,
            };
            feed.section.note("after", sentence);
        }
    }
}

/// Whether a feed is another, or goes after it however far round.
fn leads_to(written: &Written<'_>, from: &str, to: Option<&str>) -> bool {
    let mut seen: Vec<&str> = Vec::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        if Some(name) == to {
            return true;
        }
        if !seen.contains(&name) {
            seen.push(name);
            let feeds = written.feeds.iter().filter(|feed| feed.name.as_deref() == Some(name));
            next.extend(feeds.flat_map(|feed| &feed.after).map(String::as_str));
        }
    }
    false
}
