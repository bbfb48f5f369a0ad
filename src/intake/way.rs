//! The way to a configured directory, component by component.
//!
//! A link on it is followed if root or we ourselves made it. Anybody else's would lead us, as who we are, to wherever its
//! maker likes: an uploader who may write *beside* the inbound directory could put a link to a directory of keys in its
//! place, and have them taken in, quarantined and removed as files that came.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use rustix::fs::{self, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// As many as the kernel itself follows.
const LINKS_MAX: usize = 40;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

const STEP: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a directory for reading. `trusts` says whose links are followed, by user id.
pub(super) fn walk(path: &Path, trusts: impl Fn(u32) -> bool) -> io::Result<OwnedFd> {
    // With no link on the way, it leads nowhere but where it says: one call instead of two for each step.
    let plain =
        fs::openat2(CWD, path, DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS);
    if let Ok(there) = plain {
        return Ok(there);
    }
    let mut ahead = steps(path);
    let mut here = fs::openat(CWD, ".", STEP, Mode::empty())?;
    let mut links = 0;
    while let Some(step) = ahead.pop() {
        // What is looked at is what was opened, whatever happens to the name meanwhile.
        let next = fs::openat(&here, &step, STEP, Mode::empty())?;
        let stat = fs::fstat(&next)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            here = next;
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(Errno::LOOP.into());
        }
        if !trusts(stat.st_uid) {
            return Err(io::Error::other("a link on the way belongs neither to root nor to the user we run as"));
        }
        let target = fs::readlinkat(&next, "", Vec::new())?;
        ahead.extend(steps(Path::new(OsStr::from_bytes(target.to_bytes()))));
    }
    Ok(fs::openat(&here, ".", DIRECTORY, Mode::empty())?)
}

/// The components, the first one last.
fn steps(path: &Path) -> Vec<OsString> {
    let name = |component: Component<'_>| component.as_os_str().to_owned();
    path.components().rev().map(name).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir, create_dir_all, write};
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use rustix::fs::{Dir, fstat};

    use super::*;

    const ALL: fn(u32) -> bool = |_| true;
    const NOBODY: fn(u32) -> bool = |_| false;

    fn names(fd: &OwnedFd) -> Vec<String> {
        let mut names: Vec<String> = Dir::read_from(fd)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }

    /// A place with no link on the way to it.
    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        create_dir_all(path.join("real/inbound")).unwrap();
        write(path.join("real/inbound/file"), "").unwrap();
        (dir, path)
    }

    #[test]
    fn a_way_without_links_is_walked_whoever_is_trusted() {
        let (_dir, path) = place();
        for way in ["real/inbound", "real/inbound/", "real/../real/./inbound", "real//inbound/."] {
            assert_eq!(names(&walk(&path.join(way), NOBODY).unwrap()), ["file"], "{way}");
        }
        let (here, dot) = (walk(Path::new("."), NOBODY).unwrap(), walk(Path::new(""), NOBODY).unwrap());
        assert_eq!(fstat(here).unwrap().st_ino, fstat(dot).unwrap().st_ino);
        let missing = walk(&path.join("real/missing"), ALL).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let file = walk(&path.join("real/inbound/file"), ALL).unwrap_err();
        assert_eq!(file.kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn links_are_followed_for_whom_we_trust_alone() {
        let (_dir, path) = place();
        create_dir(path.join("beside")).unwrap();
        symlink("real/inbound", path.join("last")).unwrap();
        symlink(path.join("real"), path.join("beside/middle")).unwrap();
        symlink("../beside/middle/inbound", path.join("beside/chain")).unwrap();
        let owner = fstat(walk(&path, NOBODY).unwrap()).unwrap().st_uid;
        for way in ["last", "beside/middle/inbound", "beside/chain"] {
            assert_eq!(names(&walk(&path.join(way), ALL).unwrap()), ["file"], "{way}");
            assert_eq!(names(&walk(&path.join(way), |uid| uid == owner).unwrap()), ["file"], "{way}");
            let refused = walk(&path.join(way), NOBODY).unwrap_err();
            assert!(refused.to_string().contains("belongs neither to root nor"), "{way}: {refused}");
            assert!(walk(&path.join(way), |uid| uid != owner).is_err(), "{way}");
        }
    }

    #[test]
    fn links_that_lead_nowhere_or_in_a_ring_end() {
        let (_dir, path) = place();
        symlink("ring", path.join("ring")).unwrap();
        symlink("nowhere", path.join("dangling")).unwrap();
        assert_eq!(walk(&path.join("ring"), ALL).unwrap_err().raw_os_error(), Some(Errno::LOOP.raw_os_error()));
        assert_eq!(walk(&path.join("dangling"), ALL).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
