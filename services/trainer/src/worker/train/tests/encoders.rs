//! Whole runs of encoders: what they learn of a small language, and that a run which was cut comes to the same bits.

use candle_core::Device;
use rootstock_model::{Encoder, EncoderConfig, Format, Task};
use rootstock_text::{TextTokenizer, TrainOptions, train_byte_level_bpe};

use super::*;
use crate::{
    convert::tests::masked,
    spec::Masked,
    worker::{
        encoder::EncoderLearner,
        masked::{MaskedTexts, Words},
    },
};

/// A tokenizer with BERT's tokens that knows bytes alone.
pub(super) fn tokenizer() -> TextTokenizer {
    let special_tokens = ["<|endoftext|>", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned).to_vec();
    let options = TrainOptions { vocab_size: 260, special_tokens, ..TrainOptions::default() };
    let files = train_byte_level_bpe(["ab"].into_iter(), &options).unwrap();
    TextTokenizer::from_files(&files.tokenizer_json, Some(&files.tokenizer_config_json)).unwrap()
}

/// An encoder of random weights, of which all are trained.
pub(super) fn encoder(task: Task, hidden_dropout_prob: f64) -> EncoderLearner {
    let config = EncoderConfig {
        task,
        vocab_size: 260,
        hidden_size: 32,
        intermediate_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        max_position_embeddings: 32,
        type_vocab_size: 2,
        layer_norm_eps: 1e-12,
        initializer_range: 0.05,
        hidden_dropout_prob,
        attention_probs_dropout_prob: 0.0,
        classifier_dropout: None,
        pad_token_id: None,
        torch_dtype: None,
    };
    EncoderLearner::full(Encoder::init(config, 5, &Device::Cpu).unwrap(), Format::F32).unwrap()
}

/// Texts whose letters go up by two, or by three, so that others tell a hidden one.
pub(super) fn texts(rows: std::ops::Range<usize>, mlm_probability: f64) -> Rows {
    let tokenizer = tokenizer();
    let documents = rows.map(|row| {
        let letter = |i: usize| char::from(b'a' + ((row * 7 + i * (row % 2 + 2)) % 26) as u8);
        let text: String = (0..14).map(letter).collect();
        let encoding = tokenizer.encode(&text, false).unwrap();
        let offsets = encoding.offsets.iter().map(|range| (range.start as u32, range.end as u32));
        Words::of_piece(&text, encoding.ids, offsets, &tokenizer)
    });
    let objective = Masked { mlm_probability, whole_word_mask: false, block_size: 16 };
    Rows::Masked(MaskedTexts::new(documents.collect::<Vec<_>>(), &tokenizer, (&objective, 5)).unwrap())
}

fn masking(learner: EncoderLearner, arguments: Arguments, validation: usize) -> Prepared {
    let mut spec = Spec::try_from(&masked()).unwrap();
    spec.arguments = arguments;
    spec.validation = if validation > 0 { Validation::Split(0.5) } else { Validation::None };
    Prepared {
        spec: Arc::new(spec),
        spec_digest: "sha256:test".into(),
        learner: learner.into(),
        elastic: None,
        stages: vec![stage(texts(0..40, 0.15), texts(40..40 + validation, 0.15))],
        replayed: None,
        earlier: None,
        resume: None,
        before: None,
        in_f32: false,
    }
}

#[test]
fn masking_is_drawn_anew_in_each_pass_and_is_resumed_bit_for_bit() {
    let rows = texts(0..3, 0.3);
    let seen = |epoch| rows.augmented(0, epoch, None);
    assert_eq!(seen(4), seen(4));
    assert!((1..20).any(|epoch| seen(epoch) != seen(0)));
    assert_eq!(rows.example(1), rows.select(&[0, 1]).example(1));
    let arguments = Arguments { save_steps: Some(3), layerwise_lr_decay: 0.9, ..short() };
    let run_from = |cut: Option<usize>, resume: Option<Saved>| {
        let script = Script { checks_left: Rc::new(Cell::new(cut)), ..Script::default() };
        let mut prepared = masking(encoder(Task::MaskedLm, 0.1), arguments.clone(), 0);
        prepared.resume = resume;
        (run(prepared, &script), script)
    };
    let (whole, script) = run_from(None, None);
    let losses = script.losses();
    assert!(losses[3] < 0.9 * losses[0], "{losses:?}");
    let (_, before) = run_from(Some(7), None);
    let (resumed, _) = run_from(None, Some(read_back(&before)));
    assert_eq!(bits(&resumed.unwrap().learner), bits(&whole.unwrap().learner));
}

#[test]
fn small_batches_of_hidden_tokens_accumulate_to_the_loss_of_one_large_batch() {
    let (learner, rows) = (Trainee::from(encoder(Task::MaskedLm, 0.0)), texts(0..6, 0.3));
    let examples: Vec<Example> = (0..6).map(|row| rows.example(row)).collect();
    let whole = learner
        .step(learner.variables(), std::slice::from_ref(&examples), Regularization::default(), 1.0)
        .unwrap();
    let parts: Vec<Vec<Example>> = examples.chunks(2).map(<[Example]>::to_vec).collect();
    let parts = learner.step(learner.variables(), &parts, Regularization::default(), 1.0).unwrap();
    assert_eq!(whole.loss.tokens, rows.tokens().1);
    assert!((whole.loss.sum - parts.loss.sum).abs() < 1e-6 * whole.loss.sum);
    let (whole, parts) = (whole.gradients.global_norm().unwrap(), parts.gradients.global_norm().unwrap());
    assert!((whole - parts).abs() < 1e-5 * whole);
    assert_eq!(learner.evaluate(&examples).unwrap().tokens, rows.tokens().1);
}
