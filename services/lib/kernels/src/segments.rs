//! Sequences laid one after the other in one run of tokens: attention stays inside each, everything else sees rows.

use std::ops::Range;

/// The lengths of sequences packed into one run of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segments {
    ranges: Vec<Range<usize>>,
}

impl Segments {
    /// Sequences of these lengths, in order; empty ones are allowed.
    pub fn new(lengths: &[usize]) -> Self {
        let mut end = 0;
        let range = |length: &usize| {
            let start = end;
            end += length;
            start..end
        };
        Self { ranges: lengths.iter().map(range).collect() }
    }

    /// Tokens of all sequences.
    pub fn tokens(&self) -> usize {
        self.ranges.last().map_or(0, |last| last.end)
    }

    /// Where each sequence lies.
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    /// Each token's position in its own sequence.
    pub fn positions(&self) -> Vec<u32> {
        self.ranges.iter().flat_map(|range| 0..range.len() as u32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_lie_end_to_end_and_positions_start_anew() {
        let segments = Segments::new(&[2, 0, 3]);
        assert_eq!(segments.tokens(), 5);
        assert_eq!(segments.ranges(), &[0..2, 2..2, 2..5]);
        assert_eq!(segments.positions(), [0, 1, 0, 1, 2]);
        assert_eq!(Segments::new(&[]).tokens(), 0);
    }
}
