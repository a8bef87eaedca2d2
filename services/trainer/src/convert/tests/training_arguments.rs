//! TrainingArguments: what zero means, what runs again, and which numbers are out of range.

use rootstock_model::Recompute;

use super::*;

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
