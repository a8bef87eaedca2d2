//! When adapters load: at once while nobody is answered, and beside running requests so that these hardly notice.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus_client::metrics::gauge::Gauge;
use rootstock_kernels::bench::threads;
use rootstock_runtime::{Panicked, Tasks};
use tokio::{runtime::Handle, sync::Semaphore};

use crate::metrics::Metrics;

/// How many times as long as it took, a load rests in its place beside running requests: a step that waits for a thread that a load has
/// taken waits once. Where others wait for the place, they share this rest, and each has one as long as the load at least.
const REST: u32 = 7;
/// A rest after a load at least, where nobody waits: what comes before and after it takes time of a thread too.
const SHORTEST_REST: Duration = Duration::from_millis(25);
/// A rest at most: a load may have waited for a disk.
const LONGEST_REST: Duration = Duration::from_millis(100);
/// A load that takes longer rests in between, where it can, and how many times as long: whoever waits for it waits for these rests too.
const SLICE: Duration = Duration::from_millis(3);
const REST_BETWEEN: u32 = 2;
/// How long after a place was given back the next load is expected: where one follows the other, steps are short all the while, and where
/// one comes now and then they are not.
const RECENT: Duration = Duration::from_millis(20);

/// Lets loads through; clones share the places.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    tasks: Tasks,
    /// Sequences that are computed.
    running: Gauge,
    /// For requests' loads beside them: as many at once as half the threads that steps are computed on.
    places: Arc<Semaphore>,
    /// For those of publishes, one at a time.
    publishes: Arc<Semaphore>,
    /// Loads that wait for a place.
    waiting: Gauge,
    /// Loads that have one, or had one a moment ago.
    loading: Gauge,
    /// Those among them that came while there was another one.
    in_a_row: Gauge,
}

/// What a load waits among. A publish is one among few, and answers whoever has trained: it doesn't wait for all the adapters that
/// requests want at the moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Queue {
    Publishes,
    Requests,
}

/// Counts as one until it is dropped.
struct Counted(Gauge);

impl Counted {
    fn among(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A load under way, which rests now and then.
pub(super) struct Slices {
    pace: Pace,
    runtime: Handle,
    /// When it began, or went on after its last rest.
    begun: Instant,
}

impl Slices {
    /// Rests, if this is beside running requests and it is time; blocks.
    pub(super) fn rest(&mut self) {
        let took = self.begun.elapsed();
        if took >= SLICE && self.pace.running.get() > 0 {
            let rest = tokio::time::sleep((took * REST_BETWEEN).min(LONGEST_REST));
            let _ = self.runtime.block_on(self.pace.tasks.shutdown().unless_requested(rest));
            self.begun = Instant::now();
        }
    }
}

impl Pace {
    /// Beside the sequences that the metrics count as running; counts loads there.
    pub(crate) fn new(tasks: Tasks, metrics: &Metrics) -> Self {
        let places = Arc::new(Semaphore::new((threads() / 2).max(1)));
        let publishes = Arc::new(Semaphore::new(1));
        let Metrics { running, adapters_loading, loads_in_a_row, .. } = metrics.clone();
        let (loading, in_a_row, waiting) = (adapters_loading, loads_in_a_row, Gauge::default());
        Self { tasks, running, places, publishes, waiting, loading, in_a_row }
    }

    /// Does the work, which may block: at once if nobody is answered, or when it has a place.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        queue: Queue,
        work: impl FnOnce(&mut Slices) -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let (pace, runtime) = (self.clone(), Handle::current());
        let sliced = move || {
            let mut slices = Slices { pace, runtime, begun: Instant::now() };
            (work(&mut slices), slices.begun.elapsed())
        };
        if self.running.get() == 0 {
            return Ok(self.tasks.spawn_blocking("inference-load-adapter", sliced).await?.0);
        }
        let waits = Counted::among(&self.waiting);
        let places = match queue {
            Queue::Publishes => &self.publishes,
            Queue::Requests => &self.places,
        };
        // Nobody closes the places. This one goes with the work, whoever waits for it.
        let place = Arc::clone(places).acquire_owned().await;
        drop(waits);
        let in_a_row = (self.loading.get() > 0).then(|| Counted::among(&self.in_a_row));
        let held = (place, (Counted::among(&self.loading), in_a_row));
        let holding = move || (sliced(), held);
        let ((done, took), (place, loads)) =
            self.tasks.spawn_blocking("inference-load-adapter", holding).await?;
        let rest = self.rest(took);
        tokio::spawn(async move {
            tokio::time::sleep(rest).await;
            drop(place);
            tokio::time::sleep(RECENT).await;
            drop(loads);
        });
        Ok(done)
    }

    /// How long to rest after work that took so long since its last rest.
    fn rest(&self, took: Duration) -> Duration {
        let waiting = u32::try_from(self.waiting.get()).unwrap_or(0);
        let alone = (took * REST).clamp(SHORTEST_REST, LONGEST_REST);
        (alone / (1 + waiting)).max(took.min(LONGEST_REST))
    }
}

#[cfg(test)]
mod tests {
    use rootstock_runtime::Shutdown;

    use super::*;

    const WORK: Duration = Duration::from_millis(10);

    /// Loads go one after the other, whatever the machine; so many sequences run.
    fn pace(running: i64) -> Pace {
        let metrics = Metrics::default();
        metrics.running.set(running);
        let pace = Pace::new(Tasks::new(Shutdown::new()), &metrics);
        let spare = pace.places.available_permits() - 1;
        pace.places.forget_permits(spare);
        pace
    }

    fn spin(time: Duration) -> Instant {
        let begun = Instant::now();
        while begun.elapsed() < time {
            std::hint::spin_loop();
        }
        begun
    }

    /// When a load began and ended.
    async fn load(pace: Pace) -> (Instant, Instant) {
        pace.run(Queue::Requests, |_| (spin(WORK), Instant::now())).await.unwrap()
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
    async fn a_long_load_rests_between_its_slices_beside_running_requests() {
        for running in [0, 1] {
            let work = |slices: &mut Slices| {
                let begun = slices.begun;
                spin(SLICE);
                slices.rest();
                (begun, slices.begun)
            };
            let (begun, went_on) = pace(running).run(Queue::Requests, work).await.unwrap();
            let rested =
                if running == 0 { went_on == begun } else { went_on - begun >= SLICE * (1 + REST_BETWEEN) };
            assert!(rested, "{:?} beside {running}", went_on - begun);
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
        assert_eq!(pace.waiting.get(), 0);
        assert!(pace.loading.get() > 0, "the last one rests");
        assert!(pace.in_a_row.get() > 0, "and came after others");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_load_now_and_then_is_not_one_in_a_row() {
        let pace = pace(1);
        for _ in 0..2 {
            let (loading, in_a_row) = (pace.loading.clone(), pace.in_a_row.clone());
            let found = pace.run(Queue::Requests, move |_| (loading.get(), in_a_row.get())).await.unwrap();
            assert_eq!(found, (1, 0));
            while pace.loading.get() > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_publish_is_not_behind_all_that_requests_want() {
        let pace = pace(1);
        let cold: Vec<_> = (0..16).map(|_| tokio::spawn(load(pace.clone()))).collect();
        while pace.waiting.get() == 0 {
            assert!(cold.iter().any(|load| !load.is_finished()), "nothing has waited");
            tokio::task::yield_now().await;
        }
        let published = pace.run(Queue::Publishes, |_| Instant::now()).await.unwrap();
        let mut last = published;
        for load in cold {
            last = last.max(load.await.unwrap().0);
        }
        assert!(last > published, "all loads were before it");
    }
}
