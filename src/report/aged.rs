//! Takes away outbound files that have been there long enough. Only those that went out for a file of ours: what a
//! partner keeps beside them is the partner's, and stays.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, statat, unlinkat};
use rustix::io::Errno;

use crate::model::Timestamp;

use super::outbox::is_name;
use super::{Outbox, ReportError};

/// What may end a sealed file's name.
const SEALED: [&str; 3] = ["", ".jwe", ".pgp"];
/// What goes out for a stem and may be sealed, and what is always plain.
const MAY_BE_SEALED: [&str; 4] = [".recon.csv", ".errors.csv", ".response.jsonl", ".enroll.jsonl"];
const PLAIN: [&str; 4] = [".ack.json", ".notifications.jsonl", "_OUT.json", ".summary.json"];

/// Which of a file's outbound files have been there long enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgedOut {
    /// Their names.
    pub names: Vec<String>,
    /// Whether others were written later, by a delivery again: their time is still to come.
    pub younger: bool,
}

/// Every name that can go out for a stem, for files whose list is not kept.
pub fn names_of(stem: &str) -> Vec<String> {
    let sealed = MAY_BE_SEALED.iter().flat_map(|end| SEALED.map(|seal| format!("{stem}{end}{seal}")));
    sealed.chain(PLAIN.map(|end| format!("{stem}{end}"))).collect()
}

impl Outbox {
    /// Which files of these names were written before `before`.
    pub fn aged(&self, names: &[String], before: Timestamp) -> Result<AgedOut, ReportError> {
        let dir = self.open()?;
        let mut aged = AgedOut::default();
        for name in names {
            match self.written_before(&dir, name, before)? {
                Some(true) => aged.names.push(name.clone()),
                Some(false) => aged.younger = true,
                None => {}
            }
        }
        Ok(aged)
    }

    /// Removes those of these names that were written before `before`; how many. What went out again meanwhile stays, and
    /// what a power cut brings back is found again at the next look.
    pub fn remove_aged(&self, names: &[String], before: Timestamp) -> Result<u64, ReportError> {
        let dir = self.open()?;
        let mut removed = 0;
        for name in names {
            if self.written_before(&dir, name, before)? != Some(true) {
                continue;
            }
            match unlinkat(&dir, name, AtFlags::empty()) {
                Ok(()) => removed += 1,
                Err(Errno::NOENT) => {}
                Err(error) => return Err(ReportError::io("remove", &self.directory().join(name))(error)),
            }
        }
        Ok(removed)
    }

    /// `None` for nothing, and for what is not of our making: a link, a directory, a name that we could not write.
    fn written_before(&self, dir: &OwnedFd, name: &str, before: Timestamp) -> Result<Option<bool>, ReportError> {
        if !is_name(name) {
            return Ok(None);
        }
        match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => Ok(None),
            Ok(stat) => Ok(Some(stat.st_mtime.saturating_mul(1000) < before.0)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(ReportError::io("look at", &self.directory().join(name))(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const OLD: Timestamp = Timestamp(1_000_000_000_000);
    const LATER: Timestamp = Timestamp(1_000_086_400_000);

    fn lay(outbox: &Outbox, name: &str, written: Timestamp) {
        let file = File::create(outbox.directory().join(name)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_millis(written.0.unsigned_abs())).unwrap();
    }

    #[test]
    fn a_files_answers_go_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(dir.path());
        let ours = ["A.ack.json", "A.errors.csv", "A.recon.csv.jwe", "A.response.jsonl.jwe", "A.summary.json"];
        for name in ours {
            lay(&outbox, name, OLD);
        }
        let others = ["A.2.ack.json", "A.notes.txt", "B.ack.json", "A.recon.csv.bak"];
        for name in others {
            lay(&outbox, name, OLD);
        }
        fs::create_dir(dir.path().join("A_OUT.json")).unwrap();
        symlink("/etc/hostname", dir.path().join("A.enroll.jsonl")).unwrap();

        assert_eq!(outbox.aged(&names_of("A"), OLD).unwrap(), AgedOut::default().also_younger());
        let aged = outbox.aged(&names_of("A"), LATER).unwrap();
        assert!(!aged.younger);
        let mut found = aged.names.clone();
        found.sort_unstable();
        assert_eq!(found, ours);
        assert_eq!(outbox.remove_aged(&aged.names, OLD).unwrap(), 0, "gone out again meanwhile");
        assert_eq!(outbox.remove_aged(&aged.names, LATER).unwrap(), 5);
        assert_eq!(outbox.remove_aged(&aged.names, LATER).unwrap(), 0, "again is done");
        for name in others {
            assert!(dir.path().join(name).exists(), "{name}");
        }
        assert!(dir.path().join("A_OUT.json").is_dir() && dir.path().join("A.enroll.jsonl").is_symlink());
    }

    impl AgedOut {
        fn also_younger(self) -> Self {
            Self { younger: true, ..self }
        }
    }

    #[test]
    fn what_was_delivered_again_has_its_time_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(dir.path());
        lay(&outbox, "A.ack.json", OLD);
        lay(&outbox, "A.summary.json", LATER);
        let aged = outbox.aged(&names_of("A"), LATER).unwrap();
        assert_eq!(aged, AgedOut { names: vec!["A.ack.json".into()], younger: true });
    }

    #[test]
    fn a_name_that_leads_out_of_the_directory_is_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("outbound")).unwrap();
        let outbox = Outbox::new(dir.path().join("outbound"));
        lay(&outbox, "../beside", OLD);
        let names = ["../beside".to_owned()];
        assert_eq!(outbox.aged(&names, LATER).unwrap(), AgedOut::default());
        assert_eq!(outbox.remove_aged(&names, LATER).unwrap(), 0);
        assert!(dir.path().join("beside").exists());
    }
}
