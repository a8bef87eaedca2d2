//! What the tests share: a store in memory, a tiny model and adapters for it, and an engine to run them.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use candle_core::Device;
use futures::{StreamExt, stream, stream::BoxStream};
use parking_lot::Mutex;
use rootstock_artifacts::{AliasName, ArtifactName, Digest, Kind};
use rootstock_kernels::Random;
use rootstock_model::{Config as ModelConfig, Decoder, save_tensors};
use rootstock_peft::{LoraAdapter, LoraConfig};
use rootstock_runtime::{Shutdown, Tasks};
use rootstock_text::{TextTokenizer, TokenizerFiles, TrainOptions, train_byte_level_bpe};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::{
    bind::Wanted,
    config::Config,
    engine::{Event, Finished, Output},
    error::Error,
    evaluation::Book,
    generation::{Caller, Input, Request, Started},
    models::Model,
    publish::{Change, Publish, Swapped},
    residency::Adapter,
    sampling::Sampling,
    service::Core,
    store::{Alias, AliasEvent, Artifact, EvidenceDraft, Expect, Fetched, Running, Store, Target},
};

/// Longer than anything here takes, on a slow machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until `holds`, and fails the test when it never does.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A byte-level tokenizer with a few merges; id 0 ends a text.
pub(crate) fn tokenizer_files() -> &'static TokenizerFiles {
    static FILES: LazyLock<TokenizerFiles> = LazyLock::new(|| {
        let texts = ["the quick brown fox jumps over the lazy dog. 问题: 什么是模型?\n回答: 模型"; 4];
        let options = TrainOptions { vocab_size: 300, min_frequency: 2, ..TrainOptions::default() };
        train_byte_level_bpe(texts.iter(), &options).unwrap()
    });
    &FILES
}

pub(crate) fn tokenizer() -> TextTokenizer {
    let files = tokenizer_files();
    TextTokenizer::from_files(&files.tokenizer_json, Some(&files.tokenizer_config_json)).unwrap()
}

/// One layer, 300 tokens, 4096 positions.
pub(crate) fn tiny_config() -> ModelConfig {
    let json = br#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 300, "hidden_size": 16,
        "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
        "tie_word_embeddings": true, "initializer_range": 0.5, "eos_token_id": 0, "max_position_embeddings": 4096}"#;
    ModelConfig::from_json(json).unwrap()
}

/// A tiny model with random weights.
pub(crate) fn model(seed: u64) -> Arc<Model> {
    let decoder = Decoder::init(tiny_config(), seed, &Device::Cpu).unwrap();
    Arc::new(Model::new(Digest::of(&seed.to_le_bytes()), decoder, Some(tokenizer())))
}

/// The files of a base model with random weights.
pub(crate) fn model_files(seed: u64) -> BTreeMap<String, Vec<u8>> {
    let decoder = Decoder::init(tiny_config(), seed, &Device::Cpu).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    save_tensors(&path, &decoder.named_tensors().unwrap(), &BTreeMap::new()).unwrap();
    let tokenizer = tokenizer_files();
    BTreeMap::from([
        ("config.json".to_owned(), tiny_config().to_json().into_bytes()),
        ("model.safetensors".to_owned(), std::fs::read(path).unwrap()),
        ("tokenizer.json".to_owned(), tokenizer.tokenizer_json.clone()),
        ("tokenizer_config.json".to_owned(), tokenizer.tokenizer_config_json.clone()),
    ])
}

/// The files of an adapter with random weights, large enough to change what is said.
pub(crate) fn adapter_files(seed: u64) -> BTreeMap<String, Vec<u8>> {
    let config = LoraConfig { r: 2, ..LoraConfig::default() };
    let adapter = LoraAdapter::init(&config, &tiny_config(), seed, &Device::Cpu).unwrap();
    for (name, variable) in adapter.parameters() {
        let random = Random::named(seed, &name).normal_tensor(variable.shape(), 0.0, 1.0, &Device::Cpu);
        variable.set(&random.unwrap()).unwrap();
    }
    BTreeMap::from([
        ("adapter_config.json".to_owned(), config.to_json().into_bytes()),
        ("adapter_model.safetensors".to_owned(), adapter.weights_bytes().unwrap()),
    ])
}

/// Of [`tokenizer`], as records have it.
fn tokenizer_digest() -> String {
    format!("sha256:{}", tokenizer().digest())
}

/// Artifacts and aliases as the checkpoint service has them, without the service.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    dir: TempDir,
    inner: Arc<Mutex<Inner>>,
    /// Counts moves and cuts.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    artifacts: HashMap<Digest, Artifact>,
    files: HashMap<Digest, Vec<String>>,
    aliases: BTreeMap<AliasName, Alias>,
    moves: Vec<Alias>,
    fetches: HashMap<Digest, usize>,
    watches_after: Vec<i64>,
    /// Watches opened before end with an error.
    cut_watches: usize,
    away: bool,
    evidence: Vec<EvidenceDraft>,
}

impl MemoryStore {
    pub(crate) fn new() -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        Arc::new(Self { dir, inner: Arc::default(), changes: watch::Sender::new(0) })
    }

    pub(crate) fn put(
        &self,
        kind: Kind,
        files: BTreeMap<String, Vec<u8>>,
        base: Option<Digest>,
        tokenizer: &str,
    ) -> Digest {
        let mut named: Vec<u8> = kind.as_str().into();
        named.extend(base.iter().flat_map(|base| base.as_bytes().to_vec()));
        files.iter().for_each(|(name, bytes)| named.extend([name.as_bytes(), bytes].concat()));
        let digest = Digest::of(&named);
        std::fs::create_dir_all(self.dir.path().join(digest.hex())).unwrap();
        for (name, bytes) in &files {
            std::fs::write(self.dir.path().join(digest.hex()).join(name), bytes).unwrap();
        }
        let mut inner = self.inner.lock();
        inner.artifacts.insert(digest, Artifact { digest, kind, base, tokenizer: tokenizer.to_owned() });
        inner.files.insert(digest, files.into_keys().collect());
        digest
    }

    /// A base model with an alias.
    pub(crate) fn put_model(&self, id: &str, seed: u64) -> Digest {
        let digest = self.put(Kind::BaseModel, model_files(seed), None, &tokenizer_digest());
        self.point(&format!("baseModels/{id}"), digest);
        digest
    }

    pub(crate) fn put_adapter(&self, base: Digest, seed: u64) -> Digest {
        self.put(Kind::Adapter, adapter_files(seed), Some(base), &tokenizer_digest())
    }

    /// Points an alias at an artifact, as somebody else would.
    pub(crate) fn point(&self, name: &str, digest: Digest) -> Alias {
        let pinned = None;
        self.set(name, &Target { digest, canary: None, pinned, running: Running::Finish }, false)
    }

    /// Moves an alias, as somebody else would.
    pub(crate) fn set(&self, name: &str, target: &Target, retired: bool) -> Alias {
        let name: AliasName = name.parse().unwrap();
        let mut inner = self.inner.lock();
        let digest = target.digest;
        let before = inner.aliases.get(&name).cloned();
        let generation = before.as_ref().map_or(0, |alias| alias.generation) + 1;
        let was_pinned = before.as_ref().is_some_and(|alias| alias.pinned);
        let mut history = before.map(|alias| alias.history).unwrap_or_default();
        if history.first().is_none_or(|(_, present)| *present != digest) {
            history.insert(0, (generation, digest));
        }
        history.truncate(16);
        let alias = Alias {
            name: name.clone(),
            digest,
            generation,
            etag: format!("etag-{generation}"),
            update_micros: 0,
            base: inner.artifacts[&digest].base,
            history,
            canary: target.canary.clone(),
            pinned: target.pinned.unwrap_or(was_pinned),
            running: target.running,
            retired,
        };
        inner.aliases.insert(name, alias.clone());
        inner.moves.push(alias.clone());
        drop(inner);
        self.changes.send_modify(|changes| *changes += 1);
        alias
    }

    /// Breaks every watch there is.
    pub(crate) fn cut(&self) {
        self.inner.lock().cut_watches += 1;
        self.changes.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.inner.lock().away = away;
    }

    /// Deletes an artifact, as somebody else would.
    pub(crate) fn delete(&self, digest: &Digest) {
        self.inner.lock().artifacts.remove(digest).unwrap();
    }

    pub(crate) fn fetches(&self, digest: &Digest) -> usize {
        self.inner.lock().fetches.get(digest).copied().unwrap_or(0)
    }

    /// After which event each watch began.
    pub(crate) fn watches_after(&self) -> Vec<i64> {
        self.inner.lock().watches_after.clone()
    }

    pub(crate) fn evidence(&self) -> Vec<EvidenceDraft> {
        self.inner.lock().evidence.clone()
    }

    fn check_there(&self) -> Result<(), Error> {
        if self.inner.lock().away { Err(crate::error::unavailable("away")) } else { Ok(()) }
    }
}

/// What a watch sends next.
struct Watching {
    inner: Arc<Mutex<Inner>>,
    changes: watch::Receiver<u64>,
    cuts: usize,
    queue: VecDeque<AliasEvent>,
    sent: usize,
}

impl Watching {
    async fn next(mut self) -> Option<(Result<AliasEvent, Error>, Self)> {
        loop {
            self.changes.borrow_and_update();
            {
                let inner = self.inner.lock();
                if inner.cut_watches > self.cuts || inner.away {
                    drop(inner);
                    return Some((Err(crate::error::unavailable("cut")), self));
                }
                for (index, alias) in inner.moves.iter().enumerate().skip(self.sent) {
                    let event_id = index as i64 + 1;
                    self.queue.push_back(AliasEvent::Record { event_id, alias: Arc::new(alias.clone()) });
                }
                self.sent = inner.moves.len();
            }
            if let Some(event) = self.queue.pop_front() {
                return Some((Ok(event), self));
            }
            self.changes.changed().await.ok()?;
        }
    }
}

#[tonic::async_trait]
impl Store for MemoryStore {
    async fn artifact(&self, name: &ArtifactName) -> Result<Artifact, Error> {
        self.check_there()?;
        let inner = self.inner.lock();
        let digest = match name {
            ArtifactName::Digest(digest) | ArtifactName::Version(_, digest) => Some(*digest),
            ArtifactName::Alias(alias) => {
                inner.aliases.get(alias).filter(|alias| !alias.retired).map(|alias| alias.digest)
            }
        };
        let found = digest.and_then(|digest| inner.artifacts.get(&digest).cloned());
        found.ok_or_else(|| Error::NotFound(format!("{name} does not exist")))
    }

    async fn fetch(&self, digest: &Digest) -> Result<Fetched, Error> {
        let artifact = self.artifact(&ArtifactName::Digest(*digest)).await?;
        let mut inner = self.inner.lock();
        *inner.fetches.entry(*digest).or_default() += 1;
        let dir = self.dir.path().join(digest.hex());
        let files = inner.files[digest].iter().map(|name| (name.clone(), dir.join(name))).collect();
        Ok(Fetched { artifact, files, _keep: Box::new(()) })
    }

    fn is_local(&self, digest: &Digest) -> bool {
        self.fetches(digest) > 0
    }

    async fn alias(&self, name: &AliasName) -> Result<Option<Alias>, Error> {
        self.check_there()?;
        Ok(self.inner.lock().aliases.get(name).filter(|alias| !alias.retired).cloned())
    }

    async fn set_alias(&self, name: &AliasName, target: &Target, expect: Expect) -> Result<Alias, Error> {
        let etag = self.alias(name).await?.map(|alias| alias.etag);
        if expect != etag.map_or(Expect::Absent, Expect::Etag) {
            return Err(Error::AliasMoved(format!("{name} moved")));
        }
        Ok(self.set(&name.to_string(), target, false))
    }

    async fn retire_alias(&self, name: &AliasName, etag: &str) -> Result<Alias, Error> {
        let alias = self.alias(name).await?.filter(|alias| alias.etag == etag);
        let digest = alias.ok_or_else(|| Error::AliasMoved(format!("{name} moved")))?.digest;
        let target = Target { digest, canary: None, pinned: Some(false), running: Running::Finish };
        Ok(self.set(&name.to_string(), &target, true))
    }

    fn watch(&self, after: i64) -> BoxStream<'static, Result<AliasEvent, Error>> {
        let mut inner = self.inner.lock();
        inner.watches_after.push(after);
        let last = inner.moves.len();
        let event_id = last as i64;
        let mut queue = VecDeque::new();
        if after == 0 {
            queue.extend(
                inner
                    .aliases
                    .values()
                    .map(|alias| AliasEvent::Record { event_id, alias: Arc::new(alias.clone()) }),
            );
            queue.push_back(AliasEvent::Synced { event_id });
        }
        let sent = if after == 0 { last } else { after as usize };
        let (changes, cuts) = (self.changes.subscribe(), inner.cut_watches);
        let watching = Watching { inner: Arc::clone(&self.inner), changes, cuts, queue, sent };
        stream::unfold(watching, Watching::next).boxed()
    }

    async fn put_evidence(&self, draft: EvidenceDraft) -> Result<Digest, Error> {
        self.check_there()?;
        let digest = Digest::of(&draft.json);
        self.inner.lock().evidence.push(draft);
        Ok(digest)
    }
}

/// A whole service without a network, on a store in memory.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) core: Core,
    pub(crate) registry: rootstock_runtime::Metrics,
    pub(crate) tasks: Tasks,
    dir: Arc<TempDir>,
}

impl World {
    pub(crate) async fn start(config: Config) -> Self {
        Self::with_store(config, MemoryStore::new(), Arc::new(tempfile::tempdir().unwrap())).await
    }

    async fn with_store(config: Config, store: Arc<MemoryStore>, dir: Arc<TempDir>) -> Self {
        let tasks = Tasks::new(Shutdown::new());
        let registry = rootstock_runtime::Metrics::new();
        let path = dir.path().join("evaluations.sqlite");
        let book = Book::open(&path, config.max_queued_evaluations).await.unwrap();
        let core = Core::start(&config, store.clone(), book, &registry, &tasks).await.unwrap();
        core.prepare().await;
        Self { store, core, registry, tasks, dir }
    }

    /// Ends it as a server ends: asked first, then for good.
    pub(crate) async fn stop(&self) {
        self.tasks.shutdown().request();
        self.core.shutdown().await;
        self.tasks.join(PATIENCE).await.unwrap();
    }

    /// Another service on the same data.
    pub(crate) async fn restart(self, config: Config) -> Self {
        self.stop().await;
        Self::with_store(config, self.store, self.dir).await
    }

    /// One line of the metrics, by how it begins.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let text = self.registry.encode().unwrap();
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

/// What a request led to.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) started: Started,
    pub(crate) ids: Vec<u32>,
    pub(crate) end: Result<Finished, Error>,
}

/// A greedy request that goes on past the end of the text.
pub(crate) fn request(model: &str, adapter: &str, max_tokens: usize) -> Request {
    let name = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
    Request {
        model: name(model),
        adapter: name(adapter).map_or(Wanted::Base, Wanted::Adapter),
        input: Input::Text("the quick brown".into()),
        sampling: Sampling { ignore_eos: true, ..Sampling::greedy(max_tokens) },
        stop: Vec::new(),
        constraint: None,
        prompt_logprobs: None,
        completions: 1,
        routing_key: "somebody".into(),
        order: 0,
    }
}

impl World {
    /// Publishes a version of an adapter.
    pub(crate) async fn publish(&self, name: &str, digest: Digest, change: Change) -> Result<Swapped, Error> {
        let publish = Publish { name: name.parse().unwrap(), digest, expected: None, change };
        self.core.publisher.publish(publish, Instant::now()).await
    }

    /// The adapters that are published, as this server has them.
    pub(crate) async fn adapters(&self) -> Vec<Adapter> {
        self.core.publisher.residency.list(None, usize::MAX).await.unwrap()
    }

    pub(crate) async fn begin(&self, request: Request) -> Result<(Started, Output), Error> {
        let caller = Caller { tenant: "t".into(), received: Instant::now(), deadline: None };
        let (started, mut outputs) = self.core.generation.generate(request, caller).await?;
        Ok((started, outputs.pop().unwrap()))
    }

    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, Error> {
        let (started, output) = self.begin(request).await?;
        let (ids, end) = read(output).await;
        Ok(Answer { started, ids, end })
    }

    /// What a model and an adapter say when nobody else is there.
    pub(crate) async fn tokens(&self, model: &str, adapter: &str, max_tokens: usize) -> Vec<u32> {
        let answer = self.ask(request(model, adapter, max_tokens)).await.unwrap();
        answer.end.unwrap();
        answer.ids
    }
}

/// Reads a sequence to its end.
pub(crate) async fn read(mut output: Output) -> (Vec<u32>, Result<Finished, Error>) {
    let mut ids = Vec::new();
    while let Some(event) = output.next().await {
        match event {
            Event::Delta(delta) => ids.push(delta.token.id),
            Event::Finished(finished) => return (ids, Ok(finished)),
            Event::Failed(error) => return (ids, Err(error)),
            Event::Scored(_) | Event::Prompt(_) => panic!("nothing was to be scored"),
        }
    }
    panic!("the last event is missing after {ids:?}");
}
