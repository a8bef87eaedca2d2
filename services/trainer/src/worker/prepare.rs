//! From a lease to everything that training needs: the model in memory, the rows, and the state to go on from.

use std::sync::Arc;

use rootstock_client::{Clients, FetchedArtifact};
use rootstock_kernels::ElasticPenalty;
use rootstock_model::AnyConfig;
use rootstock_proto::training::v1::{self as proto, TrainingPhase, training_event::Event};
use rootstock_text::TextTokenizer;

use super::{
    args::WorkerArgs,
    fault::{Fault, of_job},
    fisher::{check_head, penalty},
    gather::{Gathered, SourceRows, data_digests, gather},
    inputs::{self, Fetcher, blocking, read},
    model::learner,
    replayed::Replayed,
    reporter::Reporter,
    rows::Rows,
    snapshot::{Saved, spec_digest},
    stage::StageData,
    stop::Stop,
    trainee::Trainee,
    vocabulary,
};
use crate::{
    convert::{encoder_config, model_config},
    spec::{Method, Spec, Start, WeightDtype},
};

/// The field that goes on with an optimizer.
pub(super) const KEPT_OPTIMIZER: &str = "spec.keep_optimizer_state";

/// What the job's artifacts are made from, for those who write the next ones.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) spec: Arc<Spec>,
    /// Digest of everything that decides the result.
    pub(super) spec_digest: String,
    /// Of each data set that is trained on, apart by spaces.
    pub(super) dataset_digest: String,
    /// Empty for a new model.
    pub(super) base_digest: String,
    pub(super) tokenizer_digest: String,
    pub(super) config: Arc<AnyConfig>,
    /// Rows left out, and rows of which a part was cut off.
    pub(super) left_out: (u64, u64),
    /// The artifact that the tokenizer lies in; held so that its files stay.
    pub(super) tokenizer: Arc<FetchedArtifact>,
}

/// Everything that training needs.
pub(super) struct Prepared {
    pub(super) spec: Arc<Spec>,
    pub(super) spec_digest: String,
    pub(super) learner: Trainee,
    pub(super) elastic: Option<ElasticPenalty>,
    /// At least one.
    pub(super) stages: Vec<StageData>,
    pub(super) replayed: Option<Replayed>,
    /// Of which something must be left.
    pub(super) earlier: Option<Rows>,
    pub(super) resume: Option<Saved>,
    /// The state of an earlier job, whose optimizer is gone on with where the job begins.
    pub(super) before: Option<Saved>,
    /// Whether the job goes on in F32 after numbers that were not finite.
    pub(super) in_f32: bool,
}

/// What weights are made of.
struct Sources {
    tokenizer: Arc<TextTokenizer>,
    base: Option<FetchedArtifact>,
    adapter: Option<FetchedArtifact>,
}

/// Fetches, reads, encodes and loads; in F32 where that is to be, or was when the state was saved.
pub(super) async fn prepare(
    args: &WorkerArgs,
    clients: &Clients,
    (mut lease, in_f32): (proto::LeaseJobResponse, bool),
    reporter: &Reporter,
    stop: &Stop,
) -> Result<(Origin, Prepared), Fault> {
    reporter.phase(TrainingPhase::Downloading).await?;
    let fetcher = Fetcher::open(clients, args, stop).await?;
    let (mut origin, sources) = fetch(clients, &fetcher, &mut lease).await?;
    reporter.phase(TrainingPhase::Tokenizing).await?;
    let tokenizer = Arc::clone(&sources.tokenizer);
    let data = gather(clients, &fetcher, &lease, &origin, tokenizer).await?;
    origin.left_out = (data.dropped, data.truncated);
    if matches!(origin.spec.method, Method::Fisher(_)) {
        check_head(&origin.config, &data.config)?;
    }
    origin.config = Arc::clone(&data.config);
    let resume = resume(&fetcher, &lease, &origin).await?;
    let in_f32 = in_f32 || resume.as_ref().is_some_and(|saved| saved.state.in_f32);
    if in_f32 {
        Arc::make_mut(&mut origin.spec).arguments.weight_dtype = WeightDtype::F32;
    }
    let before = before(&fetcher, &lease, resume.is_none()).await?;
    let fisher = optional(&fetcher, "spec.ewc.fisher", &lease.fisher_digest).await?;
    reporter.phase(TrainingPhase::Loading).await?;
    let (mut learner, elastic) = load(&origin, sources, fisher).await?;
    learner.set_interrupt(stop.interrupt());
    if let Some(saved) = &resume {
        let resumed = proto::TrainingResumed { step: saved.state.step as i64, digest: saved.digest.clone() };
        reporter.event(Event::Resumed(resumed)).await?;
    }
    reporter.event(Event::DataReady(data.described(learner.parameters()))).await?;
    let prepared = assemble(&origin, data, (learner, elastic), (resume, before, in_f32))?;
    Ok((origin, prepared))
}

/// What the job is made from; a tokenizer that it extends takes the place of the lease's.
async fn fetch(
    clients: &Clients,
    fetcher: &Fetcher,
    lease: &mut proto::LeaseJobResponse,
) -> Result<(Origin, Sources), Fault> {
    let written = written(lease)?.clone();
    let mut spec = Spec::try_from(&written).map_err(|error| of_job("specification")(&error))?;
    let mut tokenizer_files = Arc::new(fetcher.fetch("tokenizer", &lease.tokenizer_artifact_digest).await?);
    if !spec.added_tokens.is_empty() {
        tokenizer_files = vocabulary::extend(clients, fetcher, (&spec, &mut *lease), tokenizer_files).await?;
    }
    let tokenizer = {
        let files = Arc::clone(&tokenizer_files);
        Arc::new(blocking(move || inputs::tokenizer(&files.files)).await?)
    };
    let base = optional(fetcher, "spec.base_model", &lease.base_digest).await?;
    let adapter = optional(fetcher, "spec.base_adapter", &lease.adapter_digest).await?;
    let config = vocabulary::enlarged(shape(&spec, base.as_ref(), &tokenizer)?, &spec, &tokenizer);
    fit(&mut spec, &config)?;
    let origin = Origin {
        spec_digest: spec_digest(&written, lease),
        spec: Arc::new(spec),
        dataset_digest: data_digests(lease).join(" "),
        base_digest: lease.base_digest.clone(),
        tokenizer_digest: lease.tokenizer_digest.clone(),
        config: Arc::new(config),
        left_out: (0, 0),
        tokenizer: tokenizer_files,
    };
    Ok((origin, Sources { tokenizer, base, adapter }))
}

/// An artifact, where the lease has its digest.
async fn optional(fetcher: &Fetcher, what: &str, digest: &str) -> Result<Option<FetchedArtifact>, Fault> {
    match digest {
        "" => Ok(None),
        digest => fetcher.fetch(what, digest).await.map(Some),
    }
}

/// The model, and what holds its weights.
async fn load(
    origin: &Origin,
    sources: Sources,
    fisher: Option<FetchedArtifact>,
) -> Result<(Trainee, Option<ElasticPenalty>), Fault> {
    let origin = origin.clone();
    let load = move || {
        let Sources { tokenizer, base, adapter } = &sources;
        let learner = learner(&origin, tokenizer, base.as_ref(), adapter.as_ref())?;
        let elastic = origin.spec.elastic.as_ref().zip(fisher.as_ref());
        let elastic = elastic.map(|(elastic, fisher)| penalty(elastic, fisher, &learner)).transpose()?;
        Ok((learner, elastic))
    };
    blocking(load).await
}

fn assemble(
    origin: &Origin,
    data: Gathered,
    (learner, elastic): (Trainee, Option<ElasticPenalty>),
    (resume, before, in_f32): (Option<Saved>, Option<Saved>, bool),
) -> Result<Prepared, Fault> {
    let (spec, seed) = (Arc::clone(&origin.spec), origin.spec.arguments.seed);
    let replayed = data.earlier.replayed.zip(spec.replay.as_ref());
    let replayed = replayed.map(|(rows, how)| Replayed { rows: Arc::new(rows), ratio: how.ratio, seed });
    Ok(Prepared {
        stages: stages(origin, data.sources, data.validation)?,
        spec,
        spec_digest: origin.spec_digest.clone(),
        learner,
        elastic,
        replayed,
        earlier: data.earlier.measured,
        resume,
        before,
        in_f32,
    })
}

/// What each stage is made of; data that several have is held once.
fn stages(
    origin: &Origin,
    sources: Vec<SourceRows>,
    validation: Option<Rows>,
) -> Result<Vec<StageData>, Fault> {
    let spec = &origin.spec;
    let validation = validation.map(Arc::new);
    let sources = sources.into_iter().map(|SourceRows { train, passes, held_out }| {
        let validation = validation.clone().unwrap_or_else(|| Arc::new(held_out));
        (Arc::new(train), passes, validation)
    });
    let sources: Vec<_> = sources.collect();
    let trained = match &*origin.config {
        AnyConfig::Decoder(config) => spec.trained(config).map_err(|error| of_job("method")(&error))?,
        AnyConfig::Encoder(_) => Vec::new(),
    };
    let mut trained = trained.into_iter();
    let stage = |number: usize| {
        let (train, passes, validation) = sources[number].clone();
        StageData { train, passes, validation, trained: trained.next() }
    };
    Ok(spec.source_numbers().into_iter().map(stage).collect())
}

fn written(lease: &proto::LeaseJobResponse) -> Result<&proto::TrainingSpec, Fault> {
    let written = lease.training_job.as_ref().and_then(|job| job.spec.as_ref());
    written.ok_or_else(|| Fault::Job("the lease brought no specification".to_owned()))
}

/// The digest that a leased job's saved states have.
pub(super) fn digest_of(lease: &proto::LeaseJobResponse) -> Result<String, Fault> {
    Ok(spec_digest(written(lease)?, lease))
}

fn shape(spec: &Spec, base: Option<&FetchedArtifact>, tokenizer: &TextTokenizer) -> Result<AnyConfig, Fault> {
    let special = tokenizer.special_tokens();
    match (&spec.start, base) {
        (Start::New(model), _) => {
            let (bos, eos) = (special.bos.as_ref(), special.eos.as_ref());
            let ids = (bos.map(|token| token.id), eos.map(|token| token.id));
            Ok(AnyConfig::Decoder(model_config(model, tokenizer.vocab_size(), ids.0, ids.1)))
        }
        (Start::NewEncoder(model), _) => {
            let pad = special.pad.as_ref().map(|token| token.id);
            Ok(AnyConfig::Encoder(encoder_config(model, tokenizer.vocab_size(), pad)))
        }
        (Start::Base(_) | Start::Adapter(_), Some(base)) => {
            let json = read(&base.files, "config.json")?;
            AnyConfig::from_json(&json).map_err(|error| of_job("spec.base_model")(&error))
        }
        (Start::Base(_) | Start::Adapter(_), None) => {
            Err(Fault::Job("the lease brought no base model".to_owned()))
        }
    }
}

/// A default gives way to a shorter context; a length that was asked for does not.
fn fit(spec: &mut Spec, config: &AnyConfig) -> Result<(), Fault> {
    if let Some(refusal) = spec.objective.refusal(config) {
        return Err(Fault::Job(format!("the base model {refusal}")));
    }
    if spec.default_length {
        spec.objective.shorten(config.max_position_embeddings().saturating_sub(spec.method.virtual_tokens()));
    }
    let checked = spec.check_length(config.max_position_embeddings());
    checked.map_err(|(field, problem)| Fault::Job(format!("{field} {problem}")))
}

/// That nothing would be learned.
pub(crate) fn nothing_to_train(field: &str, rows: usize, tokens: u64) -> String {
    format!(
        "NOTHING_TO_TRAIN: {field} leaves {rows} rows with {tokens} tokens, none of which carries loss; \
         check that rows are not all longer than max_length, or shorten their prompts"
    )
}

/// The state to go on from. One that is gone is no harm: from the beginning the job comes to the same result.
async fn resume(
    fetcher: &Fetcher,
    lease: &proto::LeaseJobResponse,
    origin: &Origin,
) -> Result<Option<Saved>, Fault> {
    if lease.resume_digest.is_empty() {
        return Ok(None);
    }
    let artifact = match fetcher.fetch("saved state", &lease.resume_digest).await {
        Ok(artifact) => artifact,
        Err(Fault::Job(reason)) => {
            tracing::warn!(reason, "the saved state can't be had; beginning anew");
            return Ok(None);
        }
        Err(fault) => return Err(fault),
    };
    let digest = origin.spec_digest.clone();
    blocking(move || Saved::read(&artifact.artifact.digest, &artifact.files, &digest)).await.map(Some)
}

/// The state of the job before, where its optimizer is gone on with.
async fn before(
    fetcher: &Fetcher,
    lease: &proto::LeaseJobResponse,
    begins: bool,
) -> Result<Option<Saved>, Fault> {
    if lease.optimizer_digest.is_empty() || !begins {
        return Ok(None);
    }
    let state = fetcher.fetch(KEPT_OPTIMIZER, &lease.optimizer_digest).await?;
    blocking(move || Saved::read_any(&state.artifact.digest, &state.files)).await.map(Some)
}
