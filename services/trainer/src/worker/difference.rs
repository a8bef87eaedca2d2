//! Where two sets of tensors differ first, bit for bit, as a sentence.

use candle_core::Tensor;

use super::learner::Tensors;

/// The first difference between tensors made again and those of a file, both in order of their names.
pub(super) fn difference(file: &str, made: &Tensors, stored: &Tensors) -> Option<String> {
    let names = |tensors: &Tensors| tensors.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let (mine, theirs) = (names(made), names(stored));
    if mine != theirs {
        let odd = mine.iter().find(|name| !theirs.contains(name));
        let odd = odd.or_else(|| theirs.iter().find(|name| !mine.contains(name)));
        return Some(format!(
            "{file}: only one of the two has the tensor {}",
            odd.map_or("", String::as_str)
        ));
    }
    made.iter().zip(stored).find_map(|((name, made), (_, stored))| {
        let found = of_tensor(made, stored)?;
        Some(format!("{file}: {name}{found}"))
    })
}

fn of_tensor(made: &Tensor, stored: &Tensor) -> Option<String> {
    if made.shape() != stored.shape() || made.dtype() != stored.dtype() {
        let of = |tensor: &Tensor| format!("{:?} {:?}", tensor.dtype(), tensor.dims());
        return Some(format!(" is {} when made again, {} as stored", of(made), of(stored)));
    }
    let (made, stored) = match (bits(made), bits(stored)) {
        (Ok(made), Ok(stored)) => (made, stored),
        (made, stored) => return Some(format!(" can't be read: {:?}", made.err().or(stored.err()))),
    };
    let place = made.iter().zip(&stored).position(|(made, stored)| made != stored)?;
    let shown = |bits: u32| format!("{:e} ({bits:#010x})", f32::from_bits(bits));
    Some(format!("[{place}] is {} when made again, {} as stored", shown(made[place]), shown(stored[place])))
}

/// The bits of all numbers as f32: what is trained is f32, and what is not is compared by digest.
fn bits(tensor: &Tensor) -> Result<Vec<u32>, candle_core::Error> {
    let numbers = tensor.flatten_all()?.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>()?;
    Ok(numbers.into_iter().map(f32::to_bits).collect())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn tensors(numbers: [f32; 3]) -> Tensors {
        vec![("a".to_owned(), Tensor::new(&numbers, &Device::Cpu).unwrap())]
    }

    #[test]
    fn a_flipped_bit_is_named_with_its_tensor_and_place() {
        let flipped = f32::from_bits(2.0_f32.to_bits() ^ 1);
        let found = difference("weights", &tensors([1.0, 2.0, 3.0]), &tensors([1.0, flipped, 3.0])).unwrap();
        assert!(found.contains("weights: a[1]") && found.contains("0x40000001"), "{found}");
        assert_eq!(
            difference("weights", &tensors([1.0, f32::NAN, 3.0]), &tensors([1.0, f32::NAN, 3.0])),
            None
        );
        let found = difference("weights", &tensors([0.0; 3]), &tensors([0.0, 0.0, -0.0])).unwrap();
        assert!(found.contains("a[2]"), "{found}");
    }

    #[test]
    fn a_tensor_that_only_one_has_or_of_another_shape_is_named() {
        let found = difference("weights", &tensors([1.0; 3]), &Tensors::new()).unwrap();
        assert!(found.contains("only one of the two has the tensor a"), "{found}");
        let wide = vec![("a".to_owned(), Tensor::new(&[[1.0_f32]], &Device::Cpu).unwrap())];
        assert!(difference("weights", &tensors([1.0; 3]), &wide).unwrap().contains("[1, 1] as stored"));
    }
}
