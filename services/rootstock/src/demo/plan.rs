//! How the demo trains: the model's shape and the hyper-parameters, in one place.

use rootstock_client::proto::training::v1 as training;
use training::training_spec::{Method, Objective, Start};
use training::{
    CausalObjective, FullMethod, LoraMethod, LrSchedulerType, NewModel, SupervisedObjective,
    TrainingArguments, TrainingSpec, WeightDtype,
};

use crate::demo::names;

/// Steps of each training; everything else is the same for every demo.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Steps of the pre-training.
    pub(crate) pretrain_steps: i64,
    /// Steps of the first, unfinished adapter.
    pub(crate) draft_steps: i64,
    /// Steps of the adapter.
    pub(crate) adapter_steps: i64,
}

impl Plan {
    /// What is needed for good answers in a few minutes on two cores.
    pub(crate) const FULL: Self = Self { pretrain_steps: 400, draft_steps: 20, adapter_steps: 600 };
    /// Shows every step of the way, in seconds, and teaches nothing.
    pub(crate) const QUICK: Self = Self { pretrain_steps: 12, draft_steps: 2, adapter_steps: 6 };

    /// Ids of the tokenizer.
    pub(crate) const VOCAB_SIZE: i32 = 3072;
    /// The questions' template: the labels of the text's questions and answers.
    pub(crate) const PROMPT_TEMPLATE: &str = "qa_zh";
    /// The longest answer, in tokens.
    pub(crate) const MAX_ANSWER_TOKENS: i32 = 64;

    /// Pre-training from random weights, on text.
    pub(crate) fn pretraining(&self) -> TrainingSpec {
        let model = NewModel {
            tokenizer: names::TOKENIZER.into(),
            hidden_size: 192,
            intermediate_size: 512,
            num_hidden_layers: 4,
            num_attention_heads: 6,
            num_key_value_heads: 3,
            max_position_embeddings: 256,
            tie_word_embeddings: true,
            ..NewModel::default()
        };
        let arguments = TrainingArguments {
            learning_rate: 3e-3,
            weight_decay: 0.1,
            per_device_train_batch_size: 16,
            lr_scheduler_type: LrSchedulerType::Cosine.into(),
            warmup_ratio: 0.05,
            max_steps: self.pretrain_steps,
            logging_steps: 1,
            weight_dtype: WeightDtype::Bf16.into(),
            ..TrainingArguments::default()
        };
        TrainingSpec {
            output: names::MODEL.into(),
            dataset: names::TEXT.into(),
            validation_split: 0.05,
            start: Some(Start::NewModel(model)),
            objective: Some(Objective::Causal(CausalObjective { block_size: 128 })),
            method: Some(Method::Full(FullMethod::default())),
            arguments: Some(arguments),
            ..TrainingSpec::default()
        }
    }

    /// Fine-tuning of an adapter on the taught wordings, for this many steps.
    pub(crate) fn fine_tuning(steps: i64) -> TrainingSpec {
        let modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
        let lora = LoraMethod {
            r: 64,
            lora_alpha: 256.0,
            target_modules: modules.map(String::from).to_vec(),
            ..LoraMethod::default()
        };
        let arguments = TrainingArguments {
            learning_rate: 3e-3,
            adam_beta2: Some(0.99),
            per_device_train_batch_size: 16,
            lr_scheduler_type: LrSchedulerType::Cosine.into(),
            warmup_ratio: 0.05,
            max_steps: steps,
            logging_steps: 1,
            weight_dtype: WeightDtype::Bf16.into(),
            ..TrainingArguments::default()
        };
        let objective = SupervisedObjective {
            prompt_template: Self::PROMPT_TEMPLATE.into(),
            max_length: 128,
            instruction_token_dropout: 0.3,
            ..Default::default()
        };
        TrainingSpec {
            output: names::ADAPTER.into(),
            dataset: names::TAUGHT.into(),
            start: Some(Start::BaseModel(names::MODEL.into())),
            objective: Some(Objective::Supervised(objective)),
            method: Some(Method::Lora(lora)),
            arguments: Some(arguments),
            ..TrainingSpec::default()
        }
    }
}
