//! Mixes of data sets: their shares, and what is no mix.

use rootstock_text::{PromptTemplate, Shares};

use super::*;
use crate::spec::Data;

fn dataset(name: &str, weight: f64) -> proto::MixedDataset {
    proto::MixedDataset { dataset: format!("datasets/{name}"), weight, ..Default::default() }
}

fn mix(datasets: &[proto::MixedDataset], temperature: f64) -> proto::TrainingSpec {
    let mix = proto::DatasetMix { datasets: datasets.to_vec(), temperature };
    proto::TrainingSpec { dataset: String::new(), mix: Some(mix), ..supervised() }
}

#[test]
fn a_mix_is_by_weights_or_by_a_temperature() {
    let shares = |spec: proto::TrainingSpec| match Spec::try_from(&spec).unwrap().data {
        Data::Mix { shares, .. } => shares,
        Data::Dataset(name) => panic!("one data set: {name}"),
    };
    let weighted = [dataset("a", 1.0), dataset("b", 3.0)];
    assert_eq!(shares(mix(&weighted, 0.0)), Shares::Weights(vec![1.0, 3.0]));
    let plain = [dataset("a", 0.0), dataset("b", 0.0)];
    assert_eq!(shares(mix(&plain, 0.0)), Shares::Temperature(1.0));
    assert_eq!(shares(mix(&plain, 2.0)), Shares::Temperature(2.0));
}

#[test]
fn each_data_set_may_become_prompts_in_its_own_way() {
    let chinese = proto::MixedDataset { prompt_template: "qa_zh".into(), ..dataset("a", 0.0) };
    let Data::Mix { datasets, .. } = Spec::try_from(&mix(&[chinese, dataset("b", 0.0)], 0.0)).unwrap().data
    else {
        panic!("one data set")
    };
    let templates: Vec<_> = datasets.iter().map(|dataset| dataset.prompt_template).collect();
    assert_eq!(templates, [Some(PromptTemplate::QaZh), None]);
}

#[test]
fn what_is_no_mix_is_refused_by_name() {
    let templated = |name: &str| proto::MixedDataset { prompt_template: name.into(), ..dataset("b", 0.0) };
    let a = || dataset("a", 0.0);
    let cases = [
        ("dataset", proto::TrainingSpec { mix: None, ..mix(&[], 0.0) }),
        ("mix", proto::TrainingSpec { dataset: "datasets/a".into(), ..mix(&[a()], 0.0) }),
        ("mix.datasets", mix(&[], 0.0)),
        ("mix.datasets", mix(&vec![a(); 65], 0.0)),
        ("mix.datasets[1].dataset", mix(&[a(), dataset("B", 0.0)], 0.0)),
        ("mix.datasets[1].weight", mix(&[dataset("a", 1.0), dataset("b", 0.0)], 0.0)),
        ("mix.datasets[0].weight", mix(&[dataset("a", -1.0), dataset("b", 1.0)], 0.0)),
        ("mix.datasets[0].weight", mix(&[dataset("a", f64::NAN)], 0.0)),
        ("mix.temperature", mix(&[dataset("a", 1.0)], 2.0)),
        ("mix.temperature", mix(&[a()], 0.5)),
        ("mix.temperature", mix(&[a()], f64::INFINITY)),
        ("mix.datasets[1].prompt_template", mix(&[a(), templated("qa_fr")], 0.0)),
        (
            "mix.datasets[0].prompt_template",
            proto::TrainingSpec {
                dataset: String::new(),
                mix: mix(&[templated("qa_en")], 0.0).mix,
                ..causal()
            },
        ),
    ];
    for (field, spec) in cases {
        assert_eq!(refused(&spec).0, format!("spec.{field}"));
    }
}
