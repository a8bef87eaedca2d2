//! What shall be looked at or cleaned, and what was found.

use std::collections::BTreeMap;

use rootstock_artifacts::{AliasName, ArtifactName, Kind};
use rootstock_proto::training::v1::{self as proto, DataProblem};
use rootstock_text::{AuditedRow, Cleaner, Cleaning, Finding, Removal, Suspicion, length_histogram};

use super::numbers::Fields;
use crate::{
    error::Error,
    names,
    spec::Spec,
    worker::{
        audit::Audited,
        files::{BadRow, Origin, Unusable},
    },
};

const CLEANING: Fields = Fields { path: "cleaning" };

/// Examples of each problem when the request leaves it open.
const DEFAULT_EXAMPLES: usize = 3;
/// Most examples of each problem.
const MAX_EXAMPLES: usize = 10;
/// Characters shown of a text.
const SHOWN: usize = 1000;
/// Least likeness that near duplicates are found at: below, too many are missed.
const MIN_LIKENESS: f64 = 0.7;

/// A checked AuditDatasetRequest.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) spec: Spec,
    pub(crate) max_examples: usize,
}

impl TryFrom<proto::AuditDatasetRequest> for Audit {
    type Error = Error;

    fn try_from(request: proto::AuditDatasetRequest) -> Result<Self, Error> {
        let written = request.spec.ok_or_else(|| Error::invalid("spec", "is missing; say what to train"))?;
        let max_examples = match usize::try_from(request.max_examples) {
            Err(_) => return Err(Error::invalid("max_examples", "must not be negative")),
            Ok(0) => DEFAULT_EXAMPLES,
            Ok(examples) => examples.min(MAX_EXAMPLES),
        };
        Ok(Self { spec: Spec::try_from(&written)?, max_examples })
    }
}

/// A checked CleanDatasetRequest.
#[derive(Debug)]
pub(crate) struct Clean {
    pub(crate) dataset: ArtifactName,
    pub(crate) output: AliasName,
    pub(crate) cleaning: Cleaning,
}

impl TryFrom<proto::CleanDatasetRequest> for Clean {
    type Error = Error;

    fn try_from(request: proto::CleanDatasetRequest) -> Result<Self, Error> {
        let dataset = names::reference(&[Kind::Dataset], &request.dataset);
        let output = names::alias(Kind::Dataset, &request.output);
        let cleaning = cleaning(&request.cleaning.unwrap_or_default())?;
        if cleaning == Cleaning::default() {
            return Err(Error::invalid("cleaning", "takes nothing out; set what shall go"));
        }
        Ok(Self {
            dataset: dataset.ok_or_else(|| {
                Error::invalid("dataset", "must be datasets/{id}, a version of it, or a digest sha256:…")
            })?,
            output: output.ok_or_else(|| Error::invalid("output", "must be datasets/{id}"))?,
            cleaning,
        })
    }
}

fn cleaning(from: &proto::Cleaning) -> Result<Cleaning, Error> {
    let share = |field, value| CLEANING.number(field, value, 0.0..=1.0, "from 0 to 1");
    let least = |field, value| share(field, value).map(|value| Some(value).filter(|share| *share > 0.0));
    let most = |field, value: Option<f64>| value.map(|value| share(field, value)).transpose();
    let size = |field, value| CLEANING.size(field, value, 0, i32::MAX as usize);
    let likeness = MIN_LIKENESS..=1.0;
    let alike = match from.near_duplicates {
        0.0 => None,
        alike => Some(CLEANING.number("near_duplicates", alike, likeness, "0 or from 0.7 to 1")?),
    };
    Ok(Cleaning {
        exact_duplicates: from.exact_duplicates,
        near_duplicates: alike,
        min_characters: size("min_characters", from.min_characters)?,
        max_characters: Some(size("max_characters", from.max_characters)?).filter(|most| *most > 0),
        max_foreign_share: most("max_foreign_share", from.max_foreign_share)?,
        min_han_share: least("min_han_share", from.min_han_share)?,
        min_latin_share: least("min_latin_share", from.min_latin_share)?,
        max_repetition: most("max_repetition", from.max_repetition)?,
    })
}

/// What was taken out, as counts and as free text of the result.
pub(crate) fn cleaned(cleaner: &Cleaner, digest: String) -> proto::CleanDatasetResponse {
    let removed = |why| cleaner.removed(why) as i64;
    proto::CleanDatasetResponse {
        digest,
        rows: cleaner.read as i64,
        kept_rows: cleaner.kept() as i64,
        unreadable: removed(Removal::Unreadable),
        length: removed(Removal::Length),
        characters: removed(Removal::Characters),
        language: removed(Removal::Language),
        repetition: removed(Removal::Repetition),
        exact_duplicates: removed(Removal::ExactDuplicate),
        near_duplicates: removed(Removal::NearDuplicate),
    }
}

/// Writes what was found in one data set.
pub(crate) struct Report<'a> {
    pub(crate) files: &'a [String],
    pub(crate) audited: &'a Audited,
    pub(crate) max_examples: usize,
}

/// Something found about a row, to be shown.
struct Found<'a> {
    origin: Origin,
    row: Option<&'a AuditedRow>,
    detail: &'a str,
    other: Option<(&'a str, usize)>,
}

impl Report<'_> {
    /// `overlaps` are about rows of `train`, the data set that is trained on.
    pub(crate) fn write(
        &self,
        findings: &[Finding],
        (overlaps, train): (&[Finding], &Report<'_>),
    ) -> proto::DatasetAudit {
        let rows = &self.audited.rows;
        let kept = rows.iter().filter(|row| row.fate.trains()).count();
        let context_tokens = || rows.iter().map(|row| row.context_tokens);
        let has_contexts = context_tokens().any(|tokens| tokens > 0);
        proto::DatasetAudit {
            rows: (rows.len() + self.audited.bad.len()) as i64,
            kept_rows: kept as i64,
            tokens: rows.iter().map(|row| (row.context_tokens + row.trained_tokens) as i64).sum(),
            loss_tokens: self.audited.loss_tokens as i64,
            findings: self.findings(findings, (overlaps, train)),
            prompt_lengths: buckets(context_tokens().filter(|_| has_contexts)),
            answer_lengths: buckets(rows.iter().map(|row| row.trained_tokens)),
            samples: (0..rows.len().min(self.max_examples))
                .map(|row| self.example(&self.found(row)))
                .collect(),
        }
    }

    fn findings(
        &self,
        findings: &[Finding],
        (overlaps, train): (&[Finding], &Report<'_>),
    ) -> Vec<proto::DataFinding> {
        let mut problems: BTreeMap<DataProblem, Vec<Found<'_>>> = BTreeMap::new();
        for bad in &self.audited.bad {
            let found = Found { origin: bad.origin, row: None, detail: &bad.problem, other: None };
            problems.entry(problem_of(bad)).or_default().push(found);
        }
        let about = |finding: &Finding, within: &'_ Report<'_>| {
            finding.other.map(|other| within.audited.origins[other])
        };
        let within = findings.iter().map(|finding| (finding, about(finding, self), self.files));
        let across = overlaps.iter().map(|finding| (finding, about(finding, train), train.files));
        for (finding, other, files) in within.chain(across) {
            let other = other.map(|origin| (files[origin.file].as_str(), origin.row));
            let found = Found { other, ..self.found(finding.row) };
            problems.entry(suspected(finding.suspicion)).or_default().push(found);
        }
        let finding = |(problem, found): (DataProblem, Vec<Found<'_>>)| proto::DataFinding {
            problem: problem.into(),
            rows: found.len() as i64,
            examples: found.iter().take(self.max_examples).map(|found| self.example(found)).collect(),
        };
        problems.into_iter().map(finding).collect()
    }

    fn found(&self, row: usize) -> Found<'_> {
        Found {
            origin: self.audited.origins[row],
            row: Some(&self.audited.rows[row]),
            detail: "",
            other: None,
        }
    }

    fn example(&self, found: &Found<'_>) -> proto::DataExample {
        let (other_file, other_row) = found.other.unwrap_or_default();
        proto::DataExample {
            file: self.files[found.origin.file].clone(),
            row: found.origin.row as i64,
            prompt: found.row.map(|row| shown(&row.context)).unwrap_or_default(),
            trained: found.row.map(|row| shown(&row.trained)).unwrap_or_default(),
            detail: found.detail.to_owned(),
            other_file: other_file.to_owned(),
            other_row: other_row as i64,
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

fn buckets(lengths: impl Iterator<Item = usize>) -> Vec<proto::LengthBucket> {
    let bucket = |(i, rows): (usize, u64)| proto::LengthBucket { below: 1 << i, rows: rows as i64 };
    length_histogram(lengths).into_iter().enumerate().map(bucket).collect()
}

fn problem_of(bad: &BadRow) -> DataProblem {
    match bad.why {
        Unusable::Malformed => DataProblem::Malformed,
        Unusable::NotUtf8 => DataProblem::InvalidUtf8,
        Unusable::Missing => DataProblem::MissingField,
        Unusable::Type => DataProblem::WrongType,
        Unusable::BlankPrompt => DataProblem::EmptyPrompt,
        Unusable::BlankAnswer => DataProblem::EmptyAnswer,
    }
}

fn suspected(suspicion: Suspicion) -> DataProblem {
    match suspicion {
        Suspicion::Truncated => DataProblem::Truncated,
        Suspicion::Dropped => DataProblem::Dropped,
        Suspicion::FullyMasked => DataProblem::FullyMasked,
        Suspicion::NoEos => DataProblem::NoEos,
        Suspicion::Duplicate => DataProblem::Duplicate,
        Suspicion::NearDuplicate => DataProblem::NearDuplicate,
        Suspicion::Contradiction => DataProblem::Contradiction,
        Suspicion::Overlap => DataProblem::Overlap,
        Suspicion::Short => DataProblem::Short,
        Suspicion::Long => DataProblem::Long,
    }
}
