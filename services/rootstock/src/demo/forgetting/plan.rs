//! How the demo trains: the model's shape, the tasks and the hyper-parameters, in one place.

use rootstock_client::proto::training::v1 as training;
use training::training_spec::{Method, Objective, Start};
use training::{
    CausalObjective, ElasticWeightConsolidation, FisherMethod, FullMethod, LoraMethod, LrSchedulerType,
    NewModel, Replay, SupervisedObjective, TrainingArguments, TrainingSpec,
};

use crate::demo::{names, plan};

/// The rows of the first task.
pub(super) const FIRST: &str = "datasets/demo-first";
/// The rows of the second task.
pub(super) const SECOND: &str = "datasets/demo-second";
/// The model that has learnt the first task.
pub(super) const LEARNT: &str = "baseModels/demo-learnt";
/// What its weights matter for it.
const FISHER: &str = "fishers/demo-learnt";

/// Strength with which weights that matter are held.
const LAMBDA: f64 = 5e4;
/// Share of the first task's rows while the second is learnt.
const REPLAYED: f64 = 0.3;

/// How the second task is learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    Ewc,
    Replay,
    Lora,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::Plain, Self::Ewc, Self::Replay, Self::Lora];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain fine-tuning",
            Self::Ewc => "weights held (EWC)",
            Self::Replay => "replay",
            Self::Lora => "LoRA",
        }
    }

    pub(super) fn explanation(self) -> &'static str {
        match self {
            Self::Plain => "all weights learn the second task",
            Self::Ewc => "the same, and weights that matter for the first are held",
            Self::Replay => "the same, and some rows are of the first",
            Self::Lora => "an adapter beside frozen weights learns the second task",
        }
    }

    /// In the plot.
    pub(super) fn colour(self) -> &'static str {
        match self {
            Self::Plain => "#d62728",
            Self::Ewc => "#1f77b4",
            Self::Replay => "#2ca02c",
            Self::Lora => "#9467bd",
        }
    }

    /// What its result is called.
    pub(super) fn output(self) -> &'static str {
        match self {
            Self::Plain => "baseModels/demo-plain",
            Self::Ewc => "baseModels/demo-ewc",
            Self::Replay => "baseModels/demo-replay",
            Self::Lora => "adapters/demo-second",
        }
    }
}

/// How much is done; everything else is the same for every run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Facts of each task.
    pub(super) facts: usize,
    /// How often the two tasks are learnt.
    pub(super) seeds: u64,
    width: i32,
    pretrain_steps: i64,
    first_steps: i64,
    second_steps: i64,
}

impl Plan {
    /// What shows the difference in a few minutes on two cores.
    pub(super) const FULL: Self =
        Self { facts: 20, seeds: 3, width: 128, pretrain_steps: 200, first_steps: 120, second_steps: 200 };
    /// Less of everything.
    pub(super) const QUICK: Self =
        Self { facts: 6, seeds: 1, width: 128, pretrain_steps: 40, first_steps: 100, second_steps: 100 };

    /// Pre-training from random weights, on text.
    pub(super) fn pretraining(self) -> TrainingSpec {
        let model = NewModel {
            tokenizer: names::TOKENIZER.into(),
            hidden_size: self.width,
            intermediate_size: 3 * self.width,
            num_hidden_layers: 3,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            max_position_embeddings: 256,
            tie_word_embeddings: true,
            ..NewModel::default()
        };
        TrainingSpec {
            output: names::MODEL.into(),
            dataset: names::TEXT.into(),
            start: Some(Start::NewModel(model)),
            objective: Some(Objective::Causal(CausalObjective { block_size: 128 })),
            method: Some(Method::Full(FullMethod::default())),
            arguments: Some(arguments(self.pretrain_steps, 3e-3, 0)),
            ..TrainingSpec::default()
        }
    }

    /// The first task, with all weights.
    pub(super) fn first(self, seed: u64) -> TrainingSpec {
        TrainingSpec {
            output: LEARNT.into(),
            dataset: FIRST.into(),
            start: Some(Start::BaseModel(names::MODEL.into())),
            arguments: Some(arguments(self.first_steps, 2e-3, seed)),
            ..questions()
        }
    }

    /// What each weight matters for the first task.
    pub(super) fn measuring(self, seed: u64) -> TrainingSpec {
        TrainingSpec {
            output: FISHER.into(),
            dataset: FIRST.into(),
            method: Some(Method::Fisher(FisherMethod::default())),
            arguments: Some(TrainingArguments { seed: Some(seed), ..TrainingArguments::default() }),
            ..questions()
        }
    }

    /// The second task, from the model that has learnt the first.
    pub(super) fn second(self, way: Way, seed: u64) -> TrainingSpec {
        let mut spec = TrainingSpec {
            output: way.output().into(),
            dataset: SECOND.into(),
            arguments: Some(arguments(self.second_steps, 3e-3, seed)),
            ..questions()
        };
        match way {
            Way::Plain => {}
            Way::Ewc => {
                spec.ewc = Some(ElasticWeightConsolidation { fisher: FISHER.into(), lambda: LAMBDA });
            }
            Way::Replay => spec.replay = Some(Replay { dataset: FIRST.into(), ratio: REPLAYED }),
            Way::Lora => spec.method = Some(Method::Lora(lora())),
        }
        spec
    }
}

/// Questions and answers, learnt with all weights by the model that has learnt the first task.
fn questions() -> TrainingSpec {
    let objective = SupervisedObjective {
        prompt_template: plan::Plan::PROMPT_TEMPLATE.into(),
        max_length: 128,
        ..SupervisedObjective::default()
    };
    TrainingSpec {
        start: Some(Start::BaseModel(LEARNT.into())),
        objective: Some(Objective::Supervised(objective)),
        method: Some(Method::Full(FullMethod::default())),
        ..TrainingSpec::default()
    }
}

/// On the embedding too: the second task's words are new to so small a model.
fn lora() -> LoraMethod {
    let modules =
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "embed_tokens"];
    LoraMethod {
        r: 32,
        lora_alpha: 64.0,
        target_modules: modules.map(String::from).to_vec(),
        ..LoraMethod::default()
    }
}

fn arguments(max_steps: i64, learning_rate: f64, seed: u64) -> TrainingArguments {
    TrainingArguments {
        learning_rate,
        adam_beta2: Some(0.99),
        per_device_train_batch_size: 16,
        lr_scheduler_type: LrSchedulerType::Cosine.into(),
        warmup_ratio: 0.05,
        max_steps,
        seed: Some(seed),
        ..TrainingArguments::default()
    }
}
