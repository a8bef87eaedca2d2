//! What an adapter puts before the first token of each sequence, computed once for all that begin with it.

use candle_core::Tensor;
use rootstock_kernels::Segments;

use super::Decoder;
use crate::{
    Adapter, Beginning, KvCache, ModelError,
    layer::{Continued, Pass, Wanted},
    lead::Lead,
};

impl Decoder {
    /// The keys and values of what stands before each sequence, if anything does: caches that go on from them are made by
    /// [`KvCache::fork`]. An answer has the bits that it has if they are computed together with its tokens. `between` is called before
    /// each layer that is computed.
    ///
    /// # Errors
    /// When the adapter was made for a model of another shape.
    pub fn begin(
        &self,
        adapter: &dyn Adapter,
        between: &mut dyn FnMut(),
    ) -> Result<Option<KvCache>, ModelError> {
        let Some(beginning) = adapter.beginning() else { return Ok(None) };
        let tokens = beginning.tokens()?;
        let mut cache = KvCache::new(&self.config, self.format(), tokens, &self.device)?;
        match beginning {
            Beginning::Rows(rows) => {
                let (ids, wants) = (vec![0; tokens], Wanted::Nothing);
                let sequence = Continued { ids: &ids, cache: &mut cache, adapter: Some(adapter), wants };
                self.go_on(rows.detach(), &mut [sequence], between)?;
            }
            Beginning::States(states) => {
                for layer in &self.layers {
                    let [keys, values] = layer.states(states)?;
                    cache.layer_mut(layer.index).append(&keys, &values)?;
                }
            }
        }
        cache.advance(tokens);
        Ok(Some(cache))
    }

    /// Refuses tokens whose cache is too short to hold what their adapter puts before them. Whether it was begun with that adapter is its
    /// owner's to know.
    pub(super) fn check_begun(&self, sequence: &Continued<'_>) -> Result<(), ModelError> {
        let beginning = sequence.adapter.and_then(Adapter::beginning);
        let wanted = beginning.map_or(Ok(0), |beginning| beginning.tokens())?;
        if sequence.cache.len() < wanted { Err(ModelError::NotBegun { wanted }) } else { Ok(()) }
    }

    /// The rows [n, H] that stand before each of several packed sequences in the place of token embeddings.
    pub(crate) fn rows_before<'a>(
        &self,
        segments: &Segments,
        adapter: Option<&'a dyn Adapter>,
    ) -> Result<Option<(&'a Tensor, Lead)>, ModelError> {
        match adapter.and_then(Adapter::beginning) {
            Some(Beginning::Rows(rows)) => Ok(Some((rows, Lead::new(rows.dim(0)?, segments)))),
            Some(Beginning::States(_)) | None => Ok(None),
        }
    }

    /// What all layers have in common where packed sequences are computed.
    pub(crate) fn packed_pass<'a>(
        &self,
        segments: &Segments,
        adapter: Option<&'a dyn Adapter>,
    ) -> Result<Pass<'a>, ModelError> {
        match adapter.and_then(Adapter::beginning) {
            Some(Beginning::States(states)) => {
                let lead = Lead::new(states.dim(0)?, segments);
                let pass = self.pass(&lead.positions(), adapter);
                Ok(Pass { states: Some((states, lead)), ..pass })
            }
            Some(Beginning::Rows(_)) | None => Ok(self.pass(&segments.positions(), adapter)),
        }
    }
}
