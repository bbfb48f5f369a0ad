//! What of the world is broken at the moment: the parts that something waits for.
//!
//! The log says when a failure begins and when it is over; this is for whoever asks in between.

use std::collections::BTreeMap;

use tokio::sync::watch;

/// Parts of the world that are waited for.
#[derive(Debug, Default)]
pub struct Troubles(watch::Sender<Parts>);

/// How many wait for each part, and the failure that was met first.
type Parts = BTreeMap<&'static str, (usize, String)>;

/// Somebody waits for a part, until this is dropped.
#[derive(Debug)]
pub(super) struct Waited {
    parts: watch::Sender<Parts>,
    pub(super) part: &'static str,
}

impl Troubles {
    /// One more waits.
    pub(super) fn wait(&self, part: &'static str, why: &str) -> Waited {
        self.0.send_modify(|parts| parts.entry(part).or_insert_with(|| (0, why.to_owned())).0 += 1);
        Waited { parts: self.0.clone(), part }
    }

    /// What is waited for now, and why.
    pub fn now(&self) -> Vec<(&'static str, String)> {
        self.0.borrow().iter().map(|(part, (_, why))| (*part, why.clone())).collect()
    }

    /// Hears of each change.
    pub fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }
}

/// Hears when something begins to be waited for, and when it no longer is.
pub struct Changes(watch::Receiver<Parts>);

impl Changes {
    /// The next change. Where nothing can change any more it never comes.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Waited {
    fn drop(&mut self) {
        self.parts.send_modify(|parts| {
            if let Some((waiting, _)) = parts.get_mut(self.part) {
                *waiting -= 1;
                if *waiting == 0 {
                    parts.remove(self.part);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Troubles;

    #[test]
    fn a_part_is_in_trouble_as_long_as_one_waits_for_it() {
        let troubles = Troubles::default();
        let first = troubles.wait("store", "locked");
        let second = troubles.wait("store", "still locked");
        let other = troubles.wait("outbound", "gone");
        let now = |troubles: &Troubles| {
            troubles.now().into_iter().map(|(part, why)| format!("{part}: {why}")).collect::<Vec<_>>()
        };
        assert_eq!(now(&troubles), ["outbound: gone", "store: locked"]);
        drop(first);
        drop(other);
        assert_eq!(now(&troubles), ["store: locked"]);
        drop(second);
        assert!(now(&troubles).is_empty());
    }
}
