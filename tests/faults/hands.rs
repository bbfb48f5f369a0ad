//! A wall clock that a test moves; the binary's pauses last as long as they do.

use std::fs;
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;

use crate::world::World;

/// Lines of the configuration that note every alarm in `told.jsonl`.
pub(crate) const TELLS: &str = "\n[alarm]\ncommand = [\"/bin/sh\", \"-c\", \"cat >> told.jsonl\"]\n";

pub(crate) const MOVED: &[(&str, &str)] = &[("PATH", "/usr/bin:/bin"), ("NIGHTDROP_HANDS", "hands")];

/// From now on it is this time in the world.
#[expect(clippy::disallowed_methods, reason = "a clock is moved from where it stands")]
pub(crate) fn set(world: &World, to: &str) {
    let to: jiff::Timestamp = to.parse().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let by = to.as_millisecond() - i64::try_from(now.as_millis()).unwrap();
    // In one step: the binary may read it at any moment.
    world.write("hands.new", by.to_string());
    fs::rename(world.at("hands.new"), world.at("hands")).unwrap();
}

/// What the command was told so far: kind, state and what happened.
pub(crate) fn told(world: &World) -> Vec<(String, String, String)> {
    let lines = fs::read_to_string(world.at("told.jsonl")).unwrap_or_default();
    let word = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (word(&line, "kind"), word(&line, "state"), word(&line, "what")))
        .collect()
}

/// What a query of the world's database gives, one value.
pub(crate) fn ask(world: &World, sql: &str) -> String {
    let script = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])";
    let ran = Command::new("python3").args(["-c", script]).arg(world.at("nightdrop.db")).arg(sql).output().unwrap();
    assert!(ran.status.success(), "{sql}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

/// The one expected feed of `status --json`.
pub(crate) fn expected(world: &World) -> (String, String) {
    let status = world.nightdrop(&["status", "--json", "--config", "nightdrop.toml"]).expect(0);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let feed = &status["expected"][0];
    (feed["day"].as_str().unwrap().to_owned(), feed["state"].as_str().unwrap().to_owned())
}
