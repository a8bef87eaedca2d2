use candle_core::{DType, Var};
use rootstock_kernels::{Random, with_threads};
use serde_json::{Value, json};

use super::*;
use crate::{
    AnyConfig, save_tensors,
    testing::{assert_close, flat},
};

const KEY: DropoutKey = DropoutKey { seed: 1, step: 2, micro: 3 };

fn fields(architecture: &str) -> Value {
    json!({
        "architectures": [architecture], "model_type": "bert", "vocab_size": 31, "hidden_size": 12,
        "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3, "max_position_embeddings": 80,
        "initializer_range": 0.3, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
        "id2label": {"0": "no", "1": "yes", "2": "both"}
    })
}

fn parse(fields: &Value) -> Result<EncoderConfig, crate::ConfigError> {
    EncoderConfig::from_json(fields.to_string().as_bytes())
}

fn configs() -> [EncoderConfig; 2] {
    Task::ARCHITECTURES.map(|architecture| parse(&fields(architecture)).unwrap())
}

fn fresh(config: &EncoderConfig) -> Encoder {
    Encoder::init(config.clone(), 1, &Device::Cpu).unwrap()
}

fn row(seed: u64, length: usize) -> EncoderRow {
    let random = Random::new(seed, 0);
    let ids = (0..length as u64).map(|i| random.below(i, 31) as u32).collect();
    EncoderRow { ids, types: (0..length).map(|i| u32::from(i > length / 2)).collect() }
}

fn batch(config: &EncoderConfig) -> EncoderBatch {
    let rows = vec![row(1, 9), row(2, 70), row(3, 1)];
    let labels = match config.task {
        Task::MaskedLm => (0..80).map(|i| if i % 3 == 0 { i % 31 } else { -100 }).collect(),
        Task::Classification(_) => vec![2, -100, 0],
    };
    EncoderBatch { rows, labels }
}

#[test]
fn a_row_has_the_same_bits_alone_and_beside_others_on_any_number_of_threads() {
    for config in configs() {
        let (encoder, rows) = (fresh(&config), batch(&config).rows);
        let together = with_threads(2, || encoder.logits(&rows).unwrap());
        let mut first = 0;
        for row in &rows {
            let alone = with_threads(1, || encoder.logits(std::slice::from_ref(row)).unwrap());
            let count = alone.dim(0).unwrap();
            assert_close("logits", &together.narrow(0, first, count).unwrap(), &alone, 0.0);
            first += count;
        }
    }
}

#[test]
fn an_interrupted_walk_ends() {
    for config in configs() {
        let (mut encoder, interrupt) = (fresh(&config), Interrupt::default());
        let parameters = encoder.set_trainable(None).unwrap();
        encoder.set_interrupt(interrupt.clone());
        encoder.evaluate(&batch(&config)).unwrap();
        interrupt.request();
        let walked = encoder.forward_backward(&parameters, &batch(&config), 1.0, KEY);
        assert!(matches!(walked, Err(ModelError::Interrupted)), "{walked:?}");
    }
}

#[test]
fn a_token_sees_what_comes_after_it() {
    let encoder = fresh(&configs()[0]);
    let (one, mut other) = (row(1, 9), row(1, 9));
    other.ids[8] = (other.ids[8] + 1) % 31;
    let first = |row: EncoderRow| flat(&encoder.logits(&[row]).unwrap().get(0).unwrap());
    assert_ne!(first(one), first(other));
}

#[test]
fn every_gradient_agrees_with_finite_differences_of_the_loss_dropout_included() {
    for config in configs() {
        let config = EncoderConfig { hidden_dropout_prob: 0.2, ..config };
        let (mut encoder, batch) = (fresh(&config), batch(&config));
        let parameters = encoder.set_trainable(None).unwrap();
        let run = || encoder.forward_backward(&parameters, &batch, 1.0, KEY).unwrap();
        let (loss, gradients) = run();
        assert_eq!(loss.tokens, batch.labels.iter().filter(|label| **label >= 0).count() as u64);
        assert_eq!(gradients.0.len(), config.tensors().len());
        for (name, parameter) in &parameters {
            let shape = parameter.shape();
            let direction = Random::named(3, name).normal_tensor(shape, 0.0, 1.0, &Device::Cpu).unwrap();
            let start = parameter.as_tensor().copy().unwrap();
            let loss_at = |distance: f64| {
                parameter.set(&(&start + (&direction * distance).unwrap()).unwrap().detach()).unwrap();
                run().0.sum
            };
            let slope = (loss_at(2e-3) - loss_at(-2e-3)) / 4e-3;
            parameter.set(&start.detach()).unwrap();
            let products = flat(&(gradients.0[name].dense().unwrap() * &direction).unwrap());
            let along: f64 = products.iter().map(|v| f64::from(*v)).sum();
            let norm =
                flat(gradients.0[name].values()).iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            assert!(
                (slope - along).abs() < 1e-2 * norm.max(0.1),
                "{name}: {along}, but the loss says {slope}"
            );
        }
    }
}

#[test]
fn gradients_repeat_bit_for_bit_and_dropout_rests_in_evaluation() {
    for config in configs() {
        let dropping = EncoderConfig { hidden_dropout_prob: 0.3, ..config.clone() };
        let mut encoder = fresh(&dropping);
        let parameters = encoder.set_trainable(None).unwrap();
        let batch = batch(&config);
        let run = |threads, key| {
            let step = || encoder.forward_backward(&parameters, &batch, 1.0, key).unwrap();
            let (loss, gradients) = with_threads(threads, step);
            (loss.sum, gradients.0.into_values().map(|gradient| flat(gradient.values())).collect::<Vec<_>>())
        };
        assert_eq!(run(1, KEY), run(2, KEY));
        assert_ne!(run(1, KEY).0, run(1, DropoutKey { step: 9, ..KEY }).0);
        assert_eq!(encoder.evaluate(&batch).unwrap(), fresh(&config).evaluate(&batch).unwrap());
    }
}

#[test]
fn a_batch_without_labels_gives_zero_gradients() {
    let config = &configs()[0];
    let mut encoder = fresh(config);
    let parameters = encoder.set_trainable(None).unwrap();
    let mut silent = batch(config);
    silent.labels.fill(-100);
    let (loss, gradients) = encoder.forward_backward(&parameters, &silent, 1.0, KEY).unwrap();
    assert_eq!((loss.tokens, gradients.global_norm().unwrap()), (0, 0.0));
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let [config, sorting] = configs();
    let encoder = fresh(&config);
    let refused = |rows: Vec<EncoderRow>| encoder.logits(&rows).unwrap_err().to_string();
    assert!(refused(vec![row(1, 3), row(1, 81)]).contains("row 1 has 81 tokens, at most 80 fit"));
    assert!(refused(vec![EncoderRow { types: vec![2], ..row(1, 1) }]).contains("a kind below 2"));
    assert!(refused(vec![EncoderRow { ids: vec![31], ..row(1, 1) }]).contains("token id 31"));
    assert!(matches!(encoder.logits(&[row(1, 0)]), Err(ModelError::EmptyInput)));
    let labelled = |config: &EncoderConfig, labels: Vec<i64>| {
        let batch = EncoderBatch { rows: vec![row(1, 2)], labels };
        fresh(config).evaluate(&batch).unwrap_err().to_string()
    };
    assert!(labelled(&config, vec![1]).contains("1 labels, but 2 are needed"));
    assert!(labelled(&sorting, vec![3]).contains("label 3 at 0 is neither -100 nor below 3"));

    let dropping = EncoderConfig { attention_probs_dropout_prob: 0.1, ..config.clone() };
    let refused = fresh(&dropping).forward_backward(&[], &batch(&config), 1.0, KEY).unwrap_err().to_string();
    assert!(refused.contains("attention_probs_dropout_prob is 0.1"), "{refused}");
    let stranger = Var::from_tensor(&Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap()).unwrap();
    let parameters = [("stranger".to_owned(), stranger)];
    let refused = encoder.forward_backward(&parameters, &batch(&config), 1.0, KEY).unwrap_err().to_string();
    assert!(refused.contains("parameter stranger"), "{refused}");
}

#[test]
fn weights_survive_a_round_trip_under_their_old_names_and_with_what_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    for config in configs() {
        let encoder = fresh(&config);
        let mut tensors = encoder.named_tensors().unwrap();
        let found: Vec<_> = tensors.iter().map(|(name, t)| (name.clone(), t.dims().to_vec())).collect();
        let expected: Vec<_> = config.tensors().into_iter().map(|spec| (spec.name, spec.shape)).collect();
        assert_eq!(found, expected);
        for (name, _) in &mut tensors {
            *name = name
                .replace("LayerNorm.weight", "LayerNorm.gamma")
                .replace("LayerNorm.bias", "LayerNorm.beta");
        }
        tensors.push(("cls.seq_relationship.bias".to_owned(), tensors[0].1.clone()));
        let file = dir.path().join("model.safetensors");
        save_tensors(&file, &tensors, &Default::default()).unwrap();
        let again = EncoderConfig::from_json(config.to_json().as_bytes()).unwrap();
        assert_eq!(EncoderConfig { torch_dtype: None, ..again.clone() }, config);
        let loaded = Encoder::load(again, &[file], DType::F32, &Device::Cpu).unwrap();
        let rows = batch(&config).rows;
        assert_close("logits", &loaded.logits(&rows).unwrap(), &encoder.logits(&rows).unwrap(), 0.0);
    }
}

#[test]
fn what_would_change_the_computation_is_refused_by_name() {
    for (field, value, message) in [
        ("hidden_act", json!("relu"), "hidden_act is \"relu\""),
        ("position_embedding_type", json!("relative_key"), "position_embedding_type is \"relative_key\""),
        ("problem_type", json!("regression"), "problem_type is \"regression\""),
        ("is_decoder", json!(true), "is_decoder is true"),
        ("tie_word_embeddings", json!(false), "tie_word_embeddings is false"),
        ("num_attention_heads", json!(5), "must divide hidden_size"),
        ("hidden_dropout_prob", json!(1.0), "hidden_dropout_prob is 1"),
        ("id2label", json!({"0": "one"}), "at least two labels"),
        ("architectures", json!(["BertForTokenClassification"]), "BertForTokenClassification"),
    ] {
        let mut changed = fields("BertForSequenceClassification");
        changed[field] = value;
        let error = parse(&changed).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_model_of_any_kind_is_recognised_and_a_stranger_is_told_of_all() {
    for config in configs() {
        assert!(matches!(AnyConfig::from_json(config.to_json().as_bytes()), Ok(AnyConfig::Encoder(_))));
    }
    let decoder = crate::testing::tiny();
    assert_eq!(AnyConfig::from_json(decoder.to_json().as_bytes()).unwrap().vocab_size(), decoder.vocab_size);
    let error = AnyConfig::from_json(br#"{"model_type": "mamba"}"#).unwrap_err().to_string();
    assert!(error.contains("LlamaForCausalLM") && error.contains("BertForMaskedLM"), "{error}");
}
