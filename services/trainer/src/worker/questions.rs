//! Rows of instructions: read, rendered, encoded in all their wordings, and made examples of.

use std::sync::Arc;

use rootstock_proto::tokenization::v1::Encoding;
use rootstock_text::{
    EncodedPrompt, Prompt, PromptTemplate, Row, Supervised, SupervisedExample, TextTokenizer, Truncation,
    supervised_example,
};

use super::{
    data::{Read, Reader, adds_space},
    encode::How,
    fault::Fault,
    files::{Contents, Origin, Scan, instructions},
    rows::Rows,
};

/// The most bytes of a data set's prompts and answers: a template or a history can make much of a small file.
const MAX_RENDERED_BYTES: usize = 1 << 30;

/// How rows become prompts.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) template: PromptTemplate,
    /// The field that names it.
    pub(super) template_field: String,
    /// Columns with other wordings of the instruction.
    pub(super) paraphrases: Vec<String>,
}

/// How long examples may be, and what becomes of longer ones.
pub(super) type Length = (usize, Truncation);

/// Rows as texts to be encoded.
#[derive(Debug)]
pub(super) struct Questions {
    pub(super) asked: Vec<Asked>,
    pub(super) eos: u32,
}

/// One row.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) origin: Origin,
    /// Its prompt, and those of its paraphrases.
    pub(super) wordings: Vec<Prompt>,
    pub(super) answer: String,
}

/// One row in ids.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) wordings: Vec<EncodedPrompt>,
    pub(super) answer: Vec<u32>,
}

/// A row as it is trained on: the same answer to one or several wordings of a question, the instruction's first.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(super) wordings: Vec<SupervisedExample>,
}

impl From<SupervisedExample> for Question {
    fn from(example: SupervisedExample) -> Self {
        Self { wordings: vec![example] }
    }
}

impl Questions {
    /// Reads and renders all rows.
    pub(super) fn read(
        field: &str,
        files: &Contents,
        (asking, tokenizer): (&Asking, &TextTokenizer),
        scan: &mut Scan<'_>,
    ) -> Result<Self, Fault> {
        let Some(eos) = tokenizer.special_tokens().eos.as_ref().map(|token| token.id) else {
            let message =
                "the tokenizer has no eos_token, which ends each answer; name one in tokenizer_config.json";
            return Err(Fault::Job(message.to_owned()));
        };
        let strip = adds_space(tokenizer);
        let (mut asked, mut rendered) = (Vec::new(), 0);
        for (file, (name, bytes)) in files.iter().enumerate() {
            for (origin, row) in instructions((field, name), (file, bytes), &asking.paraphrases, scan)? {
                match texts(&row, asking, tokenizer) {
                    Ok((wordings, answer)) => {
                        let prompts: usize = wordings.iter().map(|prompt| prompt.text.len()).sum();
                        rendered += prompts + answer.len();
                        bounded(field, rendered)?;
                        let answer = if strip { continued(answer) } else { answer };
                        asked.push(Asked { origin, wordings, answer });
                    }
                    Err(problem) => scan.unusable(origin, problem)?,
                }
            }
        }
        Ok(Self { asked, eos })
    }

    /// All wordings, one row's after the other's.
    fn prompts(&self) -> impl Iterator<Item = &Prompt> {
        self.asked.iter().flat_map(|asked| &asked.wordings)
    }

    /// Joins the ids of all wordings and answers to rows.
    fn rows_of(&self, wordings: Vec<Encoding>, answers: Vec<Encoding>) -> Vec<Encoded> {
        let mut wordings = wordings.into_iter();
        let encoded = |(asked, answer): (&Asked, Encoding)| {
            let wordings = asked.wordings.iter().zip(wordings.by_ref());
            let wordings = wordings.map(|(prompt, encoding)| locate(prompt, encoding)).collect();
            Encoded { wordings, answer: answer.ids }
        };
        self.asked.iter().zip(answers).map(encoded).collect()
    }
}

fn bounded(field: &str, rendered: usize) -> Result<(), Fault> {
    if rendered <= MAX_RENDERED_BYTES {
        return Ok(());
    }
    let message = format!(
        "{field}: its prompts and answers have more than {MAX_RENDERED_BYTES} bytes; \
         leave out rows or paraphrases, or shorten conversations"
    );
    Err(Fault::Job(message))
}

/// The prompts of a row's wordings, and its answer.
fn texts(
    row: &Row,
    Asking { template, template_field, .. }: &Asking,
    tokenizer: &TextTokenizer,
) -> Result<(Vec<Prompt>, String), String> {
    let failed = |error| format!("{template_field}: {error}");
    let reworded = |instruction: &String| Row { instruction: instruction.clone(), ..row.clone() };
    let others = row.paraphrases.iter().map(reworded);
    let prompts = std::iter::once(row.clone()).chain(others).map(|row| template.render(&row, tokenizer));
    let answer = template.answer(row, tokenizer).map_err(failed)?;
    Ok((prompts.collect::<Result<_, _>>().map_err(failed)?, answer))
}

fn continued(answer: String) -> String {
    answer.strip_prefix(' ').map(str::to_owned).unwrap_or(answer)
}

impl Reader {
    /// All rows in ids.
    pub(super) async fn encode_questions(&self, questions: &Arc<Questions>) -> Result<Vec<Encoded>, Fault> {
        let all = Arc::clone(questions);
        let (prompts, answers, add_special_tokens) = self
            .beside
            .run(move |_| {
                let add_special_tokens = all.prompts().next().is_some_and(|prompt| prompt.add_special);
                let prompts = all.prompts().map(|prompt| prompt.text.clone()).collect();
                let answers = all.asked.iter().map(|asked| asked.answer.clone()).collect();
                Ok((prompts, answers, add_special_tokens))
            })
            .await?;
        let wordings = self.encoder.encode(prompts, How { add_special_tokens, return_offsets: true }).await?;
        let how = How { add_special_tokens: false, return_offsets: false };
        let answers = self.encoder.encode(answers, how).await?;
        let all = Arc::clone(questions);
        self.beside.run(move |_| Ok(all.rows_of(wordings, answers))).await
    }

    pub(super) async fn supervised(
        &self,
        field: Arc<str>,
        files: Arc<Contents>,
        questions: Questions,
        length: Length,
    ) -> Result<Read, Fault> {
        let questions = Arc::new(questions);
        let encoded = self.encode_questions(&questions).await?;
        self.beside.run(move |_| examples((&field, &files), &questions, encoded, length)).await
    }
}

/// The rows that are trained on.
fn examples(
    (field, files): (&str, &Contents),
    questions: &Questions,
    encoded: Vec<Encoded>,
    length: Length,
) -> Result<Read, Fault> {
    let (mut rows, mut dropped, mut truncated) = (Vec::with_capacity(encoded.len()), 0, 0);
    for (asked, encoded) in questions.asked.iter().zip(encoded) {
        match encoded.example(questions.eos, length) {
            Supervised::Kept { example, cut } => {
                truncated += u64::from(cut > 0);
                rows.push(encoded.question(example, questions.eos, length));
            }
            Supervised::Dropped { tokens } if length.1 == Truncation::Error => {
                let (name, row) = (&files[asked.origin.file].0, asked.origin.row);
                return Err(Fault::Job(too_long((field, name), row, tokens, length.0)));
            }
            Supervised::Dropped { .. } => dropped += 1,
        }
    }
    tracing::info!(rows = rows.len(), dropped, truncated, "rows read");
    Ok(Read { rows: Rows::Supervised(rows), dropped, truncated, documents: Vec::new() })
}

/// That a row is longer than rows may be.
pub(super) fn too_long((field, name): (&str, &str), row: usize, tokens: usize, max_length: usize) -> String {
    format!(
        "{field}: {name}: row {row} has {tokens} tokens, more than spec.supervised.max_length = {max_length}; \
         shorten it, raise max_length or choose another truncation"
    )
}

impl Encoded {
    /// What becomes of the row.
    pub(super) fn example(&self, eos: u32, length: Length) -> Supervised {
        let none = EncodedPrompt::default();
        supervised_example(self.wordings.first().unwrap_or(&none), &self.answer, eos, length)
    }

    /// The row with those of its other wordings that are not too long.
    fn question(&self, example: SupervisedExample, eos: u32, length: Length) -> Question {
        let mut question = Question::from(example);
        let others = self.wordings.iter().skip(1);
        let others = others.map(|wording| supervised_example(wording, &self.answer, eos, length));
        question.wordings.extend(others.filter_map(Supervised::into_example));
        question
    }
}

/// Which tokens of a prompt are the user's words: those of which all but space is.
fn locate(prompt: &Prompt, encoding: Encoding) -> EncodedPrompt {
    let mut located = EncodedPrompt { ids: encoding.ids, user: Vec::new() };
    for (i, (start, end)) in encoding.start_offsets.iter().zip(&encoding.end_offsets).enumerate() {
        let (start, end) = (*start as usize, *end as usize);
        // A token that is part of a character has no text of its own; its whole range decides.
        let text = prompt.text.get(start..end).unwrap_or_default();
        let words = start + (text.len() - text.trim_start().len());
        let words = if text.trim().is_empty() { start..end } else { words..words + text.trim().len() };
        if words.is_empty()
            || !prompt.user.iter().any(|user| user.start <= words.start && words.end <= user.end)
        {
            continue;
        }
        match located.user.last_mut() {
            Some(last) if last.end == i => last.end = i + 1,
            _ => located.user.push(i..i + 1),
        }
    }
    located
}

#[cfg(test)]
mod tests;
