//! Progress of long work: a bar on a terminal, a line now and then elsewhere. All on standard error.
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rootstock_client::{Progress, Transfer};

/// Bytes of a transfer.
const BYTES: &str = "{msg}  [{bar:30}] {bytes}/{total_bytes}  {binary_bytes_per_sec}  {eta}";
/// Steps or rows.
const STEPS: &str = "{prefix}  [{bar:30}] {pos}/{len}  {msg}";
/// Work without a measure.
const WAITING: &str = "{spinner} {msg}  {elapsed}";
/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);
/// How often a bar moves by itself.
const TICK: Duration = Duration::from_millis(200);

/// Shows how far something has come.
#[derive(Clone)]
pub(crate) struct Meter {
    bar: ProgressBar,
    label: String,
    terminal: bool,
    /// What the last line told, and when.
    last_line: Arc<Mutex<Option<(u64, Instant)>>>,
}

impl Meter {
    /// A transfer.
    pub(crate) fn bytes(label: impl Into<String>) -> Self {
        let meter = Self::new(label, BYTES);
        meter.bar.set_message(meter.label.clone());
        meter
    }

    /// A number of steps or rows.
    pub(crate) fn steps(label: impl Into<String>) -> Self {
        let meter = Self::new(label, STEPS);
        meter.bar.set_prefix(meter.label.clone());
        meter
    }

    /// Work that can't be measured from here.
    pub(crate) fn waiting(label: impl Into<String>) -> Self {
        let meter = Self::new(label, WAITING);
        meter.bar.set_message(meter.label.clone());
        if meter.terminal {
            meter.bar.enable_steady_tick(TICK);
        } else {
            eprintln!("{} ...", meter.label);
        }
        meter
    }

    fn new(label: impl Into<String>, template: &str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, label: label.into(), terminal, last_line: Arc::default() }
    }

    /// What the client tells about a transfer.
    pub(crate) fn transfer(&self) -> Progress {
        let meter = self.clone();
        Progress::new(move |transfer: Transfer| {
            meter.bar.set_length(transfer.total_bytes);
            meter.bar.set_position(transfer.done_bytes);
            let ended = transfer.done_bytes == transfer.total_bytes;
            if !meter.terminal && meter.is_due(transfer.done_bytes, ended) {
                let done = indicatif::HumanBytes(transfer.done_bytes);
                eprintln!("{}: {done} of {}", meter.label, indicatif::HumanBytes(transfer.total_bytes));
            }
        })
    }

    /// So many steps are done, and what is to say about the last one. Without a terminal each call is a line.
    pub(crate) fn step(&self, done: u64, total: u64, message: &str) {
        if self.terminal {
            self.bar.set_length(total.max(done));
            self.bar.set_position(done);
            self.bar.set_message(message.to_owned());
        } else {
            eprintln!("{}", format!("{} {done}/{total}  {message}", self.label).trim_end());
        }
    }

    /// The same for work with many steps: without a terminal a line now and then.
    pub(crate) fn rows(&self, done: u64, total: u64) {
        if self.terminal || self.is_due(done, done == total) {
            self.step(done, total, "");
        }
    }

    /// A line that stays, above the bar.
    pub(crate) fn note(&self, text: &str) {
        if self.terminal {
            self.bar.println(text);
        } else {
            eprintln!("{text}");
        }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Whether it is time for a line, or for the last one; each amount is told once.
    fn is_due(&self, done: u64, ended: bool) -> bool {
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        let due = match *last {
            None => true,
            Some((told, _)) if told == done => false,
            Some((_, when)) => ended || when.elapsed() >= LINE_EVERY,
        };
        if due {
            *last = Some((done, Instant::now()));
        }
        due
    }
}
