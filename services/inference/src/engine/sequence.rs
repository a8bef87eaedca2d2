//! One sequence from its queue to its end: what a step computes and what the client is told.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use candle_core::Tensor;
use rootstock_kernels::with_numbers;
use rootstock_model::{Continued, KvCache, Wanted};
use rootstock_text::StreamDecoder;
use tokio::sync::mpsc;

use super::{
    Delta, Event, Generate, Job, Priority, Score, Switched, Work,
    decoding::{Decoding, ends},
    memory::Memory,
    room::{InUse, Key, Room},
    scoring::Scoring,
    text::TextStream,
};
use crate::{
    adapters::Applied,
    constraint::Matcher,
    error::Error,
    follower::Bound,
    metrics::{Counted, Metrics, Outcome},
    models::Model,
    sampling::{Sampler, Sampling, Token},
};

/// Why a sequence that waits shall not go on.
#[derive(Debug)]
pub(super) enum Over {
    /// Nobody listens.
    Cancelled,
    /// The client is told.
    Failed(Error),
}

/// One sequence.
#[derive(Debug)]
pub(super) struct Sequence {
    model: Arc<Model>,
    adapter: Option<Applied>,
    /// The version that a publish has moved it to, until its client is told.
    switched: Option<Bound>,
    stage: Stage,
    /// The prompt, and what was generated since; or a text of which a part is scored.
    ids: Vec<u32>,
    memory: Memory,
    events: mpsc::Sender<Event>,
    /// The place kept for the last event.
    last: Option<mpsc::OwnedPermit<Event>>,
    /// Whether it waits for its client; shared with the client's end.
    stalled: Arc<AtomicBool>,
    stalled_since: Option<Instant>,
    received: Instant,
    /// When it was first computed.
    started: Option<Instant>,
    deadline: Option<Instant>,
    pub(super) priority: Priority,
    /// Those of its tenant with a lower number begin first.
    pub(super) order: i32,
    pub(super) tenant: Arc<str>,
    /// Where requests are counted by adapter.
    counted: Option<Counted>,
    /// In the order of admission.
    pub(super) number: u64,
    /// The request's span, and the one of what it waits for or has computed.
    spans: Spans,
}

/// Where a sequence shows in its request's trace: one span after the other for its queue, its prompt and its tokens.
#[derive(Debug)]
struct Spans {
    request: tracing::Span,
    phase: tracing::Span,
}

impl Spans {
    fn begin() -> Self {
        Self { request: tracing::Span::current(), phase: tracing::info_span!("queue") }
    }

    fn end(&mut self) {
        (self.request, self.phase) = (tracing::Span::none(), tracing::Span::none());
    }
}

#[derive(Debug)]
enum Stage {
    Score(Box<Scoring>),
    /// No token is chosen yet.
    Prompt {
        sampling: Sampling,
        stop: Vec<String>,
        constraint: Option<Matcher>,
        /// Of the prompt's tokens from the second on, until its client is told.
        scoring: Option<Box<Scoring>>,
    },
    Decode(Box<Decoding>),
    Over,
}

/// What a sequence computes in its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// So much of its prompt, or of what is scored, is left.
    Prompt(usize),
    /// One token.
    Token,
}

/// What a step has led to.
enum Progress {
    /// A part of the prompt is computed.
    Nothing,
    /// The prompt's scores are known.
    Prompt(Vec<Token>),
    More(Delta),
    Last(Option<Delta>, Event),
}

impl Sequence {
    pub(super) fn new(job: Job, events: mpsc::Sender<Event>, stalled: Arc<AtomicBool>) -> Self {
        // The channel is new and has at least one place, so this succeeds.
        let last = events.clone().try_reserve_owned().ok();
        let root = root(&job);
        let virtual_tokens = job.adapter.as_ref().map_or(0, Applied::virtual_tokens);
        let (ids, stage, tokens) = match job.work {
            Work::Generate(Generate { prompt, sampling, stop, constraint, prompt_logprobs }) => {
                let tokens = prompt.len() + sampling.max_tokens;
                let scoring = prompt_logprobs.filter(|_| prompt.len() > 1);
                let scoring = scoring.map(|top| Box::new(Scoring::new(prompt[1..].to_vec(), top)));
                (prompt, Stage::Prompt { sampling, stop, constraint, scoring }, tokens)
            }
            Work::Score(Score { ids, from }) => {
                let (targets, tokens) = (ids[from..].to_vec(), ids.len());
                (ids, Stage::Score(Box::new(Scoring::new(targets, 0))), tokens)
            }
        };
        let memory = Memory::new(job.model.cache_block_bytes(), (tokens, virtual_tokens), root, &ids);
        Self {
            model: job.model,
            adapter: job.adapter,
            switched: None,
            stage,
            ids,
            memory,
            events,
            last,
            stalled,
            stalled_since: None,
            received: job.received,
            started: None,
            deadline: job.deadline,
            priority: job.priority,
            order: job.order,
            tenant: job.tenant,
            counted: None,
            number: 0,
            spans: Spans::begin(),
        }
    }

    /// Shows it among those that wait for its adapter, or are computed with it.
    pub(super) fn count_in(&mut self, metrics: &Metrics) {
        self.counted = self.adapter.as_ref().map(|adapter| metrics.loras.enter(adapter.label()));
    }

    /// Whether it has to end before its next step.
    pub(super) fn over(&self, now: Instant, stall_timeout: Duration) -> Option<Over> {
        if self.events.is_closed() {
            return Some(Over::Cancelled);
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Some(Over::Failed(Error::DeadlineExceeded("the call's deadline has passed")));
        }
        if let Some(error) = self.adapter.as_ref().and_then(Applied::replaced) {
            return Some(Over::Failed(error));
        }
        let given_up = self.stalled_since.is_some_and(|since| since + stall_timeout <= now);
        given_up.then_some(Over::Failed(Error::DeadlineExceeded(
            "the client has not read for too long; read faster, or ask for less",
        )))
    }

    /// When [`Sequence::over`] may first say so by itself.
    pub(super) fn expires(&self, stall_timeout: Duration) -> Option<Instant> {
        let stall = self.stalled_since.map(|since| since + stall_timeout);
        self.deadline.into_iter().chain(stall).min()
    }

    /// Whether there is room for the event of one more step; marks the sequence as waiting if there is none.
    pub(super) fn has_room(&mut self, now: Instant) -> bool {
        if self.events.capacity() > 0 {
            self.unmark();
            return true;
        }
        // Set before the second look: the client looks at it after making room.
        self.stalled.store(true, Ordering::SeqCst);
        if self.events.capacity() > 0 {
            self.unmark();
            return true;
        }
        self.stalled_since.get_or_insert(now);
        false
    }

    fn unmark(&mut self) {
        self.stalled.store(false, Ordering::SeqCst);
        self.stalled_since = None;
    }

    /// Ends it without a step. Its cache and its lease go when it is dropped, which may take a while.
    pub(super) fn end(&mut self, over: Over, metrics: &Metrics) {
        match over {
            Over::Cancelled => metrics.ended(Outcome::Cancelled),
            Over::Failed(error) => {
                metrics.ended(Outcome::Failed);
                self.tell_last(Event::Failed(error));
            }
        }
    }

    pub(super) fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Tokens of its text so far: of its prompt, before it has begun.
    pub(super) fn tokens(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn wants(&self) -> Wants {
        let (computed, end) = (self.memory.len(), self.ends_at());
        if end - computed == 1 && matches!(self.stage, Stage::Decode(_)) {
            return Wants::Token;
        }
        // What two versions computed is computed again by the two of them, in a step for each.
        let switches = self.adapter.as_ref().and_then(|adapter| adapter.switches_after(computed));
        Wants::Prompt(switches.map_or(end, |token| end.min(token)) - computed)
    }

    /// The scores that its next steps bring.
    fn scoring(&self) -> Option<&Scoring> {
        match &self.stage {
            Stage::Score(scoring) | Stage::Prompt { scoring: Some(scoring), .. } => Some(scoring),
            _ => None,
        }
    }

    /// Tokens that are computed before something else begins: nothing follows the last of those that are scored, and what follows a
    /// prompt is a step of its own.
    fn ends_at(&self) -> usize {
        self.ids.len() - usize::from(self.scoring().is_some())
    }

    /// The first token whose logits must still be computed.
    fn first_wanted(&self) -> usize {
        let left = self.scoring().map_or(1, Scoring::left);
        self.ends_at().saturating_sub(left)
    }

    /// Bytes of keys and values that it holds alone.
    pub(super) fn held_bytes(&self) -> u64 {
        self.memory.held_bytes()
    }

    /// The beginnings of its text that it could take over: nothing of which the logits must be computed.
    pub(super) fn beginnings(&self) -> &[Key] {
        self.memory.keys(self.first_wanted())
    }

    /// Bytes that it needs for its text so far besides so many blocks that it takes over.
    pub(super) fn needs(&self, shared: usize) -> u64 {
        self.memory.bytes_for(self.ids.len()).saturating_sub(self.memory.bytes_of(shared))
    }

    /// It has a slot, these blocks, and room for the rest of its text.
    pub(super) fn start(&mut self, shared: Vec<InUse>, bytes: u64) {
        self.counted.iter_mut().for_each(|counted| counted.set_runs(true));
        self.memory.start(shared, bytes);
    }

    /// Whether it has room for its text, which it loses when it is preempted.
    pub(super) fn has_begun(&self) -> bool {
        self.memory.has_begun()
    }

    /// Bytes that it needs for so many tokens more besides what it has.
    pub(super) fn lacks(&self, tokens: usize) -> u64 {
        self.memory.lacks(tokens)
    }

    /// It has got room.
    pub(super) fn grow(&mut self, bytes: u64) {
        self.memory.grow(bytes);
    }

    /// Whether any of it was ever computed.
    pub(super) fn has_run(&self) -> bool {
        self.started.is_some()
    }

    /// Gives up its keys and values.
    pub(super) fn forget(&mut self) -> Option<KvCache> {
        self.counted.iter_mut().for_each(|counted| counted.set_runs(false));
        self.memory.forget()
    }

    /// Offers the blocks that are full to those who begin alike.
    pub(super) fn offer(&mut self, room: &mut Room) {
        self.memory.offer(&self.ids, room);
    }

    /// Makes ready for a step.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        if self.may_switch()
            && let Some(adapter) = &mut self.adapter
            && let Some(switched) = adapter.switch(self.memory.len())
        {
            self.switched = Some(switched);
            self.memory.mix_versions();
        }
        if self.started.is_none() {
            self.started = Some(Instant::now());
            let tokens = self.ids.len() - self.memory.len();
            self.spans.phase = tracing::info_span!(parent: &self.spans.request, "prefill", tokens);
        }
        self.memory.open(&self.model, self.adapter.as_ref().and_then(Applied::start))
    }

    /// Whether it may go on with another version. A prompt is all of one version, as scores are, and what is computed again is of the
    /// version that computed it first.
    fn may_switch(&self) -> bool {
        match self.stage {
            Stage::Prompt { .. } => self.memory.len() == 0 && !self.has_run(),
            Stage::Decode(_) => self.wants() == Wants::Token,
            Stage::Score(_) | Stage::Over => false,
        }
    }

    /// Whether a step of so many tokens ends with logits that a token is chosen by.
    pub(super) fn chooses(&self, tokens: usize) -> bool {
        !matches!(self.stage, Stage::Score(_)) && self.memory.len() + tokens == self.ids.len()
    }

    /// The next tokens of its text, so many of them.
    pub(super) fn next(&mut self, tokens: usize) -> Result<Continued<'_>, Error> {
        let (first_wanted, end) = (self.first_wanted(), self.ends_at());
        let chooses = self.chooses(tokens);
        let start = self.memory.len();
        let adapter = self.adapter.as_ref().map(|adapter| adapter.weights_at(start));
        let Some(cache) = self.memory.cache() else {
            return Err(Error::Internal("a sequence was stepped before its start or after its end".into()));
        };
        let ids = &self.ids[start..end.min(start + tokens)];
        let wants = match &mut self.stage {
            Stage::Score(scoring) | Stage::Prompt { scoring: Some(scoring), .. } => {
                Wanted::Each(first_wanted.saturating_sub(start), scoring.as_mut())
            }
            _ if chooses => Wanted::Last,
            _ => Wanted::Nothing,
        };
        Ok(Continued { ids, cache, adapter, wants })
    }

    /// Goes on from a step, which has given logits [vocab] if a token is to be chosen; `None` when that was the last.
    pub(super) fn took(mut self, tokens: usize, logits: Option<Tensor>, metrics: &Metrics) -> Option<Self> {
        let went_on = catch_unwind(AssertUnwindSafe(|| self.go_on(tokens, logits, metrics)));
        let went_on =
            went_on.unwrap_or_else(|_| Err(Error::Internal("the choice of a token panicked".into())));
        self.conclude(went_on, metrics)
    }

    /// Whether all its scores are there, and only its client has to hear of them.
    pub(super) fn is_scored(&self) -> bool {
        matches!(&self.stage, Stage::Score(scoring) if scoring.left() == 0)
    }

    /// Tells its client the scores.
    pub(super) fn finish_scored(mut self, metrics: &Metrics) {
        if let Stage::Score(scoring) = std::mem::replace(&mut self.stage, Stage::Over) {
            let scores = scoring.into_scores().into_iter().filter_map(|token| token.logprob);
            self.finish(Event::Scored(scores.collect()), metrics);
        }
    }

    /// Ends it with an error.
    pub(super) fn fail(mut self, error: Error, metrics: &Metrics) {
        self.finish(Event::Failed(error), metrics);
    }

    fn conclude(mut self, progress: Result<Progress, Error>, metrics: &Metrics) -> Option<Self> {
        match progress {
            Ok(Progress::Nothing) => return Some(self),
            Ok(Progress::Prompt(tokens)) => {
                self.tell(Event::Prompt(tokens));
                return Some(self);
            }
            Ok(Progress::More(delta)) => {
                self.tell(Event::Delta(delta));
                return Some(self);
            }
            Ok(Progress::Last(delta, event)) => {
                delta.into_iter().for_each(|delta| self.tell(Event::Delta(delta)));
                self.finish(event, metrics);
            }
            Err(error) => self.finish(Event::Failed(error), metrics),
        }
        None
    }

    fn tell(&self, event: Event) {
        // There was room before the step, and only this sequence sends; a client that hung up is seen before the next.
        let _ = self.events.try_send(event);
    }

    fn finish(&mut self, event: Event, metrics: &Metrics) {
        metrics.ended(if matches!(event, Event::Failed(_)) { Outcome::Failed } else { Outcome::Finished });
        // The cache and the lease go before the client hears of the end, so that what it asks next finds them free.
        self.stage = Stage::Over;
        self.spans.end();
        self.counted = None;
        drop(self.memory.forget());
        self.adapter = None;
        self.tell_last(event);
    }

    fn tell_last(&mut self, event: Event) {
        if let Some(last) = self.last.take() {
            last.send(event);
        }
    }

    fn go_on(&mut self, tokens: usize, logits: Option<Tensor>, metrics: &Metrics) -> Result<Progress, Error> {
        if !matches!(self.stage, Stage::Decode(_)) || logits.is_none() {
            metrics.prompt_computed(tokens);
        }
        if let Stage::Score(scoring) = &mut self.stage {
            return scoring.check().map(|()| Progress::Nothing);
        }
        if let Stage::Prompt { scoring, .. } = &mut self.stage
            && let Some(scores) = scoring
        {
            scores.check()?;
            let all = scoring.take_if(|scores| scores.left() == 0);
            return Ok(all.map_or(Progress::Nothing, |scores| Progress::Prompt(scores.into_scores())));
        }
        let Some(logits) = logits else { return Ok(Progress::Nothing) };
        let decoding = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Prompt { sampling, stop, constraint, scoring: _ } => {
                self.spans.phase = tracing::info_span!(parent: &self.spans.request, "decode");
                Box::new(self.prefilled(sampling, stop, constraint, metrics))
            }
            Stage::Decode(decoding) => decoding,
            Stage::Score(_) | Stage::Over => {
                return Err(Error::Internal("a sequence was stepped after its end".into()));
            }
        };
        self.take(decoding, &logits, metrics)
    }

    /// The prompt is computed; its last token's logits choose the first token.
    fn prefilled(
        &self,
        sampling: Sampling,
        stop: Vec<String>,
        constraint: Option<Matcher>,
        metrics: &Metrics,
    ) -> Decoding {
        let ends = ends(&sampling, &self.model);
        let prefilled_at = Instant::now();
        let started = self.started.unwrap_or(prefilled_at);
        let adapter = self.adapter.as_ref().map(Applied::label).unwrap_or_default();
        let times = metrics.of(&self.tenant, adapter);
        times.first_token(started - self.received, prefilled_at - self.received);
        metrics.prompt_cached(self.memory.taken_over());
        let decoder = self.model.stream_decoder();
        // A constraint is about every byte of the text.
        let decoder = if constraint.is_some() { decoder.map(StreamDecoder::keep_start) } else { decoder };
        Decoding {
            sampler: Sampler::new(sampling, &self.ids, &ends).hold_to(constraint),
            text: TextStream::new(decoder, stop),
            generated: 0,
            prompt_tokens: self.ids.len(),
            cached_tokens: self.memory.taken_over(),
            times,
            queued: started - self.received,
            prefill: prefilled_at - started,
            prefilled_at,
        }
    }

    /// Chooses the token that follows these logits [vocab].
    fn take(
        &mut self,
        mut decoding: Box<Decoding>,
        logits: &Tensor,
        metrics: &Metrics,
    ) -> Result<Progress, Error> {
        let chosen = with_numbers(logits, |logits| decoding.sampler.choose(logits));
        let token = chosen.map_err(|error| Error::internal("logits can't be read", error))??;
        metrics.token_generated();
        let switched = self.switched.take().map(|to| Switched { to, at_token: decoding.generated });
        let (text, reason) = decoding.note(&token, &self.model);
        self.ids.push(token.id);
        let delta = Delta { text, token, switched };
        match reason {
            None => {
                self.stage = Stage::Decode(decoding);
                Ok(Progress::More(delta))
            }
            Some(reason) => Ok(Progress::Last(Some(delta), Event::Finished(decoding.finished(reason)))),
        }
    }
}

/// What a sequence's keys and values follow from besides its tokens: another tenant's are not even compared with, lest the time an
/// answer takes tells what others asked.
fn root(job: &Job) -> Key {
    let adapters = job.adapter.as_ref().map(Applied::identity).unwrap_or_default();
    let model = job.model.digest().to_string();
    Key::root([job.tenant.as_bytes(), model.as_bytes(), adapters.as_bytes()])
}
