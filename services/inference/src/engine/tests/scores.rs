//! Scores: the log-probabilities that decoding gives, however the text was computed.

use super::*;

impl Rig {
    fn score(&self, ids: &[u32], from: usize) -> Job {
        let work = Work::Score(Score { ids: ids.to_vec(), from });
        Job { work, ..self.job(&[], greedy(1)) }
    }

    /// A text that the model goes on with from a prompt, and how likely each of its tokens was.
    async fn decoded(&self, prompt: &[u32], tokens: usize, seed: u64) -> (Vec<u32>, Vec<u64>) {
        let sampling = Sampling { temperature: 1.0, seed, logprobs: Some(0), ..greedy(tokens) };
        let mut output = self.engine.submit(self.job(prompt, sampling)).unwrap();
        let (mut ids, mut bits) = (prompt.to_vec(), Vec::new());
        while let Some(event) = output.next().await {
            if let Event::Delta(delta) = event {
                ids.push(delta.token.id);
                bits.push(delta.token.logprob.unwrap().to_bits());
            }
        }
        (ids, bits)
    }
}

async fn scores(output: Output) -> Vec<u64> {
    match output.collect::<Vec<_>>().await.as_slice() {
        [Event::Scored(scores)] => scores.iter().map(|score| score.to_bits()).collect(),
        events => panic!("{events:?}"),
    }
}

#[tokio::test]
async fn a_score_has_the_bits_that_decoding_gives_alone_and_among_others() {
    let rig = Rig::new(limits());
    let mut texts = Vec::new();
    for (seed, length) in [1, 63, 64, 65, 300].into_iter().enumerate() {
        let prompt = prompt(seed as u32, length);
        let (ids, bits) = rig.decoded(&prompt, 90, seed as u64).await;
        texts.push((ids, prompt.len(), bits));
    }
    let alone = Rig::new(Limits { prefix_cache: false, ..limits() });
    for (ids, from, bits) in &texts {
        assert_eq!(&scores(alone.engine.submit(alone.score(ids, *from)).unwrap()).await, bits);
    }
    // Beginnings are taken over, and others decode beside them.
    let beside = [rig.submit(&[1], 100), rig.submit(&[2], 100)];
    let submit = |(ids, from, _): &(Vec<u32>, usize, _)| rig.engine.submit(rig.score(ids, *from)).unwrap();
    let together = futures::future::join_all(texts.iter().map(submit).map(scores)).await;
    assert!(together.iter().eq(texts.iter().map(|(_, _, bits)| bits)));
    for output in beside {
        assert_eq!(read(output).await.0.len(), 100);
    }
}

#[tokio::test]
async fn a_scored_text_is_computed_in_chunks_and_only_its_last_token_is_not() {
    let rig = Rig::new(limits());
    let (mut state, (events, mut client)) = (State::new(&limits()), mpsc::channel(8));
    let job = rig.score(&prompt(1, STEP_TOKENS as u32 + 20), 100);
    state.enqueue(Sequence::new(job, events, Arc::default()));
    state.sweep(Instant::now(), &limits(), &Metrics::default());
    assert_eq!(step(&mut state), [STEP_TOKENS]);
    assert_eq!(step(&mut state), [19]);
    assert!(state.is_idle());
    let Some(Event::Scored(scores)) = client.recv().await else { panic!("the text is scored") };
    assert_eq!(scores.len(), STEP_TOKENS + 20 - 100);
}

#[tokio::test]
async fn a_text_that_is_scored_again_takes_over_what_comes_before_its_scores() {
    let rig = Rig::new(limits());
    let (mut state, text) = (State::new(&limits()), prompt(1, 200));
    let mut steps = |from| {
        let (events, client) = mpsc::channel(8);
        state.enqueue(Sequence::new(rig.score(&text, from), events, Arc::default()));
        state.sweep(Instant::now(), &limits(), &Metrics::default());
        (step(&mut state), client)
    };
    assert_eq!(steps(150).0, [199]);
    assert_eq!(steps(129).0, [199 - 128]);
    // The scores of token 128 are in the logits after token 127.
    assert_eq!(steps(128).0, [199 - 64]);
}

#[tokio::test]
async fn who_came_last_gives_up_its_room_and_is_scored_the_same() {
    let (rig, text) = (Rig::new(limits()), prompt(5, 500));
    let expected = scores(rig.engine.submit(rig.score(&text, 20)).unwrap()).await;
    // Room for the scored text and for one block of who decodes, who soon needs another.
    let (limits, metrics) = (Limits { cache_bytes: cache_for(9), ..limits() }, Metrics::default());
    let mut state = State::new(&limits);
    let (decoding, _decoded) = mpsc::channel(20);
    state.enqueue(Sequence::new(rig.job(&prompt(1, 63), greedy(10)), decoding, Arc::default()));
    let (scoring, mut scored) = mpsc::channel(8);
    state.enqueue(Sequence::new(rig.score(&text, 20), scoring, Arc::default()));
    for _ in 0..30 {
        state.sweep(Instant::now(), &limits, &metrics);
        step(&mut state);
    }
    state.report(&metrics);
    assert!(metrics.preemptions.get() > 0);
    let Ok(Event::Scored(found)) = scored.try_recv() else { panic!("the text is scored") };
    assert!(found.iter().map(|score| score.to_bits()).eq(expected));
}

#[tokio::test]
async fn a_text_that_never_fits_is_not_scored() {
    let rig = Rig::new(Limits { cache_bytes: cache_for(2), ..limits() });
    let refused = |tokens| Failure::from(rig.engine.submit(rig.score(&vec![1; tokens], 100)).unwrap_err());
    assert_eq!(refused(5000).reason, ErrorReason::ContextTooLong);
    let cache = refused(129);
    assert!(cache.message.contains("100 tokens and 29 more"), "{cache}");
    assert_eq!(scores(rig.engine.submit(rig.score(&vec![1; 128], 100)).unwrap()).await.len(), 28);
}

#[tokio::test]
async fn a_text_that_nobody_waits_for_is_scored_no_further() {
    let rig = Rig::new(limits());
    drop(rig.engine.submit(rig.score(&vec![1; 4000], 1)).unwrap());
    eventually("it has ended", || rig.is_idle()).await;
    assert_eq!(scores(rig.engine.submit(rig.score(&[1, 2, 3], 1)).unwrap()).await.len(), 2);
}

impl Rig {
    /// A request that is told how likely its prompt is, with the most likely token at each place.
    fn telling(&self, prompt: &[u32], max_tokens: usize) -> Job {
        let mut job = self.job(prompt, greedy(max_tokens));
        if let Work::Generate(generate) = &mut job.work {
            generate.prompt_logprobs = Some(1);
        }
        job
    }
}

/// What a prompt's client hears: the bits of its log-probabilities, and the tokens after it.
async fn told(output: Output) -> (Vec<u64>, Vec<u32>) {
    let (mut bits, mut ids) = (Vec::new(), Vec::new());
    for event in output.collect::<Vec<_>>().await {
        match event {
            Event::Prompt(tokens) => {
                assert!(ids.is_empty() && bits.is_empty(), "it comes once, before the first token");
                assert!(tokens.iter().all(|token| token.top[0].1 >= token.logprob.unwrap()));
                bits.extend(tokens.iter().map(|token| token.logprob.unwrap().to_bits()));
            }
            Event::Delta(delta) => ids.push(delta.token.id),
            Event::Finished(_) => {}
            other => panic!("{other:?}"),
        }
    }
    (bits, ids)
}

#[tokio::test]
async fn a_prompt_is_told_with_the_bits_of_a_score_and_goes_on_as_one_that_is_not() {
    let rig = Rig::new(Limits { max_queued: 20, ..limits() });
    for length in [1, 2, 64, 65, STEP_TOKENS as u32 + 1, 400] {
        let prompt = prompt(length, length);
        let (without, _, _) = read(rig.submit(&prompt, 7)).await;
        // The second time its beginning could be taken over, and isn't.
        for _ in 0..2 {
            let beside = rig.submit(&[3], 30);
            let (bits, ids) = told(rig.engine.submit(rig.telling(&prompt, 7)).unwrap()).await;
            assert_eq!(ids, without, "{length}");
            let expected = match length {
                1 => Vec::new(),
                _ => scores(rig.engine.submit(rig.score(&prompt, 1)).unwrap()).await,
            };
            assert_eq!(bits, expected, "{length}");
            drop(beside);
        }
    }
}

#[tokio::test]
async fn a_prompt_that_gives_up_its_room_is_told_once_and_the_same() {
    let (rig, text) = (Rig::new(limits()), prompt(5, 500));
    let expected = told(rig.engine.submit(rig.telling(&text, 3)).unwrap()).await;
    let (limits, metrics) = (Limits { cache_bytes: cache_for(9), ..limits() }, Metrics::default());
    let mut state = State::new(&limits);
    let (decoding, _decoded) = mpsc::channel(20);
    state.enqueue(Sequence::new(rig.job(&prompt(1, 63), greedy(10)), decoding, Arc::default()));
    let (events, told_events) = mpsc::channel(8);
    state.enqueue(Sequence::new(rig.telling(&text, 3), events, Arc::default()));
    for _ in 0..30 {
        state.sweep(Instant::now(), &limits, &metrics);
        step(&mut state);
    }
    state.report(&metrics);
    assert!(metrics.preemptions.get() > 0);
    assert_eq!(told(Output::new(told_events, Arc::clone(&rig.engine.shared))).await, expected);
}

#[tokio::test]
async fn a_request_that_was_preempted_is_not_overtaken_by_those_that_come_later() {
    let (rig, text) = (Rig::new(limits()), prompt(5, 500));
    let (limits, metrics) =
        (Limits { max_running: 2, cache_bytes: cache_for(9), ..limits() }, Metrics::default());
    let mut state = State::new(&limits);
    let (decoding, _decoded) = mpsc::channel(20);
    state.enqueue(Sequence::new(rig.job(&prompt(1, 63), greedy(10)), decoding, Arc::default()));
    let (events, mut preempted) = mpsc::channel(8);
    let patient = Job { order: 5, ..rig.job(&text, greedy(1)) };
    state.enqueue(Sequence::new(patient, events, Arc::default()));
    let mut later = Vec::new();
    for _ in 0..60 {
        state.sweep(Instant::now(), &limits, &metrics);
        step(&mut state);
        state.report(&metrics);
        if metrics.preemptions.get() > 0 && later.len() < 5 {
            let (events, client) = mpsc::channel(8);
            let ahead = Job { order: -5, ..rig.job(&prompt(9, 300), greedy(5)) };
            state.enqueue(Sequence::new(ahead, events, Arc::default()));
            later.push(client);
        }
        if matches!(preempted.try_recv(), Ok(Event::Delta(_))) {
            assert_eq!(later.len(), 5);
            assert!(later.iter_mut().all(|client| client.try_recv().is_err()), "none of them was first");
            return;
        }
    }
    panic!("it never went on");
}
