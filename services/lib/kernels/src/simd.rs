//! Compiles a loop once for each instruction set and picks at run time; with the few functions such loops need.

/// Defines a function whose body is compiled for every instruction set. Inside, the constant `FMA` says whether it has fused
/// multiplication and addition.
macro_rules! dispatch {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, reason = "the generated twins repeat the signature")]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn portable<const FMA: bool>($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn with_avx2($($arg: $ty),*) $(-> $ret)? {
                    portable::<true>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn with_avx512($($arg: $ty),*) $(-> $ret)? {
                    portable::<true>($($arg),*)
                }
                match $crate::dispatch::dispatch() {
                    $crate::Dispatch::Portable => {}
                    // SAFETY: `dispatch` gives only paths whose instructions the processor has.
                    $crate::Dispatch::Avx2 => return unsafe { with_avx2($($arg),*) },
                    // SAFETY: as above, and later paths have these instructions too.
                    _ => return unsafe { with_avx512($($arg),*) },
                }
            }
            portable::<false>($($arg),*)
        }
    };
}
pub(crate) use dispatch;

/// `a * b + c`, fused where the instruction set has it (elsewhere `mul_add` would call a library function).
#[inline(always)]
pub(crate) fn madd<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Lanes of a running sum: enough to hide the latency of an addition.
pub(crate) const LANES: usize = 32;

/// Sum of products, in a fixed order that depends on the length alone.
#[inline(always)]
pub(crate) fn dot<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0_f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            lanes[lane] = madd::<FMA>(a[lane], b[lane], lanes[lane]);
        }
    }
    for (lane, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[lane] = madd::<FMA>(*a, *b, lanes[lane]);
    }
    sum_lanes(lanes)
}

/// Adds lanes pairwise, halving their number each time.
#[inline(always)]
pub(crate) fn sum_lanes<const N: usize>(mut lanes: [f32; N]) -> f32 {
    let mut width = N / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// The greatest of lanes, halving their number each time.
#[inline(always)]
pub(crate) fn greatest_lane<const N: usize>(mut lanes: [f32; N]) -> f32 {
    let mut width = N / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = greater(lanes[lane + width], lanes[lane]);
        }
        width /= 2;
    }
    lanes[0]
}

/// The greater of two numbers, the second one if the first is not a number: one instruction, unlike `f32::max`.
#[inline(always)]
pub(crate) fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The greatest of some numbers, minus infinity if there are none.
#[inline(always)]
pub(crate) fn greatest(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane = greater(*value, *lane);
        }
    }
    rest.iter().chain(&lanes).fold(f32::NEG_INFINITY, |greatest, value| greater(*value, greatest))
}

/// The [`magnitude`] of infinity: more than any finite number's, and less than that of what is not a number.
pub(crate) const INFINITE: u32 = f32::INFINITY.to_bits();

/// The bits of a number without its sign, which are in the order of how far from zero numbers are.
#[inline(always)]
pub(crate) fn magnitude(number: f32) -> u32 {
    number.to_bits() & (u32::MAX >> 1)
}

/// `e^x` to about one unit in the last place, 0 below the normal range (Cody and Waite's reduction, then a polynomial).
#[inline(always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to a whole number
    const LN2_HIGH: f32 = 0.693_359_4; // 355 / 512, exact in few bits
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Outside these bounds the result is not a normal number.
    let clamped = x.clamp(-87.3, 88.3);
    let shifted = madd::<FMA>(clamped, std::f32::consts::LOG2_E, MAGIC);
    let n = shifted - MAGIC;
    let r = madd::<FMA>(n, -LN2_LOW, madd::<FMA>(n, -LN2_HIGH, clamped));
    let mut p = 1.987_569_2e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = madd::<FMA>(p, r, coefficient);
    }
    p = madd::<FMA>(p * r, r, r) + 1.0;
    // The whole number is in the low bits of the shifted one; a cast would not be done in lanes.
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if x < -87.3 { 0.0 } else { p * scale }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    dispatch! {
        fn exp_all(values: &mut [f32]) {
            for value in values {
                *value = exp::<FMA>(*value);
            }
        }
    }

    dispatch! {
        fn dot_of(a: &[f32], b: &[f32]) -> f32 {
            dot::<FMA>(a, b)
        }
    }

    #[test]
    fn exp_agrees_with_the_library_over_its_range() {
        let inputs: Vec<f32> = (-8700..8800).map(|i| i as f32 * 0.01).collect();
        let mut outputs = inputs.clone();
        exp_all(&mut outputs);
        for (x, y) in inputs.iter().zip(outputs) {
            let exact = f64::from(*x).exp();
            assert!((f64::from(y) / exact - 1.0).abs() < 3e-7, "exp({x}) = {y}, not {exact}");
        }
    }

    #[test]
    fn exp_of_hopelessly_small_numbers_is_zero_and_of_large_ones_stays_finite() {
        let mut values = [f32::NEG_INFINITY, -1e30, -88.0, 0.0, 1e30];
        exp_all(&mut values);
        assert_eq!(&values[..4], &[0.0, 0.0, 0.0, 1.0]);
        assert!(values[4] > 1e38 && values[4].is_finite());
    }

    #[test]
    fn both_instruction_sets_sum_products_of_any_length() {
        for n in [0, 1, 31, 32, 33, 100] {
            let a: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let exact = (0..n).map(|i| (i * i) as f32).sum::<f32>();
            assert_eq!(dot_of(&a, &a), exact);
            assert_eq!(dot::<false>(&a, &a), exact);
        }
    }
}
