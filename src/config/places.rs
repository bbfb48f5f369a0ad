//! Directories that must not be one another, nor lie in one another.

use std::path::Path;

use super::reader::Section;

/// A directory, and where it is configured.
pub(super) struct Place<'a, 'd> {
    pub(super) path: &'a Path,
    pub(super) what: String,
    pub(super) section: &'a Section<'d>,
    pub(super) key: &'static str,
}

/// Notes every pair of which one is the other or lies in it, at the later of the two.
pub(super) fn check(all: &[Place<'_, '_>]) {
    for (index, place) in all.iter().enumerate() {
        for earlier in &all[..index] {
            let words = if place.path == earlier.path {
                format!("the same directory as {}", earlier.what)
            } else if place.path.starts_with(earlier.path) {
                format!("lies inside {}", earlier.what)
            } else if earlier.path.starts_with(place.path) {
                format!("holds {}", earlier.what)
            } else {
                continue;
            };
            place.section.note(place.key, format!("{words}; each directory has one use"));
        }
    }
}
