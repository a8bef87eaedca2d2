//! What can be published, and after what.

use rootstock_proto::inference::v1::EvaluationMetric;
use rootstock_text::PromptTemplate;

use super::*;
use crate::spec::{Canary, Improvement, Publication};

const F1: EvaluationMetric = EvaluationMetric::TokenF1;
const LESS: EvaluationMetric = EvaluationMetric::Perplexity;

/// A publication that asks for all there is.
fn published(metric: EvaluationMetric, change: impl FnOnce(&mut proto::Publication)) -> proto::TrainingSpec {
    let mut publication = proto::Publication {
        name: "adapters/other".into(),
        dataset: "datasets/held".into(),
        prompt_template: "qa_zh".into(),
        max_tokens: 9,
        metric: metric.into(),
        threshold: Some(1.0),
        min_improvement: Some(0.0),
        max_p_value: Some(0.05),
        canary: Some(proto::PublicationCanary { share: 0.1, min_seconds: 60 }),
    };
    change(&mut publication);
    proto::TrainingSpec { publication: Some(publication), ..supervised() }
}

fn read(spec: &proto::TrainingSpec) -> Publication {
    Spec::try_from(spec).unwrap().publication.unwrap()
}

#[test]
fn a_publication_is_read_whole_and_what_is_left_out_is_the_jobs() {
    let whole = read(&published(F1, |_| ()));
    let expected = Publication {
        name: "adapters/other".parse().unwrap(),
        dataset: "datasets/held".parse().unwrap(),
        prompt_template: PromptTemplate::parse("qa_zh").unwrap(),
        max_tokens: 9,
        metric: F1,
        threshold: Some(1.0),
        improvement: Some(Improvement { least: 0.0, max_p_value: Some(0.05) }),
        canary: Some(Canary { share: 0.1, min_seconds: 60 }),
    };
    assert_eq!(whole, expected);
    let least = read(&published(LESS, |publication| {
        *publication = proto::Publication {
            dataset: "datasets/held".into(),
            metric: LESS.into(),
            max_p_value: Some(0.05),
            ..Default::default()
        };
    }));
    assert_eq!(least.name.to_string(), supervised().output);
    assert_eq!(least.prompt_template.name(), "qa_en");
    assert_eq!(least.improvement, Some(Improvement { least: 0.0, max_p_value: Some(0.05) }));
    assert_eq!(Spec::try_from(&supervised()).unwrap().publication, None);
}

#[test]
fn what_a_publication_cannot_ask_for_is_named() {
    type Change = fn(&mut proto::Publication);
    let canary = |share, min_seconds| Some(proto::PublicationCanary { share, min_seconds });
    let cases: [(&str, EvaluationMetric, Change); 16] = [
        (".name", F1, |publication| publication.name = "datasets/a".into()),
        (".name", F1, |publication| publication.name = "other".into()),
        (".dataset", F1, |publication| publication.dataset = String::new()),
        (".dataset", F1, |publication| publication.dataset = "adapters/a".into()),
        (".prompt_template", F1, |publication| publication.prompt_template = "qa".into()),
        (".max_tokens", F1, |publication| publication.max_tokens = -1),
        (".metric", EvaluationMetric::Unspecified, |_| ()),
        (".metric", F1, |publication| publication.metric = 99),
        (".threshold", F1, |publication| publication.threshold = Some(1.01)),
        (".threshold", F1, |publication| publication.threshold = Some(f64::NAN)),
        (".threshold", LESS, |publication| publication.threshold = Some(0.5)),
        (".min_improvement", F1, |publication| publication.min_improvement = Some(-0.1)),
        (".min_improvement", LESS, |publication| publication.min_improvement = Some(f64::INFINITY)),
        (".max_p_value", F1, |publication| publication.max_p_value = Some(0.0)),
        (".max_p_value", LESS, |publication| publication.max_p_value = Some(1.1)),
        ("", F1, |publication| {
            publication.threshold = None;
            publication.min_improvement = None;
            publication.max_p_value = None;
        }),
    ];
    for (field, metric, change) in cases {
        let spec = published(metric, change);
        assert_eq!(refused(&spec).0, format!("spec.publication{field}"), "{:?}", spec.publication);
    }
    for (field, canary) in
        [("share", canary(0.0, 0)), ("share", canary(1.0, 0)), ("min_seconds", canary(0.5, -1))]
    {
        let spec = published(F1, |publication| publication.canary = canary);
        assert_eq!(refused(&spec).0, format!("spec.publication.canary.{field}"), "{canary:?}");
    }
}

#[test]
fn only_an_adapter_is_published() {
    for other in [causal(), masked()] {
        let spec = proto::TrainingSpec { publication: published(F1, |_| ()).publication, ..other };
        let (field, told) = refused(&spec);
        assert_eq!(field, "spec.publication");
        assert!(told.contains("publishes adapters"), "{told}");
    }
    // Text has no template of its own.
    let mut spec = published(F1, |publication| publication.prompt_template = String::new());
    spec.objective = causal().objective;
    assert_eq!(refused(&spec).0, "spec.publication.prompt_template");
}
