//! Streams that run beside what is measured: each asks again as soon as it has its answer.

use std::time::Duration;

use rootstock_client::Clients;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Bench;
use super::client::{ask, is_rejection};
use super::load::Load;
use super::truth::Sample;
use crate::bench::BenchError;

/// How long a stream waits after a request without an answer, so that a server in trouble isn't asked without end.
const AFTER_ERROR: Duration = Duration::from_millis(20);

/// Streams that run; dropped, they end at once.
#[derive(Debug)]
pub(super) struct Streams {
    ending: CancellationToken,
    running: JoinSet<Ran>,
}

/// What streams were answered.
#[derive(Debug, Default)]
pub(super) struct Ran {
    pub(super) samples: Vec<Sample>,
    /// Requests that the server had no room for.
    pub(super) rejected: usize,
    /// Requests that failed otherwise.
    pub(super) errors: usize,
}

impl Ran {
    /// Requests that brought no answer.
    pub(super) fn unanswered(&self) -> usize {
        self.rejected + self.errors
    }
}

impl Streams {
    /// Begins as many streams; together they ask the load's requests in their order, and go on after the last.
    pub(super) fn start(bench: &Bench, load: &Load, count: usize) -> Self {
        let ending = CancellationToken::new();
        let mut running = JoinSet::new();
        for first in 0..count {
            let indices = (first..).step_by(count);
            running.spawn(stream(bench.clients.clone(), load.clone(), ending.clone(), indices));
        }
        Self { ending, running }
    }

    /// Lets each stream finish the request that it has begun.
    pub(super) async fn end(mut self) -> Result<Ran, BenchError> {
        self.ending.cancel();
        let mut all = Ran::default();
        while let Some(ran) = self.running.join_next().await {
            let ran = ran?;
            all.samples.extend(ran.samples);
            all.rejected += ran.rejected;
            all.errors += ran.errors;
        }
        Ok(all)
    }
}

async fn stream(
    clients: Clients,
    load: Load,
    ending: CancellationToken,
    indices: impl Iterator<Item = usize>,
) -> Ran {
    let mut ran = Ran::default();
    for index in indices {
        if ending.is_cancelled() {
            break;
        }
        match ask(&clients, load.request(index)).await {
            Ok(answer) => ran.samples.push(Sample { prompt: load.prompt_of(index), answer }),
            Err(error) => {
                let rejected = is_rejection(&error);
                ran.rejected += usize::from(rejected);
                ran.errors += usize::from(!rejected);
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
    ran
}
