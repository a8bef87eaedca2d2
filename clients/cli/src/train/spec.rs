//! A training file as the contract's TrainingSpec.
use rootstock_artifacts::Kind;
use rootstock_client::proto::training::v1 as proto;
use rootstock_model::Projection;

use super::{
    file::{
        self, Denoiser, Dtype, Ewc, Method, Mix, Names, NewEncoder, Objective, Optimizer, PromptInit, Replay,
        Retention, Scheduler, SchedulerKwargs, Stage, TrainFile, Truncation,
    },
    foreign,
    publication::publication,
};
use crate::names;

/// PEFT's name for all seven projections.
const ALL_LINEAR: &str = "all-linear";

/// Parses a file; the message of an error begins with the key.
pub(super) fn parse(bytes: &[u8]) -> Result<proto::TrainingSpec, String> {
    to_spec(file::parse(bytes)?)
}

fn to_spec(file: TrainFile) -> Result<proto::TrainingSpec, String> {
    let objective = file
        .objective
        .ok_or("objective is missing; write causal, supervised, infilling, masked or classification")?;
    let method =
        file.method.ok_or("method is missing; write lora, bottleneck, prefix, prompt, full or fisher")?;
    foreign::refuse(&file, objective, method)?;
    let output = file.output.as_deref().ok_or("output is missing; write what to call the result")?;
    let kind = match method {
        Method::Full => Kind::BaseModel,
        Method::Fisher => Kind::Fisher,
        Method::Lora | Method::Bottleneck | Method::Prefix | Method::Prompt => Kind::Adapter,
    };
    let (dataset, mix) = data(&file)?;
    let validation = file.validation_dataset.as_deref();
    let validation = validation.map(|name| named("validation_dataset", Kind::Dataset, name)).transpose()?;
    Ok(proto::TrainingSpec {
        output: names::alias(kind, output).map_err(|error| format!("output: {error}"))?,
        dataset,
        mix,
        validation_dataset: validation.unwrap_or_default(),
        validation_split: file.validation_split.unwrap_or_default(),
        start: Some(start(&file)?),
        objective: Some(objective_of(&file, objective)?),
        method: Some(method_of(&file, method)),
        arguments: Some(arguments(&file)?),
        added_tokens: added_tokens(file.add_tokens.as_ref()),
        ewc: file.ewc.as_ref().map(ewc).transpose()?,
        replay: file.replay.as_ref().map(replay).transpose()?,
        retention: file.retention.as_ref().map(retention).transpose()?,
        priority: file.priority.unwrap_or_default(),
        keep_optimizer_state: file.keep_optimizer_state.unwrap_or_default(),
        stages: stages(file.stages.as_deref().unwrap_or_default())?,
        publication: file.publication.as_ref().map(publication).transpose()?,
    })
}

pub(super) fn named(key: &str, kind: Kind, name: &str) -> Result<String, String> {
    names::artifact(kind, name).map_err(|error| format!("{key}: {error}"))
}

/// The data set, or the mix instead.
fn data(file: &TrainFile) -> Result<(String, Option<proto::DatasetMix>), String> {
    let own = |stage: &Stage| stage.dataset.is_some() || stage.mix.is_some();
    let staged = file.stages.as_ref().is_some_and(|stages| stages.iter().all(own));
    match (&file.dataset, &file.mix) {
        (Some(name), None) => Ok((named("dataset", Kind::Dataset, name)?, None)),
        (None, Some(mix)) => Ok((String::new(), Some(mixed(mix, "")?))),
        (None, None) if staged => Ok((String::new(), None)),
        (None, None) => Err("dataset is missing; `rootstock data list` shows those there are".to_owned()),
        (Some(_), Some(_)) => Err("dataset and mix exclude each other; leave one".to_owned()),
    }
}

fn stages(stages: &[Stage]) -> Result<Vec<proto::TrainingStage>, String> {
    let stage = |(i, from): (usize, &Stage)| {
        let dataset = from.dataset.as_deref();
        let dataset = dataset.map(|name| named(&format!("stages[{i}].dataset"), Kind::Dataset, name));
        Ok(proto::TrainingStage {
            dataset: dataset.transpose()?.unwrap_or_default(),
            mix: from.mix.as_ref().map(|mix| mixed(mix, &format!("stages[{i}]."))).transpose()?,
            trainable_modules: modules(from.trainable_modules.as_ref()),
            frozen_modules: modules(from.frozen_modules.as_ref()),
            max_steps: own(i, "max_steps", from.max_steps)?,
            num_train_epochs: own(i, "num_train_epochs", from.num_train_epochs)?,
            learning_rate: own(i, "learning_rate", from.learning_rate)?,
            warmup_steps: from.warmup_steps,
            warmup_ratio: from.warmup_ratio,
        })
    };
    stages.iter().enumerate().map(stage).collect()
}

/// A number of a stage's own; the contract takes 0 for none.
fn own<T: Default + PartialEq>(stage: usize, key: &str, number: Option<T>) -> Result<T, String> {
    match number {
        Some(number) if number == T::default() => {
            Err(format!("stages[{stage}].{key} is 0; leave it out for the file's, or the stage"))
        }
        number => Ok(number.unwrap_or_default()),
    }
}

fn mixed(mix: &Mix, prefix: &str) -> Result<proto::DatasetMix, String> {
    let datasets = mix.datasets.iter().enumerate().map(|(i, from)| {
        let (weight, prompt_template) = (from.weight, from.prompt_template.clone());
        let dataset = named(&format!("{prefix}mix.datasets[{i}].dataset"), Kind::Dataset, &from.dataset)?;
        Ok(proto::MixedDataset { dataset, weight, prompt_template })
    });
    Ok(proto::DatasetMix { datasets: datasets.collect::<Result<_, String>>()?, temperature: mix.temperature })
}

fn ewc(from: &Ewc) -> Result<proto::ElasticWeightConsolidation, String> {
    let fisher = named("ewc.fisher", Kind::Fisher, &from.fisher)?;
    Ok(proto::ElasticWeightConsolidation { fisher, lambda: from.lambda })
}

fn replay(from: &Replay) -> Result<proto::Replay, String> {
    let dataset = named("replay.dataset", Kind::Dataset, &from.dataset)?;
    Ok(proto::Replay { dataset, ratio: from.ratio })
}

fn retention(from: &Retention) -> Result<proto::Retention, String> {
    let dataset = named("retention.dataset", Kind::Dataset, &from.dataset)?;
    Ok(proto::Retention { dataset, min_ratio: from.min_ratio })
}

fn start(file: &TrainFile) -> Result<proto::training_spec::Start, String> {
    use proto::training_spec::Start;
    if let Some(name) = &file.base_adapter {
        if file.base_model.is_some() || file.new_model.is_some() || file.new_encoder.is_some() {
            return Err(
                "base_adapter has a base model of its own; take base_model, new_model and new_encoder out"
                    .into(),
            );
        }
        return named("base_adapter", Kind::Adapter, name).map(Start::BaseAdapter);
    }
    match (&file.base_model, &file.new_model, &file.new_encoder) {
        (Some(name), None, None) => named("base_model", Kind::BaseModel, name).map(Start::BaseModel),
        (None, None, Some(model)) => new_encoder(model).map(Start::NewEncoder),
        (None, Some(model), None) => Ok(Start::NewModel(proto::NewModel {
            tokenizer: named("new_model.tokenizer", Kind::Tokenizer, &model.tokenizer)?,
            model_type: model.model_type.clone(),
            hidden_size: model.hidden_size,
            intermediate_size: model.intermediate_size,
            num_hidden_layers: model.num_hidden_layers,
            num_attention_heads: model.num_attention_heads,
            num_key_value_heads: model.num_key_value_heads,
            head_dim: model.head_dim,
            max_position_embeddings: model.max_position_embeddings,
            sliding_window: model.sliding_window,
            rope_theta: model.rope_theta,
            tie_word_embeddings: model.tie_word_embeddings,
            initializer_range: model.initializer_range,
        })),
        (None, None, None) => {
            Err("base_model is missing; name a base model, or describe a new_model or a new_encoder".into())
        }
        _ => Err("base_model, new_model and new_encoder exclude each other; leave one".into()),
    }
}

fn new_encoder(model: &NewEncoder) -> Result<proto::NewEncoder, String> {
    Ok(proto::NewEncoder {
        tokenizer: named("new_encoder.tokenizer", Kind::Tokenizer, &model.tokenizer)?,
        hidden_size: model.hidden_size,
        intermediate_size: model.intermediate_size,
        num_hidden_layers: model.num_hidden_layers,
        num_attention_heads: model.num_attention_heads,
        max_position_embeddings: model.max_position_embeddings,
        type_vocab_size: model.type_vocab_size,
        hidden_dropout_prob: model.hidden_dropout_prob,
        initializer_range: model.initializer_range,
        layer_norm_eps: model.layer_norm_eps,
    })
}

fn objective_of(file: &TrainFile, objective: Objective) -> Result<proto::training_spec::Objective, String> {
    use proto::training_spec::Objective as Of;
    Ok(match objective {
        Objective::Causal => {
            Of::Causal(proto::CausalObjective { block_size: file.block_size.unwrap_or_default() })
        }
        Objective::Supervised => Of::Supervised(proto::SupervisedObjective {
            prompt_template: file
                .prompt_template
                .clone()
                .ok_or("prompt_template is missing; write qa_zh, qa_en, alpaca or chat")?,
            max_length: file.max_length.unwrap_or_default(),
            truncation: truncation(file.truncation).into(),
            instruction_token_dropout: file.instruction_token_dropout.unwrap_or_default(),
            span_shuffle: file.span_shuffle.unwrap_or_default(),
            paraphrase_columns: listed(file.paraphrase_columns.as_ref()),
        }),
        Objective::Infilling => Of::Infilling(proto::InfillingObjective {
            max_length: file.max_length.unwrap_or_default(),
            denoisers: denoisers(file.denoisers.as_deref().unwrap_or_default())?,
        }),
        Objective::Classification => Of::Classification(proto::ClassificationObjective {
            max_length: file.max_length.unwrap_or_default(),
            freeze_encoder: file.freeze_encoder.unwrap_or_default(),
        }),
        Objective::Masked => Of::Masked(proto::MaskedObjective {
            mlm_probability: file.mlm_probability.unwrap_or_default(),
            whole_word_mask: file.whole_word_mask.unwrap_or_default(),
            block_size: file.block_size.unwrap_or_default(),
        }),
    })
}

fn truncation(truncation: Option<Truncation>) -> proto::Truncation {
    match truncation {
        None => proto::Truncation::Unspecified,
        Some(Truncation::Drop) => proto::Truncation::Drop,
        Some(Truncation::TruncateLeft) => proto::Truncation::TruncateLeft,
        Some(Truncation::TruncateRight) => proto::Truncation::TruncateRight,
        Some(Truncation::Error) => proto::Truncation::Error,
    }
}

fn denoisers(denoisers: &[Denoiser]) -> Result<Vec<proto::Denoiser>, String> {
    use proto::denoiser::Corruption;
    let denoiser = |(i, from): (usize, &Denoiser)| {
        let (corruption_rate, mean_span_length) = (from.corruption_rate, from.mean_span_length);
        if from.continuation && (corruption_rate != 0.0 || mean_span_length != 0.0) {
            return Err(format!("denoisers[{i}].continuation cuts out no spans; take it or their keys out"));
        }
        let corruption = if from.continuation {
            Corruption::Continuation(proto::ContinuationCorruption {})
        } else {
            Corruption::Spans(proto::SpanCorruption { corruption_rate, mean_span_length })
        };
        let (weight, prefix_token) = (from.weight, from.prefix_token.clone());
        Ok(proto::Denoiser { corruption: Some(corruption), weight, prefix_token })
    };
    denoisers.iter().enumerate().map(denoiser).collect()
}

fn method_of(file: &TrainFile, method: Method) -> proto::training_spec::Method {
    use proto::training_spec::Method as Of;
    match method {
        Method::Full => Of::Full(proto::FullMethod {
            trainable_modules: modules(file.trainable_modules.as_ref()),
            frozen_modules: modules(file.frozen_modules.as_ref()),
            unfreeze_every_steps: file.unfreeze_every_steps.unwrap_or_default(),
        }),
        Method::Bottleneck => Of::Bottleneck(proto::BottleneckMethod {
            mh_adapter: file.mh_adapter.unwrap_or_default(),
            output_adapter: file.output_adapter.unwrap_or_default(),
            reduction_factor: file.reduction_factor.unwrap_or_default(),
            non_linearity: file.non_linearity.clone().unwrap_or_default(),
            scaling: file.scaling.unwrap_or_default(),
            original_ln_before: file.original_ln_before.unwrap_or_default(),
            is_parallel: file.is_parallel.unwrap_or_default(),
        }),
        Method::Prefix => Of::Prefix(proto::PrefixTuningMethod {
            num_virtual_tokens: file.num_virtual_tokens.unwrap_or_default(),
            prefix_projection: file.prefix_projection.unwrap_or_default(),
            encoder_hidden_size: file.encoder_hidden_size.unwrap_or_default(),
        }),
        Method::Prompt => Of::Prompt(proto::PromptTuningMethod {
            num_virtual_tokens: file.num_virtual_tokens.unwrap_or_default(),
            prompt_tuning_init: prompt_init(file.prompt_tuning_init).into(),
            prompt_tuning_init_text: file.prompt_tuning_init_text.clone().unwrap_or_default(),
        }),
        Method::Fisher => Of::Fisher(proto::FisherMethod { max_rows: file.max_rows.unwrap_or_default() }),
        Method::Lora => Of::Lora(proto::LoraMethod {
            r: file.r.unwrap_or_default(),
            lora_alpha: file.lora_alpha.unwrap_or_default(),
            lora_dropout: file.lora_dropout.unwrap_or_default(),
            target_modules: modules(file.target_modules.as_ref()),
            use_rslora: file.use_rslora.unwrap_or_default(),
            use_dora: file.use_dora.unwrap_or_default(),
            rank_pattern: file.rank_pattern.clone().unwrap_or_default(),
            alpha_pattern: file.alpha_pattern.clone().unwrap_or_default(),
            exclude_modules: modules(file.exclude_modules.as_ref()),
            layers_to_transform: file.layers_to_transform.clone().unwrap_or_default(),
            modules_to_save: modules(file.modules_to_save.as_ref()),
            init_lora_weights: file.init_lora_weights.clone().unwrap_or_default(),
            bias: file.bias.clone().unwrap_or_default(),
        }),
    }
}

fn prompt_init(init: Option<PromptInit>) -> proto::PromptTuningInit {
    match init {
        None => proto::PromptTuningInit::Unspecified,
        Some(PromptInit::Random) => proto::PromptTuningInit::Random,
        Some(PromptInit::Text) => proto::PromptTuningInit::Text,
    }
}

/// LLaMA-Factory has them in one text.
fn added_tokens(tokens: Option<&Names>) -> Vec<String> {
    match tokens {
        None => Vec::new(),
        Some(Names::One(tokens)) => tokens.split(',').map(|token| token.trim().to_owned()).collect(),
        Some(Names::Several(tokens)) => tokens.clone(),
    }
}

fn modules(written: Option<&Names>) -> Vec<String> {
    match written {
        Some(Names::One(name)) if name == ALL_LINEAR => {
            Projection::ALL.iter().map(|projection| projection.name().to_owned()).collect()
        }
        written => listed(written),
    }
}

fn listed(names: Option<&Names>) -> Vec<String> {
    match names {
        None => Vec::new(),
        Some(Names::One(name)) => vec![name.clone()],
        Some(Names::Several(names)) => names.clone(),
    }
}

fn arguments(file: &TrainFile) -> Result<proto::TrainingArguments, String> {
    Ok(proto::TrainingArguments {
        learning_rate: file.learning_rate.unwrap_or_default(),
        num_train_epochs: file.num_train_epochs.unwrap_or_default(),
        max_steps: file.max_steps.unwrap_or_default(),
        per_device_train_batch_size: file.per_device_train_batch_size.unwrap_or_default(),
        gradient_accumulation_steps: file.gradient_accumulation_steps.unwrap_or_default(),
        warmup_steps: file.warmup_steps.unwrap_or_default(),
        warmup_ratio: file.warmup_ratio.unwrap_or_default(),
        lr_scheduler_type: scheduler(file.lr_scheduler_type).into(),
        weight_decay: file.weight_decay.unwrap_or_default(),
        adam_beta1: file.adam_beta1,
        adam_beta2: file.adam_beta2,
        adam_epsilon: file.adam_epsilon,
        max_grad_norm: file.max_grad_norm,
        seed: file.seed,
        logging_steps: file.logging_steps.unwrap_or_default(),
        eval_steps: file.eval_steps.unwrap_or_default(),
        save_steps: file.save_steps.unwrap_or_default(),
        save_total_limit: file.save_total_limit.unwrap_or_default(),
        early_stopping_patience: file.early_stopping_patience.unwrap_or_default(),
        early_stopping_threshold: file.early_stopping_threshold.unwrap_or_default(),
        weight_dtype: weight_dtype(file)?.into(),
        gradient_checkpointing: file.gradient_checkpointing.unwrap_or_default(),
        activation_memory_bytes: file.activation_memory_bytes.unwrap_or_default(),
        optim: optimizer(file.optim).into(),
        optim_args: file
            .optim_args
            .as_ref()
            .map(|args| proto::OptimArgs { momentum: args.momentum, nesterov: args.nesterov }),
        lr_scheduler_kwargs: file.lr_scheduler_kwargs.as_ref().map(scheduler_kwargs),
        layerwise_lr_decay: file.layerwise_lr_decay.unwrap_or_default(),
        loraplus_lr_ratio: file.loraplus_lr_ratio.unwrap_or_default(),
        label_smoothing_factor: file.label_smoothing_factor.unwrap_or_default(),
        neftune_noise_alpha: file.neftune_noise_alpha.unwrap_or_default(),
        retry_in_f32: file.retry_in_f32.unwrap_or_default(),
    })
}

fn optimizer(optimizer: Option<Optimizer>) -> proto::Optimizer {
    match optimizer {
        None => proto::Optimizer::Unspecified,
        Some(Optimizer::Adamw) => proto::Optimizer::Adamw,
        Some(Optimizer::Adafactor) => proto::Optimizer::Adafactor,
        Some(Optimizer::Sgd) => proto::Optimizer::Sgd,
        Some(Optimizer::Lion) => proto::Optimizer::Lion,
    }
}

fn scheduler(scheduler: Option<Scheduler>) -> proto::LrSchedulerType {
    match scheduler {
        None => proto::LrSchedulerType::Unspecified,
        Some(Scheduler::Linear) => proto::LrSchedulerType::Linear,
        Some(Scheduler::Cosine) => proto::LrSchedulerType::Cosine,
        Some(Scheduler::CosineWithRestarts) => proto::LrSchedulerType::CosineWithRestarts,
        Some(Scheduler::Polynomial) => proto::LrSchedulerType::Polynomial,
        Some(Scheduler::Constant) => proto::LrSchedulerType::Constant,
        Some(Scheduler::ConstantWithWarmup) => proto::LrSchedulerType::ConstantWithWarmup,
        Some(Scheduler::InverseSqrt) => proto::LrSchedulerType::InverseSqrt,
        Some(Scheduler::CosineWithMinLr) => proto::LrSchedulerType::CosineWithMinLr,
        Some(Scheduler::WarmupStableDecay) => proto::LrSchedulerType::WarmupStableDecay,
    }
}

fn scheduler_kwargs(kwargs: &SchedulerKwargs) -> proto::LrSchedulerKwargs {
    proto::LrSchedulerKwargs {
        num_cycles: kwargs.num_cycles,
        min_lr: kwargs.min_lr,
        min_lr_rate: kwargs.min_lr_rate,
        power: kwargs.power,
        lr_end: kwargs.lr_end,
        timescale: kwargs.timescale,
        num_decay_steps: kwargs.num_decay_steps,
        num_stable_steps: kwargs.num_stable_steps,
        warmup_type: kwargs.warmup_type.clone(),
        decay_type: kwargs.decay_type.clone(),
        min_lr_ratio: kwargs.min_lr_ratio,
    }
}

/// transformers has a flag for each narrow format.
fn weight_dtype(file: &TrainFile) -> Result<proto::WeightDtype, String> {
    let flag = |flag: Option<bool>, dtype| flag.unwrap_or_default().then_some(dtype);
    let named = [file.weight_dtype, flag(file.bf16, Dtype::Bf16), flag(file.fp16, Dtype::F16)];
    let mut named = named.into_iter().flatten();
    let dtype = named.next();
    if named.next().is_some() {
        return Err("weight_dtype, bf16 and fp16 exclude each other; leave one".into());
    }
    Ok(match dtype {
        None => proto::WeightDtype::Unspecified,
        Some(Dtype::F32) => proto::WeightDtype::F32,
        Some(Dtype::Bf16) => proto::WeightDtype::Bf16,
        Some(Dtype::F16) => proto::WeightDtype::F16,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::training_spec::{Method as MethodOf, Start};

    const LORA: &str = "output: greeter\nbase_model: tiny\ndataset: facts\nobjective: supervised\n\
                        prompt_template: qa_zh\nmethod: lora\nr: 16\ntarget_modules: all-linear\n\
                        learning_rate: 1e-3\nmax_steps: 20\nseed: 7\nlr_scheduler_type: cosine\n";

    fn refusal(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn the_names_of_trainers_and_adapters_make_a_specification() {
        let spec = parse(LORA.as_bytes()).unwrap();
        assert_eq!((spec.output.as_str(), spec.dataset.as_str()), ("adapters/greeter", "datasets/facts"));
        assert_eq!(spec.start, Some(Start::BaseModel("baseModels/tiny".into())));
        let Some(MethodOf::Lora(lora)) = spec.method else { panic!("not lora") };
        assert_eq!((lora.r, lora.target_modules.len()), (16, 7));
        let arguments = spec.arguments.unwrap();
        assert_eq!((arguments.learning_rate, arguments.max_steps, arguments.seed), (1e-3, 20, Some(7)));
        assert_eq!(arguments.lr_scheduler_type(), proto::LrSchedulerType::Cosine);
        assert_eq!(arguments.max_grad_norm, None, "what is not set is left to the server");
    }

    #[test]
    fn what_is_trained_and_at_which_rank_is_named_as_in_peft() {
        let text = format!(
            "{LORA}use_dora: true\nrank_pattern: {{q_proj: 2, k_proj: 4}}\nalpha_pattern: {{q_proj: 3}}\n\
             exclude_modules: layers.0.mlp.up_proj\nlayers_to_transform: [0, 1]\nmodules_to_save: [lm_head]\n"
        );
        let Some(MethodOf::Lora(lora)) = parse(text.as_bytes()).unwrap().method else { panic!("not lora") };
        assert!(lora.use_dora);
        assert_eq!(lora.rank_pattern, [("k_proj".to_owned(), 4), ("q_proj".to_owned(), 2)].into());
        assert_eq!(
            (lora.layers_to_transform, lora.modules_to_save),
            (vec![0, 1], vec!["lm_head".to_owned()])
        );
        let text = "output: t\nbase_model: t\ndataset: d\nobjective: causal\nmethod: full\n\
                    trainable_modules: [lm_head, layers.1]\nunfreeze_every_steps: 5\n";
        let Some(MethodOf::Full(full)) = parse(text.as_bytes()).unwrap().method else { panic!("not full") };
        assert_eq!((full.trainable_modules.len(), full.unfreeze_every_steps), (2, 5));
        let goes_on = "output: t\nbase_adapter: a\ndataset: d\nobjective: causal\nmethod: lora\n";
        let start = parse(goes_on.as_bytes()).unwrap().start;
        assert_eq!(start, Some(Start::BaseAdapter("adapters/a".into())));
        assert!(refusal(&format!("{goes_on}base_model: b\n")).starts_with("base_adapter has a base model"));
        let foreign = refusal(&format!("{LORA}frozen_modules: [lm_head]\n"));
        assert!(foreign.starts_with("frozen_modules is only for method: full"), "{foreign}");
    }

    #[test]
    fn an_optimizer_has_the_name_it_has_in_transformers() {
        let sgd = format!("{LORA}optim: sgd\noptim_args: {{momentum: 0.9, nesterov: true}}\n");
        let arguments = parse(sgd.as_bytes()).unwrap().arguments.unwrap();
        assert_eq!(arguments.optim(), proto::Optimizer::Sgd);
        assert_eq!(arguments.optim_args, Some(proto::OptimArgs { momentum: 0.9, nesterov: true }));
        let optim = |name: &str| {
            parse(format!("{LORA}optim: {name}\n").as_bytes()).unwrap().arguments.unwrap().optim()
        };
        assert_eq!(optim("adamw_torch"), proto::Optimizer::Adamw);
        assert_eq!(optim("lion_32bit"), proto::Optimizer::Lion);
        let typo = refusal(&sgd.replace("momentum", "momentun"));
        assert_eq!(typo, "unknown key optim_args.momentun; did you mean momentum?");
    }

    #[test]
    fn virtual_tokens_and_bottlenecks_have_the_names_of_their_libraries() {
        let begins = "output: greeter\nbase_model: tiny\ndataset: facts\nobjective: causal\n";
        let parsed = |rest: &str| parse(format!("{begins}{rest}").as_bytes());
        let prompt = "method: prompt\nnum_virtual_tokens: 8\nprompt_tuning_init: TEXT\nprompt_tuning_init_text: Answer\n";
        let Some(MethodOf::Prompt(found)) = parsed(prompt).unwrap().method else { panic!("no prompt") };
        assert_eq!((found.num_virtual_tokens, found.prompt_tuning_init_text.as_str()), (8, "Answer"));
        assert_eq!(found.prompt_tuning_init(), proto::PromptTuningInit::Text);
        let prefix = "method: prefix\nprefix_projection: true\nencoder_hidden_size: 12\n";
        let Some(MethodOf::Prefix(found)) = parsed(prefix).unwrap().method else { panic!("no prefix") };
        assert_eq!(
            (found.num_virtual_tokens, found.prefix_projection, found.encoder_hidden_size),
            (0, true, 12)
        );
        let narrow = "method: bottleneck\nmh_adapter: true\noutput_adapter: true\nnon_linearity: swish\n";
        let Some(MethodOf::Bottleneck(found)) = parsed(narrow).unwrap().method else {
            panic!("no bottleneck")
        };
        assert_eq!((found.mh_adapter, found.non_linearity.as_str(), found.scaling), (true, "swish", 0.0));
        let foreign = parsed(&format!("{prefix}prompt_tuning_init: RANDOM\n")).unwrap_err();
        assert_eq!(foreign, "prompt_tuning_init is only for method: prompt; take it out");
    }

    #[test]
    fn added_tokens_are_a_list_or_one_text_with_commas() {
        let tokens = |rest: &str| {
            let full = "output: t\nbase_model: t\ndataset: d\nobjective: causal\nmethod: full\n";
            parse(format!("{full}{rest}").as_bytes()).unwrap().added_tokens
        };
        assert_eq!(tokens("add_tokens: ['<a>', 'b,c']\n"), ["<a>", "b,c"]);
        assert_eq!(tokens("add_tokens: <a>, <b>\n"), ["<a>", "<b>"]);
        assert!(
            refusal(&format!("{LORA}add_tokens: x\n")).starts_with("add_tokens is only for method: full")
        );
    }

    #[test]
    fn what_matters_is_measured_by_one_file_and_held_by_another() {
        let begins = "output: tiny\nbase_model: tiny\ndataset: facts\nobjective: causal\n";
        let parsed = |rest: &str| parse(format!("{begins}{rest}").as_bytes());
        let measured = parsed("method: fisher\nmax_rows: 50\n").unwrap();
        assert_eq!(measured.output, "fishers/tiny");
        assert!(matches!(measured.method, Some(MethodOf::Fisher(fisher)) if fisher.max_rows == 50));
        let held = parsed("method: full\newc: {fisher: tiny, lambda: 20}\n").unwrap().ewc.unwrap();
        assert_eq!((held.fisher.as_str(), held.lambda), ("fishers/tiny", 20.0));
        let kept = "replay: {dataset: old, ratio: 0.2}\nretention: {dataset: old, min_ratio: 0.9}\n";
        let kept = parsed(&format!("method: lora\n{kept}")).unwrap();
        assert_eq!(kept.replay.unwrap().ratio, 0.2);
        assert_eq!(kept.retention.unwrap().dataset, "datasets/old");
        let foreign = parsed("method: lora\newc: {fisher: tiny, lambda: 20}\n").unwrap_err();
        assert_eq!(foreign, "ewc is only for method: full; take it out");
    }

    #[test]
    fn a_number_format_is_named_once() {
        let dtype = |rest: &str| {
            parse(format!("{LORA}{rest}").as_bytes()).map(|spec| spec.arguments.unwrap().weight_dtype())
        };
        assert_eq!(dtype("fp16: true\n"), Ok(proto::WeightDtype::F16));
        assert_eq!(dtype("bf16: true\nfp16: false\n"), Ok(proto::WeightDtype::Bf16));
        assert_eq!(dtype("weight_dtype: float16\n"), Ok(proto::WeightDtype::F16));
        assert!(dtype("bf16: true\nfp16: true\n").unwrap_err().contains("exclude each other"));
        assert!(dtype("weight_dtype: f16\nfp16: true\n").is_err());
    }

    #[test]
    fn a_schedule_brings_its_own_settings() {
        let text = LORA.replace("lr_scheduler_type: cosine", "lr_scheduler_type: cosine_with_min_lr");
        let text = format!("{text}lr_scheduler_kwargs:\n  min_lr: 1e-5\n  num_cycles: 1.5\n");
        let arguments = parse(text.as_bytes()).unwrap().arguments.unwrap();
        assert_eq!(arguments.lr_scheduler_type(), proto::LrSchedulerType::CosineWithMinLr);
        let kwargs = arguments.lr_scheduler_kwargs.unwrap();
        assert_eq!((kwargs.min_lr, kwargs.min_lr_rate, kwargs.num_cycles), (Some(1e-5), None, 1.5));
        let typo = refusal(&text.replace("min_lr:", "minlr:"));
        assert_eq!(typo, "unknown key lr_scheduler_kwargs.minlr; did you mean min_lr?");
    }

    #[test]
    fn what_becomes_of_long_rows_and_how_questions_change_is_chosen() {
        use proto::training_spec::Objective;
        let supervised = |rest: &str| {
            let text = format!("{LORA}{rest}");
            let Some(Objective::Supervised(supervised)) = parse(text.as_bytes()).unwrap().objective else {
                panic!("not supervised")
            };
            supervised
        };
        let known = [
            ("drop", proto::Truncation::Drop),
            ("truncate_left", proto::Truncation::TruncateLeft),
            ("keep_end", proto::Truncation::TruncateLeft),
            ("truncate_right", proto::Truncation::TruncateRight),
            ("keep_start", proto::Truncation::TruncateRight),
            ("error", proto::Truncation::Error),
        ];
        for (name, truncation) in known {
            assert_eq!(supervised(&format!("truncation: {name}\n")).truncation(), truncation);
        }
        let changed = supervised("span_shuffle: 0.2\nparaphrase_columns: [other, more]\n");
        assert_eq!((changed.span_shuffle, changed.paraphrase_columns.len()), (0.2, 2));
        assert_eq!(supervised("paraphrase_columns: other\n").paraphrase_columns, ["other"]);
        assert_eq!(supervised("").truncation(), proto::Truncation::Unspecified);
    }

    #[test]
    fn a_mixture_of_denoisers_is_a_list() {
        use proto::{denoiser::Corruption, training_spec::Objective};
        let text = "output: tiny\nbase_model: tiny\ndataset: d\nobjective: infilling\nmax_length: 64\nmethod: full\n\
                    denoisers:\n- {prefix_token: '[R]'}\n- {corruption_rate: 0.5, mean_span_length: 32, weight: 0.5}\n\
                    - {continuation: true, prefix_token: '[S]'}\n";
        let Some(Objective::Infilling(infilling)) = parse(text.as_bytes()).unwrap().objective else {
            panic!("not infilling")
        };
        assert_eq!((infilling.max_length, infilling.denoisers.len()), (64, 3));
        assert_eq!(
            infilling.denoisers[0].corruption,
            Some(Corruption::Spans(proto::SpanCorruption::default()))
        );
        assert!(matches!(infilling.denoisers[2].corruption, Some(Corruption::Continuation(_))));
        let typo = refusal(&text.replace("corruption_rate", "coruption_rate"));
        assert_eq!(typo, "unknown key denoisers[1].coruption_rate; did you mean corruption_rate?");
        let both = refusal(&text.replace("continuation: true", "continuation: true, corruption_rate: 0.1"));
        assert!(both.starts_with("denoisers[2].continuation"), "{both}");
        assert!(refusal(&format!("{LORA}denoisers: []\n")).starts_with("denoisers is only for"));
    }

    #[test]
    fn a_mix_stands_for_the_data_set() {
        let mix = "mix:\n  datasets:\n  - {dataset: facts, weight: 3}\n  - {dataset: talks, weight: 1, prompt_template: qa_en}\n";
        let text = LORA.replace("dataset: facts\n", mix);
        let spec = parse(text.as_bytes()).unwrap();
        let mixed = spec.mix.unwrap();
        assert_eq!((spec.dataset.as_str(), mixed.datasets.len(), mixed.temperature), ("", 2, 0.0));
        assert_eq!((mixed.datasets[0].dataset.as_str(), mixed.datasets[0].weight), ("datasets/facts", 3.0));
        assert_eq!(mixed.datasets[1].prompt_template, "qa_en");
        assert!(refusal(&format!("{LORA}{mix}")).starts_with("dataset and mix exclude each other"));
        let typo = refusal(&text.replace("weight: 1", "wait: 1"));
        assert_eq!(typo, "unknown key mix.datasets[1].wait; did you mean weight?");
        assert!(
            refusal(&text.replace("dataset: talks", "dataset: Talks")).starts_with("mix.datasets[1].dataset")
        );
    }

    #[test]
    fn stages_have_what_they_say_and_can_bring_all_data() {
        let stages = "stages:\n- {dataset: talks, max_steps: 5}\n- {mix: {datasets: [{dataset: facts}]}, warmup_steps: 0}\n";
        let spec = parse(format!("{LORA}{stages}").as_bytes()).unwrap();
        assert_eq!((spec.dataset.as_str(), spec.stages.len()), ("datasets/facts", 2));
        assert_eq!((spec.stages[0].dataset.as_str(), spec.stages[0].max_steps), ("datasets/talks", 5));
        assert_eq!((spec.stages[0].warmup_steps, spec.stages[1].warmup_steps), (None, Some(0)));
        assert_eq!(spec.stages[1].mix.as_ref().unwrap().datasets[0].dataset, "datasets/facts");
        let without = LORA.replace("dataset: facts\n", stages);
        assert_eq!(parse(without.as_bytes()).unwrap().dataset, "");
        let typo = refusal(&without.replace("max_steps: 5", "max_step: 5"));
        assert_eq!(typo, "unknown key stages[0].max_step; did you mean max_steps?");
        let typo = refusal(&without.replace("[{dataset: facts}]", "[{data: facts}]"));
        assert_eq!(typo, "unknown key stages[1].mix.datasets[0].data; did you mean dataset?");
        let refused = refusal(&without.replace("dataset: talks", "dataset: Talks"));
        assert!(refused.starts_with("stages[0].dataset"), "{refused}");
        for key in ["max_steps", "num_train_epochs", "learning_rate"] {
            let zero = refusal(&format!("{LORA}stages: [{{}}, {{{key}: 0}}]\n"));
            assert!(zero.starts_with(&format!("stages[1].{key} is 0; leave it out")), "{zero}");
        }
        let some = without.replace("dataset: talks, ", "");
        assert!(refusal(&some).starts_with("dataset is missing"), "{some}");
    }

    #[test]
    fn a_new_model_is_described_in_its_place() {
        let text = "output: tiny\nnew_model:\n  tokenizer: t\n  hidden_size: 32\ndataset: d\nobjective: causal\n\
                    block_size: 16\nmethod: full\n";
        let spec = parse(text.as_bytes()).unwrap();
        let Some(Start::NewModel(model)) = spec.start else { panic!("no new model") };
        assert_eq!((spec.output.as_str(), model.tokenizer.as_str()), ("baseModels/tiny", "tokenizers/t"));
        let typo = refusal(&text.replace("hidden_size", "hidden_sise"));
        assert_eq!(typo, "unknown key new_model.hidden_sise; did you mean hidden_size?");
        let family = "model_type: mistral\n  head_dim: 16\n  sliding_window: 8\n  hidden_size";
        let spec = parse(text.replace("hidden_size", family).as_bytes()).unwrap();
        let Some(Start::NewModel(model)) = spec.start else { panic!("no new model") };
        assert_eq!((model.model_type.as_str(), model.head_dim, model.sliding_window), ("mistral", 16, 8));
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        assert_eq!(
            refusal(&LORA.replace("learning_rate", "learning_rat")),
            "unknown key learning_rat; did you mean learning_rate?"
        );
        let nonsense = refusal(&LORA.replace("learning_rate", "xyzzy"));
        assert_eq!(nonsense, "unknown key xyzzy; `rootstock train --keys` lists those there are");
        assert!(refusal("just text").contains("must be a mapping"));
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_told_with_its_line() {
        let message = refusal(&LORA.replace("max_steps: 20", "max_steps: many"));
        assert!(message.contains("max_steps") && message.contains("line 10"), "{message}");
        let message = refusal(&LORA.replace("method: lora", "method: dora"));
        assert!(message.contains("dora") && message.contains("lora"), "{message}");
    }

    #[test]
    fn what_is_missing_or_has_no_effect_is_told() {
        assert!(refusal(&LORA.replace("dataset: facts\n", "")).starts_with("dataset is missing"));
        assert!(
            refusal(&LORA.replace("method: lora", "method: full")).starts_with("r is only for method: lora")
        );
        assert!(refusal(&format!("{LORA}block_size: 8\n")).starts_with("block_size is only for"));
        assert!(refusal(&format!("{LORA}new_model: {{tokenizer: t}}\n")).contains("exclude each other"));
        assert!(refusal(&LORA.replace("output: greeter", "output: Greeter")).starts_with("output: "));
    }
}
