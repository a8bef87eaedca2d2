//! From a job's data sets to the rows that its stages train on and those held out: one data set each, or a mix of several.

use std::{collections::HashSet, sync::Arc};

use rootstock_client::Clients;
use rootstock_model::AnyConfig;
use rootstock_proto::training::v1 as proto;
use rootstock_text::{Shares, TextTokenizer};

use super::{
    apart,
    beside::Beside,
    data::{Read, Reader},
    encode::{Encoder, Service},
    fault::{Fault, of_job},
    inputs::Fetcher,
    labelled::{relabel, with_labels},
    order::split,
    passes::Passes,
    prepare::{Origin, nothing_to_train},
    rows::Rows,
};
use crate::spec::{Data, Objective, Source, Spec, Validation};

const VALIDATION: &str = "spec.validation_dataset";
const SPLIT: &str = "spec.validation_split";
/// The fields that name earlier data.
const REPLAY: &str = "spec.replay.dataset";
const RETENTION: &str = "spec.retention.dataset";

/// The rows of a job.
pub(super) struct Gathered {
    /// In the order of the specification's.
    pub(super) sources: Vec<SourceRows>,
    /// Of the data set that all stages are validated on.
    pub(super) validation: Option<Rows>,
    pub(super) earlier: Earlier,
    /// The model's, with a head for the labels of the rows.
    pub(super) config: Arc<AnyConfig>,
    /// Rows left out of the data to train on, and rows of which a part was cut off.
    pub(super) dropped: u64,
    pub(super) truncated: u64,
    /// What is told of the rows, without the model's parameters.
    ready: proto::TrainingDataReady,
}

/// The rows of the data that stages are trained on.
pub(super) struct SourceRows {
    /// Data set by data set.
    pub(super) train: Rows,
    pub(super) passes: Passes,
    pub(super) held_out: Rows,
}

/// Rows of what the model has learned before.
#[derive(Default)]
pub(super) struct Earlier {
    /// Those that are seen again.
    pub(super) replayed: Option<Rows>,
    /// Those of which something must be left.
    pub(super) measured: Option<Rows>,
}

/// All that was read.
struct Found {
    sets: Vec<Set>,
    validation: Option<Read>,
    replayed: Option<Read>,
    measured: Option<Read>,
}

/// A data set that is trained on.
struct Set {
    field: String,
    name: String,
    read: Read,
}

/// What is left of a data set when some rows are held out.
struct Part {
    name: String,
    train: Rows,
    /// Its tokens, and those of them that carry loss.
    tokens: (u64, u64),
    held_out: Rows,
    dropped: u64,
    truncated: u64,
}

impl Gathered {
    /// What is told of the rows, and of a model with so many parameters to train and in all.
    pub(super) fn described(&self, (trainable, total): (usize, usize)) -> proto::TrainingDataReady {
        proto::TrainingDataReady {
            trainable_parameters: trainable as i64,
            total_parameters: total as i64,
            ..self.ready.clone()
        }
    }
}

/// The digests of the data sets that a job trains on.
pub(super) fn data_digests(lease: &proto::LeaseJobResponse) -> &[String] {
    if lease.mix_digests.is_empty() {
        std::slice::from_ref(&lease.dataset_digest)
    } else {
        &lease.mix_digests
    }
}

/// Columns that no row has a text in were meant otherwise.
fn check_wordings(objective: &Objective, sets: &[Set]) -> Result<(), Fault> {
    match objective {
        Objective::Supervised { paraphrase_columns, .. }
            if !paraphrase_columns.is_empty()
                && !sets.iter().any(|set| set.read.rows.has_other_wordings()) =>
        {
            let columns = paraphrase_columns.join(", ");
            let message = format!(
                "spec.supervised.paraphrase_columns: no row that is kept has another wording in {columns}"
            );
            Err(Fault::Job(message))
        }
        _ => Ok(()),
    }
}

/// Fetches, reads and encodes all data sets.
pub(super) async fn gather(
    clients: &Clients,
    fetcher: &Fetcher,
    lease: &proto::LeaseJobResponse,
    origin: &Origin,
    tokenizer: Arc<TextTokenizer>,
) -> Result<Gathered, Fault> {
    let (spec, beside) = (Arc::clone(&origin.spec), Beside::of_worker(fetcher.stop()));
    let service = Service {
        client: clients.tokenization(),
        tokenizer: lease.tokenizer_artifact_digest.clone(),
        tokenizer_digest: lease.tokenizer_digest.clone(),
    };
    let reader = Reader::new(&spec, Encoder::Service(Box::new(service)), tokenizer, beside.clone());
    let mut sets = Vec::new();
    let datasets = spec.datasets().into_iter().zip(data_digests(lease));
    for (number, ((field, name), digest)) in datasets.enumerate() {
        let dataset = fetcher.fetch(&field, digest).await?;
        let read = reader.of_set(&spec, number).read(&field, dataset).await?;
        sets.push(Set { field, name: name.to_string(), read });
    }
    check_wordings(&spec.objective, &sets)?;
    let found = Found {
        sets,
        validation: other(&reader, fetcher, VALIDATION, &lease.validation_dataset_digest).await?,
        replayed: other(&reader, fetcher, REPLAY, &lease.replay_digest).await?,
        measured: other(&reader, fetcher, RETENTION, &lease.retention_digest).await?,
    };
    let config = Arc::clone(&origin.config);
    beside.run(move |_| assemble(&spec, &config, found)).await
}

/// Reads a data set beside those that are trained on, where one is named.
async fn other(reader: &Reader, fetcher: &Fetcher, field: &str, digest: &str) -> Result<Option<Read>, Fault> {
    if digest.is_empty() {
        return Ok(None);
    }
    reader.read(field, fetcher.fetch(field, digest).await?).await.map(Some)
}

/// Holds rows out, checks that all belong together, and mixes them.
fn assemble(spec: &Spec, config: &AnyConfig, found: Found) -> Result<Gathered, Fault> {
    let Found { sets, validation, replayed, measured } = found;
    let said = |read: &Option<Read>| read.as_ref().map(Read::said).unwrap_or_default();
    let mut trained: HashSet<u64> = said(&replayed).into_iter().collect();
    if let Some(validation) = &validation {
        trained.extend(sets.iter().flat_map(|set| set.read.said()));
        apart::check(VALIDATION, &trained, &validation.said())?;
    }
    let parts: Vec<Part> = sets.into_iter().map(|set| part(spec, set)).collect::<Result<_, _>>()?;
    if matches!(spec.validation, Validation::Split(_)) {
        trained.extend(parts.iter().flat_map(|part| part.train.fingerprints()));
        let held_out: Vec<u64> = parts.iter().flat_map(|part| part.held_out.fingerprints()).collect();
        apart::check(SPLIT, &trained, &held_out)?;
    }
    let mut gathered = mixed(spec, config, parts)?;
    gathered.take_in(validation, (replayed, measured))?;
    gathered.fit(spec, config)?;
    Ok(gathered)
}

/// Holds out a share of a data set, if one is asked for.
fn part(spec: &Spec, Set { field, name, read }: Set) -> Result<Part, Fault> {
    let Read { rows, dropped, truncated, .. } = read;
    let (train, held_out) = match spec.validation {
        Validation::None | Validation::Dataset(_) => {
            let none = rows.select(&[]);
            (rows, none)
        }
        Validation::Split(share) => {
            let (keep, hold_out) = split(rows.len(), share, spec.arguments.seed);
            (rows.select(&keep), rows.select(&hold_out))
        }
    };
    let tokens = something(&field, &train)?;
    Ok(Part { name, train, tokens, held_out, dropped, truncated })
}

/// The rows of all sources, whose parts lie one after the other.
fn mixed(spec: &Spec, config: &AnyConfig, parts: Vec<Part>) -> Result<Gathered, Fault> {
    let sum = |count: fn(&Part) -> u64| parts.iter().map(count).sum::<u64>();
    let (dropped, truncated) = (sum(|part| part.dropped), sum(|part| part.truncated));
    let mut ready = proto::TrainingDataReady {
        train_tokens: sum(|part| part.tokens.0) as i64,
        loss_tokens: sum(|part| part.tokens.1) as i64,
        dropped_rows: dropped as i64,
        truncated_rows: truncated as i64,
        ..Default::default()
    };
    let (mut parts, mut sources) = (parts.into_iter(), Vec::new());
    for source in spec.sources() {
        let parts = parts.by_ref().take(source.datasets().len()).collect();
        sources.push(of_source(&source, parts, &mut ready.mixed)?);
    }
    let (earlier, config) = (Earlier::default(), Arc::new(config.clone()));
    Ok(Gathered { sources, validation: None, earlier, config, dropped, truncated, ready })
}

/// The rows of a source's data sets and how they are mixed.
fn of_source(
    source: &Source<'_>,
    parts: Vec<Part>,
    mixed: &mut Vec<proto::MixedRows>,
) -> Result<SourceRows, Fault> {
    let rows: Vec<usize> = parts.iter().map(|part| part.train.len()).collect();
    let (shares, is_mix) = match source.data {
        Data::Dataset(_) => (&Shares::Temperature(1.0), false),
        Data::Mix { shares, .. } => (shares, true),
    };
    let passes = Passes::new(rows, shares).map_err(|error| of_job(source.field())(&error))?;
    let described = parts.iter().zip(passes.quotas()).map(|(part, quota)| proto::MixedRows {
        dataset: part.name.clone(),
        train_rows: part.train.len() as i64,
        validation_rows: part.held_out.len() as i64,
        rows_per_pass: *quota as i64,
        dropped_rows: part.dropped as i64,
        truncated_rows: part.truncated as i64,
    });
    mixed.extend(described.take(if is_mix { parts.len() } else { 0 }));
    let (train, held_out) = parts.into_iter().map(|part| (part.train, part.held_out)).unzip();
    Ok(SourceRows { train: joined(train)?, passes, held_out: joined(held_out)? })
}

impl Gathered {
    /// Takes in what is not trained on alone: rows to validate on, and earlier ones.
    fn take_in(
        &mut self,
        validation: Option<Read>,
        (replayed, measured): (Option<Read>, Option<Read>),
    ) -> Result<(), Fault> {
        let ready = &mut self.ready;
        if let Some(Read { rows, dropped, truncated, .. }) = validation {
            something(VALIDATION, &rows)?;
            self.validation = Some(rows);
            (ready.dropped_validation_rows, ready.truncated_validation_rows) =
                (dropped as i64, truncated as i64);
        }
        for (field, read, into) in [
            (REPLAY, replayed, &mut self.earlier.replayed),
            (RETENTION, measured, &mut self.earlier.measured),
        ] {
            let Some(Read { rows, dropped, truncated, .. }) = read else { continue };
            something(field, &rows)?;
            *into = Some(rows);
            ready.dropped_earlier_rows += dropped as i64;
            ready.truncated_earlier_rows += truncated as i64;
        }
        let sum = |rows: fn(&SourceRows) -> &Rows| {
            self.sources.iter().map(|source| rows(source).len() as i64).sum::<i64>()
        };
        ready.train_rows = sum(|source| &source.train);
        let validation = self.validation.as_ref().map_or(0, |rows| rows.len() as i64);
        ready.validation_rows = sum(|source| &source.held_out) + validation;
        Ok(())
    }

    /// Numbers labels as the model does, and checks that it has all tokens.
    fn fit(&mut self, spec: &Spec, config: &AnyConfig) -> Result<(), Fault> {
        let Earlier { replayed, measured } = &self.earlier;
        let of_sources = self.sources.iter().flat_map(|source| [&source.train, &source.held_out]);
        for rows in of_sources.chain(&self.validation).chain(replayed).chain(measured) {
            in_vocabulary(rows, config)?;
        }
        let sources = self.sources.iter_mut().map(|source| (&mut source.train, &mut source.held_out));
        let (train, mut validation): (Vec<_>, Vec<_>) = sources.unzip();
        validation.extend(&mut self.validation);
        let labelled = with_labels(config, spec.data_field(), (train, validation))?;
        self.config = Arc::new(labelled);
        let Earlier { replayed, measured } = &mut self.earlier;
        for (field, rows) in [(REPLAY, replayed), (RETENTION, measured)] {
            rows.as_mut().map_or(Ok(()), |rows| relabel(field, rows, &self.config))?;
        }
        Ok(())
    }
}

fn joined(parts: Vec<Rows>) -> Result<Rows, Fault> {
    let mut parts = parts.into_iter();
    let first = parts.next();
    let joined = parts.fold(first, |joined, part| joined?.joined(part));
    joined.ok_or_else(|| Fault::Job("the data sets hold rows of different kinds".to_owned()))
}

/// The tokens of rows, and those of them that carry loss; some must.
fn something(field: &str, rows: &Rows) -> Result<(u64, u64), Fault> {
    match rows.tokens() {
        (tokens, 0) => Err(Fault::Job(nothing_to_train(field, rows.len(), tokens))),
        tokens => Ok(tokens),
    }
}

fn in_vocabulary(rows: &Rows, config: &AnyConfig) -> Result<(), Fault> {
    match rows.highest_id() {
        Some(id) if id as usize >= config.vocab_size() => Err(Fault::Job(format!(
            "TOKENIZER_MISMATCH: the tokenizer gives id {id}, but the model has vocab_size = {}",
            config.vocab_size()
        ))),
        _ => Ok(()),
    }
}
