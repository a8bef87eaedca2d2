//! A forward pass before a version is visible: weights that are finite can still give numbers that aren't.

use std::{collections::HashSet, sync::Arc};

use parking_lot::Mutex;
use rootstock_artifacts::Digest;
use rootstock_kernels::{all_finite, with_numbers};
use rootstock_model::{Adapter, Continued, KvCache, Wanted};

use super::pace::Slices;
use crate::{error::Error, models::Model};

/// Tokens of the probe, spread over the vocabulary.
const TOKENS: usize = 8;
/// Versions remembered as proved; with more, all are forgotten, and proved again when they are next loaded.
const MAX_PROVED: usize = 1 << 16;

/// Which versions have computed something finite; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proved {
    digests: Arc<Mutex<HashSet<Digest>>>,
}

impl Proved {
    /// Computes the probe with a version that hasn't yet; blocks for as long as a forward of [`TOKENS`] takes, and its rests.
    pub(super) fn prove(
        &self,
        digest: &Digest,
        (weights, start): (&dyn Adapter, Option<&KvCache>),
        (model, slices): (&Model, &mut Slices),
    ) -> Result<(), Error> {
        if self.digests.lock().contains(digest) {
            return Ok(());
        }
        if !is_finite(Some(weights), start, (model, slices))? {
            if !is_finite(None, None, (model, slices))? {
                return Err(Error::InvalidFile(format!(
                    "base model {} gives numbers that are not finite, whatever the adapter; import it anew",
                    model.digest()
                )));
            }
            return Err(Error::InvalidFile(format!(
                "adapter {digest} gives numbers that are not finite; train it again"
            )));
        }
        let mut proved = self.digests.lock();
        if proved.len() >= MAX_PROVED {
            proved.clear();
        }
        proved.insert(*digest);
        Ok(())
    }
}

/// Whether the logits after the probe are finite. One number that isn't, at any token, spreads to those after the last.
fn is_finite(
    adapter: Option<&dyn Adapter>,
    start: Option<&KvCache>,
    (model, slices): (&Model, &mut Slices),
) -> Result<bool, Error> {
    let last = model.vocab_size() - 1;
    let virtual_tokens = start.map_or(0, KvCache::len);
    let tokens = TOKENS.min(model.context() - virtual_tokens);
    let ids: Vec<u32> = (0..tokens).map(|place| (place * last / (TOKENS - 1)) as u32).collect();
    let begun = |start: &KvCache| Ok(start.fork(virtual_tokens + tokens));
    let mut cache = start.map_or_else(|| model.new_cache(tokens), begun)?;
    let sequence = Continued { ids: &ids, cache: &mut cache, adapter, wants: Wanted::Last };
    let logits = model.decoder().forward_in_slices(&mut [sequence], &mut || slices.rest())?;
    with_numbers(&logits, all_finite).map_err(|error| Error::internal("logits can't be read", error))
}
