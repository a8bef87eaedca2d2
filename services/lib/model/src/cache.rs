//! Keys and values of one sequence in all layers, so that each token is computed once.

use candle_core::Device;
use rootstock_kernels::{Format, KeyValuePage, KeyValues};

use crate::{Config, ModelError};

/// The key/value cache of one sequence; its memory grows in blocks with the tokens in it.
#[derive(Debug)]
pub struct KvCache {
    layers: Vec<KeyValues>,
    len: usize,
    capacity: usize,
}

/// Keys and values of 64 tokens in all layers, which several caches may begin with; clones share them.
#[derive(Clone, Debug)]
pub struct Block(Vec<KeyValuePage>);

impl KvCache {
    /// An empty cache for up to `capacity` tokens of a model of this shape; keys and values are kept in `format`, that of the model's
    /// matrices.
    ///
    /// # Errors
    /// When the capacity is 0.
    pub fn new(
        config: &Config,
        format: Format,
        capacity: usize,
        device: &Device,
    ) -> Result<Self, ModelError> {
        if capacity == 0 {
            return Err(ModelError::CacheFull { wanted: 1, capacity });
        }
        let layer = |layer| KeyValues::new(config.heads(layer), format, device);
        Ok(Self { layers: (0..config.num_hidden_layers).map(layer).collect(), len: 0, capacity })
    }

    /// A cache for up to `capacity` tokens that goes on from what this one holds, and shares that with it.
    pub fn fork(&self, capacity: usize) -> Self {
        Self { layers: self.layers.clone(), len: self.len, capacity }
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

    /// Tokens of a [`Block`].
    pub const BLOCK: usize = KeyValuePage::TOKENS;

    /// Bytes of a block's keys and values.
    pub fn block_bytes(config: &Config, format: Format) -> usize {
        let width = config.num_key_value_heads * config.head_dim;
        config.num_hidden_layers * KeyValues::page_bytes(width, format)
    }

    /// Block `index`, once all its tokens are held; it shares their memory.
    pub fn block(&self, index: usize) -> Option<Block> {
        let held = (index + 1) * Self::BLOCK <= self.len;
        let pages = self.layers.iter().map(|layer| layer.page(index).filter(|_| held));
        pages.collect::<Option<_>>().map(Block)
    }

    /// Goes on with a block of another cache of the same model, which followed the same tokens there.
    ///
    /// # Errors
    /// When the cache does not end where a block does, or the block is another model's.
    pub fn attach(&mut self, block: &Block) -> Result<(), ModelError> {
        self.prepare(Self::BLOCK)?;
        let pages = self.layers.iter_mut().zip(&block.0);
        pages.into_iter().try_for_each(|(layer, page)| layer.attach(page.clone()))?;
        self.len += Self::BLOCK;
        Ok(())
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
