//! Files of an issuer that have come and are not taken yet, and which of them is next.

use std::collections::VecDeque;

use super::post::Coming;
use super::story::Pending;

/// See the module.
#[derive(Default)]
pub(super) struct Queue {
    files: VecDeque<Pending>,
    /// How many of them are counted as waiting for a sequence, since what they wait for does.
    counted: i64,
}

impl Queue {
    pub(super) fn push(&mut self, pending: Pending) {
        self.files.push_back(pending);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Takes the first file that waits for none of another feed, and tells how many more are now counted as waiting for a
    /// sequence. `coming`: files that are about to be claimed; `waiting`: the feeds of files that wait for their sequence.
    pub(super) fn take(&mut self, coming: &Coming, waiting: &[&str]) -> (Option<Pending>, i64) {
        let turns: Vec<_> = self.files.iter().map(Pending::turn).collect();
        let queued: Vec<Option<&str>> = turns.iter().map(|turn| turn.feed).collect();
        let wanted: Vec<&[String]> = turns.iter().map(|turn| turn.after).collect();
        let at = next(&queued, &wanted, &|feed| coming.get(feed).is_some_and(|files| *files > 0), waiting);
        let behind = wanted.iter().filter(|after| after.iter().any(|feed| waiting.contains(&feed.as_str()))).count();
        let behind = i64::try_from(behind).unwrap_or(i64::MAX);
        let change = behind - std::mem::replace(&mut self.counted, behind);
        (at.and_then(|at| self.files.remove(at)), change)
    }
}

/// Which file is next: of each its feed, if others wait for it, and the feeds it waits for.
fn next(
    queued: &[Option<&str>],
    wanted: &[&[String]],
    is_coming: &dyn Fn(&str) -> bool,
    waiting: &[&str],
) -> Option<usize> {
    let held_up = |after: &[String]| after.iter().any(|feed| is_coming(feed) || waiting.contains(&feed.as_str()));
    let behind = |after: &[String]| after.iter().any(|feed| queued.contains(&Some(feed.as_str())));
    let first = wanted.iter().position(|after| !held_up(after) && !behind(after));
    // A reload can turn an order round, so that files wait for one another: then the first of them goes.
    let all_behind = || wanted.iter().all(|after| !held_up(after) && behind(after));
    first.or_else(|| (!wanted.is_empty() && all_behind()).then_some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(queued: &[(&str, &[&str])], coming: &[&str], waiting: &[&str]) -> Option<usize> {
        let after: Vec<Vec<String>> =
            queued.iter().map(|(_, after)| after.iter().map(|feed| (*feed).to_owned()).collect()).collect();
        let feeds: Vec<Option<&str>> = queued.iter().map(|(feed, _)| Some(*feed)).collect();
        let wanted: Vec<&[String]> = after.iter().map(Vec::as_slice).collect();
        next(&feeds, &wanted, &|feed| coming.contains(&feed), waiting)
    }

    #[test]
    fn files_go_in_order_but_for_those_that_wait_for_others() {
        let contracts: (&str, &[&str]) = ("contracts", &[]);
        let enrol: (&str, &[&str]) = ("enrol", &["contracts"]);
        assert_eq!(taken(&[], &[], &[]), None);
        assert_eq!(taken(&[contracts, enrol], &[], &[]), Some(0));
        assert_eq!(taken(&[enrol, contracts], &[], &[]), Some(1), "the one that others wait for goes first");
        assert_eq!(taken(&[enrol, enrol], &[], &[]), Some(0));
        assert_eq!(taken(&[enrol], &["contracts"], &[]), None, "one is about to be claimed");
        assert_eq!(taken(&[enrol], &["cards"], &[]), Some(0));
        assert_eq!(taken(&[enrol, contracts], &[], &["contracts"]), Some(1), "one waits for its sequence");
        assert_eq!(taken(&[enrol], &[], &["contracts"]), None);
        let cards: (&str, &[&str]) = ("cards", &["enrol"]);
        assert_eq!(taken(&[cards, enrol, contracts], &[], &[]), Some(2));
        assert_eq!(taken(&[cards, enrol], &[], &[]), Some(1));
        let round: (&str, &[&str]) = ("contracts", &["enrol"]);
        assert_eq!(taken(&[enrol, round], &[], &[]), Some(0), "a ring is broken at its first");
    }
}
