//! Reads a data set as a job would, and goes on after what is wrong.

use std::sync::Arc;

use rootstock_text::{AuditedRow, Fate, IGNORE_INDEX, Supervised, Truncation};

use super::{
    data::Reader,
    encode::How,
    fault::Fault,
    files::{BadRow, Contents, Origin, documents, labelled_texts},
    inputs::blocking,
    questions::{Asked, Asking, Encoded, Length, Questions, too_long},
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
}

impl Audited {
    fn push(&mut self, origin: Origin, row: AuditedRow, loss_tokens: u64) {
        self.loss_tokens += if row.fate.trains() { loss_tokens } else { 0 };
        self.rows.push(row);
        self.origins.push(origin);
    }
}

impl Reader {
    /// Reads a whole data set; `field` is the one that names it.
    pub(crate) async fn audit(&self, field: &'static str, files: Arc<Contents>) -> Result<Audited, Fault> {
        match &self.objective {
            Objective::Supervised { prompt_template, paraphrase_columns, max_length, truncation, .. } => {
                let asking = Asking { template: *prompt_template, paraphrases: paraphrase_columns.clone() };
                self.audit_questions((field, files), asking, (*max_length, *truncation)).await
            }
            Objective::Classification(classification) => {
                self.audit_labelled((field, files), classification.max_length).await
            }
            Objective::Causal { .. } | Objective::Infilling { .. } | Objective::Masked(_) => {
                self.audit_documents(field, files).await
            }
        }
    }

    async fn audit_questions(
        &self,
        (field, files): (&'static str, Arc<Contents>),
        asking: Asking,
        length: Length,
    ) -> Result<Audited, Fault> {
        let (contents, tokenizer) = (Arc::clone(&files), Arc::clone(&self.tokenizer));
        let (questions, bad) = blocking(move || {
            let mut bad = Vec::new();
            let questions = Questions::read(field, &contents, &asking, &tokenizer, Some(&mut bad))?;
            Ok((questions, bad))
        })
        .await?;
        let encoded = self.encode_questions(&questions).await?;
        blocking(move || Ok(audited_questions((field, &files), (questions, encoded), bad, length))).await
    }

    async fn audit_labelled(
        &self,
        (field, files): (&'static str, Arc<Contents>),
        max_length: usize,
    ) -> Result<Audited, Fault> {
        let (rows, bad) = blocking(move || {
            let mut bad = Vec::new();
            Ok((labelled_texts(field, &files, Some(&mut bad))?, bad))
        })
        .await?;
        let texts = rows.iter().map(|(_, row)| row.text.clone()).collect();
        let how = How { add_special_tokens: true, return_offsets: false };
        let encodings = self.encoder.encode(texts, how).await?;
        let mut audited = Audited { bad, ..Audited::default() };
        for ((origin, row), encoding) in rows.into_iter().zip(encodings) {
            let tokens = encoding.ids.len();
            let fate = if (1..=max_length).contains(&tokens) { Fate::Kept } else { Fate::Dropped };
            // The text's length is what may be unusual: all labels are one.
            let (context, trained) = (row.text, row.label);
            audited.push(
                origin,
                AuditedRow { context, trained, context_tokens: 0, trained_tokens: tokens, fate },
                1,
            );
        }
        Ok(audited)
    }

    async fn audit_documents(&self, field: &'static str, files: Arc<Contents>) -> Result<Audited, Fault> {
        let (documents, bad) = blocking(move || {
            let mut bad = Vec::new();
            Ok((documents(field, &files, Some(&mut bad))?, bad))
        })
        .await?;
        let (origins, texts): (Vec<_>, Vec<String>) = documents.into_iter().unzip();
        let encoded = self.encoded(texts.clone()).await?;
        let mut audited = Audited { bad, ..Audited::default() };
        for ((origin, trained), ids) in origins.into_iter().zip(texts).zip(encoded) {
            let row = AuditedRow { trained, trained_tokens: ids.len(), ..AuditedRow::default() };
            audited.push(origin, row, ids.len() as u64);
        }
        Ok(audited)
    }
}

fn audited_questions(
    (field, files): (&str, &Contents),
    (questions, encoded): (Questions, Vec<Encoded>),
    bad: Vec<BadRow>,
    length: Length,
) -> Audited {
    let mut audited = Audited { bad, ..Audited::default() };
    for (asked, encoded) in questions.asked.into_iter().zip(encoded) {
        let example = encoded.example(questions.eos, length);
        if let (Supervised::Dropped { tokens }, Truncation::Error) = (&example, length.1) {
            let name = (field, files[asked.origin.file].0.as_str());
            let refusal = || too_long(name, asked.origin.row, *tokens, length.0);
            audited.too_long.get_or_insert_with(refusal);
        }
        let loss_tokens = match &example {
            Supervised::Kept { example, .. } => {
                example.labels.iter().skip(1).filter(|label| **label != IGNORE_INDEX).count() as u64
            }
            Supervised::Dropped { .. } => 0,
        };
        let (origin, row) = (asked.origin, question(asked, &encoded, fate(&example, length.1)));
        audited.push(origin, row, loss_tokens);
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

fn question(asked: Asked, encoded: &Encoded, fate: Fate) -> AuditedRow {
    AuditedRow {
        context: asked.wordings.into_iter().next().map(|prompt| prompt.text).unwrap_or_default(),
        trained: asked.answer,
        context_tokens: encoded.wordings.first().map_or(0, |wording| wording.ids.len()),
        // With EOS.
        trained_tokens: encoded.answer.len() + 1,
        fate,
    }
}
