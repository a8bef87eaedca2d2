//! What a job takes, by method, and how one that can't fit is refused.

use super::*;
use crate::{
    convert::tests::{causal, masked, new_model, supervised},
    spec::{Full, Stage},
};

fn tokenizer(vocab_size: i32) -> Tokenizer {
    Tokenizer { vocab_size, ..Tokenizer::default() }
}

/// SmolLM2-135M's shape.
fn small(torch_dtype: &str) -> AnyConfig {
    let spec = Spec::try_from(&causal()).unwrap();
    let Start::New(model) = &spec.start else { panic!("{spec:?}") };
    AnyConfig::Decoder(Config {
        hidden_size: 576,
        intermediate_size: 1536,
        num_hidden_layers: 30,
        num_attention_heads: 9,
        num_key_value_heads: 3,
        head_dim: 64,
        max_position_embeddings: 2048,
        tie_word_embeddings: true,
        torch_dtype: Some(torch_dtype.to_owned()),
        ..model_config(model, 49152, None, None)
    })
}

#[test]
fn a_new_model_that_cannot_fit_is_refused_with_the_figures() {
    let total = total("MemTotal:       307200 kB\nMemFree:  12 kB\n").unwrap();
    assert_eq!(total, 300 << 20);
    let spec = Spec::try_from(&causal()).unwrap();
    within(&spec, None, &tokenizer(256), total).unwrap();
    match within(&spec, None, &tokenizer(1 << 20), total) {
        Err(Error::Invalid { field, message }) => {
            assert_eq!(field, "spec.new_model");
            assert!(message.contains("MiB") && message.contains("300 MiB"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let encoder = Spec::try_from(&masked()).unwrap();
    assert!(within(&encoder, None, &tokenizer(1 << 20), total).is_err());
    within(&encoder, None, &tokenizer(256), total).unwrap();
}

#[test]
fn an_adapter_on_a_base_that_cannot_fit_is_refused_with_what_to_change() {
    let spec = |change: fn(&mut Spec)| {
        let mut spec = Spec::try_from(&supervised()).unwrap();
        change(&mut spec);
        spec
    };
    let refused = |spec: &Spec, total: u64| match within(spec, Some(&small("float32")), &tokenizer(1), total)
    {
        Err(Error::Invalid { field, message }) => {
            assert_eq!(field, "spec.base_model");
            message
        }
        other => panic!("{other:?}"),
    };
    let wide = spec(|spec| spec.arguments.batch_size = 64);
    assert!(refused(&wide, 8 << 30).contains("gradient_checkpointing"));
    let narrow = spec(|spec| {
        (spec.arguments.batch_size, spec.arguments.recompute) = (1, rootstock_model::Recompute::Always);
    });
    within(&narrow, Some(&small("float32")), &tokenizer(1), 8 << 30).unwrap();
    assert!(refused(&narrow, 256 << 20).contains("weight_dtype bf16"));
}

#[test]
fn an_embedding_apart_from_the_head_has_gradients_for_the_tokens_of_a_step() {
    const VOCAB: usize = 10_000;
    let mut spec = Spec::try_from(&causal()).unwrap();
    let Start::New(model) = spec.start.clone() else { panic!("{spec:?}") };
    let mut bytes = |tie_word_embeddings, batch_size| {
        (spec.arguments.batch_size, spec.arguments.accumulation) = (batch_size, 2);
        let config = Config { tie_word_embeddings, ..model_config(&model, VOCAB, None, None) };
        estimate(&spec, &AnyConfig::Decoder(config)).unwrap().training
    };
    let (row, tokens) = (model.hidden_size * 4, 3 * 2 * model.max_position_embeddings);
    let head = bytes(false, 3) - bytes(true, 3);
    assert_eq!(head as usize, row * (3 * VOCAB + tokens));
    assert_eq!((bytes(false, 1000) - bytes(true, 1000)) as usize, row * 4 * VOCAB);
}

#[test]
fn optimizers_that_keep_less_need_less_and_states_are_copied() {
    let mut spec = Spec::try_from(&causal()).unwrap();
    let config = small("float32");
    let numbers = parameters(&config);
    let mut of = |optim, save_steps| {
        (spec.arguments.optim, spec.arguments.save_steps) = (optim, save_steps);
        let found = estimate(&spec, &config).unwrap();
        (found.training / numbers, found.copies / numbers, found.frozen)
    };
    let adamw = Spec::try_from(&causal()).unwrap().arguments.optim;
    assert_eq!(of(Optim::Adafactor, None), (8, 0, 0));
    assert_eq!(of(adamw, None), (16, 0, 0));
    assert_eq!(of(adamw, Some(5)), (16, 12, 0));
}

#[test]
fn the_stage_that_takes_most_decides_and_states_hold_what_any_stage_trains() {
    let config = small("float32");
    let modules = |modules: &[&str]| Full {
        trainable_modules: modules.iter().map(|module| (*module).to_owned()).collect(),
        ..Full::default()
    };
    let mut spec = Spec::try_from(&causal()).unwrap();
    spec.arguments.save_steps = Some(5);
    spec.method = Method::Full(modules(&["layers.0", "layers.1"]));
    let most = estimate(&spec, &config).unwrap();
    let layer = most.copies / 24;
    let less = Stage { full: Some(modules(&["layers.2"])), ..Stage::default() };
    spec.stages = vec![less, Stage::default()];
    let both = estimate(&spec, &config).unwrap();
    assert_eq!((both.training, both.frozen), (most.training, most.frozen));
    assert_eq!((most.training, both.copies), (32 * layer, 28 * layer));
}

#[test]
fn a_family_takes_what_sets_it_apart() {
    use rootstock_proto::training::v1::{LoraMethod, NewModel, training_spec::Method as Written};
    const TOKENS: u64 = 8 * 128;
    let family = |model_type: &str, change: fn(&mut NewModel)| {
        let spec = Spec::try_from(&new_model(|model| {
            (model.model_type, model.tie_word_embeddings) = (model_type.into(), true);
            change(model);
        }));
        let spec = spec.unwrap();
        let Start::New(model) = &spec.start else { panic!("{spec:?}") };
        let config = AnyConfig::Decoder(model_config(model, 256, None, None));
        let found = estimate(&spec, &config).unwrap();
        assert_eq!(found.training, 16 * parameters(&config));
        (config, found)
    };
    let more = |other: &(AnyConfig, Estimate), one: &(AnyConfig, Estimate)| {
        (parameters(&other.0) - parameters(&one.0), other.1.activations - one.1.activations)
    };
    let llama = family("llama", |_| ());
    // Embedding and last norm, and in each of 2 layers both norms, 4 projections of the attention, 3 of the feed-forward block.
    assert_eq!(parameters(&llama.0), 256 * 32 + 32 + 2 * (2 * 32 + 4 * 32 * 32 + 3 * 32 * 64));
    assert_eq!(more(&family("mistral", |_| ()), &llama), (0, 0));
    let qwen2 = family("qwen2", |_| ());
    assert_eq!(more(&qwen2, &llama), (2 * 3 * 32, 0));
    // Norms as wide as a head; queries and keys before them, of the layers and of two in passing.
    assert_eq!(more(&family("qwen3", |_| ()), &llama), (2 * 2 * 8, 4 * TOKENS * 2 * 32 * 4));
    // Projections twice as wide; queries, keys, values and the output.
    assert_eq!(
        more(&family("llama", |m| m.head_dim = 16), &llama),
        (2 * 4 * 32 * 32, 4 * TOKENS * 4 * 32 * 4)
    );
    let lora = |bias: &str| {
        let method = Written::Lora(LoraMethod { bias: bias.into(), ..LoraMethod::default() });
        let spec = rootstock_proto::training::v1::TrainingSpec { method: Some(method), ..supervised() };
        estimate(&Spec::try_from(&spec).unwrap(), &qwen2.0).unwrap().training / 16
    };
    // Rank 8 on q_proj and v_proj, their biases, and k_proj's.
    assert_eq!((lora("none"), lora("lora_only"), lora("all")), (2048, 2048 + 2 * 64, 2048 + 2 * 96));
}

#[test]
fn adapters_take_what_they_train_beside_a_frozen_base() {
    let found = |spec: &rootstock_proto::training::v1::TrainingSpec, dtype| {
        let config = small(dtype);
        (estimate(&Spec::try_from(spec).unwrap(), &config).unwrap(), parameters(&config))
    };
    use rootstock_proto::training::v1::{PrefixTuningMethod, training_spec::Method as Written};
    let (lora, base) = found(&supervised(), "bfloat16");
    assert_eq!(lora.frozen, 2 * base);
    // Rank 8 on q_proj and v_proj of 30 layers.
    assert_eq!(lora.training, 16 * 30 * 8 * (576 + 576 + 576 + 192));
    assert_eq!(found(&supervised(), "float32").0.frozen, 4 * base);
    let prefix = |prefix_projection| {
        let method = PrefixTuningMethod { num_virtual_tokens: 10, prefix_projection, ..Default::default() };
        let spec = rootstock_proto::training::v1::TrainingSpec {
            method: Some(Written::Prefix(method)),
            ..supervised()
        };
        found(&spec, "float32").0.training
    };
    assert_eq!(prefix(false), 16 * 10 * 30 * 2 * 192);
    assert_eq!(prefix(true), 16 * (10 * 192 + 192 * 193 + 30 * 2 * 192 * 193));
}
