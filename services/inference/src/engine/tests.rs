//! The engine with a tiny model: fair, cancellable, and bounded whatever its clients do.

use std::{collections::BTreeMap, time::Instant};

use candle_core::{DType, Device, Tensor};
use futures::StreamExt;
use rootstock_artifacts::Digest;
use rootstock_model::{Decoder, save_tensors};
use rootstock_runtime::Failure;

use super::*;
use crate::{
    models::Model,
    sampling::Sampling,
    tests::{PATIENCE, eventually, model, tiny_config, tokenizer},
};

/// An engine with small bounds.
struct Rig {
    engine: Engine,
    tasks: Tasks,
    model: Arc<Model>,
}

fn limits() -> Limits {
    Limits {
        threads: 1,
        max_running: 4,
        max_queued: 8,
        max_queued_per_tenant: 8,
        max_queued_tokens: 10_000,
        tenant_weights: Arc::default(),
        prefix_cache: true,
        cache_bytes: 1 << 30,
        output_buffer: 4,
        stall_timeout: PATIENCE,
    }
}

impl Rig {
    fn new(limits: Limits) -> Self {
        let tasks = Tasks::new(Shutdown::new());
        let engine = Engine::start(limits, Metrics::default(), &tasks).unwrap();
        Self { engine, tasks, model: model(1) }
    }

    fn job(&self, prompt: &[u32], sampling: Sampling) -> Job {
        let work = Work::Generate(Generate {
            prompt: prompt.to_vec(),
            sampling,
            stop: Vec::new(),
            constraint: None,
            prompt_logprobs: None,
        });
        let (model, received) = (Arc::clone(&self.model), Instant::now());
        let (priority, tenant) = (Priority::Interactive, "t".into());
        Job { model, adapter: None, work, priority, order: 0, tenant, received, deadline: None }
    }

    fn submit(&self, prompt: &[u32], max_tokens: usize) -> Output {
        self.engine.submit(self.job(prompt, greedy(max_tokens))).unwrap()
    }

    /// A sequence that takes all the room there is for keys and values, and whose client never reads.
    fn hog(&self, limits: &Limits) -> Output {
        let tokens = limits.cache_bytes / self.model.cache_block_bytes() * 64;
        self.submit(&[1], tokens as usize - 1)
    }

    fn is_idle(&self) -> bool {
        self.engine.shared.state.lock().is_idle()
    }
}

/// Goes on past the end, so that the length is known.
fn greedy(max_tokens: usize) -> Sampling {
    Sampling { ignore_eos: true, ..Sampling::greedy(max_tokens) }
}

/// Room for so many blocks of 64 tokens.
fn cache_for(blocks: u64) -> u64 {
    model(1).cache_block_bytes() * blocks
}

async fn read(mut output: Output) -> (Vec<u32>, String, Result<Finished, Failure>) {
    let (mut ids, mut text) = (Vec::new(), String::new());
    while let Some(event) = output.next().await {
        match event {
            Event::Delta(delta) => {
                ids.push(delta.token.id);
                text.push_str(&delta.text);
            }
            Event::Finished(finished) => return (ids, text, Ok(finished)),
            Event::Failed(error) => return (ids, text, Err(error.into())),
            Event::Scored(_) | Event::Prompt(_) => panic!("nothing was to be scored"),
        }
    }
    panic!("the last event is missing after {ids:?}");
}

async fn reason(output: Output) -> ErrorReason {
    read(output).await.2.unwrap_err().reason
}

use rootstock_runtime::ErrorReason;

#[tokio::test]
async fn a_sequence_gets_among_others_the_tokens_that_it_gets_alone() {
    let rig = Rig::new(limits());
    let prompts: Vec<Vec<u32>> = (0..8).map(|i| (0..=i).map(|k| (i * 31 + k * 7) % 300).collect()).collect();
    let sampled = |seed| Sampling { temperature: 1.0, seed, ..greedy(20) };
    let mut alone = Vec::new();
    for (seed, prompt) in prompts.iter().enumerate() {
        alone.push(read(rig.engine.submit(rig.job(prompt, sampled(seed as u64))).unwrap()).await.0);
    }
    let together: Vec<Output> = prompts
        .iter()
        .enumerate()
        .map(|(seed, prompt)| rig.engine.submit(rig.job(prompt, sampled(seed as u64))).unwrap())
        .collect();
    let together = futures::future::join_all(together.into_iter().map(read)).await;
    for (together, alone) in together.iter().zip(&alone) {
        assert_eq!(&together.0, alone);
        assert_eq!(together.0.len(), 20);
    }
}

/// Sequences that were admitted, in a state of their own that no thread works on.
fn admitted(rig: &Rig, prompts: &[usize]) -> (State, Vec<mpsc::Receiver<Event>>) {
    let (mut state, mut clients) = (State::new(&limits()), Vec::new());
    for length in prompts {
        let (events, client) = mpsc::channel(8);
        let job = rig.job(&vec![1; *length], greedy(5));
        state.enqueue(Sequence::new(job, events, Arc::default()));
        clients.push(client);
    }
    state.sweep(Instant::now(), &limits(), &Metrics::default());
    (state, clients)
}

/// Takes the next step; tells how many tokens each sequence in it has.
fn step(state: &mut State) -> Vec<usize> {
    let batch = state.take_batch(false);
    let tokens = batch.iter().map(|turn| turn.tokens).collect();
    let holdings: Vec<_> = batch.iter().map(state::Holding::from).collect();
    let stepped = batch::step(batch, &Metrics::default());
    state.settle(stepped, holdings, (Instant::now(), Duration::ZERO), &limits());
    state.take_garbage().dispose(&Metrics::default());
    tokens
}

#[tokio::test]
async fn a_long_prompt_is_computed_in_chunks_beside_those_who_decode() {
    let rig = Rig::new(limits());
    let (mut state, _clients) = admitted(&rig, &[3, STEP_TOKENS + 20]);
    // The short prompt, and as much of the long one as the step has room for.
    assert_eq!(step(&mut state), [3, STEP_TOKENS - 3]);
    // Who decodes goes first, and waits for no more than a few tokens of it at a time.
    assert_eq!(step(&mut state), [1, 16]);
    assert_eq!(step(&mut state), [1, 7]);
    assert_eq!(step(&mut state), [1, 1]);
}

#[tokio::test]
async fn everybody_who_decodes_is_in_every_step() {
    let rig = Rig::new(limits());
    let (mut state, _clients) = admitted(&rig, &[2, 2, 2, 2]);
    assert_eq!(step(&mut state), [2; 4]);
    for _ in 0..4 {
        assert_eq!(step(&mut state), [1; 4]);
    }
    assert!(step(&mut state).is_empty() && state.is_idle(), "all five tokens of each are chosen");
}

#[tokio::test]
async fn a_client_that_never_reads_stalls_nobody() {
    let rig = Rig::new(Limits { max_running: 1, ..limits() });
    let unread = rig.submit(&[1], 50);
    // It gave up the only slot when its channel was full.
    for prompt in 0..3 {
        assert_eq!(read(rig.submit(&[prompt], 10)).await.0.len(), 10);
    }
    let expected = read(rig.submit(&[1], 50)).await.0;
    let (ids, _, finished) = read(unread).await;
    assert_eq!(ids, expected);
    assert_eq!(finished.unwrap().completion_tokens, 50);
}

#[tokio::test]
async fn a_client_that_reads_nothing_for_too_long_is_given_up() {
    let rig = Rig::new(Limits { stall_timeout: Duration::from_millis(30), ..limits() });
    let unread = rig.submit(&[1], 50);
    eventually("the sequence is given up", || rig.is_idle()).await;
    assert_eq!(reason(unread).await, ErrorReason::DeadlineExceeded);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let rig = Rig::new(Limits { max_running: 1, max_queued: 2, output_buffer: 4000, ..limits() });
    let long = rig.submit(&[1], 4000);
    eventually("the long one has the only slot", || rig.engine.shared.metrics.running.get() == 1).await;
    let waiting = [rig.submit(&[1], 5), rig.submit(&[2], 5)];
    let began = Instant::now();
    let refused = Failure::from(rig.engine.submit(rig.job(&[3], greedy(5))).unwrap_err());
    assert_eq!(refused.reason, ErrorReason::Overloaded);
    assert!(began.elapsed() < Duration::from_secs(1));
    // When the long one goes, those who waited are served.
    drop(long);
    for output in waiting {
        assert_eq!(read(output).await.0.len(), 5);
    }
}

#[tokio::test]
async fn a_tenant_that_fills_its_queue_leaves_room_for_others() {
    let limits = Limits { max_running: 1, max_queued_per_tenant: 3, output_buffer: 4000, ..limits() };
    let rig = Rig::new(limits);
    let long = rig.submit(&[1], 4000);
    eventually("the long one has the only slot", || rig.engine.shared.metrics.running.get() == 1).await;
    let of = |tenant: &str, prompt: u32| Job { tenant: tenant.into(), ..rig.job(&[prompt], greedy(5)) };
    let greedy_one: Vec<Output> = (0..3).map(|n| rig.engine.submit(of("a", n)).unwrap()).collect();
    let refused = Failure::from(rig.engine.submit(of("a", 9)).unwrap_err());
    assert!(refused.message.contains("tenant a"), "{refused}");
    let other = rig.engine.submit(of("b", 7)).unwrap();
    drop(long);
    for output in greedy_one.into_iter().chain([other]) {
        assert_eq!(read(output).await.0.len(), 5);
    }
    let long = Job { tenant: "c".into(), ..rig.job(&[1; 4000], greedy(5)) };
    let lengthy: Vec<_> =
        (0..4).map(|_| rig.engine.submit(Job { adapter: None, ..job_like(&long) })).collect();
    assert!(lengthy.iter().any(Result::is_err), "10,000 tokens of prompts may wait");
}

/// Whose prompts are computed, in order, where one is computed at a time: of a tenant and with a number each.
fn turns(weights: &[(&str, f64)], requests: &[(&str, i32)]) -> Vec<(String, i32)> {
    let rig = Rig::new(limits());
    let weights = weights.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
    let limits = Limits { max_running: 1, tenant_weights: Arc::new(weights), ..limits() };
    let (mut state, mut clients, mut seen) = (State::new(&limits), Vec::new(), Vec::new());
    for &(tenant, order) in requests {
        let (events, client) = mpsc::channel(8);
        let job = Job { tenant: tenant.into(), order, ..rig.job(&[1], greedy(5)) };
        state.enqueue(Sequence::new(job, events, Arc::default()));
        clients.push(client);
    }
    loop {
        state.sweep(Instant::now(), &limits, &Metrics::default());
        let batch = state.take_batch(false);
        let Some(first) = batch.first() else { return seen };
        if first.sequence.wants() != sequence::Wants::Token {
            seen.push((first.sequence.tenant.to_string(), first.sequence.order));
        }
        let holdings = batch.iter().map(state::Holding::from).collect();
        let stepped = batch::step(batch, &Metrics::default());
        state.settle(stepped, holdings, (Instant::now(), Duration::ZERO), &limits);
    }
}

#[tokio::test]
async fn tenants_take_turns_by_what_was_computed_for_them_over_their_weights() {
    let order = |weights: &[(&str, f64)]| {
        let requests = ["a", "a", "a", "b", "b"].map(|tenant| (tenant, 0));
        turns(weights, &requests).into_iter().map(|(tenant, _)| tenant).collect::<Vec<_>>()
    };
    assert_eq!(order(&[]), ["a", "b", "a", "b", "a"]);
    assert_eq!(order(&[("a", 2.5)]), ["a", "b", "a", "a", "b"]);
}

#[tokio::test]
async fn a_tenants_requests_begin_by_their_numbers_and_take_nothing_from_others() {
    let seen = turns(&[], &[("a", 5), ("a", 0), ("b", 7), ("a", -3), ("a", 0), ("b", 7)]);
    let seen: Vec<(&str, i32)> = seen.iter().map(|(tenant, order)| (tenant.as_str(), *order)).collect();
    assert_eq!(seen, [("a", -3), ("b", 7), ("a", 0), ("b", 7), ("a", 0), ("a", 5)]);
}

fn job_like(job: &Job) -> Job {
    let Work::Generate(work) = &job.work else { panic!("it generates") };
    Job {
        model: Arc::clone(&job.model),
        adapter: None,
        work: Work::Generate(work.clone()),
        tenant: Arc::clone(&job.tenant),
        ..*job
    }
}

/// A prompt of so many tokens that no other number has.
fn prompt(number: u32, tokens: u32) -> Vec<u32> {
    (0..tokens).map(|i| (number * 37 + i * i * 11 + i) % 300).collect()
}

#[tokio::test]
async fn a_beginning_is_computed_once_and_the_answers_stay_the_same() {
    let rig = Rig::new(limits());
    let (long, other_end) = (prompt(1, 200), [&prompt(1, 150)[..], &[5; 30]].concat());
    let (first, _, finished) = read(rig.submit(&long, 70)).await;
    assert_eq!(finished.unwrap().cached_tokens, 0);
    let (again, _, finished) = read(rig.submit(&long, 70)).await;
    assert_eq!((again, finished.unwrap().cached_tokens), (first.clone(), 192));
    let (forked, _, finished) = read(rig.submit(&other_end, 20)).await;
    assert_eq!(finished.unwrap().cached_tokens, 128);
    // What was generated is a beginning too: a conversation goes on.
    let talk = [&long[..], &first[..], &[7]].concat();
    let (_, _, finished) = read(rig.submit(&talk, 5)).await;
    assert_eq!(finished.unwrap().cached_tokens, 256);
    let stranger = Job { tenant: "stranger".into(), ..rig.job(&long, greedy(70)) };
    let (strangers, _, finished) = read(rig.engine.submit(stranger).unwrap()).await;
    assert_eq!(
        (strangers, finished.unwrap().cached_tokens),
        (first, 0),
        "nothing is kept for another tenant"
    );
    let without = Rig::new(Limits { prefix_cache: false, ..limits() });
    for _ in 0..2 {
        let (ids, _, finished) = read(without.submit(&other_end, 20)).await;
        assert_eq!((ids, finished.unwrap().cached_tokens), (forked.clone(), 0));
    }
}

#[tokio::test]
async fn who_came_last_gives_up_its_room_and_says_the_same_in_the_end() {
    let ample = Rig::new(limits());
    // Each needs three blocks in the end, and five are all there are.
    for prefix_cache in [true, false] {
        let limits = Limits { cache_bytes: cache_for(5), prefix_cache, output_buffer: 200, ..limits() };
        let rig = Rig::new(limits);
        let outputs: Vec<Output> = (0..4).map(|n| rig.submit(&prompt(n, 60), 120)).collect();
        for (n, output) in (0..4).zip(outputs) {
            let (ids, _, finished) = read(output).await;
            assert_eq!(finished.unwrap().completion_tokens, 120);
            assert_eq!(ids, read(ample.submit(&prompt(n, 60), 120)).await.0, "sequence {n}");
        }
        assert!(rig.engine.shared.metrics.preemptions.get() > 0);
        eventually("nothing runs", || rig.is_idle()).await;
    }
}

#[tokio::test]
async fn whoever_does_not_read_gives_up_its_room_first() {
    let limits = Limits { cache_bytes: cache_for(4), ..limits() };
    let rig = Rig::new(limits.clone());
    let unread = rig.hog(&limits);
    eventually("it waits for its client", || rig.engine.shared.state.lock().next_expiry(&limits).is_some())
        .await;
    assert_eq!(read(rig.submit(&[1], 190)).await.0.len(), 190);
    let (ids, ..) = read(unread).await;
    assert_eq!(ids, read(Rig::new(limits).submit(&[1], 255)).await.0);
}

#[tokio::test]
async fn whoever_does_not_read_makes_room_for_those_who_wait_to_begin() {
    let limits = Limits { cache_bytes: cache_for(4), ..limits() };
    let rig = Rig::new(limits.clone());
    let long = [1; 200];
    let unread = rig.submit(&long, 50);
    eventually("it waits for its client", || rig.engine.shared.state.lock().next_expiry(&limits).is_some())
        .await;
    let other = tokio::time::timeout(limits.stall_timeout / 2, read(rig.submit(&[2; 150], 20)));
    assert_eq!(other.await.unwrap().0.len(), 20);
    let (ids, ..) = read(unread).await;
    assert_eq!(ids, read(Rig::new(limits).submit(&long, 50)).await.0);
}

#[tokio::test]
async fn hanging_up_ends_a_sequence_wherever_it_is() {
    let limits = Limits { cache_bytes: cache_for(60), ..limits() };
    let rig = Rig::new(limits.clone());
    // Computing.
    let mut running = rig.submit(&[1], 3000);
    running.next().await.unwrap();
    drop(running);
    eventually("the running one has ended", || rig.is_idle()).await;
    // Parked, and queued behind it.
    let parked = rig.hog(&limits);
    let queued = rig.submit(&[1], 10);
    drop((parked, queued));
    eventually("both have ended", || rig.is_idle()).await;
    assert_eq!(read(rig.submit(&[1], 3)).await.0.len(), 3);
}

#[tokio::test]
async fn deadlines_hold_for_who_waits_and_for_who_computes() {
    let limits = Limits { max_running: 1, output_buffer: 3000, ..limits() };
    let rig = Rig::new(limits);
    let soon = |job: Job| Job { deadline: Some(Instant::now() + Duration::from_millis(40)), ..job };
    let computing = rig.engine.submit(soon(rig.job(&[1], greedy(2999)))).unwrap();
    let queued = rig.engine.submit(soon(rig.job(&[1], greedy(2000)))).unwrap();
    assert_eq!(reason(queued).await, ErrorReason::DeadlineExceeded);
    assert_eq!(reason(computing).await, ErrorReason::DeadlineExceeded);
    eventually("nothing is left", || rig.is_idle()).await;
}

#[tokio::test]
async fn while_draining_the_running_finish_and_new_ones_are_sent_away() {
    let rig = Rig::new(limits());
    let running = [rig.submit(&[1], 40), rig.submit(&[2], 40)];
    rig.tasks.shutdown().request();
    let refused = Failure::from(rig.engine.submit(rig.job(&[3], greedy(5))).unwrap_err());
    assert_eq!(refused.reason, ErrorReason::ShuttingDown);
    for output in running {
        assert_eq!(read(output).await.0.len(), 40);
    }
    // And then the threads end.
    rig.tasks.join(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn stopping_ends_everybody() {
    let rig = Rig::new(Limits { max_running: 1, output_buffer: 4000, ..limits() });
    let (running, queued) = (rig.submit(&[1], 4000), rig.submit(&[1], 10));
    rig.tasks.shutdown().request();
    rig.engine.stop();
    assert_eq!(reason(queued).await, ErrorReason::ShuttingDown);
    assert_eq!(reason(running).await, ErrorReason::ShuttingDown);
    rig.tasks.join(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn what_can_never_run_is_refused_with_both_lengths() {
    let rig = Rig::new(Limits { cache_bytes: cache_for(2), ..limits() });
    let refused = |tokens| Failure::from(rig.engine.submit(rig.job(&[1, 2, 3], greedy(tokens))).unwrap_err());
    let context = refused(4094);
    assert_eq!(context.reason, ErrorReason::ContextTooLong);
    assert!(context.message.contains("3 tokens") && context.message.contains("4094"), "{context}");
    let cache = refused(126);
    assert_eq!(cache.reason, ErrorReason::ContextTooLong);
    assert!(cache.message.contains("128 tokens"), "{cache}");
    assert_eq!(read(rig.submit(&[1, 2, 3], 125)).await.0.len(), 125);
}

#[tokio::test]
async fn evaluations_get_on_beside_interactive_sequences() {
    let rig = Rig::new(Limits { max_running: 2, output_buffer: 4000, ..limits() });
    let busy = [rig.submit(&[1], 3000), rig.submit(&[2], 3000)];
    let background = Job { priority: Priority::Background, ..rig.job(&[3], greedy(10)) };
    let (ids, _, _) = read(rig.engine.submit(background).unwrap()).await;
    assert_eq!(ids.len(), 10);
    assert!(!rig.is_idle(), "the interactive sequences were computed first");
    drop(busy);
}

#[tokio::test]
async fn weights_that_are_no_numbers_end_their_request_alone() {
    let rig = Rig::new(limits());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let broken = |(name, tensor): (String, Tensor)| match tensor.dims() {
        [_] => (name, (tensor * f64::NAN).unwrap()),
        _ => (name, tensor),
    };
    let tensors: Vec<_> = rig.model.decoder().named_tensors().unwrap().into_iter().map(broken).collect();
    save_tensors(&path, &tensors, &BTreeMap::new()).unwrap();
    let decoder = Decoder::load(tiny_config(), &[path], DType::F32, &Device::Cpu).unwrap();
    let damaged = Arc::new(Model::new(Digest::of(b"damaged"), decoder, Some(tokenizer())));
    let healthy = rig.submit(&[1], 20);
    let job = Job { model: damaged, ..rig.job(&[1], greedy(5)) };
    assert_eq!(reason(rig.engine.submit(job).unwrap()).await, ErrorReason::InvalidFile);
    assert_eq!(read(healthy).await.0.len(), 20);
}

#[tokio::test]
async fn text_ends_before_a_stop_string_and_the_tokens_tell_what_was_chosen() {
    let rig = Rig::new(limits());
    let sampling = Sampling { temperature: 1.5, seed: 3, ..greedy(60) };
    let (ids, text, _) = read(rig.engine.submit(rig.job(&[70, 71], sampling.clone())).unwrap()).await;
    assert_eq!(text, tokenizer().decode(&ids, true));
    // A stop string from the middle of what it says.
    let from = text.char_indices().nth(text.chars().count() / 2).unwrap().0;
    let stop: String = text[from..].chars().take(2).collect();
    let expected = &text[..text.find(&stop).unwrap()];
    let work = Generate {
        prompt: vec![70, 71],
        sampling,
        stop: vec![stop],
        constraint: None,
        prompt_logprobs: None,
    };
    let job = Job { work: Work::Generate(work), ..rig.job(&[], greedy(1)) };
    let (stopped_ids, stopped_text, finished) = read(rig.engine.submit(job).unwrap()).await;
    assert_eq!(stopped_text, expected);
    assert_eq!(stopped_ids, ids[..stopped_ids.len()]);
    let finished = finished.unwrap();
    assert_eq!((finished.reason, finished.completion_tokens), (FinishReason::Stop, stopped_ids.len()));
}

#[tokio::test]
async fn stop_strings_are_not_looked_for_in_what_the_first_tokens_say() {
    let rig = Rig::new(limits());
    let sampling = Sampling { temperature: 1.5, seed: 3, ..greedy(60) };
    let run = |sampling: Sampling, stop: &str| {
        let work = Generate {
            prompt: vec![70, 71],
            sampling,
            stop: vec![stop.to_owned()],
            constraint: None,
            prompt_logprobs: None,
        };
        read(rig.engine.submit(Job { work: Work::Generate(work), ..rig.job(&[], greedy(1)) }).unwrap())
    };
    let (ids, text, _) = run(sampling.clone(), "never").await;
    let first: String = text.chars().take(1).collect();
    assert_eq!(run(sampling.clone(), &first).await.1, "");
    let (later, later_text, _) = run(Sampling { min_tokens: 30, ..sampling }, &first).await;
    assert!(later.len() > 30 && later_text.starts_with(&first), "{later_text:?}");
    assert_eq!(later[..], ids[..later.len()]);
}

#[tokio::test]
async fn a_stop_token_ends_the_text_and_is_no_part_of_it() {
    let rig = Rig::new(limits());
    let sampling = Sampling { temperature: 1.5, seed: 3, ..greedy(60) };
    let run = |sampling| read(rig.engine.submit(rig.job(&[70, 71], sampling)).unwrap());
    let (ids, ..) = run(sampling.clone()).await;
    let stop = ids[10];
    let place = ids.iter().position(|id| *id == stop).unwrap();
    let stopping = Sampling { stop_token_ids: vec![299, stop], ..sampling };
    let (stopped, text, finished) = run(stopping.clone()).await;
    assert_eq!(stopped, ids[..=place]);
    assert_eq!(text, tokenizer().decode(&ids[..place], true));
    assert_eq!(finished.unwrap().reason, FinishReason::Stop);
    // Masked, it does not occur in time.
    let (longer, ..) = run(Sampling { min_tokens: place + 5, ..stopping }).await;
    assert!(longer.len() > place + 5 && !longer[..place + 5].contains(&stop), "{longer:?}");
}

#[tokio::test]
async fn the_end_of_sequence_token_ends_the_text_unless_it_shall_not() {
    let rig = Rig::new(limits());
    // Some seed draws the token 0 soon.
    let sampling =
        |seed, ignore_eos| Sampling { temperature: 3.0, seed, ignore_eos, ..Sampling::greedy(400) };
    for seed in 0..20 {
        let (ids, text, finished) =
            read(rig.engine.submit(rig.job(&[5], sampling(seed, false))).unwrap()).await;
        if finished.unwrap().reason != FinishReason::Eos {
            continue;
        }
        assert_eq!(ids.last(), Some(&0));
        assert_eq!(text, tokenizer().decode(&ids, true));
        let (longer, ..) = read(rig.engine.submit(rig.job(&[5], sampling(seed, true))).unwrap()).await;
        assert_eq!(longer.len(), 400);
        assert_eq!(longer[..ids.len()], ids);
        return;
    }
    panic!("no seed drew the end of the text");
}

#[tokio::test]
async fn several_threads_give_the_same_tokens() {
    let one = Rig::new(limits());
    let many = Rig::new(Limits { threads: 3, ..limits() });
    let outputs: Vec<Output> = (0..6).map(|prompt| many.submit(&[prompt], 30)).collect();
    for (prompt, output) in (0..6).zip(outputs) {
        assert_eq!(read(output).await.0, read(one.submit(&[prompt], 30)).await.0);
    }
}

mod completions;
mod constraints;
mod evaluations;
mod scores;
mod switches;
