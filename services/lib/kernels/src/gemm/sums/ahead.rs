//! What is read later than the tiles that are multiplied.

use crate::gemm::{
    LINE_WORDS,
    kernel::{MOST_LINES, Next},
};

/// What is read later, in this order: memory is asked for it while tiles are multiplied. Few rows leave memory idle while they meet a
/// panel, and what many adapters have for a row each comes as slowly as memory gives it.
#[derive(Default)]
pub(super) struct Ahead<'a> {
    words: Vec<&'a [u32]>,
    /// What the present tile asks for.
    taken: Vec<&'a [u32]>,
    from: usize,
    /// Lines that a step asks for.
    lines: usize,
}

impl<'a> Ahead<'a> {
    /// With room for so many parts.
    pub(super) fn of(parts: usize) -> Self {
        Self { words: Vec::with_capacity(parts), taken: Vec::with_capacity(parts), ..Self::default() }
    }

    /// Begins anew, in the same memory: this happens for each panel. So many steps will ask for it.
    pub(super) fn set(&mut self, words: impl Iterator<Item = &'a [u32]>, steps: usize) {
        self.words.clear();
        self.words.extend(words);
        self.from = 0;
        let lines: usize = self.words.iter().map(|words| words.len().div_ceil(LINE_WORDS)).sum();
        self.lines = lines.div_ceil(steps.max(1)).min(MOST_LINES);
    }

    /// As much as so many steps ask for.
    pub(super) fn take(&mut self, steps: usize) -> Next<'_> {
        self.taken.clear();
        let mut left = steps * self.lines * LINE_WORDS;
        while left > 0
            && let Some(words) = self.words.get_mut(self.from)
        {
            let (now, later) = words.split_at(left.min(words.len()));
            *words = later;
            left -= now.len();
            self.taken.push(now);
            self.from += usize::from(later.is_empty());
        }
        Next { parts: &self.taken, lines: self.lines }
    }
}
