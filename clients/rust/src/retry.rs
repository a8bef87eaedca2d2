//! The retry budget: retries may be a small share of all calls, so that clients never multiply an overload.
use parking_lot::Mutex;

/// Retries that can be had at once.
const BURST: f64 = 10.0;
/// What each call that succeeds adds: one retry per ten calls.
const EARNED: f64 = 0.1;

/// A token bucket that successful calls fill and retries empty.
#[derive(Debug)]
pub(crate) struct RetryBudget(Mutex<f64>);

impl RetryBudget {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(BURST))
    }

    /// Takes note of a call that succeeded.
    pub(crate) fn earn(&self) {
        let mut tokens = self.0.lock();
        *tokens = (*tokens + EARNED).min(BURST);
    }

    /// Asks for a retry.
    pub(crate) fn spend(&self) -> bool {
        let mut tokens = self.0.lock();
        let granted = *tokens >= 1.0;
        if granted {
            *tokens -= 1.0;
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_retries_ends_and_successes_earn_new_ones() {
        let budget = RetryBudget::new();
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10);
        for _ in 0..11 {
            budget.earn();
        }
        assert!(budget.spend());
        assert!(!budget.spend());
    }
}
