//! Whether what came under load is what each request gets alone, on the version that its answer says it was bound to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Bench;
use super::client::{Answer, ask};
use crate::bench::BenchError;

/// An answer, and the number of the prompt that it answers.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) prompt: usize,
    pub(super) answer: Answer,
}

impl Sample {
    pub(super) fn answer(&self) -> &Answer {
        &self.answer
    }
}

/// How many of these answers differ from a reference. Each prompt is asked once, alone, of each version that answered it, by the
/// version's digest; so a run with few prompts has few references, however many answers it has.
pub(super) async fn mismatches<'a>(
    bench: &Bench,
    samples: impl IntoIterator<Item = &'a Sample>,
) -> Result<usize, BenchError> {
    let mut references = HashMap::new();
    let mut mismatches = 0;
    for Sample { prompt, answer } in samples {
        let reference: &mut Vec<u32> = match references.entry((*prompt, answer.digest.as_str())) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let request = bench.load.ask(&answer.digest, *prompt, bench.load.generate);
                unknown.insert(ask(&bench.clients, request).await?.ids)
            }
        };
        mismatches += usize::from(!reference.starts_with(&answer.ids));
    }
    Ok(mismatches)
}
