//! What a compute thread does all day: tidy up, take the next batch, step it outside the lock, put it back.

use std::time::Instant;

use parking_lot::MutexGuard;

use super::{Shared, batch, state::Holding};

/// Runs until the engine is stopped, or until shutdown was requested and nothing is left.
pub(super) fn run(shared: &Shared) {
    let mut state = shared.state.lock();
    loop {
        state.sweep(Instant::now(), &shared.limits, &shared.metrics);
        let batch = state.take_batch(shared.metrics.loads_in_a_row.get() > 0);
        let garbage = state.take_garbage();
        if !garbage.is_empty() {
            // Caches and adapters may be large: freeing them must not hold up the others.
            let ended = garbage.has_ended();
            MutexGuard::unlocked(&mut state, || garbage.dispose(&shared.metrics));
            if ended && batch.is_empty() {
                continue;
            }
        }
        state.report(&shared.metrics);
        if !batch.is_empty() {
            let holdings: Vec<Holding> = batch.iter().map(Holding::from).collect();
            let begun = Instant::now();
            let stepped = MutexGuard::unlocked(&mut state, || batch::step(batch, &shared.metrics));
            let now = Instant::now();
            shared.metrics.stepped(holdings.len(), now - begun);
            state.settle(stepped, holdings, (now, now - begun), &shared.limits);
            if shared.limits.threads > 1 {
                shared.changed.notify_one();
            }
        } else if state.is_stopped() || (shared.shutdown.is_requested() && state.is_idle()) {
            drop(state);
            shared.changed.notify_all();
            return;
        } else {
            match state.next_expiry(&shared.limits) {
                Some(at) => {
                    // Whether it was the time or a change makes no difference: the sweep looks at both.
                    let _ = shared.changed.wait_until(&mut state, at);
                }
                None => shared.changed.wait(&mut state),
            }
        }
    }
}
