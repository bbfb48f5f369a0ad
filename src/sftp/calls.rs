//! The small calls: listing, looking, renaming, removing.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use ssh2::{FileStat, FileType, OpenFlags, OpenType};

use super::link::{Link, session_code};
use super::watch::Watch;
use super::{Entry, Error, Kind};

/// A name is kept up to here: enough to tell of one that is not acceptable, and a bound on what a listing can hold.
const NAME_MAX: usize = 256;
/// What the directory that we land in is called.
const HERE: &str = ".";

pub(super) fn list(link: &Link, watch: &mut Watch<'_>, dir: &str) -> Result<Vec<Entry>, Error> {
    let dir = plain_path(if dir.is_empty() { HERE } else { dir })?;
    watch.begin("list", link.limits().call);
    let max = link.limits().listing_max;
    link.with_open(watch, dir, (OpenFlags::READ, 0, OpenType::Dir), |open, watch| {
        let mut entries = Vec::new();
        // Counted before anything is left out, or a listing of nothing but dots would have no end.
        for _ in 0..=max.saturating_add(2) {
            let next = open.ask_plainly(watch, ssh2::File::readdir)?;
            match next {
                Ok((name, stat)) => {
                    let name = name.as_os_str().as_bytes();
                    if name != b"." && name != b".." {
                        entries.push(entry(name, &stat));
                    }
                    if entries.len() > max {
                        break;
                    }
                }
                // So ssh2 says that there is no more.
                Err(end) if session_code(&end) == Some(libssh2_sys::LIBSSH2_ERROR_FILE) => return Ok(entries),
                Err(error) => return Err(super::link::said(watch, &error, dir)),
            }
        }
        Err(Error::ListingTooLong { path: dir.to_owned(), max })
    })
}

pub(super) fn stat(link: &Link, watch: &mut Watch<'_>, path: &str) -> Result<Option<Entry>, Error> {
    let path = plain_path(path)?;
    watch.begin("look at", link.limits().call);
    match link.ask(watch, path, |sftp| sftp.lstat(Path::new(path))) {
        Ok(stat) => Ok(Some(entry(path.rsplit('/').next().unwrap_or(path).as_bytes(), &stat))),
        Err(Error::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn rename(link: &Link, watch: &mut Watch<'_>, from: &str, to: &str) -> Result<(), Error> {
    let (from, to) = (plain_path(from)?, plain_path(to)?);
    watch.begin("rename", link.limits().call);
    link.ask(watch, from, |sftp| sftp.rename(Path::new(from), Path::new(to), None))
}

pub(super) fn remove(link: &Link, watch: &mut Watch<'_>, path: &str) -> Result<(), Error> {
    let path = plain_path(path)?;
    watch.begin("remove", link.limits().call);
    link.ask(watch, path, |sftp| sftp.unlink(Path::new(path)))
}

/// A question with an answer, so that both sides see that the connection is alive.
pub(super) fn sign_of_life(link: &Link, watch: &mut Watch<'_>) -> Result<(), Error> {
    watch.begin("show a sign of life", link.limits().call);
    link.ask(watch, HERE, |sftp| sftp.lstat(Path::new(HERE))).map(|_| ())
}

pub(super) fn entry(name: &[u8], stat: &FileStat) -> Entry {
    let name = name.get(..NAME_MAX).unwrap_or(name).to_vec();
    // Without a kind ssh2 makes one of the permissions it takes to be nothing.
    let kind = match (stat.file_type(), stat.size, stat.mtime) {
        (FileType::Directory, ..) => Kind::Directory,
        (FileType::Symlink, ..) => Kind::Link,
        (FileType::RegularFile, Some(_), Some(_)) => Kind::File,
        _ => Kind::Other,
    };
    Entry { name, size: stat.size.unwrap_or(0), mtime: stat.mtime.unwrap_or(0), kind }
}

/// A path that can be sent: libssh2 takes neither nothing nor a NUL.
pub(super) fn plain_path(path: &str) -> Result<&str, Error> {
    if path.is_empty() || path.contains('\0') { Err(Error::Name { name: path.to_owned() }) } else { Ok(path) }
}

/// The path of a name in a directory.
pub(super) fn within(dir: &str, name: &str) -> Result<String, Error> {
    let component = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0', '\n', '\r']);
    if !component {
        return Err(Error::Name { name: name.to_owned() });
    }
    Ok(match dir.trim_end_matches('/') {
        "" if dir.is_empty() => name.to_owned(),
        dir => format!("{dir}/{name}"),
    })
}
