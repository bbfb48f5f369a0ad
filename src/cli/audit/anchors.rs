//! Finds the anchors of the audit trail in a log, whatever its form: text, JSON, with or without what a journal puts before it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, bail};

use crate::ledger::Anchor;

/// What stands in every anchor's line and in no other.
const MARK: &str = "audit_anchor";

/// All anchors of a log, `-` being what comes in on stdin. A log without any proves nothing, and an anchor that does not read was
/// tampered with or cut: both are errors.
pub(super) fn of_log(log: &Path) -> anyhow::Result<Vec<Anchor>> {
    let (name, found) = if log == Path::new("-") {
        ("the log on stdin".to_owned(), read(std::io::stdin().lock()))
    } else {
        let name = log.display().to_string();
        let file = File::open(log).with_context(|| format!("cannot read {name}"))?;
        (name, read(BufReader::new(file)))
    };
    let found = found.with_context(|| format!("cannot take the anchors from {name}"))?;
    if found.is_empty() {
        bail!("{name} holds no anchor of an audit trail: nothing could be compared");
    }
    Ok(found)
}

fn read(mut log: impl BufRead) -> anyhow::Result<Vec<Anchor>> {
    let (mut found, mut line, mut number) = (Vec::new(), Vec::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        if log.read_until(b'\n', &mut line)? == 0 {
            return Ok(found);
        }
        let line = String::from_utf8_lossy(&line);
        let Some((_, rest)) = line.split_once(MARK) else { continue };
        match anchor(rest) {
            Some(anchor) => found.push(anchor),
            None => bail!("line {number} speaks of an anchor and does not read as one"),
        }
    }
}

/// The number and the hash after the mark: `seq=7 hash="…"`, or `"seq":7,"hash":"…"`.
fn anchor(rest: &str) -> Option<Anchor> {
    Anchor::from_parts(value(rest, "seq")?, value(rest, "hash")?)
}

/// What stands after a name, without the marks around it.
fn value<'a>(rest: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = rest.split_once(name)?;
    let after = after.trim_start_matches(['"', '\\', '=', ':', ' ']);
    let end = after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len());
    Some(&after[..end])
}

#[cfg(test)]
mod tests {
    use super::read;

    const HASH: &str = "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff";

    fn found(log: &str) -> Result<Vec<String>, String> {
        let found = read(log.as_bytes()).map_err(|error| error.to_string())?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn anchors_are_found_in_logs_of_every_form() {
        let lines = [
            format!(r#"2026-11-20T01:30:00Z  INFO anchor event="audit_anchor" seq=7 hash="{HASH}""#),
            format!(r#"{{"level":"INFO","event":"audit_anchor","seq":7,"hash":"{HASH}"}}"#),
            format!(r#"Nov 20 host nightdrop[12]: {{"event":"audit_anchor","seq":7,"hash":"{HASH}"}}"#),
            format!(r#"{{"MESSAGE":"{{\"event\":\"audit_anchor\",\"seq\":7,\"hash\":\"{HASH}\"}}"}}"#),
        ];
        for line in lines {
            let log = format!("something else\n\u{fffd}\n{line}\n{line}");
            assert_eq!(found(&log), Ok(vec![format!("7:{HASH}"); 2]), "{line}");
        }
        assert_eq!(found("no anchors\nhere\n"), Ok(vec![]));
    }

    #[test]
    fn an_anchor_that_does_not_read_is_an_error() {
        for line in [
            format!(r#"event="audit_anchor" seq=x hash="{HASH}""#),
            format!(r#"event="audit_anchor" seq=7 hash="{}""#, &HASH[1..]),
            r#"event="audit_anchor" seq=7"#.to_owned(),
            r#"event="audit_anchor""#.to_owned(),
        ] {
            assert_eq!(
                found(&format!("fine\n{line}\n")),
                Err("line 2 speaks of an anchor and does not read as one".to_owned()),
                "{line}"
            );
        }
    }
}
