//! From a job's data sets to the rows that its stages train on and those held out: one data set each, or a mix of several.

use std::sync::Arc;

use rootstock_client::Clients;
use rootstock_model::AnyConfig;
use rootstock_proto::training::v1 as proto;
use rootstock_text::{PromptTemplate, Shares, TextTokenizer};

use super::{
    apart::{check_datasets, check_split},
    data::{Read, Reader},
    encode::Encoder,
    fault::{Fault, of_job},
    inputs::Fetcher,
    order::split,
    passes::Passes,
    prepare::{Origin, nothing_to_train},
    rows::Rows,
};
use crate::spec::{Data, Objective, Source, Spec, Validation};

const VALIDATION: &str = "spec.validation_dataset";
/// The fields that name earlier data.
pub(super) const REPLAY: &str = "spec.replay.dataset";
pub(super) const RETENTION: &str = "spec.retention.dataset";

/// The rows of a job.
pub(super) struct Gathered {
    /// In the order of the specification's.
    pub(super) sources: Vec<SourceRows>,
    /// Of the data set that all stages are validated on.
    pub(super) validation: Option<Rows>,
    pub(super) earlier: Earlier,
    /// Rows left out, and rows of which a part was cut off.
    pub(super) dropped: u64,
    pub(super) truncated: u64,
    /// What came of each data set of a mix.
    pub(super) mixed: Vec<proto::MixedRows>,
}

/// The rows of the data that stages are trained on.
pub(super) struct SourceRows {
    /// Data set by data set.
    pub(super) train: Rows,
    pub(super) passes: Passes,
    pub(super) held_out: Rows,
}

/// Rows of what the model has learned before.
pub(super) struct Earlier {
    /// Those that are seen again.
    pub(super) replayed: Option<Rows>,
    /// Those of which something must be left.
    pub(super) measured: Option<Rows>,
}

/// What is left of a data set when some rows are held out.
struct Part {
    name: String,
    train: Rows,
    held_out: Rows,
    dropped: u64,
}

/// The digests of the data sets that a job trains on.
pub(super) fn data_digests(lease: &proto::LeaseJobResponse) -> &[String] {
    if lease.mix_digests.is_empty() {
        std::slice::from_ref(&lease.dataset_digest)
    } else {
        &lease.mix_digests
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
    let spec = &origin.spec;
    let encoder = Encoder {
        client: clients.tokenization(),
        tokenizer: lease.tokenizer_artifact_digest.clone(),
        tokenizer_digest: lease.tokenizer_digest.clone(),
    };
    let (objective, seed) = (spec.objective.clone(), spec.arguments.seed);
    let reader = Reader { encoder, tokenizer, objective, seed };
    let validation = match &spec.validation {
        Validation::Dataset(_) => {
            let dataset = fetcher.fetch(VALIDATION, &lease.validation_dataset_digest).await?;
            Some(reader.read(VALIDATION, &dataset).await?)
        }
        Validation::None | Validation::Split(_) => None,
    };
    let earlier = Earlier {
        replayed: earlier(&reader, fetcher, REPLAY, &lease.replay_digest).await?,
        measured: earlier(&reader, fetcher, RETENTION, &lease.retention_digest).await?,
    };
    let (mut sources, mut mixed, mut counts) = (Vec::new(), Vec::new(), (0, 0));
    let mut digests = data_digests(lease).iter();
    for source in spec.sources() {
        let mut parts = Vec::new();
        for ((number, (field, name)), digest) in source.datasets().into_iter().enumerate().zip(&mut digests) {
            let reader = Reader { objective: with_template(spec, &source, number), ..reader.clone() };
            let dataset = fetcher.fetch(&field, digest).await?;
            let read = reader.read(source.field(), &dataset).await;
            let read = read.map_err(|fault| within(&source, &field, fault))?;
            if let Some(validation) = &validation {
                check_datasets(&read, validation)?;
            }
            counts = (counts.0 + read.dropped, counts.1 + read.truncated);
            parts.push(part(spec, (field, name.to_string()), read)?);
        }
        let (rows, of_mix) = joined(&source, parts)?;
        sources.push(rows);
        mixed.extend(of_mix);
    }
    let validation = validation.map(|read| something(VALIDATION, read.rows)).transpose()?;
    let gathered = Gathered { sources, validation, earlier, dropped: counts.0, truncated: counts.1, mixed };
    gathered.rows().try_for_each(|rows| in_vocabulary(rows, &origin.config))?;
    Ok(gathered)
}

impl Gathered {
    fn rows(&self) -> impl Iterator<Item = &Rows> {
        let Earlier { replayed, measured } = &self.earlier;
        let of_sources = self.sources.iter().flat_map(|source| [&source.train, &source.held_out]);
        of_sources.chain(&self.validation).chain(replayed).chain(measured)
    }
}

/// Reads a data set of earlier rows, where one is named.
async fn earlier(
    reader: &Reader,
    fetcher: &Fetcher,
    field: &'static str,
    digest: &str,
) -> Result<Option<Rows>, Fault> {
    if digest.is_empty() {
        return Ok(None);
    }
    let read = reader.read(field, &fetcher.fetch(field, digest).await?).await?;
    something(field, read.rows).map(Some)
}

/// Says which of several data sets a fault is of.
fn within(source: &Source<'_>, field: &str, fault: Fault) -> Fault {
    match fault {
        Fault::Job(message) if source.is_one_of_several() => Fault::Job(format!("{field}: {message}")),
        fault => fault,
    }
}

/// The objective as a data set of a mix has it.
fn with_template(spec: &Spec, source: &Source<'_>, number: usize) -> Objective {
    let mut objective = spec.objective.clone();
    let Data::Mix { datasets, .. } = source.data else { return objective };
    let own: Option<PromptTemplate> = datasets[number].prompt_template;
    if let (Objective::Supervised { prompt_template, .. }, Some(own)) = (&mut objective, own) {
        *prompt_template = own;
    }
    objective
}

/// Holds out a share of a data set, if one is asked for.
fn part(spec: &Spec, (field, name): (String, String), read: Read) -> Result<Part, Fault> {
    let Read { rows, dropped, .. } = read;
    let (train, held_out) = match spec.validation {
        Validation::None | Validation::Dataset(_) => {
            let none = rows.select(&[]);
            (rows, none)
        }
        Validation::Split(share) => {
            let (keep, hold_out) = split(rows.len(), share, spec.arguments.seed);
            let (train, held_out) = (rows.select(&keep), rows.select(&hold_out));
            check_split(&train, &held_out)?;
            (train, held_out)
        }
    };
    Ok(Part { train: something(&field, train)?, name, held_out, dropped })
}

/// The rows of all data sets of a source and how they are mixed; of a mix also what came of each.
fn joined(source: &Source<'_>, parts: Vec<Part>) -> Result<(SourceRows, Vec<proto::MixedRows>), Fault> {
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
    });
    let mixed = if is_mix { described.collect() } else { Vec::new() };
    let (train, held_out) = parts.into_iter().map(|part| (part.train, part.held_out)).unzip();
    Ok((SourceRows { train: one(train)?, passes, held_out: one(held_out)? }, mixed))
}

fn one(parts: Vec<Rows>) -> Result<Rows, Fault> {
    let mut parts = parts.into_iter();
    let first = parts.next();
    let joined = parts.fold(first, |joined, part| joined?.joined(part));
    joined.ok_or_else(|| Fault::Job("the data sets hold rows of different kinds".to_owned()))
}

fn something(field: &str, rows: Rows) -> Result<Rows, Fault> {
    let (tokens, loss_tokens) = rows.tokens();
    if loss_tokens > 0 {
        return Ok(rows);
    }
    Err(Fault::Job(nothing_to_train(field, rows.len(), tokens)))
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
