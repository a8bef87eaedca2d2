//! Draws that collators and mixes share: functions of numbers of 0..1 that the caller draws from a counter-based generator.

/// `count` of the numbers below `n`, ascending, all choices alike (Fan, Muller and Rezucha, 1962); number `i` of the generator
/// decides on `i`.
pub(crate) fn choose(n: usize, count: usize, mut uniform: impl FnMut(u64) -> f64) -> Vec<usize> {
    let mut chosen = Vec::with_capacity(count);
    for i in 0..n {
        let wanted = count - chosen.len();
        if uniform(i as u64) * ((n - i) as f64) < wanted as f64 {
            chosen.push(i);
        }
    }
    chosen
}

/// The place that a number of 0..1 has among weights laid end to end; the last one with a weight, should rounding lead beyond it.
pub(crate) fn weighted(weights: impl Iterator<Item = f64> + Clone, uniform: f64) -> usize {
    let mut left = uniform * weights.clone().sum::<f64>();
    let mut last = 0;
    for (i, weight) in weights.enumerate().filter(|(_, weight)| *weight > 0.0) {
        if left < weight {
            return i;
        }
        left -= weight;
        last = i;
    }
    last
}
