//! The README, run as a reader would: every command that it shows, in its order, in a site made of its own pieces; and what
//! it shows as printed is what is printed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rustix::process::{Pid, Signal, kill_process};

use crate::world::until;

/// A fenced block: its lines, and the line of the README on which it begins.
struct Block {
    begins: usize,
    lines: Vec<String>,
}

fn blocks(readme: &str) -> Vec<Block> {
    let (mut blocks, mut open) = (Vec::new(), None::<Block>);
    for (number, line) in readme.lines().enumerate() {
        match (line.starts_with("```"), open.take()) {
            (true, None) => open = Some(Block { begins: number + 1, lines: Vec::new() }),
            (true, Some(block)) => blocks.push(block),
            (false, Some(mut block)) => {
                block.lines.push(line.to_owned());
                open = Some(block);
            }
            (false, None) => {}
        }
    }
    blocks
}

/// The block that begins with this.
fn beginning(blocks: &[Block], with: &str) -> String {
    let block = blocks.iter().find(|block| block.lines.first().is_some_and(|line| line.starts_with(with)));
    block.unwrap_or_else(|| panic!("the README has no block that begins with {with}")).lines.join("\n") + "\n"
}

/// A command and the lines that are shown below it.
fn commands(block: &Block) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in &block.lines {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((_, shown))) => shown.push(line.clone()),
            (None, None) => {}
        }
    }
    commands
}

fn shell(dir: &Path, line: &str) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_nightdrop")).parent().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-c", line]).current_dir(dir).env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    bash
}

/// Starts the daemon as shown, waits for the night's summary, and stops it.
fn run_daemon(dir: &Path, line: &str) -> Output {
    let mut daemon = shell(dir, &format!("exec {line}"));
    let daemon = daemon.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    until("the summary of the README's file", || dir.join("outbound/ACME_PAYCARDS_20261120_1.summary.json").exists());
    until("its archive", || dir.join("archive").read_dir().is_ok_and(|mut days| days.next().is_some()));
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    daemon.wait_with_output().unwrap()
}

#[test]
fn every_command_that_it_shows_works_and_prints_what_it_shows() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = blocks(&readme);
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for place in ["keys", "inbound", "outbound", "reference"] {
        fs::create_dir(at(place)).unwrap();
    }
    let site =
        beginning(&blocks, "[daemon]").replace("{ credential = \"nightdrop-kek\" }", "{ file = \"keys/kek.key\" }");
    fs::write(at("nightdrop.toml"), &site).unwrap();
    fs::write(at("reference/account_ranges.csv"), beginning(&blocks, "issuer,cid,ica")).unwrap();
    fs::write(at("tonight.csv"), beginning(&blocks, "HDR,1,ACME,payment-cards,B20261120")).unwrap();
    // The key of the next year, which the story does not make.
    let next = "nightdrop keys new envelope --kid acme-2027 --out keys/acme-2027.jwk";
    assert!(shell(dir.path(), next).output().unwrap().status.success());

    let mut ran = 0;
    for block in &blocks {
        for (command, shown) in commands(block) {
            let place = format!("README.md:{}: {command}", block.begins);
            let refused = shown.iter().any(|line| line.ends_with("to mend"));
            if refused {
                let wrong = site.replacen("id = \"ACME\"", "id = \"acme\"", 1).replace("\"EUR\"", "\"EURO\"");
                fs::write(at("nightdrop.toml"), wrong).unwrap();
            }
            let output = if command.starts_with("nightdrop run ") {
                run_daemon(dir.path(), &command)
            } else {
                shell(dir.path(), &command).output().unwrap()
            };
            fs::write(at("nightdrop.toml"), &site).unwrap();
            let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
            let expected = match (refused, command.starts_with("nightdrop check ")) {
                (true, _) => 2,
                (_, true) => 4,
                _ => 0,
            };
            assert_eq!(output.status.code(), Some(expected), "{place}\n{said}");
            // Keys, ids, times and hashes are another night's; words are the same.
            let fixed = ["nightdrop config check", "nightdrop check", "nightdrop keys"];
            if fixed.iter().any(|it| command.starts_with(it)) {
                for line in shown.iter().filter(|line| !line.contains('…') && !line.trim().is_empty()) {
                    assert!(said.contains(line.as_str()), "{place}: shown, but not said: {line}\n{said}");
                }
            }
            ran += 1;
        }
    }
    assert!(ran >= 12, "{ran} commands were found");
}
