//! The room for keys and values: what sequences hold, and what is kept of them for others that begin with the same tokens.
//!
//! Both count against one budget of bytes. What is kept goes first when somebody needs room, longest unused first and the ends of texts
//! before their beginnings; what a running sequence uses stays.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use rootstock_model::Block;
use sha2::{Digest as _, Sha256};

/// What a block of keys and values follows from: everything before it, and its own tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key([u8; 32]);

impl Key {
    /// The beginning of all texts that are computed with the same.
    pub(super) fn root<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The block of these tokens that follows this one.
    pub(super) fn then(&self, ids: &[u32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        ids.iter().for_each(|id| hash.update(id.to_le_bytes()));
        Self(hash.finalize().into())
    }
}

/// A block that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    block: Block,
    bytes: u64,
    /// Blocks before it.
    depth: usize,
    users: AtomicUsize,
}

/// A kept block that a sequence uses, for as long as this lives.
#[derive(Debug)]
pub(super) struct InUse {
    kept: Arc<Kept>,
    /// Bytes of all kept blocks in use, each counted once.
    total: Arc<AtomicU64>,
}

impl InUse {
    fn new(kept: &Arc<Kept>, total: &Arc<AtomicU64>) -> Self {
        if kept.users.fetch_add(1, Ordering::Relaxed) == 0 {
            total.fetch_add(kept.bytes, Ordering::Relaxed);
        }
        Self { kept: Arc::clone(kept), total: Arc::clone(total) }
    }

    pub(super) fn block(&self) -> &Block {
        &self.kept.block
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if self.kept.users.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.total.fetch_sub(self.kept.bytes, Ordering::Relaxed);
        }
    }
}

/// The budget.
#[derive(Debug)]
pub(super) struct Room {
    limit: u64,
    /// Of sequences, without what is kept.
    held: u64,
    kept: u64,
    /// Of what is kept, what sequences use.
    kept_in_use: Arc<AtomicU64>,
    blocks: HashMap<Key, (Arc<Kept>, u64)>,
    /// In the order in which they go.
    order: BTreeSet<(u64, Reverse<usize>, Key)>,
    clock: u64,
}

impl Room {
    pub(super) fn new(limit: u64) -> Self {
        let (blocks, order) = (HashMap::new(), BTreeSet::new());
        Self { limit, held: 0, kept: 0, kept_in_use: Arc::default(), blocks, order, clock: 0 }
    }

    /// Bytes of all blocks.
    pub(super) fn used(&self) -> u64 {
        self.held + self.kept
    }

    /// Whether there would be room for so many bytes if sequences held so many less.
    pub(super) fn would_fit(&self, bytes: u64, freed: u64) -> bool {
        let in_use = self.held.saturating_sub(freed) + self.kept_in_use.load(Ordering::Relaxed);
        in_use.saturating_add(bytes) <= self.limit
    }

    /// The share of the budget that sequences use: what is only kept goes when somebody needs its room.
    pub(super) fn share_in_use(&self) -> f64 {
        (self.held + self.kept_in_use.load(Ordering::Relaxed)) as f64 / self.limit as f64
    }

    /// The blocks of the longest beginning that is kept.
    pub(super) fn find(&mut self, keys: &[Key]) -> Vec<InUse> {
        self.clock += 1;
        let mut found = Vec::new();
        for key in keys {
            let Some((kept, last_used)) = self.blocks.get_mut(key) else { break };
            self.order.remove(&(*last_used, Reverse(kept.depth), *key));
            *last_used = self.clock;
            self.order.insert((*last_used, Reverse(kept.depth), *key));
            found.push(InUse::new(kept, &self.kept_in_use));
        }
        found
    }

    /// Takes bytes for a sequence, letting kept blocks go that nobody uses, into `dropped`; or takes nothing.
    pub(super) fn take(&mut self, bytes: u64, dropped: &mut Vec<Arc<Kept>>) -> bool {
        let over = (self.used() + bytes).saturating_sub(self.limit);
        if over > 0 {
            let mut victims = Vec::new();
            let mut freed = 0;
            for entry in &self.order {
                if freed >= over {
                    break;
                }
                let (kept, _) = &self.blocks[&entry.2];
                if Arc::strong_count(kept) == 1 {
                    freed += kept.bytes;
                    victims.push(*entry);
                }
            }
            if freed < over {
                return false;
            }
            for victim in victims {
                self.order.remove(&victim);
                dropped.extend(self.blocks.remove(&victim.2).map(|(kept, _)| kept));
            }
            self.kept -= freed;
        }
        self.held += bytes;
        true
    }

    /// Takes back what a sequence held.
    pub(super) fn give_back(&mut self, bytes: u64) {
        self.held -= bytes;
    }

    /// Keeps the block of the last key, which a sequence holds, unless its like is kept already. It counts as kept from now on.
    pub(super) fn keep(&mut self, keys: &[Key], block: Block, bytes: u64) -> Option<InUse> {
        let (key, before) = keys.split_last()?;
        if self.blocks.contains_key(key) {
            return None;
        }
        // A beginning is used whenever what follows it is, so that it never goes first.
        self.find(before);
        let kept = Arc::new(Kept { block, bytes, depth: before.len(), users: AtomicUsize::new(0) });
        self.order.insert((self.clock, Reverse(kept.depth), *key));
        self.blocks.insert(*key, (Arc::clone(&kept), self.clock));
        self.held -= bytes;
        self.kept += bytes;
        Some(InUse::new(&kept, &self.kept_in_use))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use rootstock_model::{Continued, Format, KvCache, Wanted};

    use super::*;
    use crate::tests::{model, tiny_config};

    const BYTES: u64 = 10;

    fn block() -> Block {
        let mut cache = KvCache::new(&tiny_config(), Format::F32, 64, &Device::Cpu).unwrap();
        let ids = [1; 64];
        let logits = model(1).decoder().forward_batch(&mut [Continued {
            ids: &ids,
            cache: &mut cache,
            adapter: None,
            wants: Wanted::Last,
        }]);
        assert_eq!(logits.unwrap().dtype(), DType::F32);
        cache.block(0).unwrap()
    }

    fn chain(ids: &[u32]) -> Vec<Key> {
        let mut key = Key::root([&b"tenant"[..]]);
        ids.iter()
            .map(|id| {
                key = key.then(&[*id]);
                key
            })
            .collect()
    }

    /// Room for three blocks, two of which are kept, one after the other.
    fn kept(block: &Block) -> (Room, Vec<Key>) {
        let (mut room, keys) = (Room::new(3 * BYTES), chain(&[1, 2]));
        for count in 1..=keys.len() {
            assert!(room.take(BYTES, &mut Vec::new()));
            room.keep(&keys[..count], block.clone(), BYTES).unwrap();
        }
        (room, keys)
    }

    #[test]
    fn a_beginning_is_found_as_far_as_it_is_the_same() {
        let block = block();
        let (mut room, keys) = kept(&block);
        assert_eq!(room.find(&keys).len(), 2);
        assert_eq!(room.find(&chain(&[1, 3])).len(), 1);
        assert!(room.find(&chain(&[2])).is_empty());
        let other = Key::root([&b"tenan"[..], b"t"]).then(&[1]);
        assert!(room.find(&[other]).is_empty(), "another tenant's");
        assert!(room.keep(&keys[..1], block, BYTES).is_none(), "one of a kind is enough");
    }

    #[test]
    fn what_nobody_uses_goes_ends_first_and_what_is_used_stays() {
        let block = block();
        let (mut room, keys) = kept(&block);
        let mut dropped = Vec::new();
        assert!(room.take(BYTES, &mut dropped) && dropped.is_empty());
        assert!(room.take(BYTES, &mut dropped));
        assert_eq!((dropped.len(), room.find(&keys).len()), (1, 1), "the second block went");
        let used = [room.find(&keys), room.find(&keys)];
        assert_eq!(room.share_in_use(), 1.0);
        assert!(!room.take(BYTES, &mut dropped), "the first is in use");
        assert_eq!(room.used(), 3 * BYTES);
        drop(used);
        assert_eq!(room.share_in_use(), 2.0 / 3.0, "what is only kept is free");
        assert!(room.take(BYTES, &mut dropped));
        room.give_back(3 * BYTES);
        assert_eq!((room.used(), dropped.len()), (0, 2));
    }
}
