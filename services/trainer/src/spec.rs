//! What a job shall do, checked: the types that the rest of the crate works with, which can't hold a refused value.

use rootstock_artifacts::{AliasName, ArtifactName};
use rootstock_kernels::{AdamWOptions, LionOptions, SgdOptions};
use rootstock_model::{Family, Recompute};
use rootstock_peft::{Biases, BottleneckConfig, InitLoraWeights, SavedModule, VirtualTokensKind};
use rootstock_text::{Corruption, PromptTemplate, Shares, Truncation};

mod encoder;
mod forgetting;
mod publication;
mod stages;

pub(crate) use encoder::{Classification, MIN_ENCODER_TOKENS, Masked, NewEncoder};
pub(crate) use forgetting::{Elastic, Fisher, Replay, Retention};
pub(crate) use publication::{Canary, Improvement, Publication};
pub(crate) use stages::{Pace, Source, Stage, stage_path};

/// Shortest block or row that has a next token.
pub(crate) const MIN_ROW_TOKENS: usize = 2;
/// Shortest row for infilling: a token that stays, one that is cut out, and all that is put in.
pub(crate) const MIN_INFILLING_TOKENS: usize = 8;

/// The field that says how rows become prompts.
pub(crate) const TEMPLATE: &str = "spec.supervised.prompt_template";

/// A checked training specification.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    pub(crate) output: AliasName,
    /// Of those stages that have none of their own.
    pub(crate) data: Data,
    pub(crate) validation: Validation,
    pub(crate) start: Start,
    pub(crate) objective: Objective,
    /// Whether the length of blocks or rows is the default, which gives way to a shorter context.
    pub(crate) default_length: bool,
    pub(crate) method: Method,
    pub(crate) elastic: Option<Elastic>,
    pub(crate) replay: Option<Replay>,
    pub(crate) retention: Option<Retention>,
    pub(crate) arguments: Arguments,
    /// Lower numbers begin first.
    pub(crate) priority: i32,
    /// No two the same.
    pub(crate) added_tokens: Vec<String>,
    /// Goes on with the optimizer of the job that made what training starts from.
    pub(crate) keep_optimizer_state: bool,
    /// Empty where there is one that has nothing of its own.
    pub(crate) stages: Vec<Stage>,
    pub(crate) publication: Option<Publication>,
}

impl Spec {
    /// Refuses rows that are longer than what a model of so many positions has for them; says which field is too large, and why.
    pub(crate) fn check_length(&self, positions: usize) -> Result<(), (&'static str, String)> {
        let (longest, field) = self.objective.longest();
        let virtual_tokens = self.method.virtual_tokens();
        if longest.saturating_add(virtual_tokens) <= positions {
            return Ok(());
        }
        let beside = if virtual_tokens > 0 {
            format!(", of which the method's virtual tokens take {virtual_tokens}")
        } else {
            String::new()
        };
        let problem = format!("is {longest}, but the base model has max_position_embeddings = {positions}");
        Err((field, problem + &beside))
    }
}

impl Spec {
    /// How rows of the data set with this number among those that are trained on become prompts, and the field that says so; `None` where
    /// they don't.
    pub(crate) fn template(&self, number: usize) -> Option<(String, PromptTemplate)> {
        let Objective::Supervised { prompt_template, .. } = self.objective else { return None };
        let own = self.sources().iter().flat_map(Source::templates).nth(number).flatten();
        Some(own.unwrap_or_else(|| (TEMPLATE.to_owned(), prompt_template)))
    }

    /// The field that asks for the tokenizer's chat template, if one does: that of a data set which is trained on, or the objective's, by
    /// which all other data is read.
    pub(crate) fn chat_field(&self) -> Option<String> {
        let sets = self.datasets().len();
        let others = matches!(self.validation, Validation::Dataset(_))
            || self.replay.is_some()
            || self.retention.is_some();
        // There is no data set of that number, so that it has the objective's.
        let numbers = (0..sets).chain(others.then_some(sets));
        let published = self
            .publication
            .iter()
            .map(|published| ("spec.publication.prompt_template".to_owned(), published.prompt_template));
        let mut templates = numbers.filter_map(|number| self.template(number)).chain(published);
        templates.find(|(_, template)| *template == PromptTemplate::Chat).map(|(field, _)| field)
    }
}

/// What is trained on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Dataset(ArtifactName),
    Mix { datasets: Vec<MixedDataset>, shares: Shares },
}

/// One data set of a mix.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MixedDataset {
    pub(crate) name: ArtifactName,
    /// Where it isn't the objective's.
    pub(crate) prompt_template: Option<PromptTemplate>,
}

impl Data {
    /// The field that says it.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::Dataset(_) => "spec.dataset",
            Self::Mix { .. } => "spec.mix",
        }
    }

    /// Each data set and the field that names it, in a message at this path.
    fn datasets(&self, path: &str) -> Vec<(String, &ArtifactName)> {
        match self {
            Self::Dataset(name) => vec![(format!("{path}.dataset"), name)],
            Self::Mix { datasets, .. } => {
                let fields = (0..).map(|i: usize| format!("{path}.mix.datasets[{i}].dataset"));
                fields.zip(datasets.iter().map(|dataset| &dataset.name)).collect()
            }
        }
    }
}

/// Where validation data comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Validation {
    None,
    Dataset(ArtifactName),
    /// This share of the training data, above 0 and at most a half.
    Split(f64),
}

/// Where the weights come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Start {
    Base(ArtifactName),
    /// The base model is the adapter's, and so are the settings of its method but for dropout.
    Adapter(ArtifactName),
    New(NewModel),
    NewEncoder(NewEncoder),
}

impl Start {
    /// The field that says it.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::Base(_) => "spec.base_model",
            Self::Adapter(_) => "spec.base_adapter",
            Self::New(_) => "spec.new_model",
            Self::NewEncoder(_) => "spec.new_encoder",
        }
    }
}

/// The shape of a model to be made; its vocabulary is its tokenizer's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewModel {
    pub(crate) tokenizer: ArtifactName,
    pub(crate) family: Family,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) num_key_value_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) max_position_embeddings: usize,
    pub(crate) sliding_window: Option<usize>,
    pub(crate) rope_theta: f64,
    pub(crate) tie_word_embeddings: bool,
    pub(crate) initializer_range: f64,
}

/// What is learned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Objective {
    Causal {
        block_size: usize,
    },
    Supervised {
        prompt_template: PromptTemplate,
        max_length: usize,
        truncation: Truncation,
        instruction_token_dropout: f64,
        span_shuffle: f64,
        paraphrase_columns: Vec<String>,
    },
    Infilling {
        max_length: usize,
        denoisers: Vec<Denoiser>,
    },
    Masked(Masked),
    Classification(Classification),
}

/// One way to cut something out of a text, whose prefix is still to be looked up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Denoiser {
    pub(crate) corruption: Corruption,
    pub(crate) weight: f64,
    pub(crate) prefix_token: Option<String>,
}

impl Objective {
    /// Makes blocks or rows as short as a context, as long as there is a next token to learn.
    pub(crate) fn shorten(&mut self, positions: usize) {
        let (longest, least) = match self {
            Self::Causal { block_size } => (block_size, MIN_ROW_TOKENS),
            Self::Supervised { max_length, .. } => (max_length, MIN_ROW_TOKENS),
            Self::Infilling { max_length, .. } => (max_length, MIN_INFILLING_TOKENS),
            Self::Masked(masked) => (&mut masked.block_size, MIN_ENCODER_TOKENS),
            Self::Classification(classification) => (&mut classification.max_length, MIN_ENCODER_TOKENS),
        };
        *longest = positions.max(least).min(*longest);
    }

    /// The longest row in tokens, and the field that says so.
    pub(crate) fn longest(&self) -> (usize, &'static str) {
        match self {
            Self::Causal { block_size } => (*block_size, "spec.causal.block_size"),
            Self::Supervised { max_length, .. } => (*max_length, "spec.supervised.max_length"),
            Self::Infilling { max_length, .. } => (*max_length, "spec.infilling.max_length"),
            Self::Masked(masked) => (masked.block_size, "spec.masked.block_size"),
            Self::Classification(classification) => {
                (classification.max_length, "spec.classification.max_length")
            }
        }
    }

    /// Its name in the contract.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Causal { .. } => "causal",
            Self::Supervised { .. } => "supervised",
            Self::Infilling { .. } => "infilling",
            Self::Masked(_) => "masked",
            Self::Classification(_) => "classification",
        }
    }
}

/// Which weights are trained.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Method {
    Full(Full),
    Lora(Lora),
    VirtualTokens(VirtualTokens),
    /// Its name and its base model's label are its output's and the base's.
    Bottleneck(BottleneckConfig),
    /// None are: how much each matters is measured.
    Fisher(Fisher),
}

impl Method {
    /// Tokens that stand before each row and take positions of the model's context.
    pub(crate) fn virtual_tokens(&self) -> usize {
        match self {
            Self::Full(_) | Self::Lora(_) | Self::Bottleneck(_) | Self::Fisher(_) => 0,
            Self::VirtualTokens(tokens) => tokens.num_virtual_tokens,
        }
    }

    /// The field that says how many they are.
    pub(crate) fn virtual_tokens_field(&self) -> &'static str {
        match self {
            Self::VirtualTokens(VirtualTokens { kind: VirtualTokensKind::Prefix { .. }, .. }) => {
                "spec.prefix.num_virtual_tokens"
            }
            _ => "spec.prompt.num_virtual_tokens",
        }
    }
}

/// The settings of PEFT's `PromptTuningConfig` and `PrefixTuningConfig` that can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VirtualTokens {
    pub(crate) num_virtual_tokens: usize,
    /// `encoder_hidden_size` 0 is the width of a layer's keys.
    pub(crate) kind: VirtualTokensKind,
}

/// Which of all weights are trained, and from when on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Full {
    /// As written in the contract; empty is everything.
    pub(crate) trainable_modules: Vec<String>,
    pub(crate) frozen_modules: Vec<String>,
    pub(crate) unfreeze_every_steps: Option<u64>,
}

/// The settings of PEFT's `LoraConfig` that can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lora {
    pub(crate) r: usize,
    pub(crate) lora_alpha: f64,
    pub(crate) lora_dropout: f64,
    /// Without repetition, in the order of [`rootstock_model::Projection::ALL`], then both ends.
    pub(crate) target_modules: Vec<String>,
    pub(crate) use_rslora: bool,
    pub(crate) use_dora: bool,
    pub(crate) rank_pattern: Vec<(String, usize)>,
    pub(crate) alpha_pattern: Vec<(String, f64)>,
    pub(crate) exclude_modules: Vec<String>,
    pub(crate) layers_to_transform: Vec<usize>,
    pub(crate) modules_to_save: Vec<SavedModule>,
    pub(crate) init_lora_weights: InitLoraWeights,
    pub(crate) bias: Biases,
}

/// How the learning rate goes on after warm-up; rates are shares of the peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scheduler {
    Linear,
    Cosine {
        num_cycles: f64,
        min_rate: f64,
    },
    CosineWithRestarts {
        num_cycles: f64,
    },
    Polynomial {
        power: f64,
        end_rate: f64,
    },
    Constant,
    /// Without a timescale it is that of the warm-up.
    InverseSqrt {
        timescale: Option<u64>,
    },
    WarmupStableDecay(Phases),
}

/// The three parts of warm-up, stable, decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Phases {
    pub(crate) warmup: Curve,
    /// `None` is all that warm-up and decay leave.
    pub(crate) stable_steps: Option<u64>,
    pub(crate) decay: Curve,
    pub(crate) decay_steps: u64,
    pub(crate) min_rate: f64,
}

/// How a rate goes from one to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Curve {
    Linear,
    Cosine { num_cycles: f64 },
    OneMinusRoot,
}

/// What makes steps of gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Optim {
    AdamW(AdamWOptions),
    Adafactor,
    Sgd(SgdOptions),
    Lion(LionOptions),
}

impl Optim {
    /// Its name in transformers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AdamW(_) => "adamw_torch",
            Self::Adafactor => "adafactor",
            Self::Sgd(options) if options.momentum > 0.0 => "sgd with momentum",
            Self::Sgd(_) => "sgd",
            Self::Lion(_) => "lion_32bit",
        }
    }
}

/// Number format in which weights are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WeightDtype {
    AsStored,
    F32,
    Bf16,
    F16,
}

/// How long to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Length {
    Epochs(f64),
    Steps(u64),
}

/// How long warm-up takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Warmup {
    Steps(u64),
    Ratio(f64),
}

/// When training ends before its last step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EarlyStopping {
    /// Validations without improvement that are endured; at least 1.
    pub(crate) patience: u32,
    /// How much better counts as improvement.
    pub(crate) threshold: f64,
}

/// The checked `TrainingArguments`, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) learning_rate: f64,
    pub(crate) length: Length,
    pub(crate) batch_size: usize,
    pub(crate) accumulation: usize,
    pub(crate) warmup: Warmup,
    pub(crate) scheduler: Scheduler,
    pub(crate) weight_decay: f64,
    pub(crate) optim: Optim,
    /// Factor of the learning rate from each layer to the one below; 1 makes none.
    pub(crate) layerwise_lr_decay: f64,
    /// How many times the rate of A the matrices B of an adapter have.
    pub(crate) loraplus_lr_ratio: f64,
    pub(crate) label_smoothing: f64,
    /// 0 makes no noise.
    pub(crate) neftune_noise_alpha: f64,
    /// `None` leaves gradients as they are.
    pub(crate) max_grad_norm: Option<f64>,
    pub(crate) seed: u64,
    pub(crate) logging_steps: u64,
    /// `None` validates at the beginning and at the end only.
    pub(crate) eval_steps: Option<u64>,
    /// `None` saves no state.
    pub(crate) save_steps: Option<u64>,
    pub(crate) save_total_limit: usize,
    pub(crate) early_stopping: Option<EarlyStopping>,
    pub(crate) weight_dtype: WeightDtype,
    /// Goes back to a good state, once, where numbers are not finite, and on in F32.
    pub(crate) retry_in_f32: bool,
    pub(crate) recompute: Recompute,
}
