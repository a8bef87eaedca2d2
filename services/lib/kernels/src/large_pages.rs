//! Large blocks of memory in large pages, and all of the heap where it is never given back.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

/// The system's allocator, whose large blocks lie in pages of 2 MiB where the system gives them to who asks ("madvise" in
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

/// What the system is asked for in place of a layout, the same each time.
#[inline]
fn widened(layout: Layout) -> Layout {
    if layout.size() < ALIGNED_FROM {
        return layout;
    }
    layout.align_to(LINE).unwrap_or(layout)
}

// SAFETY: every block comes from the system's allocator, and goes back to it, with the layout that `widened` makes of what was asked
// for: it has the same size, and at least the same alignment.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the same contract.
        in_large_pages(unsafe { System.alloc(widened(layout)) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let wide = widened(layout);
        if wide.align() == layout.align() {
            // SAFETY: as above.
            return in_large_pages(unsafe { System.alloc_zeroed(wide) }, layout.size());
        }
        // The system's allocator would write its zeros before large pages are asked for.
        // SAFETY: as above; a block that there is has so many bytes.
        unsafe {
            let block = self.alloc(layout);
            if !block.is_null() {
                block.write_bytes(0, layout.size());
            }
            block
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let wide = widened(layout);
        let Ok(new) = Layout::from_size_align(size, layout.align()) else { return std::ptr::null_mut() };
        if wide.align() == layout.align() && widened(new).align() == layout.align() {
            // SAFETY: as above.
            return in_large_pages(unsafe { System.realloc(block, wide, size) }, size);
        }
        // SAFETY: as above; both blocks have the bytes that are copied, and are not the same.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, widened(layout)) }
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
