//! Rows are what a tensor with zeros in all others is, to the bit, wherever a gradient goes.

use std::collections::BTreeMap;

use super::*;
use crate::testing::{flat, normal, variable};
use crate::{AdamW, AdamWOptions, StepRates, clip_by_global_norm, embedding_backward, with_threads};

/// Several blocks of the norm and tasks of the optimizer, whose ends lie within rows.
const TABLE: (usize, usize) = (700, 97);
const RATES: StepRates = StepRates { lr: 0.1, weight_decay: 0.01 };

/// Ids that repeat, in no order; both ends of the table are among them.
fn ids(seed: u32) -> Vec<u32> {
    [0, 699, 3].into_iter().chain((0..200).map(|i| (i * i * 31 + seed) % 650)).collect()
}

fn rows(seed: u32) -> Gradient {
    let ids = ids(seed);
    embedding_backward(TABLE, &ids, &normal(seed.into(), (ids.len(), TABLE.1))).unwrap()
}

/// Row after row into zeros, as the gradient of an embedding is written in torch.
fn dense(seed: u32) -> Gradient {
    let ids = ids(seed);
    let (dy, mut table) = (flat(&normal(seed.into(), (ids.len(), TABLE.1))), vec![0.0; TABLE.0 * TABLE.1]);
    for (id, row) in ids.iter().zip(dy.chunks_exact(TABLE.1)) {
        add_row(&mut table[*id as usize * TABLE.1..][..TABLE.1], row);
    }
    tensor(table, TABLE).unwrap().into()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    flat(tensor).into_iter().map(f32::to_bits).collect()
}

#[test]
fn steps_with_accumulated_and_clipped_rows_have_the_bits_of_those_with_a_tensor() {
    let train = |gradient: fn(u32) -> Gradient| {
        let parameters = [("table".to_owned(), variable(1, TABLE))];
        let mut optimizer = AdamW::new(AdamWOptions::default());
        let norms: Vec<u64> = (0..4)
            .map(|step| {
                let sum = gradient(2 * step).add(gradient(2 * step + 1)).unwrap();
                let mut gradients = BTreeMap::from([("table".to_owned(), sum)]);
                let norm = clip_by_global_norm(&mut gradients, 1.0).unwrap();
                optimizer.step(&parameters, &gradients, |_| RATES).unwrap();
                norm.to_bits()
            })
            .collect();
        let state = optimizer.state().unwrap().into_iter().map(|(_, moment)| bits(&moment));
        (norms, bits(&parameters[0].1), state.collect::<Vec<_>>())
    };
    let expected = train(dense);
    for threads in [1, 2] {
        assert!(with_threads(threads, || train(rows)) == expected, "on {threads} threads");
    }
}

#[test]
fn rows_stay_rows_and_become_part_of_a_tensor() {
    let expected = bits(&dense(1).add(dense(2)).unwrap().dense().unwrap());
    let sum = rows(1).add(rows(2)).unwrap();
    assert!(matches!(&sum, Gradient::Rows(rows) if rows.ids.is_sorted_by(|a, b| a < b)));
    assert!(sum.values().elem_count() < TABLE.0 * TABLE.1);
    for sum in [sum, rows(1).add(dense(2)).unwrap(), dense(1).add(rows(2)).unwrap()] {
        assert!(bits(&sum.dense().unwrap()) == expected);
    }
}

#[test]
fn zeros_change_no_sum_and_another_shape_is_refused() {
    let zeros = || Gradient::zeros(&variable(1, TABLE)).unwrap();
    assert_eq!((zeros().shape(), zeros().values().elem_count()), (TABLE.into(), 0));
    for sum in [zeros().add(rows(1)), rows(1).add(zeros()), zeros().add(dense(1))] {
        assert!(bits(&sum.unwrap().dense().unwrap()) == bits(&dense(1).dense().unwrap()));
    }
    assert_eq!(flat(Gradient::zeros(&variable(1, 3)).unwrap().values()), [0.0; 3]);
    let error = rows(1).add(normal(1, (3, 97)).into()).unwrap_err().to_string();
    assert!(error.contains("[700, 97]") && error.contains("[3, 97]"), "{error}");
}
