//! The gradient of a parameter: all of its numbers, or of a table those of the rows that were looked up.

use std::{borrow::Cow, ops::Range};

use candle_core::{CpuStorage, DType, Device, InplaceOp2, Layout, Result, Shape, Tensor, Var, bail};

use crate::{
    composed::has_kernels,
    cpu::{Floats, floats, for_rows, slice, slice_mut, tensor},
    residual,
};

/// The gradient of one parameter, f32.
#[derive(Clone, Debug)]
pub enum Gradient {
    /// A number for each of the parameter's.
    Dense(Tensor),
    /// Those of some rows; all others are zero.
    Rows(RowGradient),
}

/// The gradient of a table [V, H] in the n rows that a batch used.
#[derive(Clone, Debug)]
pub struct RowGradient {
    table: (usize, usize),
    /// Ascending, each once.
    ids: Vec<u32>,
    /// [n, H], f32.
    rows: Tensor,
}

impl From<Tensor> for Gradient {
    fn from(tensor: Tensor) -> Self {
        Self::Dense(tensor)
    }
}

impl Gradient {
    /// Nothing but zeros, which for a matrix take no memory where it lies in main memory; other devices have no empty tensors.
    ///
    /// # Errors
    /// When memory for the zeros is not to be had.
    pub fn zeros(parameter: &Var) -> Result<Self> {
        let table = match parameter.dims2() {
            Ok(table) if has_kernels(parameter.device()) => table,
            _ => return Ok(Self::Dense(parameter.zeros_like()?)),
        };
        let rows = Tensor::zeros((0, table.1), DType::F32, parameter.device())?;
        Ok(Self::Rows(RowGradient { table, ids: Vec::new(), rows }))
    }

    /// The shape of the parameter.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Dense(tensor) => tensor.shape().clone(),
            Self::Rows(rows) => rows.table.into(),
        }
    }

    /// The numbers that are in memory: of the parameter's shape, or rows [n, H].
    pub fn values(&self) -> &Tensor {
        match self {
            Self::Dense(tensor) | Self::Rows(RowGradient { rows: tensor, .. }) => tensor,
        }
    }

    pub(crate) fn values_mut(&mut self) -> &mut Tensor {
        match self {
            Self::Dense(tensor) | Self::Rows(RowGradient { rows: tensor, .. }) => tensor,
        }
    }

    /// The gradient as a tensor of the parameter's shape.
    ///
    /// # Errors
    /// When memory for the tensor is not to be had.
    pub fn dense(&self) -> Result<Tensor> {
        match self {
            Self::Dense(tensor) => Ok(tensor.clone()),
            Self::Rows(rows) => rows.add_to(Tensor::zeros(rows.table, DType::F32, rows.rows.device())?),
        }
    }

    /// The sum of two gradients of one parameter: rows as long as both are. Rows are added to a tensor in place, so that no other
    /// tensor should share its numbers.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn plus(self, other: Self) -> Result<Self> {
        if self.shape() != other.shape() {
            bail!("gradient: {:?} and {:?} differ", self.shape(), other.shape());
        }
        match (self, other) {
            (Self::Dense(sum), Self::Dense(other)) => residual::add(&sum, &other).map(Self::Dense),
            (Self::Rows(sum), Self::Rows(other)) => sum.add(&other).map(Self::Rows),
            (Self::Dense(sum), Self::Rows(rows)) | (Self::Rows(rows), Self::Dense(sum)) => {
                rows.add_to(sum).map(Self::Dense)
            }
        }
    }

    /// The same gradient in main memory, contiguous.
    pub(crate) fn host(&self) -> Result<Self> {
        let host = |tensor: &Tensor| tensor.detach().to_device(&Device::Cpu)?.contiguous();
        Ok(match self {
            Self::Dense(tensor) => Self::Dense(host(tensor)?),
            Self::Rows(rows) => Self::Rows(RowGradient { rows: host(&rows.rows)?, ..rows.clone() }),
        })
    }

    /// The numbers of a gradient that [`Gradient::host`] gave.
    pub(crate) fn numbers(&self) -> Result<Numbers<'_>> {
        Ok(match self {
            Self::Dense(tensor) => Numbers::Dense(floats(tensor)?),
            Self::Rows(RowGradient { table: (_, width), ids, rows }) => {
                Numbers::Rows { ids, width: *width, rows: floats(rows)? }
            }
        })
    }
}

impl RowGradient {
    /// The gradient of a table [V, H] whose rows `ids`, each below V, have the gradients `dy` [T, H]: those of one row are summed in
    /// their order.
    pub(crate) fn sum(table: (usize, usize), ids: &[u32], dy: &Tensor) -> Result<Self> {
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|token| ids[*token]);
        let runs: Vec<&[usize]> = order.chunk_by(|a, b| ids[*a] == ids[*b]).collect();
        let rows =
            if has_kernels(dy.device()) { sums(&runs, dy, table.1)? } else { sums_elsewhere(&runs, dy)? };
        Ok(Self { table, ids: runs.iter().map(|run| ids[run[0]]).collect(), rows })
    }

    fn add(&self, other: &Self) -> Result<Self> {
        Self::sum(
            self.table,
            &[&*self.ids, &other.ids].concat(),
            &Tensor::cat(&[&self.rows, &other.rows], 0)?,
        )
    }

    fn add_to(&self, table: Tensor) -> Result<Tensor> {
        if !has_kernels(table.device()) {
            return table.index_add(&Tensor::new(&*self.ids, table.device())?, &self.rows, 0);
        }
        table.inplace_op2(&self.rows, &AddRows { ids: &self.ids })?;
        Ok(table)
    }
}

/// A row for each run of tokens.
fn sums(runs: &[&[usize]], dy: &Tensor, width: usize) -> Result<Tensor> {
    let (dy, mut sums) = (floats(dy)?, vec![0.0; runs.len() * width]);
    for_rows(&mut sums, width, |first, part| {
        for (sum, run) in part.chunks_exact_mut(width).zip(&runs[first..]) {
            run.iter().for_each(|token| add_row(sum, &dy[token * width..][..width]));
        }
    });
    tensor(sums, (runs.len(), width))
}

fn sums_elsewhere(runs: &[&[usize]], dy: &Tensor) -> Result<Tensor> {
    let mut places = vec![0_u32; dy.dim(0)?];
    for (run, place) in runs.iter().zip(0..) {
        run.iter().for_each(|token| places[*token] = place);
    }
    let zeros = Tensor::zeros((runs.len(), dy.dim(1)?), DType::F32, dy.device())?;
    zeros.index_add(&Tensor::new(places, dy.device())?, dy, 0)
}

fn add_row(sum: &mut [f32], row: &[f32]) {
    sum.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
}

struct AddRows<'a> {
    ids: &'a [u32],
}

impl InplaceOp2 for AddRows<'_> {
    fn name(&self) -> &'static str {
        "add_rows"
    }

    fn cpu_fwd(&self, dst: &mut CpuStorage, dst_l: &Layout, src: &CpuStorage, src_l: &Layout) -> Result<()> {
        let (_, width) = dst_l.shape().dims2()?;
        let (table, rows) = (slice_mut(dst, dst_l)?, slice(src, src_l)?);
        for (id, row) in self.ids.iter().zip(rows.chunks_exact(width)) {
            add_row(&mut table[*id as usize * width..][..width], row);
        }
        Ok(())
    }
}

/// A gradient's numbers, read-locked, by their places in the parameter.
pub(crate) enum Numbers<'a> {
    Dense(Floats<'a>),
    Rows { ids: &'a [u32], width: usize, rows: Floats<'a> },
}

impl Numbers<'_> {
    /// The pieces of a range that are in memory, in order, and where in the range each begins; zeros lie between them.
    pub(crate) fn pieces(&self, range: Range<usize>) -> Box<dyn Iterator<Item = (usize, &[f32])> + '_> {
        match self {
            Self::Dense(numbers) => Box::new(std::iter::once((0, &numbers[range]))),
            Self::Rows { ids, width, rows } => {
                let first = ids.partition_point(|id| (*id as usize + 1) * width <= range.start);
                let after = ids.partition_point(|id| (*id as usize) * width < range.end);
                Box::new((first..after).map(move |row| {
                    let begins = ids[row] as usize * width;
                    let (start, end) = (range.start.max(begins), range.end.min(begins + width));
                    (start - range.start, &rows[row * width..][start - begins..end - begins])
                }))
            }
        }
    }

    /// All numbers of a range.
    pub(crate) fn read(&self, range: Range<usize>) -> Cow<'_, [f32]> {
        if let Self::Dense(numbers) = self {
            return Cow::Borrowed(&numbers[range]);
        }
        let mut numbers = vec![0.0; range.len()];
        for (start, piece) in self.pieces(range) {
            numbers[start..][..piece.len()].copy_from_slice(piece);
        }
        Cow::Owned(numbers)
    }
}

#[cfg(test)]
mod tests;
