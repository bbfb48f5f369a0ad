//! Where a key or secret is found, and how it is read when it is needed.
//!
//! A secret is never a value of the configuration, never in an argument or in the environment, and never in a message.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use zeroize::{Zeroize, Zeroizing};

use super::Surroundings;

/// No key of any kind comes near it.
const SECRET_BYTES_MAX: usize = 1 << 20;

/// How long a command may take to print its secret.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(10);

/// Where a key or secret is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A file, absolute.
    File(PathBuf),
    /// A systemd credential by name.
    Credential(String),
    /// A program and its arguments; it prints the secret.
    Command(Vec<String>),
}

/// Displays as an operator would name it: `keys/a.jwk`, `credential acme-2027`, `command kms-get`.
impl fmt::Display for SecretSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "{}", path.display()),
            Self::Credential(name) => write!(out, "credential {name}"),
            // The arguments may say more than a log should know.
            Self::Command(words) => write!(out, "command {}", words.first().map_or("", String::as_str)),
        }
    }
}

impl SecretSource {
    /// The file it lies in, unless a command prints it.
    ///
    /// # Errors
    /// A credential where the surroundings have none.
    pub fn path(&self, surroundings: &Surroundings) -> io::Result<Option<PathBuf>> {
        match self {
            Self::File(path) => Ok(Some(path.clone())),
            Self::Credential(name) => match &surroundings.credentials_dir {
                Some(directory) => Ok(Some(directory.join(name))),
                None => Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    "no credentials directory: CREDENTIALS_DIRECTORY is not set; start by systemd with LoadCredential=",
                )),
            },
            Self::Command(_) => Ok(None),
        }
    }

    /// Reads it: the bytes of a file as they are, the output of a command without white space around it.
    ///
    /// # Errors
    /// What the system says of the file or the command; an empty secret, one of over 1 MiB, a command that fails or
    /// takes longer than ten seconds.
    pub fn read(&self, surroundings: &Surroundings) -> io::Result<Zeroizing<Vec<u8>>> {
        let secret = match (self.path(surroundings)?, self) {
            (Some(path), _) => read_file(&path)?,
            (None, Self::Command(words)) => run(words, COMMAND_TIME_MAX)?,
            (None, Self::File(_) | Self::Credential(_)) => return Err(io::ErrorKind::NotFound.into()),
        };
        if secret.is_empty() { Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty")) } else { Ok(secret) }
    }
}

fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let bytes = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    read_bounded(file, bytes)
}

/// Reads to the end without growing the buffer, which would leave copies of the secret behind.
fn read_bounded(from: impl Read, bytes_expected: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB: no key is that large");
    if bytes_expected > SECRET_BYTES_MAX {
        return Err(too_large());
    }
    let mut secret = Zeroizing::new(vec![0; bytes_expected + 1]);
    let (mut filled, mut from) = (0, from.take(SECRET_BYTES_MAX as u64 + 1));
    loop {
        match from.read(&mut secret[filled..]) {
            Ok(0) if filled < secret.len() => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if filled > SECRET_BYTES_MAX {
            return Err(too_large());
        }
        if filled == secret.len() {
            let mut larger = Zeroizing::new(vec![0; secret.len() * 2]);
            larger[..filled].copy_from_slice(&secret);
            secret = larger;
        }
    }
    secret.truncate(filled);
    Ok(secret)
}

/// Runs the command in a process group of its own, so that what it starts ends with it.
fn run(words: &[String], time_max: Duration) -> io::Result<Zeroizing<Vec<u8>>> {
    let [program, arguments @ ..] = words else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the command is empty"));
    };
    let mut child = Command::new(OsStr::new(program))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let answer = wait(&mut child, time_max);
    if answer.is_err() {
        kill(&child);
    }
    // It has ended, or was just killed: this does not block. Nobody else reaps it, so its id was still its own above.
    let status = child.wait()?;
    let mut secret = answer?;
    if !status.success() {
        return Err(io::Error::other(format!("the command failed: {status}")));
    }
    trim(&mut secret);
    Ok(secret)
}

/// What the child prints until it has ended. The child is left to be reaped.
fn wait(child: &mut Child, time_max: Duration) -> io::Result<Zeroizing<Vec<u8>>> {
    let (Some(stdout), Some(pid)) = (child.stdout.take(), pid(child)) else {
        return Err(io::Error::other("the command could not be watched"));
    };
    let (to, from) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let answer = read_bounded(stdout, 4096).and_then(|secret| {
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
            Ok(secret)
        });
        // Nobody listens any more once the time is over.
        let _ = to.send(answer);
    });
    from.recv_timeout(time_max).unwrap_or_else(|_| {
        let words = format!("the command did not end within {} seconds", time_max.as_secs_f32());
        Err(io::Error::new(io::ErrorKind::TimedOut, words))
    })
}

fn kill(child: &Child) {
    if let Some(group) = pid(child) {
        // It may have ended by itself meanwhile.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn trim(secret: &mut Zeroizing<Vec<u8>>) {
    let start = secret.len() - secret.trim_ascii_start().len();
    let bytes = secret.trim_ascii().len();
    secret.copy_within(start..start + bytes, 0);
    secret[bytes..].zeroize();
    secret.truncate(bytes);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn reads_files_and_credentials_as_they_are_and_trims_what_commands_print() {
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("kek"), b" bytes\n").unwrap();
        let with = Surroundings { credentials_dir: Some(here.path().to_owned()), path: None };
        let file = SecretSource::File(here.path().join("kek"));
        assert_eq!(*file.read(&Surroundings::default()).unwrap(), b" bytes\n");
        let credential = SecretSource::Credential("kek".into());
        assert_eq!(*credential.read(&with).unwrap(), b" bytes\n");
        assert_eq!(credential.read(&Surroundings::default()).unwrap_err().kind(), io::ErrorKind::NotFound);
        let command = SecretSource::Command(shell("printf ' secret words \\n\\n'"));
        assert_eq!(*command.read(&with).unwrap(), b"secret words");
    }

    #[test]
    fn refuses_the_empty_and_the_huge() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("key");
        let key = SecretSource::File(path.clone());
        fs::write(&path, b"").unwrap();
        assert_eq!(key.read(&Surroundings::default()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        fs::write(&path, vec![b'k'; SECRET_BYTES_MAX]).unwrap();
        assert_eq!(key.read(&Surroundings::default()).unwrap().len(), SECRET_BYTES_MAX);
        fs::write(&path, vec![b'k'; SECRET_BYTES_MAX + 1]).unwrap();
        assert_eq!(key.read(&Surroundings::default()).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let endless = SecretSource::Command(shell("cat /dev/zero"));
        assert_eq!(endless.read(&Surroundings::default()).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn long_output_is_read_whole() {
        assert_eq!(run(&shell("head -c 20000 /dev/zero | tr '\\0' k"), COMMAND_TIME_MAX).unwrap().len(), 20_000);
    }

    #[test]
    fn a_failing_command_gives_no_secret_even_if_it_prints_one() {
        let error = run(&shell("echo 00112233; exit 3"), COMMAND_TIME_MAX).unwrap_err().to_string();
        assert!(error.contains('3') && !error.contains("00112233"), "{error}");
        assert_eq!(run(&["/nowhere/kms".to_owned()], COMMAND_TIME_MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_its_children() {
        let here = tempfile::tempdir().unwrap();
        let fifo = here.path().join("held");
        let script = format!("mkfifo '{0}'; exec 3<>'{0}'; (read line <&3) & read line <&3", fifo.display());
        let error = run(&shell(&script), Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // A FIFO without any reader refuses to be opened for writing without waiting.
        let open = || rustix::fs::open(&fifo, rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK, 0.into());
        let ended = (0..1_000_000).any(|_| open().is_err());
        assert!(ended, "something still holds the pipe");
    }

    #[test]
    fn names_itself_without_a_commands_arguments() {
        let kms = SecretSource::Command(vec!["kms".into(), "--token".into(), "t0p".into()]);
        assert_eq!(kms.to_string(), "command kms");
    }
}
