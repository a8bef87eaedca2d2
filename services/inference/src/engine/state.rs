//! Where every sequence of the engine is, and who comes next; all decisions are made here, under one lock.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use rootstock_model::KvCache;

use super::{
    BACKGROUND_CREDIT, BACKGROUND_QUEUED, BACKGROUND_RUNNING, BACKGROUND_SHARE, BACKGROUND_TOKENS, Limits,
    Priority, STEP_TOKENS,
    batch::Turn,
    lane::{Lane, take_if},
    room::{Kept, Room},
    sequence::{Over, Sequence, Wants},
    share,
};
use crate::{
    error::Error,
    metrics::{Metrics, gauge_value},
};

/// Everything but what is on a thread.
#[derive(Debug)]
pub(super) struct State {
    interactive: Lane,
    background: Lane,
    parked: VecDeque<Sequence>,
    room: Room,
    /// Seconds that evaluations may compute beside interactive sequences.
    credit: f64,
    /// Number of the next sequence that is admitted.
    next: u64,
    /// Memory to be freed outside the lock.
    garbage: Garbage,
    preempted: u64,
    stopped: bool,
}

/// What may take a while to drop.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    ended: Vec<Sequence>,
    /// Their clients are told once what they held is free.
    scored: Vec<Sequence>,
    caches: Vec<KvCache>,
    blocks: Vec<Arc<Kept>>,
}

impl Garbage {
    pub(super) fn is_empty(&self) -> bool {
        !self.has_ended() && self.caches.is_empty() && self.blocks.is_empty()
    }

    /// Whether sequences are among it.
    pub(super) fn has_ended(&self) -> bool {
        !self.ended.is_empty() || !self.scored.is_empty()
    }

    pub(super) fn dispose(self, metrics: &Metrics) {
        self.scored.into_iter().for_each(|sequence| sequence.finish_scored(metrics));
    }
}

/// What a step gives back besides the sequence itself.
#[derive(Clone, Debug)]
pub(super) struct Holding {
    priority: Priority,
    tenant: Arc<str>,
    held: u64,
    prompt: usize,
    generated: usize,
}

impl From<&Turn> for Holding {
    fn from(turn: &Turn) -> Self {
        let Turn { sequence, tokens } = turn;
        let decodes = sequence.wants() == Wants::Token;
        let (prompt, generated) = if decodes { (0, 1) } else { (*tokens, 0) };
        let (priority, tenant) = (sequence.priority, Arc::clone(&sequence.tenant));
        Self { priority, tenant, held: sequence.held_bytes(), prompt, generated }
    }
}

/// Takes the keys and values of the one that came last among those that have some.
fn empty_one(parked: &mut VecDeque<Sequence>, room: &mut Room, garbage: &mut Garbage) -> bool {
    let with_memory = parked.iter_mut().filter(|sequence| sequence.has_begun());
    let Some(sequence) = with_memory.max_by_key(|sequence| sequence.number) else { return false };
    room.give_back(sequence.held_bytes());
    garbage.caches.extend(sequence.forget());
    true
}

/// Takes out who came last of those that are ready and hold keys and values, from a number on.
fn take_last(lane: &mut Lane, from: u64) -> Option<Sequence> {
    let can = |sequence: &Sequence| sequence.has_begun() && sequence.number >= from;
    let last = (0..lane.ready.len()).filter(|&place| can(&lane.ready[place]));
    let last = last.max_by_key(|&place| lane.ready[place].number)?;
    lane.ready.remove(last)
}

impl State {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            interactive: Lane::new(limits.max_running),
            background: Lane::new(BACKGROUND_RUNNING),
            parked: VecDeque::new(),
            room: Room::new(limits.cache_bytes),
            credit: 0.0,
            next: 0,
            garbage: Garbage::default(),
            preempted: 0,
            stopped: false,
        }
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Refuses one sequence too many; those of one request, which are alike, come in together or not at all.
    pub(super) fn check_queue(&self, sequences: &[Sequence], limits: &Limits) -> Result<(), Error> {
        let (Some(first), more) = (sequences.first(), sequences.len()) else { return Ok(()) };
        match first.priority {
            Priority::Interactive => {
                self.interactive.check(more, limits.max_queued)?;
                self.interactive.check_shares(&first.tenant, (more, first.tokens()), limits)
            }
            Priority::Background => self.background.check(more, BACKGROUND_QUEUED),
        }
    }

    pub(super) fn enqueue(&mut self, mut sequence: Sequence) {
        sequence.number = self.next;
        self.next += 1;
        self.lane(sequence.priority).enqueue(sequence);
    }

    /// Whether nothing is left to do, nor on a thread.
    pub(super) fn is_idle(&self) -> bool {
        self.interactive.is_idle() && self.background.is_idle() && self.parked.is_empty()
    }

    /// Ends what waits and must not go on, and moves on what can be moved.
    pub(super) fn sweep(&mut self, now: Instant, limits: &Limits, metrics: &Metrics) {
        self.end_waiting(now, limits, metrics);
        self.unpark(now);
        self.start_queued();
    }

    /// What is to be dropped outside the lock.
    pub(super) fn take_garbage(&mut self) -> Garbage {
        std::mem::take(&mut self.garbage)
    }

    /// When the next of those who wait expires.
    pub(super) fn next_expiry(&self, limits: &Limits) -> Option<Instant> {
        let waiting = self.interactive.queued().chain(self.background.queued()).chain(&self.parked);
        waiting.filter_map(|sequence| sequence.expires(limits.stall_timeout)).min()
    }

    /// The next to step together; none if nobody is ready.
    pub(super) fn take_batch(&mut self, beside_loads: bool) -> Vec<Turn> {
        loop {
            let batch = self.take_turns(beside_loads);
            // Who was first may have given up its room, and waits again: then it is the turn of others.
            if !batch.is_empty() || self.interactive.ready.is_empty() && self.background.ready.is_empty() {
                return batch;
            }
        }
    }

    /// Who is first in turn, and those of its lane and model who can join. First one token of each that decodes, then prompts as far as a
    /// step's tokens go, so that a long prompt holds nobody up; beside loads of adapters in a row less of these.
    fn take_turns(&mut self, beside_loads: bool) -> Vec<Turn> {
        let Some(first) = self.pop_ready() else { return Vec::new() };
        let (priority, model) = (first.priority, Arc::clone(first.model()));
        // Beside interactive sequences an evaluation's steps are short, since those wait for them.
        let budget = match priority {
            Priority::Background if self.interactive.running > 0 => BACKGROUND_TOKENS,
            _ => STEP_TOKENS,
        };
        self.lane(priority).ready.push_front(first);
        let joins = |sequence: &Sequence| Arc::ptr_eq(sequence.model(), &model);
        let decodes = |sequence: &Sequence| joins(sequence) && sequence.wants() == Wants::Token;
        let prompts = |sequence: &Sequence| joins(sequence) && matches!(sequence.wants(), Wants::Prompt(_));
        let mut batch = Vec::new();
        let most = self.lane(priority).ready.len().min(budget);
        for _ in 0..most {
            let Some(sequence) = self.take_ready(priority, decodes) else { break };
            self.join(sequence, 1, &mut batch);
        }
        let waiting = self.lane(priority).ready.iter().filter(|sequence| joins(sequence));
        let waiting = waiting.filter_map(|sequence| match sequence.wants() {
            Wants::Prompt(tokens) => Some(tokens),
            Wants::Token => None,
        });
        let mut left = share::prompt_tokens(batch.len(), budget, waiting, beside_loads);
        while left > 0 {
            let Some(sequence) = self.take_ready(priority, prompts) else { break };
            let Wants::Prompt(prompt) = sequence.wants() else { break };
            let tokens = prompt.min(left);
            left -= tokens;
            self.join(sequence, tokens, &mut batch);
        }
        batch
    }

    /// Takes back the sequences of a step, or what they held if they have ended, and counts what they took.
    pub(super) fn settle(
        &mut self,
        stepped: Vec<Option<Sequence>>,
        holdings: Vec<Holding>,
        (now, took): (Instant, Duration),
        limits: &Limits,
    ) {
        match holdings.first().map(|holding| holding.priority) {
            Some(Priority::Background) => self.credit -= took.as_secs_f64(),
            _ => {
                let earned = self.credit + BACKGROUND_SHARE * took.as_secs_f64();
                self.credit = earned.min(BACKGROUND_CREDIT.as_secs_f64());
            }
        }
        for (sequence, holding) in stepped.into_iter().zip(holdings) {
            let Holding { priority, tenant, held, prompt, generated } = holding;
            self.lane(priority).charge(&tenant, prompt, generated, limits.weight(&tenant));
            match sequence {
                Some(mut sequence) => {
                    if limits.prefix_cache {
                        sequence.offer(&mut self.room);
                    }
                    if sequence.is_scored() {
                        self.lane(priority).running -= 1;
                        self.lane(priority).ended(&tenant);
                        self.room.give_back(sequence.held_bytes());
                        self.garbage.scored.push(sequence);
                    } else {
                        self.put_back(sequence, now);
                    }
                }
                None => {
                    self.lane(priority).running -= 1;
                    self.lane(priority).ended(&tenant);
                    self.room.give_back(held);
                }
            }
        }
    }

    /// Only a sequence's own steps fill its channel, so one that is ready has room for the next.
    fn put_back(&mut self, mut sequence: Sequence, now: Instant) {
        if sequence.has_room(now) {
            self.lane(sequence.priority).ready.push_back(sequence);
        } else {
            self.lane(sequence.priority).running -= 1;
            self.parked.push_back(sequence);
        }
    }

    pub(super) fn report(&mut self, metrics: &Metrics) {
        let count =
            |of: fn(&Lane) -> usize| gauge_value((of(&self.interactive) + of(&self.background)) as u64);
        metrics.queued.set(count(Lane::waiting));
        metrics.running.set(count(|lane| lane.running));
        metrics.parked.set(gauge_value(self.parked.len() as u64));
        metrics.cache_bytes.set(gauge_value(self.room.used()));
        metrics.cache_in_use.set(self.room.share_in_use());
        metrics.preemptions.inc_by(std::mem::take(&mut self.preempted));
    }

    fn lane(&mut self, priority: Priority) -> &mut Lane {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Background => &mut self.background,
        }
    }

    fn pop_ready(&mut self) -> Option<Sequence> {
        if (self.credit <= 0.0 || self.background.ready.is_empty())
            && let Some(sequence) = self.interactive.ready.pop_front()
        {
            return Some(sequence);
        }
        self.background.ready.pop_front().or_else(|| self.interactive.ready.pop_front())
    }

    fn take_ready(&mut self, priority: Priority, wanted: impl Fn(&Sequence) -> bool) -> Option<Sequence> {
        let ready = &mut self.lane(priority).ready;
        let place = ready.iter().position(wanted)?;
        ready.remove(place)
    }

    /// Adds a sequence to a step once there is room for its tokens; others, the last to come, give up theirs if need be, or it waits.
    fn join(&mut self, mut sequence: Sequence, tokens: usize, batch: &mut Vec<Turn>) {
        let bytes = sequence.lacks(tokens);
        while !self.room.take(bytes, &mut self.garbage.blocks) {
            if self.empty_parked() {
                continue;
            }
            match self.victim(&sequence) {
                Some(victim) => self.preempt(victim),
                None => return self.preempt(sequence),
            }
        }
        sequence.grow(bytes);
        batch.push(Turn { sequence, tokens });
    }

    /// Takes the keys and values of one whose client doesn't read; it stays where it is.
    fn empty_parked(&mut self) -> bool {
        let Self { parked, room, garbage, preempted, .. } = self;
        let emptied = empty_one(parked, room, garbage);
        *preempted += u64::from(emptied);
        emptied
    }

    /// Who gives up room for a sequence: those of its lane that came after it, the last one first; for a request, evaluations before
    /// them.
    fn victim(&mut self, of: &Sequence) -> Option<Sequence> {
        match of.priority {
            Priority::Interactive => {
                take_last(&mut self.background, 0).or_else(|| take_last(&mut self.interactive, of.number + 1))
            }
            Priority::Background => take_last(&mut self.background, of.number + 1),
        }
    }

    /// Takes a sequence's keys and values away; it waits for its turn again, and computes them anew.
    fn preempt(&mut self, mut sequence: Sequence) {
        self.preempted += 1;
        self.room.give_back(sequence.held_bytes());
        self.garbage.caches.extend(sequence.forget());
        let lane = self.lane(sequence.priority);
        lane.running -= 1;
        lane.requeue(sequence);
    }

    fn end_waiting(&mut self, now: Instant, limits: &Limits, metrics: &Metrics) {
        let stopped = self.stopped;
        let mut over = |sequence: &mut Sequence| {
            let over = sequence.over(now, limits.stall_timeout);
            let over = over.or(stopped.then_some(Over::Failed(Error::ShuttingDown)));
            over.map(|over| sequence.end(over, metrics)).is_some()
        };
        let mut ended = Vec::new();
        for lane in [&mut self.interactive, &mut self.background] {
            lane.end_waiting(&mut over, &mut self.garbage.ended);
            let before = ended.len();
            take_if(&mut lane.ready, &mut over, &mut ended);
            lane.running -= ended.len() - before;
        }
        take_if(&mut self.parked, &mut over, &mut ended);
        for sequence in &ended {
            self.room.give_back(sequence.held_bytes());
            self.lane(sequence.priority).ended(&sequence.tenant);
        }
        self.garbage.ended.append(&mut ended);
    }

    /// Whose client reads again goes on, before anybody new starts.
    fn unpark(&mut self, now: Instant) {
        for _ in 0..self.parked.len() {
            let Some(mut sequence) = self.parked.pop_front() else { return };
            let lane = match sequence.priority {
                Priority::Interactive => &mut self.interactive,
                Priority::Background => &mut self.background,
            };
            if !sequence.has_room(now) || lane.running >= lane.max_running {
                self.parked.push_back(sequence);
            } else if sequence.has_begun() {
                lane.running += 1;
                lane.ready.push_back(sequence);
            } else {
                lane.requeue(sequence);
            }
        }
    }

    /// The tenants take turns, and in each the one before all others is served first: who needs much room is not overtaken by those who
    /// need little, nor by an evaluation's. Whose client doesn't read makes room, and for requests evaluations do.
    fn start_queued(&mut self) {
        for priority in [Priority::Interactive, Priority::Background] {
            while self.lane(priority).running < self.lane(priority).max_running {
                let Self { interactive, background, room, .. } = self;
                let lane = if priority == Priority::Interactive { interactive } else { background };
                let Some(next) = lane.next() else { break };
                let shared = room.find(next.beginnings());
                let bytes = next.needs(shared.len());
                if !self.make_room(bytes, priority) {
                    return;
                }
                let lane = self.lane(priority);
                if let Some(next) = lane.next() {
                    next.start(shared, bytes);
                }
                lane.begin();
            }
        }
    }

    /// Takes room for one that begins; says whether there was enough.
    fn make_room(&mut self, bytes: u64, priority: Priority) -> bool {
        while !self.room.take(bytes, &mut self.garbage.blocks) {
            if self.empty_parked() {
                continue;
            }
            // None computes in vain what it has: not where all of them together hold too little.
            let evaluations: u64 = self.background.ready.iter().map(Sequence::held_bytes).sum();
            let evaluates = match priority {
                Priority::Interactive if self.room.would_fit(bytes, evaluations) => {
                    take_last(&mut self.background, 0)
                }
                _ => None,
            };
            match evaluates {
                Some(victim) => self.preempt(victim),
                None => return false,
            }
        }
        true
    }
}
