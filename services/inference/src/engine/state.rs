//! Where every sequence of the engine is, and who comes next; all decisions are made here, under one lock.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use super::{
    BACKGROUND_QUEUED, BACKGROUND_RUNNING, BACKGROUND_TURN, LEAST_PROMPT, Limits, Priority, STEP_TOKENS,
    batch::Turn,
    sequence::{Over, Sequence, Wants},
};
use crate::{
    error::Error,
    metrics::{Metrics, gauge_value},
};

/// The sequences of one priority.
#[derive(Debug, Default)]
struct Lane {
    queued: VecDeque<Sequence>,
    ready: VecDeque<Sequence>,
    /// Slots taken: by the ready ones and those on a thread.
    running: usize,
    max_running: usize,
}

/// Everything but what is on a thread.
#[derive(Debug)]
pub(super) struct State {
    interactive: Lane,
    background: Lane,
    parked: VecDeque<Sequence>,
    cache_used: u64,
    cache_limit: u64,
    /// Interactive steps since the last of an evaluation.
    streak: usize,
    stopped: bool,
}

/// What a step gives back besides the sequence itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holding {
    priority: Priority,
    cache_bytes: u64,
}

impl From<&Sequence> for Holding {
    fn from(sequence: &Sequence) -> Self {
        Self { priority: sequence.priority, cache_bytes: sequence.cache_bytes }
    }
}

impl State {
    pub(super) fn new(limits: &Limits) -> Self {
        let lane = |max_running| Lane { max_running, ..Lane::default() };
        Self {
            interactive: lane(limits.max_running),
            background: lane(BACKGROUND_RUNNING),
            parked: VecDeque::new(),
            cache_used: 0,
            cache_limit: limits.cache_bytes,
            streak: 0,
            stopped: false,
        }
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Refuses one sequence too many.
    pub(super) fn check_queue(&self, priority: Priority, limits: &Limits) -> Result<(), Error> {
        let (lane, limit) = match priority {
            Priority::Interactive => (&self.interactive, limits.max_queued),
            Priority::Background => (&self.background, BACKGROUND_QUEUED),
        };
        if lane.queued.len() < limit {
            return Ok(());
        }
        Err(Error::Overloaded(format!("{limit} requests wait already, as many as may; retry later")))
    }

    pub(super) fn enqueue(&mut self, sequence: Sequence) {
        self.lane(sequence.priority).queued.push_back(sequence);
    }

    /// Whether nothing is left to do, nor on a thread.
    pub(super) fn is_idle(&self) -> bool {
        let idle = |lane: &Lane| lane.queued.is_empty() && lane.running == 0;
        idle(&self.interactive) && idle(&self.background) && self.parked.is_empty()
    }

    /// Ends what waits and must not go on (into `ended`, to be dropped outside the lock) and moves on what can be moved.
    pub(super) fn sweep(
        &mut self,
        now: Instant,
        limits: &Limits,
        metrics: &Metrics,
        ended: &mut Vec<Sequence>,
    ) {
        self.end_waiting(now, limits, metrics, ended);
        self.unpark(now);
        self.start_queued();
    }

    /// When the next of those who wait expires.
    pub(super) fn next_expiry(&self, limits: &Limits) -> Option<Instant> {
        let waiting = self.interactive.queued.iter().chain(&self.background.queued).chain(&self.parked);
        waiting.filter_map(|sequence| sequence.expires(limits.stall_timeout)).min()
    }

    /// The next to step together: who is first in turn, and those of its lane and model who can join. First one token of each
    /// that decodes, then prompts as far as [`STEP_TOKENS`] go, so that a long prompt holds nobody up.
    pub(super) fn take_batch(&mut self) -> Vec<Turn> {
        let Some(first) = self.pop_ready() else { return Vec::new() };
        if first.wants() == Wants::Alone {
            return vec![Turn { sequence: first, tokens: 0 }];
        }
        let (priority, model) = (first.priority, Arc::clone(first.model()));
        let ready = &mut self.lane(priority).ready;
        ready.push_front(first);
        let mut batch = Vec::new();
        let joins = |sequence: &Sequence| Arc::ptr_eq(sequence.model(), &model);
        take_where(
            ready,
            |s| joins(s) && s.wants() == Wants::Token,
            |sequence| {
                batch.push(Turn { sequence, tokens: 1 });
            },
        );
        let mut left = STEP_TOKENS.saturating_sub(batch.len()).max(LEAST_PROMPT);
        while left > 0 {
            let waits = |s: &Sequence| joins(s) && matches!(s.wants(), Wants::Prompt(_));
            let Some(sequence) = ready.iter().position(waits).and_then(|place| ready.remove(place)) else {
                break;
            };
            let Wants::Prompt(prompt) = sequence.wants() else { break };
            let tokens = prompt.min(left);
            left -= tokens;
            batch.push(Turn { sequence, tokens });
        }
        batch
    }

    /// Takes back a sequence after its step, or what it held if it has ended. Only its own steps fill its channel, so
    /// one that is ready has room for the next.
    pub(super) fn put_back(&mut self, sequence: Option<Sequence>, holding: Holding, now: Instant) {
        let Some(mut sequence) = sequence else {
            self.lane(holding.priority).running -= 1;
            self.cache_used -= holding.cache_bytes;
            return;
        };
        if sequence.has_room(now) {
            self.lane(holding.priority).ready.push_back(sequence);
        } else {
            self.lane(holding.priority).running -= 1;
            self.parked.push_back(sequence);
        }
    }

    pub(super) fn report(&self, metrics: &Metrics) {
        let count =
            |of: fn(&Lane) -> usize| gauge_value((of(&self.interactive) + of(&self.background)) as u64);
        metrics.queued.set(count(|lane| lane.queued.len()));
        metrics.running.set(count(|lane| lane.running));
        metrics.parked.set(gauge_value(self.parked.len() as u64));
        metrics.cache_bytes.set(gauge_value(self.cache_used));
    }

    fn lane(&mut self, priority: Priority) -> &mut Lane {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Background => &mut self.background,
        }
    }

    fn pop_ready(&mut self) -> Option<Sequence> {
        if (self.streak < BACKGROUND_TURN || self.background.ready.is_empty())
            && let Some(sequence) = self.interactive.ready.pop_front()
        {
            self.streak += 1;
            return Some(sequence);
        }
        self.streak = 0;
        self.background.ready.pop_front()
    }

    fn end_waiting(&mut self, now: Instant, limits: &Limits, metrics: &Metrics, ended: &mut Vec<Sequence>) {
        let stopped = self.stopped;
        let mut over = |sequence: &mut Sequence| {
            let over = sequence.over(now, limits.stall_timeout);
            let over = over.or(stopped.then_some(Over::Failed(Error::ShuttingDown)));
            over.map(|over| sequence.end(over, metrics)).is_some()
        };
        for lane in [&mut self.interactive, &mut self.background] {
            take_if(&mut lane.queued, &mut over, ended);
            let before = ended.len();
            take_if(&mut lane.ready, &mut over, ended);
            lane.running -= ended.len() - before;
            self.cache_used -= ended[before..].iter().map(|sequence| sequence.cache_bytes).sum::<u64>();
        }
        let before = ended.len();
        take_if(&mut self.parked, &mut over, ended);
        self.cache_used -= ended[before..].iter().map(|sequence| sequence.cache_bytes).sum::<u64>();
    }

    /// Whose client reads again goes on, before anybody new starts.
    fn unpark(&mut self, now: Instant) {
        for _ in 0..self.parked.len() {
            let Some(mut sequence) = self.parked.pop_front() else { return };
            let lane = match sequence.priority {
                Priority::Interactive => &mut self.interactive,
                Priority::Background => &mut self.background,
            };
            if sequence.has_room(now) && lane.running < lane.max_running {
                lane.running += 1;
                lane.ready.push_back(sequence);
            } else {
                self.parked.push_back(sequence);
            }
        }
    }

    /// First come, first served: who needs much room is not overtaken for ever by those who need little, nor by an
    /// evaluation's.
    fn start_queued(&mut self) {
        for lane in [&mut self.interactive, &mut self.background] {
            while lane.running < lane.max_running && !lane.queued.is_empty() {
                let free = self.cache_limit - self.cache_used;
                let Some(next) = lane.queued.pop_front_if(|next| next.cache_bytes <= free) else { return };
                self.cache_used += next.cache_bytes;
                lane.running += 1;
                lane.ready.push_back(next);
            }
        }
    }
}

/// Takes out those for which `take` holds, in order.
fn take_where(
    sequences: &mut VecDeque<Sequence>,
    take: impl Fn(&Sequence) -> bool,
    mut taken: impl FnMut(Sequence),
) {
    for _ in 0..sequences.len() {
        let Some(sequence) = sequences.pop_front() else { return };
        if take(&sequence) {
            taken(sequence);
        } else {
            sequences.push_back(sequence);
        }
    }
}

/// Moves those for which `over` holds to the end of `ended`.
fn take_if(
    sequences: &mut VecDeque<Sequence>,
    over: &mut impl FnMut(&mut Sequence) -> bool,
    ended: &mut Vec<Sequence>,
) {
    for _ in 0..sequences.len() {
        let Some(mut sequence) = sequences.pop_front() else { return };
        if over(&mut sequence) {
            ended.push(sequence);
        } else {
            sequences.push_back(sequence);
        }
    }
}
