//! One token that says "stop": set by a signal, by an operator's call or by a task that failed.

use tokio_util::sync::CancellationToken;

/// The exit code of a process that a second signal ends (128 + SIGINT, as shells report it).
const SECOND_SIGNAL_EXIT: i32 = 130;

/// A request to stop that every part of the process can see; clones share it.
///
/// `running --request()--> requested`, once and for good. What happens then is told in [`crate::server`].
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// A token that only [`Shutdown::request`] sets.
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that SIGTERM or SIGINT sets; a second signal ends the process at once. Needs a tokio runtime.
    ///
    /// # Errors
    /// The operating system refuses a signal handler.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::new();
        let mut signals = Signals::listen()?;
        let seen = shutdown.clone();
        tokio::spawn(async move {
            let first = signals.next().await;
            tracing::info!(signal = first, "shutdown requested; a second signal exits at once");
            seen.request();
            let second = signals.next().await;
            tracing::warn!(signal = second, "exiting without draining");
            std::process::exit(SECOND_SIGNAL_EXIT);
        });
        Ok(shutdown)
    }

    /// Asks every part of the process to stop. Asking again changes nothing.
    pub fn request(&self) {
        self.token.cancel();
    }

    /// Whether somebody has asked.
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Resolves when somebody asks, at once if somebody has.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// Runs `future` until it ends or shutdown is requested (then `None`).
    pub async fn unless_requested<F: Future>(&self, future: F) -> Option<F::Output> {
        self.token.run_until_cancelled(future).await
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "ctrl-c"
    }
}
