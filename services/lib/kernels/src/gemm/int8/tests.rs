use super::*;
use crate::{
    cpu::Matrix,
    gemm::{Format, Left, Packed, Tiles, Write, product},
    testing::{flat, normal},
};

/// Rows, depth, columns: whole groups and parts of them, single numbers, none, and more than one pass along the sum.
const SHAPES: [(usize, usize, usize); 10] = [
    (0, 3, 2),
    (1, 1, 1),
    (3, 0, 4),
    (1, 64, 16),
    (1, 65, 33),
    (12, 128, 32),
    (13, 31, 7),
    (67, 129, 95),
    (9, 1985, 70),
    (2, 4100, 40),
];

fn numbers(seed: u64, n: usize) -> Vec<f32> {
    flat(&normal(seed, n))
}

/// A matrix as it is defined: for each group of each row its whole numbers, and their scale.
fn groups(data: &[f32], depth: usize, scale: impl Fn(f32) -> f32) -> Vec<Vec<(Vec<i32>, f32)>> {
    let group = |numbers: &[f32]| {
        let largest = numbers.iter().fold(0_f32, |largest, number| largest.max(number.abs()));
        let scale = scale(largest / 127.0);
        let whole = |number: &f32| (number * (1.0 / scale)).round_ties_even() as i32;
        (numbers.iter().map(whole).collect(), scale)
    };
    data.chunks(depth.max(1)).map(|row| row.chunks(GROUP).map(group).collect()).collect()
}

fn up_to_bf16(number: f32) -> f32 {
    let near = bf16::from_f32(number);
    if near.to_f32() < number { bf16::from_bits(near.to_bits() + 1).to_f32() } else { near.to_f32() }
}

fn multiplied(a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize)) -> Vec<f32> {
    let packed = Packed::new(Matrix::F32(b), n, k, Format::Int8);
    let mut c = vec![7.0; m * n];
    product(&mut c, Write::Set, &Tiles::pack(Left::Rows(a), m, k, Format::Int8, 1.0), &packed);
    c
}

/// Not nearly: sums are whole numbers, and what is rounded is rounded in this order on every path.
#[test]
fn a_product_has_the_bits_of_its_definition() {
    for (m, k, n) in SHAPES {
        let (a, b) = (numbers(1, m * k), numbers(2, n * k));
        let (left, right) = (groups(&a, k, up_to_bf16), groups(&b, k, |scale| scale));
        let mut expected = vec![0_f32; m * n];
        for at in 0..if k > 0 { m * n } else { 0 } {
            for ((a, a_scale), (b, b_scale)) in left[at / n].iter().zip(&right[at % n]) {
                let sum: i32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                expected[at] += sum as f32 * b_scale * a_scale;
            }
        }
        assert_eq!(multiplied(&a, &b, (m, k, n)), expected, "{m}x{k}x{n}");
    }
}

#[test]
fn bf16_weights_are_the_numbers_they_stand_for() {
    let (outputs, inputs) = (45, 150);
    let narrow: Vec<bf16> = numbers(1, outputs * inputs).into_iter().map(bf16::from_f32).collect();
    let wide: Vec<f32> = narrow.iter().map(|number| number.to_f32()).collect();
    let [narrow, wide] = [Matrix::Bf16(&narrow), Matrix::F32(&wide)]
        .map(|matrix| Packed::new(matrix, outputs, inputs, Format::Int8));
    for output in 0..outputs {
        assert!(narrow.row(output).eq(wide.row(output)));
    }
}

/// A number is off by half a step at most, so a product by what that does to either factor.
#[test]
fn a_product_is_off_by_no_more_than_its_factors_are() {
    let (m, k, n) = (13, 700, 45);
    let (a, b) = (numbers(1, m * k), numbers(2, n * k));
    let found = multiplied(&a, &b, (m, k, n));
    let steps = |data| -> Vec<Vec<f32>> {
        let rows = groups(data, k, up_to_bf16).into_iter();
        rows.map(|row| row.into_iter().flat_map(|(whole, scale)| vec![scale; whole.len()]).collect())
            .collect()
    };
    let (a_steps, b_steps) = (steps(&a), steps(&b));
    let (mut squares, mut off) = (0.0, 0.0);
    for (at, found) in found.iter().enumerate() {
        let (i, j) = (at / n, at % n);
        let (mut exact, mut bound) = (0_f64, 1e-4_f64);
        for l in 0..k {
            let (a, b) = (f64::from(a[i * k + l]), f64::from(b[j * k + l]));
            let (a_off, b_off) = (f64::from(a_steps[i][l]) / 2.0, f64::from(b_steps[j][l]) / 2.0);
            exact += a * b;
            bound += a.abs() * b_off + b.abs() * a_off + a_off * b_off;
        }
        let error = (f64::from(*found) - exact).abs();
        assert!(error <= bound, "({i}, {j}): {found} instead of {exact}, off by more than {bound}");
        (squares, off) = (squares + exact * exact, off + error * error);
    }
    // Two factors of normal numbers: the largest of 64 is about 2.6 deviations, a step that over 127, an error 0.29 of it.
    assert!((off / squares).sqrt() < 0.01, "{}", (off / squares).sqrt());
}

#[test]
fn a_weight_is_read_back_to_half_a_step() {
    let (outputs, inputs) = (45, 150);
    let weight = numbers(1, outputs * inputs);
    let packed = Packed::new(Matrix::F32(&weight), outputs, inputs, Format::Int8);
    for (output, groups) in groups(&weight, inputs, |scale| scale).iter().enumerate() {
        let found: Vec<f32> = packed.row(output).collect();
        for (i, (found, exact)) in found.iter().zip(&weight[output * inputs..]).enumerate() {
            let (whole, scale) = &groups[i / GROUP];
            assert_eq!(*found, whole[i % GROUP] as f32 * scale);
            assert!((found - exact).abs() <= scale * 0.500_01, "{found} for {exact}");
        }
    }
}

#[test]
fn zeros_stay_zeros_and_what_is_not_finite_is_not_hidden() {
    let (m, k, n) = (4, 130, 35);
    let (mut a, mut b) = (numbers(1, m * k), numbers(2, n * k));
    a[..k].fill(0.0);
    a[k..2 * k].fill(1e-35);
    a[2 * k + 70] = f32::NAN;
    a[3 * k + 129] = f32::NEG_INFINITY;
    b[5 * k..6 * k].fill(0.0);
    let c = multiplied(&a, &b, (m, k, n));
    assert!(c[..2 * n].iter().all(|number| *number == 0.0));
    assert!(c[2 * n..].iter().all(|number| !number.is_finite()));
    let ones = vec![1.0; k];
    assert_eq!(multiplied(&ones, &b, (1, k, n))[5], 0.0);
}
