//! Operators' actions as commands: through the daemon's socket or, where none runs, here under the lock.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::actions::client::{Asked, ask};
use crate::actions::{Action, Answer, Outcome, Performer, perform};
use crate::config::{Config, Surroundings};
use crate::ledger::{Actor, sqlite};
use crate::telemetry;

use super::ExitCode;
use super::assemble::{Unfit, assemble};

/// Asks for an action, and says what became of it.
pub(super) fn act(
    file: &Path,
    action: Action,
    json: bool,
    surroundings: &Surroundings,
    log_filter: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let config = match super::load(file) {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let socket = &config.daemon.socket;
    let answer = match ask(socket, action.clone()).with_context(|| format!("cannot ask at {}", socket.display()))? {
        Asked::Answered(answer) => answer,
        Asked::Nobody if sqlite::held_by_another(&config.store.path) => {
            eprintln!(
                "nightdrop: the store is held by another process that does not listen at {}; a batch run ends by itself, \
                 and a daemon that was started with another [daemon] socket must be asked there",
                socket.display()
            );
            return Ok(ExitCode::Held);
        }
        Asked::Nobody => match alone(&config, action, surroundings, log_filter)? {
            Ok(answer) => answer,
            Err(code) => return Ok(code),
        },
    };
    said(&answer, json)
}

/// What the answer is to the one who asked.
fn said(answer: &Answer, json: bool) -> anyhow::Result<ExitCode> {
    #[derive(Serialize)]
    struct Shown<'a> {
        outcome: Outcome,
        words: &'a str,
    }
    let code = match answer.outcome {
        Outcome::Done | Outcome::Begun => ExitCode::Ok,
        Outcome::NotAllowed => ExitCode::Usage,
        Outcome::Failed => ExitCode::Failure,
    };
    if json {
        println!("{}", serde_json::to_string(&Shown { outcome: answer.outcome, words: &answer.words })?);
    } else if code == ExitCode::Ok {
        println!("{}", answer.words);
    } else {
        eprintln!("nightdrop: {}", answer.words);
    }
    Ok(code)
}

/// No daemon runs: this process takes the lock and does it, with whatever the file needs after it.
fn alone(
    config: &Config,
    action: Action,
    surroundings: &Surroundings,
    log_filter: Option<&str>,
) -> anyhow::Result<Result<Answer, ExitCode>> {
    if !config.store.path.exists() {
        eprintln!("nightdrop: there is no store at {} yet; `nightdrop run` makes it", config.store.path.display());
        return Ok(Err(ExitCode::Failure));
    }
    telemetry::start(config.log, log_filter.or(Some("warn")));
    let runtime = super::runtime()?;
    let answer = runtime.block_on(async {
        let site = match assemble(config, surroundings).await {
            Ok(site) => site,
            Err(Unfit { words, code, .. }) => {
                words.iter().for_each(|word| eprintln!("nightdrop: {word}"));
                return Err(code);
            }
        };
        let actor = Actor::Uid(rustix::process::getuid().as_raw());
        let answer = perform(&Performer { site: site.clone(), actor, alone: true }, action).await;
        // The work is done; a store that does not close cleanly is checked at its next opening.
        let _ = site.ledger.close().await;
        Ok(answer)
    });
    runtime.shutdown_background();
    Ok(answer)
}
