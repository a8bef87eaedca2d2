//! Near duplicates by MinHash (Broder, 1997) with banding (Leskovec, Rajaraman & Ullman, "Mining of Massive Datasets", chapter 3).
//!
//! A text is the set of its runs of five characters, without case and with space as one character, so that it works where words aren't
//! set apart. Two texts are alike as their sets overlap (Jaccard); 128 minima estimate that within 0.04 (one standard deviation at 0.8),
//! and texts are compared only where a band of minima is equal: texts alike to 0.8 are missed less than once in ten thousand, to 0.7 once in a hundred.

use std::collections::HashMap;

/// Characters of a run.
const RUN: usize = 5;
/// Minima of a text.
const MINIMA: usize = 128;
const BANDS: usize = 25;
/// Minima of a band.
const BAND: usize = MINIMA / BANDS;
/// Earlier texts of a band that are compared with a new one; later ones are of no more help.
const MAX_COMPARED: usize = 16;

/// The most texts that others are compared with; each takes about a kilobyte.
const MAX_KEPT: usize = 1_000_000;

/// The texts seen so far, those aside that nearly equal an earlier one.
#[derive(Debug)]
pub struct NearDuplicates {
    threshold: f64,
    kept: Vec<Kept>,
    /// By the hash of a band's number and minima, the text that has them and came last.
    bands: HashMap<u64, u32>,
    seen: usize,
}

type Minima = Box<[u32; MINIMA]>;

/// A text that others are compared with.
#[derive(Debug)]
struct Kept {
    number: usize,
    minima: Minima,
    /// Of each band, the text before that has it too.
    before: [Option<u32>; BANDS],
}

impl NearDuplicates {
    /// Texts that are alike to `threshold`, in 0..=1, nearly equal each other.
    pub fn new(threshold: f64) -> Self {
        Self { threshold, kept: Vec::new(), bands: HashMap::new(), seen: 0 }
    }

    /// Whether there are as many texts as are compared with: 1,000,000.
    pub fn is_full(&self) -> bool {
        self.kept.len() >= MAX_KEPT
    }

    /// Takes in the next text; the number, from 0, of an earlier one that it nearly equals. Texts shorter than a run equal none; where
    /// it is full, the text is compared but not kept.
    pub fn insert(&mut self, text: &str) -> Option<usize> {
        let number = self.seen;
        self.seen += 1;
        let minima = minima(text)?;
        let keys: Vec<u64> = (0..).zip(minima.chunks_exact(BAND)).map(band_key).collect();
        for (band, key) in keys.iter().enumerate() {
            let last = self.bands.get(key).copied();
            let chain = std::iter::successors(last, |place| self.kept[*place as usize].before[band]);
            for kept in chain.take(MAX_COMPARED).map(|place| &self.kept[place as usize]) {
                if alike(&minima, &kept.minima) >= self.threshold {
                    return Some(kept.number);
                }
            }
        }
        if !self.is_full() {
            self.keep(number, minima, &keys);
        }
        None
    }

    fn keep(&mut self, number: usize, minima: Minima, keys: &[u64]) {
        let (place, mut before) = (self.kept.len() as u32, [None; BANDS]);
        for (before, key) in before.iter_mut().zip(keys) {
            *before = self.bands.insert(*key, place);
        }
        self.kept.push(Kept { number, minima, before });
    }
}

fn alike(one: &Minima, other: &Minima) -> f64 {
    one.iter().zip(other.iter()).filter(|(one, other)| one == other).count() as f64 / MINIMA as f64
}

fn band_key((number, band): (u64, &[u32])) -> u64 {
    band.iter().fold(number, |key, minimum| mix(key ^ u64::from(*minimum)))
}

fn minima(text: &str) -> Option<Minima> {
    let characters = normal(text);
    if characters.len() < RUN {
        return None;
    }
    let mut minima = Box::new([u32::MAX; MINIMA]);
    for run in characters.windows(RUN) {
        let hash = run.iter().fold(0, |hash, character| mix(hash ^ u64::from(*character)));
        let (low, high) = (hash as u32, (hash >> 32) as u32 | 1);
        for (i, minimum) in (0_u32..).zip(minima.iter_mut()) {
            // A permutation of its own for each: multiplied by an odd number and turned.
            let permuted = (low ^ i.wrapping_mul(0x9E37_79B9)).wrapping_mul(high.wrapping_add(2 * i));
            *minimum = (*minimum).min(permuted ^ (permuted >> 15));
        }
    }
    Some(minima)
}

/// The characters of a text in lower case, space in between as one.
fn normal(text: &str) -> Vec<u32> {
    let mut characters: Vec<u32> = Vec::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !characters.is_empty() {
            characters.push(u32::from(' '));
        }
        characters.extend(word.chars().flat_map(char::to_lowercase).map(u32::from));
    }
    characters
}

/// SplitMix64's finalizer (Steele, Lea & Flood, 2014).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}
