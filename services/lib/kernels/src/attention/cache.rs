//! Keys and values of one sequence in one layer, kept between calls, and attention of new tokens to them.

use candle_core::{DType, Device, Result, Tensor, bail};

use super::{
    Heads, KEY_BLOCK, Sight,
    forward::{self, Queries, Sequence},
    page::{KeyValuePage, append_rows},
    plain,
};
use crate::{
    composed::has_kernels,
    cpu::{floats, tensor},
    gemm::Format,
    team,
};

/// How many times a thread shall come for more stores to append to.
const HELPINGS: usize = 4;

/// The keys and values of one sequence in one layer, S rows of Hkv * D numbers each, in pages of 64 tokens: f32, or for other formats
/// rounded to bf16 before they are first used. Clones share pages, until one of them writes.
#[derive(Clone, Debug)]
pub struct KeyValues {
    width: usize,
    /// Width of a head.
    dim: usize,
    format: Format,
    kept: Kept,
}

#[derive(Clone, Debug)]
enum Kept {
    Host {
        pages: Vec<KeyValuePage>,
        len: usize,
    },
    /// Rows from `len` on are left from before a truncation.
    Device {
        pair: Option<(Tensor, Tensor)>,
        len: usize,
    },
}

impl KeyValues {
    /// An empty store for rows of `Hkv * D` numbers; D is even.
    pub fn new(heads: Heads, format: Format, device: &Device) -> Self {
        let kept = if has_kernels(device) {
            Kept::Host { pages: Vec::new(), len: 0 }
        } else {
            Kept::Device { pair: None, len: 0 }
        };
        Self { width: heads.key_width(), dim: heads.dim, format: format.of_adapters(), kept }
    }

    /// Page `index`, if it is full and lies in main memory.
    pub fn page(&self, index: usize) -> Option<KeyValuePage> {
        match &self.kept {
            Kept::Host { pages, len } if (index + 1) * KEY_BLOCK <= *len => pages.get(index).cloned(),
            _ => None,
        }
    }

    /// Takes over a full page of another store of the same shape and format, as the next 64 tokens.
    ///
    /// # Errors
    /// When the last page is not full, or the page is of another shape.
    pub fn attach(&mut self, page: KeyValuePage) -> Result<()> {
        match &mut self.kept {
            Kept::Host { pages, len }
                if *len == pages.len() * KEY_BLOCK && page.has(self.format.words(KEY_BLOCK * self.width)) =>
            {
                pages.push(page);
                *len += KEY_BLOCK;
                Ok(())
            }
            Kept::Device { .. } => {
                bail!("cache: pages lie in main memory alone; append keys and values instead")
            }
            Kept::Host { .. } => bail!("cache: a page does not go on from {} tokens", self.len()),
        }
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        match &self.kept {
            Kept::Host { len, .. } | Kept::Device { len, .. } => *len,
        }
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes allocated for keys and values.
    pub fn bytes(&self) -> usize {
        match &self.kept {
            Kept::Host { pages, .. } => pages.len() * Self::page_bytes(self.width, self.format),
            Kept::Device { .. } => 2 * self.len() * self.width * size_of::<f32>(),
        }
    }

    /// Bytes of a page of rows of `width` numbers.
    pub fn page_bytes(width: usize, format: Format) -> usize {
        2 * format.of_adapters().words(KEY_BLOCK * width) * size_of::<u32>()
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
            Kept::Host { pages, len } => {
                let (k, v) = (k.contiguous()?, v.contiguous()?);
                append_rows(pages, *len, (&floats(&k)?, &floats(&v)?), (self.width, self.dim), self.format);
                *len += k.dim(0)?;
            }
            Kept::Device { pair, len } => {
                let (k, v) = (rounded(k, self.format)?, rounded(v, self.format)?);
                let (k, v) = (&k, &v);
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

    /// Appends so many rows of `k` and `v` [n, Hkv * D], f32, in turn to each of several stores.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn append_each(k: &Tensor, v: &Tensor, stores: &mut [(usize, &mut Self)]) -> Result<()> {
        let (n, width) = k.dims2()?;
        let fits = stores.iter().all(|(_, store)| store.width == width) && v.shape() == k.shape();
        if !fits || stores.iter().map(|(rows, _)| rows).sum::<usize>() != n {
            bail!(
                "cache: keys {:?} and values {:?} do not fit {} stores",
                k.shape(),
                v.shape(),
                stores.len()
            );
        }
        if !has_kernels(k.device()) {
            let mut first = 0;
            return stores.iter_mut().try_for_each(|(rows, store)| {
                first += *rows;
                store.append(&k.narrow(0, first - *rows, *rows)?, &v.narrow(0, first - *rows, *rows)?)
            });
        }
        let (k, v) = (k.contiguous()?, v.contiguous()?);
        let (k, v) = (floats(&k)?, floats(&v)?);
        let mut first = 0;
        let mut parts: Vec<_> = stores
            .iter_mut()
            .map(|(rows, store)| {
                let range = first * width..(first + *rows) * width;
                first += *rows;
                (&k[range.clone()], &v[range], &mut **store)
            })
            .collect();
        // Some have a token, some a whole prompt.
        let each = (parts.len() / (team::threads() * HELPINGS)).max(1);
        team::chunks_mut(&mut parts, each, |_, parts| {
            for (k, v, store) in parts {
                if let Kept::Host { pages, len } = &mut store.kept {
                    append_rows(pages, *len, (k, v), (width, store.dim), store.format);
                    *len += k.len() / width;
                }
            }
        });
        Ok(())
    }

    /// Forgets all but the first `len` tokens.
    pub fn truncate(&mut self, len: usize) {
        match &mut self.kept {
            Kept::Host { pages, len: kept } => {
                if len >= *kept {
                    return;
                }
                *kept = len;
                pages.truncate(len.div_ceil(KEY_BLOCK));
                if let (Some(last), from @ 1..) = (pages.last_mut(), len % KEY_BLOCK) {
                    // Attention reads whole lines of values: those that nobody has must be finite.
                    last.forget(from, self.dim, self.format);
                }
            }
            Kept::Device { len: kept, .. } => *kept = len.min(*kept),
        }
    }
}

/// What a page would hold of these numbers.
fn rounded(x: &Tensor, format: Format) -> Result<Tensor> {
    match format {
        Format::F32 | Format::F16 => Ok(x.clone()),
        Format::Bf16 | Format::Int8 => x.to_dtype(DType::BF16)?.to_dtype(DType::F32),
    }
}

/// Attention of the newest tokens of several sequences, `q` [n, Hq * D] f32, to the tokens in their stores that they see. The rows of `q` belong
/// to the sequences in turn, so many to each as `sequences` says; they are the last ones in its store. The same bits as when each
/// sequence is computed alone and at once. Not differentiable.
///
/// # Errors
/// When the shapes don't fit, a store holds fewer tokens than it has queries, or tokens see those that are still to come.
pub fn attention_cached(q: &Tensor, sequences: &[(usize, &KeyValues)], heads: Heads) -> Result<Tensor> {
    let (n, width) = q.dims2()?;
    if heads.sight == Sight::All {
        bail!("attention: tokens that see later ones can't be computed before them");
    }
    for (rows, kept) in sequences {
        if kept.width != heads.key_width() || *rows > kept.len() {
            bail!("attention: {rows} queries do not fit {} cached tokens and {heads:?}", kept.len());
        }
    }
    if width != heads.query_width() || sequences.iter().map(|(rows, _)| rows).sum::<usize>() != n {
        bail!("attention: queries {:?} do not fit {} sequences and {heads:?}", q.shape(), sequences.len());
    }
    if !has_kernels(q.device()) {
        return on_device(q, sequences, heads);
    }
    let mut blocks =
        Vec::with_capacity(sequences.iter().map(|(_, kept)| kept.len().div_ceil(KEY_BLOCK)).sum());
    for (_, kept) in sequences {
        let Kept::Host { pages, .. } = &kept.kept else {
            bail!("attention: the queries lie in main memory and a cache elsewhere; make it for the CPU");
        };
        blocks.extend(pages.iter().map(|page| page.block(kept.format)));
    }
    let (mut first, mut left) = (0, &blocks[..]);
    let mut host = Vec::with_capacity(sequences.len());
    for (rows, kept) in sequences {
        let queries = Queries { rows: first..first + rows, position: kept.len() - rows };
        first += rows;
        let blocks;
        (blocks, left) = left.split_at(kept.len().div_ceil(KEY_BLOCK));
        host.push(Sequence { queries, blocks });
    }
    let q = q.contiguous()?;
    let (output, _) = forward::run(&floats(&q)?, &host, heads);
    tensor(output, (n, width))
}

/// The definition in candle's operations, one sequence after the other.
fn on_device(q: &Tensor, sequences: &[(usize, &KeyValues)], heads: Heads) -> Result<Tensor> {
    let (mut first, mut outputs) = (0, Vec::with_capacity(sequences.len()));
    for (rows, kept) in sequences {
        let q = q.narrow(0, first, *rows)?;
        first += rows;
        outputs.push(match &kept.kept {
            Kept::Device { pair: Some((keys, values)), len } => {
                plain::one(&q, &keys.narrow(0, 0, *len)?, &values.narrow(0, 0, *len)?, heads)?
            }
            Kept::Device { pair: None, .. } => q.zeros_like()?,
            Kept::Host { .. } => bail!(
                "attention: the queries lie on {:?} and a cache in main memory; make it there",
                q.device().location()
            ),
        });
    }
    Tensor::cat(&outputs, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Segments, attention,
        testing::{assert_close, normal},
    };

    const HEADS: Heads = Heads { query: 4, key_value: 2, dim: 16, sight: Sight::Past };

    fn rows(t: &Tensor, start: usize, n: usize) -> Tensor {
        t.narrow(0, start, n).unwrap()
    }

    #[test]
    fn cached_and_chunked_attention_has_the_bits_of_the_whole() {
        let (q, k, v) = (normal(1, (150, 64)), normal(2, (150, 32)), normal(3, (150, 32)));
        for sight in [Sight::Past, Sight::Window(1), Sight::Window(40), Sight::Window(64), Sight::Window(100)]
        {
            let heads = Heads { sight, ..HEADS };
            let whole = attention(&q, &k, &v, &Segments::new(&[150]), heads).unwrap();
            for chunks in [&[150][..], &[1, 63, 64, 1, 21], &[100, 1, 1, 48], &[1; 150]] {
                let mut kept = KeyValues::new(heads, Format::F32, &Device::Cpu);
                let mut start = 0;
                for n in chunks {
                    kept.append(&rows(&k, start, *n), &rows(&v, start, *n)).unwrap();
                    let found = attention_cached(&rows(&q, start, *n), &[(*n, &kept)], heads).unwrap();
                    assert_close(&found, &rows(&whole, start, *n), 0.0);
                    start += n;
                }
            }
        }
    }

    #[test]
    fn pages_of_bf16_give_one_result_in_any_chunks_and_that_of_rounded_keys_and_values() {
        let round = |t: &Tensor| t.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
        for dim in [6, 16, 64, 80] {
            let heads = Heads { dim, ..HEADS };
            let (q, k, v) = (normal(1, (150, 4 * dim)), normal(2, (150, 2 * dim)), normal(3, (150, 2 * dim)));
            let run = |chunks: &[usize]| {
                let mut kept = KeyValues::new(heads, Format::Bf16, &Device::Cpu);
                let mut start = 0;
                let mut outputs = Vec::new();
                for n in chunks {
                    kept.append(&rows(&k, start, *n), &rows(&v, start, *n)).unwrap();
                    outputs.push(attention_cached(&rows(&q, start, *n), &[(*n, &kept)], heads).unwrap());
                    start += n;
                }
                Tensor::cat(&outputs, 0).unwrap()
            };
            let whole = run(&[150]);
            for chunks in [&[1, 63, 64, 1, 21][..], &[100, 1, 1, 48], &[1; 150]] {
                assert_close(&run(chunks), &whole, 0.0);
            }
            let rounded =
                attention(&round(&q), &round(&k), &round(&v), &Segments::new(&[150]), heads).unwrap();
            // What is left of the difference is the rounding of the weights, each by at most 2^-9 of itself.
            assert_close(&whole, &rounded, 2e-2);
        }
    }

    #[test]
    fn many_sequences_with_a_token_each_have_the_bits_that_each_has_alone() {
        let lengths = [1, 63, 64, 65, 150, 7, 128, 129, 20, 200];
        for format in [Format::F32, Format::Bf16] {
            for sight in [Sight::Past, Sight::Window(70)] {
                let heads = Heads { sight, ..HEADS };
                let stores = lengths.map(|n| {
                    let mut kept = KeyValues::new(heads, format, &Device::Cpu);
                    kept.append(&normal(n as u64, (n, 32)), &normal(n as u64 + 1000, (n, 32))).unwrap();
                    kept
                });
                let q = normal(9, (lengths.len(), 64));
                let all: Vec<_> = stores.iter().map(|store| (1, store)).collect();
                for threads in [1, 2] {
                    let together =
                        crate::with_threads(threads, || attention_cached(&q, &all, heads).unwrap());
                    for (row, one) in all.iter().enumerate() {
                        let alone = attention_cached(&rows(&q, row, 1), &[*one], heads).unwrap();
                        assert_close(&rows(&together, row, 1), &alone, 0.0);
                    }
                }
            }
        }
    }

    #[test]
    fn a_page_serves_two_stores_and_neither_writes_into_it() {
        for format in [Format::F32, Format::Bf16] {
            let (q, k, v) = (normal(1, (130, 64)), normal(2, (130, 32)), normal(3, (130, 32)));
            let mut first = KeyValues::new(HEADS, format, &Device::Cpu);
            first.append(&k, &v).unwrap();
            assert!(first.page(2).is_none(), "the third page has two tokens");
            let mut second = KeyValues::new(HEADS, format, &Device::Cpu);
            (0..2).for_each(|page| second.attach(first.page(page).unwrap()).unwrap());
            second.append(&rows(&k, 128, 2), &rows(&v, 128, 2)).unwrap();
            assert!(second.attach(first.page(0).unwrap()).is_err(), "its last page is not full");
            let of = |kept: &KeyValues| attention_cached(&rows(&q, 129, 1), &[(1, kept)], HEADS).unwrap();
            assert_close(&of(&second), &of(&first), 0.0);
            let before = of(&first);
            second.truncate(100);
            second.append(&v, &k).unwrap();
            assert_close(&of(&first), &before, 0.0);
        }
    }

    #[test]
    fn several_sequences_at_once_have_the_bits_of_each_alone() {
        let (q, k, v) = (normal(1, (150, 64)), normal(2, (150, 32)), normal(3, (150, 32)));
        let fill = |start, n| {
            let mut kept = KeyValues::new(HEADS, Format::F32, &Device::Cpu);
            kept.append(&rows(&k, start, n), &rows(&v, start, n)).unwrap();
            kept
        };
        let (long, short) = (fill(0, 100), fill(100, 3));
        let q = rows(&q, 0, 70);
        let together = attention_cached(&q, &[(1, &long), (2, &short), (67, &long)], HEADS).unwrap();
        for (first, n, kept) in [(0, 1, &long), (1, 2, &short), (3, 67, &long)] {
            let alone = attention_cached(&rows(&q, first, n), &[(n, kept)], HEADS).unwrap();
            assert_close(&rows(&together, first, n), &alone, 0.0);
        }
    }

    #[test]
    fn truncation_goes_back_to_an_earlier_state() {
        let (q, k, v) = (normal(1, (10, 64)), normal(2, (10, 32)), normal(3, (10, 32)));
        let mut kept = KeyValues::new(HEADS, Format::F32, &Device::Cpu);
        kept.append(&k, &v).unwrap();
        let first = attention_cached(&rows(&q, 9, 1), &[(1, &kept)], HEADS).unwrap();
        kept.append(&v, &k).unwrap();
        kept.truncate(10);
        assert_eq!(kept.len(), 10);
        assert_close(&attention_cached(&rows(&q, 9, 1), &[(1, &kept)], HEADS).unwrap(), &first, 0.0);
        kept.truncate(0);
        assert!(kept.is_empty());
    }

    #[test]
    fn what_comes_after_a_truncation_is_as_if_nothing_had_been_there() {
        let (q, k, v) = (normal(1, (10, 64)), normal(2, (10, 32)), normal(3, (10, 32)));
        for (format, len) in [Format::F32, Format::Bf16].into_iter().flat_map(|f| [4, 5].map(|len| (f, len)))
        {
            let [mut kept, mut fresh] = [(); 2].map(|()| KeyValues::new(HEADS, format, &Device::Cpu));
            kept.append(&k, &v).unwrap();
            kept.truncate(len);
            fresh.append(&rows(&k, 0, len), &rows(&v, 0, len)).unwrap();
            let [found, expected] = [kept, fresh].map(|mut store| {
                store.append(&rows(&v, 0, 3), &rows(&k, 0, 3)).unwrap();
                attention_cached(&rows(&q, 0, 3), &[(3, &store)], HEADS).unwrap()
            });
            assert_close(&found, &expected, 0.0);
        }
    }

    #[test]
    fn values_that_were_forgotten_are_not_weighed_though_they_are_infinite() {
        let (q, k, v) = (normal(1, (10, 64)), normal(2, (10, 32)), normal(3, (10, 32)));
        let infinite = (rows(&v, 0, 4) * f64::INFINITY).unwrap();
        for (format, len) in [Format::F32, Format::Bf16].into_iter().flat_map(|f| [5, 6].map(|len| (f, len)))
        {
            let mut kept = KeyValues::new(HEADS, format, &Device::Cpu);
            kept.append(&rows(&k, 0, len), &rows(&v, 0, len)).unwrap();
            let alone = attention_cached(&rows(&q, 0, 1), &[(1, &kept)], HEADS).unwrap();
            kept.append(&rows(&k, len, 4), &infinite).unwrap();
            let other = kept.clone();
            kept.truncate(len);
            let found = attention_cached(&rows(&q, 0, 1), &[(1, &kept)], HEADS).unwrap();
            assert_close(&found, &alone, 0.0);
            assert_eq!(other.len(), len + 4);
        }
    }

    #[test]
    fn memory_grows_in_pages() {
        let mut kept = KeyValues::new(HEADS, Format::F32, &Device::Cpu);
        assert_eq!(kept.bytes(), 0);
        kept.append(&normal(1, (1, 32)), &normal(2, (1, 32))).unwrap();
        assert_eq!(kept.bytes(), 2 * KEY_BLOCK * 32 * 4);
    }

    #[test]
    fn rows_of_another_width_and_queries_without_keys_are_refused() {
        let mut kept = KeyValues::new(HEADS, Format::F32, &Device::Cpu);
        assert!(kept.append(&normal(1, (1, 31)), &normal(1, (1, 31))).is_err());
        assert!(attention_cached(&normal(1, (1, 64)), &[(1, &kept)], HEADS).is_err());
    }

    #[test]
    fn tokens_that_see_later_ones_are_not_cached() {
        let mut kept = KeyValues::new(HEADS, Format::F32, &Device::Cpu);
        kept.append(&normal(1, (1, 32)), &normal(2, (1, 32))).unwrap();
        let both = Heads { sight: Sight::All, ..HEADS };
        let refused = attention_cached(&normal(3, (1, 64)), &[(1, &kept)], both).unwrap_err().to_string();
        assert!(refused.contains("later ones"), "{refused}");
    }
}
