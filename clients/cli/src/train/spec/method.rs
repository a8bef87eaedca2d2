//! The method of a training file, with the keys that are its own.
use rootstock_client::proto::training::v1 as proto;

use super::modules;
use crate::train::file::{Method, PromptInit, TrainFile};

pub(super) fn method_of(file: &TrainFile, method: Method) -> proto::training_spec::Method {
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
