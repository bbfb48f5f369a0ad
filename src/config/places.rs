//! No directory may be another, or lie inside another: what one partner can write, nothing else may read as its own.

use std::path::{Path, PathBuf};

use super::reader::{Document, Place};

/// A directory or file with the key that names it.
#[derive(Clone)]
pub(super) struct Claimed {
    pub(super) place: Place,
    pub(super) path: PathBuf,
}

/// Notes each pair of `directories` of which one holds the other, and each of `files` that lies in one of `open`.
pub(super) fn check(document: &Document<'_>, directories: &[Claimed], files: &[Claimed], open: usize) {
    let real: Vec<PathBuf> = directories.iter().map(|it| real(&it.path)).collect();
    for (index, (one, at)) in directories.iter().zip(&real).enumerate() {
        for (other, of) in directories.iter().zip(&real).take(index) {
            let path = one.path.display();
            let fault = if at == of {
                format!("{path} is {} too", other.place.path)
            } else if at.starts_with(of) {
                format!("{path} lies inside {}", other.place.path)
            } else if of.starts_with(at) {
                format!("{path} holds {}", other.place.path)
            } else {
                continue;
            };
            document.note(&one.place, format!("{fault}; each needs a directory of its own"));
        }
    }
    for file in files {
        let at = self::real(&file.path);
        if let Some((holder, _)) =
            directories.iter().zip(&real).take(open).find(|(_, directory)| at.starts_with(directory))
        {
            document.note(&file.place, format!("lies inside {}, which a partner can reach", holder.place.path));
        }
    }
}

/// The path with the links in what exists of it followed.
fn real(path: &Path) -> PathBuf {
    if let Ok(whole) = path.canonicalize() {
        return whole;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}
