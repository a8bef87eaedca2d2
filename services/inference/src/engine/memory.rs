//! The keys and values of one sequence: blocks that it took over, blocks of its own, and the room that is reserved for them.

use rootstock_model::KvCache;

use super::room::{InUse, Key, Room};
use crate::{error::Error, models::Model};

#[derive(Debug)]
pub(super) struct Memory {
    block_bytes: u64,
    /// Most tokens of its text that it will ever hold.
    capacity: usize,
    /// Virtual tokens before them. Blocks that are full of these are the adapter's; those after them count here.
    virtual_tokens: usize,
    cache: Option<KvCache>,
    /// The first blocks, which are kept for others too.
    shared: Vec<InUse>,
    /// Reserved for blocks of its own.
    own: u64,
    begun: bool,
    /// Tokens that were taken over at the first start.
    taken_over: Option<usize>,
    /// Of the text's full blocks, as far as they were asked for.
    keys: Vec<Key>,
    root: Key,
    /// Blocks that were taken over or offered.
    offered: usize,
    mixed: bool,
}

impl Memory {
    pub(super) fn new(
        block_bytes: u64,
        (capacity, virtual_tokens): (usize, usize),
        root: Key,
        ids: &[u32],
    ) -> Self {
        let mut memory = Self {
            block_bytes,
            capacity,
            virtual_tokens,
            cache: None,
            shared: Vec::new(),
            own: 0,
            begun: false,
            taken_over: None,
            keys: Vec::new(),
            root,
            offered: 0,
            mixed: false,
        };
        memory.extend_keys(ids);
        memory
    }

    /// Tokens whose keys and values are there.
    pub(super) fn len(&self) -> usize {
        match &self.cache {
            Some(cache) => cache.len() - self.virtual_tokens,
            None => (self.shared.len() * KvCache::BLOCK).saturating_sub(self.lead()),
        }
    }

    /// Virtual tokens in the first block that is not the adapter's.
    fn lead(&self) -> usize {
        self.virtual_tokens % KvCache::BLOCK
    }

    /// Blocks that so many tokens of the text fill.
    fn full_blocks(&self, tokens: usize) -> usize {
        (self.lead() + tokens) / KvCache::BLOCK
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.own
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// The keys of the blocks that the first `tokens` fill.
    pub(super) fn keys(&self, tokens: usize) -> &[Key] {
        &self.keys[..self.full_blocks(tokens).min(self.keys.len())]
    }

    pub(super) fn bytes_of(&self, blocks: usize) -> u64 {
        self.block_bytes * blocks as u64
    }

    pub(super) fn bytes_for(&self, tokens: usize) -> u64 {
        self.bytes_of((self.lead() + tokens).div_ceil(KvCache::BLOCK))
    }

    pub(super) fn start(&mut self, shared: Vec<InUse>, bytes: u64) {
        self.offered = shared.len();
        (self.shared, self.own, self.begun) = (shared, bytes, true);
        self.taken_over.get_or_insert(self.len());
    }

    /// Tokens of the prompt that were not computed for it.
    pub(super) fn taken_over(&self) -> usize {
        self.taken_over.unwrap_or(0)
    }

    pub(super) fn lacks(&self, tokens: usize) -> u64 {
        let has = self.own + self.bytes_of(self.shared.len());
        self.bytes_for(self.len() + tokens).saturating_sub(has)
    }

    pub(super) fn grow(&mut self, bytes: u64) {
        self.own += bytes;
    }

    /// From here on keys and values are of another version than the one that the keys of blocks name.
    pub(super) fn mix_versions(&mut self) {
        self.mixed = true;
        self.keys.truncate(self.full_blocks(self.len()));
    }

    /// Makes the cache, which begins with the adapter's virtual tokens, if it has some, and what was taken over.
    pub(super) fn open(&mut self, model: &Model, start: Option<&KvCache>) -> Result<(), Error> {
        if self.cache.is_none() {
            let capacity = self.virtual_tokens + self.capacity;
            let mut cache =
                start.map_or_else(|| model.new_cache(capacity), |start| Ok(start.fork(capacity)))?;
            if !self.shared.is_empty() {
                cache.truncate(self.virtual_tokens - self.lead());
            }
            self.shared.iter().try_for_each(|kept| cache.attach(kept.block()))?;
            self.cache = Some(cache);
        }
        Ok(())
    }

    pub(super) fn cache(&mut self) -> Option<&mut KvCache> {
        self.cache.as_mut()
    }

    pub(super) fn forget(&mut self) -> Option<KvCache> {
        self.shared.clear();
        (self.own, self.begun, self.offered) = (0, false, 0);
        self.cache.take()
    }

    /// Offers the full blocks of its own. Which were computed with two versions nobody else has a use for.
    pub(super) fn offer(&mut self, ids: &[u32], room: &mut Room) {
        let full = self.full_blocks(self.len());
        let adapters = self.virtual_tokens / KvCache::BLOCK;
        if self.mixed || full == self.offered {
            return;
        }
        self.extend_keys(ids);
        for index in self.offered..full {
            let Some(block) = self.cache.as_ref().and_then(|cache| cache.block(adapters + index)) else {
                return;
            };
            // Blocks after one that is another's stay its own, so that what is shared is a beginning.
            if self.shared.len() == index
                && let Some(kept) = room.keep(&self.keys[..=index], block, self.block_bytes)
            {
                self.shared.push(kept);
                self.own -= self.block_bytes;
            }
        }
        self.offered = full;
    }

    fn extend_keys(&mut self, ids: &[u32]) {
        let lead = self.lead();
        let place = |block: usize| (block * KvCache::BLOCK).saturating_sub(lead);
        for block in self.keys.len()..self.full_blocks(ids.len()) {
            let block = &ids[place(block)..place(block + 1)];
            let before = self.keys.last().unwrap_or(&self.root);
            self.keys.push(before.then(block));
        }
    }
}

#[cfg(test)]
mod tests {
    use rootstock_model::{Continued, Wanted};

    use super::*;
    use crate::tests::model;

    #[test]
    fn what_another_version_computes_is_offered_to_nobody_under_the_name_of_the_first() {
        let (model, ids) = (model(1), [1; 70]);
        for switches in [false, true] {
            let mut room = Room::new(1 << 30);
            let mut memory =
                Memory::new(model.cache_block_bytes(), (ids.len(), 0), Key::root([&b"first"[..]]), &ids);
            let bytes = memory.bytes_for(ids.len());
            assert!(room.take(bytes, &mut Vec::new()));
            memory.start(Vec::new(), bytes);
            let first = memory.keys(64)[0];
            if switches {
                memory.mix_versions();
            }
            memory.open(&model, None).unwrap();
            let cache = memory.cache().unwrap();
            let mut turn = [Continued { ids: &ids, cache, adapter: None, wants: Wanted::Last }];
            model.decoder().forward_batch(&mut turn).unwrap();
            memory.offer(&ids, &mut room);
            assert_eq!(room.find(&[first]).len(), usize::from(!switches));
            assert_eq!(memory.keys(64).len(), usize::from(!switches));
        }
    }
}
