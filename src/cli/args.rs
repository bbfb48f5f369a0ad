//! The command line as clap reads it: every command with its arguments and the words of its help.
//!
//! What a command does is in its own file; [`super::main`] joins the two.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::actions::{self, Called};
use crate::ledger::Anchor;
use crate::model::{Clock, OaepHash, ServiceName, Timestamp};
use crate::open::KeyType;
use crate::parse::Format;

use super::files;

/// Takes issuers' sealed card files whole or not at all, registers their records, and accounts for every one.
#[derive(Parser)]
#[command(name = "nightdrop", version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
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
    /// Say what would become of a file, without any effect: 0 accepted, 3 refused, 4 some record rejected
    Check {
        /// The file, sealed or plain as its feed takes it
        file: PathBuf,
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// As a file of this feed, whatever its name
        #[arg(long, value_name = "NAME")]
        feed: Option<String>,
        /// Without vault and database, as a partner checks a file before sealing it: nothing came before, nothing is registered
        #[arg(long)]
        offline: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a synthetic file in an issuer's ranges, as a partner's trial; the same options give the same bytes
    Sample {
        /// The service whose records it holds
        #[arg(long, value_parser = service)]
        service: ServiceName,
        /// How many records
        #[arg(long, value_parser = clap::value_parser!(u64).range(0..=50_000_000))]
        records: u64,
        /// How many of a hundred records are bad, in every way that a file alone can show
        #[arg(long, default_value_t = 0, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100))]
        bad: u64,
        /// Another seed gives other card numbers and another batch
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The configuration that has issuer, ranges and feed; without one ACME and the public sandbox's range
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The feed it is for; without one the service's first
        #[arg(long, requires = "config")]
        feed: Option<String>,
        /// How it is written
        #[arg(long, value_enum, default_value_t = SampleFormat::Csv)]
        format: SampleFormat,
        /// The batch id of its header
        #[arg(long)]
        batch_id: Option<String>,
        /// The sequence number of its header
        #[arg(long, default_value_t = 1)]
        sequence: u64,
        /// Where to; stdout if not given
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
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
        /// The hash of RSA-OAEP in Mastercard payload encryption: the feed's oaep_hash
        #[arg(long, default_value = "SHA256", value_name = "HASH", value_parser = oaep_hash)]
        oaep_hash: OaepHash,
        /// Seal each line by itself, into a line: a token, or an object
        #[arg(long)]
        lines: bool,
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
        /// The hash of RSA-OAEP, if it is sealed by Mastercard payload encryption
        #[arg(long, default_value = "SHA256", value_name = "HASH", value_parser = oaep_hash)]
        oaep_hash: OaepHash,
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
    /// List the files that came, oldest first, beside a running daemon or without one
    Files {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Only those received on this day (UTC)
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = files::day)]
        date: Option<Timestamp>,
        /// Only those at this step, or with this decision (ACCEPTED, REFUSED, DUPLICATE) at whatever step
        #[arg(long, value_parser = files::stand)]
        state: Option<files::Stand>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show all that is known of one file
    Show {
        #[command(flatten)]
        which: Which,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a file's records, each with its outcome, what is wrong with it and what to do
    Records {
        #[command(flatten)]
        which: Which,
        /// Only those that were rejected
        #[arg(long)]
        rejected: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Decide a refused file again, or let a held one go on
    Retry {
        #[command(flatten)]
        which: Which,
        /// Why; it goes into the audit trail
        #[arg(long)]
        reason: String,
        /// Take content that was taken before under another key (DUPLICATE_CONTENT)
        #[arg(long)]
        force: bool,
        /// The answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a file's answers again
    Redeliver {
        #[command(flatten)]
        which: Which,
        /// The answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Set which sequence number a feed is expected to bring next
    #[command(subcommand)]
    Sequence(Sequence),
    /// Write the reports of a day or a month, of every issuer
    #[command(group = clap::ArgGroup::new("of").required(true))]
    Report {
        /// The day on which the report is due, such as 2026-11-20
        #[arg(long, value_name = "DAY", group = "of")]
        date: Option<String>,
        /// A month, such as 2026-11: the reports of its days as one
        #[arg(long, value_name = "MONTH", group = "of")]
        month: Option<String>,
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy the store, also while the daemon works
    Backup {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Where to; an existing file is never overwritten
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// The answer as JSON
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
    /// Prove the audit trail unbroken, or show it
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Make keys
    #[command(subcommand)]
    Keys(Keys),
    /// Check the configuration, explain it, or show an example
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print completions for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the page of the manual, or write all pages into a directory
    Man {
        /// The directory
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Which file a command is about.
#[derive(Args)]
pub(super) struct Which {
    /// The file: its id, its name or its stem; of a name that came several times the newest
    file: String,
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// The file's issuer, where several have a file of that name
    #[arg(long, value_name = "ID")]
    issuer: Option<String>,
}

impl Which {
    /// The same in the words of an action.
    pub(super) fn asked(&self) -> actions::Which {
        actions::Which { words: self.file.clone(), issuer: self.issuer.clone() }
    }

    pub(super) fn called(&self) -> Called<'_> {
        Called { words: &self.file, issuer: self.issuer.as_deref() }
    }
}

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Follow the trail from its first row to its last: exit 0 if it is unbroken, else 1, and what is wrong where
    Verify {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// A log of the daemon's, - for stdin: the anchors in it must fit the trail
        #[arg(long, value_name = "LOG")]
        anchors: Option<PathBuf>,
        /// An anchor noted elsewhere, as this command prints the head; can be given more than once
        #[arg(long, value_name = "SEQ:HASH", value_parser = anchor)]
        anchor: Vec<Anchor>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the trail's rows, a line each
    List {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Only what is about this file: its id, its name or its stem
        #[arg(long, value_name = "FILE")]
        file: Option<String>,
        /// From this row on
        #[arg(long, value_name = "SEQ", default_value_t = 1)]
        from: i64,
        /// As JSON, an object a line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum Sequence {
    /// The next file of FEED must bring number N (with sequence = "increasing": N or more)
    Set {
        /// The feed
        feed: String,
        /// The number
        n: u64,
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Why; it goes into the audit trail
        #[arg(long)]
        reason: String,
        /// The answer as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum Keys {
    /// A new key
    #[command(subcommand)]
    New(NewKey),
}

#[derive(Subcommand)]
pub(super) enum NewKey {
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
pub(super) enum ConfigCommand {
    /// Read the configuration and everything it names; all problems at once
    Check {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Also log in to partners' servers, list and write there, open the store, open a test file with each key, write and rename in
        /// each directory
        #[arg(long)]
        live: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a complete, commented example
    Example,
    /// Print the JSON Schema of the configuration, or write the schemas of everything that is JSON into a directory
    Schema {
        /// The directory: configuration, records, ack, summary, response
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Say what a key is, what it takes and what it would be; without one, all keys
    Explain {
        /// The key, such as daemon.settle or feed.format
        key: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum SampleFormat {
    Csv,
    Jsonl,
    Json,
}

impl From<SampleFormat> for Format {
    fn from(named: SampleFormat) -> Self {
        match named {
            SampleFormat::Csv => Self::Csv,
            SampleFormat::Jsonl => Self::Jsonl,
            SampleFormat::Json => Self::Json,
        }
    }
}

fn oaep_hash(text: &str) -> Result<OaepHash, String> {
    OaepHash::from_word(text).ok_or_else(|| "there are SHA256 and SHA512".to_owned())
}

fn service(text: &str) -> Result<ServiceName, String> {
    text.parse().map_err(|()| {
        let all = ServiceName::ALL.map(ServiceName::as_str);
        format!("there are {}", all.join(", "))
    })
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Envelope {
    Jwe,
    Mastercard,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Type {
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
pub(super) struct TimeOfDay(u32);

fn anchor(text: &str) -> Result<Anchor, String> {
    Anchor::parse(text).ok_or_else(|| "an anchor is a row's number, a colon, and 64 hex digits".to_owned())
}

fn time_of_day(text: &str) -> Result<TimeOfDay, String> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(TimeOfDay(hour * 60 + minute))
    });
    parsed.ok_or_else(|| "a time of day is two numbers, as 03:30".to_owned())
}

impl TimeOfDay {
    /// From `now` to the next time the clock shows this.
    pub(super) fn until(self, clock: &dyn Clock) -> Duration {
        const DAY_MS: i64 = 86_400_000;
        let until = i64::from(self.0) * 60_000 - clock.now().0.rem_euclid(DAY_MS);
        Duration::from_millis(u64::try_from(until.rem_euclid(DAY_MS)).unwrap_or(0))
    }
}
