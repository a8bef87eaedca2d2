//! Evaluations and requests where there is hardly room for both.

use super::*;

/// An engine's state that no thread works on, with room for so many blocks, and clients that read in the end.
struct Stage {
    rig: Rig,
    limits: Limits,
    state: State,
    clients: Vec<mpsc::Receiver<Event>>,
}

impl Stage {
    fn new(blocks: u64) -> Self {
        let limits = Limits { cache_bytes: cache_for(blocks), ..limits() };
        let (rig, state) = (Rig::new(super::limits()), State::new(&limits));
        Self { rig, limits, state, clients: Vec::new() }
    }

    /// Asks for so many tokens after a prompt of others.
    fn ask(&mut self, priority: Priority, prompt_tokens: u32, max_tokens: usize) {
        let (events, client) = mpsc::channel(1000);
        let job = Job { priority, ..self.rig.job(&prompt(prompt_tokens, prompt_tokens), greedy(max_tokens)) };
        self.state.enqueue(Sequence::new(job, events, Arc::default()));
        self.clients.push(client);
    }

    /// Whose step was made, and for how many of them it was a prompt; nothing once all have ended. An evaluation whose steps take no
    /// time is always ahead.
    fn step(&mut self, evaluations_take: Duration) -> Option<(Priority, usize)> {
        self.state.sweep(Instant::now(), &self.limits, &Metrics::default());
        let batch = self.state.take_batch(false);
        self.state.take_garbage().dispose(&Metrics::default());
        let Some(first) = batch.first() else {
            assert!(self.state.is_idle(), "nobody is stepped, though somebody is there");
            return None;
        };
        let priority = first.sequence.priority;
        let prompts = batch.iter().filter(|turn| turn.sequence.wants() != sequence::Wants::Token).count();
        let took = if priority == Priority::Background { evaluations_take } else { Duration::from_secs(1) };
        let holdings = batch.iter().map(state::Holding::from).collect();
        let stepped = batch::step(batch, &Metrics::default());
        self.state.settle(stepped, holdings, (Instant::now(), took), &self.limits);
        Some((priority, prompts))
    }
}

#[tokio::test]
async fn an_evaluation_takes_no_request_its_room_and_a_request_takes_an_evaluation_its_own() {
    let mut stage = Stage::new(2);
    // Each begins with one of two blocks and needs a second one on the way. The evaluation came first, and is the first to need it.
    stage.ask(Priority::Background, 62, 20);
    stage.ask(Priority::Interactive, 30, 60);
    let mut prompts = BTreeMap::new();
    while let Some((priority, count)) = stage.step(Duration::ZERO) {
        *prompts.entry(priority == Priority::Interactive).or_insert(0) += count;
    }
    assert_eq!(prompts[&true], 1, "the request computed its prompt once");
    assert!(prompts[&false] > 1, "the evaluation gave up its room");
}

#[tokio::test]
async fn a_request_that_waits_to_begin_takes_an_evaluation_its_room() {
    let mut stage = Stage::new(4);
    stage.ask(Priority::Background, 100, 20);
    stage.ask(Priority::Background, 100, 20);
    for _ in 0..3 {
        assert_eq!(stage.step(Duration::from_secs(1)).unwrap().0, Priority::Background);
    }
    stage.ask(Priority::Interactive, 60, 100);
    assert_eq!(stage.step(Duration::from_secs(1)), Some((Priority::Interactive, 1)), "it begins at once");
    while stage.step(Duration::from_secs(1)).is_some() {}
    for mut client in stage.clients {
        let mut ended = None;
        while let Ok(event) = client.try_recv() {
            ended = Some(event);
        }
        assert!(matches!(ended, Some(Event::Finished(_))), "{ended:?}");
    }
}

#[tokio::test]
async fn an_evaluation_keeps_its_room_where_that_would_not_be_enough() {
    let mut stage = Stage::new(6);
    stage.ask(Priority::Interactive, 200, 50);
    stage.ask(Priority::Background, 60, 60);
    while stage.step(Duration::ZERO).unwrap() != (Priority::Background, 0) {}
    // Four blocks are a request's and one or two an evaluation's: less than this one needs.
    stage.ask(Priority::Interactive, 180, 5);
    let mut prompts = 0;
    while let Some((priority, count)) = stage.step(Duration::ZERO) {
        prompts += if priority == Priority::Background { count } else { 0 };
    }
    assert_eq!(prompts, 0, "the evaluation computes its prompt again");
}
