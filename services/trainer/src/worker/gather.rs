//! From a job's data sets to the rows that it trains on and those held out: one data set, or a mix of several.

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
use crate::spec::{Data, Objective, Spec, Validation};

const VALIDATION: &str = "spec.validation_dataset";
/// The fields that name earlier data.
pub(super) const REPLAY: &str = "spec.replay.dataset";
pub(super) const RETENTION: &str = "spec.retention.dataset";

/// The rows of a job.
pub(super) struct Gathered {
    /// Data set by data set.
    pub(super) train: Rows,
    pub(super) passes: Passes,
    pub(super) validation: Rows,
    pub(super) earlier: Earlier,
    /// Rows left out, and rows of which a part was cut off.
    pub(super) dropped: u64,
    pub(super) truncated: u64,
    /// What came of each data set of a mix.
    pub(super) mixed: Vec<proto::MixedRows>,
}

/// Rows of what the model has learned before.
#[derive(Default)]
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
    truncated: u64,
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
    let mut parts = Vec::new();
    let datasets = spec.data.datasets().into_iter().zip(data_digests(lease));
    for (number, ((field, name), digest)) in datasets.enumerate() {
        let reader = Reader { objective: with_template(spec, number), ..reader.clone() };
        let dataset = fetcher.fetch(&field, digest).await?;
        let read =
            reader.read(spec.data.field(), &dataset).await.map_err(|fault| within(spec, &field, fault))?;
        if let Some(validation) = &validation {
            check_datasets(&read, validation)?;
        }
        parts.push(part(spec, (field, name.to_string()), read)?);
    }
    let mut gathered = mixed(&spec.data, parts)?;
    if let Some(validation) = validation {
        gathered.validation = something(VALIDATION, validation.rows)?;
    }
    gathered.earlier = Earlier {
        replayed: earlier(&reader, fetcher, REPLAY, &lease.replay_digest).await?,
        measured: earlier(&reader, fetcher, RETENTION, &lease.retention_digest).await?,
    };
    let Earlier { replayed, measured } = &gathered.earlier;
    for rows in [&gathered.train, &gathered.validation].into_iter().chain(replayed).chain(measured) {
        in_vocabulary(rows, &origin.config)?;
    }
    Ok(gathered)
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

/// Says which data set of a mix a fault is of.
fn within(spec: &Spec, field: &str, fault: Fault) -> Fault {
    match (&spec.data, fault) {
        (Data::Mix { .. }, Fault::Job(message)) => Fault::Job(format!("{field}: {message}")),
        (_, fault) => fault,
    }
}

/// The objective as a data set of a mix has it.
fn with_template(spec: &Spec, number: usize) -> Objective {
    let mut objective = spec.objective.clone();
    let Data::Mix { datasets, .. } = &spec.data else { return objective };
    let own: Option<PromptTemplate> = datasets[number].prompt_template;
    if let (Objective::Supervised { prompt_template, .. }, Some(own)) = (&mut objective, own) {
        *prompt_template = own;
    }
    objective
}

/// Holds out a share of a data set, if one is asked for.
fn part(spec: &Spec, (field, name): (String, String), read: Read) -> Result<Part, Fault> {
    let Read { rows, dropped, truncated, .. } = read;
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
    Ok(Part { train: something(&field, train)?, name, held_out, dropped, truncated })
}

/// The rows of all data sets and how they are mixed.
fn mixed(data: &Data, parts: Vec<Part>) -> Result<Gathered, Fault> {
    let rows: Vec<usize> = parts.iter().map(|part| part.train.len()).collect();
    let (shares, is_mix) = match data {
        Data::Dataset(_) => (&Shares::Temperature(1.0), false),
        Data::Mix { shares, .. } => (shares, true),
    };
    let passes = Passes::new(rows, shares).map_err(|error| of_job(data.field())(&error))?;
    let described = parts.iter().zip(passes.quotas()).map(|(part, quota)| proto::MixedRows {
        dataset: part.name.clone(),
        train_rows: part.train.len() as i64,
        validation_rows: part.held_out.len() as i64,
        rows_per_pass: *quota as i64,
        dropped_rows: part.dropped as i64,
    });
    let mixed = if is_mix { described.collect() } else { Vec::new() };
    let dropped = parts.iter().map(|part| part.dropped).sum();
    let truncated = parts.iter().map(|part| part.truncated).sum();
    let (train, held_out) = parts.into_iter().map(|part| (part.train, part.held_out)).unzip();
    let (train, validation, earlier) = (joined(train)?, joined(held_out)?, Earlier::default());
    Ok(Gathered { train, passes, validation, earlier, dropped, truncated, mixed })
}

fn joined(parts: Vec<Rows>) -> Result<Rows, Fault> {
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
