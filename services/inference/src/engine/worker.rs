//! What a compute thread does all day: tidy up, take the next sequence, step it outside the lock, put it back.

use std::time::Instant;

use parking_lot::MutexGuard;

use super::Shared;

/// Runs until the engine is stopped, or until shutdown was requested and nothing is left.
pub(super) fn run(shared: &Shared) {
    let mut state = shared.state.lock();
    loop {
        let now = Instant::now();
        let mut ended = Vec::new();
        state.sweep(now, &shared.limits, &shared.metrics, &mut ended);
        if !ended.is_empty() {
            // Caches and adapters may be large: freeing them must not hold up the others.
            MutexGuard::unlocked(&mut state, || drop(ended));
            continue;
        }
        let next = state.take_next();
        state.report(&shared.metrics);
        if let Some((sequence, holding)) = next {
            let stepped = MutexGuard::unlocked(&mut state, || sequence.step(&shared.metrics));
            state.put_back(stepped, holding, Instant::now());
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
