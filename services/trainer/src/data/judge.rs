//! What is to be said of data that was read: what would make its job fail, and what is suspicious, each data set beside those that are
//! trained on with it.

use std::collections::BTreeSet;

use rootstock_proto::training::v1 as proto;
use rootstock_text::{AuditedRow, Finding, RowOf, Trained, audit};

use crate::{
    convert::{About, DataReport, Looked},
    spec::{Data, Objective, Spec, Validation},
    worker::{
        apart::trains_on_test,
        labelled::{self, check_head, head},
        order::split,
        prepare::nothing_to_train,
        stop::Stop,
    },
};

/// All that was read of a specification's data.
pub(super) struct Found {
    pub(super) spec: Spec,
    /// The labels that the model knows.
    pub(super) known: Option<Vec<String>>,
    /// The first of the tokens that the job adds.
    pub(super) first_added: u32,
    pub(super) trained: Vec<Looked>,
    pub(super) validation: Option<Looked>,
    pub(super) replay: Option<Looked>,
    pub(super) retention: Option<Looked>,
}

/// The rows of a data set that are trained on, and those that are held out of it; numbers of rows.
struct Parts {
    trained: Vec<usize>,
    held_out: Vec<usize>,
}

impl Found {
    pub(super) fn answer(&self, max_examples: usize, stop: &Stop) -> proto::AuditDatasetResponse {
        let ended = || stop.check().is_err();
        let together = self.together();
        let rows: Vec<&[AuditedRow]> = together.iter().map(|set| set.audited.rows.as_slice()).collect();
        let findings = audit(&rows, &ended);
        let (held_out, validated, tested) = self.overlaps(&together);
        let labels = self.head();
        let report = |looked: &Looked, about: &[About<'_>]| {
            DataReport { looked, labels: labels.as_deref(), max_examples }.write(about)
        };
        let of_trained = |(number, looked): (usize, &&Looked)| {
            let own = About { findings: &findings[number], others: &together };
            let held_out = held_out.get(number).map(Vec::as_slice).unwrap_or_default();
            report(looked, &[own, About { findings: held_out, others: &together }])
        };
        let alone = |looked: &Looked, overlaps: &[Finding]| {
            let findings = audit(&[&looked.audited.rows], &ended).concat();
            let own = About { findings: &findings, others: &[looked] };
            report(looked, &[own, About { findings: overlaps, others: &together }])
        };
        let mut reports: Vec<_> = together.iter().enumerate().map(of_trained).collect();
        let replay = self.replay.as_ref().and_then(|_| reports.pop());
        let (dataset, mixed) = match &self.spec.data {
            Data::Dataset(_) if self.spec.stages.is_empty() => (reports.pop(), Vec::new()),
            _ => (None, reports),
        };
        proto::AuditDatasetResponse {
            dataset,
            mixed,
            replay,
            validation_dataset: self.validation.as_ref().map(|looked| alone(looked, &validated)),
            retention: self.retention.as_ref().map(|looked| alone(looked, &[])),
            refusals: self.refusals(tested, labels.as_deref()),
            unseen_tokens: self.unseen_tokens(),
            missing_labels: self.missing_labels(labels.as_deref()),
        }
    }

    /// All data sets that are trained on, the replayed one last.
    fn together(&self) -> Vec<&Looked> {
        self.trained.iter().chain(&self.replay).collect()
    }

    /// The rows held out of each data set that are trained on as well, those of the one to validate on, and that nothing else is validated
    /// on where it is so.
    fn overlaps(&self, together: &[&Looked]) -> (Vec<Vec<Finding>>, Vec<Finding>, Option<String>) {
        let parts: Vec<Parts> = together.iter().map(|looked| self.parts(looked)).collect();
        let trained = together.iter().zip(&parts).enumerate().flat_map(|(set, (looked, parts))| {
            let place = move |row: &usize| (RowOf { set, row: *row }, &looked.audited.rows[*row]);
            parts.trained.iter().map(place)
        });
        let trained = Trained::new(trained);
        let held_out = |(looked, parts): (&&Looked, &Parts)| {
            trained.overlaps(parts.held_out.iter().map(|row| (*row, &looked.audited.rows[*row])))
        };
        let held_out: Vec<Vec<Finding>> = together.iter().zip(&parts).map(held_out).collect();
        let rows = self.validation.iter().flat_map(kept);
        let validated = self.validation.as_ref().map_or_else(Vec::new, |looked| {
            trained.overlaps(kept(looked).map(|row| (row, &looked.audited.rows[row])))
        });
        let of_split = parts.iter().map(|parts| parts.held_out.len()).sum::<usize>();
        let counts = [
            ("spec.validation_split", of_split, held_out.iter().map(Vec::len).sum::<usize>()),
            ("spec.validation_dataset", rows.count(), validated.len()),
        ];
        let all = counts.into_iter().find(|(_, rows, overlaps)| *rows > 0 && rows == overlaps);
        (held_out, validated, all.map(|(field, rows, _)| trains_on_test(field, rows)))
    }

    /// What is held out of a data set. Texts are in blocks, which depend on what stands around them; earlier data is replayed whole.
    fn parts(&self, looked: &Looked) -> Parts {
        let kept: Vec<usize> = kept(looked).collect();
        let of_rows =
            matches!(self.spec.objective, Objective::Supervised { .. } | Objective::Classification(_));
        let replayed = self.replay.as_ref().is_some_and(|replay| std::ptr::eq(replay, looked));
        let Validation::Split(share) = self.spec.validation else {
            return Parts { trained: kept, held_out: Vec::new() };
        };
        if !of_rows || replayed {
            return Parts { trained: kept, held_out: Vec::new() };
        }
        let (trained, held_out) = split(kept.len(), share, self.spec.arguments.seed);
        let rows = |part: Vec<usize>| part.into_iter().map(|row| kept[row]).collect();
        Parts { trained: rows(trained), held_out: rows(held_out) }
    }

    /// The labels of the head that the job would make, where it classifies.
    fn head(&self) -> Option<Vec<String>> {
        let classifies = matches!(self.spec.objective, Objective::Classification(_));
        classifies.then(|| head(self.known.as_deref(), labels_of(&self.trained).map(str::to_owned).collect()))
    }

    /// Why the job would fail.
    fn refusals(&self, tested: Option<String>, head: Option<&[String]>) -> Vec<String> {
        let others = [&self.validation, &self.replay, &self.retention].into_iter().flatten();
        let mut refusals: Vec<String> = self.trained.iter().chain(others).flat_map(refusals).collect();
        refusals.extend(tested);
        let Some(head) = head else { return refusals };
        let data = self.spec.data_field();
        refusals.extend(check_head(data, head.len()).err());
        let stranger = |looked: &Option<Looked>| {
            let mut labels = looked.iter().flat_map(|looked| labels_of([looked]));
            labels.find(|label| !head.iter().any(|known| known == label)).map(str::to_owned)
        };
        if let (Some(label), Some(looked)) = (stranger(&self.validation), &self.validation) {
            refusals.push(labelled::untrained(&looked.field, &label, data));
        }
        for earlier in [&self.replay, &self.retention] {
            if let (Some(label), Some(looked)) = (stranger(earlier), earlier) {
                refusals.push(labelled::unknown(&looked.field, &label));
            }
        }
        refusals
    }

    /// Tokens that the job adds and trains nothing on.
    fn unseen_tokens(&self) -> Vec<String> {
        let sets = self.together();
        let seen: BTreeSet<u32> =
            sets.iter().flat_map(|looked| looked.audited.added.iter().copied()).collect();
        let added = (self.first_added..).zip(&self.spec.added_tokens);
        added.filter(|(id, _)| !seen.contains(id)).map(|(_, token)| token.clone()).collect()
    }

    /// Labels of the head that nothing is trained on.
    fn missing_labels(&self, head: Option<&[String]>) -> Vec<String> {
        let seen: BTreeSet<&str> = labels_of(self.together()).collect();
        head.into_iter().flatten().filter(|label| !seen.contains(label.as_str())).cloned().collect()
    }
}

/// The numbers of the rows that are not left out.
fn kept(looked: &Looked) -> impl Iterator<Item = usize> {
    looked.audited.rows.iter().enumerate().filter(|(_, row)| row.fate.trains()).map(|(number, _)| number)
}

/// The labels of the rows that are not left out.
fn labels_of<'l>(sets: impl IntoIterator<Item = &'l Looked>) -> impl Iterator<Item = &'l str> {
    let rows = sets.into_iter().flat_map(|looked| &looked.audited.rows);
    rows.filter(|row| row.fate.trains()).map(|row| row.trained.as_str())
}

/// Why the job would refuse a data set by itself.
fn refusals(Looked { field, files, audited, .. }: &Looked) -> Vec<String> {
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
