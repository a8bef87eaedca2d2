//! Every op of the crate as a story that runs on any device and tells its values and gradients: what one device tells, all must.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor, Var};
use rootstock_kernels::{
    AdafactorOptions, AdamWOptions, DoraPair, DropoutKey, DropoutMask, ElasticPenalty, FactorRows, Fisher,
    Format, Gradient, Heads, IGNORE_INDEX, InputGradient, KeyValues, LayerNormGradients, LinearInput,
    LinearWeight, LionOptions, LoraMap, LoraPair, LoraRows, LossOptions, LossSum, Optimizer, OutputGradient,
    Random, RopeScaling, RotaryTable, Rule, Segments, SgdOptions, Sight, StepRates, WeightArena, add,
    add_bias, attention, attention_backward, attention_cached, attention_forward, bias_gradient,
    clip_by_global_norm, cross_entropy, cross_entropy_of_logits, cross_entropy_of_logits_with_gradient,
    cross_entropy_sum, cross_entropy_with_gradients, dora_backward, dora_linear, dropout, embedding,
    embedding_backward, embedding_noise, gelu, gelu_backward, global_norm, layer_norm, layer_norm_backward,
    linear, linear_weight_gradient, lora_backward, lora_linear, lora_linear_rows, lora_norms, rms_norm,
    rms_norm_backward, rotary, scale_gradients, swiglu, swiglu_backward,
};

use super::told::{F32, Told};

/// As [`F32`] where factors are rounded: the tape of a device without kernels rounds no gradients, and attention to keys that were kept
/// no queries and weights. Two roundings.
const F16: f32 = 1.0 / 1024.0;
const BF16: f32 = 1.0 / 128.0;

impl Told {
    fn tell_loss(&mut self, name: &str, loss: LossSum) -> Result<()> {
        self.tell_number(&format!("{name}: tokens"), loss.tokens as f64)?;
        self.tell_number(&format!("{name}: sum"), loss.sum)
    }

    /// An output, and by the tape the gradients of the variables that it is made of.
    fn tell_taped(&mut self, name: &str, y: &Tensor, of: &[&Var], tolerance: f32) -> Result<()> {
        self.tell(name, y, tolerance)?;
        let dy = self.normal(99, y.dims())?;
        let gradients = (y * dy)?.sum_all()?.backward()?;
        for (i, variable) in of.iter().enumerate() {
            let Some(gradient) = gradients.get(variable) else {
                candle_core::bail!("{name}: no gradient {i}")
            };
            self.tell(format!("{name}: gradient {i} by the tape"), gradient, tolerance)?;
        }
        Ok(())
    }

    fn normal(&self, seed: u64, shape: &[usize]) -> Result<Tensor> {
        Random::new(seed, 0).normal_tensor(shape, 0.0, 1.0, &self.device)
    }

    fn variable(&self, seed: u64, shape: &[usize]) -> Result<Var> {
        Var::from_tensor(&self.normal(seed, shape)?)
    }

    /// A frozen weight in a format.
    fn frozen(&self, seed: u64, shape: [usize; 2], format: Format) -> Result<LinearWeight> {
        LinearWeight::frozen_as(&self.normal(seed, &shape)?, format, &mut WeightArena::new(0))
    }

    fn pair(&self, [inputs, outputs, rank]: [usize; 3], format: Format) -> Result<LoraPair> {
        let (a, b) = (self.frozen(21, [rank, inputs], format)?, self.frozen(22, [outputs, rank], format)?);
        Ok(LoraPair { a, b, scale: 0.7, dropout: 0.0 })
    }
}

fn tolerance(format: Format) -> f32 {
    match format {
        Format::F32 | Format::Int8 => F32,
        Format::F16 => F16,
        Format::Bf16 => BF16,
    }
}

fn masks() -> [Option<DropoutMask>; 2] {
    [None, Some(DropoutKey { seed: 3, step: 5, micro: 1 }.mask(2, 0.4))]
}

pub(crate) fn linear_maps(told: &mut Told) -> Result<()> {
    for [rows, inputs, outputs] in [[1, 1, 1], [1, 37, 5], [6, 3, 70], [131, 65, 33]] {
        let x = told.variable(1, &[rows, inputs])?;
        let dy = told.normal(3, &[rows, outputs])?;
        for format in [Format::F32, Format::F16, Format::Bf16] {
            let name = format!("{rows}x{inputs}x{outputs} {}", format.name());
            let trained = told.variable(2, &[outputs, inputs])?;
            let weights = [
                ("frozen", told.frozen(2, [outputs, inputs], format)?, None),
                ("trained", LinearWeight::trained(trained.as_tensor().clone(), format), Some(&trained)),
            ];
            for (kind, weight, variable) in weights {
                let (name, within) = (format!("{name} {kind}"), tolerance(format));
                let variables: Vec<&Var> = [&x].into_iter().chain(variable).collect();
                told.tell_taped(&name, &linear(&x.as_tensor().into(), &weight)?, &variables, within)?;
                let mut dx = InputGradient::new(&x);
                dx.add_linear(&OutputGradient::of_trained(&dy)?, &weight.detach())?;
                told.tell(format!("{name}: of the input"), &dx.finish()?, within)?;
            }
            let input = LinearInput::from(&x.as_detached_tensor());
            let dw = linear_weight_gradient(&OutputGradient::from(&dy), &input, format)?;
            told.tell(format!("{name}: of the weight"), &dw, tolerance(format))?;
        }
    }
    Ok(())
}

pub(crate) fn maps_with_low_rank_updates(told: &mut Told) -> Result<()> {
    for [rows, inputs, outputs, rank] in [[1, 3, 5, 1], [7, 33, 9, 4], [70, 65, 130, 8]] {
        let x = told.variable(1, &[rows, inputs])?;
        let (a, b) = (told.variable(21, &[rank, inputs])?, told.variable(22, &[outputs, rank])?);
        let dy = told.normal(3, &[rows, outputs])?;
        let of = |a: &Var, b: &Var| LoraPair {
            a: a.as_tensor().clone().into(),
            b: b.as_tensor().clone().into(),
            scale: 0.7,
            dropout: 0.0,
        };
        for (format, mask) in [Format::F32, Format::Bf16].into_iter().flat_map(|f| masks().map(|m| (f, m))) {
            let (within, dropped) = (tolerance(format), if mask.is_some() { ", dropout" } else { "" });
            let name = format!("{rows}x{inputs}x{outputs}x{rank} {}{dropped}", format.name());
            let weight = told.frozen(9, [outputs, inputs], format)?;
            let y = lora_linear(&x.as_tensor().into(), &weight, Some(&of(&a, &b)), mask)?;
            told.tell_taped(&name, &y, &[&x, &a, &b], within)?;
            let mut dx = InputGradient::new(&x);
            let (da, db) = lora_backward(&x.as_detached_tensor(), &of(&a, &b).detach(), mask, &dy, &mut dx)?;
            for (what, gradient) in [("x", dx.finish()?), ("A", da), ("B", db)] {
                told.tell(format!("{name}: of {what}"), &gradient, F32)?;
            }
            let served = told.pair([inputs, outputs, rank], format)?;
            let y = lora_linear(&LinearInput::from(&x.as_detached_tensor()), &weight, Some(&served), mask)?;
            told.tell(format!("{name}, served"), &y, within)?;
        }
    }
    Ok(())
}

pub(crate) fn maps_with_learned_magnitudes(told: &mut Told) -> Result<()> {
    for [rows, inputs, outputs, rank] in [[1, 3, 5, 1], [7, 33, 9, 4], [70, 65, 130, 8]] {
        let (x, dy) = (told.normal(1, &[rows, inputs])?, told.normal(3, &[rows, outputs])?);
        let (magnitude, pair) =
            (told.normal(4, &[outputs])?, told.pair([inputs, outputs, rank], Format::F32)?);
        for (format, mask) in [Format::F32, Format::Bf16].into_iter().flat_map(|f| masks().map(|m| (f, m))) {
            let (within, dropped) = (tolerance(format), if mask.is_some() { ", dropout" } else { "" });
            let name = format!("{rows}x{inputs}x{outputs}x{rank} {}{dropped}", format.name());
            let weight = told.frozen(9, [outputs, inputs], format)?;
            let norms = Tensor::new(lora_norms(&weight, &pair)?, &Device::Cpu)?;
            told.tell(format!("{name}: norms"), &norms, F32)?;
            let dora = DoraPair { pair: &pair, magnitude: &magnitude };
            told.tell(&name, &dora_linear(&LinearInput::from(&x), &weight, dora, mask)?, within)?;
            let mut dx = InputGradient::new(&x);
            let gradients = dora_backward(&x, &weight, dora, mask, &dy, &mut dx)?;
            told.tell(format!("{name}: of x"), &dx.finish()?, within)?;
            told.tell(format!("{name}: of A"), &gradients.a, within)?;
            told.tell(format!("{name}: of B"), &gradients.b, within)?;
            told.tell(format!("{name}: of the magnitudes"), &gradients.magnitude, within)?;
        }
    }
    Ok(())
}

pub(crate) fn rows_with_updates_of_their_own(told: &mut Told) -> Result<()> {
    for (format, [inputs, outputs]) in [(Format::F32, [33, 19]), (Format::Bf16, [66, 130])] {
        let x = told.normal(1, &[7, inputs])?;
        let weights = [told.frozen(9, [outputs, inputs], format)?, told.frozen(8, [5, inputs], format)?];
        let pairs = [told.pair([inputs, outputs, 3], format)?, told.pair([inputs, outputs, 8], format)?];
        let factors: Vec<f32> = (0..outputs).map(|i| 0.5 + i as f32 / 100.0).collect();
        let groups = vec![
            LoraRows { rows: 0..2, pair: &pairs[0] },
            LoraRows { rows: 0..2, pair: &pairs[1] },
            LoraRows { rows: 3..7, pair: &pairs[1] },
        ];
        let factors = vec![FactorRows { rows: 1..4, factors: &factors }];
        let maps = [
            LoraMap { weight: &weights[0], groups, factors },
            LoraMap { weight: &weights[1], groups: Vec::new(), factors: Vec::new() },
        ];
        for (i, y) in lora_linear_rows(&LinearInput::from(&x), &maps)?.iter().enumerate() {
            told.tell(format!("map {i} {}", format.name()), y, tolerance(format))?;
        }
    }
    Ok(())
}

fn sights() -> [Heads; 4] {
    let heads = |query, key_value, dim, sight| Heads { query, key_value, dim, sight };
    [
        heads(1, 1, 2, Sight::Past),
        heads(6, 2, 10, Sight::Past),
        heads(4, 1, 6, Sight::Window(3)),
        heads(3, 3, 8, Sight::All),
    ]
}

pub(crate) fn attention_in_packed_documents(told: &mut Told) -> Result<()> {
    for (heads, lengths) in sights().into_iter().flat_map(|h| [&[1][..], &[5, 0, 70, 1]].map(|l| (h, l))) {
        let (segments, name) = (Segments::new(lengths), format!("{heads:?} {lengths:?}"));
        let tokens = segments.tokens();
        let q = told.variable(1, &[tokens, heads.query * heads.dim])?;
        let [k, v] = [2, 3].map(|seed| told.variable(seed, &[tokens, heads.key_value * heads.dim]));
        let (k, v) = (k?, v?);
        let y = attention(&q, &k, &v, &segments, heads)?;
        told.tell_taped(&name, &y, &[&q, &k, &v], F32)?;
        let [q, k, v] = [&q, &k, &v].map(Var::as_detached_tensor);
        let attended = attention_forward((&q, &k, &v), &segments, heads)?;
        let dy = told.normal(4, attended.output.dims())?;
        let (dq, dk, dv) = attention_backward((&q, &k, &v), &attended, &dy, &segments, heads)?;
        for (what, gradient) in [("queries", dq), ("keys", dk), ("values", dv)] {
            told.tell(format!("{name}: of {what}"), &gradient, F32)?;
        }
    }
    Ok(())
}

pub(crate) fn attention_to_what_was_kept(told: &mut Told) -> Result<()> {
    for heads in sights().into_iter().filter(|heads| heads.sight != Sight::All) {
        for format in [Format::F32, Format::Bf16] {
            let width = heads.key_value * heads.dim;
            let rows = |seed, n| told.normal(seed, &[n, width]);
            let (mut first, mut second) =
                (KeyValues::new(heads, format, &told.device), KeyValues::new(heads, format, &told.device));
            first.append(&rows(1, 70)?, &rows(2, 70)?)?;
            first.truncate(67);
            let stores = &mut [(2, &mut first), (3, &mut second)];
            KeyValues::append_each(&rows(3, 5)?, &rows(4, 5)?, stores)?;
            let q = told.normal(5, &[3, heads.query * heads.dim])?;
            let y = attention_cached(&q, &[(1, &first), (2, &second)], heads)?;
            assert_eq!((first.len(), second.len()), (69, 3));
            told.tell(format!("{heads:?} {}", format.name()), &y, tolerance(format))?;
        }
    }
    Ok(())
}

pub(crate) fn norms(told: &mut Told) -> Result<()> {
    for shape in [&[1, 1][..], &[5, 3], &[2, 7, 10], &[129, 257]] {
        let (width, name) = (shape[shape.len() - 1], format!("{shape:?}"));
        let (x, w, b) = (told.variable(1, shape)?, told.variable(2, &[width])?, told.variable(3, &[width])?);
        told.tell_taped(&format!("rms {name}"), &rms_norm(&x, &w, 1e-5)?, &[&x, &w], F32)?;
        told.tell_taped(&format!("layer {name}"), &layer_norm(&x, &w, &b, 1e-5)?, &[&x, &w, &b], F32)?;
        let (x, w) = (x.as_detached_tensor(), w.as_detached_tensor());
        let (dy, past) = (told.normal(4, shape)?, told.normal(5, shape)?);
        for past in [None, Some(&past)] {
            let (dx, dw) = rms_norm_backward((&x, &w, 1e-5), &dy, past, true)?;
            told.tell(format!("rms {name}: of x"), &dx, F32)?;
            told.tell(format!("rms {name}: of the weight"), &dw.unwrap(), F32)?;
        }
        let LayerNormGradients { x: dx, weight, bias } = layer_norm_backward((&x, &w, 1e-5), &dy)?;
        for (what, gradient) in [("x", dx), ("the weight", weight), ("the bias", bias)] {
            told.tell(format!("layer {name}: of {what}"), &gradient, F32)?;
        }
    }
    Ok(())
}

pub(crate) fn rotations(told: &mut Told) -> Result<()> {
    let scaling = RopeScaling::Dynamic { factor: 4.0, original_max_position_embeddings: 10 };
    for (scaling, [tokens, heads, dim]) in [(RopeScaling::None, [1, 1, 2]), (scaling, [71, 3, 10])] {
        let positions: Vec<u32> = (0..tokens as u32).map(|p| p * 3).collect();
        let rotation = RotaryTable::new(dim, 10_000.0, &scaling).at(&positions);
        let x = told.variable(1, &[tokens, heads * dim])?;
        told.tell_taped(&format!("{scaling:?}"), &rotary(&x, &rotation)?, &[&x], F32)?;
        let back = rotary(&x.as_detached_tensor(), &rotation.inverse())?;
        told.tell(format!("{scaling:?}, back"), &back, F32)?;
    }
    Ok(())
}

pub(crate) fn activations_and_sums(told: &mut Told) -> Result<()> {
    for shape in [&[1, 1][..], &[3, 5], &[129, 257]] {
        let (x, y, dy) = (told.variable(1, shape)?, told.variable(2, shape)?, told.normal(3, shape)?);
        let bias = told.variable(4, &shape[1..])?;
        told.tell_taped("swiglu", &swiglu(&x, &y)?, &[&x, &y], F32)?;
        told.tell_taped("gelu", &gelu(&x)?, &[&x], F32)?;
        told.tell_taped("add", &add(&x, &y)?, &[&x, &y], F32)?;
        told.tell_taped("add bias", &add_bias(&x, &bias)?, &[&x, &bias], F32)?;
        let (dx, dgate) = swiglu_backward(&x.as_detached_tensor(), &y.as_detached_tensor(), &dy)?;
        told.tell("swiglu: of the gate", &dx, F32)?;
        told.tell("swiglu: of what it opens", &dgate, F32)?;
        told.tell("gelu: of x", &gelu_backward(&x.as_detached_tensor(), &dy)?, F32)?;
        told.tell("add bias: of the bias", &bias_gradient(&dy)?, F32)?;
    }
    let extreme = Tensor::new(&[-200_f32, -20.0, 0.0, 20.0, 200.0], &told.device)?;
    told.tell("swiglu of extremes", &swiglu(&extreme, &extreme)?, F32)?;
    told.tell("gelu of extremes", &gelu(&extreme)?, F32)
}

pub(crate) fn embeddings(told: &mut Told) -> Result<()> {
    let ids = [4, 0, 10, 4, 4, 7, 0];
    for width in [1, 6, 33] {
        let table = told.variable(1, &[11, width])?;
        let rows = embedding(&table.as_tensor().clone().into(), &ids)?;
        told.tell_taped("of a variable", &rows, &[&table], F32)?;
        for format in [Format::F32, Format::F16, Format::Bf16] {
            let table = told.frozen(1, [11, width], format)?;
            told.tell(format!("of a table in {}", format.name()), &embedding(&table, &ids)?, F32)?;
        }
        let dy = told.normal(2, &[ids.len(), width])?;
        let gradient = || embedding_backward((11, width), &ids, &dy);
        told.tell("gradient: rows", gradient()?.values(), F32)?;
        told.tell("gradient", &gradient()?.dense()?, F32)?;
        let other = embedding_backward((11, width), &[5, 4], &told.normal(3, &[2, width])?)?;
        told.tell("gradient and another", &gradient()?.plus(other)?.dense()?, F32)?;
        let dense = Gradient::from(told.normal(4, &[11, width])?);
        told.tell("gradient and a whole one", &gradient()?.plus(dense)?.dense()?, F32)?;
    }
    told.tell("zeros", &Gradient::zeros(&told.variable(1, &[11, 6])?)?.dense()?, F32)
}

pub(crate) fn losses(told: &mut Told) -> Result<()> {
    for [rows, width, vocab] in [[1, 3, 2], [7, 33, 19], [130, 5, 100]] {
        let label = |i: usize| if i % 3 == 1 { IGNORE_INDEX } else { (i * 7 % vocab) as i64 };
        let labels: Vec<i64> = (0..rows).map(label).collect();
        let weights = Some((0..rows).map(|i| 0.5 + i as f32 / rows as f32).collect());
        let (hidden, head) = (told.variable(1, &[rows, width])?, told.variable(2, &[vocab, width])?);
        for options in [LossOptions::default(), LossOptions { label_smoothing: 0.1, weights }] {
            for format in [Format::F32, Format::Bf16] {
                let (within, name) = (tolerance(format), format!("{rows}x{width}x{vocab} {}", format.name()));
                let weight = LinearWeight::trained(head.as_tensor().clone(), format);
                let loss = cross_entropy_sum(&hidden, &weight, &labels, &options)?;
                told.tell_taped(&name, &loss, &[&hidden, &head], within)?;
                let (hidden, weight) = (hidden.as_detached_tensor(), weight.detach());
                told.tell_loss(&name, cross_entropy(&hidden, &weight, &labels, &options)?)?;
                let how = (0.3, &options);
                let (loss, gradients) = cross_entropy_with_gradients(&hidden, &weight, &labels, how, true)?;
                told.tell_loss(&name, loss)?;
                told.tell(format!("{name}: of the head"), &gradients.head.unwrap(), within)?;
                told.tell(format!("{name}: of what it reads"), &gradients.hidden, within)?;
                let frozen = told.frozen(2, [vocab, width], format)?;
                let (_, gradients) = cross_entropy_with_gradients(&hidden, &frozen, &labels, how, false)?;
                assert!(gradients.head.is_none());
                told.tell(format!("{name}: of what a frozen head reads"), &gradients.hidden, within)?;
            }
        }
        let logits = told.normal(5, &[rows, vocab])?;
        told.tell_loss("of logits", cross_entropy_of_logits(&logits, &labels)?)?;
        let (_, gradient) = cross_entropy_of_logits_with_gradient(&logits, &labels, 0.3)?;
        told.tell("of logits: their gradient", &gradient, F32)?;
        let silent = vec![IGNORE_INDEX; rows];
        let head = head.as_detached_tensor().into();
        let how = (1.0, &LossOptions::default());
        let (loss, gradients) =
            cross_entropy_with_gradients(&hidden.as_detached_tensor(), &head, &silent, how, true)?;
        told.tell_loss("of nothing", loss)?;
        told.tell("of nothing: of what the head reads", &gradients.hidden, F32)?;
        told.tell("of nothing: of the head", &gradients.head.unwrap(), F32)?;
    }
    Ok(())
}

pub(crate) fn dropout_and_noise(told: &mut Told) -> Result<()> {
    for shape in [[1, 1], [7, 33], [130, 130]] {
        let x = told.variable(1, &shape)?;
        for mask in masks().into_iter().flatten() {
            told.tell_taped("dropout", &dropout(&x, mask)?, &[&x], F32)?;
        }
        let (segments, key) =
            (Segments::new(&[1, 0, shape[0] - 1]), DropoutKey { seed: 1, step: 2, micro: 3 });
        told.tell_taped("noise", &embedding_noise(&x, &segments, 5.0, key)?, &[&x], F32)?;
    }
    Ok(())
}

pub(crate) fn optimizers(told: &mut Told) -> Result<()> {
    follow(told, AdamWOptions::default())?;
    follow(told, AdafactorOptions::default())?;
    follow(told, LionOptions::default())?;
    follow(told, SgdOptions::default())
}

/// Three steps of a table that gets rows and of a vector that gets all of its numbers.
fn follow(told: &mut Told, rule: impl Rule + Copy) -> Result<()> {
    let (name, mut optimizer) = (rule.name(), Optimizer::new(rule));
    let parameters =
        [("table".to_owned(), told.variable(1, &[11, 6])?), ("vector".to_owned(), told.variable(2, &[33])?)];
    for step in 0..3 {
        let rows = embedding_backward((11, 6), &[4, 0, 4], &told.normal(10 + step, &[3, 6])?)?;
        let vector = Gradient::from(told.normal(20 + step, &[33])?);
        let gradients = [("table".to_owned(), rows), ("vector".to_owned(), vector)].into();
        optimizer.step(&parameters, &gradients, |_| StepRates { lr: 1e-2, weight_decay: 0.1 })?;
    }
    for (parameter, variable) in &parameters {
        told.tell(format!("{name}: {parameter}"), variable, F32)?;
    }
    let mut restored = Optimizer::new(rule);
    restored.restore(3, &parameters, &optimizer.state()?)?;
    restored.state()?.iter().try_for_each(|(key, kept)| told.tell(format!("{name}: {key}"), kept, F32))
}

fn gradients(told: &Told) -> Result<BTreeMap<String, Gradient>> {
    let rows = embedding_backward((11, 6), &[4, 0, 4], &told.normal(1, &[3, 6])?)?;
    Ok([("table".to_owned(), rows), ("vector".to_owned(), told.normal(2, &[33])?.into())].into())
}

pub(crate) fn clipping(told: &mut Told) -> Result<()> {
    for max_norm in [1e9, 0.5] {
        let mut clipped = gradients(told)?;
        told.tell_number("norm", clip_by_global_norm(&mut clipped, max_norm)?)?;
        told.tell_number("norm afterwards", global_norm(clipped.values())?)?;
        scale_gradients(&mut clipped, 0.3)?;
        for (name, gradient) in &clipped {
            told.tell(format!("{name}, clipped to {max_norm} and scaled"), &gradient.dense()?, F32)?;
        }
    }
    Ok(())
}

pub(crate) fn what_holds_weights(told: &mut Told) -> Result<()> {
    let parameters =
        [("table".to_owned(), told.variable(1, &[11, 6])?), ("vector".to_owned(), told.variable(2, &[33])?)];
    let mut fisher = Fisher::default();
    fisher.add_row(&gradients(told)?, 2.0)?;
    fisher.add_row(&gradients(told)?, 0.5)?;
    let fisher: BTreeMap<String, Tensor> = fisher.mean()?.into_iter().collect();
    let penalty = ElasticPenalty::new(3.0, fisher.clone(), &parameters)?;
    for (_, parameter) in &parameters {
        parameter.set(&(parameter.as_tensor() + 0.1)?)?;
    }
    let mut pulled = gradients(told)?;
    told.tell_number("penalty", penalty.pull(&parameters, &mut pulled)?)?;
    for (name, gradient) in &pulled {
        told.tell(format!("{name}, pulled"), &gradient.dense()?, F32)?;
        told.tell(format!("{name}: Fisher information"), &fisher[name], F32)?;
    }
    Ok(())
}

/// Makes a test of each story by a macro that takes their names.
macro_rules! every_story {
    ($make:ident) => {
        $make! {
            linear_maps, maps_with_low_rank_updates, maps_with_learned_magnitudes,
            rows_with_updates_of_their_own, attention_in_packed_documents, attention_to_what_was_kept, norms,
            rotations, activations_and_sums, embeddings, losses, dropout_and_noise, optimizers, clipping,
            what_holds_weights,
        }
    };
}
pub(crate) use every_story;
