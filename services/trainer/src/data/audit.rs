//! An audit: the data of a specification, read as its job would, and what of it would make the job fail.

use std::sync::Arc;

use rootstock_artifacts::ArtifactName;
use rootstock_proto::{checkpoint::v1::ArtifactKind, training::v1 as proto};
use rootstock_text::{
    AuditedRow, RecordFormat, TextTokenizer, TokenizerSources, audit, count_records, overlaps,
};
use tracing::Instrument;

use super::{DataDesk, MAX_AUDITED_ROWS, blocking, of_fault};
use crate::{
    convert::{Audit, DataReport},
    error::Error,
    spec::{Data, Objective, Spec, Start, Validation},
    store::Resolved,
    worker::{
        apart::trains_on_test, audit::Audited, data::Reader, encode::Encoder, files::Contents, order::split,
        prepare::nothing_to_train,
    },
};

const DATASET: &str = "spec.dataset";
const VALIDATION: &str = "spec.validation_dataset";

/// A data set that was read.
struct Looked {
    files: Vec<String>,
    audited: Audited,
}

impl Looked {
    fn report(&self, max_examples: usize) -> DataReport<'_> {
        DataReport { files: &self.files, audited: &self.audited, max_examples }
    }
}

impl DataDesk {
    /// Tells what is wrong with the data of a specification, and what is suspicious.
    pub(crate) async fn audit(&self, audit: Audit) -> Result<proto::AuditDatasetResponse, Error> {
        let (slot, desk) = (self.slot()?, self.clone());
        // Its blocking work can't be ended when the client goes: neither is the rest, and the place stays taken.
        let audited = async move {
            let _slot = slot;
            desk.audit_in(audit).await
        };
        tokio::spawn(audited.in_current_span()).await.unwrap_or_else(|error| {
            Err(Error::Io { what: "the data can't be looked at", source: std::io::Error::other(error) })
        })
    }

    async fn audit_in(&self, audit: Audit) -> Result<proto::AuditDatasetResponse, Error> {
        let Audit { mut spec, max_examples } = audit;
        if let Data::Mix { .. } = spec.data {
            let message = "is of several data sets, but an audit looks at one; set dataset to each in turn";
            return Err(Error::invalid("spec.mix", message));
        }
        if !spec.stages.is_empty() {
            let message = "have data of their own, but an audit looks at one data set; take them out, and set dataset to each in turn";
            return Err(Error::invalid("spec.stages", message));
        }
        let resolved = self.resolver.resolve(&spec).await?;
        self.fit(&mut spec, &resolved).await?;
        let reader = self.reader(&spec, &resolved).await?;
        let train = self.look(&reader, DATASET, &resolved.dataset_digest).await?;
        let validation = match resolved.validation_dataset_digest.as_str() {
            "" => None,
            digest => Some(self.look(&reader, VALIDATION, digest).await?),
        };
        blocking(move || Ok(answer(&spec, &train, validation.as_ref(), max_examples))).await
    }

    /// A default length gives way to a shorter context, as in the job.
    async fn fit(&self, spec: &mut Spec, resolved: &Resolved) -> Result<(), Error> {
        if !spec.default_length || matches!(spec.start, Start::New(_) | Start::NewEncoder(_)) {
            return Ok(());
        }
        let field = spec.start.field();
        let base = artifact(field, &resolved.base_digest)?;
        let base = self.resolver.artifact(field, &base, &[ArtifactKind::BaseModel]).await?;
        if let Some(config) = self.resolver.config(field, &base).await? {
            let virtual_tokens = spec.method.virtual_tokens();
            spec.objective.shorten(config.max_position_embeddings().saturating_sub(virtual_tokens));
        }
        Ok(())
    }

    async fn reader(&self, spec: &Spec, resolved: &Resolved) -> Result<Reader, Error> {
        let field = "spec";
        let name = artifact(field, &resolved.tokenizer_artifact_digest)?;
        let kinds = [ArtifactKind::Tokenizer, ArtifactKind::BaseModel];
        let found = self.resolver.artifact(field, &name, &kinds).await?;
        let json = self.file(field, &found, "tokenizer.json").await?.unwrap_or_default();
        let config = self.file(field, &found, "tokenizer_config.json").await?;
        let template = self.file(field, &found, "chat_template.jinja").await?;
        let tokenizer = blocking(move || {
            let sources = TokenizerSources {
                tokenizer_json: &json,
                tokenizer_config: config.as_deref(),
                chat_template: template.as_deref(),
            };
            TextTokenizer::from_sources(&sources).map_err(|error| Error::invalid(field, error.to_string()))
        });
        let encoder = Encoder {
            client: self.clients.tokenization(),
            tokenizer: resolved.tokenizer_artifact_digest.clone(),
            tokenizer_digest: resolved.tokenizer_digest.clone(),
        };
        let (objective, seed) = (spec.objective.clone(), spec.arguments.seed);
        Ok(Reader { encoder, tokenizer: Arc::new(tokenizer.await?), objective, seed })
    }

    async fn look(&self, reader: &Reader, field: &'static str, digest: &str) -> Result<Looked, Error> {
        let contents = Arc::new(self.contents(field, &artifact(field, digest)?).await?);
        let files = contents.iter().map(|(name, _): &(String, Vec<u8>)| name.clone()).collect();
        let counted = Arc::clone(&contents);
        blocking(move || check_rows(field, &counted)).await?;
        let audited = Box::pin(reader.audit(field, contents)).await.map_err(of_fault)?;
        Ok(Looked { files, audited })
    }
}

fn artifact(field: &str, digest: &str) -> Result<ArtifactName, Error> {
    digest.parse().map_err(|_| Error::invalid(field, "names no artifact"))
}

fn check_rows(field: &str, contents: &Contents) -> Result<(), Error> {
    let records = |(name, bytes): &(String, Vec<u8>)| {
        RecordFormat::from_name(name).map_or(0, |format| count_records(bytes, format))
    };
    let rows: usize = contents.iter().map(records).sum();
    if rows <= MAX_AUDITED_ROWS {
        return Ok(());
    }
    let message =
        format!("has {rows} rows, more than the {MAX_AUDITED_ROWS} that are audited; name a part of it");
    Err(Error::invalid(field, message))
}

fn answer(
    spec: &Spec,
    train: &Looked,
    validation: Option<&Looked>,
    max_examples: usize,
) -> proto::AuditDatasetResponse {
    let train_report = train.report(max_examples);
    let mut refusals = refusals(DATASET, train);
    let held_out = held_out(spec, train);
    if let (Some(overlapping), Validation::Split(_)) = (&held_out, &spec.validation)
        && overlapping.all
    {
        refusals.push(trains_on_test("spec.validation_split", overlapping.findings.len()));
    }
    let within = held_out.map(|held_out| held_out.findings).unwrap_or_default();
    let dataset = train_report.write(&audit(&train.audited.rows), (&within, &train_report));
    let validation_dataset = validation.map(|looked| {
        let overlaps = overlaps(&train.audited.rows, &looked.audited.rows);
        refusals.extend(self::refusals(VALIDATION, looked));
        if !looked.audited.rows.is_empty() && overlaps.len() == looked.audited.rows.len() {
            refusals.push(trains_on_test(VALIDATION, overlaps.len()));
        }
        looked.report(max_examples).write(&audit(&looked.audited.rows), (&overlaps, &train_report))
    });
    proto::AuditDatasetResponse { dataset: Some(dataset), validation_dataset, refusals }
}

/// Why the job would refuse a data set by itself.
fn refusals(field: &str, looked: &Looked) -> Vec<String> {
    let Looked { files, audited } = looked;
    let mut refusals = Vec::new();
    if let Some(first) = audited.bad.first() {
        let more = match audited.bad.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more like it"),
        };
        refusals.push(format!("{field}: {}: {}{more}", files[first.origin.file], first.problem));
    }
    refusals.extend(audited.too_long.clone());
    if audited.loss_tokens == 0 {
        let kept = audited.rows.iter().filter(|row| row.fate.trains()).count();
        refusals.push(nothing_to_train(field, kept, 0));
    }
    refusals
}

/// What of the rows held out for validation is trained on as well.
struct HeldOut {
    findings: Vec<rootstock_text::Finding>,
    /// Whether all of them are.
    all: bool,
}

fn held_out(spec: &Spec, train: &Looked) -> Option<HeldOut> {
    let Validation::Split(share) = spec.validation else { return None };
    // Texts are held out in blocks, which depend on what stands around them.
    if !matches!(spec.objective, Objective::Supervised { .. } | Objective::Classification(_)) {
        return None;
    }
    let rows = &train.audited.rows;
    let kept: Vec<usize> = (0..rows.len()).filter(|row| rows[*row].fate.trains()).collect();
    let (trained, validated) = split(kept.len(), share, spec.arguments.seed);
    let select =
        |part: &[usize]| -> Vec<AuditedRow> { part.iter().map(|i| rows[kept[*i]].clone()).collect() };
    let mut findings = overlaps(&select(&trained), &select(&validated));
    for finding in &mut findings {
        finding.row = kept[validated[finding.row]];
        finding.other = finding.other.map(|other| kept[trained[other]]);
    }
    let all = !validated.is_empty() && findings.len() == validated.len();
    Some(HeldOut { findings, all })
}
