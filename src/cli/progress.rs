//! How far long work has come, for whoever waits for it.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::pipeline::Progress;

/// From one line of progress to the next where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A bar on a terminal; a line now and then elsewhere.
pub(super) async fn show(progress: Arc<Progress>) {
    if !std::io::stderr().is_terminal() {
        loop {
            tokio::time::sleep(LINE_EVERY).await;
            eprintln!(
                "nightdrop: {} of {} records, {} files done",
                Progress::read(&progress.records_done),
                Progress::read(&progress.records_accepted),
                Progress::read(&progress.files_done)
            );
        }
    }
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} records  {rate}  {eta} left  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // A bar that cannot be drawn is no reason to stop.
            let _ = write!(out, "{:.0}/s", state.per_sec());
        });
    let bar = ProgressBar::new(0).with_style(style);
    let _wiped = Wiped(bar.clone());
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        bar.set_length(Progress::read(&progress.records_accepted));
        bar.set_position(Progress::read(&progress.records_done));
        bar.set_message(format!("{} files done", Progress::read(&progress.files_done)));
    }
}

/// Takes the bar off the terminal when the run ends.
struct Wiped(ProgressBar);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
