//! Words that begin with a cache line: a tile register's row that lies in two lines takes twice as long to load.

use std::{mem::MaybeUninit, ops::Deref};

use super::{Line, words_of_lines};

/// Words in a line.
const EACH: usize = 16;

/// A buffer of words; they are read as a slice.
#[derive(Debug, Default)]
pub(crate) struct Words {
    lines: Vec<Line>,
    len: usize,
}

impl Words {
    /// Room for so many words in place of those that were there; all of them are to be set.
    pub(crate) fn room(&mut self, len: usize) -> &mut [MaybeUninit<u32>] {
        let lines = len.div_ceil(EACH);
        self.lines.clear();
        self.len = 0;
        self.lines.reserve(lines);
        let spare = self.lines.spare_capacity_mut().as_mut_ptr().cast::<MaybeUninit<u32>>();
        // SAFETY: a line is 16 words and nothing else, and there are so many lines of room; nobody else holds it while this borrow lasts.
        let words = unsafe { std::slice::from_raw_parts_mut(spare, lines * EACH) };
        let (words, rest) = words.split_at_mut(len);
        rest.fill(MaybeUninit::new(0));
        words
    }

    /// Some of the words of the room, of which others may not yet be set.
    ///
    /// # Safety
    /// These are set, and not again while the borrow lasts.
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &[u32] {
        assert!(start + len <= self.lines.capacity() * EACH, "a part of words ends after their room");
        // SAFETY: a line is 16 words and nothing else; the caller promises that these are set.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast::<u32>().add(start), len) }
    }

    /// Says that all words of the room have been set.
    ///
    /// # Safety
    /// They have, since [`Words::room`] was asked for as many.
    pub(crate) unsafe fn set(&mut self, len: usize) {
        // SAFETY: the room had so many lines, and the words after the last one were set with it.
        unsafe { self.lines.set_len(len.div_ceil(EACH)) };
        self.len = len;
    }
}

impl Deref for Words {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &words_of_lines(&self.lines)[..self.len]
    }
}
