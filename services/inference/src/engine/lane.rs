//! Who of one priority waits, and who is next: tenants share what is computed, each in the order of its requests' numbers, and then
//! in that in which they came.
//!
//! Each tenant has a counter of the tokens computed for it, over its weight; whoever has the lowest goes first (Sheng et al., 2024,
//! "virtual token counter"). A tenant that had nothing to do begins at the lowest counter there is: idleness is no credit.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::{Limits, sequence::Sequence};
use crate::error::Error;

/// A token that was generated costs as much as so many of a prompt.
const GENERATED_COST: f64 = 2.0;

/// The sequences of one priority.
#[derive(Debug, Default)]
pub(super) struct Lane {
    tenants: BTreeMap<Arc<str>, Line>,
    pub(super) ready: VecDeque<Sequence>,
    /// Slots taken: by the ready ones and those on a thread.
    pub(super) running: usize,
    pub(super) max_running: usize,
}

/// One tenant's.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Sequence>,
    /// Sequences that have begun and not ended.
    begun: usize,
    counter: f64,
}

impl Line {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.begun == 0
    }
}

impl Lane {
    pub(super) fn new(max_running: usize) -> Self {
        Self { max_running, ..Self::default() }
    }

    pub(super) fn waiting(&self) -> usize {
        self.tenants.values().map(|line| line.waiting.len()).sum()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running == 0 && self.tenants.values().all(|line| line.waiting.is_empty())
    }

    pub(super) fn queued(&self) -> impl Iterator<Item = &Sequence> {
        self.tenants.values().flat_map(|line| &line.waiting)
    }

    /// Refuses more sequences than may wait.
    pub(super) fn check(&self, more: usize, most: usize) -> Result<(), Error> {
        let waiting = self.waiting();
        if waiting + more <= most {
            return Ok(());
        }
        check_ever(more, most, "inference.max_queued")?;
        refuse(format!("{waiting} requests wait already, and {most} may; this one counts as {more}"))
    }

    /// Refuses so many sequences of so many tokens each where one tenant may not queue them, or all prompts together may not.
    pub(super) fn check_shares(
        &self,
        tenant: &str,
        (more, tokens): (usize, usize),
        limits: &Limits,
    ) -> Result<(), Error> {
        let of_tenant = self.tenants.get(tenant).map_or(0, |line| line.waiting.len());
        let most = limits.max_queued_per_tenant;
        if of_tenant + more > most {
            check_ever(more, most, "inference.max_queued_per_tenant")?;
            return refuse(format!(
                "{of_tenant} requests of tenant {tenant} wait already, and {most} may; this one counts as {more}"
            ));
        }
        let waiting: usize = self.queued().map(Sequence::tokens).sum();
        if waiting > 0 && waiting + more * tokens > limits.max_queued_tokens {
            return refuse(format!(
                "prompts of {waiting} tokens wait already, and there is room for few more"
            ));
        }
        Ok(())
    }

    pub(super) fn enqueue(&mut self, sequence: Sequence) {
        let waiting = &mut self.line(&sequence.tenant).waiting;
        let precedes = |other: &Sequence| other.has_run() || other.order <= sequence.order;
        let place = waiting.iter().rposition(precedes).map_or(0, |last| last + 1);
        waiting.insert(place, sequence);
    }

    /// Whose turn it is to begin.
    pub(super) fn next(&mut self) -> Option<&mut Sequence> {
        self.next_line()?.waiting.front_mut()
    }

    /// Takes out the one whose turn it is, which now has a slot.
    pub(super) fn begin(&mut self) {
        let Some(line) = self.next_line() else { return };
        let Some(sequence) = line.waiting.pop_front() else { return };
        line.begun += 1;
        self.running += 1;
        self.ready.push_back(sequence);
    }

    /// One that had begun waits again, before all others of its tenant.
    pub(super) fn requeue(&mut self, sequence: Sequence) {
        let line = self.line(&sequence.tenant);
        line.begun -= 1;
        line.waiting.push_front(sequence);
    }

    /// One that had begun has ended.
    pub(super) fn ended(&mut self, tenant: &Arc<str>) {
        if let Some(line) = self.tenants.get_mut(tenant) {
            line.begun -= 1;
            if line.is_idle() {
                self.tenants.remove(tenant);
            }
        }
    }

    /// Moves those that wait and for which `over` holds to the end of `ended`.
    pub(super) fn end_waiting(
        &mut self,
        over: &mut impl FnMut(&mut Sequence) -> bool,
        ended: &mut Vec<Sequence>,
    ) {
        self.tenants.values_mut().for_each(|line| take_if(&mut line.waiting, over, ended));
        self.tenants.retain(|_, line| !line.is_idle());
    }

    /// Counts what was computed for a tenant.
    pub(super) fn charge(&mut self, tenant: &Arc<str>, prompt: usize, generated: usize, weight: f64) {
        if let Some(line) = self.tenants.get_mut(tenant) {
            line.counter += (prompt as f64 + GENERATED_COST * generated as f64) / weight;
        }
    }

    fn line(&mut self, tenant: &Arc<str>) -> &mut Line {
        let lowest = self.tenants.values().map(|line| line.counter).min_by(f64::total_cmp).unwrap_or(0.0);
        let fresh = || Line { counter: lowest, ..Line::default() };
        self.tenants.entry(Arc::clone(tenant)).or_insert_with(fresh)
    }

    fn next_line(&mut self) -> Option<&mut Line> {
        let waiting = self.tenants.values_mut().filter(|line| !line.waiting.is_empty());
        waiting.min_by(|a, b| a.counter.total_cmp(&b.counter))
    }
}

/// Refuses what counts as more requests than may ever wait.
fn check_ever(more: usize, most: usize, key: &str) -> Result<(), Error> {
    if more <= most {
        return Ok(());
    }
    Err(Error::ExceedsLimit(format!(
        "this request counts as {more}, and no more than {most} may wait; ask for less at once, or raise {key}"
    )))
}

fn refuse(what: String) -> Result<(), Error> {
    Err(Error::Overloaded(format!("{what}; retry later")))
}

/// Moves those for which `over` holds to the end of `ended`.
pub(super) fn take_if(
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
