//! A hint to the C library's allocator for processes that train or serve: freed memory is kept for the next step.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use crate::large_pages::make_heap_of_large_pages;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    /// `mallopt` parameters, from glibc's malloc.h.
    const TRIM_THRESHOLD: i32 = -1;
    const TOP_PAD: i32 = -2;
    const MMAP_THRESHOLD: i32 = -3;
    const ARENA_MAX: i32 = -8;
    /// Blocks up to this size come from the heap: the largest value glibc takes.
    const LARGEST_KEPT: i32 = 32 << 20;
    /// The heap grows by so much at a time, so that large pages fit into it.
    const GROWTH: i32 = 64 << 20;
    /// As a size this is larger than any: the heap is never shrunk, however much is free at its end.
    const NEVER: i32 = -1;

    unsafe extern "C" {
        fn mallopt(parameter: i32, value: i32) -> i32;
    }

    pub(super) fn keep() -> bool {
        // SAFETY: `mallopt` changes allocator parameters under the allocator's own lock and may be called at any time.
        let set = |parameter, value| unsafe { mallopt(parameter, value) } == 1;
        [(MMAP_THRESHOLD, LARGEST_KEPT), (TRIM_THRESHOLD, NEVER), (TOP_PAD, GROWTH), (ARENA_MAX, 1)]
            .map(|(parameter, value)| set(parameter, value))
            .iter()
            .all(|taken| *taken)
    }
}

/// Makes the process keep the memory it frees, so that a step does not ask the kernel for the pages that the step before gave back: a
/// tenth of the time of a small model's training step, and of a prompt's. Memory use stays at its peak, and lies in large pages where
/// [`crate::LargePages`] gives it out. To be called before threads begin, which then share one heap. Returns whether the allocator took the hint.
pub fn keep_freed_memory() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let kept = glibc::keep();
        if kept {
            make_heap_of_large_pages();
        }
        kept
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glibc_takes_the_hint() {
        assert_eq!(keep_freed_memory(), cfg!(all(target_os = "linux", target_env = "gnu")));
    }
}
