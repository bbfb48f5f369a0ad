//! Partners' servers: files are fetched from them as from an inbound directory, and answers delivered to them.
//!
//! An [`Exchange`] is one source at work. What it must never do: fetch a file without a row in the ledger that tells it again;
//! remove one before what was decided about it is committed, or one that is not the very file that was fetched; put a summary
//! before what it sums up; wait for one server at another's cost.

mod deliver;
mod doors;
mod exchange;
mod fetch;
mod health;
mod remove;

use crate::calendar::Schedule;
use crate::sftp;

pub(in crate::pipeline) use deliver::order;
pub use doors::SourceDoors;
pub use exchange::Exchange;

/// What is known of a partner's server.
pub struct Source {
    /// Its name.
    pub name: String,
    /// The issuer whose feeds its files are matched against, and whose answers alone go there.
    pub issuer: String,
    /// How it is reached.
    pub server: sftp::Options,
    /// Where files lie there; none where nothing is fetched.
    pub inbound: Option<String>,
    /// Where answers go; none where none do.
    pub outbound: Option<String>,
    /// When it is looked at.
    pub poll: Schedule,
    /// What becomes of a file there when it is decided.
    pub after: After,
}

/// What becomes of a fetched file once it is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// It is removed.
    Delete,
    /// It goes into this directory, which lies below the inbound one unless it begins with a slash.
    Move(String),
    /// It stays.
    Keep,
}

impl Source {
    /// Whether a reload left it as it is.
    fn is_same(&self, other: &Self) -> bool {
        let server = |it: &Self| {
            let it = &it.server;
            (it.host.clone(), it.port, it.user.clone(), it.private_key.clone(), it.host_keys.clone())
        };
        self.issuer == other.issuer
            && server(self) == server(other)
            && (&self.inbound, &self.outbound) == (&other.inbound, &other.outbound)
            && self.poll == other.poll
            && self.after == other.after
    }
}

/// A path in a directory there.
fn within(dir: &str, name: &str) -> String {
    match dir.trim_end_matches('/') {
        "" if dir.starts_with('/') => format!("/{name}"),
        "" => name.to_owned(),
        dir => format!("{dir}/{name}"),
    }
}

/// The last component of a path there.
fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::{name_of, within};

    #[test]
    fn paths_are_put_together_and_taken_apart() {
        for (dir, path) in [("/out", "/out/A"), ("/out/", "/out/A"), ("/", "/A"), ("", "A"), ("out", "out/A")] {
            assert_eq!(within(dir, "A"), path);
            assert_eq!(name_of(path), "A");
        }
    }
}
