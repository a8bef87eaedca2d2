//! Keys and values of one sequence in one layer, kept between calls, and attention of new tokens to them.

use candle_core::{Device, Result, Tensor, bail};

use super::{
    Heads,
    forward::{self, Keys, Queries},
    plain,
};
use crate::cpu::{floats, tensor};

/// Tokens by which the buffers grow.
const GROWTH: usize = 64;

/// The keys and values of one sequence in one layer, [S, Hkv * D] f32 each, growing in blocks.
#[derive(Debug)]
pub struct KeyValues {
    width: usize,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Host {
        keys: Vec<f32>,
        values: Vec<f32>,
    },
    /// Rows from `len` on are left from before a truncation.
    Device {
        pair: Option<(Tensor, Tensor)>,
        len: usize,
    },
}

impl KeyValues {
    /// An empty store for rows of `Hkv * D` numbers.
    pub fn new(heads: Heads, device: &Device) -> Self {
        let kept = if device.is_cpu() {
            Kept::Host { keys: Vec::new(), values: Vec::new() }
        } else {
            Kept::Device { pair: None, len: 0 }
        };
        Self { width: heads.key_width(), kept }
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        match &self.kept {
            Kept::Host { keys, .. } => keys.len() / self.width,
            Kept::Device { len, .. } => *len,
        }
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes allocated for keys and values.
    pub fn bytes(&self) -> usize {
        let numbers = match &self.kept {
            Kept::Host { keys, values } => keys.capacity() + values.capacity(),
            Kept::Device { .. } => 2 * self.len() * self.width,
        };
        numbers * size_of::<f32>()
    }

    /// Appends the rows `k` and `v` [n, Hkv * D], f32.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn append(&mut self, k: &Tensor, v: &Tensor) -> Result<()> {
        if k.dims2()?.1 != self.width || v.shape() != k.shape() {
            bail!("cache: keys {:?}, values {:?} for rows of {}", k.shape(), v.shape(), self.width);
        }
        match &mut self.kept {
            Kept::Host { keys, values } => {
                extend(keys, &floats(&k.contiguous()?)?, self.width);
                extend(values, &floats(&v.contiguous()?)?, self.width);
            }
            Kept::Device { pair, len } => {
                *pair = Some(match pair.take().filter(|_| *len > 0) {
                    None => (k.clone(), v.clone()),
                    Some((keys, values)) => (
                        Tensor::cat(&[&keys.narrow(0, 0, *len)?, k], 0)?,
                        Tensor::cat(&[&values.narrow(0, 0, *len)?, v], 0)?,
                    ),
                });
                *len += k.dim(0)?;
            }
        }
        Ok(())
    }

    /// Forgets all but the first `len` tokens.
    pub fn truncate(&mut self, len: usize) {
        match &mut self.kept {
            Kept::Host { keys, values } => {
                keys.truncate(len * self.width);
                values.truncate(len * self.width);
            }
            Kept::Device { len: kept, .. } => *kept = len.min(*kept),
        }
    }
}

fn extend(kept: &mut Vec<f32>, rows: &[f32], width: usize) {
    let needed = kept.len() + rows.len();
    if needed > kept.capacity() {
        // Half as much again keeps copying linear; whole blocks keep the allocator calm.
        let tokens = (needed / width).max(kept.capacity() / width * 3 / 2).next_multiple_of(GROWTH);
        kept.reserve_exact(tokens * width - kept.len());
    }
    kept.extend_from_slice(rows);
}

/// Attention of the newest tokens of a sequence, `q` [n, Hq * D] f32, to all tokens in the store, whose last n are their own.
/// The same bits as when the whole sequence is computed at once. Not differentiable.
///
/// # Errors
/// When the shapes don't fit, or the store holds fewer tokens than there are queries.
pub fn attention_cached(q: &Tensor, kept: &KeyValues, heads: Heads) -> Result<Tensor> {
    let (n, width) = q.dims2()?;
    let len = kept.len();
    if width != heads.query_width() || kept.width != heads.key_width() || n > len {
        bail!("attention: queries {:?} do not fit {len} cached tokens and {heads:?}", q.shape());
    }
    match &kept.kept {
        Kept::Host { keys, values } => {
            let queries = Queries { rows: 0..n, position: len - n };
            let q = q.contiguous()?;
            let (output, _) = forward::run(&floats(&q)?, &[(queries, Keys { k: keys, v: values })], heads);
            tensor(output, (n, width))
        }
        Kept::Device { pair: Some((keys, values)), len } => {
            plain::one(q, &keys.narrow(0, 0, *len)?, &values.narrow(0, 0, *len)?, heads)
        }
        Kept::Device { pair: None, .. } => q.zeros_like(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Segments, attention,
        testing::{assert_close, normal},
    };

    const HEADS: Heads = Heads { query: 4, key_value: 2, dim: 16 };

    fn rows(t: &Tensor, start: usize, n: usize) -> Tensor {
        t.narrow(0, start, n).unwrap()
    }

    #[test]
    fn cached_and_chunked_attention_has_the_bits_of_the_whole() {
        let (q, k, v) = (normal(1, (150, 64)), normal(2, (150, 32)), normal(3, (150, 32)));
        let whole = attention(&q, &k, &v, &Segments::new(&[150]), HEADS).unwrap();
        for chunks in [&[150][..], &[1, 63, 64, 1, 21], &[100, 1, 1, 48], &[1; 150]] {
            let mut kept = KeyValues::new(HEADS, &Device::Cpu);
            let mut start = 0;
            for n in chunks {
                kept.append(&rows(&k, start, *n), &rows(&v, start, *n)).unwrap();
                let found = attention_cached(&rows(&q, start, *n), &kept, HEADS).unwrap();
                assert_close(&found, &rows(&whole, start, *n), 0.0);
                start += n;
            }
        }
    }

    #[test]
    fn truncation_goes_back_to_an_earlier_state() {
        let (q, k, v) = (normal(1, (10, 64)), normal(2, (10, 32)), normal(3, (10, 32)));
        let mut kept = KeyValues::new(HEADS, &Device::Cpu);
        kept.append(&k, &v).unwrap();
        let first = attention_cached(&rows(&q, 9, 1), &kept, HEADS).unwrap();
        kept.append(&v, &k).unwrap();
        kept.truncate(10);
        assert_eq!(kept.len(), 10);
        assert_close(&attention_cached(&rows(&q, 9, 1), &kept, HEADS).unwrap(), &first, 0.0);
        kept.truncate(0);
        assert!(kept.is_empty());
    }

    #[test]
    fn memory_grows_in_blocks() {
        let mut kept = KeyValues::new(HEADS, &Device::Cpu);
        assert_eq!(kept.bytes(), 0);
        kept.append(&normal(1, (1, 32)), &normal(2, (1, 32))).unwrap();
        assert_eq!(kept.bytes(), 2 * GROWTH * 32 * 4);
    }

    #[test]
    fn rows_of_another_width_and_queries_without_keys_are_refused() {
        let mut kept = KeyValues::new(HEADS, &Device::Cpu);
        assert!(kept.append(&normal(1, (1, 31)), &normal(1, (1, 31))).is_err());
        assert!(attention_cached(&normal(1, (1, 64)), &kept, HEADS).is_err());
    }
}
