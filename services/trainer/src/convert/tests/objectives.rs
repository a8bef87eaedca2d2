//! Objectives: their denoisers and their lengths.

use proto::denoiser::Corruption as Written;
use rootstock_text::Corruption;

use super::*;
use crate::spec::Denoiser;

#[test]
fn infilling_is_spans_unless_denoisers_are_named() {
    let infilling = |max_length, denoisers| {
        let objective = proto::InfillingObjective { max_length, denoisers };
        let objective = Some(training_spec::Objective::Infilling(objective));
        Spec::try_from(&proto::TrainingSpec { objective, ..causal() })
    };
    let spans = |rate, mean_length| Corruption::Spans { rate, mean_length };
    let denoiser = |corruption| Denoiser { corruption, weight: 1.0, prefix_token: None };
    let objective = infilling(0, vec![]).unwrap().objective;
    assert_eq!(
        objective,
        Objective::Infilling { max_length: 128, denoisers: vec![denoiser(spans(0.15, 3.0))] }
    );
    let written = |corruption| proto::Denoiser { corruption: Some(corruption), ..proto::Denoiser::default() };
    let cut = |corruption_rate, mean_span_length| {
        written(Written::Spans(proto::SpanCorruption { corruption_rate, mean_span_length }))
    };
    let rest = proto::Denoiser {
        prefix_token: "[S]".into(),
        weight: 0.5,
        ..written(Written::Continuation(proto::ContinuationCorruption {}))
    };
    let named =
        Denoiser { weight: 0.5, prefix_token: Some("[S]".into()), ..denoiser(Corruption::Continuation) };
    let objective = infilling(64, vec![cut(0.5, 32.0), rest.clone()]).unwrap().objective;
    let denoisers = vec![denoiser(spans(0.5, 32.0)), named];
    assert_eq!(objective, Objective::Infilling { max_length: 64, denoisers });
    let refuse = |max_length, denoisers| match infilling(max_length, denoisers) {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(refuse(7, vec![]), "spec.infilling.max_length");
    assert_eq!(refuse(129, vec![]), "spec.infilling.max_length");
    assert_eq!(refuse(0, vec![proto::Denoiser::default()]), "spec.infilling.denoisers[0].corruption");
    assert_eq!(refuse(0, vec![cut(1.0, 3.0)]), "spec.infilling.denoisers[0].spans.corruption_rate");
    assert_eq!(
        refuse(0, vec![cut(0.1, 3.0), cut(0.1, 0.5)]),
        "spec.infilling.denoisers[1].spans.mean_span_length"
    );
    assert_eq!(
        refuse(0, vec![proto::Denoiser { weight: -1.0, ..rest }]),
        "spec.infilling.denoisers[0].weight"
    );
    assert_eq!(refuse(0, vec![cut(0.1, 3.0); 17]), "spec.infilling.denoisers");
}

#[test]
fn the_default_length_gives_way_to_a_shorter_context_and_a_length_that_is_asked_for_does_not() {
    let mut spec = causal();
    let Some(ProtoStart::NewModel(model)) = &mut spec.start else { panic!("a new model") };
    model.max_position_embeddings = 16;
    let checked = Spec::try_from(&spec).unwrap();
    assert!(checked.default_length);
    assert_eq!(checked.objective, Objective::Causal { block_size: 16 });
    let asked = proto::CausalObjective { block_size: 32 };
    spec.objective = Some(training_spec::Objective::Causal(asked));
    assert_eq!(refused(&spec).0, "spec.causal.block_size");
}
