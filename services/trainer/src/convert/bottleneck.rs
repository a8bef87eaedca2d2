//! Bottleneck adapters: where they are, how narrow, and what they read.

use rootstock_model::NonLinearity;
use rootstock_peft::{BottleneckConfig, MAX_REDUCTION_FACTOR, MAX_SCALING, MIN_REDUCTION_FACTOR};
use rootstock_proto::training::v1 as proto;

use super::numbers::{Fields, or_default};
use crate::error::Error;

const BOTTLENECK: Fields = Fields { path: "spec.bottleneck" };
/// The library's default of sequential ones.
const REDUCTION_FACTOR: f64 = 16.0;
/// What the adapter is called in its tensors' names: an artifact has a name of its own.
const NAME: &str = "default";

pub(super) fn bottleneck(from: &proto::BottleneckMethod) -> Result<BottleneckConfig, Error> {
    if from.is_parallel && from.original_ln_before {
        let message = "is only for adapters behind a block, but is_parallel is set; take one out";
        return Err(BOTTLENECK.invalid("original_ln_before", message));
    }
    let non_linearity = match from.non_linearity.as_str() {
        "" => Some(NonLinearity::Relu),
        name => NonLinearity::parse(name),
    };
    let unknown = || BOTTLENECK.invalid("non_linearity", "must be relu, gelu or swish");
    Ok(BottleneckConfig {
        name: NAME.to_owned(),
        mh_adapter: from.mh_adapter,
        output_adapter: from.output_adapter || !from.mh_adapter,
        reduction_factor: BOTTLENECK.number(
            "reduction_factor",
            or_default(from.reduction_factor, REDUCTION_FACTOR),
            MIN_REDUCTION_FACTOR..=MAX_REDUCTION_FACTOR,
            "from 0.0625 to 65536",
        )?,
        non_linearity: non_linearity.ok_or_else(unknown)?,
        original_ln_before: from.original_ln_before,
        is_parallel: from.is_parallel,
        scaling: BOTTLENECK.number(
            "scaling",
            or_default(from.scaling, 1.0),
            -MAX_SCALING..=MAX_SCALING,
            "from -1e6 to 1e6",
        )?,
        base_model_name_or_path: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_a_bottleneck_behind_the_feed_forward_block() {
        let config = bottleneck(&proto::BottleneckMethod::default()).unwrap();
        assert_eq!((config.mh_adapter, config.output_adapter), (false, true));
        assert_eq!((config.reduction_factor, config.scaling), (16.0, 1.0));
        assert_eq!(config.non_linearity, NonLinearity::Relu);
        let attention = proto::BottleneckMethod { mh_adapter: true, ..Default::default() };
        assert!(!bottleneck(&attention).unwrap().output_adapter);
    }

    #[test]
    fn what_is_out_of_range_or_has_no_meaning_is_refused_by_name() {
        let method = proto::BottleneckMethod::default();
        for (method, field) in [
            (proto::BottleneckMethod { reduction_factor: -1.0, ..method.clone() }, "reduction_factor"),
            (proto::BottleneckMethod { reduction_factor: 1e-300, ..method.clone() }, "reduction_factor"),
            (proto::BottleneckMethod { scaling: f64::NAN, ..method.clone() }, "scaling"),
            (proto::BottleneckMethod { non_linearity: "tanh".into(), ..method.clone() }, "non_linearity"),
            (
                proto::BottleneckMethod { is_parallel: true, original_ln_before: true, ..method },
                "original_ln_before",
            ),
        ] {
            match bottleneck(&method) {
                Err(Error::Invalid { field: found, .. }) => {
                    assert_eq!(found, format!("spec.bottleneck.{field}"));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
