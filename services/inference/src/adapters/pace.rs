//! When adapters load: at once while nobody is answered, and beside running requests so that these hardly notice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use prometheus_client::metrics::gauge::Gauge;
use rootstock_kernels::bench::threads;
use rootstock_runtime::{Panicked, Tasks};
use tokio::sync::Semaphore;

/// How many times as long as a load took, nothing loads after it in its place: a step that waits for a thread that a load has taken
/// waits once. Where others wait for the place, they share this rest, and each has one as long as the load at least.
const REST: u32 = 7;
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
    waiting: Arc<AtomicU32>,
}

/// One that waits for a place, until it is dropped.
struct Waits<'a>(&'a AtomicU32);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicU32) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pace {
    pub(crate) fn new(tasks: Tasks, running: Gauge) -> Self {
        let places = Arc::new(Semaphore::new((threads() / 2).max(1)));
        Self { tasks, running, places, waiting: Arc::default() }
    }

    /// Does the work, which may block: at once if nobody is answered, or when it has a place.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        if self.running.get() == 0 {
            return self.tasks.spawn_blocking("inference-load-adapter", work).await;
        }
        let waits = Waits::new(&self.waiting);
        // Nobody closes the places. This one goes with the work, whoever waits for it.
        let place = Arc::clone(&self.places).acquire_owned().await;
        drop(waits);
        let timed = move || {
            let begun = Instant::now();
            (work(), begun.elapsed(), place)
        };
        let (done, took, place) = self.tasks.spawn_blocking("inference-load-adapter", timed).await?;
        let rest = (REST / (1 + self.waiting.load(Ordering::Relaxed))).max(1);
        tokio::spawn(async move {
            tokio::time::sleep((took * rest).min(LONGEST_REST)).await;
            drop(place);
        });
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use rootstock_runtime::Shutdown;

    use super::*;

    const WORK: Duration = Duration::from_millis(10);

    /// Loads go one after the other, whatever the machine; so many sequences run.
    fn pace(running: i64) -> Pace {
        let gauge = Gauge::default();
        gauge.set(running);
        let pace = Pace::new(Tasks::new(Shutdown::new()), gauge);
        let spare = pace.places.available_permits() - 1;
        pace.places.forget_permits(spare);
        pace
    }

    /// When a load began and ended.
    async fn load(pace: Pace) -> (Instant, Instant) {
        let work = || {
            let begun = Instant::now();
            while begun.elapsed() < WORK {
                std::hint::spin_loop();
            }
            (begun, Instant::now())
        };
        pace.run(work).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_load_beside_running_requests_is_followed_by_a_rest_and_one_alone_is_not() {
        for (running, rests) in [(0, false), (1, true)] {
            let pace = pace(running);
            let (_, end) = load(pace.clone()).await;
            let (next, _) = load(pace).await;
            assert_eq!(next - end >= WORK * (REST - 1), rests, "{:?} beside {running}", next - end);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_that_wait_share_a_rest() {
        let pace = pace(1);
        let loads: Vec<_> = (0..16).map(|_| tokio::spawn(load(pace.clone()))).collect();
        let mut times = Vec::new();
        for load in loads {
            times.push(load.await.unwrap());
        }
        times.sort();
        let took = times[15].1 - times[0].0;
        assert!(took < 15 * WORK * REST, "{took:?}");
        assert_eq!(pace.waiting.load(Ordering::Relaxed), 0);
    }
}
