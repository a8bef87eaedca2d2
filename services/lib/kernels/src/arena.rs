//! Memory for weights in pages of 2 MiB where the system has them: every token reads all weights, and with pages of 4 KiB up to a
//! quarter of that time goes into finding them. A model's weights lie in maps of their own, which go back to the system; an adapter's
//! lie in the heap, since adapters come and go, and each new map has faults that every thread waits for.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ops::Deref,
    ptr::NonNull,
    sync::Arc,
};

use memmap2::{MmapOptions, MmapRaw};

use crate::gemm::Line;

/// The system's large pages.
const PAGE: usize = 2 << 20;
/// Bytes of a block of a model's weights: it goes back to the system when the last weight in it does. Smaller blocks lie in the heap.
pub const ARENA_BLOCK_BYTES: usize = 32 << 20;

/// Gives memory to the weights that are loaded together, one after the other, from blocks that they share.
#[derive(Debug)]
pub struct WeightArena {
    block_bytes: usize,
    block: Option<Arc<Block>>,
    /// Lines of the block that are given away.
    used: usize,
}

#[derive(Debug)]
pub(crate) struct Block {
    memory: Memory,
    lines: usize,
}

#[derive(Debug)]
enum Memory {
    Map {
        map: MmapRaw,
        /// Bytes before the first line, which begins at a large page.
        offset: usize,
    },
    Heap(Heap),
}

/// Memory from the allocator, of this layout.
#[derive(Debug)]
struct Heap {
    start: NonNull<Line>,
    layout: Layout,
}

// SAFETY: it is memory that nobody else has; `Lines` says who reads and writes which part of it.
unsafe impl Send for Heap {}
// SAFETY: as above.
unsafe impl Sync for Heap {}

/// Lines of a weight.
#[derive(Debug)]
pub(crate) enum Lines {
    Own(Vec<Line>),
    /// So many lines of a block, which no other weight has.
    Part {
        start: NonNull<Line>,
        count: usize,
        /// Keeps the lines where they are. They are found without it: who reads many small weights would wait for it each time.
        _block: Arc<Block>,
    },
}

// SAFETY: the lines belong to this value alone, and are read and written through it as a vector's would be.
unsafe impl Send for Lines {}
// SAFETY: as above.
unsafe impl Sync for Lines {}

impl WeightArena {
    /// An arena of blocks of `block_bytes`, or of a weight that is larger.
    pub fn new(block_bytes: usize) -> Self {
        Self { block_bytes, block: None, used: 0 }
    }

    /// So many lines of zeros.
    pub(crate) fn take(&mut self, count: usize) -> Lines {
        let room = self.block.as_ref().map_or(0, |block| block.lines - self.used);
        if room < count {
            let lines = count.max(self.block_bytes / size_of::<Line>());
            // Where the system gives no map, the allocator may still have memory.
            let Some(block) = Block::new(lines) else { return Lines::zeros(count) };
            (self.block, self.used) = (Some(Arc::new(block)), 0);
        }
        let Some(block) = &self.block else { return Lines::zeros(count) };
        // SAFETY: so many lines of the block are not given away, and its memory is no null.
        let start = unsafe { NonNull::new_unchecked(block.start().add(self.used)) };
        self.used += count;
        Lines::Part { start, count, _block: Arc::clone(block) }
    }
}

impl Block {
    fn new(lines: usize) -> Option<Self> {
        let bytes = lines.checked_mul(size_of::<Line>())?;
        let memory = if bytes < ARENA_BLOCK_BYTES { Heap::new(bytes).map(Memory::Heap) } else { map(bytes) };
        Some(Self { memory: memory?, lines })
    }

    /// The first line. Never a reference to more than one part: other parts may be being written.
    fn start(&self) -> *mut Line {
        match &self.memory {
            Memory::Map { map, offset } => map.as_mut_ptr().wrapping_add(*offset).cast(),
            Memory::Heap(heap) => heap.start.as_ptr(),
        }
    }
}

/// A map of so many bytes.
fn map(bytes: usize) -> Option<Memory> {
    let map = MmapRaw::from(MmapOptions::new().len(bytes.checked_add(2 * PAGE)?).map_anon().ok()?);
    let offset = map.as_ptr().align_offset(PAGE);
    // Only pages that are at least half filled: a last one that would be nearly empty stays small.
    #[cfg(target_os = "linux")]
    {
        // A hint: without it the pages are small.
        let large = (bytes + PAGE / 2) / PAGE * PAGE;
        let _ = map.advise_range(memmap2::Advice::HugePage, offset, large);
    }
    Some(Memory::Map { map, offset })
}

impl Heap {
    fn new(bytes: usize) -> Option<Self> {
        let layout = Layout::from_size_align(bytes, align_of::<Line>()).ok().filter(|_| bytes > 0)?;
        // SAFETY: the layout has a size.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { start: start.cast(), layout })
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: the memory was allocated with this layout, and nobody has any of it after the block that it is.
        unsafe { dealloc(self.start.as_ptr().cast(), self.layout) }
    }
}

impl Lines {
    pub(crate) fn zeros(count: usize) -> Self {
        Self::Own(vec![Line::default(); count])
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [Line] {
        match self {
            Self::Own(lines) => lines,
            // SAFETY: the lines lie inside the block, are aligned as it is, were zeros when it was made, and belong to this value alone,
            // which is borrowed mutably.
            Self::Part { start, count, .. } => unsafe {
                std::slice::from_raw_parts_mut(start.as_ptr(), *count)
            },
        }
    }
}

impl Deref for Lines {
    type Target = [Line];

    fn deref(&self) -> &[Line] {
        match self {
            Self::Own(lines) => lines,
            // SAFETY: as in `as_mut_slice`; nobody writes while this value is borrowed.
            Self::Part { start, count, .. } => unsafe { std::slice::from_raw_parts(start.as_ptr(), *count) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_block_do_not_overlap_and_a_new_one_is_begun_when_it_is_full() {
        // In the heap, and in maps.
        for unit in [1, ARENA_BLOCK_BYTES / size_of::<Line>() / 8] {
            let counts = [4, 6, 1, 25, 3].map(|count| count * unit);
            let mut arena = WeightArena::new(10 * unit * size_of::<Line>());
            let mut parts: Vec<Lines> = counts.map(|count| arena.take(count)).into();
            for (value, part) in (1..).zip(&mut parts) {
                assert!(part.iter().all(|line| line.0 == [0; 16]));
                part.as_mut_slice().fill(Line([value; 16]));
            }
            drop(arena);
            for ((value, count), part) in (1..).zip(counts).zip(&parts) {
                assert_eq!(part.len(), count);
                assert!(part.iter().all(|line| line.0 == [value; 16]), "part {value}");
            }
        }
    }

    #[test]
    fn a_models_blocks_begin_at_large_pages_and_nothing_is_asked_of_an_empty_weight() {
        let mut arena = WeightArena::new(ARENA_BLOCK_BYTES);
        assert_eq!(arena.take(1).as_ptr().align_offset(PAGE), 0);
        assert!(WeightArena::new(0).take(0).is_empty());
    }
}
