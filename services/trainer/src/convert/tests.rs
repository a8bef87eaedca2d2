//! What is refused, with which field, and what the defaults are.

use proto::{training_spec, training_spec::Start as ProtoStart};

use rootstock_kernels::AdamWOptions;
use rootstock_peft::{Biases, InitLoraWeights};

use super::*;
use crate::spec::{
    Arguments, EarlyStopping, Length, Lora, Method, Objective, Optim, Scheduler, Start, Validation, Warmup,
    WeightDtype,
};

mod continued;
mod encoders;
mod forgetting;
mod full;
mod lora;
mod mixes;
mod new_models;
mod objectives;
mod optimizers;
mod publication;
mod requests;
mod schedules;
mod stages;
mod training_arguments;

/// A LoRA fine-tuning on questions, with all defaults.
pub(crate) fn supervised() -> proto::TrainingSpec {
    proto::TrainingSpec {
        output: "adapters/greeter".into(),
        dataset: "datasets/questions".into(),
        start: Some(ProtoStart::BaseModel("baseModels/tiny".into())),
        objective: Some(training_spec::Objective::Supervised(proto::SupervisedObjective {
            prompt_template: "qa_en".into(),
            ..Default::default()
        })),
        method: Some(training_spec::Method::Lora(proto::LoraMethod::default())),
        ..Default::default()
    }
}

/// A pre-training of a new model.
pub(crate) fn causal() -> proto::TrainingSpec {
    proto::TrainingSpec {
        output: "baseModels/tiny".into(),
        dataset: "datasets/text".into(),
        start: Some(ProtoStart::NewModel(proto::NewModel {
            tokenizer: "tokenizers/tiny".into(),
            hidden_size: 32,
            intermediate_size: 64,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            max_position_embeddings: 128,
            ..Default::default()
        })),
        objective: Some(training_spec::Objective::Causal(proto::CausalObjective::default())),
        method: Some(training_spec::Method::Full(proto::FullMethod::default())),
        ..Default::default()
    }
}

/// A masked pre-training of a new encoder.
pub(crate) fn masked() -> proto::TrainingSpec {
    proto::TrainingSpec {
        start: Some(ProtoStart::NewEncoder(proto::NewEncoder {
            tokenizer: "tokenizers/tiny".into(),
            hidden_size: 32,
            intermediate_size: 64,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            max_position_embeddings: 64,
            ..Default::default()
        })),
        objective: Some(training_spec::Objective::Masked(proto::MaskedObjective::default())),
        ..causal()
    }
}

pub(crate) fn new_model(change: impl FnOnce(&mut proto::NewModel)) -> proto::TrainingSpec {
    let mut spec = causal();
    if let Some(ProtoStart::NewModel(model)) = &mut spec.start {
        change(model);
    }
    spec
}

fn with(change: impl FnOnce(&mut proto::TrainingArguments)) -> proto::TrainingSpec {
    let mut spec = supervised();
    change(spec.arguments.get_or_insert_default());
    spec
}

/// The arguments of a specification that leaves all of them out.
pub(crate) fn arguments() -> Arguments {
    Spec::try_from(&supervised()).unwrap().arguments
}

fn refused(spec: &proto::TrainingSpec) -> (String, String) {
    match Spec::try_from(spec) {
        Err(Error::Invalid { field, message }) => (field, message),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_is_not_set_has_the_default_of_the_contract() {
    let spec = Spec::try_from(&supervised()).unwrap();
    assert_eq!(spec.validation, Validation::None);
    assert_eq!(
        spec.method,
        Method::Lora(Lora {
            r: 8,
            lora_alpha: 8.0,
            lora_dropout: 0.0,
            target_modules: vec!["q_proj".into(), "v_proj".into()],
            use_rslora: false,
            use_dora: false,
            rank_pattern: vec![],
            alpha_pattern: vec![],
            exclude_modules: vec![],
            layers_to_transform: vec![],
            modules_to_save: vec![],
            init_lora_weights: InitLoraWeights::Kaiming,
            bias: Biases::None,
        })
    );
    let a = spec.arguments;
    assert_eq!((a.learning_rate, a.length, a.batch_size, a.accumulation), (5e-5, Length::Epochs(3.0), 8, 1));
    assert_eq!((a.warmup, a.scheduler, a.weight_decay), (Warmup::Ratio(0.0), Scheduler::Linear, 0.0));
    assert_eq!(a.optim, Optim::AdamW(AdamWOptions { beta1: 0.9, beta2: 0.999, eps: 1e-8 }));
    assert_eq!((a.max_grad_norm, a.layerwise_lr_decay, a.loraplus_lr_ratio), (Some(1.0), 1.0, 1.0));
    assert_eq!((a.seed, a.logging_steps, a.eval_steps, a.save_steps), (42, 10, None, None));
    assert_eq!((a.save_total_limit, a.early_stopping), (2, None));
    assert!(matches!(Spec::try_from(&causal()).unwrap().objective, Objective::Causal { block_size: 128 }));
    let Start::New(model) = Spec::try_from(&causal()).unwrap().start else { panic!("no new model") };
    assert_eq!((model.num_key_value_heads, model.rope_theta, model.initializer_range), (4, 10_000.0, 0.02));
}

#[test]
fn names_must_fit_what_they_are_for() {
    let change = |change: fn(&mut proto::TrainingSpec)| {
        let mut spec = supervised();
        change(&mut spec);
        refused(&spec).0
    };
    assert_eq!(change(|s| s.output = "baseModels/x".into()), "spec.output");
    assert_eq!(change(|s| s.output = "adapters/../x".into()), "spec.output");
    assert_eq!(change(|s| s.dataset = "tokenizers/x".into()), "spec.dataset");
    assert_eq!(change(|s| s.dataset = String::new()), "spec.dataset");
    assert_eq!(change(|s| s.validation_dataset = "x".into()), "spec.validation_dataset");
    assert_eq!(change(|s| s.start = Some(ProtoStart::BaseModel("adapters/x".into()))), "spec.base_model");
    assert_eq!(change(|s| s.start = None), "spec.start");
    assert_eq!(change(|s| s.objective = None), "spec.objective");
    assert_eq!(change(|s| s.method = None), "spec.method");
    assert_eq!(refused(&new_model(|m| m.tokenizer = "datasets/x".into())).0, "spec.new_model.tokenizer");
}

#[test]
fn what_does_not_go_together_is_refused() {
    let mut spec = causal();
    spec.objective = supervised().objective;
    let (field, message) = refused(&spec);
    assert_eq!(field, "spec.new_model");
    assert!(message.contains("causal first"), "{message}");
    spec = causal();
    spec.output = "adapters/x".into();
    spec.method = supervised().method;
    assert_eq!(refused(&spec).0, "spec.new_model");
    spec = supervised();
    (spec.validation_dataset, spec.validation_split) = ("datasets/v".into(), 0.1);
    assert_eq!(refused(&spec).0, "spec.validation_split");
    assert_eq!(refused(&with(|a| a.eval_steps = 5)).0, "spec.arguments.eval_steps");
    let mut patient = with(|a| a.early_stopping_patience = 1);
    patient.validation_split = 0.1;
    assert_eq!(refused(&patient).0, "spec.arguments.early_stopping_patience");
    patient.arguments.get_or_insert_default().eval_steps = 5;
    let rule = Spec::try_from(&patient).unwrap().arguments.early_stopping;
    assert_eq!(rule, Some(EarlyStopping { patience: 1, threshold: 0.0 }));
    let mut narrow = causal();
    narrow.arguments = with(|a| a.weight_dtype = proto::WeightDtype::Bf16.into()).arguments;
    assert_eq!(Spec::try_from(&narrow).unwrap().arguments.weight_dtype, WeightDtype::Bf16);
}

#[test]
fn all_four_combinations_of_objective_and_method_are_accepted() {
    for objective in [causal().objective, supervised().objective] {
        for (method, output) in [(causal().method, "baseModels/x"), (supervised().method, "adapters/x")] {
            let output = output.to_owned();
            Spec::try_from(&proto::TrainingSpec {
                objective: objective.clone(),
                method,
                output,
                ..supervised()
            })
            .unwrap();
        }
    }
}

#[test]
fn objective_and_method_have_ranges_too() {
    fn supervised_with(change: impl FnOnce(&mut proto::SupervisedObjective)) -> (String, String) {
        let mut spec = supervised();
        if let Some(training_spec::Objective::Supervised(objective)) = &mut spec.objective {
            change(objective);
        }
        refused(&spec)
    }
    let (field, message) = supervised_with(|o| o.prompt_template = "vicuna".into());
    assert_eq!(field, "spec.supervised.prompt_template");
    assert!(message.contains("vicuna") && message.contains("qa_zh"), "{message}");
    assert_eq!(supervised_with(|o| o.max_length = 1).0, "spec.supervised.max_length");
    let (field, message) = supervised_with(|o| o.instruction_token_dropout = 1e300);
    assert_eq!(field, "spec.supervised.instruction_token_dropout");
    assert!(message.starts_with("is 1e300, but"), "{message}");
    let dropout = supervised_with(|o| o.instruction_token_dropout = 0.95);
    assert_eq!(dropout.0, "spec.supervised.instruction_token_dropout");
    let unknown = supervised_with(|o| o.truncation = 9);
    assert_eq!(unknown.0, "spec.supervised.truncation");
    assert_eq!(supervised_with(|o| o.span_shuffle = 1.0).0, "spec.supervised.span_shuffle");
    let columns = |names: &[&str]| {
        supervised_with(|o| o.paraphrase_columns = names.iter().map(|name| (*name).to_owned()).collect())
    };
    for (names, problem) in
        [(&["a", "b", "a"][..], "names a twice"), (&[""], "an empty name"), (&["a"; 17], "at most 16")]
    {
        let (field, message) = columns(names);
        assert!(field == "spec.supervised.paraphrase_columns" && message.contains(problem), "{message}");
    }
    let lora_with = |change: fn(&mut proto::LoraMethod)| {
        let mut spec = supervised();
        if let Some(training_spec::Method::Lora(lora)) = &mut spec.method {
            change(lora);
        }
        refused(&spec)
    };
    assert_eq!(lora_with(|l| l.r = -1).0, "spec.lora.r");
    assert_eq!(lora_with(|l| l.lora_alpha = -1.0).0, "spec.lora.lora_alpha");
    assert_eq!(lora_with(|l| l.lora_dropout = 1.0).0, "spec.lora.lora_dropout");
    let modules = lora_with(|l| l.target_modules = vec!["q_proj".into(), "router".into()]);
    assert_eq!(modules.0, "spec.lora.target_modules[1]");
    assert!(modules.1.contains("router") && modules.1.contains("gate_proj"), "{}", modules.1);
}

#[test]
fn the_place_of_a_job_and_its_retry_are_checked() {
    let at = |priority| proto::TrainingSpec { priority, ..supervised() };
    assert_eq!(refused(&at(101)).0, "spec.priority");
    assert_eq!(refused(&at(-101)).0, "spec.priority");
    assert_eq!(Spec::try_from(&at(-100)).unwrap().priority, -100);
    let retry = |dtype: proto::WeightDtype| with(|a| (a.retry_in_f32, a.weight_dtype) = (true, dtype.into()));
    assert!(Spec::try_from(&retry(proto::WeightDtype::Bf16)).unwrap().arguments.retry_in_f32);
    assert_eq!(refused(&retry(proto::WeightDtype::F32)).0, "spec.arguments.retry_in_f32");
}
