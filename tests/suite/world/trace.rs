//! Runs the binary under strace and holds every system call it makes against what `nightdrop.service` allows: its filter,
//! and the protections that look at a call's arguments. A call outside would fail under the unit.
//!
//! strace traces from a process of its own (`-D`), so that signals, the end and the memory seen are the binary's.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::Pid;

use super::process::until;

/// The binary under strace, which writes into `log`.
pub(super) fn traced(binary: impl AsRef<OsStr>, log: &Path) -> Command {
    let mut command = Command::new("strace");
    // Contents of buffers are no business of a trace.
    command.args(["-D", "-f", "-q", "-s", "0", "-o"]).arg(log).arg(binary);
    command
}

/// Fails for a call that the unit would not let pass. Waits for the tracer's last word about the process.
pub(super) fn expect_confined(log: &Path, pid: Pid) {
    let pid = pid.as_raw_nonzero().to_string();
    let is_last_word =
        |line: &str| line.split_once(' ').is_some_and(|(of, said)| of == pid && said.trim_start().starts_with("+++ "));
    let mut text = String::new();
    until("the end of the trace", || {
        text = fs::read_to_string(log).unwrap_or_default();
        text.lines().rev().any(is_last_word)
    });
    let found = outside(&text);
    assert!(found.is_empty(), "calls that nightdrop.service does not allow:\n  {}", found.join("\n  "));
}

/// The names of the calls in a trace.
pub(super) fn calls(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(call).map(|(name, _)| name.to_owned()).collect()
}

/// The lines of a trace that the unit would not let pass, each reason once.
pub(crate) fn outside(text: &str) -> Vec<String> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for line in text.lines() {
        let Some((name, arguments)) = call(line) else { continue };
        let Some(why) = objection(name, arguments) else { continue };
        if seen.insert((name, why)) {
            found.push(format!("{why}: {line}"));
        }
    }
    found
}

/// Name and arguments of a call, begun or whole: `PID name(arguments`.
fn call(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(' ')?;
    let (name, arguments) = rest.trim_start().split_once('(')?;
    let is_name =
        !name.is_empty() && name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_');
    is_name.then_some((name, arguments))
}

fn objection(name: &str, arguments: &str) -> Option<&'static str> {
    // SQLite gives what root makes to root. Under the unit's user it makes no such call.
    let roots_own = name == "fchown" && arguments.contains(", 0, 0") && rustix::process::geteuid().is_root();
    if !allowed().contains(name) && !roots_own {
        return Some("SystemCallFilter");
    }
    let has = |flag: &str| arguments.contains(flag);
    match name {
        "mmap" if has("PROT_WRITE") && has("PROT_EXEC") => Some("MemoryDenyWriteExecute"),
        "mprotect" | "pkey_mprotect" if has("PROT_EXEC") => Some("MemoryDenyWriteExecute"),
        "socket" if !arguments.starts_with("AF_UNIX") => Some("RestrictAddressFamilies"),
        "clone" | "clone3" | "unshare" | "setns" if has("CLONE_NEW") => Some("RestrictNamespaces"),
        "personality" => Some("LockPersonality"),
        "sched_setscheduler" => Some("RestrictRealtime"),
        _ => None,
    }
}

/// Every call that the unit's filter allows, by name.
fn allowed() -> &'static HashSet<String> {
    static ALLOWED: OnceLock<HashSet<String>> = OnceLock::new();
    ALLOWED.get_or_init(|| {
        let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/nightdrop.service");
        let mut allowed = HashSet::new();
        for line in fs::read_to_string(unit).unwrap().lines() {
            let Some(filter) = line.strip_prefix("SystemCallFilter=") else { continue };
            let (denies, names) = filter.strip_prefix('~').map_or((false, filter), |names| (true, names));
            for name in names.split(' ').flat_map(members) {
                if denies {
                    allowed.remove(&name)
                } else {
                    allowed.insert(name)
                };
            }
        }
        assert!(allowed.len() > 100, "the unit's filter allows {} calls", allowed.len());
        allowed
    })
}

/// The calls of a group, as systemd knows it; a call is its own.
fn members(name: &str) -> Vec<String> {
    if !name.starts_with('@') {
        return vec![name.to_owned()];
    }
    let ran = Command::new("systemd-analyze").args(["--no-pager", "syscall-filter", name]).output().unwrap();
    assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
    let text = String::from_utf8(ran.stdout).unwrap();
    // The group's own name stands first, then a line each: a comment, a group, a call.
    text.lines()
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(members)
        .collect()
}
