//! Optimizers: the constants that each has, and those that are another's.

use rootstock_kernels::{LionOptions, SgdOptions};

use super::*;

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
