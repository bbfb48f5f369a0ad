//! Marks of files in hand, and the last words of a process: what a start learns of the end of the one before.
//!
//! `work/.ID.hand` is there, durably, before the first byte of a file is decrypted, and goes when the file gets on or leaves
//! our hands. A mark that a start finds is of a file during which the process ended. `work/.last-words` holds a byte where
//! the process ended by a fault of its own: the handler of the signal that ends it wrote it there.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use rustix::io::Errno;

use super::IntakeError;
use super::directory::{Directory, check_component};

const SUFFIX: &str = ".hand";

/// Marks that are in no use are kept under these names: a name is changed for less than a file is made and removed for.
const SPARES: [&str; 4] = [".spare-1.hand", ".spare-2.hand", ".spare-3.hand", ".spare-4.hand"];

/// The name of the last words; nothing else in the work directory has it.
pub const LAST_WORDS: &str = ".last-words";

fn mark_of(id: &str) -> String {
    format!(".{id}{SUFFIX}")
}

/// Marks a file as in hand, durably.
pub fn mark(work: &Path, id: &str) -> Result<(), IntakeError> {
    check_component("the copy's ID", id)?;
    let (work, name) = (Directory::open(work)?, mark_of(id));
    if !SPARES.iter().any(|spare| work.move_new(spare, &work, &name).is_ok()) {
        let mark = work.create_afresh(&name)?;
        work.sync_file(&name, &mark)?;
    }
    work.sync()
}

/// Takes a mark away; one that a power cut brings back is counted once too often, no more.
pub fn unmark(work: &Path, id: &str) -> Result<(), IntakeError> {
    check_component("the copy's ID", id)?;
    let (work, name) = (Directory::open(work)?, mark_of(id));
    for spare in SPARES {
        match work.move_new(&name, &work, spare) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(_) => {}
        }
    }
    work.remove(&name)?;
    Ok(())
}

/// The ids of the files that are marked, in order.
pub fn marked(work: &Path) -> Result<Vec<String>, IntakeError> {
    let work = Directory::open(work)?;
    let mut ids = Vec::new();
    for entry in work.entries()? {
        let entry = entry?;
        let name = entry.file_name().to_str().ok().filter(|name| !SPARES.contains(name));
        if let Some(id) = name.and_then(|name| name.strip_prefix('.')?.strip_suffix(SUFFIX)) {
            ids.push(id.to_owned());
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// Whether the process before this one left last words.
pub fn last_words(work: &Path) -> Result<bool, IntakeError> {
    let work = Directory::open(work)?;
    if work.look_at(LAST_WORDS)?.is_none() {
        return Ok(false);
    }
    let mut words = work.open_beneath(LAST_WORDS).map_err(|errno| work.failed("open", LAST_WORDS, errno))?;
    let read = words.read(&mut [0]).map_err(|error| work.failed("read", LAST_WORDS, error))?;
    Ok(read > 0)
}

/// Says this process's last words.
pub fn say_last_words(work: &Path) -> Result<(), IntakeError> {
    let work = Directory::open(work)?;
    let failed = |source: std::io::Error| work.failed("write", LAST_WORDS, source);
    let mut place = std::fs::OpenOptions::new().append(true).open(work.path_of(LAST_WORDS)).map_err(failed)?;
    place.write_all(b"X").map_err(failed)
}

/// Takes the place for last words away, and marks that are in no use: there was nothing to say.
pub fn no_last_words(work: &Path) -> Result<(), IntakeError> {
    let work = Directory::open(work)?;
    for name in SPARES.into_iter().chain([LAST_WORDS]) {
        work.remove(name)?;
    }
    Ok(())
}

/// A new place for this process's last words, empty and open to be appended to.
pub fn place_for_last_words(work: &Path) -> Result<File, IntakeError> {
    Directory::open(work)?.create_afresh(LAST_WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        for id in ["00000002", "00000001", "00000003"] {
            mark(dir.path(), id).unwrap();
        }
        mark(dir.path(), "00000002").unwrap();
        unmark(dir.path(), "00000003").unwrap();
        unmark(dir.path(), "00000009").unwrap();
        std::fs::write(dir.path().join("00000007"), "a copy").unwrap();
        assert_eq!(marked(dir.path()).unwrap(), ["00000001", "00000002"]);
    }

    #[test]
    fn a_mark_in_no_use_serves_the_next_file() {
        let names = |dir: &Path| {
            let mut names: Vec<_> =
                std::fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let dir = tempfile::tempdir().unwrap();
        let ids: Vec<String> = (1..=6).map(|no| format!("{no:08}")).collect();
        for id in &ids {
            mark(dir.path(), id).unwrap();
        }
        for id in &ids {
            unmark(dir.path(), id).unwrap();
        }
        assert_eq!(names(dir.path()), SPARES, "no more are kept");
        mark(dir.path(), "00000007").unwrap();
        assert_eq!(names(dir.path()), [".00000007.hand", SPARES[1], SPARES[2], SPARES[3]]);
        assert_eq!(marked(dir.path()).unwrap(), ["00000007"]);
        unmark(dir.path(), "00000007").unwrap();
        no_last_words(dir.path()).unwrap();
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn last_words_are_heard_once() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!last_words(dir.path()).unwrap());
        place_for_last_words(dir.path()).unwrap();
        assert!(!last_words(dir.path()).unwrap());
        say_last_words(dir.path()).unwrap();
        assert!(last_words(dir.path()).unwrap());
        place_for_last_words(dir.path()).unwrap();
        assert!(!last_words(dir.path()).unwrap());
    }
}
