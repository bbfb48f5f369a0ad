//! The shape of the code as a test: who imports whom, how long files are, what was left behind, and whether the
//! documentation points at things that exist.
//!
//! Every rule is a function from text to complaints, and is shown below to complain when it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop where it stands")]

use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 500;

const BELOW: &[&str] = &["model", "vault", "ledger", "services"];

/// Which top-level modules may be imported by which: the way of a file, downwards only.
///
/// A stage sees what stands below it and the stage before it, for that stage's output type. No stage sees the
/// configuration, the command line or the daemon: the root composes them.
const MAY_IMPORT: &[(&str, &[&[&str]])] = &[
    ("model", &[]),
    ("calendar", &[&["model"]]),
    ("telemetry", &[&["model"]]),
    ("faults", &[]),
    ("vault", &[&["model", "faults"]]),
    ("ledger", &[&["model", "vault", "services", "faults"]]),
    ("services", &[&["model", "vault", "ledger", "faults"]]),
    ("sftp", &[&["model", "faults"]]),
    ("intake", &[BELOW, &["sftp", "faults"]]),
    ("open", &[BELOW, &["intake", "faults"]]),
    ("parse", &[BELOW, &["open", "faults"]]),
    ("register", &[BELOW, &["parse", "faults"]]),
    ("report", &[BELOW, &["calendar", "sftp", "register", "faults"]]),
    ("config", &[BELOW, &["calendar", "sftp", "intake", "open", "parse", "register", "report", "telemetry"]]),
    (
        "pipeline",
        &[
            BELOW,
            &["calendar", "sftp", "intake", "open", "parse", "register", "report", "config", "telemetry", "faults"],
        ],
    ),
    (
        "actions",
        &[
            BELOW,
            &["calendar", "sftp", "intake", "open", "parse", "register", "report", "pipeline", "telemetry", "faults"],
        ],
    ),
    (
        "daemon",
        &[
            BELOW,
            &[
                "calendar",
                "sftp",
                "intake",
                "open",
                "parse",
                "register",
                "report",
                "config",
                "pipeline",
                "actions",
                "telemetry",
                "faults",
            ],
        ],
    ),
    ("console", &[&["model", "ledger", "config", "telemetry"]]),
    (
        "cli",
        &[
            BELOW,
            &[
                "calendar",
                "sftp",
                "intake",
                "open",
                "parse",
                "register",
                "report",
                "config",
                "pipeline",
                "actions",
                "daemon",
                "console",
                "telemetry",
                "faults",
            ],
        ],
    ),
    ("main", &[&["cli", "faults"]]),
];

// Written in halves, so that this file does not find itself.
const MARKERS_IN_CODE: &[&str] =
    &[concat!("to", "do!"), concat!("unimple", "mented!"), concat!("db", "g!("), concat!("#[ig", "nore")];
// These stand at the beginning of a comment, or before a colon; in a sentence they may be a word, such as a currency.
const MARKERS_IN_COMMENTS: &[&str] =
    &[concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO"), concat!("HA", "CK")];
const MACHINE_PATHS: &[&str] =
    &[concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("C:", "\\")];

#[test]
fn modules_import_downwards_only() {
    let complaints = sources("src").iter().flat_map(|(path, text)| imports(path, text)).collect();
    expect_none("imports against the table of tests/tidy.rs", complaints);
}

#[test]
fn files_are_short_enough_to_read() {
    let complaints = [sources("src"), sources("tests"), sources("benches")]
        .concat()
        .iter()
        .filter_map(|(path, text)| too_long(path, text))
        .collect();
    expect_none("files that want to be two", complaints);
}

#[test]
fn nothing_is_left_over() {
    let complaints = [sources("src"), sources("tests"), sources("benches")]
        .concat()
        .iter()
        .flat_map(|(path, text)| leftovers(path, text))
        .collect();
    expect_none("markers of unfinished work", complaints);
}

#[test]
fn no_file_names_a_path_of_someones_machine() {
    let complaints = everything().iter().flat_map(|(path, text)| machine_paths(path, text)).collect();
    expect_none("paths of one machine", complaints);
}

#[test]
fn the_documentation_points_at_things_that_exist() {
    let mut complaints = Vec::new();
    for name in ["README.md", "ARCHITECTURE.md"] {
        match fs::read_to_string(root().join(name)) {
            Ok(text) => complaints.extend(dead_paths(name, &text, &exists)),
            Err(problem) => complaints.push(format!("{name}: {problem}")),
        }
    }
    expect_none("paths in the documentation that lead nowhere", complaints);
}

#[test]
fn the_imports_of_every_module_are_in_the_table() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let complaints = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';'))
        .filter(|name| !MAY_IMPORT.iter().any(|(module, _)| module == name))
        .map(|name| format!("src/lib.rs: `{name}` has no line in the import table of tests/tidy.rs"))
        .collect();
    expect_none("modules without a place", complaints);
}

/// The imports of one source file that the table does not allow.
fn imports(path: &str, text: &str) -> Vec<String> {
    let inside: Vec<&str> = path.trim_start_matches("src/").trim_end_matches(".rs").split('/').collect();
    let from = inside[0];
    if from == "lib" {
        return Vec::new();
    }
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(module, _)| *module == from) else {
        return vec![format!("{path}: `{from}` has no line in the import table")];
    };
    // How many `super::` lead from this file to the crate's root.
    let depth = if *inside.last().unwrap() == "mod" { inside.len() - 1 } else { inside.len() };
    let to_root = "super::".repeat(depth);
    let code = code_of(non_test(text));
    let mut complaints = Vec::new();
    for way in ["crate::", "nightdrop::", to_root.as_str()] {
        for (at, _) in code.match_indices(way) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            if before.is_alphanumeric() || before == '_' || before == ':' {
                continue;
            }
            for to in first_names(&code[at + way.len()..]) {
                let known = MAY_IMPORT.iter().any(|(module, _)| *module == to);
                if known && to != from && !allowed.iter().any(|some| some.contains(&to.as_str())) {
                    let line = code[..at].lines().count().max(1);
                    complaints.push(format!("{path}:{line}: `{from}` imports `{to}`"));
                }
            }
        }
    }
    complaints
}

/// The first names of a path or of a braced group: `a::b` gives `a`; `{a::b, c::{d, e}}` gives `a` and `c`.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else {
        return vec![name(rest)];
    };
    let (mut depth, mut start, mut names) = (0_usize, true, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && !c.is_whitespace() => {
                names.push(name(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = if path.starts_with("src/") { non_test(text).lines().count() } else { text.lines().count() };
    (lines > LINES_MAX).then(|| format!("{path}: {lines} lines, at most {LINES_MAX}"))
}

fn leftovers(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let comment = line.find("//").map_or("", |at| &line[at..]);
        let found = MARKERS_IN_CODE.iter().filter(|marker| line.contains(**marker));
        let said = MARKERS_IN_COMMENTS.iter().filter(|marker| marks(comment, marker));
        complaints.extend(found.chain(said).map(|marker| format!("{path}:{}: {marker}", number + 1)));
    }
    complaints
}

fn marks(comment: &str, marker: &str) -> bool {
    let begins = comment.starts_with(&format!("// {marker}"));
    begins || comment.contains(&format!("{marker}:")) || comment.contains(&format!("{marker}("))
}

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for way in MACHINE_PATHS {
            let begins = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-})$".contains(c));
            if line.match_indices(way).any(|(at, _)| begins(at)) {
                complaints.push(format!("{path}:{}: {way}", number + 1));
            }
        }
    }
    complaints
}

/// The paths of this repository that a page names in backticks and that `exists` denies.
fn dead_paths(page: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    const ROOTS: &[&str] = &["src/", "tests/", "benches/", "schemas/", "examples/", "systemd/", "scripts/", ".ci/"];
    let mut complaints = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for word in line.split('`').skip(1).step_by(2) {
            let word = word.split([':', ' ', '*', '#']).next().unwrap_or("");
            let ours = ROOTS.iter().any(|root| word.starts_with(root));
            let source = word.ends_with(".rs");
            if (ours || source) && !exists(word.trim_end_matches('/')) {
                complaints.push(format!("{page}:{}: `{word}`", number + 1));
            }
        }
    }
    complaints
}

/// A path from the root, or from `src/`; a bare `name.rs` may lie anywhere in the sources.
fn exists(word: &str) -> bool {
    let anywhere =
        || sources("src").iter().chain(&sources("tests")).any(|(path, _)| path.ends_with(&format!("/{word}")));
    root().join(word).exists() || root().join("src").join(word).exists() || (word.ends_with(".rs") && anywhere())
}

/// A source file up to its unit tests; nothing of a file that holds only tests.
fn non_test(text: &str) -> &str {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    &text[..end]
}

/// The same text with its comments blanked out, line by line.
fn code_of(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust sources under a folder of the root, without test-only files of `src/`; (path from the root, text).
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.retain(|(path, _)| {
        let test_only = path.ends_with("/tests.rs") || path.contains("/tests/");
        path.ends_with(".rs") && !(folder == "src" && test_only)
    });
    assert!(folder == "benches" || !found.is_empty(), "no sources found under {folder}/");
    found
}

/// Every text file of the repository.
fn everything() -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found
}

fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name();
        if name == ".git" || name == "target" || path.join("CACHEDIR.TAG").exists() {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            walk(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            found.push((path, text));
        }
    }
}

fn expect_none(what: &str, complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{what}:\n  {}", complaints.join("\n  "));
}

/// Each rule, seen to complain.
mod seen_to_fail {
    use super::*;

    #[test]
    fn imports_upwards_sideways_and_round_the_corner() {
        assert_eq!(imports("src/model/code.rs", "use crate::vault::Pan;").len(), 1);
        assert_eq!(imports("src/vault/mod.rs", "use crate::{model::Code, ledger::{self, Row}};").len(), 1);
        assert_eq!(imports("src/open/jwe.rs", "fn f() { super::super::config::load() }").len(), 1);
        assert_eq!(imports("src/open/mod.rs", "use super::parse;").len(), 1);
        assert_eq!(imports("src/register/mod.rs", "use crate::{\n    parse::Reader,\n    cli::Exit,\n};").len(), 1);
        assert_eq!(imports("src/daemon.rs", "use crate::cli::Exit;").len(), 1);
        assert_eq!(imports("src/main.rs", "use nightdrop::{cli, vault};").len(), 1);
        assert_eq!(imports("src/newcomer.rs", "").len(), 1);
        assert_eq!(imports("src/open/jwe.rs", "use super::token; use crate::model::Code; // crate::cli"), [""; 0]);
        assert_eq!(imports("src/open/jwe.rs", "#[cfg(test)]\nmod tests { use crate::cli; }"), [""; 0]);
    }

    #[test]
    fn long_files() {
        assert!(too_long("src/a.rs", &"//\n".repeat(LINES_MAX + 1)).is_some());
        assert!(too_long("src/a.rs", &"//\n".repeat(LINES_MAX)).is_none());
        let tests = format!("//\n#[cfg(test)]\nmod tests {{\n{}}}", "//\n".repeat(LINES_MAX));
        assert!(too_long("src/a.rs", &tests).is_none());
        assert!(too_long("tests/a.rs", &tests).is_some());
    }

    #[test]
    fn markers() {
        for marker in MARKERS_IN_CODE {
            assert_eq!(leftovers("a.rs", &format!("fn f() {{ {marker} }}")).len(), 1, "{marker}");
        }
        for marker in MARKERS_IN_COMMENTS {
            assert_eq!(leftovers("a.rs", &format!("x(); // {marker}: later")).len(), 1, "{marker}");
            assert_eq!(leftovers("a.rs", &format!("// {marker} later")).len(), 1, "{marker}");
            assert_eq!(leftovers("a.rs", &format!("f(\"{marker}\") // not {marker} itself")), [""; 0], "{marker}");
        }
    }

    #[test]
    fn paths_of_a_machine() {
        for way in MACHINE_PATHS {
            assert_eq!(machine_paths("a", &format!("see \"{way}x\"")).len(), 1, "{way}");
            assert_eq!(machine_paths("a", &format!("dir{way}x")), [""; 0], "{way}");
        }
    }

    #[test]
    fn dead_ends_in_the_documentation() {
        let exists = |word: &str| word == "src/model";
        let text = "`src/model/` `src/gone.rs` `gone.rs` `tests/gone` `inbound/x`\n```\n`src/fenced.rs`\n```\n";
        assert_eq!(dead_paths("a", text, &exists).len(), 3);
    }
}
