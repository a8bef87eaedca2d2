//! What is refused, with which field, and what the defaults are.

use proto::{denoiser::Corruption as Written, training_spec, training_spec::Start as ProtoStart};

use rootstock_kernels::{AdamWOptions, LionOptions, SgdOptions};
use rootstock_model::{Config, Recompute};
use rootstock_peft::{Biases, InitLoraWeights, SavedModule};
use rootstock_text::Corruption;

use super::*;

mod encoders;
mod forgetting;
mod mixes;
mod publication;
mod stages;

use crate::spec::{
    Arguments, Curve, Denoiser, EarlyStopping, Length, Lora, Method, Objective, Optim, Phases, Scheduler,
    Start, Validation, Warmup, WeightDtype,
};

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

/// The arguments of a specification that leaves all of them out.
pub(crate) fn arguments() -> Arguments {
    Spec::try_from(&supervised()).unwrap().arguments
}

#[test]
fn an_optimizer_is_gone_on_with_by_what_the_job_before_has_trained() {
    let keeping = |spec: proto::TrainingSpec| proto::TrainingSpec { keep_optimizer_state: true, ..spec };
    let full = proto::TrainingSpec { output: "baseModels/b".into(), method: causal().method, ..supervised() };
    assert!(Spec::try_from(&keeping(full)).unwrap().keep_optimizer_state);
    let start = Some(ProtoStart::BaseAdapter("adapters/a".into()));
    assert!(Spec::try_from(&keeping(proto::TrainingSpec { start, ..supervised() })).is_ok());
    for other in [supervised(), causal()] {
        let (field, message) = refused(&keeping(other));
        assert_eq!(field, "spec.keep_optimizer_state");
        assert!(message.contains("base_adapter and lora"), "{message}");
    }
}

fn refused(spec: &proto::TrainingSpec) -> (String, String) {
    match Spec::try_from(spec) {
        Err(Error::Invalid { field, message }) => (field, message),
        other => panic!("not refused: {other:?}"),
    }
}

fn with(change: impl FnOnce(&mut proto::TrainingArguments)) -> proto::TrainingSpec {
    let mut spec = supervised();
    change(spec.arguments.get_or_insert_default());
    spec
}

pub(crate) fn new_model(change: impl FnOnce(&mut proto::NewModel)) -> proto::TrainingSpec {
    let mut spec = causal();
    if let Some(ProtoStart::NewModel(model)) = &mut spec.start {
        change(model);
    }
    spec
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
fn zero_that_means_something_is_told_from_what_is_not_set() {
    let spec = with(|a| {
        a.max_grad_norm = Some(0.0);
        a.adam_beta1 = Some(0.0);
        a.seed = Some(0);
    });
    let arguments = Spec::try_from(&spec).unwrap().arguments;
    assert_eq!((arguments.max_grad_norm, arguments.seed), (None, 0));
    assert!(matches!(arguments.optim, Optim::AdamW(AdamWOptions { beta1: 0.0, .. })));
}

#[test]
fn layers_run_again_as_asked() {
    let recompute = |spec: proto::TrainingSpec| Spec::try_from(&spec).unwrap().arguments.recompute;
    assert_eq!(recompute(with(|_| {})), Recompute::Never);
    assert_eq!(recompute(with(|a| a.gradient_checkpointing = true)), Recompute::Always);
    assert_eq!(recompute(with(|a| a.activation_memory_bytes = 9)), Recompute::Within(9));
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    let nan = f64::NAN;
    let cases: [(&str, proto::TrainingSpec); 26] = [
        ("learning_rate", with(|a| a.learning_rate = -1.0)),
        ("learning_rate", with(|a| a.learning_rate = nan)),
        ("num_train_epochs", with(|a| a.num_train_epochs = -0.5)),
        ("num_train_epochs", with(|a| a.num_train_epochs = f64::INFINITY)),
        ("max_steps", with(|a| a.max_steps = -1)),
        ("per_device_train_batch_size", with(|a| a.per_device_train_batch_size = -8)),
        ("per_device_train_batch_size", with(|a| a.per_device_train_batch_size = 1 << 30)),
        ("gradient_accumulation_steps", with(|a| a.gradient_accumulation_steps = -1)),
        ("warmup_steps", with(|a| a.warmup_steps = -1)),
        ("warmup_ratio", with(|a| a.warmup_ratio = 1.5)),
        ("lr_scheduler_type", with(|a| a.lr_scheduler_type = 77)),
        ("weight_decay", with(|a| a.weight_decay = -0.1)),
        ("adam_beta1", with(|a| a.adam_beta1 = Some(1.0))),
        ("adam_beta2", with(|a| a.adam_beta2 = Some(nan))),
        ("adam_epsilon", with(|a| a.adam_epsilon = Some(0.0))),
        ("max_grad_norm", with(|a| a.max_grad_norm = Some(-1.0))),
        ("logging_steps", with(|a| a.logging_steps = -1)),
        ("eval_steps", with(|a| a.eval_steps = -1)),
        ("save_steps", with(|a| a.save_steps = -1)),
        ("save_total_limit", with(|a| a.save_total_limit = -1)),
        ("early_stopping_threshold", with(|a| a.early_stopping_threshold = nan)),
        ("weight_dtype", with(|a| a.weight_dtype = 9)),
        ("label_smoothing_factor", with(|a| a.label_smoothing_factor = 1.0)),
        ("neftune_noise_alpha", with(|a| a.neftune_noise_alpha = -5.0)),
        ("activation_memory_bytes", with(|a| a.activation_memory_bytes = -1)),
        (
            "activation_memory_bytes",
            with(|a| (a.gradient_checkpointing, a.activation_memory_bytes) = (true, 1)),
        ),
    ];
    for (field, spec) in cases {
        assert_eq!(refused(&spec).0, format!("spec.arguments.{field}"));
    }
}

#[test]
fn a_schedule_is_taken_with_its_own_settings() {
    let found = |kind: proto::LrSchedulerType, kwargs: proto::LrSchedulerKwargs| {
        let spec = with(|a| {
            (a.learning_rate, a.lr_scheduler_type) = (1e-3, kind.into());
            a.lr_scheduler_kwargs = Some(kwargs);
        });
        Spec::try_from(&spec).unwrap().arguments.scheduler
    };
    let unset = proto::LrSchedulerKwargs::default;
    let cosine = |num_cycles, min_rate| Scheduler::Cosine { num_cycles, min_rate };
    assert_eq!(found(proto::LrSchedulerType::Cosine, unset()), cosine(0.5, 0.0));
    let min_lr = proto::LrSchedulerKwargs { min_lr: Some(2.5e-4), num_cycles: 1.5, ..unset() };
    assert_eq!(found(proto::LrSchedulerType::CosineWithMinLr, min_lr), cosine(1.5, 0.25));
    let restarts = Scheduler::CosineWithRestarts { num_cycles: 1.0 };
    assert_eq!(found(proto::LrSchedulerType::CosineWithRestarts, unset()), restarts);
    assert_eq!(found(proto::LrSchedulerType::ConstantWithWarmup, unset()), Scheduler::Constant);
    let inverse = Scheduler::InverseSqrt { timescale: None };
    assert_eq!(found(proto::LrSchedulerType::InverseSqrt, unset()), inverse);
    let square = proto::LrSchedulerKwargs { power: 2.0, lr_end: Some(1e-4), ..unset() };
    let Scheduler::Polynomial { power, end_rate } = found(proto::LrSchedulerType::Polynomial, square) else {
        panic!("not polynomial")
    };
    assert_eq!((power, end_rate), (2.0, 0.1));
    let kwargs = proto::LrSchedulerKwargs { num_decay_steps: 7, decay_type: "1-sqrt".into(), ..unset() };
    let phases = Phases {
        warmup: Curve::Linear,
        stable_steps: None,
        decay: Curve::OneMinusRoot,
        decay_steps: 7,
        min_rate: 0.0,
    };
    let stable = found(proto::LrSchedulerType::WarmupStableDecay, kwargs);
    assert_eq!(stable, Scheduler::WarmupStableDecay(phases));
}

#[test]
fn settings_of_another_schedule_and_missing_ones_are_refused_by_name() {
    use proto::LrSchedulerType as Type;
    let unset = proto::LrSchedulerKwargs::default;
    let cases = [
        ("num_cycles", Type::Linear, proto::LrSchedulerKwargs { num_cycles: 2.0, ..unset() }),
        (
            "num_cycles",
            Type::WarmupStableDecay,
            proto::LrSchedulerKwargs {
                num_cycles: 3.0,
                num_decay_steps: 5,
                decay_type: "linear".into(),
                ..unset()
            },
        ),
        ("num_cycles", Type::Cosine, proto::LrSchedulerKwargs { num_cycles: -2.0, ..unset() }),
        ("min_lr", Type::CosineWithMinLr, unset()),
        ("min_lr", Type::CosineWithMinLr, proto::LrSchedulerKwargs { min_lr: Some(1.0), ..unset() }),
        ("min_lr", Type::Cosine, proto::LrSchedulerKwargs { min_lr: Some(0.0), ..unset() }),
        (
            "min_lr_rate",
            Type::CosineWithMinLr,
            proto::LrSchedulerKwargs { min_lr: Some(0.0), min_lr_rate: Some(0.0), ..unset() },
        ),
        ("lr_end", Type::Polynomial, proto::LrSchedulerKwargs { lr_end: Some(1.0), ..unset() }),
        ("timescale", Type::InverseSqrt, proto::LrSchedulerKwargs { timescale: -1, ..unset() }),
        ("num_decay_steps", Type::WarmupStableDecay, unset()),
        (
            "decay_type",
            Type::WarmupStableDecay,
            proto::LrSchedulerKwargs { num_decay_steps: 1, decay_type: "steep".into(), ..unset() },
        ),
    ];
    for (field, kind, kwargs) in cases {
        let spec = with(|a| (a.lr_scheduler_type, a.lr_scheduler_kwargs) = (kind.into(), Some(kwargs)));
        assert_eq!(refused(&spec).0, format!("spec.arguments.lr_scheduler_kwargs.{field}"));
    }
}

#[test]
fn an_optimizer_is_taken_with_its_own_constants() {
    let optim = |optimizer: proto::Optimizer, change: fn(&mut proto::TrainingArguments)| {
        let spec = with(|a| {
            a.optim = optimizer.into();
            change(a);
        });
        Spec::try_from(&spec).map(|spec| spec.arguments.optim)
    };
    let found = |optimizer, change| optim(optimizer, change).unwrap();
    let momentum = proto::OptimArgs { momentum: 0.9, nesterov: true };
    assert_eq!(found(proto::Optimizer::Adafactor, |_| {}), Optim::Adafactor);
    assert_eq!(found(proto::Optimizer::Sgd, |_| {}), Optim::Sgd(SgdOptions::default()));
    let sgd = with(|a| (a.optim, a.optim_args) = (proto::Optimizer::Sgd.into(), Some(momentum)));
    let options = SgdOptions { momentum: 0.9, nesterov: true };
    assert_eq!(Spec::try_from(&sgd).unwrap().arguments.optim, Optim::Sgd(options));
    let lion = found(proto::Optimizer::Lion, |a| a.adam_beta2 = Some(0.99));
    assert_eq!(lion, Optim::Lion(LionOptions { beta1: 0.9, beta2: 0.99 }));
}

#[test]
fn what_another_optimizer_has_is_refused_by_name() {
    use proto::Optimizer;
    let args = |momentum, nesterov| Some(proto::OptimArgs { momentum, nesterov });
    let of = |optim: Optimizer, change: &dyn Fn(&mut proto::TrainingArguments)| {
        with(|a| {
            a.optim = optim.into();
            change(a);
        })
    };
    let mut no_pairs = causal();
    no_pairs.arguments.get_or_insert_default().loraplus_lr_ratio = 16.0;
    let cases = [
        ("optim", with(|a| a.optim = 99)),
        ("adam_beta1", of(Optimizer::Sgd, &|a| a.adam_beta1 = Some(0.9))),
        ("adam_epsilon", of(Optimizer::Lion, &|a| a.adam_epsilon = Some(1e-8))),
        ("optim_args.momentum", of(Optimizer::Adamw, &|a| a.optim_args = args(0.9, false))),
        ("optim_args.momentum", of(Optimizer::Sgd, &|a| a.optim_args = args(1.0, false))),
        ("optim_args.nesterov", of(Optimizer::Sgd, &|a| a.optim_args = args(0.0, true))),
        ("layerwise_lr_decay", with(|a| a.layerwise_lr_decay = 1.5)),
        ("loraplus_lr_ratio", with(|a| a.loraplus_lr_ratio = 0.5)),
        ("loraplus_lr_ratio", no_pairs),
    ];
    for (field, spec) in cases {
        assert_eq!(refused(&spec).0, format!("spec.arguments.{field}"));
    }
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
fn infilling_is_spans_unless_denoisers_are_named() {
    let infilling = |max_length, denoisers| {
        let objective = proto::InfillingObjective { max_length, denoisers };
        let objective = Some(training_spec::Objective::Infilling(objective));
        Spec::try_from(&proto::TrainingSpec { objective, ..causal() })
    };
    let spans = |rate, mean_length| Corruption::Spans { rate, mean_length };
    let denoiser = |corruption| Denoiser { corruption, weight: 1.0, prefix_token: None };
    let objective = infilling(0, vec![]).unwrap().objective;
    assert_eq!(
        objective,
        Objective::Infilling { max_length: 128, denoisers: vec![denoiser(spans(0.15, 3.0))] }
    );
    let written = |corruption| proto::Denoiser { corruption: Some(corruption), ..proto::Denoiser::default() };
    let cut = |corruption_rate, mean_span_length| {
        written(Written::Spans(proto::SpanCorruption { corruption_rate, mean_span_length }))
    };
    let rest = proto::Denoiser {
        prefix_token: "[S]".into(),
        weight: 0.5,
        ..written(Written::Continuation(proto::ContinuationCorruption {}))
    };
    let named =
        Denoiser { weight: 0.5, prefix_token: Some("[S]".into()), ..denoiser(Corruption::Continuation) };
    let objective = infilling(64, vec![cut(0.5, 32.0), rest.clone()]).unwrap().objective;
    let denoisers = vec![denoiser(spans(0.5, 32.0)), named];
    assert_eq!(objective, Objective::Infilling { max_length: 64, denoisers });
    let refuse = |max_length, denoisers| match infilling(max_length, denoisers) {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(refuse(7, vec![]), "spec.infilling.max_length");
    assert_eq!(refuse(129, vec![]), "spec.infilling.max_length");
    assert_eq!(refuse(0, vec![proto::Denoiser::default()]), "spec.infilling.denoisers[0].corruption");
    assert_eq!(refuse(0, vec![cut(1.0, 3.0)]), "spec.infilling.denoisers[0].spans.corruption_rate");
    assert_eq!(
        refuse(0, vec![cut(0.1, 3.0), cut(0.1, 0.5)]),
        "spec.infilling.denoisers[1].spans.mean_span_length"
    );
    assert_eq!(
        refuse(0, vec![proto::Denoiser { weight: -1.0, ..rest }]),
        "spec.infilling.denoisers[0].weight"
    );
    assert_eq!(refuse(0, vec![cut(0.1, 3.0); 17]), "spec.infilling.denoisers");
}

#[test]
fn a_new_model_must_be_one_that_can_be_computed() {
    assert_eq!(refused(&new_model(|m| m.hidden_size = 0)).0, "spec.new_model.hidden_size");
    assert_eq!(refused(&new_model(|m| m.hidden_size = 36)).0, "spec.new_model.hidden_size");
    assert_eq!(refused(&new_model(|m| m.num_key_value_heads = 3)).0, "spec.new_model.num_key_value_heads");
    assert_eq!(refused(&new_model(|m| m.num_hidden_layers = -1)).0, "spec.new_model.num_hidden_layers");
    assert_eq!(refused(&new_model(|m| m.rope_theta = f64::NAN)).0, "spec.new_model.rope_theta");
    assert_eq!(refused(&new_model(|m| m.max_position_embeddings = 1)).0, "spec.causal.block_size");
}

#[test]
fn a_new_model_is_of_the_family_that_it_names() {
    let config = |change: fn(&mut proto::NewModel)| {
        let Start::New(model) = Spec::try_from(&new_model(change)).unwrap().start else {
            panic!("no new model")
        };
        let config = model_config(&model, 256, None, None);
        assert_eq!(Config::from_json(config.to_json().as_bytes()).unwrap(), config);
        (config.family.architecture(), config.head_dim, config.layers.sliding_window)
    };
    assert_eq!(config(|_| ()), ("LlamaForCausalLM", 8, None));
    assert_eq!(config(|m| m.model_type = "llama".into()), ("LlamaForCausalLM", 8, None));
    assert_eq!(config(|m| m.model_type = "mistral".into()), ("MistralForCausalLM", 8, Some(4096)));
    let windowed = config(|m| (m.model_type, m.sliding_window) = ("mistral".into(), 16));
    assert_eq!(windowed, ("MistralForCausalLM", 8, Some(16)));
    assert_eq!(config(|m| m.model_type = "qwen2".into()), ("Qwen2ForCausalLM", 8, None));
    // Wider heads than 36 over 4.
    let wide = config(|m| (m.model_type, m.hidden_size, m.head_dim) = ("qwen3".into(), 36, 16));
    assert_eq!(wide, ("Qwen3ForCausalLM", 16, None));
}

#[test]
fn what_a_family_does_not_have_is_refused_with_what_to_do() {
    let mistral =
        |sliding_window| new_model(|m| (m.model_type, m.sliding_window) = ("mistral".into(), sliding_window));
    let cases = [
        ("model_type", "llama, mistral, qwen2, qwen3", new_model(|m| m.model_type = "smollm3".into())),
        ("sliding_window", "set model_type mistral instead of llama", new_model(|m| m.sliding_window = 8)),
        ("sliding_window", "from 0 to 1048576", mistral(-1)),
        ("head_dim", "is 9, but must be even", new_model(|m| m.head_dim = 9)),
        ("head_dim", "from 0 to 16384", new_model(|m| m.head_dim = 16386)),
        ("hidden_size", "unless head_dim is set", new_model(|m| m.hidden_size = 36)),
    ];
    for (field, problem, spec) in cases {
        let (found, message) = refused(&spec);
        assert_eq!(found, format!("spec.new_model.{field}"));
        assert!(message.contains(problem), "{message}");
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
fn requests_are_checked_as_well() {
    let create = proto::CreateTrainingJobRequest { spec: Some(supervised()), ..Default::default() };
    let field = |request| match Create::try_from(request) {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("not refused: {other:?}"),
    };
    assert!(Create::try_from(create.clone()).is_ok());
    let id = proto::CreateTrainingJobRequest { training_job_id: "No".into(), ..create.clone() };
    assert_eq!(field(id), "training_job_id");
    let request_id = proto::CreateTrainingJobRequest { request_id: "x".repeat(65), ..create };
    assert_eq!(field(request_id), "request_id");
    assert_eq!(field(proto::CreateTrainingJobRequest::default()), "spec");
    let page = |page_size| Page::try_from(proto::ListTrainingJobsRequest { page_size, ..Default::default() });
    assert_eq!(page(0).unwrap().size, 50);
    assert_eq!(page(5000).unwrap().size, 1000);
    assert!(page(-1).is_err() && after_event_id(-1).is_err() && job_id("jobs/x").is_err());
}

#[test]
fn a_report_is_refused_whole() {
    let refuse = |request| match Report::try_from(request) {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("not refused: {other:?}"),
    };
    let event = |event| proto::TrainingEvent { event: Some(event), ..Default::default() };
    let report = proto::ReportEventsRequest { first_sequence: 1, ..Default::default() };
    let change = proto::training_event::Event::StateChange(proto::TrainingStateChange::default());
    let saved = proto::training_event::Event::StateSaved(proto::TrainingStateSaved::default());
    assert_eq!(refuse(proto::ReportEventsRequest::default()), "first_sequence");
    for bad in [change, saved] {
        let events = vec![event(bad)];
        assert_eq!(refuse(proto::ReportEventsRequest { events, ..report.clone() }), "events[0].event");
    }
    let outcome = Some(proto::JobOutcome::default());
    assert_eq!(refuse(proto::ReportEventsRequest { outcome, ..report.clone() }), "outcome");
    let outcome = Some(proto::JobOutcome { result_digest: "x".into(), error: String::new() });
    assert_eq!(refuse(proto::ReportEventsRequest { outcome, ..report }), "outcome.result_digest");
}

#[test]
fn times_before_1970_are_times_too() {
    assert_eq!(timestamp(1_500_000), Timestamp { seconds: 1, nanos: 500_000_000 });
    assert_eq!(timestamp(-500_000), Timestamp { seconds: -1, nanos: 500_000_000 });
}

#[test]
fn a_list_of_modules_without_end_is_refused() {
    let mut spec = supervised();
    let target_modules = vec!["q_proj".to_owned(); 65];
    spec.method =
        Some(training_spec::Method::Lora(proto::LoraMethod { target_modules, ..Default::default() }));
    assert_eq!(refused(&spec).0, "spec.lora.target_modules");
}

#[test]
fn the_default_length_gives_way_to_a_shorter_context_and_a_length_that_is_asked_for_does_not() {
    let mut spec = causal();
    let Some(ProtoStart::NewModel(model)) = &mut spec.start else { panic!("a new model") };
    model.max_position_embeddings = 16;
    let checked = Spec::try_from(&spec).unwrap();
    assert!(checked.default_length);
    assert_eq!(checked.objective, Objective::Causal { block_size: 16 });
    let asked = proto::CausalObjective { block_size: 32 };
    spec.objective = Some(training_spec::Objective::Causal(asked));
    assert_eq!(refused(&spec).0, "spec.causal.block_size");
}

#[test]
fn tokens_are_added_where_all_weights_are_trained_and_within_bounds() {
    let full = |tokens: &[&str]| {
        let mut spec = causal();
        spec.start = Some(ProtoStart::BaseModel("baseModels/tiny".into()));
        spec.added_tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
        spec
    };
    assert_eq!(Spec::try_from(&full(&["<a>", "<b>"])).unwrap().added_tokens, ["<a>", "<b>"]);
    let lora = proto::TrainingSpec { added_tokens: vec!["<a>".into()], ..supervised() };
    let new = proto::TrainingSpec { added_tokens: vec!["<a>".into()], ..causal() };
    let many: Vec<String> = (0..1025).map(|i| format!("<{i}>")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (spec, field) in [
        (lora, "spec.added_tokens"),
        (new, "spec.added_tokens"),
        (full(&many), "spec.added_tokens"),
        (full(&["<a>", ""]), "spec.added_tokens[1]"),
        (full(&[&"x".repeat(129)]), "spec.added_tokens[0]"),
        (full(&["<a>", "<a>"]), "spec.added_tokens[1]"),
    ] {
        assert_eq!(refused(&spec).0, field);
    }
}

#[test]
fn the_names_of_lora_config_become_the_configuration_of_the_adapter() {
    let mut spec = supervised();
    let lora = |change: fn(&mut proto::LoraMethod)| {
        let mut lora = proto::LoraMethod {
            use_dora: true,
            target_modules: vec!["lm_head".into(), "q_proj".into()],
            rank_pattern: [("q_proj".to_owned(), 2)].into(),
            alpha_pattern: [("lm_head".to_owned(), 5.0)].into(),
            exclude_modules: vec!["layers.0.self_attn.q_proj".into()],
            modules_to_save: vec!["embed_tokens".into(), "embed_tokens".into()],
            init_lora_weights: "gaussian".into(),
            bias: "lora_only".into(),
            ..proto::LoraMethod::default()
        };
        change(&mut lora);
        Some(training_spec::Method::Lora(lora))
    };
    spec.method = lora(|_| ());
    let Method::Lora(checked) = Spec::try_from(&spec).unwrap().method else { panic!("not lora") };
    let config = lora_config(&checked, "sha256:base");
    assert_eq!(config.target_modules, vec!["q_proj".to_owned(), "lm_head".to_owned()].into());
    assert_eq!(
        (config.rank_pattern, config.alpha_pattern),
        (vec![("q_proj".into(), 2)], vec![("lm_head".into(), 5.0)])
    );
    assert_eq!(config.exclude_modules, Some(vec!["layers.0.self_attn.q_proj".to_owned()].into()));
    assert_eq!((config.layers_to_transform, config.modules_to_save), (None, vec![SavedModule::Embedding]));
    assert!(config.use_dora && config.init_lora_weights == InitLoraWeights::Gaussian);
    assert_eq!(config.bias, Biases::LoraOnly);
    for (change, field) in [
        (
            (|lora| lora.modules_to_save = vec!["q_proj".into()]) as fn(&mut proto::LoraMethod),
            "modules_to_save[0]",
        ),
        (|lora| lora.layers_to_transform = vec![-1], "layers_to_transform"),
        (|lora| lora.rank_pattern = [("k".to_owned(), 0)].into(), "rank_pattern[\"k\"]"),
        (|lora| lora.init_lora_weights = "pissa".into(), "init_lora_weights"),
        (|lora| lora.bias = "some".into(), "bias"),
    ] {
        spec.method = lora(change);
        assert_eq!(refused(&spec).0, format!("spec.lora.{field}"));
    }
}

#[test]
fn parts_of_a_model_to_train_are_for_one_that_is_there() {
    let full = |trainable: &str| {
        let trainable_modules = vec![trainable.to_owned()];
        let full = proto::FullMethod { trainable_modules, unfreeze_every_steps: 5, ..Default::default() };
        Some(training_spec::Method::Full(full))
    };
    let mut spec = causal();
    spec.method = full("lm_head");
    assert_eq!(refused(&spec).0, "spec.new_model");
    spec.start = Some(ProtoStart::BaseModel("baseModels/tiny".into()));
    let Method::Full(checked) = Spec::try_from(&spec).unwrap().method else { panic!("not full") };
    assert_eq!((checked.trainable_modules, checked.unfreeze_every_steps), (vec!["lm_head".into()], Some(5)));
    spec.method = full("re:(");
    assert_eq!(refused(&spec).0, "spec.full.trainable_modules[0]");
}

#[test]
fn an_adapter_that_is_gone_on_with_keeps_its_configuration() {
    let mut spec = supervised();
    spec.start = Some(ProtoStart::BaseAdapter("adapters/greeter".into()));
    let mut with = |method: training_spec::Method| {
        spec.method = Some(method);
        Spec::try_from(&spec)
    };
    let lora = |lora_dropout, r| proto::LoraMethod { lora_dropout, r, ..Default::default() };
    let started = with(training_spec::Method::Lora(lora(0.1, 0))).unwrap();
    assert!(matches!(started.start, Start::Adapter(_)));
    for (method, refused) in [
        (training_spec::Method::Lora(lora(0.1, 8)), "spec.lora"),
        (training_spec::Method::Full(proto::FullMethod::default()), "spec.base_adapter"),
    ] {
        assert!(matches!(with(method), Err(Error::Invalid { field, .. }) if field == refused));
    }
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

#[test]
fn a_verification_names_its_job_and_a_tenant_is_an_id() {
    let verify = |name: &str, max_steps| {
        let request = proto::VerifyTrainingJobRequest { name: name.into(), max_steps, ..Default::default() };
        Verify::try_from(request).map_err(|error| error.to_string())
    };
    assert_eq!(verify("trainingJobs/a", 0).unwrap().id.as_str(), "a");
    assert!(verify("a", 0).unwrap_err().contains("trainingJobs/{id}"));
    assert!(verify("trainingJobs/a", -1).unwrap_err().contains("must not be negative"));
    let mut metadata = MetadataMap::new();
    assert_eq!(tenant(&metadata).unwrap(), "");
    metadata.insert(TENANT, "team-a".parse().unwrap());
    assert_eq!(tenant(&metadata).unwrap(), "team-a");
    metadata.insert(TENANT, "Team A".parse().unwrap());
    assert!(tenant(&metadata).is_err());
}
