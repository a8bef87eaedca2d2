//! The handlers: what a client sees of an answer, of a page and of a refusal.

use std::time::Instant;

use futures::{StreamExt, TryStreamExt};
use rootstock_artifacts::{Digest, Kind};
use rootstock_proto::inference::v1::{
    self as proto, adapter_service_server::AdapterService, continuation::Input as Continued,
    evaluation_service_server::EvaluationService, generate_request::Input, generate_response::Message,
    generation_service_server::GenerationService, score_request::Input as Prompt,
};
use rootstock_runtime::ErrorReason;
use rootstock_text::ChatMessage;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::{
    config::{Config, WeightDtype},
    error::Error,
    generation::Caller,
    generation::Input::{Chat, Ids},
    tests::World,
};

fn generate(adapter: &str) -> proto::GenerateRequest {
    proto::GenerateRequest {
        model: "baseModels/base".into(),
        adapter: adapter.into(),
        input: Some(Input::PromptIds(proto::TokenIds { ids: vec![5, 6] })),
        sampling: Some(proto::SamplingParams {
            max_tokens: 4,
            ignore_eos: true,
            logprobs: Some(2),
            seed: Some(9),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[track_caller]
fn assert_refused(status: &Status, code: Code, reason: &str) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(
        (status.code(), info.reason.as_str(), info.domain.as_str()),
        (code, reason, "rootstock"),
        "{status}"
    );
}

#[tokio::test]
async fn an_answer_is_one_started_the_deltas_and_one_finished() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let api = super::generation::Api { generation: world.core.generation.clone() };
    let stream = api.generate(Request::new(generate(""))).await.unwrap().into_inner();
    let messages: Vec<_> = stream.map_ok(|response| response.message.unwrap()).try_collect().await.unwrap();
    let [Message::Started(started), deltas @ .., Message::Finished(finished)] = &messages[..] else {
        panic!("{messages:?}")
    };
    assert_eq!(
        (started.base_digest.as_str(), started.adapter_digest.as_str()),
        (base.to_string().as_str(), "")
    );
    assert_eq!((started.seed, started.prompt_tokens, started.adapter_generation), (9, 2, 0));
    assert!(started.tokenizer_digest.starts_with("sha256:") && !started.request_id.is_empty());
    assert_eq!(
        (started.dispatch.as_str(), started.weight_format.as_str(), started.engine_version.as_str()),
        (rootstock_kernels::dispatch().name(), "f32", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(deltas.len(), 4);
    for delta in deltas {
        let Message::Delta(delta) = delta else { panic!("{delta:?}") };
        let [token] = &delta.tokens[..] else { panic!("{delta:?}") };
        assert_eq!(token.top_logprobs.len(), 2);
        // Greedy: the chosen one is the most likely one.
        assert_eq!(
            (token.id, token.logprob),
            (token.top_logprobs[0].id, Some(token.top_logprobs[0].logprob))
        );
    }
    assert_eq!(finished.finish_reason(), proto::FinishReason::Length);
    assert_eq!((finished.prompt_tokens, finished.completion_tokens), (2, 4));
    assert!(finished.prefill_ms > 0.0 && finished.queue_ms >= 0.0);
}

#[tokio::test]
async fn a_completion_is_what_a_request_of_its_own_gives_with_its_seed() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let digest = world.store.put_adapter(base, 1);
    world.store.point("adapters/a", digest);
    let api = super::generation::Api { generation: world.core.generation.clone() };
    let ask = async |n, seed| {
        let mut request = generate("adapters/a");
        let params = request.sampling.take().unwrap();
        let params = proto::SamplingParams { n, seed: Some(seed), temperature: 1.0, ..params };
        let request = Request::new(proto::GenerateRequest { sampling: Some(params), ..request });
        let stream = api.generate(request).await.unwrap().into_inner();
        let mut completions = vec![(Vec::new(), 0); n as usize];
        for response in stream.try_collect::<Vec<_>>().await.unwrap() {
            let (ids, ends) = &mut completions[response.index as usize];
            match response.message.unwrap() {
                Message::Started(started) => assert_eq!(started.seed, seed),
                Message::Delta(delta) => ids.extend(delta.tokens.iter().map(|token| token.id)),
                Message::Finished(_) => *ends += 1,
                Message::Prompt(_) => panic!("nobody asked for it"),
            }
        }
        completions
    };
    // The seeds go on from 0 after the last.
    let together = ask(3, u64::MAX - 1).await;
    for (index, completion) in (0..).zip(&together) {
        assert_eq!((completion.0.len(), completion.1), (4, 1));
        assert_eq!(ask(1, (u64::MAX - 1).wrapping_add(index)).await[0], *completion);
    }
    assert!(together.iter().any(|completion| *completion != together[0]), "{together:?}");
}

#[tokio::test]
async fn an_answer_says_what_the_weights_are_in_memory_and_not_in_their_file() {
    let world = World::start(Config { weight_dtype: WeightDtype::Int8, ..Config::default() }).await;
    world.store.put_model("base", 1);
    let answer = world.ask(crate::tests::request("baseModels/base", "", 1)).await.unwrap();
    assert_eq!(answer.started.weights, "int8");
}

#[tokio::test]
async fn a_score_is_what_generating_says_of_the_same_tokens() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let digest = world.store.put_adapter(base, 1);
    world.store.point("adapters/a", digest);
    let api = super::generation::Api { generation: world.core.generation.clone() };
    let ids = |ids: &[u32]| proto::TokenIds { ids: ids.to_vec() };
    let part = proto::WeightedAdapter { name: "adapters/a".into(), weight: Some(0.5) };
    for (adapter, adapters) in [("", vec![]), ("adapters/a", vec![]), ("", vec![part])] {
        let generate = proto::GenerateRequest { adapters: adapters.clone(), ..generate(adapter) };
        let stream = api.generate(Request::new(generate)).await.unwrap().into_inner();
        let messages: Vec<_> = stream.try_collect().await.unwrap();
        let tokens: Vec<_> = messages
            .into_iter()
            .filter_map(|response| match response.message {
                Some(Message::Delta(delta)) => Some(delta.tokens),
                _ => None,
            })
            .flatten()
            .collect();
        let generated: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let continuation = |input| proto::Continuation { input: Some(input) };
        let mut continuations = vec![continuation(Continued::Ids(ids(&generated))); 6];
        continuations.push(continuation(Continued::Text(" fox".into())));
        let input = Some(Prompt::PromptIds(ids(&[5, 6])));
        let (model, adapter) = ("baseModels/base".to_owned(), adapter.to_owned());
        let request =
            proto::ScoreRequest { model, adapter, adapters, input, continuations, ..Default::default() };
        let response = api.score(Request::new(request)).await.unwrap().into_inner();
        let started = response.started.unwrap();
        assert_eq!((started.base_digest, started.prompt_tokens), (base.to_string(), 2));
        let [same @ .., other] = &response.continuations[..] else { panic!("seven were asked for") };
        assert_eq!(same.len(), 6);
        for scored in same {
            assert_eq!(scored.ids, generated);
            assert!(scored.logprobs.iter().copied().map(Some).eq(tokens.iter().map(|token| token.logprob)));
            assert_eq!(scored.total_logprob, scored.logprobs.iter().sum::<f64>());
        }
        assert_eq!(other.ids.len(), other.logprobs.len());
    }
}

#[tokio::test]
async fn a_score_that_is_asked_for_wrongly_is_refused_by_its_field() {
    let world = World::start(Config::default()).await;
    world.store.put_model("base", 1);
    let api = super::generation::Api { generation: world.core.generation.clone() };
    let ids = |ids: &[u32]| Continued::Ids(proto::TokenIds { ids: ids.to_vec() });
    let request = |continuations: Vec<Option<Continued>>| proto::ScoreRequest {
        model: "baseModels/base".into(),
        input: Some(Prompt::Prompt("hello".into())),
        continuations: continuations.into_iter().map(|input| proto::Continuation { input }).collect(),
        ..Default::default()
    };
    let good = || Some(ids(&[1]));
    for (field, request) in [
        ("continuations", request(vec![])),
        ("continuations", request(vec![good(); 65])),
        ("continuations[1]", request(vec![good(), None])),
        ("continuations[0].ids.ids", request(vec![Some(ids(&[]))])),
        ("continuations[0].ids.ids[1]", request(vec![Some(ids(&[1, 300]))])),
        ("continuations[0]", request(vec![Some(ids(&[1; 4097]))])),
        ("continuations[0]", request(vec![Some(Continued::Text(String::new()))])),
        ("prompt", proto::ScoreRequest { input: None, ..request(vec![good()]) }),
        ("adapter", proto::ScoreRequest { adapter: "x/y".into(), ..request(vec![good()]) }),
    ] {
        let refused = api.score(Request::new(request)).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, "INVALID_FIELD");
        let details = refused.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, field);
    }
    let long = api.score(Request::new(request(vec![Some(ids(&[1; 4096]))]))).await.unwrap_err();
    assert_refused(&long, Code::InvalidArgument, "CONTEXT_TOO_LONG");
    let received = Instant::now();
    let late = Caller { tenant: "t".into(), received, deadline: Some(received) };
    let late = api.generation.score(request(vec![good()]).try_into().unwrap(), late).await.unwrap_err();
    assert_eq!(late.reason(), ErrorReason::DeadlineExceeded);
}

#[tokio::test]
async fn a_conversation_is_asked_in_the_words_of_the_models_own_template() {
    const TEMPLATE: &str = "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}\
        <{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
    let world = World::start(Config::default()).await;
    let mut files = crate::tests::model_files(1);
    files.insert("chat_template.jinja".into(), TEMPLATE.into());
    let chat = world.store.put(Kind::BaseModel, files.clone(), None, "");
    world.store.point("baseModels/chat", chat);
    world.store.put_model("base", 1);
    files.retain(|name, _| !name.contains("token"));
    let mute = world.store.put(Kind::BaseModel, files, None, "");
    world.store.point("baseModels/mute", mute);
    let ask = |model: &str, input| {
        let request = crate::tests::request(model, "", 5);
        world.ask(crate::generation::Request { input, ..request })
    };
    let said = |role: &str| Chat(vec![ChatMessage::new("system", "brown"), ChatMessage::new(role, "fox")]);
    let answer = ask("baseModels/chat", said("user")).await.unwrap();
    let prompt = crate::tests::tokenizer().encode_ids("<system>brown<user>fox<assistant>", false).unwrap();
    assert_eq!(answer.started.prompt_tokens, prompt.len());
    assert_eq!(answer.ids, ask("baseModels/base", Ids(prompt)).await.unwrap().ids);
    for (model, role, told) in [
        ("baseModels/chat", "tool", "no tools"),
        ("baseModels/base", "user", "no chat template"),
        ("baseModels/mute", "user", "no tokenizer"),
    ] {
        match ask(model, said(role)).await.unwrap_err() {
            Error::Invalid { field, message } => {
                assert!(field == "messages" && message.contains(told), "{field}: {message}");
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_weighted_sum_says_what_it_is_made_of() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let digests = [1, 2].map(|seed| world.store.put_adapter(base, seed));
    world.store.point("adapters/a", digests[0]);
    let version = format!("adapters/b/versions/{}", digests[1]);
    let part = |name: &str, weight| proto::WeightedAdapter { name: name.into(), weight: Some(weight) };
    let adapters = vec![part("adapters/a", 0.75), part(&version, -2.0)];
    let api = super::generation::Api { generation: world.core.generation.clone() };
    let request = proto::GenerateRequest { adapters, ..generate("") };
    let mut stream = api.generate(Request::new(request)).await.unwrap().into_inner();
    let Some(Ok(proto::GenerateResponse { message: Some(Message::Started(started)), .. })) =
        stream.next().await
    else {
        panic!("the first message says what the request is bound to")
    };
    let bound = |digest: Digest, generation, weight| proto::BoundAdapter {
        digest: digest.to_string(),
        generation,
        weight,
    };
    assert_eq!(started.adapters, [bound(digests[0], 1, 0.75), bound(digests[1], 0, -2.0)]);
    assert_eq!((started.adapter_digest.as_str(), started.adapter_generation), ("", 0));
}

#[tokio::test]
async fn refusals_carry_their_reason_and_their_field() {
    let world = World::start(Config::default()).await;
    world.store.put_model("base", 1);
    let api = super::generation::Api { generation: world.core.generation.clone() };
    let refused = |request| async { api.generate(Request::new(request)).await.err().unwrap() };
    assert_refused(&refused(generate("adapters/none")).await, Code::NotFound, "NOT_FOUND");
    let mut outside = generate("");
    outside.input = Some(Input::PromptIds(proto::TokenIds { ids: vec![5, 300] }));
    let outside = refused(outside).await;
    assert_refused(&outside, Code::InvalidArgument, "INVALID_FIELD");
    let details = outside.get_error_details();
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "prompt_ids.ids[1]");
    for (field, change) in [
        (
            "sampling.stop_token_ids[1]",
            proto::SamplingParams { stop_token_ids: vec![299, 300], ..Default::default() },
        ),
        (
            "sampling.logit_bias[0].token_id",
            proto::SamplingParams {
                logit_bias: vec![proto::LogitBias { token_id: u32::MAX, bias: 1.0 }],
                ..Default::default()
            },
        ),
    ] {
        let unknown = refused(proto::GenerateRequest { sampling: Some(change), ..generate("") }).await;
        assert_eq!(unknown.get_error_details().bad_request().unwrap().field_violations[0].field, field);
    }
    let mut long = generate("");
    long.sampling.as_mut().unwrap().max_tokens = 5000;
    assert_refused(&refused(long).await, Code::InvalidArgument, "CONTEXT_TOO_LONG");
    world.tasks.shutdown().request();
    let going = refused(generate("")).await;
    assert_refused(&going, Code::Unavailable, "SHUTTING_DOWN");
    assert!(going.get_error_details().retry_info().is_some());
}

#[tokio::test]
async fn adapters_are_published_listed_in_pages_and_rolled_back() {
    let world = World::start(Config::default()).await;
    let base = world.store.put_model("base", 1);
    let digests = [world.store.put_adapter(base, 1), world.store.put_adapter(base, 2)];
    let api = super::adapters::Api { publisher: world.core.publisher.clone() };
    for id in ["a", "b", "c"] {
        for digest in digests {
            let request = proto::PublishAdapterRequest {
                name: format!("adapters/{id}"),
                digest: digest.to_string(),
                ..Default::default()
            };
            let published = api.publish_adapter(Request::new(request)).await.unwrap().into_inner();
            assert!(published.swap_ms > 0.0);
        }
    }
    let list = |page_token: String| {
        api.list_adapters(Request::new(proto::ListAdaptersRequest { page_size: 2, page_token }))
    };
    let first = list(String::new()).await.unwrap().into_inner();
    let second = list(first.next_page_token.clone()).await.unwrap().into_inner();
    let names = |page: &proto::ListAdaptersResponse| -> Vec<String> {
        page.adapters.iter().map(|adapter| adapter.name.clone()).collect()
    };
    assert_eq!(
        (names(&first), names(&second)),
        (vec!["adapters/a".into(), "adapters/b".into()], vec!["adapters/c".into()])
    );
    assert_eq!(second.next_page_token, "");
    let adapter = &second.adapters[0];
    assert_eq!((adapter.generation, adapter.digest.clone()), (2, digests[1].to_string()));
    assert_eq!((adapter.base_digest.clone(), adapter.resident), (base.to_string(), true));
    let back = proto::RollbackAdapterRequest { name: "adapters/c".into(), to_generation: 0 };
    let back = api.rollback_adapter(Request::new(back)).await.unwrap().into_inner().adapter.unwrap();
    assert_eq!((back.generation, back.digest), (3, digests[0].to_string()));
    let stale = proto::PublishAdapterRequest {
        name: "adapters/c".into(),
        digest: digests[0].to_string(),
        expected_generation: Some(2),
        ..Default::default()
    };
    let stale = api.publish_adapter(Request::new(stale)).await.err().unwrap();
    assert_refused(&stale, Code::Aborted, "ALIAS_MOVED");
}

#[tokio::test]
async fn an_evaluation_is_created_watched_to_its_end_and_listed() {
    let world = World::start(Config::default()).await;
    world.store.put_model("base", 1);
    let rows = br#"[{"instruction":"a","output":"b","keywords":["b"]},{"instruction":"c","output":"d"}]"#;
    let files = [("rows.json".to_owned(), rows.to_vec())].into();
    let dataset = world.store.put(Kind::Dataset, files, None, "");
    world.store.point("datasets/d", dataset);
    let api = super::evaluation::Api { evaluations: world.core.evaluations.clone() };
    let request = proto::CreateEvaluationRequest {
        evaluation_id: "first".into(),
        request_id: "r".into(),
        spec: Some(proto::EvaluationSpec {
            dataset: "datasets/d".into(),
            model: "baseModels/base".into(),
            targets: vec![String::new()],
            prompt_template: "alpaca".into(),
            max_tokens: 3,
            ..proto::EvaluationSpec::default()
        }),
    };
    let created =
        api.create_evaluation(Request::new(request)).await.unwrap().into_inner().evaluation.unwrap();
    assert_eq!((created.name.as_str(), created.total_rows), ("evaluations/first", 2));
    let watch = proto::WatchEvaluationRequest { name: created.name.clone() };
    let states = api.watch_evaluation(Request::new(watch)).await.unwrap().into_inner();
    let mut states: Vec<_> = states.map(|state| state.unwrap().evaluation.unwrap()).collect().await;
    let last = states.pop().unwrap();
    assert!(states.iter().all(|state| state.results.is_empty()));
    assert_eq!((last.state(), last.results[0].items.len()), (proto::EvaluationState::Succeeded, 2));
    assert!(last.evidence_digest.starts_with("sha256:") && last.end_time.is_some());
    let listed = api.list_evaluations(Request::new(proto::ListEvaluationsRequest::default())).await.unwrap();
    assert!(listed.get_ref().evaluations[0].results[0].items.is_empty());
    let cancel = proto::CancelEvaluationRequest { name: created.name };
    let ended = api.cancel_evaluation(Request::new(cancel)).await.err().unwrap();
    assert_refused(&ended, Code::FailedPrecondition, "WRONG_STATE");
    let unknown = proto::GetEvaluationRequest { name: "evaluations/none".into() };
    assert_refused(
        &api.get_evaluation(Request::new(unknown)).await.err().unwrap(),
        Code::NotFound,
        "NOT_FOUND",
    );
}

mod extremes;
