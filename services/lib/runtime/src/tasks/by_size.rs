//! The order of work whose time and memory grow with the bytes that it is given: work of every size has its share, whatever waits of
//! other sizes, and what is in memory at once is bounded.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::Panicked;
use crate::{ErrorReason, Failure};

/// Each class's work is up to four times as large as the one's before; the first one's has up to 1 KiB.
const SHORT_CLASSES: usize = 4;
/// The last one's has whatever it has.
const LARGE_CLASSES: usize = 3;
/// Bytes above which work is large: no more of it is done at once than leaves half of the places to short work.
const LARGE: usize = 64 << 10;
/// Bytes of all large work that has begun, but for a single larger one.
const LARGE_AT_ONCE: usize = 8 << 20;
/// Bytes of all large work that waits; more is refused. How much short work waits is bounded by the calls that a server has in work.
pub const MAX_WAITING_BYTES: usize = 64 << 20;
/// Bytes that the least work counts as: what it takes to begin it.
const LEAST: u64 = 256;
/// What a byte of large work takes until some has been measured.
const FIRST_GUESS: Duration = Duration::from_nanos(500);

/// Why work by size isn't done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BySizeError {
    /// Too much waits already.
    #[error("{} MiB of text wait to be tokenized, and there is no room for more; retry later", MAX_WAITING_BYTES >> 20)]
    Full {
        /// When what waits now should be done.
        retry_after: Duration,
    },
    /// The work panicked.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

impl From<BySizeError> for Failure {
    fn from(error: BySizeError) -> Self {
        match error {
            BySizeError::Full { retry_after } => {
                Self::new(ErrorReason::Overloaded, error.to_string()).retry_after(retry_after)
            }
            BySizeError::Panicked(panicked) => panicked.into(),
        }
    }
}

/// Who works and who waits; clones share it.
#[derive(Clone, Debug)]
pub(super) struct BySize {
    places: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    short: Group<SHORT_CLASSES>,
    large: Group<LARGE_CLASSES>,
    /// Of large work.
    working_bytes: usize,
    waiting_bytes: usize,
    arrivals: u64,
    /// Of large work that has ended.
    bytes: u64,
    time: Duration,
}

/// Classes that share their places by bytes.
#[derive(Debug)]
struct Group<const CLASSES: usize> {
    classes: [Class; CLASSES],
    working: usize,
    /// What the class whose work began last had been served before; it never falls.
    clock: u64,
}

/// Work of about one size, first come, first served.
#[derive(Debug, Default)]
struct Class {
    /// Bytes that have begun. The class with the fewest is next; one that was empty has as many as the others when it is so no more.
    served: u64,
    /// By the order in which they came.
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    bytes: usize,
    begin: oneshot::Sender<Place>,
}

/// A piece of work's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    queue: BySize,
    bytes: usize,
    begun: Instant,
}

/// Takes work out of the queue when its caller leaves.
struct Leaves<'a> {
    queue: &'a BySize,
    bytes: usize,
    arrival: u64,
}

/// The class of work of so many bytes, of all classes.
fn class(bytes: usize) -> usize {
    let quarters = (bytes.saturating_sub(1) >> 10).checked_ilog(4).map_or(0, |log| log as usize + 1);
    quarters.min(SHORT_CLASSES + LARGE_CLASSES - 1)
}

impl BySize {
    /// As many places as the process has processors, two at least.
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_places(processors.max(2))
    }

    fn with_places(places: usize) -> Self {
        Self { places, state: Arc::default() }
    }

    /// Waits for a place, unless too much waits already. Who stops waiting leaves the queue.
    pub(super) async fn place(&self, bytes: usize) -> Result<Place, BySizeError> {
        let (leaves, begins) = {
            let state = self.state.lock();
            if bytes > LARGE && state.waiting_bytes + bytes > MAX_WAITING_BYTES {
                return Err(BySizeError::Full { retry_after: state.drained_after(self.places) });
            }
            self.enter(state, bytes)
        };
        Ok(self.wait(leaves, begins).await)
    }

    /// Waits for a place, however much waits.
    pub(super) async fn place_in_bulk(&self, bytes: usize) -> Place {
        let (leaves, begins) = self.enter(self.state.lock(), bytes);
        self.wait(leaves, begins).await
    }

    async fn wait(&self, _leaves: Leaves<'_>, begins: oneshot::Receiver<Place>) -> Place {
        self.begin();
        // The queue drops a sender only where its caller has left.
        begins.await.expect("a caller that waits is in the queue")
    }

    /// Gets in line.
    fn enter(
        &self,
        mut state: MutexGuard<'_, State>,
        bytes: usize,
    ) -> (Leaves<'_>, oneshot::Receiver<Place>) {
        let (begin, begins) = oneshot::channel();
        state.arrivals += 1;
        let arrival = state.arrivals;
        if bytes > LARGE {
            state.waiting_bytes += bytes;
        }
        let (class, clock) = state.class(bytes);
        if class.waiting.is_empty() {
            class.served = class.served.max(clock);
        }
        class.waiting.insert(arrival, Waiting { bytes, begin });
        (Leaves { queue: self, bytes, arrival }, begins)
    }

    /// Begins what may begin.
    fn begin(&self) {
        let mut gone = Vec::new();
        let mut state = self.state.lock();
        while let Some(Waiting { bytes, begin }) = state.next(self.places) {
            let place = Place { queue: self.clone(), bytes, begun: Instant::now() };
            if let Err(place) = begin.send(place) {
                // Gives its place back, which takes the lock.
                gone.push(place);
            }
        }
        drop(state);
        drop(gone);
    }
}

impl State {
    /// The class of so many bytes, and its group's clock.
    fn class(&mut self, bytes: usize) -> (&mut Class, u64) {
        match class(bytes) {
            short if short < SHORT_CLASSES => (&mut self.short.classes[short], self.short.clock),
            large => (&mut self.large.classes[large - SHORT_CLASSES], self.large.clock),
        }
    }

    /// Takes the next work out of the queue, if there is a place for it: each group has half of the places, and short work also those
    /// that large work leaves.
    fn next(&mut self, places: usize) -> Option<Waiting> {
        let free = self.short.working + self.large.working < places;
        let own = self.short.working < places - places / 2;
        if free && (own || !self.large_may_begin(places)) && self.short.first().is_some() {
            return self.short.take();
        }
        if !free || !self.large_may_begin(places) {
            return None;
        }
        let work = self.large.take()?;
        self.waiting_bytes -= work.bytes;
        self.working_bytes += work.bytes;
        Some(work)
    }

    /// Whether the large work that is next may begin. Where it has to wait for room, smaller work behind it waits too.
    fn large_may_begin(&self, places: usize) -> bool {
        let fits = |bytes| self.large.working == 0 || self.working_bytes + bytes <= LARGE_AT_ONCE;
        self.large.working < places / 2 && self.large.first().is_some_and(fits)
    }

    fn count_out(&mut self, place: &Place) {
        if place.bytes <= LARGE {
            self.short.working -= 1;
            return;
        }
        self.large.working -= 1;
        self.working_bytes -= place.bytes;
        self.bytes += place.bytes as u64;
        self.time += place.begun.elapsed();
    }

    fn drained_after(&self, places: usize) -> Duration {
        let byte = if self.bytes == 0 { FIRST_GUESS } else { self.time.div_f64(self.bytes as f64) };
        byte.mul_f64(self.waiting_bytes as f64 / (places / 2) as f64).max(Duration::from_secs(1))
    }
}

impl<const CLASSES: usize> Default for Group<CLASSES> {
    fn default() -> Self {
        Self { classes: std::array::from_fn(|_| Class::default()), working: 0, clock: 0 }
    }
}

impl<const CLASSES: usize> Group<CLASSES> {
    /// The number of the class that is next.
    fn next(&self) -> Option<usize> {
        let waiting = self.classes.iter().enumerate().filter(|(_, class)| !class.waiting.is_empty());
        waiting.min_by_key(|(_, class)| class.served).map(|(index, _)| index)
    }

    /// Bytes of the work that is next.
    fn first(&self) -> Option<usize> {
        let (_, work) = self.classes[self.next()?].waiting.first_key_value()?;
        Some(work.bytes)
    }

    fn take(&mut self) -> Option<Waiting> {
        let index = self.next()?;
        let class = &mut self.classes[index];
        let (_, work) = class.waiting.pop_first()?;
        self.clock = self.clock.max(class.served);
        class.served += (work.bytes as u64).max(LEAST);
        self.working += 1;
        Some(work)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.state.lock().count_out(self);
        self.queue.begin();
    }
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock();
        if state.class(self.bytes).0.waiting.remove(&self.arrival).is_none() {
            return;
        }
        if self.bytes > LARGE {
            state.waiting_bytes -= self.bytes;
        }
        drop(state);
        // It may have been all that others waited for.
        self.queue.begin();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;

    use futures::FutureExt;

    use super::*;

    const SHORT: usize = LARGE;
    const LONG: usize = LARGE + 1;

    type Wait<'a> = Pin<Box<dyn Future<Output = Result<Place, BySizeError>> + 'a>>;

    /// Gets in line; the place, if there was one at once.
    fn ask(queue: &BySize, bytes: usize) -> (Wait<'_>, Option<Place>) {
        let mut wait: Wait<'_> = Box::pin(queue.place(bytes));
        let place = (&mut wait).now_or_never().map(Result::unwrap);
        (wait, place)
    }

    fn begun(wait: &mut Wait<'_>) -> Option<Place> {
        wait.now_or_never().map(Result::unwrap)
    }

    #[test]
    fn short_work_passes_long_work_and_long_work_leaves_places_to_it() {
        let queue = BySize::with_places(2);
        let (_, long) = ask(&queue, LONG);
        let (mut second, waits) = ask(&queue, LONG);
        assert!(waits.is_none(), "long work has taken all places");
        let (_, short) = ask(&queue, SHORT);
        assert!(long.is_some() && short.is_some());
        let (mut later, waits) = ask(&queue, 100);
        assert!(waits.is_none(), "three work in two places");
        drop(short);
        let later = begun(&mut later);
        assert!(later.is_some() && begun(&mut second).is_none());
        drop(long);
        assert!(begun(&mut second).is_some());
    }

    #[test]
    fn sizes_share_the_places_by_their_bytes() {
        let queue = BySize::with_places(2);
        let (_, _held) = ask(&queue, 1);
        let (_, mut working) = ask(&queue, 1);
        let sizes = [vec![10_000; 8], vec![1000; 80]].concat();
        let mut waiting: Vec<_> = sizes.iter().map(|&bytes| (bytes, ask(&queue, bytes).0)).collect();
        let mut order = Vec::new();
        while order.len() < 44 {
            drop(working.take());
            let begins = |(index, (bytes, wait)): (usize, &mut (usize, Wait<'_>))| {
                begun(wait).map(|place| (index, *bytes, place))
            };
            let (index, bytes, place) = waiting.iter_mut().enumerate().find_map(begins).unwrap();
            drop(waiting.remove(index));
            order.push(bytes);
            working = Some(place);
        }
        assert_eq!(order.iter().filter(|&&bytes| bytes == 1000).sum::<usize>(), 40_000, "{order:?}");
        assert!(order[..12].contains(&10_000) && order[..12].contains(&1000), "{order:?}");
    }

    #[test]
    fn classes_are_told_by_bytes() {
        let sizes = [0, 1, 1 << 10, (1 << 10) + 1, 4 << 10, (4 << 10) + 1, 64 << 10, (64 << 10) + 1, 4 << 20];
        assert_eq!(sizes.map(class), [0, 0, 0, 1, 1, 2, 3, 4, 6]);
    }

    #[test]
    fn large_work_is_bounded_in_bytes_and_a_larger_piece_works_alone() {
        let queue = BySize::with_places(16);
        let (_, first) = ask(&queue, 2 * LARGE_AT_ONCE);
        let (mut second, waits) = ask(&queue, LONG);
        assert!(first.is_some() && waits.is_none());
        drop(first);
        let second = begun(&mut second);
        assert!(second.is_some());
        let (_, fits) = ask(&queue, LARGE_AT_ONCE - LONG);
        let (_, waits) = ask(&queue, LONG);
        assert!(fits.is_some() && waits.is_none());
    }

    #[test]
    fn a_full_queue_refuses_and_who_leaves_makes_room() {
        let queue = BySize::with_places(2);
        let (_, working) = ask(&queue, LONG);
        let (waiting, _) = ask(&queue, MAX_WAITING_BYTES);
        let (_, short) = ask(&queue, SHORT);
        assert!(short.is_some());
        let refused = queue.place(LONG).now_or_never().unwrap().unwrap_err();
        let BySizeError::Full { retry_after } = refused else { panic!("{refused:?}") };
        assert_eq!(retry_after, FIRST_GUESS.mul_f64(MAX_WAITING_BYTES as f64));
        assert_eq!(Failure::from(refused).retry_after, Some(retry_after));
        drop(waiting);
        let (mut next, _) = ask(&queue, LONG);
        drop(working);
        assert!(begun(&mut next).is_some());
        assert_eq!(queue.state.lock().waiting_bytes, 0);
    }

    #[test]
    fn a_place_that_came_as_its_caller_left_goes_to_the_next() {
        let queue = BySize::with_places(2);
        let (_, working) = ask(&queue, LONG);
        let (leaving, _) = ask(&queue, LONG);
        let (mut next, _) = ask(&queue, LONG);
        drop(working);
        drop(leaving);
        assert!(begun(&mut next).is_some());
    }

    #[test]
    fn smaller_large_work_does_not_keep_larger_work_from_its_turn() {
        const MIB: usize = 1 << 20;
        let queue = BySize::with_places(12);
        let mut working: Vec<Place> = (0..6).map(|_| ask(&queue, MIB).1.unwrap()).collect();
        let (mut largest, waits) = ask(&queue, 4 * MIB);
        assert!(waits.is_none());
        for ended in 0.. {
            let (mut next, _) = ask(&queue, MIB);
            drop(working.remove(0));
            if let Some(place) = begun(&mut largest) {
                drop(place);
                break;
            }
            assert!(ended < 8, "4 MiB never begin beside ever more of 1 MiB");
            working.extend(begun(&mut next));
            std::mem::forget(next);
        }
    }

    #[test]
    fn a_class_of_large_work_begins_with_what_other_large_work_has_had() {
        let queue = BySize::with_places(2);
        let mut large = ask(&queue, 1 << 20).1;
        // Much short work, beside which hardly any large work is done.
        for _ in 0..1000 {
            drop(ask(&queue, SHORT).1.unwrap());
        }
        let (mut first, _) = ask(&queue, 1 << 20);
        let (mut second, _) = ask(&queue, 300 << 10);
        drop(large.take());
        large = begun(&mut first);
        assert!(large.is_some());
        drop(large);
        assert!(begun(&mut second).is_some());
    }

    #[test]
    fn bulk_work_waits_where_other_work_is_refused() {
        let queue = BySize::with_places(2);
        let (_, working) = ask(&queue, LONG);
        let (waiting, _) = ask(&queue, MAX_WAITING_BYTES);
        assert!(queue.place(LONG).now_or_never().unwrap().is_err());
        let mut bulk = Box::pin(queue.place_in_bulk(LONG));
        assert!((&mut bulk).now_or_never().is_none());
        drop(waiting);
        drop(working);
        assert!((&mut bulk).now_or_never().is_some());
    }
}
