//! When adapters load: at once while nobody is answered, and beside running requests so that these hardly notice.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus_client::metrics::gauge::Gauge;
use rootstock_kernels::bench::threads;
use rootstock_runtime::{Panicked, Tasks};
use tokio::sync::Semaphore;

/// How many times as long as a load took, nothing loads after it in its place: a step that waits for a thread that a load has taken
/// waits once.
const REST: u32 = 3;
/// A rest at most: a load may have waited for a disk.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Lets loads through; clones share the places.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    tasks: Tasks,
    /// Sequences that are computed.
    running: Gauge,
    /// For loads beside them: as many at once as half the threads that steps are computed on.
    places: Arc<Semaphore>,
}

impl Pace {
    pub(crate) fn new(tasks: Tasks, running: Gauge) -> Self {
        Self { tasks, running, places: Arc::new(Semaphore::new((threads() / 2).max(1))) }
    }

    /// Does the work, which may block: at once if nobody is answered, or when it has a place.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        if self.running.get() == 0 {
            return self.tasks.spawn_blocking("inference-load-adapter", work).await;
        }
        // Nobody closes the places. This one goes with the work, whoever waits for it.
        let place = Arc::clone(&self.places).acquire_owned().await;
        let timed = move || {
            let begun = Instant::now();
            (work(), begun.elapsed(), place)
        };
        let (done, took, place) = self.tasks.spawn_blocking("inference-load-adapter", timed).await?;
        tokio::spawn(async move {
            tokio::time::sleep((took * REST).min(LONGEST_REST)).await;
            drop(place);
        });
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use rootstock_runtime::Shutdown;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_load_beside_running_requests_is_followed_by_a_rest_and_one_alone_is_not() {
        const WORK: Duration = Duration::from_millis(40);
        let running = Gauge::default();
        let pace = Pace::new(Tasks::new(Shutdown::new()), running.clone());
        // One after the other, whatever the machine.
        let taken = pace.places.available_permits() - 1;
        pace.places.clone().acquire_many_owned(taken as u32).await.unwrap().forget();
        let work = || {
            let begun = Instant::now();
            while begun.elapsed() < WORK {
                std::hint::spin_loop();
            }
            (begun, Instant::now())
        };

        let (_, alone) = pace.run(work).await.unwrap();
        let (next, _) = pace.run(work).await.unwrap();
        assert!(next - alone < WORK * REST, "rested while nobody was answered");
        running.set(1);
        let (_, beside) = pace.run(work).await.unwrap();
        let (rested, _) = pace.run(work).await.unwrap();
        assert!(rested - beside >= WORK * REST - WORK / 2, "{:?}", rested - beside);
    }
}
