//! Runs the engine on a thread of its own: with a stack that holds whatever the fuel can nest, and given up on when it
//! takes too long. A thread can't be stopped from outside, so those given up on are counted, and bounded; what they
//! still take (a core each, and memory where they print) ends with them or with the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use super::{ChatTemplateError, FUEL};

/// What a walk over lists in lists may take of the stack for each; each list costs at least one fuel. Measured with the
/// deepest lists of the tests, optimised, on x86-64: a stack of 48 MB overflows and one of 64 MB doesn't, so this is
/// eight times what was enough.
const STACK_PER_LEVEL: usize = 2 << 10;
/// The stack; only what is used of it takes memory.
const STACK_BYTES: usize = FUEL as usize * STACK_PER_LEVEL;
/// How long a template may take; published ones take milliseconds.
pub const MAX_DURATION: Duration = Duration::from_secs(3);
/// Threads given up on that still run, of all templates together.
pub const MAX_ABANDONED: usize = 4;

static ABANDONED: AtomicUsize = AtomicUsize::new(0);

/// The threads of one template that were given up on and still run; clones share the count.
#[derive(Clone, Debug, Default)]
pub(super) struct Abandoned(Arc<AtomicUsize>);

/// One run: whoever comes second, the thread with its end or the caller who gives up, finds `over` set and takes the
/// run out of the count.
struct Run {
    abandoned: Abandoned,
    over: AtomicBool,
}

/// Ends a run, also when it panics.
struct AtEnd(Arc<Run>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Run {
    fn end(&self) {
        if self.over.swap(true, Ordering::SeqCst) {
            self.abandoned.0.fetch_sub(1, Ordering::SeqCst);
            ABANDONED.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn give_up(&self) {
        self.abandoned.0.fetch_add(1, Ordering::SeqCst);
        ABANDONED.fetch_add(1, Ordering::SeqCst);
        self.end();
    }
}

impl Abandoned {
    /// Whether another run may be risked: what a template did once it may do again.
    ///
    /// # Errors
    /// This template still runs, or too many others do.
    pub(super) fn check(&self) -> Result<(), ChatTemplateError> {
        if self.0.load(Ordering::SeqCst) > 0 || ABANDONED.load(Ordering::SeqCst) >= MAX_ABANDONED {
            return Err(ChatTemplateError::Overloaded);
        }
        Ok(())
    }

    /// Runs `work` on its own thread.
    ///
    /// # Errors
    /// It takes too long, panics or can't be started.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ChatTemplateError> {
        let run = Arc::new(Run { abandoned: self.clone(), over: AtomicBool::new(false) });
        let at_end = AtEnd(Arc::clone(&run));
        let (sender, receiver) = sync_channel(1);
        let body = move || {
            let _at_end = at_end;
            // Nobody listens any more to one that was given up on.
            let _ = sender.send(work());
        };
        Builder::new()
            .name("chat-template".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(body)
            .map_err(|error| ChatTemplateError::Failed(format!("there is no thread to run it: {error}")))?;
        receiver.recv_timeout(MAX_DURATION).map_err(|error| match error {
            RecvTimeoutError::Disconnected => ChatTemplateError::Failed("the engine panicked".to_owned()),
            RecvTimeoutError::Timeout => {
                run.give_up();
                ChatTemplateError::TooSlow
            }
        })
    }
}
