//! The threads that share a kernel's work. A token's step has hundreds of short products one after the other, each of them shorter
//! than it takes to wake a sleeping thread; so helpers watch for the next job for a while before they go to sleep.
//!
//! One job runs at a time, and its caller works too. Tasks are taken from a counter by whoever is free, so a helper that wakes late
//! holds nobody up. A caller that finds the team busy begins alone; a task that has work of its own to share out does it alone.

use std::{
    any::Any,
    cell::{Cell, UnsafeCell},
    fmt, hint,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        OnceLock,
        atomic::{AtomicIsize, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

/// The environment variable that says how many threads work on a kernel. More than the machine has would hold each other up; so
/// many are used if it is not set.
pub const THREADS_VARIABLE: &str = "ROOTSTOCK_THREADS";
/// How long an idle helper watches before it sleeps: longer than the pause between two tokens.
const WATCH: Duration = Duration::from_micros(200);
/// How much of that it does not offer its core to others.
const KEEP: Duration = Duration::from_micros(40);
/// The next task when nobody shall begin another.
const NO_MORE: usize = usize::MAX / 2;
/// Looks at the job between two looks at the clock.
const LOOKS: usize = 64;

thread_local! {
    /// Whether this thread is in the middle of a job.
    static WORKING: Cell<bool> = const { Cell::new(false) };
    /// Most threads for jobs of this thread.
    static LIMIT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The environment's number of threads can't be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadsError {
    value: String,
    most: usize,
}

impl fmt::Display for ThreadsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, most } = self;
        write!(
            f,
            "{THREADS_VARIABLE}: {value:?} is no number from 1 to {most}, which is what this machine has"
        )
    }
}

impl std::error::Error for ThreadsError {}

/// The number of threads that the environment asks for, if it does.
///
/// # Errors
/// When it is no number from 1 to that of the machine's threads.
pub fn requested_threads() -> Result<Option<usize>, ThreadsError> {
    let Some(value) = std::env::var_os(THREADS_VARIABLE) else { return Ok(None) };
    let value = value.to_string_lossy();
    parse(&value, available()).map(Some)
}

fn parse(value: &str, most: usize) -> Result<usize, ThreadsError> {
    let number = value.parse().ok().filter(|threads| (1..=most).contains(threads));
    number.ok_or_else(|| ThreadsError { value: value.to_owned(), most })
}

fn available() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Threads that a job of this thread is spread over at most.
pub(crate) fn threads() -> usize {
    (team().helpers + 1).min(LIMIT.get()).max(1)
}

/// Calls `f` with jobs of this thread spread over at most `limit` threads. Results are the same bits on any number.
pub fn with_threads<R>(limit: usize, f: impl FnOnce() -> R) -> R {
    let _restored = Limited(LIMIT.replace(limit));
    f()
}

/// The limit that there was before.
struct Limited(usize);

impl Drop for Limited {
    fn drop(&mut self) {
        LIMIT.set(self.0);
    }
}

/// Calls `work` with each number below `tasks`, on several threads, and returns when all calls have.
pub(crate) fn for_each(tasks: usize, work: impl Fn(usize) + Sync) {
    let threads = threads();
    if threads == 1 || tasks < 2 || WORKING.get() {
        return (0..tasks).for_each(work);
    }
    let team = team();
    for first in 0..tasks {
        if let Some(_gate) = team.gate.try_lock() {
            return team.shared.run(&|task| work(first + task), tasks - first, threads - 1);
        }
        // The team is busy for as long as a short product takes, perhaps.
        work(first);
    }
}

/// Calls `work` with the pieces of `size` items that `data` falls into, and their numbers; the last piece may be shorter.
pub(crate) fn chunks_mut<T: Send>(data: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    struct Pointer<T>(*mut T);
    // SAFETY: what is reached through it are disjoint pieces of items that may be sent to other threads.
    unsafe impl<T: Send> Sync for Pointer<T> {}
    impl<T> Pointer<T> {
        fn at(&self, offset: usize) -> *mut T {
            self.0.wrapping_add(offset)
        }
    }
    let (len, start) = (data.len(), Pointer(data.as_mut_ptr()));
    for_each(len.div_ceil(size), |index| {
        let first = index * size;
        // SAFETY: pieces lie inside the borrowed slice and don't overlap, and each number comes once.
        work(index, unsafe { std::slice::from_raw_parts_mut(start.at(first), size.min(len - first)) });
    });
}

/// Calls `work` with each item, on several threads: for work of other crates between two kernels, such as the choice of tokens.
pub fn share_out<T: Send>(items: &mut [T], work: impl Fn(&mut T) + Sync) {
    chunks_mut(items, 1, |_, item| item.iter_mut().for_each(&work));
}

/// What `work` gives for each number below `tasks`, in order, worked out on several threads.
pub fn map<R: Send>(tasks: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let mut results: Vec<Option<R>> = (0..tasks).map(|_| None).collect();
    chunks_mut(&mut results, 1, |index, slot| slot[0] = Some(work(index)));
    results.into_iter().flatten().collect()
}

struct Team {
    /// Held by the caller whose job it is.
    gate: Mutex<()>,
    shared: &'static Shared,
    helpers: usize,
}

/// What callers and helpers share.
#[derive(Default)]
struct Shared {
    /// Counts up when a job is opened and when it is closed; odd while one is open.
    state: AtomicU64,
    job: UnsafeCell<Option<Job>>,
    /// The next task.
    next: AtomicUsize,
    /// Helpers that may still join.
    seats: AtomicIsize,
    /// Helpers that may be looking at the job.
    active: AtomicUsize,
    /// What a helper's task panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    alarm: Condvar,
}

// SAFETY: the job is written by the holder of the gate while none is open and no helper is active, and read by active helpers while
// it is open.
unsafe impl Sync for Shared {}

#[derive(Clone, Copy)]
struct Job {
    /// Lives until the job is closed and no helper is active.
    work: &'static (dyn Fn(usize) + Sync),
    tasks: usize,
}

fn team() -> &'static Team {
    static TEAM: OnceLock<Team> = OnceLock::new();
    TEAM.get_or_init(|| {
        // A number that can't be taken is refused where the program begins.
        let threads = requested_threads().ok().flatten().unwrap_or_else(available);
        let shared: &Shared = Box::leak(Box::default());
        let start = |index: &usize| {
            let name = format!("kernel-{index}");
            thread::Builder::new().name(name).spawn(move || shared.help()).is_ok()
        };
        // Where no more threads are to be had, fewer work.
        let helpers = (1..threads).take_while(start).count();
        Team { gate: Mutex::new(()), shared, helpers }
    })
}

impl Shared {
    /// Runs a job with up to so many helpers. The caller holds the gate.
    fn run(&self, work: &(dyn Fn(usize) + Sync), tasks: usize, seats: usize) {
        // SAFETY: `Close` keeps this call from returning, or unwinding, before the last helper has let go of the job.
        let work =
            unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(work) };
        let job = Job { work, tasks };
        // SAFETY: no job is open and no helper active, since this caller holds the gate and the last one closed its job.
        unsafe { *self.job.get() = Some(job) };
        self.next.store(0, Ordering::Relaxed);
        self.seats.store(seats as isize, Ordering::Relaxed);
        self.state.fetch_add(1, Ordering::SeqCst);
        let close = Close(self);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.bed.lock());
            self.alarm.notify_all();
        }
        self.work(job);
        drop(close);
        let panic = self.panic.lock().take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Does tasks until none is left.
    fn work(&self, job: Job) {
        WORKING.set(true);
        let _restored = Restore;
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= job.tasks {
                return;
            }
            (job.work)(task);
        }
    }

    /// A helper's life.
    fn help(&self) {
        let mut seen = 0;
        loop {
            seen = self.wait(seen);
            self.active.fetch_add(1, Ordering::SeqCst);
            // The job is kept only for helpers that were active before it was closed. Either this one sees that it is closed, or the
            // caller sees that this one is active: both look after they have written.
            if self.state.load(Ordering::SeqCst) == seen && self.seats.fetch_sub(1, Ordering::Relaxed) > 0 {
                // SAFETY: the job is open, and is not written before this helper is inactive again.
                if let Some(job) = unsafe { *self.job.get() }
                    && let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.work(job)))
                {
                    self.next.store(NO_MORE, Ordering::Relaxed);
                    *self.panic.lock() = Some(panic);
                }
            }
            self.active.fetch_sub(1, Ordering::Release);
        }
    }

    /// Returns the state of a job that is open and not the one that was `seen`.
    fn wait(&self, seen: u64) -> u64 {
        let fresh =
            || Some(self.state.load(Ordering::SeqCst)).filter(|state| state % 2 == 1 && *state != seen);
        let begun = Instant::now();
        loop {
            for _ in 0..LOOKS {
                if let Some(state) = fresh() {
                    return state;
                }
                hint::spin_loop();
            }
            let watched = begun.elapsed();
            if watched > WATCH {
                break;
            }
            if watched > KEEP {
                thread::yield_now();
            }
        }
        let mut bed = self.bed.lock();
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        // A caller opens its job before it looks for sleepers, and can't raise the alarm while the bed is locked.
        let state = loop {
            match fresh() {
                Some(state) => break state,
                None => self.alarm.wait(&mut bed),
            }
        };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        state
    }
}

/// Closes the job and waits for the helpers in it.
struct Close<'a>(&'a Shared);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        let Self(shared) = self;
        // After a panic: nobody shall begin another task.
        if thread::panicking() {
            shared.next.store(NO_MORE, Ordering::Relaxed);
        }
        shared.state.fetch_add(1, Ordering::SeqCst);
        let mut looks = 0_usize;
        while shared.active.load(Ordering::SeqCst) > 0 {
            looks += 1;
            if looks.is_multiple_of(LOOKS) {
                // The helper may be waiting for this core.
                thread::yield_now();
            }
            hint::spin_loop();
        }
        // Two panics at once are one: the caller's goes on.
        if thread::panicking() {
            *shared.panic.lock() = None;
        }
    }
}

struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        WORKING.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_is_done_once_whoever_asks_and_how_often() {
        thread::scope(|scope| {
            for caller in 0..4 {
                scope.spawn(move || {
                    for round in 0..2000 {
                        let tasks = (round * 7 + caller) % 40;
                        let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                        for_each(tasks, |task| {
                            counts[task].fetch_add(1, Ordering::Relaxed);
                        });
                        assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
                    }
                });
            }
        });
    }

    #[test]
    fn helpers_come_back_from_sleep() {
        for pause in [0, 1, 50] {
            thread::park_timeout(Duration::from_millis(pause));
            let sum = map(1000, |task| task).into_iter().sum::<usize>();
            assert_eq!(sum, 499_500);
        }
    }

    #[test]
    fn pieces_cover_the_whole_and_tasks_may_share_out_work_themselves() {
        let mut data = vec![0_usize; 1003];
        chunks_mut(&mut data, 10, |index, piece| {
            let inner = map(piece.len(), |i| index * 10 + i);
            piece.copy_from_slice(&inner);
        });
        assert!(data.into_iter().eq(0..1003));
        chunks_mut(&mut [0_u8; 0], 4, |_, _| panic!("there is nothing to do"));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_goes_on() {
        for bad in [0, 7, 19] {
            let result = catch_unwind(|| for_each(20, |task| assert_ne!(task, bad)));
            assert!(result.is_err());
            assert_eq!(map(20, |task| task).len(), 20);
        }
    }

    #[test]
    fn a_number_of_threads_is_one_that_the_machine_has() {
        assert_eq!(parse("3", 4), Ok(3));
        for value in ["", "0", "5", "-1", "1.5", "all"] {
            let error = parse(value, 4).unwrap_err().to_string();
            assert!(error.contains(THREADS_VARIABLE) && error.contains("1 to 4"), "{error}");
        }
    }

    #[test]
    fn a_limit_ends_with_its_call_also_when_that_panics() {
        let before = threads();
        assert!(catch_unwind(|| with_threads(1, || panic!("on purpose"))).is_err());
        assert_eq!(threads(), before);
    }

    #[test]
    fn a_limit_of_one_keeps_all_work_on_the_caller() {
        let caller = thread::current().id();
        with_threads(1, || {
            assert_eq!(threads(), 1);
            for_each(50, |_| assert_eq!(thread::current().id(), caller));
        });
        assert!(threads() >= 1);
    }
}
