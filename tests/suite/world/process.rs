//! Running the binary: every child has a deadline, its words go to files, and it is ended by its own id.

use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::trace;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The one place of the suite that reads a clock.
#[expect(clippy::disallowed_methods, reason = "a test waits for another process by the machine's own clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The one place of the suite that sleeps: everything that waits goes through [`until`], [`throughout`] or this.
#[expect(clippy::disallowed_methods, reason = "a condition in another process can only be polled")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Waits until `condition` holds; fails with `what` after [`PATIENCE`].
pub(crate) fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(within(PATIENCE, condition), "waited {PATIENCE:?} in vain: {what}");
}

/// Whether `condition` came to hold within `limit`.
pub(crate) fn within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = now() + limit;
    loop {
        if condition() {
            return true;
        }
        if now() > deadline {
            return false;
        }
        pause(Duration::from_millis(3));
    }
}

/// Fails with `what` if `condition` does not hold all through `duration`.
pub(crate) fn throughout(duration: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = now() + duration;
    while now() < end {
        assert!(condition(), "did not stay so for {duration:?}: {what}");
        pause(Duration::from_millis(10));
    }
}

/// Whether the campaigns run at full size.
#[expect(clippy::disallowed_methods, reason = "how `make test-long` says that it is long")]
pub(crate) fn long() -> bool {
    std::env::var_os("NIGHTDROP_TEST_LONG").is_some()
}

/// Whether every run of the binary is traced, as `make test-long` has it for one pass of the suite.
#[expect(clippy::disallowed_methods, reason = "how `make test-long` says that it traces")]
pub(super) fn tracing() -> bool {
    std::env::var_os("NIGHTDROP_TEST_STRACE").is_some()
}

/// What a finished child left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
    /// Its largest resident size, as last seen while it ran.
    pub(crate) peak_bytes: u64,
}

impl Ran {
    /// Its exit code; the end by a signal has none.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Fails unless it ended with this exit code.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            Some(code),
            "exit code (signal {:?}); stdout: {} stderr: {}",
            self.status.signal(),
            self.text(),
            self.stderr
        );
        self
    }

    /// Its stdout as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A child under way.
pub(crate) struct Running {
    child: Child,
    said: PathBuf,
    since: Instant,
    peak_bytes: u64,
    notified: Arc<Mutex<String>>,
    trace: Option<PathBuf>,
}

impl Running {
    /// Starts a command, its words going to `said.out` and `said.err`.
    pub(crate) fn start(mut command: Command, said: PathBuf, notify: Option<UnixDatagram>) -> Self {
        let file = |extension: &str| Stdio::from(File::create(said.with_extension(extension)).unwrap());
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        let child = command.spawn().unwrap_or_else(|problem| panic!("{command:?}: {problem}"));
        let notified = Arc::default();
        if let Some(socket) = notify {
            listen(socket, &notified);
        }
        Self { child, said, since: now(), peak_bytes: 0, notified, trace: None }
    }

    /// The same, under a tracer that writes here.
    pub(super) fn traced_into(mut self, trace: PathBuf) -> Self {
        self.trace = Some(trace);
        self
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Whether it still runs.
    pub(crate) fn alive(&mut self) -> bool {
        self.measure();
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ran {
        let done = within(PATIENCE, || !self.alive());
        assert!(done, "still running after {PATIENCE:?}; stderr: {}", self.stderr());
        self.ended()
    }

    /// SIGTERM, and its end within `limit`.
    pub(crate) fn terminate(mut self, limit: Duration) -> Ran {
        self.measure();
        kill_process(self.pid(), Signal::TERM).unwrap();
        let asked = now();
        let done = within(limit, || !self.alive());
        assert!(done, "still running {limit:?} after SIGTERM; stderr: {}", self.stderr());
        self.since = asked;
        self.ended()
    }

    /// SIGHUP, and the end of what it asks for: `event` has been logged once more than before.
    pub(crate) fn reload(&mut self, event: &str) {
        let event = format!("event=\"{event}\"");
        let said = |running: &Self| running.stderr().matches(&event).count();
        let before = said(self);
        kill_process(self.pid(), Signal::HUP).unwrap();
        until(&event, || {
            assert!(self.alive(), "it ended on SIGHUP; stderr: {}", self.stderr());
            said(self) > before
        });
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> Ran {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.ended()
    }

    /// What it wrote to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.said.with_extension("err")).unwrap()).into_owned()
    }

    /// All it said to the notify socket so far.
    pub(crate) fn notified(&self) -> String {
        self.notified.lock().unwrap().clone()
    }

    /// Waits until it says that it is ready.
    pub(crate) fn ready(mut self) -> Self {
        until("READY=1 on the notify socket", || {
            assert!(self.alive(), "it ended before it was ready; stderr: {}", self.stderr());
            self.notified().lines().any(|line| line == "READY=1")
        });
        self
    }

    fn measure(&mut self) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kib) = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()) {
            self.peak_bytes = kib * 1024;
        }
    }

    fn ended(&mut self) -> Ran {
        let status = self.child.wait().unwrap();
        if let Some(trace) = &self.trace {
            trace::expect_confined(trace, self.pid());
        }
        Ran {
            status,
            stdout: fs::read(self.said.with_extension("out")).unwrap(),
            stderr: self.stderr(),
            took: now() - self.since,
            peak_bytes: self.peak_bytes,
        }
    }
}

/// Takes in what is said to the notify socket, for as long as somebody can ask for it. A socket that nobody reads fills
/// up, and then stops the daemon: no supervisor does that.
fn listen(socket: UnixDatagram, notified: &Arc<Mutex<String>>) {
    let heard = Arc::downgrade(notified);
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    std::thread::spawn(move || {
        let mut message = [0; 4096];
        while let Some(heard) = heard.upgrade() {
            if let Ok(bytes) = socket.recv(&mut message) {
                let mut heard = heard.lock().unwrap();
                heard.push_str(&String::from_utf8_lossy(&message[..bytes]));
                heard.push('\n');
            }
        }
    });
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that fails must leave no daemon behind; an ended child is no error here.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
