//! Reads a data set as a job would, and goes on after what is wrong.

use std::{collections::BTreeSet, sync::Arc};

use rootstock_proto::tokenization::v1::Encoding;
use rootstock_text::{AuditedRow, Fate, IGNORE_INDEX, LabelledText, Supervised, Truncation};

use super::{
    data::Reader,
    fault::Fault,
    files::{BadRow, Contents, Origin, Scan, documents, labelled_texts},
    questions::{Asked, Encoded, Length, Questions, too_long},
};
use crate::spec::Objective;

/// A data set as the job would see it.
#[derive(Debug, Default)]
pub(crate) struct Audited {
    /// The rows that can be read, in order, and where each stands.
    pub(crate) rows: Vec<AuditedRow>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) bad: Vec<BadRow>,
    /// Labels of the kept rows that carry loss.
    pub(crate) loss_tokens: u64,
    /// Why the job would refuse the first row that is too long, where it would.
    pub(crate) too_long: Option<String>,
    /// Of the tokens that the job adds, those in kept rows.
    pub(crate) added: BTreeSet<u32>,
}

/// How a data set is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// More rows, good and bad ones, are refused.
    pub(crate) max_rows: usize,
    /// The first of the tokens that the job adds.
    pub(crate) first_added: u32,
}

impl Audited {
    fn new(bad: Vec<BadRow>) -> Self {
        Self { bad, ..Self::default() }
    }

    /// Rows read, good and bad ones.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() + self.bad.len()
    }

    fn push(&mut self, origin: Origin, row: AuditedRow, (ids, loss_tokens): (&[u32], u64), look: Look) {
        if row.fate.trains() {
            self.loss_tokens += loss_tokens;
            self.added.extend(ids.iter().filter(|id| **id >= look.first_added));
        }
        self.rows.push(row);
        self.origins.push(origin);
    }
}

impl Reader {
    /// Reads a whole data set; `field` is the one that names it.
    pub(crate) async fn audit(
        &self,
        field: &str,
        files: Arc<Contents>,
        look: Look,
    ) -> Result<Audited, Fault> {
        let field: Arc<str> = field.into();
        match &self.objective {
            Objective::Supervised { max_length, truncation, .. } => {
                self.audit_questions((field, files), (*max_length, *truncation), look).await
            }
            Objective::Classification(classification) => {
                self.audit_labelled((field, files), classification.max_length, look).await
            }
            Objective::Causal { .. } | Objective::Infilling { .. } | Objective::Masked(_) => {
                self.audit_documents((field, files), look).await
            }
        }
    }

    async fn audit_questions(
        &self,
        (field, files): (Arc<str>, Arc<Contents>),
        length: Length,
        look: Look,
    ) -> Result<Audited, Fault> {
        let (questions, bad) = self.questions(&field, &files, Some(look.max_rows)).await?;
        let questions = Arc::new(questions);
        let encoded = self.encode_questions(&questions).await?;
        let audited = self.beside.run(move |_| {
            let audited = audited_questions((&field, &files), (&questions, encoded), (length, look));
            Ok(Audited { bad, ..audited })
        });
        audited.await
    }

    async fn audit_labelled(
        &self,
        (field, files): (Arc<str>, Arc<Contents>),
        max_length: usize,
        look: Look,
    ) -> Result<Audited, Fault> {
        let scan = move |scan: &mut Scan<'_>| labelled_texts(&field, &files, scan);
        let (rows, bad) = self.scanned(Some(look.max_rows), scan).await?;
        let (rows, encodings) = self.encode_labelled(rows).await?;
        let audited = self.beside.run(move |_| {
            let mut audited = Audited::new(bad);
            for ((origin, text), encoding) in rows.into_iter().zip(encodings) {
                let row = labelled(text, &encoding, max_length);
                audited.push(origin, row, (&encoding.ids, 1), look);
            }
            Ok(audited)
        });
        audited.await
    }

    async fn audit_documents(
        &self,
        (field, files): (Arc<str>, Arc<Contents>),
        look: Look,
    ) -> Result<Audited, Fault> {
        let scan = move |scan: &mut Scan<'_>| {
            let documents = documents(&field, &files, scan)?;
            let texts: Vec<String> = documents.iter().map(|(_, text)| text.clone()).collect();
            Ok((documents, texts))
        };
        let ((documents, texts), bad) = self.scanned(Some(look.max_rows), scan).await?;
        let encoded = self.encoded(texts).await?;
        let audited = self.beside.run(move |_| {
            let mut audited = Audited::new(bad);
            for ((origin, trained), ids) in documents.into_iter().zip(encoded) {
                let row = AuditedRow { trained, trained_tokens: ids.len(), ..AuditedRow::default() };
                audited.push(origin, row, (&ids, ids.len() as u64), look);
            }
            Ok(audited)
        });
        audited.await
    }
}

/// A text and what is learned of it. Its length is what may be unusual: all labels are one.
fn labelled(text: LabelledText, encoding: &Encoding, max_length: usize) -> AuditedRow {
    let tokens = encoding.ids.len();
    let fate = if (1..=max_length).contains(&tokens) { Fate::Kept } else { Fate::Dropped };
    let (context, trained) = (text.text, text.label);
    AuditedRow { context, trained, context_tokens: 0, trained_tokens: tokens, fate }
}

fn audited_questions(
    (field, files): (&str, &Contents),
    (questions, encoded): (&Questions, Vec<Encoded>),
    (length, look): (Length, Look),
) -> Audited {
    let mut audited = Audited::default();
    for (asked, encoded) in questions.asked.iter().zip(encoded) {
        let example = encoded.example(questions.eos, length);
        if let (Supervised::Dropped { tokens }, Truncation::Error) = (&example, length.1) {
            let name = (field, files[asked.origin.file].0.as_str());
            let refusal = || too_long(name, asked.origin.row, *tokens, length.0);
            audited.too_long.get_or_insert_with(refusal);
        }
        let row = question(asked, &encoded, fate(&example, length.1));
        let example = example.into_example().unwrap_or_default();
        let learned = example.labels.iter().skip(1).filter(|label| **label != IGNORE_INDEX).count();
        audited.push(asked.origin, row, (&example.input_ids, learned as u64), look);
    }
    audited
}

fn fate(example: &Supervised, truncation: Truncation) -> Fate {
    match example {
        Supervised::Kept { cut: 0, .. } => Fate::Kept,
        Supervised::Kept { .. } => Fate::Truncated { loses_eos: truncation == Truncation::Right },
        Supervised::Dropped { .. } if truncation == Truncation::Right => Fate::Masked,
        Supervised::Dropped { .. } => Fate::Dropped,
    }
}

fn question(asked: &Asked, encoded: &Encoded, fate: Fate) -> AuditedRow {
    AuditedRow {
        context: asked.wordings.first().map(|prompt| prompt.text.clone()).unwrap_or_default(),
        trained: asked.answer.clone(),
        context_tokens: encoded.wordings.first().map_or(0, |wording| wording.ids.len()),
        // With EOS.
        trained_tokens: encoded.answer.len() + 1,
        fate,
    }
}
