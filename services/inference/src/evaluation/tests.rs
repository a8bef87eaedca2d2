//! Evaluations from their creation to their evidence, through the same engine as everything else.

use std::{collections::BTreeMap, future::poll_fn, task::Poll};

use candle_core::DType;
use futures::{StreamExt, TryStreamExt};
use rootstock_artifacts::Kind;
use rootstock_runtime::ErrorReason;
use rootstock_text::{Row, Supervised, Truncation, encode_row};

use super::*;
use crate::{
    config::Config,
    convert::target_name,
    tests::{World, eventually, model_files, request, tokenizer},
};

pub(super) const ROWS: &str = r#"{"instruction":"what jumps?","output":"the fox","keywords":["fox"]}
{"instruction":"over what?","input":"the fox","output":"the dog","keywords":["lazy","dog"]}
{"instruction":"什么是模型?","output":"模型"}
"#;

pub(super) fn put_rows(world: &World, rows: &str) -> Digest {
    let files = BTreeMap::from([("rows.jsonl".to_owned(), rows.as_bytes().to_vec())]);
    world.store.put(Kind::Dataset, files, None, "")
}

pub(super) fn spec(dataset: Digest, targets: &[&str]) -> Spec {
    Spec {
        dataset: ArtifactName::Digest(dataset),
        model: "baseModels/base".parse().unwrap(),
        targets: targets.iter().map(|target| target_name("targets", target).unwrap()).collect(),
        template: PromptTemplate::QaEn,
        max_tokens: 6,
        gate: None,
        publish: None,
    }
}

/// The same with answers that take a while.
fn long(dataset: Digest) -> Spec {
    Spec { max_tokens: 40, ..spec(dataset, &[""]) }
}

pub(super) fn alias(name: &str) -> AliasName {
    name.parse().unwrap()
}

pub(super) async fn ended(world: &World, id: &Id) -> Evaluation {
    let states = world.core.evaluations.watch(id).await.unwrap().into_stream();
    let states: Vec<Evaluation> = states.try_collect().await.unwrap();
    let rows: Vec<usize> = states.iter().map(|state| state.completed_rows).collect();
    assert!(rows.is_sorted(), "{rows:?}");
    assert!(states.iter().rev().skip(1).all(|state| !state.state.has_ended()));
    states.last().unwrap().clone()
}

pub(super) async fn with_base() -> (World, Digest) {
    let world = World::start(Config { max_queued_evaluations: 3, ..Config::default() }).await;
    let base = world.store.put_model("base", 1);
    (world, base)
}

/// More rows than are done before the test is.
fn many_rows() -> String {
    ROWS.repeat(3000)
}

#[tokio::test]
async fn an_evaluation_is_run_wherever_its_caller_leaves_while_it_is_created() {
    const MOST_POLLS: usize = 30;
    let (world, _) = with_base().await;
    let spec = spec(put_rows(&world, ROWS), &[""]);
    let evaluations = &world.core.evaluations;
    let mut seen = 0;
    for polls in 1..MOST_POLLS {
        let mut creating = Box::pin(evaluations.create(None, spec.clone(), None));
        let mut left = polls;
        // Polled only when there is something new for it, so that each poll goes one step further.
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            creating.as_mut().poll(context).map(drop)
        })
        .await;
        drop(creating);
        let listed = evaluations.list(None, MOST_POLLS).await.unwrap();
        for evaluation in &listed {
            assert_eq!(ended(&world, &evaluation.id).await.state, State::Succeeded, "{polls} polls");
        }
        seen = listed.len();
    }
    assert!(seen > 0, "some were created");
}

#[tokio::test]
async fn base_and_adapter_are_judged_row_by_row_and_the_evidence_is_kept() {
    let (world, base) = with_base().await;
    let adapter = world.store.put_adapter(base, 1);
    world.store.point("adapters/a", adapter);
    let spec = spec(put_rows(&world, ROWS), &["", "adapters/a"]);
    let created = world.core.evaluations.create(None, spec.clone(), None).await.unwrap();
    assert_eq!((created.state, created.total_rows), (State::Queued, 6));
    // An alias that moves now changes nothing any more.
    world.store.point("adapters/a", world.store.put_adapter(base, 2));
    let done = ended(&world, &created.id).await;
    assert_eq!((done.state, done.completed_rows, done.error.as_str()), (State::Succeeded, 6, ""));
    let [of_base, of_adapter] = &done.results[..] else { panic!("{:?}", done.results) };
    assert_eq!((of_base.adapter_digest, of_adapter.adapter_digest), (None, Some(adapter)));
    assert_eq!((of_base.rows, of_base.keyword_accuracy.total, of_base.exact_match.total), (3, 2, 3));
    assert_ne!(of_base.items[0].answer, of_adapter.items[0].answer);
    let [compared] = &done.comparisons[..] else { panic!("{:?}", done.comparisons) };
    assert_eq!((compared.target, compared.baseline, compared.exact_match.total), (1, 0, 3));
    let loss = |result: &TargetResult| {
        result.items.iter().map(|item| item.negative_log_likelihood).sum::<f64>() / 3.0
    };
    let difference = compared.negative_log_likelihood.difference;
    assert!((difference - (loss(of_adapter) - loss(of_base))).abs() < 1e-9, "{difference}");

    // The answer is what anybody gets who asks the same.
    let mut asked = request("baseModels/base", "", 6);
    asked.input = crate::generation::Input::Text("Question: what jumps?\nAnswer:".into());
    asked.sampling = crate::sampling::Sampling::greedy(6);
    let ids = world.ask(asked).await.unwrap().ids;
    assert_eq!(of_base.items[0].answer, tokenizer().decode(&ids, true).trim());

    let [draft] = &world.store.evidence()[..] else { panic!("one evaluation, one artifact") };
    assert_eq!((draft.base, draft.parent.as_str()), (base, created.name().as_str()));
    assert_eq!(done.evidence, Some(Digest::of(&draft.json)));
    let evidence: serde_json::Value = serde_json::from_slice(&draft.json).unwrap();
    assert_eq!(evidence["results"][1]["items"][1]["expected"], "the dog");
    assert_eq!(evidence["comparisons"][0]["token_f1"]["difference"], compared.token_f1.difference);
    assert_eq!(world.core.evaluations.get(&created.id).await.unwrap(), done);
    let listed = world.core.evaluations.list(None, 10).await.unwrap();
    assert!(listed[0].results[0].items.is_empty() && listed[0].results[0].rows == 3);
    assert_eq!(listed[0].comparisons, done.comparisons);
}

#[tokio::test]
async fn the_previous_version_of_an_adapter_is_what_a_rollback_would_publish() {
    let (world, base) = with_base().await;
    let versions: Vec<Digest> = (1..=2).map(|seed| world.store.put_adapter(base, seed)).collect();
    world.store.point("adapters/a", versions[0]);
    eventually("the first version is served", || world.core.aliases.get(&alias("adapters/a")).is_some())
        .await;
    let spec = spec(put_rows(&world, ROWS), &["adapters/a@previous", "adapters/a"]);
    let evaluations = &world.core.evaluations;
    let none = evaluations.create(None, spec.clone(), None).await.unwrap_err();
    assert_eq!(none.reason(), ErrorReason::NoPreviousVersion);
    world.store.point("adapters/a", versions[1]);
    let served = || world.core.aliases.get(&alias("adapters/a")).unwrap().generation;
    eventually("the second version is served", || served() == 2).await;
    let created = evaluations.create(None, spec, None).await.unwrap();
    // A move that comes later changes nothing any more.
    world.store.point("adapters/a", world.store.put_adapter(base, 3));
    let done = ended(&world, &created.id).await;
    let judged: Vec<_> = done.results.iter().map(|result| result.adapter_digest.unwrap()).collect();
    assert_eq!(judged, versions);
    assert_eq!(done.results[0].target, "adapters/a@previous");
}

#[tokio::test]
async fn the_perplexity_is_that_of_the_expected_answers_as_trained() {
    let (world, base) = with_base().await;
    let spec = spec(put_rows(&world, ROWS), &[""]);
    let created = world.core.evaluations.create(None, spec, None).await.unwrap();
    let result = ended(&world, &created.id).await.results.remove(0);

    // The same from all logits of each row, in 64 bits.
    let model = world.core.generation.binder.models.get(base).await.unwrap();
    let (mut loss, mut tokens) = (0.0, 0);
    for line in ROWS.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let row = Row {
            instruction: text("instruction"),
            input: text("input"),
            output: text("output"),
            ..Row::default()
        };
        let encoded =
            encode_row(&tokenizer(), PromptTemplate::QaEn, &row, (4096, Truncation::Right)).unwrap();
        let Supervised::Kept { example, .. } = encoded else { panic!("it fits") };
        let logits = model.decoder().forward_all(&example.input_ids, None).unwrap();
        let logits = logits.to_dtype(DType::F64).unwrap().to_vec2::<f64>().unwrap();
        for position in example.prompt_len..example.input_ids.len() {
            let before = &logits[position - 1];
            let sum: f64 = before.iter().map(|logit| logit.exp()).sum();
            loss += sum.ln() - before[example.input_ids[position] as usize];
            tokens += 1;
        }
    }
    let counted: u64 = result.items.iter().map(|item| item.expected_tokens).sum();
    assert_eq!(counted, tokens);
    let expected = (loss / tokens as f64).exp();
    assert!((result.perplexity / expected - 1.0).abs() < 1e-4, "{} {expected}", result.perplexity);
}

#[tokio::test]
async fn a_request_id_makes_a_create_idempotent_and_an_id_is_taken_once() {
    let (world, _) = with_base().await;
    let rows = put_rows(&world, ROWS);
    let id: Id = "mine".parse().unwrap();
    let evaluations = &world.core.evaluations;
    let first = evaluations.create(Some(id.clone()), spec(rows, &[""]), Some("r1".into())).await.unwrap();
    let again = evaluations.create(None, spec(rows, &["", ""]), Some("r1".into())).await.unwrap();
    assert_eq!((again.id.clone(), again.total_rows), (first.id.clone(), 3));
    let taken = evaluations.create(Some(id.clone()), spec(rows, &[""]), Some("r2".into())).await.unwrap_err();
    assert_eq!(taken.reason(), ErrorReason::AlreadyExists);
    ended(&world, &id).await;
}

#[tokio::test]
async fn what_cannot_be_evaluated_is_refused_before_it_is_stored() {
    let (world, base) = with_base().await;
    let other = world.store.put_model("other", 2);
    world.store.point("adapters/other", world.store.put_adapter(other, 1));
    let good = put_rows(&world, ROWS);
    let text = world.store.put(Kind::Dataset, BTreeMap::from([("a.txt".into(), b"text".to_vec())]), None, "");
    let mut mute = model_files(3);
    mute.retain(|name, _| !name.contains("token"));
    let mute = world.store.put(Kind::BaseModel, mute, None, "");
    let cases = [
        (spec(put_rows(&world, "{\"instruction\":\"x\"}\n"), &[""]), ErrorReason::InvalidRow),
        (
            spec(put_rows(&world, "{\"instruction\":\"x\",\"output\":\"y\",\"keywords\":[1]}\n"), &[""]),
            ErrorReason::InvalidRow,
        ),
        (spec(put_rows(&world, "\u{1}"), &[""]), ErrorReason::InvalidRow),
        (spec(text, &[""]), ErrorReason::InvalidField),
        (spec(base, &[""]), ErrorReason::InvalidField),
        (spec(Digest::of(b"none"), &[""]), ErrorReason::NotFound),
        (spec(good, &["adapters/none"]), ErrorReason::NotFound),
        (spec(good, &["", "adapters/other"]), ErrorReason::BaseMismatch),
        (Spec { model: "baseModels/none".parse().unwrap(), ..spec(good, &[""]) }, ErrorReason::NotFound),
        (Spec { model: ArtifactName::Digest(good), ..spec(good, &[""]) }, ErrorReason::InvalidField),
        (Spec { model: ArtifactName::Digest(mute), ..spec(good, &[""]) }, ErrorReason::InvalidField),
    ];
    for (spec, reason) in cases {
        let refused = world.core.evaluations.create(None, spec, None).await.unwrap_err();
        assert_eq!(refused.reason(), reason, "{refused}");
    }
    assert!(world.core.evaluations.list(None, 10).await.unwrap().is_empty());
    assert!(world.core.aliases.get(&alias("adapters/none")).is_none());
}

#[tokio::test]
async fn a_row_that_doesnt_fit_is_not_judged_by_a_part_of_its_answer() {
    let (world, _) = with_base().await;
    // The tiny model has 4096 places, and the answer a token for each of its letters.
    for (letters, fits) in [(3000, true), (5000, false)] {
        let row = format!(r#"{{"instruction":"q","output":"{}"}}"#, "zq".repeat(letters / 2));
        let created = world.core.evaluations.create(None, spec(put_rows(&world, &row), &[""]), None).await;
        let done = ended(&world, &created.unwrap().id).await;
        assert_eq!(done.state == State::Succeeded, fits, "{}", done.error);
        assert_eq!(
            done.error.contains("row 1") && done.error.contains("context of 4096"),
            !fits,
            "{}",
            done.error
        );
    }
}

#[tokio::test]
async fn one_that_fails_says_why_and_the_next_one_runs() {
    let (world, _) = with_base().await;
    let rows = put_rows(&world, ROWS);
    let chat = Spec { template: PromptTemplate::Chat, ..spec(rows, &[""]) };
    let failing = world.core.evaluations.create(None, chat, None).await.unwrap();
    let next = world.core.evaluations.create(None, spec(rows, &[""]), None).await.unwrap();
    let failed = ended(&world, &failing.id).await;
    assert_eq!(failed.state, State::Failed);
    assert!(failed.error.contains("row 1") && failed.error.contains("chat template"), "{}", failed.error);
    assert_eq!(ended(&world, &next.id).await.state, State::Succeeded);
}

#[tokio::test]
async fn waiting_and_running_ones_can_be_cancelled_and_ended_ones_cannot() {
    let (world, _) = with_base().await;
    let evaluations = &world.core.evaluations;
    let rows = put_rows(&world, &many_rows());
    let running = evaluations.create(None, long(rows), None).await.unwrap();
    let waiting = evaluations.create(None, long(rows), None).await.unwrap();
    let mut states = Box::pin(evaluations.watch(&running.id).await.unwrap().into_stream());
    while states.next().await.unwrap().unwrap().completed_rows == 0 {}
    for id in [&waiting.id, &running.id] {
        assert_eq!(evaluations.cancel(id).await.unwrap().state, State::Cancelled);
        let again = evaluations.cancel(id).await.unwrap_err();
        assert_eq!(again.reason(), ErrorReason::WrongState);
        assert_eq!(evaluations.get(id).await.unwrap().state, State::Cancelled);
    }
    assert_eq!(states.try_collect::<Vec<_>>().await.unwrap().last().unwrap().state, State::Cancelled);
    eventually("its sequences have ended", || world.metric("rootstock_inference_running") == Some(0.0)).await;
    let unknown: Id = "unknown".parse().unwrap();
    assert_eq!(evaluations.cancel(&unknown).await.unwrap_err().reason(), ErrorReason::NotFound);
    assert!(world.store.evidence().is_empty());
}

#[tokio::test]
async fn an_interrupted_one_begins_again_after_the_restart() {
    let (world, _) = with_base().await;
    // Long enough to be caught at work, and short enough to be waited for.
    let rows = put_rows(&world, &ROWS.repeat(400));
    let created = world.core.evaluations.create(None, long(rows), None).await.unwrap();
    let waiting =
        world.core.evaluations.create(None, spec(put_rows(&world, ROWS), &[""]), None).await.unwrap();
    let mut states = Box::pin(world.core.evaluations.watch(&created.id).await.unwrap().into_stream());
    while states.next().await.unwrap().unwrap().completed_rows == 0 {}
    drop(states);
    let world = world.restart(Config::default()).await;
    let done = ended(&world, &created.id).await;
    assert_eq!((done.state, done.completed_rows), (State::Succeeded, 1200));
    assert_eq!(ended(&world, &waiting.id).await.state, State::Succeeded);
    assert_eq!(world.store.evidence().len(), 2);
}

#[tokio::test]
async fn one_that_takes_the_server_down_again_and_again_is_given_up_and_an_orderly_stop_does_not_count() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("book.db");
    let id: Id = "poison".parse().unwrap();
    let digest = Digest::of(b"any");
    let pinned = Pinned { dataset: digest, model: digest, adapters: vec![None], publish_generation: None };
    let book = Book::open(&path, 3).await.unwrap();
    let new =
        NewEvaluation { id: id.clone(), request_id: None, spec: spec(digest, &[""]), pinned, total_rows: 1 };
    book.create(new).await.unwrap();
    // Orderly stops, more than may crash.
    for _ in 0..=book::MAX_CRASHES {
        book.claim_next().await.unwrap().unwrap();
        book.give_back().await.unwrap();
    }
    book.close().await;
    for _ in 0..book::MAX_CRASHES {
        let book = Book::open(&path, 3).await.unwrap();
        book.give_up_crashing().await.unwrap();
        assert_eq!(book.claim_next().await.unwrap().unwrap().id, id);
        // The process dies here.
        book.close().await;
    }
    let book = Book::open(&path, 3).await.unwrap();
    book.give_up_crashing().await.unwrap();
    assert_eq!(book.claim_next().await.unwrap(), None);
    let given_up = book.get(&id).await.unwrap();
    assert_eq!(given_up.state, State::Failed);
    assert!(given_up.error.contains("went down 3 times"), "{}", given_up.error);
}

#[tokio::test]
async fn as_many_may_wait_as_the_configuration_says() {
    let (world, _) = with_base().await;
    let rows = put_rows(&world, &many_rows());
    let create = || world.core.evaluations.create(None, long(rows), None);
    let running = create().await.unwrap();
    let mut states = Box::pin(world.core.evaluations.watch(&running.id).await.unwrap().into_stream());
    while states.next().await.unwrap().unwrap().state != State::Running {}
    for _ in 0..3 {
        create().await.unwrap();
    }
    assert_eq!(create().await.unwrap_err().reason(), ErrorReason::Overloaded);
    let newest: Vec<i64> = world
        .core
        .evaluations
        .list(None, 2)
        .await
        .unwrap()
        .iter()
        .map(|evaluation| evaluation.number)
        .collect();
    assert_eq!(newest, [4, 3]);
    let next = world.core.evaluations.list(Some(3), 5).await.unwrap();
    assert_eq!(next.iter().map(|evaluation| evaluation.number).collect::<Vec<_>>(), [2, 1]);
    world.stop().await;
}
