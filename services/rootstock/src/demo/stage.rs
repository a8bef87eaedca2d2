//! How the demo tells what it does: one line per stage, with a progress bar on a terminal and plain lines elsewhere.
//! Everything goes to standard error; standard output is for the result.

use std::cell::Cell;
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
    /// How far the last plain line told it was.
    told: Cell<Option<u64>>,
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
        Self { title, begun: Instant::now(), bar, terminal, told: Cell::new(None) }
    }

    /// Shows how far it has come.
    pub(crate) fn progress(&self, done: u64, total: u64, message: &str) {
        if self.terminal {
            self.bar.set_length(total);
            self.bar.set_position(done);
            self.bar.set_message(message.to_owned());
        } else if self.is_due(done, total) {
            eprintln!("  {done}/{total} {message}");
        }
    }

    /// Whether a plain line is to tell this: each step once, and none before it is known how many there are.
    fn is_due(&self, done: u64, total: u64) -> bool {
        let is_step = done == total || done.is_multiple_of((total / PLAIN_LINES).max(1));
        let due = total > 0 && is_step && self.told.get() != Some(done);
        if due {
            self.told.set(Some(done));
        }
        due
    }

    /// Tells the result.
    pub(crate) fn end(self, result: &str) {
        self.bar.finish_and_clear();
        eprintln!("  {result} ({}, {:.1} s)", self.title, self.begun.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_once_and_most_are_not() {
        let stage = Stage::begin("test", "counts");
        let told = |steps: &[(u64, u64)]| -> Vec<bool> {
            steps.iter().map(|(done, total)| stage.is_due(*done, *total)).collect()
        };
        assert_eq!(told(&[(0, 0), (0, 120), (0, 120), (1, 120)]), [false, true, false, false]);
        assert_eq!(told(&[(12, 120), (119, 120), (120, 120), (120, 120)]), [true, false, true, false]);
    }
}
