//! `nightdrop check`: it foresees what the daemon does, shows it well, and leaves no trace.

mod kit;
mod look;
mod same;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::file::sha256_hex;
use crate::world::{Ran, World, files_under};

pub(crate) use same::expect_all_as_foreseen;

/// `nightdrop check FILE --json`; fails if it changed anything.
fn foreseen(world: &World, file: &str) -> (i32, Value) {
    let ran = checked(world, &[file, "--config", "nightdrop.toml", "--json"]);
    let value = serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|problem| panic!("{file}: {problem}: {} {}", ran.text(), ran.stderr));
    (ran.code().unwrap(), value)
}

/// `nightdrop check` with these arguments; fails if it changed anything.
fn checked(world: &World, args: &[&str]) -> Ran {
    let before = everything(world.path());
    let ran = world.nightdrop(&[&["check"], args].concat());
    assert_eq!(everything(world.path()), before, "check {args:?} left a trace");
    ran
}

/// Every file of a world with the hash of its content, but what the tests themselves keep, and what a reader of the
/// database may make beside it.
fn everything(dir: &Path) -> BTreeMap<String, String> {
    files_under(dir)
        .into_iter()
        .map(|path| (path.strip_prefix(dir).unwrap().display().to_string(), path))
        .filter(|(name, _)| !name.starts_with("said/") && !name.ends_with(".db-shm") && !name.ends_with(".db-wal"))
        .map(|(name, path)| (name, sha256_hex(&std::fs::read(path).unwrap())))
        .collect()
}
