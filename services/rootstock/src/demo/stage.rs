//! How the demo tells what it does: one line per stage, with a progress bar on a terminal and plain lines elsewhere.
//! Everything goes to standard error; standard output is for the result.

use std::io::{IsTerminal, stderr};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Steps between two plain lines, as a share of all steps.
const PLAIN_LINES: u64 = 10;

/// One stage of the demo, from its announcement to its result.
pub(crate) struct Stage {
    title: &'static str,
    begun: Instant,
    bar: ProgressBar,
    terminal: bool,
}

impl Stage {
    /// Announces a stage: what happens, in a short line.
    pub(crate) fn begin(title: &'static str, explanation: &str) -> Self {
        eprintln!("\n{title}: {explanation}");
        let terminal = stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("  {bar:32} {pos}/{len} {msg} {eta}") {
            bar.set_style(style);
        }
        Self { title, begun: Instant::now(), bar, terminal }
    }

    /// Shows how far it has come.
    pub(crate) fn progress(&self, done: u64, total: u64, message: &str) {
        if self.terminal {
            self.bar.set_length(total);
            self.bar.set_position(done);
            self.bar.set_message(message.to_owned());
        } else if done == total || done.is_multiple_of((total / PLAIN_LINES).max(1)) {
            eprintln!("  {done}/{total} {message}");
        }
    }

    /// Tells the result.
    pub(crate) fn end(self, result: &str) {
        self.bar.finish_and_clear();
        eprintln!("  {result} ({}, {:.1} s)", self.title, self.begun.elapsed().as_secs_f64());
    }
}
