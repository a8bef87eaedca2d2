//! Token embedding: rows of a table by id, and the sums of their gradients for each row that was used.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};

use crate::{
    Gradient, LinearWeight,
    composed::has_kernels,
    cpu::{Matrix, for_rows, matrix, tensor},
    gradient::RowGradient,
    matmul::Operand,
};

/// Rows `ids` of `table` [V, H], giving [T, H] f32. Differentiable in a table that is a tensor. A table that serves as output
/// projection too is packed for that; a row's words then lie a panel's line apart.
///
/// # Errors
/// When an id is not below V.
pub fn embedding(table: &LinearWeight, ids: &[u32]) -> Result<Tensor> {
    let (vocab, width) = table.dims()?;
    check_ids(ids, vocab)?;
    if !has_kernels(&table.device()) {
        return table.tensor()?.index_select(&Tensor::new(ids, &table.device())?, 0)?.to_dtype(DType::F32);
    }
    if let Some(table) = table.as_tensor() {
        return table.apply_op1(Lookup { ids: ids.to_vec() });
    }
    let mut rows = vec![0_f32; ids.len() * width];
    if let Operand::Packed(packed) = table.read()?.operand() {
        for_rows(&mut rows, width, |first, rows| {
            for (row, id) in rows.chunks_exact_mut(width.max(1)).zip(&ids[first..]) {
                row.iter_mut().zip(packed.row(*id as usize)).for_each(|(to, number)| *to = number);
            }
        });
    }
    tensor(rows, (ids.len(), width))
}

/// The gradient of a table [V, H] for the gradient `dy` [T, H], f32, of its rows `ids`: those of one row are summed in the order of
/// the tokens, and rows that no token names take no memory.
///
/// # Errors
/// When the shapes don't fit or an id is not below V.
pub fn embedding_backward(table: (usize, usize), ids: &[u32], dy: &Tensor) -> Result<Gradient> {
    let (vocab, width) = table;
    check_ids(ids, vocab)?;
    if dy.dims2()? != (ids.len(), width) {
        bail!("embedding: gradient {:?} for {} tokens of width {width}", dy.shape(), ids.len());
    }
    RowGradient::sum(table, ids, &dy.contiguous()?).map(Gradient::Rows)
}

fn check_ids(ids: &[u32], vocab: usize) -> Result<()> {
    match ids.iter().find(|id| **id as usize >= vocab) {
        Some(id) => bail!("embedding: token id {id} is not below the vocabulary size {vocab}"),
        None => Ok(()),
    }
}

struct Lookup {
    ids: Vec<u32>,
}

impl CustomOp1 for Lookup {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let mut rows = Vec::with_capacity(self.ids.len() * width);
        let range = |id: &u32| *id as usize * width..(*id as usize + 1) * width;
        match matrix(storage, layout)? {
            Matrix::F32(table) => self.ids.iter().for_each(|id| rows.extend_from_slice(&table[range(id)])),
            Matrix::Bf16(table) => {
                self.ids.iter().for_each(|id| rows.extend(table[range(id)].iter().map(|v| v.to_f32())));
            }
        }
        Ok((CpuStorage::F32(rows), Shape::from((self.ids.len(), width))))
    }

    fn bwd(&self, table: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        embedding_backward(table.dims2()?, &self.ids, dy)?.dense().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    use crate::testing::{assert_close, flat, normal, same_values_and_gradients, variable};
    use crate::{Format, WeightArena};

    #[test]
    fn values_and_gradients_agree_with_index_select_for_repeated_ids() {
        for ids in [&[0_u32][..], &[3, 3, 0, 4, 3], &[1; 50]] {
            let index = Tensor::new(ids, &Device::Cpu).unwrap();
            same_values_and_gradients(
                &[variable(1, (5, 7))],
                |t| embedding(&t[0].clone().into(), ids),
                |t| t[0].index_select(&index, 0),
            );
        }
    }

    #[test]
    fn a_bf16_table_gives_f32_rows() {
        let table = normal(1, (5, 7)).to_dtype(DType::BF16).unwrap();
        for weight in [LinearWeight::from(table.clone()), LinearWeight::frozen(&table).unwrap()] {
            let rows = embedding(&weight, &[4, 1]).unwrap();
            assert_eq!(rows.dtype(), DType::F32);
            assert_close(&rows.narrow(0, 1, 1).unwrap(), &table.narrow(0, 1, 1).unwrap(), 0.0);
        }
    }

    #[test]
    fn an_int8_table_gives_the_rows_that_it_multiplies_with() {
        let (table, mut arena) = (normal(1, (5, 70)), WeightArena::new(0));
        let weight = LinearWeight::frozen_as(&table, Format::Int8, &mut arena).unwrap();
        let rows = embedding(&weight, &[4, 1]).unwrap();
        assert_close(&rows.get(0).unwrap(), &weight.tensor().unwrap().get(4).unwrap(), 0.0);
        assert_close(&rows.get(1).unwrap(), &table.get(1).unwrap(), 0.5 / 127.0);
    }

    #[test]
    fn a_gradient_has_the_rows_that_were_used_in_order_and_each_once() {
        let dy = Tensor::new(&[[1_f32, 2.0], [3.0, 4.0], [10.0, 20.0]], &Device::Cpu).unwrap();
        let gradient = embedding_backward((5, 2), &[4, 1, 4], &dy).unwrap();
        assert_eq!(gradient.shape().dims(), &[5, 2]);
        assert_eq!(flat(gradient.values()), [3.0, 4.0, 11.0, 22.0]);
        assert_eq!(flat(&gradient.dense().unwrap()), [0.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 11.0, 22.0]);
        assert!(embedding_backward((4, 2), &[4, 1, 4], &dy).is_err());
        assert!(embedding_backward((5, 2), &[4, 1], &dy).is_err());
    }

    #[test]
    fn no_tokens_give_no_rows_and_an_unknown_id_is_refused() {
        let table = normal(1, (5, 7)).into();
        assert_eq!(embedding(&table, &[]).unwrap().dims(), &[0, 7]);
        let error = embedding(&table, &[5]).unwrap_err().to_string();
        assert!(error.contains("token id 5"), "{error}");
    }
}
