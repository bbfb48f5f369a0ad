//! The command line. Data goes to stdout, words to stderr.

mod assemble;
mod config;
mod demo;
mod explain;
mod keys;
mod run;
mod seal;
mod status;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::Config;
pub use crate::config::Surroundings;
use crate::model::{Clock, SystemClock};
use crate::open::{KeyError, KeyType};

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
}

/// Takes issuers' sealed card files whole or not at all, registers their records, and accounts for every one.
#[derive(Parser)]
#[command(name = "nightdrop", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon until it is told to stop
    Run {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Take what waits now, to the end, and exit: 0 all accepted, 3 some file refused, 4 some record rejected
    Once {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Stop at this time of day (UTC), whatever is left
        #[arg(long, value_name = "HH:MM", value_parser = time_of_day)]
        deadline: Option<TimeOfDay>,
    },
    /// Make an issuer, keys and sealed files in a new directory, run the daemon on them, and show what came of it
    Demo {
        /// Records of the largest file
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=50_000_000))]
        records: u64,
        /// The new directory; nightdrop-demo if not given
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Seal a file for a public key, as a partner does before a drop
    Seal {
        /// The file to seal
        file: PathBuf,
        /// The public key: JWK, PEM key or certificate
        #[arg(long, value_name = "KEY")]
        to: PathBuf,
        /// What seals it
        #[arg(long, value_enum, default_value_t = Envelope::Jwe)]
        envelope: Envelope,
        /// Where to; stdout if not given
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Open a sealed file, as a partner does with an answer; nothing is written before the whole of it is proven
    Unseal {
        /// The file to open
        file: PathBuf,
        /// The private key: JWK or PKCS#8 PEM
        #[arg(long, value_name = "KEY")]
        key: PathBuf,
        /// Where to; stdout if not given
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Show files and their states, beside a running daemon or without one
    Status {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what a code means, where it comes from, what to do, and whose move it is
    Explain {
        /// A code of an ack, recon or errors file
        code: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make keys
    #[command(subcommand)]
    Keys(Keys),
    /// Check the configuration, or show an example
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Subcommand)]
enum Keys {
    /// A new key
    #[command(subcommand)]
    New(NewKey),
}

#[derive(Subcommand)]
enum NewKey {
    /// A key-encryption key: 64 hex digits, mode 0400
    Kek {
        /// Where to; an existing file is never overwritten
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// An envelope key pair as JWK; the public half lies beside it as .pub.jwk
    Envelope {
        /// The key's id, as senders name it
        #[arg(long)]
        kid: String,
        /// RSA, or an elliptic curve (P-256)
        #[arg(long = "type", value_enum, default_value_t = Type::Rsa)]
        key_type: Type,
        /// Where to; an existing file is never overwritten
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Read the configuration and everything it names; all problems at once
    Check {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a complete, commented example
    Example,
}

#[derive(Clone, Copy, ValueEnum)]
enum Envelope {
    Jwe,
}

#[derive(Clone, Copy, ValueEnum)]
enum Type {
    Rsa,
    Ec,
}

impl From<Type> for KeyType {
    fn from(named: Type) -> Self {
        match named {
            Type::Rsa => Self::Rsa3072,
            Type::Ec => Self::EcP256,
        }
    }
}

/// Minutes since midnight, UTC.
#[derive(Clone, Copy, Debug)]
struct TimeOfDay(u32);

fn time_of_day(text: &str) -> Result<TimeOfDay, String> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(TimeOfDay(hour * 60 + minute))
    });
    parsed.ok_or_else(|| "a time of day is two numbers, as 03:30".to_owned())
}

impl TimeOfDay {
    /// From `now` to the next time the clock shows this.
    fn until(self, clock: &dyn Clock) -> Duration {
        const DAY_MS: i64 = 86_400_000;
        let until = i64::from(self.0) * 60_000 - clock.now().0.rem_euclid(DAY_MS);
        Duration::from_millis(u64::try_from(until.rem_euclid(DAY_MS)).unwrap_or(0))
    }
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
        Command::Seal { file, to, envelope: Envelope::Jwe, out } => seal::seal(&file, &to, out.as_deref()),
        Command::Unseal { file, key, out } => seal::unseal(&file, &key, out.as_deref()),
        Command::Status { config, json } => status::status(&config, json),
        Command::Explain { code, json } => Ok(explain::explain(&code, json)),
        Command::Keys(Keys::New(NewKey::Kek { out })) => keys::new_kek(&out).map(|()| ExitCode::Ok),
        Command::Keys(Keys::New(NewKey::Envelope { kid, key_type, out })) => {
            keys::new_envelope(&kid, key_type.into(), &out).map(|public| {
                eprintln!("private key: {}\npublic key, for whom it seals: {}", out.display(), public.display());
                ExitCode::Ok
            })
        }
        Command::Config(ConfigCommand::Check { config, json }) => Ok(config::check(&config, json, surroundings)),
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
    Config::load(file).map_err(|problems| {
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
