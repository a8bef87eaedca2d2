//! Progress of long work: a bar on a terminal, a line now and then elsewhere. All on standard error.
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rootstock_client::{Progress, Transfer};

/// Bytes of a transfer.
const BYTES: &str = "{wide_msg} [{bar:16}] {bytes}/{total_bytes} {eta}";
/// Steps or rows.
const STEPS: &str = "{prefix} [{bar:16}] {pos}/{len}  {wide_msg}";
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

    /// A number of steps or rows; a spinner until their total is known.
    pub(crate) fn steps(label: impl Into<String>) -> Self {
        let meter = Self::new(label, WAITING);
        meter.bar.set_prefix(meter.label.clone());
        meter.bar.set_message(format!("waiting for the first {}", meter.label));
        meter.spin();
        meter
    }

    /// Work that can't be measured from here.
    pub(crate) fn waiting(label: impl Into<String>) -> Self {
        let meter = Self::new(label, WAITING);
        meter.bar.set_message(meter.label.clone());
        meter.spin();
        if !meter.terminal {
            eprintln!("{} ...", meter.label);
        }
        meter
    }

    fn spin(&self) {
        if self.terminal {
            self.bar.enable_steady_tick(TICK);
        }
    }

    fn new(label: impl Into<String>, template: &str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let meter = Self { bar, label: label.into(), terminal, last_line: Arc::default() };
        meter.style(template);
        meter
    }

    fn style(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
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

    /// So many steps are done, and what is to say about the last one: in short beside the bar, which has one line of
    /// the terminal, or in full. Without a terminal each call is a line.
    pub(crate) fn step(&self, done: u64, total: u64, short: &str, full: &str) {
        if self.terminal {
            if total > 0 && self.bar.length() == Some(0) {
                self.bar.disable_steady_tick();
                self.style(STEPS);
            }
            self.bar.set_message(short.to_owned());
            self.bar.set_length(total.max(done));
            self.bar.set_position(done);
        } else {
            eprintln!("{}", format!("{} {done}/{total}  {full}", self.label).trim_end());
        }
    }

    /// The same for work with many steps: without a terminal a line now and then.
    pub(crate) fn rows(&self, done: u64, total: u64) {
        // How many there are is not known at first.
        if self.terminal || (total > 0 && self.is_due(done, done == total)) {
            self.step(done, total, "", "");
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
