//! Keys and values of one sequence in all layers, so that each token is computed once.

use candle_core::Device;
use rootstock_kernels::KeyValues;

use crate::{Config, ModelError};

/// The key/value cache of one sequence; its memory grows in blocks with the tokens in it.
#[derive(Debug)]
pub struct KvCache {
    layers: Vec<KeyValues>,
    len: usize,
    capacity: usize,
}

impl KvCache {
    /// An empty cache for up to `capacity` tokens of a model of this shape.
    ///
    /// # Errors
    /// When the capacity is 0.
    pub fn new(config: &Config, capacity: usize, device: &Device) -> Result<Self, ModelError> {
        if capacity == 0 {
            return Err(ModelError::CacheFull { wanted: 1, capacity });
        }
        let layer = |_| KeyValues::new(config.heads(), device);
        Ok(Self { layers: (0..config.num_hidden_layers).map(layer).collect(), len: 0, capacity })
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no token is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tokens it can hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes allocated.
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(KeyValues::bytes).sum()
    }

    /// Forgets all but the first `len` tokens.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.layers.iter_mut().for_each(|layer| layer.truncate(len));
    }

    /// Makes sure that `more` tokens fit, and drops what a failed call may have left.
    pub(crate) fn prepare(&mut self, more: usize) -> Result<(), ModelError> {
        let (wanted, capacity) = (self.len + more, self.capacity);
        if wanted > capacity {
            return Err(ModelError::CacheFull { wanted, capacity });
        }
        self.truncate(self.len);
        Ok(())
    }

    pub(crate) fn layer(&self, index: usize) -> &KeyValues {
        &self.layers[index]
    }

    pub(crate) fn layer_mut(&mut self, index: usize) -> &mut KeyValues {
        &mut self.layers[index]
    }

    /// Counts tokens that all layers hold now.
    pub(crate) fn advance(&mut self, tokens: usize) {
        self.len += tokens;
    }
}
