//! Which keys of a training file belong to which objective or method.
use super::file::{Method, Objective, TrainFile};

/// Keys that say nothing under this objective or method would be passed over in silence.
pub(super) fn refuse(file: &TrainFile, objective: Objective, method: Method) -> Result<(), String> {
    let of_methods = of_methods(file, method).into_iter().chain(of_virtual_tokens(file, method));
    let all = of_objectives(file, objective).into_iter().chain(of_methods);
    for (_, place, keys) in all.filter(|(fits, _, _)| !fits) {
        if let Some((key, _)) = keys.into_iter().find(|(_, set)| *set) {
            return Err(format!("{key} is only for {place}; take it out"));
        }
    }
    Ok(())
}

/// Whether some keys fit, where they belong, and which of them are set.
type Belonging = (bool, &'static str, Vec<(&'static str, bool)>);

fn of_objectives(file: &TrainFile, objective: Objective) -> Vec<Belonging> {
    vec![
        (
            matches!(objective, Objective::Causal | Objective::Masked),
            "objective: causal or masked",
            vec![("block_size", file.block_size.is_some())],
        ),
        (
            objective == Objective::Masked,
            "objective: masked",
            vec![
                ("mlm_probability", file.mlm_probability.is_some()),
                ("whole_word_mask", file.whole_word_mask.is_some()),
            ],
        ),
        (
            objective == Objective::Classification,
            "objective: classification",
            vec![("freeze_encoder", file.freeze_encoder.is_some())],
        ),
        (
            objective == Objective::Supervised,
            "objective: supervised",
            vec![
                ("prompt_template", file.prompt_template.is_some()),
                ("truncation", file.truncation.is_some()),
                ("instruction_token_dropout", file.instruction_token_dropout.is_some()),
                ("span_shuffle", file.span_shuffle.is_some()),
                ("paraphrase_columns", file.paraphrase_columns.is_some()),
            ],
        ),
        (
            !matches!(objective, Objective::Causal | Objective::Masked),
            "objective: supervised, infilling or classification",
            vec![("max_length", file.max_length.is_some())],
        ),
        (
            objective == Objective::Infilling,
            "objective: infilling",
            vec![("denoisers", file.denoisers.is_some())],
        ),
    ]
}

fn of_methods(file: &TrainFile, method: Method) -> Vec<Belonging> {
    vec![
        (
            method == Method::Lora,
            "method: lora",
            vec![
                ("r", file.r.is_some()),
                ("lora_alpha", file.lora_alpha.is_some()),
                ("lora_dropout", file.lora_dropout.is_some()),
                ("target_modules", file.target_modules.is_some()),
                ("use_rslora", file.use_rslora.is_some()),
                ("use_dora", file.use_dora.is_some()),
                ("rank_pattern", file.rank_pattern.is_some()),
                ("alpha_pattern", file.alpha_pattern.is_some()),
                ("exclude_modules", file.exclude_modules.is_some()),
                ("layers_to_transform", file.layers_to_transform.is_some()),
                ("modules_to_save", file.modules_to_save.is_some()),
                ("init_lora_weights", file.init_lora_weights.is_some()),
                ("bias", file.bias.is_some()),
                ("loraplus_lr_ratio", file.loraplus_lr_ratio.is_some()),
            ],
        ),
        (
            method == Method::Full,
            "method: full",
            vec![
                ("trainable_modules", file.trainable_modules.is_some()),
                ("frozen_modules", file.frozen_modules.is_some()),
                ("unfreeze_every_steps", file.unfreeze_every_steps.is_some()),
                ("add_tokens", file.add_tokens.is_some()),
                ("ewc", file.ewc.is_some()),
            ],
        ),
        (
            !matches!(method, Method::Full | Method::Fisher),
            "method: lora, bottleneck, prefix or prompt",
            vec![("publication", file.publication.is_some())],
        ),
        (method == Method::Fisher, "method: fisher", vec![("max_rows", file.max_rows.is_some())]),
        (
            method == Method::Bottleneck,
            "method: bottleneck",
            vec![
                ("mh_adapter", file.mh_adapter.is_some()),
                ("output_adapter", file.output_adapter.is_some()),
                ("reduction_factor", file.reduction_factor.is_some()),
                ("non_linearity", file.non_linearity.is_some()),
                ("scaling", file.scaling.is_some()),
                ("original_ln_before", file.original_ln_before.is_some()),
                ("is_parallel", file.is_parallel.is_some()),
            ],
        ),
    ]
}

fn of_virtual_tokens(file: &TrainFile, method: Method) -> Vec<Belonging> {
    vec![
        (
            matches!(method, Method::Prefix | Method::Prompt),
            "method: prefix or prompt",
            vec![("num_virtual_tokens", file.num_virtual_tokens.is_some())],
        ),
        (
            method == Method::Prompt,
            "method: prompt",
            vec![
                ("prompt_tuning_init", file.prompt_tuning_init.is_some()),
                ("prompt_tuning_init_text", file.prompt_tuning_init_text.is_some()),
            ],
        ),
        (
            method == Method::Prefix,
            "method: prefix",
            vec![
                ("prefix_projection", file.prefix_projection.is_some()),
                ("encoder_hidden_size", file.encoder_hidden_size.is_some()),
            ],
        ),
    ]
}
