use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use candle_core::{Device, Tensor, Var};
use rootstock_kernels::{AdamW, AdamWOptions, Random, StepRates, cross_entropy_sum};

use super::*;
use crate::{
    Bottleneck, Config, Interrupt, Place, Projection, Recompute, Update, activation_bytes,
    testing::{Ends, Pairs, assert_close, batch, families, flat, tiny, untied},
};

const KEY: DropoutKey = DropoutKey { seed: 1, step: 2, micro: 3 };

fn fresh(config: Config) -> Decoder {
    Decoder::init(config, 1, &Device::Cpu).unwrap()
}

/// Loss and gradients by candle's tape over the same forward pass.
fn by_tape(
    config: &Config,
    batch: &Batch,
    (denominator, label_smoothing): (f64, f64),
) -> (f64, BTreeMap<String, Tensor>) {
    let named = fresh(config.clone()).named_tensors().unwrap();
    let tracked: BTreeMap<String, Tensor> =
        named.into_iter().map(|(name, t)| (name, Var::from_tensor(&t).unwrap().into_inner())).collect();
    let decoder = Decoder::from_tensors(config.clone(), tracked.clone(), &Device::Cpu).unwrap();
    let packed = batch.pack(config).unwrap();
    let hidden = decoder.hidden(&packed.ids, &packed.segments, None).unwrap();
    let options = LossOptions { label_smoothing, weights: None };
    let loss = cross_entropy_sum(&hidden, decoder.head().numbers(), &packed.targets, &options).unwrap();
    let gradients = (&loss / denominator).unwrap().backward().unwrap();
    let gradients = tracked.into_iter().map(|(name, t)| (name, gradients.get(&t).unwrap().clone())).collect();
    (f64::from(loss.to_scalar::<f32>().unwrap()), gradients)
}

#[test]
fn every_gradient_of_full_training_agrees_with_candles_tape() {
    let cases = [(tiny(), 0.0), (untied(), 0.0), (tiny(), 0.2)];
    for (config, label_smoothing) in
        cases.into_iter().chain(families().into_iter().map(|family| (family, 0.0)))
    {
        let mut decoder = fresh(config.clone());
        let parameters = decoder.set_trainable(None).unwrap();
        let batch = batch(5);
        let how = Regularization { label_smoothing, ..KEY.into() };
        let (loss, gradients) = forward_backward(&decoder, None, &parameters, &batch, 7.0, how).unwrap();
        let (expected_loss, expected) = by_tape(&config, &batch, (7.0, label_smoothing));
        assert!((loss.sum - expected_loss).abs() < 1e-4 * expected_loss, "{loss:?} {expected_loss}");
        assert_eq!(loss.tokens, batch.counted_tokens());
        assert_eq!(gradients.0.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (name, gradient) in &gradients.0 {
            assert_close(name, &gradient.dense().unwrap(), &expected[name], 5e-5);
        }
    }
}

#[test]
fn an_embedding_has_gradients_of_its_tokens_alone_unless_it_is_the_head_too() {
    let batch = batch(5);
    let counted = |config: Config, batch: &Batch| {
        let mut decoder = fresh(config);
        let parameters = decoder.set_trainable(None).unwrap();
        let (_, gradients) = forward_backward(&decoder, None, &parameters, batch, 7.0, KEY).unwrap();
        gradients.0["model.embed_tokens.weight"].values().dims().to_vec()
    };
    let packed = batch.pack(&tiny()).unwrap();
    let tokens = packed.ids.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert!(tokens < packed.ids.len(), "some token comes twice");
    assert_eq!(counted(untied(), &batch), [tokens, 24]);
    assert_eq!(counted(tiny(), &batch), [61, 24]);
    let silent = Batch { labels: vec![-100; batch.labels.len()], ..batch };
    assert_eq!(counted(untied(), &silent), [0, 24]);
}

#[test]
fn gradients_of_an_adapter_agree_with_finite_differences_of_the_loss() {
    let (decoder, adapter, batch) = (fresh(tiny()), Pairs::new(&tiny(), 2, 0.0), batch(6));
    let (_, gradients) =
        forward_backward(&decoder, Some(&adapter), &adapter.parameters, &batch, 1.0, KEY).unwrap();
    for (name, parameter) in &adapter.parameters {
        let direction =
            Random::named(3, name).normal_tensor(parameter.shape(), 0.0, 1.0, &Device::Cpu).unwrap();
        let start = parameter.as_tensor().copy().unwrap();
        let loss_at = |distance: f64| {
            parameter.set(&(&start + (&direction * distance).unwrap()).unwrap().detach()).unwrap();
            evaluate(&decoder, Some(&adapter), &batch).unwrap().sum
        };
        let slope = (loss_at(2e-3) - loss_at(-2e-3)) / 4e-3;
        parameter.set(&start.detach()).unwrap();
        let along: f64 =
            flat(&(gradients.0[name].values() * &direction).unwrap()).iter().map(|v| f64::from(*v)).sum();
        let norm = flat(gradients.0[name].values()).iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        assert!((slope - along).abs() < 5e-3 * norm.max(0.1), "{name}: {along}, but the loss says {slope}");
    }
}

/// Changes nothing, and asks for an end at a question of one layer.
struct Stops {
    interrupt: Interrupt,
    at: usize,
    highest: AtomicUsize,
}

impl Adapter for Stops {
    fn update(&self, _: usize, _: Projection) -> Update<'_> {
        Update::default()
    }

    fn bottleneck(&self, layer: usize, _: Place) -> Option<&Bottleneck> {
        if layer == self.at {
            self.interrupt.request();
        }
        self.highest.fetch_max(layer, Ordering::Relaxed);
        None
    }
}

#[test]
fn an_interrupted_walk_reaches_no_further_layer() {
    let mut decoder = fresh(Config { num_hidden_layers: 4, ..tiny() });
    let parameters = decoder.set_trainable(None).unwrap();
    let interrupt = Interrupt::default();
    decoder.set_interrupt(interrupt.clone());
    let stops = Stops { interrupt, at: 1, highest: AtomicUsize::default() };
    let walked = forward_backward(&decoder, Some(&stops), &parameters, &batch(5), 1.0, KEY);
    assert!(matches!(walked, Err(ModelError::Interrupted)), "{walked:?}");
    assert_eq!(stops.highest.load(Ordering::Relaxed), 1);
    assert!(matches!(evaluate(&decoder, None, &batch(5)), Err(ModelError::Interrupted)));
}

#[test]
fn noise_on_embeddings_follows_its_key_and_survives_recomputation() {
    let mut decoder = fresh(tiny());
    let parameters = decoder.set_trainable(None).unwrap();
    let noisy = Regularization { neftune_noise_alpha: 5.0, ..KEY.into() };
    let loss = |decoder: &Decoder, how: Regularization| {
        forward_backward(decoder, None, &parameters, &batch(5), 1.0, how).unwrap().0.sum
    };
    let kept = loss(&decoder, noisy);
    assert_ne!(kept, loss(&decoder, KEY.into()));
    assert_ne!(kept, loss(&decoder, Regularization { key: DropoutKey { step: 9, ..KEY }, ..noisy }));
    decoder.set_recompute(Recompute::Always);
    assert_eq!(kept, loss(&decoder, noisy));
}

#[test]
fn recomputation_gives_the_same_bits() {
    std::iter::once(tiny()).chain(families()).for_each(recompute);
}

fn recompute(config: Config) {
    let adapter = Pairs::new(&config, 2, 0.3);
    let mut decoder = fresh(config.clone());
    let run = |decoder: &Decoder| {
        let (loss, gradients) =
            forward_backward(decoder, Some(&adapter), &adapter.parameters, &batch(7), 1.0, KEY).unwrap();
        (loss, gradients.0.into_values().map(|g| flat(g.values())).collect::<Vec<_>>())
    };
    let kept = run(&decoder);
    let tokens = batch(7).input_ids.len();
    let some = Recompute::Within(activation_bytes(&config, tokens, Recompute::Never) - 1);
    assert_eq!(some.layers(&config, tokens), 1);
    for recompute in [some, Recompute::Always] {
        decoder.set_recompute(recompute);
        assert_eq!(run(&decoder), kept, "{recompute:?}");
    }
}

#[test]
fn dropout_follows_its_key_and_rests_in_evaluation() {
    let (decoder, adapter, batch) = (fresh(tiny()), Pairs::new(&tiny(), 2, 0.5), batch(8));
    let loss = |key| {
        forward_backward(&decoder, Some(&adapter), &adapter.parameters, &batch, 1.0, key).unwrap().0.sum
    };
    assert_eq!(loss(KEY), loss(KEY));
    assert_ne!(loss(KEY), loss(DropoutKey { step: 9, ..KEY }));
    let quiet = Pairs::new(&tiny(), 2, 0.0);
    let rested = evaluate(&decoder, Some(&adapter), &batch).unwrap();
    assert_eq!(rested, evaluate(&decoder, Some(&quiet), &batch).unwrap());
}

#[test]
fn rows_alone_add_up_to_the_batch() {
    let mut decoder = fresh(tiny());
    let parameters = decoder.set_trainable(None).unwrap();
    let whole = batch(9);
    let run = |batch: &Batch| forward_backward(&decoder, None, &parameters, batch, 10.0, KEY).unwrap();
    let (loss, gradients) = run(&whole);
    let (mut sum, mut parts) = (LossSum::default(), Gradients::default());
    for row in 0..whole.rows {
        let range = row * whole.seq_len..(row + 1) * whole.seq_len;
        let (input_ids, labels) = (whole.input_ids[range.clone()].to_vec(), whole.labels[range].to_vec());
        let (loss, gradients) = run(&Batch { rows: 1, seq_len: whole.seq_len, input_ids, labels });
        sum += loss;
        parts.accumulate(gradients).unwrap();
    }
    assert!((sum.sum - loss.sum).abs() < 1e-4 && sum.tokens == loss.tokens);
    for (name, gradient) in &gradients.0 {
        assert_close(name, &parts.0[name].dense().unwrap(), &gradient.dense().unwrap(), 2e-5);
    }
}

#[test]
fn a_batch_without_labels_gives_zero_gradients() {
    let mut decoder = fresh(tiny());
    let parameters = decoder.set_trainable(None).unwrap();
    let mut silent = batch(1);
    silent.labels.fill(-100);
    let (loss, gradients) = forward_backward(&decoder, None, &parameters, &silent, 1.0, KEY).unwrap();
    assert_eq!(loss, LossSum::default());
    assert_eq!(gradients.0.len(), parameters.len());
    assert_eq!(gradients.global_norm().unwrap(), 0.0);
    assert_eq!(evaluate(&decoder, None, &silent).unwrap(), LossSum::default());
}

#[test]
fn a_stranger_among_the_parameters_is_named() {
    let stranger = Var::from_tensor(&Tensor::new(&[1_f32], &Device::Cpu).unwrap()).unwrap();
    let parameters = [("stranger".to_owned(), stranger)];
    let error = forward_backward(&fresh(tiny()), None, &parameters, &batch(1), 1.0, KEY).unwrap_err();
    assert!(error.to_string().contains("parameter stranger"), "{error}");
}

#[test]
fn training_learns_a_batch_by_heart_and_repeats_bit_for_bit() {
    let train = || {
        let mut decoder = fresh(tiny());
        let parameters = decoder.set_trainable(None).unwrap();
        let mut optimizer = AdamW::new(AdamWOptions::default());
        let batch = batch(4);
        let mut losses = Vec::new();
        for step in 0..60 {
            let (loss, mut gradients) = forward_backward(
                &decoder,
                None,
                &parameters,
                &batch,
                batch.counted_tokens() as f64,
                DropoutKey { step, ..KEY },
            )
            .unwrap();
            losses.push(loss.sum / loss.tokens as f64);
            gradients.clip(1.0).unwrap();
            optimizer.step(&parameters, &gradients.0, |_| StepRates { lr: 1e-2, weight_decay: 0.0 }).unwrap();
        }
        losses
    };
    let losses = train();
    assert!(losses[59] < 0.1 * losses[0], "{losses:?}");
    assert_eq!(losses, train());
}

#[test]
fn the_loss_with_an_adapted_head_is_that_of_its_logits() {
    let (decoder, ends) = (fresh(untied()), Ends::new(&untied()));
    let input_ids: Vec<u32> = (0..150).map(|i| i * 7 % 61).collect();
    let labels: Vec<i64> =
        input_ids.iter().map(|id| if id % 5 == 1 { -100 } else { i64::from(*id) }).collect();
    let logits = decoder.forward_all(&input_ids, Some(&ends)).unwrap();
    let shifted: Vec<i64> = labels[1..].iter().copied().chain([-100]).collect();
    let expected = rootstock_kernels::cross_entropy_of_logits(&logits, &shifted).unwrap();
    let found = evaluate(&decoder, Some(&ends), &Batch { rows: 1, seq_len: 150, input_ids, labels }).unwrap();
    assert_eq!(found.tokens, expected.tokens);
    assert!((found.sum - expected.sum).abs() < 1e-6 * expected.sum, "{found:?}, expected {expected:?}");
}

#[test]
fn an_adapter_that_does_more_than_add_pairs_is_not_trained() {
    let (decoder, ends) = (fresh(tiny()), Ends::new(&tiny()));
    let refused = forward_backward(&decoder, Some(&ends), &[], &batch(5), 1.0, KEY).unwrap_err();
    assert!(
        refused.to_string().contains("lm_head") && refused.to_string().contains("not trained"),
        "{refused}"
    );
}
