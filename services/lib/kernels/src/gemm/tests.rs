use candle_core::{Device, Tensor};
use half::{bf16, f16};

use super::{tiles::round_f16, *};
use crate::{
    cpu::Matrix,
    testing::{flat, normal},
};

/// Rows, depth, columns: multiples of no block, single ones, none, and more than one pass along the sum.
const SHAPES: [(usize, usize, usize); 11] = [
    (0, 3, 2),
    (1, 1, 1),
    (3, 0, 4),
    (1, 65, 33),
    (12, 32, 32),
    (13, 31, 7),
    (67, 129, 95),
    (9, 1100, 70),
    (2, 2051, 40),
    (210, 1100, 70),
    (70, 500, 96),
];

fn numbers(seed: u64, n: usize) -> Vec<f32> {
    flat(&normal(seed, n))
}

fn rounded(values: &[f32]) -> Vec<f32> {
    values.iter().map(|v| bf16::from_f32(*v).to_f32()).collect()
}

/// Numbers as factors of this format have them.
fn rounded_to(format: Format, values: &[f32]) -> Vec<f32> {
    match format {
        Format::F16 => values.iter().map(|v| f16::from_f32(*v).to_f32()).collect(),
        Format::Bf16 => rounded(values),
        _ => values.to_vec(),
    }
}

#[test]
fn rounding_to_f16_is_that_of_the_format_for_all_kinds_of_numbers() {
    let ends = [65_504.0, 65_519.9, 65_520.0, 1e30, f32::MAX, f32::INFINITY, f32::NAN, 6.1e-5, 2.9e-8, 0.0];
    let all = (0..u32::MAX).step_by(40_503).map(f32::from_bits).chain(ends).flat_map(|v| [v, -v]);
    for value in all {
        let (found, expected) = (round_f16(value), f16::from_f32(value).to_f32());
        let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
        assert!(same, "{value:e} became {found:e} instead of {expected:e}");
    }
}

/// `a [m, k] b [n, k]^T`, in f64.
fn reference(a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize)) -> Vec<f64> {
    let element =
        |i: usize, j: usize| (0..k).map(|l| f64::from(a[i * k + l]) * f64::from(b[j * k + l])).sum::<f64>();
    (0..m * n).map(|at| element(at / n, at % n)).collect()
}

fn turned(data: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..rows * columns).map(|i| data[i % rows * columns + i / rows]).collect()
}

#[track_caller]
fn close(found: &[f32], expected: &[f64], depth: usize) {
    let tolerance = 1e-6 * (depth as f64 + 4.0).sqrt() * 4.0;
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*a) - b).abs() < tolerance * b.abs().max(4.0), "{i}: {a} instead of {b}");
    }
}

#[test]
fn a_few_rows_that_sweep_a_large_matrix_have_the_bits_of_rows_that_meet_its_panels() {
    let (m, k, n) = (130, 333, 470);
    let (a, b) = (numbers(1, m * k), numbers(2, k * n));
    let b_turned = turned(&b, k, n);
    let rows =
        |data, turned| Rows { data: Matrix::F32(data), across: n, along: k, format: Format::F32, turned };
    let (lies, panels) = (rows(&b, false), rows(&b_turned, true));
    assert!(lies.apart() && !panels.apart());
    let times = |count: usize, b: &dyn Panels| {
        let a = Tiles::pack(Left::Rows(&a[..count * k]), count, k, Format::F32, 1.0);
        products(vec![Term { a: &a, b }])
    };
    let all = times(m, &panels);
    for count in [1, 12, 16, 96, 97, m] {
        assert_eq!(times(count, &lies), all[..count * n], "{count} rows");
    }
}

/// Every way of holding the factors of `a b^T` gives the product of their rounded numbers.
#[test]
fn every_form_of_the_factors_gives_the_product() {
    for (m, k, n) in SHAPES {
        let (a, b) = (numbers(1, m * k), numbers(2, n * k));
        for format in [Format::F32, Format::F16, Format::Bf16] {
            let round = |v: &[f32]| rounded_to(format, v);
            let expected = reference(&round(&a), &round(&b), (m, k, n));
            let (a_turned, b_turned) = (turned(&a, m, k), turned(&b, n, k));
            let rows = |data, turned| Rows { data: Matrix::F32(data), across: n, along: k, format, turned };
            let packed = Packed::new(Matrix::F32(&b), n, k, format);
            let inverse = Packed::new(Matrix::F32(&b_turned), k, n, format);
            let (by_row, by_column) = (rows(&b, true), rows(&b_turned, false));
            let forms: [&dyn Panels; 4] = [&packed, &Turned(&inverse), &by_row, &by_column];
            for right in forms {
                for left in [Left::Rows(&a), Left::Columns(&a_turned)] {
                    let mut c = vec![7.0; m * n];
                    product(&mut c, Write::Set, &Tiles::pack(left, m, k, format, 1.0), right);
                    close(&c, &expected, k);
                    if format == Format::F32 {
                        let mut unpacked = vec![7.0; m * n];
                        product(&mut unpacked, Write::Set, &Unpacked { left, rows: m, depth: k }, right);
                        assert_eq!(unpacked, c);
                    }
                }
            }
        }
    }
}

#[test]
fn sums_go_on_from_what_is_there_and_the_scale_multiplies_the_left_factor() {
    for (m, k, n) in [(14, 40, 37), (210, 1100, 70), (70, 500, 96)] {
        let (a, b) = (numbers(1, m * k), numbers(2, n * k));
        for format in [Format::F32, Format::Bf16] {
            let packed = Packed::new(Matrix::F32(&b), n, k, format);
            let mut c = vec![1.0; m * n];
            product(&mut c, Write::Add, &Tiles::pack(Left::Rows(&a), m, k, format, 0.5), &packed);
            let (a, b) = (rounded_to(format, &a), rounded_to(format, &b));
            let expected: Vec<f64> = reference(&a, &b, (m, k, n)).iter().map(|v| 1.0 + 0.5 * v).collect();
            close(&c, &expected, k);
        }
    }
}

#[test]
fn a_packed_weight_gives_its_rows_back() {
    let (outputs, inputs) = (45, 33);
    let weight = numbers(1, outputs * inputs);
    for format in [Format::F32, Format::Bf16] {
        let packed = Packed::new(Matrix::F32(&weight), outputs, inputs, format);
        let expected = if format == Format::Bf16 { rounded(&weight) } else { weight.clone() };
        for output in 0..outputs {
            assert!(packed.row(output).eq(expected[output * inputs..][..inputs].iter().copied()));
        }
    }
    let narrow: Vec<bf16> = weight.iter().map(|v| bf16::from_f32(*v)).collect();
    let packed = Packed::new(Matrix::Bf16(&narrow), outputs, inputs, Format::Bf16);
    assert!(packed.row(44).eq(rounded(&weight)[44 * inputs..].iter().copied()));
}

#[test]
fn rounding_to_bf16_is_that_of_the_half_crate() {
    let special = [0.0, -0.0, 1.0, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1.003_906_3, 1e-40];
    for value in special.into_iter().chain(numbers(1, 10_000)) {
        assert_eq!(tiles::round_bf16(value), u32::from(bf16::from_f32(value).to_bits()), "{value}");
    }
    assert!(bf16::from_bits(tiles::round_bf16(f32::NAN) as u16).is_nan());
}

/// The promise on which answers rest: a row is the same bits alone and among others, on one thread and on two.
#[test]
fn a_row_is_the_same_among_any_others_and_on_any_number_of_threads() {
    // Sums of several passes, and of one, for which tile registers go another way; outputs that stay in caches, and that go past them.
    for (k, n) in [(1300, 150), (500, 150), (1300, 1120), (1280, 1120), (512, 1120)] {
        a_row_is_the_same_in_so_many_numbers(k, n);
    }
}

fn a_row_is_the_same_in_so_many_numbers(k: usize, n: usize) {
    let (mut a, b) = (numbers(1, 500 * k), numbers(2, n * k));
    // Subnormal, and rounded up to a normal bf16 unless it is taken for zero.
    a.iter_mut().step_by(97).for_each(|value| *value = 1.175_4e-38);
    a[3 * k..4 * k].fill(1.175_4e-38);
    for format in [Format::F32, Format::Bf16, Format::Int8] {
        let packed = Packed::new(Matrix::F32(&b), n, k, format);
        let run = |threads: usize, first: usize, rows: usize| {
            let mut room = vec![0.0; rows * n + 16];
            // Only what begins with a cache line goes past the caches.
            let line = room.as_ptr().align_offset(64);
            let c = &mut room[line..line + rows * n];
            let rows_of_a = &a[first * k..(first + rows) * k];
            let x = Tensor::from_slice(rows_of_a, (rows, k), &Device::Cpu).unwrap();
            crate::with_threads(threads, || {
                let before = Tiles::pack(Left::Rows(rows_of_a), rows, k, format, 1.0);
                product(c, Write::Set, &before, &packed);
                let packed_before = c.to_vec();
                product(c, Write::Set, &Tiles::of(&x, rows, k, format).unwrap(), &packed);
                assert_eq!(packed_before, c, "{rows} of {k} packed when they are needed");
                packed_before
            })
        };
        let all = run(2, 0, 500);
        assert_eq!(all, run(1, 0, 500));
        for (first, rows) in [(0, 1), (3, 1), (499, 1), (7, 2), (100, 11), (5, 12), (30, 13), (1, 64)] {
            for threads in [1, 2] {
                assert_eq!(
                    run(threads, first, rows),
                    all[first * n..(first + rows) * n],
                    "{rows} of {k} from {first}"
                );
            }
        }
    }
}

/// A base in bf16 and an update in f32, whose tiles are of different heights.
#[test]
fn terms_of_different_formats_add_up_for_any_number_of_rows() {
    let (k, rank, n) = (300, 16, 150);
    let (a, low) = (numbers(1, 213 * k), numbers(2, 213 * rank));
    let (base, up) = (numbers(3, n * k), numbers(4, n * rank));
    let (packed, turned_up) = (Packed::new(Matrix::F32(&base), n, k, Format::Bf16), turned(&up, n, rank));
    let update =
        Rows { data: Matrix::F32(&turned_up), across: n, along: rank, format: Format::F32, turned: false };
    let run = |rows: usize| {
        let a = Tiles::pack(Left::Rows(&a[..rows * k]), rows, k, Format::Bf16, 1.0);
        let low = Tiles::pack(Left::Rows(&low[..rows * rank]), rows, rank, Format::F32, 1.0);
        products(vec![Term { a: &a, b: &packed }, Term { a: &low, b: &update }])
    };
    let all = run(213);
    let products = reference(&rounded(&a), &rounded(&base), (213, k, n));
    let updates = reference(&low, &up, (213, rank, n));
    let expected: Vec<f64> =
        products.iter().zip(&updates).map(|(product, update)| product + update).collect();
    close(&all, &expected, k);
    for rows in [1, 12, 13, 33, 50, 96, 97, 100, 193] {
        assert_eq!(run(rows), all[..rows * n], "{rows} rows");
    }
}
