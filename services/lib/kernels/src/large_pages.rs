//! Large blocks of memory in large pages, and all of the heap where it is never given back.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

/// The system's allocator, whose blocks from 16 KiB on begin with a cache line, and whose large ones lie in pages of 2 MiB where the system gives them to who asks ("madvise" in
/// `/sys/kernel/mm/transparent_hugepage/enabled`): fresh memory then comes with one fault for 512 small pages. With small ones a quarter
/// of a step of full training went into faults, because threads that share an address space wait for each other there.
#[derive(Clone, Copy, Debug, Default)]
pub struct LargePages;

/// Blocks from this size on are large.
const LARGE: usize = 1 << 20;

/// Where that part of the heap ends that the system was asked to make of large pages; the end of memory while nobody wants that.
static HEAP_END: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Makes the heap of large pages as it grows, as far as [`LargePages`] gives it out. For a heap that every block comes from and that is
/// never given back: pages of keys and values and activations lie in it, all of which are read for every token.
pub(crate) fn make_heap_of_large_pages() {
    #[cfg(target_os = "linux")]
    HEAP_END.store(linux::heap_end(), Ordering::Relaxed);
}

/// Blocks from this size on begin with a cache line: who loads or stores whole registers would find half of each in the next line.
const ALIGNED_FROM: usize = 16 << 10;
/// Bytes of a cache line.
const LINE: usize = 64;
/// Alignment that the system's allocator gives without being asked.
const GIVEN: usize = 16;

/// The layout to ask the system for so that a line begins within the first bytes, with room before it for where the block begins, if a
/// block of this layout shall begin with a line. Being asked for an alignment, glibc takes a larger block and cuts it, and
/// does not find one that was freed again; a process that trains grew by a sixth.
#[inline]
fn with_room(layout: Layout) -> Option<Layout> {
    if layout.size() < ALIGNED_FROM || layout.align() > LINE {
        return None;
    }
    Layout::from_size_align(layout.size() + LINE, GIVEN).ok()
}

/// The first line of a block that leaves room, and the block's beginning written before it.
///
/// # Safety
/// The block is null, or has a line more than it shall hold.
#[inline]
unsafe fn first_line(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        return block;
    }
    let line = line_of(block);
    // SAFETY: at least the bytes of an address lie before the line, and it is aligned for one.
    unsafe { line.cast::<*mut u8>().sub(1).write(block) };
    line
}

/// The first line that an address has room before.
#[inline]
fn line_of(block: *mut u8) -> *mut u8 {
    block.map_addr(|begin| (begin + size_of::<*mut u8>()).next_multiple_of(LINE))
}

/// Where the block begins whose first line this is.
///
/// # Safety
/// The line comes from `first_line`.
#[inline]
unsafe fn beginning(line: *mut u8) -> *mut u8 {
    // SAFETY: that is what was written there.
    unsafe { line.cast::<*mut u8>().sub(1).read() }
}

// SAFETY: every block comes from the system's allocator, and goes back to it, with the layout that was asked for or the one that
// `with_room` makes of it, the same each time; what is given out lies within it and is aligned as asked.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the same contract.
        unsafe {
            match with_room(layout) {
                Some(wide) => first_line(in_large_pages(System.alloc(wide), wide.size())),
                None => in_large_pages(System.alloc(layout), layout.size()),
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            match with_room(layout) {
                Some(wide) => first_line(in_large_pages(System.alloc_zeroed(wide), wide.size())),
                None => in_large_pages(System.alloc_zeroed(layout), layout.size()),
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(new) = Layout::from_size_align(size, layout.align()) else { return std::ptr::null_mut() };
        // SAFETY: as above; what moves lies within both blocks.
        unsafe {
            match (with_room(layout), with_room(new)) {
                (None, None) => in_large_pages(System.realloc(block, layout, size), size),
                (Some(old), Some(wide)) => {
                    let begin = beginning(block);
                    let before = block.addr() - begin.addr();
                    let moved = in_large_pages(System.realloc(begin, old, wide.size()), wide.size());
                    if moved.is_null() {
                        return moved;
                    }
                    // The block may lie otherwise between two lines than it did; its beginning is written after the content has moved
                    // out of the way.
                    let line = line_of(moved);
                    line.copy_from(moved.add(before), layout.size().min(size));
                    first_line(moved)
                }
                _ => {
                    let moved = self.alloc(new);
                    if !moved.is_null() {
                        moved.copy_from_nonoverlapping(block, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    moved
                }
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe {
            match with_room(layout) {
                Some(wide) => System.dealloc(beginning(block), wide),
                None => System.dealloc(block, layout),
            }
        }
    }
}

/// The block; if it is large, or the heap has grown to hold it, the system is asked for large pages where it lies.
#[inline]
fn in_large_pages(block: *mut u8, size: usize) -> *mut u8 {
    #[cfg(target_os = "linux")]
    {
        let heap_end = HEAP_END.load(Ordering::Relaxed);
        if heap_end == usize::MAX {
            if size >= LARGE && !block.is_null() {
                linux::ask(block.addr(), block.addr() + size);
            }
        } else if block.addr() + size > heap_end {
            linux::ask_beyond(heap_end, block, size);
        }
    }
    block
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        ffi::{c_int, c_void},
        ptr,
        sync::atomic::Ordering,
    };

    use super::{HEAP_END, LARGE};

    /// The system's large pages.
    const PAGE: usize = 2 << 20;
    /// From Linux' mman-common.h.
    const MADV_HUGEPAGE: c_int = 14;

    unsafe extern "C" {
        fn madvise(from: *mut c_void, bytes: usize, advice: c_int) -> c_int;
        fn sbrk(more: isize) -> *mut c_void;
    }

    /// Where the heap ends.
    pub(super) fn heap_end() -> usize {
        // SAFETY: growing by nothing only tells the end.
        unsafe { sbrk(0) }.addr()
    }

    /// Asks for the pages that these addresses lie in, the first and the last of which others may have a part of.
    #[cold]
    pub(super) fn ask(from: usize, to: usize) {
        let from = from / PAGE * PAGE;
        let bytes = to.next_multiple_of(PAGE) - from;
        // SAFETY: the advice changes neither what memory holds nor what is mapped, so it may cover what others own; the system passes
        // over what is not mapped. Whether it takes the advice changes nothing but time.
        let _ = unsafe { madvise(ptr::without_provenance_mut(from), bytes, MADV_HUGEPAGE) };
    }

    /// Asks for what the heap has grown by if the block lies in that, or else for a large block's own pages.
    #[cold]
    pub(super) fn ask_beyond(asked: usize, block: *mut u8, size: usize) {
        let (from, end) = (block.addr(), heap_end());
        if from < end {
            // Another thread may ask for the same at the same time, to no harm.
            HEAP_END.store(end, Ordering::Relaxed);
            ask(asked, end);
        } else if size >= LARGE {
            ask(from, from + size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_blocks_hold_what_is_written_and_lie_where_large_pages_may_be() {
        let layout = Layout::from_size_align(48 << 20, 64).unwrap();
        // SAFETY: the layout has a size, the block is written and read within it, and is given back with the layout that it has last.
        unsafe {
            let block = LargePages.alloc_zeroed(layout);
            assert!((0..layout.size()).step_by(4096).all(|at| block.add(at).read() == 0));
            block.add(layout.size() - 1).write(7);
            let block = LargePages.realloc(block, layout, 2 * layout.size());
            assert_eq!(block.add(layout.size() - 1).read(), 7);
            #[cfg(target_os = "linux")]
            if std::fs::exists("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or(false) {
                assert!(flags_at(block.addr() + layout.size()).contains(" hg"), "the system was not asked");
            }
            LargePages.dealloc(block, Layout::from_size_align(2 * layout.size(), 64).unwrap());
        }
    }

    #[test]
    fn blocks_begin_with_a_line_and_keep_what_they_hold_as_they_grow_and_shrink() {
        let sizes = [100, 20_000, 16_384, 16_383, 3 << 20, 5 << 20, 70_000, 8];
        let number = |i: usize| (i * 7 % 251) as u8;
        for align in [1, 16, 32, 4096] {
            let layout = |size| Layout::from_size_align(size, align).unwrap();
            // SAFETY: each layout has a size, blocks are written and read within it, and given back with the layout that they have last.
            unsafe {
                let mut block = LargePages.alloc(layout(sizes[0]));
                (0..sizes[0]).for_each(|i| block.add(i).write(number(i)));
                for pair in sizes.windows(2) {
                    block = LargePages.realloc(block, layout(pair[0]), pair[1]);
                    assert!(block.addr().is_multiple_of(align));
                    let aligned = pair[1] < ALIGNED_FROM || align > LINE || block.addr().is_multiple_of(LINE);
                    assert!(aligned, "{} bytes begin within a line", pair[1]);
                    let kept = pair[0].min(pair[1]);
                    assert!((0..kept).all(|i| block.add(i).read() == number(i)), "{pair:?}, {align}");
                    (kept..pair[1]).for_each(|i| block.add(i).write(number(i)));
                }
                LargePages.dealloc(block, layout(sizes[sizes.len() - 1]));
                let zeros = LargePages.alloc_zeroed(layout(30_000));
                assert!((0..30_000).all(|i| zeros.add(i).read() == 0));
                LargePages.dealloc(zeros, layout(30_000));
            }
        }
    }

    /// What Linux tells of the map that an address lies in.
    #[cfg(target_os = "linux")]
    fn flags_at(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let ends = range.map(|(from, to)| [from, to].map(|end| usize::from_str_radix(end, 16)));
            if let Some([Ok(from), Ok(to)]) = ends {
                inside = (from..to).contains(&address);
            }
            if inside && line.starts_with("VmFlags:") {
                return line.to_owned();
            }
        }
        String::new()
    }
}
