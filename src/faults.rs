//! Named crash points, and a wall clock that can be moved, for tests alone: compiled in under the feature `faults`, nothing at all without it.
//!
//! A plan names a point, what happens there, at which visit and, where it matters, for which file: `POINT:ACTION[:NTH[:PART]]`,
//! as in `proved:abort`, `committed:kill:3`, `opened:abort:1:CULPRIT`. Must never be built into what users run.

#[cfg(feature = "faults")]
pub use armed::{arm, moved_by, reach};

/// Passes by: the feature `faults` is not compiled in.
#[cfg(not(feature = "faults"))]
pub const fn reach(_point: &str, _file: &str) {}

#[cfg(feature = "faults")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Plan {
        point: String,
        action: String,
        nth: u64,
        part: String,
        visits: AtomicU64,
    }

    static PLAN: OnceLock<Plan> = OnceLock::new();

    /// Where it is written by how many milliseconds the wall clock is moved.
    static HANDS: OnceLock<std::path::PathBuf> = OnceLock::new();

    /// By how many milliseconds a test has moved the wall clock.
    pub fn moved_by() -> i64 {
        let written = HANDS.get().and_then(|hands| std::fs::read_to_string(hands).ok());
        written.and_then(|by| by.trim().parse().ok()).unwrap_or(0)
    }

    /// Takes the plan of this process, and the file that moves its clock; a second one changes nothing.
    pub fn arm(plan: Option<&str>, hands: Option<std::path::PathBuf>) {
        if let Some(hands) = hands {
            let _ = HANDS.set(hands);
        }
        let Some(plan) = plan else { return };
        let mut parts = plan.splitn(4, ':').map(str::to_owned);
        let (Some(point), Some(action)) = (parts.next(), parts.next()) else { return };
        let nth = parts.next().and_then(|nth| nth.parse().ok()).unwrap_or(1);
        let part = parts.next().unwrap_or_default();
        let _ = PLAN.set(Plan { point, action, nth, part, visits: AtomicU64::new(0) });
    }

    /// Gives the byte in the middle of a file another value that base64 knows.
    fn flip(file: &std::path::Path) {
        use std::os::unix::fs::FileExt as _;
        let opened = std::fs::OpenOptions::new().read(true).write(true).open(file);
        let Ok(opened) = opened else { return };
        let (middle, mut byte) = (opened.metadata().map_or(0, |about| about.len() / 2), [0]);
        if opened.read_exact_at(&mut byte, middle).is_ok() {
            let _ = opened.write_all_at(if byte == *b"A" { b"B" } else { b"A" }, middle);
        }
    }

    /// A point is reached with this file in hand: where the plan says so, the process ends, this thread panics or the file is
    /// damaged.
    #[expect(clippy::panic, reason = "to panic is what it is for")]
    pub fn reach(point: &str, file: &str) {
        let Some(plan) = PLAN.get() else { return };
        if plan.point != point || !file.contains(&plan.part) {
            return;
        }
        if plan.visits.fetch_add(1, Ordering::Relaxed) + 1 < plan.nth {
            return;
        }
        match plan.action.as_str() {
            "abort" => std::process::abort(),
            // Damages the file in hand, where the point knows its path.
            "flip" => flip(std::path::Path::new(file)),
            "kill" => {
                let me = rustix::process::getpid();
                let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
                // The signal may take a moment.
                loop {
                    std::thread::park();
                }
            }
            _ => panic!("a fault that was planned"),
        }
    }
}
