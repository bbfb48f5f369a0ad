//! What packagers ask for: completions for shells, and pages of the manual.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use super::ExitCode;
use super::args::Cli;
use super::reading::Out;

/// Completions for a shell, to stdout.
pub(super) fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "nightdrop", &mut text);
    print(&text)
}

/// The page of the command itself to stdout, or its page and one for each subcommand into a directory.
pub(super) fn man(out: Option<&Path>) -> anyhow::Result<ExitCode> {
    match out {
        Some(directory) => {
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
            clap_mangen::generate_to(Cli::command(), directory)
                .with_context(|| format!("cannot write into {}", directory.display()))?;
            Ok(ExitCode::Ok)
        }
        None => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text)?;
            print(&text)
        }
    }
}

fn print(text: &[u8]) -> anyhow::Result<ExitCode> {
    let mut out = Out::new();
    let written = out.write_all(text).map(|()| ExitCode::Ok).map_err(Into::into);
    out.end(written)
}
