//! The command line. Data goes to stdout, words to stderr.

mod account;
mod act;
mod args;
mod assemble;
mod audit;
mod check;
mod clock;
mod config;
mod demo;
mod expected;
mod explain;
mod files;
mod keys;
mod live;
mod packaging;
mod progress;
mod reading;
mod records;
mod reload;
mod run;
mod sample;
mod schemas;
mod seal;
mod setup;
mod sources;
mod status;
mod trail;

use std::path::Path;

use clap::Parser as _;

use crate::actions::Action;
pub use crate::config::Surroundings;
use crate::config::{Config, Problem};
use crate::model::SystemClock;
use crate::open::KeyError;

use args::{AuditCommand, Cli, Command, ConfigCommand, Keys, NewKey, Sequence};
use run::Until;

/// How a command ends. The numbers are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// All went well.
    Ok = 0,
    /// The world failed.
    Failure = 1,
    /// The command line, the configuration or a key is wrong: trying again changes nothing.
    Usage = 2,
    /// A file was refused, held or left for next time.
    FileRefused = 3,
    /// A record was rejected.
    RecordsRejected = 4,
    /// Another process holds the store.
    Held = 5,
}

/// What the process was started with, handed in.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Where secrets and credentials are.
    pub surroundings: Surroundings,
    /// `NIGHTDROP_LOG`: directives for the log, such as `debug`.
    pub log_filter: Option<String>,
    /// `NIGHTDROP_FAULT`: where a test ends this process.
    #[cfg(feature = "faults")]
    pub fault: Option<String>,
    /// The file that moves its clock.
    #[cfg(feature = "faults")]
    pub hands: Option<std::path::PathBuf>,
}

/// Runs the command that the arguments name.
pub fn main(args: impl IntoIterator<Item = std::ffi::OsString>, environment: &Environment) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let asked_for = !error.use_stderr();
            let _ = error.print();
            return if asked_for { ExitCode::Ok } else { ExitCode::Usage };
        }
    };
    let surroundings = &environment.surroundings;
    let log_filter = environment.log_filter.as_deref();
    let done = match cli.command {
        Command::Run { config } => Ok(run::run(&config, Until::Told, surroundings, log_filter)),
        Command::Once { config, deadline } => {
            let until = Until::Done(deadline.map(|time| time.until(&SystemClock)));
            Ok(run::run(&config, until, surroundings, log_filter))
        }
        Command::Demo { records, dir } => demo::demo(records, dir.as_deref(), log_filter),
        Command::Check { file, config, feed, offline, json } => {
            let how = check::How { feed: feed.as_deref(), offline, json };
            check::check(&file, &config, how, surroundings)
        }
        Command::Sample { service, records, bad, seed, config, feed, format, batch_id, sequence, out } => {
            let asked = sample::Asked {
                service,
                records,
                bad_percent: bad,
                seed,
                format: format.into(),
                feed,
                batch_id,
                sequence,
                out,
            };
            sample::sample(&asked, config.as_deref())
        }
        Command::Completions { shell } => packaging::completions(shell),
        Command::Man { out } => packaging::man(out.as_deref()),
        Command::Seal { file, to, envelope, oaep_hash, lines, out } => {
            seal::seal(&file, &to, seal::How { envelope, oaep_hash, lines }, out.as_deref())
        }
        Command::Unseal { file, key, oaep_hash, out } => seal::unseal(&file, &key, oaep_hash, out.as_deref()),
        Command::Status { config, json } => status::status(&config, json),
        Command::Files { config, date, state, json } => files::files(&config, &files::Wanted { date, state }, json),
        Command::Show { which, json } => files::show(&which.config, which.called(), json),
        Command::Records { which, rejected, json } => records::records(&which.config, which.called(), rejected, json),
        Command::Retry { which, reason, force, json } => {
            let action = Action::Retry { file: which.asked(), reason, force };
            act::act(&which.config, action, json, surroundings, log_filter)
        }
        Command::Redeliver { which, json } => {
            act::act(&which.config, Action::Redeliver { file: which.asked() }, json, surroundings, log_filter)
        }
        Command::Sequence(Sequence::Set { feed, n, config, reason, json }) => {
            act::act(&config, Action::SetSequence { feed, next: n, reason }, json, surroundings, log_filter)
        }
        Command::Report { date, month, config, json } => {
            let of = date.or(month).unwrap_or_default();
            act::act(&config, Action::Report { of }, json, surroundings, log_filter)
        }
        Command::Backup { config, to, json } => match std::path::absolute(&to) {
            // The daemon's own directory is another one.
            Ok(to) => act::act(&config, Action::Backup { to }, json, surroundings, log_filter),
            Err(error) => Err(error.into()),
        },
        Command::Explain { code, json } => Ok(explain::explain(&code, json)),
        Command::Audit(AuditCommand::Verify { config, anchors, anchor, json }) => {
            audit::verify(&config, anchors.as_deref(), &anchor, json)
        }
        Command::Audit(AuditCommand::List { config, file, from, json }) => {
            audit::list(&config, file.as_deref(), from, json)
        }
        Command::Keys(Keys::New(NewKey::Kek { out })) => keys::new_kek(&out).map(|()| ExitCode::Ok),
        Command::Keys(Keys::New(NewKey::Envelope { kid, key_type, out })) => {
            keys::new_envelope(&kid, key_type.into(), &out).map(|public| {
                eprintln!("private key: {}\npublic key, for whom it seals: {}", out.display(), public.display());
                ExitCode::Ok
            })
        }
        Command::Config(ConfigCommand::Check { config, live, json }) => {
            config::check(&config, live, json, surroundings)
        }
        Command::Config(ConfigCommand::Schema { out }) => schemas::schemas(out.as_deref()),
        Command::Config(ConfigCommand::Explain { key, json }) => config::explain(key.as_deref(), json),
        Command::Config(ConfigCommand::Example) => Ok(config::example()),
    };
    done.unwrap_or_else(|error| {
        eprintln!("nightdrop: {error:#}");
        // A key that is none is the user's to mend, the rest is the world's.
        if error.chain().any(|cause| cause.is::<KeyError>()) { ExitCode::Usage } else { ExitCode::Failure }
    })
}

/// Reads the configuration, or says all that is wrong with it.
fn load(file: &Path) -> Result<Config, ExitCode> {
    or_said(file, Config::load(file))
}

/// What was read of the configuration, or its problems said.
fn or_said<T>(file: &Path, loaded: Result<T, Vec<Problem>>) -> Result<T, ExitCode> {
    loaded.map_err(|problems| {
        for problem in &problems {
            eprintln!("{}: {problem}", file.display());
        }
        let count = problems.len();
        eprintln!(
            "nightdrop: {count} problem{} in the configuration; nothing was started",
            if count == 1 { "" } else { "s" }
        );
        ExitCode::Usage
    })
}

/// Threads that may block. Those of a registration wait for each other, so a bound that all workers of all issuers could
/// reach would be a deadlock; a thread is only made when there is something for it to do.
const BLOCKING_THREADS_MAX: usize = 1 << 15;

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
}

fn on_runtime(work: impl Future<Output = ExitCode>) -> ExitCode {
    match runtime() {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // Threads that are still in the middle of something are not waited for: what they do can be repeated.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("nightdrop: the runtime could not be started: {error}");
            ExitCode::Failure
        }
    }
}
