//! `nightdrop audit`: proves the audit trail unbroken, or shows it; beside a running daemon or without one.
//!
//! Needs no key and changes nothing.

mod anchors;

use std::io::Write as _;
use std::path::Path;

use anyhow::bail;
use serde_json::{Value, json};

use crate::actions::Called;
use crate::ledger::{Actor, Anchor, AuditRow, Ledger};
use crate::model::{FileNo, Timestamp, hex};

use super::ExitCode;
use super::reading::{Out, find, read};

/// Rows read at a time.
const ROWS_A_READ: u32 = 1000;

/// Follows the trail, and compares the anchors of a log with it.
pub(super) fn verify(config: &Path, log: Option<&Path>, given: &[Anchor], json: bool) -> anyhow::Result<ExitCode> {
    let mut anchors = given.to_vec();
    if let Some(log) = log {
        anchors.extend(anchors::of_log(log)?);
    }
    let found = match read(config, async |store| Ok(store.ledger.audit_verify(&anchors).await?))? {
        Ok(found) => found,
        Err(code) => return Ok(code),
    };
    match found {
        Ok(verified) if json => {
            let head = verified.head.map(|head| json!({"seq": head.seq, "hash": hex(&head.hash)}));
            let shown = json!({"ok": true, "rows": verified.rows, "head": head, "anchors": verified.anchors});
            println!("{shown:#}");
        }
        Ok(verified) => {
            println!("the audit trail is unbroken: {} rows", verified.rows);
            if verified.anchors > 0 {
                println!("anchors compared: {}, all fit", verified.anchors);
            }
            if let Some(head) = verified.head {
                println!("head: {head}");
            }
        }
        Err(finding) => {
            let words = finding.to_string();
            if json {
                let (word, row) = (finding.word(), finding.seq());
                println!("{:#}", json!({"ok": false, "finding": word, "row": row, "description": words}));
            } else {
                println!("the audit trail is broken: {words}");
            }
            return Ok(ExitCode::Failure);
        }
    }
    Ok(ExitCode::Ok)
}

/// Shows the trail's rows from number `from` on, a line each; of one file alone where one is named.
pub(super) fn list(config: &Path, file: Option<&str>, from: i64, json: bool) -> anyhow::Result<ExitCode> {
    let mut out = Out::new();
    let write =
        |out: &mut Out, row: &AuditRow| writeln!(out, "{}", if json { shown(row).to_string() } else { line(row) });
    let listed = read(config, async |store| {
        if let Some(words) = file {
            let record = match find(&store.ledger, Called { words, issuer: None }).await? {
                Ok(record) => record,
                Err(why) => bail!(why),
            };
            let rows = store.ledger.audit_of(record.no).await?;
            rows.iter().filter(|row| row.seq >= from).try_for_each(|row| write(&mut out, row))?;
            return Ok(());
        }
        let mut from = from;
        loop {
            let rows = store.ledger.audit_rows(from, ROWS_A_READ).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            from = last.seq.saturating_add(1);
            rows.iter().try_for_each(|row| write(&mut out, row))?;
        }
    });
    let code = match listed {
        Ok(Err(code)) => Ok(code),
        Ok(Ok(())) => Ok(ExitCode::Ok),
        Err(error) => Err(error),
    };
    out.end(code)
}

fn detail(row: &AuditRow) -> Value {
    // A row that somebody changed may hold anything; it is shown as far as it reads.
    serde_json::from_slice(&row.detail).unwrap_or_else(|_| Value::String(word(&row.detail)))
}

/// As text, with nothing in it that a terminal would obey.
fn word(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(char::is_control, "?")
}

/// A row as JSON.
pub(super) fn shown(row: &AuditRow) -> Value {
    json!({
        "seq": row.seq,
        "at": Timestamp(row.at).to_string(),
        "event": word(&row.event),
        "actor": word(&row.actor),
        "issuer": row.issuer.as_deref().map(word),
        "file": row.file.map(|no| FileNo(no).to_string()),
        "detail": detail(row),
        "hash": hex(&row.hash),
    })
}

/// A row of one file's, in words: when, what, and whose doing where it was not the daemon's.
pub(super) fn happened(row: &AuditRow) -> String {
    let actor = match word(&row.actor) {
        daemon if daemon == Actor::Daemon.to_string() => String::new(),
        person => format!(" by {person}"),
    };
    let detail = detail(row);
    let said = |key: &str| detail.get(key).and_then(Value::as_str).map_or(String::new(), |value| format!(" {value}"));
    let more = ["action", "to", "code", "reason", "why"].map(said).concat();
    format!("{}  {}{actor}{more}", Timestamp(row.at), word(&row.event))
}

fn line(row: &AuditRow) -> String {
    format!(
        "{:>6}  {}  {:<14} {:<9} {:<8} {:<8}  {}",
        row.seq,
        Timestamp(row.at),
        word(&row.event),
        word(&row.actor),
        row.issuer.as_deref().map_or("-".to_owned(), word),
        row.file.map_or("-".to_owned(), |no| FileNo(no).to_string()),
        word(&row.detail)
    )
}
