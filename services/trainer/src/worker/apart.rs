//! That what is validated on is not what was trained on: then the loss tells nothing, and the job ends before it begins.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::fault::Fault;

/// Tells what rows say apart.
pub(super) fn fingerprint(of: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Refuses rows to validate on, named by `field`, which are all among those that are trained on.
pub(super) fn check(field: &str, trained: &HashSet<u64>, validated: &[u64]) -> Result<(), Fault> {
    if validated.is_empty() || !validated.iter().all(|said| trained.contains(said)) {
        return Ok(());
    }
    Err(Fault::Job(trains_on_test(field, validated.len())))
}

/// That a job would validate on nothing but what it trains on.
pub(crate) fn trains_on_test(field: &str, rows: usize) -> String {
    format!(
        "TRAINS_ON_TEST: {field}: all of its {rows} rows are trained on as well, so that their loss tells nothing; \
         hold out rows that nothing trains on"
    )
}
