//! The weight of a linear map: packed once where it is frozen, a row-major tensor where it is trained or lies on another device.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, TensorId, bail};

use crate::{
    arena::{Lines, WeightArena},
    composed::has_kernels,
    cpu::{self, Matrix, tensor, weight},
    gemm::{Format, Packed, ask_for},
    matmul::Operand,
};

/// A matrix [out, in] to multiply by.
#[derive(Clone, Debug)]
pub struct LinearWeight(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Packed(Arc<Packed>),
    Tensor { tensor: Tensor, format: Format },
}

/// A weight whose numbers are read-locked.
pub(crate) enum Reading<'a> {
    Packed(&'a Packed),
    Rows(cpu::Weight<'a>, Format),
}

impl Reading<'_> {
    pub(crate) fn operand(&self) -> Operand<'_> {
        match self {
            Self::Packed(packed) => Operand::Packed(packed),
            Self::Rows(weight, format) => Operand::Rows(weight.matrix(), *format),
        }
    }

    /// Row `row` of a weight with so many inputs, as numbers.
    pub(crate) fn row(&self, row: usize, inputs: usize) -> Vec<f32> {
        let range = row * inputs..(row + 1) * inputs;
        match self {
            Self::Packed(packed) => packed.row(row).collect(),
            Self::Rows(weight, _) => match weight.matrix() {
                Matrix::F32(numbers) => numbers[range].to_vec(),
                Matrix::Bf16(numbers) => numbers[range].iter().map(|number| number.to_f32()).collect(),
            },
        }
    }
}

impl From<Tensor> for LinearWeight {
    /// A weight that stays a tensor: what is made of it sees later changes, and a tape its gradient. f32 is multiplied as f32,
    /// bf16 as bf16.
    fn from(tensor: Tensor) -> Self {
        let format = Format::from(tensor.dtype());
        Self(Kind::Tensor { tensor, format })
    }
}

impl LinearWeight {
    /// A weight that does not change: on a CPU its numbers, f32 or bf16, are packed and the tensor is let go.
    ///
    /// # Errors
    /// When the tensor is no contiguous matrix of f32 or bf16.
    pub fn frozen(tensor: &Tensor) -> Result<Self> {
        Self::pack(tensor, tensor.dtype().into(), Lines::zeros)
    }

    /// [`LinearWeight::frozen`] in memory that it shares with weights loaded beside it.
    ///
    /// # Errors
    /// As [`LinearWeight::frozen`].
    pub fn frozen_in(tensor: &Tensor, arena: &mut WeightArena) -> Result<Self> {
        Self::frozen_as(tensor, tensor.dtype().into(), arena)
    }

    /// [`LinearWeight::frozen_in`], rounded to this format.
    ///
    /// # Errors
    /// As [`LinearWeight::frozen`], and when int8 is asked for on another device than a CPU.
    pub fn frozen_as(tensor: &Tensor, format: Format, arena: &mut WeightArena) -> Result<Self> {
        Self::pack(tensor, format, |lines| arena.take(lines))
    }

    fn pack(tensor: &Tensor, format: Format, memory: impl FnOnce(usize) -> Lines) -> Result<Self> {
        if !has_kernels(tensor.device()) {
            let dtype = match format {
                Format::F32 => DType::F32,
                Format::F16 => DType::F16,
                Format::Bf16 => DType::BF16,
                Format::Int8 => {
                    bail!(
                        "int8 weights are for the CPU alone; load the model as bf16 or f32 on other devices"
                    )
                }
            };
            return Ok(Self(Kind::Tensor { tensor: tensor.to_dtype(dtype)?, format }));
        }
        let (sizes, numbers) = (tensor.dims2()?, weight(tensor)?);
        Ok(Self(Kind::Packed(Arc::new(Packed::new_in(numbers.matrix(), sizes, format, memory)))))
    }

    /// An f32 tensor that an optimizer changes in place, multiplied in the given format.
    pub fn trained(tensor: Tensor, format: Format) -> Self {
        Self(Kind::Tensor { tensor, format })
    }

    /// The numbers as they are now, packed for several products: for a weight that a step reads and an optimizer then changes. A
    /// weight that is packed, that a tape follows, or that lies on another device is given as it is.
    ///
    /// # Errors
    /// When the tensor is no contiguous matrix of f32 or bf16.
    pub fn packed(&self) -> Result<Self> {
        match &self.0 {
            Kind::Tensor { tensor, format } if has_kernels(tensor.device()) && !tensor.track_op() => {
                let (outputs, inputs) = tensor.dims2()?;
                let packed = Packed::new(weight(tensor)?.matrix(), outputs, inputs, *format);
                Ok(Self(Kind::Packed(Arc::new(packed))))
            }
            _ => Ok(self.clone()),
        }
    }

    /// In which format it is multiplied.
    pub fn format(&self) -> Format {
        match &self.0 {
            Kind::Packed(packed) => crate::gemm::Panels::format(&**packed),
            Kind::Tensor { format, .. } => *format,
        }
    }

    /// (out, in).
    ///
    /// # Errors
    /// When it is made of a tensor that is no matrix.
    pub fn dims(&self) -> Result<(usize, usize)> {
        match &self.0 {
            Kind::Packed(packed) => Ok((packed.outputs(), packed.inputs())),
            Kind::Tensor { tensor, .. } => tensor.dims2(),
        }
    }

    /// The weight as a row-major tensor [out, in] of the dtype it was made from; unpacked into a new one where it is packed, which is
    /// f32 for f16 and int8.
    ///
    /// # Errors
    /// When memory for the copy is not to be had.
    pub fn tensor(&self) -> Result<Tensor> {
        match &self.0 {
            Kind::Packed(packed) => {
                let numbers: Vec<f32> = (0..packed.outputs()).flat_map(|output| packed.row(output)).collect();
                let tensor = tensor(numbers, (packed.outputs(), packed.inputs()))?;
                match self.format() {
                    Format::F32 | Format::F16 | Format::Int8 => Ok(tensor),
                    Format::Bf16 => tensor.to_dtype(DType::BF16),
                }
            }
            Kind::Tensor { tensor, .. } => Ok(tensor.clone()),
        }
    }

    /// Row `row` as numbers: what is compared or measured row by row needs no copy of the whole.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn row(&self, row: usize) -> Result<Vec<f32>> {
        let (outputs, inputs) = self.dims()?;
        if row >= outputs {
            bail!("weight: row {row} of {outputs}");
        }
        if !self.device().is_cpu() {
            return self.tensor()?.get(row)?.to_dtype(DType::F32)?.to_vec1();
        }
        Ok(self.read()?.row(row, inputs))
    }

    /// Which tensor it is made of, if it still is.
    pub fn tensor_id(&self) -> Option<TensorId> {
        match &self.0 {
            Kind::Packed(_) => None,
            Kind::Tensor { tensor, .. } => Some(tensor.id()),
        }
    }

    /// The same weight, out of reach of any tape.
    pub fn detach(&self) -> Self {
        match &self.0 {
            Kind::Packed(packed) => Self(Kind::Packed(packed.clone())),
            Kind::Tensor { tensor, format } => {
                Self(Kind::Tensor { tensor: tensor.detach(), format: *format })
            }
        }
    }

    /// Bytes that a frozen weight [outputs, inputs] takes on a CPU.
    pub fn packed_bytes(outputs: usize, inputs: usize, format: Format) -> usize {
        Packed::size_in_bytes(outputs, inputs, format)
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Kind::Packed(packed) => packed.bytes(),
            Kind::Tensor { tensor, .. } => tensor.elem_count() * tensor.dtype().size_in_bytes(),
        }
    }

    /// The numbers as f32 and in the format they are multiplied in, in candle's operations. A tape follows to a tensor.
    pub(crate) fn rounded(&self) -> Result<Tensor> {
        let tensor = self.tensor()?;
        if tensor.dtype() == DType::F32 {
            rounded(&tensor, self.format())
        } else {
            tensor.to_dtype(DType::F32)
        }
    }

    /// The tensor, where it has not been packed.
    pub(crate) fn as_tensor(&self) -> Option<&Tensor> {
        match &self.0 {
            Kind::Packed(_) => None,
            Kind::Tensor { tensor, .. } => Some(tensor),
        }
    }

    /// Where it lies.
    pub fn device(&self) -> Device {
        self.as_tensor().map_or(Device::Cpu, |tensor| tensor.device().clone())
    }

    /// Asks memory for what says where the numbers lie.
    #[inline]
    pub(crate) fn ask(&self) {
        if let Kind::Packed(packed) = &self.0 {
            ask_for(Arc::as_ptr(packed));
        }
    }

    pub(crate) fn read(&self) -> Result<Reading<'_>> {
        match &self.0 {
            Kind::Packed(packed) => Ok(Reading::Packed(packed)),
            Kind::Tensor { tensor, format } => Ok(Reading::Rows(weight(tensor)?, *format)),
        }
    }
}

/// f32 numbers rounded to those that a format has, in candle's operations; a gradient passes as if they were not.
pub(crate) fn rounded(x: &Tensor, format: Format) -> Result<Tensor> {
    let narrow = match format {
        Format::F32 | Format::Int8 => return Ok(x.clone()),
        Format::F16 => DType::F16,
        Format::Bf16 => DType::BF16,
    };
    let plain = x.detach();
    let numbers = plain.to_dtype(narrow)?.to_dtype(DType::F32)?;
    // The difference of a number and its rounding is exact, and so is the sum.
    if x.track_op() { x + (numbers - plain)? } else { Ok(numbers) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, normal};

    #[test]
    fn a_packed_weight_gives_its_tensor_back_bit_for_bit() {
        for dtype in [DType::F32, DType::BF16] {
            let tensor = normal(1, (45, 33)).to_dtype(dtype).unwrap();
            let weight = LinearWeight::frozen(&tensor).unwrap();
            assert_eq!(weight.dims().unwrap(), (45, 33));
            let row: Vec<f32> = tensor.get(7).unwrap().to_dtype(DType::F32).unwrap().to_vec1().unwrap();
            assert_eq!(weight.row(7).unwrap(), row);
            assert_eq!(LinearWeight::from(tensor.clone()).row(7).unwrap(), row);
            assert!(weight.row(45).is_err());
            let back = weight.tensor().unwrap();
            assert_eq!(back.dtype(), dtype);
            assert_close(&back, &tensor, 0.0);
        }
    }

    #[test]
    fn bf16_takes_half_the_memory_of_f32() {
        let tensor = normal(1, (64, 64));
        let bytes = |t: &Tensor| LinearWeight::frozen(t).unwrap().bytes();
        assert_eq!(bytes(&tensor), 64 * 64 * 4);
        assert_eq!(bytes(&tensor.to_dtype(DType::BF16).unwrap()), 64 * 64 * 2);
    }

    #[test]
    fn int8_takes_half_the_memory_of_bf16_and_a_scale_for_each_64_numbers() {
        let mut arena = WeightArena::new(0);
        let weight = LinearWeight::frozen_as(&normal(1, (64, 128)), Format::Int8, &mut arena).unwrap();
        assert_eq!((weight.format(), weight.bytes()), (Format::Int8, 64 * (128 + 2 * 4)));
        assert_eq!(LinearWeight::packed_bytes(64, 128, Format::Int8), weight.bytes());
    }

    #[test]
    fn a_trained_tensor_keeps_its_identity_and_a_packed_one_has_none() {
        let tensor = normal(1, (4, 3));
        assert_eq!(LinearWeight::trained(tensor.clone(), Format::Bf16).tensor_id(), Some(tensor.id()));
        assert_eq!(LinearWeight::frozen(&tensor).unwrap().tensor_id(), None);
    }
}
