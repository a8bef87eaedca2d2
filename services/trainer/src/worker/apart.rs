//! That what is validated on is not what was trained on: then the loss tells nothing, and the job ends before it begins.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{data::Read, fault::Fault, rows::Rows};

/// Tells what rows say apart.
pub(super) fn fingerprint(of: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Of two data sets.
pub(super) fn check_datasets(train: &Read, validation: &Read) -> Result<(), Fault> {
    let said = |read: &Read| match read.documents.as_slice() {
        [] => read.rows.fingerprints(),
        documents => documents.to_vec(),
    };
    check("spec.validation_dataset", &said(train), &said(validation))
}

/// Of the two parts of one.
pub(super) fn check_split(train: &Rows, validation: &Rows) -> Result<(), Fault> {
    check("spec.validation_split", &train.fingerprints(), &validation.fingerprints())
}

fn check(field: &str, train: &[u64], validation: &[u64]) -> Result<(), Fault> {
    let known: HashSet<&u64> = train.iter().collect();
    if validation.is_empty() || !validation.iter().all(|said| known.contains(said)) {
        return Ok(());
    }
    Err(Fault::Job(trains_on_test(field, validation.len())))
}

/// That a job would validate on nothing but what it trains on.
pub(crate) fn trains_on_test(field: &str, rows: usize) -> String {
    format!(
        "TRAINS_ON_TEST: {field}: all of its {rows} rows are trained on as well, so that their loss tells nothing; \
         hold out rows that spec.dataset doesn't have"
    )
}
