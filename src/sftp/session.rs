//! From a TCP connection to an SFTP channel: key exchange, the host key, our key, one channel.

use std::sync::Arc;

use ssh2::{ErrorCode, HostKeyType, MethodType, Session};

use super::connect::{self, Resolver};
use super::link::{Link, drive, lost_or_protocol, session_code};
use super::watch::Watch;
use super::wire::Wire;
use super::{Error, HostKey, Options};

/// The families of host keys, in the order in which they are asked for, each with its SSH names (RFC 5656, 8332, 8709).
/// Names with SHA-1 are not among them, nor are certificates, since what is pinned is a key.
const FAMILIES: &[(Family, &str)] = &[
    (Family::Ed25519, "ssh-ed25519"),
    (Family::Ecdsa256, "ecdsa-sha2-nistp256"),
    (Family::Ecdsa384, "ecdsa-sha2-nistp384"),
    (Family::Ecdsa521, "ecdsa-sha2-nistp521"),
    (Family::Rsa, "rsa-sha2-512,rsa-sha2-256"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Ed25519,
    Ecdsa256,
    Ecdsa384,
    Ecdsa521,
    Rsa,
}

/// Which family the pinned key was of when it was last met: a server has several keys and shows one, and a fingerprint does
/// not say of which family it is.
#[derive(Default)]
pub(super) struct Preference(Option<Family>);

/// Where a key exchange ended.
enum Met {
    /// At a pinned key.
    Pinned(Session, Wire, Option<Family>),
    /// At another.
    Another(HostKey, Option<Family>),
    /// The server has no key of the families asked for.
    Nothing(Error),
}

/// Connects, meets the server, and opens the one channel.
pub(super) fn open(
    options: &Arc<Options>,
    resolver: &mut Resolver,
    preference: &mut Preference,
    watch: &mut Watch<'_>,
) -> Result<Link, Error> {
    let (session, wire) = meet(options, resolver, preference, watch)?;
    let link = Link::new(session, wire, Arc::clone(options));
    watch.begin("log us in", options.call);
    authenticate(&link, options, watch)?;
    watch.begin("open an SFTP channel", options.call);
    link.start_sftp(watch)
}

/// Exchanges keys until the server shows one that is pinned: first in the usual order, then without the families it has
/// shown, each time on a new connection.
fn meet(
    options: &Options,
    resolver: &mut Resolver,
    preference: &mut Preference,
    watch: &mut Watch<'_>,
) -> Result<(Session, Wire), Error> {
    let mut left: Vec<(Family, &str)> = FAMILIES.to_vec();
    // A stable sort: the family met last comes first, the others keep their order.
    left.sort_by_key(|(family, _)| Some(*family) != preference.0);
    let mut shown: Option<HostKey> = None;
    while !left.is_empty() {
        match exchange_keys(options, resolver, &left, watch)? {
            Met::Pinned(session, wire, family) => {
                preference.0 = family;
                return Ok((session, wire));
            }
            Met::Another(found, family) => {
                shown = shown.or(Some(found));
                let before = left.len();
                left.retain(|(other, _)| Some(*other) != family);
                if left.len() == before {
                    // A server that shows what was not asked for is not asked for ever.
                    break;
                }
            }
            Met::Nothing(error) if shown.is_none() => return Err(error),
            Met::Nothing(_) => break,
        }
    }
    let server = watch.server.to_owned();
    Err(match shown {
        Some(found) => Error::HostKeyChanged { server, found },
        None => Error::Protocol { server, doing: "exchange keys", detail: "no host key was shown".to_owned() },
    })
}

fn exchange_keys(
    options: &Options,
    resolver: &mut Resolver,
    families: &[(Family, &str)],
    watch: &mut Watch<'_>,
) -> Result<Met, Error> {
    let socket = connect::connect(options, resolver, watch)?;
    let (wire, end) = Wire::new(socket).map_err(|source| Error::Local { doing: "make a pair of sockets", source })?;
    watch.begin("exchange keys", options.call);
    let told = |watch: &Watch<'_>, error: &ssh2::Error| lost_or_protocol(watch, error);
    let mut session = Session::new().map_err(|error| told(watch, &error))?;
    session.set_blocking(false);
    session.set_tcp_stream(end);
    let names: Vec<&str> = families.iter().map(|(_, names)| *names).collect();
    session.method_pref(MethodType::HostKey, &names.join(",")).map_err(|error| told(watch, &error))?;
    // Only a failed agreement on methods says that the server lacks them; a lost connection says nothing of its keys.
    let agreed = drive(&wire, watch, || session.handshake());
    match agreed? {
        Ok(()) => {}
        Err(error) if session_code(&error) == Some(libssh2_sys::LIBSSH2_ERROR_KEX_FAILURE) => {
            return Ok(Met::Nothing(told(watch, &error)));
        }
        Err(error) => return Err(told(watch, &error)),
    }
    let Some((blob, kind)) = session.host_key() else {
        let detail = "no host key was shown".to_owned();
        return Err(Error::Protocol { server: watch.server.to_owned(), doing: "exchange keys", detail });
    };
    let (found, family) = (HostKey::of(blob), family(&kind));
    if options.host_keys.contains(&found) {
        Ok(Met::Pinned(session, wire, family))
    } else {
        Ok(Met::Another(found, family))
    }
}

fn family(kind: &HostKeyType) -> Option<Family> {
    match kind {
        HostKeyType::Ed25519 => Some(Family::Ed25519),
        HostKeyType::Ecdsa256 => Some(Family::Ecdsa256),
        HostKeyType::Ecdsa384 => Some(Family::Ecdsa384),
        HostKeyType::Ecdsa521 => Some(Family::Ecdsa521),
        HostKeyType::Rsa => Some(Family::Rsa),
        HostKeyType::Unknown | HostKeyType::Dss => None,
    }
}

fn authenticate(link: &Link, options: &Options, watch: &mut Watch<'_>) -> Result<(), Error> {
    let key = std::str::from_utf8(&options.private_key).map_err(|_| Error::KeyUnreadable)?;
    let session = link.session();
    let tried = drive(link.wire(), watch, || session.userauth_pubkey_memory(&options.user, None, key, None))?;
    let Err(error) = tried else { return Ok(()) };
    Err(match error.code() {
        // A connection that breaks while the answer is waited for has the code of a signature that is not accepted.
        _ if watch.hung_up() => lost_or_protocol(watch, &error),
        ErrorCode::Session(
            libssh2_sys::LIBSSH2_ERROR_AUTHENTICATION_FAILED | libssh2_sys::LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED,
        ) => Error::Auth { server: watch.server.to_owned(), user: options.user.clone() },
        ErrorCode::Session(
            libssh2_sys::LIBSSH2_ERROR_FILE
            | libssh2_sys::LIBSSH2_ERROR_KEYFILE_AUTH_FAILED
            | libssh2_sys::LIBSSH2_ERROR_METHOD_NOT_SUPPORTED
            | libssh2_sys::LIBSSH2_ERROR_INVAL,
        ) => Error::KeyUnreadable,
        _ => lost_or_protocol(watch, &error),
    })
}
