//! Training made again: what it tells and saves is compared with what there is, bit for bit.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use rootstock_proto::training::v1::{self as proto, TrainingCheckSubject as Subject, training_event::Event};

use super::{
    difference::difference,
    fault::Fault,
    snapshot::{MOMENTS_FILE, STATE_FILE, Saved, Snapshot, WEIGHTS_FILE},
    stop::{Ended, Stop},
    train::Outside,
};

/// A state that is kept, and the chain that was reported of it; older versions reported none.
pub(super) struct Kept {
    pub(super) saved: Saved,
    pub(super) chain_digest: String,
}

/// What a run made again is compared with; clones share what was found.
#[derive(Clone)]
pub(super) struct Replay {
    evidence: Arc<Evidence>,
    checks: Arc<Mutex<Vec<proto::TrainingCheck>>>,
    done: Arc<AtomicU64>,
    stop: Stop,
}

struct Evidence {
    states: BTreeMap<u64, Kept>,
    progress: HashMap<u64, Vec<proto::TrainingProgress>>,
    /// The step after which enough was made again.
    end: u64,
}

impl Replay {
    pub(super) fn new(
        states: BTreeMap<u64, Kept>,
        progress: Vec<proto::TrainingProgress>,
        (first, end): (u64, u64),
        stop: Stop,
    ) -> Self {
        let mut by_step: HashMap<u64, Vec<_>> = HashMap::new();
        for report in progress {
            by_step.entry(report.step as u64).or_default().push(report);
        }
        let evidence = Arc::new(Evidence { states, progress: by_step, end });
        Self { evidence, checks: Arc::default(), done: Arc::new(first.into()), stop }
    }

    /// What was compared so far.
    pub(super) fn checks(&self) -> Vec<proto::TrainingCheck> {
        self.checks.lock().clone()
    }

    /// Notes a comparison; the first difference ends the run.
    pub(super) fn note(
        &self,
        step: u64,
        subject: Subject,
        digest: &str,
        difference: Option<String>,
    ) -> Result<(), Fault> {
        let differs = difference.is_some();
        self.checks.lock().push(proto::TrainingCheck {
            step: step as i64,
            subject: subject.into(),
            digest: digest.to_owned(),
            difference: difference.unwrap_or_default(),
        });
        if differs { Err(enough()) } else { Ok(()) }
    }
}

/// There is nothing more to find.
fn enough() -> Fault {
    Fault::Stop(Ended::Succeeded)
}

impl Outside for Replay {
    fn event(&self, event: Event) -> Result<(), Fault> {
        let Event::Progress(made) = event else { return Ok(()) };
        let step = made.step as u64;
        let Some(reports) = self.evidence.progress.get(&step) else { return Ok(()) };
        // Of a step that was made again in f32 one report is right.
        let right = reports.iter().any(|reported| of_progress(&made, reported).is_none());
        let difference = reports.first().filter(|_| !right).and_then(|reported| of_progress(&made, reported));
        self.note(step, Subject::Progress, "", difference)
    }

    fn save(&self, snapshot: impl FnOnce() -> Result<Snapshot, Fault>) -> Result<(), Fault> {
        let snapshot = snapshot()?;
        let state = &snapshot.state;
        let kept = self.evidence.states.get(&state.step);
        // Where a stage ends there are two states after one step: what it has come to, and what the next one begins with.
        let Some(kept) = kept.filter(|kept| kept.saved.state.place == state.place) else { return Ok(()) };
        self.note(snapshot.state.step, Subject::State, &kept.saved.digest, of_state(&snapshot, kept))
    }

    fn wants(&self, step: u64) -> bool {
        self.done.store(step, Ordering::Relaxed);
        self.evidence.states.contains_key(&step)
    }

    fn check(&self) -> Result<(), Fault> {
        self.stop.check()?;
        if self.done.load(Ordering::Relaxed) < self.evidence.end { Ok(()) } else { Err(enough()) }
    }

    fn settle(&self) -> Result<(), Fault> {
        Ok(())
    }
}

/// The loss is a mean since the last report, which an earlier worker may have begun elsewhere; these two are the step's own.
fn of_progress(made: &proto::TrainingProgress, reported: &proto::TrainingProgress) -> Option<String> {
    let figures = [
        ("gradient norm", made.grad_norm, reported.grad_norm),
        ("learning rate", made.learning_rate, reported.learning_rate),
    ];
    let (what, made, reported) =
        figures.into_iter().find(|(_, made, reported)| made.to_bits() != reported.to_bits())?;
    Some(format!("the {what} is {made:e} when made again, {reported:e} as reported"))
}

fn of_state(made: &Snapshot, kept: &Kept) -> Option<String> {
    let (state, stored) = (&made.state, &kept.saved.state);
    let chain = || {
        let chains = [state.chain.digest(), stored.chain.digest(), kept.chain_digest.clone()];
        let [made, stored, reported] = chains;
        let same = made == stored && (reported.is_empty() || reported == made);
        (!same).then(|| {
            format!("{STATE_FILE}: the chain is {made} when made again, {stored} as stored, {reported} as reported")
        })
    };
    difference(WEIGHTS_FILE, &made.weights, &kept.saved.weights)
        .or_else(|| difference(MOMENTS_FILE, &made.moments, &kept.saved.moments))
        .or_else(chain)
}
