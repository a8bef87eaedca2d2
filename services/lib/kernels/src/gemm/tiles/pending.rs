//! Rows that are packed by whoever multiplies them first.

use std::{
    hint,
    mem::MaybeUninit,
    ops::Range,
    sync::atomic::{AtomicU8, AtomicUsize, Ordering},
    thread,
};

use candle_core::{Result, Tensor};
use parking_lot::Mutex;

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
const FAILED: u8 = 3;

/// A matrix of f32 numbers on its way to pairs of bf16, row by row.
#[derive(Debug)]
pub(super) struct Pending {
    /// Holds the numbers, and is not written to; let go of with the last chunk.
    source: Mutex<Option<Tensor>>,
    rows: usize,
    depth: usize,
    /// Words for each row.
    width: usize,
    target: Target,
    chunks: Vec<AtomicU8>,
    /// Chunks that are not packed.
    left: AtomicUsize,
}

/// A chunk that its thread packs; it has failed unless it says that it is done.
struct Begun<'a> {
    chunk: &'a AtomicU8,
    becomes: u8,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.chunk.store(self.becomes, Ordering::Release);
    }
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
        let chunks: Vec<_> = (0..rows.div_ceil(CHUNK)).map(|_| AtomicU8::new(WAITS)).collect();
        let (source, left) = (Mutex::new(Some(source.clone())), AtomicUsize::new(chunks.len()));
        Ok(Self { source, rows, depth, width, target: Target::new(room), chunks, left })
    }

    /// Sees to it that these rows are packed.
    pub(super) fn pack(&self, rows: Range<usize>) {
        let chunks = rows.start / CHUNK..rows.end.div_ceil(CHUNK);
        for index in chunks.clone() {
            let chunk = &self.chunks[index];
            let waits = chunk.load(Ordering::Relaxed) == WAITS;
            if waits && chunk.compare_exchange(WAITS, BEGUN, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                let mut begun = Begun { chunk, becomes: FAILED };
                self.pack_chunk(index);
                begun.becomes = PACKED;
            }
        }
        for index in chunks {
            let mut looks = 0;
            loop {
                match self.chunks[index].load(Ordering::Acquire) {
                    PACKED => break,
                    FAILED => panic!("rows could not be packed"),
                    _ => looks += 1,
                }
                if looks % LOOKS == 0 { thread::yield_now() } else { hint::spin_loop() }
            }
        }
    }

    fn pack_chunk(&self, index: usize) {
        let first = index * CHUNK;
        let count = CHUNK.min(self.rows - first);
        let source = Source { first, count, rows: self.rows, depth: self.depth, scale: 1.0 };
        let tensor = self.source.lock().clone();
        // It is there as long as a chunk waits, could be read as numbers when this was made, and stays what it is.
        let numbers = tensor.as_ref().and_then(|tensor| floats(tensor).ok());
        let Some(numbers) = numbers else { unreachable!("a tensor has become another one") };
        // SAFETY: the room has so many words for each row, and the chunk is this thread's alone.
        let words = unsafe { self.target.lines(first * self.width, count * self.width) };
        rows_bf16(words, &numbers, source);
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.source.lock().take();
        }
    }
}
