//! Where a file's original lies: in the issuer's inbound directory, or on a partner's server.

use serde::{Deserialize, Serialize};

use crate::intake::{Identity, Mark};
use crate::ledger::Remote;
use crate::model::FileRecord;

use super::Fatal;

/// What tells an original again; kept with its file, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Origin {
    /// A file of the inbound directory.
    Directory(Identity),
    /// A file on a partner's server.
    Source(Remote),
}

impl Origin {
    pub(super) fn to_text(&self) -> String {
        // Numbers and strings always make JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn kept_with(record: &FileRecord, text: &str) -> Result<Self, Fatal> {
        serde_json::from_str(text)
            .map_err(|_| Fatal(format!("what tells the original of file {} again has an unknown form", record.no)))
    }
}

/// What a listing shows of it.
pub(super) const fn mark(remote: &Remote) -> Mark {
    Mark { size: remote.size, mtime: remote.mtime }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_told_apart_in_what_is_kept() {
        let directory = Origin::Directory(Identity { inode: 1, size: 2, mtime_ns: 3, ctime_ns: 4 });
        let source = Origin::Source(Remote { source: "acme".into(), path: "/out/A".into(), size: 2, mtime: 3 });
        assert_eq!(directory.to_text(), r#"{"inode":1,"size":2,"mtime_ns":3,"ctime_ns":4}"#, "as it always was");
        for origin in [directory, source] {
            assert_eq!(serde_json::from_str::<Origin>(&origin.to_text()).unwrap(), origin);
        }
    }
}
