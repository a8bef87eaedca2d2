//! Rows that are packed by whoever multiplies them first.

use std::{
    hint,
    mem::MaybeUninit,
    ops::Range,
    sync::atomic::{AtomicU8, Ordering},
    thread,
};

use candle_core::{Result, Tensor};

use super::{Source, Target, rows_bf16};
use crate::cpu::floats;

/// Rows that are packed together.
const CHUNK: usize = 32;
/// Looks at a chunk that another thread packs, between which the core is not offered to others.
const LOOKS: usize = 1024;

/// What has become of a chunk.
const WAITS: u8 = 0;
const BEGUN: u8 = 1;
const PACKED: u8 = 2;

/// A matrix of f32 numbers on its way to pairs of bf16, row by row.
#[derive(Debug)]
pub(super) struct Pending {
    /// Holds the numbers, and is not written to.
    source: Tensor,
    rows: usize,
    depth: usize,
    /// Words for each row.
    width: usize,
    target: Target,
    chunks: Vec<AtomicU8>,
}

impl Pending {
    /// A matrix [rows, depth], and room for its words.
    pub(super) fn new(
        source: &Tensor,
        (rows, depth): (usize, usize),
        room: &mut [MaybeUninit<u32>],
    ) -> Result<Self> {
        assert!(floats(source)?.len() >= rows * depth, "a left factor is shorter than its size");
        let width = room.len() / rows;
        let chunks = (0..rows.div_ceil(CHUNK)).map(|_| AtomicU8::new(WAITS)).collect();
        Ok(Self { source: source.clone(), rows, depth, width, target: Target::new(room), chunks })
    }

    /// Sees to it that these rows are packed.
    pub(super) fn pack(&self, rows: Range<usize>) {
        let chunks = rows.start / CHUNK..rows.end.div_ceil(CHUNK);
        for index in chunks.clone() {
            let chunk = &self.chunks[index];
            let waits = chunk.load(Ordering::Relaxed) == WAITS;
            if waits && chunk.compare_exchange(WAITS, BEGUN, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                self.pack_chunk(index);
                chunk.store(PACKED, Ordering::Release);
            }
        }
        for index in chunks {
            let mut looks = 0;
            while self.chunks[index].load(Ordering::Acquire) != PACKED {
                looks += 1;
                if looks % LOOKS == 0 { thread::yield_now() } else { hint::spin_loop() }
            }
        }
    }

    fn pack_chunk(&self, index: usize) {
        let first = index * CHUNK;
        let count = CHUNK.min(self.rows - first);
        let source = Source { first, count, rows: self.rows, depth: self.depth, scale: 1.0 };
        // It could be read as numbers when this was made, and a tensor stays what it is.
        let Ok(numbers) = floats(&self.source) else { unreachable!("a tensor has become another one") };
        // SAFETY: the room has so many words for each row, and the chunk is this thread's alone.
        let words = unsafe { self.target.lines(first * self.width, count * self.width) };
        rows_bf16(words, &numbers, source);
    }
}
