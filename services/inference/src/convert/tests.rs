//! What a client may send, and the field that each refusal names.

use proptest::prelude::*;
use rootstock_proto::{
    common::v1::RunningRequests,
    inference::v1::{self as proto, generate_request::Input, output_constraint::Kind},
};

use super::*;
use crate::{
    bind::Wanted, constraint::Constraint, evaluation::Spec, generation::Request, publish::Publish,
    sampling::Sampling,
};

fn generate(params: proto::SamplingParams) -> proto::GenerateRequest {
    proto::GenerateRequest {
        input: Some(Input::Prompt("hello".into())),
        sampling: Some(params),
        ..proto::GenerateRequest::default()
    }
}

#[track_caller]
pub(super) fn refused<T: std::fmt::Debug>(parsed: Result<T, Error>) -> String {
    match parsed.unwrap_err() {
        Error::Invalid { field, .. } => field,
        other => panic!("{other}"),
    }
}

#[test]
fn the_defaults_are_greedy_with_64_tokens() {
    let request = Request::try_from(generate(proto::SamplingParams::default())).unwrap();
    let expected = Sampling { seed: request.sampling.seed, ..Sampling::greedy(64) };
    assert_eq!((request.sampling.clone(), request.completions), (expected, 1));
    assert_eq!((request.model, request.adapter), (None, Wanted::Base));
    // A seed that nobody gave is another one each time.
    let again = Request::try_from(generate(proto::SamplingParams::default())).unwrap();
    assert_ne!(again.sampling.seed, request.sampling.seed);
    let given = generate(proto::SamplingParams { seed: Some(0), ..Default::default() });
    assert_eq!(Request::try_from(given).unwrap().sampling.seed, 0);
}

fn bias(token_id: u32, bias: f32) -> proto::LogitBias {
    proto::LogitBias { token_id, bias }
}

fn biases(biases: &[(u32, f32)]) -> proto::SamplingParams {
    let logit_bias = biases.iter().map(|&(id, by)| bias(id, by)).collect();
    proto::SamplingParams { logit_bias, ..Default::default() }
}

#[test]
fn each_number_out_of_its_range_is_named() {
    let default = proto::SamplingParams::default;
    let cases: Vec<(&str, proto::SamplingParams)> = vec![
        ("max_tokens", proto::SamplingParams { max_tokens: -1, ..default() }),
        ("max_tokens", proto::SamplingParams { max_tokens: i32::MIN, ..default() }),
        ("temperature", proto::SamplingParams { temperature: -0.1, ..default() }),
        ("temperature", proto::SamplingParams { temperature: 100.1, ..default() }),
        ("temperature", proto::SamplingParams { temperature: f64::NAN, ..default() }),
        ("temperature", proto::SamplingParams { temperature: f64::INFINITY, ..default() }),
        ("top_k", proto::SamplingParams { top_k: -1, ..default() }),
        ("top_p", proto::SamplingParams { top_p: Some(0.0), ..default() }),
        ("top_p", proto::SamplingParams { top_p: Some(-0.5), ..default() }),
        ("top_p", proto::SamplingParams { top_p: Some(1.1), ..default() }),
        ("top_p", proto::SamplingParams { top_p: Some(f64::NAN), ..default() }),
        ("min_p", proto::SamplingParams { min_p: -0.1, ..default() }),
        ("min_p", proto::SamplingParams { min_p: 1.5, ..default() }),
        ("min_p", proto::SamplingParams { min_p: f64::NAN, ..default() }),
        ("repetition_penalty", proto::SamplingParams { repetition_penalty: Some(0.0), ..default() }),
        ("repetition_penalty", proto::SamplingParams { repetition_penalty: Some(-1.0), ..default() }),
        ("repetition_penalty", proto::SamplingParams { repetition_penalty: Some(1e-300), ..default() }),
        ("repetition_penalty", proto::SamplingParams { repetition_penalty: Some(101.0), ..default() }),
        ("repetition_penalty", proto::SamplingParams { repetition_penalty: Some(f64::NAN), ..default() }),
        ("logprobs", proto::SamplingParams { logprobs: Some(-1), ..default() }),
        ("logprobs", proto::SamplingParams { logprobs: Some(21), ..default() }),
        ("presence_penalty", proto::SamplingParams { presence_penalty: -2.1, ..default() }),
        ("presence_penalty", proto::SamplingParams { presence_penalty: f64::NAN, ..default() }),
        ("frequency_penalty", proto::SamplingParams { frequency_penalty: 2.1, ..default() }),
        ("frequency_penalty", proto::SamplingParams { frequency_penalty: f64::NEG_INFINITY, ..default() }),
        ("logit_bias", proto::SamplingParams { logit_bias: vec![bias(1, 0.0); 1025], ..default() }),
        ("logit_bias[1].bias", biases(&[(1, 100.0), (2, 100.1)])),
        ("logit_bias[0].bias", biases(&[(1, f32::NAN)])),
        ("logit_bias[0].bias", biases(&[(1, f32::INFINITY)])),
        ("logit_bias[0].bias", biases(&[(1, f32::NEG_INFINITY)])),
        ("logit_bias[2].token_id", biases(&[(1, 0.0), (2, 0.0), (1, 0.0)])),
        ("min_tokens", proto::SamplingParams { min_tokens: -1, ..default() }),
        ("min_tokens", proto::SamplingParams { min_tokens: 65, ..default() }),
        ("min_tokens", proto::SamplingParams { min_tokens: i32::MAX, max_tokens: 9, ..default() }),
        ("stop_token_ids", proto::SamplingParams { stop_token_ids: vec![1; 65], ..default() }),
        ("n", proto::SamplingParams { n: -1, temperature: 1.0, ..default() }),
        ("n", proto::SamplingParams { n: 17, temperature: 1.0, ..default() }),
        ("n", proto::SamplingParams { n: i32::MAX, temperature: 1.0, ..default() }),
        ("n", proto::SamplingParams { n: 2, ..default() }),
        ("stop", proto::SamplingParams { stop: vec!["x".into(); 17], ..default() }),
        ("stop[1]", proto::SamplingParams { stop: vec!["x".into(), String::new()], ..default() }),
        ("stop[0]", proto::SamplingParams { stop: vec!["x".repeat(257)], ..default() }),
    ];
    for (field, params) in cases {
        assert_eq!(refused(Request::try_from(generate(params))), format!("sampling.{field}"));
    }
}

#[test]
fn a_prompt_must_be_there_and_names_must_be_of_their_collection() {
    let request = generate(proto::SamplingParams::default());
    let with = |change: fn(&mut proto::GenerateRequest)| {
        let mut request = request.clone();
        change(&mut request);
        refused(Request::try_from(request))
    };
    assert_eq!(with(|request| request.input = None), "prompt");
    assert_eq!(with(|request| request.input = Some(Input::Prompt("x".repeat((1 << 20) + 1)))), "prompt");
    assert_eq!(
        with(|request| request.input = Some(Input::PromptIds(proto::TokenIds::default()))),
        "prompt_ids.ids"
    );
    for (count, bytes) in [(0, 1), (257, 1), (2, 1 << 19)] {
        let message = proto::ChatMessage { role: "user".into(), content: "x".repeat(bytes) };
        let messages = proto::ChatMessages { messages: vec![message; count] };
        let asked = proto::GenerateRequest { input: Some(Input::Messages(messages)), ..request.clone() };
        assert_eq!(refused(Request::try_from(asked)), "messages");
    }
    assert_eq!(with(|request| request.model = "adapters/a".into()), "model");
    assert_eq!(with(|request| request.adapter = "../etc/passwd".into()), "adapter");
    assert_eq!(with(|request| request.adapter = "adapters/A".into()), "adapter");
    assert_eq!(with(|request| request.routing_key = "k".repeat(257)), "routing_key");
}

#[test]
fn a_weighted_sum_names_each_adapter_and_its_weight_within_range() {
    let asked = |adapter: &str, parts: &[(&str, Option<f64>)]| {
        let part =
            |(name, weight): &(&str, _)| proto::WeightedAdapter { name: (*name).into(), weight: *weight };
        let mut request = generate(proto::SamplingParams::default());
        request.adapter = adapter.into();
        request.adapters = parts.iter().map(part).collect();
        Request::try_from(request)
    };
    let both = asked("", &[("adapters/a", Some(0.5)), ("adapters/b", Some(-4.0))]).unwrap();
    let name = |name: &str| name.parse().unwrap();
    assert_eq!(both.adapter, Wanted::Sum(vec![(name("adapters/a"), 0.5), (name("adapters/b"), -4.0)]));
    assert_eq!(refused(asked("adapters/a", &[("adapters/b", Some(1.0))])), "adapter");
    assert_eq!(refused(asked("", &[("adapters/a", Some(1.0)); 9])), "adapters");
    assert!(asked("", &[("adapters/a", Some(1.0)); 8]).is_ok());
    for weight in [None, Some(4.1), Some(-4.1), Some(f64::NAN), Some(f64::INFINITY)] {
        let parts = [("adapters/a", Some(1.0)), ("adapters/b", weight)];
        assert_eq!(refused(asked("", &parts)), "adapters[1].weight");
    }
    for name in ["", "baseModels/a", "nonsense/"] {
        assert_eq!(refused(asked("", &[(name, Some(1.0))])), "adapters[0].name");
    }
}

#[test]
fn publishing_and_paging_are_checked_too() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let publish = |name: &str, digest: &str, expected_generation| {
        let (name, digest) = (name.to_owned(), digest.to_owned());
        let default = proto::PublishAdapterRequest::default();
        proto::PublishAdapterRequest { name, digest, expected_generation, ..default }
    };
    let canary = |share, running_requests: RunningRequests| proto::PublishAdapterRequest {
        canary_share: Some(share),
        running_requests: running_requests.into(),
        ..publish("adapters/a", &digest, None)
    };
    assert!(Publish::try_from(canary(0.5, RunningRequests::Unspecified)).is_ok());
    for share in [0.0, 1.0, -1.0, f64::NAN] {
        assert_eq!(refused(Publish::try_from(canary(share, RunningRequests::Unspecified))), "canary_share");
    }
    assert_eq!(refused(Publish::try_from(canary(0.5, RunningRequests::Abort))), "running_requests");
    let publish = |name: &str, digest: &str, expected| Publish::try_from(publish(name, digest, expected));
    assert!(publish("adapters/a", &digest, Some(0)).is_ok());
    assert_eq!(refused(publish("datasets/a", &digest, None)), "name");
    assert_eq!(refused(publish("adapters/a", "sha256:0a", None)), "digest");
    assert_eq!(refused(publish("adapters/a", &digest, Some(-1))), "expected_generation");
    let rollback = proto::RollbackAdapterRequest { name: "adapters/a".into(), to_generation: -2 };
    assert_eq!(refused(Rollback::try_from(rollback)), "to_generation");
    let page = |page_size, token: &str| {
        ListAdapters::try_from(proto::ListAdaptersRequest { page_size, page_token: token.into() })
    };
    assert_eq!(page(0, "").unwrap().page_size, 50);
    assert_eq!(page(5000, "").unwrap().page_size, 1000);
    assert_eq!(refused(page(-1, "")), "page_size");
    assert_eq!(refused(page(1, "nonsense")), "page_token");
}

#[test]
fn a_specification_reads_back_as_it_was() {
    let spec = proto::EvaluationSpec {
        dataset: "datasets/d".into(),
        model: "baseModels/m".into(),
        targets: vec![String::new(), "adapters/a".into(), "adapters/a@previous".into()],
        prompt_template: "qa_zh".into(),
        ..proto::EvaluationSpec::default()
    };
    let parsed = Spec::try_from(spec.clone()).unwrap();
    assert_eq!(
        proto::EvaluationSpec::from(&parsed),
        proto::EvaluationSpec { max_tokens: 64, ..spec.clone() }
    );
    let with = |change: fn(&mut proto::EvaluationSpec)| {
        let mut spec = spec.clone();
        change(&mut spec);
        refused(Spec::try_from(spec))
    };
    assert_eq!(with(|spec| spec.targets.clear()), "spec.targets");
    assert_eq!(with(|spec| spec.targets = vec![String::new(); 9]), "spec.targets");
    for wrong in ["datasets/d", "datasets/d@previous", "adapters/a@first", "@previous"] {
        let mut spec = spec.clone();
        spec.targets[1] = wrong.into();
        assert_eq!(refused(Spec::try_from(spec)), "spec.targets[1]");
    }
    assert_eq!(with(|spec| spec.prompt_template = "none".into()), "spec.prompt_template");
    assert_eq!(with(|spec| spec.max_tokens = -1), "spec.max_tokens");
    assert_eq!(with(|spec| spec.dataset.clear()), "spec.dataset");
    assert_eq!(with(|spec| spec.model.clear()), "spec.model");
}

#[test]
fn times_survive_the_way_there_and_back() {
    for micros in [0, 1, 1_700_000_000_123_456, -1] {
        assert_eq!(to_micros(&from_micros(micros)), micros);
    }
}

proptest! {
    #[test]
    fn no_numbers_make_the_conversion_panic_or_let_nonsense_through(
        max_tokens: i32, temperature: f64, top_k: i32, top_p: Option<f64>, min_p: f64, penalty: Option<f64>,
        logprobs: Option<i32>,
    ) {
        let params = proto::SamplingParams {
            max_tokens, temperature, top_k, top_p, min_p, repetition_penalty: penalty, logprobs,
            ..proto::SamplingParams::default()
        };
        if let Ok(sampling) = Sampling::try_from(params) {
            prop_assert!((0.0..=100.0).contains(&sampling.temperature) && sampling.max_tokens > 0);
            prop_assert!(sampling.top_p > 0.0 && sampling.top_p <= 1.0 && (0.0..=1.0).contains(&sampling.min_p));
            prop_assert!(sampling.repetition_penalty > 0.0 && sampling.repetition_penalty <= 100.0);
            prop_assert!(sampling.logprobs.is_none_or(|count| count <= 20));
        }
    }
}

#[test]
fn a_page_token_that_the_list_did_not_give_is_refused() {
    let list = |token: &str| {
        ListEvaluations::try_from(proto::ListEvaluationsRequest { page_size: 1, page_token: token.into() })
    };
    assert_eq!(list(&page_token(7)).unwrap().before, Some(7));
    for invented in ["7", "-7", &page_token(7).replace('7', "8"), "ääääääääää7"] {
        assert_eq!(refused(list(invented)), "page_token");
    }
}

#[test]
fn an_answer_longer_than_any_context_is_refused_at_creation_and_readable_where_it_was_stored() {
    let spec = proto::EvaluationSpec {
        dataset: "datasets/d".into(),
        model: "baseModels/m".into(),
        targets: vec![String::new()],
        prompt_template: "qa_en".into(),
        max_tokens: 1_000_000_000,
        ..proto::EvaluationSpec::default()
    };
    Spec::try_from(spec.clone()).unwrap();
    let create = proto::CreateEvaluationRequest { spec: Some(spec), ..Default::default() };
    assert_eq!(refused(Create::try_from(create)), "spec.max_tokens");
}

fn held_to(kind: Kind) -> proto::SamplingParams {
    let constraint = Some(proto::OutputConstraint { kind: Some(kind) });
    proto::SamplingParams { constraint, ..Default::default() }
}

fn choice(texts: &[&str]) -> proto::SamplingParams {
    held_to(Kind::Choice(proto::Choices { texts: texts.iter().map(|text| (*text).to_owned()).collect() }))
}

#[test]
fn what_a_text_is_held_to_is_bounded_and_named() {
    let request = Request::try_from(generate(choice(&["yes", "no"]))).unwrap();
    assert_eq!(request.constraint, Some(Constraint::Choice(vec!["yes".into(), "no".into()])));
    let empty = proto::SamplingParams { constraint: Some(Default::default()), ..Default::default() };
    let ignoring = proto::SamplingParams { ignore_eos: true, ..choice(&["yes"]) };
    for (field, params) in [
        ("constraint", empty),
        ("constraint.json", held_to(Kind::Json(String::new()))),
        ("constraint.json", held_to(Kind::Json(" ".repeat((32 << 10) + 1)))),
        ("constraint.regex", held_to(Kind::Regex(String::new()))),
        ("constraint.regex", held_to(Kind::Regex("a".repeat(2049)))),
        ("constraint.choice.texts", choice(&[])),
        ("constraint.choice.texts", choice(&["a"; 257])),
        ("constraint.choice.texts[1]", choice(&["a", ""])),
        ("constraint.choice.texts[0]", choice(&["a".repeat(257).as_str()])),
        ("ignore_eos", ignoring),
    ] {
        assert_eq!(refused(Request::try_from(generate(params))), format!("sampling.{field}"));
    }
}
