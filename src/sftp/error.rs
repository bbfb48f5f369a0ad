//! What can go wrong with a partner's server. No message holds anything of a key.

use std::io;

use super::HostKey;
use crate::model::Retry;

/// Why a call to a partner's server came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server showed none of the keys that are pinned. Nothing was said to it beyond the key exchange.
    #[error(
        "the server {server} shows the host key {found}, which is none of `host_keys`; nothing was exchanged with it. \
         If the partner has announced a new key, add its fingerprint to `host_keys`"
    )]
    HostKeyChanged {
        /// Host and port.
        server: String,
        /// The fingerprint of the key that it shows.
        found: HostKey,
    },
    /// The server does not accept our key for this user.
    #[error("the server {server} does not accept the key for user {user:?}: have the partner enter its public half")]
    Auth {
        /// Host and port.
        server: String,
        /// The user.
        user: String,
    },
    /// The private key cannot be used.
    #[error("the private key cannot be read: it must be an OpenSSH or PEM private key without a passphrase")]
    KeyUnreadable,
    /// No connection came about.
    #[error("cannot reach {server}")]
    Unreachable {
        /// Host and port.
        server: String,
        /// Why.
        source: io::Error,
    },
    /// No byte came for as long as `idle` allows.
    #[error(
        "the server {server} sent nothing for {seconds} seconds while it was to {doing}; the connection was given up"
    )]
    Frozen {
        /// Host and port.
        server: String,
        /// What it was asked to do.
        doing: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// Bytes came, but too slowly for the call to end in any reasonable time.
    #[error("the server {server} took more than {seconds} seconds to {doing}; the connection was given up")]
    Slow {
        /// Host and port.
        server: String,
        /// What it was asked to do.
        doing: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// The connection broke.
    #[error("the connection to {server} was lost while it was to {doing} ({detail}); the next call connects anew")]
    Lost {
        /// Host and port.
        server: String,
        /// What it was asked to do.
        doing: &'static str,
        /// What the SSH library says of it.
        detail: String,
    },
    /// The server and we do not understand each other.
    #[error("the server {server} cannot be talked to: {doing} failed with {detail:?}")]
    Protocol {
        /// Host and port.
        server: String,
        /// What it was asked to do.
        doing: &'static str,
        /// What the SSH library says of it.
        detail: String,
    },
    /// The file or directory is not there.
    #[error("{path:?} does not exist on the server")]
    Missing {
        /// Where it should be.
        path: String,
    },
    /// The server does not allow it.
    #[error("the server does not allow us to {doing} {path:?}")]
    Denied {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: String,
    },
    /// The server took no more of a file, most often because its disk is full or a quota is used up.
    #[error(
        "the server takes no more of {path:?}: it answered {code} ({meaning}); most often its disk or our quota is full"
    )]
    Full {
        /// The file being written.
        path: String,
        /// The SFTP status.
        code: i32,
        /// The status in words.
        meaning: &'static str,
    },
    /// A file was not what the listing, or our own sending, had made of it.
    #[error("{path:?} changed on the server meanwhile: {size} bytes were expected there and {found}")]
    Changed {
        /// The file.
        path: String,
        /// How many bytes were expected.
        size: u64,
        /// What was there instead.
        found: String,
    },
    /// A listing had no end.
    #[error("{path:?} lists more than {max} entries: tidy it up, or have it split")]
    ListingTooLong {
        /// The directory.
        path: String,
        /// How many are taken.
        max: usize,
    },
    /// The server answered with a status that says no more than its name.
    #[error("the server refused to {doing} {path:?}: it answered {code} ({meaning})")]
    Refused {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: String,
        /// The SFTP status.
        code: i32,
        /// The status in words.
        meaning: &'static str,
    },
    /// A name handed in is not one plain path component, or a path is empty or holds a NUL; nothing was sent.
    #[error("{name:?} cannot be used as a name on the server")]
    Name {
        /// The name.
        name: String,
    },
    /// A file of ours is not what was announced; nothing is left of it on the server.
    #[error("the file to be delivered as {name:?} is not the one that was announced: its size or content differs")]
    Source {
        /// The name it was to have.
        name: String,
    },
    /// A file, socket or thread of ours failed.
    #[error("cannot {doing} on this machine")]
    Local {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The client ended, or the caller took the call back.
    #[error("the call was given up before the server answered")]
    Ended,
}

impl Error {
    /// Whether to try again. What a partner can mend on its side is tried again.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::HostKeyChanged { .. }
            | Self::Auth { .. }
            | Self::Unreachable { .. }
            | Self::Frozen { .. }
            | Self::Slow { .. }
            | Self::Lost { .. }
            | Self::Protocol { .. }
            | Self::Missing { .. }
            | Self::Denied { .. }
            | Self::Full { .. }
            | Self::Changed { .. }
            | Self::ListingTooLong { .. }
            | Self::Refused { .. }
            | Self::Local { .. }
            | Self::Ended => Retry::Later,
            Self::KeyUnreadable | Self::Name { .. } | Self::Source { .. } => Retry::Never,
        }
    }

    /// The state of a server that shows another key than it should.
    pub const HOST_KEY_CHANGED: &str = "host key changed";

    /// The state of the server in two or three words, the same for every failure of a kind: for `status` and alarms.
    pub const fn state(&self) -> &'static str {
        match self {
            Self::HostKeyChanged { .. } => Self::HOST_KEY_CHANGED,
            Self::Auth { .. } => "key not accepted",
            Self::KeyUnreadable => "key unreadable",
            Self::Unreachable { .. } => "unreachable",
            Self::Frozen { .. } => "frozen",
            Self::Slow { .. } => "too slow",
            Self::Lost { .. } => "connection lost",
            Self::Protocol { .. } => "protocol error",
            Self::Missing { .. } => "missing",
            Self::Denied { .. } => "not allowed",
            Self::Full { .. } => "no room",
            Self::Changed { .. } => "file changed",
            Self::ListingTooLong { .. } => "listing too long",
            Self::Refused { .. } => "refused",
            Self::Name { .. } => "bad name",
            Self::Source { .. } => "our file changed",
            Self::Local { .. } => "local failure",
            Self::Ended => "given up",
        }
    }

    /// Whether the connection is still good: the server answered, if only with a no.
    pub(super) const fn leaves_the_line_usable(&self) -> bool {
        match self {
            Self::Missing { .. }
            | Self::Denied { .. }
            | Self::Full { .. }
            | Self::Changed { .. }
            | Self::ListingTooLong { .. }
            | Self::Refused { .. }
            | Self::Name { .. }
            | Self::Source { .. }
            | Self::Local { .. } => true,
            Self::HostKeyChanged { .. }
            | Self::Auth { .. }
            | Self::KeyUnreadable
            | Self::Unreachable { .. }
            | Self::Frozen { .. }
            | Self::Slow { .. }
            | Self::Lost { .. }
            | Self::Protocol { .. }
            | Self::Ended => false,
        }
    }
}
