//! Where the rows lie that an adapter puts before each of several packed sequences.

use candle_core::Tensor;
use rootstock_kernels::Segments;

use crate::ModelError;

/// So many rows before those of each sequence, empty ones excepted.
#[derive(Debug)]
pub(crate) struct Lead {
    rows: usize,
    segments: Segments,
}

impl Lead {
    pub(crate) fn new(rows: usize, of: &Segments) -> Self {
        let lengths = of.ranges().iter().map(|range| if range.is_empty() { 0 } else { rows + range.len() });
        Self { rows, segments: Segments::new(&lengths.collect::<Vec<_>>()) }
    }

    /// The sequences, longer by what is before them.
    pub(crate) fn segments(&self) -> &Segments {
        &self.segments
    }

    /// The position of each of the sequences' own rows, which come after those before them.
    pub(crate) fn positions(&self) -> Vec<u32> {
        self.filled().flat_map(|(_, own)| self.rows as u32..(self.rows + own) as u32).collect()
    }

    /// `first` [n, W] before the rows of each sequence, of `rows` [T, W].
    pub(crate) fn put_before(&self, first: &Tensor, rows: &Tensor) -> Result<Tensor, ModelError> {
        let (first, mut parts, mut next) = (first.detach(), Vec::new(), 0);
        for (_, own) in self.filled() {
            parts.extend([first.clone(), rows.narrow(0, next, own)?]);
            next += own;
        }
        Ok(Tensor::cat(&parts, 0)?)
    }

    /// [`Lead::put_before`] with zeros.
    pub(crate) fn put_zeros_before(&self, rows: &Tensor) -> Result<Tensor, ModelError> {
        self.put_before(&Tensor::zeros((self.rows, rows.dim(1)?), rows.dtype(), rows.device())?, rows)
    }

    /// The sequences' own rows [T, W].
    pub(crate) fn own(&self, rows: &Tensor) -> Result<Tensor, ModelError> {
        let own = |(start, own)| rows.narrow(0, start + self.rows, own);
        Ok(Tensor::cat(&self.filled().map(own).collect::<Result<Vec<_>, _>>()?, 0)?)
    }

    /// The sum [n, W] of the rows before each sequence, in the order of the sequences: a gradient of what was put there.
    pub(crate) fn sum(&self, rows: &Tensor) -> Result<Tensor, ModelError> {
        let mut sum = Tensor::zeros((self.rows, rows.dim(1)?), rows.dtype(), rows.device())?;
        for (start, _) in self.filled() {
            sum = (sum + rows.narrow(0, start, self.rows)?)?;
        }
        Ok(sum)
    }

    /// Where each sequence that is not empty begins, and how many rows of its own it has.
    fn filled(&self) -> impl Iterator<Item = (usize, usize)> {
        let filled = self.segments.ranges().iter().filter(|range| !range.is_empty());
        filled.map(|range| (range.start, range.len() - self.rows))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::testing::flat;

    fn column(numbers: &[f32]) -> Tensor {
        Tensor::from_slice(numbers, (numbers.len(), 1), &Device::Cpu).unwrap()
    }

    #[test]
    fn rows_are_put_before_each_sequence_and_taken_away_again() {
        let lead = Lead::new(2, &Segments::new(&[1, 0, 2]));
        let rows = column(&[1.0, 2.0, 3.0]);
        let all = lead.put_before(&column(&[-1.0, -2.0]), &rows).unwrap();
        assert_eq!(flat(&all), [-1.0, -2.0, 1.0, -1.0, -2.0, 2.0, 3.0]);
        assert_eq!(lead.segments(), &Segments::new(&[3, 0, 4]));
        assert_eq!(lead.positions(), [2, 2, 3]);
        assert_eq!(flat(&lead.own(&all).unwrap()), flat(&rows));
        assert_eq!(flat(&lead.sum(&all).unwrap()), [-2.0, -4.0]);
        assert_eq!(flat(&lead.put_zeros_before(&rows).unwrap())[..3], [0.0, 0.0, 1.0]);
    }
}
