//! The `nightdrop` command: reads the surroundings, hands them in, and ends the process.

use std::process;

use nightdrop::cli::{self, Environment, Surroundings};
use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

fn main() -> process::ExitCode {
    // A panic's message may hold what made it panic: only its place is said.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        eprintln!("nightdrop: internal error{place}; please report it");
    }));
    // No core dumps: memory holds keys and card numbers. A system that cannot do either is no reason not to run.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // Every file in hand holds a descriptor: take what the system allows.
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum });
    // What the daemon makes is for its own user and group.
    rustix::process::umask(Mode::from_raw_mode(0o027));
    // A file size limit is then an error of the write, not the end of the process.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
    let environment = surroundings();
    #[cfg(feature = "faults")]
    nightdrop::faults::arm(environment.fault.as_deref(), environment.hands.clone());
    process::ExitCode::from(cli::main(std::env::args_os(), &environment) as u8)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn surroundings() -> Environment {
    Environment {
        surroundings: Surroundings {
            credentials_dir: std::env::var_os("CREDENTIALS_DIRECTORY").map(Into::into),
            path: std::env::var_os("PATH"),
        },
        log_filter: std::env::var("NIGHTDROP_LOG").ok(),
        #[cfg(feature = "faults")]
        fault: std::env::var("NIGHTDROP_FAULT").ok(),
        #[cfg(feature = "faults")]
        hands: std::env::var_os("NIGHTDROP_HANDS").map(Into::into),
    }
}
