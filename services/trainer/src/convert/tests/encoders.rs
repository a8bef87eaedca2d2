//! Jobs of encoders: their defaults, and what doesn't go with them.

use super::*;
use crate::spec::Masked;

fn new_encoder(change: impl FnOnce(&mut proto::NewEncoder)) -> proto::TrainingSpec {
    let mut spec = masked();
    if let Some(ProtoStart::NewEncoder(model)) = &mut spec.start {
        change(model);
    }
    spec
}

fn objective(change: impl FnOnce(&mut proto::MaskedObjective)) -> proto::TrainingSpec {
    let mut spec = masked();
    if let Some(training_spec::Objective::Masked(objective)) = &mut spec.objective {
        change(objective);
    }
    spec
}

#[test]
fn what_is_not_set_has_berts_defaults_and_a_default_length_fits_itself_to_the_model() {
    let spec = Spec::try_from(&masked()).unwrap();
    let default = Masked { mlm_probability: 0.15, whole_word_mask: false, block_size: 64 };
    assert_eq!(spec.objective, Objective::Masked(default));
    let Start::NewEncoder(model) = spec.start else { panic!("no encoder") };
    assert_eq!((model.type_vocab_size, model.hidden_dropout_prob), (2, 0.1));
    assert_eq!((model.initializer_range, model.layer_norm_eps), (0.02, 1e-12));
    let none = new_encoder(|model| model.hidden_dropout_prob = Some(0.0));
    let Start::NewEncoder(model) = Spec::try_from(&none).unwrap().start else { panic!("no encoder") };
    assert_eq!(model.hidden_dropout_prob, 0.0);
}

#[test]
fn encoders_learn_what_encoders_can_and_decoders_what_decoders_can() {
    let decoder = proto::TrainingSpec { start: causal().start, ..masked() };
    let cases = [
        (decoder, "spec.new_model", "new_encoder"),
        (proto::TrainingSpec { objective: causal().objective, ..masked() }, "spec.new_encoder", "causal"),
        (
            proto::TrainingSpec { objective: supervised().objective, method: causal().method, ..masked() },
            "spec.new_encoder",
            "supervised",
        ),
        (
            proto::TrainingSpec {
                objective: Some(training_spec::Objective::Infilling(Default::default())),
                ..masked()
            },
            "spec.new_encoder",
            "infilling",
        ),
        (
            proto::TrainingSpec { method: supervised().method, output: "adapters/a".into(), ..masked() },
            "spec.method",
            "set full",
        ),
    ];
    for (spec, field, words) in cases {
        let (found, message) = refused(&spec);
        assert!(found == field && message.contains(words), "{found}: {message}");
    }
}

#[test]
fn what_is_out_of_range_or_does_nothing_is_refused_by_name() {
    let argument = |change: fn(&mut proto::TrainingArguments)| {
        let mut spec = masked();
        change(spec.arguments.get_or_insert_default());
        spec
    };
    for (spec, field) in [
        (objective(|masked| masked.mlm_probability = 1.0), "spec.masked.mlm_probability"),
        (objective(|masked| masked.mlm_probability = f64::NAN), "spec.masked.mlm_probability"),
        (objective(|masked| masked.block_size = 7), "spec.masked.block_size"),
        (objective(|masked| masked.block_size = 65), "spec.masked.block_size"),
        (new_encoder(|model| model.hidden_size = 30), "spec.new_encoder.hidden_size"),
        (new_encoder(|model| model.hidden_dropout_prob = Some(1.0)), "spec.new_encoder.hidden_dropout_prob"),
        (new_encoder(|model| model.layer_norm_eps = -1.0), "spec.new_encoder.layer_norm_eps"),
        (new_encoder(|model| model.tokenizer.clear()), "spec.new_encoder.tokenizer"),
        (argument(|a| a.label_smoothing_factor = 0.1), "spec.arguments.label_smoothing_factor"),
        (argument(|a| a.neftune_noise_alpha = 1.0), "spec.arguments.neftune_noise_alpha"),
        (argument(|a| a.gradient_checkpointing = true), "spec.arguments.gradient_checkpointing"),
        (argument(|a| a.activation_memory_bytes = 1), "spec.arguments.activation_memory_bytes"),
    ] {
        assert_eq!(refused(&spec).0, field);
    }
}
