//! Access to the numbers of CPU tensors, and the splitting of rows among threads.

use std::{
    marker::PhantomData,
    mem::MaybeUninit,
    ops::{Deref, Range},
};

use candle_core::{CpuStorage, Device, Layout, Result, Shape, Storage, StorageRef, Tensor, bail};
use half::bf16;

use crate::team;

/// Work below this many numbers is not worth waking another thread.
const PARALLEL_FROM: usize = 16 * 1024;
/// Numbers in one task: small enough to stay in the second-level cache.
const TASK: usize = 16 * 1024;

/// A read-locked contiguous f32 tensor in main memory; the guard is dropped with it.
pub(crate) struct Floats<'a> {
    storage: StorageRef<'a>,
    range: Range<usize>,
}

impl Deref for Floats<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(data)) => &data[self.range.clone()],
            _ => unreachable!("`floats` has checked the storage"),
        }
    }
}

/// The numbers of a contiguous f32 CPU tensor.
pub(crate) fn floats(tensor: &Tensor) -> Result<Floats<'_>> {
    let (storage, layout) = tensor.storage_and_layout();
    let range = contiguous(layout)?;
    match &*storage {
        Storage::Cpu(CpuStorage::F32(_)) => {}
        Storage::Cpu(other) => bail!("expected f32 numbers, found {:?}", dtype_of(other)),
        _ => bail!(
            "expected a tensor in main memory, found one on {:?}; bring it there first",
            tensor.device().location()
        ),
    }
    Ok(Floats { storage, range })
}

/// Shows the numbers of a contiguous f32 tensor where they lie, or a copy of them if that is not in main memory.
///
/// # Errors
/// When it is of another dtype or strided, or can't be copied.
pub fn with_numbers<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> T) -> Result<T> {
    if tensor.device().is_cpu() {
        return Ok(read(&floats(tensor)?));
    }
    Ok(read(&tensor.flatten_all()?.to_vec1::<f32>()?))
}

/// Row-major numbers of a weight, f32 or bf16.
#[derive(Clone, Copy)]
pub(crate) enum Matrix<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

/// A read-locked contiguous weight in main memory.
pub(crate) struct Weight<'a> {
    storage: StorageRef<'a>,
    range: Range<usize>,
}

impl Weight<'_> {
    pub(crate) fn matrix(&self) -> Matrix<'_> {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(data)) => Matrix::F32(&data[self.range.clone()]),
            Storage::Cpu(CpuStorage::BF16(data)) => Matrix::Bf16(&data[self.range.clone()]),
            _ => unreachable!("`weight` has checked the storage"),
        }
    }
}

/// The numbers of a contiguous f32 or bf16 CPU tensor.
pub(crate) fn weight(tensor: &Tensor) -> Result<Weight<'_>> {
    let (storage, layout) = tensor.storage_and_layout();
    let range = contiguous(layout)?;
    match &*storage {
        Storage::Cpu(CpuStorage::F32(_) | CpuStorage::BF16(_)) => Ok(Weight { storage, range }),
        Storage::Cpu(other) => bail!("weights are f32 or bf16, found {:?}", dtype_of(other)),
        _ => bail!(
            "expected a tensor in main memory, found one on {:?}; bring it there first",
            tensor.device().location()
        ),
    }
}

/// The numbers of a custom op's argument.
pub(crate) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match storage {
        CpuStorage::F32(data) => Ok(&data[contiguous(layout)?]),
        other => bail!("expected f32 numbers, found {:?}", dtype_of(other)),
    }
}

/// The weight that is a custom op's argument.
pub(crate) fn matrix<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<Matrix<'a>> {
    match storage {
        CpuStorage::F32(data) => Ok(Matrix::F32(&data[contiguous(layout)?])),
        CpuStorage::BF16(data) => Ok(Matrix::Bf16(&data[contiguous(layout)?])),
        other => bail!("weights are f32 or bf16, found {:?}", dtype_of(other)),
    }
}

/// The numbers of an in-place op's target.
pub(crate) fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match storage {
        CpuStorage::F32(data) => Ok(&mut data[contiguous(layout)?]),
        other => bail!("expected f32 numbers, found {:?}", dtype_of(other)),
    }
}

fn contiguous(layout: &Layout) -> Result<Range<usize>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(start..end),
        None => bail!("expected a contiguous tensor, found strides {:?}", layout.stride()),
    }
}

fn dtype_of(storage: &CpuStorage) -> candle_core::DType {
    use candle_core::backend::BackendStorage;
    storage.dtype()
}

pub(crate) fn tensor(data: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(data, shape.into(), &Device::Cpu)
}

/// Rows of the flattened leading dimensions, and the width of the last one.
pub(crate) fn rows_and_width(shape: &Shape) -> Result<(usize, usize)> {
    match shape.dims().split_last() {
        Some((width, leading)) => Ok((leading.iter().product(), *width)),
        None => bail!("expected at least one dimension, found a scalar"),
    }
}

/// Rows per task for rows of `width` numbers.
pub(crate) fn rows_per_task(width: usize) -> usize {
    (TASK / width.max(1)).max(1)
}

/// Calls `work(first row, rows)` on pieces of a row-major output, on all threads when it is large enough.
pub(crate) fn for_rows(output: &mut [f32], width: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    let rows = rows_per_task(width);
    if output.len() < PARALLEL_FROM {
        output.chunks_mut(rows * width.max(1)).enumerate().for_each(|(i, part)| work(i * rows, part));
    } else {
        team::chunks_mut(output, rows * width.max(1), |i, part| work(i * rows, part));
    }
}

/// A row-major output of `len` numbers, made piece by piece as in [`for_rows`] without zeros being written first.
///
/// # Safety
/// `work` sets every number of the piece that it is given.
pub(crate) unsafe fn new_rows(
    len: usize,
    width: usize,
    work: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync,
) -> Vec<f32> {
    let mut output = Vec::with_capacity(len);
    let rows = rows_per_task(width);
    let spare = &mut output.spare_capacity_mut()[..len];
    if len < PARALLEL_FROM {
        spare.chunks_mut(rows * width.max(1)).enumerate().for_each(|(i, part)| work(i * rows, part));
    } else {
        team::chunks_mut(spare, rows * width.max(1), |i, part| work(i * rows, part));
    }
    // SAFETY: the pieces cover the output, and the caller promises that each is set.
    unsafe { output.set_len(len) };
    output
}

/// As [`new_rows`], for two outputs of the same shape.
///
/// # Safety
/// `work` sets every number of the pieces that it is given.
pub(crate) unsafe fn new_row_pairs(
    len: usize,
    work: impl Fn(usize, &mut [MaybeUninit<f32>], &mut [MaybeUninit<f32>]) + Sync,
) -> (Vec<f32>, Vec<f32>) {
    let (mut first, mut second) = (Vec::with_capacity(len), Vec::with_capacity(len));
    let (a, b) = (&mut first.spare_capacity_mut()[..len], &mut second.spare_capacity_mut()[..len]);
    let mut parts: Vec<_> = a.chunks_mut(TASK).zip(b.chunks_mut(TASK)).collect();
    team::chunks_mut(&mut parts, 1, |i, part| {
        let (a, b) = &mut part[0];
        work(i * TASK, a, b);
    });
    // SAFETY: the pieces cover the outputs, and the caller promises that each is set.
    unsafe {
        first.set_len(len);
        second.set_len(len);
    }
    (first, second)
}

/// A row-major output whose parts are written by several threads at once.
pub(crate) struct Scatter<'a> {
    data: *mut f32,
    len: usize,
    width: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: the only access is `part`, whose callers promise that no two threads hold overlapping parts.
unsafe impl Sync for Scatter<'_> {}

impl<'a> Scatter<'a> {
    pub(crate) fn new(data: &'a mut [f32], width: usize) -> Self {
        Self { data: data.as_mut_ptr(), len: data.len(), width, lifetime: PhantomData }
    }

    /// An output that holds nothing yet: it is written through [`Scatter::block`] before anything is read.
    pub(crate) fn fresh(data: &'a mut [MaybeUninit<f32>], width: usize) -> Self {
        Self { data: data.as_mut_ptr().cast(), len: data.len(), width, lifetime: PhantomData }
    }

    /// Columns `start..start + count` of a row.
    ///
    /// # Safety
    /// No other part that is still in use may overlap this one.
    #[allow(clippy::mut_from_ref, reason = "that parts do not overlap is the caller's promise")]
    pub(crate) unsafe fn part(&self, row: usize, start: usize, count: usize) -> &mut [f32] {
        let first = row * self.width + start;
        assert!(start + count <= self.width && first + count <= self.len, "part outside the output");
        // SAFETY: inside the borrowed slice by the assertion, and not shared by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(first), count) }
    }
}

impl Scatter<'_> {
    /// Sets columns from `start` on of a row.
    ///
    /// # Safety
    /// No other part that is still in use may overlap this one.
    pub(crate) unsafe fn copy(&self, row: usize, start: usize, numbers: &[f32]) {
        let (first, count) = (row * self.width + start, numbers.len());
        assert!(start + count <= self.width && first + count <= self.len, "part outside the output");
        // SAFETY: inside the borrowed slice by the assertion, and not shared by the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(numbers.as_ptr(), self.data.add(first), count) }
    }

    /// Where columns `start..start + count` of `rows` rows from `row` on begin; a row's width lies between two of them.
    ///
    /// # Safety
    /// No other part that is still in use may overlap this one.
    pub(crate) unsafe fn block(&self, row: usize, rows: usize, start: usize, count: usize) -> *mut f32 {
        let first = row * self.width + start;
        assert!(
            rows > 0 && start + count <= self.width && first + (rows - 1) * self.width + count <= self.len,
            "block outside the output"
        );
        self.data.wrapping_add(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    #[test]
    fn a_narrowed_tensor_shows_its_own_numbers_alone() {
        let whole = Tensor::arange(0_f32, 12.0, &Device::Cpu).unwrap().reshape((4, 3)).unwrap();
        let rows = whole.narrow(0, 1, 2).unwrap();
        assert_eq!(&*floats(&rows).unwrap(), &[3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    }

    #[test]
    fn strided_and_integer_tensors_are_refused() {
        let whole = Tensor::zeros((4, 3), DType::F32, &Device::Cpu).unwrap();
        assert!(floats(&whole.t().unwrap()).is_err());
        assert!(floats(&whole.to_dtype(DType::U32).unwrap()).is_err());
        assert!(weight(&whole.to_dtype(DType::F64).unwrap()).is_err());
    }

    #[test]
    fn every_row_is_worked_on_once() {
        for (rows, width) in [(0, 3), (1, 1), (5, 7), (1000, 100)] {
            let mut output = vec![0_f32; rows * width];
            for_rows(&mut output, width, |first, part| {
                for (row, values) in part.chunks_mut(width).enumerate() {
                    values.iter_mut().for_each(|value| *value += (first + row) as f32 + 1.0);
                }
            });
            assert!(output.iter().enumerate().all(|(i, v)| *v == (i / width) as f32 + 1.0));
        }
    }
}
